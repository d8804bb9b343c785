//! What a permit reaches: all of this institution, one patient's compartment, or what a person has
//! allowed an app to touch, without what patients have withheld from the caller. The one place where a scope becomes a filter of a search and a test of
//! a resource, so that every door confines in the same way.

use std::sync::Arc;

use fhir::{Id, Resource};
use fhirpath::search::Registry;
use oauth::{Level, Permission, Permissions, ResourceScope};
use store::StoreError;
use store::query::{Candidate, Filter, Links, Parser, Query, compartment};

use super::needs::Needs;
use super::withheld::Withheld;
use crate::caller::Granted;
use crate::records::patients_of;

/// Parameters of every type that may narrow a scope, beside those of the type.
const OF_ALL: [&str; 5] = ["_id", "_lastUpdated", "_tag", "_profile", "_security"];

/// What a permit reaches.
#[derive(Clone, Debug)]
pub struct Scope {
    own: Option<Id>,
    only: Option<Only>,
    limits: Option<Limits>,
    withheld: Option<Arc<Withheld>>,
}

/// Which Persons somebody reaches who does not reach all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Only {
    /// This one.
    Person(Id),
    /// Those of accounts, which have an identifier of this system.
    Accounts {
        /// The system.
        system: String,
    },
}

impl Only {
    fn filter(&self, registry: &Registry, kind: &'static str) -> Filter {
        match self {
            _ if kind != "Person" => nothing(),
            Self::Person(id) => Filter::Id(vec![id.to_string()]),
            Self::Accounts { system } => {
                let params = [("identifier".to_owned(), format!("{system}|"))];
                let parsed = Parser::new(registry).parse(kind, &params);
                parsed.map_or_else(|_| nothing(), |parsed| Filter::All(parsed.query.filters))
            }
        }
    }

    fn holds(&self, resource: &Resource) -> bool {
        let id = resource.id().filter(|_| resource.type_name() == "Person");
        id.is_some_and(|id| match self {
            Self::Person(own) => id == *own,
            Self::Accounts { .. } => crate::accounts::kept::is_own("Person", id.as_str()),
        })
    }
}

/// What an app's token leaves of it.
#[derive(Clone, Debug)]
struct Limits {
    granted: Arc<Granted>,
    registry: Arc<Registry>,
    /// Scopes count that allow at least one of these.
    any: Permissions,
    /// Whether all resources of the type asked about are reached.
    is_unlimited: bool,
    /// Whether everything may be done with everything.
    is_whole: bool,
}

impl Scope {
    /// Everything at this institution.
    pub(super) fn all() -> Self {
        Self { own: None, only: None, limits: None, withheld: None }
    }

    /// What is in one patient's compartment.
    pub(super) fn patient(own: Id) -> Self {
        Self { own: Some(own), only: None, limits: None, withheld: None }
    }

    /// The same of some Persons alone.
    pub(super) fn only(self, only: Only) -> Self {
        Self { only: Some(only), ..self }
    }

    /// The same without what patients have withheld from the caller.
    pub(super) fn without(self, withheld: Option<Arc<Withheld>>) -> Self {
        Self { withheld, ..self }
    }

    /// The same, cut down to what was granted to an app; `None` where nothing is left that `needs`
    /// names.
    pub(super) fn granted(
        self,
        granted: &Arc<Granted>,
        registry: Arc<Registry>,
        needs: Needs,
    ) -> Option<Self> {
        let (any, is_unlimited) = match needs {
            Needs::Person => return None,
            Needs::Some(kind, any) => {
                alternatives(granted, kind, any).next()?;
                (any, gives_all(granted, kind, any))
            }
            Needs::Somewhere(letter) => {
                let any = Permissions::NONE.with(letter);
                let gives = |kind: &&&str| alternatives(granted, kind, any).next().is_some();
                fhir::resource_types().iter().find(gives)?;
                (any, gives_all(granted, "*", any))
            }
            Needs::All(kind, all) => {
                if !gives_all(granted, kind, all) {
                    return None;
                }
                (all, true)
            }
            Needs::Export => (Permissions::READ, false),
        };
        let is_whole = gives_all(granted, "*", Permissions::ALL);
        let granted = granted.clone();
        let limits = Limits { granted, registry, any, is_unlimited, is_whole };
        let scope = Self { limits: Some(limits), ..self };
        let exports = || fhir::resource_types().iter().any(|kind| scope.gives_all_of(kind));
        match needs {
            Needs::Export if !exports() => None,
            _ => Some(scope),
        }
    }

    /// The patient whose record is all that the account may see, where it is a patient's.
    pub fn own(&self) -> Option<&Id> {
        self.own.as_ref()
    }

    /// Whether it reaches every resource of the type that was asked about.
    pub(super) fn is_unlimited(&self) -> bool {
        let granted = self.limits.as_ref().is_none_or(|limits| limits.is_unlimited);
        granted && self.own.is_none() && self.only.is_none() && self.withheld.is_none()
    }

    /// Whether it reaches everything at this institution, whatever is done with it.
    pub(super) fn is_whole(&self) -> bool {
        let granted = self.limits.as_ref().is_none_or(|limits| limits.is_whole);
        granted && self.own.is_none() && self.only.is_none() && self.withheld.is_none()
    }

    /// Whether it is an app's and reaches a part only.
    pub(crate) fn is_an_apps(&self) -> bool {
        self.limits.is_some()
    }

    /// Whether single resources of what the account may see are outside, so that each one has to
    /// be tested.
    pub(crate) fn is_by_item(&self) -> bool {
        self.limits.is_some() || self.only.is_some() || self.withheld.is_some()
    }

    /// What patients have withheld from the caller.
    pub(crate) fn withheld(&self) -> Option<&Arc<Withheld>> {
        self.withheld.as_ref()
    }

    /// Whether every resource of `kind` that the account may see may be read and searched: for
    /// doors that cannot test each resource.
    pub(crate) fn gives_all_of(&self, kind: &str) -> bool {
        let Some(limits) = &self.limits else { return true };
        [Permission::Read, Permission::Search].into_iter().all(|letter| {
            let any = Permissions::NONE.with(letter);
            alternatives(&limits.granted, kind, any).any(|scope| {
                let own = self.own.is_some() && self.own == limits.granted.patient;
                scope.params.is_empty() && (scope.level != Level::Patient || own)
            })
        })
    }

    /// What a search for `kind` is to be narrowed by, all of them together.
    pub(crate) fn filters(&self, registry: &Registry, kind: &'static str) -> Vec<Filter> {
        let mut filters = self.linked_filters(registry, kind);
        filters.extend(self.only_filter(registry, kind));
        if let Some(own) = &self.own
            && compartment(registry, "Patient", own, kind).is_none()
        {
            filters.push(nothing());
        }
        filters
    }

    /// What a search for Persons is narrowed by, where some of them alone are reached.
    pub(crate) fn only_filter(&self, registry: &Registry, kind: &'static str) -> Option<Filter> {
        self.only.as_ref().map(|only| only.filter(registry, kind))
    }

    /// The same for resources that a search goes by way of: those of no patient's count, where the
    /// account may search their type.
    pub(crate) fn linked_filters(&self, registry: &Registry, kind: &'static str) -> Vec<Filter> {
        let mut filters = Vec::new();
        if let Some(withheld) = &self.withheld {
            filters.extend(withheld.filters(registry, kind));
        }
        if let Some(own) = &self.own {
            filters.extend(compartment(registry, "Patient", own, kind));
        }
        if let Some(limits) = &self.limits {
            let mut some = Vec::new();
            for scope in alternatives(&limits.granted, kind, limits.any) {
                match limits.filters_of(registry, kind, scope) {
                    Some(all) if all.is_empty() => return filters,
                    Some(all) => some.push(Filter::All(all)),
                    None => {}
                }
            }
            filters.push(Filter::Any(some));
        }
        filters
    }

    /// Whether a resource is inside.
    pub(crate) fn holds(&self, resource: &Resource) -> bool {
        self.withheld.as_ref().is_none_or(|withheld| withheld.lets(resource))
            && self.only.as_ref().is_none_or(|only| only.holds(resource))
            && self.was_granted(resource)
    }

    /// Whether a resource that the caller brings may be written as it is.
    pub(crate) fn takes(&self, resource: &Resource) -> bool {
        self.withheld.as_ref().is_none_or(|withheld| withheld.lets_write(resource))
            && self.was_granted(resource)
    }

    fn was_granted(&self, resource: &Resource) -> bool {
        let patients = match (&self.own, &self.limits) {
            (None, None) => return true,
            _ => patients_of(resource),
        };
        if self.own.as_ref().is_some_and(|own| !patients.contains(own)) {
            return false;
        }
        let Some(limits) = &self.limits else { return true };
        let Some(kind) = fhir::resource_type(resource.type_name()) else { return false };
        alternatives(&limits.granted, kind, limits.any).any(|scope| {
            let of_patient = scope.level != Level::Patient
                || limits.granted.patient.as_ref().is_some_and(|one| patients.contains(one));
            of_patient && limits.matches(kind, scope, resource)
        })
    }
}

impl Limits {
    /// What one scope narrows a search by; `None` where it gives nothing.
    fn filters_of(
        &self,
        registry: &Registry,
        kind: &'static str,
        scope: &ResourceScope,
    ) -> Option<Vec<Filter>> {
        let mut filters = narrowing(registry, kind, scope)?;
        if scope.level == Level::Patient {
            let patient = self.granted.patient.as_ref()?;
            filters.push(compartment(registry, "Patient", patient, kind)?);
        }
        Some(filters)
    }

    /// Whether a resource matches the parameters of a scope.
    fn matches(&self, kind: &'static str, scope: &ResourceScope, resource: &Resource) -> bool {
        if scope.params.is_empty() {
            return true;
        }
        let Some(filters) = narrowing(&self.registry, kind, scope) else { return false };
        let entries = self.registry.extract(resource);
        let id = resource.id();
        let changed = resource.root().get("meta").and_then(|meta| meta.str_at("lastUpdated"));
        let changed = changed.and_then(|text| fhir::time::parse(&text));
        let candidate = Candidate {
            resource_type: kind,
            id: id.as_ref().map_or("", Id::as_str),
            last_updated_ms: changed.map_or(i64::MIN, |range| range.start_ms),
            entries: &entries,
            text: resource.text(),
        };
        filters.iter().all(|filter| filter.holds(candidate, &mut NoLinks).unwrap_or(false))
    }
}

/// The scopes of a grant that allow at least one of `any` with resources of `kind`.
fn alternatives<'a>(
    granted: &'a Granted,
    kind: &'a str,
    any: Permissions,
) -> impl Iterator<Item = &'a ResourceScope> {
    let has_patient = granted.patient.is_some();
    granted
        .scopes
        .allowing(kind, any)
        .filter(move |scope| scope.level != Level::Patient || has_patient)
}

/// Whether each of `all` is allowed with every resource of a type.
fn gives_all(granted: &Granted, kind: &str, all: Permissions) -> bool {
    Permission::ALL.into_iter().filter(|letter| all.has(*letter)).all(|letter| {
        alternatives(granted, kind, Permissions::NONE.with(letter))
            .any(|scope| scope.level != Level::Patient && scope.params.is_empty())
    })
}

/// The filters that the parameters of a scope stand for. `None` for what this node cannot honour
/// on every door: results' parameters, ways over other resources, and unknown names.
fn narrowing(
    registry: &Registry,
    kind: &'static str,
    scope: &ResourceScope,
) -> Option<Vec<Filter>> {
    if scope.params.is_empty() {
        return Some(Vec::new());
    }
    let known = |name: &str| OF_ALL.contains(&name) || registry.find(kind, name).is_some();
    if !scope.params.iter().all(|(name, _)| known(name)) {
        return None;
    }
    let parsed = Parser::new(registry).parse(kind, &scope.params).ok()?;
    let filters = parsed.query.filters;
    (!filters.is_empty() && !filters.iter().any(Filter::has_links)).then_some(filters)
}

/// Whether this node can keep to a scope on every door.
pub(crate) fn is_honoured(registry: &Registry, scope: &ResourceScope) -> bool {
    match scope.kind {
        Some(kind) => narrowing(registry, kind, scope).is_some(),
        None => scope.params.is_empty(),
    }
}

/// Matches nothing.
fn nothing() -> Filter {
    Filter::Any(Vec::new())
}

/// For filters without links.
struct NoLinks;

impl Links for NoLinks {
    fn leads_to(&mut self, _: &str, _: &str, _: &Query) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn is_referred_to(
        &mut self,
        _: &'static str,
        _: &str,
        _: fhirpath::search::ParamNumber,
        _: &Query,
    ) -> Result<bool, StoreError> {
        Ok(false)
    }
}
