//! Principal components, clusters and mixed models. References: numpy 2.4.6 (`eigh`), scikit-learn
//! 1.9.1 (`KMeans`, 50 starts), and for the mixed model numpy with dense covariances of the groups and
//! the root of the exact derivative of the profiled likelihood.

use consilium_statistics::answer::Finding;
use consilium_statistics::mixed::{Mixed, MixedModel};
use consilium_statistics::structure::{KMeans, Pca};
use consilium_statistics::{Analysis, Frame};

use crate::analyses::{Table, ask, ask_fixed, close};

const NHEFS: [(&str, f64, f64); 5] = [
    ("wt71", 20.0, 250.0),
    ("age", 20.0, 90.0),
    ("smokeintensity", 0.0, 100.0),
    ("smokeyrs", 0.0, 80.0),
    ("sbp", 50.0, 300.0),
];

#[test]
fn components_are_those_of_the_pooled_matrix() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let (dictionary, sites) = table.split(&NHEFS, &[], |row| format!("{}", row % 5));
    let covariance = [271.9195942237281, 234.7805247798656, 135.89800802365951, 18.480643224951212];
    let correlation =
        [1.8698896524049475, 1.1023604754067424, 0.899387525745812, 0.12836234644249758];
    let first = [
        [0.29216862482446215, 0.6697797625382569, 0.04463065350699397, 0.6812053061522038],
        [0.06731994844287655, 0.7043745623332041, 0.012872046519522496, 0.7065117202835028],
    ];
    for asking in [ask, ask_fixed] {
        for (is_correlation, values, first) in
            [(false, covariance, first[0]), (true, correlation, first[1])]
        {
            let variables =
                ["wt71", "age", "smokeintensity", "smokeyrs"].map(str::to_owned).to_vec();
            let analysis = Analysis::Pca(Pca { variables, correlation: is_correlation });
            let answer = asking(&dictionary, analysis, &sites);
            assert_eq!((answer.n, answer.rounds), (1566, 2));
            let Finding::Components(found) = answer.finding else { panic!() };
            for (found, wanted) in found.components.iter().zip(values) {
                close(found.variance, wanted, 1e-10, "eigenvalue");
            }
            for (found, wanted) in found.components[0].loadings.iter().zip(first) {
                close(*found, wanted, 1e-9, "loading");
            }
        }
    }
}

#[test]
fn clusters_are_the_best_that_many_pooled_starts_find() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let (dictionary, sites) = table.split(&NHEFS, &[], |row| format!("{}", row % 5));
    let (_, one) = table.split(&NHEFS, &[], |_| String::new());
    let kmeans = [
        (false, 2, 166.29477371841375, vec![795, 771]),
        (false, 3, 125.77624979890605, vec![633, 633, 300]),
        (true, 2, 3555.6344232063184, vec![820, 746]),
        (true, 3, 2643.095620875153, vec![587, 549, 430]),
    ];
    for (standardise, clusters, inertia, sizes) in kmeans {
        let variables = ["age", "wt71", "smokeintensity"].map(str::to_owned).to_vec();
        let run = |seed: u64, sites: &[Frame]| {
            let variables = variables.clone();
            let analysis = KMeans { variables, clusters, seed, standardise, most_rounds: 300 };
            let answer = ask(&dictionary, Analysis::KMeans(analysis), sites);
            let Finding::Clusters(found) = answer.finding else { panic!() };
            assert!(found.is_settled && found.within >= inertia * (1.0 - 1e-12));
            found
        };
        let best = (0..12).map(|seed| (seed, run(seed, &sites)));
        let (seed, found) =
            best.min_by(|one, other| one.1.within.total_cmp(&other.1.within)).unwrap();
        let counts: Vec<u64> = found.clusters.iter().map(|cluster| cluster.n).collect();
        assert_eq!(counts, sizes);
        close(found.within, inertia, 1e-10, "within");
        for (found, pooled) in found.clusters.iter().zip(&run(seed, &one).clusters) {
            for (found, pooled) in found.centre.iter().zip(&pooled.centre) {
                close(*found, *pooled, 1e-12, "centre");
            }
        }
    }
}

#[test]
fn more_clusters_than_places_leave_none_empty_in_the_answer() {
    let Some(table) = Table::shared("veteran.csv") else { return };
    let (dictionary, sites) =
        table.split(&[("prior", 0.0, 10.0)], &[], |row| format!("{}", row % 2));
    let variables = vec!["prior".to_owned()];
    let analysis = KMeans { variables, clusters: 5, seed: 3, standardise: false, most_rounds: 40 };
    let Finding::Clusters(found) = ask(&dictionary, Analysis::KMeans(analysis), &sites).finding
    else {
        panic!()
    };
    assert_eq!(found.clusters.iter().map(|cluster| cluster.n).sum::<u64>(), 137);
    assert!(found.clusters.iter().all(|cluster| cluster.n > 0));
}

struct Wanted {
    estimates: [f64; 3],
    errors: [f64; 3],
    between: f64,
    within: f64,
    log_likelihood: f64,
}

fn check(found: &MixedModel, wanted: &Wanted, groups: u64) {
    assert_eq!(found.groups, groups);
    let pairs = wanted.estimates.iter().zip(wanted.errors);
    for (found, (estimate, se)) in found.coefficients.iter().zip(pairs) {
        close(found.estimate, *estimate, 1e-9, &found.name);
        close(found.se.unwrap(), se, 1e-9, &found.name);
    }
    close(found.within, wanted.within, 1e-9, "within");
    close(found.between, wanted.between, 1e-8, "between");
    close(found.log_likelihood, wanted.log_likelihood, 1e-11, "log-likelihood");
}

#[test]
fn random_intercepts_of_groups_within_sites() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let table = table.having("sbp");
    let (dictionary, sites) = table.split(&NHEFS, &["education"], |row| format!("{}", row % 4));
    let restricted = Wanted {
        estimates: [91.23646845691927, 0.6025614609571196, 0.15876047065545779],
        errors: [2.6584026745787304, 0.0373230482489671, 0.029133655165403654],
        between: 1.1666046969354373,
        within: 300.40649339658984,
        log_likelihood: -6571.058365661004,
    };
    let full = Wanted {
        estimates: [91.1129063814526, 0.6047136128894041, 0.1588608524784442],
        errors: [2.647822112108906, 0.03718982264180479, 0.02910669217742716],
        between: 0.7992491212771147,
        within: 300.08927300507213,
        log_likelihood: -6566.309773056243,
    };
    for asking in [ask, ask_fixed] {
        for (is_restricted, wanted) in [(true, &restricted), (false, &full)] {
            let analysis = Analysis::Mixed(Mixed {
                outcome: "sbp".into(),
                covariates: vec!["age".into(), "wt71".into()],
                group: Some("education".into()),
                restricted: is_restricted,
            });
            let answer = asking(&dictionary, analysis, &sites);
            assert!(answer.rounds < 20, "{}", answer.rounds);
            let Finding::Mixed(found) = answer.finding else { panic!() };
            check(&found, wanted, 20);
        }
    }
}

#[test]
fn random_intercepts_of_the_sites_themselves() {
    let Some(table) = Table::shared("veteran.csv") else { return };
    let numbers = [("karno", 0.0, 100.0), ("age", 18.0, 100.0), ("diagtime", 0.0, 100.0)];
    let (dictionary, sites) =
        table.split(&numbers, &[], |row| table.column("celltype")[row].to_owned());
    let analysis = Analysis::Mixed(Mixed {
        outcome: "karno".into(),
        covariates: vec!["age".into(), "diagtime".into()],
        group: None,
        restricted: true,
    });
    let Finding::Mixed(found) = ask(&dictionary, analysis, &sites).finding else { panic!() };
    let wanted = Wanted {
        estimates: [72.01679906822332, -0.17028878002536654, -0.3581743382522376],
        errors: [9.73312735108387, 0.15947418975824335, 0.1588863178947209],
        between: 12.135464679424825,
        within: 380.257968694587,
        log_likelihood: -601.3360265153075,
    };
    check(&found, &wanted, 4);
}

#[test]
fn groups_that_do_not_differ_have_no_variance_between_them() {
    let Some(table) = Table::shared("lung.csv") else { return };
    let table = table.having("inst").having("ph.ecog").having("ph.karno");
    let numbers = [("ph.karno", 0.0, 100.0), ("age", 30.0, 90.0), ("ph.ecog", 0.0, 4.0)];
    let (dictionary, sites) =
        table.split(&numbers, &[], |row| table.column("inst")[row].to_owned());
    let analysis = Analysis::Mixed(Mixed {
        outcome: "ph.karno".into(),
        covariates: vec!["age".into(), "ph.ecog".into()],
        group: None,
        restricted: true,
    });
    let Finding::Mixed(found) = ask(&dictionary, analysis, &sites).finding else { panic!() };
    let wanted = Wanted {
        estimates: [99.37070105408971, -0.07030918902077903, -13.682898863185384],
        errors: [3.3548615581926238, 0.054171236400264465, 0.6919204754627468],
        between: 0.0,
        within: 52.70339801184581,
        log_likelihood: -765.0590118336066,
    };
    check(&found, &wanted, 18);
}
