//! What happens at each kind of visit.

use crate::ailment::{Ailment, Setting};
use crate::body::Condition;
use crate::calendar::{DAY_MS, HOUR_MS, MINUTE_MS, date};
use crate::chart::Code;
use crate::course::{Course, Sitting, words};
use crate::disease::Disease;
use crate::itinerary::Planned;
use crate::lab::Panel;
use crate::measurement::{self, Extent};
use crate::sites::Role;

/// Kinds of note (LOINC).
pub(crate) const PROGRESS: Code = ("11506-3", "Progress note");
pub(crate) const CONSULT: Code = ("11488-4", "Consult note");
pub(crate) const EMERGENCY_NOTE: Code = ("34111-5", "Emergency department Note");
pub(crate) const DISCHARGE: Code = ("18842-5", "Discharge summary");
const ADMISSION_NOTE: Code = ("34117-2", "History and physical note");

/// Kinds of visit (SNOMED CT).
pub(crate) const FOLLOW_UP: Code = ("390906007", "Follow-up encounter");
pub(crate) const EMERGENCY: Code = ("50849002", "Emergency room admission");

impl Course<'_> {
    pub(crate) fn checkup(&mut self, planned: &Planned) {
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
        self.write_note(&sitting, PROGRESS, "Preventive visit", history, Some(vitals));
    }

    pub(crate) fn planned(&mut self, planned: &Planned, role: Role, disease: Option<Disease>) {
        let reason = disease.map(|disease| disease.profile().code);
        let kind = FOLLOW_UP;
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
            Some(_) => ("Specialist visit", CONSULT),
            None => ("Follow-up visit", PROGRESS),
        };
        let history = match disease {
            Some(disease) => format!("returns for follow-up of {}.", words(disease)),
            None => "returns for follow-up of lasting conditions. No new complaints.".to_owned(),
        };
        self.write_note(&sitting, kind, title, &history, Some(vitals));
    }

    pub(crate) fn sensitive(&mut self, planned: &Planned, disease: Disease) {
        let profile = disease.profile();
        self.charts[planned.site].sensitivity = profile.sensitivity;
        let kind = FOLLOW_UP;
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
        self.write_note(&sitting, PROGRESS, "Confidential visit", &history, None);
        self.charts[planned.site].sensitivity = None;
    }

    pub(crate) fn acute(&mut self, planned: &Planned, ailment: &Ailment) {
        let admitted = ailment.setting == Setting::Admission;
        let breathless = ["233604007", "195951007", "195111005"].contains(&ailment.code.0);
        let day = Condition { fever: ailment.fever, severe: admitted, breathless, pregnant: false };
        let at = planned.at;
        let (class, kind, role) = match ailment.setting {
            Setting::Clinic => ("AMB", ("185345009", "Encounter for symptom"), self.primary(at)),
            Setting::Emergency => ("EMER", EMERGENCY, Role::Emergency),
            Setting::Admission => ("IMP", ("32485007", "Hospital admission"), Role::Hospitalist),
        };
        let stay = match ailment.setting {
            Setting::Clinic => 20,
            Setting::Emergency => self.chance.between(120, 360),
            Setting::Admission => self.chance.between(2, 6) * 24 * 60,
        };
        let mut sitting = self.open(planned, class, kind, stay, role, Some(ailment.code), day);
        sitting.weighed = false;
        let at_home = ailment.setting == Setting::Clinic;
        self.recall_diseases(&sitting, if at_home { 1.0 } else { 0.7 });
        self.recall_medicines(&sitting, if at_home { 0.8 } else { 0.65 });
        let vitals = self.body.vitals(at, day, &mut self.chance);
        let (years, chart) = (self.years(at), &mut self.charts[sitting.site]);
        measurement::vitals(chart, &vitals, Extent::Acute, years, sitting.encounter, at);
        self.work_up(planned, &mut sitting, ailment);
        if admitted {
            self.treat(&mut sitting, None);
            if !planned.ongoing && !planned.fatal {
                self.before_discharge(&mut sitting, stay);
            }
        }
        sitting.plan.insert(0, format!("{}.", ailment.code.1));
        if planned.fatal {
            self.died_ms = Some(at + stay * MINUTE_MS);
            sitting.plan.push("The patient died in hospital with the family present.".into());
        } else if !at_home && !planned.ongoing {
            let advice = "Follow up with the family doctor within two weeks; return if worse.";
            sitting.plan.push(advice.into());
        }
        let (title, note) = match ailment.setting {
            Setting::Clinic => ("Visit for acute complaint", PROGRESS),
            Setting::Emergency => ("Emergency department note", EMERGENCY_NOTE),
            Setting::Admission if planned.ongoing => ("Admission note", ADMISSION_NOTE),
            Setting::Admission => ("Discharge summary", DISCHARGE),
        };
        let history = format!("presents with {}.", ailment.story);
        self.write_note(&sitting, note, title, &history, Some(vitals));
    }

    /// Diagnosis, procedures, blood and prescriptions of a passing illness.
    fn work_up(&mut self, planned: &Planned, sitting: &mut Sitting, ailment: &Ailment) {
        let (at, encounter, role) = (planned.at, sitting.encounter, sitting.role);
        let over = at + ailment.days * DAY_MS;
        let abatement = (over < self.now_ms && !planned.ongoing && !planned.fatal).then_some(over);
        let chart = &mut self.charts[sitting.site];
        let (code, day) = (ailment.code, date(at));
        let illness = chart.condition(code, code.1, false, &day, abatement, encounter, at, role);
        for (number, procedure) in ailment.procedures.iter().enumerate() {
            let start = at + (1 + number as i64) * HOUR_MS;
            let end = start + 40 * MINUTE_MS;
            chart.procedure(*procedure, start, end, Some(illness), encounter, role);
            sitting.plan.push(format!("Done: {}", procedure.1));
        }
        if ailment.setting != Setting::Clinic && self.years(at) > 12.0 {
            self.order(sitting, Panel::Metabolic, 0);
            self.order(sitting, Panel::BloodCount, 0);
            if self.on_warfarin() {
                self.order(sitting, Panel::Coagulation, 0);
            }
        }
        match code.0 {
            "22298006" => self.order(sitting, Panel::Troponin, 0),
            "195111005" => self.order(sitting, Panel::Heart, 0),
            "233604007" | "74400008" => self.order(sitting, Panel::Inflammation, 0),
            _ => {}
        }
        self.prescribe_courses(sitting, ailment, illness);
    }

    /// Vital signs and blood once more before somebody goes home, half-way to normal.
    pub(crate) fn before_discharge(&mut self, sitting: &mut Sitting, stay_minutes: i64) {
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

    pub(crate) fn prenatal(&mut self, planned: &Planned, week: i64) {
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
            PROGRESS,
            "Prenatal visit",
            &format!("is seen in week {week} of an uncomplicated pregnancy."),
            Some(vitals),
        );
    }

    pub(crate) fn delivery(&mut self, planned: &Planned) {
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
        self.write_note(&sitting, DISCHARGE, "Discharge summary", history, None);
    }
}
