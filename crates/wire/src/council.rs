//! The council of a network: which members decide about the next membership list, and how many of
//! them it takes for what.
//!
//! What a new list changes is read off the two lists, and each kind of change has its threshold. So
//! a node needs to trust nobody's word for what was decided: [`SignedMembership::follows`] compares
//! the lists and counts the signatures of the previous list's voters.

use std::collections::{BTreeSet, HashSet};
use std::str::FromStr;

use crypto::{Fingerprint, PublicKey, Signature, SigningKey};
use serde::{Deserialize, Serialize};

use crate::membership::{
    Governance, Member, MemberState, Membership, MembershipError, SignedMembership,
};
use crate::org::OrgId;
use crate::time;

/// Most seats of one council, those of advisers included.
pub const MAX_SEATS: usize = 100;
/// Most keys that a list refuses for ever.
pub const MAX_REFUSED: usize = 10_000;
/// What a node of this version does for others.
pub const CAPABILITIES: [&str; 5] = ["match", "record", "deliver", "accesses", "witness"];
/// How long keys may overlap in a rotation, in milliseconds: 30 days.
pub const MAX_OVERLAP_MS: i64 = 30 * 24 * 60 * 60 * 1000;

const ROTATION_PREFIX: &[u8] = b"consilium key rotation, version 1\n";

/// Who decides about the next list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Council {
    /// The members whose organisations vote; each with the assertion key of its node.
    pub seats: Vec<OrgId>,
    /// Boards that may propose and comment, and vote on general proposals where they have a vote:
    /// a patient advisory council for example. None of them counts for a list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advisers: Vec<Adviser>,
    /// How many votes it takes for what.
    pub thresholds: Thresholds,
    /// For how many days a renewed list is valid.
    pub valid_days: u32,
}

/// An advisory board, at home at a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adviser {
    /// Its short id; no member has the same.
    pub id: OrgId,
    /// Its name for people.
    pub name: String,
    /// The member at whose node its people have accounts, and whose key signs for them.
    pub host: OrgId,
    /// Whether its vote counts in general proposals.
    pub votes: bool,
}

/// How many seats must agree. Each is more than half of them, so that two decisions that exclude
/// each other cannot both be carried without somebody voting for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// To admit a member, to lift a suspension, or to change what the list says of a member.
    pub admit: u16,
    /// To suspend a member.
    pub suspend: u16,
    /// To expel a member.
    pub expel: u16,
    /// For keys that their owner changes with the old key.
    pub rotate: u16,
    /// For keys that are changed without the old one.
    pub recover: u16,
    /// To change the council, its thresholds or what the network has agreed.
    pub council: u16,
    /// To renew the list before it expires.
    pub renew: u16,
    /// For a general proposal.
    pub general: u16,
}

/// The keys a network begins with, and how many of them must have signed its first list. Written
/// `KEY`, or `2 of KEY KEY KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founders {
    /// The keys.
    pub keys: Vec<PublicKey>,
    /// How many must have signed.
    pub threshold: usize,
}

/// Keys that are being replaced, and their owner's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The key of the certificate before.
    pub tls_fingerprint: Fingerprint,
    /// The key of assertions before.
    pub assertion_key: PublicKey,
    /// Until when the old keys are accepted beside the new ones; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub until: i64,
    /// The old assertion key's signature over the new keys.
    pub signature: Signature,
}

/// One thing that a list changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// A new member.
    Admit(OrgId),
    /// A member is suspended.
    Suspend(OrgId),
    /// A suspension is lifted.
    Reinstate(OrgId),
    /// A member is no more, and its keys are refused.
    Expel(OrgId),
    /// New keys, signed by the old one.
    Rotate(OrgId),
    /// New keys without the old one, which is refused.
    Recover(OrgId),
    /// Name, addresses, contact or capabilities of a member.
    Describe(OrgId),
    /// The council, its thresholds, or the network's default policy.
    Council,
    /// The time until which the list is valid.
    Renew,
}

impl Council {
    /// A council of these members. Admitting, suspending, rotating, recovering, renewing and
    /// general proposals take more than half; expelling and changes of the council two thirds.
    pub fn of(seats: Vec<OrgId>) -> Self {
        let all = u16::try_from(seats.len()).unwrap_or(u16::MAX);
        let most = all / 2 + 1;
        let two_thirds = most.max(all.saturating_mul(2).div_ceil(3));
        let thresholds = Thresholds {
            admit: most,
            suspend: most,
            expel: two_thirds,
            rotate: most,
            recover: most,
            council: two_thirds,
            renew: most,
            general: most,
        };
        Self { seats, advisers: Vec::new(), thresholds, valid_days: 365 }
    }

    /// The adviser with this id.
    pub fn adviser(&self, id: &OrgId) -> Option<&Adviser> {
        self.advisers.iter().find(|adviser| adviser.id == *id)
    }

    /// The council without one organisation; thresholds stay, but for those that could no longer
    /// be reached.
    #[must_use]
    pub fn without(&self, org: &OrgId) -> Self {
        let mut rest = self.clone();
        rest.seats.retain(|seat| seat != org);
        rest.advisers.retain(|adviser| adviser.host != *org);
        let all = u16::try_from(rest.seats.len()).unwrap_or(u16::MAX);
        rest.thresholds
            .each_mut()
            .into_iter()
            .for_each(|threshold| *threshold = (*threshold).min(all));
        rest
    }

    /// How many votes a change takes.
    pub fn needed(&self, change: &Change) -> usize {
        let thresholds = &self.thresholds;
        usize::from(match change {
            Change::Admit(_) | Change::Reinstate(_) | Change::Describe(_) => thresholds.admit,
            Change::Suspend(_) => thresholds.suspend,
            Change::Expel(_) => thresholds.expel,
            Change::Rotate(_) => thresholds.rotate,
            Change::Recover(_) => thresholds.recover,
            Change::Council => thresholds.council,
            Change::Renew => thresholds.renew,
        })
    }

    fn check(&self, list: &Membership) -> Result<(), MembershipError> {
        let bad = |reason| Err(MembershipError::BadGovernance(reason));
        let count = self.seats.len() + self.advisers.len();
        if self.seats.is_empty() || count > MAX_SEATS {
            return bad("a council has 1 to 100 seats");
        }
        let mut ids: HashSet<&OrgId> = HashSet::new();
        if !self.seats.iter().all(|seat| ids.insert(seat) && list.member(seat).is_some()) {
            return bad("every seat is a member's, and each member has one at most");
        }
        let hosted = |adviser: &Adviser| {
            list.member(&adviser.host).is_some() && list.member(&adviser.id).is_none()
        };
        if !self.advisers.iter().all(|adviser| ids.insert(&adviser.id) && hosted(adviser)) {
            return bad("every adviser has an id of its own and a member as its host");
        }
        let fits = |threshold: &u16| {
            let threshold = usize::from(*threshold);
            2 * threshold > self.seats.len() && threshold <= self.seats.len()
        };
        let advised = usize::from(self.thresholds.general);
        let voices = self.seats.len() + self.advisers.iter().filter(|one| one.votes).count();
        if !self.thresholds.of_lists().iter().all(fits) || 2 * advised <= voices || advised > voices
        {
            return bad("a threshold is more than half of the seats, and at most all of them");
        }
        if !(1..=3650).contains(&self.valid_days) {
            return bad("a list is valid for 1 to 3650 days");
        }
        Ok(())
    }
}

impl Thresholds {
    fn of_lists(&self) -> [u16; 7] {
        [self.admit, self.suspend, self.expel, self.rotate, self.recover, self.council, self.renew]
    }

    fn each_mut(&mut self) -> [&mut u16; 8] {
        [
            &mut self.admit,
            &mut self.suspend,
            &mut self.expel,
            &mut self.rotate,
            &mut self.recover,
            &mut self.council,
            &mut self.renew,
            &mut self.general,
        ]
    }
}

impl Governance {
    pub(crate) fn check(&self, list: &Membership) -> Result<(), MembershipError> {
        self.council.check(list)?;
        if self.refused_keys.len().max(self.refused_certificates.len()) > MAX_REFUSED {
            return Err(MembershipError::TooLarge);
        }
        let keys: HashSet<&PublicKey> = self.refused_keys.iter().collect();
        let certificates: HashSet<&Fingerprint> = self.refused_certificates.iter().collect();
        let refused = |member: &Member| {
            keys.contains(&member.assertion_key)
                || certificates.contains(&member.tls_fingerprint)
                || member.rotation.is_some_and(|old| {
                    keys.contains(&old.assertion_key) || certificates.contains(&old.tls_fingerprint)
                })
        };
        if list.members.iter().any(refused) {
            return Err(MembershipError::BadGovernance("a member has a key that is refused"));
        }
        Ok(())
    }
}

impl Founders {
    /// One key alone.
    pub fn one(key: PublicKey) -> Self {
        Self { keys: vec![key], threshold: 1 }
    }
}

impl FromStr for Founders {
    type Err = MembershipError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = MembershipError::BadGovernance(
            "founding keys are written `KEY`, or `2 of KEY KEY KEY`",
        );
        let key = |text: &str| text.parse::<PublicKey>().map_err(|_| bad.clone());
        let Some((count, keys)) = text.trim().split_once(" of ") else {
            return Ok(Self::one(key(text.trim())?));
        };
        let keys = keys.split_whitespace().map(key).collect::<Result<Vec<_>, _>>()?;
        let threshold = count.trim().parse().map_err(|_| bad.clone())?;
        let unique: HashSet<&PublicKey> = keys.iter().collect();
        let fits = (1..=MAX_SEATS).contains(&threshold) && threshold <= keys.len();
        if !fits || unique.len() != keys.len() || keys.len() > MAX_SEATS {
            return Err(bad);
        }
        Ok(Self { keys, threshold })
    }
}

impl std::fmt::Display for Founders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let ([key], 1) = (self.keys.as_slice(), self.threshold) {
            return key.fmt(f);
        }
        write!(f, "{} of", self.threshold)?;
        self.keys.iter().try_for_each(|key| write!(f, " {key}"))
    }
}

impl Rotation {
    /// The old keys of `member` and `old`'s word that `new_tls` and `new_key` take their place.
    pub fn sign(
        network: &str,
        member: &Member,
        old: &SigningKey,
        (new_tls, new_key): (Fingerprint, PublicKey),
        until: i64,
    ) -> Result<Self, MembershipError> {
        let bytes = Self::bytes(network, &member.id, (new_tls, new_key), until);
        let signature = old.sign(&bytes).map_err(|_| MembershipError::SigningFailed)?;
        let (tls_fingerprint, assertion_key) = (member.tls_fingerprint, member.assertion_key);
        Ok(Self { tls_fingerprint, assertion_key, until, signature })
    }

    /// Whether the old key of `before` has said that `after`'s keys take its place.
    pub fn holds(&self, network: &str, before: &Member, new: (Fingerprint, PublicKey)) -> bool {
        let bytes = Self::bytes(network, &before.id, new, self.until);
        self.tls_fingerprint == before.tls_fingerprint
            && self.assertion_key == before.assertion_key
            && before.assertion_key.verify(&bytes, &self.signature).is_ok()
    }

    fn bytes(network: &str, org: &OrgId, new: (Fingerprint, PublicKey), until: i64) -> Vec<u8> {
        let text = format!("{network}\n{org}\n{}\n{}\n{until}\n", new.0, new.1);
        [ROTATION_PREFIX, text.as_bytes()].concat()
    }
}

impl Change {
    /// Of whom it disposes: that member has no vote in it.
    pub fn against(&self) -> Option<&OrgId> {
        match self {
            Self::Suspend(org) | Self::Expel(org) | Self::Recover(org) => Some(org),
            _ => None,
        }
    }
}

impl Member {
    /// Whether the member's node may show this certificate key at `now_ms`.
    pub fn shows(&self, fingerprint: &Fingerprint, now_ms: i64) -> bool {
        let old = self.rotation.filter(|old| now_ms < old.until);
        self.tls_fingerprint == *fingerprint
            || old.is_some_and(|old| old.tls_fingerprint == *fingerprint)
    }

    /// The keys with which the member may sign at `now_ms`, the newest first.
    pub fn signing_keys(&self, now_ms: i64) -> Vec<PublicKey> {
        let old = self.rotation.filter(|old| now_ms < old.until);
        [Some(self.assertion_key), old.map(|old| old.assertion_key)].into_iter().flatten().collect()
    }
}

impl Membership {
    /// What `next` changes of this list of version 2. The error says what no list may do.
    pub fn changes(&self, next: &Self) -> Result<Vec<Change>, MembershipError> {
        let bad = MembershipError::BadGovernance;
        let (Some(before), Some(after)) = (&self.governance, &next.governance) else {
            return Err(bad("a list with a council is followed by one with a council"));
        };
        if !keeps(&before.refused_keys, &after.refused_keys)
            || !keeps(&before.refused_certificates, &after.refused_certificates)
        {
            return Err(bad("a key that was refused stays refused"));
        }
        let mut changes = BTreeSet::new();
        let mut council = before.council.clone();
        for member in &self.members {
            match next.member(&member.id) {
                None => {
                    if !is_refused(after, member) {
                        return Err(bad("the keys of a member that is expelled are refused"));
                    }
                    council = council.without(&member.id);
                    changes.insert(Change::Expel(member.id.clone()));
                }
                Some(now) => changes.extend(changed(&self.network, member, now, after)?),
            }
        }
        let new = next.members.iter().filter(|member| self.member(&member.id).is_none());
        for member in new {
            if member.rotation.is_some() || member.state != MemberState::Active {
                return Err(bad("a new member is active and has no old keys"));
            }
            changes.insert(Change::Admit(member.id.clone()));
        }
        if council != after.council || self.default_policy != next.default_policy {
            changes.insert(Change::Council);
        }
        if self.expires != next.expires {
            changes.insert(Change::Renew);
        }
        Ok(changes.into_iter().collect())
    }

    /// The organisations with a seat that take part, and the keys each may sign a list with; a
    /// member that `changes` are about has no vote in them.
    pub fn voters(&self, changes: &[Change]) -> Vec<(&OrgId, Vec<PublicKey>)> {
        let seats = self.council().map(|council| council.seats.as_slice()).unwrap_or_default();
        let members = seats.iter().filter_map(|seat| self.member(seat));
        let may = |member: &&Member| {
            member.state == MemberState::Active
                && changes.iter().all(|change| change.against() != Some(&member.id))
        };
        members.filter(may).map(|member| (&member.id, member.signing_keys(self.issued))).collect()
    }

    /// How many votes `changes` take together.
    pub fn needed(&self, changes: &[Change]) -> usize {
        let Some(council) = self.council() else { return 1 };
        let most = changes.iter().map(|change| council.needed(change)).max();
        most.unwrap_or(usize::from(council.thresholds.renew))
    }
}

impl Membership {
    /// Reads a chain of lists, the oldest first: the first is signed by the founders, each later one
    /// by enough voters of the one before. The time is not looked at.
    ///
    /// Errors with that of the first list that is not valid; [`MembershipError::Unreadable`] where
    /// there is none.
    pub fn chain(
        lists: &[SignedMembership],
        founders: &Founders,
    ) -> Result<Vec<Self>, MembershipError> {
        let (first, later) = lists.split_first().ok_or(MembershipError::Unreadable)?;
        let mut hash = first.hash();
        let mut current = first.founded(founders)?;
        let mut read = Vec::with_capacity(lists.len());
        for signed in later {
            let next = signed.after(&current, &hash, founders)?;
            hash = signed.hash();
            read.push(std::mem::replace(&mut current, next));
        }
        read.push(current);
        Ok(read)
    }
}

impl SignedMembership {
    /// Returns the list after checking that it may take the place of `current`: it continues it where
    /// that names its council, and is signed by the founders where that does not. The time is not
    /// looked at.
    pub fn after(
        &self,
        current: &Membership,
        current_hash: &str,
        founders: &Founders,
    ) -> Result<Membership, MembershipError> {
        if current.governance.is_some() {
            return self.follows(current, current_hash);
        }
        let list = self.founded(founders)?;
        list.is_after(current)?;
        Ok(list)
    }

    /// Returns the list after checking that it continues `current`, whose text has the hash
    /// `current_hash`: enough voters of the current list have signed what it changes. The time is
    /// not looked at.
    pub fn follows(
        &self,
        current: &Membership,
        current_hash: &str,
    ) -> Result<Membership, MembershipError> {
        let list = self.read()?;
        list.is_after(current)?;
        let previous = list.governance.as_ref().and_then(|g| g.previous.as_deref());
        if previous != Some(current_hash) || list.issued < current.issued {
            return Err(MembershipError::NotContinuing(list.serial));
        }
        let changes = current.changes(&list)?;
        let needed = current.needed(&changes);
        let voters = current.voters(&changes);
        let signed = voters.iter().filter(|(_, keys)| self.signed_by(keys) > 0).count();
        if signed < needed {
            return Err(MembershipError::TooFewSignatures { signed, needed });
        }
        Ok(list)
    }
}

fn keeps<T: Eq + std::hash::Hash>(before: &[T], after: &[T]) -> bool {
    let after: HashSet<&T> = after.iter().collect();
    before.iter().all(|one| after.contains(one))
}

fn is_refused(governance: &Governance, member: &Member) -> bool {
    let old = member.rotation;
    let keys = [Some(member.assertion_key), old.map(|old| old.assertion_key)];
    let certificates = [Some(member.tls_fingerprint), old.map(|old| old.tls_fingerprint)];
    keys.iter().flatten().all(|key| governance.refused_keys.contains(key))
        && certificates.iter().flatten().all(|one| governance.refused_certificates.contains(one))
}

/// What a list changes of one member.
fn changed(
    network: &str,
    before: &Member,
    after: &Member,
    governance: &Governance,
) -> Result<Vec<Change>, MembershipError> {
    let bad = MembershipError::BadGovernance;
    let id = || before.id.clone();
    let mut changes = Vec::new();
    match (before.state, after.state) {
        (MemberState::Active, MemberState::Suspended) => changes.push(Change::Suspend(id())),
        (MemberState::Suspended, MemberState::Active) => changes.push(Change::Reinstate(id())),
        _ => {}
    }
    let keys = |member: &Member| (member.tls_fingerprint, member.assertion_key);
    match (keys(before) == keys(after), after.rotation) {
        (true, rotation) if rotation.is_none() || rotation == before.rotation => {}
        (true, _) => return Err(bad("old keys are named where keys change, and not otherwise")),
        (false, Some(rotation)) if rotation.holds(network, before, keys(after)) => {
            changes.push(Change::Rotate(id()));
        }
        (false, None) if is_refused(governance, before) => changes.push(Change::Recover(id())),
        (false, None) => return Err(bad("keys that are replaced without them are refused")),
        (false, Some(_)) => return Err(bad("a rotation is signed by the key it replaces")),
    }
    let said = |m: &Member| {
        let urls = (m.node_url.clone(), m.web_url.clone());
        (m.display_name.clone(), urls, m.contact.clone(), m.capabilities.clone())
    };
    if said(before) != said(after) {
        changes.push(Change::Describe(id()));
    }
    Ok(changes)
}
