//! What a write costs beside subscriptions: the write itself, and finding who is told of it.

use std::time::Instant;

use app::notify::feed::Feed;
use app::records::write::create;
use app::{App, Caller, User};
use fhir::Resource;
use identity::Role;
use serde_json::{Value, json};
use synthetic::sites;

use crate::client::Fault;
use crate::figures::Table;
use crate::network::{account, prepare};

/// Subscriptions with criteria of their own.
const COUNTS: [usize; 3] = [0, 10, 1000];
const QUICK_COUNTS: [usize; 3] = [0, 10, 100];
/// Writes at each number of subscriptions, each of which one subscription is told of.
const WRITES: usize = 1000;
const QUICK_WRITES: usize = 100;
/// Evaluations that one change may cost, however many subscriptions there are.
const MOST: f64 = 2.0;

/// Measures in a fresh node for each number of subscriptions. Blocks.
pub fn measure(quick: bool, table: &mut Table) -> Result<(), Fault> {
    table.part("writes beside subscriptions with different criteria; one is told of each write");
    let (counts, writes) = if quick { (QUICK_COUNTS, QUICK_WRITES) } else { (COUNTS, WRITES) };
    for count in counts {
        let folder = tempfile::Builder::new().prefix("consilium-bench-").tempdir()?;
        let place = prepare(folder.path(), &sites(1))?.into_iter().next().ok_or("no hospital")?;
        let node = place.open()?;
        beside(&node.app, count, writes, table)?;
    }
    Ok(())
}

fn beside(app: &App, count: usize, writes: usize, table: &mut Table) -> Result<(), Fault> {
    let caller = caller(app)?;
    for number in 0..count {
        put(app, &caller, &subscription(number))?;
    }
    let mut feed = Feed::open(app.clone()).map_err(|e| e.message)?;
    follow(&mut feed)?;
    let started = Instant::now();
    for number in 0..writes {
        put(app, &caller, &observation(number % count.max(1)))?;
    }
    let written = started.elapsed().as_secs_f64() * 1e6 / writes as f64;
    let (started, before) = (Instant::now(), feed.evaluated());
    follow(&mut feed)?;
    let matched = started.elapsed().as_secs_f64() * 1e6 / writes as f64;
    let evaluated = (feed.evaluated() - before) as f64 / writes as f64;
    let told: u64 = feed.live().map(|(_, live)| live.events).sum();
    if told != if count == 0 { 0 } else { writes as u64 } {
        return Err(format!("{writes} writes pulled {told} events").into());
    }
    table.fact(&format!("{count} subscriptions: one write with its audit entry"), &us(written));
    table.fact(&format!("{count} subscriptions: matching and numbering it"), &us(matched));
    let what = format!("{count} subscriptions: evaluations for one write");
    table.aimed(&what, &format!("{evaluated:.2}"), "<= 2", evaluated <= MOST);
    Ok(())
}

fn us(microseconds: f64) -> String {
    format!("{microseconds:.0} us")
}

fn follow(feed: &mut Feed) -> Result<(), Fault> {
    while feed.step().map_err(|e| e.message)? {}
    Ok(())
}

fn put(app: &App, caller: &Caller, value: &Value) -> Result<(), Fault> {
    let resource = Resource::parse(value.to_string())?;
    let kind = fhir::definitions::resource_type(resource.type_name()).ok_or("an unknown type")?;
    create(app, caller, kind, resource, None).map_err(|e| e.message)?;
    Ok(())
}

/// A websocket that nobody has opened: events are numbered and wait.
fn subscription(number: usize) -> Value {
    let backport = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
    json!({
        "resourceType": "Subscription", "status": "requested", "reason": "bench",
        "criteria": format!("Observation?status=final&code=http://loinc.org|b{number}"),
        "channel": {
            "type": "websocket", "payload": "application/fhir+json",
            "_payload": {"extension": [
                {"url": format!("{backport}backport-payload-content"), "valueCode": "id-only"}]},
        },
    })
}

fn observation(number: usize) -> Value {
    json!({
        "resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": format!("b{number}")}]},
        "valueQuantity": {"value": number, "unit": "1"},
    })
}

/// Somebody who may write at a node that was opened for measuring.
pub(super) fn caller(app: &App) -> Result<Caller, Fault> {
    let made = account(app, Role::Clinician, "bench-subscriber", None)?;
    let known = app.identity().accounts().find(&made.username)?.ok_or("no account")?;
    Ok(Caller {
        user: User {
            id: known.id,
            role: known.role.code().to_owned(),
            name: known.display_name,
            patient: None,
            practitioner: None,
            acting: None,
            amr: Vec::new(),
            auth_time_ms: app.now_ms(),
            mfa_time_ms: None,
        },
        purpose: "TREAT".into(),
        evidence: None,
        request_id: "bench".into(),
        address: "bench".into(),
        granted: None,
    })
}
