//! A network of hospitals that locate patients by encodings: which would be asked, which should be.

use super::desk::{Desk, Rates};
use super::population;
use consilium_matching::Person;
use consilium_matching::clk::{
    Bound, Encoder, Encoding, Epsilon, Filter, Noise, Probe, Scheme, View,
};
use fhir::Resource;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A record at a hospital.
struct Record {
    of: usize,
    site: usize,
    clear: Vec<Encoding>,
}

/// Hospitals with their patients' encodings.
pub struct Network {
    sites: usize,
    epsilon: Epsilon,
    records: Vec<Record>,
    /// By view: filters, their sizes, and the site of each.
    shelves: Vec<(Vec<Filter>, Vec<u16>, Vec<usize>)>,
}

/// What came of a number of questions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub questions: usize,
    /// Other hospitals that hold the person.
    pub holders: usize,
    /// Those of them that were on the shortlist.
    pub reached: usize,
    /// Hospitals on the shortlist.
    pub listed: usize,
}

impl Figures {
    pub fn recall(&self) -> f64 {
        self.reached as f64 / self.holders.max(1) as f64
    }

    pub fn precision(&self) -> f64 {
        self.reached as f64 / self.listed.max(1) as f64
    }

    /// Hospitals asked for one patient, on average.
    pub fn asked(&self) -> f64 {
        self.listed as f64 / self.questions.max(1) as f64
    }
}

/// Reads a Patient.
pub fn person(text: &str) -> Person {
    Resource::parse(text)
        .map(|resource| Person::of(&resource))
        .unwrap_or_else(|_| unreachable!("the desk writes Patients"))
}

impl Network {
    /// `people` persons, each known to one to four of `sites` hospitals.
    pub fn new(
        people: usize,
        sites: usize,
        rates: Rates,
        seed: u64,
        scheme: Scheme,
        epsilon: Epsilon,
    ) -> Self {
        let Ok(encoder) = Encoder::new(&[1; 32], scheme) else {
            unreachable!("32 bytes are a key")
        };
        let noise = Noise::new(&[2; 32], epsilon);
        let mut desk = Desk { rng: ChaCha8Rng::seed_from_u64(seed + 1), rates };
        let mut records = Vec::new();
        let mut shelves = vec![(Vec::new(), Vec::new(), Vec::new()); View::ALL.len()];
        for (of, truth) in population::people(people, seed).people.iter().enumerate() {
            let mut at: Vec<usize> = Vec::new();
            for _ in 0..desk.rng.random_range(1..=4) {
                let site = desk.rng.random_range(0..sites);
                if !at.contains(&site) {
                    at.push(site);
                }
            }
            for site in at {
                let clear = encoder.encode(&person(&desk.patient(
                    truth,
                    &format!("site{site}"),
                    records.len(),
                )));
                for (number, encoding) in (0u8..).zip(&clear) {
                    let name = (records.len() as u64).to_be_bytes();
                    let filter = noise.add(encoding.filter, &[&name, &[number]]);
                    let (filters, sizes, owners) = &mut shelves[encoding.view.index()];
                    filters.push(filter);
                    sizes.push(filter.ones() as u16);
                    owners.push(site);
                }
                records.push(Record { of, site, clear });
            }
        }
        Self { sites, epsilon, records, shelves }
    }

    /// Asks for patients of the network, as the hospitals where they are known would.
    pub fn ask(&self, dice: f64, questions: usize) -> Figures {
        let noise = Noise::new(&[3; 32], self.epsilon);
        let bound = Bound { dice, asker: self.epsilon, holder: self.epsilon };
        let mut figures = Figures::default();
        let step = (self.records.len() / questions).max(1);
        for (number, record) in self.records.iter().enumerate().step_by(step) {
            let mut listed = vec![false; self.sites];
            for (at, encoding) in (0u8..).zip(&record.clear) {
                let name = (number as u64).to_be_bytes();
                let filter = noise.add(encoding.filter, &[&name, &[at]]);
                let probe = Probe::new(&Encoding { view: encoding.view, filter }, bound);
                let (filters, sizes, owners) = &self.shelves[encoding.view.index()];
                for found in probe.alike(filters, sizes) {
                    listed[owners[found]] = true;
                }
            }
            listed[record.site] = false;
            let others = self.records.iter().filter(|r| r.of == record.of && r.site != record.site);
            let mut holders = vec![false; self.sites];
            others.for_each(|other| holders[other.site] = true);
            figures.questions += 1;
            for (listed, holds) in listed.iter().zip(&holders) {
                figures.listed += usize::from(*listed);
                figures.holders += usize::from(*holds);
                figures.reached += usize::from(*listed && *holds);
            }
        }
        figures
    }
}
