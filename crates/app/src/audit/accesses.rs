//! Who used a patient's record, when, why and under which permission: the patient's own question.

use fhir::{Id, Resource, Value};
use fhirpath::search::Registry;
use store::query::parse;

use crate::authorise::{Action, MFA_MAX_AGE_S, authorise, authorise_asking, by_a_person};
use crate::records::link::{self, Link};
use crate::records::longitudinal::{ask_json, asking};
use crate::{App, Caller, Error, Result};

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
}

impl Access {
    /// Whether consent was overridden in an emergency.
    pub fn is_break_glass(&self) -> bool {
        self.purpose == "BTG" || self.action == "110127"
    }
}

/// The newest accesses to the record of `patient` in this institution's log, newest first. For the
/// patient themself and for those who may read the audit; reading it is recorded too.
pub fn accesses(app: &App, caller: &Caller, patient: &Id, count: usize) -> Result<Vec<Access>> {
    by_a_person(app, caller, policy::Action::OwnAccesses)?;
    let permit = authorise(app, caller, Action::reading("AuditEvent"))?;
    if let Some(own) = permit.scope().own()
        && own != patient
    {
        return Err(Error::not_found());
    }
    let list = find(app, patient, count)?;
    let event = crate::audit::Event::by(caller, crate::audit::event::Pattern::AuditRead)
        .patients([patient.clone()]);
    app.audit(event)?;
    Ok(list)
}

/// The list itself, for callers that have been authorised.
pub(crate) fn find(app: &App, patient: &Id, count: usize) -> Result<Vec<Access>> {
    let params = [
        ("patient".to_owned(), format!("Patient/{patient}")),
        ("_sort".to_owned(), "-_lastUpdated".to_owned()),
    ];
    let search =
        parse(Registry::r4(), "AuditEvent", &params).map_err(|e| Error::internal(e.to_string()))?;
    let snapshot = app.store().snapshot()?;
    let found = snapshot.find(&search.query, count.min(MAX_ACCESSES), false)?;
    let own = app.org().id.clone();
    let mut list = Vec::new();
    for stored in snapshot.load(&found)? {
        let resource = Resource::parse(stored.text)
            .map_err(|e| Error::internal(format!("an audit entry cannot be read: {e}")))?;
        list.extend(view(&resource, &own));
    }
    Ok(list)
}

fn view(event: &Resource, own: &str) -> Option<Access> {
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
    let evidence =
        request.and_then(|entity| entity.get("detail")?.items().next()?.str_at("valueString"));
    Some(Access {
        id: event.id()?.to_string(),
        recorded_ms: fhir::time::parse(&root.str_at("recorded")?)?.start_ms,
        organisation,
        user: if is_person { text(requestor.path(&["who", "display"])) } else { String::new() },
        role: first(requestor.get("role"), "text"),
        purpose: first(purpose.and_then(|purpose| purpose.get("coding")), "code"),
        action: first(root.get("subtype"), "code"),
        refused: root.get("outcome").is_some_and(|outcome| !outcome.is_str("0")),
        evidence: evidence.map(|text| text.into_owned()),
        request_id: text(request.and_then(|entity| entity.path(&["what", "identifier", "value"]))),
        at: own.to_owned(),
    })
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
            Some(accesses) => found.list.extend(accesses.iter().map(|a| received(a, &org))),
            None => found.silent.push(org),
        }
    }
    found.list.sort_by_key(|access| std::cmp::Reverse(access.recorded_ms));
    found.list.truncate(MAX_ACCESSES);
    Ok(found)
}

type Others = Option<(federation::Asking, Vec<Link>)>;

fn prepare(app: &App, mut caller: Caller, patient: &Id) -> Result<(Vec<Access>, Others)> {
    let here = accesses(app, &caller, patient, MAX_ACCESSES)?;
    if caller.user.patient.as_ref() != Some(patient) || !*app.answering().borrow() {
        return Ok((here, None));
    }
    caller.evidence = Some(crate::Evidence::Reason("who used my record".into()));
    let fresh = caller.mfa_age_s(app.now_ms()).is_some_and(|age| age <= MFA_MAX_AGE_S);
    if !fresh {
        return Ok((here, None));
    }
    authorise_asking(app, &caller, patient, false)?;
    let snapshot = app.store().snapshot()?;
    let mut links = Vec::new();
    for member in app.network().active_others() {
        let link = link::find(&*snapshot, patient, member.id.as_str())?;
        links.extend(link.filter(|link| link.state.is_followed()));
    }
    Ok((here, Some((asking(&caller)?, links))))
}

async fn ask(
    app: &App,
    asking: &federation::Asking,
    link: &Link,
    deadline: tokio::time::Instant,
) -> Option<Vec<wire::Access>> {
    let request = wire::AccessesRequest {
        patient_id: link.remote.to_string(),
        asker_patient_id: link.patient.to_string(),
        since: None,
        count: 200,
    };
    let org = wire::OrgId::new(&link.org).ok()?;
    let answer: wire::AccessesResponse =
        ask_json(app, &org, wire::path::ACCESSES, &request, asking, deadline).await.ok()?;
    Some(answer.accesses)
}

fn received(access: &wire::Access, at: &str) -> Access {
    Access {
        id: access.id.clone(),
        recorded_ms: access.recorded,
        organisation: access.organisation.as_str().to_owned(),
        user: access.user.clone(),
        role: if access.user.is_empty() { String::new() } else { access.role.word().to_owned() },
        purpose: access.purpose_of_use.clone(),
        action: access.action.clone(),
        refused: !access.permitted,
        evidence: access.break_glass_reason.clone(),
        request_id: access.request_id.clone(),
        at: at.to_owned(),
    }
}
