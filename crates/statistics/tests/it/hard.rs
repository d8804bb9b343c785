//! Tables that are not nice: constant and collinear columns, huge and tiny scales, levels and values
//! that are hardly there, outcomes that are separated.

use consilium_statistics::rounds::{Failure, Refusal};
use consilium_statistics::{Analysis, Formula, Penalty, Question, Regression, csv};

use crate::network::{Adder, fitted, model};
use crate::tables::{frames, numbers};

/// Numbers that look random and are the same everywhere.
fn wave(row: usize, kind: usize) -> f64 {
    let x = (row as f64 * 12.9898 + kind as f64 * 78.233).sin() * 43758.5453;
    x - x.floor()
}

fn table(rows: usize, header: &str, line: impl Fn(usize) -> String) -> csv::Table {
    let mut text = format!("{header}\n");
    for row in 0..rows {
        text.push_str(&line(row));
        text.push('\n');
    }
    csv::read(&text, "site").unwrap()
}

fn failure(formula: &str, table: &csv::Table) -> Failure {
    let regression = Regression::new(Formula::parse(formula).unwrap());
    fitted(regression, &table.dictionary, &frames(table), Adder::Grid).unwrap_err()
}

#[test]
fn constant_and_collinear_columns_are_left_out() {
    let table = table(200, "site,y,a,b,same,seven,zero", |row| {
        let (a, b) = (wave(row, 1) * 10.0, wave(row, 2));
        let y = 1.0 + 2.0 * a - b + wave(row, 3);
        format!("{},{y},{a},{b},{},7,0", row % 4, 3.0 * a - b + 5.0)
    });
    let model = |formula| model(formula, &table.dictionary, &frames(&table), Adder::Grid);
    let full = model("linear(y) ~ a + seven + b + zero + same");
    assert_eq!(full.aliased, ["seven", "zero", "same"]);
    let plain = model("linear(y) ~ a + b");
    assert_eq!(full.coefficients.len(), 3);
    for (one, other) in full.coefficients.iter().zip(&plain.coefficients) {
        assert!((one.estimate / other.estimate - 1.0).abs() < 1e-11);
        assert!((one.se.unwrap() / other.se.unwrap() - 1.0).abs() < 1e-11);
    }
    assert_eq!(full.residual_df, 197);
}

#[test]
fn scales_without_bounds_do_not_matter() {
    for (scale, shift) in [(1e9, 0.0), (1e-9, 0.0), (1.0, 1e9), (1e-3, 5e4), (1e12, 1e13)] {
        let rows: Vec<Vec<Option<f64>>> = (0..300)
            .map(|row| {
                let x = wave(row, 1) - 0.5;
                let y = 1.0 + 2.0 * x + wave(row, 2);
                let event = f64::from(wave(row, 3) < 1.0 / (1.0 + (-2.0 * x).exp()));
                vec![Some(y), Some(event), Some(x), Some(x * scale + shift)]
            })
            .collect();
        let site: Vec<usize> = (0..300).map(|row| row % 3).collect();
        let (dictionary, sites) = numbers(&["y", "e", "x", "big"], &rows, &site);
        for family in ["linear(y)", "logistic(e)"] {
            let of = |x| model(&format!("{family} ~ {x}"), &dictionary, &sites, Adder::Grid);
            let (plain, scaled) = (of("x"), of("big"));
            // What the shift costs is lost in the table itself, before any sum.
            let within = 1e-11 + 4.0 * f64::EPSILON * shift / scale;
            let (one, other) = (&plain.coefficients[1], &scaled.coefficients[1]);
            let off = (one.estimate / (other.estimate * scale) - 1.0).abs();
            assert!(off < within, "{family} {scale:e} {shift:e}: {off:e}");
            assert!((one.se.unwrap() / (other.se.unwrap() * scale) - 1.0).abs() < within);
        }
    }
}

#[test]
fn a_level_at_one_site_and_a_level_of_no_complete_row() {
    let table = table(240, "site,y,x,drug", |row| {
        let drug = match row % 40 {
            0 => "a",
            1..=4 if row % 4 == 1 => "only-one",
            r if r % 2 == 0 => "m",
            _ => "z",
        };
        // The rows of the first level lack a value.
        let x = if drug == "a" { String::new() } else { wave(row, 1).to_string() };
        format!("{},{},{x},{drug}", row % 4, wave(row, 2) + wave(row, 1))
    });
    let regression = Regression::new(Formula::parse("linear(y) ~ x + drug").unwrap());
    let (answer, model) =
        fitted(regression, &table.dictionary, &frames(&table), Adder::Grid).unwrap();
    let names: Vec<&str> = model.coefficients.iter().map(|c| c.name.as_str()).collect();
    // As if the level without rows did not exist: the next one is the reference.
    assert_eq!(names, ["Intercept", "x", "drug[only-one]", "drug[z]"]);
    assert_eq!(model.aliased, ["drug[m]"]);
    assert_eq!((answer.n, answer.dropped), (234, 6));
}

#[test]
fn a_column_without_values_is_named() {
    let table = table(30, "site,y,x,empty", |row| {
        format!("{},{},{},", row % 2, wave(row, 1), wave(row, 2))
    });
    let text = failure("linear(y) ~ x + empty", &table).to_string();
    assert_eq!(text, "too little data: every row lacks a value of `empty`");
}

#[test]
fn a_fit_without_residuals_ends() {
    let table = table(120, "site,sum,a,b,still", |row| {
        let (a, b) = ((wave(row, 1) * 1000.0).round() / 8.0, wave(row, 2));
        format!("{},{},{a},{b},4", row % 3, a + b)
    });
    let exact = model("linear(sum) ~ a + b", &table.dictionary, &frames(&table), Adder::Grid);
    for (coefficient, expected) in exact.coefficients.iter().skip(1).zip([1.0, 1.0]) {
        assert!((coefficient.estimate - expected).abs() < 1e-12);
        assert!(coefficient.se.unwrap() < 1e-12);
    }
    let still = model("linear(still) ~ a", &table.dictionary, &frames(&table), Adder::Grid);
    assert_eq!(still.coefficients[0].estimate, 4.0);
    assert_eq!(still.coefficients[1].estimate, 0.0);
}

#[test]
fn a_penalty_of_nearly_nothing_changes_nearly_nothing_and_a_great_one_leaves_nothing() {
    let table = table(300, "site,y,e,t,n,a,b,group", |row| {
        let a = wave(row, 1) * 4.0;
        let e = u8::from(wave(row, 2) < 0.2 + a / 8.0);
        let n = (wave(row, 3) * (1.0 + a) * (1.0 + 3.0 * wave(row, 6))).floor();
        let group = ["x", "y", "z"][row % 3];
        let (y, t, b) = (a + wave(row, 4), 9.0 - a + 3.0 * wave(row, 7), wave(row, 5));
        format!("{},{y},{e},{t},{n},{a},{b},{group}", row % 4)
    });
    for family in ["linear(y)", "logistic(e)", "poisson(n)", "negbin(n)", "cox(t, e)"] {
        let formula = format!("{family} ~ a + b + group");
        let plain = model(&formula, &table.dictionary, &frames(&table), Adder::Grid);
        let with = |lambda: f64, alpha: f64| {
            let mut regression = Regression::new(Formula::parse(&formula).unwrap());
            regression.penalty = Some(Penalty { lambda, alpha });
            fitted(regression, &table.dictionary, &frames(&table), Adder::Grid).unwrap().1
        };
        for alpha in [0.0, 0.5, 1.0] {
            for (found, plain) in with(1e-12, alpha).coefficients.iter().zip(&plain.coefficients) {
                assert_eq!(found.name, plain.name);
                assert!(
                    (found.estimate - plain.estimate).abs() < 1e-8 * plain.se.unwrap(),
                    "{formula} {alpha}: {} {} {}",
                    found.name,
                    found.estimate,
                    plain.estimate
                );
            }
        }
        let names = ["a", "b", "group[y]", "group[z]"];
        let none = with(100.0, 1.0);
        let none = none.coefficients.iter().filter(|c| names.contains(&c.name.as_str()));
        assert!(none.clone().count() == 4 && none.into_iter().all(|c| c.estimate == 0.0));
    }
}

#[test]
fn separation_is_found_and_named() {
    let complete = table(80, "site,e,x,w", |row| {
        let x = wave(row, 1);
        format!("{},{},{x},{}", row % 3, u8::from(x > 0.5), wave(row, 2))
    });
    let Failure::NoConvergence { why, rounds } = failure("logistic(e) ~ w + x", &complete) else {
        panic!("no separation")
    };
    assert!(why.starts_with("`x` separates"), "{why}");
    assert!(rounds < 30);
    // The greater `x`, the earlier the event, without exception.
    let ordered = table(90, "site,t,e,x,w", |row| {
        let x = wave(row, 1);
        format!("{},{},{},{x},{}", row % 3, 9.0 - x, row % 2, wave(row, 2))
    });
    let Failure::NoConvergence { why, rounds } = failure("cox(t, e) ~ w + x", &ordered) else {
        panic!("no separation")
    };
    assert!(why.starts_with("`x` separates"), "{why}");
    assert!(rounds < 30, "{rounds}");
    let quasi = table(400, "site,e,t,died,n,group,w", |row| {
        let group = if row % 10 == 0 { "none" } else { "all" };
        let e = u8::from(group == "all" && wave(row, 1) < 0.4);
        let n = if group == "none" { 0.0 } else { (wave(row, 3) * 6.0).floor() };
        format!("{},{e},{},{e},{n},{group},{}", row % 3, wave(row, 2), wave(row, 4))
    });
    for family in ["logistic(e)", "cox(t, died)", "poisson(n)"] {
        let Failure::NoConvergence { why, .. } = failure(&format!("{family} ~ w + group"), &quasi)
        else {
            panic!("no separation")
        };
        assert!(why.starts_with("`group[none]` separates"), "{family}: {why}");
    }
}

#[test]
fn too_little_is_said() {
    let table = table(12, "site,e,t,n,x", |row| format!("{},0,{row},0,{}", row % 3, wave(row, 1)));
    for (formula, text) in [
        ("logistic(e) ~ x", "`e` is no event in any row"),
        ("cox(t, e) ~ x", "`e` is no event in any row"),
        ("poisson(n) ~ x", "`n` is 0 in every row"),
        ("linear(t) ~ missing", "no variable `missing`"),
        ("linear(t) ~ 0", "nothing to estimate"),
    ] {
        let said = failure(formula, &table).to_string();
        assert!(said.contains(text), "{formula}: {said}");
    }
}

#[test]
fn a_stratum_wise_constant_is_left_out_of_cox() {
    let table = table(200, "site,t,e,x,year", |row| {
        let site = row % 4;
        format!("{site},{},{},{},{}", 1.0 + wave(row, 1), row % 2, wave(row, 2), 1990 + site)
    });
    let model = model("cox(t, e) ~ year + x", &table.dictionary, &frames(&table), Adder::Grid);
    assert_eq!(model.aliased, ["year"]);
    assert_eq!(model.coefficients.len(), 1);
}

#[test]
fn what_a_site_cannot_take_it_refuses_without_a_value() {
    let table = table(30, "site,e,t,x", |row| {
        format!("{},{},{},{}", row % 2, row % 3, row as f64 - 3.0, row as f64 - 7.5)
    });
    let refusal = |formula: &str| {
        let question = Question {
            dictionary: table.dictionary.clone(),
            most_rows: 100,
            analysis: Analysis::Regression(Regression::new(Formula::parse(formula).unwrap())),
        };
        let round = question.start().unwrap().first();
        question.contribute(&round, &table.sites[0].1).unwrap_err()
    };
    for (formula, variable) in [
        ("logistic(e) ~ x", "e"),
        ("cox(t, e) ~ x", "t"),
        ("poisson(x) ~ t", "x"),
        ("linear(t) ~ log(x)", "x"),
    ] {
        let found = refusal(formula);
        assert!(matches!(&found, Refusal::Value { variable: v, .. } if v == variable), "{found}");
        assert!(!found.to_string().contains(['5', '6', '7', '8', '9']), "{found}");
    }
    // A question that leaves out what the site's rows hold.
    let mut narrow = table.dictionary.clone();
    for variable in &mut narrow.variables {
        if let consilium_statistics::Kind::Number { max, .. } = &mut variable.kind {
            *max = Some(2.0);
        }
    }
    let question = Question {
        dictionary: narrow,
        most_rows: 100,
        analysis: Analysis::Regression(Regression::new(Formula::parse("linear(t) ~ x").unwrap())),
    };
    let round = question.start().unwrap().first();
    let refusal = question.contribute(&round, &table.sites[0].1).unwrap_err();
    assert_eq!(refusal, Refusal::Bounds("t".to_owned()));
}

#[test]
fn a_round_of_another_question_is_refused() {
    let table = table(30, "site,y,x,z", |row| {
        format!("{},{},{},{}", row % 2, wave(row, 1), wave(row, 2), wave(row, 3))
    });
    let question = |formula: &str| Question {
        dictionary: table.dictionary.clone(),
        most_rows: 100,
        analysis: Analysis::Regression(Regression::new(Formula::parse(formula).unwrap())),
    };
    let round = question("linear(y) ~ x + z").start().unwrap().first();
    let refusal = question("linear(y) ~ x").contribute(&round, &table.sites[0].1).unwrap_err();
    assert!(matches!(refusal, Refusal::Round(_)));
    let mut wider = question("linear(y) ~ x").start().unwrap().first();
    wider.layout.entries[4].bound *= 2.0;
    let refusal = question("linear(y) ~ x").contribute(&wider, &table.sites[0].1).unwrap_err();
    assert!(matches!(refusal, Refusal::Round(_)));
}

#[test]
fn tables_are_read() {
    let text = "site,name,\"the, age\",code\r\nB,x,1e3,1\r\n,x,2,2\r\nA,\"a \"\"b\"\"\",NA,z\r\nA,,-4.5,\r\n";
    let table = csv::read(text, "site").unwrap();
    assert_eq!(table.dropped, 1);
    let names: Vec<&str> = table.sites.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["A", "B"]);
    assert_eq!(table.sites[0].1.rows(), 2);
    let json = serde_json::to_string(&table.dictionary.variables).unwrap();
    assert_eq!(
        json,
        r#"[{"name":"name","kind":"category","levels":["a \"b\"","x"]},{"name":"the, age","kind":"number","min":-4.5,"max":1000.0},{"name":"code","kind":"category","levels":["1","z"]}]"#
    );
    assert!(csv::read("a,b\n1,2\n", "site").is_err());
    assert!(csv::read("site,b\n1,2,3\n", "site").is_err());
    assert!(csv::read("site,b,b\n1,2,3\n", "site").is_err());
}
