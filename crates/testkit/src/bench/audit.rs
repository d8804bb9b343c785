//! What the audit costs: the same writes with and without their entries, and the tree over a long log
//! when a node starts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use app::audit::event::{Event, Pattern};
use app::audit::ledger::Ledger;
use app::{App, Caller};
use fhir::{Id, Resource};
use serde_json::json;
use store::{Expect, Key, Method, Pending, Transaction, Write};
use synthetic::sites;

use super::Settings;
use super::subscriptions::caller;
use crate::client::Fault;
use crate::figures::{Table, ms};
use crate::network::prepare;

/// Writes of one round, with entries and without, and how many rounds of each.
const WRITES: usize = 20_000;
const QUICK_WRITES: usize = 1_000;
const ROUNDS: usize = 3;
/// Writes that are on their way at a time, as many programs at once would have them.
const AT_ONCE: usize = 64;
/// Entries of the long log, and how many are committed together.
const ENTRIES: usize = 1_000_000;
const QUICK_ENTRIES: usize = 10_000;
const GROUP: usize = 500;
/// The share of throughput that the audit may take.
const MOST: f64 = 0.15;

/// Measures both. Blocks.
pub fn measure(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    let folder = tempfile::Builder::new().prefix("consilium-bench-").tempdir()?;
    let place = prepare(folder.path(), &sites(1))?.into_iter().next().ok_or("no hospital")?;
    let app = place.open()?.app;
    let caller = caller(&app)?;
    table.part("one resource a write, with its audit entry and without, by turns");
    let writes = if settings.quick { QUICK_WRITES } else { WRITES };
    let mut best = [Duration::MAX; 2];
    for _ in 0..ROUNDS {
        for (audited, best) in best.iter_mut().enumerate() {
            *best = (*best).min(round(&app, &caller, writes, audited == 1)?);
        }
    }
    let [plain, audited] = best.map(|time| writes as f64 / time.as_secs_f64());
    table.fact("without: the quickest of the rounds", &format!("{plain:.0} writes/s"));
    table.fact("with: the quickest of the rounds", &format!("{audited:.0} writes/s"));
    let share = 1.0 - audited / plain;
    let reached = format!("{:.1} %", share * 100.0);
    table.aimed("throughput that the audit takes", &reached, "<= 15 %", share <= MOST);

    let entries = if settings.quick { QUICK_ENTRIES } else { ENTRIES };
    table.part(&format!("the tree over a log of {entries} entries"));
    let mut log = Vec::with_capacity(GROUP);
    for _ in 0..entries.div_ceil(GROUP) {
        for _ in 0..GROUP {
            log.push(
                Event::by(&caller, Pattern::Read)
                    .data("Observation/o-1")
                    .write(&app)
                    .map_err(|e| e.message)?,
            );
        }
        app.store()
            .commit(Transaction { writes: std::mem::take(&mut log), ..Default::default() })?;
    }
    let snapshot = app.store().snapshot()?;
    let ledger = Ledger::default();
    let started = Instant::now();
    let head = ledger.head(&*snapshot).map_err(|e| e.message)?;
    table.fact(
        &format!("made from {} leaves, as after a start", head.number),
        &ms(started.elapsed()),
    );
    let started = Instant::now();
    ledger.inclusion(&*snapshot, head.number / 2, head.number).map_err(|e| e.message)?;
    table.fact("one proof of an entry after that", &ms(started.elapsed()));
    Ok(())
}

/// How long so many writes take.
fn round(app: &App, caller: &Caller, writes: usize, audited: bool) -> Result<Duration, Fault> {
    let patient = Id::new("p-1").map_err(|e| e.to_string())?;
    let mut waiting: VecDeque<Pending> = VecDeque::with_capacity(AT_ONCE);
    let started = Instant::now();
    for _ in 0..writes {
        let id = app.new_id();
        let observation = json!({
            "resourceType": "Observation", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {"reference": "Patient/p-1"},
            "effectiveDateTime": "2024-05-14T12:00:00Z",
            "valueQuantity": {"value": 72, "unit": "/min"},
        });
        let resource = Resource::parse(observation.to_string()).map_err(|e| e.to_string())?;
        let reference = format!("Observation/{id}");
        let key = Key { resource_type: "Observation", id };
        let mut all =
            vec![Write::Put { key, resource, expect: Expect::Absent, method: Method::Post }];
        if audited {
            let event = Event::by(caller, Pattern::Create).patients([patient.clone()]);
            all.push(event.data(reference).write(app).map_err(|e| e.message)?);
        }
        waiting.push_back(app.store().submit(Transaction { writes: all, ..Default::default() }));
        if waiting.len() >= AT_ONCE
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.wait()?;
        }
    }
    for pending in waiting {
        pending.wait()?;
    }
    Ok(started.elapsed())
}
