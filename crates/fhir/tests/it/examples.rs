//! The published examples: to XML and back without loss, and laid out without loss.

use std::io::{BufRead, BufReader};

use consilium_fhir::subset::{Subset, Summary};
use consilium_fhir::{Document, Value, definitions, pretty, xml};

use crate::canonical;

fn for_each(check: fn(&Document)) {
    let Some(path) = crate::shared("conformance/r4-examples.ndjson.gz") else { return };
    let file = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    let mut total = 0;
    for line in BufReader::new(file).lines() {
        check(&Document::parse(line.unwrap()).unwrap());
        total += 1;
    }
    assert!(total >= 715, "only {total} examples");
}

#[test]
fn xml_loses_nothing() {
    for_each(|example| {
        let before = canonical(example.root());
        let mut texts = Vec::new();
        for layout in [xml::Layout::Compact, xml::Layout::Pretty] {
            let text = xml::write(example.root(), layout).unwrap();
            let back = Document::parse(xml::read(&text).unwrap()).unwrap();
            assert_eq!(canonical(back.root()), before);
            texts.push(back.into_text());
        }
        // Members come in one order, so both ways lead to the same text.
        assert_eq!(texts[0], texts[1]);
        let again = Document::parse(texts.remove(0)).unwrap();
        assert_in_order(again.root(), "");
    });
}

/// Members of every object of a known type come in the order of the definitions.
fn assert_in_order(value: Value<'_>, type_name: &str) {
    let type_name = value.str_at("resourceType").map_or(type_name.to_owned(), |n| n.into_owned());
    let Some(type_of) = definitions().get(&type_name) else { return };
    let mut last = 0;
    for member in value.members() {
        let name = member.name();
        let Some((element, choice)) = type_of.member(name.trim_start_matches('_')) else {
            continue;
        };
        let order = type_of.elements().iter().position(|other| other.path == element.path).unwrap();
        assert!(order >= last, "{type_name}: `{name}` comes too late");
        last = order;
        for item in member.value.each() {
            assert_in_order(item, choice.name());
        }
    }
}

#[test]
fn layout_loses_nothing() {
    for_each(|example| {
        let laid_out = Document::parse(pretty::pretty(example.root())).unwrap();
        assert_eq!(canonical(laid_out.root()), canonical(example.root()));
    });
}

#[test]
fn summaries_are_resources_with_what_must_stay() {
    for_each(|example| {
        let type_name = example.root().str_at("resourceType").unwrap();
        let type_of = definitions().get(&type_name).unwrap();
        for summary in [Summary::True, Summary::Text, Summary::Data, Summary::Count] {
            let text = Subset::Summary(summary).of(example.root()).unwrap();
            let part = Document::parse(text).unwrap();
            assert!(xml::write(part.root(), xml::Layout::Compact).is_ok());
            assert_eq!(part.root().str_at("id"), example.root().str_at("id"));
            for element in type_of.elements().iter().filter(|element| element.min > 0) {
                for choice in &element.types {
                    let has = |d: &Document| d.root().get(choice.member).is_some();
                    assert_eq!(has(&part), has(example), "{type_name}.{}", choice.member);
                }
            }
        }
    });
}
