//! Survival curves and log-rank tests. References: lifelines 0.30.3 (curves, intervals, medians,
//! restricted means), statsmodels 0.15.0 (`survdiff` with strata) on the pooled tables.

use consilium_statistics::Analysis;
use consilium_statistics::answer::Finding;
use consilium_statistics::survival::{Curves, Survival};

use crate::analyses::{Table, ask, ask_fixed, close};

fn lung(least: u32, fixed: bool) -> Option<Curves> {
    let table = Table::shared("lung.csv")?.having("inst");
    let (dictionary, sites) =
        table.split(&[("time", 0.0, 1100.0), ("status", 0.0, 1.0)], &["sex"], |row| {
            table.column("inst")[row].to_owned()
        });
    let analysis = Analysis::Survival(Survival {
        time: "time".into(),
        event: "status".into(),
        group: Some("sex".into()),
        grid: vec![],
        width: Some(1.0),
        least,
        horizon: Some(600.0),
    });
    let asking = if fixed { ask_fixed } else { ask };
    let answer = asking(&dictionary, analysis, &sites);
    assert_eq!((answer.n, answer.rounds, answer.sites), (227, 1, 18));
    let Finding::Survival(curves) = answer.finding else { panic!() };
    Some(curves)
}

#[test]
fn curves_on_a_grid_of_days_are_the_pooled_ones() {
    for fixed in [false, true] {
        let Some(found) = lung(1, fixed) else { return };
        let wanted = [
            (
                [269.0, 210.0, 306.0],
                [297.3364759111373, 17.056320487519475],
                [
                    [
                        100.0,
                        0.8248175182481753,
                        0.032476109112070335,
                        0.750125475207168,
                        0.8789657189617827,
                    ],
                    [
                        310.0,
                        0.3984501516912038,
                        0.044181078437506884,
                        0.3118267167957901,
                        0.48354794769345816,
                    ],
                    [
                        500.0,
                        0.22590317033569945,
                        0.0405149671047077,
                        0.15195597661402693,
                        0.30894917620227386,
                    ],
                ],
            ),
            (
                [426.0, 345.0, 524.0],
                [397.4147355272215, 21.42936402734669],
                [
                    [
                        100.0,
                        0.9220883534136544,
                        0.028279413652742322,
                        0.8435052055953538,
                        0.9620777376655889,
                    ],
                    [
                        310.0,
                        0.6428443262326947,
                        0.05435467196694128,
                        0.5257492212244849,
                        0.7381101880738117,
                    ],
                    [
                        500.0,
                        0.4110461351066878,
                        0.06258436891640155,
                        0.2883278750148012,
                        0.5296426638980414,
                    ],
                ],
            ),
        ];
        for (curve, (median, [mean, mean_se], points)) in found.curves.iter().zip(wanted) {
            let medians = [curve.median, curve.median_interval[0], curve.median_interval[1]];
            assert_eq!(medians, median.map(Some));
            let restricted = curve.restricted_mean.as_ref().unwrap();
            close(restricted.mean, mean, 1e-12, "restricted mean");
            close(restricted.se, mean_se, 1e-11, "its standard error");
            for [time, survival, se, low, high] in points {
                let step = curve.steps.iter().rfind(|step| step.time <= time).unwrap();
                close(step.survival, survival, 1e-12, "survival");
                close(step.se, se, 1e-11, "greenwood");
                close(step.interval.unwrap()[0], low, 1e-9, "low");
                close(step.interval.unwrap()[1], high, 1e-9, "high");
            }
        }
        let pooled = found.log_rank.unwrap();
        close(pooled.statistic, 10.205655693720443, 1e-11, "log-rank");
        close(pooled.p, 0.0014001060278530939, 1e-9, "its p");
        let by_site = found.log_rank_by_site.unwrap();
        close(by_site.statistic, 8.524467363323176, 1e-10, "log-rank stratified by site");
        close(by_site.p, 0.003504032870060847, 1e-9, "its p");
    }
}

#[test]
fn every_step_rests_on_ten_events_and_lies_on_the_exact_curve() {
    let (Some(all), Some(told)) = (lung(1, false), lung(10, false)) else { return };
    for (all, told) in all.curves.iter().zip(&told.curves) {
        assert!(told.steps.len() >= 3);
        assert!(told.steps.iter().all(|step| step.events >= 10 && step.at_risk >= 10));
        let told_events: u64 = told.steps.iter().map(|step| step.events).sum();
        assert_eq!(told_events + told.events_untold, told.events);
        for step in &told.steps {
            let same = all.steps.iter().find(|exact| exact.time == step.time).unwrap();
            close(step.survival, same.survival, 1e-15, "survival");
        }
    }
}

#[test]
fn log_rank_of_four_groups() {
    let Some(table) = Table::shared("veteran.csv") else { return };
    let numbers = [("time", 0.0, 1000.0), ("status", 0.0, 1.0)];
    let (dictionary, sites) = table.split(&numbers, &["celltype"], |row| format!("{}", row % 4));
    let analysis = Analysis::Survival(Survival {
        time: "time".into(),
        event: "status".into(),
        group: Some("celltype".into()),
        grid: vec![],
        width: Some(1.0),
        least: 5,
        horizon: None,
    });
    let Finding::Survival(found) = ask(&dictionary, analysis, &sites).finding else { panic!() };
    let test = found.log_rank.unwrap();
    assert_eq!(test.df, 3);
    close(test.statistic, 25.403700345785367, 1e-11, "log-rank");
    close(test.p, 1.2712459390060888e-05, 1e-9, "its p");
    assert_eq!(test.observed.iter().sum::<f64>(), 128.0);
}
