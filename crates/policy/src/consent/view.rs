//! A Consent as callers read it: for lists, pages and audit entries.

use fhir::time::Range;
use fhir::{Resource, Value};

use super::Who;
use super::rules::Kind;
use super::terms::{actor, first_code, kind};

/// A Consent as far as code reads it.
#[derive(Clone, Copy, Debug)]
pub struct ConsentView<'a>(&'a Resource);

impl<'a> ConsentView<'a> {
    /// Takes a resource as a Consent; `None` for another type.
    pub fn of(resource: &'a Resource) -> Option<Self> {
        (resource.type_name() == "Consent").then_some(Self(resource))
    }

    /// The logical id as a relative reference, `Consent/1`; empty where there is none.
    pub fn reference(self) -> String {
        self.0.id().map(|id| format!("Consent/{id}")).unwrap_or_default()
    }

    /// The status code.
    pub fn status(self) -> Option<String> {
        Some(self.0.get("status")?.as_str()?.into_owned())
    }

    /// The first code of the scope.
    pub fn scope(self) -> Option<String> {
        first_code(self.0.get("scope")?)
    }

    /// The reference to the patient as written.
    pub fn patient(self) -> Option<String> {
        Some(self.0.root().path(&["patient", "reference"])?.as_str()?.into_owned())
    }

    /// When the decision was made.
    pub fn date(self) -> Option<Range> {
        fhir::time::parse(&self.0.get("dateTime")?.as_str()?)
    }

    /// The type of the outermost provision.
    pub fn kind(self) -> Option<Kind> {
        kind(self.0.get("provision")?)
    }

    /// The names of the people that the outermost provision names, as `system|value` or a relative
    /// reference, and their display names where given; each once.
    pub fn people(self) -> Vec<(String, Option<String>)> {
        let mut found: Vec<(String, Option<String>)> = Vec::new();
        let provision = self.0.get("provision");
        for value in provision.and_then(|p| p.get("actor")).into_iter().flat_map(Value::each) {
            let actor = actor(value, &|_| None);
            let Who::Person(names) = actor.subject else { continue };
            if let Some(name) = names.into_iter().next().map(String::from)
                && !found.iter().any(|(known, _)| *known == name)
            {
                found.push((name, actor.display));
            }
        }
        found
    }

    /// The organisations that the outermost provision names, by short id, and their display names
    /// where given; each once. Empty when it is about all.
    pub fn organisations(self) -> Vec<(String, Option<String>)> {
        let mut found: Vec<(String, Option<String>)> = Vec::new();
        let provision = self.0.get("provision");
        for value in provision.and_then(|p| p.get("actor")).into_iter().flat_map(Value::each) {
            let actor = actor(value, &|_| None);
            if let Who::Organisation(id) = actor.subject
                && !found.iter().any(|(known, _)| *known == *id)
            {
                found.push((id.into(), actor.display));
            }
        }
        found
    }
}
