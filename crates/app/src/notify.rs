//! Subscriptions: what subscribers asked to be told of, matched against the change feed and sent
//! out (FHIR R4 Subscription, and topics as the Subscriptions R4 Backport guide 1.1 defines them).
//!
//! * [`accept`] checks a Subscription before it is stored and writes down whose it is.
//! * [`feed`] follows the change feed and gives every match an event number, in one transaction
//!   with its own place in the feed. [`rules`] finds whom a change may concern without evaluating
//!   what all the others asked for; [`log`] keeps which event is which change.
//! * [`work`] makes one delivery: is the subscriber still allowed to read this? then the audit,
//!   then the notification; [`worker`] decides when.
//! * [`channel`] holds the websockets that are open, [`status`] answers `$status`, `$events` and
//!   `$get-ws-binding-token`.
//!
//! The audit and Subscriptions themselves are never matched: a notification writes both, and would
//! tell of itself for ever.

pub mod accept;
pub mod bundle;
pub mod channel;
pub mod criteria;
pub mod definition;
pub mod expression;
pub mod feed;
pub mod log;
mod reader;
pub mod resend;
pub mod rules;
pub mod status;
pub mod stored_topic;
pub mod topic;
pub mod work;
pub mod worker;

use federation::notify::Allowed;
use fhir::{Id, Resource};

pub use channel::Hub;
pub use definition::{Definition, Status};
pub use topic::canonicals;
pub use worker::{Worker, run};

/// Extension that says whose a Subscription is; the node alone writes it.
pub const OWNER: &str = "https://consilium.health/fhir/StructureDefinition/subscription-owner";

/// What the operator lets subscribers have.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Endpoints beyond public `https` addresses.
    pub allowed: Allowed,
    /// Whether this node sends mail.
    pub mail: bool,
    /// Whether a mail may carry more than the news that something happened.
    pub mail_content: bool,
}

/// The patient whose account owns a Subscription; `None` for staff.
pub fn subscriber(subscription: &Resource) -> Option<Id> {
    let list = subscription.get("extension")?;
    let owner = list.items().find(|e| e.get("url").is_some_and(|url| url.is_str(OWNER)))?;
    let reference = owner.get("valueReference")?.str_at("reference")?;
    Id::new(reference.strip_prefix("Patient/")?).ok()
}

/// The account that owns a Subscription.
pub(crate) fn owner(subscription: &Resource) -> Option<String> {
    let list = subscription.get("extension")?;
    let owner = list.items().find(|e| e.get("url").is_some_and(|url| url.is_str(OWNER)))?;
    let account = owner.get("valueReference")?.get("identifier")?.str_at("value")?;
    Some(account.into_owned())
}
