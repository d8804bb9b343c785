//! Meta-analyses. References: the 13 trials of BCG of Colditz et al. (1994) with statsmodels 0.15.0
//! (fixed, DerSimonian–Laird, Paule–Mandel, Hartung–Knapp) and the root of the restricted score in scipy
//! 1.17.1 (REML).

use consilium_statistics::answer::Finding;
use consilium_statistics::meta::{Effect, Estimator, MetaAnalysis, SiteEstimate, combine};
use consilium_statistics::{Analysis, Column, Dictionary, Frame, Kind, Variable};

use crate::analyses::{ask, ask_fixed, close};

/// Ill and well among the vaccinated, ill and well among the others.
const TRIALS: [[usize; 4]; 13] = [
    [4, 119, 11, 128],
    [6, 300, 29, 274],
    [3, 228, 11, 209],
    [62, 13536, 248, 12619],
    [33, 5036, 47, 5761],
    [180, 1361, 372, 1079],
    [8, 2537, 10, 619],
    [505, 87886, 499, 87892],
    [29, 7470, 45, 7232],
    [17, 1699, 65, 1600],
    [186, 50448, 141, 27197],
    [5, 2493, 3, 2338],
    [27, 16886, 29, 17825],
];

fn estimates() -> Vec<SiteEstimate> {
    TRIALS
        .iter()
        .map(|cells| {
            let [a, b, c, d] = cells.map(|count| count as f64);
            let estimate = (a / (a + b) / (c / (c + d))).ln();
            let variance: f64 = 1.0 / a - 1.0 / (a + b) + 1.0 / c - 1.0 / (c + d);
            SiteEstimate { estimate, se: variance.sqrt() }
        })
        .collect()
}

#[test]
fn the_published_trials() {
    let found = combine(&estimates(), Estimator::DersimonianLaird).unwrap();
    close(found.fixed.estimate, -0.43028516365409053, 1e-12, "fixed");
    close(found.fixed.se, 0.04049875171086381, 1e-12, "fixed se");
    close(found.tau2, 0.30876026286237634, 1e-12, "tau2");
    close(found.random.estimate, -0.7141172220732269, 1e-12, "random");
    close(found.random.se, 0.17874208953540316, 1e-12, "random se");
    close(found.hartung_knapp.unwrap().se, 0.18069662833554745, 1e-12, "hartung-knapp se");
    close(found.q, 152.23300808237337, 1e-12, "q");
    close(found.i2, 0.9211734685456205, 1e-12, "i2");
    let found = combine(&estimates(), Estimator::PauleMandel).unwrap();
    close(found.tau2, 0.3180684522050242, 1e-10, "paule-mandel");
    close(found.random.estimate, -0.7149681534934442, 1e-11, "random");
    let found = combine(&estimates(), Estimator::Reml).unwrap();
    close(found.tau2, 0.313243258136481, 1e-10, "reml");
    close(found.random.estimate, -0.7145323421581392, 1e-11, "random");
    close(found.random.se, 0.17978151610520576, 1e-11, "random se");
    let [low, high] = found.prediction.unwrap();
    close((high - low) / 2.0, 1.2938435647644384, 1e-9, "prediction");
}

#[test]
fn rounds_of_sums_give_what_the_estimates_give() {
    let levels = vec!["no".to_owned(), "yes".to_owned()];
    let variable = |name: &str| Variable {
        name: name.to_owned(),
        kind: Kind::Category { levels: levels.clone() },
        description: String::new(),
    };
    let dictionary = Dictionary { variables: vec![variable("vaccine"), variable("ill")] };
    let mut sites: Vec<Frame> = TRIALS
        .iter()
        .map(|cells| {
            let kinds = [(1, 1), (1, 0), (0, 1), (0, 0)];
            let rows =
                || kinds.iter().zip(cells).flat_map(|(kind, n)| std::iter::repeat_n(*kind, *n));
            let vaccine = rows().map(|(vaccine, _)| Some(vaccine)).collect();
            let ill = rows().map(|(_, ill)| Some(ill)).collect();
            let columns = [("vaccine", vaccine), ("ill", ill)];
            let columns = columns.map(|(name, values)| (name.to_owned(), Column::Category(values)));
            Frame::new(columns.to_vec()).unwrap()
        })
        .collect();
    // A site with one arm only has no estimate.
    let one_arm = [("vaccine", vec![Some(1); 5]), ("ill", vec![Some(0); 5])];
    let one_arm = one_arm.map(|(name, values)| (name.to_owned(), Column::Category(values)));
    sites.push(Frame::new(one_arm.to_vec()).unwrap());
    for estimator in [Estimator::DersimonianLaird, Estimator::PauleMandel, Estimator::Reml] {
        let direct = combine(&estimates(), estimator).unwrap();
        for asking in [ask, ask_fixed] {
            let analysis = Analysis::MetaAnalysis(MetaAnalysis {
                effect: Effect::LogRiskRatio,
                outcome: "ill".into(),
                group: "vaccine".into(),
                estimator,
            });
            let answer = asking(&dictionary, analysis, &sites);
            let Finding::MetaAnalysis(found) = answer.finding else { panic!() };
            assert_eq!((found.sites, answer.sites), (13, 14));
            close(found.tau2, direct.tau2, 1e-9, "tau2");
            close(found.random.estimate, direct.random.estimate, 1e-9, "random");
            close(found.fixed.se, direct.fixed.se, 1e-9, "fixed se");
        }
    }
}

#[test]
fn sites_that_agree_have_no_variance_between_them() {
    let same = [SiteEstimate { estimate: 0.4, se: 0.1 }; 4];
    for estimator in [Estimator::DersimonianLaird, Estimator::PauleMandel, Estimator::Reml] {
        let found = combine(&same, estimator).unwrap();
        assert_eq!((found.tau2, found.i2), (0.0, 0.0));
        close(found.random.se, 0.05, 1e-12, "se");
    }
    assert!(combine(&[], Estimator::Reml).is_err());
    assert!(combine(&[SiteEstimate { estimate: 1.0, se: 0.0 }], Estimator::Reml).is_err());
    assert_eq!(combine(&same[..1], Estimator::Reml).unwrap().hartung_knapp, None);
}
