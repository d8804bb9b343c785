//! Two-stage meta-analysis of regressions. References: statsmodels 0.15.0, each site's `logit`, `ols` and
//! `PHReg` (Efron), their estimates through `combine_effects` (DerSimonian–Laird), and generalised least
//! squares of all coefficients with the inverses of the sites' covariances.

use consilium_statistics::answer::Finding;
use consilium_statistics::meta::{Estimator, TwoStage, TwoStageResult};
use consilium_statistics::rounds::Failure;
use consilium_statistics::{Analysis, Dictionary, Formula, Frame, Penalty, Question, Regression};

use crate::analyses::{Table, ask, ask_fixed, close};
use crate::network::{self, Adder};

const NHEFS: [(&str, f64, f64); 7] = [
    ("death", 0.0, 1.0),
    ("age", 20.0, 90.0),
    ("sex", 0.0, 1.0),
    ("smokeintensity", 0.0, 100.0),
    ("qsmk", 0.0, 1.0),
    ("wt71", 20.0, 250.0),
    ("wt82_71", -100.0, 100.0),
];

fn two_stage(formula: &str) -> TwoStage {
    let regression = Regression::new(Formula::parse(formula).unwrap());
    TwoStage { regression, estimator: Estimator::DersimonianLaird }
}

fn found(dictionary: &Dictionary, formula: &str, sites: &[Frame]) -> [TwoStageResult; 2] {
    [ask, ask_fixed].map(|asking| {
        let answer = asking(dictionary, Analysis::TwoStage(two_stage(formula)), sites);
        let Finding::TwoStage(found) = answer.finding else { panic!() };
        found
    })
}

/// Name, fixed estimate and error, random estimate and error where the variance is above 0, Q.
type Row = (&'static str, [f64; 2], Option<[f64; 3]>, f64);

fn check(found: &TwoStageResult, rows: &[Row], joint: &[[f64; 2]], q: f64) {
    assert_eq!(found.coefficients.len(), rows.len());
    for (found, (name, fixed, random, q)) in found.coefficients.iter().zip(rows) {
        assert_eq!(found.name, *name);
        close(found.pooled.fixed.estimate, fixed[0], 1e-8, name);
        close(found.pooled.fixed.se, fixed[1], 1e-8, name);
        close(found.pooled.q, *q, 1e-7, name);
        match random {
            Some([tau2, estimate, se]) => {
                close(found.pooled.tau2 / tau2, 1.0, 1e-6, name);
                close(found.pooled.random.estimate, *estimate, 1e-7, name);
                close(found.pooled.random.se, *se, 1e-7, name);
            }
            None => assert_eq!(found.pooled.tau2, 0.0, "{name}"),
        }
    }
    for (found, [estimate, se]) in found.joint.iter().zip(joint) {
        close(found.estimate, *estimate, 1e-8, &found.name);
        close(found.se.unwrap(), *se, 1e-8, &found.name);
    }
    close(found.q, q, 1e-7, "joint q");
    assert_eq!(found.q_df, (found.sites - 1) * rows.len() as u64);
}

#[test]
fn a_logistic_and_a_linear_model_of_six_sites() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let (dictionary, sites) = table.split(&NHEFS, &[], |row| format!("{}", row % 6));
    for found in found(&dictionary, "logistic(death) ~ age + sex + smokeintensity", &sites) {
        let rows: [Row; 4] = [
            ("Intercept", [-7.1434877927935245, 0.46145149844087696], None, 1.2196073125438147),
            ("age", [0.12019853982334774, 0.007894559045724349], None, 0.6955361973794822),
            ("sex", [-0.5660369134569362, 0.1576788707769998], None, 3.5589832076191374),
            (
                "smokeintensity",
                [0.00753694999901165, 0.006537846309789856],
                Some([7.870630036791996e-05, 0.007394351734760918, 0.007480750779270809]),
                6.531413884093266,
            ),
        ];
        let joint = [
            [-7.012455185505868, 0.45801017846953296],
            [0.11712434418020212, 0.007816566063434954],
            [-0.5636909361134941, 0.1561937424030028],
            [0.00789439206641901, 0.006489703093249453],
        ];
        assert_eq!((found.sites, found.without), (6, 0));
        check(&found, &rows, &joint, 12.991689332657065);
    }
    for found in found(&dictionary, "linear(wt82_71) ~ qsmk + age + wt71", &sites) {
        let rows: [Row; 4] = [
            (
                "Intercept",
                [13.896113206560155, 1.114909284219057],
                Some([7.791703550602319, 14.046790994212724, 1.5972753673624394]),
                10.208508130018657,
            ),
            (
                "qsmk",
                [3.148309400492545, 0.43180135370366785],
                Some([1.1841922990545877, 3.216739625909946, 0.6218713086753059]),
                10.2586906368931,
            ),
            (
                "age",
                [-0.15862165046947088, 0.01569518049248506],
                Some([0.0007664131783025843, -0.1600926732058563, 0.019396270679541347]),
                7.578792608904223,
            ),
            (
                "wt71",
                [-0.07229771107957306, 0.012314751724377442],
                Some([0.0009513661716857612, -0.07353106996910955, 0.017691140968930832]),
                10.19235265622644,
            ),
        ];
        let joint = [
            [14.087037424321608, 1.1062103913093717],
            [3.162358012132798, 0.42990780372105997],
            [-0.16009631377803105, 0.015668686244022755],
            [-0.07412396748885441, 0.012254426556417864],
        ];
        check(&found, &rows, &joint, 30.75358558516546);
    }
}

#[test]
fn a_cox_model_of_four_sites() {
    let Some(table) = Table::shared("rotterdam.csv") else { return };
    let numbers = [
        ("dtime", 0.0, 10_000.0),
        ("death", 0.0, 1.0),
        ("age", 0.0, 120.0),
        ("nodes", 0.0, 60.0),
        ("meno", 0.0, 1.0),
    ];
    let (dictionary, sites) = table.split(&numbers, &[], |row| format!("{}", row % 4));
    for found in found(&dictionary, "cox(dtime, death) ~ age + nodes + meno", &sites) {
        let rows: [Row; 3] = [
            (
                "age",
                [0.014671784768786056, 0.0037982780286346554],
                Some([9.298702318383084e-05, 0.014819285660309935, 0.006138880210896902]),
                7.831807683368989,
            ),
            (
                "nodes",
                [0.09308863971847808, 0.004440586310646253],
                Some([3.174156289040538e-05, 0.09333973792457882, 0.005270197787714844]),
                4.199100958491499,
            ),
            (
                "meno",
                [0.04893532887947562, 0.09835292320340883],
                Some([0.13486262614456868, 0.04487528918482271, 0.2083125385265907]),
                13.45389461744324,
            ),
        ];
        let joint = [
            [0.015383973669468752, 0.003765717061525087],
            [0.09106703247535271, 0.00437749487382057],
            [0.029998774447255547, 0.09727191290753308],
        ];
        check(&found, &rows, &joint, 19.810744379500775);
    }
}

#[test]
fn a_site_that_cannot_fit_is_counted_and_changes_nothing() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let formula = "logistic(death) ~ age + sex + smokeintensity";
    let (dictionary, mut sites) = table.split(&NHEFS, &[], |row| format!("{}", row % 6));
    let [whole, _] = found(&dictionary, formula, &sites);
    // Six women, of whom all or none died; and no row at all.
    let few = (0..sites[0].rows()).filter(|row| {
        let one = |name| match sites[0].column(name) {
            Some(consilium_statistics::Column::Number(values)) => values[*row],
            _ => None,
        };
        one("sex") == Some(1.0) && one("death") == Some(0.0)
    });
    let few: Vec<usize> = few.take(6).collect();
    for rows in [few, vec![]] {
        let columns =
            NHEFS.map(|(name, ..)| (name.to_owned(), sites[0].column(name).unwrap().rows(&rows)));
        sites.push(Frame::new(columns.to_vec()).unwrap());
    }
    let [with, _] = found(&dictionary, formula, &sites);
    assert_eq!((with.sites, with.without), (6, 2));
    for (one, other) in with.joint.iter().zip(&whole.joint) {
        close(one.estimate, other.estimate, 1e-9, "joint");
    }
    let none: Vec<Frame> = sites.split_off(6);
    let question =
        Question { dictionary, most_rows: 1000, analysis: Analysis::TwoStage(two_stage(formula)) };
    let failure = network::ask(&question, &none, Adder::Plain).unwrap_err();
    assert!(matches!(failure, Failure::TooLittle(_)), "{failure}");
}

#[test]
fn questions_that_cannot_be_pooled_are_refused() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let (mut dictionary, _) = table.split(&NHEFS, &[], |_| String::new());
    let refused = |dictionary: &Dictionary, analysis: TwoStage| {
        let analysis = Analysis::TwoStage(analysis);
        let question = Question { dictionary: dictionary.clone(), most_rows: 100, analysis };
        matches!(question.start(), Err(Failure::Question(_)))
    };
    let mut penalised = two_stage("linear(wt82_71) ~ age");
    penalised.regression.penalty = Some(Penalty { lambda: 0.1, alpha: 0.0 });
    assert!(refused(&dictionary, penalised));
    assert!(refused(&dictionary, two_stage("linear(wt82_71) ~ 0 + age")));
    assert!(!refused(&dictionary, two_stage("linear(wt82_71) ~ age")));
    dictionary.variables[1].kind = consilium_statistics::Kind::Number { min: None, max: None };
    assert!(refused(&dictionary, two_stage("linear(wt82_71) ~ age")));
}
