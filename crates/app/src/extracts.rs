//! De-identified extracts: what a recipe leaves of records, as files for a project.
//!
//! An extract is a job. It fixes one sequence number, walks along the change feed, asks of each
//! resource whose it is and whether that patient is in research ([`crate::consent::research`]), and
//! writes what the recipe leaves of it. Memory is bounded by the number of patients, of whom some
//! hundred bytes are kept each, and not by that of resources. Where a patient leaves research while it
//! is made, it is made again without them; once it is made, it is not handed out any more.
//!
//! Whoever has an extract made sees no original: a recipe may leave no more than those that come with
//! the program, what is not Safe Harbor needs a project that asks the institution for extracts and that it
//! and its patient council let go on, and an extract is of several patients or of nobody.

mod demographics;
mod key;
mod manifest;
mod order;
mod pass;
mod project;
mod report;
mod stale;
mod subjects;

use std::sync::Arc;

use fhir::Id;
use serde_json::Value;

pub use manifest::{Made, MadeFile};
pub use order::{Anonymity, LEAST_PATIENTS, MOST_PATIENTS, Order, TYPES};

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::jobs::folder::{Folder, Input};
use crate::jobs::{self, Job, Jobs};
use crate::{App, Caller, Error, Kind, Result};

/// Kind of the jobs that make extracts.
pub const EXTRACT: &str = "extract";

/// Registers what does the jobs.
pub(crate) fn register(jobs: &Jobs) {
    jobs.register(EXTRACT, Arc::new(pass::run));
}

/// Accepts an extract as a job. For stewards and operators with a second factor. Blocks.
///
/// Errors: an invalid value where the order is not sound, [`Kind::Forbidden`] where the recipe leaves
/// more than it may, or more than it may without a project that asked for extracts and goes on here.
pub fn kick_off(app: &App, caller: &Caller, order: Order) -> Result<Job> {
    authorise(app, caller, Action::of(policy::Action::Extract))?;
    let recipe = order.check()?;
    order.check_recipe(app, caller, &recipe)?;
    order.check_project(app, caller, &recipe)?;
    let note = format!(
        "a de-identified extract by recipe {} {} for project {} is ordered",
        recipe.recipe().name,
        recipe.recipe().version,
        order.project
    );
    let event = Event::by(caller, Pattern::Disclose).note(note);
    let request = serde_json::to_value(&order).map_err(|e| Error::internal(e.to_string()))?;
    jobs::submit(app, caller, EXTRACT, "De-identified extract", request, event)
}

/// An extract of the caller: how far it is, and what it has made. Blocks.
///
/// Errors: [`Kind::NotFound`] for one of somebody else.
pub fn standing(app: &App, caller: &Caller, id: &Id) -> Result<(Job, Option<Made>)> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    let job = own(app, caller, id)?;
    let made = job.result.as_ref().map(|made| serde_json::from_value(made.clone()));
    let made = made.transpose().map_err(|e| Error::internal(e.to_string()))?;
    Ok((job, made))
}

/// A file of an extract of the caller. Blocks.
///
/// Errors: [`Kind::NotFound`] for one of somebody else or an unknown file, [`Kind::Conflict`] where a
/// patient of it is not in research any more, [`Kind::Forbidden`] where its project does not go on here.
pub fn file(app: &App, caller: &Caller, id: &Id, name: &str) -> Result<Input> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    own(app, caller, id)?;
    jobs::file(app, caller, id, name)
}

/// Refuses the files of an extract whose `request` may not be done any more, or in which somebody has decided
/// otherwise since.
///
/// Errors: [`Kind::Forbidden`], [`Kind::Conflict`].
pub(crate) fn check(app: &App, caller: &Caller, request: &Value, folder: &Folder) -> Result<()> {
    let order = Order::of(request)?;
    order.check_project(app, caller, &order.compiled()?)?;
    stale::check(app, folder)
}

/// Cancels an extract of the caller, or removes it with its files. Blocks.
///
/// Errors: [`Kind::NotFound`] for one of somebody else.
pub fn cancel(app: &App, caller: &Caller, id: &Id) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    own(app, caller, id)?;
    jobs::cancel(app, caller, id)
}

fn own(app: &App, caller: &Caller, id: &Id) -> Result<Job> {
    let job = jobs::status(app, caller, id)?;
    match job.kind == EXTRACT {
        true => Ok(job),
        false => Err(Error::new(Kind::NotFound, "there is no such extract")),
    }
}
