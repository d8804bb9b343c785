//! Whether anything that identifies is left in an extract: patients are loaded into a node, the extract
//! is ordered through the node's own use case, and every byte of what it made is searched for what the
//! originals say.

// The notes are those of the finder's own tests.
#[path = "../../privacy/tests/it/deidentify/notes/generate.rs"]
#[expect(clippy::unwrap_used, reason = "templates are constants, which tests go through")]
mod generate;
#[path = "../../privacy/tests/it/deidentify/notes/measure.rs"]
mod measure;
pub mod notes;
#[path = "../../privacy/tests/it/deidentify/notes/other_words.rs"]
mod other_words;
pub mod search;
pub mod secrets;
#[path = "../../privacy/tests/it/deidentify/notes/sentences.rs"]
mod sentences;
#[path = "../../privacy/tests/it/deidentify/notes/vocabulary.rs"]
mod vocabulary;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use app::extracts::{self, Anonymity, Made, Order, TYPES};
use app::jobs::{self, State};
use app::{App, Caller, User};
use fhir::{Document, Id};
use serde_json::{Value, json};
use synthetic::Site;
use tokio::sync::watch;
use tokio::task::block_in_place;

use crate::client::Fault;
use crate::figures::cpu_seconds;
use crate::network::{Place, prepare};
use search::{Found, search};
use secrets::Secrets;

/// How long an extract may take.
const PATIENCE: Duration = Duration::from_secs(1_800);
const POLL: Duration = Duration::from_millis(10);
/// Most places of leaks that are printed; all are counted.
const MOST_SHOWN: usize = 100;
/// Types that tell of no health or that govern, which no extract has.
const NEVER: [&str; 4] = ["Provenance", "Consent", "AuditEvent", "Binary"];

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The bundles: JSON or NDJSON, plain or gzip.
    pub files: Vec<PathBuf>,
    /// The recipe.
    pub recipe: String,
    /// The least size of classes of demographics, where a table of them is to be made.
    pub k: Option<usize>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What was made.
    pub made: Made,
    /// Resources stored before.
    pub stored: u64,
    /// How many values of each kind were looked for.
    pub searched: std::collections::BTreeMap<&'static str, usize>,
    /// How many of them stand in the originals, in the same way of counting: a search that finds
    /// nothing there proves nothing.
    pub in_originals: usize,
    /// What was found.
    pub found: Vec<Found>,
    /// Bytes that were searched.
    pub bytes: u64,
    /// The extract from order to end, on the clock and on the processors.
    pub seconds: f64,
    /// The same on the processors, of the whole process.
    pub cpu_seconds: f64,
    /// The risk report as it was made.
    pub risk: Value,
}

/// Loads, extracts and searches, in `folder`.
pub async fn run(folder: &Path, plan: &Plan) -> Result<Checked, Fault> {
    // An extract says which institution it is of: here one that is nobody's in the data.
    let own = Site { org: "custodian".to_owned(), name: "Custodian of the records".to_owned() };
    let place = prepare(folder, &[own])?.into_iter().next().ok_or("no hospital")?;
    let node = block_in_place(|| Place::open(&place))?;
    let app = node.app.clone();
    let summary = block_in_place(|| node::import::run(&app, &plan.files, true));
    if let Some((file, _, reason)) = summary.refused.first() {
        return Err(format!("`{}` was not stored: {reason}", file.display()).into());
    }
    let originals = originals(&plan.files)?;
    let (stop, stopped) = watch::channel(false);
    let runner = tokio::spawn(jobs::run_all(app.clone(), stopped));
    let (since, cpu) = (Instant::now(), cpu_seconds()?);
    let made = extract(&app, plan, &originals).await;
    let (seconds, cpu_seconds) = (since.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    stop.send_replace(true);
    runner.await?;
    let (id, made) = made?;
    let checked = block_in_place(|| -> Result<Checked, Fault> {
        let year = year(&app)?;
        let mut secrets = Secrets::new(year);
        for text in &originals.texts {
            secrets.learn(text)?;
        }
        let mut in_originals = 0;
        for text in &originals.texts {
            in_originals += search(&secrets, "original", text, true).len();
        }
        let (mut found, mut bytes, mut risk) = (Vec::new(), 0, Value::Null);
        for file in &made.files {
            let mut text = String::new();
            let mut input =
                extracts::file(&app, &steward(&app), &id, &file.name).map_err(|e| e.message)?;
            input.read_to_string(&mut text)?;
            bytes += text.len() as u64;
            // Dates of the extract itself are in files that describe it.
            let is_data = file.kind.is_some() || file.name.ends_with(".csv");
            found.extend(search(&secrets, &file.name, &text, is_data));
            if file.name == "risk.json" {
                risk = serde_json::from_str(&text)?;
            }
        }
        let (searched, stored) = (secrets.counts(), summary.stored);
        Ok(Checked {
            made,
            stored,
            searched,
            in_originals,
            found,
            bytes,
            seconds,
            cpu_seconds,
            risk,
        })
    })?;
    Ok(checked)
}

/// As the command prints it, with how much of notes is found.
pub fn json(checked: &Checked, notes: Value) -> Value {
    let rate = checked.made.resources as f64 / checked.cpu_seconds.max(1e-9);
    json!({
        "patients": checked.made.patients,
        "stored": checked.stored,
        "resources": checked.made.resources,
        "files": checked.made.files.len(),
        "bytes": checked.bytes,
        "searched": checked.searched,
        "found_in_originals": checked.in_originals,
        "leaks": checked.found.len(),
        "places": checked.found.iter().take(MOST_SHOWN).map(|found| json!({
            "kind": found.kind, "text": found.text, "file": found.file, "line": found.line,
            "byte": found.byte,
        })).collect::<Vec<_>>(),
        "seconds": checked.seconds,
        "cpu_seconds": checked.cpu_seconds,
        "resources_per_cpu_second": rate.round(),
        "risk": checked.risk,
        "notes": notes,
    })
}

async fn extract(app: &App, plan: &Plan, originals: &Originals) -> Result<(Id, Made), Fault> {
    let wanted = |kind: &&String| !NEVER.contains(&kind.as_str());
    let mut types: Vec<String> = originals.types.iter().filter(wanted).cloned().collect();
    types.extend(
        TYPES.iter().filter(|kind| !originals.types.contains(**kind)).map(|k| (*k).to_owned()),
    );
    let anonymity = |k| Anonymity { k, l: None, t: None, suppression: 0.2 };
    let order = Order {
        project: "check-deidentified".to_owned(),
        purpose: "To see that nothing that identifies is left".to_owned(),
        recipe: Some(plan.recipe.clone()),
        types,
        anonymity: plan.k.map(anonymity),
        ..Order::default()
    };
    let job =
        block_in_place(|| extracts::kick_off(app, &steward(app), order)).map_err(|e| e.message)?;
    let since = Instant::now();
    loop {
        let now = block_in_place(|| extracts::standing(app, &steward(app), &job.id));
        let (now, made) = now.map_err(|e| e.message)?;
        match (now.state, made) {
            (State::Done, Some(made)) => return Ok((job.id, made)),
            (State::Waiting | State::Running, _) if since.elapsed() < PATIENCE => {
                tokio::time::sleep(POLL).await;
            }
            _ => {
                let reason =
                    now.failure.map_or_else(|| "it took too long".to_owned(), |f| f.message);
                return Err(format!("the extract was not made: {reason}").into());
            }
        }
    }
}

/// The resources of the files, as texts, one for each file.
struct Originals {
    texts: Vec<String>,
    types: BTreeSet<String>,
}

fn originals(files: &[PathBuf]) -> Result<Originals, Fault> {
    let mut all = Originals { texts: Vec::new(), types: BTreeSet::new() };
    for file in files {
        let mut text = String::new();
        let read = node::import::open(file).and_then(|mut reader| reader.read_to_string(&mut text));
        read.map_err(|e| format!("`{}`: {e}", file.display()))?;
        let documents: Vec<String> = match Document::parse(text.as_str()) {
            Ok(_) => vec![text],
            Err(_) => text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned).collect(),
        };
        for text in documents {
            let document = Document::parse(text.as_str())?;
            for resource in secrets::resources(document.root()) {
                all.types.extend(resource.str_at("resourceType").map(|kind| kind.into_owned()));
            }
            drop(document);
            all.texts.push(text);
        }
    }
    all.types.remove("Bundle");
    Ok(all)
}

fn year(app: &App) -> Result<i32, Fault> {
    Ok(fhir::time::instant(app.now_ms()).get(..4).ok_or("no year")?.parse()?)
}

/// The steward of the node, with a second factor just now.
fn steward(app: &App) -> Caller {
    let now = app.now_ms();
    Caller {
        user: User {
            id: "steward".to_owned(),
            role: "steward".to_owned(),
            name: "The steward".to_owned(),
            patient: None,
            practitioner: None,
            acting: None,
            amr: ["pop", "user", "mfa"].map(str::to_owned).to_vec(),
            auth_time_ms: now,
            mfa_time_ms: Some(now),
        },
        purpose: "HOPERAT".to_owned(),
        evidence: None,
        request_id: app.new_id().to_string(),
        address: "127.0.0.1".to_owned(),
        granted: None,
    }
}

#[cfg(test)]
mod tests {
    use synthetic::sites;

    use super::*;
    use crate::network::use_cryptography;
    use crate::population;

    /// Extracts by a recipe, where nothing may be found that the originals say, of which much must be
    /// found in the originals themselves.
    fn check(files: Vec<PathBuf>, recipe: &str, k: Option<usize>) -> Checked {
        use_cryptography();
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan { files, recipe: recipe.to_owned(), k };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let checked = runtime.block_on(run(folder.path(), &plan)).unwrap();
        println!("{}", json(&checked, Value::Null));
        assert!(checked.found.is_empty(), "{:?}", checked.found);
        assert!(checked.in_originals > 1_000, "{}", checked.in_originals);
        assert!(checked.made.resources > 0);
        checked
    }

    #[test]
    fn of_generated_patients_nothing_that_identifies_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let seed = 20_261_123;
        println!("seed {seed}");
        let world = population::generated(&sites(1), seed, 24);
        let files = population::write_bundles(&world, folder.path()).unwrap();
        let checked = check(files, "safe-harbor", Some(2));
        assert!(checked.made.patients >= 10, "{}", checked.made.patients);
        let names: Vec<&str> = checked.made.files.iter().map(|file| file.name.as_str()).collect();
        for name in ["manifest.json", "risk.json", "risk.md", "recipe.json", "demographics.csv"] {
            assert!(names.contains(&name), "{name}");
        }
        assert!(checked.risk["measured"]["k"].as_u64().unwrap() >= 2, "{}", checked.risk);
    }

    #[test]
    fn of_a_part_of_synthea_nothing_that_identifies_is_left() {
        let Some(data) = population::synthea(None) else {
            println!("skipped: Synthea's patients are absent; set CONSILIUM_SHARED");
            return;
        };
        let mut files = node::import::files(&[data]).unwrap();
        files.sort_by_key(|file| {
            let size = file.metadata().map_or(0, |meta| meta.len());
            (!file.to_string_lossy().contains("Information"), size)
        });
        files.truncate(16);
        let checked = check(files, "safe-harbor", None);
        assert_eq!(checked.made.patients, 14);
    }
}
