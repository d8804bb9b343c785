//! Agreements: the list, one to be read, and what a steward does about them. Drafts are in
//! [`super::drafts`].

use app::agreements::{read, say, sign};
use app::{App, Error, Kind};
use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::{IntoResponse, Response};
use policy::agreement::{Clause, Dossier, Said, differences};
use serde_json::json;

use super::account::fault_of;
use super::patient::name_of;
use super::session::{Made, Visit, done, page};
use crate::agreements::list::{self, ListView, Row};
use crate::agreements::mine::{self, MineView};
use crate::agreements::one::{self, AgreementView, BreachView, SayForm, SignForm, VersionView};
use crate::agreements::wording;
use crate::chrome::{Notice, Role};
use crate::form::Field;
use crate::parts::PasskeyFault;
use crate::paths::{Agreement, Returning, SignIn, StepUp};
use crate::words::Words;

pub(super) const STEWARD: &[Role] = &[Role::Steward];
const READERS: &[Role] = &[Role::Steward, Role::Operator, Role::PrivacyOfficer];
const PATIENT: &[Role] = &[Role::Patient];

/// `GET /agreements`
pub async fn list(visit: Visit) -> Response {
    let made = try_list(&visit).await;
    visit.finish(made)
}

async fn try_list(visit: &Visit) -> Made {
    let caller = visit.caller(visit.require(READERS)?);
    let found = visit.app().run(move |app| read::list(app, &caller)).await?;
    let rows = found.list.into_iter().map(|one| Row {
        id: one.id,
        title: one.title,
        with: one.others.join(", "),
        state: one.state,
        until_ms: one.ends_ms.map_or(one.term.1, |ends| ends.min(one.term.1)),
        waits: one.waits,
    });
    let view = ListView {
        agreements: rows.collect(),
        without: found.without.into_iter().map(|(_, name)| name).collect(),
        common: found.common,
    };
    page(list::render(&view, &visit.chrome)?)
}

/// `GET /agreements/{id}`
pub async fn one(visit: Visit, Path(id): Path<String>) -> Response {
    let made = shown(&visit, &id, None, None, Field::default()).await;
    visit.finish(made)
}

async fn shown(
    visit: &Visit,
    id: &str,
    passkey_fault: Option<PasskeyFault>,
    fault: Option<String>,
    reason: Field,
) -> Made {
    let caller = visit.caller(visit.require(READERS)?);
    let agreement = id.to_owned();
    let dossier = visit.app().run(move |app| read::one(app, &caller, &agreement)).await?;
    let may_act = visit.require(STEWARD).is_ok();
    let w = visit.chrome.words();
    let mut view = view(visit.app(), &w, id, &dossier);
    (view.may_act, view.passkey_fault, view.fault, view.reason) =
        (may_act, passkey_fault, fault, reason);
    page(one::render(&view, &visit.chrome)?)
}

fn view(app: &App, w: &Words<'_>, id: &str, dossier: &Dossier) -> AgreementView {
    let now_ms = app.now_ms();
    let standing = dossier.standing(now_ms);
    let own = app.org().id.as_str();
    let mut versions: Vec<VersionView> = Vec::new();
    for version in dossier.versions().into_iter().rev() {
        let terms = version.terms;
        let name = |org: &str| wording::party_name(terms, org);
        let old = terms.replaces.as_ref().and_then(|hash| dossier.text(hash));
        let changes = old.map(|old| differences(old, terms)).unwrap_or_default();
        let signatures = version.signatures.iter();
        let missing = terms
            .parties
            .iter()
            .filter(|party| !version.signatures.iter().any(|(org, ..)| **org == *party.org));
        versions.push(VersionView {
            hash: version.hash.to_owned(),
            number: terms.version,
            title: terms.title.to_string(),
            proposed_by: name(version.proposed_by),
            issued_ms: terms.issued_ms,
            parties: terms.parties.iter().map(|party| party.name.to_string()).collect(),
            term: (terms.from_ms, terms.until_ms),
            notice_days: terms.notice_days,
            clauses: terms.clauses.iter().map(|one| wording::clause(w, one, &name)).collect(),
            signatures: signatures
                .map(|(org, steward, at)| (name(org), (*steward).to_owned(), *at))
                .collect(),
            missing: missing.map(|party| party.name.to_string()).collect(),
            since_ms: version.since_ms,
            differences: changes.iter().map(|one| wording::difference(w, one, &name)).collect(),
            signable: dossier.unsignable(own, version.hash, now_ms).is_none(),
        });
    }
    // The text that counts comes first; the others follow, the newest first.
    versions.sort_by_key(|version| standing.text.as_deref() != Some(&*version.hash));
    let party = |org: &str| name_of(app, org);
    let breaches = dossier.breaches();
    let breaches = breaches.iter().map(|breach| BreachView {
        id: breach.statement.hash.to_string(),
        by: party(&breach.statement.issuer),
        at_ms: breach.statement.at_ms,
        reason: breach.reason.to_owned(),
        settled_ms: breach.settled.map(|one| one.at_ms),
        ours: &*breach.statement.issuer == own,
    });
    let endings = dossier.statements().into_iter().filter_map(|one| match &one.said {
        Said::Ended { reason, .. } => Some((party(&one.issuer), one.at_ms, reason.to_string())),
        _ => None,
    });
    AgreementView {
        id: id.to_owned(),
        state: standing.state,
        ends_ms: standing.ends_ms,
        breaches: breaches.collect(),
        endings: endings.collect(),
        versions,
        may_act: false,
        passkey_fault: None,
        fault: None,
        reason: Field::default(),
    }
}

/// `POST /agreements/{id}/versions/{text}/challenge`, for scripts.
pub async fn challenge(
    visit: Visit,
    Path((id, text)): Path<(String, String)>,
    form: Result<Form<super::account::ChallengeForm>, FormRejection>,
) -> Response {
    let made = try_challenge(&visit, id, text, form).await;
    visit.finish(made)
}

async fn try_challenge(
    visit: &Visit,
    id: String,
    text: String,
    form: Result<Form<super::account::ChallengeForm>, FormRejection>,
) -> Made {
    let user = visit.require(STEWARD)?;
    if visit.form(form).is_err() {
        return Ok(Json(json!({"go": SignIn.to_string()})).into_response());
    }
    let (caller, token, address) = (visit.caller(user), visit.session()?, visit.address.clone());
    let next = Agreement(&id).to_string();
    let agreement = id.clone();
    let begun =
        visit.app().run(move |app| sign::begin(app, &caller, &token, &agreement, &text, &address));
    let body = match begun.await {
        Ok(begun) => json!({"ceremony": begun.ceremony, "options": begun.options}),
        Err(error) => match (fault_of(&error), &error.kind) {
            (Some(fault), _) => json!({"fault": fault.code()}),
            (None, Kind::StepUp { .. }) => {
                json!({"go": Returning { to: StepUp, next: &next }.to_string()})
            }
            (None, Kind::Conflict | Kind::NotFound) => json!({"go": next}),
            (None, _) => return Err(error.into()),
        },
    };
    Ok(Json(body).into_response())
}

/// `POST /agreements/{id}/sign`
pub async fn sign(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<SignForm>, FormRejection>,
) -> Response {
    let made = try_sign(&visit, id, form).await;
    visit.finish(made)
}

async fn try_sign(visit: &Visit, id: String, form: Result<Form<SignForm>, FormRejection>) -> Made {
    let user = visit.require(STEWARD)?;
    let form = visit.form(form)?;
    if form.ceremony.is_empty() {
        return shown(visit, &id, Some(PasskeyFault::Unsupported), None, Field::default()).await;
    }
    let (caller, token, address) = (visit.caller(user), visit.session()?, visit.address.clone());
    let agreement = id.clone();
    let signed = visit.app().run(move |app| {
        let answer = sign::Answer {
            ceremony: &form.ceremony,
            credential: &form.credential.0,
            address: &address,
        };
        sign::finish(app, &caller, &token, &agreement, &form.text, &answer)
    });
    match signed.await {
        Ok(()) => done(Agreement(&id), Notice::AgreementSigned),
        Err(error) => failed(visit, &id, error, Field::default()).await,
    }
}

/// The page again with what went wrong.
async fn failed(visit: &Visit, id: &str, error: Error, reason: Field) -> Made {
    match (fault_of(&error), &error.kind) {
        (Some(fault), _) => shown(visit, id, Some(fault), None, reason).await,
        (None, Kind::Conflict | Kind::Invalid(_) | Kind::Unprocessable) => {
            shown(visit, id, None, Some(error.message), reason).await
        }
        (None, _) => Err(error.into()),
    }
}

/// `POST /agreements/{id}/end`
pub async fn end(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<SayForm>, FormRejection>,
) -> Response {
    let work = |app: &App, caller: &app::Caller, id: &str, form: &SayForm| {
        say::end(app, caller, id, app.now_ms(), &form.reason)
    };
    let made = try_say(&visit, id, form, Notice::AgreementEnded, work).await;
    visit.finish(made)
}

/// `POST /agreements/{id}/breach`
pub async fn breach(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<SayForm>, FormRejection>,
) -> Response {
    let work = |app: &App, caller: &app::Caller, id: &str, form: &SayForm| {
        say::breach(app, caller, id, &form.reason)
    };
    let made = try_say(&visit, id, form, Notice::BreachDeclared, work).await;
    visit.finish(made)
}

/// `POST /agreements/{id}/settle`
pub async fn settle(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<SayForm>, FormRejection>,
) -> Response {
    let work = |app: &App, caller: &app::Caller, id: &str, form: &SayForm| {
        say::settle(app, caller, id, &form.breach, &form.reason)
    };
    let made = try_say(&visit, id, form, Notice::BreachSettled, work).await;
    visit.finish(made)
}

async fn try_say(
    visit: &Visit,
    id: String,
    form: Result<Form<SayForm>, FormRejection>,
    notice: Notice,
    work: impl FnOnce(&App, &app::Caller, &str, &SayForm) -> app::Result<()> + Send + 'static,
) -> Made {
    let user = visit.require(STEWARD)?;
    let form = visit.form(form)?;
    visit.require_fresh_factor(user)?;
    let reason = match form.read() {
        Ok(reason) => reason,
        Err(field) => return shown(visit, &id, None, None, field).await,
    };
    let (caller, agreement) = (visit.caller(user), id.clone());
    match visit.app().run(move |app| work(app, &caller, &agreement, &form)).await {
        Ok(()) => done(Agreement(&id), notice),
        Err(error) => failed(visit, &id, error, Field::new(reason)).await,
    }
}

/// `GET /me/agreements`
pub async fn mine(visit: Visit) -> Response {
    let made = try_mine(&visit).await;
    visit.finish(made)
}

async fn try_mine(visit: &Visit) -> Made {
    let caller = visit.caller(visit.require(PATIENT)?);
    let found = visit.app().run(move |app| read::for_patient(app, &caller)).await?;
    let w = visit.chrome.words();
    let name = |org: &str| name_of(visit.app(), org);
    let clauses = |list: &[Clause]| {
        list.iter().map(|one| wording::clause(&w, one, &name)).collect::<Vec<_>>()
    };
    let agreed = found
        .agreed
        .iter()
        .map(|one| (one.terms.title.to_string(), one.until_ms, clauses(&one.terms.clauses)));
    let view = MineView { common: clauses(&found.common), agreed: agreed.collect() };
    page(mine::render(&view, &visit.chrome)?)
}
