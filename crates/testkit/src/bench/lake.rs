//! The lake over patients' records: how fast it takes resources in, what small batches cost, how large it is,
//! and how long queries take.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crypto::SystemRandom;
use crypto::aead::AeadKey;
use fhir::Resource;
use lake::{Change, Engine, Lake, Limits, Open, Rules, views};
use synthetic::sites;

use super::Settings;
use crate::client::Fault;
use crate::figures::{Table, Times, cpu_seconds, ms};
use crate::population::{Bundles, generated};

/// Changes of a batch while the lake is built: what a node reads at once.
const BATCH: usize = 1_000;
/// Changes of a small batch, and how many of these.
const SMALL: (usize, usize) = (10, 300);
/// Patients that are generated where there is no data.
const PATIENTS: usize = 300;
const QUICK_PATIENTS: usize = 10;
/// Resources that have rows, for each second of one core.
const AIM: f64 = 50_000.0;

const QUERIES: [(&str, &str); 3] = [
    ("a count", "SELECT count(*) AS n FROM observation"),
    (
        "codes with their means",
        "SELECT code, count(*) AS n, avg(value) AS v FROM observation GROUP BY code ORDER BY n DESC LIMIT 5",
    ),
    (
        "a join with patients",
        "SELECT gender, count(*) AS n, avg(o.value) AS v FROM patient p JOIN observation o
         ON o.patient_key = p.patient_key WHERE o.code = '8302-2' GROUP BY gender",
    ),
];

/// A version of a resource.
struct Line {
    kind: String,
    id: String,
    person: String,
    text: String,
}

/// Measures.
pub async fn measure(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    table.part("the lake");
    let lines = lines(settings)?;
    let changes: Vec<Change<'_>> = lines.iter().map(Line::change).collect();
    let home = tempfile::tempdir()?;
    let lake = open(home.path())?;
    let mut upto = take(&lake, &changes, table)?;
    let size = lake.size();
    let each = size.disk_bytes as f64 / size.rows.max(1) as f64;
    table.fact("bytes of a row on disk", &format!("{each:.1} ({} rows)", size.rows));
    let mut times = Times::default();
    for batch in changes.chunks(SMALL.0).take(SMALL.1) {
        let begun = Instant::now();
        upto += batch.len() as u64;
        lake.apply(upto, batch, 0)?;
        times.push(begun.elapsed());
    }
    let (median, late) = (ms(times.percentile(0.5)), ms(times.percentile(0.99)));
    table.fact(&format!("a batch of {}", SMALL.0), &format!("{median}, {late} at 99 %"));
    let begun = Instant::now();
    lake.flush()?;
    table.fact("the commit after these", &ms(begun.elapsed()));
    drop(lake);
    let begun = Instant::now();
    let lake = open(home.path())?;
    table.fact("opened again", &ms(begun.elapsed()));
    let engine = Engine::new(Limits::default())?;
    for (what, sql) in QUERIES {
        // The first one warms up.
        engine.rows(&lake.snapshot(), sql).await?;
        let begun = Instant::now();
        engine.rows(&lake.snapshot(), sql).await?;
        let rows = begun.elapsed();
        let begun = Instant::now();
        engine.aggregates(&lake.snapshot(), sql, Rules::default(), Open).await?;
        let guarded = begun.elapsed();
        table.fact(what, &format!("{}, {} for a researcher", ms(rows), ms(guarded)));
    }
    Ok(())
}

/// Takes everything in and commits it. Returns the position.
fn take(lake: &Lake, changes: &[Change<'_>], table: &mut Table) -> Result<u64, Fault> {
    let before = cpu_seconds()?;
    let (mut upto, mut resources, mut rows, mut faults) = (0, 0, 0, 0);
    for batch in changes.chunks(BATCH) {
        upto += batch.len() as u64;
        let applied = lake.apply(upto, batch, 0)?;
        resources += applied.resources;
        rows += applied.rows;
        faults += applied.faults + applied.odd;
    }
    let shown = cpu_seconds()? - before;
    lake.flush()?;
    let kept = cpu_seconds()? - before;
    let read = changes.len();
    table.fact("changes", &format!("{read}, {resources} of them in views, {rows} rows"));
    if faults > 0 {
        return Err(format!("{faults} values or resources are not in the tables").into());
    }
    let rate = |seconds: f64| resources as f64 / seconds.max(0.01);
    table.fact("resources per CPU second until queries see them", &format!("{:.0}", rate(shown)));
    let what = "resources per CPU second, on disk, sealed";
    table.aimed(what, &format!("{:.0}", rate(kept)), "≥ 50,000", rate(kept) >= AIM);
    Ok(upto)
}

fn open(folder: &Path) -> Result<Lake, Fault> {
    let key = AeadKey::new(&[1; 32])?;
    Ok(Lake::open(folder.to_owned(), key, Arc::new(SystemRandom), views()?, [])?)
}

fn lines(settings: &Settings) -> Result<Vec<Line>, Fault> {
    let (one, quick) = (sites(1), settings.quick);
    let world = match settings.data.as_deref().filter(|_| !quick) {
        Some(folder) => Bundles::read(folder)?.split(&one, settings.seed)?,
        None => generated(&one, settings.seed, if quick { QUICK_PATIENTS } else { PATIENTS }),
    };
    let known = world.persons.iter().flat_map(|person| person.at.values());
    let mut lines = Vec::new();
    for known in known {
        for text in &known.resources {
            let resource = Resource::parse(text.as_str())?;
            let kind = resource.type_name().to_owned();
            let id = resource.id().ok_or("a resource without an id")?.to_string();
            lines.push(Line { kind, id, person: known.patient_id.clone(), text: text.clone() });
        }
    }
    Ok(lines)
}

impl Line {
    fn change(&self) -> Change<'_> {
        Change {
            resource_type: &self.kind,
            id: &self.id,
            person: Some(&self.person),
            content: Some(&self.text),
        }
    }
}
