//! Amendments: a project that takes the place of an earlier one once everybody has approved it. The earlier
//! one ends then, for good; what was released in it stays.

use serde_json::Value;
use store::{SideWrite, Snapshot};
use wire::research::{Project, ProjectChoice};

use super::SPACE;
use super::shelf::{self, Ended, Known};
use crate::{Error, Kind, Result};

/// A field in which an amendment differs, by its name on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub field: &'static str,
    /// What stood there.
    pub before: Value,
    /// What is to stand there.
    pub after: Value,
}

/// The fields that people decide about, by their names on the wire.
const FIELDS: [&str; 13] = [
    "title",
    "purpose",
    "researchers",
    "holders",
    "aggregators",
    "dataset",
    "analyses",
    "programs",
    "min_sites",
    "min_rows",
    "release",
    "from",
    "until",
];

/// What an amendment changes, field by field.
pub fn changes(before: &Project, after: &Project) -> Vec<Change> {
    let value = |project: &Project| serde_json::to_value(project).unwrap_or_default();
    let (before, after): (Value, Value) = (value(before), value(after));
    let of = |field: &'static str| {
        let take = |value: &Value| value.get(field).cloned().unwrap_or_default();
        Change { field, before: take(&before), after: take(&after) }
    };
    FIELDS.into_iter().map(of).filter(|change| change.before != change.after).collect()
}

/// What an application has to be that amends another, as far as that is known here.
///
/// Errors: [`crate::Kind::Invalid`] where it is of another coordinator, or leaves out an institution that has a
/// part in the earlier project and would not hear that it ends.
pub(super) fn check(snapshot: &dyn Snapshot, amendment: &Known) -> Result<()> {
    let Some(earlier) = earlier(snapshot, amendment)? else { return Ok(()) };
    match takes_the_place(amendment, &earlier) {
        true => Ok(()),
        false => Err(Error::invalid(
            "value",
            "an amendment is of the same coordinator, and keeps every institution of the project; one that is \
             to leave withdraws",
        )),
    }
}

/// Where everybody has approved an amendment: the earlier project as it has ended, and the write that ends it.
pub(super) fn ends(
    snapshot: &dyn Snapshot,
    amendment: &Known,
) -> Result<Option<(Known, SideWrite)>> {
    let approves = |party: &wire::OrgId| {
        let decision = amendment.decisions.get(party);
        decision.is_some_and(|decision| decision.choice == ProjectChoice::Approve)
    };
    if amendment.ended.is_some() || !amendment.parties().iter().all(approves) {
        return Ok(None);
    }
    let Some(mut earlier) = earlier(snapshot, amendment)? else { return Ok(None) };
    if earlier.ended.is_some() || !takes_the_place(amendment, &earlier) {
        return Ok(None);
    }
    let value = Some(amendment.id.clone().into_bytes());
    let write = SideWrite { space: SPACE, key: key(&earlier.id), value };
    earlier.ended = Some(Ended::Amended(amendment.id.clone()));
    Ok(Some((earlier, write)))
}

/// Whether a project has ended by an amendment.
pub(super) fn ended(snapshot: &dyn Snapshot, id: &str) -> Result<Option<Ended>> {
    let by = snapshot.side(SPACE, &key(id))?;
    Ok(by.map(|by| Ended::Amended(String::from_utf8_lossy(&by).into_owned())))
}

/// The project that another amends, where it is known here.
fn earlier(snapshot: &dyn Snapshot, amendment: &Known) -> Result<Option<Known>> {
    let Some(id) = &amendment.project.amends else { return Ok(None) };
    match shelf::known(snapshot, id) {
        Ok(earlier) => Ok(Some(earlier)),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn takes_the_place(amendment: &Known, earlier: &Known) -> bool {
    let parties = amendment.parties();
    amendment.project.coordinator == earlier.project.coordinator
        && earlier.parties().iter().all(|party| parties.contains(party))
}

fn key(id: &str) -> Vec<u8> {
    format!("ended/{id}").into_bytes()
}
