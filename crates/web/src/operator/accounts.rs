//! The operator's pages of accounts: who has one, one of them, and the form for a new one.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::parts::Qr;
use crate::words::{Message, Words};

/// Roles that can be given, with the key of each one's word.
const ROLES: [(&str, &str); 11] = [
    ("clinician", "role-clinician"),
    ("patient", "role-patient"),
    ("proxy", "role-proxy"),
    ("registrar", "role-registrar"),
    ("privacy-officer", "role-privacy-officer"),
    ("operator", "role-operator"),
    ("steward", "role-steward"),
    ("council-member", "role-council-member"),
    ("researcher", "role-researcher"),
    ("representative", "role-representative"),
    ("service", "role-service"),
];

/// What making an account, or changing one, sends.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct AccountForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Name to sign in with, of a new account.
    #[serde(default)]
    pub username: String,
    /// Name to show.
    pub name: String,
    /// Code of the role.
    pub role: String,
    /// What somebody is specialised in.
    #[serde(default)]
    pub specialty: String,
    /// The Practitioner that it is.
    #[serde(default)]
    pub practitioner: String,
    /// The Patient's id.
    #[serde(default)]
    pub patient: String,
}

/// What forbidding or allowing to sign in sends.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct StateForm {
    /// The token of the session.
    pub csrf: Secret,
    /// `disabled` or `open`.
    pub to: String,
}

/// The fields of the form.
#[derive(Clone, Debug, Default)]
pub struct TypedForm {
    /// Name to sign in with.
    pub username: Field,
    /// Name to show.
    pub name: Field,
    /// The role.
    pub role: Field,
    /// What somebody is specialised in.
    pub specialty: Field,
    /// The Practitioner that it is.
    pub practitioner: Field,
    /// The Patient's id.
    pub patient: Field,
}

impl AccountForm {
    /// The fields as they were typed.
    pub fn typed(&self) -> TypedForm {
        TypedForm {
            username: Field::required(&self.username, 64),
            name: Field::required(&self.name, 200),
            role: Field::new(&self.role),
            specialty: Field::optional(&self.specialty, 200),
            practitioner: Field::optional(&self.practitioner, 100),
            patient: Field::optional(&self.patient, 72),
        }
    }
}

/// What is shown once of a new account, or of one that was given back.
#[derive(Clone)]
pub struct Shown {
    /// Name to sign in with.
    pub username: String,
    /// The password.
    pub password: String,
    /// The secret of one-time codes in base 32, with what an authenticator reads from the picture.
    pub secret: Option<(String, String)>,
    /// The recovery code.
    pub recovery: Option<String>,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").field("username", &self.username).finish_non_exhaustive()
    }
}

/// An account in the list.
#[derive(Clone, Debug)]
pub struct Row {
    /// Name to sign in with.
    pub username: String,
    /// Name to show.
    pub name: String,
    /// Code of the role.
    pub role: String,
    /// Whether signing in is forbidden.
    pub disabled: bool,
    /// Passkeys.
    pub passkeys: usize,
    /// Whether there is any second factor.
    pub second_factor: bool,
    /// When somebody signed in last, as far as is known.
    pub signed_in_ms: Option<i64>,
}

/// The list.
#[derive(Clone, Debug, Default)]
pub struct ListView {
    /// What was searched for.
    pub q: Field,
    /// Which role was chosen.
    pub role: Field,
    /// The accounts of this page.
    pub rows: Vec<Row>,
    /// How many there are in all.
    pub total: usize,
    /// Address of the next page.
    pub next: Option<String>,
    /// The account that was made just now.
    pub made: Option<Shown>,
    /// What is wrong with the form.
    pub fault: Option<String>,
    /// The form as it was typed.
    pub form: TypedForm,
}

/// One account.
#[derive(Clone, Debug)]
pub struct OneView {
    /// The account.
    pub row: Row,
    /// The resource that says who it is.
    pub resource: String,
    /// The Practitioner that it is.
    pub practitioner: Option<String>,
    /// The Patient that it is.
    pub patient: Option<String>,
    /// Since when it holds its role, milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// Whether it is the reader's own.
    pub is_own: bool,
    /// What is shown once.
    pub made: Option<Shown>,
    /// What is wrong with the form.
    pub fault: Option<String>,
    /// The form.
    pub form: TypedForm,
}

/// The word of a role.
fn role_of(w: &Words<'_>, code: &str) -> Message {
    let found = ROLES.iter().find(|(known, _)| *known == code);
    w.say(found.map_or("role-service", |(_, key)| key))
}

fn roles(w: &Words<'_>) -> Vec<(String, String)> {
    ROLES.iter().map(|(code, key)| ((*code).to_owned(), w.say(key).to_string())).collect()
}

/// A secret in groups of four, as people type it.
fn grouped(secret: &str) -> String {
    let chars: Vec<char> = secret.chars().collect();
    chars.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

#[derive(Template)]
#[template(path = "operator/accounts.html")]
struct ListPage<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ListView,
}

impl<'a> ListPage<'a> {
    fn picture(&self, uri: &str) -> Option<Qr<'a>> {
        crate::parts::qr(&self.w, uri, "one-time-codes-qr")
    }
}

#[derive(Template)]
#[template(path = "operator/account.html")]
struct OnePage<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a OneView,
}

impl<'a> OnePage<'a> {
    fn picture(&self, uri: &str) -> Option<Qr<'a>> {
        crate::parts::qr(&self.w, uri, "one-time-codes-qr")
    }

    /// Roles that can be chosen: a program stays one.
    fn roles(&self) -> Vec<(String, String)> {
        let program = self.v.row.role == "service";
        roles(&self.w).into_iter().filter(|(code, _)| (code == "service") == program).collect()
    }
}

/// The list with the form for a new account.
pub fn render(v: &ListView, c: &Chrome) -> Result<String, WebError> {
    Ok(ListPage { c, w: c.words(), v }.render()?)
}

/// One account.
pub fn render_one(v: &OneView, c: &Chrome) -> Result<String, WebError> {
    Ok(OnePage { c, w: c.words(), v }.render()?)
}
