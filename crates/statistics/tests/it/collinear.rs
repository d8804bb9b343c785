//! Columns that others determine, that do not vary, and levels without rows: every model leaves them out
//! and says so, with the answer that it gives without them.

use consilium_statistics::answer::Finding;
use consilium_statistics::mixed::{Mixed, MixedModel};
use consilium_statistics::validation::{Validated, Validation};
use consilium_statistics::weighting::{Estimand, WeightedEffect, Weighting};
use consilium_statistics::{Analysis, Dictionary, Frame, Kind};
use proptest::prelude::*;

use crate::analyses::{ask, ask_fixed, close, made};

/// `same` is `3 a - b + 5`, `seven` is 7, and nobody is of the level `none`.
fn table(rows: usize) -> (Dictionary, Vec<Frame>) {
    let mut text = "site,treated,y,p,half,a,b,same,seven,kind,group\n".to_owned();
    for row in 0..rows {
        let (a, b) = (made(1, row) * 10.0, made(2, row));
        let treated = u8::from(made(3, row) < 1.0 / (1.0 + (2.0 - 0.4 * a).exp()));
        let group = row % 9;
        let y = 1.0 + 2.0 * a - b + f64::from(treated) + made(4, group) * 3.0 + made(5, row);
        let p = 0.1 + 0.08 * a;
        let kind = ["x", "y"][row / 2 % 2];
        let same = 3.0 * a - b + 5.0;
        text.push_str(&format!(
            "{},{treated},{y},{p},0.5,{a},{b},{same},7,{kind},g{group}\n",
            row % 3
        ));
    }
    let mut table = consilium_statistics::csv::read(&text, "site").unwrap();
    for variable in &mut table.dictionary.variables {
        match &mut variable.kind {
            Kind::Category { levels } if variable.name == "kind" => levels.push("none".to_owned()),
            Kind::Category { .. } => {}
            Kind::Number { min, max } => {
                (*min, *max) = (min.map(|min| min - 1.0), max.map(|max| max + 1.0));
            }
        }
    }
    (table.dictionary, table.sites.into_iter().map(|(_, frame)| frame).collect())
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const ALL: [&str; 5] = ["a", "seven", "b", "same", "kind"];
const OWN: [&str; 3] = ["a", "b", "kind"];
const ALIASED: [&str; 3] = ["seven", "same", "kind[none]"];

#[test]
fn weighting_leaves_them_out() {
    let (dictionary, sites) = table(400);
    let weighted = |covariates: &[&str], asking: fn(&Dictionary, Analysis, &[Frame]) -> _| {
        let answer: consilium_statistics::Answer = asking(
            &dictionary,
            Analysis::Weighting(Weighting {
                treatment: "treated".into(),
                outcome: "y".into(),
                covariates: names(covariates),
                estimand: Estimand::Ate,
                stabilised: false,
                trim: None,
            }),
            &sites,
        );
        let Finding::WeightedEffect(found) = answer.finding else { panic!() };
        found
    };
    for asking in [ask as fn(&Dictionary, Analysis, &[Frame]) -> _, ask_fixed] {
        let (full, plain): (WeightedEffect, WeightedEffect) =
            (weighted(&ALL, asking), weighted(&OWN[..2], asking));
        let with_kind = weighted(&["a", "b"], asking);
        assert!(with_kind.aliased.is_empty());
        assert_eq!(full.aliased, ALIASED);
        let short = weighted(&OWN, asking);
        assert_eq!(short.aliased, ["kind[none]"]);
        close(full.effect, short.effect, 1e-9, "effect");
        close(full.se, short.se, 1e-9, "error");
        assert_eq!(full.propensity.len(), short.propensity.len());
        for ((name, one), (other_name, other)) in full.propensity.iter().zip(&short.propensity) {
            assert_eq!(name, other_name);
            close(*one, *other, 1e-7, name);
        }
        assert!(plain.se > 0.0);
    }
}

#[test]
fn mixed_models_leave_them_out() {
    let (dictionary, sites) = table(400);
    for restricted in [true, false] {
        for asking in [ask as fn(&Dictionary, Analysis, &[Frame]) -> _, ask_fixed] {
            let mixed = |covariates: &[&str]| -> MixedModel {
                let (outcome, group) = ("y".into(), Some("group".into()));
                let covariates = names(covariates);
                let analysis = Analysis::Mixed(Mixed { outcome, covariates, group, restricted });
                let answer: consilium_statistics::Answer = asking(&dictionary, analysis, &sites);
                let Finding::Mixed(found) = answer.finding else { panic!() };
                found
            };
            let (full, short) = (mixed(&ALL), mixed(&OWN));
            assert_eq!(full.aliased, ALIASED);
            assert_eq!(full.residual_df, short.residual_df);
            close(full.log_likelihood, short.log_likelihood, 1e-9, "likelihood");
            close(full.between, short.between, 1e-6, "between");
            for (one, other) in full.coefficients.iter().zip(&short.coefficients) {
                assert_eq!(one.name, other.name);
                close(one.estimate, other.estimate, 1e-8, &one.name);
                close(one.se.unwrap(), other.se.unwrap(), 1e-8, &one.name);
            }
            assert_eq!(full.coefficients.len(), 4);
        }
    }
}

#[test]
fn predictions_that_are_all_the_same_have_no_slope() {
    let (mut dictionary, sites) = table(400);
    for variable in &mut dictionary.variables {
        if ["p", "half"].contains(&variable.name.as_str()) {
            variable.kind = Kind::Number { min: Some(0.0), max: Some(1.0) };
        }
    }
    let validated = |prediction: &str| -> Validated {
        let (outcome, prediction) = ("treated".into(), prediction.into());
        let thresholds = vec![0.5];
        let validation = Validation { outcome, prediction, groups: 10, grid: 100, thresholds };
        let answer = ask_fixed(&dictionary, Analysis::Validation(validation), &sites);
        let Finding::Validated(found) = answer.finding else { panic!() };
        found
    };
    let found = validated("half");
    assert_eq!(found.calibration[1], None);
    let part = found.outcomes[0] as f64 / 400.0;
    let odds = (part / (1.0 - part)).ln();
    close(found.calibration[0].unwrap()[0], odds, 1e-9, "intercept");
    close(found.calibration_in_the_large[0], odds, 1e-9, "in the large");
    assert!(validated("p").calibration[1].is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_column_more_that_others_determine_changes_no_effect(
        by in proptest::array::uniform2(-3.0_f64..3.0),
        shift in -50.0_f64..50.0,
        seed in 0_u64..1000,
    ) {
        let mut text = "site,treated,y,a,b,same\n".to_owned();
        for row in 0..150 {
            let (a, b) = (made(seed, row) - 0.5, made(seed + 1, row) * 4.0);
            let treated = u8::from(made(seed + 2, row) < 1.0 / (1.0 + (-a).exp()));
            let same = by[0] * a + by[1] * b + shift;
            text.push_str(&format!("{},{treated},{},{a},{b},{same}\n", row % 3, a + b));
        }
        let table = consilium_statistics::csv::read(&text, "site").unwrap();
        let sites: Vec<Frame> = table.sites.into_iter().map(|(_, frame)| frame).collect();
        let effect = |covariates: &[&str]| {
            let analysis = Analysis::Weighting(Weighting {
                treatment: "treated".into(),
                outcome: "y".into(),
                covariates: names(covariates),
                estimand: Estimand::Att,
                stabilised: false,
                trim: None,
            });
            let Finding::WeightedEffect(found) = ask(&table.dictionary, analysis, &sites).finding
            else { panic!() };
            found
        };
        let (full, plain) = (effect(&["a", "b", "same"]), effect(&["a", "b"]));
        prop_assert_eq!(full.aliased, names(&["same"]));
        prop_assert!((full.effect - plain.effect).abs() < 1e-8);
        prop_assert!((full.se / plain.se - 1.0).abs() < 1e-6);
    }
}
