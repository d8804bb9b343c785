//! All search parameters of all resource types.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use fhir::Resource;
use fhir::definitions::{SearchParameter, Type, definitions};

use super::extract::{Extraction, extract};
use super::{IndexEntry, ParamNumber, ParamType};
use crate::Expr;

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
    /// Resource types that a reference may point to; empty where any may be meant.
    pub targets: Vec<&'static str>,
    pub(super) expression: Option<&'static str>,
}

/// The search parameters of FHIR R4.
#[derive(Debug)]
pub struct Registry {
    /// Grouped by resource type, sorted by code within.
    params: Vec<SearchParam>,
    types: HashMap<&'static str, TypeEntry>,
}

#[derive(Debug)]
struct TypeEntry {
    type_of: &'static Type,
    params: Range<usize>,
    compartment: Vec<ParamNumber>,
    /// Made when the first resource of the type comes.
    extraction: OnceLock<Extraction>,
}

impl Registry {
    /// The registry of the published parameters of FHIR 4.0.1, made at first use.
    pub fn r4() -> &'static Registry {
        static REGISTRY: OnceLock<Registry> = OnceLock::new();
        REGISTRY.get_or_init(Registry::published)
    }

    /// The parameter `code` of a resource type.
    pub fn find(&self, resource_type: &str, code: &str) -> Option<&SearchParam> {
        let params = self.of_type(resource_type);
        let at = params.binary_search_by(|param| param.code.as_str().cmp(code)).ok()?;
        params.get(at)
    }

    /// The parameter with a number.
    pub fn by_number(&self, number: ParamNumber) -> Option<&SearchParam> {
        self.params.get(usize::try_from(number).ok()?)
    }

    /// All parameters of a resource type by code; none for an unknown type.
    pub fn of_type(&self, resource_type: &str) -> &[SearchParam] {
        let entry = self.types.get(resource_type);
        entry.and_then(|entry| self.params.get(entry.params.clone())).unwrap_or_default()
    }

    /// What the resource holds for the parameters of its type, without duplicates, in an order
    /// that depends only on its content. Nothing for an unknown type.
    ///
    /// Contained resources are not looked into; references to them produce no entries.
    pub fn extract(&self, resource: &Resource) -> Vec<IndexEntry> {
        let Some(entry) = self.types.get(resource.type_name()) else { return Vec::new() };
        let params = self.of_type(resource.type_name());
        let plan = entry.extraction.get_or_init(|| Extraction::new(params, entry.type_of));
        extract(plan, resource)
    }

    /// The parameters by which a resource of this type belongs to the compartment of a patient.
    pub fn compartment(&self, resource_type: &str) -> &[ParamNumber] {
        self.types.get(resource_type).map(|entry| entry.compartment.as_slice()).unwrap_or_default()
    }

    fn published() -> Registry {
        let mut registry = Registry { params: Vec::new(), types: HashMap::new() };
        for &name in fhir::resource_types() {
            if let Some(type_of) = definitions().get(name) {
                registry.add(type_of);
            }
        }
        registry
    }

    fn add(&mut self, type_of: &'static Type) {
        let mut published: Vec<&'static SearchParameter> = definitions()
            .search_parameters()
            .iter()
            .filter(|param| param.base.iter().any(|base| is_base(base, type_of)))
            .collect();
        published.sort_by_key(|param| param.code);
        // Two examples are published under the codes of real parameters, which come first by
        // address.
        published.dedup_by_key(|param| param.code);
        let start = self.params.len();
        for param in published {
            // A number has room for a thousand times as many parameters as there are.
            let Ok(number) = ParamNumber::try_from(self.params.len()) else { return };
            let Some(param_type) = param_type(param.param_type) else { continue };
            self.params.push(SearchParam {
                number,
                resource_type: type_of.name,
                code: param.code.to_owned(),
                url: param.url.to_owned(),
                param_type,
                targets: param.targets.clone(),
                expression: param.expression,
            });
        }
        let params = start..self.params.len();
        let codes = definitions().compartment("Patient").map(|c| c.params(type_of.name));
        let compartment = self
            .params
            .iter()
            .skip(start)
            .filter(|param| codes.is_some_and(|codes| codes.contains(&param.code.as_str())))
            .map(|param| param.number)
            .collect();
        let entry = TypeEntry { type_of, params, compartment, extraction: OnceLock::new() };
        self.types.insert(type_of.name, entry);
    }
}

impl SearchParam {
    /// The parameter's expression; `None` for those that are published without, which have a
    /// logic of their own.
    pub(super) fn parsed(&self) -> Option<Expr> {
        Expr::parse(self.expression?).ok()
    }
}

fn is_base(base: &str, type_of: &Type) -> bool {
    definitions().get(base).is_some_and(|base| type_of.is_a(base.id))
}

fn param_type(code: &str) -> Option<ParamType> {
    Some(match code {
        "number" => ParamType::Number,
        "date" => ParamType::Date,
        "string" => ParamType::String,
        "token" => ParamType::Token,
        "reference" => ParamType::Reference,
        "composite" => ParamType::Composite,
        "quantity" => ParamType::Quantity,
        "uri" => ParamType::Uri,
        "special" => ParamType::Special,
        _ => return None,
    })
}
