//! Compartments: everything about a patient, an encounter, a device, a practitioner or a related
//! person (FHIR R4 CompartmentDefinition).

use fhir::Id;
use fhir::definitions::definitions;
use fhirpath::search::Registry;

use super::{Filter, ReferenceTest, Test};

/// The types of which resources may be in the compartment of a `centre`; `None` where there is no
/// compartment of that type.
pub fn is_in_compartment(centre: &str) -> Option<Vec<&'static str>> {
    let found = definitions().compartment(centre)?;
    let of_type = |(name, codes): (&'static str, &[&'static str])| {
        (!codes.is_empty() || name == centre).then_some(name)
    };
    Some(found.resources().filter_map(of_type).collect())
}

/// What is true of those resources of a type that are in the compartment of `centre/id`. `None`
/// where there is no such compartment or the type has no part in it.
pub fn compartment(
    registry: &Registry,
    centre: &str,
    id: &Id,
    resource_type: &str,
) -> Option<Filter> {
    let found = definitions().compartment(centre)?;
    let mut any = Vec::new();
    for code in found.params(resource_type) {
        // The definition of a compartment names itself as `{def}`.
        if let Some(param) = registry.find(resource_type, code) {
            let test =
                ReferenceTest::Local { resource_type: Some(centre.to_owned()), id: id.to_string() };
            let tests = vec![Test::Reference(test)];
            any.push(Filter::Param { param: param.number, tests, negated: false });
        }
    }
    if resource_type == centre {
        any.push(Filter::Id(vec![id.to_string()]));
    }
    (!any.is_empty()).then_some(Filter::Any(any))
}
