//! The lists of codes that a search asks for: `:in` and `:not-in` a value set, `:below` and
//! `:above` a code.

use std::sync::Arc;

use fhir::Id;
use store::query::{Code, Terms, TermsError};
use terminology::{Entry, Error as Reason, Expand, Expansion, Terminology, ValueSet};

use super::{ask, current, stored};
use crate::{App, Caller};

/// The terminology that a caller's searches may ask. Nothing is looked up before it is asked.
pub struct Lists<'a> {
    app: &'a App,
    /// `None` for the node itself.
    caller: Option<&'a Caller>,
}

impl<'a> Lists<'a> {
    /// For the searches of a caller.
    pub fn new(app: &'a App, caller: &'a Caller) -> Self {
        Self { app, caller: Some(caller) }
    }

    /// For searches that the node makes for itself.
    pub fn of_node(app: &'a App) -> Self {
        Self { app, caller: None }
    }

    fn known(&self, resource_type: &str) -> crate::Result<Arc<Terminology>> {
        match self.caller {
            Some(caller) => ask(self.app, caller, resource_type),
            None => current(self.app),
        }
    }

    fn of_systems(&self) -> Result<Arc<Terminology>, TermsError> {
        self.known("CodeSystem").map_err(|_| TermsError::UnknownCode)
    }

    fn expansion(&self, value_set: &str, wanted: &Expand) -> Result<Expansion, TermsError> {
        let unknown = TermsError::UnknownValueSet;
        let Some(id) = value_set.strip_prefix("ValueSet/") else {
            let terms = self.known("ValueSet").map_err(|_| unknown)?;
            return terms.expand(value_set, wanted).map_err(|e| reason(&e));
        };
        let id = Id::new(id).map_err(|_| unknown)?;
        // A set by its id is one that somebody stored, whom the node does not know.
        let caller = self.caller.ok_or(unknown)?;
        let (terms, document) = stored(self.app, caller, "ValueSet", id).map_err(|_| unknown)?;
        let set = ValueSet::read(document.root()).map_err(|e| reason(&e))?;
        terms.expand_set(Arc::new(set), wanted).map_err(|e| reason(&e))
    }
}

impl Terms for Lists<'_> {
    fn members(&self, value_set: &str, limit: usize) -> Result<Vec<Code>, TermsError> {
        let wanted = Expand {
            count: Some(limit.saturating_add(1)),
            exclude_nested: Some(true),
            ..Expand::default()
        };
        let found = self.expansion(value_set, &wanted)?;
        if found.total > limit {
            return Err(TermsError::TooMany);
        }
        let mut codes = Vec::with_capacity(found.total);
        add(&found.entries, &mut codes);
        Ok(codes)
    }

    fn descendants(
        &self,
        system: Option<&str>,
        code: &str,
        limit: usize,
    ) -> Result<Vec<Code>, TermsError> {
        let system = system.ok_or(TermsError::NeedsSystem)?;
        listed(system, self.of_systems()?.descendants_and_self(system, code), limit)
    }

    fn ancestors(
        &self,
        system: Option<&str>,
        code: &str,
        limit: usize,
    ) -> Result<Vec<Code>, TermsError> {
        let system = system.ok_or(TermsError::NeedsSystem)?;
        listed(system, self.of_systems()?.ancestors_and_self(system, code), limit)
    }
}

fn add(entries: &[Entry], codes: &mut Vec<Code>) {
    for entry in entries {
        codes.push(Code { system: entry.system.to_string(), code: entry.code.clone() });
        add(&entry.contains, codes);
    }
}

fn listed(system: &str, codes: Option<Vec<String>>, limit: usize) -> Result<Vec<Code>, TermsError> {
    let codes = codes.ok_or(TermsError::UnknownCode)?;
    if codes.len() > limit {
        return Err(TermsError::TooMany);
    }
    Ok(codes.into_iter().map(|code| Code { system: system.to_owned(), code }).collect())
}

fn reason(error: &Reason) -> TermsError {
    match error {
        Reason::UnknownValueSet(_) => TermsError::UnknownValueSet,
        Reason::TooCostly(_) => TermsError::TooMany,
        _ => TermsError::NotEnumerable,
    }
}
