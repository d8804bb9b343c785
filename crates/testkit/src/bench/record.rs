//! The longitudinal record over whole networks: when the first rows come, and when it is complete.
//!
//! In the hard settings the last hospital of the network is dead (nothing listens there). The one
//! before is silent (it takes connections and never says a word, so that none comes about) or
//! hangs (TLS comes about, and then no answer to anything). Only the latter takes an asker to the
//! soft deadline; the former is given up when the time for connecting is over.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use identity::Role;
use node::serve::{self, Running};
use serde_json::Value;
use synthetic::{World, sites};

use super::Settings;
use crate::client::{Account, Client, Fault};
use crate::figures::{Table, Times, ms, say};
use crate::network::{Place, account, be_silent, fill, hide, prepare, stall};
use crate::population::{Bundles, generated};

/// Patients that are generated where Synthea's are absent.
const PATIENTS: usize = 240;
const QUICK_PATIENTS: usize = 40;
const FIRST_ROWS: Duration = Duration::from_millis(200);
const ALL_WELL: Duration = Duration::from_millis(1000);
/// The soft deadline of 2 s and a tenth.
const HARD: Duration = Duration::from_millis(2200);
/// How long the answer to one question may take before the run is given up.
const GIVE_UP: Duration = Duration::from_secs(20);

/// How the network is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Well,
    Silent,
    Hanging,
}

impl State {
    const ALL: [Self; 3] = [Self::Well, Self::Silent, Self::Hanging];

    /// For accounts and headings.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Well => ("well", "all well"),
            Self::Silent => ("silent", "one dead, one that never says a word"),
            Self::Hanging => ("hanging", "one dead, one that hangs after the TLS handshake"),
        }
    }

    fn ill(self) -> usize {
        if self == Self::Well { 0 } else { 2 }
    }
}

/// A question: at which hospital (its place in the list), about which patient there.
type Question = (usize, String);

/// Measures networks of 3 and of 10 hospitals, all well and with two of them ill.
pub async fn measure(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    for hospitals in [3, 10] {
        let folder = tempfile::Builder::new().prefix("consilium-bench-").tempdir()?;
        let settings = settings.clone();
        let home = folder.path().to_owned();
        let set_up = move || set_up(&settings, &home, hospitals);
        let (places, world, questions) = tokio::task::spawn_blocking(set_up).await??;
        for state in State::ALL {
            setting(&places, &world, state, questions, table).await?;
        }
    }
    Ok(())
}

/// Makes and fills the nodes. Blocks.
fn set_up(
    settings: &Settings,
    folder: &Path,
    hospitals: usize,
) -> Result<(Vec<Place>, World, usize), Fault> {
    let sites = sites(hospitals);
    let world = match (&settings.data, settings.quick) {
        (Some(data), false) => Bundles::read(data)?.split(&sites, settings.seed)?,
        (_, quick) => {
            let patients = if quick { QUICK_PATIENTS } else { PATIENTS };
            generated(&sites, settings.seed, patients)
        }
    };
    let places = prepare(folder, &sites)?;
    for place in &places {
        let node = place.open()?;
        fill(&node.app, &place.site.org, &world)?;
    }
    let questions = if settings.quick { settings.questions.min(5) } else { settings.questions };
    Ok((places, world, questions))
}

/// What was measured of one way of asking.
#[derive(Default)]
struct Measured {
    first: Times,
    first_of_others: Times,
    complete: Times,
    /// How the ill ones were named, and how often.
    ill: BTreeMap<String, usize>,
}

async fn setting(
    places: &[Place],
    world: &World,
    state: State,
    questions: usize,
    table: &mut Table,
) -> Result<(), Fault> {
    let well = places.len().saturating_sub(state.ill());
    table.part(&format!("longitudinal record, {} hospitals, {}", places.len(), state.words().1));
    let (mut running, accounts) = start(places, well, state).await?;
    let ill = match (state, places.get(well)) {
        (State::Silent, Some(place)) => Some(be_silent(place.nodes).await?),
        (State::Hanging, Some(place)) => {
            let hidden = hide(place)?;
            let own = place.clone();
            let node = tokio::task::spawn_blocking(move || own.open_again()).await??.0;
            running.push(serve::start(node).await?);
            Some(stall(place.nodes, hidden).await?)
        }
        _ => None,
    };
    let list = choose(places, world, well);
    if list.is_empty() {
        return Err("no patient is known to more than one hospital".into());
    }
    let take = |skip: usize| list.iter().cycle().skip(skip).take(questions);
    let shown = format!(
        "{questions} as events, then {questions} as a Bundle, {} patients to ask about",
        list.len()
    );
    table.fact("questions", &shown);
    let names: Vec<&str> = places.iter().skip(well).map(|place| place.site.org.as_str()).collect();
    let streams = ask_all(places, &accounts, 0, take(0), &names).await?;
    let bundles = ask_all(places, &accounts, 1, take(questions), &names).await?;
    print(&streams, &bundles, state, table);
    for node in running {
        let _ = tokio::time::timeout(Duration::from_secs(5), node.stop()).await;
    }
    if let Some(task) = ill {
        task.abort();
        let _ = task.await;
    }
    Ok(())
}

/// Starts the nodes that are well and makes two clinicians at each, one for each way of asking: a
/// one-time code is good once.
async fn start(
    places: &[Place],
    well: usize,
    state: State,
) -> Result<(Vec<Running>, Vec<[Account; 2]>), Fault> {
    let (mut running, mut accounts) = (Vec::new(), Vec::new());
    for place in places.iter().take(well) {
        let (place, org) = (place.clone(), place.site.org.clone());
        let open = move || -> Result<_, Fault> {
            let (node, waited) = place.open_again()?;
            let make = |way: &str| {
                let name = format!("bench-{way}-{}", state.words().0);
                account(&node.app, Role::Clinician, &name, None)
            };
            let two = [make("events")?, make("bundle")?];
            Ok((node, two, waited))
        };
        let (node, two, waited) = tokio::task::spawn_blocking(open).await??;
        if waited > Duration::from_secs(1) {
            say(&format!("  (`{org}` let go of its store {} after it was stopped)", ms(waited)));
        }
        running.push(serve::start(node).await?);
        accounts.push(two);
    }
    Ok((running, accounts))
}

/// Questions about patients known to several hospitals, asked at those that are well; first those
/// that another hospital can answer.
fn choose(places: &[Place], world: &World, well: usize) -> Vec<Question> {
    let mut list: Vec<(bool, Question)> = Vec::new();
    for (number, person) in world.persons.iter().filter(|person| person.at.len() > 1).enumerate() {
        let here: Vec<Question> = places
            .iter()
            .take(well)
            .enumerate()
            .filter_map(|(at, place)| {
                Some((at, person.at.get(&place.site.org)?.patient_id.clone()))
            })
            .collect();
        if let Some(question) = here.get(number % here.len().max(1)) {
            list.push((here.len() > 1, question.clone()));
        }
    }
    let answered = list.iter().filter(|(others, _)| *others).count();
    // Where the others that are well know nobody of these, the question is still one to answer.
    list.retain(|(others, _)| *others || answered == 0);
    list.into_iter().map(|(_, question)| question).collect()
}

async fn ask_all<'a>(
    places: &[Place],
    accounts: &[[Account; 2]],
    way: usize,
    questions: impl Iterator<Item = &'a Question>,
    ill: &[&str],
) -> Result<Measured, Fault> {
    let mut clients: Vec<Option<Client>> = accounts.iter().map(|_| None).collect();
    let http = reqwest::Client::builder().timeout(GIVE_UP).build()?;
    let mut measured = Measured::default();
    for (at, patient) in questions {
        let (Some(place), Some(client)) = (places.get(*at), clients.get_mut(*at)) else { continue };
        if client.is_none() {
            let account = accounts.get(*at).and_then(|two| two.get(way)).ok_or("no account")?;
            *client = Some(Client::sign_in(account).await?);
        }
        let Some(client) = client else { continue };
        let url = format!("{}/fhir/Patient/{patient}/$longitudinal-record", place.base());
        let accept = if way == 0 { "text/event-stream" } else { "application/fhir+json" };
        let request = http.get(url).bearer_auth(client.token()).header("accept", accept);
        match way {
            0 => ask_events(request, &place.site.org, ill, &mut measured).await?,
            _ => ask_bundle(request, &mut measured).await?,
        }
    }
    Ok(measured)
}

async fn answered(request: reqwest::RequestBuilder) -> Result<reqwest::Response, Fault> {
    let answer = request.send().await?;
    let status = answer.status();
    match status.is_success() {
        true => Ok(answer),
        false => Err(format!("longitudinal record: {status} {}", answer.text().await?).into()),
    }
}

async fn ask_bundle(
    request: reqwest::RequestBuilder,
    measured: &mut Measured,
) -> Result<(), Fault> {
    let asked = Instant::now();
    let body = answered(request).await?.bytes().await?;
    measured.complete.push(asked.elapsed());
    if body.is_empty() { Err("the record is empty".into()) } else { Ok(()) }
}

async fn ask_events(
    request: reqwest::RequestBuilder,
    own: &str,
    ill: &[&str],
    measured: &mut Measured,
) -> Result<(), Fault> {
    let asked = Instant::now();
    let mut answer = answered(request).await?;
    let own = format!("{{\"source\":\"{own}\"");
    let mut reader = Events::default();
    let (mut first, mut other) = (false, false);
    let mut outstanding = ill.to_vec();
    while let Some(chunk) = answer.chunk().await? {
        for event in reader.take(&chunk) {
            match event.name.as_str() {
                "resource" => {
                    if !std::mem::replace(&mut first, true) {
                        measured.first.push(asked.elapsed());
                    }
                    if !event.data.starts_with(&own) && !std::mem::replace(&mut other, true) {
                        measured.first_of_others.push(asked.elapsed());
                    }
                }
                "status" => {
                    let data: Value = serde_json::from_str(&event.data)?;
                    if let Some(at) = outstanding.iter().position(|org| data["source"] == *org) {
                        outstanding.remove(at);
                        let state = data["status"].as_str().unwrap_or("unnamed").to_owned();
                        *measured.ill.entry(state).or_default() += 1;
                    }
                }
                // What comes after the soft deadline is the slow ones' own.
                "slow" | "end" => {
                    measured.complete.push(asked.elapsed());
                    if !outstanding.is_empty() {
                        let state = format!("outstanding at `{}`", event.name);
                        *measured.ill.entry(state).or_default() += outstanding.len();
                    }
                    return Ok(());
                }
                _ => {}
            }
        }
    }
    Err("the stream ended without its last event".into())
}

/// Reads server-sent events out of pieces of a stream.
#[derive(Default)]
struct Events {
    rest: Vec<u8>,
    name: String,
    data: String,
}

struct Event {
    name: String,
    data: String,
}

impl Events {
    fn take(&mut self, chunk: &[u8]) -> Vec<Event> {
        self.rest.extend_from_slice(chunk);
        let mut events = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
                events.push(Event { name, data });
            } else if let Some(name) = line.strip_prefix("event:") {
                self.name = name.trim().to_owned();
            } else if let Some(data) = line.strip_prefix("data:") {
                self.data.push_str(data.trim_start());
            }
        }
        events
    }
}

fn print(streams: &Measured, bundles: &Measured, state: State, table: &mut Table) {
    let well = state == State::Well;
    let both = |times: &Times| {
        format!("p50 {}  p95 {}", ms(times.percentile(0.5)), ms(times.percentile(0.95)))
    };
    let half = streams.first.percentile(0.5);
    let what = "first row (p50 < 200 ms)";
    table.aimed(
        what,
        &both(&streams.first),
        "< 200 ms",
        half < FIRST_ROWS && !streams.first.is_empty(),
    );
    if streams.first_of_others.is_empty() {
        table.fact("first row from another hospital", "none: no other hospital that is well");
    } else {
        let half = streams.first_of_others.percentile(0.5);
        let shown =
            format!("{} ({} times)", both(&streams.first_of_others), streams.first_of_others.len());
        table.aimed("first row from another hospital", &shown, "< 200 ms", half < FIRST_ROWS);
    }
    if !well {
        let ill: Vec<String> =
            streams.ill.iter().map(|(state, count)| format!("{state} {count}")).collect();
        table.fact("the two that are ill were, in the events", &ill.join(", "));
    }
    let (limit, aim) = if well { (ALL_WELL, "< 1 s") } else { (HARD, "<= 2.2 s") };
    let until = if well { "end" } else { "end or soft deadline" };
    for (name, times) in [("events", &streams.complete), ("Bundle", &bundles.complete)] {
        let what = format!("complete as {name}, until {until} (p95)");
        table.aimed(&what, &both(times), aim, times.percentile(0.95) <= limit && !times.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_whatever_the_pieces() {
        let text = "event: sources\ndata: {}\n\n: keep\nevent:resource\ndata: {\"a\":1}\r\n\r\nevent: end\ndata: {}\n\n";
        for size in [1, 3, 1000] {
            let mut reader = Events::default();
            let all: Vec<(String, String)> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|chunk| reader.take(chunk))
                .map(|event| (event.name, event.data))
                .collect();
            let expected = [("sources", "{}"), ("resource", "{\"a\":1}"), ("end", "{}")];
            let expected: Vec<(String, String)> =
                expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!(all, expected, "{size}");
        }
    }
}
