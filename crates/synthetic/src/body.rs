//! What would be measured in a person at a time: growth, vital signs and laboratory values that
//! follow age, sex, diseases and treatment.

use std::collections::BTreeMap;

use crate::calendar::{DAY_MS, YEAR_MS, age};
use crate::chance::Chance;
use crate::disease::Disease;
use crate::lab::Lab;

/// A person's constitution and course, enough to say what a measurement gives.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) female: bool,
    pub(crate) birth_ms: i64,
    /// Onset of each lasting disease.
    pub(crate) onset: BTreeMap<Disease, i64>,
    /// When the first medicine of each group was started.
    pub(crate) started: BTreeMap<&'static str, i64>,
    /// Body mass index at 45 years, kg/m².
    pub(crate) bmi: f64,
    pub(crate) smoker: bool,
    height_z: f64,
    weight_z: f64,
    /// Constant personal deviations, in standard deviations.
    traits: [f64; 8],
}

/// How someone is on the day of a visit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Condition {
    pub(crate) fever: bool,
    /// Ill enough for a hospital bed.
    pub(crate) severe: bool,
    /// Has the lungs or the heart in trouble.
    pub(crate) breathless: bool,
    pub(crate) pregnant: bool,
}

/// Vital signs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vitals {
    pub(crate) systolic: f64,
    pub(crate) diastolic: f64,
    pub(crate) pulse: f64,
    pub(crate) breaths: f64,
    /// Degrees Celsius.
    pub(crate) temperature: f64,
    /// Oxygen saturation in percent.
    pub(crate) saturation: f64,
    /// Kilograms.
    pub(crate) weight: f64,
    /// Centimetres.
    pub(crate) height: f64,
}

/// Age in years, median height in cm and weight in kg of girls, then of boys (after the growth
/// charts of the CDC, rounded).
const GROWTH: [(f64, f64, f64, f64, f64); 15] = [
    (0.0, 49.5, 3.4, 50.0, 3.5),
    (0.17, 57.0, 5.1, 58.5, 5.6),
    (0.33, 62.0, 6.4, 64.0, 7.0),
    (0.5, 65.5, 7.3, 67.5, 7.9),
    (1.0, 74.0, 9.0, 76.0, 9.8),
    (2.0, 86.0, 12.0, 87.5, 12.6),
    (4.0, 101.0, 15.9, 102.5, 16.4),
    (6.0, 115.0, 20.2, 115.5, 20.8),
    (8.0, 127.5, 25.6, 128.0, 25.6),
    (10.0, 138.0, 33.0, 138.5, 32.0),
    (12.0, 151.5, 42.0, 149.0, 40.5),
    (14.0, 160.0, 50.0, 163.5, 51.0),
    (16.0, 162.5, 54.0, 173.5, 61.0),
    (18.0, 163.0, 57.0, 176.0, 67.5),
    (20.0, 163.3, 58.5, 176.8, 70.5),
];

impl Body {
    /// A constitution.
    pub(crate) fn new(chance: &mut Chance, female: bool, birth_ms: i64) -> Self {
        let mut traits = [0.0; 8];
        traits.iter_mut().for_each(|slot| *slot = chance.bell(0.0, 1.0).clamp(-2.2, 2.2));
        let bmi = chance.bell(27.5, 4.8);
        Self {
            female,
            birth_ms,
            onset: BTreeMap::new(),
            started: BTreeMap::new(),
            bmi: if bmi < 20.0 { 40.0 - bmi } else { bmi }.clamp(19.5, 44.0),
            smoker: chance.yes(0.32),
            height_z: chance.bell(0.0, 1.0).clamp(-2.0, 2.0),
            weight_z: chance.bell(0.3, 1.0).clamp(-1.2, 2.4),
            traits,
        }
    }

    /// Makes the blood sugar `z` standard deviations higher than usual.
    pub(crate) fn sweeten(&mut self, z: f64) {
        self.traits[6] = z;
    }

    /// Years that `disease` has lasted at `at`; `None` before its onset.
    pub(crate) fn years_with(&self, disease: Disease, at: i64) -> Option<f64> {
        let onset = *self.onset.get(&disease)?;
        (onset <= at).then_some((at - onset) as f64 / YEAR_MS as f64)
    }

    /// Years on a medicine of `group`, at least one month of it.
    fn treated(&self, group: &str, at: i64) -> Option<f64> {
        let since = at - *self.started.get(group)?;
        (since > 30 * DAY_MS).then_some(since as f64 / YEAR_MS as f64)
    }

    fn has(&self, disease: Disease, at: i64) -> bool {
        self.years_with(disease, at).is_some()
    }

    /// Height in cm and weight in kg.
    fn build(&self, at: i64) -> (f64, f64) {
        let years = age(self.birth_ms, at);
        let (tall, heavy) = self.growth(years.min(20.0));
        let height = tall * (1.0 + 0.04 * self.height_z);
        if years < 20.0 {
            return (
                height,
                heavy * (1.0 + 0.1 * self.weight_z) * (1.0 + 0.04 * self.height_z).powi(2),
            );
        }
        // Adults gain until about seventy and shrink a little afterwards.
        let height = height - (years - 60.0).max(0.0) * 0.08;
        let trend = (years.min(70.0) - 45.0) * 0.09 - (years - 72.0).max(0.0) * 0.08;
        let lost = if self.treated("metformin", at).is_some() { 0.6 } else { 0.0 }
            + if self.treated("second glucose agent", at).is_some() { 0.7 } else { 0.0 };
        let bmi = (self.bmi + trend - lost).clamp(18.2, 48.0);
        (height, bmi * (height / 100.0).powi(2))
    }

    fn growth(&self, years: f64) -> (f64, f64) {
        let columns = |row: &(f64, f64, f64, f64, f64)| {
            if self.female { (row.1, row.2) } else { (row.3, row.4) }
        };
        let mut before = GROWTH[0];
        for row in GROWTH {
            if row.0 >= years {
                let part =
                    if row.0 > before.0 { (years - before.0) / (row.0 - before.0) } else { 0.0 };
                let ((h0, w0), (h1, w1)) = (columns(&before), columns(&row));
                return (h0 + (h1 - h0) * part, w0 + (w1 - w0) * part);
            }
            before = row;
        }
        columns(&before)
    }

    /// Vital signs at a visit.
    pub(crate) fn vitals(&self, at: i64, day: Condition, chance: &mut Chance) -> Vitals {
        let years = age(self.birth_ms, at);
        let (height, weight) = self.build(at);
        let mut systolic = if years < 16.0 {
            86.0 + years * 1.9
        } else {
            116.0 + (years - 30.0).clamp(0.0, 50.0) * 0.22
        };
        systolic += self.traits[0] * if years < 16.0 { 2.5 } else { 4.0 }
            + (self.bmi - 26.0).max(0.0) * if years < 20.0 { 0.0 } else { 0.4 };
        if let Some(with) = self.years_with(Disease::Hypertension, at) {
            systolic += 24.0;
            let agents = ["renin", "calcium", "thiazide", "beta blocker"];
            let used =
                agents.iter().filter(|group| self.treated(group, at).is_some()).count() as f64;
            systolic -= (used * 9.0).min(25.0) + if used > 0.0 { with.min(4.0) } else { 0.0 };
        }
        let drift = if day.severe { -4.0 } else { 0.0 };
        let child = years < 16.0;
        let systolic =
            (systolic + drift + chance.bell(0.0, if child { 3.5 } else { 6.0 })).clamp(78.0, 188.0);
        let (part, rest) = if child { (0.5, 9.0) } else { (0.44, 23.0) };
        let diastolic = (systolic * part + rest + self.traits[1] * 3.0
            - (years - 65.0).max(0.0) * 0.25
            + chance.bell(0.0, 4.0))
        .clamp(44.0, 108.0);
        let mut pulse = if years < 14.0 { 128.0 - 11.0 * years.sqrt() * 1.15 } else { 73.0 };
        pulse += self.traits[2] * 5.0 + chance.bell(0.0, 5.0);
        pulse -= if self.treated("beta blocker", at).is_some() { 8.0 } else { 0.0 };
        pulse += if day.fever { 17.0 } else { 0.0 }
            + if day.breathless { 12.0 } else { 0.0 }
            + if self.has(Disease::AtrialFibrillation, at) { 4.0 } else { 0.0 };
        let breaths = if years < 10.0 { 30.0 - 4.0 * years.sqrt() } else { 15.0 }
            + if day.breathless { 8.0 } else { 0.0 }
            + chance.bell(0.0, 1.0);
        let temperature =
            36.7 + chance.bell(0.0, 0.2) + if day.fever { chance.real(1.5, 2.5) } else { 0.0 };
        let lungs = if self.has(Disease::Copd, at) { 3.0 } else { 0.0 }
            + if day.breathless { 5.0 } else { 0.0 };
        let saturation = (98.2 - lungs + chance.bell(0.0, 0.7)).clamp(84.0, 100.0);
        let weight =
            weight * (1.0 + chance.bell(0.0, 0.008)) + if day.pregnant { 6.0 } else { 0.0 };
        Vitals {
            systolic,
            diastolic,
            pulse: pulse.clamp(46.0, 170.0),
            breaths,
            temperature,
            saturation,
            weight,
            height,
        }
    }

    /// What `lab` gives. [`Lab::Egfr`], [`Lab::Ldl`] and [`Lab::Glucose`] follow from others; see
    /// [`crate::measure`].
    pub(crate) fn lab(&self, lab: Lab, at: i64, day: Condition, chance: &mut Chance) -> f64 {
        let years = age(self.birth_ms, at);
        let kidney = self.has(Disease::Kidney3, at);
        let own = |at: usize, deviation: f64| self.traits[at] * deviation;
        let noise = |chance: &mut Chance, deviation: f64| chance.bell(0.0, deviation);
        match lab {
            Lab::HbA1c => self.hba1c(at, chance),
            Lab::Creatinine => self.creatinine(at, chance),
            Lab::Urea => (if kidney { 27.0 } else { 14.0 + own(3, 2.0) }) + noise(chance, 2.0),
            Lab::Sodium => {
                139.8 - if self.treated("thiazide", at).is_some() { 1.5 } else { 0.0 }
                    + noise(chance, 1.5)
            }
            Lab::Potassium => self.potassium(at, kidney, chance),
            Lab::Chloride => 102.5 + noise(chance, 1.8),
            Lab::Bicarbonate => (if kidney { 23.5 } else { 25.5 }) + noise(chance, 1.3),
            Lab::Calcium => 9.4 + noise(chance, 0.25),
            Lab::Hdl => (if self.female { 57.0 } else { 47.0 }) + own(5, 8.0) + noise(chance, 3.0),
            Lab::Triglycerides => {
                let sugar =
                    if self.has(Disease::Diabetes2, at) || self.bmi > 31.0 { 55.0 } else { 0.0 };
                (115.0 + sugar + own(4, 28.0) + noise(chance, 18.0)).max(45.0)
            }
            Lab::Ldl => self.ldl(at, chance),
            Lab::Haemoglobin => self.haemoglobin(years, at, kidney, day, chance),
            Lab::Leukocytes => {
                (if day.fever { 12.8 } else { 6.8 + own(7, 0.9) }) + noise(chance, 0.7)
            }
            Lab::Platelets => 245.0 + own(0, 32.0) + noise(chance, 15.0),
            Lab::Mcv => self.iron(at, 76.0, 89.0) + own(1, 2.0) + noise(chance, 1.0),
            _ => self.rarer_lab(lab, at, day, chance),
        }
    }

    fn rarer_lab(&self, lab: Lab, at: i64, day: Condition, chance: &mut Chance) -> f64 {
        let kidney = self.has(Disease::Kidney3, at);
        let own = |at: usize, deviation: f64| self.traits[at] * deviation;
        let noise = |chance: &mut Chance, deviation: f64| chance.bell(0.0, deviation);
        match lab {
            Lab::Thyrotropin => match self.years_with(Disease::Hypothyroidism, at) {
                None => (1.9 + own(2, 0.55) + noise(chance, 0.2)).max(0.5),
                Some(_) => match self.treated("thyroid", at) {
                    None => 9.6 + own(2, 2.0).abs(),
                    Some(on) => {
                        (2.2 + 4.0 * decay(on, 0.3) + own(2, 0.7) + noise(chance, 0.5)).max(0.25)
                    }
                },
            },
            Lab::Inr => match self.treated("anticoagulant", at) {
                Some(_) => (2.45 + noise(chance, 0.5)).max(1.2),
                None => 1.0 + noise(chance, 0.05),
            },
            Lab::Alt => (24.0
                + own(3, 6.0)
                + if self.has(Disease::Alcohol, at) { 38.0 } else { 0.0 }
                + noise(chance, 4.0))
            .max(8.0),
            Lab::NtProBnp => {
                (if self.has(Disease::HeartFailure, at) { 780.0 } else { 160.0 })
                    * if day.severe { 5.2 } else { 1.0 }
                    + noise(chance, 60.0)
            }
            Lab::Psa => (if self.has(Disease::Prostate, at) { 2.9 } else { 1.2 }
                + own(4, 0.4)
                + noise(chance, 0.15))
            .max(0.2),
            Lab::Urate => {
                (if self.has(Disease::Gout, at) {
                    if self.treated("urate", at).is_some() { 6.1 } else { 8.6 }
                } else {
                    5.4
                }) + noise(chance, 0.4)
            }
            Lab::UrineAlbumin => {
                (if kidney { 145.0 } else { 17.0 } + own(6, 6.0) + noise(chance, 7.0)).max(3.0)
            }
            Lab::Ferritin => (self.iron(at, 7.0, 68.0) + noise(chance, 2.0)).max(3.0),
            Lab::ViralLoad => {
                if self.treated("antiretroviral", at).is_some_and(|on| on > 0.3) {
                    19.0
                } else {
                    48_200.0
                }
            }
            Lab::Cd4 => {
                330.0
                    + self.treated("antiretroviral", at).unwrap_or(0.0).min(4.0) * 85.0
                    + noise(chance, 30.0)
            }
            Lab::Troponin => (if day.severe { 1840.0 } else { 6.0 }) + noise(chance, 2.0),
            Lab::Crp => {
                if day.fever || day.severe {
                    88.0 + noise(chance, 20.0)
                } else {
                    (2.5 + noise(chance, 1.0)).max(1.0)
                }
            }
            _ => 0.0,
        }
    }

    fn hba1c(&self, at: i64, chance: &mut Chance) -> f64 {
        let small = chance.bell(0.0, 0.14);
        if self.has(Disease::Diabetes1, at) {
            return 7.7 + self.traits[6] * 0.5 + small;
        }
        let Some(with) = self.years_with(Disease::Diabetes2, at) else {
            let base = if self.has(Disease::Prediabetes, at) { 5.95 } else { 5.25 };
            return base + self.traits[6] * 0.12 + small * 0.5;
        };
        let start = 8.4 + self.traits[6] * 0.6;
        let mut value = start + 0.16 * with;
        if let Some(on) = self.treated("metformin", at) {
            value -= 1.5 * (1.0 - decay(on, 0.35));
        }
        if let Some(on) = self.treated("second glucose agent", at) {
            value -= 0.8 * (1.0 - decay(on, 0.35));
        }
        if let Some(on) = self.treated("basal insulin", at) {
            value -= 1.0 * (1.0 - decay(on, 0.35));
        }
        (value + small).clamp(6.1, 12.5)
    }

    fn creatinine(&self, at: i64, chance: &mut Chance) -> f64 {
        let years = age(self.birth_ms, at);
        if years < 18.0 {
            return 0.28 + years * 0.033 + chance.bell(0.0, 0.03);
        }
        let mut rate = (121.0 - 0.72 * years + self.traits[3] * 6.0).clamp(66.0, 122.0);
        // The kidneys fail slowly: from normal to 58 in the four years before the diagnosis.
        if let Some(onset) = self.onset.get(&Disease::Kidney3) {
            let with = (at - onset) as f64 / YEAR_MS as f64;
            rate = match with {
                with if with >= 0.0 => (58.0 - 2.2 * with).max(32.0),
                with => rate.min(58.0 + (rate - 58.0) * (-with / 4.0).min(1.0)),
            };
        }
        creatinine_of(rate, years, self.female) * (1.0 + chance.bell(0.0, 0.03))
    }

    fn potassium(&self, at: i64, kidney: bool, chance: &mut Chance) -> f64 {
        let shift = |group: &str, by: f64| if self.treated(group, at).is_some() { by } else { 0.0 };
        let kidney = if kidney { 0.3 } else { 0.0 };
        4.2 + kidney
            + shift("renin", 0.2)
            + shift("thiazide", -0.3)
            + shift("loop diuretic", -0.3)
            + chance.bell(0.0, 0.22)
    }

    fn ldl(&self, at: i64, chance: &mut Chance) -> f64 {
        let years = age(self.birth_ms, at);
        let base = if self.onset.contains_key(&Disease::Hyperlipidemia)
            || self.onset.contains_key(&Disease::Coronary)
        {
            158.0
        } else {
            84.0 + years.min(60.0) * 0.5
        };
        let statin = if self.treated("statin", at).is_some() { 0.58 } else { 1.0 };
        ((base + self.traits[4] * 14.0) * statin + chance.bell(0.0, 7.0)).max(38.0)
    }

    fn haemoglobin(
        &self,
        years: f64,
        at: i64,
        kidney: bool,
        day: Condition,
        chance: &mut Chance,
    ) -> f64 {
        let normal = if years < 12.0 {
            12.4
        } else if self.female {
            13.4
        } else {
            15.0
        };
        let low = if kidney { 1.4 } else { 0.0 } + if day.pregnant { 1.6 } else { 0.0 };
        self.iron(at, 9.7, normal - low) + self.traits[5] * 0.4 + chance.bell(0.0, 0.25)
    }

    /// A value that is `poor` without iron and becomes `normal` within months of taking it.
    fn iron(&self, at: i64, poor: f64, normal: f64) -> f64 {
        if !self.has(Disease::IronDeficiency, at) {
            return normal;
        }
        let missing = self.treated("iron", at).map_or(1.0, |on| decay(on, 0.35));
        normal - (normal - poor) * missing
    }
}

fn decay(years: f64, constant: f64) -> f64 {
    (-years / constant).exp()
}

/// Constants of the CKD-EPI 2021 creatinine equation for women and men: κ, α and the factor.
fn ckd_epi(female: bool) -> (f64, f64, f64) {
    if female { (0.7, -0.241, 1.012) } else { (0.9, -0.302, 1.0) }
}

/// Estimated glomerular filtration rate in mL/min/1.73 m² after CKD-EPI 2021 (Inker et al., N Engl
/// J Med 2021;385:1737-1749): 142 · min(Scr/κ,1)^α · max(Scr/κ,1)^−1.200 · 0.9938^age · 1.012 for
/// women. `creatinine` in mg/dL.
pub(crate) fn egfr_of(creatinine: f64, years: f64, female: bool) -> f64 {
    let (kappa, alpha, factor) = ckd_epi(female);
    let ratio = creatinine / kappa;
    142.0 * ratio.min(1.0).powf(alpha) * ratio.max(1.0).powf(-1.2) * 0.9938_f64.powf(years) * factor
}

/// The creatinine in mg/dL for which [`egfr_of`] gives `rate`.
fn creatinine_of(rate: f64, years: f64, female: bool) -> f64 {
    let (kappa, alpha, factor) = ckd_epi(female);
    let base = 142.0 * 0.9938_f64.powf(years) * factor;
    let exponent = if rate <= base { -1.2 } else { alpha };
    kappa * (rate / base).powf(1.0 / exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kidney_formula_matches_published_values_and_inverts() {
        // Values of the published equation, rounded to whole numbers.
        for (creatinine, years, female, expected) in [
            (1.0, 50.0, false, 92.0),
            (1.0, 50.0, true, 69.0),
            (2.0, 70.0, false, 35.0),
            (0.6, 30.0, true, 124.0),
        ] {
            let rate = egfr_of(creatinine, years, female);
            assert!((rate - expected).abs() < 1.0, "{creatinine} {years} {female}: {rate}");
            assert!((creatinine_of(rate, years, female) - creatinine).abs() < 1e-6);
        }
    }

    #[test]
    fn children_grow() {
        let mut chance = Chance::new(1, &["body"]);
        let body = Body::new(&mut chance, true, 0);
        let heights: Vec<f64> = (0..18).map(|year| body.build(year * YEAR_MS).0).collect();
        assert!(heights.windows(2).all(|pair| pair[0] <= pair[1]), "{heights:?}");
    }
}
