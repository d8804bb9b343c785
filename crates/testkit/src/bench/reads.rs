//! Reads and searches over HTTP, by one client and by many, each with its audit entry.

use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::audit::verify::{Verdict, verify};
use fhir::Id;
use identity::Role;
use node::serve;
use serde_json::Value;
use store::Key;

use super::Settings;
use super::import::Filled;
use super::permission;
use super::wire::{self, Ask, Door, Reached};
use crate::client::{Client, Fault};
use crate::figures::{Table, Times, cpu_seconds, ms};
use crate::network::account;

/// Requests of each kind at each number of clients.
const REQUESTS: usize = 3000;
const QUICK_REQUESTS: usize = 200;
const CLIENTS: [usize; 3] = [1, 8, 32];

/// Serves the node of `filled` and asks it.
pub async fn measure(settings: &Settings, filled: &Filled, table: &mut Table) -> Result<(), Fault> {
    table.part(&format!(
        "reads and searches over HTTP in {} resources; clients share the machine",
        filled.resources
    ));
    let place = filled.place.clone();
    let (node, account) = tokio::task::spawn_blocking(move || -> Result<_, Fault> {
        let node = place.open()?;
        let account = account(&node.app, Role::Clinician, "bench-reads", None)?;
        Ok((node, account))
    })
    .await??;
    let running = serve::start(node).await?;
    let client = Client::sign_in(&account).await?;
    let kinds = addresses(&client).await?;
    let before = audit_entries(&running.app).await?;
    let requests = if settings.quick { QUICK_REQUESTS } else { REQUESTS };
    let mut asked = 0;
    for (name, urls) in &kinds {
        for clients in CLIENTS {
            let load = load(&client, urls, clients, requests).await?;
            asked += load.times.len();
            let what = format!("{name}, {clients} clients");
            table.fact(&what, &load.line());
        }
    }
    let entries = audit_entries(&running.app).await? - before;
    table.aimed(
        "audit entries written by those requests",
        &entries.to_string(),
        &format!(">= {asked}"),
        entries >= asked as u64,
    );
    let (app, token) = (running.app.clone(), client.token().to_owned());
    let keys = kinds.iter().take(1).flat_map(|(_, urls)| urls).filter_map(|url| {
        let id = url.rsplit('/').next().and_then(|id| Id::new(id).ok())?;
        Some(Key { resource_type: "Observation", id })
    });
    let keys: Vec<Key> = keys.collect();
    let permission = tokio::task::spawn_blocking(move || -> Result<_, Fault> {
        let mut own = Table::default();
        permission::measure(&app, &token, &keys, &mut own)?;
        Ok(own)
    });
    table.join(permission.await??);
    let _ = tokio::time::timeout(Duration::from_secs(5), running.stop()).await;
    Ok(())
}

async fn audit_entries(app: &App) -> Result<u64, Fault> {
    let app = app.clone();
    let count = move || -> Result<u64, Fault> {
        let snapshot = app.store().snapshot()?;
        match verify(&*snapshot, &[], &mut |_| {}).map_err(|e| e.message)? {
            Verdict::Sound(head) => Ok(head.number),
            Verdict::Broken(fault) => Err(format!("the audit is broken: {fault}").into()),
        }
    };
    tokio::task::spawn_blocking(count).await?
}

/// What to ask, found by asking.
async fn addresses(client: &Client) -> Result<Vec<(&'static str, Vec<String>)>, Fault> {
    let bundle = |text: String| -> Result<Vec<Value>, Fault> {
        let mut bundle: Value = serde_json::from_str(&text)?;
        let entries = bundle["entry"].as_array_mut().map(std::mem::take).unwrap_or_default();
        Ok(entries.into_iter().map(|mut entry| entry["resource"].take()).collect())
    };
    let observations = bundle(client.get("/fhir/Observation?_count=500").await?)?;
    let patients = bundle(client.get("/fhir/Patient?_count=100").await?)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let reads =
        observations.iter().filter_map(|o| Some(format!("/fhir/Observation/{}", text(&o["id"])?)));
    let by_code = observations.iter().filter_map(|o| {
        let patient = text(&o["subject"]["reference"])?;
        let code = text(&o["code"]["coding"][0]["code"])?;
        Some(format!("/fhir/Observation?patient={patient}&code={code}&_count=20"))
    });
    let by_name = patients.iter().filter_map(|p| {
        let family = text(&p["name"][0]["family"])?;
        let plain = family.chars().all(|c| c.is_ascii_alphanumeric());
        plain.then(|| format!("/fhir/Patient?name={family}&_count=20"))
    });
    let kinds = vec![
        ("point read", reads.collect::<Vec<_>>()),
        ("search Observation by patient and code", by_code.collect()),
        ("search Patient by name", by_name.collect()),
    ];
    match kinds.iter().find(|(_, urls)| urls.is_empty()) {
        Some((name, _)) => Err(format!("there is nothing to ask for: {name}").into()),
        None => Ok(kinds),
    }
}

struct Load {
    times: Times,
    took: Duration,
    cpu: f64,
}

impl Load {
    fn line(&self) -> String {
        let count = self.times.len() as f64;
        format!(
            "{:>6.0}/s  p50 {:>8}  p99 {:>8}  {:>6.0} per CPU second",
            count / self.took.as_secs_f64().max(1e-9),
            ms(self.times.percentile(0.5)),
            ms(self.times.percentile(0.99)),
            count / self.cpu.max(1e-9),
        )
    }
}

/// CPU time is that of the whole process: the clients' is in it.
async fn load(
    client: &Client,
    urls: &[String],
    clients: usize,
    requests: usize,
) -> Result<Load, Fault> {
    let address = client.account.base.trim_start_matches("http://").parse()?;
    let door = Door { address, token: Some(client.token().to_owned()) };
    let asks = Arc::new(urls.iter().map(Ask::get).collect());
    let cpu = cpu_seconds()?;
    let Reached { times, took, failed, .. } = wire::load(&door, asks, clients, requests).await?;
    match failed.1 {
        Some(first) => Err(first.into()),
        None => Ok(Load { times, took, cpu: cpu_seconds()? - cpu }),
    }
}
