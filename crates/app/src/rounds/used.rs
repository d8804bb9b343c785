//! For which questions this institution has given sums over its data: what patients are told.

use serde::{Deserialize, Serialize};
use statistics::Analysis;
use store::{SideWrite, Snapshot};

use super::SPACE;
use super::inquiry::Checked;
use crate::{App, Error, Result};

/// Most uses that are listed of one project.
pub const MOST_USES: usize = 1_000;

/// A question to which this institution has given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// What was asked.
    pub analysis: Analysis,
    /// When the first sum was given, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// ε in millionths of the noise with which it was answered; `None` for an exact sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_epsilon: Option<u64>,
}

/// The writes that note a use, where it is the first of its question.
pub(super) fn first(
    app: &App,
    snapshot: &dyn Snapshot,
    checked: &Checked,
) -> Result<Vec<SideWrite>> {
    let (project, inquiry) = (checked.known.id.as_str(), checked.id.as_str());
    // By question alone, as uses were kept before they were kept by time.
    let earlier = format!("{}{inquiry}", prefix(project)).into_bytes();
    let mark = mark(project, inquiry);
    if snapshot.side(SPACE, &mark)?.is_some() || snapshot.side(SPACE, &earlier)?.is_some() {
        return Ok(Vec::new());
    }
    let noted = Use {
        analysis: checked.question.analysis.clone(),
        at_ms: app.now_ms(),
        micro_epsilon: checked.inquiry.noise.map(|noise| noise.micro_epsilon),
    };
    let value = serde_json::to_vec(&noted).map_err(|e| Error::internal(e.to_string()))?;
    let key = key(project, inquiry, noted.at_ms);
    let write = |key: Vec<u8>, value: Vec<u8>| SideWrite { space: SPACE, key, value: Some(value) };
    Ok(vec![write(key, value), write(mark, Vec::new())])
}

/// The questions of a project to which this institution has given, the latest first.
pub(crate) fn of(snapshot: &dyn Snapshot, project: &str) -> Result<Vec<Use>> {
    let stored = snapshot.side_scan(SPACE, prefix(project).as_bytes(), MOST_USES)?;
    let faulty = |_| Error::internal("a stored use of data is faulty");
    let read = |(_, value): &(Vec<u8>, Vec<u8>)| serde_json::from_slice(value).map_err(faulty);
    let mut uses: Vec<Use> = stored.iter().map(read).collect::<Result<_>>()?;
    uses.sort_by_key(|one| std::cmp::Reverse(one.at_ms));
    Ok(uses)
}

/// Where a use is kept: the latest of a project comes first in the order of keys.
fn key(project: &str, inquiry: &str, at_ms: i64) -> Vec<u8> {
    let earlier = i64::MAX.saturating_sub(at_ms.max(0));
    format!("{}{earlier:019}/{inquiry}", prefix(project)).into_bytes()
}

/// What says that a question is among the uses.
fn mark(project: &str, inquiry: &str) -> Vec<u8> {
    format!("used-by/{project}/{inquiry}").into_bytes()
}

fn prefix(project: &str) -> String {
    format!("used/{project}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_use_comes_first_in_the_order_of_keys() {
        let mut keys: Vec<Vec<u8>> =
            (0..50).map(|at| key("p", &format!("q{at}"), at * 7)).collect();
        keys.sort();
        let latest = key("p", "q49", 49 * 7);
        assert_eq!(keys.first(), Some(&latest));
        assert!(keys.iter().all(|key| key.starts_with(prefix("p").as_bytes())));
        assert!(!mark("p", "q1").starts_with(prefix("p").as_bytes()));
    }
}
