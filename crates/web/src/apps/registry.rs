//! The operator's page of registered apps, with the form for a new one.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::Words;

/// What registering sends.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct RegisterForm {
    /// The token of the session.
    pub csrf: Secret,
    /// What people call the app.
    pub name: String,
    /// Who made it.
    pub publisher: String,
    /// `public`, `secret` or `keys`.
    pub proof: String,
    /// A JWK set, or its address.
    #[serde(default)]
    pub keys: String,
    /// Where people are sent back to, one a line.
    #[serde(default)]
    pub redirects: String,
    /// Where it is opened from a record.
    #[serde(default)]
    pub launch: String,
    /// The most that it may be granted.
    pub scopes: String,
    /// The account of a backend service.
    #[serde(default)]
    pub account: String,
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct RegistryView {
    /// The registered apps.
    pub apps: Vec<Registered>,
    /// The app that was registered just now: its id and, shown once, its secret.
    pub made: Option<(String, Option<String>)>,
    /// What is wrong with the form.
    pub fault: Option<String>,
    /// The form as it was typed.
    pub form: TypedForm,
}

/// The fields of the form.
#[derive(Clone, Debug, Default)]
pub struct TypedForm {
    /// What people call the app.
    pub name: Field,
    /// Who made it.
    pub publisher: Field,
    /// How it proves itself.
    pub proof: Field,
    /// A JWK set, or its address.
    pub keys: Field,
    /// Where people are sent back to.
    pub redirects: Field,
    /// Where it is opened from a record.
    pub launch: Field,
    /// The most that it may be granted.
    pub scopes: Field,
    /// The account of a backend service.
    pub account: Field,
}

impl RegisterForm {
    /// The fields as they were typed.
    pub fn typed(&self) -> TypedForm {
        TypedForm {
            name: Field::required(&self.name, 100),
            publisher: Field::required(&self.publisher, 100),
            proof: Field::new(&self.proof),
            keys: Field::optional(&self.keys, 20_000),
            redirects: Field::optional(&self.redirects, 20_000),
            launch: Field::optional(&self.launch, 2_000),
            scopes: Field::required(&self.scopes, 8_000),
            account: Field::optional(&self.account, 100),
        }
    }
}

/// A registered app.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Who made it.
    pub publisher: String,
    /// The most that it may be granted.
    pub scopes: String,
    /// Where people are sent back to.
    pub redirects: Vec<String>,
}

#[derive(Template)]
#[template(path = "apps/registry.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a RegistryView,
}

impl Page<'_> {
    fn proofs(&self) -> Vec<(String, String)> {
        let option = |value: &str, key| (value.to_owned(), self.w.say(key).to_string());
        vec![
            option("public", "registry-proof-public"),
            option("secret", "registry-proof-secret"),
            option("keys", "registry-proof-keys"),
        ]
    }
}

/// The page.
pub fn render(v: &RegistryView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
