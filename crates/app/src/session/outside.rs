//! Signing in through an outside OpenID provider, and linking accounts to it. Every sign-in, every
//! change and every refusal is recorded.

use identity::{
    Account, Answer, Begun, Errand, Linked, Member, OutsideError, Proved, Provider, Purpose, Role,
};
use serde_json::json;
use store::Write;

use super::passkeys::refused as by_passkey;
use super::{SignedIn, by, ended, opened, resolved, unauthenticated, view};
use crate::apps::udap::tiered::member;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Error, Kind, Result};

/// How long a proof of this node to a provider holds, in seconds.
const ASSERTION_S: i64 = 60;

/// A provider as pages offer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub label: String,
}

/// What somebody is sent to a provider with.
#[derive(Clone, Copy, Debug)]
pub struct Going<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// What for.
    pub purpose: Purpose,
    /// What binds the browser: the session's token, or before sign-in the visit's.
    pub browser: &'a str,
    /// The session's token; empty before sign-in.
    pub token: &'a str,
    /// Where to go afterwards.
    pub next: &'a str,
    /// The client's address.
    pub address: &'a str,
}

/// An answer that led nowhere, and where the person wanted to go where that is known.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: Error,
    /// Where to go afterwards.
    pub next: Option<String>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, next: None }
    }
}

/// What came of an answer.
#[derive(Debug)]
pub enum Outcome {
    /// A session has begun.
    SignedIn(Box<SignedIn>),
    /// Presence is proved.
    SteppedUp,
    /// The accounts are linked.
    Linked,
}

/// A link of an account, with what the provider is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The link.
    pub link: Linked,
    /// What the provider is called; its address where the operator has taken it away.
    pub label: String,
}

/// The providers that people may sign in through.
pub fn offered(app: &App) -> Vec<Offered> {
    app.providers().all().map(offer).collect()
}

fn offer(provider: &Provider) -> Offered {
    Offered { id: provider.id.clone(), label: provider.label.clone() }
}

/// The providers at which the session's account can prove presence.
pub fn for_step_up(app: &App, token: &str) -> Vec<Offered> {
    let can = |provider: &&Provider| {
        let may = || app.identity().may_step_up_outside(token, &provider.issuer, app.now_ms());
        provider.has_second_factor() && may().is_ok()
    };
    app.providers().all().filter(can).map(offer).collect()
}

/// Where a provider sends people back to.
pub fn redirect(app: &App, provider: &str) -> String {
    format!("{}/sign-in/outside/{provider}/callback", app.org().base_url)
}

/// The address at the provider to send somebody to. For linking and for proving presence the session
/// is looked at first.
///
/// Errors: by the rules `outside-…`, and [`Kind::StepUp`] where a fresh factor is needed first.
pub async fn begin(app: &App, going: Going<'_>) -> Result<String> {
    let begun = check(app, going).await;
    let begun = match begun {
        Ok(()) => {
            let redirect = redirect(app, going.provider);
            let begun = Begun {
                provider: going.provider,
                purpose: going.purpose,
                browser: going.browser,
                next: going.next,
                redirect: &redirect,
                address: going.address,
            };
            let random = Chance(app.clone());
            let member = member(app);
            let member = member.as_ref().map(|member| member as &dyn Member);
            app.providers().begin(begun, member, &random, app.now_ms()).await
        }
        Err(error) => Err(error),
    };
    match begun {
        Ok(address) => Ok(address),
        Err(error) => Err(recorded(app, error, going.purpose, going.token, going.address).await?),
    }
}

async fn check(app: &App, going: Going<'_>) -> std::result::Result<(), OutsideError> {
    let provider = app.providers().get(going.provider)?;
    let (issuer, token) = (provider.issuer.clone(), going.token.to_owned());
    let (purpose, states) = (going.purpose, provider.has_second_factor());
    let checked = app.run(move |app| {
        let (sessions, now) = (app.identity(), app.now_ms());
        Ok(match purpose {
            Purpose::SignIn => Ok(()),
            Purpose::StepUp if !states => Err(OutsideError::NoSecondFactor),
            Purpose::StepUp => sessions.may_step_up_outside(&token, &issuer, now),
            Purpose::Link => sessions.may_link(&token, now).map(drop),
        })
    });
    checked.await.unwrap_or(Err(OutsideError::Unreachable("the session cannot be looked at")))
}

/// Takes an answer that a provider sent with the browser. Returns what came of it and where to go.
///
/// Errors: by the rules `outside-…`. With `outside-not-linked` the message is the name of the
/// account at the provider, for its owner alone.
pub async fn finish(
    app: &App,
    provider: &str,
    answer: &Answer,
    (browser, token): (&str, &str),
    address: &str,
) -> std::result::Result<(Outcome, String), Failed> {
    let errand = match app.providers().take(provider, answer, browser, app.now_ms()) {
        Ok(errand) => errand,
        Err(error) => {
            return Err(recorded(app, error, Purpose::SignIn, token, address).await?.into());
        }
    };
    let Errand { purpose, next, .. } = errand.clone();
    let redirect = redirect(app, provider);
    let assertion = |audience: &str| assertion(app, provider, audience);
    let member = member(app);
    let member = member.as_ref().map(|member| member as &dyn Member);
    let place = (redirect.as_str(), member);
    let proved = app.providers().prove(&errand, answer, place, assertion, app.now_ms()).await;
    let taken = match proved {
        Ok(proved) => {
            let (token, address) = (token.to_owned(), address.to_owned());
            app.run(move |app| Ok(take(app, purpose, &proved, &token, &address))).await?
        }
        Err(error) => Err(error.into()),
    };
    match taken {
        Ok(outcome) => Ok((outcome, next)),
        Err(Stop::Outside(error)) => {
            let error = recorded(app, error, purpose, token, address).await?;
            Err(Failed { error, next: Some(next) })
        }
        Err(Stop::Error(error)) => Err(Failed { error, next: Some(next) }),
    }
}

/// What ends an attempt: a refusal that is still to be recorded, or anything else.
enum Stop {
    Outside(OutsideError),
    Error(Error),
}

impl From<OutsideError> for Stop {
    fn from(error: OutsideError) -> Self {
        Self::Outside(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn take(
    app: &App,
    purpose: Purpose,
    proved: &Proved,
    token: &str,
    address: &str,
) -> std::result::Result<Outcome, Stop> {
    let (sessions, now) = (app.identity(), app.now_ms());
    match purpose {
        Purpose::SignIn => {
            let session = sessions.sign_in_outside(proved, now)?;
            Ok(Outcome::SignedIn(Box::new(opened(app, session, address)?)))
        }
        Purpose::StepUp => {
            let principal = sessions.step_up_outside(token, proved, now)?;
            let caller = by(app, view(app, principal)?, address);
            let note = format!("second factor: provider {}", proved.issuer);
            app.audit(Event::by(&caller, Pattern::SignIn).note(note))?;
            Ok(Outcome::SteppedUp)
        }
        Purpose::Link => {
            let note = format!("linked to an account at {}", proved.issuer);
            let entry = entry(app, token, address, &note)?;
            sessions.link_outside(token, proved, &[entry], now)?;
            Ok(Outcome::Linked)
        }
    }
}

fn entry(app: &App, token: &str, address: &str, note: &str) -> Result<Write> {
    let principal = app.identity().resolve(token, app.now_ms()).map_err(ended)?;
    let caller = by(app, view(app, principal)?, address);
    Event::by(&caller, Pattern::Credential).note(note).write(app)
}

/// The links of the session's account.
pub fn links(app: &App, token: &str) -> Result<Vec<Row>> {
    let principal = app.identity().resolve(token, app.now_ms()).map_err(ended)?;
    let links = app.identity().accounts().links(&principal.account_id);
    let links = links.map_err(|e| Error::internal(e.to_string()))?;
    let label = |link: &Linked| {
        let known = app.providers().all().find(|provider| provider.issuer == link.issuer);
        known.map_or_else(|| link.issuer.clone(), |provider| provider.label.clone())
    };
    Ok(links.into_iter().map(|link| Row { label: label(&link), link }).collect())
}

/// Removes a link of the session's account, and ends the sessions that began with it.
///
/// Errors: [`Kind::StepUp`] where a fresh factor is needed first, [`Kind::NotFound`].
pub fn unlink(app: &App, token: &str, link: &str, address: &str) -> Result<()> {
    let entry = entry(app, token, address, "link to an outside account removed")?;
    match app.identity().unlink_outside(token, link, &[entry], app.now_ms()) {
        Ok(_) => Ok(()),
        Err(error) => Err(noted(app, error, Pattern::Credential, token, address)?),
    }
}

/// The address at which somebody who signs out here signs out at the provider too, where the session
/// began there and that is offered.
pub async fn way_out(app: &App, token: &str) -> Option<String> {
    let token = token.to_owned();
    let began = app.run(move |app| {
        let began = app.identity().began_outside(&token, app.now_ms());
        began.map_err(|e| Error::internal(e.to_string()))
    });
    let issuer = began.await.ok().flatten()?;
    let home = format!("{}/sign-in", app.org().base_url);
    app.providers().way_out(&issuer, &home, app.now_ms()).await
}

/// Ends the sessions that a provider says to have ended (OpenID Connect Back-Channel Logout 1.0).
/// Returns how many there were.
///
/// Errors: by the rules `outside-…`.
pub async fn ended_there(app: &App, provider: &str, token: &str) -> Result<usize> {
    let ended = match app.providers().ended(provider, token, app.now_ms()).await {
        Ok(ended) => ended,
        Err(error) => return Err(recorded(app, error, Purpose::SignIn, "", "").await?),
    };
    let done = app.run(move |app| {
        let entries = |accounts: &[String]| {
            let note = |id: &String| format!("account {id} signed out by {}", ended.issuer);
            let event = |id| Event::by_node(Pattern::SignIn).note(note(id)).write(app);
            accounts.iter().map(event).collect::<Result<Vec<_>>>().map_err(Stop::Error)
        };
        Ok(match app.identity().end_outside(&ended, entries) {
            Ok(count) => Ok(count),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Outside(error)) => Err(refused(error)),
        })
    });
    done.await?
}

/// Links an account for its owner, by the operator at the node's folder.
///
/// Errors: [`Kind::NotFound`], [`Kind::Conflict`].
pub fn link_by_operator(app: &App, username: &str, provider: &str, subject: &str) -> Result<()> {
    let account = person(app, username)?;
    let provider = app.providers().get(provider).map_err(refused)?;
    let note = format!("account {} linked to {} by the operator", account.id, provider.issuer);
    let entry = [Event::by_node(Pattern::Credential).note(note).write(app)?];
    let there = (provider.issuer.as_str(), subject);
    let linked = app.identity().accounts().link(&account.id, there, &entry, app.now_ms());
    linked.map(drop).map_err(refused)
}

/// Removes the links of an account to a provider, by the operator. Returns how many there were.
///
/// Errors: [`Kind::NotFound`].
pub fn unlink_by_operator(app: &App, username: &str, issuer: &str) -> Result<usize> {
    let account = person(app, username)?;
    let accounts = app.identity().accounts();
    let links = accounts.links(&account.id).map_err(|e| Error::internal(e.to_string()))?;
    let known = app.providers().get(issuer).map(|provider| provider.issuer.clone());
    let issuer = known.unwrap_or_else(|_| issuer.to_owned());
    let mut removed = 0;
    for link in links.into_iter().filter(|link| link.issuer == issuer) {
        let note = format!("link of account {} to {issuer} removed by the operator", account.id);
        let entry = [Event::by_node(Pattern::Credential).note(note).write(app)?];
        accounts.unlink(&account.id, &link.id, &entry).map_err(refused)?;
        removed += 1;
    }
    Ok(removed)
}

fn person(app: &App, username: &str) -> Result<Account> {
    let found = app.identity().accounts().find(username);
    let found = found.map_err(|e| Error::internal(e.to_string()))?;
    found.filter(|account| account.role != Role::Service).ok_or_else(|| {
        Error::new(Kind::NotFound, "there is no account of a person with this username")
    })
}

/// Proves this node to a provider with its own key (`private_key_jwt`, RFC 7523).
fn assertion(
    app: &App,
    provider: &str,
    audience: &str,
) -> std::result::Result<String, &'static str> {
    let provider = app.providers().get(provider).map_err(|_| "it is not configured")?;
    let now_s = app.now_ms().div_euclid(1000);
    let claims = json!({
        "iss": provider.client_id, "sub": provider.client_id, "aud": audience,
        "jti": app.new_token(), "iat": now_s, "exp": now_s + ASSERTION_S,
    });
    crate::apps::sign(app, &claims.to_string()).map_err(|_| "this node has no key to sign with")
}

/// The node's chance, as [`identity`] asks for it.
struct Chance(App);

impl crypto::Random for Chance {
    fn fill(&self, buffer: &mut [u8]) -> std::result::Result<(), crypto::RandomFault> {
        self.0.fill(buffer);
        Ok(())
    }
}

async fn recorded(
    app: &App,
    error: OutsideError,
    purpose: Purpose,
    token: &str,
    address: &str,
) -> Result<Error> {
    let pattern = match purpose {
        Purpose::Link => Pattern::Credential,
        Purpose::SignIn | Purpose::StepUp => Pattern::SignIn,
    };
    let (token, address) = (token.to_owned(), address.to_owned());
    app.run(move |app| noted(app, error, pattern, &token, &address)).await
}

fn noted(
    app: &App,
    error: OutsideError,
    pattern: Pattern,
    token: &str,
    address: &str,
) -> Result<Error> {
    let error = refused(error);
    let rule = error.rule.clone().unwrap_or_default();
    match resolved(app, token, address) {
        Some(caller) => app.audit(Event::by(&caller, pattern).refused(rule))?,
        None => app.audit(Event::by_node(pattern).client(address).refused(rule))?,
    }
    Ok(error)
}

/// A refusal with the rule by which pages choose their words.
fn refused(error: OutsideError) -> Error {
    use OutsideError as E;
    let conflict = |rule| Error::new(Kind::Conflict, error.to_string()).by_rule(rule);
    match &error {
        E::Unknown => {
            Error::new(Kind::NotFound, error.to_string()).by_rule("outside-provider-unknown")
        }
        E::Expired => unauthenticated(&error, "outside-expired"),
        E::MixUp => unauthenticated(&error, "outside-mix-up"),
        E::Denied(_) => unauthenticated(&error, "outside-denied"),
        E::Code(_) => unauthenticated(&error, "outside-code"),
        E::Unreachable(_) | E::Metadata(_) => {
            tracing::warn!(reason = %error, "an outside provider cannot be used");
            unauthenticated(&error, "outside-unreachable")
        }
        E::Untrusted(_) => {
            tracing::warn!(reason = %error, "a provider of the community was refused");
            unauthenticated(&error, "outside-untrusted")
        }
        E::Token(token) => {
            let rule = format!("outside-token-{}", token.code());
            tracing::warn!(reason = %error, "an ID token was refused");
            unauthenticated(&error, &rule)
        }
        E::Logout(_) => Error::invalid("value", error.to_string()).by_rule("outside-logout"),
        E::Replayed => Error::invalid("value", error.to_string()).by_rule("outside-logout"),
        E::NotLinked { subject } => {
            Error::new(Kind::Unauthenticated, subject.clone()).by_rule("outside-not-linked")
        }
        E::Taken => conflict("outside-taken"),
        E::TooMany => conflict("outside-too-many"),
        E::Another => unauthenticated(&error, "outside-another"),
        E::NoSecondFactor => unauthenticated(&error, "outside-no-second-factor"),
        E::PasskeyNeeded => unauthenticated(&error, "outside-passkey-needed"),
        E::NoLink => Error::new(Kind::NotFound, error.to_string()).by_rule("outside-no-link"),
        E::Account(_) => Error::internal(error.to_string()),
        E::Factors(_) | E::Session(_) => match error {
            E::Factors(factors) => by_passkey(factors),
            E::Session(session) => ended(session),
            other => Error::internal(other.to_string()),
        },
    }
}
