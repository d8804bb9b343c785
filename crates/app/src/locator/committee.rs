//! Who locates for whom, and who keeps which key. Every member reckons the same from the membership
//! list and the epoch, by rendezvous hashing (Thaler and Ravishankar 1998): when the list changes,
//! few assignments do.

use wire::{MemberState, Membership, OrgId};

/// Length of an epoch: keys, handles and noise change with it, and what was published is dropped.
pub const EPOCH_MS: i64 = 24 * 60 * 60 * 1000;
/// How long before an epoch begins its encodings are published.
pub const AHEAD_MS: i64 = 6 * 60 * 60 * 1000;
/// To how many locators each holder publishes: one may be down, and one may be the asker.
pub const PER_HOLDER: usize = 2;
/// With fewer members there is nobody between asker and holder.
const LEAST_MEMBERS: usize = 3;
/// One of so many members is a locator, but at least [`LEAST_LOCATORS`].
const SHARE: usize = 4;
const LEAST_LOCATORS: usize = 4;

/// The epoch of a time, in days since the Unix epoch.
pub fn epoch(now_ms: i64) -> u64 {
    u64::try_from(now_ms.div_euclid(EPOCH_MS)).unwrap_or_default()
}

/// The epochs for which encodings are held at a time: this one, and the next one shortly before.
pub fn epochs(now_ms: i64) -> impl Iterator<Item = u64> {
    let now = epoch(now_ms);
    let next = epoch(now_ms.saturating_add(AHEAD_MS));
    [Some(now), (next != now).then_some(next)].into_iter().flatten()
}

/// The locators of an epoch, best first.
pub fn committee(list: &Membership, epoch: u64) -> Vec<OrgId> {
    let mut members = ranked(list, "committee", epoch, "");
    if members.len() < LEAST_MEMBERS {
        return Vec::new();
    }
    members.truncate(members.len().div_ceil(SHARE).max(LEAST_LOCATORS));
    members
}

/// To whom `holder` publishes, best first: at most [`PER_HOLDER`], never itself.
pub fn locators(list: &Membership, epoch: u64, holder: &OrgId) -> Vec<OrgId> {
    let committee = committee(list, epoch);
    let mut of_holder = ranked(list, "locator", epoch, holder.as_str());
    of_holder.retain(|member| member != holder && committee.contains(member));
    of_holder.truncate(PER_HOLDER);
    of_holder
}

/// Who keeps the key under which others encode for `locator`: never the locator itself.
pub fn keeper(list: &Membership, epoch: u64, locator: &OrgId) -> Option<OrgId> {
    let ranked = ranked(list, "keeper", epoch, locator.as_str());
    ranked.into_iter().find(|member| member != locator)
}

fn ranked(list: &Membership, what: &str, epoch: u64, about: &str) -> Vec<OrgId> {
    let active = list.members.iter().filter(|member| member.state == MemberState::Active);
    let mut ranked: Vec<([u8; 32], &OrgId)> = active
        .map(|member| {
            let epoch = epoch.to_be_bytes();
            let parts: [&[u8]; 9] = [
                list.network.as_bytes(),
                b"\0",
                what.as_bytes(),
                b"\0",
                &epoch,
                about.as_bytes(),
                b"\0",
                member.id.as_str().as_bytes(),
                b"\0",
            ];
            (crypto::hash::sha256_of_parts(&parts), &member.id)
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, id)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Member;

    fn network(size: usize) -> Membership {
        let members = (0..size).map(|n| {
            let key = crypto::SigningKey::from_seed(&[n as u8; 32]).unwrap().public_key();
            Member {
                id: format!("m{n}").parse().unwrap(),
                display_name: String::new(),
                node_url: String::new(),
                tls_fingerprint: "00".repeat(32).parse().unwrap(),
                assertion_key: key,
                web_url: String::new(),
                state: MemberState::Active,
                contact: String::new(),
                capabilities: Vec::new(),
                rotation: None,
            }
        });
        Membership {
            version: 1,
            network: "net".into(),
            serial: 1,
            issued: 0,
            expires: i64::MAX,
            default_policy: String::new(),
            members: members.collect(),
            governance: None,
        }
    }

    #[test]
    fn nobody_locates_for_themself_and_everybody_has_two_locators() {
        for (size, most) in [(1, 0), (2, 0), (3, 3), (5, 4), (100, 25)] {
            let list = network(size);
            assert_eq!(committee(&list, 7).len(), most);
            for member in &list.members {
                let found = locators(&list, 7, &member.id);
                assert_eq!(found.len(), if most == 0 { 0 } else { PER_HOLDER });
                assert!(!found.contains(&member.id));
                assert!(keeper(&list, 7, &member.id).is_none_or(|keeper| keeper != member.id));
            }
        }
    }

    #[test]
    fn a_member_that_leaves_moves_few_and_a_new_epoch_moves_many() {
        let before = network(60);
        let mut after = before.clone();
        let gone = after.members.remove(30).id;
        let moved = |a: &Membership, b: &Membership, epochs: (u64, u64)| {
            let all = a.members.iter().filter(|member| member.id != gone);
            all.filter(|m| locators(a, epochs.0, &m.id) != locators(b, epochs.1, &m.id)).count()
        };
        assert!(moved(&before, &after, (7, 7)) < 15);
        assert!(moved(&before, &before, (7, 8)) > 45);
    }

    #[test]
    fn epochs_overlap_shortly_before_they_change() {
        assert_eq!(epochs(EPOCH_MS * 9).collect::<Vec<_>>(), [9]);
        assert_eq!(epochs(EPOCH_MS * 10 - AHEAD_MS).collect::<Vec<_>>(), [9, 10]);
        assert_eq!(epochs(EPOCH_MS * 10).collect::<Vec<_>>(), [10]);
    }
}
