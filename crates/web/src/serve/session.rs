//! One visit to a page: who comes, in which language, with which token for forms, and how every
//! answer leaves.

use std::convert::Infallible;
use std::net::SocketAddr;

use app::{App, Caller, Error, Kind, User};
use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Form, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use fhir::Id;
use identity::Standing;

use super::Web;
use super::frame::{LANG, SESSION, THEME, VISIT, YEAR_S, chrome, cookie, judge_token, written};
use crate::chrome::{Chrome, Notice, Role, Theme};
use crate::error::WebError;
use crate::fault::{self, Fault};
use crate::form::Secret;
use crate::lang::Lang;
use crate::paths::{
    Account, AppConsent, BreakGlassReviews, Find, Links, MyAccesses, MyPermissions, MyRecord,
    Network, Objections, Papers, Path, Reconciliation, Returning, SignIn, StepUp, Witnesses,
};

/// Why a handler stops before its page is made.
pub enum Stop {
    /// A use case refused or failed.
    Error(Error),
    /// The page could not be rendered.
    Render(WebError),
    /// The fault page.
    Fault(Fault),
    /// Elsewhere.
    Redirect(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<WebError> for Stop {
    fn from(error: WebError) -> Self {
        Self::Render(error)
    }
}

/// What a handler makes.
pub type Made = Result<Response, Stop>;

/// A form with the token that shows it came from our page.
pub trait Tokened {
    /// The token.
    fn token(&self) -> &Secret;
}

macro_rules! tokened {
    ($($form:ty),+ $(,)?) => {$(
        impl Tokened for $form {
            fn token(&self) -> &Secret {
                &self.csrf
            }
        }
    )+};
}

tokened!(
    crate::form::Bare,
    crate::form::Preferences,
    crate::entry::sign_in::SignInForm,
    crate::entry::step_up::StepUpForm,
    crate::entry::sign_in::PasskeyForm,
    crate::account::factors::AddForm,
    super::account::ChallengeForm,
    crate::account::one_time_codes::ConfirmForm,
    crate::entry::outside::OutsideForm,
    crate::clinician::ask::AskForm,
    crate::clinician::break_glass::BreakGlassForm,
    crate::patient::permissions::DecideForm,
    crate::patient::grant::AnswerForm,
    crate::clinician::propose::ProposeForm,
    crate::clinician::propose::CodeForm,
    crate::agreements::form::DraftForm,
    crate::agreements::one::SignForm,
    crate::agreements::one::SayForm,
    crate::privacy::break_glass::ReviewForm,
    crate::privacy::witnesses::AcceptForm,
    crate::privacy::objections::AnswerForm,
    crate::privacy::papers::PaperForm,
    crate::patient::objections::ObjectForm,
    crate::registrar::recalls::RecallForm,
    crate::operator::network::AnsweringForm,
    crate::council::affairs::CutForm,
    crate::council::new::NewForm,
    crate::council::proposal::VoteForm,
    crate::registrar::links::LinkForm,
    crate::proxies::acting::ChooseForm,
    crate::proxies::acting::AcceptForm,
    crate::proxies::office::FindForm,
    crate::proxies::office::AppointForm,
    crate::proxies::office::EndForm,
    crate::apps::allowed::EndForm,
    crate::apps::consent::ConsentForm,
    crate::apps::patient::ChooseForm,
    crate::apps::registry::RegisterForm,
    crate::operator::accounts::AccountForm,
    crate::operator::accounts::StateForm,
    crate::research::apply::ApplyForm,
    crate::research::cohort::CohortForm,
    crate::research::project::DecideForm,
    crate::research::project::EndForm,
    crate::research::council::WordForm,
    crate::research::project::AskForm,
    crate::research::question::ReleaseForm,
    crate::research::question::PublishForm,
    crate::research::workspace::SqlForm,
);

/// One request for a page.
pub struct Visit {
    /// What the pages are made from.
    pub web: Web,
    /// The frame of the page.
    pub chrome: Chrome,
    /// Who is signed in.
    pub user: Option<User>,
    /// Who is signed in and gets nowhere before a passkey is shown or added.
    pub held: Option<(User, Standing)>,
    /// The session's token, where somebody is signed in.
    pub token: Option<String>,
    /// The client's address.
    pub address: String,
    request_id: String,
    /// What form tokens are made from: the session or, before sign-in, the visit.
    root: String,
    cookies: Vec<String>,
    secure: bool,
    failed: Option<Error>,
}

impl FromRequestParts<Web> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        let app = &web.app;
        let token = cookie(&parts.headers, SESSION).map(str::to_owned);
        let (mut failed, mut held) = (None, None);
        let user = match token.clone() {
            None => None,
            Some(token) => match app.run(move |app| app::session::visitor(app, &token)).await {
                Ok((user, Standing::Open)) => Some(user),
                Ok((user, standing)) => {
                    held = Some((user, standing));
                    None
                }
                Err(error) if error.kind == Kind::Unauthenticated => None,
                Err(error) => {
                    failed = Some(error);
                    None
                }
            },
        };
        let token = token.filter(|_| user.is_some() || held.is_some());
        let secure = app.org().base_url.starts_with("https:");
        let mut cookies = Vec::new();
        let root = match (&token, cookie(&parts.headers, VISIT)) {
            (Some(token), _) => token.clone(),
            (None, Some(visit)) => visit.to_owned(),
            (None, None) => {
                let visit = app.new_token();
                cookies.push(written(VISIT, &visit, None, secure));
                visit
            }
        };
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = address.map_or_else(|| "unknown".into(), |info| info.0.ip().to_string());
        let chrome = chrome(app, parts, user.as_ref(), held.as_ref().map(|(user, _)| user), &root);
        let request_id = app.new_id().to_string();
        let web = web.clone();
        Ok(Self {
            web,
            chrome,
            user,
            held,
            token,
            address,
            request_id,
            root,
            cookies,
            secure,
            failed,
        })
    }
}

impl Visit {
    /// The node.
    pub fn app(&self) -> &App {
        &self.web.app
    }

    /// Makes the answer of a handler, whatever came of it.
    pub fn finish(self, made: Made) -> Response {
        let stop = match (&self.failed, made) {
            (None, Ok(response)) => return self.sent(response),
            (None, Err(stop)) => stop,
            // Without knowing who comes, nothing that was made may be shown.
            (Some(error), _) => Stop::Error(error.clone()),
        };
        let response = match stop {
            Stop::Redirect(to) => see_other(&to),
            Stop::Fault(fault) => self.fault(fault),
            Stop::Render(error) => {
                tracing::error!(reason = %error, request = %self.request_id, "a page failed");
                self.fault(Fault::Internal)
            }
            Stop::Error(error) => self.refused(&error),
        };
        self.sent(response)
    }

    /// The same for an answer to another site, without what the browser would keep.
    pub fn finish_without_cookies(mut self, made: Made) -> Response {
        self.cookies.clear();
        self.finish(made)
    }

    /// What binds this browser: the session's token or, before sign-in, the visit's.
    pub fn root(&self) -> &str {
        &self.root
    }

    fn refused(&self, error: &Error) -> Response {
        let next = back(&self.chrome.path);
        match error.kind {
            Kind::Unauthenticated => see_other(&Returning { to: SignIn, next: &next }.to_string()),
            Kind::StepUp { .. } => {
                let page = Returning { to: StepUp, next: &next };
                match error.rule.as_deref() {
                    // A one-time code would lead back here.
                    Some("passkey-needed") => see_other(&format!("{page}&by=passkey")),
                    _ => see_other(&page.to_string()),
                }
            }
            Kind::Forbidden | Kind::NotSupported => self.fault(Fault::Forbidden),
            Kind::NotFound | Kind::Gone => self.fault(Fault::NotFound),
            Kind::Invalid(_)
            | Kind::Conflict
            | Kind::Precondition
            | Kind::MultipleMatches
            | Kind::Unprocessable
            | Kind::TooCostly => self.fault(Fault::BadRequest),
            Kind::Busy | Kind::Internal => {
                tracing::error!(reason = %error.message, request = %self.request_id, "a page failed");
                self.fault(Fault::Internal)
            }
        }
    }

    fn fault(&self, fault: Fault) -> Response {
        let status = StatusCode::from_u16(fault.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match fault::render(fault, &self.request_id, &self.chrome) {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => status.into_response(),
        }
    }

    fn sent(&self, mut response: Response) -> Response {
        for cookie in &self.cookies {
            if let Ok(value) = HeaderValue::from_str(cookie) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
        }
        response
    }

    /// The session's token, whether or not a passkey is still to be shown. For the pages of the
    /// own sign-in alone; others ask [`Visit::require`].
    pub fn session(&self) -> Result<String, Stop> {
        self.token.clone().ok_or_else(|| {
            let next = back(&self.chrome.path);
            Stop::Redirect(Returning { to: SignIn, next: &next }.to_string())
        })
    }

    /// Who is signed in, in one of `roles`. Others are led to sign-in, or told that there is no
    /// such page.
    pub fn require(&self, roles: &[Role]) -> Result<&User, Stop> {
        if let Some((_, standing)) = &self.held {
            let next = back(&self.chrome.path);
            return Err(Stop::Redirect(match standing {
                Standing::EnrolmentNeeded => Account.to_string(),
                _ => Returning { to: StepUp, next: &next }.to_string(),
            }));
        }
        let Some(user) = &self.user else {
            let next = back(&self.chrome.path);
            return Err(Stop::Redirect(Returning { to: SignIn, next: &next }.to_string()));
        };
        match Role::from_code(&user.role).filter(|role| roles.contains(role)) {
            Some(_) => Ok(user),
            None => Err(Stop::Fault(Fault::NotFound)),
        }
    }

    /// The question of `user` with the usual purpose of their role.
    pub fn caller(&self, user: &User) -> Caller {
        Caller {
            purpose: app::authorise::default_purpose(user),
            user: user.clone(),
            evidence: None,
            request_id: self.request_id.clone(),
            address: self.address.clone(),
            granted: None,
        }
    }

    /// Leads to step-up and back unless the second factor of `user` is fresh.
    pub fn require_fresh_factor(&self, user: &User) -> Result<(), Stop> {
        let age = self.caller(user).mfa_age_s(self.chrome.now_ms);
        match age.is_some_and(|age| age <= app::authorise::MFA_MAX_AGE_S) {
            true => Ok(()),
            false => {
                let next = back(&self.chrome.path);
                Err(Stop::Redirect(Returning { to: StepUp, next: &next }.to_string()))
            }
        }
    }

    /// The form, if it is one and came from our page.
    pub fn form<T: Tokened>(&self, form: Result<Form<T>, FormRejection>) -> Result<T, Stop> {
        let Form(form) = form.map_err(|_| Stop::Fault(Fault::BadRequest))?;
        self.check_token(&form.token().0)?;
        Ok(form)
    }

    /// The same for a form that is about nobody's record: it counts whoever the reader acts for now.
    pub fn form_of_anybody<T: Tokened>(
        &self,
        form: Result<Form<T>, FormRejection>,
    ) -> Result<T, Stop> {
        let Form(form) = form.map_err(|_| Stop::Fault(Fault::BadRequest))?;
        match judge_token(&self.root, self.user.as_ref(), &form.token().0) {
            Some(_) => Ok(form),
            None => Err(Stop::Fault(Fault::BadRequest)),
        }
    }

    fn check_token(&self, token: &str) -> Result<(), Stop> {
        match judge_token(&self.root, self.user.as_ref(), token) {
            Some(true) => Ok(()),
            Some(false) => Err(Stop::Fault(Fault::Switched)),
            None => Err(Stop::Fault(Fault::BadRequest)),
        }
    }

    /// The fields of a form in which some may stand several times, if it came from our page.
    pub fn fields(&self, form: &[u8]) -> Result<Vec<(String, String)>, Stop> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
        let token = pairs.iter().find(|(name, _)| name == "csrf").map(|(_, token)| token.as_str());
        self.check_token(token.unwrap_or_default())?;
        Ok(pairs)
    }

    /// Opens the session of `token` in this browser.
    pub fn open(&mut self, token: &str) {
        self.cookies.push(written(SESSION, token, None, self.secure));
        self.cookies.push(written(VISIT, "", Some(0), self.secure));
    }

    /// Ends the session in this browser.
    pub fn close(&mut self) {
        self.cookies.push(written(SESSION, "", Some(0), self.secure));
    }

    /// Keeps the choice of language and colours in this browser.
    pub fn prefer(&mut self, lang: Lang, theme: Theme) {
        self.cookies.push(written(LANG, lang.tag(), Some(YEAR_S), self.secure));
        self.cookies.push(written(THEME, theme.code(), Some(YEAR_S), self.secure));
    }
}

/// A page that was rendered.
pub fn page(html: String) -> Made {
    Ok(Html(html).into_response())
}

/// To `path`, asked for with GET.
pub fn see_other(path: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(path) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// To `path`, with what the action came to.
pub fn done(path: impl Path, notice: Notice) -> Made {
    Ok(see_other(&format!("{path}?notice={}", notice.code())))
}

/// An id out of an address. What is no id names nothing.
pub fn id(text: &str) -> Result<Id, Stop> {
    Id::new(text).map_err(|_| Stop::Fault(Fault::NotFound))
}

/// Where a reader comes back to: the page of a form that was sent to an address without a page.
fn back(path: &str) -> String {
    // What is done to an account is answered on its page.
    if let Some(rest) = path.strip_prefix("/operator/accounts/") {
        let username = rest.split(['/', '?']).next().unwrap_or_default();
        return format!("{}/{username}", crate::paths::Accounts);
    }
    if path.starts_with(crate::paths::Accounts::ROUTE) {
        return path.to_owned();
    }
    for (start, page) in [
        ("/privacy/break-glass/", BreakGlassReviews::ROUTE),
        ("/privacy/witnesses/", Witnesses::ROUTE),
        ("/privacy/objections/", Objections::ROUTE),
        ("/privacy/consents/", Papers::ROUTE),
        ("/privacy/reconciliation/", Reconciliation::ROUTE),
        ("/me/accesses/", MyAccesses::ROUTE),
        ("/links/", Links::ROUTE),
        (crate::paths::Cuts::ROUTE, crate::paths::Council::ROUTE),
        ("/operator/", Network::ROUTE),
        ("/me/proxies/", crate::paths::MyProxies::ROUTE),
        ("/acting/", crate::paths::Acting::ROUTE),
        ("/proxies/", crate::paths::Proxies::ROUTE),
        ("/account/", Account::ROUTE),
        ("/step-up/", StepUp::ROUTE),
    ] {
        if path.starts_with(start) {
            return page.to_owned();
        }
    }
    // The answers to a request for a consent have no pages of their own.
    if path.starts_with("/me/grants/") {
        let mut parts = path.split('?').next().unwrap_or_default().splitn(5, '/');
        let code = parts.nth(3).unwrap_or_default();
        return crate::paths::MyGrant(code).to_string();
    }

    if let Some(rest) = path.strip_prefix("/agreements/")
        && !path.ends_with("/change")
    {
        let agreement = rest.split('/').next().unwrap_or_default();
        return crate::paths::Agreement(agreement).to_string();
    }
    // The events of a record are no page.
    path.strip_suffix("/events").unwrap_or(path).to_owned()
}

/// Why the page at `next` needs a second factor.
pub fn step_up_reason(next: &str) -> crate::entry::step_up::StepUpReason {
    use crate::entry::step_up::StepUpReason;
    let path = next.split('?').next().unwrap_or_default();
    if path.ends_with("/break-glass") && path.starts_with(Find::ROUTE) {
        StepUpReason::BreakGlass
    } else if path == AppConsent::ROUTE {
        StepUpReason::App
    } else if path == MyPermissions::ROUTE {
        StepUpReason::Permission
    } else if path.starts_with(Find::ROUTE) || path.starts_with("/me/") || path == MyRecord::ROUTE {
        StepUpReason::OtherOrganisations
    } else {
        StepUpReason::Change
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::step_up::StepUpReason;

    #[test]
    fn readers_come_back_to_pages() {
        for (path, expected) in [
            ("/links/link-1/decision", "/links"),
            ("/privacy/break-glass/t-1/review", "/privacy/break-glass"),
            ("/operator/audit/verify", "/operator"),
            ("/account/passkeys/1/remove", "/account"),
            ("/agreements/a-1/end", "/agreements/a-1"),
            ("/agreements/a-1/versions/f0/change", "/agreements/a-1/versions/f0/change"),
            ("/patients/p-1/record/events", "/patients/p-1/record"),
            ("/patients/p-1/break-glass", "/patients/p-1/break-glass"),
            ("/me/grants/ABCD/code", "/me/grants/ABCD"),
            ("/me/grants/ABCD", "/me/grants/ABCD"),
            ("/patients?q=ana", "/patients?q=ana"),
        ] {
            assert_eq!(back(path), expected);
        }
    }

    #[test]
    fn the_page_tells_why_a_factor_is_needed() {
        for (next, expected) in [
            ("/patients/p-1/record?complete=true", StepUpReason::OtherOrganisations),
            ("/patients/p-1/break-glass", StepUpReason::BreakGlass),
            ("/me/accesses", StepUpReason::OtherOrganisations),
            ("/me/permissions", StepUpReason::Permission),
            ("/links", StepUpReason::Change),
            ("/oauth/consent?request=x", StepUpReason::App),
        ] {
            assert_eq!(step_up_reason(next), expected, "{next}");
        }
    }
}
