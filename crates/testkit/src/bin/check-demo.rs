//! Compares a running demo with the truth it was made from, through the doors that people use.
//!
//! For every patient known to more than one hospital: the longitudinal record asked for at each
//! hospital holds the source bundle's resources exactly once each. Then with consent withdrawn
//! for one hospital, then with one hospital stopped. Prints counts and fails on any difference.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use fhir::Document;
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::client::{Account, Client, Fault, accounts};
use testkit::compare::difference;
use testkit::figures::say;

#[derive(Parser)]
#[command(about = "Compare a running demo with the truth it was made from")]
struct Arguments {
    /// The demo's folder, as given to `consilium demo --dir`
    #[arg(long)]
    dir: PathBuf,
    /// The bundles the demo was made from; default: what the demo was started with
    #[arg(long)]
    data: Option<PathBuf>,
    /// Check the withdrawal of consent for this many patients (each at every hospital)
    #[arg(long, default_value_t = 10)]
    consents: usize,
}

#[derive(Deserialize)]
struct Truth {
    file: String,
    patients: BTreeMap<String, String>,
}

type Key = (String, String);

/// What one question for a longitudinal record brought.
struct Seen {
    resources: BTreeMap<Key, Vec<(String, Document)>>,
    states: BTreeMap<String, String>,
    took: Duration,
}

#[derive(Default)]
struct Counts {
    records: usize,
    resources: usize,
    missing: usize,
    surplus: usize,
    twice: usize,
    changed: usize,
    confirmed: usize,
    rejected: usize,
    wrong_links: usize,
    not_found: usize,
    examples: Vec<String>,
}

struct Check {
    clients: BTreeMap<(String, String), Client>,
    hospitals: Vec<String>,
    sources: BTreeMap<String, Document>,
    counts: Counts,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<bool, Fault> {
    let truth: Vec<Truth> = read_json(&arguments.dir.join("truth.json"))?;
    let demo: Value = read_json(&arguments.dir.join("demo.json"))?;
    let data = arguments.data.or_else(|| demo["data"].as_str().map(PathBuf::from));
    let mut check = Check::start(&arguments.dir).await?;
    let shared: Vec<Truth> = truth.into_iter().filter(|t| t.patients.len() > 1).collect();
    let data = data.ok_or(
        "the truth is compared with source bundles: start the demo with `--data`, or name them here",
    )?;
    check.load_bundles(&data, &shared)?;
    say(&format!("{} patients are known to more than one hospital", shared.len()));
    let whole = check.whole_records(&shared).await?;
    let consent = check.consents(&shared, arguments.consents).await?;
    let stopped = check.stopped(&shared).await;
    for example in check.counts.examples.iter().take(20) {
        say(&format!("  {example}"));
    }
    let stopped = stopped?;
    let good = whole && consent && stopped;
    say(if good { "check-demo: everything is as it should be" } else { "check-demo: FAILED" });
    Ok(good)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Fault> {
    let text = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

impl Check {
    async fn start(folder: &Path) -> Result<Self, Fault> {
        let list: Vec<Account> = accounts(folder)?;
        let mut clients = BTreeMap::new();
        let mut hospitals = Vec::new();
        for account in &list {
            if !hospitals.contains(&account.hospital) {
                hospitals.push(account.hospital.clone());
            }
            let key = (account.hospital.clone(), account.role.clone());
            clients.insert(key, Client::sign_in(account).await?);
        }
        let (sources, counts) = (BTreeMap::new(), Counts::default());
        Ok(Self { clients, hospitals, sources, counts })
    }

    fn client(&self, hospital: &str, role: &str) -> Result<&Client, Fault> {
        let key = (hospital.to_owned(), role.to_owned());
        self.clients.get(&key).ok_or_else(|| format!("no {role} at {hospital}").into())
    }

    fn load_bundles(&mut self, folder: &Path, truth: &[Truth]) -> Result<(), Fault> {
        for one in truth {
            let path = folder.join(&one.file);
            let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let mut text = Vec::new();
            if one.file.ends_with(".gz") {
                flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text)?;
            } else {
                text = bytes;
            }
            self.sources.insert(one.file.clone(), Document::parse_bytes(text)?);
        }
        Ok(())
    }

    /// The resources of the source bundle but for the Patient, by type and id.
    fn expected(&self, file: &str) -> Result<BTreeMap<Key, fhir::Value<'_>>, Fault> {
        let bundle = self.sources.get(file).ok_or("no such source")?;
        let entries = bundle.root().get("entry").ok_or("the source has no entries")?;
        Ok(entries
            .items()
            .filter_map(|entry| {
                let resource = entry.get("resource")?;
                let kind = resource.str_at("resourceType")?.into_owned();
                let id = resource.str_at("id")?.into_owned();
                (kind != "Patient").then_some(((kind, id), resource))
            })
            .collect())
    }

    async fn ask(&self, hospital: &str, patient: &str) -> Result<Seen, Fault> {
        let client = self.client(hospital, "clinician")?;
        let started = Instant::now();
        let text = client.get(&format!("/fhir/Patient/{patient}/$longitudinal-record")).await?;
        let took = started.elapsed();
        let bundle = Document::parse(text)?;
        let mut seen = Seen { resources: BTreeMap::new(), states: BTreeMap::new(), took };
        let entries = bundle.root().get("entry").ok_or("the record has no entries")?;
        for entry in entries.items() {
            let resource = entry.get("resource").ok_or("an entry has no resource")?;
            let kind = resource.str_at("resourceType").ok_or("a resource has no type")?;
            let source = resource.path(&["meta", "source"]).and_then(|s| s.as_str());
            if let Some(org) = source.as_deref().and_then(|s| s.strip_prefix("urn:consilium:org:"))
            {
                let id = resource.str_at("id").ok_or("a resource has no id")?.into_owned();
                let text = Document::parse(resource.raw())?;
                let list = seen.resources.entry((kind.into_owned(), id)).or_default();
                list.push((org.to_owned(), text));
            } else if kind == "OperationOutcome" {
                let (org, state) = state(resource).ok_or("a source's outcome cannot be read")?;
                seen.states.insert(org, state);
            }
        }
        Ok(seen)
    }

    /// Decides possible matches as a registrar who knows the truth would.
    async fn decide_links(&mut self, hospital: &str, one: &Truth) -> Result<(), Fault> {
        let patient = &one.patients[hospital];
        let path = format!("/fhir/Patient/{patient}/$link-candidates");
        let registrar = self.client(hospital, "registrar")?;
        let candidates: Value = serde_json::from_str(&registrar.get(&path).await?)?;
        let mut decisions = Vec::new();
        for parameter in candidates["parameter"].as_array().into_iter().flatten() {
            let part = |name: &str| {
                let parts = parameter["part"].as_array().into_iter().flatten();
                parts.clone().find(|p| p["name"] == name).map(|p| p["valueString"].clone())
            };
            let (Some(org), Some(remote)) = (part("organisation"), part("patient")) else {
                return Err("a link candidate cannot be read".into());
            };
            let right = one.patients.get(org.as_str().unwrap_or_default()).map(String::as_str)
                == remote.as_str();
            decisions.push((org, remote, right));
        }
        for (org, remote, right) in decisions {
            let operation = if right { "$confirm-link" } else { "$reject-link" };
            let body = json!({"resourceType": "Parameters", "parameter": [
                {"name": "organisation", "valueString": org},
                {"name": "patient", "valueString": remote},
            ]});
            let path = format!("/fhir/Patient/{patient}/{operation}");
            self.client(hospital, "registrar")?.post(&path, body.to_string()).await?;
            match right {
                true => self.counts.confirmed += 1,
                false => self.counts.rejected += 1,
            }
        }
        Ok(())
    }

    async fn whole_records(&mut self, shared: &[Truth]) -> Result<bool, Fault> {
        for one in shared {
            for hospital in one.patients.keys() {
                let mut seen = self.ask(hospital, &one.patients[hospital]).await?;
                if seen.states.values().any(|state| state == "possible-match") {
                    self.decide_links(hospital, one).await?;
                    seen = self.ask(hospital, &one.patients[hospital]).await?;
                }
                self.compare(one, hospital, &seen)?;
            }
        }
        let c = &self.counts;
        say(&format!(
            "whole records: {} asked for, {} resources compared; missing {}, surplus {}, twice {}, \
             changed {}; possible links confirmed {}, rejected {}, wrong links followed {}, \
             hospitals not found {}",
            c.records,
            c.resources,
            c.missing,
            c.surplus,
            c.twice,
            c.changed,
            c.confirmed,
            c.rejected,
            c.wrong_links,
            c.not_found
        ));
        Ok(c.missing + c.surplus + c.twice + c.changed + c.wrong_links == 0 && c.records > 0)
    }

    fn compare(&mut self, one: &Truth, hospital: &str, seen: &Seen) -> Result<(), Fault> {
        let patients: Vec<String> = one.patients.values().cloned().collect();
        let mut faults: Vec<(&'static str, String)> = Vec::new();
        let expected = self.expected(&one.file)?;
        let compared = expected.len();
        for (key, original) in &expected {
            match seen.resources.get(key).map(Vec::as_slice) {
                None | Some([]) => faults.push(("missing", format!("{}/{}", key.0, key.1))),
                Some([(_, ours)]) => {
                    if let Some(path) = difference(*original, ours.root(), &patients) {
                        faults.push(("changed", format!("{}/{} at {path}", key.0, key.1)));
                    }
                }
                Some(_) => faults.push(("twice", format!("{}/{}", key.0, key.1))),
            }
        }
        for key in seen.resources.keys() {
            let wrong = key.0 == "Patient" && !patients.contains(&key.1);
            if wrong {
                faults.push(("wrong link", key.1.clone()));
            } else if key.0 != "Patient" && !expected.contains_key(key) {
                faults.push(("surplus", format!("{}/{}", key.0, key.1)));
            }
        }
        for org in one.patients.keys().filter(|org| *org != hospital) {
            if seen.states.get(org).map(String::as_str) != Some("answered") {
                self.counts.not_found += 1;
            }
        }
        self.counts.records += 1;
        self.counts.resources += compared;
        for (what, which) in faults {
            let counter = match what {
                "missing" => &mut self.counts.missing,
                "changed" => &mut self.counts.changed,
                "twice" => &mut self.counts.twice,
                "surplus" => &mut self.counts.surplus,
                _ => &mut self.counts.wrong_links,
            };
            *counter += 1;
            let states = format!("{:?}", seen.states);
            self.counts
                .examples
                .push(format!("{what} at {hospital}: {which} ({}) {states}", one.file));
        }
        Ok(())
    }

    async fn decide_consent(
        &self,
        one: &Truth,
        at: &str,
        about: &str,
        what: &str,
    ) -> Result<(), Fault> {
        let body = json!({"resourceType": "Parameters", "parameter": [
            {"name": "organisation", "valueString": about},
            {"name": "decision", "valueCode": what},
        ]});
        let path = format!("/fhir/Patient/{}/$consent", one.patients[at]);
        self.client(at, "privacy-officer")?.post(&path, body.to_string()).await?;
        Ok(())
    }

    /// Withdraws permission for each hospital in turn, told at another one, and looks from every
    /// hospital until the decision has arrived there, for two seconds at most.
    async fn consents(&mut self, shared: &[Truth], most: usize) -> Result<bool, Fault> {
        let mut good = true;
        let (mut checked, mut slowest) = (0, Duration::ZERO);
        for one in shared.iter().take(most) {
            for out in one.patients.keys() {
                let Some(told_at) = one.patients.keys().find(|h| *h != out) else { continue };
                self.decide_consent(one, told_at, out, "withdraw").await?;
                let since = Instant::now();
                for viewer in one.patients.keys() {
                    let arrived = self.until(one, viewer, Some(out), since).await?;
                    good &= arrived.is_some();
                    slowest = slowest.max(arrived.unwrap_or_default());
                    checked += 1;
                    if arrived.is_none() {
                        let example = format!(
                            "{out} withdrawn at {told_at}: not seen at {viewer} ({})",
                            one.file
                        );
                        self.counts.examples.push(example);
                    }
                }
                self.decide_consent(one, told_at, out, "permit").await?;
                let since = Instant::now();
                for viewer in one.patients.keys() {
                    good &= self.until(one, viewer, None, since).await?.is_some();
                }
            }
        }
        say(&format!(
            "consent: {checked} records looked at with one hospital withdrawn, slowest effect {} ms: {}",
            slowest.as_millis(),
            if good { "exactly that hospital's items were missing" } else { "FAILED" }
        ));
        Ok(good && checked > 0)
    }

    /// Asks until the record at `viewer` is what `out` being withdrawn makes of it; `None` when
    /// that does not happen within two seconds.
    async fn until(
        &self,
        one: &Truth,
        viewer: &str,
        out: Option<&String>,
        since: Instant,
    ) -> Result<Option<Duration>, Fault> {
        loop {
            let seen = self.ask(viewer, &one.patients[viewer]).await?;
            let orgs: BTreeSet<&str> =
                seen.resources.values().flatten().map(|(org, _)| org.as_str()).collect();
            let expected: BTreeSet<&str> = one
                .patients
                .keys()
                .filter(|org| match out {
                    None => true,
                    Some(out) if out == viewer => *org == viewer,
                    Some(out) => *org != out,
                })
                .map(String::as_str)
                .collect();
            if orgs == expected {
                return Ok(Some(since.elapsed().saturating_sub(seen.took)));
            }
            if since.elapsed() > Duration::from_secs(2) + seen.took {
                return Ok(None);
            }
        }
    }

    /// Stops each hospital in turn and looks from the others.
    async fn stopped(&mut self, shared: &[Truth]) -> Result<bool, Fault> {
        let mut good = true;
        let (mut checked, mut slowest, mut recovery) = (0, Duration::ZERO, Duration::ZERO);
        for out in self.hospitals.clone() {
            self.answering(&out, false).await?;
            for one in shared.iter().filter(|one| one.patients.contains_key(&out)) {
                for viewer in one.patients.keys().filter(|viewer| **viewer != out) {
                    let seen = self.ask(viewer, &one.patients[viewer]).await?;
                    let named = seen.states.get(&out).map(String::as_str) == Some("unreachable");
                    let others = one.patients.keys().filter(|org| **org != out && *org != viewer);
                    let answered = others
                        .clone()
                        .all(|org| seen.states.get(org).map(String::as_str) == Some("answered"));
                    let absent = !seen.resources.values().flatten().any(|(org, _)| *org == out);
                    if !(named && answered && absent && seen.took < Duration::from_secs(2)) {
                        good = false;
                        let example = format!(
                            "{out} stopped, seen from {viewer}: {:?} in {:?}",
                            seen.states, seen.took
                        );
                        self.counts.examples.push(example);
                    }
                    slowest = slowest.max(seen.took);
                    checked += 1;
                }
            }
            self.answering(&out, true).await?;
            recovery = recovery.max(self.recovered(&out, shared).await?);
        }
        say(&format!(
            "a hospital that came back was seen by the others after {} ms at most",
            recovery.as_millis()
        ));
        say(&format!(
            "one hospital stopped: {checked} records looked at, slowest {} ms: {}",
            slowest.as_millis(),
            if good { "the others complete, the stopped one named" } else { "FAILED" }
        ));
        Ok(good && checked > 0)
    }

    /// How long it takes until all others see that a hospital is back; five seconds at most.
    async fn recovered(&self, back: &str, shared: &[Truth]) -> Result<Duration, Fault> {
        let since = Instant::now();
        for viewer in self.hospitals.iter().filter(|viewer| *viewer != back) {
            let known =
                |one: &&Truth| one.patients.contains_key(back) && one.patients.contains_key(viewer);
            let Some(one) = shared.iter().find(known) else { continue };
            loop {
                let seen = self.ask(viewer, &one.patients[viewer]).await?;
                if seen.states.get(back).map(String::as_str) == Some("answered") {
                    break;
                }
                if since.elapsed() > Duration::from_secs(5) {
                    return Err(format!("{viewer} does not see that {back} is back").into());
                }
            }
        }
        Ok(since.elapsed())
    }

    async fn answering(&self, hospital: &str, on: bool) -> Result<(), Fault> {
        let body = json!({"answering": on}).to_string();
        self.client(hospital, "operator")?.post("/operate/answering", body).await?;
        Ok(())
    }
}

fn state(outcome: fhir::Value<'_>) -> Option<(String, String)> {
    let extension = outcome
        .get("extension")?
        .items()
        .find(|e| e.str_at("url").is_some_and(|url| url.ends_with("/source-id")))?;
    let issue = outcome.get("issue")?.items().next()?;
    let coding = issue.path(&["details", "coding"])?.items().next()?;
    Some((extension.str_at("valueString")?.into_owned(), coding.str_at("code")?.into_owned()))
}
