//! The longitudinal record over whole networks: when the first rows come, and when it is complete.
//!
//! In the hard settings the last hospital of the network is dead (nothing listens there) and the
//! one before takes connections and never answers.

use std::path::Path;
use std::time::{Duration, Instant};

use identity::Role;
use node::serve::{self, Running};
use synthetic::{World, sites};

use super::Settings;
use crate::client::{Account, Client, Fault};
use crate::figures::{Table, Times, ms};
use crate::network::{Place, account, be_silent, fill, prepare};
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
        for ill in [0, 2] {
            setting(&places, &world, ill, questions, table).await?;
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
        // One account for each way of asking in each setting: a one-time code is good once.
        drop(node);
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
}

async fn setting(
    places: &[Place],
    world: &World,
    ill: usize,
    questions: usize,
    table: &mut Table,
) -> Result<(), Fault> {
    let well = places.len().saturating_sub(ill);
    let state = if ill == 0 { "all well" } else { "one dead, one slow" };
    table.part(&format!("longitudinal record, {} hospitals, {state}", places.len()));
    let silent = match ill {
        0 => None,
        _ => places.get(well).map(|place| be_silent(place.nodes)),
    };
    let silent = match silent {
        Some(start) => Some(start.await?),
        None => None,
    };
    let (running, accounts) = start(places, well, ill).await?;
    let list = choose(places, world, well);
    if list.is_empty() {
        return Err("no patient is known to more than one hospital".into());
    }
    let take = |skip: usize| list.iter().cycle().skip(skip).take(questions);
    let distinct = list.len();
    table.fact(
        "questions",
        &format!(
            "{questions} as events, {questions} as a Bundle, {distinct} patients to ask about"
        ),
    );
    let streams = ask_all(places, &accounts, 0, take(0), true).await?;
    let bundles = ask_all(places, &accounts, 1, take(questions), false).await?;
    print(&streams, &bundles, ill == 0, table);
    for node in running {
        let _ = tokio::time::timeout(Duration::from_secs(5), node.stop()).await;
    }
    if let Some(task) = silent {
        task.abort();
        let _ = task.await;
    }
    Ok(())
}

/// Starts the nodes that are well and makes two clinicians at each: as many as one-time codes are
/// needed at once.
async fn start(
    places: &[Place],
    well: usize,
    ill: usize,
) -> Result<(Vec<Running>, Vec<[Account; 2]>), Fault> {
    let (mut running, mut accounts) = (Vec::new(), Vec::new());
    for place in places.iter().take(well) {
        let place = place.clone();
        let open = move || -> Result<_, Fault> {
            let node = place.open()?;
            let make = |way: &str| {
                account(&node.app, Role::Clinician, &format!("bench-{way}-{ill}"), None)
            };
            let two = [make("events")?, make("bundle")?];
            Ok((node, two))
        };
        let (node, two) = tokio::task::spawn_blocking(open).await??;
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

async fn ask_all(
    places: &[Place],
    accounts: &[[Account; 2]],
    way: usize,
    questions: impl Iterator<Item = &Question>,
    events: bool,
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
        let accept = if events { "text/event-stream" } else { "application/fhir+json" };
        let request = http.get(url).bearer_auth(client.token()).header("accept", accept);
        ask(request, &place.site.org, events, &mut measured).await?;
    }
    Ok(measured)
}

async fn ask(
    request: reqwest::RequestBuilder,
    own: &str,
    events: bool,
    measured: &mut Measured,
) -> Result<(), Fault> {
    let asked = Instant::now();
    let mut answer = request.send().await?;
    if !answer.status().is_success() {
        let status = answer.status();
        return Err(format!("longitudinal record: {status} {}", answer.text().await?).into());
    }
    if !events {
        let body = answer.bytes().await?;
        measured.complete.push(asked.elapsed());
        return match body.is_empty() {
            true => Err("the record is empty".into()),
            false => Ok(()),
        };
    }
    let own = format!("{{\"source\":\"{own}\"");
    let mut reader = Events::default();
    let (mut first, mut other) = (false, false);
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
                // What comes after the soft deadline is the slow ones' own.
                "slow" | "end" => {
                    measured.complete.push(asked.elapsed());
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

fn print(streams: &Measured, bundles: &Measured, well: bool, table: &mut Table) {
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
