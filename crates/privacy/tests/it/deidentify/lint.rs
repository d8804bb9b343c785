//! Which of the eighteen identifiers a recipe answers.

use privacy::deidentify::safe_harbor::{IDENTIFIERS, Identifier, lint};
use privacy::deidentify::shipped;

use super::recipes::recipe;

#[test]
fn safe_harbor_answers_all_eighteen() {
    let made = lint(&shipped::recipe("safe-harbor").unwrap().unwrap());
    for answer in &made.answers {
        println!("{:?}: rules {:?}", answer.identifier, answer.rules);
        assert_eq!(answer.open, Default::default(), "{:?}", answer.identifier);
        assert!(!answer.rules.is_empty(), "{:?} is nowhere", answer.identifier);
    }
    assert_eq!(made.answers.len(), IDENTIFIERS.len());
    assert!(made.is_complete());
    // Race, ethnicity and birth sex in their coded form.
    assert_eq!(made.conditional.len(), 5);
}

#[test]
fn the_others_say_what_they_leave() {
    let open = |name: &str| -> Vec<Identifier> {
        let made = lint(&shipped::recipe(name).unwrap().unwrap());
        made.answers.into_iter().filter(|a| !a.open.is_empty()).map(|a| a.identifier).collect()
    };
    use Identifier::{A, B, C};
    assert!(open("limited-data-set").starts_with(&[A, B, C]), "displays, towns and dates");
    assert!(open("research-shifted").contains(&C));
    assert!(open("safe-harbor-notes").contains(&A));
}

#[test]
fn each_gap_is_named_with_its_rule() {
    let answer = |rules: &str, identifier: Identifier| {
        let made = lint(&recipe(rules).unwrap());
        made.answers.into_iter().find(|a| a.identifier == identifier).unwrap().open
    };
    let gap = |rules: &str, identifier, path: &str| {
        let open = answer(rules, identifier);
        assert!(open.keys().any(|found| found.ends_with(path)), "{path} not in {open:?}");
    };
    gap("Patient.name -> keep", Identifier::A, ".family");
    gap("Address.postalCode -> keep", Identifier::B, ".postalCode");
    gap("date -> shift-dates", Identifier::C, "Patient.birthDate");
    gap("Patient.telecom -> keep", Identifier::D, ".value");
    gap("Identifier.value -> keep", Identifier::H, ".value");
    gap("Device.serialNumber -> keep", Identifier::M, "Device.serialNumber");
    gap("Attachment.data -> keep", Identifier::Q, ".data");
    gap("Resource.id -> keep", Identifier::R, "Patient.id");
    assert!(lint(&recipe("Patient.gender -> keep").unwrap()).is_complete());
}
