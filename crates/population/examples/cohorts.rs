//! How fast one institution counts its people, and what they take of memory.
//!
//! `cargo run --release -p consilium-population --example cohorts -- [PEOPLE] [EVENTS]`: so many made-up people with
//! on average so many events each (1,000,000 and 110 by default, in about 2 GB). Seeded.

#![expect(clippy::print_stdout, reason = "a program that prints figures")]

extern crate consilium_population as population;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::error::Error;
use std::time::Instant;

use population::criteria::Cohort;
use population::day::When;
use population::event::{Coding, Event, Kind, Person, Quantity, Sex};
use population::{Builder, Counting, Index};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The generator's seed.
const SEED: u64 = 20_261_123;
/// Repetitions of every question; the median is printed.
const TURNS: usize = 5;

const QUESTIONS: [(&str, &str); 7] = [
    (
        "one code, 2.5 %",
        r#"{"steps":[{"label":"code","criterion":{"event":{"event":{"kind":"condition","codes":["sct|rare"]}}}}]}"#,
    ),
    (
        "2.5 % at first diagnosis, adults, HbA1c above 8 within a year, no drug before",
        r#"{"index":{"pick":"first","event":{"kind":"condition","codes":["sct|rare"]}},"steps":[
        {"label":"adult","criterion":{"age":{"at-least":18}}},
        {"label":"value","criterion":{"event":{"event":{"kind":"observation","codes":["loinc|o1"],
        "value":[{"is":"above","number":8,"unit":"%"}]},"when":[{"within":{"days-before":365,"days-after":365}}]}}},
        {"label":"new","criterion":{"event":{"event":{"kind":"medication","codes":["rx|m3","rx|m4"]},"occurs":"never",
        "when":[{"before":{}}]}}}]}"#,
    ),
    (
        "everybody by one code",
        r#"{"steps":[{"label":"code","criterion":{"event":{"event":{"kind":"observation","codes":["loinc|o0"]}}}}]}"#,
    ),
    (
        "everybody by one value",
        r#"{"steps":[{"label":"value","criterion":{"event":{"event":{"kind":"observation","codes":["loinc|o0"],
        "value":[{"is":"above","number":-1,"unit":"%"}]}}}}]}"#,
    ),
    (
        "everybody, first of the code, age, alive, another within 100 years, none of a rare one that day",
        r#"{"index":{"pick":"first","event":{"kind":"observation","codes":["loinc|o0"]}},"steps":[
        {"label":"age","criterion":{"age":{"at-most":150}}},{"label":"alive","criterion":{"alive":{}}},
        {"label":"visit","criterion":{"event":{"event":{"kind":"encounter"},"when":[{"within":{"days-before":36500,"days-after":36500}}]}}},
        {"label":"rare","criterion":{"event":{"event":{"kind":"condition","codes":["sct|rare"]},"occurs":"never",
        "when":[{"within":{"days-before":0,"days-after":0}}]}}}]}"#,
    ),
    (
        "everybody by any encounter with an observation of its own",
        r#"{"index":{"pick":"any","event":{"kind":"encounter"}},"steps":[
        {"label":"observation","criterion":{"event":{"event":{"kind":"observation"},"when":[{"same-encounter":{}}]}}}]}"#,
    ),
    (
        "at least twenty observations of any code",
        r#"{"steps":[{"label":"many","criterion":{"event":{"event":{"kind":"observation"},"occurs":{"at-least":20}}}}]}"#,
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let people: u64 = words.next().map_or(Ok(1_000_000), |word| word.parse())?;
    let events: u64 = words.next().map_or(Ok(110), |word| word.parse())?;
    let started = Instant::now();
    let index = made_up(people, events)?;
    let size = index.size();
    println!(
        "{} people, {} events, made and indexed in {:.1} s (seed {SEED})",
        size.people,
        size.events,
        started.elapsed().as_secs_f64()
    );
    println!(
        "{:.1} bytes an event in columns, {:.0} MB; tables {:.0} MB; resident {} MB",
        size.columns_bytes as f64 / size.events as f64,
        size.columns_bytes as f64 / 1e6,
        size.tables_bytes as f64 / 1e6,
        resident().unwrap_or_default()
    );
    let day = When::parse("2021-06-15").ok_or("no day")?;
    for (name, question) in QUESTIONS {
        let cohort = Cohort::parse(question)?;
        for threads in [1, 2] {
            let how = Counting { day, threads, without: &BTreeSet::new() };
            let mut seconds = Vec::new();
            let (mut total, cpu) = (0, cpu_seconds().unwrap_or_default());
            for _ in 0..TURNS {
                let started = Instant::now();
                total = index.count(&cohort, &how)?.total();
                seconds.push(started.elapsed().as_secs_f64());
            }
            seconds.sort_by(f64::total_cmp);
            let cpu = (cpu_seconds().unwrap_or_default() - cpu) / TURNS as f64;
            println!(
                "{name}: {total} of {people}, {threads} threads: median {:.3} s, least {:.3} s, {cpu:.3} CPU s",
                seconds[TURNS / 2],
                seconds[0]
            );
        }
    }
    changes(index, people, events)
}

/// What one change costs, and that who was removed is gone.
fn changes(mut index: Index, people: u64, events: u64) -> Result<(), Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED + 1);
    let started = Instant::now();
    for turn in 0..100 {
        let (person, own) = person(&mut rng, events);
        index.replace(turn * people / 100, person, own)?;
    }
    println!("replace: {:.2} ms a person", started.elapsed().as_secs_f64() * 10.0);
    let started = Instant::now();
    for turn in 0..100 {
        index.remove(turn * people / 100);
    }
    println!("remove: {:.4} ms a person", started.elapsed().as_secs_f64() * 10.0);
    Ok(())
}

fn made_up(people: u64, events: u64) -> Result<Index, Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut builder = Builder::new();
    for key in 0..people {
        let (person, own) = person(&mut rng, events);
        builder.add(key, person, own)?;
    }
    Ok(builder.finish()?)
}

/// As Synthea has it: visits over a life, a few conditions, orders and vaccines, and at most visits a
/// panel of observations; of 447 events of a real bundle 72 % are observations.
fn person(rng: &mut ChaCha8Rng, events: u64) -> (Person, Vec<Event<'static>>) {
    let mut below = |limit: u64| rng.next_u64() % limit;
    let birth = 18_700 - below(33_000) as i32;
    let sex = if below(2) == 0 { Sex::Female } else { Sex::Male };
    let person = Person { birth: day(birth), sex, ..Person::default() };
    let wanted = (events / 2 + below(events.max(1)) + 1) as usize;
    let mut own = Vec::with_capacity(wanted + 2);
    own.push(event(Kind::Observation, "loinc", Cow::Borrowed("o0"), birth + 10, Some(5.0), 0));
    if below(40) == 0 {
        own.push(event(Kind::Condition, "sct", Cow::Borrowed("rare"), birth + 7_000, None, 0));
    }
    let mut visit = 0;
    while own.len() < wanted {
        visit += 1;
        let when = birth + below((18_770 - birth) as u64) as i32;
        own.push(event(Kind::Encounter, "sct", named("v", below(30)), when, None, visit));
        for _ in 0..below(8) {
            // Some codes are common and most are rare.
            let code = below(60) * below(10) / 10;
            let value = (code < 45).then(|| below(150) as f64 / 10.0);
            own.push(event(Kind::Observation, "loinc", named("o", code), when, value, visit));
        }
        for (kind, system, prefix, codes) in [
            (Kind::Condition, "sct", "c", 300),
            (Kind::Medication, "rx", "m", 200),
            (Kind::Procedure, "sct", "p", 200),
            (Kind::Immunization, "cvx", "i", 40),
        ] {
            if below(4) == 0 {
                own.push(event(kind, system, named(prefix, below(codes)), when, None, visit));
            }
        }
    }
    (person, own)
}

fn named(prefix: &str, number: u64) -> Cow<'static, str> {
    Cow::Owned(format!("{prefix}{number}"))
}

fn day(days: i32) -> When {
    When::day(days).unwrap_or(When::UNKNOWN)
}

fn event(
    kind: Kind,
    system: &'static str,
    code: Cow<'static, str>,
    when: i32,
    value: Option<f64>,
    visit: u32,
) -> Event<'static> {
    Event {
        kind,
        codes: vec![Coding { system: Cow::Borrowed(system), code }],
        when: day(when),
        value: value.map(|number| Quantity { number, unit: Cow::Borrowed("%") }),
        encounter: Some(Cow::Owned(visit.to_string())),
    }
}

/// User and system time of this process, in seconds (Linux, a hundred ticks a second).
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Resident memory in MB (Linux).
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}
