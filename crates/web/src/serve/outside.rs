//! Signing in, proving presence and linking through an outside OpenID provider.
//!
//! Whoever goes to a provider goes by a page of ours, since our forms send to this site alone, and
//! whoever comes back comes by one, since cookies stay behind when another site leads here.

use app::apps::udap::tiered;
use app::session::outside::{self, Failed, Going, Offered, Outcome};
use app::{Error, Kind};
use axum::Json;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use identity::{Answer, Purpose};
use serde::Deserialize;
use serde_json::json;

use super::Web;
use super::account::{Faults, shown};
use super::entry::{end_session, with_pages};
use super::session::{Made, Stop, Visit, done, page, see_other};
use crate::apps::onward::{self, Way};
use crate::chrome::Notice;
use crate::entry::outside::{OutsideFault, OutsideForm, OutsideView, ProviderChoice, render};
use crate::form::{Bare, Field};
use crate::paths::{
    Account, Encoded, Home, OutsideReturn, Path as _, Returning, SignIn, StepUp, local,
};

/// Longest value of a provider's answer that is taken along, in bytes.
const MAX_VALUE: usize = 4_096;

/// What a provider sends with the browser.
#[derive(Default, Deserialize)]
pub struct Sent {
    #[serde(default)]
    state: String,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

impl Sent {
    fn is_short(&self) -> bool {
        let all = [Some(&self.state), self.code.as_ref(), self.iss.as_ref(), self.error.as_ref()];
        all.into_iter().flatten().all(|value| value.len() <= MAX_VALUE)
    }

    /// The way on, with what was sent and nothing else.
    fn on(&self, provider: &str) -> String {
        let mut path = format!("{}?state={}", OutsideReturn(provider), Encoded(&self.state));
        for (name, value) in [("code", &self.code), ("iss", &self.iss), ("error", &self.error)] {
            if let Some(value) = value {
                path.push_str(&format!("&{name}={}", Encoded(value)));
            }
        }
        path
    }
}

/// The providers as pages offer them.
pub fn choices(offered: Vec<Offered>) -> Vec<ProviderChoice> {
    offered.into_iter().map(|one| ProviderChoice { id: one.id, label: one.label }).collect()
}

/// `POST /sign-in/outside/{id}`
pub async fn sign_in(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<OutsideForm>, FormRejection>,
) -> Response {
    let made = match visit.form(form) {
        // A form that lay open too long is given again instead of a fault.
        Err(_) => done(SignIn, Notice::SessionEnded),
        Ok(form) => go(&visit, &id, Purpose::SignIn, local(&form.next)).await,
    };
    visit.finish(made)
}

/// `POST /step-up/outside/{id}`
pub async fn step_up(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<OutsideForm>, FormRejection>,
) -> Response {
    let made = match (visit.session(), visit.form(form)) {
        (Err(stop), _) | (_, Err(stop)) => Err(stop),
        (Ok(_), Ok(form)) => go(&visit, &id, Purpose::StepUp, local(&form.next)).await,
    };
    visit.finish(made)
}

/// `POST /account/providers/{id}`
pub async fn link(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let made = match (visit.session(), visit.form(form)) {
        (Err(stop), _) | (_, Err(stop)) => Err(stop),
        (Ok(_), Ok(_)) => go(&visit, &id, Purpose::Link, Account::ROUTE).await,
    };
    visit.finish(made)
}

async fn go(visit: &Visit, provider: &str, purpose: Purpose, next: &str) -> Made {
    let going = Going {
        provider,
        purpose,
        browser: visit.root(),
        token: visit.token.as_deref().unwrap_or_default(),
        next,
        address: &visit.address,
    };
    match outside::begin(visit.app(), going).await {
        Ok(address) => page(onward::render(Way::Provider, &address, &visit.chrome)?),
        Err(error) => refused(visit, provider, error).await,
    }
}

/// Sends the person of an app's request to the provider that it names, and back to `next`. Where that
/// cannot be, the app is told.
pub async fn for_request(visit: &Visit, provider: &str, request: &str, next: &str) -> Made {
    let going = Going {
        provider,
        purpose: Purpose::SignIn,
        browser: visit.root(),
        token: visit.token.as_deref().unwrap_or_default(),
        next,
        address: &visit.address,
    };
    match outside::begin(visit.app(), going).await {
        Ok(address) => page(onward::render(Way::Provider, &address, &visit.chrome)?),
        Err(error) => told_or_refused(visit, provider, Some(request.to_owned()), error).await,
    }
}

/// The way back to the app whose request wanted the person signed in at a provider, or the page that
/// says why not.
async fn told_or_refused(
    visit: &Visit,
    provider: &str,
    request: Option<String>,
    error: Error,
) -> Made {
    if let Some(request) = request {
        let reason = error.clone();
        let told = visit.app().run(move |app| tiered::refuse(app, &request, &reason)).await?;
        if let Some(address) = told {
            return Ok(see_other(&address));
        }
    }
    refused(visit, provider, error).await
}

/// `GET /sign-in/outside/{id}/callback`
pub async fn callback(
    visit: Visit,
    Path(id): Path<String>,
    sent: Result<Query<Sent>, QueryRejection>,
) -> Response {
    let made = match sent {
        Ok(Query(sent)) if sent.is_short() => {
            let way = onward::render(Way::Provider, &sent.on(&id), &visit.chrome);
            way.map_err(Stop::from).and_then(page)
        }
        _ => refused_page(&visit, &id, OutsideFault::Expired, None),
    };
    // The cookie of a new visit would take the place of the one that waits for this answer.
    visit.finish_without_cookies(made)
}

/// `GET /sign-in/outside/{id}/return`
pub async fn returned(
    mut visit: Visit,
    Path(id): Path<String>,
    sent: Result<Query<Sent>, QueryRejection>,
) -> Response {
    let made = try_return(&mut visit, &id, sent).await;
    visit.finish(made)
}

async fn try_return(
    visit: &mut Visit,
    id: &str,
    sent: Result<Query<Sent>, QueryRejection>,
) -> Made {
    let Ok(Query(sent)) = sent else {
        return refused_page(visit, id, OutsideFault::Expired, None);
    };
    let Sent { state, code, iss, error } = sent;
    let answer = Answer { state, code, iss, error };
    let token = visit.token.clone().unwrap_or_default();
    let (browser, address) = ((visit.root(), token.as_str()), visit.address.as_str());
    let (outcome, next) = match outside::finish(visit.app(), id, &answer, browser, address).await {
        Ok(done) => done,
        Err(Failed { error, next }) => {
            let request = next.as_deref().and_then(super::apps::request_at);
            return told_or_refused(visit, id, request, error).await;
        }
    };
    match outcome {
        Outcome::SignedIn(opened) => {
            let opened = visit.app().run(move |app| with_pages(app, *opened)).await?;
            end_session(visit).await?;
            visit.open(&opened.token);
            Ok(see_other(local(&next)))
        }
        // What was asked for needs a passkey still; this factor is good for adding one.
        Outcome::SteppedUp if visit.held.is_some() => Ok(see_other(Account::ROUTE)),
        Outcome::SteppedUp => Ok(see_other(local(&next))),
        Outcome::Linked => done(Account, Notice::ProviderLinked),
    }
}

/// `POST /account/links/{id}/remove`
pub async fn unlink(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let made = try_unlink(&visit, id, form).await;
    visit.finish(made)
}

async fn try_unlink(visit: &Visit, id: String, form: Result<Form<Bare>, FormRejection>) -> Made {
    let token = visit.session()?;
    visit.form(form)?;
    let address = visit.address.clone();
    match visit.app().run(move |app| outside::unlink(app, &token, &id, &address)).await {
        Ok(()) => done(Account, Notice::ProviderUnlinked),
        Err(error) => match fault_of(&error) {
            Some(fault) => {
                let faults = Faults { link: Some(fault), ..Faults::default() };
                shown(visit, Field::default(), faults).await
            }
            None => Err(error.into()),
        },
    }
}

/// What a provider sends when a session has ended there.
#[derive(Deserialize)]
pub struct EndedForm {
    logout_token: String,
}

/// `POST /sign-in/outside/{id}/ended` (OpenID Connect Back-Channel Logout 1.0, section 2.8)
pub async fn ended(
    State(web): State<Web>,
    Path(id): Path<String>,
    form: Result<Form<EndedForm>, FormRejection>,
) -> Response {
    let done = match form {
        Ok(Form(form)) => outside::ended_there(&web.app, &id, &form.logout_token).await,
        Err(_) => Err(Error::invalid("structure", "`logout_token` is missing")),
    };
    let (status, code) = match done {
        Ok(_) => return StatusCode::OK.into_response(),
        Err(error) if error.kind == Kind::Internal => {
            tracing::error!(reason = %error.message, "a logout of a provider failed");
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error")
        }
        Err(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
    };
    (status, Json(json!({"error": code}))).into_response()
}

fn fault_of(error: &Error) -> Option<OutsideFault> {
    OutsideFault::from_rule(error.rule.as_deref()?)
}

/// The page that says why not; to step-up and back to the own account where that is asked for.
async fn refused(visit: &Visit, provider: &str, error: Error) -> Made {
    if matches!(error.kind, Kind::StepUp { .. }) {
        let next = Returning { to: StepUp, next: Account::ROUTE };
        return Ok(see_other(&next.to_string()));
    }
    match fault_of(&error) {
        Some(fault) => {
            let subject = (fault == OutsideFault::NotLinked).then_some(error.message);
            refused_page(visit, provider, fault, subject)
        }
        None => Err(error.into()),
    }
}

fn refused_page(
    visit: &Visit,
    provider: &str,
    fault: OutsideFault,
    subject: Option<String>,
) -> Made {
    let known = outside::offered(visit.app()).into_iter().find(|one| one.id == provider);
    let view = OutsideView {
        fault,
        provider: known.map_or_else(|| provider.to_owned(), |one| one.label),
        subject,
        back: match visit.token.is_some() {
            true => Home.to_string(),
            false => SignIn.to_string(),
        },
    };
    let html = render(&view, &visit.chrome)?;
    Ok((StatusCode::BAD_REQUEST, axum::response::Html(html)).into_response())
}
