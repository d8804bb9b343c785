//! The crate of a result: what was answered, who checked it, and how it came to be.

use serde_json::{Value as Json, json};

use super::entity::Entities;
use super::{Action, MOST_ACTIONS, MOST_FILES, PackedFile, Phase, Request, Status, request};
use crate::words::Instant;

/// An answered question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The question.
    pub request: Request,
    /// When it was begun to be answered.
    pub started: Instant,
    /// When it was answered.
    pub ended: Instant,
    /// The files of the answer.
    pub outputs: Vec<PackedFile>,
    /// Checks of the request and of the answer, with disclosure control.
    pub checks: Vec<Action>,
    /// When it was released.
    pub released: Instant,
}

/// The metadata file of a result. Unless every check of disclosure control is completed, and there is
/// one, neither answer nor its files are named, as the profile demands. Lists longer than their limits
/// are cut off there.
#[must_use]
pub fn result(answered: &Answered) -> Json {
    let request = &answered.request;
    let mut disclosure = answered.checks.iter().filter(|c| c.phase == Phase::Disclosure).peekable();
    let is_released =
        disclosure.peek().is_some() && disclosure.all(|check| check.status == Status::Completed);
    let outputs: &[PackedFile] = if is_released { &answered.outputs } else { &[] };
    let outputs = outputs.get(..MOST_FILES).unwrap_or(outputs);
    let paths: Vec<String> = outputs.iter().map(|file| file.path().to_owned()).collect();
    let status = if is_released { Status::Completed } else { Status::Failed };
    let mut entities = Entities::new(&request.name, &request.description);
    let mut mentions = request::write(
        &mut entities,
        request,
        status,
        Some(&answered.started),
        Some(&answered.ended),
        &paths,
    );
    for check in answered.checks.iter().take(MOST_ACTIONS) {
        let about: &[String] = if check.phase == Phase::Disclosure { &paths } else { &[] };
        mentions.push(check.write(&mut entities, about));
    }
    entities.root("datePublished", json!(answered.released.as_str()));
    let files: Vec<PackedFile> = request.files.iter().chain(outputs).cloned().collect();
    request::close(&mut entities, request, mentions, &files, &request.publisher);
    entities.finish()
}
