//! Measuring the matcher on records whose truth is known.
//!
//! Every record is taken as a question to each other site, as a node would ask: the blocking
//! searches run on an index of that site's patients, the candidates are scored, and at most one
//! is followed. A pair therefore counts once in each direction.

mod index;
mod tally;

pub use tally::LevelCounts;

use crate::blocking::{BlockingKey, blocking_keys};
use crate::candidates::{decide, match_patient};
use crate::model::Model;
use crate::person::Person;
use crate::score::{Grade, Score};
use fhir::{InvalidResource, Resource};
use index::PatientIndex;
use std::collections::BTreeMap;

/// The most wrong and missed pairs that a report lists.
const MAX_LISTED: usize = 1000;

/// A record with its truth: who it is, at which site it lies, and the Patient as JSON.
pub type Labelled = (String, String, String);

/// How well one kind of answer agrees with the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Pairs answered that are of one person.
    pub right: u64,
    /// Pairs answered that are not.
    pub wrong: u64,
    /// Pairs of one person that were not answered.
    pub missed: u64,
}

impl Figures {
    /// Share of the answers that are right; 1 when there was no answer.
    pub fn precision(self) -> f64 {
        ratio(self.right, self.right + self.wrong)
    }

    /// Share of the true pairs that were answered; 1 when there is none.
    pub fn recall(self) -> f64 {
        ratio(self.right, self.right + self.missed)
    }

    /// Harmonic mean of precision and recall.
    pub fn f1(self) -> f64 {
        ratio(2 * self.right, 2 * self.right + self.wrong + self.missed)
    }
}

/// A pair of records by their places in the input, and how it was graded; `None` when the
/// searches did not find it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The record asked with.
    pub query: usize,
    /// The record at the other site.
    pub candidate: usize,
    /// The score, where the pair was compared.
    pub score: Option<Score>,
}

/// What an evaluation found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Questions asked: one for each record and each other site.
    pub questions: u64,
    /// Searches made.
    pub searches: u64,
    /// Searches that hit more records than the cap allows and were cut off.
    pub searches_cut: u64,
    /// Pairs compared.
    pub comparisons: u64,
    /// The most candidates of one question.
    pub most_candidates: u64,
    /// True pairs found by the searches, missed by them; `wrong` is the candidates of others.
    pub blocking: Figures,
    /// Pairs followed without a person's decision.
    pub certain: Figures,
    /// Pairs graded possible or better.
    pub possible: Figures,
    /// Wrong pairs that were followed, up to 1000.
    pub wrongly_followed: Vec<Listed>,
    /// True pairs that were not followed, up to 1000.
    pub not_followed: Vec<Listed>,
}

impl Report {
    /// Adds the counts of another report. Its lists are left out: their places are of other input.
    pub fn add(&mut self, other: &Self) {
        self.questions += other.questions;
        self.searches += other.searches;
        self.searches_cut += other.searches_cut;
        self.comparisons += other.comparisons;
        self.most_candidates = self.most_candidates.max(other.most_candidates);
        for (to, from) in [
            (&mut self.blocking, other.blocking),
            (&mut self.certain, other.certain),
            (&mut self.possible, other.possible),
        ] {
            to.right += from.right;
            to.wrong += from.wrong;
            to.missed += from.missed;
        }
    }
}

/// A record of the input that is no FHIR resource.
#[derive(Debug, thiserror::Error)]
#[error("record {at} is not a resource")]
pub struct InvalidRecord {
    /// Its place in the input, from 0.
    pub at: usize,
    /// Why.
    #[source]
    pub source: InvalidResource,
}

/// Asks every other site for every record of `records`, cutting each search off after
/// `search_cap` hits, and compares the answers with the truth.
pub fn evaluate(
    records: &[Labelled],
    model: &Model,
    search_cap: usize,
) -> Result<Report, InvalidRecord> {
    let mut run = Run {
        records,
        model,
        search_cap,
        by_truth: BTreeMap::new(),
        people: Vec::new(),
        report: Report::default(),
    };
    let mut sites: BTreeMap<&str, PatientIndex> = BTreeMap::new();
    for (at, (truth, site, patient)) in records.iter().enumerate() {
        run.by_truth.entry(truth).or_default().push(at);
        let resource = Resource::parse(patient.as_str());
        let resource = resource.map_err(|source| InvalidRecord { at, source })?;
        sites.entry(site).or_default().add(at, &resource);
        run.people.push(Person::of(&resource));
    }
    for query in 0..records.len() {
        let own = records.get(query).map(|(_, site, _)| site.as_str());
        for (name, site) in sites.iter().filter(|(name, _)| Some(**name) != own) {
            run.ask(query, name, site);
        }
    }
    Ok(run.report)
}

struct Run<'a> {
    records: &'a [Labelled],
    model: &'a Model,
    search_cap: usize,
    /// Places of records by the person they are of.
    by_truth: BTreeMap<&'a str, Vec<usize>>,
    people: Vec<Person>,
    report: Report,
}

impl Run<'_> {
    fn ask(&mut self, query: usize, site_name: &str, site: &PatientIndex) {
        let person = &self.people[query];
        let mut found: Vec<usize> = Vec::new();
        for BlockingKey::Search(parameters) in blocking_keys(person) {
            let hits = site.search(&parameters);
            self.report.searches += 1;
            self.report.searches_cut += u64::from(hits.len() > self.search_cap);
            found.extend(hits.into_iter().take(self.search_cap));
        }
        found.sort_unstable();
        found.dedup();
        let candidates: Vec<(usize, Person)> =
            found.iter().map(|&at| (at, self.people[at].clone())).collect();
        let matches = match_patient(person, &candidates, self.model);
        let scores: Vec<Score> = matches.iter().map(|found| found.score.clone()).collect();
        let followed = decide(&scores).and_then(|at| matches.get(at)).map(|found| found.id);
        self.report.questions += 1;
        self.report.comparisons += matches.len() as u64;
        self.report.most_candidates = self.report.most_candidates.max(matches.len() as u64);
        for found in &matches {
            self.count(query, found.id, &found.score, followed == Some(found.id));
        }
        for at in self.others(query, site_name) {
            if found.binary_search(&at).is_ok() {
                continue;
            }
            self.report.blocking.missed += 1;
            self.report.possible.missed += 1;
            self.report.certain.missed += 1;
            list(&mut self.report.not_followed, query, at, None);
        }
    }

    /// Places of the records of the same person at a site.
    fn others(&self, query: usize, site: &str) -> Vec<usize> {
        let truth = self.records[query].0.as_str();
        let places = self.by_truth.get(truth).into_iter().flatten();
        places.copied().filter(|at| self.records[*at].1 == site).collect()
    }

    fn same(&self, a: usize, b: usize) -> bool {
        self.records[a].0 == self.records[b].0
    }

    fn count(&mut self, query: usize, candidate: usize, score: &Score, followed: bool) {
        let same = self.same(query, candidate);
        let report = &mut self.report;
        report.blocking.add(true, same);
        report.possible.add(score.grade >= Grade::Possible, same);
        report.certain.add(followed, same);
        match (followed, same) {
            (true, false) => list(&mut report.wrongly_followed, query, candidate, Some(score)),
            (false, true) => list(&mut report.not_followed, query, candidate, Some(score)),
            _ => {}
        }
    }
}

impl Figures {
    fn add(&mut self, answered: bool, same: bool) {
        match (answered, same) {
            (true, true) => self.right += 1,
            (true, false) => self.wrong += 1,
            (false, true) => self.missed += 1,
            (false, false) => {}
        }
    }
}

fn list(to: &mut Vec<Listed>, query: usize, candidate: usize, score: Option<&Score>) {
    if to.len() < MAX_LISTED {
        to.push(Listed { query, candidate, score: score.cloned() });
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}
