//! Sign-in with a passkey, or with a name, a password and, where the user likes, a code at once.

use askama::Template;

use crate::chrome::Chrome;
use crate::entry::outside::ProviderChoice;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::parts::PasskeyFault;
use crate::words::Words;

/// What the form sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct SignInForm {
    /// The token of the visit.
    pub csrf: Secret,
    /// User name.
    pub username: String,
    /// Password.
    pub password: Secret,
    /// A code of the second factor, empty when none was typed.
    #[serde(default)]
    pub code: Secret,
    /// Where the user wanted to go; pass it through [`crate::paths::local`].
    #[serde(default)]
    pub next: String,
}

impl SignInForm {
    /// The page that gives the form back with `fault`, the user name kept, secrets not.
    pub fn again(&self, fault: Option<SignInFault>) -> SignInView {
        SignInView {
            username: Field::required(&self.username, 100),
            password: match self.password.0.is_empty() {
                true => Field::default().with(FieldFault::Required),
                false => Field::default(),
            },
            code: Field::default(),
            fault,
            passkeys: false,
            providers: Vec::new(),
            next: crate::paths::local(&self.next).to_string(),
        }
    }
}

/// What the form of a passkey sends, for signing in and for a second factor.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct PasskeyForm {
    /// The token of the visit or session.
    pub csrf: Secret,
    /// The ceremony that was begun.
    pub ceremony: String,
    /// What the browser answered, as JSON.
    pub credential: Secret,
    /// Where the user wanted to go; pass it through [`crate::paths::local`].
    #[serde(default)]
    pub next: String,
}

/// The sign-in page.
#[derive(Clone, Debug, Default)]
pub struct SignInView {
    /// The user name as typed.
    pub username: Field,
    /// Always empty; carries a fault only.
    pub password: Field,
    /// Always empty; carries a fault only.
    pub code: Field,
    /// Why the last attempt failed.
    pub fault: Option<SignInFault>,
    /// Whether passkeys can be used at this node.
    pub passkeys: bool,
    /// Outside providers through which people may sign in.
    pub providers: Vec<ProviderChoice>,
    /// Where to go after sign-in, a path of this node.
    pub next: String,
}

/// Why an attempt failed. It never says which of name, password and code was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInFault {
    /// Name, password or code is wrong.
    Wrong,
    /// A passkey was not taken.
    Passkey(PasskeyFault),
    /// Too many attempts; wait so many minutes.
    Throttled {
        /// Minutes to wait, at least one.
        minutes: u32,
    },
}

#[derive(Template)]
#[template(path = "entry/sign_in.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a SignInView,
}

/// The page.
pub fn render(v: &SignInView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_given_back_and_the_way_on_stays_inside() {
        let form = SignInForm {
            csrf: Secret("t".into()),
            username: " ana ".into(),
            password: Secret("hunter2".into()),
            code: Secret("123456".into()),
            next: "//evil.example".into(),
        };
        let view = form.again(Some(SignInFault::Wrong));
        assert_eq!(view.username.value, "ana");
        assert_eq!(view.next, "/");
        assert!(view.password.value.is_empty() && view.code.value.is_empty());
        assert!(!format!("{form:?}").contains("hunter2"));
    }
}
