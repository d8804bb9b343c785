//! What the audit costs: the same writes with and without their entries, at a node's door and in its
//! store, and the tree over a long log when a node starts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use app::audit::event::{Event, Pattern};
use app::audit::ledger::Ledger;
use app::{App, Caller};
use fhir::{Id, Resource};
use serde_json::json;
use store::{Expect, Key, Method, Pending, Transaction, Write};
use synthetic::sites;

use super::Settings;
use super::server::Server;
use super::subscriptions::caller;
use super::wire::{Ask, load};
use super::workload::{observations, transactions};
use crate::client::Fault;
use crate::figures::{Table, ms};
use crate::network::prepare;

/// Writes of one round, with entries and without, and how many rounds of each.
const WRITES: usize = 20_000;
const QUICK_WRITES: usize = 1_000;
const ROUNDS: usize = 3;
/// Writes that are on their way at a time, as many programs at once would have them.
const AT_ONCE: usize = 64;
/// Clients that write at a node's door, writes of a round and rounds.
const CLIENTS: usize = 32;
const AT_THE_DOOR: usize = 4_000;
const QUICK_AT_THE_DOOR: usize = 300;
const TURNS: usize = 5;
/// Entries of the long log, and how many are committed together.
const ENTRIES: usize = 1_000_000;
const QUICK_ENTRIES: usize = 10_000;
const GROUP: usize = 500;
/// The share of throughput that the audit may take.
const MOST: f64 = 0.15;

/// What one kind of write costs a server, in seconds of the clock and of its CPU: until it was
/// answered, and until all that it left behind was done.
#[derive(Clone, Copy, Default)]
struct Cost {
    clock: f64,
    answered: f64,
    done: f64,
}

/// One of its sides.
type Side = fn(&Cost) -> f64;

/// Two nodes beside, one of which keeps an audit, are written to by turns.
pub async fn at_the_door(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    let [plain, audited] =
        [Server::of_this_program(false).await?, Server::of_this_program(true).await?];
    let writes = if settings.quick { QUICK_AT_THE_DOOR } else { AT_THE_DOOR };
    let all = writes * (TURNS + 1);
    let kinds = [
        ("one resource a request", observations(&plain.base, all)),
        ("transactions of two resources", transactions(&plain.base, all)),
    ];
    for (kind, asks) in kinds {
        table.part(&format!("{kind} over HTTP by {CLIENTS} clients, with the audit and without"));
        let mut costs = [const { Vec::new() }; 2];
        for (turn, asks) in asks.chunks(writes).enumerate() {
            let asks = Arc::new(asks.to_vec());
            for (server, costs) in [&plain, &audited].into_iter().zip(&mut costs) {
                let cost = written(server, asks.clone()).await?;
                // The first turn fills what is filled once.
                if turn > 0 {
                    costs.push(cost);
                }
            }
        }
        let each = |costs: &Vec<Cost>, of: Side| -> f64 {
            let mut all: Vec<f64> = costs.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or_default() * 1e6 / writes as f64
        };
        let [plain, audited] = &costs;
        let sides: [(&str, Side); 3] = [
            ("server's CPU until it is answered", |cost| cost.answered),
            ("server's CPU with what it does afterwards", |cost| cost.done),
            ("time between two answers", |cost| cost.clock),
        ];
        for (what, of) in sides {
            let (without, with) = (each(plain, of), each(audited, of));
            let share = 1.0 - without / with.max(1e-9);
            let reached = format!("{without:.0} µs, {with:.0} µs: {:.1} %", share * 100.0);
            table.aimed(&format!("{kind}: {what}"), &reached, "<= 15 %", share <= MOST);
        }
    }
    Ok(())
}

/// Sends so many writes and waits until the server has come to rest.
async fn written(server: &Server, asks: Arc<Vec<Ask>>) -> Result<Cost, Fault> {
    let (before, count) = (server.cpu()?, asks.len());
    let reached = load(&server.door, asks, CLIENTS, count).await?;
    let answered = server.cpu()? - before;
    let done = server.rest().await? - before;
    match reached.failed.1 {
        Some(first) => Err(first.into()),
        None => Ok(Cost { clock: reached.took.as_secs_f64(), answered, done }),
    }
}

/// Measures the store and the tree. Blocks.
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
