//! Answers other institutions: who is known here, and what they may see. This is where consent is
//! enforced: at the holder, for every resource, before anything leaves.

use std::collections::BTreeSet;

use federation::Asserted;
use fhir::{Id, Resource};
use matching::Grade;
use policy::consent::{
    Compiled, Existence, Item, Request as ConsentRequest, WholeDecision, user_of, whole_record,
};
use policy::label::PART2;
use policy::obligations::{Handling, PART2_NOTICE};
use policy::{Action, BreakGlass, Content, Purpose, Question, Relation, Role};
use store::{Snapshot, Transaction, Write};
use wire::{
    Access, AccessesRequest, AccessesResponse, Candidate, End, FieldScore, LineProof, MatchOutcome,
    MatchRequest, MatchResponse, OrgId, RecordRequest, RecordStatus, Refusal, RefusalCode,
};

use super::link::{self, Link, State};
use super::longitudinal::demographics;
use super::{matching as matcher, selection};
use crate::agreements::cover::{self, Held, Verdict};
use crate::audit::event::Pattern;
use crate::audit::line::Prover;
use crate::audit::{Agent, Event, SignedIn};
use crate::caller::Evidence;
use crate::consent::who::directory;
use crate::consent::{break_glass, deliver, standing};
use crate::{App, Error, Kind};

type Answered<T> = std::result::Result<T, Refusal>;

/// Sentence that goes with data from another institution.
const NO_REDISCLOSURE: &str = "for this patient's care only; do not pass on without permission";

/// Most lines of an access log in one answer, each with its proof.
const MAX_LINES: usize = 200;

/// What is sent of a patient's record.
#[derive(Debug)]
pub struct RecordAnswer {
    /// Resources as they are stored.
    pub resources: Vec<Resource>,
    /// How it ends.
    pub end: End,
}

/// Who asks, as the audit names them.
pub fn agent(asserted: &Asserted) -> Agent {
    let assertion = &asserted.assertion;
    Agent {
        org: assertion.issuer.as_str().to_owned(),
        org_name: asserted.member.display_name.clone(),
        user: assertion.subject.id.clone(),
        name: assertion.subject.display.clone(),
        role: assertion.subject.role.word().to_owned(),
        signed_in: match assertion.subject.role {
            wire::Role::Service => SignedIn::default(),
            _ => SignedIn {
                acr: assertion.acr.clone(),
                amr: assertion.amr.clone(),
                auth_time_ms: assertion.auth_time_ms,
            },
        },
    }
}

/// An entry about a question of a peer.
pub(crate) fn event(asserted: &Asserted, pattern: Pattern) -> Event<'static> {
    let assertion = &asserted.assertion;
    let evidence = assertion.evidence.as_ref().map(|evidence| match evidence {
        wire::Evidence::Reference(text) => Evidence::Reference(text.clone()),
        wire::Evidence::Reason(text) => Evidence::Reason(text.clone()),
    });
    Event::by_node(pattern)
        .peer(agent(asserted))
        .purpose(&assertion.purpose_of_use)
        .request_id(&assertion.request_id)
        .evidence(evidence.as_ref())
}

/// What a peer is told of an error.
pub fn refused(error: Error) -> Refusal {
    let code = match error.kind {
        Kind::StepUp { .. } if error.rule.as_deref() == Some("second-factor-too-old") => {
            RefusalCode::SecondFactorTooOld
        }
        Kind::StepUp { .. } => RefusalCode::SecondFactorRequired,
        Kind::Forbidden if error.rule.as_deref() == Some("no-agreement") => {
            RefusalCode::NoAgreement
        }
        Kind::Invalid(_) => RefusalCode::MessageInvalid,
        Kind::Internal | Kind::Busy | Kind::Conflict => RefusalCode::Unavailable,
        _ => RefusalCode::PurposeNotPermitted,
    };
    match error.kind {
        Kind::Internal => {
            tracing::error!(reason = %error.message, "a question of a peer could not be answered");
            Refusal::new(code, "the node cannot answer at the moment")
        }
        _ => Refusal::new(code, error.message),
    }
}

/// What a question is answered under.
pub(crate) struct Admitted {
    pub role: Role,
    pub purpose: Purpose,
    /// The agreements that cover it; `None` for a node that speaks for itself.
    agreed: Option<Held>,
}

/// Asks policy whether this user of a peer may be answered; a refusal is recorded. `stated` is what
/// the peer says it knows of its agreements with this node; `None` for a message that does not
/// tell.
pub(crate) fn authorise(
    app: &App,
    asserted: &Asserted,
    action: Action,
    granted: bool,
    stated: Option<Option<&str>>,
) -> Answered<Admitted> {
    let assertion = &asserted.assertion;
    let unknown = |what: &str| {
        Refusal::new(RefusalCode::PurposeNotPermitted, format!("the {what} is not known here"))
    };
    let role = Role::find(assertion.subject.role.word()).ok_or_else(|| unknown("role"))?;
    let purpose =
        Purpose::find(&assertion.purpose_of_use).ok_or_else(|| unknown("purpose of use"))?;
    let relation = match role {
        Role::Patient => Relation::SelfPatient,
        // Guarded numbers are nobody's record.
        _ if action == Action::Explore => Relation::Unrelated,
        _ => Relation::Peer,
    };
    let mut question = Question::new(role, action, purpose, relation);
    question.mfa_age_s = assertion
        .mfa_time_ms
        .and_then(|time| u32::try_from(app.now_ms().saturating_sub(time).max(0) / 1000).ok());
    question.evidence = assertion.evidence.is_some();
    question.break_glass = BreakGlass { enabled: app.settings().break_glass, granted };
    question.content =
        if action == Action::Match { Content::Demographic } else { Content::Clinical };
    let verdict = agreed(app, asserted, purpose, stated).map_err(refused)?;
    question.agreement = matches!(verdict, Verdict::Covered(_));
    let decision = app.policy().decide(&question);
    if decision.allowed {
        let agreed = match verdict {
            Verdict::Covered(held) => Some(held),
            Verdict::Uncovered | Verdict::Unsure => None,
        };
        return Ok(Admitted { role, purpose, agreed });
    }
    let mut error = crate::authorise::refusal(&decision);
    if matches!(verdict, Verdict::Unsure) && error.rule.as_deref() == Some("no-agreement") {
        error.message = cover::UNSURE.to_owned();
    }
    let rule = error.rule.clone().unwrap_or_default();
    let refusal = event(asserted, Pattern::Refuse).refused(format!("{action} {rule}"));
    app.audit(refusal).map_err(refused)?;
    Err(refused(error))
}

/// Whether an agreement covers that the peer asks here for this purpose.
fn agreed(
    app: &App,
    asserted: &Asserted,
    purpose: Purpose,
    stated: Option<Option<&str>>,
) -> crate::Result<Verdict> {
    let snapshot = app.store().snapshot()?;
    let sides = (asserted.assertion.issuer.as_str(), app.org().id.as_str());
    cover::judge(app, &*snapshot, sides, purpose, stated)
}

fn consent_request(app: &App, asserted: &Asserted, role: Role, purpose: Purpose) -> ConsentRequest {
    let assertion = &asserted.assertion;
    let person = user_of(assertion.issuer.as_str(), &assertion.subject.id);
    selection::request(app, &assertion.issuer.uri(), Some(person), role, purpose)
}

/// Whether a person is known here. Somebody whose record may not be known of is not known.
pub fn match_request(
    app: &App,
    asserted: &Asserted,
    request: &MatchRequest,
) -> Answered<MatchResponse> {
    let stated = Some(request.agreements.as_deref());
    let granted = purpose_is_btg(asserted);
    let Admitted { role, purpose, agreed } =
        authorise(app, asserted, Action::Match, granted, stated)?;
    let described = Resource::parse(request.patient.get())
        .ok()
        .filter(|resource| resource.type_name() == "Patient")
        .ok_or_else(|| Refusal::new(RefusalCode::MessageInvalid, "`patient` must be a Patient"))?;
    let work = || -> crate::Result<MatchResponse> {
        let snapshot = app.store().snapshot()?;
        let consent = consent_request(app, asserted, role, purpose);
        let mut candidates = Vec::new();
        let mut patients = Vec::new();
        for known in matcher::find(app, &*snapshot, &described)? {
            let grade = match known.found.score.grade {
                Grade::Certain => wire::Grade::Certain,
                Grade::Probable => wire::Grade::Probable,
                Grade::Possible => wire::Grade::Possible,
                Grade::CertainlyNot => continue,
            };
            let only_certain = request.only_certain && grade != wire::Grade::Certain;
            let item = Item::labelled(&known.patient, &app.settings().labelling);
            let outside = agreed
                .as_ref()
                .is_some_and(|held| !held.cover().holds(&item, &mut BTreeSet::new()));
            if only_certain || outside || is_hidden(app, &*snapshot, &consent, &known.found.id)? {
                continue;
            }
            patients.push(known.found.id.clone());
            candidates.push(candidate(&known, grade)?);
        }
        candidates.truncate(usize::try_from(request.count).unwrap_or(usize::MAX).min(10));
        drop(snapshot);
        app.audit(event(asserted, Pattern::Query).patients(patients).query("Patient/$match"))?;
        let certain = candidates.first().is_some_and(|best| best.grade == wire::Grade::Certain);
        let outcome = match (certain, candidates.is_empty()) {
            (true, _) => MatchOutcome::Certain,
            (_, true) => MatchOutcome::NoMatch,
            _ => MatchOutcome::Possible,
        };
        Ok(MatchResponse { outcome, candidates })
    };
    work().map_err(refused)
}

/// The grant behind an emergency question is shown with the record, not with the match before it.
fn purpose_is_btg(asserted: &Asserted) -> bool {
    asserted.assertion.purpose_of_use == Purpose::BTG.code()
}

/// Which of `orgs` may not know that the patient is known here, where one of their clinicians asked
/// for treatment: as the door for `$match` decides.
pub(crate) fn hidden_from(
    app: &App,
    snapshot: &dyn Snapshot,
    orgs: &[&OrgId],
    patient: &Id,
) -> crate::Result<Vec<OrgId>> {
    let consents = standing::resources(snapshot, patient)?;
    let consents = Compiled::with(&consents, &directory(snapshot));
    let hidden = |org: &&&OrgId| {
        let request = ConsentRequest {
            recipient_org: org.uri(),
            // Nobody whom a consent names: persons are decided about when they ask.
            recipient_user: Some(user_of(org.as_str(), "~")),
            role: Role::Clinician,
            purpose: Purpose::TREAT,
            custodian_org: format!("urn:consilium:org:{}", app.org().id),
            now_ms: app.now_ms(),
            break_glass_enabled: app.settings().break_glass,
        };
        is_unknown(app, &request, &consents)
    };
    Ok(orgs.iter().filter(hidden).map(|org| (*org).clone()).collect())
}

fn is_unknown(app: &App, request: &ConsentRequest, consents: &Compiled) -> bool {
    matches!(
        whole_record(request, consents, &app.settings().consent),
        WholeDecision::Deny { existence: Existence::Hidden, .. }
    )
}

fn is_hidden(
    app: &App,
    snapshot: &dyn Snapshot,
    request: &ConsentRequest,
    patient: &Id,
) -> crate::Result<bool> {
    let consents = standing::resources(snapshot, patient)?;
    let consents = Compiled::with(&consents, &directory(snapshot));
    Ok(is_unknown(app, request, &consents))
}

fn candidate(known: &matcher::Known, grade: wire::Grade) -> crate::Result<Candidate> {
    Ok(Candidate {
        patient_id: known.found.id.to_string(),
        score: known.found.score.probability,
        grade,
        fields: known
            .found
            .score
            .fields
            .iter()
            .map(|field| FieldScore {
                name: field.field.to_owned(),
                agreement: field.agreement.to_owned(),
                weight: field.weight,
            })
            .collect(),
        patient: demographics(&known.patient)?,
    })
}

/// What this user of a peer may see of one patient.
pub fn record_request(
    app: &App,
    asserted: &Asserted,
    request: &RecordRequest,
) -> Answered<RecordAnswer> {
    let now = app.now_ms();
    let granted = request.break_glass.as_ref().is_some_and(|grant| {
        !grant.reason.trim().is_empty()
            && grant.until > now
            && grant.until <= now + break_glass::TIME_BOX_MS + 60_000
    });
    let stated = Some(request.agreements.as_deref());
    let admitted = authorise(app, asserted, Action::Answer, granted, stated)?;
    let purpose = admitted.purpose;
    let described = Resource::parse(request.patient.get())
        .map_err(|_| Refusal::new(RefusalCode::MessageInvalid, "`patient` must be a Patient"))?;
    let known = Id::new(&request.patient_id).ok().zip(Id::new(&request.asker_patient_id).ok());
    let work = || -> crate::Result<RecordAnswer> {
        let Some((patient, theirs)) = known else { return absent(app, asserted) };
        let snapshot = app.store().snapshot()?;
        let org = asserted.assertion.issuer.as_str();
        let is_theirs = described.id().as_ref() == Some(&theirs);
        let same = is_theirs
            && deliver::is_same_person(
                app,
                &*snapshot,
                &patient,
                org,
                &described,
                request.confirmed,
            )?;
        if !same {
            return absent(app, asserted);
        }
        let selected = select(app, &*snapshot, asserted, &patient, &admitted)?;
        let was_linked = link::find(&*snapshot, &patient, org)?.is_some();
        let mut writes = Vec::new();
        let mut side = Vec::new();
        if let Some(link) = new_link(&*snapshot, &patient, org, &theirs, request.confirmed)? {
            writes.push(link::write(app, &link, &asserted.member.web_url)?);
            side = deliver::to_new_holder(app, &patient, org)?;
        }
        if let (Some(grant), true) = (&request.break_glass, purpose == Purpose::BTG) {
            writes.extend(override_writes(app, &*snapshot, asserted, &patient, grant)?);
        }
        drop(snapshot);
        let entry = audit_entry(asserted, &patient, &selected);
        commit(app, writes, side, &entry)?;
        crate::governance::flags::saw(app, asserted, patient.as_str(), was_linked);
        Ok(selected.answer)
    };
    work().map_err(refused)
}

/// Commits the audit entry with what goes along. A link that another question keeps at the same
/// moment makes the whole fail, and then the entry is committed alone.
fn commit(
    app: &App,
    mut writes: Vec<Write>,
    side: Vec<store::SideWrite>,
    entry: &Event<'_>,
) -> crate::Result<()> {
    writes.push(entry.write(app)?);
    match app.store().commit(Transaction { writes, side, ..Default::default() }) {
        Err(store::StoreError::Conflict { .. }) => app.audit(entry.clone()),
        other => other.map(drop).map_err(Into::into),
    }
}

/// The answer that does not tell whether there is anybody.
fn absent(app: &App, asserted: &Asserted) -> crate::Result<RecordAnswer> {
    app.audit(event(asserted, Pattern::Query).query("record").note("no such patient"))?;
    Ok(RecordAnswer {
        resources: Vec::new(),
        end: end(0, RecordStatus::NoMatch, false, Handling::default(), Beside::default()),
    })
}

fn end(
    sent: usize,
    status: RecordStatus,
    withheld_known: bool,
    handling: Handling,
    beside: Beside,
) -> End {
    let mut notes = Vec::new();
    if sent > 0 {
        notes.push(NO_REDISCLOSURE.to_owned());
    }
    if handling.part2 {
        notes.push(PART2_NOTICE.to_owned());
    }
    let Beside { agreed, grounds } = beside;
    notes.extend(grounds.iter().map(|ground| format!("{} ({})", ground.scope, ground.reference)));
    let obligations = handling.codes.iter().map(|(code, resources)| wire::Obligation {
        code: (*code).to_owned(),
        resources: resources.clone(),
        agreement: String::new(),
    });
    let obligations = obligations.chain(agreed);
    let handling = (sent > 0).then(|| wire::Handling {
        confidentiality: handling.confidentiality.map(|degree| degree.code().to_owned()),
        obligations: obligations.collect(),
        consents: grounds,
    });
    End { sent: sent as u64, status, withheld_known, notes, handling }
}

/// What travels with an answer beside what its labels ask for.
#[derive(Default)]
struct Beside {
    /// What agreements ask of the receiver.
    agreed: Vec<wire::Obligation>,
    /// The consents on which the disclosure of records under 42 CFR Part 2 rests.
    grounds: Vec<wire::ConsentScope>,
}

struct Selected {
    answer: RecordAnswer,
    consents: Vec<String>,
    withheld: usize,
}

/// Decides every resource.
fn select(
    app: &App,
    snapshot: &dyn Snapshot,
    asserted: &Asserted,
    patient: &Id,
    admitted: &Admitted,
) -> crate::Result<Selected> {
    let request = consent_request(app, asserted, admitted.role, admitted.purpose);
    let consents = standing::resources(snapshot, patient)?;
    let held = selection::Held::of(app, snapshot, patient)?;
    let selection::Decided { compiled, decisions } =
        held.decide((app, snapshot), &request, &consents);
    let mut used: Vec<u32> = decisions.iter().filter_map(|d| d.because.consent()).collect();
    used.sort_unstable();
    used.dedup();
    let denied = decisions.iter().filter(|decision| !decision.is_permitted());
    let withheld = denied.clone().count();
    let known = denied.clone().any(|decision| decision.existence == Existence::Known);
    let permitted = held.resources.into_iter().zip(held.items).zip(&decisions);
    let open = permitted.filter(|(_, decision)| decision.is_permitted());
    let (mut permitted, mut part2) = (Vec::new(), Vec::new());
    for ((resource, item), decision) in open {
        if item.labels.laws.contains(&PART2) {
            part2.push((item.reference.to_string(), decision.because.consent()));
        }
        permitted.push((resource, item));
    }
    let before = permitted.len();
    let agreed = within_agreement(admitted, &mut permitted);
    part2.retain(|(reference, _)| permitted.iter().any(|(_, item)| *item.reference == **reference));
    let grounds = grounds(app, &compiled, &consents, part2);
    let withheld = withheld + before - permitted.len();
    let handling = Handling::of(permitted.iter().map(|(_, item)| item), admitted.purpose);
    let permitted: Vec<Resource> = permitted.into_iter().map(|(resource, _)| resource).collect();
    let status = match (permitted.is_empty(), known) {
        (false, _) => RecordStatus::Answered,
        (true, true) => RecordStatus::Withheld,
        (true, false) => RecordStatus::NoMatch,
    };
    let consents = used.into_iter().map(|number| compiled.reference(number).to_owned());
    let consents = consents.filter(|reference| !reference.is_empty()).collect();
    let beside = Beside { agreed, grounds };
    let end = end(permitted.len(), status, known, handling, beside);
    Ok(Selected { answer: RecordAnswer { resources: permitted, end }, consents, withheld })
}

/// Most consents that are told with one answer; who needs more asks for the consents themselves.
const MAX_GROUNDS: usize = 20;

/// What each consent covers by which records under 42 CFR Part 2 are sent: "a clear explanation of
/// the scope of the consent" (42 CFR 2.32(b)), beside the copy that every holder of the record keeps.
fn grounds(
    app: &App,
    compiled: &Compiled,
    consents: &[Resource],
    part2: Vec<(String, Option<u32>)>,
) -> Vec<wire::ConsentScope> {
    let mut grounds: Vec<wire::ConsentScope> = Vec::new();
    for (resource, number) in part2 {
        let Some(number) = number else { continue };
        let local = compiled.reference(number);
        let reference = format!("{}/fhir/{local}", app.org().base_url);
        if let Some(known) = grounds.iter_mut().find(|one| one.reference == reference) {
            known.resources.push(resource);
            continue;
        }
        let is_it = |one: &&Resource| one.id().is_some_and(|id| format!("Consent/{id}") == local);
        let Some(consent) = consents.iter().find(is_it) else { continue };
        if grounds.len() < MAX_GROUNDS {
            let scope = policy::consent::scope(consent);
            grounds.push(wire::ConsentScope { reference, scope, resources: vec![resource] });
        }
    }
    grounds
}

/// Leaves of `permitted` what the agreements cover; returns what they ask of the receiver. That
/// something lies outside is not told: which data are covered stands in the agreement.
fn within_agreement(
    admitted: &Admitted,
    permitted: &mut Vec<(Resource, Item)>,
) -> Vec<wire::Obligation> {
    let Some(held) = &admitted.agreed else {
        permitted.clear();
        return Vec::new();
    };
    let (cover, mut used) = (held.cover(), BTreeSet::new());
    permitted.retain(|(_, item)| cover.holds(item, &mut used));
    let asked = cover.obligations(&used).into_iter();
    asked
        .map(|(obligation, title)| wire::Obligation {
            code: obligation.code().to_owned(),
            resources: Vec::new(),
            agreement: title.to_owned(),
        })
        .collect()
}

fn audit_entry(asserted: &Asserted, patient: &Id, selected: &Selected) -> Event<'static> {
    let sent = selected.answer.resources.len();
    let note = format!("{sent} resources sent, {} withheld", selected.withheld);
    let entry = match sent {
        0 => event(asserted, Pattern::Refuse).refused(note),
        _ => event(asserted, Pattern::Disclose).note(note),
    };
    let entry = entry.patients([patient.clone()]).data(format!("Patient/{patient}"));
    let entry = entry.seen(&selected.answer.resources);
    selected.consents.iter().fold(entry, |entry, reference| entry.consent(reference))
}

/// The link back to the asker's record, unless there is one already.
fn new_link(
    snapshot: &dyn Snapshot,
    patient: &Id,
    org: &str,
    theirs: &Id,
    confirmed: bool,
) -> crate::Result<Option<Link>> {
    let known = link::find(snapshot, patient, org)?;
    if known.as_ref().is_some_and(|link| link.state != State::Possible) {
        return Ok(None);
    }
    Ok(Some(Link {
        patient: patient.clone(),
        org: org.to_owned(),
        remote: theirs.clone(),
        state: if confirmed { State::Confirmed } else { State::Certain },
        score: None,
        fields: None,
        demographics: None,
        version: known.map_or(0, |link| link.version),
    }))
}

/// Review and notice here, once for each override.
fn override_writes(
    app: &App,
    snapshot: &dyn Snapshot,
    asserted: &Asserted,
    patient: &Id,
    grant: &wire::BreakGlass,
) -> crate::Result<Vec<Write>> {
    let agent = agent(asserted);
    let user = format!("{}/{}", agent.org, agent.user);
    if break_glass::granted(snapshot, &user, patient, app.now_ms())?.is_some() {
        return Ok(Vec::new());
    }
    let who = break_glass::Who { user: &user, name: &agent.name, organisation: &agent.org_name };
    let reason: String = grant.reason.chars().take(break_glass::MAX_REASON).collect();
    break_glass::writes(app, patient, &who, &reason, grant.until)
}

/// A patient at a peer asks who used their record here.
pub fn accesses_request(
    app: &App,
    asserted: &Asserted,
    request: &AccessesRequest,
) -> Answered<AccessesResponse> {
    let stated = Some(request.agreements.as_deref());
    let admitted = authorise(app, asserted, Action::Answer, false, stated)?;
    if asserted.assertion.subject.role != wire::Role::Patient {
        return Err(Refusal::new(RefusalCode::PurposeNotPermitted, "only patients ask this"));
    }
    let none = AccessesResponse { accesses: Vec::new(), more: false, checkpoint: None };
    let item = Item { resource_type: "AuditEvent".into(), ..Item::default() };
    let covers = |held: &Held| held.cover().holds(&item, &mut BTreeSet::new());
    if !admitted.agreed.as_ref().is_some_and(covers) {
        return Ok(none);
    }
    let known = Id::new(&request.patient_id).ok().zip(Id::new(&request.asker_patient_id).ok());
    let Some((patient, theirs)) = known else { return Ok(none) };
    let work = || -> crate::Result<AccessesResponse> {
        let org = asserted.assertion.issuer.as_str();
        let link = link::find(&*app.store().snapshot()?, &patient, org)?;
        if !link.is_some_and(|link| link.state.is_followed() && link.remote == theirs) {
            return Ok(none);
        }
        app.audit(event(asserted, Pattern::AuditRead).patients([patient.clone()]))?;
        let count = usize::try_from(request.count).unwrap_or(usize::MAX).min(MAX_LINES);
        let mut list = crate::audit::accesses::find(app, &patient, count + 1)?;
        let more = list.len() > count;
        list.truncate(count);
        let snapshot = app.store().snapshot()?;
        let prover = Prover::new(app, &*snapshot)?;
        let mut accesses = Vec::new();
        for (seen, stored) in &list {
            let proof = prover.prove(stored, &patient, seen.shows_reason(false))?;
            accesses.extend(access(seen, proof));
        }
        let checkpoint = prover.checkpoint().map(ToOwned::to_owned);
        Ok(AccessesResponse { accesses, more, checkpoint })
    };
    work().map_err(refused)
}

fn access(seen: &crate::audit::accesses::Access, proof: Option<LineProof>) -> Option<Access> {
    let role = match seen.role.as_str() {
        "" => wire::Role::Service,
        // Nodes tell each other of patients; who acted for one stands in the name.
        "proxy" => wire::Role::Patient,
        word => serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()?,
    };
    Some(Access {
        id: seen.id.clone(),
        recorded: seen.recorded_ms,
        organisation: OrgId::new(&seen.organisation).ok()?,
        user: seen.user.clone(),
        role,
        purpose_of_use: seen.purpose.clone(),
        action: seen.action.clone(),
        permitted: !seen.refused,
        break_glass_reason: seen.evidence.clone().filter(|_| seen.shows_reason(false)),
        request_id: seen.request_id.clone(),
        seen: seen.seen.clone(),
        by_permission: seen.by_permission,
        proof,
    })
}
