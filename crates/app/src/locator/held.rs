//! What this node holds of others as their locator: encodings without names, in memory only, for the
//! epoch they were made for and no longer.

use std::collections::{BTreeMap, HashMap};

use matching::clk::{Bound, Encoding, Epsilon, Filter, Probe, View};
use wire::OrgId;

/// Most encodings that are held at all; 74 bytes each. Publications beyond it are refused.
pub const MOST_ENCODINGS: usize = 40_000_000;
/// How long what a holder published counts without a word from it.
pub const FRESH_MS: i64 = 5 * 60 * 1000;
/// Places of removed records that are let stand before a shelf is made anew.
const MOST_DEAD: usize = 1_024;

/// Everything that is held, by epoch and holder.
#[derive(Default)]
pub struct Held {
    shelves: BTreeMap<(u64, OrgId), Shelf>,
    encodings: usize,
}

/// What one holder has published for one epoch.
pub struct Shelf {
    /// Under which key it is encoded.
    pub key: String,
    /// Serial number of the membership list by which records are hidden from members.
    pub list: u64,
    /// ε of its noise.
    pub epsilon: Epsilon,
    /// How far it has come.
    pub through: u64,
    /// Whether that is everything.
    pub complete: bool,
    /// When the holder last said so, milliseconds since the Unix epoch.
    pub heard_ms: i64,
    /// Members that the holder is not spoken of to.
    pub closed_to: Vec<OrgId>,
    rows: [Rows; View::ALL.len()],
    places: HashMap<u64, Vec<(u8, u32)>>,
    hidden: HashMap<u64, Vec<OrgId>>,
    dead: usize,
}

/// The encodings of one view.
#[derive(Default)]
struct Rows {
    filters: Vec<Filter>,
    sizes: Vec<u16>,
    owners: Vec<u64>,
}

impl Held {
    /// Drops what is of other epochs or of members that have left.
    pub fn keep(&mut self, is_kept: impl Fn(u64, &OrgId) -> bool) {
        self.shelves.retain(|(epoch, holder), _| is_kept(*epoch, holder));
        self.encodings = self.shelves.values().map(Shelf::encodings).sum();
    }

    /// What a holder has published for an epoch.
    pub fn find(&self, epoch: u64, holder: &OrgId) -> Option<&Shelf> {
        self.shelves.get(&(epoch, holder.clone()))
    }

    /// The same, to be changed; made or emptied where `anew` is set.
    pub fn shelf(&mut self, epoch: u64, holder: &OrgId, anew: Option<Shelf>) -> Option<&mut Shelf> {
        let place = (epoch, holder.clone());
        if let Some(shelf) = anew {
            let old = self.shelves.insert(place.clone(), shelf);
            self.encodings -= old.as_ref().map_or(0, Shelf::encodings).min(self.encodings);
        }
        self.shelves.get_mut(&place)
    }

    /// How many encodings are held.
    pub fn encodings(&self) -> usize {
        self.encodings
    }

    /// Counts encodings that were put onto or taken from a shelf.
    pub fn count(&mut self, before: usize, after: usize) {
        self.encodings = (self.encodings + after).saturating_sub(before);
    }

    /// Every shelf with its epoch and holder.
    pub fn all(&self) -> impl Iterator<Item = (u64, &OrgId, &Shelf)> {
        self.shelves.iter().map(|((epoch, holder), shelf)| (*epoch, holder, shelf))
    }
}

impl Shelf {
    /// An empty one.
    pub fn new(key: String, list: u64, epsilon: Epsilon, now_ms: i64) -> Self {
        Self {
            key,
            list,
            epsilon,
            through: 0,
            complete: false,
            heard_ms: now_ms,
            closed_to: Vec::new(),
            rows: Default::default(),
            places: HashMap::new(),
            hidden: HashMap::new(),
            dead: 0,
        }
    }

    /// Puts a record there, in place of what stood under its handle.
    pub fn put(&mut self, handle: u64, encodings: &[Encoding], hidden: Vec<OrgId>) {
        self.remove(handle);
        let mut places = Vec::with_capacity(encodings.len());
        for encoding in encodings {
            let Some(rows) = self.rows.get_mut(encoding.view.index()) else { continue };
            let Ok(at) = u32::try_from(rows.filters.len()) else { continue };
            places.push((encoding.view.index() as u8, at));
            rows.filters.push(encoding.filter);
            rows.sizes.push(encoding.filter.ones() as u16);
            rows.owners.push(handle);
        }
        self.places.insert(handle, places);
        if !hidden.is_empty() {
            self.hidden.insert(handle, hidden);
        }
    }

    /// Takes a record away.
    pub fn remove(&mut self, handle: u64) {
        self.hidden.remove(&handle);
        for (view, at) in self.places.remove(&handle).unwrap_or_default() {
            let Some(rows) = self.rows.get_mut(usize::from(view)) else { continue };
            // An empty filter has nothing in common with any other.
            if let (Some(filter), Some(size)) =
                (rows.filters.get_mut(at as usize), rows.sizes.get_mut(at as usize))
            {
                (*filter, *size) = (Filter([0; 8]), 0);
                self.dead += 1;
            }
        }
        if self.dead > MOST_DEAD && self.dead > self.encodings() / 4 {
            self.tidy();
        }
    }

    /// How many records stand there.
    pub fn records(&self) -> usize {
        self.places.len()
    }

    /// How many encodings stand there, places of removed ones included.
    pub fn encodings(&self) -> usize {
        self.rows.iter().map(|rows| rows.filters.len()).sum()
    }

    /// Whether anything there is like the encodings asked with, and may be known of by `asker`.
    pub fn has(&self, asked: &[Encoding], dice: f64, noise: Epsilon, asker: &OrgId) -> bool {
        let bound = Bound { dice, asker: noise, holder: self.epsilon };
        asked.iter().any(|encoding| {
            let Some(rows) = self.rows.get(encoding.view.index()) else { return false };
            let probe = Probe::new(encoding, bound);
            let mut alike = probe.alike(&rows.filters, &rows.sizes);
            alike.any(|at| {
                let owner = rows.owners.get(at).copied().unwrap_or_default();
                !self.hidden.get(&owner).is_some_and(|hidden| hidden.contains(asker))
            })
        })
    }

    fn tidy(&mut self) {
        self.places.clear();
        for (view, rows) in (0u8..).zip(&mut self.rows) {
            let old = std::mem::take(rows);
            let all = old.filters.into_iter().zip(old.sizes).zip(old.owners);
            for ((filter, size), owner) in all.filter(|((_, size), _)| *size > 0) {
                let Ok(at) = u32::try_from(rows.filters.len()) else { continue };
                self.places.entry(owner).or_default().push((view, at));
                rows.filters.push(filter);
                rows.sizes.push(size);
                rows.owners.push(owner);
            }
        }
        self.dead = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(n: u64) -> Encoding {
        let word = |i: u64| (n + i).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Encoding { view: View::Name, filter: Filter([0, 1, 2, 3, 4, 5, 6, 7].map(word)) }
    }

    #[test]
    fn what_is_removed_is_no_longer_found_and_what_stays_is() {
        let asker: OrgId = "north".parse().unwrap();
        let mut shelf = Shelf::new(String::new(), 1, Epsilon::NONE, 0);
        let finds = |shelf: &Shelf, n| shelf.has(&[encoding(n)], 0.95, Epsilon::NONE, &asker);
        for n in 0..5_000 {
            shelf.put(n, &[encoding(n)], Vec::new());
        }
        for n in (0..5_000).filter(|n| n % 3 > 0) {
            shelf.remove(n);
        }
        assert!(shelf.encodings() < 5_000, "places of removed records are used again");
        for n in 0..5_000 {
            assert_eq!(finds(&shelf, n), n % 3 == 0, "{n}");
        }
        shelf.put(3, &[encoding(9_999)], Vec::new());
        assert!(finds(&shelf, 9_999) && !finds(&shelf, 3), "a changed record replaces the old");
    }

    #[test]
    fn a_record_hidden_from_one_member_is_found_by_the_others() {
        let (north, south): (OrgId, OrgId) = ("north".parse().unwrap(), "south".parse().unwrap());
        let mut shelf = Shelf::new(String::new(), 1, Epsilon::NONE, 0);
        shelf.put(1, &[encoding(1)], vec![south.clone()]);
        assert!(shelf.has(&[encoding(1)], 0.95, Epsilon::NONE, &north));
        assert!(!shelf.has(&[encoding(1)], 0.95, Epsilon::NONE, &south));
    }
}
