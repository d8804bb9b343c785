//! The privacy officer's page: who acts for a patient, and a new one on evidence.

use askama::Template;

use super::mine::{Basis, Proxy, relationships};
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::Secret;
use crate::words::Words;

/// What recording somebody sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct AppointForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The patient's id.
    #[serde(default)]
    pub patient: String,
    /// Username of whoever will act.
    #[serde(default)]
    pub username: String,
    /// A code of v3-RoleCode.
    #[serde(default)]
    pub relationship: String,
    /// `parent`, `court` or `attorney`.
    #[serde(default)]
    pub basis: String,
    /// What was shown.
    #[serde(default)]
    pub evidence: String,
    /// The last day, empty without an end.
    #[serde(default)]
    pub last_day: String,
    /// `yes` where they decide who else sees the record.
    #[serde(default)]
    pub consents: String,
}

/// What ending one sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct EndForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The patient's id.
    #[serde(default)]
    pub patient: String,
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct OfficeView {
    /// The patient who was asked for.
    pub patient: String,
    /// Those who act for them; `None` before anybody was asked for.
    pub proxies: Option<Vec<Proxy>>,
    /// Whether what was sent could not be done.
    pub is_faulty: bool,
}

impl Page<'_> {
    fn relationships(&self) -> Vec<super::relationship::Relationship> {
        relationships()
    }

    fn bases(&self) -> [(&'static str, Basis); 3] {
        [("parent", Basis::Parent), ("court", Basis::Court), ("attorney", Basis::Attorney)]
    }
}

#[derive(Template)]
#[template(path = "proxies/office.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a OfficeView,
}

/// The page.
pub fn render(v: &OfficeView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
