//! One patient's record from every institution: asks all at once and hands on what arrives.
//!
//! The question is recorded before it is asked. Each institution is found by its link, or by
//! asking whether it knows the person; only a certain match is followed without a person's
//! decision. What each one sends is yielded as it comes, and every one ends with a status.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use federation::{
    Answer, AskError, Asking, Deadlines, FanEvent, FanOut, PeerEnd, PeerEvent, fan_out,
};
use fhir::{Id, Resource};
use futures_util::{Stream, StreamExt};
use policy::consent::Item;
use policy::label::{ACT_CODE, CONFIDENTIALITY};
use policy::obligations::{self, is_revealing};
use record::{Record, Source, SourceState, SourceStatus};
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Key, Method, Transaction};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use wire::{
    BreakGlass, Candidate, MatchOutcome, MatchRequest, MatchResponse, OrgId, Raw, RecordRequest,
};

use super::link::{self, Link, State};
use super::{holdings, parse};
use crate::agreements::cover;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{authorise_asking, role};
use crate::caller::Evidence;
use crate::consent::break_glass::{self, Override};
use crate::locator::ask::Shortlist;
use crate::{App, Caller, Error, Result, consent, locator};

/// What one institution is, for the list of sources.
pub type Sources = Vec<Source>;

/// Something that arrived.
#[derive(Debug)]
pub enum Arrival {
    /// Resources of a source.
    Resources {
        /// Its number in the list of sources.
        source: usize,
        /// The resources.
        resources: Vec<Resource>,
    },
    /// A source has ended.
    Ended {
        /// How.
        status: SourceStatus,
        /// How what it sent must be handled.
        handling: Option<wire::Handling>,
    },
    /// The soft deadline has passed; the sources that have not ended are slow.
    SoftDeadline,
}

/// A question under way. Ends after every source has ended. Dropping it cancels what runs.
pub struct Asked {
    /// Every institution of the network, this one first.
    pub sources: Sources,
    /// The id that joins the log entries of all nodes.
    pub request_id: String,
    /// The evidence on which the others are asked.
    pub evidence: Option<Evidence>,
    local: Option<Vec<Resource>>,
    fan: FanOut,
    ready: std::collections::VecDeque<Arrival>,
}

impl Stream for Asked {
    type Item = Arrival;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Arrival>> {
        if let Some(resources) = self.local.take() {
            let expected = Some(resources.len());
            let (state, notes) = (SourceState::Answered, Vec::new());
            let status = SourceStatus { source: 0, state, expected, notes };
            self.ready.push_back(Arrival::Ended { status, handling: None });
            return Poll::Ready(Some(Arrival::Resources { source: 0, resources }));
        }
        loop {
            if let Some(arrival) = self.ready.pop_front() {
                return Poll::Ready(Some(arrival));
            }
            match self.fan.poll_next_unpin(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(event)) => {
                    let arrival = translate(&self.sources, event);
                    self.ready.extend(arrival);
                }
            }
        }
    }
}

fn translate(sources: &Sources, event: FanEvent) -> Option<Arrival> {
    let FanEvent::Peer { org, event } = event else { return Some(Arrival::SoftDeadline) };
    let source = sources.iter().position(|source| source.org == org.as_str())?;
    match event {
        PeerEvent::Head(_) => None,
        PeerEvent::Resource(raw) => {
            // What is no resource at all is dropped; the count at the end shows the gap.
            let resource = Resource::parse(raw.into_text()).ok()?;
            Some(Arrival::Resources { source, resources: vec![resource] })
        }
        PeerEvent::End(end) => {
            let expected = end.expected.and_then(|n| usize::try_from(n).ok());
            let mut notes = end.notes;
            let asked = end.handling.iter().flat_map(|handling| &handling.obligations);
            notes.extend(asked.filter(|one| !one.agreement.is_empty()).map(obligation));
            let status = SourceStatus { source, state: state(end.status), expected, notes };
            Some(Arrival::Ended { status, handling: end.handling })
        }
    }
}

/// What is asked of the reader, in words.
fn obligation(asked: &wire::Obligation) -> String {
    let words = policy::agreement::Obligation::find(&asked.code).map_or("", |one| one.display());
    let colon = if words.is_empty() { "" } else { ": " };
    format!("{words}{colon}{} (agreement “{}”)", asked.code, asked.agreement)
}

fn state(status: wire::SourceStatus) -> SourceState {
    match status {
        wire::SourceStatus::Answered => SourceState::Answered,
        wire::SourceStatus::NoMatch => SourceState::NoMatch,
        wire::SourceStatus::PossibleMatch => SourceState::PossibleMatch,
        wire::SourceStatus::Withheld => SourceState::Withheld,
        wire::SourceStatus::TimedOut => SourceState::TimedOut,
        wire::SourceStatus::Partial => SourceState::Partial,
        wire::SourceStatus::Unreachable => SourceState::Unreachable,
        wire::SourceStatus::Refused => SourceState::Refused,
        wire::SourceStatus::NotAsked => SourceState::NotAsked,
    }
}

/// Who is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Those that are linked, those that may know the patient, and those of which nobody can say.
    #[default]
    Located,
    /// Every member of the network.
    Everybody,
}

/// What this institution holds before others are asked, for a page that fills in live.
#[derive(Debug)]
pub struct Here {
    /// Every institution of the network, this one first.
    pub sources: Sources,
    /// The patient's resources here, the Patient first.
    pub resources: Vec<Resource>,
    /// The evidence on which the others would be asked.
    pub evidence: Option<Evidence>,
}

/// What this institution holds on `patient`, under the same conditions as [`ask`] and recorded,
/// with nobody else asked. Errors as for [`ask`].
pub fn local(app: &App, caller: Caller, patient: Id) -> Result<Here> {
    let prepared = prepare(app, caller, patient)?;
    Ok(Here {
        sources: sources(app),
        resources: prepared.local,
        evidence: prepared.caller.evidence,
    })
}

/// Every institution of the network, this one first.
fn sources(app: &App) -> Sources {
    let own = Source {
        org: app.org().id.clone(),
        name: app.org().name.clone(),
        base_url: app.org().base_url.clone(),
        patients: Vec::new(),
    };
    let others = app.network().active_others().into_iter().map(|member| Source {
        org: member.id.as_str().to_owned(),
        name: member.display_name,
        base_url: member.web_url,
        patients: Vec::new(),
    });
    std::iter::once(own).chain(others).collect()
}

/// The other institutions that are asked, for the audit: id and name of each.
pub(crate) fn others(app: &App) -> Vec<(String, String)> {
    let members = app.network().active_others().into_iter();
    members.map(|member| (member.id.to_string(), member.display_name)).collect()
}

/// What is fixed before the first question goes out.
struct Prepared {
    caller: Caller,
    patient: Resource,
    patient_id: Id,
    local: Vec<Resource>,
    grant: Option<Override>,
}

/// Asks every institution for the record of `patient`.
///
/// Errors before anything is asked: [`crate::Kind::NotFound`] for an unknown patient,
/// [`crate::Kind::StepUp`] without a fresh second factor, [`crate::Kind::Forbidden`] by policy.
///
/// Institutions that have published encodings of their patients and know nobody like this one are
/// not asked, unless `reach` says so or the glass is broken.
pub async fn ask(app: &App, caller: Caller, patient: Id, reach: Reach) -> Result<Asked> {
    let prepared = app.run(move |app| prepare(app, caller, patient)).await?;
    let deadlines = Deadlines {
        soft: Duration::from_millis(app.settings().soft_deadline_ms),
        hard: Duration::from_millis(app.settings().hard_deadline_ms),
    };
    let sources = sources(app);
    let request_id = prepared.caller.request_id.clone();
    let evidence = prepared.caller.evidence.clone();
    let Prepared { caller, patient, patient_id, local, grant } = prepared;
    let shortlist = match reach {
        Reach::Located if grant.is_none() => Some(Locating::new(patient.clone(), &sources)),
        Reach::Located | Reach::Everybody => None,
    };
    let question = Arc::new(Question {
        asking: asking(&caller)?,
        patient: demographics(&patient)?,
        patient_id,
        grant,
        shortlist,
    });
    let answering = *app.answering().borrow();
    // The list of members may change at any moment; who is shown is who is asked.
    let others = sources.iter().skip(1);
    let orgs = others.filter_map(|source| OrgId::new(&source.org).ok()).collect();
    let asker = app.clone();
    let fan = fan_out(orgs, deadlines, move |org, deadline| {
        let (app, question) = (asker.clone(), question.clone());
        async move {
            if !answering {
                return Ok(Answer::Settled(PeerEnd::plain(wire::SourceStatus::Unreachable)));
            }
            question.ask(&app, org, deadline).await
        }
    });
    Ok(Asked { sources, request_id, evidence, local: Some(local), fan, ready: Default::default() })
}

fn prepare(app: &App, mut caller: Caller, patient_id: Id) -> Result<Prepared> {
    let snapshot = app.store().snapshot()?;
    let key = Key { resource_type: "Patient", id: patient_id.clone() };
    let stored = snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete);
    if caller.evidence.is_none() && caller.user.role != "patient" {
        caller.evidence = holdings::latest_encounter(&*snapshot, &patient_id)?
            .map(|id| Evidence::Reference(format!("Encounter/{id}")));
    } else if caller.user.role == "patient" {
        caller.evidence = Some(Evidence::Reason("my own record".into()));
    }
    let now = app.now_ms();
    let grant = break_glass::granted(&*snapshot, &caller.user.id, &patient_id, now)?;
    let grant = grant.filter(|_| caller.purpose == "BTG");
    let permit = authorise_asking(app, &caller, &patient_id, grant.is_some())?;
    let patient = parse(&stored.ok_or_else(Error::not_found)?)?;
    let mut local = holdings::record(&*snapshot, &patient_id)?;
    if let Some(withheld) = permit.scope().withheld() {
        if !withheld.lets(&patient) {
            return Err(Error::not_found());
        }
        local.retain(|resource| withheld.lets(resource));
    }
    drop(snapshot);
    let event = Event::by(&caller, Pattern::Query)
        .asking(others(app))
        .patients([patient_id.clone()])
        .query(format!("Patient/{patient_id}/$longitudinal-record"));
    app.audit(event)?;
    Ok(Prepared { caller, patient, patient_id, local, grant })
}

/// The part of the assertion that is the same for every peer.
pub(crate) fn asking(caller: &Caller) -> Result<Asking> {
    let role =
        serde_json::from_value(serde_json::Value::String(role(caller)?.word().to_owned()))
            .map_err(|_| Error::internal("a role of policy is unknown to the network protocol"))?;
    Ok(Asking {
        request_id: caller.request_id.clone(),
        subject: wire::Subject {
            id: caller.user.id.clone(),
            display: caller.user.name.clone(),
            role,
        },
        purpose_of_use: caller.purpose.clone(),
        amr: caller.user.amr.clone(),
        auth_time_ms: caller.user.auth_time_ms,
        mfa_time_ms: caller.user.mfa_time_ms,
        evidence: caller.evidence.as_ref().map(|evidence| match evidence {
            Evidence::Reference(text) => wire::Evidence::Reference(text.clone()),
            Evidence::Reason(text) => wire::Evidence::Reason(text.clone()),
        }),
    })
}

/// What another institution needs to recognise the person: the Patient without its text, photo,
/// extensions of other meaning, and without numbers that only mean something here.
pub fn demographics(patient: &Resource) -> Result<Raw> {
    let mut out = String::from("{\"resourceType\":\"Patient\"");
    for member in patient.root().members() {
        let name = member.name();
        let wanted = matches!(
            name.as_ref(),
            "id" | "identifier"
                | "name"
                | "telecom"
                | "gender"
                | "birthDate"
                | "address"
                | "deceasedBoolean"
                | "deceasedDateTime"
                | "multipleBirthBoolean"
                | "multipleBirthInteger"
        );
        if wanted {
            out.push(',');
            out.push_str(&patient.text()[member.range()]);
        }
    }
    out.push('}');
    Raw::new(out).map_err(|e| Error::internal(e.to_string()))
}

/// One user's question about one patient.
pub(crate) struct Question {
    pub asking: Asking,
    pub patient: Raw,
    pub patient_id: Id,
    pub grant: Option<Override>,
    /// Who is worth a question; `None` where everybody is asked.
    pub shortlist: Option<Locating>,
}

/// The question to the locators, asked when the first institution without a link is to be asked.
pub(crate) struct Locating {
    patient: Resource,
    others: Vec<OrgId>,
    made: OnceCell<Shortlist>,
}

impl Locating {
    fn new(patient: Resource, sources: &Sources) -> Self {
        let others = sources.iter().skip(1).filter_map(|source| OrgId::new(&source.org).ok());
        Self { patient, others: others.collect(), made: OnceCell::new() }
    }

    /// Whether `org` is to be asked for a person with whom there is no link.
    async fn wants(&self, app: &App, request_id: &str, org: &OrgId) -> Result<bool> {
        let others = self.others.clone();
        let made = || async {
            let id = self.patient.id();
            let open = app.run(move |app| without_link(app, id, others)).await?;
            locator::ask::shortlist(app, &self.patient, open, request_id).await
        };
        Ok(self.made.get_or_try_init(made).await?.wants(org))
    }
}

/// Those of `others` with whom there is no link that may be followed.
fn without_link(app: &App, patient: Option<Id>, others: Vec<OrgId>) -> Result<Vec<OrgId>> {
    let Some(patient) = patient else { return Ok(others) };
    let snapshot = app.store().snapshot()?;
    let mut open = Vec::new();
    for org in others {
        let link = link::find(&*snapshot, &patient, org.as_str())?;
        if !link.is_some_and(|link| link.state.is_followed()) {
            open.push(org);
        }
    }
    Ok(open)
}

impl Question {
    async fn ask(
        &self,
        app: &App,
        org: OrgId,
        deadline: Instant,
    ) -> std::result::Result<Answer, AskError> {
        let agreements = self.agreed(app, &org).await?;
        let link = match self.locate(app, &org, deadline).await? {
            Located::Found(link) => link,
            Located::Possible => return Ok(settled(wire::SourceStatus::PossibleMatch)),
            Located::Absent => return Ok(settled(wire::SourceStatus::NoMatch)),
            Located::NotAsked => return Ok(settled(wire::SourceStatus::NotAsked)),
        };
        let request = RecordRequest {
            patient_id: link.remote.to_string(),
            asker_patient_id: self.patient_id.to_string(),
            patient: self.patient.clone(),
            confirmed: link.state == State::Confirmed,
            since: None,
            break_glass: self
                .grant
                .as_ref()
                .map(|grant| BreakGlass { reason: grant.reason.clone(), until: grant.end_ms }),
            agreements,
        };
        let body = body(&request)?;
        let reply = app.peers().ask(&org, wire::path::RECORD, body, &self.asking, deadline).await?;
        Ok(Answer::Records(Box::new(reply)))
    }

    /// What this node knows of its agreements with `org`. Where none covers the question it is not
    /// asked: that this patient is looked for is more than `org` may be told. A node that speaks
    /// for itself asks whatever is agreed.
    async fn agreed(
        &self,
        app: &App,
        org: &OrgId,
    ) -> std::result::Result<Option<String>, AskError> {
        let failed = |_| AskError::Local("the agreements could not be read");
        let org = org.to_string();
        if self.asking.subject.role == wire::Role::Service {
            return app.run(move |app| cover::digest(app, &org)).await.map_err(failed);
        }
        let purpose = policy::Purpose::find(&self.asking.purpose_of_use)
            .ok_or(AskError::Local("the purpose of use is not known"))?;
        let agreed = app.run(move |app| cover::asking(app, &org, purpose)).await.map_err(failed)?;
        agreed.map_err(|why| {
            AskError::Refused(wire::Refusal::new(wire::RefusalCode::NoAgreement, why))
        })
    }

    /// The link to `org`: the one on record, or one made now from a match.
    pub(crate) async fn locate(
        &self,
        app: &App,
        org: &OrgId,
        deadline: Instant,
    ) -> std::result::Result<Located, AskError> {
        let known = {
            let (patient, org) = (self.patient_id.clone(), org.as_str().to_owned());
            app.run(move |app| link::find(&*app.store().snapshot()?, &patient, &org)).await
        };
        let known = known.map_err(|_| AskError::Local("the store could not be read"))?;
        if let Some(link) = known.as_ref().filter(|link| link.state.is_followed()) {
            return Ok(Located::Found(link.clone()));
        }
        if let Some(shortlist) = &self.shortlist {
            let wanted = shortlist.wants(app, &self.asking.request_id, org).await;
            if !wanted.map_err(|_| AskError::Local("who is asked could not be recorded"))? {
                return Ok(Located::NotAsked);
            }
        }
        let request = MatchRequest {
            patient: self.patient.clone(),
            count: 5,
            only_certain: false,
            agreements: self.agreed(app, org).await?,
        };
        let answer: MatchResponse =
            ask_json(app, org, wire::path::MATCH, &request, &self.asking, deadline).await?;
        let (question, org) = (self.asking.request_id.clone(), org.as_str().to_owned());
        let patient = self.patient_id.clone();
        app.run(move |app| remember(app, &question, &patient, &org, known, answer))
            .await
            .map_err(|_| AskError::Local("the link could not be kept"))
    }
}

/// Whether the patient is known at an institution.
pub(crate) enum Located {
    /// Under this link.
    Found(Link),
    /// Perhaps; a person must decide.
    Possible,
    /// No.
    Absent,
    /// It was not asked: it has published nothing like the patient.
    NotAsked,
}

fn settled(status: wire::SourceStatus) -> Answer {
    Answer::Settled(PeerEnd::plain(status))
}

fn body<T: Serialize>(message: &T) -> std::result::Result<Bytes, AskError> {
    let text = serde_json::to_vec(message);
    text.map(Bytes::from).map_err(|_| AskError::Local("the question could not be written"))
}

/// One question with a JSON answer.
pub(crate) async fn ask_json<T: DeserializeOwned>(
    app: &App,
    org: &OrgId,
    path: &str,
    message: &impl Serialize,
    asking: &Asking,
    deadline: Instant,
) -> std::result::Result<T, AskError> {
    app.peers().ask(org, path, body(message)?, asking, deadline).await?.json().await
}

/// Keeps what a match found. The decision of a person that a record is somebody else's stands.
fn remember(
    app: &App,
    request_id: &str,
    patient: &Id,
    org: &str,
    known: Option<Link>,
    answer: MatchResponse,
) -> Result<Located> {
    let rejected = known.as_ref().filter(|link| link.state == State::Rejected);
    let mut candidates = answer.candidates.into_iter().filter(|candidate| {
        rejected.is_none_or(|link| link.remote.as_str() != candidate.patient_id)
    });
    let Some(best) = candidates.next() else { return Ok(Located::Absent) };
    let state = match answer.outcome {
        MatchOutcome::Certain => State::Certain,
        MatchOutcome::Possible => State::Possible,
        MatchOutcome::NoMatch => return Ok(Located::Absent),
    };
    let version = known.as_ref().map_or(0, |link| link.version);
    let link = made(patient, org, state, best, version)?;
    let unchanged = known.is_some_and(|known| known.state == state && known.remote == link.remote);
    if !unchanged {
        keep(app, request_id, &link)?;
    }
    Ok(if state == State::Certain { Located::Found(link) } else { Located::Possible })
}

fn made(patient: &Id, org: &str, state: State, best: Candidate, version: u64) -> Result<Link> {
    let fields = serde_json::to_string(&best.fields).map_err(|e| Error::internal(e.to_string()))?;
    Ok(Link {
        patient: patient.clone(),
        org: org.to_owned(),
        remote: Id::new(&best.patient_id)
            .map_err(|_| Error::internal("a peer named a patient by no valid id"))?,
        state,
        score: Some(best.score),
        fields: Some(fields),
        demographics: Some(best.patient.get().to_owned()),
        version,
    })
}

/// Stores a link that the matcher found, with its audit entry; where it may be followed, what the
/// patient has decided here follows to the new holder.
fn keep(app: &App, request_id: &str, link: &Link) -> Result<()> {
    let base = app.base_url_of(&link.org);
    let event = Event::by_node(Pattern::Link)
        .patients([link.patient.clone()])
        .request_id(request_id)
        .note(format!("{} link to `{}`", link.state.word(), link.org));
    let mut transaction = Transaction {
        writes: vec![link::write(app, link, &base)?, event.write(app)?],
        ..Default::default()
    };
    if link.state.is_followed() {
        transaction.side = consent::deliver::to_new_holder(app, &link.patient, &link.org)?;
    }
    match app.store().commit(transaction) {
        // Somebody asked about the same patient at the same moment and kept the same link.
        Ok(_) | Err(store::StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Gathers a record until every source has ended, or until the soft deadline where `patient` is
/// not set. Returns the record and the status of every source that has ended.
pub async fn gather(mut asked: Asked, until_the_end: bool) -> Result<(Record, Vec<SourceStatus>)> {
    let mut sources = asked.sources.clone().into_iter();
    let home = sources.next().ok_or_else(|| Error::internal("a record has no home"))?;
    let mut record = Record::new(home);
    for source in sources {
        record.source(source).map_err(|e| Error::internal(e.to_string()))?;
    }
    let (mut statuses, mut handled) = (Vec::new(), Vec::new());
    while let Some(arrival) = asked.next().await {
        match arrival {
            Arrival::Resources { source, resources } => {
                for resource in resources {
                    // What does not belong into the record is dropped; the count tells.
                    let _ = record.add(source, resource);
                }
            }
            Arrival::Ended { status, handling } => {
                statuses.push(status);
                handled.extend(handling);
            }
            Arrival::SoftDeadline if !until_the_end => break,
            Arrival::SoftDeadline => {}
        }
    }
    let labels = high_water(&record, &handled);
    record.set_security(labels);
    Ok((record, statuses))
}

/// The labels of a record as a whole: the highest degree of confidentiality of anything in it, and
/// what its sources oblige to, without codes that would tell of what was kept back.
fn high_water(record: &Record, handled: &[wire::Handling]) -> Vec<(String, String)> {
    let degrees = record.items().iter().map(|item| Item::of(&item.resource).labels.confidentiality);
    let mut labels = Vec::new();
    if let Some(degree) = degrees.max() {
        labels.push((CONFIDENTIALITY.to_owned(), degree.code().to_owned()));
    }
    for obligation in handled.iter().flat_map(|handling| &handling.obligations) {
        // Of a peer's words only those that are known are repeated.
        let code = obligations::known(&obligation.code).filter(|code| !is_revealing(code));
        let label = code.map(|code| (ACT_CODE.to_owned(), code.to_owned()));
        labels.extend(label.filter(|label| !labels.contains(label)));
    }
    labels
}
