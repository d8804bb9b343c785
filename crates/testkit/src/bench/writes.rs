//! Writes over HTTP: how small ones fare while large transactions run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use identity::Role;
use node::serve;
use serde_json::{Value, json};

use super::Settings;
use super::import::Filled;
use crate::client::{Client, Fault};
use crate::figures::{Table, Times, ms};
use crate::network::account;

/// Entries of a large transaction.
const LARGE: usize = 3400;
/// Large transactions that run one after the other.
const LARGE_ONES: usize = 8;
const QUICK_LARGE_ONES: usize = 2;
/// Small writes while nothing else happens.
const SMALL: usize = 600;
const QUICK_SMALL: usize = 100;
/// Who writes them, and how long each waits before the next.
const WRITERS: usize = 2;
const PAUSE: Duration = Duration::from_millis(5);

/// A node that is being asked, and a session there.
struct Door {
    running: serve::Running,
    client: Client,
}

async fn open(filled: &Filled, name: &'static str) -> Result<Door, Fault> {
    let place = filled.place.clone();
    let (node, account) = tokio::task::spawn_blocking(move || -> Result<_, Fault> {
        let node = place.open()?;
        let account = account(&node.app, Role::Clinician, name, None)?;
        Ok((node, account))
    })
    .await??;
    let running = serve::start(node).await?;
    Ok(Door { client: Client::sign_in(&account).await?, running })
}

/// Posts small resources at a quiet node, and while large transactions run.
pub async fn fairness(
    settings: &Settings,
    filled: &Filled,
    table: &mut Table,
) -> Result<(), Fault> {
    table.part(&format!("small writes while transactions of {LARGE} entries run"));
    let door = open(filled, "bench-fairness").await?;
    let count = if settings.quick { QUICK_SMALL } else { SMALL };
    let idle = small(&door.client, Arc::default(), count).await?;
    table.fact("at a quiet node", &line(&idle));
    let large_ones = if settings.quick { QUICK_LARGE_ONES } else { LARGE_ONES };
    let end = Arc::new(AtomicBool::new(false));
    let large = {
        let (post, end) = (Post::new(&door.client)?, end.clone());
        tokio::spawn(async move {
            let mut times = Times::default();
            let mut outcome = Ok(());
            for number in 0..large_ones {
                match post.send("", large(number)).await {
                    Ok(time) => times.push(time),
                    Err(fault) => outcome = Err(fault),
                }
            }
            end.store(true, Ordering::Relaxed);
            outcome.map(|()| times)
        })
    };
    let busy = small(&door.client, end, usize::MAX).await?;
    let large = large.await??;
    table.fact("while large transactions run", &line(&busy));
    table.fact("large transactions", &line(&large));
    let ratio = |share| {
        busy.percentile(share).as_secs_f64() / idle.percentile(share).as_secs_f64().max(1e-9)
    };
    let what = "p99 of small writes, times that of a quiet node";
    table.aimed(what, &format!("{:.1}", ratio(0.99)), "<= 5", ratio(0.99) <= 5.0);
    let _ = tokio::time::timeout(Duration::from_secs(5), door.running.stop()).await;
    Ok(())
}

fn line(times: &Times) -> String {
    format!(
        "{:>6} of them  p50 {:>8}  p99 {:>8}  longest {:>8}",
        times.len(),
        ms(times.percentile(0.5)),
        ms(times.percentile(0.99)),
        ms(times.percentile(1.0))
    )
}

/// Small writes by some writers with pauses, until `end` or until there are `most`.
async fn small(client: &Client, end: Arc<AtomicBool>, most: usize) -> Result<Times, Fault> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (post, next, end) = (Post::new(client)?, next.clone(), end.clone());
        tasks.spawn(async move {
            let mut times = Times::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= most || end.load(Ordering::Relaxed) {
                    return Ok::<Times, Fault>(times);
                }
                let body = observation("Patient/small", number).to_string();
                times.push(post.send("/Observation", body).await?);
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    let mut times = Times::default();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    Ok(times)
}

/// A connection for posting.
struct Post {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Post {
    fn new(client: &Client) -> Result<Self, Fault> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        let base = format!("{}/fhir", client.account.base);
        Ok(Self { http, base, token: client.token().to_owned() })
    }

    async fn send(&self, path: &str, body: String) -> Result<Duration, Fault> {
        let asked = Instant::now();
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.token);
        let request = request.header("content-type", "application/fhir+json");
        let answer = request.header("prefer", "return=minimal").body(body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        match status.is_success() {
            true => Ok(asked.elapsed()),
            false => Err(format!("{path}: {status} {text:.200}").into()),
        }
    }
}

fn bundle(entries: Vec<Value>) -> String {
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).to_string()
}

fn created(url: &str, resource: Value) -> Value {
    let kind = resource["resourceType"].clone();
    json!({"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": kind}})
}

fn uuid(number: usize, entry: usize) -> String {
    format!("urn:uuid:5a0e3f2c-0000-4000-8000-{number:06x}{entry:06x}")
}

fn observation(patient: &str, number: usize) -> Value {
    let (day, month) = (number % 28 + 1, number / 28 % 12 + 1);
    json!({
        "resourceType": "Observation", "status": "final",
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "laboratory", "display": "laboratory",
        }]}],
        "code": {"coding": [{
            "system": "http://loinc.org", "code": format!("{}-{}", 2000 + number % 97, number % 10),
            "display": "a quantity in serum or plasma",
        }], "text": "a quantity in serum or plasma"},
        "subject": {"reference": patient},
        "effectiveDateTime": format!("2024-{month:02}-{day:02}T08:15:00Z"),
        "issued": format!("2024-{month:02}-{day:02}T08:15:00.000Z"),
        "valueQuantity": {
            "value": number % 1000, "unit": "mg/dL",
            "system": "http://unitsofmeasure.org", "code": "mg/dL",
        },
    })
}

/// A Patient and observations that refer to it.
fn large(number: usize) -> String {
    let url = uuid(number, 0);
    let patient = json!({
        "resourceType": "Patient", "gender": "female", "birthDate": "1970-01-01",
        "name": [{"family": format!("Large{number}"), "given": ["Anna"]}],
    });
    let mut entries = vec![created(&url, patient)];
    entries.extend((1..LARGE).map(|at| created(&uuid(number, at), observation(&url, at))));
    bundle(entries)
}
