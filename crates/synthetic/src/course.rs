//! The course of one life as far as hospitals see it: visits in order, each written into the
//! record of the hospital where it happens.
//!
//! Every hospital knows what was recorded there and what the patient told; it does not see the
//! others' records. So the same disease stands in several records with different dates, a medicine
//! that was changed at one hospital may still be active at another, and only some results are sent
//! on. These are the clusters and conflicts that a merged record has to show.

use std::collections::{BTreeMap, BTreeSet};

use crate::ailment::{Ailment, Setting};
use crate::body::{Body, Condition};
use crate::calendar::{DAY_MS, HOUR_MS, MINUTE_MS, YEAR_MS, age, date, office_hour};
use crate::chance::Chance;
use crate::chart::{Allergy, Chart, Code, Entry, Visit};
use crate::disease::Disease;
use crate::drugs::Drug;
use crate::itinerary::{Kind, Planned};
use crate::lab::{Lab, Panel};
use crate::measurement::{self, Extent};
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
    fn primary(&self, at: i64) -> Role {
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
        self.lists[sitting.site].known = true;
        sitting
    }

    fn checkup(&mut self, planned: &Planned) {
        let years = self.years(planned.at);
        let kind = if years < 18.0 {
            ("410620009", "Well child visit")
        } else {
            ("162673000", "General examination of patient")
        };
        let role = self.primary(planned.at);
        let mut sitting = self.open(planned, "AMB", kind, 30, role, None, Condition::default());
        self.recall_diseases(&sitting, 1.0);
        self.treat(&mut sitting, None);
        self.recall_medicines(&sitting, 0.9);
        let vitals = self.body.vitals(planned.at, sitting.day, &mut self.chance);
        measurement::vitals(
            &mut self.charts[sitting.site],
            &vitals,
            Extent::Checkup,
            years,
            sitting.encounter,
            planned.at,
        );
        self.tobacco(&sitting);
        self.order_due(&mut sitting);
        for vaccine in self.given.due(self.body.birth_ms, planned.at, &mut self.chance) {
            self.charts[sitting.site].immunization(vaccine, planned.at, Some(sitting.encounter));
            sitting.plan.push(format!("Given today: {}", vaccine.1));
        }
        self.screening(&mut sitting);
        self.care_plans(&mut sitting);
        sitting.plan.push(
            if years < 18.0 {
                "Guidance for the coming year given to the family; next well visit as scheduled."
            } else {
                "Next yearly examination in twelve months."
            }
            .into(),
        );
        let history = if years < 18.0 {
            "is here for a well visit. Growing and developing as expected."
        } else {
            "is here for the yearly examination. Feels well overall."
        };
        self.write_note(
            &sitting,
            ("11506-3", "Progress note"),
            "Preventive visit",
            history,
            Some(vitals),
        );
    }

    fn planned(&mut self, planned: &Planned, role: Role, disease: Option<Disease>) {
        let reason = disease.map(|disease| disease.profile().code);
        let kind = ("390906007", "Follow-up encounter");
        let mut sitting = self.open(planned, "AMB", kind, 20, role, reason, Condition::default());
        self.recall_diseases(&sitting, if disease.is_some() { 0.8 } else { 1.0 });
        self.treat(&mut sitting, disease);
        self.recall_medicines(&sitting, 0.8);
        let years = self.years(planned.at);
        let vitals = self.body.vitals(planned.at, sitting.day, &mut self.chance);
        measurement::vitals(
            &mut self.charts[sitting.site],
            &vitals,
            Extent::Brief,
            years,
            sitting.encounter,
            planned.at,
        );
        self.order_due(&mut sitting);
        self.scores(&mut sitting);
        if role == Role::Cardiology && self.chance.yes(0.5) {
            let ecg = ("29303009", "Electrocardiographic procedure");
            self.charts[sitting.site].procedure(
                ecg,
                planned.at + 5 * MINUTE_MS,
                planned.at + 15 * MINUTE_MS,
                None,
                sitting.encounter,
                role,
            );
        }
        if sitting.plan.is_empty() {
            sitting.plan.push("Stable. Continue the present treatment.".into());
        }
        sitting.plan.push("Return as planned, earlier if anything changes.".into());
        let (title, kind) = match disease {
            Some(_) => ("Specialist visit", ("11488-4", "Consult note")),
            None => ("Follow-up visit", ("11506-3", "Progress note")),
        };
        let history = match disease {
            Some(disease) => format!("returns for follow-up of {}.", words(disease)),
            None => "returns for follow-up of lasting conditions. No new complaints.".to_owned(),
        };
        self.write_note(&sitting, kind, title, &history, Some(vitals));
    }

    fn sensitive(&mut self, planned: &Planned, disease: Disease) {
        let profile = disease.profile();
        self.charts[planned.site].sensitivity = profile.sensitivity;
        let kind = ("390906007", "Follow-up encounter");
        let mut sitting = self.open(
            planned,
            "AMB",
            kind,
            30,
            profile.specialty,
            Some(profile.code),
            Condition::default(),
        );
        self.record_disease(&sitting, disease);
        self.treat(&mut sitting, Some(disease));
        if disease == Disease::Hiv {
            self.order(&mut sitting, Panel::Hiv, 160);
        }
        let history = format!(
            "is seen for {}. {}",
            words(disease),
            match disease {
                Disease::Alcohol =>
                    "Attends weekly group; reports no drinking since the last visit.",
                Disease::Opioid => "Stable on treatment; urine screening as expected.",
                Disease::Hiv => "Takes every dose; no symptoms.",
                _ => "Sleep and mood steady; no thoughts of self-harm.",
            }
        );
        self.write_note(
            &sitting,
            ("11506-3", "Progress note"),
            "Confidential visit",
            &history,
            None,
        );
        self.charts[planned.site].sensitivity = None;
    }

    fn acute(&mut self, planned: &Planned, ailment: &Ailment) {
        let admitted = ailment.setting == Setting::Admission;
        let breathless = ["233604007", "195951007", "195111005"].contains(&ailment.code.0);
        let day = Condition { fever: ailment.fever, severe: admitted, breathless, pregnant: false };
        let (class, kind, role) = match ailment.setting {
            Setting::Clinic => {
                ("AMB", ("185345009", "Encounter for symptom"), self.primary(planned.at))
            }
            Setting::Emergency => {
                ("EMER", ("50849002", "Emergency room admission"), Role::Emergency)
            }
            Setting::Admission => ("IMP", ("32485007", "Hospital admission"), Role::Hospitalist),
        };
        let stay = if admitted {
            self.chance.between(2, 6) * 24 * 60
        } else if class == "EMER" {
            self.chance.between(120, 360)
        } else {
            20
        };
        let mut sitting = self.open(planned, class, kind, stay, role, Some(ailment.code), day);
        sitting.weighed = false;
        self.recall_diseases(&sitting, if class == "AMB" { 1.0 } else { 0.7 });
        self.recall_medicines(&sitting, if class == "AMB" { 0.8 } else { 0.65 });
        let years = self.years(planned.at);
        let vitals = self.body.vitals(planned.at, day, &mut self.chance);
        measurement::vitals(
            &mut self.charts[sitting.site],
            &vitals,
            Extent::Acute,
            years,
            sitting.encounter,
            planned.at,
        );
        let over = planned.at + ailment.days * DAY_MS;
        let abatement = (over < self.now_ms && !planned.ongoing && !planned.fatal).then_some(over);
        let chart = &mut self.charts[sitting.site];
        let illness = chart.condition(
            ailment.code,
            ailment.code.1,
            false,
            &date(planned.at),
            abatement,
            sitting.encounter,
            planned.at,
            role,
        );
        for (number, procedure) in ailment.procedures.iter().enumerate() {
            let start = planned.at + (1 + number as i64) * HOUR_MS;
            chart.procedure(
                *procedure,
                start,
                start + 40 * MINUTE_MS,
                Some(illness),
                sitting.encounter,
                role,
            );
            sitting.plan.push(format!("Done: {}", procedure.1));
        }
        if class != "AMB" && years > 12.0 {
            self.order(&mut sitting, Panel::Metabolic, 0);
            self.order(&mut sitting, Panel::BloodCount, 0);
        }
        match ailment.code.0 {
            "22298006" => self.order(&mut sitting, Panel::Troponin, 0),
            "195111005" => self.order(&mut sitting, Panel::Heart, 0),
            "233604007" | "74400008" => self.order(&mut sitting, Panel::Inflammation, 0),
            _ => {}
        }
        self.prescribe_courses(&mut sitting, ailment, illness);
        if admitted {
            self.treat(&mut sitting, None);
            if !planned.ongoing && !planned.fatal {
                self.before_discharge(&mut sitting, stay);
            }
        }
        let (title, note) = match ailment.setting {
            Setting::Clinic => ("Visit for acute complaint", ("11506-3", "Progress note")),
            Setting::Emergency => {
                ("Emergency department note", ("34111-5", "Emergency department Note"))
            }
            Setting::Admission if planned.ongoing => {
                ("Admission note", ("34117-2", "History and physical note"))
            }
            Setting::Admission => ("Discharge summary", ("18842-5", "Discharge summary")),
        };
        sitting.plan.insert(0, format!("{}.", ailment.code.1));
        if planned.fatal {
            self.died_ms = Some(planned.at + stay * MINUTE_MS);
            sitting.plan.push("The patient died in hospital with the family present.".into());
        } else if class != "AMB" && !planned.ongoing {
            sitting
                .plan
                .push("Follow up with the family doctor within two weeks; return if worse.".into());
        }
        self.write_note(
            &sitting,
            note,
            title,
            &format!("presents with {}.", ailment.story),
            Some(vitals),
        );
    }

    /// Vital signs and blood once more before somebody goes home, half-way to normal.
    fn before_discharge(&mut self, sitting: &mut Sitting, stay_minutes: i64) {
        let at = sitting.at + (stay_minutes - 300) * MINUTE_MS;
        let better = Condition::default();
        let vitals = self.body.vitals(at, better, &mut self.chance);
        let years = self.years(at);
        measurement::vitals(
            &mut self.charts[sitting.site],
            &vitals,
            Extent::Acute,
            years,
            sitting.encounter,
            at,
        );
        if years > 12.0 {
            let mut later =
                Sitting { at, day: better, labs: Vec::new(), plan: Vec::new(), ..*sitting };
            self.order(&mut later, Panel::Metabolic, 0);
        }
        sitting.plan.push(format!(
            "At discharge: blood pressure {:.0}/{:.0} mmHg, temperature {:.1} C.",
            vitals.systolic, vitals.diastolic, vitals.temperature
        ));
    }

    fn prenatal(&mut self, planned: &Planned, week: i64) {
        let day = Condition { pregnant: week > 15, ..Condition::default() };
        let kind = if week < 12 {
            ("424441002", "Prenatal initial visit")
        } else {
            ("424619006", "Prenatal visit")
        };
        let reason = Some(("72892002", "Normal pregnancy"));
        let mut sitting = self.open(planned, "AMB", kind, 30, Role::Obstetrics, reason, day);
        if week < 12 {
            let over = planned.at + (39 - week) * 7 * DAY_MS;
            self.charts[sitting.site].condition(
                ("72892002", "Normal pregnancy"),
                "Normal pregnancy",
                false,
                &date(planned.at - 14 * DAY_MS),
                (over < self.now_ms).then_some(over),
                sitting.encounter,
                planned.at,
                Role::Obstetrics,
            );
        }
        self.recall_diseases(&sitting, 1.0);
        self.recall_medicines(&sitting, 0.9);
        let vitals = self.body.vitals(planned.at, day, &mut self.chance);
        measurement::vitals(
            &mut self.charts[sitting.site],
            &vitals,
            Extent::Brief,
            30.0,
            sitting.encounter,
            planned.at,
        );
        if week < 12 || week == 28 {
            self.order(&mut sitting, Panel::BloodCount, 0);
        }
        if week == 20 {
            self.charts[sitting.site].procedure(
                ("271442007", "Fetal anatomy study"),
                planned.at,
                planned.at + 30 * MINUTE_MS,
                None,
                sitting.encounter,
                Role::Obstetrics,
            );
            sitting.plan.push("Anatomy scan normal.".into());
        }
        sitting.plan.push("Continue prenatal vitamins; next visit as scheduled.".into());
        self.write_note(
            &sitting,
            ("11506-3", "Progress note"),
            "Prenatal visit",
            &format!("is seen in week {week} of an uncomplicated pregnancy."),
            Some(vitals),
        );
    }

    fn delivery(&mut self, planned: &Planned) {
        let day = Condition { pregnant: true, ..Condition::default() };
        let reason = Some(("72892002", "Normal pregnancy"));
        let mut sitting = self.open(
            planned,
            "IMP",
            ("183460006", "Obstetric emergency hospital admission"),
            2 * 24 * 60,
            Role::Obstetrics,
            reason,
            day,
        );
        let cesarean = self.chance.yes(0.3);
        let birth = if cesarean {
            ("11466000", "Cesarean section")
        } else {
            ("177184002", "Normal delivery procedure")
        };
        self.charts[sitting.site].procedure(
            birth,
            planned.at + 4 * HOUR_MS,
            planned.at + 5 * HOUR_MS,
            None,
            sitting.encounter,
            Role::Obstetrics,
        );
        self.order(&mut sitting, Panel::BloodCount, 0);
        sitting.plan.push("Mother and child well at discharge; visit in six weeks.".into());
        let history = if cesarean {
            "was delivered of a healthy child by cesarean section."
        } else {
            "gave birth to a healthy child."
        };
        self.write_note(
            &sitting,
            ("18842-5", "Discharge summary"),
            "Discharge summary",
            history,
            None,
        );
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
