//! What is measured and checked at a visit, and what is sent on to other hospitals.

use crate::calendar::{DAY_MS, MINUTE_MS, YEAR_MS, office_hour};
use crate::course::{Course, Sitting, words};
use crate::disease::Disease;
use crate::drugs;
use crate::itinerary::{Kind, Planned};
use crate::lab::Panel;
use crate::measure;
use crate::measurement::{self, Results};
use crate::sites::Role;

impl Course<'_> {
    /// Orders what is due for the person's diseases and medicines.
    pub(crate) fn order_due(&mut self, sitting: &mut Sitting) {
        for (panel, days) in self.due(sitting.at) {
            if follows(sitting.role, panel) {
                self.order(sitting, panel, days);
            }
        }
    }

    pub(crate) fn on_warfarin(&self) -> bool {
        let taken = self.regimen.get("anticoagulant");
        taken.is_some_and(|active| active.drug.code == drugs::WARFARIN_5.code)
    }

    /// Panels with how many days should lie between two.
    fn due(&self, at: i64) -> Vec<(Panel, i64)> {
        let has = |disease| self.body.years_with(disease, at).is_some();
        let years = self.years(at);
        let (sugar, heart) = (
            has(Disease::Diabetes2) || has(Disease::Diabetes1),
            has(Disease::HeartFailure) || has(Disease::Coronary),
        );
        let mut out = Vec::new();
        let mut add = |wanted: bool, panel: Panel, days: i64| {
            if wanted {
                out.push((panel, days));
            }
        };
        add(sugar, Panel::Glycation, 150);
        if years < 18.0 {
            return out;
        }
        let often = sugar || has(Disease::Kidney3) || has(Disease::HeartFailure);
        add(often, Panel::Metabolic, 160);
        add(
            !often && (has(Disease::Hypertension) || heart || has(Disease::AtrialFibrillation)),
            Panel::Metabolic,
            330,
        );
        add(!often && years > 45.0, Panel::Metabolic, 900);
        add(has(Disease::Prediabetes), Panel::Glycation, 330);
        add(sugar || heart || has(Disease::Hyperlipidemia), Panel::Lipid, 330);
        add(years > 40.0, Panel::Lipid, 1200);
        add(has(Disease::IronDeficiency) || has(Disease::Rheumatoid), Panel::BloodCount, 160);
        add(has(Disease::AtrialFibrillation) || has(Disease::Kidney3), Panel::BloodCount, 330);
        add(years > 50.0, Panel::BloodCount, 800);
        add(has(Disease::IronDeficiency), Panel::Iron, 330);
        add(has(Disease::Hypothyroidism), Panel::Thyroid, 170);
        let warfarin = self.on_warfarin();
        add(warfarin, Panel::Coagulation, 25);
        add(self.regimen.contains_key("statin") || has(Disease::Rheumatoid), Panel::Liver, 360);
        add(has(Disease::HeartFailure), Panel::Heart, 200);
        add(sugar || has(Disease::Kidney3), Panel::UrineAlbumin, 330);
        add(has(Disease::Gout), Panel::Urate, 330);
        add(
            !self.body.female && (has(Disease::Prostate) || (55.0..70.0).contains(&years)),
            Panel::Prostate,
            700,
        );
        out
    }

    /// Draws blood unless this hospital has done so within `days`.
    pub(crate) fn order(&mut self, sitting: &mut Sitting, panel: Panel, days: i64) {
        let last = self.lists[sitting.site].panels.get(&panel).copied();
        if last.is_some_and(|last| sitting.at - last < days * DAY_MS) {
            return;
        }
        self.samples += 1;
        let at = sitting.at + 15 * MINUTE_MS;
        let values = measure::panel(&self.body, panel, at, sitting.day, &mut self.chance);
        let site = self.charts[sitting.site].site;
        let accession = format!(
            "{}-{:04}",
            self.charts[sitting.site].patient_id.get(..8).unwrap_or("0"),
            self.samples
        );
        let results = Results {
            panel,
            values: &values,
            female: self.body.female,
            accession: (&site.org, &accession),
            performer: site.reference(),
            at,
        };
        measurement::results(&mut self.charts[sitting.site], &results, Some(sitting.encounter));
        self.lists[sitting.site].panels.insert(panel, at);
        let private = self.charts[sitting.site].sensitivity.is_some();
        let others: Vec<usize> = (0..self.charts.len())
            .filter(|other| *other != sitting.site && self.lists[*other].known)
            .collect();
        if !private && !others.is_empty() && self.chance.yes(0.22) {
            let other = self.chance.pick(&others);
            measurement::results(&mut self.charts[other], &results, None);
            self.lists[other].panels.insert(panel, at);
        }
        sitting.labs.extend(values);
    }

    /// Asks about tobacco every two years.
    pub(crate) fn tobacco(&mut self, sitting: &Sitting) {
        let years = self.years(sitting.at);
        let last = self.lists[sitting.site].tobacco_ms;
        if years < 16.0 || last.is_some_and(|last| sitting.at - last < 2 * YEAR_MS) {
            return;
        }
        let status = match (self.body.smoker, years > 48.0) {
            (false, _) => ("266919005", "Never smoked tobacco"),
            (true, true) => ("8517006", "Ex-smoker"),
            (true, false) => ("449868002", "Smokes tobacco daily"),
        };
        measurement::tobacco(&mut self.charts[sitting.site], status, sitting.encounter, sitting.at);
        self.lists[sitting.site].tobacco_ms = Some(sitting.at);
    }

    /// Scores of questionnaires that belong to a disease.
    pub(crate) fn scores(&mut self, sitting: &mut Sitting) {
        let Some(years) = self.body.years_with(Disease::Depression, sitting.at) else { return };
        if sitting.role != Role::Primary {
            return;
        }
        let base = if years < 0.4 { 15.0 } else { 6.0 };
        let score = self.chance.bell(base, 1.8).round().clamp(1.0, 24.0) as i64;
        let code =
            ("44261-6", "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]");
        measurement::score(
            &mut self.charts[sitting.site],
            code,
            score,
            sitting.encounter,
            sitting.at,
        );
        sitting.plan.push(format!("PHQ-9 score {score}."));
    }

    /// Screening by age and sex, each at a visit of its own some days later.
    pub(crate) fn screening(&mut self, sitting: &mut Sitting) {
        let years = self.years(sitting.at);
        let eye = self.body.years_with(Disease::Diabetes2, sitting.at).is_some();
        let programme = [
            (("73761001", "Colonoscopy"), (45.5..76.0).contains(&years), 10 * YEAR_MS, 0.3),
            (
                ("71651007", "Mammography"),
                self.body.female && (46.0..75.0).contains(&years),
                2 * YEAR_MS,
                0.65,
            ),
            (("401191002", "Diabetic foot examination"), eye, YEAR_MS, 0.7),
        ];
        for (code, wanted, apart_ms, p) in programme {
            let recent = self
                .screened
                .get(code.0)
                .is_some_and(|last| sitting.at - last < apart_ms - 30 * DAY_MS);
            let at = office_hour(sitting.at + 12 * DAY_MS, 10, 0);
            if !wanted || recent || at > self.now_ms || !self.chance.yes(p) {
                continue;
            }
            self.screened.insert(code.0, sitting.at);
            if code.0 == "401191002" {
                self.charts[sitting.site].procedure(
                    code,
                    sitting.at,
                    sitting.at + 10 * MINUTE_MS,
                    None,
                    sitting.encounter,
                    sitting.role,
                );
                sitting.plan.push("Foot examination: skin intact, sensation normal.".into());
                continue;
            }
            sitting.plan.push(format!("Referred for {}.", code.1.to_lowercase()));
            let later = Planned {
                at,
                site: sitting.site,
                kind: Kind::Management,
                ongoing: false,
                fatal: false,
            };
            let visit = self.open(
                &later,
                "AMB",
                ("371883000", "Outpatient procedure"),
                60,
                Role::Surgery,
                None,
                sitting.day,
            );
            self.charts[sitting.site].procedure(
                code,
                at + 10 * MINUTE_MS,
                at + 40 * MINUTE_MS,
                None,
                visit.encounter,
                Role::Surgery,
            );
        }
    }

    /// A care plan for some of the diseases that have one.
    pub(crate) fn care_plans(&mut self, sitting: &mut Sitting) {
        let lists = &self.lists[sitting.site];
        let listed: Vec<Disease> = lists
            .conditions
            .keys()
            .filter(|disease| !lists.plans.contains(disease))
            .copied()
            .collect();
        for disease in listed {
            let (Some(plan), Some(entry)) = (
                disease.profile().plan,
                self.lists[sitting.site].conditions.get(&disease).copied(),
            ) else {
                continue;
            };
            self.lists[sitting.site].plans.insert(disease);
            if self.chance.yes(0.55) {
                self.charts[sitting.site].care_plan(
                    plan,
                    entry,
                    activities(disease),
                    sitting.encounter,
                    sitting.at,
                );
                sitting.plan.push(format!("Care plan agreed for {}.", words(disease)));
            }
        }
    }
}

/// Whether a department looks at a panel in planned visits.
fn follows(role: Role, panel: Panel) -> bool {
    use Panel as P;
    match role {
        Role::Primary | Role::Pediatrics => true,
        Role::Cardiology => matches!(
            panel,
            P::Metabolic | P::Lipid | P::BloodCount | P::Coagulation | P::Heart | P::Liver
        ),
        Role::Endocrinology => {
            matches!(panel, P::Glycation | P::Metabolic | P::Lipid | P::UrineAlbumin | P::Thyroid)
        }
        Role::Rheumatology => matches!(panel, P::BloodCount | P::Liver | P::Urate | P::Metabolic),
        Role::Oncology => matches!(panel, P::BloodCount | P::Liver),
        _ => false,
    }
}

fn activities(disease: Disease) -> &'static [&'static str] {
    match disease {
        Disease::Diabetes2 | Disease::Diabetes1 => &[
            "Check glucose at home as agreed",
            "Diet with measured carbohydrates",
            "Thirty minutes of walking on most days",
        ],
        Disease::Hypertension => &["Measure blood pressure at home twice a week", "Less salt"],
        Disease::Copd | Disease::Asthma => {
            &["Inhaler technique reviewed", "Written action plan for flares"]
        }
        Disease::BreastCancer => &["Endocrine therapy for five years", "Mammography every year"],
        Disease::Depression => &["Talking therapy", "Review in six weeks"],
        _ => &["Healthy diet", "Regular exercise"],
    }
}
