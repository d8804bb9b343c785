//! What a visit does to the lists of a hospital: diseases, medicines and allergies.

use std::collections::BTreeMap;

use serde_json::json;

use crate::ailment::Ailment;
use crate::calendar::{DAY_MS, YEAR_MS, date};
use crate::chart::{Allergy, Entry};
use crate::course::{Active, Course, Sitting};
use crate::disease::Disease;
use crate::drugs::{self, Drug};

/// SNOMED CT codes of allergies that decide what is prescribed.
pub(crate) const PENICILLIN: &str = "91936005";
pub(crate) const ASPIRIN: &str = "293586001";
pub(crate) const ACE_INHIBITOR: &str = "295036000";

/// What people do not tolerate, with the share of people who do not, drawn one by one.
pub(crate) const ALLERGIES: &[(f64, Allergy)] = &[
    (
        0.07,
        Allergy {
            code: (PENICILLIN, "Allergy to penicillin"),
            category: "medication",
            criticality: "high",
            reaction: Some((("126485001", "Urticaria"), "moderate")),
        },
    ),
    (
        0.025,
        Allergy {
            code: ("91939003", "Allergy to sulfonamide"),
            category: "medication",
            criticality: "low",
            reaction: Some((("271807003", "Eruption of skin"), "mild")),
        },
    ),
    (
        0.015,
        Allergy {
            code: (ASPIRIN, "Allergy to aspirin"),
            category: "medication",
            criticality: "high",
            reaction: Some((("56018004", "Wheezing"), "moderate")),
        },
    ),
    (
        0.02,
        Allergy {
            code: (ACE_INHIBITOR, "Allergy to angiotensin-converting-enzyme inhibitor"),
            category: "medication",
            criticality: "low",
            reaction: Some((("49727002", "Cough"), "mild")),
        },
    ),
    (
        0.02,
        Allergy {
            code: ("91935009", "Allergy to peanuts"),
            category: "food",
            criticality: "high",
            reaction: Some((("39579001", "Anaphylaxis"), "severe")),
        },
    ),
    (
        0.02,
        Allergy {
            code: ("300913006", "Shellfish allergy"),
            category: "food",
            criticality: "low",
            reaction: Some((("126485001", "Urticaria"), "mild")),
        },
    ),
    (
        0.015,
        Allergy {
            code: ("300916003", "Latex allergy"),
            category: "environment",
            criticality: "low",
            reaction: None,
        },
    ),
    (
        0.02,
        Allergy {
            code: ("424213003", "Allergy to bee venom"),
            category: "environment",
            criticality: "high",
            reaction: None,
        },
    ),
];

impl Course<'_> {
    /// Asks for allergies on the first visit to a hospital.
    pub(crate) fn ask_allergies(&mut self, sitting: &Sitting) {
        let first_ever = self.lists.iter().all(|lists| !lists.asked_allergies);
        let sensitive = self.charts[sitting.site].sensitivity.is_some();
        if self.lists[sitting.site].asked_allergies || self.years(sitting.at) < 2.0 || sensitive {
            return;
        }
        self.lists[sitting.site].asked_allergies = true;
        let allergies = self.allergies.clone();
        let mut told = 0;
        for allergy in &allergies {
            if !first_ever && (self.denies_allergies || self.chance.yes(0.2)) {
                continue;
            }
            let milder = !first_ever && self.chance.yes(0.25);
            let criticality = if milder { "unable-to-assess" } else { allergy.criticality };
            self.charts[sitting.site].allergy(allergy, criticality, sitting.encounter, sitting.at);
            let reaction = allergy.reaction.map_or("reaction not known", |(code, _)| code.1);
            self.lists[sitting.site].allergies.push(format!(
                "{} ({})",
                allergy.code.1,
                reaction.to_lowercase()
            ));
            told += 1;
        }
        if told == 0 && (self.denies_allergies || self.chance.yes(0.65)) {
            self.charts[sitting.site].no_known_allergy(sitting.encounter, sitting.at);
            self.lists[sitting.site].allergies.push("No known allergy".into());
        }
    }

    /// Puts each lasting disease that has begun on the hospital's list, with probability `p` each.
    pub(crate) fn recall_diseases(&mut self, sitting: &Sitting, p: f64) {
        let label = self.charts[sitting.site].sensitivity;
        let begun: Vec<Disease> = self
            .body
            .onset
            .iter()
            .filter(|(disease, onset)| {
                **onset <= sitting.at
                    && disease.profile().sensitivity.is_none_or(|code| Some(code) == label)
            })
            .map(|(disease, _)| *disease)
            .collect();
        for disease in begun {
            if !self.lists[sitting.site].conditions.contains_key(&disease) && self.chance.yes(p) {
                self.record_disease(sitting, disease);
            }
        }
    }

    /// Puts a disease on the hospital's list. The first hospital to do so knows the date; the
    /// others have it from memory.
    pub(crate) fn record_disease(&mut self, sitting: &Sitting, disease: Disease) {
        let Some(&onset_ms) = self.body.onset.get(&disease) else { return };
        if onset_ms > sitting.at || self.lists[sitting.site].conditions.contains_key(&disease) {
            return;
        }
        let known = self.lists.iter().any(|lists| lists.conditions.contains_key(&disease));
        let profile = disease.profile();
        let (mut onset, mut words) = (date(onset_ms), profile.code.1);
        if known {
            let moved = date(onset_ms + self.chance.between(-300, 200) * DAY_MS);
            let cut = |text: &str, len: usize| text.get(..len).unwrap_or(text).to_owned();
            onset = match self.chance.below(20) {
                0..9 => onset,
                9..14 => cut(&onset, 7),
                14..18 => cut(&onset, 4),
                _ => moved.min(date(sitting.at)),
            };
            if !profile.other_words.is_empty() && self.chance.yes(0.5) {
                words = self.chance.pick(profile.other_words);
            }
        }
        let entry = self.charts[sitting.site].condition(
            profile.code,
            words,
            true,
            &onset,
            None,
            sitting.encounter,
            sitting.at,
            sitting.role,
        );
        if known && self.chance.yes(0.04) {
            let status = json!({"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "inactive"}]});
            self.charts[sitting.site].amend(entry, "clinicalStatus", status);
        }
        self.lists[sitting.site].conditions.insert(disease, entry);
    }

    /// Starts and changes medicines. With `focus`, only those of its specialty.
    pub(crate) fn treat(&mut self, sitting: &mut Sitting, focus: Option<Disease>) {
        let specialty = focus.map(|disease| disease.profile().specialty);
        let diseases: Vec<(Disease, i64)> =
            self.body.onset.iter().map(|(disease, onset)| (*disease, *onset)).collect();
        for (disease, onset) in diseases {
            let profile = disease.profile();
            let treats = match focus {
                Some(focus) if focus.profile().sensitivity.is_some() => disease == focus,
                Some(_) => Some(profile.specialty) == specialty && profile.sensitivity.is_none(),
                None => profile.sensitivity.is_none(),
            };
            if !treats || onset > sitting.at {
                continue;
            }
            // Of several steps that are due at once only the last of each group is taken.
            let mut due: BTreeMap<&'static str, (Drug, i64)> = BTreeMap::new();
            for (number, (after, _, drug)) in profile.steps.iter().enumerate() {
                let from = onset + after * DAY_MS;
                if from > sitting.at || !self.steps.contains(&(disease, number)) {
                    continue;
                }
                let first = due.get(drug.group).map_or(from, |earlier| earlier.1);
                if let Some(drug) = self.allowed(drug, sitting)
                    && due.get(drug.group).is_none_or(|earlier| earlier.0.rank < drug.rank)
                {
                    due.insert(drug.group, (drug, first));
                }
            }
            for (drug, from) in due.into_values() {
                self.start(sitting, disease, drug, from);
            }
        }
        // Painkillers that were harmless become a danger with bleeding, kidney or heart trouble.
        let painkiller = self.regimen.get("nsaid").map(|active| active.drug);
        if painkiller.is_some_and(|drug| self.allowed(&drug, sitting).is_none()) {
            self.stop(sitting, "nsaid");
        }
    }

    fn start(&mut self, sitting: &mut Sitting, disease: Disease, drug: Drug, due: i64) {
        let before = self.regimen.get(drug.group).map(|active| active.drug);
        if before.is_some_and(|before| before.rank >= drug.rank) {
            return;
        }
        let replaced: &[&'static str] = match drug.group {
            "anticoagulant" => &["antiplatelet"],
            "loop diuretic" => &["thiazide"],
            _ => &[],
        };
        for group in replaced {
            self.stop(sitting, group);
        }
        // What was begun long ago elsewhere is only carried on here.
        let carried_on = sitting.at - due > YEAR_MS && before.is_none();
        let since = if carried_on { due } else { sitting.at };
        self.body.started.entry(drug.group).or_insert(since);
        self.regimen.insert(drug.group, Active { drug, disease });
        sitting.plan.push(match before {
            Some(before) => format!("Change {} to {}: {}", before.display, drug.display, drug.sig),
            None if carried_on => format!("Continue {}: {}", drug.display, drug.sig),
            None => format!("Start {}: {}", drug.display, drug.sig),
        });
        self.write_medicine(sitting, &drug, false, Some(disease));
    }

    fn stop(&mut self, sitting: &mut Sitting, group: &'static str) {
        if let Some(active) = self.regimen.remove(group) {
            sitting.plan.push(format!("Stop {}", active.drug.display));
            self.strike(sitting.site, group);
        }
    }

    /// Takes a medicine off the hospital's list.
    pub(crate) fn strike(&mut self, site: usize, group: &'static str) {
        if let Some((_, entry)) = self.lists[site].medicines.remove(group) {
            self.charts[site].amend(entry, "status", "stopped".into());
        }
    }

    /// Writes a medicine onto the hospital's list in place of what stood there.
    pub(crate) fn write_medicine(
        &mut self,
        sitting: &Sitting,
        drug: &Drug,
        reported: bool,
        disease: Option<Disease>,
    ) -> Entry {
        self.strike(sitting.site, drug.group);
        let reason =
            disease.and_then(|disease| self.lists[sitting.site].conditions.get(&disease).copied());
        let entry = self.charts[sitting.site].medication(
            drug,
            "active",
            reported,
            reason,
            sitting.encounter,
            sitting.at,
            sitting.role,
        );
        self.lists[sitting.site].medicines.insert(drug.group, (*drug, entry));
        entry
    }

    fn has(&self, disease: Disease, at: i64) -> bool {
        self.body.years_with(disease, at).is_some()
    }

    fn intolerant(&self, code: &str) -> bool {
        self.allergies.iter().any(|allergy| allergy.code.0 == code)
    }

    /// The medicine, or what is given in its place; `None` where neither may be given.
    fn allowed(&self, drug: &Drug, sitting: &Sitting) -> Option<Drug> {
        let kidney = self.has(Disease::Kidney3, sitting.at);
        let barred = match drug.group {
            "antiplatelet" => self.regimen.contains_key("anticoagulant"),
            "nsaid" => {
                kidney
                    || self.has(Disease::HeartFailure, sitting.at)
                    || self.regimen.contains_key("anticoagulant")
            }
            "metformin" => kidney && drug.rank > 1,
            "thiazide" => {
                self.has(Disease::Gout, sitting.at) || self.regimen.contains_key("loop diuretic")
            }
            "antirheumatic" => self.has(Disease::Alcohol, sitting.at),
            "antidepressant" => self.has(Disease::Bipolar, sitting.at),
            _ => false,
        };
        if barred {
            return None;
        }
        match drug.group {
            "renin" if self.intolerant(ACE_INHIBITOR) => Some(drugs::LOSARTAN_50),
            "antiplatelet" if self.intolerant(ASPIRIN) => Some(drugs::CLOPIDOGREL_75),
            _ => Some(*drug),
        }
    }

    /// Writes down what the patient says is taken, each change noticed with probability `p`.
    pub(crate) fn recall_medicines(&mut self, sitting: &Sitting, p: f64) {
        let label = self.charts[sitting.site].sensitivity;
        let told: Vec<Active> = self
            .regimen
            .values()
            .filter(|active| {
                active.disease.profile().sensitivity.is_none_or(|code| Some(code) == label)
            })
            .copied()
            .collect();
        let groups: Vec<&'static str> =
            self.lists[sitting.site].medicines.keys().copied().collect();
        for group in groups {
            if !self.regimen.contains_key(group) && self.chance.yes(p) {
                self.strike(sitting.site, group);
            }
        }
        for active in told {
            let listed = self.lists[sitting.site]
                .medicines
                .get(active.drug.group)
                .map(|(drug, _)| drug.code);
            if listed == Some(active.drug.code) || !self.chance.yes(p) {
                continue;
            }
            let mut drug = active.drug;
            if listed.is_none() && self.chance.yes(0.1) {
                // The patient brings an old package.
                let mut older = active.disease.profile().steps.iter().map(|step| step.2);
                drug = older
                    .rfind(|other| other.group == drug.group && other.rank < drug.rank)
                    .unwrap_or(drug);
            }
            self.write_medicine(sitting, &drug, true, None);
        }
    }

    /// Prescribes what a passing illness needs, with respect to what the hospital knows.
    pub(crate) fn prescribe_courses(
        &mut self,
        sitting: &mut Sitting,
        ailment: &Ailment,
        illness: Entry,
    ) {
        let child = self.years(sitting.at) < 12.0;
        let penicillin = self.lists[sitting.site]
            .allergies
            .iter()
            .any(|line| line.starts_with("Allergy to penicillin"));
        for drug in ailment.treatment {
            let mut drug = *drug;
            if drug.group == "nsaid" && (child || self.allowed(&drug, sitting).is_none()) {
                drug = drugs::ACETAMINOPHEN_500;
            }
            if drugs::is_penicillin(&drug) && penicillin {
                drug = drugs::AZITHROMYCIN_250.course(5);
            } else if drug.code == drugs::AMOXICILLIN_500.code && child {
                drug = drugs::AMOXICILLIN_250.course(10);
            }
            if child && (drug.group == "analgesic" || drug.group == "opioid") {
                drug = drugs::CHILD_ACETAMINOPHEN;
            }
            if drug.days == 0 {
                drug = drug.course(7);
            }
            if self.regimen.get(drug.group).is_some_and(|active| active.drug.code == drug.code) {
                continue;
            }
            let over = drug.end_ms(sitting.at).is_some_and(|end| end < self.now_ms);
            let status = if over { "completed" } else { "active" };
            self.charts[sitting.site].medication(
                &drug,
                status,
                false,
                Some(illness),
                sitting.encounter,
                sitting.at,
                sitting.role,
            );
            sitting.plan.push(format!("Start {}: {}", drug.display, drug.sig));
        }
    }
}
