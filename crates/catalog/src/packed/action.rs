//! What was done with a request: checks, approvals, disclosure control, with who did it and how it ended.

use serde_json::{Value as Json, json};

use super::entity::{Entities, reference, references};
use super::request::{Organization, Person};
use crate::words::{Instant, Iri, Slug};

/// The phases of the profile, each with its term of the Safe Haven Provenance ontology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Digests and signatures are right.
    Check,
    /// The request is well formed.
    Validation,
    /// The people may ask it for the project.
    SignOff,
    /// The answer tells nothing of a person.
    Disclosure,
}

impl Phase {
    pub(super) fn term(self) -> &'static str {
        match self {
            Self::Check => "https://w3id.org/shp#CheckValue",
            Self::Validation => "https://w3id.org/shp#ValidationCheck",
            Self::SignOff => "https://w3id.org/shp#SignOff",
            Self::Disclosure => "https://w3id.org/shp#DisclosureCheck",
        }
    }
}

/// How far an action is (schema.org `ActionStatusType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// To be done.
    Potential,
    /// Being done.
    Active,
    /// Done, and well.
    Completed,
    /// Done, and refused or gone wrong.
    Failed,
}

impl Status {
    pub(super) fn term(self) -> &'static str {
        match self {
            Self::Potential => "http://schema.org/PotentialActionStatus",
            Self::Active => "http://schema.org/ActiveActionStatus",
            Self::Completed => "http://schema.org/CompletedActionStatus",
            Self::Failed => "http://schema.org/FailedActionStatus",
        }
    }
}

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person.
    Person(Person),
    /// An institution or its council.
    Organization(Organization),
    /// A program of an institution.
    Program {
        /// Its address.
        iri: Iri,
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// Whose it is.
        provider: Organization,
    },
}

impl Actor {
    pub(super) fn write(&self, entities: &mut Entities) -> Json {
        match self {
            Self::Person(person) => person.write(entities),
            Self::Organization(organization) => organization.write(entities),
            Self::Program { iri, name, version, provider } => {
                let provider = provider.write(entities);
                entities.put(json!({
                    "@id": iri.as_str(),
                    "@type": "SoftwareApplication",
                    "name": name,
                    "url": iri.as_str(),
                    "softwareVersion": version,
                    "provider": provider,
                }));
                reference(iri.as_str())
            }
        }
    }
}

/// One check or approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name in the crate, no other of it the same.
    pub id: Slug,
    /// What it was.
    pub phase: Phase,
    /// For people: the check and its outcome.
    pub name: String,
    /// Who did it.
    pub actor: Actor,
    /// How far it is.
    pub status: Status,
    /// When it was begun.
    pub started: Option<Instant>,
    /// When it was over.
    pub ended: Option<Instant>,
    /// By what rule, agreement or policy.
    pub rule: Option<Iri>,
    /// The name of that for people.
    pub rule_name: String,
    /// Conditions or reasons.
    pub reason: Option<String>,
}

impl Action {
    /// Writes it; gives its address. Objects are the crate and what else it was about.
    pub(super) fn write(&self, entities: &mut Entities, objects: &[String]) -> String {
        let id = format!("#{}", self.id);
        let agent = self.actor.write(entities);
        entities.put(
            json!({"@id": self.phase.term(), "@type": "DefinedTerm", "name": self.phase.term()}),
        );
        let mut entity = json!({
            "@id": id,
            "@type": "AssessAction",
            "additionalType": reference(self.phase.term()),
            "name": self.name,
            "object": references(std::iter::once("./").chain(objects.iter().map(String::as_str))),
            "agent": agent,
            "actionStatus": self.status.term(),
        });
        let Some(fields) = entity.as_object_mut() else { return id };
        if let Some(started) = &self.started {
            fields.insert("startTime".to_owned(), json!(started.as_str()));
        }
        if let Some(ended) = &self.ended {
            fields.insert("endTime".to_owned(), json!(ended.as_str()));
        }
        if let Some(reason) = &self.reason {
            fields.insert("description".to_owned(), json!(reason));
        }
        if let Some(rule) = &self.rule {
            fields.insert("instrument".to_owned(), reference(rule.as_str()));
            let name = json!(self.rule_name);
            entities.put(json!({"@id": rule.as_str(), "@type": "CreativeWork", "name": name}));
        }
        entities.put(entity);
        id
    }
}
