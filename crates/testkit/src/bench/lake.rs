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

/// How often everything is taken in, each time into an empty lake: CPU seconds differ from pass to pass.
const PASSES: usize = 9;
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
    let mut taken = Vec::with_capacity(PASSES);
    let (home, lake, mut upto) = loop {
        let home = tempfile::tempdir()?;
        let lake = open(home.path())?;
        let pass = take(&lake, &changes)?;
        let upto = pass.upto;
        taken.push(pass);
        if taken.len() == PASSES {
            break (home, lake, upto);
        }
    };
    speeds(&mut taken, changes.len(), table);
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

/// A pass over everything, and the seconds of CPU time that it took.
struct Pass {
    upto: u64,
    resources: u64,
    rows: u64,
    /// Until queries see it.
    shown: f64,
    /// Until it is on disk, sealed.
    kept: f64,
}

/// Takes everything in and commits it.
fn take(lake: &Lake, changes: &[Change<'_>]) -> Result<Pass, Fault> {
    let before = cpu_seconds()?;
    let mut pass = Pass { upto: 0, resources: 0, rows: 0, shown: 0.0, kept: 0.0 };
    for batch in changes.chunks(BATCH) {
        pass.upto += batch.len() as u64;
        let applied = lake.apply(pass.upto, batch, 0)?;
        pass.resources += applied.resources;
        pass.rows += applied.rows;
        let faults = applied.faults + applied.odd;
        if faults > 0 {
            return Err(format!("{faults} values or resources are not in the tables").into());
        }
    }
    pass.shown = cpu_seconds()? - before;
    lake.flush()?;
    pass.kept = cpu_seconds()? - before;
    Ok(pass)
}

/// The rates of the pass in the middle, with those of the slowest and of the fastest.
fn speeds(passes: &mut [Pass], read: usize, table: &mut Table) {
    let (resources, rows) = passes.first().map_or((0, 0), |pass| (pass.resources, pass.rows));
    table.fact("changes", &format!("{read}, {resources} of them in views, {rows} rows"));
    let mut rates = |seconds: fn(&Pass) -> f64| {
        passes.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)));
        let rate = |at: usize| {
            passes.get(at).map_or(0.0, |pass| resources as f64 / seconds(pass).max(0.01))
        };
        (rate(PASSES / 2), format!("{:.0} to {:.0}", rate(0), rate(PASSES - 1)))
    };
    let (middle, range) = rates(|pass| pass.shown);
    let what = "resources per CPU second until queries see them";
    table.fact(what, &format!("{middle:.0} ({range})"));
    let (middle, range) = rates(|pass| pass.kept);
    let what = "resources per CPU second, on disk, sealed";
    table.aimed(what, &format!("{middle:.0} ({range})"), "≥ 50,000", middle >= AIM);
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
