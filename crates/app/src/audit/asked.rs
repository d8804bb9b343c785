//! What a patient may look for in the audit: whether an entry matches tells what is in it, and parts
//! of entries are hidden from the patients whom they are about ([`super::redact`]).

use fhir::Id;
use fhirpath::search::{ParamNumber, Registry};
use store::query::{Filter, Query, ReferenceTest, SortBy, Test};

use crate::{Error, Kind, Result};

/// Parameters that ask for what is hidden in no entry.
const OPEN: [&str; 5] = ["action", "date", "outcome", "subtype", "type"];
/// The parameter by which the patient may be named again.
const PATIENT: &str = "patient";

/// Whether the patient `own` may search the audit like this.
///
/// Errors: [`Kind::Forbidden`].
pub(crate) fn may_ask(registry: &Registry, own: &Id, query: &Query) -> Result<()> {
    let asked = Asked { registry, own };
    let sorted = query.sort.iter().all(|sort| match sort.by {
        SortBy::Id | SortBy::LastUpdated => true,
        SortBy::Param(number) => asked.is_open(number),
    });
    if sorted && query.filters.iter().all(|filter| asked.may_filter(filter)) {
        return Ok(());
    }
    Err(forbidden())
}

fn forbidden() -> Error {
    let message = "patients search and sort the audit by `_id`, `_lastUpdated`, `action`, `date`, \
                   `outcome`, `subtype`, `type` and by `patient` with their own id, not by anything else";
    Error::new(Kind::Forbidden, message)
}

/// Whether a patient may ask which resources entries of the audit refer to by the parameter `number`.
///
/// Errors: [`Kind::Forbidden`].
pub(crate) fn may_follow(registry: &Registry, number: ParamNumber) -> Result<()> {
    match registry.by_number(number).is_some_and(|param| param.code == PATIENT) {
        true => Ok(()),
        false => Err(forbidden()),
    }
}

struct Asked<'a> {
    registry: &'a Registry,
    own: &'a Id,
}

impl Asked<'_> {
    fn is_open(&self, number: ParamNumber) -> bool {
        self.registry.by_number(number).is_some_and(|param| OPEN.contains(&param.code.as_str()))
    }

    fn is_patient(&self, number: ParamNumber) -> bool {
        may_follow(self.registry, number).is_ok()
    }

    fn may_filter(&self, filter: &Filter) -> bool {
        match filter {
            Filter::Id(_) | Filter::LastUpdated(_) => true,
            Filter::Param { param, tests, .. } => {
                self.is_open(*param)
                    || self.is_patient(*param) && tests.iter().all(|test| self.is_own(test))
            }
            Filter::Missing { param, .. } => self.is_open(*param),
            Filter::All(filters) | Filter::Any(filters) => {
                filters.iter().all(|filter| self.may_filter(filter))
            }
            Filter::Not(filter) => self.may_filter(filter),
            Filter::Chain { .. }
            | Filter::Has { .. }
            | Filter::Narrative(_)
            | Filter::Content(_) => false,
        }
    }

    fn is_own(&self, test: &Test) -> bool {
        match test {
            Test::Reference(ReferenceTest::Local { resource_type, id, .. }) => {
                resource_type.as_deref().is_none_or(|kind| kind == "Patient")
                    && *id == self.own.as_str()
            }
            _ => false,
        }
    }
}
