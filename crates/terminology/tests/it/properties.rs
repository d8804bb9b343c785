//! What holds for any hierarchy: subsumption is a partial order, an expansion is exactly what
//! validates, and a code system survives its file.

use std::sync::Arc;

use fhir::json::Document;
use proptest::prelude::*;
use terminology::{
    CodeSystem, CodingRef, Expand, Layer, Membership, Subsumption, Terminology, Validate, ValueSet,
};

const SYSTEM: &str = "http://t/any";

/// A code system of `parents.len()` codes; each may have parents before it.
fn system(parents: &[Vec<usize>]) -> String {
    let concepts: Vec<_> = parents
        .iter()
        .enumerate()
        .map(|(at, above)| {
            let list: Vec<_> = above
                .iter()
                .filter(|_| at > 0)
                .map(|p| format!("{{\"code\":\"parent\",\"valueCode\":\"c{}\"}}", p % at))
                .collect();
            let inactive = format!("{{\"code\":\"inactive\",\"valueBoolean\":{}}}", at % 7 == 3);
            let list = [list, vec![inactive]].concat().join(",");
            format!("{{\"code\":\"c{at}\",\"display\":\"Code {at}\",\"property\":[{list}]}}")
        })
        .collect();
    format!(
        "{{\"resourceType\":\"CodeSystem\",\"url\":\"{SYSTEM}\",\"status\":\"active\",\
         \"content\":\"complete\",\"concept\":[{}]}}",
        concepts.join(",")
    )
}

fn terms(text: &str) -> Terminology {
    let mut layer = Layer::new();
    layer.add_resource(Document::parse(text).unwrap().root()).unwrap();
    Terminology::new(vec![Arc::new(layer)])
}

fn component() -> impl Strategy<Value = String> {
    let filter = ("is-a|descendent-of|is-not-a|generalizes", 0..12usize).prop_map(|(op, at)| {
        format!(",\"filter\":[{{\"property\":\"concept\",\"op\":\"{op}\",\"value\":\"c{at}\"}}]")
    });
    let listed = proptest::collection::vec(0..16usize, 1..5).prop_map(|list| {
        let list: Vec<_> = list.iter().map(|at| format!("{{\"code\":\"c{at}\"}}")).collect();
        format!(",\"concept\":[{}]", list.join(","))
    });
    let part = prop_oneof![filter, listed, Just(String::new())];
    part.prop_map(|rest| format!("{{\"system\":\"{SYSTEM}\"{rest}}}"))
}

proptest! {
    #[test]
    fn an_expansion_is_what_validates(
        parents in proptest::collection::vec(proptest::collection::vec(0..50usize, 0..3), 12..20),
        include in proptest::collection::vec(component(), 1..4),
        exclude in proptest::collection::vec(component(), 0..3),
        inactive in any::<bool>(),
    ) {
        let terms = terms(&system(&parents));
        let set = format!(
            "{{\"resourceType\":\"ValueSet\",\"status\":\"active\",\"compose\":{{\"inactive\":{inactive},\
             \"include\":[{}],\"exclude\":[{}]}}}}",
            include.join(","), exclude.join(",")
        );
        let set = Arc::new(ValueSet::read(Document::parse(set).unwrap().root()).unwrap());
        let wanted = Expand { exclude_nested: Some(true), ..Expand::default() };
        let expansion = terms.expand_set(set.clone(), &wanted).unwrap();
        let mut codes: Vec<_> = expansion.entries.iter().map(|entry| entry.code.clone()).collect();
        for at in 0..25 {
            let code = format!("c{at}");
            let codings = vec![CodingRef { system: Some(SYSTEM), code: &code, ..CodingRef::default() }];
            let wanted = Validate { codings, ..Validate::default() };
            let checked = terms.validate_in_given(set.clone(), &wanted).unwrap();
            prop_assert_eq!(checked.result, codes.contains(&code), "{}", code);
        }
        let total = codes.len();
        codes.sort();
        codes.dedup();
        prop_assert_eq!(codes.len(), total, "a code occurs twice");
    }

    #[test]
    fn subsumption_is_a_partial_order(
        parents in proptest::collection::vec(proptest::collection::vec(0..50usize, 0..4), 4..12),
    ) {
        let terms = terms(&system(&parents));
        let ask = |a: usize, b: usize| {
            terms.subsumes(SYSTEM, None, &format!("c{a}"), &format!("c{b}")).unwrap()
        };
        let above = |a, b| matches!(ask(a, b), Subsumption::Subsumes | Subsumption::Equivalent);
        for a in 0..parents.len() {
            prop_assert_eq!(ask(a, a), Subsumption::Equivalent);
            for b in 0..parents.len() {
                prop_assert_eq!(above(a, b) && above(b, a), a == b);
                let other = match ask(a, b) {
                    Subsumption::Subsumes => Subsumption::SubsumedBy,
                    Subsumption::SubsumedBy => Subsumption::Subsumes,
                    same => same,
                };
                prop_assert_eq!(ask(b, a), other);
                for c in 0..parents.len() {
                    prop_assert!(!(above(a, b) && above(b, c)) || above(a, c));
                }
            }
        }
    }

    #[test]
    fn a_code_system_survives_its_file(
        parents in proptest::collection::vec(proptest::collection::vec(0..50usize, 0..4), 0..150),
        cut in 0..1000usize,
    ) {
        let text = system(&parents);
        let before = CodeSystem::read(Document::parse(text).unwrap().root()).unwrap();
        let bytes = before.to_bytes().unwrap();
        let after = CodeSystem::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&before.head, &after.head);
        prop_assert_eq!(before.len(), after.len());
        for concept in before.concepts() {
            prop_assert_eq!(before.code(concept), after.code(concept));
            prop_assert_eq!(before.display(concept), after.display(concept));
            prop_assert_eq!(before.is_inactive(concept), after.is_inactive(concept));
            prop_assert_eq!(before.ancestors(concept), after.ancestors(concept));
            prop_assert_eq!(before.details(concept), after.details(concept));
            prop_assert_eq!(after.find(before.code(concept)), Some(concept));
        }
        let short = &bytes[..cut.min(bytes.len() - 1)];
        prop_assert!(CodeSystem::from_bytes(short).is_err());
    }
}

#[test]
fn a_circle_ends() {
    let text = format!(
        "{{\"resourceType\":\"CodeSystem\",\"url\":\"{SYSTEM}\",\"content\":\"complete\",\"concept\":[\
         {{\"code\":\"a\",\"property\":[{{\"code\":\"parent\",\"valueCode\":\"b\"}}]}},\
         {{\"code\":\"b\",\"property\":[{{\"code\":\"parent\",\"valueCode\":\"a\"}}]}}]}}"
    );
    let terms = terms(&text);
    assert_eq!(terms.subsumes(SYSTEM, None, "a", "b").unwrap(), Subsumption::Subsumes);
    assert_eq!(terms.known_code(SYSTEM, "a"), Membership::In);
}
