//! Amendments: a project that takes the place of an earlier one once everybody has approved it. The earlier
//! one ends then, for good; what was released in it stays.

use serde_json::{Map, Value};
use store::{SideWrite, Snapshot};
use wire::research::{Project, ProjectChoice};

use super::SPACE;
use super::shelf::{self, Ended, Known};
use crate::{Error, Kind, Result};

/// Most projects that take each other's place, one after the other.
const MOST_AMENDED: usize = 100;
/// What differs between any two applications, or must not: nobody decides about a difference in it.
const NOT_COMPARED: [&str; 5] = ["version", "network", "amends", "coordinator", "made"];

/// Why there is no further one.
const TOO_OFTEN: &str = "the project was amended too often; apply for a new one";

/// A field in which an amendment differs, by its name on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub field: String,
    /// What stood there; null where nothing did.
    pub before: Value,
    /// What is to stand there.
    pub after: Value,
}

/// What an amendment changes, field by field: whatever an application says is compared.
pub fn changes(before: &Project, after: &Project) -> Vec<Change> {
    let (before, after) = (fields(before), fields(after));
    let only_before = before.keys().filter(|field| !after.contains_key(*field));
    let of = |field: &String| {
        let take = |fields: &Map<String, Value>| fields.get(field).cloned().unwrap_or_default();
        Change { field: field.clone(), before: take(&before), after: take(&after) }
    };
    after.keys().chain(only_before).map(of).filter(|change| change.before != change.after).collect()
}

/// The fields that people decide about.
fn fields(project: &Project) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(project) else { return Map::new() };
    fields.retain(|field, _| !NOT_COMPARED.contains(&field.as_str()));
    fields
}

/// The projects that this one takes the place of, each with its id, the latest first; as far as they are known here,
/// and no more than one beyond [`MOST_AMENDED`].
fn lineage(snapshot: &dyn Snapshot, project: &Project) -> Result<Vec<(String, Project)>> {
    let mut all = Vec::new();
    let mut next = project.amends.clone();
    while let Some(id) = next.take().filter(|_| all.len() <= MOST_AMENDED) {
        let Some(project) = shelf::application(snapshot, &id)? else { break };
        next.clone_from(&project.amends);
        all.push((id, project));
    }
    Ok(all)
}

/// Ids of the projects that spend one privacy budget with this one: itself, and those of the same data set that it
/// takes the place of.
///
/// Errors: [`Kind::Conflict`] where it was amended too often.
pub(crate) fn of_one_budget(snapshot: &dyn Snapshot, known: &Known) -> Result<Vec<String>> {
    let earlier = lineage(snapshot, &known.project)?;
    if earlier.len() > MOST_AMENDED {
        return Err(Error::new(Kind::Conflict, TOO_OFTEN));
    }
    let of_it = earlier.into_iter().filter(|(_, one)| one.dataset == known.project.dataset);
    Ok([known.id.clone()].into_iter().chain(of_it.map(|(id, _)| id)).collect())
}

/// What an application has to be that amends another, as far as that is known here.
///
/// Errors: [`Kind::Invalid`] where it is of another coordinator, leaves out an institution that has a part in the
/// earlier project and would not hear that it ends, or asks for exact answers where that has noise.
pub(super) fn check(snapshot: &dyn Snapshot, amendment: &Known) -> Result<()> {
    if lineage(snapshot, &amendment.project)?.len() > MOST_AMENDED {
        return Err(Error::invalid("value", TOO_OFTEN));
    }
    let Some(earlier) = earlier(snapshot, amendment)? else { return Ok(()) };
    match against(amendment, &earlier) {
        None => Ok(()),
        Some(reason) => Err(Error::invalid("value", reason)),
    }
}

/// What ends when everybody has approved an amendment.
pub(super) struct Ends {
    /// The earlier project, and other amendments of it, as they have ended.
    pub(super) all: Vec<Known>,
    /// The write that ends them.
    pub(super) write: SideWrite,
}

/// What ends now, where everybody has approved an amendment.
pub(super) fn ends(snapshot: &dyn Snapshot, amendment: &Known) -> Result<Option<Ends>> {
    let approves = |party: &wire::OrgId| {
        let decision = amendment.decisions.get(party);
        decision.is_some_and(|decision| decision.choice == ProjectChoice::Approve)
    };
    if amendment.ended.is_some() || !amendment.parties().iter().all(approves) {
        return Ok(None);
    }
    let Some(earlier) = earlier(snapshot, amendment)? else { return Ok(None) };
    if earlier.ended.is_some() || against(amendment, &earlier).is_some() {
        return Ok(None);
    }
    let value = Some(amendment.id.clone().into_bytes());
    let write = SideWrite { space: SPACE, key: key(&earlier.id), value };
    let mut all = others(snapshot, amendment, &earlier.id)?;
    all.push(earlier);
    for one in &mut all {
        one.ended = Some(Ended::Amended(amendment.id.clone()));
    }
    Ok(Some(Ends { all, write }))
}

/// The projects that would take the place of `earlier` otherwise than by `amendment`.
fn others(snapshot: &dyn Snapshot, amendment: &Known, earlier: &str) -> Result<Vec<Known>> {
    let mut others = Vec::new();
    for one in shelf::all(snapshot)? {
        if one.ended.is_some() || one.id == amendment.id {
            continue;
        }
        let before = lineage(snapshot, &one.project)?;
        let is_after = |id: &str| before.iter().any(|(before, _)| before == id);
        if is_after(earlier) && !is_after(&amendment.id) {
            others.push(one);
        }
    }
    Ok(others)
}

/// Whether a project has ended by an amendment: of itself, or by another of what it would amend.
pub(super) fn ended(snapshot: &dyn Snapshot, id: &str, project: &Project) -> Result<Option<Ended>> {
    if let Some(by) = ended_by(snapshot, id)? {
        return Ok(Some(Ended::Amended(by)));
    }
    let earlier = lineage(snapshot, project)?;
    let mut later = id;
    for (id, _) in &earlier {
        if let Some(by) = ended_by(snapshot, id)?.filter(|by| by != later) {
            return Ok(Some(Ended::Amended(by)));
        }
        later = id;
    }
    Ok(None)
}

/// Id of the amendment that has ended a project.
fn ended_by(snapshot: &dyn Snapshot, id: &str) -> Result<Option<String>> {
    let by = snapshot.side(SPACE, &key(id))?;
    Ok(by.map(|by| String::from_utf8_lossy(&by).into_owned()))
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

/// What stands against an amendment of `earlier`, in words.
fn against(amendment: &Known, earlier: &Known) -> Option<&'static str> {
    let parties = amendment.parties();
    let keeps_all = amendment.project.coordinator == earlier.project.coordinator
        && earlier.parties().iter().all(|party| parties.contains(party));
    let drops_noise = earlier.project.privacy.is_some() && amendment.project.privacy.is_none();
    if !keeps_all {
        let reason = "an amendment is of the same coordinator, and keeps every institution of the project; one \
                      that is to leave withdraws";
        return Some(reason);
    }
    // What noise has protected nobody asks exactly afterwards.
    drops_noise.then_some(
        "the project has a privacy budget, and so has every amendment of it: say which `epsilon`",
    )
}

fn key(id: &str) -> Vec<u8> {
    format!("ended/{id}").into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An application in which every field is set.
    fn application() -> Value {
        json!({
            "version": 1, "network": "test", "amends": "a".repeat(64), "coordinator": "north",
            "title": "Who survives", "purpose": "To learn whether it helps",
            "researchers": [{"account": "ada", "name": "Ada Berg"}],
            "holders": ["north", "east"], "aggregators": ["north", "east"], "dataset": "trial",
            "analyses": ["regression", "program"],
            "programs": [{
                "hash": "b".repeat(64), "name": "mean", "version": "1.0.0", "bytes": 4_000,
                "variables": ["age"], "rows": 1_000, "rounds": 1, "fuel": 1_000, "memory": 65_536,
                "outputs": [{"name": "n", "length": 1, "is_count": true, "bound": 1_000.0}],
            }],
            "min_sites": 2, "min_rows": 50, "release": "checked",
            "privacy": {"micro_epsilon": 2_000_000}, "from": "2026-01-01T00:00:00Z",
            "until": "2027-01-01T00:00:00Z", "made": "2026-01-01T00:00:00Z",
        })
    }

    fn read(value: &Value) -> Project {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn whatever_differs_is_a_change() {
        let before = application();
        assert_eq!(changes(&read(&before), &read(&before)), []);
        let others = [
            ("title", json!("Who dies")),
            ("purpose", json!("To learn whom it helps")),
            ("researchers", json!([{"account": "another", "name": "Ada Berg"}])),
            ("holders", json!(["north", "west"])),
            ("aggregators", json!(["north", "west"])),
            ("dataset", json!("another")),
            ("analyses", json!(["summary", "program"])),
            ("programs", json!([])),
            ("min_sites", json!(3)),
            ("min_rows", json!(5)),
            ("release", json!("automatic")),
            ("privacy", json!({"micro_epsilon": 4_000_000})),
            ("from", json!("2026-02-01T00:00:00Z")),
            ("until", json!("2028-01-01T00:00:00Z")),
        ];
        for (field, other) in &others {
            let mut after = before.clone();
            after[*field] = other.clone();
            let found = changes(&read(&before), &read(&after));
            let found: Vec<&str> = found.iter().map(|change| change.field.as_str()).collect();
            assert_eq!(found, [*field]);
        }
        // No field is left out above, and none of an application here.
        let fields: Vec<String> = fields(&read(&before)).keys().cloned().collect();
        assert_eq!(fields, others.map(|(field, _)| field));
        let value = serde_json::to_value(read(&before)).unwrap();
        assert_eq!(value.as_object().unwrap().len(), fields.len() + NOT_COMPARED.len());
    }

    #[test]
    fn what_is_taken_away_is_a_change() {
        let mut after = application();
        after.as_object_mut().unwrap().remove("privacy");
        let found = changes(&read(&application()), &read(&after));
        let before = json!({"micro_epsilon": 2_000_000});
        assert_eq!(found, [Change { field: "privacy".to_owned(), before, after: Value::Null }]);
    }
}
