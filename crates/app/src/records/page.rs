//! Search results that stay what they were while someone turns the pages.
//!
//! The first page writes down which versions matched; later pages load those versions. The list
//! lives in memory, belongs to the account that searched, and is dropped after
//! [`LIFETIME_MS`] or when newer searches need the room; turning a page then says so.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use store::Seq;
use store::query::ParsedSearch;

use crate::{Error, Kind, Result};

/// How long a list is kept after its last use.
pub const LIFETIME_MS: i64 = 30 * 60 * 1000;
/// Most matches that one list may hold.
pub const MAX_MATCHES: usize = 1_000_000;
/// Most matches that all lists hold together: 8 bytes each, so 80 MB.
const MAX_HELD: usize = 10_000_000;

/// The matches of one search.
#[derive(Debug)]
pub struct Matches {
    /// Account that searched.
    pub owner: String,
    /// What was asked.
    pub search: ParsedSearch,
    /// What was searched, as it stands in an address behind the base.
    pub path: String,
    /// The types that were searched.
    pub types: Vec<&'static str>,
    /// Every match, in order; or only the first of them, see `as_of`.
    pub versions: Vec<Seq>,
    /// Where only the first page was found: the snapshot that the others must show.
    pub as_of: Option<Seq>,
}

#[derive(Debug, Default)]
struct Held {
    lists: HashMap<String, (Arc<Matches>, u64)>,
    /// Tokens by last use, oldest first: `(use number, token)`.
    order: BTreeMap<u64, (String, i64)>,
    uses: u64,
    size: usize,
}

/// All lists of a node.
#[derive(Debug, Default)]
pub struct Pages(Mutex<Held>);

impl Pages {
    /// Keeps a list under `token`.
    pub fn keep(&self, token: String, matches: Arc<Matches>, now_ms: i64) {
        let mut held = self.0.lock();
        held.size += matches.versions.len();
        held.uses += 1;
        let used = held.uses;
        held.order.insert(used, (token.clone(), now_ms));
        held.lists.insert(token, (matches, used));
        held.drop_old(now_ms);
    }

    /// Puts the whole list where only its beginning was kept.
    pub fn complete(&self, token: &str, matches: Arc<Matches>) {
        let mut held = self.0.lock();
        let size = matches.versions.len();
        let Some((kept, _)) = held.lists.get_mut(token) else { return };
        let before = std::mem::replace(kept, matches).versions.len();
        held.size = (held.size + size).saturating_sub(before);
    }

    /// The list under `token`, if `owner` made it.
    pub fn find(&self, token: &str, owner: &str, now_ms: i64) -> Result<Arc<Matches>> {
        let expired =
            || Error::new(Kind::Gone, "this page of results has expired; repeat the search");
        let mut held = self.0.lock();
        held.drop_old(now_ms);
        held.uses += 1;
        let now_used = held.uses;
        let (matches, used) = held.lists.get_mut(token).ok_or_else(expired)?;
        if matches.owner != owner {
            return Err(expired());
        }
        let matches = matches.clone();
        let before = std::mem::replace(used, now_used);
        held.order.remove(&before);
        held.order.insert(now_used, (token.to_owned(), now_ms));
        Ok(matches)
    }
}

impl Held {
    fn drop_old(&mut self, now_ms: i64) {
        while let Some(oldest) = self.order.first_entry() {
            let expired = now_ms - oldest.get().1 > LIFETIME_MS;
            if !expired && self.size <= MAX_HELD {
                break;
            }
            let (token, _) = oldest.remove();
            if let Some((matches, _)) = self.lists.remove(&token) {
                self.size -= matches.versions.len();
            }
        }
    }
}
