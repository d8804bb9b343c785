//! Models, curves and single numbers.

use consilium_privacy::disclosure::*;

fn one(part: Part) -> (Checked, Class) {
    let (mut found, class) = check(&[part], &Rules::default()).unwrap();
    (found.remove(0), class)
}

fn reasons(checked: &Checked) -> Vec<String> {
    checked.verdicts.iter().map(Verdict::reason).collect()
}

#[test]
fn a_model_needs_degrees_of_freedom_and_levels_of_enough_people() {
    let model =
        |n, parameters, smallest_level| Part::Model(Model { n, parameters, smallest_level });
    assert_eq!(one(model(200, 5, Some(30))).1, Class::Safe);
    assert_eq!(reasons(&one(model(14, 5, None)).0), ["rule degrees_of_freedom, model 1"]);
    assert_eq!(reasons(&one(model(200, 5, Some(4))).0), ["rule min_cell, model 1"]);
    let saturated = one(model(5, 8, None)).0;
    assert_eq!(saturated.evidence.df, Some(-3));
    assert_eq!(saturated.verdicts.len(), 2);
}

#[test]
fn a_curve_shows_no_single_death_and_is_joined_until_it_does_not() {
    let step = |time, at_risk, events, censored| Step { time, at_risk, events, censored };
    let good = Survival { steps: vec![step(1.0, 100, 20, 5), step(2.0, 75, 15, 10)] };
    assert_eq!(one(Part::Survival(good)).1, Class::Safe);
    let bad = Survival {
        steps: vec![
            step(1.0, 100, 4, 1),
            step(2.0, 95, 7, 2),
            step(3.0, 86, 30, 0),
            step(4.0, 56, 1, 3),
        ],
    };
    let (checked, class) = one(Part::Survival(bad));
    assert_eq!(class, Class::Unsafe);
    assert_eq!(
        reasons(&checked),
        [
            "rule min_cell, curve 1, step 1",
            "rule min_cell, curve 1, step 2",
            "rule min_cell, curve 1, step 4"
        ]
    );
    let joined = checked.coarsened.unwrap();
    assert_eq!(joined.steps, [step(2.0, 100, 11, 3), step(4.0, 86, 31, 3)]);
    assert_eq!(one(Part::Survival(joined)).1, Class::Safe);
    let impossible = Survival { steps: vec![step(1.0, 10, 8, 3)] };
    assert!(check(&[Part::Survival(impossible)], &Rules::default()).is_err());
}

#[test]
fn single_numbers_are_held_to_the_rules_of_their_kind() {
    let summary = |statbarn, n| Summary { statbarn, n, smaller_side: None, contributions: None };
    let verdict = |summary| one(Part::Summary(summary));
    assert_eq!(verdict(summary(Statbarn::Tests, 40)).1, Class::Safe);
    assert_eq!(reasons(&verdict(summary(Statbarn::Shape, 9)).0), ["rule min_cell, summary 1"]);
    let extreme = verdict(summary(Statbarn::Extremes, 4000)).0;
    assert!(reasons(&extreme).contains(&"rule extreme, summary 1".to_owned()));
    let quantile = |side| Summary { smaller_side: Some(side), ..summary(Statbarn::Position, 1000) };
    assert_eq!(verdict(quantile(100)).1, Class::Safe);
    assert_eq!(reasons(&verdict(quantile(5)).0), ["rule extreme, summary 1"]);
    let unknown = verdict(summary(Statbarn::LinearAggregations, 50)).0;
    assert_eq!(unknown.verdicts, [Verdict::Review { reason: Review::NoContributions }]);
    let greatest = vec![10.0, 9.0];
    let known = Summary {
        contributions: Some(Contributions { total: 200.0, greatest }),
        ..summary(Statbarn::LinearAggregations, 50)
    };
    assert_eq!(verdict(known).1, Class::Safe);
    // Density estimates, clusters and models that can be applied to people are for people.
    for kind in [Statbarn::Smoothed, Statbarn::Clusters, Statbarn::FittedModels, Statbarn::Unknown]
    {
        let checked = verdict(summary(kind, 5000)).0;
        assert_eq!(checked.verdicts, [Verdict::Review { reason: Review::Kind }]);
    }
    assert!(check(&[Part::Summary(summary(Statbarn::Position, 50))], &Rules::default()).is_err());
}

#[test]
fn reasons_and_evidence_travel_and_reasons_hold_no_value() {
    let part = Part::Model(Model { n: 7, parameters: 3, smallest_level: None });
    let checked = one(part).0;
    let text = serde_json::to_string(&checked.verdicts).unwrap();
    assert!(!text.contains('7') && !text.contains('4'), "{text}");
    let text = serde_json::to_string(&checked).unwrap();
    let back: Checked = serde_json::from_str(&text).unwrap();
    assert_eq!(back, checked);
    let unknown = r#"{"min_cell": 5, "surprise": 1}"#;
    assert!(serde_json::from_str::<Rules>(unknown).is_err());
    let fewer: Rules = serde_json::from_str(r#"{"min_cell": 5}"#).unwrap();
    assert_eq!(fewer, Rules { min_cell: 5, ..Rules::default() });
}
