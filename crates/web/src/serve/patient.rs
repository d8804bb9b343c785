//! The patient's pages: the own record, who saw it, who may see it.

use std::collections::BTreeMap;

use app::audit::accesses::{self as accesses_of, everywhere};
use app::audit::objection;
use app::consent::decide::{self, Direction};
use app::consent::people;
use app::consent::standing::{Decided, Standing, standing};
use app::notices::{Kind as MatterKind, Matter, State};
use app::records::link;
use app::{App, Caller, Error, User};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fhir::Id;
use policy::consent::Kind as Choice;
use serde::Deserialize;

use super::live::{self, Asking};
use super::session::{Made, Stop, Visit, done, id, page};
use crate::chrome::{Notice, Role};
use crate::clinician::record::Audience;
use crate::fault::Fault;
use crate::form::Field;
use crate::parts::standing::Standing as Stands;
use crate::paths::{MyObjections, MyPermissions};
use crate::patient::accesses::{self, Access, AccessesView, Authority, Line, Proof};
use crate::patient::objections::{
    self as objections_page, ObjectForm, ObjectView, Objection, ObjectionsView,
};
use crate::patient::permissions::{
    self, DecideForm, Decision, Named, Organisation, PastDecision, PeopleForm, Permission,
    PermissionsView,
};
use crate::proxies::relationship::Relationship;
use crate::terms::{Kind, Purpose, Touched};

const PATIENT: &[Role] = &[Role::Patient];

/// Who is signed in and which patient they are.
pub fn own(visit: &Visit) -> Result<(&User, Id), Stop> {
    let user = visit.require(PATIENT)?;
    let patient = user.patient.clone().ok_or(Stop::Fault(Fault::NotFound))?;
    Ok((user, patient))
}

/// Who is signed in and for which patient they may decide: the patient, or somebody who acts for one.
fn decider(visit: &Visit) -> Result<(&User, Id), Stop> {
    let user = visit.require(&[Role::Patient, Role::Proxy])?;
    let patient = user.patient.clone().ok_or(Stop::Fault(Fault::NotFound))?;
    Ok((user, patient))
}

fn asking(visit: &Visit) -> Result<Asking, Stop> {
    let (user, patient) = own(visit)?;
    let caller = visit.caller(user);
    Ok(Asking { caller, patient, audience: Audience::Patient, break_glass_until_ms: None })
}

/// `GET /me/record`
pub async fn record(visit: Visit) -> Response {
    let made = match &visit.user {
        Some(user) if Role::from_code(&user.role) == Some(Role::Proxy) => {
            super::proxies::record(&visit, user).await
        }
        _ => match asking(&visit) {
            Ok(asking) => live::shown(&visit, asking).await,
            Err(stop) => Err(stop),
        },
    };
    visit.finish(made)
}

/// `GET /me/record/events`
pub async fn events(visit: Visit) -> Response {
    let made = match asking(&visit) {
        Ok(asking) => live::events(&visit, asking).await,
        Err(stop) => Err(stop),
    };
    visit.finish(made)
}

/// `GET /me/accesses`
pub async fn accesses(visit: Visit) -> Response {
    let made = try_accesses(&visit).await;
    visit.finish(made)
}

async fn try_accesses(visit: &Visit) -> Made {
    let (user, patient) = own(visit)?;
    // The other hospitals are asked too, and without a fresh factor they would be left out.
    visit.require_fresh_factor(user)?;
    let app = visit.app();
    let caller = visit.caller(user);
    let objections = {
        let (caller, patient) = (caller.clone(), patient.clone());
        app.run(move |app| objection::mine(app, &caller, &patient)).await?
    };
    let found = everywhere(app, caller, patient).await?;
    let list = found.list.iter().map(|access| access_view(app, access, &objections)).collect();
    let missing = found.silent.iter().map(|org| name_of(app, org)).collect();
    let view = AccessesView { accesses: list, older: None, missing };
    page(accesses::render(&view, &visit.chrome)?)
}

fn access_view(app: &App, access: &accesses_of::Access, objections: &[Matter]) -> Access {
    let objection = objections
        .iter()
        .find(|one| one.owner == access.at && one.entry == access.id)
        .map(standing_of);
    let organisation = name_of(app, &access.organisation);
    Access {
        at_ms: access.recorded_ms,
        // Where the node acted of itself, no person saw anything.
        who: match access.user.is_empty() {
            true => organisation.clone(),
            false => access.user.clone(),
        },
        role: access.role.clone(),
        relationship: (!access.relationship.is_empty())
            .then(|| Relationship(access.relationship.clone())),
        organisation,
        purpose: Purpose::from_code(&access.purpose),
        // A reference to an encounter says nothing to the patient; a reason in words does.
        reason: access.evidence.clone().filter(|text| is_in_words(text)).unwrap_or_default(),
        seen: touched(&access.seen),
        held_by: name_of(app, &access.at),
        break_glass: access.is_break_glass(),
        refused: access.refused,
        authority: match access.authority() {
            accesses_of::Authority::OwnRequest => Authority::OwnRequest,
            accesses_of::Authority::Emergency => Authority::Emergency,
            accesses_of::Authority::Permission => Authority::Permission,
            accesses_of::Authority::Rules => Authority::Rules,
        },
        proof: match access.proof {
            accesses_of::Proof::Cosigned(by) => Proof::Cosigned(by as u64),
            accesses_of::Proof::Waiting => Proof::Waiting,
            accesses_of::Proof::Absent => Proof::Absent,
            accesses_of::Proof::Broken => Proof::Broken,
        },
        line: Line { at: access.at.clone(), entry: access.id.clone() },
        objection,
    }
}

/// Counts of resource types as counts of kinds, the largest first.
fn touched(seen: &BTreeMap<String, u64>) -> Vec<Touched> {
    let mut list: Vec<Touched> = Vec::new();
    for (resource_type, count) in seen {
        let (kind, count) = (Kind::from_type(resource_type), usize::try_from(*count).unwrap_or(0));
        match list.iter_mut().find(|touched| touched.kind == kind) {
            Some(touched) => touched.count += count,
            None => list.push(Touched { kind, count }),
        }
    }
    list.sort_by_key(|touched| std::cmp::Reverse(touched.count));
    list
}

/// How an objection or a recall stands, in the words of the pages.
pub fn standing_of(one: &Matter) -> Stands {
    match (one.state, one.kind) {
        (State::Upheld, MatterKind::Recall) => Stands::Confirmed,
        (State::Upheld, MatterKind::Objection) => Stands::Upheld,
        (State::Rejected, _) => Stands::Rejected,
        (State::NotTaken, _) => Stands::NotTaken,
        _ if one.overdue => Stands::Overdue,
        (State::Sent, _) => Stands::Sent,
        (State::Received, _) => Stands::Received,
    }
}

/// Which line of which log is meant.
#[derive(Default, Deserialize)]
pub struct LineQuery {
    #[serde(default)]
    at: String,
    #[serde(default)]
    entry: String,
}

/// `GET /me/accesses/proof`
pub async fn proof(visit: Visit, line: Result<Query<LineQuery>, QueryRejection>) -> Response {
    let made = try_proof(&visit, line.map(|Query(line)| line).unwrap_or_default()).await;
    visit.finish(made)
}

async fn try_proof(visit: &Visit, line: LineQuery) -> Made {
    let (user, patient) = own(visit)?;
    visit.require_fresh_factor(user)?;
    let entry = id(&line.entry)?;
    let name = format!("attachment; filename=\"access-{entry}.tlog-proof\"");
    let text = accesses_of::proof(visit.app(), visit.caller(user), patient, line.at, entry).await?;
    let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned());
    Ok(([kind, (header::CONTENT_DISPOSITION, name)], text).into_response())
}

/// `GET /me/objections`
pub async fn objections(visit: Visit) -> Response {
    let made = try_objections(&visit).await;
    visit.finish(made)
}

async fn try_objections(visit: &Visit) -> Made {
    let (user, patient) = own(visit)?;
    let caller = visit.caller(user);
    let list = visit.app().run(move |app| objection::mine(app, &caller, &patient)).await?;
    let objections = list.iter().map(|one| Objection {
        at_ms: one.opened_ms,
        hospital: name_of(visit.app(), &one.owner),
        reason: one.reason.clone(),
        standing: standing_of(one),
        due_ms: one.state.is_open().then_some(one.due_ms),
        answer: one.answer.clone(),
    });
    let view = ObjectionsView { objections: objections.collect() };
    page(objections_page::render(&view, &visit.chrome)?)
}

/// `GET /me/objections/new`
pub async fn object_form(visit: Visit, line: Result<Query<LineQuery>, QueryRejection>) -> Response {
    let line = line.map(|Query(line)| line).unwrap_or_default();
    let made =
        own(&visit).and_then(|_| object_page(&visit, &line.at, &line.entry, Field::default()));
    visit.finish(made)
}

fn object_page(visit: &Visit, at: &str, entry: &str, reason: Field) -> Made {
    let known = at == visit.app().org().id
        || visit.app().network().list().members.iter().any(|member| member.id.as_str() == at);
    if !known {
        return Err(Stop::Fault(Fault::NotFound));
    }
    let view = ObjectView {
        line: Line { at: at.to_owned(), entry: id(entry)?.to_string() },
        hospital: name_of(visit.app(), at),
        days: u64::try_from(objection::DUE_MS / 86_400_000).unwrap_or_default(),
        reason,
    };
    page(objections_page::render_form(&view, &visit.chrome)?)
}

/// `POST /me/objections`
pub async fn object(visit: Visit, form: Result<Form<ObjectForm>, FormRejection>) -> Response {
    let made = try_object(&visit, form).await;
    visit.finish(made)
}

async fn try_object(visit: &Visit, form: Result<Form<ObjectForm>, FormRejection>) -> Made {
    let (user, patient) = own(visit)?;
    let form = visit.form(form)?;
    let reason = match form.read() {
        Ok(reason) => reason,
        Err(field) => return object_page(visit, &form.at, &form.entry, field),
    };
    let (caller, entry) = (visit.caller(user), id(&form.entry)?);
    let made = move |app: &App| {
        objection::object(app, &caller, &patient, &form.at, &entry, &reason).map(drop)
    };
    visit.app().run(made).await?;
    done(MyObjections, Notice::ObjectionSent)
}

/// The name of an organisation of the network; its id where the list does not know it.
pub fn name_of(app: &App, org: &str) -> String {
    if org == app.org().id {
        return app.org().name.clone();
    }
    let list = app.network().list();
    let member = list.members.iter().find(|member| member.id.as_str() == org);
    member.map_or_else(|| org.to_owned(), |member| member.display_name.clone())
}

/// `GET /me/permissions`
pub async fn permissions(
    visit: Visit,
    form: Result<Query<PeopleForm>, QueryRejection>,
) -> Response {
    let made = try_permissions(&visit, form.map(|Query(form)| form).unwrap_or_default()).await;
    visit.finish(made)
}

async fn try_permissions(visit: &Visit, form: PeopleForm) -> Made {
    let (user, patient) = decider(visit)?;
    let caller = visit.caller(user);
    let make = move |app: &App| permissions_view(app, &caller, &patient, &form);
    let view = visit.app().run(make).await?;
    page(permissions::render(&view, &visit.chrome)?)
}

fn permissions_view(
    app: &App,
    caller: &Caller,
    patient: &Id,
    form: &PeopleForm,
) -> Result<PermissionsView, Error> {
    let (list, history) = standing(app, caller, patient)?;
    let snapshot = app.store().snapshot()?;
    let mut organisations = Vec::with_capacity(list.len());
    for one in &list {
        let link = link::find(&*snapshot, patient, &one.org)?;
        let holds_record =
            one.org == app.org().id || link.is_some_and(|link| link.state.is_followed());
        organisations.push(organisation(one, &history, holds_record));
    }
    let holders = list.len();
    let people = decided_people(app, &history);
    let sought = Field::optional(&form.name, 80);
    let found = match sought.value.is_empty() {
        true => None,
        false => Some(people::find(app, caller, patient, &sought.value)?),
    };
    let found = found.map(|list| {
        let decided = |key: &str| people.iter().find(|one| one.key == key)?.may_see;
        let named = |one: people::Somebody| Named {
            name: person_name(app, &one.key, &one.name),
            may_see: decided(&one.key),
            key: one.key,
        };
        list.into_iter().map(named).collect()
    });
    let history = past(&history, holders);
    Ok(PermissionsView { organisations, people, sought, found, history })
}

/// The people about whom a decision holds, each with the newest.
fn decided_people(app: &App, history: &[Decided]) -> Vec<Named> {
    let mut list: Vec<Named> = Vec::new();
    for decided in history.iter().filter(|decided| decided.active) {
        for (key, name) in &decided.people {
            if list.iter().all(|one| one.key != *key) {
                let name = person_name(app, key, name);
                let may_see = Some(decided.permits);
                list.push(Named { key: key.clone(), name, may_see });
            }
        }
    }
    list
}

/// A person's name, with the organisation for staff.
pub(super) fn person_name(app: &App, key: &str, name: &str) -> String {
    let staff = people::Somebody { key: key.to_owned(), name: String::new() };
    match staff.staff() {
        Some((org, _)) => format!("{name}, {}", name_of(app, org)),
        None => name.to_owned(),
    }
}

fn organisation(one: &Standing, history: &[Decided], holds_record: bool) -> Organisation {
    let is_about = |decided: &&Decided| {
        let named = |name: &String| *name == one.name || *name == one.org;
        decided.active && (decided.about.is_empty() || decided.about.iter().any(named))
    };
    Organisation {
        id: one.org.clone(),
        name: one.name.clone(),
        permission: Permission { see: one.may_see, share: one.may_share },
        by_default: !history.iter().any(|decided| is_about(&decided)),
        holds_record,
    }
}

/// Decisions as the patient made them: one about a single direction is kept as two consents, of
/// which the permission is dated just before the withdrawal.
fn past(history: &[Decided], holders: usize) -> Vec<PastDecision> {
    let is_first_half = |decided: &Decided| {
        decided.permits
            && history.iter().any(|other| {
                !other.permits
                    && other.see != other.share
                    && other.date_ms == decided.date_ms + 1
                    && other.about == decided.about
            })
    };
    let whole = history.iter().filter(|decided| !is_first_half(decided));
    whole
        .map(|decided| PastDecision {
            at_ms: decided.date_ms,
            organisation: (!decided.about.is_empty()).then(|| decided.about.join(", ")),
            permission: match decided.people.is_empty() {
                true => Permission { see: decided.see, share: decided.share },
                // A person holds nothing that could be shared.
                false => Permission { see: decided.permits, share: decided.permits },
            },
            on_paper: decided.on_paper.clone(),
            in_force: holders.saturating_sub(decided.waiting),
            of: holders,
        })
        .collect()
}

/// `POST /me/permissions`
pub async fn decide(visit: Visit, form: Result<Form<DecideForm>, FormRejection>) -> Response {
    let made = try_decide(&visit, form).await;
    visit.finish(made)
}

async fn try_decide(visit: &Visit, form: Result<Form<DecideForm>, FormRejection>) -> Made {
    let (user, patient) = decider(visit)?;
    let form = visit.form(form)?;
    let decision = form.read().ok_or(Stop::Fault(Fault::BadRequest))?;
    let caller = visit.caller(user);
    // The effect is shown to the patient alone.
    if form.confirm != "yes" && caller.user.acting.is_none() {
        return super::simulation::preview(visit, caller, patient, decision).await;
    }
    visit.app().run(move |app| record_decision(app, &caller, &patient, &decision)).await?;
    done(MyPermissions, Notice::PermissionSaved)
}

fn record_decision(
    app: &App,
    caller: &Caller,
    patient: &Id,
    decision: &Decision,
) -> Result<(), Error> {
    if let Some(key) = &decision.person {
        decide::decide_personal(app, caller, patient, key, decision.permission.see)?;
        app.outbox().nudge();
        return Ok(());
    }
    let organisation = decision.organisation.as_deref();
    let one_way = |direction| {
        let organisation = organisation.ok_or_else(|| {
            Error::invalid("value", "a decision about all organisations is about both directions")
        })?;
        decide::decide_one_way(app, caller, patient, organisation, direction)
    };
    let both = |kind| decide::decide(app, caller, patient, organisation, kind).map(drop);
    match decision.permission {
        Permission { see: true, share: true } => both(Choice::Permit),
        Permission { see: false, share: false } => both(Choice::Deny),
        Permission { see: true, share: false } => one_way(Direction::See),
        Permission { see: false, share: true } => one_way(Direction::Share),
    }?;
    // Patients expect a withdrawal to reach the others at once.
    app.outbox().nudge();
    Ok(())
}

fn is_in_words(evidence: &str) -> bool {
    matches!(app::Evidence::read(evidence), Some(app::Evidence::Reason(_)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn a_decision_about_one_direction_is_one_line_of_the_past() {
        let decided = |date_ms, permits, see, share| Decided {
            id: Id::new("c-1").unwrap(),
            date_ms,
            permits,
            see,
            share,
            about: vec!["South Clinic".into()],
            people: Vec::new(),
            on_paper: None,
            active: true,
            origin: String::new(),
            waiting: 1,
        };
        let history = [
            decided(1_000, false, true, false),
            decided(999, true, true, true),
            decided(500, true, true, true),
        ];
        let lines = past(&history, 4);
        let found: Vec<_> = lines.iter().map(|line| (line.at_ms, line.permission)).collect();
        let (see, full) =
            (Permission { see: true, share: false }, Permission { see: true, share: true });
        assert_eq!(found, [(1_000, see), (500, full)]);
        assert!(lines.iter().all(|line| (line.in_force, line.of) == (3, 4)));
    }
}
