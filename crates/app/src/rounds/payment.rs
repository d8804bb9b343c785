//! What a holder writes into its ledger before it gives its part of a question with noise.

use parking_lot::MutexGuard;
use store::{Guard, SideWrite, Snapshot};

use super::inquiry::{Against, Checked};
use super::{SPACE, noise};
use crate::budget::{InProject, Ledger, Payment, Purchase, RULE, account};
use crate::{App, Error, projects};

/// Held from reading the ledger until the entry is committed, where the question is to be paid for.
pub(super) fn turn<'a>(app: &'a App, checked: &Checked) -> Option<MutexGuard<'a, ()>> {
    checked.noise.as_ref().map(|_| app.cohorts().spending.lock())
}

/// What belongs to the transaction in which the part is given; nothing for a question without noise, or
/// where the same round was paid for before.
///
/// Errors: the rule `budget` where the asker's account, all accounts together or the project have not
/// enough left here; `privacy` for another round of a question that was paid for.
pub(super) fn due(
    app: &App,
    snapshot: &dyn Snapshot,
    checked: &Checked,
    given: &[u8],
) -> Result<(Vec<Guard>, Vec<SideWrite>), Against> {
    let (Some(cost), Some(of)) = (checked.inquiry.noise, checked.known.project.privacy) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let prefix = format!("given/{}/", checked.id).into_bytes();
    if let Some((before, _)) = snapshot.side_scan(SPACE, &prefix, 1)?.first() {
        if before != given {
            let reason = "a question with noise is one round, and was asked under another number";
            return Err(Against::new(noise::RULE, reason));
        }
        return Ok((Vec::new(), Vec::new()));
    }
    let project = &checked.known.project;
    let asker = account(project.coordinator.as_str(), &checked.inquiry.asker);
    let projects = projects::of_one_budget(snapshot, &checked.known)?;
    let of = InProject::read(snapshot, projects, &project.dataset, of.micro_epsilon)?;
    let purchase = Purchase {
        account: &asker,
        question: &checked.id,
        micro_epsilons: &[cost.micro_epsilon],
        project: Some(of),
    };
    let paid = Ledger::read(app, snapshot)?.spend(app, &purchase).map_err(against)?;
    let Payment { guard, side } = paid;
    Ok((vec![guard], side))
}

/// A budget that is spent is a rule of its own.
fn against(error: Error) -> Against {
    match error.rule.as_deref() {
        Some(RULE) => Against::new(RULE, error.message),
        _ => error.into(),
    }
}
