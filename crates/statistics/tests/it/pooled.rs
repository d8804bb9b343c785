//! Estimates of many sites beside those of the pooled rows.
//!
//! The figures are of statsmodels 0.15.0 (GLM, WLS, PHReg with strata; the negative-binomial α of its
//! NB2 likelihood), fitted to standardised columns and polished by Newton's steps until the score was
//! rounding. Tables: `data/statistics` of the shared folder, with these rules of sites.

use crate::network::{Adder, fitted};
use crate::tables::{frames, shared, shared_with};
use consilium_statistics::{Formula, Penalty, Regression, Ties, csv};

/// A fitted model elsewhere.
struct Reference {
    formula: &'static str,
    n: u64,
    log_likelihood: f64,
    /// Name, estimate, standard error.
    coefficients: &'static [(&'static str, f64, f64)],
    dispersion: Option<f64>,
}

/// Greatest relative difference.
const WITHIN: f64 = 1e-9;

fn check(table: Option<csv::Table>, reference: &Reference) {
    check_with(table, reference, |_| {});
}

fn check_with(table: Option<csv::Table>, reference: &Reference, change: impl Fn(&mut Regression)) {
    let Some(table) = table else { return };
    for adder in [Adder::Plain, Adder::Grid] {
        let mut regression = Regression::new(Formula::parse(reference.formula).unwrap());
        change(&mut regression);
        let (answer, model) =
            fitted(regression, &table.dictionary, &frames(&table), adder).unwrap();
        let mut greatest = 0.0_f64;
        let mut near = |what: &str, found: f64, expected: f64| {
            let off = (found / expected - 1.0).abs();
            assert!(off <= WITHIN, "{adder:?} {what}: {found:e}, not {expected:e} ({off:e})");
            greatest = greatest.max(off);
        };
        let names: Vec<&str> = model.coefficients.iter().map(|c| c.name.as_str()).collect();
        let expected: Vec<&str> = reference.coefficients.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, expected);
        for (found, (name, estimate, se)) in model.coefficients.iter().zip(reference.coefficients) {
            near(name, found.estimate, *estimate);
            near(&format!("standard error of {name}"), found.se.unwrap(), *se);
        }
        near("log-likelihood", model.log_likelihood.unwrap(), reference.log_likelihood);
        if let Some(dispersion) = reference.dispersion {
            near("dispersion", model.dispersion.unwrap(), dispersion);
        }
        assert_eq!(answer.n, reference.n);
        println!(
            "{} over {} sites, {adder:?}: {} rounds, largest relative difference {greatest:.1e}",
            reference.formula, answer.sites, answer.rounds
        );
    }
}

fn quarter(row: usize, _: &[&str]) -> String {
    // Uneven parts: one of a single row, one of three.
    match row {
        0 => "one",
        1..=3 => "three",
        _ if row.is_multiple_of(3) => "a",
        _ => "b",
    }
    .to_owned()
}

fn third(row: usize, _: &[&str]) -> String {
    (row % 3).to_string()
}

/// By the patient's number, the first field.
fn fifth(_: usize, fields: &[&str]) -> String {
    (fields[0].parse::<usize>().unwrap() % 5).to_string()
}

#[test]
fn lung_efron() {
    let reference = Reference {
        formula: "cox(time, status) ~ age + sex + ph.ecog",
        n: 226,
        log_likelihood: -311.2495694735961,
        coefficients: &[
            ("age", 0.009561341696557906, 0.010291850905659882),
            ("sex", -0.5473566768489541, 0.18184471920682516),
            ("ph.ecog", 0.5972532446804125, 0.13782283300472026),
        ],
        dispersion: None,
    };
    check(shared("lung.csv", |_, f| f[0].to_owned()), &reference);
}

#[test]
fn indo_logistic() {
    let reference = Reference {
        formula: "logistic(outcome) ~ rx + age + gender + risk",
        n: 602,
        log_likelihood: -224.13490472945,
        coefficients: &[
            ("Intercept", -2.381611563433356, 0.6373931884783091),
            ("rx[1_indomethacin]", -0.7678688537548173, 0.256665941700113),
            ("age", -0.006709790097720089, 0.009747508189029436),
            ("gender[2_male]", 0.1206626599213914, 0.308321902304203),
            ("risk", 0.4364403992157189, 0.1389072681008346),
        ],
        dispersion: None,
    };
    check(shared("indo_rct.csv", |_, f| f[1].to_owned()), &reference);
}

#[test]
fn nhefs_linear() {
    let reference = Reference {
        formula: "linear(wt82_71) ~ qsmk + sex + age + race + smokeintensity + smokeyrs + wt71 + exercise",
        n: 1566,
        log_likelihood: -5357.8182000028955,
        coefficients: &[
            ("Intercept", 16.894786307305406, 1.3959364711416384),
            ("qsmk", 3.328812000887201, 0.4407806639112995),
            ("sex", -1.4017477423978737, 0.44809153836845406),
            ("age", -0.20719646952541715, 0.03287150544193003),
            ("race", 0.5846693872423239, 0.5805967951613441),
            ("smokeintensity", 0.022890301592731463, 0.01703729675299824),
            ("smokeyrs", 0.04873566726907871, 0.03318911504767175),
            ("wt71", -0.10196627870627988, 0.013639614008188933),
            ("exercise", 0.10877508384286631, 0.2669131708953401),
        ],
        dispersion: None,
    };
    check(shared("nhefs_complete.csv", quarter), &reference);
}

#[test]
fn nhefs_linear_square() {
    let reference = Reference {
        formula: "linear(wt82_71) ~ qsmk + sex + age + I(age^2) + I(smokeyrs^2) + smokeyrs + qsmk:age",
        n: 1566,
        log_likelihood: -5369.199601468999,
        coefficients: &[
            ("Intercept", -1.8863037790241641, 2.9547106812437653),
            ("qsmk", 3.3967386895543306, 1.6892076965408471),
            ("sex", -0.274163075068434, 0.3993643667444162),
            ("age", 0.29319122225027505, 0.16553713587251304),
            ("I(age^2)", -0.005544577848192778, 0.001761105131277506),
            ("I(smokeyrs^2)", -0.0020690544961656345, 0.0015630033303339031),
            ("smokeyrs", 0.1609715234636367, 0.09255579820988612),
            ("qsmk:age", -0.004449017287048768, 0.03607401064851564),
        ],
        dispersion: None,
    };
    check(shared("nhefs_complete.csv", quarter), &reference);
}

#[test]
fn nhefs_logistic() {
    let reference = Reference {
        formula: "logistic(death) ~ qsmk + sex + age + race + smokeintensity + smokeyrs + wt71 + exercise",
        n: 1566,
        log_likelihood: -565.4178477920364,
        coefficients: &[
            ("Intercept", -7.120472195020002, 0.6547059768228581),
            ("qsmk", 0.0308593970432261, 0.1688724610839187),
            ("sex", -0.4524807447635679, 0.18147092428074116),
            ("age", 0.09725259882678343, 0.012238678174150093),
            ("race", 0.3578458315990085, 0.2264393376721304),
            ("smokeintensity", 0.008071246775695573, 0.006747823190603776),
            ("smokeyrs", 0.02595926331841254, 0.011519738411178905),
            ("wt71", 0.0007101382171899893, 0.005612173449792233),
            ("exercise", 0.10245253040014675, 0.10840198211204215),
        ],
        dispersion: None,
    };
    check(shared("nhefs_complete.csv", quarter), &reference);
}

#[test]
fn nhefs_poisson() {
    let reference = Reference {
        formula: "poisson(smokeintensity) ~ qsmk + sex + age + education",
        n: 1566,
        log_likelihood: -8714.00326062104,
        coefficients: &[
            ("Intercept", 3.212463873584516, 0.0288978322645756),
            ("qsmk", -0.1482998079815265, 0.013346653975239748),
            ("sex", -0.27213069139632906, 0.01125242520702692),
            ("age", -0.0016601172105683104, 0.0004890089917830124),
            ("education", 0.017829465808479106, 0.0048390355245590475),
        ],
        dispersion: None,
    };
    check(shared("nhefs_complete.csv", quarter), &reference);
}

#[test]
fn nhefs_poisson_offset() {
    let reference = Reference {
        formula: "poisson(smokeintensity) ~ qsmk + sex + education + offset(log(age))",
        n: 1566,
        log_likelihood: -9968.152939331416,
        coefficients: &[
            ("Intercept", -0.7985828106389214, 0.014846351536865043),
            ("qsmk", -0.23152777504883917, 0.013225427636796286),
            ("sex", -0.24739125501637124, 0.011243006704236905),
            ("education", 0.08207428232940266, 0.004549456141210676),
        ],
        dispersion: None,
    };
    check(shared("nhefs_complete.csv", quarter), &reference);
}

#[test]
fn nhefs_negbin() {
    let reference = Reference {
        formula: "negbin(smokeintensity) ~ qsmk + sex + age + education",
        n: 1566,
        log_likelihood: -5957.538883347088,
        coefficients: &[
            ("Intercept", 3.2328009773962956, 0.07844882026124038),
            ("qsmk", -0.15990980060804016, 0.03493774021530809),
            ("sex", -0.2788747142681117, 0.03012711648835808),
            ("age", -0.0019409255626028179, 0.0013150785361226655),
            ("education", 0.01708590811212697, 0.013153401098400425),
        ],
        dispersion: Some(0.3029835111925056),
    };
    check(shared("nhefs_complete.csv", quarter), &reference);
}

#[test]
fn rotterdam() {
    let reference = Reference {
        formula: "cox(dtime, death) ~ age + meno + size + grade + nodes + hormon",
        n: 2982,
        log_likelihood: -7225.189470950174,
        coefficients: &[
            ("age", 0.012579224376917959, 0.003752200051544819),
            ("meno", 0.07109189545434251, 0.09842562933685575),
            ("size[<=20]", -0.4539279444006707, 0.0654749897250577),
            ("size[>50]", 0.38553172391653834, 0.08136473592068935),
            ("grade", 0.3563259925314158, 0.07051434127189905),
            ("nodes", 0.07459027203026274, 0.004835925698559156),
            ("hormon", -0.06864001604316143, 0.0885960103567542),
        ],
        dispersion: None,
    };
    check(shared("rotterdam.csv", fifth), &reference);
}

#[test]
fn rotterdam_log() {
    let reference = Reference {
        formula: "cox(dtime, death) ~ age + log1p(nodes) + hormon + chemo + grade",
        n: 2982,
        log_likelihood: -7194.372548372741,
        coefficients: &[
            ("age", 0.012235067339838243, 0.002607777431436531),
            ("log1p(nodes)", 0.657196808857455, 0.02986394565665171),
            ("hormon", -0.3185106353445646, 0.08996691116467473),
            ("chemo", -0.24161889846166, 0.0824995786139774),
            ("grade", 0.4013935121048417, 0.07011417023643193),
        ],
        dispersion: None,
    };
    check(shared("rotterdam.csv", fifth), &reference);
}

#[test]
fn veteran() {
    let reference = Reference {
        formula: "cox(time, status) ~ celltype + karno + age + trt",
        n: 137,
        log_likelihood: -336.7360354796628,
        coefficients: &[
            ("celltype[large]", -0.8776377569104991, 0.30534874091338354),
            ("celltype[smallcell]", -0.32020319451502494, 0.2722490656040904),
            ("celltype[squamous]", -1.2237671855949042, 0.3055151666110925),
            ("karno", -0.03558259376004262, 0.005606748435900726),
            ("age", -0.010304191465971729, 0.009525371907711267),
            ("trt", 0.2876016942910295, 0.20942153599163246),
        ],
        dispersion: None,
    };
    check(shared("veteran.csv", third), &reference);
}

#[test]
fn veteran_strata() {
    let reference = Reference {
        formula: "cox(time, status) ~ karno + age + trt + strata(celltype)",
        n: 137,
        log_likelihood: -190.78358307222942,
        coefficients: &[
            ("karno", -0.040048825911039906, 0.006329097483971428),
            ("age", -0.010332095400032625, 0.011239356892321558),
            ("trt", 0.264629391108011, 0.221214162750636),
        ],
        dispersion: None,
    };
    check(shared("veteran.csv", third), &reference);
}

#[test]
fn colon() {
    let reference = Reference {
        formula: "cox(time, status) ~ rx + sex + age + nodes + differ + obstruct + strata(etype)",
        n: 1776,
        log_likelihood: -4341.036957617498,
        coefficients: &[
            ("rx[Lev+5FU]", -0.3748952548433505, 0.08782594604848928),
            ("rx[Obs]", 0.06219327788459477, 0.0793819542099759),
            ("sex", -0.09854545602081362, 0.06837403264369063),
            ("age", 0.0019739318930039637, 0.0028709826322652057),
            ("nodes", 0.08581230378794416, 0.006619545379843395),
            ("differ", 0.19933881295514444, 0.0696836020665969),
            ("obstruct", 0.2559167254520526, 0.08360854135522718),
        ],
        dispersion: None,
    };
    check(shared("colon.csv", |_, f| (f[0].parse::<usize>().unwrap() % 4).to_string()), &reference);
}

/// Columns that are nearly collinear (condition 2e4 after standardising), where a QR decomposition in
/// double precision is off by 3e-10. The figures are of the normal equations in 60 digits (mpmath).
#[test]
fn nhefs_powers() {
    let reference = Reference {
        formula: "linear(wt82_71) ~ age + I(age^2) + I(age^3) + I(age^4) + I(age^5)",
        n: 1566,
        log_likelihood: -5395.528091208809,
        coefficients: &[
            ("Intercept", -6.433331692700898, 125.52024656243107),
            ("age", -0.3227866976803521, 14.677203864715484),
            ("I(age^2)", 0.08372840042572693, 0.6664564210147822),
            ("I(age^3)", -0.0032762404305833113, 0.014709080341274626),
            ("I(age^4)", 4.934105946198243e-05, 0.0001580578984080024),
            ("I(age^5)", -2.6644091156662647e-07, 6.627266705374436e-07),
        ],
        dispersion: None,
    };
    check(shared("nhefs_complete.csv", quarter), &reference);
}

/// Differences beside what they are differences of, rounded. Figures as of [`nhefs_powers`].
#[test]
fn nhefs_prices() {
    let reference = Reference {
        formula: "linear(wt82_71) ~ qsmk + price71 + price82 + tax71 + tax82 + price71_82 + tax71_82",
        n: 1476,
        log_likelihood: -5134.61326252626,
        coefficients: &[
            ("Intercept", -0.20914998508924534, 4.786459237344768),
            ("qsmk", 2.660133871105728, 0.46986293005746627),
            ("price71", 843.5109345689909, 1566.5093492852902),
            ("price82", -842.746903130322, 1566.0135181833812),
            ("tax71", -452.97763483209815, 3366.1425483354124),
            ("tax82", 454.5068766484514, 3367.9511592601534),
            ("price71_82", -846.1019062847321, 1566.7771408249855),
            ("tax71_82", 454.7576198229336, 3369.3666769379533),
        ],
        dispersion: None,
    };
    check(shared("nhefs_complete.csv", quarter), &reference);
}

#[test]
fn lung_breslow() {
    let reference = Reference {
        formula: "cox(time, status) ~ age + sex + ph.ecog",
        n: 226,
        log_likelihood: -311.24956947359624,
        coefficients: &[
            ("age", 0.009561341696557911, 0.010291850905659886),
            ("sex", -0.5473566768489541, 0.1818447192068252),
            ("ph.ecog", 0.5972532446804124, 0.13782283300472026),
        ],
        dispersion: None,
    };
    let table = shared("lung.csv", |_, f| f[0].to_owned());
    check_with(table, &reference, |regression| regression.ties = Ties::Breslow);
}

#[test]
fn nhefs_linear_weighted() {
    let reference = Reference {
        formula: "linear(wt82_71) ~ qsmk + age + wt71",
        n: 1566,
        log_likelihood: -5475.896451862664,
        coefficients: &[
            ("Intercept", 17.39343272793144, 1.2238730770713704),
            ("qsmk", 3.3002486165094926, 0.4249028429399926),
            ("age", -0.206287328850427, 0.016602619878846342),
            ("wt71", -0.0881522519419298, 0.01261989906435997),
        ],
        dispersion: None,
    };
    let table = shared("nhefs_complete.csv", quarter);
    check_with(table, &reference, |regression| regression.weights = Some("smokeyrs".to_owned()));
}

#[test]
fn indo_interaction() {
    let reference = Reference {
        formula: "logistic(outcome) ~ rx * gender + risk:rx",
        n: 602,
        log_likelihood: -223.99748066267017,
        coefficients: &[
            ("Intercept", -2.513996532293045, 0.4787591605207971),
            ("rx[1_indomethacin]", -1.341717900870532, 0.8207212832997504),
            ("gender[2_male]", -0.0414692062527239, 0.40634959743904014),
            ("rx[1_indomethacin]:gender[2_male]", 0.3961785810575713, 0.6235633937408964),
            ("risk:rx[0_placebo]", 0.3818121448028954, 0.17235624226865265),
            ("risk:rx[1_indomethacin]", 0.5679716970815856, 0.2197725103936626),
        ],
        dispersion: None,
    };
    check(shared("indo_rct.csv", |_, f| f[1].to_owned()), &reference);
}

#[test]
fn indo_without_intercept() {
    let reference = Reference {
        formula: "linear(risk) ~ 0 + rx + age",
        n: 602,
        log_likelihood: -762.7757594550976,
        coefficients: &[
            ("rx[0_placebo]", 2.994846882828181, 0.13137277240752798),
            ("rx[1_indomethacin]", 3.0559414738045705, 0.12792693952086112),
            ("age", -0.014216231021598314, 0.0026464286069179353),
        ],
        dispersion: None,
    };
    check(shared("indo_rct.csv", |_, f| f[1].to_owned()), &reference);
}

#[test]
fn probabilities_are_of_t_in_linear_models() {
    let Some(table) = shared("indo_rct.csv", |_, f| f[1].to_owned()) else { return };
    let regression = Regression::new(Formula::parse("linear(risk) ~ rx + age").unwrap());
    let (_, model) = fitted(regression, &table.dictionary, &frames(&table), Adder::Plain).unwrap();
    let p: Vec<f64> = model.coefficients.iter().map(|c| c.p.unwrap()).collect();
    // statsmodels 0.15.0, OLS, printed to seven digits.
    for (found, expected) in p.iter().zip([2.693241e-83, 3.854333e-01, 1.116970e-07]) {
        assert!((found / expected - 1.0).abs() < 1e-6, "{found:e}");
    }
    assert_eq!(model.residual_df, 599);
}

/// Delayed entry, Efron. The figures are of a direct evaluation in numpy: the sum over every event
/// time of each site, with all rows `entry < t <= dtime` at risk, and Newton's steps to a score of
/// 2e-14.
#[test]
fn rotterdam_entry() {
    let reference = Reference {
        formula: "cox(entry, dtime, death) ~ age + grade + nodes",
        n: 2976,
        log_likelihood: -7250.927078276164,
        coefficients: &[
            ("age", 0.016082394641949046, 0.0022713078900548477),
            ("grade", 0.4144526335120004, 0.07000398776791956),
            ("nodes", 0.08903651160689273, 0.004394345947504472),
        ],
        dispersion: None,
    };
    let table = shared_with("rotterdam.csv", "in_site,entry", |row, fields| {
        let entry = (fields[1].parse::<f64>().unwrap() - 1978.0) * 10.0;
        let known = fields[13].parse::<f64>().unwrap() > entry;
        let entry = if known { entry.to_string() } else { String::new() };
        format!("{},{entry}", fifth(row, fields))
    });
    check(table, &reference);
}

const NHEFS: &str = "linear(wt82_71) ~ qsmk + sex + age + race + smokeintensity + smokeyrs + wt71 \
                     + exercise";

fn check_penalty(file: &str, formula: &str, lambda: f64, alpha: f64, expected: &[f64]) {
    let site = |row: usize, _: &[&str]| (row % 3).to_string();
    let Some(table) = shared(file, site) else { return };
    for adder in [Adder::Plain, Adder::Grid] {
        let mut regression = Regression::new(Formula::parse(formula).unwrap());
        regression.penalty = Some(Penalty { lambda, alpha });
        let (answer, model) =
            fitted(regression, &table.dictionary, &frames(&table), adder).unwrap();
        let mut greatest = 0.0_f64;
        assert_eq!(model.coefficients.len(), expected.len());
        for (found, expected) in model.coefficients.iter().zip(expected) {
            let off = (found.estimate - expected).abs() / expected.abs().max(1e-3);
            assert!(off < 1e-9, "{}: {}, not {expected}", found.name, found.estimate);
            assert!(found.se.is_none() && found.p.is_none());
            greatest = greatest.max(off);
        }
        println!("{formula} λ {lambda} α {alpha}: {} rounds, {greatest:.1e}", answer.rounds);
    }
}

/// scikit-learn 1.9.1, ElasticNet of standardised columns (divisor n), tolerance 1e-16.
#[test]
fn nhefs_lasso() {
    let expected = [
        12.920980043629763,
        2.3965478985609407,
        -0.6256020173105222,
        -0.13474256152153324,
        0.0,
        0.0,
        0.0,
        -0.0662904572270108,
        0.0,
    ];
    check_penalty("nhefs_complete.csv", NHEFS, 0.3, 1.0, &expected);
}

/// As [`nhefs_lasso`].
#[test]
fn nhefs_elastic_net() {
    let expected = [
        13.682152043249324,
        2.631712499942514,
        -1.0086167168291458,
        -0.13674971933592764,
        0.10108243729498131,
        0.01524977638372053,
        -0.0010414161360293968,
        -0.07812307407423767,
        0.0,
    ];
    check_penalty("nhefs_complete.csv", NHEFS, 0.2, 0.4, &expected);
}

/// The normal equations of standardised columns, solved by numpy.
#[test]
fn nhefs_ridge() {
    let expected = [
        10.913900757430188,
        2.0069399351107853,
        -0.7630604106608286,
        -0.08585281845907744,
        0.13883869947356559,
        0.017079725864059845,
        -0.03288340877833734,
        -0.058615157018716973,
        -0.05066718958360691,
    ];
    check_penalty("nhefs_complete.csv", NHEFS, 0.5, 0.0, &expected);
}

/// Proximal Newton with coordinate descent to 1e-15 in numpy.
#[test]
fn indo_elastic_net() {
    let expected =
        [-2.4209916945076997, -0.5949756291460059, -0.0022175102601051312, 0.0, 0.3593265730084654];
    let formula = "logistic(outcome) ~ rx + age + gender + risk";
    check_penalty("indo_rct.csv", formula, 0.01, 0.7, &expected);
}
