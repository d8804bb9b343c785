//! Who is behind the people and groups that consents name, as this node's records tell.

use fhir::{Id, Resource};
use fhirpath::search::Registry;
use policy::consent::{Who, look_up};
use store::query::parse;
use store::{Key, Method, Snapshot};

use crate::records::parse as parse_stored;

/// Types in which an identifier is looked for.
const IDENTIFIED: [&str; 2] = ["Practitioner", "Organization"];

/// Tells who is behind a reference or an identifier (`system|value`), for
/// [`policy::consent::Compiled::with`]. What cannot be read, and an identifier that several have,
/// counts as not known: a denial then holds and a permission does not.
pub(crate) fn directory(snapshot: &dyn Snapshot) -> impl Fn(&str) -> Option<Who> {
    |name| look_up(name, &|name| find(snapshot, name))
}

fn find(snapshot: &dyn Snapshot, name: &str) -> Option<Resource> {
    if name.contains('|') {
        return IDENTIFIED.iter().find_map(|kind| identified(snapshot, kind, name));
    }
    let (kind, id) = name.split_once('/')?;
    let key = Key { resource_type: fhir::resource_type(kind)?, id: Id::new(id).ok()? };
    let stored = snapshot.read(&key).ok()??;
    (stored.method != Method::Delete).then(|| parse_stored(&stored).ok())?
}

fn identified(snapshot: &dyn Snapshot, kind: &'static str, name: &str) -> Option<Resource> {
    let params = [("identifier".to_owned(), name.to_owned())];
    let search = parse(Registry::r4(), kind, &params).ok()?;
    let found = snapshot.find(&search.query, 2, false).ok()?;
    match &*snapshot.load(&found).ok()? {
        [one] => parse_stored(one).ok(),
        _ => None,
    }
}
