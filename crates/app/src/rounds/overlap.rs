//! Over which sites sums were given, and what a further one would show beside them.
//!
//! A sum over the sites A, B and C less one over A and B is C's. So an aggregator keeps, for each data
//! set and over all projects and questions, the sets of sites over which it gave a share, and gives no
//! further one by which some multiple of sums less others would be a sum over fewer sites than the
//! question allows: the audit of sums by Chin and Özsoyoğlu (1982), with sites in place of people. A site
//! whose part has enough rows to stand alone may be singled out; it says so in its signed report.

use std::collections::{BTreeMap, BTreeSet};

use privacy::budget::field::{inverse, less, times};
use serde::{Deserialize, Serialize};
use wire::OrgId;

/// Most different sets of sites that are kept for one data set. Beyond it nothing new is given.
const MOST_SETS: usize = 256;
/// Most groups of sites that are looked at in one audit.
const MOST_GROUPS: usize = 20_000;

/// Sums over the same sites, of one data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Over {
    /// The sites.
    pub sites: BTreeSet<OrgId>,
    /// Those of them whose part may become known alone, in every one of these sums.
    pub alone: BTreeSet<OrgId>,
}

/// What comes of a further sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It shows nothing that is not known, and nothing is to be kept of it.
    Known,
    /// It may be given, once these are kept in place of the earlier ones.
    Keep(Vec<Over>),
    /// It would single out too few sites.
    Refuse,
}

/// Whether a sum over these sites may be given beside the earlier ones of the data set.
pub(super) fn audit(earlier: &[Over], new: &Over, min_sites: u32) -> Ruling {
    let mut all = earlier.to_vec();
    let is_full = all.len() >= MOST_SETS;
    match all.iter_mut().find(|one| one.sites == new.sites) {
        Some(same) if same.alone.is_subset(&new.alone) => return Ruling::Known,
        Some(same) => same.alone = same.alone.intersection(&new.alone).cloned().collect(),
        None if is_full => return Ruling::Refuse,
        None => all.push(new.clone()),
    }
    match singles_out(&all, min_sites) {
        true => Ruling::Refuse,
        false => Ruling::Keep(all),
    }
}

/// Sites that stand in the same sums; nothing that sums give tells them apart.
struct Class {
    /// In which sums, by place.
    of: Vec<bool>,
    sites: u64,
    /// Whether one of them must not be known alone.
    is_guarded: bool,
}

/// Whether some sum of multiples of the sums is over fewer than `min_sites` sites, one of which must
/// not be known alone.
fn singles_out(all: &[Over], min_sites: u32) -> bool {
    let least = u64::from(min_sites);
    let mut classes: BTreeMap<Vec<bool>, Class> = BTreeMap::new();
    for site in all.iter().flat_map(|one| &one.sites).collect::<BTreeSet<_>>() {
        let of: Vec<bool> = all.iter().map(|one| one.sites.contains(site)).collect();
        let may_stand = all.iter().all(|one| !one.sites.contains(site) || one.alone.contains(site));
        let fresh = || Class { of: of.clone(), sites: 0, is_guarded: false };
        let class = classes.entry(of.clone()).or_insert_with(fresh);
        class.sites += 1;
        class.is_guarded |= !may_stand;
    }
    // A sum that has a class of enough sites in it is over enough: only the others can be singled out.
    let (few, many): (Vec<Class>, Vec<Class>) =
        classes.into_values().partition(|class| class.sites < least);
    if few.iter().all(|class| !class.is_guarded) {
        return false;
    }
    let mut groups = Groups { few: &few, least, left: MOST_GROUPS, chosen: Vec::new() };
    groups.find(0, 0, &mut |chosen| {
        let outside = (0..few.len()).filter(|at| !chosen.contains(at)).filter_map(|at| few.get(at));
        let outside: Vec<&Class> = many.iter().chain(outside).collect();
        let inside: Vec<&Class> = chosen.iter().filter_map(|at| few.get(*at)).collect();
        shows(all.len(), &outside, &inside)
    })
}

/// Groups of classes that are fewer than `least` sites together.
struct Groups<'a> {
    few: &'a [Class],
    least: u64,
    /// How many may still be looked at.
    left: usize,
    chosen: Vec<usize>,
}

impl Groups<'_> {
    /// Whether one of the groups shows something, or there are too many to tell.
    fn find(&mut self, from: usize, sites: u64, shows: &mut dyn FnMut(&[usize]) -> bool) -> bool {
        for at in from..self.few.len() {
            let Some(class) = self.few.get(at) else { break };
            let sites = sites + class.sites;
            if sites >= self.least {
                continue;
            }
            if self.left == 0 {
                return true;
            }
            self.left -= 1;
            self.chosen.push(at);
            if shows(&self.chosen) || self.find(at + 1, sites, shows) {
                return true;
            }
            self.chosen.pop();
        }
        false
    }
}

/// Whether multiples of the sums add up to nothing outside and to something of a guarded class inside.
fn shows(sums: usize, outside: &[&Class], inside: &[&Class]) -> bool {
    // One row for each sum: the classes outside first, so that what elimination leaves without any of
    // them spans all that can be said about those inside.
    let mut rows: Vec<Vec<u64>> = (0..sums)
        .map(|sum| {
            let has = |class: &&Class| u64::from(class.of.get(sum).copied().unwrap_or_default());
            outside.iter().chain(inside).map(has).collect()
        })
        .collect();
    let width = outside.len() + inside.len();
    let mut done = 0;
    for column in 0..width {
        let Some(found) = (done..rows.len()).find(|row| at(&rows, *row, column) != 0) else {
            continue;
        };
        rows.swap(done, found);
        let Some(pivot) = rows.get(done).cloned() else { break };
        let inverse = inverse(pivot.get(column).copied().unwrap_or_default());
        for row in rows.iter_mut().skip(done + 1) {
            let factor = times(row.get(column).copied().unwrap_or_default(), inverse);
            for (cell, from) in row.iter_mut().zip(&pivot) {
                *cell = less(*cell, factor, *from);
            }
        }
        done += 1;
    }
    rows.iter().filter(|row| row.iter().take(outside.len()).all(|cell| *cell == 0)).any(|row| {
        let of_inside = row.iter().skip(outside.len()).zip(inside);
        of_inside.into_iter().any(|(cell, class)| *cell != 0 && class.is_guarded)
    })
}

fn at(rows: &[Vec<u64>], row: usize, column: usize) -> u64 {
    rows.get(row).and_then(|row| row.get(column)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn over(sites: &str, alone: &str) -> Over {
        let named = |letter: char| OrgId::new(&format!("s-{letter}")).unwrap();
        Over {
            sites: sites.chars().map(named).collect(),
            alone: alone.chars().map(named).collect(),
        }
    }

    fn gives(earlier: &[Over], new: Over, min_sites: u32) -> bool {
        audit(earlier, &new, min_sites) != Ruling::Refuse
    }

    #[test]
    fn a_difference_of_too_few_sites_is_refused() {
        let first = [over("abc", "")];
        assert!(gives(&[], over("abc", ""), 2));
        assert_eq!(audit(&first, &over("abc", ""), 2), Ruling::Known);
        assert!(!gives(&first, over("ab", ""), 2), "c would be left");
        assert!(!gives(&first, over("abcd", ""), 2), "d would be left");
        assert!(gives(&first, over("abcde", ""), 2), "two are left");
        assert!(!gives(&first, over("abcde", ""), 3));
        assert!(gives(&first, over("def", ""), 3));
        assert!(!gives(&[], over("ab", ""), 3), "too few from the start");
    }

    #[test]
    fn a_chain_of_sums_is_refused_where_it_ends_at_one_site() {
        // ab + bc - ac = 2b.
        let two = [over("abxy", ""), over("bcxy", "")];
        assert!(gives(&two[..1], two[1].clone(), 2));
        assert!(gives(&two, over("acxy", ""), 2), "x and y stay in every combination");
        let two = [over("ab", ""), over("bc", "")];
        assert!(!gives(&two, over("ac", ""), 2));
    }

    #[test]
    fn a_site_that_may_stand_alone_may_be_left_alone() {
        let first = [over("abc", "c")];
        assert!(gives(&first, over("ab", ""), 2));
        assert!(!gives(&first, over("bc", "c"), 2), "a has said nothing of the kind");
        assert!(gives(&first, over("abd", "d"), 3), "c less d, and both may");
        assert!(!gives(&first, over("abd", ""), 3), "d may not");
        let first = [over("abc", "abc")];
        assert!(gives(&first, over("bc", "b"), 2), "a may stand alone in the first");
        // It must have said so in every sum it is in.
        let Ruling::Keep(kept) = audit(&first, &over("abc", "ab"), 2) else { panic!("kept") };
        assert!(!gives(&kept, over("ab", "ab"), 2), "c no longer");
    }

    fn rank(rows: &[Vec<f64>]) -> usize {
        let mut rows = rows.to_vec();
        let (mut done, width) = (0, rows.first().map_or(0, Vec::len));
        for column in 0..width {
            let best = (done..rows.len())
                .max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()));
            let Some(best) = best.filter(|at| rows[*at][column].abs() > 1e-9) else { continue };
            rows.swap(done, best);
            let pivot = rows[done].clone();
            for row in rows.iter_mut().skip(done + 1) {
                let factor = row[column] / pivot[column];
                row.iter_mut().zip(&pivot).for_each(|(cell, from)| *cell -= factor * from);
            }
            done += 1;
        }
        done
    }

    proptest! {
        /// Beside every set of fewer sites tried one by one: it is shown where the sums without its
        /// columns have a lower rank than with them.
        #[test]
        fn nothing_that_can_be_solved_for_is_given(
            sums in prop::collection::vec(prop::collection::btree_set(0..6_usize, 2..6), 1..5),
            min_sites in 2..4_u32,
        ) {
            let name = |at: &usize| OrgId::new(&format!("s-{at}")).unwrap();
            let all: Vec<Over> = sums
                .iter()
                .map(|sites| Over { sites: sites.iter().map(name).collect(), alone: BTreeSet::new() })
                .collect();
            let row = |sites: &BTreeSet<usize>, without: u32| -> Vec<f64> {
                let is_in = |at: &usize| sites.contains(at) && without >> at & 1 == 0;
                (0..6).map(|at| f64::from(u8::from(is_in(&at)))).collect()
            };
            let whole = rank(&sums.iter().map(|sites| row(sites, 0)).collect::<Vec<_>>());
            let expected = (1..64_u32).filter(|group| group.count_ones() < min_sites).any(|group| {
                rank(&sums.iter().map(|sites| row(sites, group)).collect::<Vec<_>>()) < whole
            });
            prop_assert_eq!(singles_out(&all, min_sites), expected);
        }
    }
}
