//! Panels of laboratory values that agree with each other, as a laboratory would report them.

use crate::body::{Body, Condition, egfr_of};
use crate::calendar::age;
use crate::chance::Chance;
use crate::lab::{Lab, Panel};

/// The values of `panel`, each rounded to the digits that are reported. Derived values follow from
/// the rounded ones: the filtration rate from creatinine (CKD-EPI 2021, adults only), LDL and total
/// cholesterol by the formula of Friedewald (Clin Chem 1972;18:499-502), glucose from HbA1c (ADAG,
/// Diabetes Care 2008;31:1473-1478).
pub(crate) fn panel(
    body: &Body,
    panel: Panel,
    at: i64,
    day: Condition,
    chance: &mut Chance,
) -> Vec<(Lab, f64)> {
    let years = age(body.birth_ms, at);
    let round = |lab: Lab, value: f64| {
        let scale = 10_f64.powi(lab.test(body.female).decimals as i32);
        (value * scale).round() / scale
    };
    let mut out: Vec<(Lab, f64)> = Vec::new();
    for &lab in panel.labs() {
        if lab == Lab::Egfr && years < 18.0 {
            continue;
        }
        out.push((lab, round(lab, body.lab(lab, at, day, chance))));
    }
    let value = |out: &[(Lab, f64)], wanted: Lab| {
        out.iter().find(|(lab, _)| *lab == wanted).map_or(0.0, |v| v.1)
    };
    let (creatinine, ldl) = (value(&out, Lab::Creatinine), value(&out, Lab::Ldl));
    let fats = value(&out, Lab::Hdl) + (value(&out, Lab::Triglycerides) / 5.0).round();
    let sugar = match body.lab(Lab::HbA1c, at, day, chance) {
        steady if steady < 6.4 => 91.0 + (steady - 5.3) * 22.0 + chance.bell(0.0, 5.0),
        high => 28.7 * high - 46.7 - 25.0 + chance.bell(0.0, 14.0),
    };
    for (lab, slot) in &mut out {
        match lab {
            Lab::Egfr => *slot = egfr_of(creatinine, years, body.female).round(),
            Lab::Cholesterol => *slot = ldl + fats,
            Lab::Glucose => *slot = sugar.round().max(68.0),
            _ => {}
        }
    }
    out
}
