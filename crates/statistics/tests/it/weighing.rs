//! Validation of predictions and weighting by propensities on NHEFS. References: statsmodels 0.15.0
//! (logistic fits), scikit-learn 1.9.1 (`roc_auc_score`, `brier_score_loss`), numpy 2.4.6 (DeLong's
//! variance by pairs, the sandwich of the stacked estimating equations row by row).

use consilium_statistics::Analysis;
use consilium_statistics::answer::Finding;
use consilium_statistics::validation::Validation;
use consilium_statistics::weighting::{Estimand, Weighting};

use crate::analyses::{Table, ask, ask_fixed, close};

#[test]
fn validation_of_a_fixed_rule() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let number = |name: &str| -> Vec<f64> {
        table.column(name).iter().map(|value| value.parse().unwrap()).collect()
    };
    let (age, weight) = (number("age"), number("wt71"));
    // In the middle of steps of a thousandth, so that the grid of the question is exact.
    let table = table.with("rule", |row| {
        let odds: f64 = -7.0 + 0.1 * age[row] - 0.01 * weight[row];
        let p = (1000.0 / (1.0 + (-odds).exp())).floor() / 1000.0 + 0.0005;
        format!("{p:.4}")
    });
    let numbers = [("rule", 0.0, 1.0), ("death", 0.0, 1.0)];
    let (dictionary, sites) = table.split(&numbers, &[], |row| format!("{}", row % 6));
    for asking in [ask, ask_fixed] {
        let analysis = Analysis::Validation(Validation {
            outcome: "death".into(),
            prediction: "rule".into(),
            groups: 10,
            grid: 1000,
            thresholds: vec![0.1, 0.2, 0.4],
        });
        let Finding::Validated(found) = asking(&dictionary, analysis, &sites).finding else {
            panic!()
        };
        assert_eq!(found.outcomes, [291, 1275]);
        close(found.brier, 0.14520023595146872, 1e-12, "brier");
        close(found.mean_prediction, 0.061126436781609186, 1e-12, "mean");
        close(found.auc, 0.8157523077959706, 1e-12, "auc");
        close(found.auc_se, 0.01387451358022938, 1e-11, "delong");
        let [Some([intercept, intercept_se]), Some([slope, slope_se])] = found.calibration else {
            panic!()
        };
        close(intercept, 1.8109304585125126, 1e-9, "intercept");
        close(intercept_se, 0.20338705674976099, 1e-9, "its error");
        close(slope, 1.1373138012252522, 1e-9, "slope");
        close(slope_se, 0.07428549731644896, 1e-9, "its error");
        close(found.calibration_in_the_large[0], 1.4567345059723589, 1e-9, "in the large");
        close(found.calibration_in_the_large[1], 0.07201356035022514, 1e-9, "its error");
        let positives: Vec<[u64; 2]> = found.thresholds.iter().map(|at| at.positives).collect();
        assert_eq!(positives, [[158, 143], [71, 28], [4, 0]]);
        let benefits = [0.09074783595856392, 0.04086845466155811, 0.002554278416347382];
        for (found, wanted) in found.thresholds.iter().zip(benefits) {
            close(found.net_benefit, wanted, 1e-11, "net benefit");
        }
        assert_eq!(found.groups.iter().map(|group| group.n).sum::<u64>(), 1566);
    }
}

#[test]
fn weighting_by_the_propensity_to_quit_smoking() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let numbers = [
        ("qsmk", 0.0, 1.0),
        ("wt82_71", -100.0, 100.0),
        ("age", 20.0, 90.0),
        ("wt71", 20.0, 250.0),
        ("smokeintensity", 0.0, 100.0),
        ("sex", 0.0, 1.0),
    ];
    let (dictionary, sites) = table.split(&numbers, &[], |row| format!("{}", row % 4));
    let score =
        [-1.818076069811656, 0.021734813595474054, 0.005895861535966519, -0.02301097104708541];
    let wanted = [
        (
            Estimand::Ate,
            false,
            None,
            3.2572463526959305,
            0.4890196224481836,
            0.01443707940325633,
            0,
        ),
        (Estimand::Ate, true, None, 3.2572463526959305, 0.4890196224481836, 0.01443707940325633, 0),
        (
            Estimand::Att,
            false,
            None,
            3.2424891400749805,
            0.4759012540400779,
            -0.0009571967078434098,
            0,
        ),
        (
            Estimand::Ate,
            false,
            Some(0.2),
            3.1993211616584256,
            0.4839784456024927,
            0.053539305066782956,
            394,
        ),
    ];
    for asking in [ask, ask_fixed] {
        for (estimand, stabilised, trim, effect, se, after, trimmed) in wanted {
            let covariates = ["age", "wt71", "smokeintensity", "sex"].map(str::to_owned).to_vec();
            let (treatment, outcome) = ("qsmk".into(), "wt82_71".into());
            let analysis = Weighting { treatment, outcome, covariates, estimand, stabilised, trim };
            let answer = asking(&dictionary, Analysis::Weighting(analysis), &sites);
            let Finding::WeightedEffect(found) = answer.finding else { panic!() };
            close(found.effect, effect, 1e-9, "effect");
            close(found.se, se, 1e-9, "standard error");
            assert_eq!((found.trimmed, found.arms[0].n, found.arms[1].n), (trimmed, 403, 1163));
            for ((_, found), wanted) in found.propensity.iter().zip(score) {
                close(*found, wanted, 1e-9, "propensity");
            }
            close(found.balance[0].before.unwrap(), 0.28198090994486114, 1e-9, "age before");
            close(found.balance[0].after.unwrap(), after, 1e-9, "age after");
            if estimand == Estimand::Ate && trim.is_none() {
                close(found.arms[0].effective_n, 367.1934214585617, 1e-9, "effective treated");
                let weights = found.arms[0].weights + found.arms[1].weights;
                assert!(if stabilised {
                    (weights / 1566.0 - 1.0).abs() < 0.05
                } else {
                    weights > 3000.0
                });
            }
        }
    }
}
