//! The `ResearchStudy` that shows a project to those who read FHIR.

use fhir::{Id, Resource};
use serde_json::{Value, json};
use store::{Expect, Key, Method, Write};
use wire::research::ProjectChoice;

use super::{Ended, Known};
use crate::records::kept::{GOVERNANCE, KIND_SYSTEM};
use crate::{Error, Result};

/// The project as a resource, with every party's decision in a note.
pub(super) fn put(known: &Known) -> Result<Write> {
    let parties = known.parties();
    let chosen = |choice| {
        let made = |party: &&wire::OrgId| {
            known.decisions.get(*party).is_some_and(|decision| decision.choice == choice)
        };
        parties.iter().filter(made).count()
    };
    let status = if let Some(ended) = &known.ended {
        match ended {
            Ended::Withdrawn => "withdrawn",
            Ended::Amended(_) => "administratively-completed",
        }
    } else if chosen(ProjectChoice::Refuse) > 0 {
        "disapproved"
    } else if chosen(ProjectChoice::Withdraw) > 0 {
        "withdrawn"
    } else if chosen(ProjectChoice::Approve) == parties.len() {
        "approved"
    } else {
        "in-review"
    };
    let project = &known.project;
    let notes: Vec<Value> = known
        .decisions
        .values()
        .map(|decision| {
            let word = match decision.choice {
                ProjectChoice::Approve => "approves",
                ProjectChoice::Refuse => "refuses",
                ProjectChoice::Withdraw => "withdraws its approval",
                ProjectChoice::End => "takes the project back",
            };
            json!({
                "authorReference": {"reference": format!("Organization/{}", decision.holder)},
                "time": fhir::time::instant(decision.at),
                "text": format!("{} {word}. {}", decision.steward, decision.reason).trim(),
            })
        })
        .collect();
    let mut study = json!({
        "resourceType": "ResearchStudy",
        "id": known.id,
        "meta": {"tag": [{"system": KIND_SYSTEM, "code": GOVERNANCE}]},
        "title": project.title,
        "status": status,
        "description": project.purpose,
        "period": {
            "start": fhir::time::instant(project.from),
            "end": fhir::time::instant(project.until),
        },
        "sponsor": {"reference": format!("Organization/{}", project.coordinator)},
    });
    if !notes.is_empty() {
        study["note"] = notes.into();
    }
    let resource =
        Resource::parse(study.to_string()).map_err(|e| Error::internal(e.to_string()))?;
    let id = Id::new(&known.id).map_err(|e| Error::internal(e.to_string()))?;
    let key = Key { resource_type: "ResearchStudy", id };
    Ok(Write::Put { key, resource, expect: Expect::Any, method: Method::Put })
}
