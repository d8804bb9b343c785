//! Projects: who may ask which data set what, for how long, decided by each institution whose data are
//! asked or that adds up what the others give.
//!
//! What is kept is what was signed: the application, by the node of whoever applies, and each party's
//! decisions, by its own node. The latest decision of a party counts. A `ResearchStudy` shows a project
//! to those who read FHIR. Everybody with a part in a project is told what the others have decided.

mod amend;
mod apply;
pub mod council;
mod decide;
mod held;
pub(crate) mod others;
mod shelf;
mod study;
mod told;

pub use amend::{Change, changes};
pub use apply::{Draft, apply};
pub use decide::{Choice, Verdict, decide, end};
pub use others::hear;
pub use shelf::{Ended, Known, Signed, known};
pub use told::{Told, for_patient};

pub(crate) use amend::of_one_budget;
pub(crate) use held::{Held, all};
pub(crate) use shelf::{check_signer, signed_by, take_decision, take_project};

use std::collections::BTreeSet;

use wire::{OrgId, Sealed};

use crate::authorise::{Action, authorise};
use crate::{App, Caller, Result};

/// The side space of projects and decisions.
pub(crate) const SPACE: &str = "projects";
/// Most projects that a node keeps.
pub const MOST: usize = 10_000;
/// Most decisions of one party about one project; a withdrawal of what it last approved, and an end, are taken beyond.
pub const MOST_DECISIONS: usize = 100;

/// The projects that concern this institution, the latest first.
pub fn list(app: &App, caller: &Caller) -> Result<Vec<Known>> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    let mut all = Vec::clone(&*held::all(app)?);
    all.sort_by_key(|known| std::cmp::Reverse(known.project.made));
    Ok(all)
}

/// The projects that this node coordinates, concern `peer`, and are not among those it knows.
pub(crate) fn untold(
    app: &App,
    peer: &OrgId,
    known: &[String],
    most: usize,
) -> Result<Vec<Sealed>> {
    let own = app.network().own();
    let known: BTreeSet<&String> = known.iter().collect();
    let all = held::all(app)?;
    let untold = all.iter().filter(|one| {
        one.project.coordinator == *own && one.concerns(peer) && !known.contains(&one.id)
    });
    Ok(untold.take(most).map(|one| one.sealed.clone()).collect())
}
