//! Conditions that a client states: searches that decide what an interaction acts on (FHIR R4 http,
//! conditional interactions), and versions that must stand (`If-Match`).

use store::query::{Filter, Parser, Query};
use store::{Expect, Guard, Key, Method, Snapshot, Stored};

use super::confine::confine;
use super::search::refused;
use super::{in_scope, parse};
use crate::authorise::{Action, Permit, authorise};
use crate::terminology::Lists;
use crate::{App, Caller, Error, Kind, Result};

/// Names and values of a query, decoded.
pub type Params = Vec<(String, String)>;

/// Most resources that one conditional deletion removes.
pub const MAX_DELETED: usize = 1_000;

/// What the client says must stand, from `If-Match` and `If-None-Match`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is said.
    #[default]
    Anything,
    /// Some version (`If-Match: *`).
    Existing,
    /// None (`If-None-Match: *`).
    Nothing,
    /// One of these versions.
    Versions(Vec<u64>),
}

impl Standing {
    /// Reads the value of `If-Match`: `*`, or entity tags separated by commas. A tag that is no
    /// version of this node is understood and matches nothing.
    pub fn if_match(text: &str) -> Result<Self> {
        if text.trim() == "*" {
            return Ok(Self::Existing);
        }
        text.split(',').map(etag).collect::<Result<_>>().map(Self::Versions)
    }

    /// The same for a caller who sees a part: what was found to be inside must be what is written
    /// over, so without a stated version the one that stands is expected.
    pub(crate) fn expect_within(&self, permit: &Permit, current: Option<u64>) -> Result<Expect> {
        match (self.expect(current)?, current) {
            (Expect::Any, Some(version)) if !permit.is_unlimited() => Ok(Expect::Version(version)),
            (expect, _) => Ok(expect),
        }
    }

    /// What the store must hold, given what stands now. Errors: [`Kind::Precondition`] when the
    /// statement is wrong already.
    pub(crate) fn expect(&self, current: Option<u64>) -> Result<Expect> {
        match (self, current) {
            (Self::Anything, _) => Ok(Expect::Any),
            (Self::Nothing, None) => Ok(Expect::Absent),
            (Self::Existing, Some(version)) => Ok(Expect::Version(version)),
            (Self::Versions(versions), Some(version)) if versions.contains(&version) => {
                Ok(Expect::Version(version))
            }
            _ => Err(Error::new(
                Kind::Precondition,
                "the version that was stated is not the one that stands; read it again",
            )),
        }
    }
}

/// Reads a weak entity tag `W/"3"`; a well-formed one that is no version number is 0, which
/// matches nothing.
fn etag(tag: &str) -> Result<u64> {
    let bare = tag.trim().trim_start_matches("W/");
    let inner = bare.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match (inner, bare.parse()) {
        (Some(inner), _) => Ok(inner.parse().unwrap_or(0)),
        (None, Ok(version)) => Ok(version),
        (None, Err(_)) => Err(Error::invalid(
            "value",
            "an entity tag is written `W/\"n\"` with the version number n",
        )),
    }
}

/// Splits and decodes `a=b&c=d` (application/x-www-form-urlencoded).
pub fn query_pairs(query: &str) -> Params {
    form_urlencoded::parse(query.trim_start_matches('?').as_bytes()).into_owned().collect()
}

/// Parses the search of a conditional interaction, by the parameters of the store and with the
/// terminology of `lists`, as any search; a condition without criteria is refused.
pub(crate) fn condition(
    app: &App,
    lists: &Lists<'_>,
    resource_type: &'static str,
    params: &[(String, String)],
) -> Result<Query> {
    let registry = app.store().registry();
    let parser = Parser::new(&registry).with_terms(lists);
    let search = parser.parse(resource_type, params).map_err(|e| refused(&e))?;
    if search.query.filters.is_empty() {
        return Err(Error::invalid("required", "a condition needs at least one search parameter"));
    }
    Ok(search.query)
}

/// The search of a conditional interaction, within what the caller may search: what is hidden from
/// them does not count, as if it did not exist. `permit` is that for the write.
///
/// Errors: those of [`condition`]; [`Kind::Forbidden`] where an app may not search the type.
pub(crate) fn visible(
    app: &App,
    caller: &Caller,
    permit: &Permit,
    resource_type: &'static str,
    params: &[(String, String)],
) -> Result<Query> {
    let query = condition(app, &Lists::new(app, caller), resource_type, params)?;
    if permit.is_whole() && !query.filters.iter().any(Filter::has_links) {
        return Ok(query);
    }
    let (mut query, limits) = within(app, caller, query)?;
    query.filters.extend(limits);
    Ok(query)
}

/// The same for a deletion: what the caller may find but not delete does not count either.
pub(crate) fn deletable(
    app: &App,
    caller: &Caller,
    permit: &Permit,
    resource_type: &'static str,
    params: &[(String, String)],
) -> Result<Query> {
    let mut query = visible(app, caller, permit, resource_type, params)?;
    if !permit.is_unlimited() {
        let permit = permit.clone().of_one(app, &query, None)?;
        query.filters.extend(permit.scope().filters(&app.store().registry(), resource_type));
    }
    Ok(query)
}

/// A search whose links go no further than the caller may search, and what else it is narrowed by.
pub(crate) fn within(app: &App, caller: &Caller, mut query: Query) -> Result<(Query, Vec<Filter>)> {
    let permit = authorise(app, caller, Action::searching(query.resource_type))?;
    let permit = permit.of_one(app, &query, None)?;
    confine(app, caller, &permit, &mut query)?;
    let limits = permit.scope().filters(&app.store().registry(), query.resource_type);
    Ok((query, limits))
}

/// The keys that match, at most `limit`.
pub(crate) fn matching(snapshot: &dyn Snapshot, query: &Query, limit: usize) -> Result<Vec<Key>> {
    let found = snapshot.find(query, limit, false)?;
    Ok(snapshot.load(&found)?.into_iter().map(|stored| stored.key).collect())
}

/// The one resource that matches, if any, with the guard that this is still so when the write is
/// made. Errors: [`Kind::MultipleMatches`].
pub(crate) fn at_most_one(snapshot: &dyn Snapshot, query: Query) -> Result<(Option<Key>, Guard)> {
    let mut keys = matching(snapshot, &query, 2)?;
    if keys.len() > 1 {
        return Err(multiple());
    }
    let guard = Guard::Found { query, keys: keys.clone() };
    Ok((keys.pop(), guard))
}

/// Several resources match where one is needed.
pub(crate) fn multiple() -> Error {
    Error::new(Kind::MultipleMatches, "the condition matches more than one resource")
}

/// What stands under `key`, deletions left out.
pub(crate) fn live(snapshot: &dyn Snapshot, key: &Key) -> Result<Option<Stored>> {
    Ok(snapshot.read(key)?.filter(|stored| stored.method != Method::Delete))
}

/// What stands under a key that the caller may change or delete; nothing where it is outside of
/// the permit.
pub(crate) fn reached(
    snapshot: &dyn Snapshot,
    key: &Key,
    permit: &Permit,
) -> Result<Option<Stored>> {
    match live(snapshot, key)? {
        Some(stored) if permit.is_unlimited() || in_scope(&parse(&stored)?, permit.scope()) => {
            Ok(Some(stored))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_must_stand() {
        for (text, expected) in [
            ("*", Standing::Existing),
            ("W/\"3\"", Standing::Versions(vec![3])),
            ("\"3\"", Standing::Versions(vec![3])),
            ("3", Standing::Versions(vec![3])),
            ("W/\"1\", W/\"x\"", Standing::Versions(vec![1, 0])),
        ] {
            assert_eq!(Standing::if_match(text).unwrap(), expected, "{text}");
        }
        for text in ["", "one", "W/3\"", "W/\"1\",,"] {
            assert!(Standing::if_match(text).is_err(), "{text}");
        }
    }

    #[test]
    fn says_what_the_store_must_hold() {
        let versions = Standing::Versions(vec![2, 3]);
        assert_eq!(versions.expect(Some(3)).unwrap(), Expect::Version(3));
        assert_eq!(versions.expect(Some(4)).unwrap_err().kind, Kind::Precondition);
        assert_eq!(versions.expect(None).unwrap_err().kind, Kind::Precondition);
        assert_eq!(Standing::Existing.expect(Some(9)).unwrap(), Expect::Version(9));
        assert_eq!(Standing::Existing.expect(None).unwrap_err().kind, Kind::Precondition);
        assert_eq!(Standing::Nothing.expect(None).unwrap(), Expect::Absent);
        assert_eq!(Standing::Nothing.expect(Some(1)).unwrap_err().kind, Kind::Precondition);
        assert_eq!(Standing::Anything.expect(Some(1)).unwrap(), Expect::Any);
    }
}
