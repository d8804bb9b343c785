//! Counting cohorts of a million made-up people, and what the answer for the network adds: noise and a sketch.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Instant;

use population::criteria::Cohort;
use population::day::When;
use population::distinct::{Cells, NoiseRefused, QuestionKey, Sketch, Token, TokenKey};
use population::event::{Coding, Event, Kind, Person, Quantity, Sex};
use population::{Builder, Counting, Index};
use privacy::budget::noise::Mechanism;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::{ChaCha8Rng, ChaCha20Rng};

use super::Settings;
use crate::client::Fault;
use crate::figures::Table;

/// Repetitions of every question; the median is printed.
const TURNS: usize = 5;
/// Events of a person, on average.
const EVENTS: u64 = 110;
/// Threads of a count.
const THREADS: usize = 2;
/// ε of the sketch, in millionths.
const EPSILON: u64 = 500_000;

/// One of forty people at first diagnosis, adults, a value within a year, no drug before.
const SELECTIVE: &str = r#"{"index":{"pick":"first","event":{"kind":"condition","codes":["sct|rare"]}},"steps":[
    {"label":"adults","criterion":{"age":{"at-least":18}}},
    {"label":"high","criterion":{"event":{"event":{"kind":"observation","codes":["loinc|o1"],
    "value":[{"is":"above","number":8,"unit":"%"}]},"when":[{"within":{"days-before":365,"days-after":365}}]}}},
    {"label":"new","criterion":{"event":{"event":{"kind":"medication","codes":["rx|m3","rx|m4"]},"occurs":"never",
    "when":[{"before":{}}]}}}]}"#;
/// Everybody, by an event that everybody has, age, being alive and a visit within a hundred years.
const EVERYBODY: &str = r#"{"index":{"pick":"first","event":{"kind":"observation","codes":["loinc|o0"]}},"steps":[
    {"label":"age","criterion":{"age":{"at-most":150}}},{"label":"alive","criterion":{"alive":{}}},
    {"label":"visit","criterion":{"event":{"event":{"kind":"encounter"},"when":[{"within":{"days-before":36500,"days-after":36500}}]}}}]}"#;

/// Measures. Blocks.
pub fn measure(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    let people: u64 = if settings.quick { 10_000 } else { 1_000_000 };
    table.part(&format!("cohorts over {people} people, {THREADS} threads"));
    let started = Instant::now();
    let index = made_up(settings.seed, people)?;
    let (events, took) = (index.size().events, started.elapsed().as_secs_f64());
    table.fact("made up and indexed", &format!("{events} events in {took:.1} s"));
    let day = When::parse("2021-06-15").ok_or("no day")?;
    let mut everybody = Vec::new();
    for (name, question, aim) in
        [("a selective count", SELECTIVE, 0.3), ("a count of all people", EVERYBODY, 1.5)]
    {
        let cohort = Cohort::parse(question)?;
        let how = Counting { day, threads: THREADS, without: &BTreeSet::new() };
        let mut seconds = Vec::new();
        for _ in 0..TURNS {
            let started = Instant::now();
            everybody = index.count(&cohort, &how)?.members().to_vec();
            seconds.push(started.elapsed().as_secs_f64());
        }
        let found = everybody.len();
        let median = median(&mut seconds);
        let reached = format!("{median:.3} s, {found} found");
        table.aimed(name, &reached, &format!("≤ {aim} s"), median <= aim);
    }
    sketch(settings, &everybody, table)
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or_default()
}

/// A sketch of these people, as an institution makes it for each question.
fn sketch(settings: &Settings, members: &[u64], table: &mut Table) -> Result<(), Fault> {
    let key = TokenKey::new(&[7; 32])?;
    let tokens: Vec<Token> =
        members.iter().map(|key_of| key.token(&[&key_of.to_be_bytes()])).collect();
    let cells = Cells::for_people(members.len() as u64, EPSILON)?;
    let dealt = QuestionKey::new(&[8; 32], b"")?;
    let mut rng = ChaCha20Rng::seed_from_u64(settings.seed);
    let mut seconds = Vec::new();
    for _ in 0..TURNS {
        let mut noise = |micro_epsilon| {
            Mechanism::DiscreteLaplace { sensitivity: 1, micro_epsilon }
                .sample(&mut rng)
                .map_err(|_| NoiseRefused)
        };
        let started = Instant::now();
        Sketch::of(&mut tokens.clone(), cells, &dealt, &mut noise)?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    let what = format!("a sketch of {} people in {} cells", members.len(), cells.count());
    table.fact(&what, &format!("{:.3} s", median(&mut seconds)));
    Ok(())
}

fn made_up(seed: u64, people: u64) -> Result<Index, Fault> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut builder = Builder::new();
    for key in 0..people {
        let (person, events) = person(&mut rng);
        builder.add(key, person, events)?;
    }
    Ok(builder.finish()?)
}

/// Visits over a life, in the proportions of Synthea's bundles: at most visits a panel of observations, a few
/// conditions, orders and vaccines.
fn person(rng: &mut ChaCha8Rng) -> (Person, Vec<Event<'static>>) {
    let mut below = |limit: u64| rng.next_u64() % limit;
    let birth = 18_700 - below(33_000) as i32;
    let sex = if below(2) == 0 { Sex::Female } else { Sex::Male };
    let person = Person { birth: day(birth), sex, ..Person::default() };
    let wanted = (EVENTS / 2 + below(EVENTS) + 1) as usize;
    let mut events = vec![event(Kind::Observation, "loinc", "o0".into(), birth + 10, Some(5.0), 0)];
    if below(40) == 0 {
        events.push(event(Kind::Condition, "sct", "rare".into(), birth + 7_000, None, 0));
    }
    let mut visit = 0;
    while events.len() < wanted {
        visit += 1;
        let when = birth + below((18_770 - birth) as u64) as i32;
        events.push(event(Kind::Encounter, "sct", format!("v{}", below(30)), when, None, visit));
        for _ in 0..below(8) {
            // Some codes are common and most are rare.
            let code = below(60) * below(10) / 10;
            let value = (code < 45).then(|| below(150) as f64 / 10.0);
            events.push(event(Kind::Observation, "loinc", format!("o{code}"), when, value, visit));
        }
        for (kind, system, prefix, codes) in [
            (Kind::Condition, "sct", "c", 300),
            (Kind::Medication, "rx", "m", 200),
            (Kind::Procedure, "sct", "p", 200),
            (Kind::Immunization, "cvx", "i", 40),
        ] {
            if below(4) == 0 {
                let code = format!("{prefix}{}", below(codes));
                events.push(event(kind, system, code, when, None, visit));
            }
        }
    }
    (person, events)
}

fn day(days: i32) -> When {
    When::day(days).unwrap_or(When::UNKNOWN)
}

fn event(
    kind: Kind,
    system: &'static str,
    code: String,
    when: i32,
    value: Option<f64>,
    visit: u32,
) -> Event<'static> {
    Event {
        kind,
        codes: vec![Coding { system: Cow::Borrowed(system), code: Cow::Owned(code) }],
        when: day(when),
        value: value.map(|number| Quantity { number, unit: Cow::Borrowed("%") }),
        encounter: Some(Cow::Owned(visit.to_string())),
    }
}
