//! Prints what a shortlist by encodings costs and misses, and how fast filters are compared.
//!
//! `cargo run --release -p consilium-matching --example locate [PEOPLE]`. Networks of hospitals hold
//! faulty copies of generated households; the truth is known. With `scale [ENCODINGS]` two members
//! publish that many encodings each (a million where it is not said), and each asks for its own.

#![expect(clippy::print_stdout, reason = "printing figures is what this program is for")]

#[path = "../tests/it/desk.rs"]
mod desk;
#[path = "../tests/it/population.rs"]
mod population;
#[path = "../tests/it/shortlist.rs"]
mod shortlist;

use consilium_matching::clk::{
    Bound, Encoder, Encoding, Epsilon, Filter, Noise, Probe, Scheme, View,
};
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("scale") {
        return scale(arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1_000_000));
    }
    let schemes = [
        ("plain", Scheme::PLAIN, Epsilon::NONE),
        ("folded", Scheme::HARDENED, Epsilon::NONE),
        ("folded, eps 4", Scheme::HARDENED, Epsilon::new(4.0)?),
        ("folded, eps 3", Scheme::HARDENED, Epsilon::STANDARD),
        ("folded, eps 2", Scheme::HARDENED, Epsilon::new(2.0)?),
    ];
    let people = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(20_000);
    println!(
        "{:<26}{:<16}{:>6}{:>9}{:>10}{:>10}{:>9}",
        "data", "scheme", "dice", "pairs", "recall", "precision", "asked"
    );
    for (data, rates) in [
        ("realistic", desk::Rates::realistic()),
        ("realistic, no SSN", desk::Rates::realistic().without_ssn()),
        ("harsh, no SSN", desk::Rates::harsh()),
    ] {
        for (name, scheme, epsilon) in schemes {
            let network = shortlist::Network::new(people, 100, rates, 5, scheme, epsilon);
            for dice in [0.7, 0.75, 0.8, 0.85] {
                let figures = network.ask(dice, 600);
                println!(
                    "{data:<26}{name:<16}{dice:>6.2}{:>9}{:>10.4}{:>10.4}{:>9.2}",
                    figures.holders,
                    figures.recall(),
                    figures.precision(),
                    figures.asked()
                );
            }
        }
    }
    speed()
}

fn speed() -> Result<(), Box<dyn Error>> {
    let encoder = Encoder::new(&[3; 32], Scheme::HARDENED)?;
    let noise = Noise::new(&[4; 32], Epsilon::STANDARD);
    let people = population::people(20_000, 9).people;
    let mut desk =
        desk::Desk { rng: rand::SeedableRng::seed_from_u64(1), rates: desk::Rates::realistic() };
    let persons: Vec<_> = people
        .iter()
        .enumerate()
        .map(|(n, p)| shortlist::person(&desk.patient(p, "north", n)))
        .collect();
    let started = Instant::now();
    let encodings: Vec<_> = persons.iter().map(|p| encoder.encode(p)).collect();
    let encoded = started.elapsed();
    let per = encodings.iter().map(Vec::len).sum::<usize>() as f64 / persons.len() as f64;
    println!(
        "{:.1} us to encode a record, {per:.2} encodings each",
        encoded.as_secs_f64() * 1e6 / persons.len() as f64
    );
    let started = Instant::now();
    let mut base: Vec<Filter> = Vec::new();
    for (n, encoding) in (0u64..).zip(encodings.iter().flatten()) {
        base.push(noise.add(encoding.filter, &[&n.to_be_bytes()]));
    }
    println!(
        "{:.2} us of noise for an encoding",
        started.elapsed().as_secs_f64() * 1e6 / base.len() as f64
    );
    let filters: Vec<Filter> = base.iter().cycle().take(1_000_000).copied().collect();
    let sizes: Vec<u16> = filters.iter().map(|f| f.ones() as u16).collect();
    let bound = Bound { dice: 0.8, asker: Epsilon::STANDARD, holder: Epsilon::STANDARD };
    let (mut found, mut rounds) = (0, 0);
    let started = Instant::now();
    for encoding in encodings.iter().flatten().step_by(997).take(50) {
        found += Probe::new(encoding, bound).alike(&filters, &sizes).count();
        rounds += 1;
    }
    let took = started.elapsed().as_secs_f64();
    println!(
        "{:.1} M comparisons/s on one core, {:.1} ms for 1 M encodings ({found} alike)",
        rounds as f64 / took,
        took * 1e3 / rounds as f64
    );
    Ok(())
}

/// People that are made, encoded and forgotten at once, so that texts take little memory.
const BATCH: usize = 10_000;
/// Questions of each member.
const QUESTIONS: usize = 1_000;

/// What one member has published, and whom it asks for.
#[derive(Default)]
struct Member {
    /// By view: filters, their sizes, and whom each is of.
    shelves: [(Vec<Filter>, Vec<u16>, Vec<u32>); View::ALL.len()],
    encodings: usize,
    records: usize,
    questions: Vec<(u32, Vec<Encoding>)>,
}

impl Member {
    fn publish(&mut self, of: u32, clear: Vec<Encoding>, noise: &Noise) {
        for (number, encoding) in (0u8..).zip(&clear) {
            let filter = noise.add(encoding.filter, &[&of.to_be_bytes(), &[number]]);
            let (filters, sizes, owners) = &mut self.shelves[encoding.view.index()];
            filters.push(filter);
            sizes.push(filter.ones() as u16);
            owners.push(of);
        }
        self.encodings += clear.len();
        self.records += 1;
        // Some from every part of the population.
        if self.records.is_multiple_of(181) && self.questions.len() < QUESTIONS {
            self.questions.push((of, clear));
        }
    }

    /// Whoever is like the encodings here.
    fn alike(&self, asked: &[Encoding], bound: Bound) -> Vec<u32> {
        let mut found = Vec::new();
        for encoding in asked {
            let (filters, sizes, owners) = &self.shelves[encoding.view.index()];
            let probe = Probe::new(encoding, bound);
            found.extend(probe.alike(filters, sizes).map(|at| owners[at]));
        }
        found
    }
}

/// Two members that publish `most` encodings each: what one question takes and finds.
fn scale(most: usize) -> Result<(), Box<dyn Error>> {
    const SITES: [&str; 2] = ["north", "south"];
    let encoder = Encoder::new(&[1; 32], Scheme::HARDENED)?;
    let noises = [5, 6].map(|secret| Noise::new(&[secret; 32], Epsilon::STANDARD));
    let mut members = [Member::default(), Member::default()];
    // By person: at which of the two they are known.
    let (mut held, mut kin) = (Vec::<u8>::new(), HashMap::new());
    let started = Instant::now();
    for batch in 0.. {
        let population = population::people(BATCH, 1_000 + batch);
        let first = held.len();
        let number = |at: usize| (first + at) as u32;
        for (one, other, how) in &population.kin {
            kin.insert((number(*one), number(*other)), *how);
            kin.insert((number(*other), number(*one)), *how);
        }
        let ids = population.people.iter().enumerate();
        let by_id: HashMap<&str, u32> = ids.map(|(at, p)| (p.id.as_str(), number(at))).collect();
        held.resize(first + population.people.len(), 0);
        let rates = desk::Rates::realistic();
        for (of, site, text) in desk::copies(&population.people, &SITES, rates, 2_000 + batch) {
            let of = by_id[of.as_str()];
            let at = usize::from(site == SITES[1]);
            let clear = encoder.encode(&shortlist::person(&text));
            held[of as usize] |= 1 << at;
            members[at].publish(of, clear, &noises[at]);
        }
        if members.iter().all(|member| member.encodings >= most) {
            break;
        }
    }
    for (site, member) in SITES.iter().zip(&members) {
        println!("{site}: {} records, {} encodings", member.records, member.encodings);
    }
    println!("made and encoded in {:.0} s", started.elapsed().as_secs_f64());
    memory();
    for dice in [0.75, 0.8, 0.85] {
        question(&members, &held, &kin, dice);
    }
    memory();
    Ok(())
}

fn question(
    members: &[Member; 2],
    held: &[u8],
    kin: &HashMap<(u32, u32), population::Kin>,
    dice: f64,
) {
    let noise = Noise::new(&[7; 32], Epsilon::STANDARD);
    let bound = Bound { dice, asker: Epsilon::STANDARD, holder: Epsilon::STANDARD };
    let (mut right, mut listed, mut holders, mut asked) = (0_usize, 0_usize, 0_usize, 0_usize);
    let (mut relatives, mut strangers) = (BTreeMap::new(), 0);
    let mut times: Vec<Duration> = Vec::new();
    for (asker, holder) in [(0, 1), (1, 0)] {
        for (of, clear) in &members[asker].questions {
            let noisy = |(number, one): (u8, &Encoding)| Encoding {
                view: one.view,
                filter: noise.add(one.filter, &[&of.to_be_bytes(), &[number]]),
            };
            let encodings: Vec<Encoding> = (0u8..).zip(clear).map(noisy).collect();
            let started = Instant::now();
            let found = members[holder].alike(&encodings, bound);
            times.push(started.elapsed());
            let holds = held[*of as usize] & (1 << holder) != 0;
            (asked, holders) = (asked + 1, holders + usize::from(holds));
            listed += usize::from(!found.is_empty());
            right += usize::from(holds && !found.is_empty());
            if !holds && !found.is_empty() {
                match found.iter().find_map(|other| kin.get(&(*of, *other))) {
                    Some(how) => *relatives.entry(how).or_insert(0) += 1,
                    None => strangers += 1,
                }
            }
        }
    }
    times.sort_unstable();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    let (recall, precision) =
        (right as f64 / holders.max(1) as f64, right as f64 / listed.max(1) as f64);
    println!(
        "dice {dice:.2}: {asked} questions, recall {recall:.4}, precision {precision:.4}, F1 {:.4}; \
         {:.1} ms a question in the middle, {:.1} ms at 95 %",
        2.0 * recall * precision / (recall + precision).max(f64::MIN_POSITIVE),
        at(0.5),
        at(0.95)
    );
    println!("  named without need: {strangers} for strangers, for relatives {relatives:?}");
}

/// Memory of this process, as Linux states it.
fn memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines().filter(|l| l.starts_with("VmRSS") || l.starts_with("VmHWM")) {
        println!("{}", line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}
