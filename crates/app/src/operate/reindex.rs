//! Indexing by a SearchParameter that was posted, shown as a `Task`: the store indexes by itself,
//! this module tells how far it is.
//!
//! The Task is written together with the SearchParameter ([`ordered`]); [`run`] brings it up to
//! date. Nothing depends on a Task: searches are right from the moment at which the SearchParameter
//! stands, whatever its Task says.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fhir::{Id, Resource};
use fhirpath::search::{Definition, Registry};
use serde_json::{Value, json};
use store::query::search;
use store::rules::PARAMETER_TYPE;
use store::{Expect, Key, Method, Reindex, Snapshot, StoreError, Stored, Transaction, Write};
use tokio::sync::watch;

use crate::records::parse;
use crate::{App, Caller, Error, Result, jobs};

/// The code of these Tasks in the code system [`jobs::SYSTEM`].
pub const CODE: &str = "reindex";
/// Most Tasks that are looked after at a time.
const MOST_OPEN: usize = 1_000;
/// How often the Tasks are looked at while some are open.
const EVERY: Duration = Duration::from_millis(500);
/// A Task is written again when it is so many percent further.
const STEP_PERCENT: u64 = 10;
/// Without progress for so long, indexing is said to be on hold.
const STALLED_MS: i64 = 60_000;

/// The Tasks that go with SearchParameters among writes that are made together: one for each that
/// is in use and means something else than before. `caller` is who ordered it, `None` for the
/// node.
pub(crate) fn ordered(app: &App, caller: Option<&Caller>, writes: &[Write]) -> Result<Vec<Write>> {
    let mut tasks = Vec::new();
    for write in writes {
        let Write::Put { key, resource, .. } = write else { continue };
        if key.resource_type != PARAMETER_TYPE {
            continue;
        }
        let Ok(Some(definition)) = Definition::read(resource) else { continue };
        let before = app.store().snapshot()?.read(key)?;
        if in_use(before.as_ref())? != Some(definition.clone()) {
            tasks.push(order(app, caller, key, &definition)?);
        }
    }
    Ok(tasks)
}

/// The definition in a stored SearchParameter, where it is in use.
fn in_use(stored: Option<&Stored>) -> Result<Option<Arc<Definition>>> {
    match stored.filter(|stored| stored.method != Method::Delete) {
        Some(stored) => Ok(Definition::read(&parse(stored)?).ok().flatten()),
        None => Ok(None),
    }
}

fn order(
    app: &App,
    caller: Option<&Caller>,
    parameter: &Key,
    definition: &Definition,
) -> Result<Write> {
    let key = Key { resource_type: "Task", id: app.new_id() };
    let requester = match caller {
        Some(caller) => {
            json!({"identifier": {"value": caller.user.id}, "display": caller.user.name})
        }
        None => app.organisation_reference(),
    };
    let now = fhir::time::instant(app.now_ms());
    let task = json!({
        "resourceType": "Task",
        "id": key.id.as_str(),
        "status": "requested",
        "intent": "order",
        "code": {
            "coding": [{"system": jobs::SYSTEM, "code": CODE}],
            "text": format!("Indexing by the search parameter `{}`", definition.code),
        },
        "focus": {"reference": format!("{PARAMETER_TYPE}/{}", parameter.id)},
        "authoredOn": now,
        "lastModified": now,
        "requester": requester,
        "owner": app.organisation_reference(),
        "input": [{"type": {"text": "search parameter"}, "valueCanonical": definition.url}],
    });
    let resource = resource(&task)?;
    Ok(Write::Put { key, resource, expect: Expect::Absent, method: Method::Post })
}

fn resource(task: &Value) -> Result<Resource> {
    Resource::parse(task.to_string())
        .map_err(|e| Error::internal(format!("the task of an indexing is not valid: {e}")))
}

/// What an indexing has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// So much is looked at, of so much.
    Going { done: u64, total: u64 },
    /// The same, and it does not go on.
    OnHold { done: u64, total: u64 },
    /// Everything is indexed.
    Completed,
    /// It will not be done.
    Cancelled(&'static str),
}

/// How far each open Task was, and since when, milliseconds since the Unix epoch.
#[derive(Debug, Default)]
pub struct Seen(HashMap<Id, (u64, i64)>);

/// Brings all open Tasks up to date; whether any is left open.
pub fn follow(app: &App, seen: &mut Seen) -> Result<bool> {
    let code = format!("{}|{CODE}", jobs::SYSTEM);
    let open = [("code", code.as_str()), ("status", "requested,in-progress,on-hold")];
    let open = search("Task", &open).map_err(|e| Error::internal(e.to_string()))?;
    let snapshot = app.store().snapshot()?;
    let tasks = snapshot.load(&snapshot.find(&open, MOST_OPEN, false)?)?;
    // The store takes parameters up between writing them and saying so.
    let is_behind = *app.store().watch().borrow() < snapshot.seq();
    if tasks.is_empty() || is_behind {
        return Ok(!tasks.is_empty());
    }
    let (registry, progress) = (app.store().registry(), app.store().reindex_progress()?);
    let mut newest: HashMap<String, Id> = HashMap::new();
    for task in &tasks {
        let held = newest.entry(focus(task)?).or_insert_with(|| task.key.id.clone());
        // Ids grow with time.
        if task.key.id.as_str() > held.as_str() {
            *held = task.key.id.clone();
        }
    }
    let mut left = false;
    for task in &tasks {
        let focus = focus(task)?;
        let standing = match newest.get(&focus) {
            Some(id) if *id != task.key.id => {
                Standing::Cancelled("a later version of the SearchParameter took its place")
            }
            _ => standing(&*snapshot, &focus, &registry, &progress)?,
        };
        let standing = seen.judge(&task.key.id, standing, app.now_ms());
        left |= matches!(standing, Standing::Going { .. } | Standing::OnHold { .. });
        note(app, task, &standing)?;
    }
    seen.0.retain(|id, _| tasks.iter().any(|task| task.key.id == *id));
    Ok(left)
}

fn focus(task: &Stored) -> Result<String> {
    let focus =
        parse(task)?.get("focus").and_then(|focus| focus.str_at("reference").map(Into::into));
    Ok(focus.unwrap_or_default())
}

/// How far the indexing by the SearchParameter `focus` is.
fn standing(
    snapshot: &dyn Snapshot,
    focus: &str,
    registry: &Registry,
    progress: &[Reindex],
) -> Result<Standing> {
    let id = focus.strip_prefix(PARAMETER_TYPE).and_then(|rest| rest.strip_prefix('/'));
    let key =
        id.and_then(|id| Id::new(id).ok()).map(|id| Key { resource_type: PARAMETER_TYPE, id });
    let stored = key.map(|key| snapshot.read(&key)).transpose()?.flatten();
    let Some(definition) = in_use(stored.as_ref())? else {
        return Ok(Standing::Cancelled("the SearchParameter is no longer in use"));
    };
    let is_known = |name: &&str| {
        registry.find(name, &definition.code).is_some_and(|param| param.url == definition.url)
    };
    if !definition.types.iter().all(is_known) {
        return Ok(Standing::OnHold { done: 0, total: 0 });
    }
    let own = progress.iter().filter(|p| p.url == definition.url && p.code == definition.code);
    let (mut done, mut total, mut types) = (0, 0, 0);
    for of_type in own {
        done += of_type.done;
        total += of_type.total;
        types += 1;
    }
    Ok(if types == 0 { Standing::Completed } else { Standing::Going { done, total } })
}

impl Seen {
    /// The same, or on hold where nothing has moved for long.
    fn judge(&mut self, id: &Id, standing: Standing, now_ms: i64) -> Standing {
        let Standing::Going { done, total } = standing else { return standing };
        let (known, since_ms) = *self.0.entry(id.clone()).or_insert((done, now_ms));
        if known != done {
            self.0.insert(id.clone(), (done, now_ms));
        } else if now_ms - since_ms >= STALLED_MS {
            return Standing::OnHold { done, total };
        }
        Standing::Going { done, total }
    }
}

/// Writes the Task where it says something else.
fn note(app: &App, stored: &Stored, standing: &Standing) -> Result<()> {
    let mut task: Value = serde_json::from_str(&stored.text)
        .map_err(|e| Error::internal(format!("a task cannot be read: {e}")))?;
    let on_hold = "indexing does not go on; it will when the store is free, at the latest at the \
                   next start of the node; searches are right meanwhile";
    let (status, reason, figures) = match standing {
        Standing::Going { done, total } => ("in-progress", None, Some((*done, *total))),
        Standing::OnHold { done, total } => ("on-hold", Some(on_hold), Some((*done, *total))),
        Standing::Completed => ("completed", None, None),
        Standing::Cancelled(reason) => ("cancelled", Some(*reason), None),
    };
    let total = figures.map_or_else(|| output(&task, "total"), |(_, total)| Some(total));
    let done = match standing {
        Standing::Completed => total,
        _ => figures.map_or_else(|| output(&task, "done"), |(done, _)| Some(done)),
    };
    let percent = |done: Option<u64>| match (done, total) {
        (Some(done), Some(total)) if total > 0 => done.saturating_mul(100) / total,
        _ => 0,
    };
    let further = percent(done) >= percent(output(&task, "done")) + STEP_PERCENT;
    if task["status"] == status && !further {
        return Ok(());
    }
    task["status"] = json!(status);
    task["lastModified"] = json!(fhir::time::instant(app.now_ms()));
    if let (Some(done), Some(total)) = (done, total) {
        task["businessStatus"] = json!({"text": format!("{done} of {total} looked at")});
        task["output"] = json!([
            {"type": {"text": "done"}, "valueDecimal": done},
            {"type": {"text": "total"}, "valueDecimal": total},
        ]);
    }
    match (reason, task.as_object_mut()) {
        (Some(reason), _) => task["statusReason"] = json!({"text": reason}),
        (None, Some(members)) => {
            members.remove("statusReason");
        }
        _ => {}
    }
    if matches!(standing, Standing::Completed | Standing::Cancelled(_)) {
        task["executionPeriod"] =
            json!({"start": task["authoredOn"], "end": fhir::time::instant(app.now_ms())});
    }
    let (key, expect) = (stored.key.clone(), Expect::Version(stored.version));
    let write = Write::Put { key, resource: resource(&task)?, expect, method: Method::Put };
    match app.store().commit(Transaction { writes: vec![write], ..Default::default() }) {
        // Somebody wrote it meanwhile; it is looked at again.
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A figure that a Task shows.
fn output(task: &Value, name: &str) -> Option<u64> {
    let list = task["output"].as_array()?;
    list.iter().find(|one| one["type"]["text"] == name)?["valueDecimal"].as_u64()
}

/// Keeps the Tasks up to date until the node stops.
pub async fn run(app: App, mut stopped: watch::Receiver<bool>) {
    let mut commits = app.store().watch();
    let mut seen = Seen::default();
    let mut registry = app.store().registry();
    let mut open = true;
    loop {
        if open {
            let (mut carried, mut outcome) = (std::mem::take(&mut seen), Ok(true));
            let followed = app.run(move |app| {
                let left = follow(app, &mut carried);
                Ok((carried, left))
            });
            if let Ok((back, left)) = followed.await {
                (seen, outcome) = (back, left);
            }
            open = outcome.unwrap_or_else(|error| {
                tracing::error!(reason = %error.message, "indexing cannot be followed");
                true
            });
        }
        let news = async {
            match open {
                true => tokio::time::sleep(EVERY).await,
                // The store has another registry when a SearchParameter was written.
                false => {
                    while commits.changed().await.is_ok() {
                        if !Arc::ptr_eq(&registry, &app.store().registry()) {
                            break;
                        }
                    }
                }
            }
        };
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = news => {}
        }
        registry = app.store().registry();
        open = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_move_is_on_hold_until_it_does() {
        let (mut seen, id) = (Seen::default(), Id::new("t").unwrap());
        let total = 100;
        let mut judge = |done, now_ms| seen.judge(&id, Standing::Going { done, total }, now_ms);
        assert_eq!(judge(10, 0), Standing::Going { done: 10, total });
        assert_eq!(judge(10, STALLED_MS - 1), Standing::Going { done: 10, total });
        assert_eq!(judge(10, STALLED_MS), Standing::OnHold { done: 10, total });
        assert_eq!(judge(20, STALLED_MS + 1), Standing::Going { done: 20, total });
        assert_eq!(judge(20, 2 * STALLED_MS), Standing::Going { done: 20, total });
        assert_eq!(seen.judge(&id, Standing::Completed, 0), Standing::Completed);
    }
}
