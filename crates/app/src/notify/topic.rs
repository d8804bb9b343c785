//! Topics: what can be subscribed to by name, in the shape of the R5 SubscriptionTopic.

use std::collections::BTreeMap;

use super::stored_topic;
use crate::{App, Result};

/// Where the topics that come with this software live.
pub const SHIPPED: &str = "https://consilium.health/fhir/SubscriptionTopic/";

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Canonical URL.
    pub url: String,
    /// What people call it.
    pub title: String,
    /// What makes an event.
    pub triggers: Vec<TopicTrigger>,
    /// The filters that a subscription may use; `None` for every search parameter.
    pub filters: Option<Vec<FilterBy>>,
}

/// What makes an event (R5 `SubscriptionTopic.resourceTrigger`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicTrigger {
    /// Types of the resources.
    pub types: Vec<&'static str>,
    /// The interactions that count.
    pub on: On,
    /// A search that the version before must answer (`queryCriteria.previous`).
    pub previous: Option<String>,
    /// A search that the new version must answer (`queryCriteria.current`).
    pub current: Option<String>,
    /// Whether a creation passes `previous` (`resultForCreate`).
    pub create_passes: bool,
    /// Whether a deletion passes `current` (`resultForDelete`).
    pub delete_passes: bool,
    /// Whether both searches must pass, or one is enough.
    pub both: bool,
}

/// Interactions that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct On {
    /// Creations.
    pub create: bool,
    /// Updates.
    pub update: bool,
    /// Deletions.
    pub delete: bool,
}

impl On {
    /// Creations and updates.
    pub const WRITE: Self = Self { create: true, update: true, delete: false };
    /// Everything.
    pub const ANY: Self = Self { create: true, update: true, delete: true };
    /// Creations alone.
    pub const CREATE: Self = Self { create: true, update: false, delete: false };
}

/// A filter that a topic allows (R5 `SubscriptionTopic.canFilterBy`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterBy {
    /// For resources of this type; `None` for all of the topic.
    pub resource_type: Option<&'static str>,
    /// Name of the search parameter.
    pub param: String,
    /// Comparators that may be used; empty for all.
    pub comparators: Vec<String>,
    /// Modifiers that may be used; empty for all.
    pub modifiers: Vec<String>,
}

/// Topics by canonical URL.
pub type Topics = BTreeMap<String, Topic>;

/// The types whose changes can be told of: all but the audit and Subscriptions, because a
/// notification writes both.
pub fn is_offered(resource_type: &str) -> bool {
    !matches!(resource_type, "AuditEvent" | "Subscription")
}

fn topic(name: &str, title: &str, triggers: Vec<TopicTrigger>) -> Topic {
    Topic { url: format!("{SHIPPED}{name}"), title: title.into(), triggers, filters: None }
}

fn simple(types: &[&'static str], on: On) -> TopicTrigger {
    TopicTrigger {
        types: types.to_vec(),
        on,
        previous: None,
        current: None,
        create_passes: true,
        delete_passes: false,
        both: true,
    }
}

/// An event when `current` begins to hold: it did not hold before, which `previous` says.
fn becomes(resource_type: &'static str, current: &str, previous: &str) -> TopicTrigger {
    TopicTrigger {
        previous: Some(previous.into()),
        current: Some(current.into()),
        ..simple(&[resource_type], On::WRITE)
    }
}

fn while_it_holds(resource_type: &'static str, current: &str) -> TopicTrigger {
    TopicTrigger { current: Some(current.into()), ..simple(&[resource_type], On::WRITE) }
}

/// The classes of an encounter that make it a stay in hospital (v3-ActCode).
const STAY: &str = "class=IMP,EMER,OBSENC,ACUTE,NONAC,SS";

/// The topics that come with this software.
pub fn shipped() -> Vec<Topic> {
    let every: Vec<&'static str> =
        fhir::definitions::resource_types().iter().copied().filter(|t| is_offered(t)).collect();
    let final_ = "status=final,amended,corrected";
    vec![
        topic(
            "encounter-start",
            "An encounter has started",
            vec![becomes("Encounter", "status=in-progress", "status:not=in-progress")],
        ),
        topic(
            "encounter-end",
            "An encounter has ended",
            vec![becomes("Encounter", "status=finished", "status:not=finished")],
        ),
        topic(
            "admission",
            "A patient was admitted",
            vec![becomes(
                "Encounter",
                &format!("status=in-progress&{STAY}"),
                "status:not=in-progress",
            )],
        ),
        topic(
            "discharge",
            "A patient was discharged",
            vec![becomes("Encounter", &format!("status=finished&{STAY}"), "status:not=finished")],
        ),
        topic(
            "death",
            "A patient has died",
            vec![becomes("Patient", "deceased=true", "deceased:not=true")],
        ),
        topic("resource-new", "A resource was created", vec![simple(&every, On::CREATE)]),
        topic(
            "resource-change",
            "A resource was created, changed or deleted",
            vec![simple(&every, On::ANY)],
        ),
        topic(
            "document",
            "A document is there or was changed",
            vec![while_it_holds("DocumentReference", "status=current")],
        ),
        topic(
            "lab-result",
            "A laboratory result is final or was corrected",
            vec![
                while_it_holds("Observation", &format!("category=laboratory&{final_}")),
                while_it_holds("DiagnosticReport", &format!("category=LAB&{final_}")),
            ],
        ),
        topic(
            "consent-change",
            "A consent was given, changed or withdrawn",
            vec![simple(&["Consent"], On::ANY)],
        ),
        topic("task-change", "A task was assigned or changed", vec![simple(&["Task"], On::WRITE)]),
    ]
}

/// Shipped topics and those that users stored; a stored one never replaces a shipped one.
pub fn all(app: &App) -> Result<Topics> {
    let snapshot = app.store().snapshot()?;
    let mut topics = stored_topic::load(&*snapshot)?;
    topics.extend(shipped().into_iter().map(|topic| (topic.url.clone(), topic)));
    Ok(topics)
}

/// Canonical URLs of all topics, for the extension `capabilitystatement-subscriptiontopic-canonical`
/// of the CapabilityStatement.
pub fn canonicals(app: &App) -> Result<Vec<String>> {
    Ok(all(app)?.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_topic_can_be_compiled_for_each_of_its_types() {
        for topic in shipped() {
            let triggers = super::super::criteria::of_topic(&topic, &[]).unwrap();
            let types: usize = topic.triggers.iter().map(|t| t.types.len()).sum();
            assert_eq!(triggers.len(), types, "{}", topic.url);
        }
    }
}
