//! What the own account is proved with: a list of passkeys, and what else there is.

use askama::Template;

use crate::chrome::Chrome;
use crate::entry::outside::{OutsideFault, ProviderChoice};
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::parts::PasskeyFault;
use crate::words::Words;

/// What the form that adds a passkey sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct AddForm {
    /// The token of the session.
    pub csrf: Secret,
    /// A name for the passkey.
    pub name: String,
    /// The ceremony that was begun; empty where scripts did not run.
    #[serde(default)]
    pub ceremony: String,
    /// What the browser answered, as JSON.
    #[serde(default)]
    pub credential: Secret,
}

/// The page.
#[derive(Clone, Debug)]
pub struct FactorsView {
    /// The passkeys, oldest first.
    pub passkeys: Vec<PasskeyRow>,
    /// Whether one-time codes are set up.
    pub one_time_codes: bool,
    /// Recovery codes that have not been used.
    pub recovery_codes: usize,
    /// Links to accounts at outside providers, oldest first.
    pub links: Vec<LinkRow>,
    /// Providers that can be linked.
    pub providers: Vec<ProviderChoice>,
    /// Whether passkeys can be used at this node's address.
    pub usable: bool,
    /// Whether the reader's role needs a passkey that this session has not shown.
    pub needed: bool,
    /// The node's own address.
    pub address: String,
    /// The name of a passkey to be added, as typed.
    pub name: Field,
    /// Why the last action failed.
    pub fault: Option<PasskeyFault>,
    /// Why an account at a provider could not be linked.
    pub link_fault: Option<OutsideFault>,
}

impl FactorsView {
    fn has_second_factor(&self) -> bool {
        self.one_time_codes || !self.passkeys.is_empty()
    }
}

/// One passkey.
#[derive(Clone, Debug)]
pub struct PasskeyRow {
    /// Its id within the account.
    pub id: String,
    /// The name that its owner gave it.
    pub name: String,
    /// When it was added, Unix epoch milliseconds.
    pub added_ms: i64,
    /// When it was last used.
    pub used_ms: Option<i64>,
    /// When it was last refused because its counter had gone back.
    pub suspect_ms: Option<i64>,
    /// Whether it may be on several devices.
    pub synchronised: bool,
}

/// One link to an account at an outside provider.
#[derive(Clone, Debug)]
pub struct LinkRow {
    /// Its id within the account.
    pub id: String,
    /// What the provider is called.
    pub label: String,
    /// The name of the account there.
    pub subject: String,
    /// When it was made, Unix epoch milliseconds.
    pub added_ms: i64,
    /// When it was last used.
    pub used_ms: Option<i64>,
}

#[derive(Template)]
#[template(path = "account/factors.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a FactorsView,
}

/// The page.
pub fn render(v: &FactorsView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
