//! Valid examples, each broken in one place: the fault is found at that place.

use fhir::Document;
use fhir::definitions::{Kind, Type, definitions};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value as Json, json};
use validation::{Issue, Level};

use crate::shared;
use crate::world::{issues, r4};

/// An object of an example: where it is, by JSON pointer and by FHIRPath, and its type.
struct Site {
    pointer: String,
    expression: String,
    type_of: &'static Type,
}

/// All objects with elements in them.
fn sites(
    value: &Json,
    type_of: &'static Type,
    pointer: &str,
    expression: &str,
    out: &mut Vec<Site>,
) {
    let Some(members) = value.as_object() else { return };
    out.push(Site { pointer: pointer.into(), expression: expression.into(), type_of });
    for (name, held) in members {
        let Some((element, choice)) = type_of.member(name) else { continue };
        let below = |held: &Json, pointer: String, expression: String, out: &mut Vec<Site>| {
            let type_of = match choice.type_of().kind {
                Kind::Primitive => return,
                Kind::Resource => match definitions().get(held["resourceType"].as_str().unwrap()) {
                    Some(type_of) => type_of,
                    None => return,
                },
                _ => choice.type_of(),
            };
            sites(held, type_of, &pointer, &expression, out);
        };
        let (pointer, expression) =
            (format!("{pointer}/{name}"), format!("{expression}.{}", element.name));
        match held.as_array() {
            Some(items) => items.iter().enumerate().for_each(|(at, item)| {
                below(item, format!("{pointer}/{at}"), format!("{expression}[{at}]"), out);
            }),
            None => below(held, pointer, expression, out),
        }
    }
}

/// Valid examples with their objects.
fn examples() -> &'static [(Json, Vec<Site>)] {
    static EXAMPLES: std::sync::OnceLock<Vec<(Json, Vec<Site>)>> = std::sync::OnceLock::new();
    EXAMPLES.get_or_init(|| {
        let documents = shared::r4_examples().unwrap_or_default();
        let valid = documents.iter().filter(|document| {
            !issues(r4(), document, Level::Profiles).iter().any(Issue::is_error)
        });
        valid
            .map(|document| {
                let value: Json = serde_json::from_str(document.text()).unwrap();
                let name = value["resourceType"].as_str().unwrap().to_owned();
                let mut found = Vec::new();
                sites(&value, definitions().get(&name).unwrap(), "", &name, &mut found);
                (value, found)
            })
            .collect()
    })
}

/// The first element of a type that is a `code` bound to a small published value set.
fn coded(type_of: &Type) -> Option<&'static str> {
    use fhir::definitions::Strength;
    let open = ["mimetypes", "languages", "all-types", "currencies"];
    type_of.elements().iter().find_map(|element| {
        let binding = element.binding.as_ref().filter(|b| b.strength == Strength::Required)?;
        let single = element.max == Some(1) && element.types.len() == 1;
        let kept = !open.iter().any(|name| binding.value_set.contains(name));
        let choice = element.types.first().filter(|_| single && kept)?;
        (choice.name() == "code").then_some(choice.member)
    })
}

fn is_found(broken: &Json, code: &str, expression: &str) -> Result<(), TestCaseError> {
    let document = Document::parse(broken.to_string()).unwrap();
    let found = issues(r4(), &document, Level::Profiles);
    let there =
        found.iter().any(|i| i.is_error() && i.code.code() == code && i.expression == expression);
    prop_assert!(there, "no {code} at {expression}: {found:#?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn unknown_elements_are_found(example in any::<Index>(), site in any::<Index>(), name in "[a-z]{3,8}Q") {
        if examples().is_empty() { return Ok(()); }
        let (value, sites) = example.get(examples());
        let site = site.get(sites);
        let mut broken = value.clone();
        broken.pointer_mut(&site.pointer).unwrap()[&name] = json!("x");
        is_found(&broken, "structure", &site.expression)?;
    }

    #[test]
    fn missing_elements_are_found(example in any::<Index>(), site in any::<Index>(), at in any::<Index>()) {
        if examples().is_empty() { return Ok(()); }
        let (value, sites) = example.get(examples());
        let required = |site: &Site| -> Vec<&'static str> {
            let held = value.pointer(&site.pointer).unwrap();
            let elements = site.type_of.elements().iter().filter(|e| e.min > 0 && !e.is_choice);
            elements.map(|e| e.types[0].member).filter(|name| held.get(name).is_some()).collect()
        };
        let with: Vec<_> = sites.iter().filter(|site| !required(site).is_empty()).collect();
        if with.is_empty() { return Ok(()); }
        let site = site.get(&with);
        let names = required(site);
        let name = at.get(&names);
        let mut broken = value.clone();
        let object = broken.pointer_mut(&site.pointer).unwrap().as_object_mut().unwrap();
        object.shift_remove(*name);
        object.shift_remove(&format!("_{name}"));
        // What was the only element leaves an empty object, which is the fault then.
        let code = if object.is_empty() { "structure" } else { "required" };
        is_found(&broken, code, &site.expression)?;
    }

    #[test]
    fn wrong_json_types_are_found(example in any::<Index>(), site in any::<Index>(), at in any::<Index>()) {
        if examples().is_empty() { return Ok(()); }
        let (value, sites) = example.get(examples());
        let site = site.get(sites);
        let held = value.pointer(&site.pointer).unwrap().as_object().unwrap();
        let names: Vec<_> = held.keys().filter(|name| site.type_of.member(name).is_some()).collect();
        if names.is_empty() { return Ok(()); }
        let name = at.get(&names).as_str();
        let (element, _) = site.type_of.member(name).unwrap();
        let place = format!("{}.{}", site.expression, element.name);
        let mut broken = value.clone();
        let object = broken.pointer_mut(&site.pointer).unwrap().as_object_mut().unwrap();
        let changed = match &object[name] {
            // A list becomes its first item, a single value becomes a list.
            Json::Array(items) => items[0].clone(),
            other => json!([other]),
        };
        object.insert(name.to_owned(), changed);
        is_found(&broken, "structure", &place)?;
    }

    #[test]
    fn wrong_kinds_of_values_are_found(example in any::<Index>(), site in any::<Index>(), at in any::<Index>()) {
        if examples().is_empty() { return Ok(()); }
        let (value, sites) = example.get(examples());
        let site = site.get(sites);
        let held = value.pointer(&site.pointer).unwrap().as_object().unwrap();
        let single = |name: &&String| {
            site.type_of.member(name).is_some_and(|(e, c)| e.max == Some(1) && c.type_of().kind != Kind::Resource)
        };
        let names: Vec<_> = held.keys().filter(single).collect();
        if names.is_empty() { return Ok(()); }
        let name = at.get(&names).as_str();
        let (element, choice) = site.type_of.member(name).unwrap();
        let place = format!("{}.{}", site.expression, element.name);
        let wrong = match (&held[name], choice.type_of().kind) {
            (Json::String(_), _) => json!(1),
            (Json::Number(_) | Json::Bool(_), _) => json!("x"),
            _ => json!("x"),
        };
        let mut broken = value.clone();
        broken.pointer_mut(&site.pointer).unwrap()[name] = wrong;
        is_found(&broken, "structure", &place)?;
    }

    #[test]
    fn codes_outside_required_value_sets_are_found(example in any::<Index>(), site in any::<Index>()) {
        if examples().is_empty() { return Ok(()); }
        let (value, sites) = example.get(examples());
        let bound = |site: &&Site| {
            let held = value.pointer(&site.pointer).unwrap();
            coded(site.type_of).is_some_and(|name| held.get(name).is_some_and(Json::is_string))
        };
        let with: Vec<_> = sites.iter().filter(bound).collect();
        if with.is_empty() { return Ok(()); }
        let site = site.get(&with);
        let name = coded(site.type_of).unwrap();
        let mut broken = value.clone();
        broken.pointer_mut(&site.pointer).unwrap()[name] = json!("no-such-code");
        is_found(&broken, "code-invalid", &format!("{}.{name}", site.expression))?;
    }

    /// Whatever is done to a text, validation ends with findings and never with a fault of its own.
    #[test]
    fn damaged_texts_do_no_harm(example in any::<Index>(), at in any::<Index>(), with in "[\\PC]") {
        if examples().is_empty() { return Ok(()); }
        let (value, _) = example.get(examples());
        let mut text: Vec<char> = value.to_string().chars().take(20_000).collect();
        let at = at.index(text.len());
        text[at] = with.chars().next().unwrap();
        if let Ok(document) = Document::parse(text.into_iter().collect::<String>()) {
            let found = issues(r4(), &document, Level::Profiles);
            let length = document.text().len();
            prop_assert!(found.iter().all(|issue| issue.range.end <= length));
        }
    }
}
