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
/// Patients whose consents name somebody, and writes beside them.
const NAMED: (usize, usize) = (1_000, 200);
const QUICK_NAMED: (usize, usize) = (100, 50);
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
    table.part(
        "writes that one subscription is told of, each by itself, beside consents that name people",
    );
    let (consents, writes) = if quick { QUICK_NAMED } else { NAMED };
    let mut costs = Vec::new();
    for (count, what) in [
        (0, "no consents"),
        (consents, "consents, of which none is about the subscriber"),
        (consents, "consents, each about the subscriber"),
    ] {
        let folder = tempfile::Builder::new().prefix("consilium-bench-").tempdir()?;
        let place = prepare(folder.path(), &sites(1))?.into_iter().next().ok_or("no hospital")?;
        let node = place.open()?;
        let is_about_them = what.ends_with("each about the subscriber");
        let cost = beside_consents(&node.app, count, is_about_them, writes)?;
        table.fact(&format!("{count} {what}: writing, matching and numbering"), &us(cost));
        costs.push(cost);
    }
    if let [none, named, about] = costs.as_slice() {
        for (what, cost) in [("naming others", named), ("naming the subscriber", about)] {
            let times = cost / none;
            let what = format!("beside {consents} consents {what}, against none");
            table.aimed(&what, &format!("{times:.2} times"), "<= 2", times <= MOST);
        }
    }
    Ok(())
}

/// Microseconds that one write takes with finding who is told of it, where each is followed by
/// itself and `count` patients have consents that name one person.
fn beside_consents(
    app: &App,
    count: usize,
    is_about_them: bool,
    writes: usize,
) -> Result<f64, Fault> {
    let caller = caller(app)?;
    // An account that nothing is known of may be whoever is named; one that is known is not.
    let named = match is_about_them {
        true => json!({"reference": "Practitioner/7"}),
        false => json!({"identifier": {"system": "urn:consilium:org:elsewhere", "value": "other"}}),
    };
    for number in 0..count {
        let patient = json!({"resourceType": "Patient", "gender": "unknown"});
        let patient = put(app, &caller, &patient)?;
        put(app, &caller, &record(&patient, number))?;
        put(app, &caller, &denial(&patient, &named))?;
    }
    put(app, &caller, &subscription(0))?;
    let mut feed = Feed::open(app.clone()).map_err(|e| e.message)?;
    follow(&mut feed)?;
    let started = Instant::now();
    for _ in 0..writes {
        put(app, &caller, &observation(0))?;
        follow(&mut feed)?;
    }
    let cost = started.elapsed().as_secs_f64() * 1e6 / writes as f64;
    let told: u64 = feed.live().map(|(_, live)| live.events).sum();
    match told == writes as u64 {
        true => Ok(cost),
        false => Err(format!("{writes} writes pulled {told} events").into()),
    }
}

fn record(patient: &str, number: usize) -> Value {
    json!({"resourceType": "Condition", "subject": {"reference": format!("Patient/{patient}")},
        "code": {"coding": [{"system": "http://loinc.org", "code": format!("c{number}")}]}})
}

/// A consent by which one person is kept from the conditions of a patient.
fn denial(patient: &str, named: &Value) -> Value {
    json!({
        "resourceType": "Consent", "status": "active",
        "scope": {"coding": [{"code": "patient-privacy",
            "system": "http://terminology.hl7.org/CodeSystem/consentscope"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": format!("Patient/{patient}")},
        "dateTime": "2024-05-01T08:00:00Z", "policy": [{"uri": "https://example.org/policy"}],
        "provision": {"type": "deny",
            "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Condition"}],
            "actor": [{"role": {"coding": [{"code": "IRCP",
                "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"}]},
                "reference": named}]},
    })
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

fn put(app: &App, caller: &Caller, value: &Value) -> Result<String, Fault> {
    let resource = Resource::parse(value.to_string())?;
    let kind = fhir::definitions::resource_type(resource.type_name()).ok_or("an unknown type")?;
    let written = create(app, caller, kind, resource, None).map_err(|e| e.message)?;
    Ok(written.key.id.to_string())
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
