//! Which hospital stands for which of Synthea's organisations.
//!
//! A Synthea patient sees one to six organisations, mostly a general practice and a hospital nearby.
//! Organisations are dealt to the hospitals greedily, those with most encounters first: each goes to
//! the hospital that has fewest of its patients so far, so that the records of as many patients as
//! possible fall apart; among equals to the one with fewest encounters so far.

use std::collections::{BTreeMap, BTreeSet};

use super::SplitError;
use super::bundle::{Bundle, organisation_of};
use super::directory::Directory;
use crate::demographics::Demographics;
use crate::noise::{Population, Rates};
use crate::sites::{Site, organizations};

/// Gathers what has to be known of all bundles before any can be split.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    directory: Directory,
    population: Population,
    /// By organisation: how many encounters, and which patients.
    organisations: BTreeMap<String, (usize, BTreeSet<usize>)>,
    patients: usize,
}

impl Survey {
    /// A survey of bundles whose conditional references `directory` resolves.
    pub fn new(directory: Directory) -> Self {
        Self { directory, ..Self::default() }
    }

    /// Takes note of one patient's bundle. The order of calls does not matter for the result except
    /// among organisations that are alike in everything. Fails as [`super::split_bundle`] does.
    pub fn add(&mut self, file: &str, bundle_text: &str) -> Result<(), SplitError> {
        let bundle = Bundle::parse(file, bundle_text)?;
        let entries = bundle.entries()?;
        let (_, patient) = bundle.patient(&entries)?;
        self.population.add(&Demographics::from_patient(patient.resource));
        for entry in entries.iter().filter(|entry| entry.type_name == "Encounter") {
            let Some(key) = organisation_of(entry, &self.directory) else { continue };
            let (encounters, patients) = self.organisations.entry(key).or_default();
            *encounters += 1;
            patients.insert(self.patients);
        }
        self.patients += 1;
        Ok(())
    }

    /// Deals the organisations to `sites`. Fails where there are none.
    pub fn finish(self, sites: &[Site]) -> Result<Splitter, SplitError> {
        if sites.is_empty() {
            return Err(SplitError::new("", None, "at least one hospital is needed"));
        }
        let mut order: Vec<(&String, &(usize, BTreeSet<usize>))> =
            self.organisations.iter().collect();
        // The sort is stable, so organisations with equally many encounters stay in order of name.
        order.sort_by_key(|(_, (encounters, _))| std::cmp::Reverse(*encounters));
        let mut load = vec![0; sites.len()];
        let mut known: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); sites.len()];
        let mut assignment = BTreeMap::new();
        for (name, (encounters, patients)) in order {
            let hospital = (0..sites.len())
                .min_by_key(|at| (known[*at].intersection(patients).count(), load[*at], *at))
                .unwrap_or(0);
            load[hospital] += encounters;
            known[hospital].extend(patients);
            assignment.insert(name.clone(), hospital);
        }
        Ok(Splitter {
            sites: sites.to_vec(),
            assignment,
            directory: self.directory,
            population: self.population,
            rates: Rates::default(),
        })
    }
}

/// Knows which hospital takes which organisation's part of a record.
#[derive(Clone, Debug)]
pub struct Splitter {
    pub(super) sites: Vec<Site>,
    assignment: BTreeMap<String, usize>,
    pub(super) directory: Directory,
    pub(super) population: Population,
    pub(super) rates: Rates,
}

impl Splitter {
    /// Surveys `bundles` (file name and text of one patient each) in one go. Where they do not fit
    /// into memory together, feed a [`Survey`] one by one.
    pub fn over<'a>(
        bundles: impl IntoIterator<Item = (&'a str, &'a str)>,
        sites: &[Site],
        directory: Directory,
    ) -> Result<Self, SplitError> {
        let mut survey = Survey::new(directory);
        for (file, text) in bundles {
            survey.add(file, text)?;
        }
        survey.finish(sites)
    }

    /// The same with other error rates of the demographics.
    pub fn with_rates(mut self, rates: Rates) -> Self {
        self.rates = rates;
        self
    }

    /// The hospital that stands for an organisation, named by its literal reference
    /// (`Organization/id`) where the directory has it, else as the Encounter names it.
    pub fn hospital_of(&self, organisation: &str) -> Option<&Site> {
        self.sites.get(*self.assignment.get(organisation)?)
    }

    pub(super) fn index_of(&self, organisation: &str) -> Option<usize> {
        self.assignment.get(organisation).copied()
    }

    /// The texts that every hospital holds: the directory's resources, and the Organization of each
    /// hospital.
    pub fn shared(&self) -> Vec<String> {
        let mut out = organizations(&self.sites);
        out.extend_from_slice(self.directory.shared());
        out
    }
}
