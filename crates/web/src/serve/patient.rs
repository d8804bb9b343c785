//! The patient's pages: the own record, who saw it, who may see it.

use app::audit::accesses::everywhere;
use app::consent::decide::{self, Direction};
use app::consent::standing::{Decided, Standing, standing};
use app::records::link;
use app::{App, Caller, Error, User};
use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::response::Response;
use fhir::Id;
use policy::consent::Kind;

use super::live::{self, Asking};
use super::session::{Made, Stop, Visit, done, page};
use crate::chrome::{Notice, Role};
use crate::clinician::record::Audience;
use crate::fault::Fault;
use crate::paths::MyPermissions;
use crate::patient::accesses::{self, Access, AccessesView};
use crate::patient::permissions::{
    self, DecideForm, Decision, Organisation, PastDecision, Permission, PermissionsView,
};
use crate::terms::Purpose;

const PATIENT: &[Role] = &[Role::Patient];

/// Who is signed in and which patient they are.
fn own(visit: &Visit) -> Result<(&User, Id), Stop> {
    let user = visit.require(PATIENT)?;
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
    let made = match asking(&visit) {
        Ok(asking) => live::shown(&visit, asking).await,
        Err(stop) => Err(stop),
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
    let found = everywhere(app, visit.caller(user), patient).await?;
    let list = found.list.iter().map(|access| access_view(app, access)).collect();
    let missing = found.silent.iter().map(|org| name_of(app, org)).collect();
    let view = AccessesView { accesses: list, older: None, missing };
    page(accesses::render(&view, &visit.chrome)?)
}

fn access_view(app: &App, access: &app::audit::accesses::Access) -> Access {
    let organisation = name_of(app, &access.organisation);
    Access {
        at_ms: access.recorded_ms,
        // Where the node acted of itself, no person saw anything.
        who: match access.user.is_empty() {
            true => organisation.clone(),
            false => access.user.clone(),
        },
        role: access.role.clone(),
        organisation,
        purpose: Purpose::from_code(&access.purpose),
        // A reference to an encounter says nothing to the patient; a reason in words does.
        reason: access.evidence.clone().filter(|text| is_in_words(text)).unwrap_or_default(),
        seen: Vec::new(),
        held_by: name_of(app, &access.at),
        break_glass: access.is_break_glass(),
        refused: access.refused,
    }
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
pub async fn permissions(visit: Visit) -> Response {
    let made = try_permissions(&visit).await;
    visit.finish(made)
}

async fn try_permissions(visit: &Visit) -> Made {
    let (user, patient) = own(visit)?;
    let caller = visit.caller(user);
    let view = visit.app().run(move |app| permissions_view(app, &caller, &patient)).await?;
    page(permissions::render(&view, &visit.chrome)?)
}

fn permissions_view(app: &App, caller: &Caller, patient: &Id) -> Result<PermissionsView, Error> {
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
    Ok(PermissionsView { organisations, history: past(&history, holders) })
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
            permission: Permission { see: decided.see, share: decided.share },
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
    let (user, patient) = own(visit)?;
    let decision = visit.form(form)?.read().ok_or(Stop::Fault(Fault::BadRequest))?;
    let caller = visit.caller(user);
    visit.app().run(move |app| record_decision(app, &caller, &patient, &decision)).await?;
    done(MyPermissions, Notice::PermissionSaved)
}

fn record_decision(
    app: &App,
    caller: &Caller,
    patient: &Id,
    decision: &Decision,
) -> Result<(), Error> {
    let organisation = decision.organisation.as_deref();
    let one_way = |direction| {
        let organisation = organisation.ok_or_else(|| {
            Error::invalid("value", "a decision about all organisations is about both directions")
        })?;
        decide::decide_one_way(app, caller, patient, organisation, direction)
    };
    let both = |kind| decide::decide(app, caller, patient, organisation, kind).map(drop);
    match decision.permission {
        Permission { see: true, share: true } => both(Kind::Permit),
        Permission { see: false, share: false } => both(Kind::Deny),
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
