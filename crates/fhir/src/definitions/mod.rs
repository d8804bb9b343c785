//! The published definitions of FHIR R4: types, search parameters and compartments.
//!
//! `cargo xtask codegen` packs them out of the package `hl7.fhir.r4.core`; the pack is part of the
//! program and is decoded once, at first use. All of it lives as long as the program, so texts and
//! types are handed out as `'static`.

mod load;
mod rows;
mod types;

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

pub use load::InvalidPack;
pub use types::{
    Binding, Constraint, Element, ElementType, Kind, Severity, Strength, System, Type, TypeId,
};

static PACK: &[u8] = include_bytes!("../../definitions/r4.pack.zst");

/// All definitions.
#[derive(Debug)]
pub struct Definitions {
    version: &'static str,
    types: Vec<Type>,
    by_name: HashMap<&'static str, TypeId>,
    resource_types: Vec<&'static str>,
    search_parameters: Vec<SearchParameter>,
    compartments: Vec<Compartment>,
}

/// A published SearchParameter.
#[derive(Debug)]
pub struct SearchParameter {
    /// Canonical address.
    pub url: &'static str,
    /// The name used in a search.
    pub code: &'static str,
    /// Types it is defined on; `Resource` and `DomainResource` stand for all of theirs. Empty for
    /// the few parameters that were published without.
    pub base: Vec<&'static str>,
    /// The code of `SearchParameter.type`: `token` for example.
    pub param_type: &'static str,
    /// FHIRPath from a resource to the values.
    pub expression: Option<&'static str>,
    /// Resource types that a reference may point to.
    pub targets: Vec<&'static str>,
    /// Prefixes that are published as supported.
    pub comparators: Vec<&'static str>,
    /// Modifiers that are published as supported.
    pub modifiers: Vec<&'static str>,
    /// Whether several values may be given, separated by commas, where that is published.
    pub multiple_or: Option<bool>,
    /// Whether the parameter may be repeated, where that is published.
    pub multiple_and: Option<bool>,
    /// The parts of a composite parameter.
    pub components: Vec<Component>,
}

/// One part of a composite parameter.
#[derive(Debug)]
pub struct Component {
    /// Canonical address of the SearchParameter that the part is.
    pub definition: &'static str,
    /// FHIRPath from the composite's values to the values of the part.
    pub expression: &'static str,
}

/// Which resources belong to a compartment, and by which of their search parameters.
#[derive(Debug)]
pub struct Compartment {
    code: &'static str,
    resources: BTreeMap<&'static str, Vec<&'static str>>,
}

/// The definitions of FHIR 4.0.1.
#[expect(clippy::expect_used, reason = "the pack is part of the program and a test decodes it")]
pub fn definitions() -> &'static Definitions {
    static DEFINITIONS: OnceLock<Definitions> = OnceLock::new();
    DEFINITIONS.get_or_init(|| load::load(PACK).expect("the definitions pack is sound"))
}

/// The resource type `name`, interned; `None` when FHIR R4 has no such type that a resource can
/// have (so also for `Resource` and `DomainResource`).
pub fn resource_type(name: &str) -> Option<&'static str> {
    definitions().get(name).filter(|t| t.is_concrete_resource()).map(|t| t.name)
}

/// The resource types that a resource can have, by name.
pub fn resource_types() -> &'static [&'static str] {
    &definitions().resource_types
}

impl Definitions {
    /// The version of FHIR, `4.0.1`.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// The type `name`: a resource type, a data type, or the path of a nested element that has a
    /// structure of its own, such as `Patient.contact`.
    pub fn get(&self, name: &str) -> Option<&Type> {
        self.by_name.get(name).map(|&id| self.by_id(id))
    }

    /// The type with an id that these definitions gave out.
    pub fn by_id(&self, id: TypeId) -> &Type {
        &self.types[usize::from(id.0)]
    }

    /// All types.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// All published search parameters, by address.
    pub fn search_parameters(&self) -> &[SearchParameter] {
        &self.search_parameters
    }

    /// The compartment with a code: `Patient`, `Practitioner`, `RelatedPerson`, `Device` or
    /// `Encounter`.
    pub fn compartment(&self, code: &str) -> Option<&Compartment> {
        self.compartments.iter().find(|compartment| compartment.code == code)
    }
}

impl Compartment {
    /// Type of the resource that the compartment is about.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Every resource type with the codes of the search parameters by which its resources are in
    /// the compartment; without codes where they never are.
    pub fn resources(&self) -> impl Iterator<Item = (&'static str, &[&'static str])> {
        self.resources.iter().map(|(&name, codes)| (name, codes.as_slice()))
    }

    /// The codes for one resource type.
    pub fn params(&self, resource_type: &str) -> &[&'static str] {
        self.resources.get(resource_type).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_all_that_is_published() {
        let all = definitions();
        assert_eq!(all.version(), "4.0.1");
        assert_eq!(resource_types().len(), 146);
        assert_eq!(all.search_parameters().len(), 1400);
        assert_eq!(resource_type(&String::from("Patient")), Some("Patient"));
        for other in ["patient", "HumanName", "DomainResource", "Patient.contact", ""] {
            assert_eq!(resource_type(other), None, "{other}");
        }
        let patient = all.compartment("Patient").unwrap();
        assert_eq!(patient.params("Observation"), ["subject", "performer"]);
        assert_eq!(patient.params("Organization"), [] as [&str; 0]);
    }

    /// Writes what an element of a type is: members and the types behind them.
    fn shown(type_name: &str, element: &str) -> String {
        let owner = definitions().get(type_name).unwrap();
        let element = owner.element(element).unwrap();
        let max = element.max.map_or("*".into(), |max| max.to_string());
        let mut out = format!("{} {}..{max}", element.path, element.min);
        for choice in &element.types {
            assert_eq!(owner.member(choice.member).unwrap().0.path, element.path);
            out += &format!(" {}:{}", choice.member, choice.name());
            for target in &choice.targets {
                out += &format!(">{target}");
            }
        }
        out
    }

    #[test]
    fn knows_elements_and_their_types() {
        for (owner, element, expected) in [
            ("Patient", "id", "Patient.id 0..1 id:id"),
            ("Patient", "contact", "Patient.contact 0..* contact:Patient.contact"),
            ("Patient.contact", "name", "Patient.contact.name 0..1 name:HumanName"),
            (
                "Patient",
                "deceased",
                "Patient.deceased[x] 0..1 deceasedBoolean:boolean deceasedDateTime:dateTime",
            ),
            (
                "Patient.link",
                "other",
                "Patient.link.other 1..1 other:Reference>Patient>RelatedPerson",
            ),
            ("Questionnaire.item", "item", "Questionnaire.item.item 0..* item:Questionnaire.item"),
            (
                "Observation.component",
                "referenceRange",
                "Observation.component.referenceRange 0..* referenceRange:Observation.referenceRange",
            ),
            ("Bundle.entry", "resource", "Bundle.entry.resource 0..1 resource:Resource"),
            ("Timing", "repeat", "Timing.repeat 0..1 repeat:Timing.repeat"),
            ("Extension", "url", "Extension.url 1..1 url:uri"),
        ] {
            assert_eq!(shown(owner, element), expected);
        }
    }

    #[test]
    fn knows_what_is_a_kind_of_what() {
        let all = definitions();
        for (name, ancestors) in [
            ("Patient", "DomainResource Resource"),
            ("Bundle", "Resource"),
            ("Age", "Quantity Element"),
            ("positiveInt", "integer Element"),
            ("canonical", "uri Element"),
            ("Patient.contact", "BackboneElement Element"),
            ("Timing", "BackboneElement Element"),
            ("Timing.repeat", "Element"),
        ] {
            let found: Vec<_> = all.get(name).unwrap().ancestors().map(|t| t.name).collect();
            assert_eq!(found.join(" "), ancestors, "{name}");
        }
    }

    #[test]
    fn keeps_constraints_and_bindings() {
        let all = definitions();
        let contact = all.get("Patient").unwrap().element("contact").unwrap();
        assert!(contact.constraints.iter().any(|c| c.key == "pat-1"));
        let gender = all.get("Patient").unwrap().element("gender").unwrap();
        let binding = gender.binding.as_ref().unwrap();
        assert_eq!(binding.strength, Strength::Required);
        assert!(
            binding.value_set.starts_with("http://hl7.org/fhir/ValueSet/administrative-gender")
        );
        assert!(all.get("code").unwrap().regex.is_some());
    }

    #[test]
    fn damaged_packs_are_refused() {
        for text in ["", "[]", "{}", "{\"fhirVersion\":\"4.0.1\",\"types\":[{}]}"] {
            let pack = zstd::encode_all(text.as_bytes(), 1).unwrap();
            assert!(load::load(&pack).is_err(), "{text}");
        }
        assert!(load::load(b"no zstd").is_err());
    }
}
