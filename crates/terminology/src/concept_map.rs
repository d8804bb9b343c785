//! A ConceptMap resource in the form the engine works on.

use std::sync::Arc;

use fhir::Value;

use crate::Error;
use crate::text::{boxed, shared};

/// A concept map.
#[derive(Clone, Debug)]
pub struct ConceptMap {
    /// Canonical address.
    pub url: Arc<str>,
    /// Business version.
    pub version: Option<Arc<str>>,
    /// The value set that is mapped from.
    pub source: Option<Arc<str>>,
    /// The value set that is mapped to.
    pub target: Option<Arc<str>>,
    /// Mappings from one code system to another.
    pub groups: Vec<Group>,
}

/// Mappings from one code system to another.
#[derive(Clone, Debug)]
pub struct Group {
    /// The code system mapped from.
    pub source: Option<Arc<str>>,
    /// The code system mapped to.
    pub target: Option<Arc<str>>,
    /// One mapping each; of one source code they are neighbours.
    pub mappings: Vec<Mapping>,
    /// What to do with codes that are not listed.
    pub unmapped: Option<Unmapped>,
}

/// One source code and one target.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Source code.
    pub code: Box<str>,
    /// Target code; none for what is stated to have no match.
    pub target: Option<Box<str>>,
    /// Display of the target.
    pub display: Option<Box<str>>,
    /// The code of FHIR's `concept-map-equivalence`.
    pub equivalence: Box<str>,
    /// Further outcomes: property, system, code, display.
    pub products: Vec<Element>,
    /// What else must hold for the mapping.
    pub depends_on: Vec<Element>,
}

/// `dependsOn` or `product` of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The property.
    pub property: Box<str>,
    /// The code system of the value.
    pub system: Option<Box<str>>,
    /// The value.
    pub value: Box<str>,
    /// Display of the value.
    pub display: Option<Box<str>>,
}

/// `unmapped.mode` of a group.
#[derive(Clone, Debug)]
pub enum Unmapped {
    /// The same code in the target system.
    Provided,
    /// This code and display.
    Fixed(Box<str>, Option<Box<str>>),
    /// Another concept map by its canonical address.
    OtherMap(Box<str>),
}

impl ConceptMap {
    /// Reads a ConceptMap resource of FHIR R4. Fails without `url`.
    pub fn read(resource: Value<'_>) -> Result<Self, Error> {
        let either = |a, b| shared(resource, a).or_else(|| shared(resource, b));
        let groups = resource.get("group").into_iter().flat_map(Value::items);
        Ok(Self {
            url: shared(resource, "url")
                .ok_or_else(|| Error::invalid("the ConceptMap has no `url`"))?,
            version: shared(resource, "version"),
            source: either("sourceCanonical", "sourceUri"),
            target: either("targetCanonical", "targetUri"),
            groups: groups.map(group).collect(),
        })
    }
}

fn group(value: Value<'_>) -> Group {
    let mut mappings = Vec::new();
    for element in value.get("element").into_iter().flat_map(Value::items) {
        let Some(code) = boxed(element, "code") else { continue };
        for target in element.get("target").into_iter().flat_map(Value::items) {
            let elements = |name| {
                let list = target.get(name).into_iter().flat_map(Value::items);
                list.filter_map(further).collect()
            };
            mappings.push(Mapping {
                code: code.clone(),
                target: boxed(target, "code"),
                display: boxed(target, "display"),
                equivalence: boxed(target, "equivalence").unwrap_or_else(|| "equivalent".into()),
                products: elements("product"),
                depends_on: elements("dependsOn"),
            });
        }
    }
    let unmapped = value.get("unmapped").and_then(|unmapped| {
        Some(match &*unmapped.str_at("mode")? {
            "provided" => Unmapped::Provided,
            "fixed" => Unmapped::Fixed(boxed(unmapped, "code")?, boxed(unmapped, "display")),
            "other-map" => Unmapped::OtherMap(boxed(unmapped, "url")?),
            _ => return None,
        })
    });
    Group { source: shared(value, "source"), target: shared(value, "target"), mappings, unmapped }
}

fn further(value: Value<'_>) -> Option<Element> {
    Some(Element {
        property: boxed(value, "property")?,
        system: boxed(value, "system"),
        value: boxed(value, "value")?,
        display: boxed(value, "display"),
    })
}
