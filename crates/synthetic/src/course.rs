//! The course of one life as far as hospitals see it: visits in order, each written into the
//! record of the hospital where it happens.
//!
//! Every hospital knows what was recorded there and what the patient told; it does not see the
//! others' records. So the same disease stands in several records with different dates, a medicine
//! that was changed at one hospital may still be active at another, and only some results are sent
//! on. These are the clusters and conflicts that a merged record has to show.

use std::collections::{BTreeMap, BTreeSet};

use crate::body::{Body, Condition};
use crate::calendar::{DAY_MS, MINUTE_MS, YEAR_MS, age, date, office_hour};
use crate::chance::Chance;
use crate::chart::{Allergy, Chart, Code, Entry, Visit};
use crate::disease::Disease;
use crate::drugs::Drug;
use crate::itinerary::{Kind, Planned};
use crate::lab::{Lab, Panel};
use crate::note::{self, Facts};
use crate::sites::{Role, Site};
use crate::vaccines::Given;

/// A medicine in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Active {
    pub(crate) drug: Drug,
    pub(crate) disease: Disease,
}

/// What a hospital has on its lists.
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) conditions: BTreeMap<Disease, Entry>,
    pub(crate) medicines: BTreeMap<&'static str, (Drug, Entry)>,
    pub(crate) allergies: Vec<String>,
    pub(crate) asked_allergies: bool,
    /// The person has been there.
    pub(crate) known: bool,
    /// The vaccination card was copied.
    pub(crate) carded: bool,
    pub(crate) panels: BTreeMap<Panel, i64>,
    pub(crate) tobacco_ms: Option<i64>,
    pub(crate) plans: BTreeSet<Disease>,
}

/// One life in the making.
pub(crate) struct Course<'a> {
    pub(crate) now_ms: i64,
    pub(crate) chance: Chance,
    pub(crate) body: Body,
    pub(crate) charts: Vec<Chart<'a>>,
    pub(crate) lists: Vec<Lists>,
    pub(crate) regimen: BTreeMap<&'static str, Active>,
    /// Treatment steps that this person will take, by disease and number.
    pub(crate) steps: BTreeSet<(Disease, usize)>,
    pub(crate) allergies: Vec<Allergy>,
    pub(crate) given: Given,
    pub(crate) died_ms: Option<i64>,
    pub(crate) samples: u32,
    /// Other hospitals than the first were told of no allergy.
    pub(crate) denies_allergies: bool,
    /// When each screening was last done.
    pub(crate) screened: BTreeMap<&'static str, i64>,
}

/// What one visit has gathered.
pub(crate) struct Sitting {
    pub(crate) site: usize,
    pub(crate) at: i64,
    pub(crate) encounter: Entry,
    pub(crate) role: Role,
    pub(crate) day: Condition,
    pub(crate) labs: Vec<(Lab, f64)>,
    /// Weight was taken.
    pub(crate) weighed: bool,
    pub(crate) plan: Vec<String>,
}

impl<'a> Course<'a> {
    pub(crate) fn new(seed: u64, label: &str, sites: &[&'a Site], body: Body, now_ms: i64) -> Self {
        let mut chance = Chance::new(seed, &["course", label]);
        let mut steps = BTreeSet::new();
        for disease in body.onset.keys() {
            for (number, step) in disease.profile().steps.iter().enumerate() {
                if chance.yes(step.1) {
                    steps.insert((*disease, number));
                }
            }
        }
        Self {
            now_ms,
            body,
            charts: sites.iter().map(|site| Chart::new(site, seed, label)).collect(),
            lists: sites.iter().map(|_| Lists::default()).collect(),
            regimen: BTreeMap::new(),
            steps,
            allergies: Vec::new(),
            given: Given::default(),
            died_ms: None,
            samples: 0,
            denies_allergies: false,
            screened: BTreeMap::new(),
            chance,
        }
    }

    /// Lives through all visits.
    pub(crate) fn run(&mut self, planned: &[Planned]) {
        for visit in planned {
            match visit.kind {
                Kind::Checkup => self.checkup(visit),
                Kind::Management => self.planned(visit, Role::Primary, None),
                Kind::Specialist(disease) => {
                    self.planned(visit, disease.profile().specialty, Some(disease))
                }
                Kind::Sensitive(disease) => self.sensitive(visit, disease),
                Kind::Acute(ailment) => self.acute(visit, &ailment),
                Kind::Prenatal(week) => self.prenatal(visit, week),
                Kind::Delivery => self.delivery(visit),
            }
        }
    }

    pub(crate) fn years(&self, at: i64) -> f64 {
        age(self.body.birth_ms, at)
    }

    /// Who looks after the person day by day.
    pub(crate) fn primary(&self, at: i64) -> Role {
        if self.years(at) < 17.0 { Role::Pediatrics } else { Role::Primary }
    }

    #[expect(clippy::too_many_arguments, reason = "what an Encounter needs")]
    pub(crate) fn open(
        &mut self,
        planned: &Planned,
        class: &'static str,
        kind: Code,
        minutes: i64,
        role: Role,
        reason: Option<Code>,
        day: Condition,
    ) -> Sitting {
        let end_ms = (!planned.ongoing).then_some(planned.at + minutes * MINUTE_MS);
        let encounter = self.charts[planned.site].encounter(&Visit {
            class,
            kind,
            start_ms: planned.at,
            end_ms,
            role,
            reason,
            died: planned.fatal,
        });
        let sitting = Sitting {
            site: planned.site,
            at: planned.at,
            encounter,
            role,
            day,
            labs: Vec::new(),
            weighed: class == "AMB",
            plan: Vec::new(),
        };
        self.ask_allergies(&sitting);
        let family_doctor = matches!(role, Role::Primary | Role::Pediatrics);
        if family_doctor && !self.lists[sitting.site].carded {
            // A new family doctor copies the vaccination card.
            self.lists[sitting.site].carded = true;
            for (vaccine, at) in self.given.last(5) {
                self.charts[sitting.site].immunization(vaccine, at, None);
            }
        }
        self.lists[sitting.site].known = true;
        sitting
    }

    /// Writes the note of a visit out of what the hospital has on its lists.
    pub(crate) fn write_note(
        &mut self,
        sitting: &Sitting,
        kind: Code,
        title: &str,
        history: &str,
        vitals: Option<crate::body::Vitals>,
    ) {
        let years = self.years(sitting.at);
        let female = self.body.female;
        let who = if years < 2.0 {
            format!("{:.0}-month-old {}", years * 12.0, if female { "girl" } else { "boy" })
        } else {
            let word = match (years < 18.0, female) {
                (true, true) => "girl",
                (true, false) => "boy",
                (false, true) => "woman",
                (false, false) => "man",
            };
            format!("{:.0}-year-old {word}", years.floor())
        };
        let lists = &self.lists[sitting.site];
        let chart = &mut self.charts[sitting.site];
        // A note says of diseases of special sensitivity only where it carries their label itself.
        let label = chart.sensitivity;
        let fits =
            |disease: Disease| disease.profile().sensitivity.is_none_or(|code| Some(code) == label);
        let problems = lists
            .conditions
            .keys()
            .filter(|disease| fits(**disease))
            .map(|disease| disease.profile().code.1.to_owned());
        let regimen = &self.regimen;
        let shown = |group: &str| regimen.get(group).is_none_or(|active| fits(active.disease));
        let medicines = lists
            .medicines
            .iter()
            .filter(|(group, _)| shown(group))
            .map(|(_, (drug, _))| format!("{}: {}", drug.display, drug.sig));
        let facts = Facts {
            who,
            title: title.into(),
            department: sitting.role.department().into(),
            hospital: chart.site.name.clone(),
            date: date(sitting.at),
            signed: chart.site.staff(sitting.role).display,
            history: history.into(),
            problems: problems.collect(),
            medicines: medicines.collect(),
            allergies: lists.allergies.clone(),
            vitals,
            labs: sitting.labs.clone(),
            female,
            pressure: years >= 3.0,
            weighed: sitting.weighed,
            plan: sitting.plan.clone(),
        };
        chart.note(
            kind,
            &note::text(&facts),
            sitting.role,
            sitting.encounter,
            sitting.at + 10 * MINUTE_MS,
        );
    }

    /// Books a next visit at `site`.
    pub(crate) fn book(&mut self, site: usize, days: i64) {
        let role = self.primary(self.now_ms);
        let start = office_hour(self.now_ms + days.max(4) * DAY_MS, 9, 40);
        self.charts[site].appointment(
            "Follow-up visit",
            start,
            start + 20 * MINUTE_MS,
            role,
            self.now_ms - 7 * DAY_MS,
        );
    }

    /// Since when hospitals know the person: children since birth, adults for some years.
    pub(crate) fn known_since(body: &Body, now_ms: i64, chance: &mut Chance) -> i64 {
        let years = age(body.birth_ms, now_ms);
        let lasting = body.onset.len() as f64;
        let known = chance.real(3.5, 6.0) + lasting.min(4.0) * 0.7;
        if years < 19.0 {
            body.birth_ms
        } else {
            now_ms - (known.min(years - 17.5) * YEAR_MS as f64) as i64
        }
    }
}

/// The disease as it stands in a sentence.
pub(crate) fn words(disease: Disease) -> String {
    let display = disease.profile().code.1;
    // Names of people stay capital.
    let keeps =
        ["Alzheimer", "Human immunodeficiency virus"].iter().any(|name| display.starts_with(name));
    let mut letters = display.chars();
    match letters.next() {
        Some(first) if !keeps => format!("{}{}", first.to_lowercase(), letters.as_str()),
        _ => display.to_owned(),
    }
}
