//! SearchParameters on their way into the store: what nobody could search by is refused, so that
//! none is stored and not used.

use std::collections::HashSet;
use std::sync::Arc;

use fhir::Resource;
use fhir::definitions::definitions;
use fhirpath::search::Definition;
use store::query::search;
use store::rules::PARAMETER_TYPE;
use store::{Guard, Key, Snapshot, Write};

use super::parse;
use crate::{App, Error, Kind, Result};

/// Most SearchParameters that may have one code.
const MOST_OF_CODE: usize = 1_000;

/// Checks a SearchParameter by itself. Errors: [`Kind::Unprocessable`] says what is wrong with it.
pub(crate) fn check(resource: &Resource) -> Result<()> {
    read(resource).map(|_| ())
}

/// The definition in a resource that is one, and in use.
fn read(resource: &Resource) -> Result<Option<Arc<Definition>>> {
    if resource.type_name() != PARAMETER_TYPE {
        return Ok(None);
    }
    Definition::read(resource).map_err(|e| Error::new(Kind::Unprocessable, e.to_string()))
}

/// Checks the SearchParameters among writes that are made together. Returns the guards that keep
/// what was found out until then. Errors: as [`Newcomers::admit`].
pub(crate) fn check_all(app: &App, writes: &[Write]) -> Result<Vec<Guard>> {
    if writes.iter().all(|write| write.key().resource_type != PARAMETER_TYPE) {
        return Ok(Vec::new());
    }
    let mut all = Newcomers::default();
    for write in writes {
        all.replaced.insert(write.key().clone());
        if let Write::Put { resource, .. } = write {
            all.urls.extend(read(resource)?.map(|definition| definition.url.clone()));
        }
    }
    let admit = |write| all.admit(app, write).transpose();
    writes.iter().filter_map(admit).collect()
}

/// SearchParameters that are about to be stored together.
#[derive(Debug, Default)]
pub(crate) struct Newcomers {
    admitted: Vec<(Key, Arc<Definition>)>,
    /// What will not stand as it does.
    replaced: HashSet<Key>,
    /// The addresses of all that come.
    urls: HashSet<String>,
}

impl Newcomers {
    /// Checks one write against what came before it and what the store holds: no two
    /// SearchParameters have one code for one type, and the parts of a composite are parameters
    /// that are known. Errors: [`Kind::Unprocessable`].
    pub(crate) fn admit(&mut self, app: &App, write: &Write) -> Result<Option<Guard>> {
        let Write::Put { key, resource, .. } = write else { return Ok(None) };
        let Some(definition) = read(resource)? else { return Ok(None) };
        let others = self.admitted.iter().filter(|(other, _)| other != key);
        if let Some((other, _)) = others.into_iter().find(|(_, one)| is_same(&definition, one)) {
            return Err(taken(&definition, other));
        }
        let snapshot = app.store().snapshot()?;
        let free = |other: &Key| other == key || self.replaced.contains(other);
        let guard = check_code(&*snapshot, &definition, &free)?;
        for (url, _) in &definition.components {
            if !self.urls.contains(url) && !is_known(app, url) {
                let url: String = url.chars().take(200).collect();
                let message = format!(
                    "a component names the SearchParameter `{url}`, which is not known here; \
                     store it first"
                );
                return Err(Error::new(Kind::Unprocessable, message));
            }
        }
        self.replaced.insert(key.clone());
        self.urls.insert(definition.url.clone());
        self.admitted.push((key.clone(), definition));
        Ok(Some(guard))
    }
}

/// Whether two have one code for one type.
fn is_same(one: &Definition, other: &Definition) -> bool {
    one.code == other.code && one.types.iter().any(|name| other.types.contains(name))
}

fn taken(definition: &Definition, other: &Key) -> Error {
    let message = format!(
        "`{}` is the code of `{PARAMETER_TYPE}/{}` for the same type already; update or retire that \
         one, or choose another `code`",
        definition.code, other.id
    );
    Error::new(Kind::Unprocessable, message)
}

/// Whether the code is free in the store, those left aside that are written anew.
fn check_code(
    snapshot: &dyn Snapshot,
    definition: &Definition,
    is_replaced: &dyn Fn(&Key) -> bool,
) -> Result<Guard> {
    let query = search(PARAMETER_TYPE, &[("code", definition.code.as_str())])
        .map_err(|e| Error::internal(e.to_string()))?;
    let mut keys = Vec::new();
    for stored in snapshot.load(&snapshot.find(&query, MOST_OF_CODE, true)?)? {
        let known = Definition::read(&parse(&stored)?).ok().flatten();
        if !is_replaced(&stored.key) && known.is_some_and(|known| is_same(definition, &known)) {
            return Err(taken(definition, &stored.key));
        }
        keys.push(stored.key);
    }
    Ok(Guard::Found { query, keys })
}

/// Whether a parameter that is published or was stored before has the address.
fn is_known(app: &App, url: &str) -> bool {
    let registry = app.store().registry();
    let stored = fhir::resource_types().iter().flat_map(|name| registry.of_type(name));
    definitions().search_parameters().iter().any(|param| param.url == url)
        || stored.into_iter().any(|param| param.url == url)
}
