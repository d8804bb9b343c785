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
    /// An expression over both versions that must be true as well (`fhirPathCriteria`).
    pub fhirpath: Option<String>,
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
    /// Updates alone.
    pub const UPDATE: Self = Self { create: false, update: true, delete: false };
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
        fhirpath: None,
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

/// The search parameters by which a topic may be narrowed.
fn narrowed_by(topic: Topic, params: &[&str]) -> Topic {
    let filter = |param: &&str| FilterBy {
        resource_type: None,
        param: (*param).into(),
        comparators: Vec::new(),
        modifiers: Vec::new(),
    };
    Topic { filters: Some(params.iter().map(filter).collect()), ..topic }
}

/// What a subscription to stays may be narrowed by.
const OF_STAY: [&str; 9] = [
    "patient",
    "subject",
    "class",
    "type",
    "identifier",
    "location",
    "service-provider",
    "participant",
    "practitioner",
];
/// And one to results.
const OF_RESULT: [&str; 8] =
    ["patient", "subject", "code", "category", "encounter", "performer", "identifier", "based-on"];

/// The classes of an encounter that make it a stay in hospital (v3-ActCode).
const STAY: &str = "class=IMP,EMER,OBSENC,ACUTE,NONAC,SS";

/// Results that count.
const FINAL: &str = "status=final,amended,corrected";

fn admission() -> TopicTrigger {
    becomes("Encounter", &format!("status=in-progress&{STAY}"), "status:not=in-progress")
}

fn discharge() -> TopicTrigger {
    becomes("Encounter", &format!("status=finished&{STAY}"), "status:not=finished")
}

/// During a stay, the patient is somewhere where they were not before, and was somewhere before.
fn transfer() -> TopicTrigger {
    let at = |version: &str| {
        format!(
            "%{version}.location.where((status.empty() or status = 'active') \
             and period.end.empty()).location.reference"
        )
    };
    let (before, now) = (at("previous"), at("current"));
    TopicTrigger {
        current: Some(format!("status=in-progress,onleave&{STAY}")),
        fhirpath: Some(format!("{before}.exists() and {now}.exclude({before}).exists()")),
        ..simple(&["Encounter"], On::UPDATE)
    }
}

fn death() -> TopicTrigger {
    becomes("Patient", "deceased=true", "deceased:not=true")
}

fn laboratory() -> Vec<TopicTrigger> {
    vec![
        while_it_holds("Observation", &format!("category=laboratory&{FINAL}")),
        while_it_holds("DiagnosticReport", &format!("category=LAB&{FINAL}")),
    ]
}

/// The result as a whole or a component is interpreted as abnormal: `A` of
/// v3-ObservationInterpretation and what is below it.
fn abnormal() -> TopicTrigger {
    let abnormal = "(%current.interpretation | %current.component.interpretation).coding.where(\
        system = 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation' and code in \
        ('A' | 'AA' | 'H' | 'HH' | 'HU' | 'H>' | 'L' | 'LL' | 'LU' | 'L<')).exists()";
    TopicTrigger { fhirpath: Some(abnormal.into()), ..while_it_holds("Observation", FINAL) }
}

/// Event codes of the guide Da Vinci Unsolicited Notifications.
const NOTIFICATIONS: &str = "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event";
/// Event types of HL7 version 2 (table 0003).
const VERSION_2: &str = "http://terminology.hl7.org/CodeSystem/v2-0003";

/// The changes by which an event of the outside world shows in resources of a type
/// (`SubscriptionTopic.eventTrigger`); none where it does not show in them.
pub fn of_event(system: &str, code: &str, resource_type: &'static str) -> Vec<TopicTrigger> {
    let all = match (system, code) {
        (NOTIFICATIONS, "notification-admit") | (VERSION_2, "A01") => vec![admission()],
        (NOTIFICATIONS, "notification-transfer") | (VERSION_2, "A02") => vec![transfer()],
        (NOTIFICATIONS, "notification-discharge") | (VERSION_2, "A03") => vec![discharge()],
        (NOTIFICATIONS, "notification-vitals") => vec![death()],
        (NOTIFICATIONS, "notification-lab-report") => laboratory(),
        (NOTIFICATIONS, "notification-new-condition") => vec![simple(&["Condition"], On::CREATE)],
        (NOTIFICATIONS, "notification-care-team-change") => vec![simple(&["CareTeam"], On::ANY)],
        (NOTIFICATIONS, "notification-coverage-change") => vec![simple(&["Coverage"], On::ANY)],
        _ => Vec::new(),
    };
    all.into_iter().filter(|trigger| trigger.types.contains(&resource_type)).collect()
}

/// The topics that come with this software.
pub fn shipped() -> Vec<Topic> {
    let every: Vec<&'static str> =
        fhir::definitions::resource_types().iter().copied().filter(|t| is_offered(t)).collect();
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
        narrowed_by(topic("admission", "A patient was admitted", vec![admission()]), &OF_STAY),
        narrowed_by(topic("discharge", "A patient was discharged", vec![discharge()]), &OF_STAY),
        narrowed_by(
            topic("transfer", "A patient was moved to another place", vec![transfer()]),
            &OF_STAY,
        ),
        narrowed_by(
            topic(
                "abnormal-result",
                "A final result is abnormal, or one was corrected that is",
                vec![abnormal()],
            ),
            &OF_RESULT,
        ),
        topic("death", "A patient has died", vec![death()]),
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
        topic("lab-result", "A laboratory result is final or was corrected", laboratory()),
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
    let mut topics = stored_topic::load(&app.store().registry(), &*snapshot)?;
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
            let registry = fhirpath::search::Registry::r4();
            let triggers = super::super::criteria::of_topic(registry, &topic, &[]).unwrap();
            let types: usize = topic.triggers.iter().map(|t| t.types.len()).sum();
            assert_eq!(triggers.len(), types, "{}", topic.url);
        }
    }
}
