//! Which two institutions add what this one gives of a data set.
//!
//! An aggregator holds each sum against those that it added before ([`super::overlap`]). Sums that others
//! added it does not know. So a holder gives its part of a data set to one pair of aggregators only, over
//! all questions and projects of a year: every sum that it is in is then known to both of them, and as no
//! two pairs add a part of the same holder, no combination of their sums is about fewer than one of theirs.
//! Where one of the pair has left the network, another takes its place.

use serde::{Deserialize, Serialize};
use store::{Guard, SideWrite, Snapshot};
use wire::OrgId;

use super::SPACE;
use super::inquiry::{Against, Checked};
use crate::App;

/// How long after the last sum another pair may add.
const YEAR_MS: i64 = 366 * 24 * 60 * 60 * 1000;
/// How exactly the time of the last sum is kept.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Pair {
    aggregators: Vec<OrgId>,
    /// When the last sum was given, to a day.
    at_ms: i64,
}

/// What belongs to the transaction in which a part is given. What is given with noise may be added by
/// anybody: what it shows beside any other sum was paid for.
///
/// Errors: the rule `overlap` where another pair adds.
pub(super) fn due(
    app: &App,
    snapshot: &dyn Snapshot,
    checked: &Checked,
) -> Result<Option<(Guard, SideWrite)>, Against> {
    if checked.noise.is_some() {
        return Ok(None);
    }
    let unwritten = |_| Against::new("unavailable", "who adds could not be read or written");
    let mut aggregators: Vec<OrgId> = checked.inquiry.aggregators.to_vec();
    aggregators.sort_unstable();
    let now = Pair { aggregators, at_ms: app.now_ms() };
    let key = format!("pair/{}", checked.known.project.dataset).into_bytes();
    let stored = snapshot.side(SPACE, &key)?;
    let before = stored.as_deref().map(serde_json::from_slice::<Pair>).transpose();
    if let Some(before) = before.map_err(unwritten)? {
        let since = now.at_ms.saturating_sub(before.at_ms);
        let list = app.network().list();
        let are_there = before.aggregators.iter().all(|org| list.member(org).is_some());
        if before.aggregators != now.aggregators && since < YEAR_MS && are_there {
            let names: Vec<String> = before.aggregators.iter().map(|o| format!("`{o}`")).collect();
            let names = names.join(" and ");
            let reason =
                format!("sums of this data set are added by {names}, and others do not know them");
            return Err(Against::new("overlap", reason));
        }
        if before.aggregators == now.aggregators && since < DAY_MS {
            return Ok(None);
        }
    }
    let value = serde_json::to_vec(&now).map_err(unwritten)?;
    let guard = Guard::Side { space: SPACE, key: key.clone(), value: stored };
    Ok(Some((guard, SideWrite { space: SPACE, key, value: Some(value) })))
}
