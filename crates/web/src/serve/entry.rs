//! Sign-in, second factor, sign-out, preferences, and the way to the first page of a role.

use app::{Error, Kind};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query};
use axum::response::Response;
use serde::Deserialize;

use super::session::{Made, Stop, Visit, done, page, see_other, step_up_reason};
use crate::chrome::{Notice, Role, Theme};
use crate::entry::sign_in::{self, SignInFault, SignInForm, SignInView};
use crate::entry::step_up::{self, StepUpForm, StepUpView};
use crate::fault::Fault;
use crate::form::{Bare, Field, FieldFault, Preferences};
use crate::lang::Lang;
use crate::paths::{Home, SignIn, local};

/// Every role with pages.
const ANYBODY: &[Role] = &Role::ALL;

/// Where to go afterwards.
#[derive(Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
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
    if visit.user.is_some() {
        return visit.finish(Ok(see_other(&next)));
    }
    let view = SignInView { next, ..SignInView::default() };
    let made = sign_in::render(&view, &visit.chrome).map_err(Stop::from).and_then(page);
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
        return page(sign_in::render(&empty, &visit.chrome)?);
    }
    let (name, password) = (form.username.trim().to_owned(), form.password.clone());
    let code: String = form.code.0.chars().filter(|c| !c.is_whitespace()).collect();
    let address = visit.address.clone();
    let opened = visit
        .app()
        .run(move |app| {
            let code = (!code.is_empty()).then_some(code.as_str());
            let opened = app::session::sign_in(app, &name, &password.0, code, &address)?;
            // A program's account has no pages to be shown.
            if Role::from_code(&opened.user.role).is_none() {
                app::session::sign_out(app, &opened.token)?;
                return Err(Error::new(Kind::Unauthenticated, "this account has no pages"));
            }
            Ok(opened)
        })
        .await;
    match opened {
        Ok(opened) => {
            end_session(visit).await?;
            visit.open(&opened.token);
            Ok(see_other(local(&form.next)))
        }
        Err(error) => {
            let fault = match error.kind {
                Kind::Unauthenticated => SignInFault::Wrong,
                Kind::Busy => SignInFault::Throttled { minutes: minutes(&error) },
                _ => return Err(error.into()),
            };
            page(sign_in::render(&form.again(Some(fault)), &visit.chrome)?)
        }
    }
}

/// `GET /step-up`
pub async fn step_up_page(visit: Visit, next: Result<Query<Next>, QueryRejection>) -> Response {
    let next = next.map(|Query(next)| next.next).unwrap_or_default();
    let made = visit.require(ANYBODY).and_then(|_| {
        let view = asked(&next, Field::default(), None);
        page(step_up::render(&view, &visit.chrome)?)
    });
    visit.finish(made)
}

/// `POST /step-up`
pub async fn step_up(visit: Visit, form: Result<Form<StepUpForm>, FormRejection>) -> Response {
    let made = try_step_up(&visit, form).await;
    visit.finish(made)
}

async fn try_step_up(visit: &Visit, form: Result<Form<StepUpForm>, FormRejection>) -> Made {
    visit.require(ANYBODY)?;
    let form = visit.form(form)?;
    let token = visit.token.clone().ok_or(Stop::Fault(Fault::SignInNeeded))?;
    let view = match form.digits() {
        Err(fault) => asked(&form.next, Field::default().with(fault), None),
        Ok(code) => {
            let address = visit.address.clone();
            let proved = visit
                .app()
                .run(move |app| app::session::step_up(app, &token, &code.0, &address))
                .await;
            match proved {
                Ok(_) => return Ok(see_other(local(&form.next))),
                Err(error) if error.rule.as_deref() == Some("no-session") => {
                    return Err(error.into());
                }
                Err(error) if error.kind == Kind::Unauthenticated => {
                    asked(&form.next, Field::default().with(FieldFault::WrongCode), None)
                }
                Err(error) if error.kind == Kind::Busy => {
                    asked(&form.next, Field::default(), Some(minutes(&error)))
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    page(step_up::render(&view, &visit.chrome)?)
}

fn asked(next: &str, code: Field, throttled_minutes: Option<u32>) -> StepUpView {
    let next = local(next).to_owned();
    StepUpView { reason: step_up_reason(&next), code, next, throttled_minutes }
}

/// `POST /sign-out`
pub async fn sign_out(mut visit: Visit, form: Result<Form<Bare>, FormRejection>) -> Response {
    let made = match visit.form(form) {
        // Nothing to end.
        _ if visit.user.is_none() => done(SignIn, Notice::SignedOut),
        Err(stop) => Err(stop),
        Ok(_) => end_session(&visit).await.and_then(|()| done(SignIn, Notice::SignedOut)),
    };
    if made.is_ok() {
        visit.close();
    }
    visit.finish(made)
}

async fn end_session(visit: &Visit) -> Result<(), Stop> {
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
    let made = match visit.form(form) {
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
