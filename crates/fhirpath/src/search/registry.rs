//! All search parameters of all resource types.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use fhir::Resource;
use fhir::definitions::{SearchParameter, Type, definitions};

use super::definition::Definition;
use super::extract::{Extraction, extract};
use super::{IndexEntry, ParamNumber, ParamType};
use crate::Expr;

/// Parameters that are not published with FHIR are numbered from here on.
pub const FIRST_CUSTOM: ParamNumber = 1_000_000;

/// One search parameter of one resource type.
#[derive(Clone, Debug)]
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
    /// The parts of a composite parameter, in published order.
    pub components: Vec<Component>,
    /// Whether every stored resource has been indexed by it; published ones always are.
    pub ready: bool,
    /// Other parameters of the type that together have exactly the same values: `combo-code` has
    /// those of `code` and `component-code`. An index needs no rows for it. Empty for most.
    pub covered_by: Vec<ParamNumber>,
    pub(super) expression: Option<Cow<'static, str>>,
}

/// One part of a composite parameter.
#[derive(Clone, Debug)]
pub struct Component {
    /// How the part's values are compared.
    pub param_type: ParamType,
    /// The name of the parameter that the part is, where the registry knows it.
    pub code: String,
    /// FHIRPath from the composite's values to the part's.
    pub(super) expression: Cow<'static, str>,
}

/// A definition for one resource type with the number it is known by.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// At least [`FIRST_CUSTOM`]; never used for anything else in the same store.
    pub number: ParamNumber,
    /// One of the definition's types.
    pub resource_type: &'static str,
    /// What it means.
    pub definition: Arc<Definition>,
    /// Whether every stored resource of the type has been indexed by it.
    pub ready: bool,
}

/// The search parameters of FHIR R4, and those that were added.
#[derive(Debug)]
pub struct Registry {
    /// Grouped by resource type, sorted by code within.
    params: Vec<SearchParam>,
    types: HashMap<&'static str, TypeEntry>,
    /// Where the published parameters are in `params`, by number.
    places: Vec<usize>,
    /// The same for the others.
    custom: HashMap<ParamNumber, usize>,
    /// The server's own address, without a slash at its end.
    base: Option<String>,
}

#[derive(Debug)]
struct TypeEntry {
    type_of: &'static Type,
    params: Range<usize>,
    compartment: Vec<ParamNumber>,
    /// Registries share those of types that they have the same parameters for.
    extractions: Arc<Extractions>,
}

/// What is read of the resources of a type; each made when it is first needed.
#[derive(Debug, Default)]
struct Extractions {
    /// All parameters.
    all: OnceLock<Extraction>,
    /// Those that an index has rows for.
    indexed: OnceLock<Extraction>,
    /// Those by which a resource belongs to the compartment of a patient.
    compartment: OnceLock<Extraction>,
}

impl Registry {
    /// The registry of the published parameters of FHIR 4.0.1, made at first use.
    pub fn r4() -> &'static Registry {
        static REGISTRY: OnceLock<Registry> = OnceLock::new();
        REGISTRY.get_or_init(|| Registry::new(&[], None))
    }

    /// The published parameters and others. Of two with one code for one type the published one
    /// counts, else the first. `base` is the address of the server whose resources are indexed
    /// (`https://example.org/fhir`): a reference below it is a reference to its own resource.
    pub fn new(added: &[Numbered], base: Option<&str>) -> Registry {
        let mut registry = Registry {
            params: Vec::new(),
            types: HashMap::new(),
            places: Vec::new(),
            custom: HashMap::new(),
            base: base.map(|base| base.trim_end_matches('/').to_owned()),
        };
        for (type_of, params, extractions) in all_published() {
            let (mut params, mut extractions) = (params.clone(), extractions.clone());
            let others = added.iter().filter(|one| one.resource_type == type_of.name);
            for param in others.map(|one| customised(one, added)) {
                if params.iter().all(|known| known.code != param.code) {
                    params.push(param);
                    extractions = Arc::default();
                }
            }
            params.sort_by(|a, b| a.code.cmp(&b.code));
            registry.add(type_of, params, extractions);
        }
        registry.number();
        registry
    }

    /// The same, as if no resource of a type were indexed yet by any of its parameters.
    pub fn unindexed(mut self, resource_type: &str) -> Registry {
        let range = self.types.get(resource_type).map(|entry| entry.params.clone());
        let params = range.and_then(|range| self.params.get_mut(range)).unwrap_or_default();
        params.iter_mut().for_each(|param| param.ready = false);
        self
    }

    /// The parameter `code` of a resource type.
    pub fn find(&self, resource_type: &str, code: &str) -> Option<&SearchParam> {
        let params = self.of_type(resource_type);
        let at = params.binary_search_by(|param| param.code.as_str().cmp(code)).ok()?;
        params.get(at)
    }

    /// The parameter with a number.
    pub fn by_number(&self, number: ParamNumber) -> Option<&SearchParam> {
        let at = match number {
            FIRST_CUSTOM.. => self.custom.get(&number)?,
            _ => self.places.get(usize::try_from(number).ok()?)?,
        };
        self.params.get(*at)
    }

    /// All parameters of a resource type by code; none for an unknown type.
    pub fn of_type(&self, resource_type: &str) -> &[SearchParam] {
        let entry = self.types.get(resource_type);
        entry.and_then(|entry| self.params.get(entry.params.clone())).unwrap_or_default()
    }

    /// What the resource holds for the parameters of its type, without duplicates, in an order
    /// that depends on the content alone. Empty for a type that FHIR R4 does not have.
    pub fn extract(&self, resource: &Resource) -> Vec<IndexEntry> {
        self.extract_by(resource, |made| &made.all, |_| true)
    }

    /// The same without what an index needs no rows for: `_id`, `_lastUpdated`, and parameters that
    /// others cover, unless they are dates.
    pub fn extract_indexed(&self, resource: &Resource) -> Vec<IndexEntry> {
        self.extract_by(
            resource,
            |made| &made.indexed,
            |param| {
                let covered = !param.covered_by.is_empty() && param.param_type != ParamType::Date;
                !covered && param.code != "_id" && param.code != "_lastUpdated"
            },
        )
    }

    /// The same of those parameters alone by which it belongs to the compartment of a patient.
    pub fn extract_compartment(&self, resource: &Resource) -> Vec<IndexEntry> {
        let params = self.compartment(resource.type_name());
        let is_one = |param: &SearchParam| params.contains(&param.number);
        self.extract_by(resource, |made| &made.compartment, is_one)
    }

    fn extract_by(
        &self,
        resource: &Resource,
        which: impl Fn(&Extractions) -> &OnceLock<Extraction>,
        wanted: impl Fn(&SearchParam) -> bool,
    ) -> Vec<IndexEntry> {
        let Some(entry) = self.types.get(resource.type_name()) else { return Vec::new() };
        let params = self.of_type(resource.type_name());
        let make = || Extraction::new(params.iter().filter(|param| wanted(param)), entry.type_of);
        extract(which(&entry.extractions).get_or_init(make), resource, self)
    }

    /// The parameters that are not published, by number.
    pub fn added(&self) -> Vec<&SearchParam> {
        let mut numbers: Vec<ParamNumber> = self.custom.keys().copied().collect();
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| self.by_number(number)).collect()
    }

    /// Whether both have the same parameters; how far each is indexed does not count. Numbers
    /// stand for meanings, so both must be of one store.
    pub fn says_the_same(&self, other: &Registry) -> bool {
        let numbers = |one: &Registry| -> Vec<ParamNumber> {
            one.added().iter().map(|param| param.number).collect()
        };
        self.base == other.base && numbers(self) == numbers(other)
    }

    /// The parameters by which a resource of this type belongs to the compartment of a patient.
    pub fn compartment(&self, resource_type: &str) -> &[ParamNumber] {
        self.types.get(resource_type).map(|entry| entry.compartment.as_slice()).unwrap_or_default()
    }

    /// The parameters under which an index holds the values of a parameter: itself, unless others
    /// cover it.
    pub fn indexed_as(&self, number: ParamNumber) -> Vec<ParamNumber> {
        let mut found = vec![number];
        while let Some(covered) = found
            .iter()
            .position(|n| self.by_number(*n).is_some_and(|param| !param.covered_by.is_empty()))
        {
            let number = found.swap_remove(covered);
            let param = self.by_number(number);
            found.extend(param.map(|param| param.covered_by.as_slice()).unwrap_or_default());
        }
        found
    }

    /// What stands behind the server's own address; `None` for an address elsewhere.
    pub fn local<'u>(&self, url: &'u str) -> Option<&'u str> {
        url.strip_prefix(self.base.as_deref()?)?.strip_prefix('/')
    }

    fn add(
        &mut self,
        type_of: &'static Type,
        params: Vec<SearchParam>,
        extractions: Arc<Extractions>,
    ) {
        let start = self.params.len();
        let codes = definitions().compartment("Patient").map(|c| c.params(type_of.name));
        let compartment = params
            .iter()
            .filter(|param| codes.is_some_and(|codes| codes.contains(&param.code.as_str())))
            .map(|param| param.number)
            .collect();
        self.params.extend(params);
        let params = start..self.params.len();
        let entry = TypeEntry { type_of, params, compartment, extractions };
        self.types.insert(type_of.name, entry);
    }

    /// Notes where each number is.
    fn number(&mut self) {
        let mut published: Vec<(ParamNumber, usize)> = Vec::new();
        for (at, param) in self.params.iter().enumerate() {
            match param.number {
                FIRST_CUSTOM.. => {
                    self.custom.insert(param.number, at);
                }
                number => published.push((number, at)),
            }
        }
        // Published numbers are dense: each type has the next ones.
        published.sort_unstable();
        self.places = published.into_iter().map(|(_, at)| at).collect();
    }
}

type Published = (&'static Type, Vec<SearchParam>, Arc<Extractions>);

/// The published parameters of every type, made at first use.
fn all_published() -> &'static [Published] {
    static PUBLISHED: OnceLock<Vec<Published>> = OnceLock::new();
    PUBLISHED.get_or_init(|| {
        let mut next = 0;
        let types = fhir::resource_types().iter().filter_map(|name| definitions().get(name));
        types.map(|type_of| (type_of, published(type_of, &mut next), Arc::default())).collect()
    })
}

/// The published parameters of a type; `next` is the next free number.
fn published(type_of: &'static Type, next: &mut ParamNumber) -> Vec<SearchParam> {
    let mut found: Vec<&'static SearchParameter> = definitions()
        .search_parameters()
        .iter()
        .filter(|param| param.base.iter().any(|base| is_base(base, type_of)))
        .collect();
    found.sort_by_key(|param| param.code);
    // Two examples are published under the codes of real parameters, which come first by address.
    found.dedup_by_key(|param| param.code);
    let mut params = Vec::with_capacity(found.len());
    for param in found {
        let Some(param_type) = param_type(param.param_type) else { continue };
        let part = |part: &'static fhir::definitions::Component| {
            component(part.definition, part.expression.into(), &[])
        };
        params.push(SearchParam {
            number: *next,
            resource_type: type_of.name,
            code: param.code.to_owned(),
            url: param.url.to_owned(),
            param_type,
            targets: param.targets.clone(),
            components: param.components.iter().map(part).collect(),
            ready: true,
            covered_by: Vec::new(),
            expression: param.expression.map(Cow::Borrowed),
        });
        *next += 1;
    }
    let branched: Vec<BTreeSet<&str>> = params.iter().map(branches).collect();
    let cover = |at: usize| cover(at, &params, &branched);
    let covers: Vec<Vec<ParamNumber>> = (0..params.len()).map(cover).collect();
    for (param, cover) in params.iter_mut().zip(covers) {
        param.covered_by = cover;
    }
    params
}

/// Parameters whose expressions have, together, exactly the branches of this one's.
fn cover(at: usize, all: &[SearchParam], branched: &[BTreeSet<&str>]) -> Vec<ParamNumber> {
    let (Some(param), Some(wanted)) = (all.get(at), branched.get(at)) else { return Vec::new() };
    let parts = |param: &SearchParam| {
        let part = |c: &Component| (c.param_type, c.expression.clone());
        param.components.iter().map(part).collect::<Vec<_>>()
    };
    let (mut found, mut left) = (Vec::new(), wanted.clone());
    for (other, held) in all.iter().zip(branched) {
        // Of two that say the same the first keeps its rows.
        let smaller = held.len() < wanted.len() || other.number < param.number;
        if other.number != param.number
            && other.param_type == param.param_type
            && !held.is_empty()
            && smaller
            && held.is_subset(wanted)
            && !held.is_disjoint(&left)
            && parts(other) == parts(param)
        {
            left.retain(|branch| !held.contains(branch));
            found.push(other.number);
        }
    }
    if wanted.is_empty() || !left.is_empty() { Vec::new() } else { found }
}

/// The branches of a parameter's expression that are about its type.
fn branches(param: &SearchParam) -> BTreeSet<&str> {
    let expression = param.expression.as_deref().unwrap_or_default();
    let own = |branch: &&str| {
        let start = branch.trim_start_matches('(').strip_prefix(param.resource_type);
        start.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    let branches = expression.split('|').map(str::trim);
    branches.filter(own).collect()
}

fn customised(one: &Numbered, added: &[Numbered]) -> SearchParam {
    let Numbered { number, resource_type, definition, ready } = one;
    let part =
        |(url, expression): &(String, String)| component(url, expression.clone().into(), added);
    SearchParam {
        number: *number,
        resource_type,
        code: definition.code.clone(),
        url: definition.url.clone(),
        param_type: definition.param_type,
        targets: definition.targets.clone(),
        components: definition.components.iter().map(part).collect(),
        ready: *ready,
        covered_by: Vec::new(),
        expression: Some(definition.expression.clone().into()),
    }
}

/// A part is compared as the parameter is that it names; a text where nobody knows that.
fn component(url: &str, expression: Cow<'static, str>, added: &[Numbered]) -> Component {
    let all = definitions().search_parameters();
    let published = all.iter().find(|param| param.url == url);
    let other = added.iter().map(|one| &one.definition).find(|one| one.url == url);
    // The parts of `DocumentReference.relatesTo` are published with their definitions exchanged.
    let exchanged = match (url.rsplit('/').next(), expression.as_ref()) {
        (Some("DocumentReference-relatesto"), "code") => Some((ParamType::Token, "relation")),
        (Some("DocumentReference-relation"), "target") => Some((ParamType::Reference, "relatesto")),
        _ => None,
    };
    if let Some((param_type, code)) = exchanged {
        return Component { param_type, code: code.to_owned(), expression };
    }
    let (found, code) = match (published, other) {
        (Some(found), _) => (param_type(found.param_type), found.code),
        (None, Some(found)) => (Some(found.param_type), found.code.as_str()),
        (None, None) => (None, ""),
    };
    Component { param_type: found.unwrap_or(ParamType::String), code: code.to_owned(), expression }
}

impl SearchParam {
    /// The parameter's expression; `None` for those that are published without, which have a
    /// logic of their own.
    pub(super) fn parsed(&self) -> Option<Expr> {
        Expr::parse(self.expression.as_deref()?).ok()
    }
}

pub(super) fn is_base(base: &str, type_of: &Type) -> bool {
    definitions().get(base).is_some_and(|base| type_of.is_a(base.id))
}

pub(super) fn param_type(code: &str) -> Option<ParamType> {
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
