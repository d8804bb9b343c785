//! Boosted trees. Reference: scikit-learn 1.9.1 `GradientBoostingRegressor` on the same steps of the
//! columns, whose trees by squared loss without a ridge are these.

use consilium_statistics::answer::{Answer, Finding};
use consilium_statistics::boosting::{BoostedTrees, Boosting, Loss};
use consilium_statistics::{Analysis, Dictionary, Frame, Question};

use crate::analyses::{Table, ask, ask_fixed, close};

const NUMBERS: [(&str, f64, f64); 5] = [
    ("wt82_71", -100.0, 100.0),
    ("age", 20.0, 90.0),
    ("wt71", 20.0, 250.0),
    ("smokeintensity", 0.0, 100.0),
    ("death", 0.0, 1.0),
];

fn boosting(outcome: &str, loss: Loss, ridge: f64) -> Boosting {
    Boosting {
        outcome: outcome.to_owned(),
        covariates: ["age", "wt71", "smokeintensity"].map(str::to_owned).to_vec(),
        loss,
        trees: 30,
        depth: 3,
        shrinkage: 0.1,
        steps: 32,
        least_rows: 10,
        least_weight: 0.0,
        ridge,
    }
}

fn predicted(
    answer: Answer,
    boosting: &Boosting,
    dictionary: &Dictionary,
    rows: &Frame,
) -> (BoostedTrees, Vec<f64>) {
    let Finding::BoostedTrees(model) = answer.finding else { panic!() };
    let analysis = Analysis::Boosting(boosting.clone());
    let question = Question { dictionary: dictionary.clone(), most_rows: 10_000, analysis };
    let predicted = model.predict(&question, boosting, rows).unwrap();
    (model, predicted.into_iter().map(Option::unwrap).collect())
}

#[test]
fn trees_by_squared_loss_are_the_pooled_ones() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let (dictionary, sites) = table.split(&NUMBERS, &[], |row| format!("{}", row % 5));
    let (_, one) = table.split(&NUMBERS, &[], |_| String::new());
    let boosting = boosting("wt82_71", Loss::Squared, 0.0);
    let first = [
        3.655763133660227,
        4.617344335131729,
        2.4033347650189114,
        -0.8403569701245512,
        4.131643262836087,
        3.445564136122201,
    ];
    for asking in [ask, ask_fixed] {
        let answer = asking(&dictionary, Analysis::Boosting(boosting.clone()), &sites);
        let (model, predicted) = predicted(answer, &boosting, &dictionary, &one[0]);
        for (found, wanted) in predicted.iter().zip(first) {
            close(*found, wanted, 1e-9, "prediction");
        }
        let observed = table.column("wt82_71");
        let squares =
            observed.iter().zip(&predicted).map(|(y, p)| (y.parse::<f64>().unwrap() - p).powi(2));
        close(squares.sum::<f64>() / 1566.0, 54.0466706270551, 1e-10, "mean square");
        assert_eq!((model.trees.len(), model.training.len()), (30, 30));
        assert!(model.trees.iter().flatten().all(|node| node.n >= 10));
    }
}

#[test]
fn trees_by_logistic_loss_learn_and_do_not_depend_on_the_split() {
    let Some(table) = Table::shared("nhefs_complete.csv") else { return };
    let (dictionary, sites) = table.split(&NUMBERS, &[], |row| format!("{}", row * row % 7));
    let (_, one) = table.split(&NUMBERS, &[], |_| String::new());
    let boosting = boosting("death", Loss::Logistic, 1.0);
    let analysis = Analysis::Boosting(boosting.clone());
    let pooled = ask(&dictionary, analysis.clone(), &one);
    let (pooled, of_pooled) = predicted(pooled, &boosting, &dictionary, &one[0]);
    let (model, found) =
        predicted(ask(&dictionary, analysis, &sites), &boosting, &dictionary, &one[0]);
    for (found, wanted) in found.iter().zip(&of_pooled) {
        close(*found, *wanted, 1e-10, "probability");
    }
    assert!(model.training.windows(2).all(|pair| pair[1] < pair[0]), "{:?}", model.training);
    close(model.training[29], pooled.training[29], 1e-10, "loss");
    let died: Vec<bool> = table.column("death").iter().map(|value| *value == "1").collect();
    let mean = |wanted: bool| {
        let of: Vec<f64> =
            found.iter().zip(&died).filter(|(_, died)| **died == wanted).map(|(p, _)| *p).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    assert!(mean(true) > mean(false) + 0.15, "{} {}", mean(true), mean(false));
}
