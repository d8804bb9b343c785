//! What it costs to ask who may: a point read of the store alone, and the same behind the session,
//! the policy, the consents and the scope, as every request has them before it.

use std::time::{Duration, Instant};

use app::authorise::{Action, authorise};
use app::{App, Caller, session};
use store::Key;

use crate::client::Fault;
use crate::figures::Table;

/// Reads of each kind in a round, and rounds; the two kinds take turns, so that both see the same
/// machine.
const READS: usize = 2_000;
const ROUNDS: usize = 15;
/// Consents that name somebody else.
const CONSENTS: usize = 20;

/// Prints what both cost. Blocks. `keys` are resources that the bearer of `token` may read.
pub fn measure(app: &App, token: &str, keys: &[Key], table: &mut Table) -> Result<(), Fault> {
    table.part("permission of a point read, without HTTP and without the audit entry");
    with_consents(app, keys)?;
    let mut alone = Vec::new();
    let mut asked = Vec::new();
    for _ in 0..ROUNDS {
        alone.push(timed(keys, |key| {
            app.store().read(key)?;
            Ok(())
        })?);
        asked.push(timed(keys, |key| {
            let caller = caller(app, token)?;
            let permit = authorise(app, &caller, Action::reading(key.resource_type));
            permit.map_err(|e| e.message)?;
            app.store().read(key)?;
            Ok(())
        })?);
    }
    let (alone, asked) = (median(alone), median(asked));
    let each = |time: Duration| format!("{:.2} µs", time.as_secs_f64() * 1e6 / READS as f64);
    table.fact("read of the store alone", &each(alone));
    table.fact("session, policy, consents and scope before it", &each(asked));
    let ratio = asked.as_secs_f64() / alone.as_secs_f64().max(1e-9);
    table.aimed(
        "an authorised read to one that nobody asked for",
        &format!("{ratio:.2}"),
        "<= 1.3",
        ratio <= 1.3,
    );
    Ok(())
}

fn timed(keys: &[Key], mut read: impl FnMut(&Key) -> Result<(), Fault>) -> Result<Duration, Fault> {
    let started = Instant::now();
    for key in keys.iter().cycle().take(READS) {
        read(key)?;
    }
    Ok(started.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn caller(app: &App, token: &str) -> Result<Caller, Fault> {
    let user = match session::known_user(app, token) {
        Some(known) => known,
        None => session::user(app, token),
    };
    let user = user.map_err(|e| e.message)?;
    Ok(Caller {
        purpose: app::authorise::default_purpose(&user),
        user,
        evidence: None,
        request_id: String::new(),
        address: String::new(),
        granted: None,
    })
}

/// Lets patients decide about somebody, so that there is something to look at.
fn with_consents(app: &App, keys: &[Key]) -> Result<(), Fault> {
    let consent = |(number, _): (usize, &Key)| {
        serde_json::json!({
            "resourceType": "Consent", "id": format!("bench-{number}"), "status": "active",
            "scope": {"coding": [{"code": "patient-privacy",
                "system": "http://terminology.hl7.org/CodeSystem/consentscope"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": format!("Patient/bench-{number}")},
            "dateTime": "2024-05-01T08:00:00Z",
            "policy": [{"uri": "https://example.org/policy"}],
            "provision": {"type": "deny", "actor": [{
                "role": {"coding": [{"code": "IRCP",
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"}]},
                "reference": {"reference": "Practitioner/somebody-else"}}]},
        })
    };
    let lines = keys.iter().enumerate().take(CONSENTS).map(consent);
    let lines = lines.map(|line| line.to_string().into_bytes()).collect();
    let import = app::records::import::Import::new(app);
    let report = import.take_lines("bench", lines).map_err(|e| e.message)?;
    match report.refused.first() {
        Some((at, reason)) => Err(format!("consent {at} was not taken: {reason}").into()),
        None => Ok(()),
    }
}
