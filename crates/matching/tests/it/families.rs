//! Pairs of records that a person would judge at a glance.

use consilium_matching::{Model, Person, decide, match_patient};
use fhir::Resource;

fn person(body: &str) -> Person {
    let json = format!(r#"{{"resourceType":"Patient"{body}}}"#);
    Person::of(&Resource::parse(json).unwrap())
}

fn check(what: &str, a: &str, b: &str, expected: &[&str]) {
    let score = Model::standard().unwrap().compare(&person(a), &person(b));
    let lines: Vec<String> = score
        .fields
        .iter()
        .map(|line| format!("{} {} {:.1}", line.field, line.agreement, line.weight))
        .collect();
    assert!(
        expected.contains(&score.grade.code()),
        "{what}: {} {:.1} {lines:#?}",
        score.grade.code(),
        score.weight
    );
}

const HOME: &str = r#","telecom":[{"system":"phone","value":"617-555-0142"}],"address":[{"line":["14 Oak Street"],"city":"Salem","state":"MA","postalCode":"01970"}]"#;

fn at_home(rest: &str) -> String {
    format!("{HOME}{rest}")
}

fn ssn(number: &str) -> String {
    format!(r#","identifier":[{{"system":"http://hl7.org/fhir/sid/us-ssn","value":"{number}"}}]"#)
}

#[test]
fn one_person_written_differently() {
    let anna = r#","name":[{"family":"Kowalska","given":["Zuzanna"]}],"birthDate":"1984-05-09","gender":"female""#;
    for (what, other) in [
        ("the same", anna.to_owned()),
        (
            "digits and accents",
            anna.replace("Kowalska", "Kowálska581").replace("Zuzanna", "Zuzanna33"),
        ),
        ("capitals", anna.replace("Kowalska", "KOWALSKA")),
        ("day and month exchanged", anna.replace("05-09", "09-05")),
    ] {
        check(what, anna, &other, &["certain"]);
    }
    for (what, other) in [
        ("misspelt", anna.replace("Kowalska", "Kowaska")),
        ("a digit of the date", anna.replace("05-09", "05-08")),
        ("double name", anna.replace("Kowalska", "Kowalska-Nowak")),
        (
            "given and family name exchanged",
            anna.replace("Kowalska", "X").replace("Zuzanna", "Kowalska").replace('X', "Zuzanna"),
        ),
        (
            "maiden name beside",
            anna.replace(
                r#"","given"#,
                r#"","given":["Zuzanna"]},{"use":"maiden","family":"Nowak","given"#,
            ),
        ),
    ] {
        check(what, &at_home(anna), &at_home(&other), &["certain"]);
        check(what, anna, &other, &["certain", "probable", "possible"]);
    }
    let bob = r#","name":[{"family":"Fairchild","given":["Bob"]}],"birthDate":"1958-11-20","gender":"male""#;
    let robert = bob.replace("Bob", "Robert");
    check("familiar form", &at_home(bob), &at_home(&robert), &["certain"]);
    let married = anna.replace("Kowalska", "Smith");
    check(
        "married, the same number",
        &format!("{anna}{}", ssn("212-45-6780")),
        &format!("{married}{}", ssn("212-45-6780")),
        &["certain"],
    );
}

#[test]
fn relatives_do_not_merge() {
    let child = |given: &str, rest: &str| {
        at_home(&format!(
            r#","name":[{{"family":"Mercer","given":["{given}"]}}],"birthDate":"2015-02-03"{rest}"#
        ))
    };
    let one = child("Daniel", r#","gender":"male""#);
    for (what, other, expected) in [
        ("twins", child("Peter", r#","gender":"male""#), &["certainly-not"][..]),
        (
            "twins of unlike sex",
            child("Danielle", r#","gender":"female""#),
            &["certainly-not", "possible", "probable"],
        ),
        (
            "twins with names alike",
            child("Darnell", r#","gender":"male""#),
            &["certainly-not", "possible", "probable"],
        ),
        (
            "twin without a given name yet",
            child("Baby Boy", r#","gender":"male""#),
            &["possible", "probable"],
        ),
    ] {
        check(what, &one, &other, expected);
    }
    check(
        "Mia and Mya",
        &child("Mia", ""),
        &child("Mya", ""),
        &["certainly-not", "possible", "probable"],
    );
    check(
        "Jayden and Hayden, one number mistaken for the other",
        &format!("{}{}", child("Jayden", ""), ssn("212-45-6780")),
        &format!("{}{}", child("Hayden", ""), ssn("212-45-6781")),
        &["certainly-not", "possible", "probable"],
    );
    check(
        "twins with one number",
        &format!("{}{}", child("Peter", ""), ssn("212-45-6780")),
        &format!("{}{}", child("Daniel", ""), ssn("212-45-6780")),
        &["certainly-not", "possible", "probable"],
    );
    let man = |suffix: &str, date: &str| {
        at_home(&format!(
            r#","name":[{{"family":"Whitaker","given":["George"]{suffix}}}],"birthDate":"{date}","gender":"male""#
        ))
    };
    let senior = man(r#","suffix":["Sr."]"#, "1950-07-01");
    for (what, other, expected) in [
        ("father and son", man(r#","suffix":["Jr."]"#, "1978-03-22"), &["certainly-not"][..]),
        ("father and son, suffix missing", man("", "1978-03-22"), &["certainly-not", "possible"]),
        (
            "suffixes differ, no date",
            man(r#","suffix":["Jr."]"#, ""),
            &["certainly-not", "possible", "probable"],
        ),
    ] {
        check(what, &senior, &other, expected);
    }
    let wife = at_home(
        r#","name":[{"family":"Whitaker","given":["Carol"]}],"birthDate":"1952-01-30","gender":"female""#,
    );
    check("spouses", &senior, &wife, &["certainly-not"]);
}

#[test]
fn too_little_is_never_certain() {
    let name = r#","name":[{"family":"Zwolinski","given":["Octavian"]}]"#;
    check("a rare name alone", name, name, &["certainly-not", "possible", "probable"]);
    check(
        "a household without given names",
        HOME,
        HOME,
        &["certainly-not", "possible", "probable"],
    );
    check("nothing", "", "", &["certainly-not"]);
    let common = r#","name":[{"family":"Smith","given":["James"]}],"birthDate":"1970-01-01","gender":"male""#;
    check("a common name on 1 January", common, common, &["certainly-not", "possible", "probable"]);
    let a = format!(r#"{name},"birthDate":"1970-03-04"{}"#, ssn("212-45-6780"));
    let b = format!(r#"{name},"birthDate":"1991-10-17"{}"#, ssn("313-99-1234"));
    check("number and date contradict", &at_home(&a), &at_home(&b), &["certainly-not", "possible"]);
}

#[test]
fn two_certain_candidates_are_for_a_person_to_decide() {
    let model = Model::standard().unwrap();
    let one = person(
        r#","name":[{"family":"Zwolinski","given":["Octavian"]}],"birthDate":"1961-03-04","gender":"male""#,
    );
    let other =
        person(r#","name":[{"family":"Smith","given":["James"]}],"birthDate":"1970-03-05""#);
    let alone = match_patient(&one, &[("b", other.clone()), ("a", one.clone())], &model);
    let shown = |matches: &[consilium_matching::Match<&'static str>]| -> Vec<String> {
        matches.iter().map(|m| format!("{} {}", m.id, m.score.grade.code())).collect()
    };
    assert_eq!(shown(&alone), ["a certain", "b certainly-not"]);
    let scores: Vec<_> = alone.into_iter().map(|m| m.score).collect();
    assert_eq!(decide(&scores), Some(0));
    let twice =
        match_patient(&one, &[("a", one.clone()), ("b", other), ("c", one.clone())], &model);
    assert_eq!(shown(&twice), ["a possible", "c possible", "b certainly-not"]);
    let certain = model.compare(&one, &one);
    assert_eq!(decide(&[certain.clone(), certain]), None);
    assert_eq!(decide(&[]), None);
}
