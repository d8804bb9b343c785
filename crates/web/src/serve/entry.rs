//! Sign-in, second factor, sign-out, preferences, and the way to the first page of a role.

use app::session::{SignedIn, outside, passkeys};
use app::{App, Error, Kind};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query};
use axum::response::Response;
use identity::Standing;
use serde::Deserialize;

use super::account::fault_of;
use super::outside::choices;
use super::session::{Made, Stop, Visit, done, page, see_other, step_up_reason};
use crate::apps::onward::{self, Way};
use crate::chrome::{Notice, Role, Theme};
use crate::entry::sign_in::{self, PasskeyForm, SignInFault, SignInForm, SignInView};
use crate::entry::step_up::{self, StepUpForm, StepUpView};
use crate::fault::Fault;
use crate::form::{Bare, Field, FieldFault, Preferences};
use crate::lang::Lang;
use crate::parts::PasskeyFault;
use crate::paths::{Account, Home, SignIn, local};

/// Every role with pages.
const ANYBODY: &[Role] = &Role::ALL;

/// Where to go afterwards.
#[derive(Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
    /// `passkey` where nothing else is enough.
    #[serde(default)]
    by: String,
}

/// `GET /`
pub async fn home(visit: Visit) -> Response {
    let made = visit.require(ANYBODY).and_then(|user| {
        let role = Role::from_code(&user.role).ok_or(Stop::Fault(Fault::Forbidden))?;
        Ok(see_other(&role.home()))
    });
    visit.finish(made)
}

/// `GET /sign-in`
pub async fn sign_in_page(visit: Visit, next: Result<Query<Next>, QueryRejection>) -> Response {
    let next = next.map(|Query(next)| next.next).unwrap_or_default();
    let next = local(&next).to_owned();
    if visit.token.is_some() {
        return visit.finish(Ok(see_other(&next)));
    }
    let made = door(&visit, SignInView { next, ..SignInView::default() });
    visit.finish(made)
}

/// `POST /sign-in`
pub async fn sign_in(mut visit: Visit, form: Result<Form<SignInForm>, FormRejection>) -> Response {
    let made = try_sign_in(&mut visit, form).await;
    visit.finish(made)
}

async fn try_sign_in(visit: &mut Visit, form: Result<Form<SignInForm>, FormRejection>) -> Made {
    // A form that lay open too long is given again instead of a fault.
    let Ok(form) = visit.form(form) else { return done(SignIn, Notice::SessionEnded) };
    let empty = form.again(None);
    if !empty.username.is_sound() || !empty.password.is_sound() {
        return door(visit, empty);
    }
    let (name, password) = (form.username.trim().to_owned(), form.password.clone());
    let code: String = form.code.0.chars().filter(|c| !c.is_whitespace()).collect();
    let address = visit.address.clone();
    let opened = visit
        .app()
        .run(move |app| {
            let code = (!code.is_empty()).then_some(code.as_str());
            with_pages(app, app::session::sign_in(app, &name, &password.0, code, &address)?)
        })
        .await;
    match opened {
        Ok(opened) => enter(visit, &opened, &form.next).await,
        Err(error) => {
            let fault = match error.kind {
                Kind::Unauthenticated => SignInFault::Wrong,
                Kind::Busy => SignInFault::Throttled { minutes: minutes(&error) },
                _ => return Err(error.into()),
            };
            door(visit, form.again(Some(fault)))
        }
    }
}

/// The sign-in page.
fn door(visit: &Visit, view: SignInView) -> Made {
    let view = SignInView {
        passkeys: visit.app().identity().has_passkeys(),
        providers: choices(outside::offered(visit.app())),
        ..view
    };
    page(sign_in::render(&view, &visit.chrome)?)
}

/// A program's account has no pages to be shown.
pub fn with_pages(app: &App, opened: SignedIn) -> Result<SignedIn, Error> {
    if Role::from_code(&opened.user.role).is_none() {
        app::session::sign_out(app, &opened.token)?;
        return Err(Error::new(Kind::Unauthenticated, "this account has no pages"));
    }
    Ok(opened)
}

async fn enter(visit: &mut Visit, opened: &SignedIn, next: &str) -> Made {
    end_session(visit).await?;
    visit.open(&opened.token);
    Ok(see_other(local(next)))
}

/// `POST /sign-in/passkey`
pub async fn passkey_sign_in(
    mut visit: Visit,
    form: Result<Form<PasskeyForm>, FormRejection>,
) -> Response {
    let made = try_passkey_sign_in(&mut visit, form).await;
    visit.finish(made)
}

async fn try_passkey_sign_in(
    visit: &mut Visit,
    form: Result<Form<PasskeyForm>, FormRejection>,
) -> Made {
    let Ok(form) = visit.form(form) else { return done(SignIn, Notice::SessionEnded) };
    let (ceremony, answer) = (form.ceremony, form.credential);
    let address = visit.address.clone();
    let opened = visit
        .app()
        .run(move |app| {
            with_pages(app, passkeys::finish_sign_in(app, &ceremony, &answer.0, &address)?)
        })
        .await;
    match opened {
        Ok(opened) => enter(visit, &opened, &form.next).await,
        Err(error) => {
            let fault = match (fault_of(&error), &error.kind) {
                (Some(fault), _) => SignInFault::Passkey(fault),
                (None, Kind::Busy) => SignInFault::Throttled { minutes: minutes(&error) },
                (None, Kind::Unauthenticated) => SignInFault::Wrong,
                (None, _) => return Err(error.into()),
            };
            let next = local(&form.next).to_owned();
            door(visit, SignInView { next, fault: Some(fault), ..SignInView::default() })
        }
    }
}

/// `GET /step-up`
pub async fn step_up_page(visit: Visit, next: Result<Query<Next>, QueryRejection>) -> Response {
    let Next { next, by } = next.map(|Query(next)| next).unwrap_or_default();
    let made =
        asked(&visit, &next, Asked { by_passkey: by == "passkey", ..Asked::default() }).await;
    visit.finish(made)
}

/// What the page of the second factor says beside what it asks.
#[derive(Default)]
struct Asked {
    code: Field,
    by_passkey: bool,
    throttled_minutes: Option<u32>,
    passkey_fault: Option<PasskeyFault>,
}

/// The page of the second factor, with what the account can prove itself by.
async fn asked(visit: &Visit, next: &str, asked: Asked) -> Made {
    let token = visit.session()?;
    let (factors, providers) = visit
        .app()
        .run(move |app| Ok((passkeys::factors(app, &token)?, outside::for_step_up(app, &token))))
        .await?;
    let next = local(next).to_owned();
    let passkey = !factors.passkeys.is_empty() && visit.app().identity().has_passkeys();
    let view = StepUpView {
        reason: step_up_reason(&next),
        next,
        code: asked.code,
        throttled_minutes: asked.throttled_minutes,
        // Where the role needs a passkey and there is one, a one-time code is not enough.
        code_counts: factors.one_time_codes
            && !asked.by_passkey
            && !matches!(visit.held, Some((_, Standing::PasskeyNeeded))),
        passkey,
        recovery: factors.recovery_codes > 0,
        providers: if asked.by_passkey { Vec::new() } else { choices(providers) },
        passkey_fault: asked.passkey_fault,
    };
    page(step_up::render(&view, &visit.chrome)?)
}

/// `POST /step-up/passkey`
pub async fn passkey_step_up(
    visit: Visit,
    form: Result<Form<PasskeyForm>, FormRejection>,
) -> Response {
    let made = try_passkey_step_up(&visit, form).await;
    visit.finish(made)
}

async fn try_passkey_step_up(
    visit: &Visit,
    form: Result<Form<PasskeyForm>, FormRejection>,
) -> Made {
    let token = visit.session()?;
    let form = visit.form(form)?;
    let (ceremony, answer) = (form.ceremony, form.credential);
    let address = visit.address.clone();
    let proved = visit
        .app()
        .run(move |app| passkeys::finish_step_up(app, &token, &ceremony, &answer.0, &address))
        .await;
    match proved {
        Ok(_) => Ok(see_other(local(&form.next))),
        Err(error) => refused(visit, &form.next, error).await,
    }
}

/// The page of the second factor again, with what was wrong.
async fn refused(visit: &Visit, next: &str, error: Error) -> Made {
    let mut again = Asked::default();
    match (fault_of(&error), &error.kind, error.rule.as_deref()) {
        (Some(fault), ..) => again.passkey_fault = Some(fault),
        (_, Kind::Unauthenticated, Some("no-session")) => return Err(error.into()),
        (_, Kind::Unauthenticated, _) => again.code = Field::default().with(FieldFault::WrongCode),
        (_, Kind::Busy, _) => again.throttled_minutes = Some(minutes(&error)),
        _ => return Err(error.into()),
    }
    asked(visit, next, again).await
}

/// `POST /step-up`
pub async fn step_up(visit: Visit, form: Result<Form<StepUpForm>, FormRejection>) -> Response {
    let made = try_step_up(&visit, form).await;
    visit.finish(made)
}

async fn try_step_up(visit: &Visit, form: Result<Form<StepUpForm>, FormRejection>) -> Made {
    let token = visit.session()?;
    let form = visit.form(form)?;
    let code = match form.code() {
        Err(fault) => {
            let code = Field::default().with(fault);
            return asked(visit, &form.next, Asked { code, ..Asked::default() }).await;
        }
        Ok(code) => code,
    };
    let address = visit.address.clone();
    let proved =
        visit.app().run(move |app| app::session::step_up(app, &token, &code.0, &address)).await;
    match proved {
        // What was asked for needs a passkey still; this factor is good for adding one.
        Ok(_) if visit.held.is_some() => Ok(see_other(&Account.to_string())),
        Ok(_) => Ok(see_other(local(&form.next))),
        Err(error) => refused(visit, &form.next, error).await,
    }
}

/// `POST /sign-out`
pub async fn sign_out(mut visit: Visit, form: Result<Form<Bare>, FormRejection>) -> Response {
    let made = match visit.form_of_anybody(form) {
        // Nothing to end.
        _ if visit.token.is_none() => done(SignIn, Notice::SignedOut),
        Err(stop) => Err(stop),
        Ok(_) => try_sign_out(&visit).await,
    };
    if made.is_ok() {
        visit.close();
    }
    visit.finish(made)
}

/// Ends the session, and leads on to the provider where it began there and that is offered.
async fn try_sign_out(visit: &Visit) -> Made {
    let way_out = match &visit.token {
        Some(token) => outside::way_out(visit.app(), token).await,
        None => None,
    };
    end_session(visit).await?;
    match way_out {
        Some(address) => page(onward::render(Way::Provider, &address, &visit.chrome)?),
        None => done(SignIn, Notice::SignedOut),
    }
}

/// Ends the session of a visit, if there is one.
pub async fn end_session(visit: &Visit) -> Result<(), Stop> {
    if let Some(user) = &visit.user {
        visit.web.grounds.forget(&user.id);
    }
    if let Some(token) = visit.token.clone() {
        visit.app().run(move |app| app::session::sign_out(app, &token)).await?;
    }
    Ok(())
}

/// `POST /preferences`
pub async fn preferences(
    mut visit: Visit,
    form: Result<Form<Preferences>, FormRejection>,
) -> Response {
    let made = match visit.form_of_anybody(form) {
        Err(stop) => Err(stop),
        Ok(form) => {
            let lang = Lang::from_tag(&form.lang).unwrap_or(visit.chrome.lang);
            visit.prefer(lang, Theme::from_code(&form.theme));
            let next = match form.next.is_empty() {
                true => Home.to_string(),
                false => local(&form.next).to_owned(),
            };
            Ok(see_other(&next))
        }
    };
    visit.finish(made)
}

/// Whole minutes to wait, out of the sentence that says how many seconds.
fn minutes(error: &Error) -> u32 {
    let digits = error.message.split(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty());
    let seconds: u32 = digits.and_then(|digits| digits.parse().ok()).unwrap_or(60);
    seconds.div_ceil(60).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_told_in_whole_minutes() {
        for (message, expected) in [
            ("too many attempts; try again in 61 seconds", 2),
            ("too many attempts; try again in 5 seconds", 1),
            ("too many attempts", 1),
        ] {
            assert_eq!(minutes(&Error::new(Kind::Busy, message)), expected);
        }
    }
}
