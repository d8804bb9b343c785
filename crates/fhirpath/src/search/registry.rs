//! All search parameters of all resource types.

use std::sync::OnceLock;

use super::{IndexEntry, ParamNumber, ParamType};

/// One search parameter of one resource type.
#[derive(Debug)]
pub struct SearchParam {
    /// Number within the registry.
    pub number: ParamNumber,
    /// The concrete resource type; parameters of `Resource` and `DomainResource` exist once for
    /// every type.
    pub resource_type: &'static str,
    /// The name used in a search, `birthdate` for example.
    pub code: String,
    /// Canonical address of the SearchParameter.
    pub url: String,
    /// How values are compared.
    pub param_type: ParamType,
    /// Resource types a reference may point to; empty where any may be meant.
    pub targets: Vec<&'static str>,
}

/// The search parameters of FHIR R4.
#[derive(Debug)]
pub struct Registry {
    params: Vec<SearchParam>,
}

impl Registry {
    /// The registry of the published parameters of FHIR 4.0.1, made at first use.
    pub fn r4() -> &'static Registry {
        static REGISTRY: OnceLock<Registry> = OnceLock::new();
        REGISTRY.get_or_init(|| Registry { params: Vec::new() })
    }

    /// The parameter `code` of a resource type.
    pub fn find(&self, resource_type: &str, code: &str) -> Option<&SearchParam> {
        self.of_type(resource_type).find(|param| param.code == code)
    }

    /// The parameter with a number.
    pub fn by_number(&self, number: ParamNumber) -> Option<&SearchParam> {
        self.params.get(number as usize)
    }

    /// All parameters of a resource type by code; none for an unknown type.
    pub fn of_type(&self, resource_type: &str) -> impl Iterator<Item = &SearchParam> {
        let resource_type = resource_type.to_owned();
        self.params.iter().filter(move |param| param.resource_type == resource_type)
    }

    /// What the resource holds for the parameters of its type, without duplicates, in an order
    /// that depends only on its content. Nothing for an unknown type.
    pub fn extract(&self, _resource: &fhir::Resource) -> Vec<IndexEntry> {
        Vec::new()
    }

    /// The parameters by which a resource of this type belongs to the compartment of a patient.
    pub fn compartment(&self, _resource_type: &str) -> &[ParamNumber] {
        &[]
    }
}
