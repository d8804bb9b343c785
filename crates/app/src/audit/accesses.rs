//! Who used a patient's record, when, why and under which permission: the patient's own question.

use std::collections::BTreeMap;

use fhir::{Id, Resource, Value};
use fhirpath::search::Registry;
use store::Stored;
use store::query::parse;

use super::event::SEEN;
use super::line::{self, Prover};

use crate::authorise::{Action, MFA_MAX_AGE_S, authorise, authorise_asking, by_a_person};
use crate::records::link::{self, Link};
use crate::records::longitudinal::{ask_json, asking};
use crate::{App, Caller, Error, Evidence, Result};

/// Most accesses that one question returns.
pub const MAX_ACCESSES: usize = 500;

/// One access, as the patient may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Id of the AuditEvent.
    pub id: String,
    /// When, milliseconds since the Unix epoch.
    pub recorded_ms: i64,
    /// Institution of the person or program.
    pub organisation: String,
    /// Name of the person; empty where the node acted of itself.
    pub user: String,
    /// Role of the person.
    pub role: String,
    /// What somebody who acted for the patient is to them, a code of v3-RoleCode; empty for others,
    /// and in the logs of other institutions.
    pub relationship: String,
    /// Purpose of use, a v3-ActReason code; empty where none was stated.
    pub purpose: String,
    /// What was done: the subtype code of the AuditEvent, `read` or `disclose` for example.
    pub action: String,
    /// Whether it was refused.
    pub refused: bool,
    /// What was stated as evidence.
    pub evidence: Option<String>,
    /// The id that joins the entries of all nodes.
    pub request_id: String,
    /// The institution whose log this is from.
    pub at: String,
    /// What was seen: how many resources of which type.
    pub seen: BTreeMap<String, u64>,
    /// Whether a permission of the patient decided.
    pub by_permission: bool,
    /// What shows that this line was not made up or changed since.
    pub proof: Proof,
}

/// What shows that a line was not made up or changed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// It is in a log whose checkpoint so many other institutions have cosigned.
    Cosigned(usize),
    /// It is in the log, and nobody has cosigned that yet.
    Waiting,
    /// Its log cannot prove single lines, or could not when it was written.
    #[default]
    Absent,
    /// What the institution sent as its proof does not prove it.
    Broken,
}

/// On whose authority an access was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The patient asked for it.
    OwnRequest,
    /// An emergency, against or without a decision of the patient.
    Emergency,
    /// A permission that the patient gave.
    Permission,
    /// The rules of the institution and the network for this purpose.
    Rules,
}

impl Proof {
    /// Its code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Cosigned(_) => "cosigned",
            Self::Waiting => "waiting",
            Self::Absent => "absent",
            Self::Broken => "broken",
        }
    }
}

impl Authority {
    /// Its code.
    pub fn code(self) -> &'static str {
        match self {
            Self::OwnRequest => "own-request",
            Self::Emergency => "emergency",
            Self::Permission => "permission",
            Self::Rules => "rules",
        }
    }
}

impl Access {
    /// Whether consent was overridden in an emergency.
    pub fn is_break_glass(&self) -> bool {
        self.purpose == "BTG" || self.action == "110127"
    }

    /// Whether the patient may see what was stated as evidence: a reason in words here, and elsewhere
    /// the reason of an emergency.
    pub(crate) fn shows_reason(&self, here: bool) -> bool {
        let is_words = |text: &String| matches!(Evidence::read(text), Some(Evidence::Reason(_)));
        self.is_break_glass() || here && self.evidence.as_ref().is_some_and(is_words)
    }

    /// On whose authority it was allowed.
    pub fn authority(&self) -> Authority {
        match self.purpose.as_str() {
            "PATRQT" => Authority::OwnRequest,
            _ if self.is_break_glass() => Authority::Emergency,
            _ if self.by_permission => Authority::Permission,
            _ => Authority::Rules,
        }
    }

    /// Whether `told`, which came beside this, says nothing else. Evidence that may not be shown is
    /// left out of both.
    pub(super) fn is_said_by(&self, told: &Self) -> bool {
        let role_of = |access: &Self| match access.user.is_empty() {
            true => String::new(),
            false => access.role.clone(),
        };
        let said = Self { role: role_of(self), proof: told.proof, ..self.clone() };
        said == Self { role: role_of(told), ..told.clone() }
    }
}

/// The newest accesses to the record of `patient` in this institution's log, newest first. For the
/// patient themself and for those who may read the audit; reading it is recorded too.
pub fn accesses(app: &App, caller: &Caller, patient: &Id, count: usize) -> Result<Vec<Access>> {
    authorise_own(app, caller, patient)?;
    let list = find(app, patient, count)?.into_iter().map(|(access, _)| access).collect();
    let event = crate::audit::Event::by(caller, crate::audit::event::Pattern::AuditRead)
        .patients([patient.clone()]);
    app.audit(event)?;
    Ok(list)
}

/// The patient themself and those who may read the audit.
pub(super) fn authorise_own(app: &App, caller: &Caller, patient: &Id) -> Result<()> {
    by_a_person(app, caller, policy::Action::OwnAccesses)?;
    let permit = authorise(app, caller, Action::reading("AuditEvent"))?;
    match permit.scope().own() {
        Some(own) if own != patient => Err(Error::not_found()),
        _ => Ok(()),
    }
}

/// The list itself with the entries, for callers that have been authorised.
pub(crate) fn find(app: &App, patient: &Id, count: usize) -> Result<Vec<(Access, Stored)>> {
    let params = [
        ("patient".to_owned(), format!("Patient/{patient}")),
        ("_sort".to_owned(), "-_lastUpdated".to_owned()),
    ];
    let search =
        parse(Registry::r4(), "AuditEvent", &params).map_err(|e| Error::internal(e.to_string()))?;
    let snapshot = app.store().snapshot()?;
    let found = snapshot.find(&search.query, count.min(MAX_ACCESSES + 1), false)?;
    let own = app.org().id.clone();
    let prover = Prover::new(app, &*snapshot)?;
    let mut list = Vec::new();
    for stored in snapshot.load(&found)? {
        let Some(access) = view(&crate::records::parse(&stored)?, &own) else { continue };
        list.push((Access { proof: prover.state(&stored)?, ..access }, stored));
    }
    Ok(list)
}

/// One entry as the patient may see it; `None` where nobody in particular did anything.
pub(super) fn view(event: &Resource, own: &str) -> Option<Access> {
    let root = event.root();
    let agents = root.get("agent")?;
    let requestor = agents
        .items()
        .find(|agent| agent.get("requestor").and_then(Value::as_bool) == Some(true))?;
    let text = |value: Option<Value<'_>>| {
        value.and_then(Value::as_str).map(|text| text.into_owned()).unwrap_or_default()
    };
    let system = requestor.path(&["who", "identifier", "system"]).and_then(Value::as_str);
    let organisation = system
        .as_deref()
        .and_then(|system| system.strip_prefix("urn:consilium:org:")?.strip_suffix(":account"))
        .unwrap_or(own)
        .to_owned();
    let is_person = requestor.get("role").is_some();
    let first = |value: Option<Value<'_>>, name: &str| {
        text(value.and_then(|list| list.items().next()).and_then(|item| item.get(name)))
    };
    let purpose = root.get("purposeOfEvent").and_then(|list| list.items().next());
    let request = root.get("entity").and_then(|list| {
        list.items().find(|e| e.path(&["type", "code"]).is_some_and(|c| c.is_str("XrequestId")))
    });
    let detail = |of: &str| {
        let mut details = request?.get("detail")?.items();
        let found = details.find(|d| d.get("type").is_some_and(|name| name.is_str(of)))?;
        found.str_at("valueString").map(|text| text.into_owned())
    };
    // What an entry about several people names may be the others'.
    let alone = root.get("entity").is_some_and(|list| {
        let patients =
            list.items().filter(|e| e.path(&["role", "code"]).is_some_and(|code| code.is_str("1")));
        patients.count() == 1
    });
    let by_permission = alone
        && root.get("entity").is_some_and(|list| {
            list.items().any(|e| e.path(&["role", "code"]).is_some_and(|code| code.is_str("13")))
        });
    Some(Access {
        id: event.id()?.to_string(),
        recorded_ms: fhir::time::parse(&root.str_at("recorded")?)?.start_ms,
        organisation,
        user: if is_person { text(requestor.path(&["who", "display"])) } else { String::new() },
        role: first(requestor.get("role"), "text"),
        relationship: relationship(requestor),
        purpose: first(purpose.and_then(|purpose| purpose.get("coding")), "code"),
        action: first(root.get("subtype"), "code"),
        refused: root.get("outcome").is_some_and(|outcome| !outcome.is_str("0")),
        evidence: detail("evidence"),
        request_id: text(request.and_then(|entity| entity.path(&["what", "identifier", "value"]))),
        at: own.to_owned(),
        seen: if alone { seen(root, request) } else { BTreeMap::new() },
        by_permission,
        proof: Proof::Absent,
    })
}

/// What somebody who acts for the patient is to them.
fn relationship(agent: Value<'_>) -> String {
    let roles = agent.get("role");
    let codes = roles.iter().flat_map(|roles| roles.items()).filter_map(|role| {
        let coding = role.get("coding")?.items().next()?;
        let is_ours = coding.get("system").is_some_and(|it| it.is_str(crate::proxies::ROLE_CODE));
        coding.str_at("code").filter(|_| is_ours).map(|code| code.into_owned())
    });
    codes.last().unwrap_or_default()
}

/// What an entry says was seen: counts of what was disclosed, and the resources it names.
fn seen(root: Value<'_>, request: Option<Value<'_>>) -> BTreeMap<String, u64> {
    let mut seen = BTreeMap::new();
    for detail in
        request.and_then(|request| request.get("detail")).iter().flat_map(|list| list.items())
    {
        let name = detail.str_at("type");
        let kind = name.as_deref().and_then(|name| name.strip_prefix(SEEN));
        let count = detail.str_at("valueString").and_then(|count| count.parse().ok());
        if let Some((kind, count)) = kind.zip(count) {
            seen.insert(kind.to_owned(), count);
        }
    }
    if !seen.is_empty() {
        return seen;
    }
    for entity in root.get("entity").iter().flat_map(|list| list.items()) {
        let is_data = entity.path(&["role", "code"]).is_some_and(|code| code.is_str("4"));
        let reference = entity.path(&["what", "reference"]).and_then(|text| text.as_str());
        let reference = reference.filter(|_| is_data);
        if let Some((kind, _)) = reference.as_deref().and_then(|text| text.split_once('/')) {
            *seen.entry(kind.to_owned()).or_default() += 1;
        }
    }
    seen
}

/// The accesses at every institution that holds the record.
#[derive(Clone, Debug, Default)]
pub struct Everywhere {
    /// All of them, newest first.
    pub list: Vec<Access>,
    /// Names of institutions that hold the record and did not answer.
    pub silent: Vec<String>,
}

/// The accesses here and, where the patient asks, at every institution with a link to this record.
/// Without a fresh second factor, the patient sees those here.
pub async fn everywhere(app: &App, caller: Caller, patient: Id) -> Result<Everywhere> {
    let (here, question) = {
        let (caller, patient) = (caller.clone(), patient.clone());
        app.run(move |app| prepare(app, caller, &patient)).await?
    };
    let mut found = Everywhere { list: here, silent: Vec::new() };
    let Some((asking, links)) = question else { return Ok(found) };
    let soft = std::time::Duration::from_millis(app.settings().soft_deadline_ms);
    let deadline = tokio::time::Instant::now() + soft;
    let asked = links.into_iter().map(|link| {
        let (app, asking) = (app.clone(), asking.clone());
        async move {
            let answer = ask(&app, &asking, &link, deadline).await;
            (link.org, answer)
        }
    });
    for (org, answer) in futures_util::future::join_all(asked).await {
        match answer {
            Some(answer) => found.list.extend(proved(app, &org, &answer)),
            None => found.silent.push(org),
        }
    }
    found.list.sort_by_key(|access| std::cmp::Reverse(access.recorded_ms));
    found.list.truncate(MAX_ACCESSES);
    Ok(found)
}

type Others = Option<(federation::Asking, Vec<Link>)>;

fn prepare(app: &App, mut caller: Caller, patient: &Id) -> Result<(Vec<Access>, Others)> {
    authorise_own(app, &caller, patient)?;
    let others = others(app, &mut caller, patient)?;
    let asked =
        others.iter().flat_map(|(_, links)| links).map(|link| (link.org.clone(), link.org.clone()));
    let event = crate::audit::Event::by(&caller, crate::audit::event::Pattern::AuditRead);
    let list = find(app, patient, MAX_ACCESSES)?.into_iter().map(|(access, _)| access).collect();
    app.audit(event.asking(asked).patients([patient.clone()]))?;
    Ok((list, others))
}

/// Whom else to ask; nobody where somebody else than the patient asks, or without a fresh factor.
fn others(app: &App, caller: &mut Caller, patient: &Id) -> Result<Others> {
    if caller.user.patient.as_ref() != Some(patient) || !*app.answering().borrow() {
        return Ok(None);
    }
    caller.evidence = Some(crate::Evidence::Reason("who used my record".into()));
    let fresh = caller.mfa_age_s(app.now_ms()).is_some_and(|age| age <= MFA_MAX_AGE_S);
    if !fresh {
        return Ok(None);
    }
    authorise_asking(app, caller, patient, false)?;
    let snapshot = app.store().snapshot()?;
    let mut links = Vec::new();
    for member in app.network().active_others() {
        let link = link::find(&*snapshot, patient, member.id.as_str())?;
        links.extend(link.filter(|link| link.state.is_followed()));
    }
    Ok(Some((asking(caller)?, links)))
}

/// What this node knows of its agreements with an institution; `None` where none covers the
/// question, which is then not asked.
async fn agreed(app: &App, org: &str, asking: &federation::Asking) -> Option<Option<String>> {
    let purpose = policy::Purpose::find(&asking.purpose_of_use)?;
    let org = org.to_owned();
    let agreed = app.run(move |app| crate::agreements::cover::asking(app, &org, purpose)).await;
    agreed.ok()?.ok()
}

async fn ask(
    app: &App,
    asking: &federation::Asking,
    link: &Link,
    deadline: tokio::time::Instant,
) -> Option<wire::AccessesResponse> {
    let request = wire::AccessesRequest {
        patient_id: link.remote.to_string(),
        asker_patient_id: link.patient.to_string(),
        since: None,
        count: 200,
        agreements: agreed(app, &link.org, asking).await?,
    };
    let org = wire::OrgId::new(&link.org).ok()?;
    ask_json(app, &org, wire::path::ACCESSES, &request, asking, deadline).await.ok()
}

/// What an institution sent, each line with what its proof is worth.
fn proved(app: &App, org: &str, answer: &wire::AccessesResponse) -> Vec<Access> {
    let list = app.network().list();
    let log = list.members.iter().find(|member| member.id.as_str() == org);
    let line = |sent: &wire::Access| {
        let access = received(sent, org);
        let proof = match (&sent.proof, &answer.checkpoint, log) {
            (Some(proof), Some(checkpoint), Some(log)) => {
                match line::check(app, log, &access, proof, checkpoint) {
                    Ok(0) => Proof::Waiting,
                    Ok(by) => Proof::Cosigned(by),
                    Err(reason) => {
                        tracing::warn!(peer = org, reason, "the proof of an access does not hold");
                        Proof::Broken
                    }
                }
            }
            (None, Some(_), _) => Proof::Waiting,
            _ => Proof::Absent,
        };
        Access { proof, ..access }
    };
    answer.accesses.iter().map(line).collect()
}

/// The proof of the line `entry` in the log of `at` for the patient who asks, as a file that
/// `consilium audit check` reads.
///
/// Errors: [`crate::Kind::NotFound`] where there is no such line about the patient,
/// [`crate::Kind::Precondition`] where nobody has cosigned it yet,
/// [`crate::Kind::StepUp`] where another institution is to be asked without a fresh second factor.
pub async fn proof(
    app: &App,
    caller: Caller,
    patient: Id,
    at: String,
    entry: Id,
) -> Result<String> {
    let waiting = || {
        let message = "no other institution has cosigned this line yet; try again in a minute";
        Error::new(crate::Kind::Precondition, message)
    };
    if at == app.org().id {
        return app.run(move |app| own_proof(app, &caller, &patient, &entry)).await;
    }
    let (_, question) = app.run(move |app| prepare(app, caller, &patient)).await?;
    let (asking, links) = question.ok_or_else(|| {
        let max_age_s = MFA_MAX_AGE_S;
        Error::new(crate::Kind::StepUp { max_age_s }, "give your second factor again")
    })?;
    let link = links.into_iter().find(|link| link.org == at).ok_or_else(Error::not_found)?;
    let hard = std::time::Duration::from_millis(app.settings().hard_deadline_ms);
    let deadline = tokio::time::Instant::now() + hard;
    let answer = ask(app, &asking, &link, deadline).await.ok_or_else(|| {
        Error::new(crate::Kind::Busy, "the institution does not answer; try again later")
    })?;
    let sent = answer.accesses.iter().find(|sent| sent.id == entry.as_str());
    let sent = sent.ok_or_else(Error::not_found)?;
    let proof = sent.proof.as_ref().zip(answer.checkpoint.as_deref()).ok_or_else(waiting)?;
    Ok(line::file(proof.0, proof.1).ok_or_else(waiting)?.to_string())
}

fn own_proof(app: &App, caller: &Caller, patient: &Id, entry: &Id) -> Result<String> {
    authorise_own(app, caller, patient)?;
    let snapshot = app.store().snapshot()?;
    let stored = line::about(&*snapshot, entry, patient)?;
    let prover = Prover::new(app, &*snapshot)?;
    let access = view(&crate::records::parse(&stored)?, &app.org().id);
    let reason = access.is_some_and(|access| access.shows_reason(true));
    let proof = prover.prove(&stored, patient, reason)?;
    let file = proof.zip(prover.checkpoint()).and_then(|(proof, note)| line::file(&proof, note));
    let file = file.ok_or_else(|| {
        let message = "no other institution has cosigned this line yet; try again in a minute";
        Error::new(crate::Kind::Precondition, message)
    })?;
    let event = crate::audit::Event::by(caller, crate::audit::event::Pattern::AuditRead);
    app.audit(event.patients([patient.clone()]).data(format!("AuditEvent/{entry}")))?;
    Ok(file.to_string())
}

fn received(access: &wire::Access, at: &str) -> Access {
    Access {
        id: access.id.clone(),
        recorded_ms: access.recorded,
        organisation: access.organisation.as_str().to_owned(),
        user: access.user.clone(),
        role: if access.user.is_empty() { String::new() } else { access.role.word().to_owned() },
        relationship: String::new(),
        purpose: access.purpose_of_use.clone(),
        action: access.action.clone(),
        refused: !access.permitted,
        evidence: access.break_glass_reason.clone(),
        request_id: access.request_id.clone(),
        at: at.to_owned(),
        seen: access.seen.clone(),
        by_permission: access.by_permission,
        proof: Proof::Absent,
    }
}
