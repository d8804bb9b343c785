//! Tables of questions and answers.

use terminology::{CodingRef, Entry, Expand, Membership, Translate, Validate};

use crate::world::{animals_with, world};

/// Codes of an expansion, nested ones in brackets.
fn shown(entries: &[Entry]) -> String {
    let one = |entry: &Entry| {
        let below = shown(&entry.contains);
        if below.is_empty() { entry.code.clone() } else { format!("{}({below})", entry.code) }
    };
    entries.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn value_sets_expand() {
    let terms = world();
    let flat = Expand { exclude_nested: Some(true), ..Expand::default() };
    for (set, expected) in [
        ("http://t/animals/all", "animal dog puppy bird dodo stone"),
        ("http://t/vs/dogs", "dog puppy"),
        ("http://t/vs/dogs|1", "dog puppy"),
        ("http://t/vs/not-dogs", "animal bird dodo stone"),
        ("http://t/vs/listed", "dog x"),
        ("http://t/vs/active", "animal dog puppy bird stone"),
        ("http://t/vs/both", "dog"),
        ("http://hl7.org/fhir/ValueSet/administrative-gender", "male female other unknown"),
        ("http://t/vs/dogs|2", "the value set `http://t/vs/dogs|2` is not known to this server"),
        ("http://t/vs/round", "the value set `http://t/vs/round` includes itself"),
        (
            "http://t/vs/snomed",
            "the content of the code system `http://snomed.info/sct` is not available on this server",
        ),
        (
            "http://hl7.org/fhir/ValueSet/mimetypes",
            "the code system `urn:ietf:bcp:13` is defined by a grammar: its codes cannot be listed, \
             only validated",
        ),
    ] {
        let found = match terms.expand(set, &flat) {
            Ok(expansion) => {
                assert_eq!(expansion.total, expansion.entries.len(), "{set}");
                shown(&expansion.entries)
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{set}");
    }
    let nested = terms.expand("http://t/animals/all", &Expand::default()).unwrap();
    // The dodo has two parents, so the hierarchy is no tree and is not nested.
    assert_eq!(shown(&nested.entries), "animal dog puppy bird dodo stone");
    let tree = terms.expand("http://hl7.org/fhir/ValueSet/bundle-type", &Expand::default());
    assert_eq!(tree.unwrap().total, 9);
}

#[test]
fn hierarchies_nest() {
    let terms = world();
    let url = "http://terminology.hl7.org/ValueSet/v3-Confidentiality";
    let nested = terms.expand(url, &Expand::default()).unwrap();
    let flat = Expand { exclude_nested: Some(true), ..Expand::default() };
    let flat = terms.expand(url, &flat).unwrap();
    assert!(nested.entries.len() <= flat.entries.len());
}

#[test]
fn filters_select() {
    let terms = world();
    let flat = Expand { exclude_nested: Some(true), ..Expand::default() };
    for (property, op, value, expected) in [
        ("concept", "is-a", "dog", "dog puppy"),
        ("concept", "descendent-of", "dog", "puppy"),
        ("concept", "is-not-a", "dog", "animal bird dodo stone"),
        ("concept", "generalizes", "dodo", "animal bird dodo"),
        ("code", "regex", "d.*", "dog dodo"),
        ("code", "in", "dog,stone, cat", "dog stone"),
        ("code", "not-in", "dog,stone", "animal puppy bird dodo"),
        ("legs", "=", "4", "dog puppy"),
        ("legs", "exists", "true", "dog puppy bird"),
        ("legs", "exists", "false", "animal dodo stone"),
        ("sound", "regex", "w.+", "dog"),
        ("parent", "=", "bird", "dodo"),
        ("display", "regex", ".* dog", "puppy"),
        ("inactive", "=", "true", "dodo"),
        (
            "wings",
            "=",
            "2",
            "the filter `wings =` is not supported: the code system has no such property",
        ),
        (
            "code",
            "likes",
            "2",
            "the filter `code likes` is not supported: the operator is not known",
        ),
        ("concept", "is-a", "cat", "the code `cat` is not in the code system `http://t/animals`"),
        (
            "code",
            "regex",
            "(",
            "the filter `code regex` is not supported: the regular expression is invalid or too large",
        ),
        (
            "code",
            "regex",
            "((((a{1,100}){1,100}){1,100}){1,100})",
            "the filter `code regex` is not supported: the regular expression is invalid or too large",
        ),
    ] {
        let filter = format!(
            ",\"filter\":[{{\"property\":\"{property}\",\"op\":\"{op}\",\"value\":\"{value}\"}}]"
        );
        let found = match terms.expand_set(animals_with(&filter), &flat) {
            Ok(expansion) => shown(&expansion.entries),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{property} {op} {value}");
    }
}

#[test]
fn expansions_are_narrowed() {
    let terms = world();
    let plain = || Expand { exclude_nested: Some(true), ..Expand::default() };
    for (wanted, expected, total) in [
        (Expand { filter: Some("do".into()), ..plain() }, "dog puppy dodo", 3),
        (Expand { filter: Some("young DOG".into()), ..plain() }, "puppy", 1),
        (Expand { filter: Some("og".into()), ..plain() }, "", 0),
        (Expand { offset: 1, count: Some(2), ..plain() }, "dog puppy", 6),
        (Expand { count: Some(0), ..plain() }, "", 6),
        (Expand { offset: 5, count: Some(9), ..plain() }, "stone", 6),
        (Expand { active_only: true, ..plain() }, "animal dog puppy bird stone", 5),
        (Expand { exclude_not_for_ui: true, ..plain() }, "dog puppy bird dodo stone", 5),
    ] {
        let found = terms.expand("http://t/animals/all", &wanted).unwrap();
        assert_eq!((shown(&found.entries).as_str(), found.total), (expected, total), "{wanted:?}");
    }
}

#[test]
fn displays_are_in_the_language_asked_for() {
    let terms = world();
    for (language, expected) in [
        ("de", "Animal Hund Young dog Vogel Dodo Stone"),
        ("de-CH", "Animal Hund Young dog Vogel Dodo Stone"),
        ("fr,de;q=0.5", "Animal Chien Young dog Vogel Dodo Stone"),
        ("en", "Animal Dog Young dog Bird Dodo Stone"),
        ("it", "Animal Dog Young dog Bird Dodo Stone"),
    ] {
        let wanted = Expand {
            display_language: Some(language.into()),
            exclude_nested: Some(true),
            ..Expand::default()
        };
        let found = terms.expand("http://t/animals/all", &wanted).unwrap();
        let displays: Vec<_> = found.entries.into_iter().filter_map(|e| e.display).collect();
        assert_eq!(displays.join(" "), expected, "{language}");
    }
}

#[test]
fn codes_are_validated_in_value_sets() {
    let terms = world();
    for (set, system, code, display, expected) in [
        ("http://t/vs/dogs", Some("http://t/animals"), "puppy", None, "true Young dog"),
        ("http://t/vs/dogs", Some("http://t/animals"), "PUPPY", None, "true Young dog"),
        ("http://t/vs/dogs", Some("http://t/animals"), "dog", Some("hund"), "true Dog"),
        (
            "http://t/vs/dogs",
            Some("http://t/animals"),
            "dog",
            Some("Cat"),
            "false Dog: the display of the code `dog` is `Dog`, not what was given",
        ),
        ("http://t/vs/listed", Some("http://t/animals"), "dog", Some("Hound"), "true Hound"),
        ("http://t/vs/listed", Some("http://elsewhere"), "x", None, "true X"),
        (
            "http://t/vs/dogs",
            Some("http://t/animals"),
            "bird",
            None,
            "false Bird: the code `bird` of `http://t/animals` is not in the value set `http://t/vs/dogs|1`",
        ),
        (
            "http://t/vs/dogs",
            Some("http://t/animals"),
            "cat",
            None,
            "false -: the code `cat` of `http://t/animals` is not in the value set `http://t/vs/dogs|1`; \
             the code `cat` is not in the code system `http://t/animals`",
        ),
        ("http://t/vs/dogs", None, "dog", None, "true Dog"),
        (
            "http://t/vs/dogs",
            None,
            "cat",
            None,
            "false -: the code `cat` is not in the value set `http://t/vs/dogs|1`",
        ),
        (
            "http://t/vs/snomed",
            Some("http://snomed.info/sct"),
            "1",
            None,
            "undecided -: whether the code is in the value set `http://t/vs/snomed` cannot be said: \
             the content of the code system `http://snomed.info/sct` is not available on this server",
        ),
        (
            "http://t/animals/all",
            Some("http://t/animals"),
            "dodo",
            None,
            "true Dodo: the code `dodo` is no longer active",
        ),
        ("http://hl7.org/fhir/ValueSet/mimetypes", None, "text/plain", None, "true text/plain"),
        ("http://hl7.org/fhir/ValueSet/ucum-units", None, "mg/dL", None, "true mg/dL"),
        (
            "http://hl7.org/fhir/ValueSet/all-languages",
            None,
            "pt-BR",
            None,
            "true Portuguese (Brazil)",
        ),
        ("http://hl7.org/fhir/ValueSet/currencies", None, "CHF", None, "true Swiss Franc"),
        ("http://hl7.org/fhir/ValueSet/iso3166-1-3", None, "CHE", None, "true Switzerland"),
        (
            "http://hl7.org/fhir/ValueSet/iso3166-1-3",
            None,
            "CH",
            None,
            "false -: the code `CH` is not in the value set `http://hl7.org/fhir/ValueSet/iso3166-1-3|4.0.1`",
        ),
    ] {
        let coding = CodingRef { system, code, display, ..CodingRef::default() };
        let wanted = Validate { codings: vec![coding], infer_system: true, ..Validate::default() };
        let found = terms.validate_in_value_set(set, &wanted).unwrap();
        let result = if found.undecided { "undecided".into() } else { found.result.to_string() };
        let message = found.message().map(|text| format!(": {text}")).unwrap_or_default();
        let text = format!("{result} {}{message}", found.display.as_deref().unwrap_or("-"));
        assert_eq!(text, expected, "{set} {code}");
    }
}

#[test]
fn one_coding_of_a_concept_is_enough() {
    let terms = world();
    let coding =
        |code| CodingRef { system: Some("http://t/animals"), code, ..CodingRef::default() };
    let wanted = Validate {
        codings: vec![coding("stone"), coding("dog")],
        element: "CodeableConcept",
        ..Validate::default()
    };
    let found = terms.validate_in_value_set("http://t/vs/dogs", &wanted).unwrap();
    assert_eq!((found.result, found.code.as_deref()), (true, Some("dog")));
    let wanted = Validate { codings: vec![coding("stone"), coding("bird")], ..wanted };
    let found = terms.validate_in_value_set("http://t/vs/dogs", &wanted).unwrap();
    let places: Vec<_> = found.issues.iter().map(|issue| issue.expression.as_str()).collect();
    assert_eq!(places, ["CodeableConcept.coding[0].code", "CodeableConcept.coding[1].code"]);
}

#[test]
fn codes_are_validated_in_code_systems() {
    let terms = world();
    for (system, version, code, expected) in [
        ("http://t/animals", None, "dog", "true"),
        ("http://t/animals", Some("2.1"), "dog", "true"),
        ("http://t/animals", Some("2"), "dog", "true"),
        ("http://t/animals", Some("3"), "dog", "undecided"),
        ("http://t/animals", None, "animal", "false"),
        ("http://t/part", None, "one", "true"),
        ("http://t/part", None, "two", "undecided"),
        ("http://loinc.org", None, "8867-4", "undecided"),
        ("http://unitsofmeasure.org", None, "kg/m2", "true"),
        ("http://unitsofmeasure.org", None, "stones", "false"),
    ] {
        let wanted = Validate {
            codings: vec![CodingRef { code, ..CodingRef::default() }],
            allow_abstract: Some(false),
            ..Validate::default()
        };
        let found = terms.validate_in_system(Some(system), version, &wanted);
        let text = if found.undecided { "undecided".into() } else { found.result.to_string() };
        assert_eq!(text, expected, "{system} {code}");
    }
}

#[test]
fn membership_without_ceremony() {
    let terms = world();
    for (set, system, code, expected) in [
        ("http://t/vs/dogs", Some("http://t/animals"), "dog", Membership::In),
        ("http://t/vs/dogs", None, "bird", Membership::Out),
        ("http://t/vs/snomed", Some("http://snomed.info/sct"), "1", Membership::Unknown),
        ("http://hl7.org/fhir/ValueSet/administrative-gender", None, "male", Membership::In),
        ("http://hl7.org/fhir/ValueSet/administrative-gender", None, "m", Membership::Out),
    ] {
        assert_eq!(terms.member(set, system, code).unwrap(), expected, "{set} {code}");
    }
}

#[test]
fn codes_are_looked_up() {
    let terms = world();
    let found = terms.lookup("http://t/animals", None, "DOG", Some("de")).unwrap();
    let properties: Vec<_> =
        found.properties.iter().map(|p| format!("{}={}", p.code, p.json)).collect();
    assert_eq!((found.code.as_str(), found.display.as_str()), ("dog", "Hund"));
    assert_eq!(found.definition.as_deref(), Some("barks"));
    assert_eq!(
        properties.join(" "),
        "legs=4 sound=\"woof\" parent=\"animal\" child=\"puppy\" inactive=false"
    );
    assert_eq!(found.designations.len(), 2);
    assert_eq!(terms.lookup("http://t/animals", None, "bird", None).unwrap().designations.len(), 1);
    assert_eq!(terms.lookup("urn:ietf:bcp:47", None, "de", None).unwrap().display, "German");
    for (system, code, expected) in [
        ("http://t/animals", "cat", "the code `cat` is not in the code system `http://t/animals`"),
        (
            "http://loinc.org",
            "1-8",
            "the content of the code system `http://loinc.org` is not available on this server",
        ),
    ] {
        assert_eq!(terms.lookup(system, None, code, None).unwrap_err().to_string(), expected);
    }
}

#[test]
fn codes_subsume() {
    let terms = world();
    for (a, b, expected) in [
        ("dog", "dog", "equivalent"),
        ("animal", "puppy", "subsumes"),
        ("puppy", "animal", "subsumed-by"),
        ("bird", "dog", "not-subsumed"),
        ("bird", "dodo", "subsumes"),
    ] {
        let found = terms.subsumes("http://t/animals", None, a, b).unwrap();
        assert_eq!(found.code(), expected, "{a} {b}");
    }
    assert!(terms.subsumes("http://t/animals", None, "dog", "cat").is_err());
    assert!(terms.subsumes("http://snomed.info/sct", None, "1", "2").is_err());
}

#[test]
fn codes_are_translated() {
    let terms = world();
    let map = Some(terms.concept_map("http://t/map|3").unwrap());
    let ask = |code| Translate {
        map: map.clone(),
        system: Some("http://t/animals"),
        code,
        ..Translate::default()
    };
    for (wanted, expected) in [
        (ask("dog"), "true wider http://t/stars sirius"),
        (ask("bird"), "true inexact http://t/stars sun"),
        (ask("stone"), "false unmatched - -"),
        (
            Translate { map: None, source: Some("http://t/vs/listed"), ..ask("dog") },
            "true wider http://t/stars sirius",
        ),
        (Translate { target_system: Some("http://t/moons"), ..ask("dog") }, "false"),
        (
            Translate { system: Some("http://t/stars"), reverse: true, ..ask("sirius") },
            "true narrower http://t/animals dog",
        ),
        (Translate { system: Some("http://t/rocks"), ..ask("dog") }, "false"),
    ] {
        let found = terms.translate(&wanted).unwrap();
        let mut text = found.result.to_string();
        for one in &found.matches {
            let (system, code) = one
                .concept
                .as_ref()
                .map_or(("-", "-"), |(system, code, _)| (system.as_str(), code.as_str()));
            text += &format!(" {} {system} {code}", one.equivalence);
        }
        assert_eq!(text, expected, "{}", wanted.code);
    }
}

#[test]
fn expressions_ask() {
    let terms = world();
    let observation = fhir::Resource::parse(
        r#"{"resourceType":"Observation","status":"final","code":{"coding":[
            {"system":"http://t/animals","code":"puppy"}]}}"#,
    )
    .unwrap();
    let env = fhirpath::Env::new(0).with_resource(&observation).with_codes(&terms);
    for (text, expected) in [
        ("code.memberOf('http://t/vs/dogs')", "true"),
        ("code.coding.first().memberOf('http://t/vs/listed')", "false"),
        ("status.memberOf('http://hl7.org/fhir/ValueSet/observation-status')", "true"),
        ("status.memberOf('http://t/none').empty()", "true"),
        ("code.subsumes(code.coding.first())", "true"),
        ("code.subsumedBy(code)", "true"),
    ] {
        let expression = fhirpath::Expr::parse(text).unwrap();
        let found = expression.evaluate_resource(&env).unwrap();
        let shown: Vec<_> = found.iter().map(|item| format!("{item:?}")).collect();
        assert_eq!(shown.join(" "), format!("Boolean({expected})"), "{text}");
    }
}

#[test]
fn code_systems_are_excluded_by_version() {
    let terms = world();
    for (version, expected) in [("", "x"), ("2.1", "x"), ("3.0", "dog x")] {
        let versions = terminology::Versions {
            exclude: vec![("http://t/animals".into(), version.into())],
            ..Default::default()
        };
        let wanted = Expand { versions, ..Expand::default() };
        let found = terms.expand("http://t/vs/listed", &wanted).unwrap();
        assert_eq!(shown(&found.entries), expected, "{version}");
    }
}

#[test]
fn expressions_are_left_out_where_that_is_asked() {
    let text = r#"{"resourceType":"ValueSet","status":"active","compose":{"include":[
        {"system":"http://snomed.info/sct","concept":[{"code":"71388002"},
            {"code":"71388002:405815000=122456005"}]}]}}"#;
    let document = fhir::Document::parse(text).unwrap();
    let set = std::sync::Arc::new(terminology::ValueSet::read(document.root()).unwrap());
    for (exclude_post_coordinated, expected) in [(false, 2), (true, 1)] {
        let wanted = Expand { exclude_post_coordinated, ..Expand::default() };
        assert_eq!(world().expand_set(set.clone(), &wanted).unwrap().total, expected);
    }
}

#[test]
fn a_map_between_other_value_sets_is_not_used() {
    let terms = world();
    let map = terms.concept_map("http://t/map").unwrap();
    for (source, target, expected) in [
        (Some("http://t/vs/listed"), None, true),
        (Some("http://t/vs/dogs"), None, false),
        (None, Some("http://t/vs/stars"), true),
        (None, Some("http://t/vs/listed"), false),
    ] {
        let wanted = Translate {
            map: Some(map.clone()),
            system: Some("http://t/animals"),
            code: "dog",
            source,
            target,
            ..Translate::default()
        };
        let found = terms.translate(&wanted).unwrap();
        assert_eq!((found.result, found.message.is_none()), (expected, expected));
    }
}
