//! Servers side by side: the same client sends the same requests to each, one server at a time, and
//! each is measured from outside by the time, memory and disk of its process.

use std::path::PathBuf;
use std::sync::Arc;

use super::Settings;
use super::server::{Peer, Server, peers};
use super::wire::{Ask, Connection, load};
use super::workload::{Kind, Stored, Workload, kinds, transactions};
use crate::client::Fault;
use crate::figures::{Table, ms, say};
use crate::population::Bundles;

/// Clients where many ask at once.
const MANY: usize = 32;
/// Requests sent by one client alone, to see how long one takes.
const ALONE: usize = 300;
/// Transactions of two resources.
const TRANSACTIONS: usize = 4_000;

/// Which servers, and how much of the data.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The file that names the peers.
    pub file: PathBuf,
    /// Where the peers' programs are, besides the path.
    pub programs: Option<PathBuf>,
    /// Patients to load.
    pub patients: usize,
    /// Leave the peers out.
    pub alone: bool,
    /// Only the kinds of questions whose names contain this.
    pub only: Option<String>,
}

/// Measures Consilium and every peer that is installed.
pub async fn measure(settings: &Settings, choice: &Choice, table: &mut Table) -> Result<(), Fault> {
    let data = settings.data.as_deref().ok_or("the comparison needs Synthea's bundles: --data")?;
    let workload = Workload::new(Bundles::read(data)?, choice.patients)?;
    let ours = Server::consilium().await?;
    run(ours, &workload, settings.quick, choice, true, table).await?;
    let others: Vec<Peer> = if choice.alone { Vec::new() } else { peers(&choice.file)? };
    for peer in others {
        match Server::peer(&peer, choice.programs.as_deref()).await? {
            Some(server) => run(server, &workload, settings.quick, choice, false, table).await?,
            None => say(&format!("\n{} is not installed: {}", peer.name, peer.install)),
        }
    }
    Ok(())
}

async fn run(
    server: Server,
    workload: &Workload,
    quick: bool,
    choice: &Choice,
    ours: bool,
    table: &mut Table,
) -> Result<(), Fault> {
    let wanted = |name: &str| choice.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    table.part(&server.name);
    let stored = import(&server, workload, ours, table).await?;
    let kinds = kinds(&server.base, &stored, &workload.codes);
    for kind in kinds.into_iter().filter(|kind| wanted(kind.name)) {
        ask(&server, kind, quick, ours, table).await?;
    }
    let base = if server.base.is_empty() { "/" } else { &server.base };
    let count = if quick { TRANSACTIONS / 20 } else { TRANSACTIONS };
    let kind = Kind {
        name: "transaction of two resources",
        asks: transactions(base, 2 * count + ALONE),
        requests: count,
        aim: Some(2_000.0),
    };
    if wanted(kind.name) {
        ask(&server, kind, quick, ours, table).await?;
    }
    let held = server.memory()? as f64 / f64::from(1 << 20);
    table.fact("resident memory at the end", &format!("{held:.0} MiB"));
    Ok(())
}

/// Posts the transactions of a workload one after the other and prints what that took.
pub async fn import(
    server: &Server,
    workload: &Workload,
    ours: bool,
    table: &mut Table,
) -> Result<Stored, Fault> {
    let base = if server.base.is_empty() { "/" } else { &server.base };
    let mut connection = Connection::open(&server.door).await?;
    let (mut stored, mut refused) = (Stored::default(), Vec::new());
    let (started, cpu) = (std::time::Instant::now(), server.cpu()?);
    for body in workload.directories.iter().chain(&workload.patients) {
        let (status, answer) = connection.send(&Ask::post(base, body.clone())).await?;
        if status.is_success() {
            stored.note(&answer)?;
        } else {
            let start: String = String::from_utf8_lossy(&answer).chars().take(200).collect();
            refused.push(format!("{status} {start}"));
            // A body that was refused early may have ended the connection.
            connection = Connection::open(&server.door).await?;
        }
    }
    let (took, cpu) = (started.elapsed().as_secs_f64(), server.cpu()? - cpu);
    let count = stored.count as f64;
    if let Some(first) = refused.first() {
        table.fact("transactions refused", &format!("{}, the first: {first}", refused.len()));
    }
    table.fact(
        "import of transactions over HTTP, one client",
        &format!("{} resources, {:.0}/s", stored.count, count / took.max(1e-9)),
    );
    let rate = count / cpu.max(1e-9);
    let what = "resources per CPU second of the server";
    if ours {
        table.aimed(what, &format!("{rate:.0}"), ">= 10,000", rate >= 10_000.0);
    } else {
        table.fact(what, &format!("{rate:.0}"));
    }
    let held = server.memory()? as f64 / f64::from(1 << 20);
    if ours {
        let what = "resident memory after the import";
        table.aimed(what, &format!("{held:.0} MiB"), "<= 150 MB", held <= 143.0);
    } else {
        table.fact("resident memory after the import", &format!("{held:.0} MiB"));
    }
    let disk = server.disk()? as f64;
    let each = disk / 1024.0 / count.max(1.0);
    table.fact(
        "disk after the import, write-ahead log included",
        &format!("{:.1} MB, {each:.2} KiB per resource", disk / 1e6),
    );
    Ok(stored)
}

async fn ask(
    server: &Server,
    kind: Kind,
    quick: bool,
    ours: bool,
    table: &mut Table,
) -> Result<(), Fault> {
    let count = if quick { kind.requests / 20 } else { kind.requests };
    let mut asks = kind.asks;
    // No request is sent twice where that would make a second of something.
    let own = asks.len() > kind.requests && asks.iter().all(|ask| !ask.body.is_empty());
    let many = if own { asks.split_off(ALONE.min(asks.len())) } else { asks.clone() };
    let alone = load(&server.door, Arc::new(asks), 1, ALONE.min(count)).await?;
    let cpu = server.cpu()?;
    let many = load(&server.door, Arc::new(many), MANY, count).await?;
    let busy = server.cpu()? - cpu;
    // What was put off is done now, and is not to disturb the next kind of request.
    let all = server.rest().await? - cpu;
    let name = kind.name;
    if let (failed, Some(first)) = &many.failed {
        table.fact(name, &format!("{failed} of {count} failed, the first: {first}"));
        return Ok(());
    }
    let rate = many.times.len() as f64 / busy.max(1e-9);
    table.fact(
        name,
        &format!(
            "alone p50 {}; {MANY} clients: {:.0}/s, p50 {}, p99 {}, {:.0} bytes each",
            ms(alone.times.percentile(0.5)),
            many.times.len() as f64 / many.took.as_secs_f64().max(1e-9),
            ms(many.times.percentile(0.5)),
            ms(many.times.percentile(0.99)),
            many.bytes as f64 / (many.times.len() as f64).max(1.0),
        ),
    );
    let what = format!("{name}: per CPU second of the server");
    match kind.aim.filter(|_| ours) {
        Some(aim) => table.aimed(&what, &format!("{rate:.0}"), &format!(">= {aim}"), rate >= aim),
        None => table.fact(&what, &format!("{rate:.0}")),
    }
    let all = many.times.len() as f64 / all.max(1e-9);
    table.fact("  with what it does afterwards", &format!("{all:.0}"));
    Ok(())
}
