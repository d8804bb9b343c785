//! Whether a request or result can be packed: what the profile wants of it.

use std::collections::BTreeSet;

use super::{Action, Answered, MOST_ACTIONS, MOST_FILES, Phase, Request, Status};

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A text is empty.
    #[error("`{0}` is empty")]
    Empty(String),
    /// Two have the same name or path.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// There are too many.
    #[error("there are more `{0}` than {1}")]
    TooMany(&'static str, usize),
    /// The one who asks is not of the project.
    #[error("who asks is not among the people of the project")]
    Stranger,
    /// A completed action does not say when it ended.
    #[error("`{0}` is completed and does not say when")]
    NoEnd(String),
    /// No decision on the request.
    #[error("nobody has signed the request off")]
    NotSignedOff,
    /// No disclosure control of the answer.
    #[error("nobody has checked the answer for disclosure")]
    NotChecked,
    /// The one who asked checked the answer.
    #[error("who asked has checked the answer")]
    OwnCheck,
}

/// What is wrong with a request, or with what came of it; empty if nothing.
#[must_use]
pub fn check(request: &Request, answered: Option<&Answered>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let texts = [
        ("name", &request.name),
        ("description", &request.description),
        ("project.name", &request.project.name),
        ("agent.name", &request.agent.name),
        ("workflow_name", &request.workflow_name),
        ("licence", &request.licence.1),
        ("publisher.name", &request.publisher.name),
    ];
    let is_empty = |text: &String| text.trim().is_empty();
    faults.extend(
        texts.iter().filter(|(_, t)| is_empty(t)).map(|(name, _)| Fault::Empty((*name).to_owned())),
    );
    let people = &request.project.people;
    if !people.iter().any(|person| person.iri == request.agent.iri) {
        faults.push(Fault::Stranger);
    }
    let outputs = answered.map_or(&[][..], |a| &a.outputs);
    let mut paths = BTreeSet::new();
    for (place, file) in request.files.iter().chain(outputs).enumerate() {
        if !paths.insert(file.path()) {
            faults.push(Fault::Twice(format!("files[{place}]")));
        }
    }
    let checks = answered.map_or(&[][..], |a| &a.checks);
    actions(request.approvals.iter().chain(checks), &mut faults);
    for (name, size, most) in [
        ("files", paths.len(), MOST_FILES),
        ("approvals", request.approvals.len(), MOST_ACTIONS),
        ("checks", checks.len(), MOST_ACTIONS),
        ("people", people.len(), MOST_ACTIONS),
        ("members", request.project.members.len(), MOST_ACTIONS),
        ("datasets", request.datasets.len(), MOST_FILES),
    ] {
        if size > most {
            faults.push(Fault::TooMany(name, most));
        }
    }
    if answered.is_some() {
        released(request, checks, &mut faults);
    }
    faults
}

fn actions<'a>(all: impl Iterator<Item = &'a Action>, faults: &mut Vec<Fault>) {
    let mut ids = BTreeSet::new();
    for action in all {
        let id = action.id.as_str();
        if !ids.insert(id) {
            faults.push(Fault::Twice(id.to_owned()));
        }
        if action.name.trim().is_empty() {
            faults.push(Fault::Empty(id.to_owned()));
        }
        if action.status == Status::Completed && action.ended.is_none() {
            faults.push(Fault::NoEnd(id.to_owned()));
        }
    }
}

fn released(request: &Request, checks: &[Action], faults: &mut Vec<Fault>) {
    let is_done = |phase: Phase| {
        let done = |a: &Action| a.phase == phase && a.status == Status::Completed;
        request.approvals.iter().chain(checks).any(done)
    };
    if !is_done(Phase::SignOff) {
        faults.push(Fault::NotSignedOff);
    }
    if !is_done(Phase::Disclosure) {
        faults.push(Fault::NotChecked);
    }
    let is_own = |a: &Action| {
        let asked = request.agent.iri.as_str();
        matches!(&a.actor, super::Actor::Person(person) if person.iri.as_str() == asked)
            && a.phase == Phase::Disclosure
    };
    if checks.iter().any(is_own) {
        faults.push(Fault::OwnCheck);
    }
}
