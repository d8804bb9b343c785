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
}

/// The write that notes a use, where it is the first of its question.
pub(super) fn first(
    app: &App,
    snapshot: &dyn Snapshot,
    checked: &Checked,
) -> Result<Option<SideWrite>> {
    let key = format!("{}{}", prefix(&checked.known.id), checked.id).into_bytes();
    if snapshot.side(SPACE, &key)?.is_some() {
        return Ok(None);
    }
    let noted = Use { analysis: checked.question.analysis.clone(), at_ms: app.now_ms() };
    let value = serde_json::to_vec(&noted).map_err(|e| Error::internal(e.to_string()))?;
    Ok(Some(SideWrite { space: SPACE, key, value: Some(value) }))
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

fn prefix(project: &str) -> String {
    format!("used/{project}/")
}
