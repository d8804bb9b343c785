//! What a node holds in memory, as a process of its own that takes its data in at its door.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use synthetic::sites;

use super::Settings;
use crate::client::{Client, Fault};
use crate::crash::child::{Program, find};
use crate::figures::{Table, ms};
use crate::network::prepare;
use crate::population;

/// Patients that are generated where there is no data.
const PATIENTS: usize = 150;
const QUICK_FILES: usize = 8;
/// Reads and searches after the load.
const READS: usize = 1000;

/// Posts everything to a node that runs beside, and prints what it took and holds.
pub async fn measure(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    table.part("a node beside, loaded at its door: transactions, one at a time");
    let folder = tempfile::Builder::new().prefix("consilium-bench-").tempdir()?;
    let place = prepare(folder.path(), &sites(1))?.into_iter().next().ok_or("no hospital")?;
    let program = Program::new(find(None)?, place);
    let account = program.add_account("clinician", "bench-memory", None)?;
    let (running, _) = program.serve().await?;
    let client = Client::sign_in(&account).await?;
    table.fact("resident memory after the start", &memory(running.id())?.1);
    let cpu = processor_seconds(running.id())?;
    let started = Instant::now();
    let mut entries = 0;
    for file in bundles(settings, folder.path())? {
        let text = tokio::task::spawn_blocking(move || read(&file)).await??;
        entries += text.matches("\"request\":").count().max(text.matches("\"request\" :").count());
        client.post("/fhir", text).await?;
    }
    let took = started.elapsed();
    let cpu = processor_seconds(running.id())? - cpu;
    table.fact("entries", &format!("{entries} in {:.1} s", took.as_secs_f64()));
    let rate = entries as f64 / cpu.max(1e-9);
    let what = "entries per CPU second of the node";
    table.aimed(what, &format!("{rate:.0}"), ">= 10,000", rate >= 10_000.0);
    let (bytes, shown) = memory(running.id())?;
    table.aimed("resident memory after the load", &shown, "<= 150 MB", bytes <= 150_000_000);
    let started = Instant::now();
    for at in 0..READS {
        let path = match at % 2 {
            0 => "/fhir/Observation?code=8302-2&_sort=-date&_count=20",
            _ => "/fhir/Patient?name=a&_count=5",
        };
        client.get(path).await?;
    }
    table.fact("reads", &format!("{READS} in {}", ms(started.elapsed())));
    let (bytes, shown) = memory(running.id())?;
    table.aimed("resident memory after reads", &shown, "<= 150 MB", bytes <= 150_000_000);
    tokio::time::sleep(Duration::from_secs(15)).await;
    table.fact("resident memory 15 s later", &memory(running.id())?.1);
    drop(running);
    Ok(())
}

fn bundles(settings: &Settings, folder: &std::path::Path) -> Result<Vec<PathBuf>, Fault> {
    let mut files = match &settings.data {
        Some(data) => node::import::files(std::slice::from_ref(data))?,
        None => {
            let world = population::generated(&sites(3), settings.seed, PATIENTS);
            let data = folder.join("data");
            std::fs::create_dir(&data)?;
            population::write_bundles(&world, &data)?
        }
    };
    if settings.quick {
        files.truncate(QUICK_FILES);
    }
    Ok(files)
}

fn read(file: &std::path::Path) -> Result<String, Fault> {
    let bytes = std::fs::read(file)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text)?;
        return Ok(text);
    }
    Ok(String::from_utf8(bytes)?)
}

/// Bytes of a process that are in memory, and how they are told.
fn memory(process: u32) -> Result<(u64, String), Fault> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let field = |name: &str| -> Result<u64, Fault> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    };
    let (now, highest) = (field("VmRSS:")?, field("VmHWM:")?);
    let files = field("RssFile:")?;
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let shown = format!(
        "{:.0} MB, {:.0} of them of files; at most {:.0} MB",
        mb(now),
        mb(files),
        mb(highest)
    );
    Ok((now, shown))
}

/// CPU time of another process so far, user and system, in seconds.
fn processor_seconds(process: u32) -> Result<f64, Fault> {
    crate::figures::cpu_seconds_of(&process.to_string())
}
