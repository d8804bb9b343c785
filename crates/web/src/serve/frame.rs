//! What surrounds a page, out of the request: language, colours, path and notice; and the cookies
//! in which they are kept.

use app::{App, User};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use jiff::tz::TimeZone;

use crate::chrome::{ActingFor, Chrome, Notice, Role, Session, Theme};
use crate::lang::Lang;
use crate::proxies::relationship::Relationship;

/// The session cookie. The API reads the same one, so both names must agree.
pub const SESSION: &str = "consilium_session";
/// The cookie of a visitor who has not signed in; the tokens of their forms are made from it.
pub const VISIT: &str = "consilium_visit";
/// The cookies of preferences.
pub const LANG: &str = "consilium_lang";
pub const THEME: &str = "consilium_theme";
/// How long preferences are kept, in seconds.
pub const YEAR_S: i64 = 31_536_000;

/// The frame of the page that `parts` ask for.
/// `held` is signed in and gets nowhere yet; the token of forms is made from `root`.
pub fn chrome(
    app: &App,
    parts: &Parts,
    user: Option<&User>,
    held: Option<&User>,
    root: &str,
) -> Chrome {
    let text = |name| {
        let value = parts.headers.get(name);
        value.and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default()
    };
    let lang = cookie(&parts.headers, LANG)
        .and_then(Lang::from_tag)
        .unwrap_or_else(|| Lang::negotiate(text(header::ACCEPT_LANGUAGE)));
    let theme = cookie(&parts.headers, THEME).map(Theme::from_code).unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    let is_notice = |pair: &&str| pair.starts_with("notice=");
    let code = query.split('&').find_map(|pair| pair.strip_prefix("notice="));
    let notice = code.and_then(Notice::from_code);
    let rest: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    let rest: Vec<&str> = rest.into_iter().filter(|pair| !is_notice(pair)).collect();
    let path = match rest.is_empty() {
        true => parts.uri.path().to_owned(),
        false => format!("{}?{}", parts.uri.path(), rest.join("&")),
    };
    let session = user.or(held).and_then(|user| {
        Some(Session {
            name: user.name.clone(),
            role: Role::from_code(&user.role)?,
            held: held.is_some(),
            factor_until_ms: user
                .mfa_time_ms
                .map(|at| at + i64::from(app::authorise::MFA_MAX_AGE_S) * 1000),
            acting: user.acting.as_ref().map(|acting| ActingFor {
                name: acting.patient_name.clone(),
                relationship: Relationship(acting.relationship.clone()),
                consents: acting.rights.consents,
                invites: acting.rights.invites,
            }),
        })
    });
    Chrome {
        lang,
        theme,
        organisation: app.org().name.clone(),
        session,
        csrf: token_of_forms(root, user),
        path,
        zone: TimeZone::try_system().unwrap_or(TimeZone::UTC),
        now_ms: app.now_ms(),
        notice,
    }
}

/// Divides the token of forms from what it says of its reader.
const ACTING_AS: char = '~';

/// The token of a page's forms. It is made from `root`, and names as whom the reader acts: what was
/// filled in for one patient is not to become a decision for another, who was chosen meanwhile.
pub fn token_of_forms(root: &str, user: Option<&User>) -> String {
    let csrf = identity::csrf(root);
    match user.and_then(|user| user.acting.as_ref()) {
        None => csrf,
        Some(acting) => format!("{csrf}{ACTING_AS}{}", acting.related),
    }
}

/// Whether the token of a form came from a page made from `root`, and then whether its reader acts
/// now as they did.
pub fn judge_token(root: &str, user: Option<&User>, presented: &str) -> Option<bool> {
    let (csrf, as_whom) = match presented.split_once(ACTING_AS) {
        None => (presented, None),
        Some((csrf, related)) => (csrf, Some(related)),
    };
    let now = user.and_then(|user| user.acting.as_ref()).map(|acting| acting.related.as_str());
    identity::check_csrf(root, csrf).then_some(as_whom == now)
}

/// The value of a cookie that was sent.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, value)| *found == name && !value.is_empty() && value.len() <= 200)
        .map(|(_, value)| value)
}

/// A cookie that scripts cannot read and other sites cannot send (RFC 6265bis). Without an age it
/// lasts until the browser is closed.
pub fn written(name: &str, value: &str, max_age_s: Option<i64>, secure: bool) -> String {
    let age = max_age_s.map(|age| format!("; Max-Age={age}")).unwrap_or_default();
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/{age}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_for_this_site_alone() {
        assert_eq!(written("a", "b", None, true), "a=b; HttpOnly; SameSite=Strict; Path=/; Secure");
        assert_eq!(
            written("a", "", Some(0), false),
            "a=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"
        );
    }
}
