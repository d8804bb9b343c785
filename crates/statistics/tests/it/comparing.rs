//! Tests of differences and associations. References: scipy 1.17.1 on the pooled tables.

use consilium_statistics::Analysis;
use consilium_statistics::answer::Finding;
use consilium_statistics::compare::{
    Anova, ChiSquared, Correlation, MeanTest, PairedT, RankSum, TTest,
};

use crate::analyses::{Table, ask, ask_fixed, close};

fn check(found: &MeanTest, wanted: [f64; 5], what: &str) {
    let [low, high] = found.interval;
    for (found, wanted) in [found.t, found.df, found.p, low, high].into_iter().zip(wanted) {
        close(found, wanted, 1e-9, what);
    }
}

#[test]
fn t_tests_of_lung() {
    let Some(table) = Table::shared("lung.csv") else { return };
    let table = table.having("inst");
    let numbers = [("age", 0.0, 120.0), ("ph.karno", 0.0, 100.0), ("pat.karno", 0.0, 100.0)];
    let (dictionary, sites) =
        table.split(&numbers, &["sex"], |row| table.column("inst")[row].to_owned());
    for asking in [ask, ask_fixed] {
        let analysis = TTest { outcome: "age".into(), group: "sex".into() };
        let answer = asking(&dictionary, Analysis::TTest(analysis), &sites);
        let Finding::TTest(found) = answer.finding else { panic!() };
        let student = [
            1.8116119664375876,
            225.0,
            0.07137952102452984,
            -0.19491445737242197,
            4.637899047802266,
        ];
        check(&found.student, student, "student");
        let welch = [
            1.8247328051219505,
            195.14839818937622,
            0.06957040858527097,
            -0.1795251515572316,
            4.622509741987076,
        ];
        check(&found.welch.unwrap(), welch, "welch");
        let analysis = PairedT { first: "ph.karno".into(), second: "pat.karno".into() };
        let answer = asking(&dictionary, Analysis::PairedT(analysis), &sites);
        assert_eq!((answer.n, answer.dropped), (223, 4));
        let Finding::TTest(found) = answer.finding else { panic!() };
        let paired = [
            2.4137936870305525,
            222.0,
            0.016598433291109826,
            0.39511593141751455,
            3.9098168040084946,
        ];
        check(&found.student, paired, "paired");
    }
    let analysis = RankSum { outcome: "age".into(), group: "sex".into(), step: 1.0 };
    let answer = ask(&dictionary, Analysis::RankSum(analysis), &sites);
    let Finding::RankSum(found) = answer.finding else { panic!() };
    assert_eq!(found.n, [137, 90]);
    close(found.u, 7066.5, 1e-12, "u");
    close(found.p, 0.06250646619687, 1e-9, "rank-sum p");
}

#[test]
fn analysis_of_variance_of_veteran() {
    let Some(table) = Table::shared("veteran.csv") else { return };
    let (dictionary, sites) =
        table.split(&[("karno", 0.0, 100.0)], &["celltype"], |row| format!("{}", row % 3));
    let analysis = Anova { outcome: "karno".into(), group: "celltype".into() };
    let answer = ask(&dictionary, Analysis::Anova(analysis), &sites);
    let Finding::Anova(found) = answer.finding else { panic!() };
    assert_eq!(found.df, [3, 133]);
    close(found.f, 2.143379297240595, 1e-11, "f");
    close(found.p, 0.09776507445170927, 1e-9, "p");
    let [f, _, p] = found.welch.unwrap();
    close(f, 2.421641557532463, 1e-11, "welch f");
    close(p, 0.07364686716019378, 1e-9, "welch p");
}

#[test]
fn independence_in_the_indomethacin_trial() {
    let Some(table) = Table::shared("indo_rct.csv") else { return };
    let (dictionary, sites) = table.split(&[], &["rx", "outcome", "gender", "type"], |row| {
        table.column("site")[row].to_owned()
    });
    assert_eq!(sites.len(), 4);
    let analysis = ChiSquared { rows: "rx".into(), columns: "outcome".into() };
    let answer = ask(&dictionary, Analysis::ChiSquared(analysis), &sites);
    let Finding::ChiSquared(found) = answer.finding else { panic!() };
    assert_eq!((found.df, found.table.cell(&[1, 1])), (1, Some(27)));
    close(found.statistic, 7.998503680817986, 1e-12, "chi-squared");
    close(found.p, 0.0046816021591200374, 1e-9, "p");
    close(found.cramers_v, 0.11526730223621065, 1e-12, "v");
    close(found.least_expected, 38.71262458471761, 1e-12, "expected");
    let analysis = ChiSquared { rows: "gender".into(), columns: "type".into() };
    let answer = ask(&dictionary, Analysis::ChiSquared(analysis), &sites);
    let Finding::ChiSquared(found) = answer.finding else { panic!() };
    assert_eq!(found.df, 3);
    close(found.statistic, 59.28710680405552, 1e-12, "chi-squared of gender and type");
}

#[test]
fn correlations_in_nhefs() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let numbers = [("wt71", 20.0, 250.0), ("age", 20.0, 90.0), ("sbp", 50.0, 300.0)];
    let (dictionary, sites) = table.split(&numbers, &[], |row| format!("{}", row % 4));
    let variables = numbers.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    for asking in [ask, ask_fixed] {
        let analysis = Correlation { variables: Vec::clone(&variables) };
        let answer = asking(&dictionary, Analysis::Correlation(analysis), &sites);
        let Finding::Correlations(found) = answer.finding else { panic!() };
        let wanted = [
            [0.019518445756342418, 0.44447225895574616, -0.030511688044744717, 0.06945102302407162],
            [0.13492707659382397, 1.0977291036396714e-07, 0.0855035614340667, 0.18368819872624625],
            [0.3878700329029009, 2.3645313072612706e-56, 0.3445517897010864, 0.4295400444920752],
        ];
        for (found, [r, p, low, high]) in found.pairs.iter().zip(wanted) {
            assert_eq!(found.n, 1537);
            close(found.r.unwrap(), r, 1e-10, "r");
            close(found.p.unwrap(), p, 1e-9, "p");
            close(found.interval.unwrap()[0], low, 1e-9, "low");
            close(found.interval.unwrap()[1], high, 1e-9, "high");
        }
    }
}
