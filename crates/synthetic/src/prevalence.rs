//! How common lasting diseases are by age, sex and what else somebody has.
//!
//! The shares are rounded from what is generally known of the United States; they are to look right
//! in a demonstration, not to be cited.

use std::collections::BTreeMap;

use crate::chance::Chance;
use crate::disease::Disease;

/// Steps of a share by age in years: from which age, what share.
type Steps<'a> = &'a [(f64, f64)];

struct Draw<'a> {
    chance: &'a mut Chance,
    age: f64,
    female: bool,
    found: BTreeMap<Disease, f64>,
}

/// The lasting diseases of someone `age` years old with the age at onset of each. `smoker` tells
/// of tobacco now or in the past, `bmi` is the body mass index in kg/m².
pub(crate) fn draw(
    chance: &mut Chance,
    female: bool,
    age: f64,
    smoker: bool,
    bmi: f64,
) -> BTreeMap<Disease, f64> {
    let mut draw = Draw { chance, age, female, found: BTreeMap::new() };
    draw.metabolism(bmi);
    draw.heart_and_kidney();
    draw.airways(smoker, bmi);
    draw.mind_and_nerves();
    draw.other(bmi);
    draw.found
}

impl Draw<'_> {
    /// Gives `disease` with probability `p` to those older than `earliest` years.
    fn add(&mut self, disease: Disease, p: f64, earliest: f64) {
        let lasted = self.chance.real(0.4, 12.0_f64.min((self.age - earliest).max(0.5)));
        if self.chance.yes(p) && self.age > earliest {
            self.found.insert(disease, (self.age - lasted).max(0.5));
        }
    }

    fn has(&self, disease: Disease) -> bool {
        self.found.contains_key(&disease)
    }

    fn share(&self, steps: Steps<'_>) -> f64 {
        steps.iter().rev().find(|(from, _)| self.age >= *from).map_or(0.0, |step| step.1)
    }

    /// `woman` for women, `man` for men.
    fn sex(&self, woman: f64, man: f64) -> f64 {
        if self.female { woman } else { man }
    }

    fn metabolism(&mut self, bmi: f64) {
        self.add(Disease::Diabetes1, if self.age < 40.0 { 0.012 } else { 0.0 }, 6.0);
        let heavy = if bmi > 31.0 { 1.8 } else { 1.0 };
        if !self.has(Disease::Diabetes1) {
            let share = self.share(&[(35.0, 0.06), (50.0, 0.14), (65.0, 0.22)]);
            self.add(Disease::Diabetes2, share * heavy, 33.0);
        }
        if !self.has(Disease::Diabetes2) && !self.has(Disease::Diabetes1) {
            self.add(Disease::Prediabetes, self.share(&[(40.0, 0.12)]), 38.0);
        }
        let women = self.share(&[(38.0, 0.1)]) * self.sex(1.0, 0.0);
        self.add(Disease::Hypothyroidism, self.share(&[(30.0, 0.03)]) + women, 28.0);
        self.add(Disease::Gout, self.share(&[(46.0, 0.07)]) * self.sex(0.0, 1.0), 44.0);
        let obese = bmi >= 30.5 && self.age >= 20.0;
        self.add(Disease::Obesity, if obese { 0.85 } else { 0.0 }, 19.0);
        let iron = self.share(&[(18.0, 0.08), (52.0, 0.0)]) * self.sex(1.0, 0.0);
        self.add(Disease::IronDeficiency, iron, 17.0);
    }

    fn heart_and_kidney(&mut self) {
        let diabetes = self.has(Disease::Diabetes2);
        let more = |p: f64| if diabetes { p } else { 0.0 };
        let pressure = self.share(&[(30.0, 0.12), (45.0, 0.34), (65.0, 0.6)]);
        self.add(Disease::Hypertension, pressure + more(0.25), 30.0);
        let fat = self.share(&[(35.0, 0.08), (50.0, 0.32), (65.0, 0.45)]);
        self.add(Disease::Hyperlipidemia, fat + more(0.3), 34.0);
        let coronary = self.share(&[(50.0, 0.05), (65.0, 0.16)]) * self.sex(1.0, 1.5);
        self.add(Disease::Coronary, coronary, 48.0);
        let strained = if self.has(Disease::Coronary) { 3.0 } else { 1.0 };
        let failure = self.share(&[(62.0, 0.05), (78.0, 0.12)]) * strained;
        self.add(Disease::HeartFailure, failure, 60.0);
        let rhythm = self.share(&[(55.0, 0.04), (65.0, 0.1), (80.0, 0.2)]);
        self.add(Disease::AtrialFibrillation, rhythm, 54.0);
        let kidney = match (diabetes, self.has(Disease::Hypertension)) {
            (true, _) => 0.22,
            (false, true) => 0.1,
            (false, false) => 0.02,
        };
        self.add(Disease::Kidney3, self.share(&[(56.0, 1.0)]) * kidney, 54.0);
    }

    fn airways(&mut self, smoker: bool, bmi: f64) {
        let smoked = if smoker { self.share(&[(52.0, 0.25)]) } else { 0.0 };
        self.add(Disease::Copd, smoked, 50.0);
        if !self.has(Disease::Copd) {
            self.add(Disease::Asthma, if self.age < 18.0 { 0.1 } else { 0.07 }, 3.0);
        }
        self.add(Disease::Rhinitis, self.share(&[(6.0, 0.1)]), 5.0);
        let apnea = if bmi > 32.0 { self.share(&[(35.0, 0.3)]) } else { 0.0 };
        self.add(Disease::SleepApnea, apnea, 34.0);
    }

    fn mind_and_nerves(&mut self) {
        self.add(Disease::Depression, self.share(&[(17.0, self.sex(0.12, 0.09))]), 16.0);
        if !self.has(Disease::Depression) {
            self.add(Disease::Anxiety, self.share(&[(17.0, 0.07)]), 16.0);
        }
        let migraine = self.share(&[(17.0, self.sex(0.13, 0.05)), (58.0, 0.01)]);
        self.add(Disease::Migraine, migraine, 15.0);
        self.add(Disease::Epilepsy, 0.01, 5.0);
        self.add(Disease::Adhd, self.share(&[(7.0, 0.09), (18.0, 0.0)]), 6.0);
        self.add(Disease::Dementia, self.share(&[(78.0, 0.14)]), 74.0);
    }

    fn other(&mut self, bmi: f64) {
        let heavy = if bmi > 30.0 { 1.4 } else { 1.0 };
        let knees = self.share(&[(55.0, 0.18), (70.0, 0.26)]) * heavy;
        self.add(Disease::KneeArthritis, knees, 52.0);
        self.add(Disease::Reflux, self.share(&[(35.0, 0.14)]), 30.0);
        self.add(Disease::Prostate, self.share(&[(56.0, 0.3)]) * self.sex(0.0, 1.0), 54.0);
        self.add(Disease::BreastCancer, self.share(&[(50.0, 0.05)]) * self.sex(1.0, 0.0), 48.0);
        self.add(Disease::Rheumatoid, self.share(&[(36.0, 0.012)]) * self.sex(2.0, 1.0), 34.0);
        self.add(Disease::Eczema, if self.age < 12.0 { 0.1 } else { 0.0 }, 0.5);
    }
}
