//! The membership list in force, and whom this node has cut off by itself.
//!
//! One place holds both, and a change takes hold at once for handshakes, open connections, streams,
//! inbound checks and questions alike. An expired list admits nobody: trust ends unless the council
//! renews it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crypto::{Fingerprint, PublicKey};
use parking_lot::RwLock;
use tokio::sync::watch;
use wire::{
    Founders, Member, MemberState, Membership, MembershipError, OrgId, Refusal, RefusalCode,
    SignedMembership,
};

use crate::Clock;

/// The network as this node sees it. Clones share one list.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    own: OrgId,
    founders: Founders,
    clock: Clock,
    current: RwLock<Arc<Current>>,
    cuts: RwLock<Cuts>,
    serial: watch::Sender<u64>,
}

struct Current {
    signed: SignedMembership,
    hash: String,
    list: Arc<Membership>,
    /// The list before and its hash, to recognise a second list in the place of this one.
    before: Option<(Arc<Membership>, String)>,
    by_id: HashMap<OrgId, usize>,
    by_fingerprint: HashMap<Fingerprint, usize>,
}

/// With whom this node does not talk, whatever the list says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cuts {
    /// With nobody.
    pub all: bool,
    /// Not with these.
    pub peers: BTreeSet<OrgId>,
}

impl Cuts {
    /// Whether this organisation is cut off.
    pub fn holds(&self, org: &OrgId) -> bool {
        self.all || self.peers.contains(org)
    }
}

impl Network {
    /// Puts the first list in force. `own` is this node's organisation, `council` the key that
    /// must have signed it.
    pub fn open(
        signed: &SignedMembership,
        council: PublicKey,
        own: OrgId,
        clock: Clock,
    ) -> Result<Self, MembershipError> {
        let list = signed.verify(&council, clock(), None)?;
        Ok(Self::of(Current::new(signed.clone(), list, None), Founders::one(council), own, clock))
    }

    /// Puts the last list of a chain in force: the first is signed by the founders, each other one
    /// continues the one before. Only the last must not have expired. Lists of version 1 are each
    /// signed by the founders.
    pub fn open_chain(
        lists: &[SignedMembership],
        founders: Founders,
        own: OrgId,
        clock: Clock,
    ) -> Result<Self, MembershipError> {
        let mut chain = lists.iter();
        let first = chain.next().ok_or(MembershipError::Unreadable)?;
        let mut current = Current::new(first.clone(), first.founded(&founders)?, None);
        for signed in chain {
            let list = current.followed_by(signed, &founders)?;
            current = Current::new(signed.clone(), list, Some(&current));
        }
        if clock() >= current.list.expires {
            return Err(MembershipError::Expired);
        }
        Ok(Self::of(current, founders, own, clock))
    }

    fn of(current: Current, founders: Founders, own: OrgId, clock: Clock) -> Self {
        let (serial, _) = watch::channel(current.list.serial);
        let (current, cuts) = (RwLock::new(Arc::new(current)), RwLock::default());
        Self(Arc::new(Inner { own, founders, clock, current, cuts, serial }))
    }

    /// Puts a newer list in force and returns its serial number. The list that was in force stays
    /// where the new one is not valid or not newer. [`MembershipError::Forked`] means that there
    /// are two valid lists with one serial number.
    pub fn update(&self, signed: &SignedMembership) -> Result<u64, MembershipError> {
        let now_ms = (self.0.clock)();
        // Checked inside the lock, so that of two lists offered at once the newer one stays.
        let mut current = self.0.current.write();
        let list = match current.followed_by(signed, &self.0.founders) {
            Ok(list) => list,
            Err(error) => return Err(current.forked_by(signed, &self.0.founders).unwrap_or(error)),
        };
        // A list with a council may be one of several to catch up with.
        if list.governance.is_none() && now_ms >= list.expires {
            return Err(MembershipError::Expired);
        }
        let serial = list.serial;
        *current = Arc::new(Current::new(signed.clone(), list, Some(&current)));
        drop(current);
        self.0.serial.send_replace(serial);
        Ok(serial)
    }

    /// Cuts off one organisation, or all where none is named. It takes hold at once; whether
    /// something changed.
    pub fn cut(&self, org: Option<&OrgId>) -> bool {
        self.change_cuts(|cuts| match org {
            Some(org) => cuts.peers.insert(org.clone()),
            None => !std::mem::replace(&mut cuts.all, true),
        })
    }

    /// Takes a cut back: of one organisation, or all cuts where none is named.
    pub fn restore(&self, org: Option<&OrgId>) -> bool {
        self.change_cuts(|cuts| match org {
            Some(org) => cuts.peers.remove(org),
            None => std::mem::take(cuts) != Cuts::default(),
        })
    }

    /// With whom this node does not talk by its own decision.
    pub fn cuts(&self) -> Cuts {
        self.0.cuts.read().clone()
    }

    fn change_cuts(&self, change: impl FnOnce(&mut Cuts) -> bool) -> bool {
        let changed = change(&mut self.0.cuts.write());
        if changed {
            // Whoever watches looks again; the number itself stays.
            self.0.serial.send_modify(|_| {});
        }
        changed
    }

    /// The list in force, even if it has expired meanwhile.
    pub fn list(&self) -> Arc<Membership> {
        Arc::clone(&self.0.current.read().list)
    }

    /// The list in force in its envelope.
    pub fn signed(&self) -> SignedMembership {
        self.0.current.read().signed.clone()
    }

    /// The list in force and the hash of its text.
    pub fn hashed(&self) -> (Arc<Membership>, String) {
        let current = self.0.current.read();
        (Arc::clone(&current.list), current.hash.clone())
    }

    /// The keys that the network began with.
    pub fn founders(&self) -> &Founders {
        &self.0.founders
    }

    /// This node's organisation.
    pub fn own(&self) -> &OrgId {
        &self.0.own
    }

    /// All members but this node, in whatever state.
    pub fn others(&self) -> Vec<Member> {
        let list = self.list();
        list.members.iter().filter(|m| m.id != self.0.own).cloned().collect()
    }

    /// All members that may ask and answer, but this node; none once the list has expired.
    pub fn active_others(&self) -> Vec<Member> {
        if self.is_expired() {
            return Vec::new();
        }
        let cuts = self.cuts();
        let active = |m: &Member| m.state == MemberState::Active && !cuts.holds(&m.id);
        self.others().into_iter().filter(active).collect()
    }

    /// The member `id`, or the refusal that says why it may not ask or answer now.
    pub fn active(&self, id: &OrgId) -> Result<Member, Refusal> {
        self.standing(|current, _| current.by_id.get(id).copied())
    }

    /// The member whose certificate has this key, or the refusal that says why it may not.
    pub fn active_by_fingerprint(&self, key: &Fingerprint) -> Result<Member, Refusal> {
        self.standing(|current, now_ms| {
            let at = current.by_fingerprint.get(key).copied()?;
            current.list.members.get(at).filter(|m| m.shows(key, now_ms)).map(|_| at)
        })
    }

    /// Tells of every list that comes into force, by its serial number, and of every cut.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.serial.subscribe()
    }

    /// Waits until `holds` says no; it is asked now, whenever the list or a cut changes, and once a
    /// second, because lists expire and old keys run out.
    pub async fn ended<T>(&self, holds: impl Fn(&Self) -> Result<T, Refusal>) -> Refusal {
        let mut changes = self.changes();
        loop {
            if let Err(refusal) = holds(self) {
                return refusal;
            }
            let pause = tokio::time::sleep(std::time::Duration::from_secs(1));
            tokio::select! {
                _ = changes.changed() => {}
                () = pause => {}
            }
        }
    }

    fn is_expired(&self) -> bool {
        (self.0.clock)() >= self.list().expires
    }

    fn standing(&self, find: impl Fn(&Current, i64) -> Option<usize>) -> Result<Member, Refusal> {
        let current = Arc::clone(&self.0.current.read());
        let now_ms = (self.0.clock)();
        if now_ms >= current.list.expires {
            return Err(Refusal::new(
                RefusalCode::NotAMember,
                "the membership list has expired; get a newer one from the council",
            ));
        }
        match find(&current, now_ms).and_then(|at| current.list.members.get(at)) {
            Some(member) if self.0.cuts.read().holds(&member.id) => Err(Refusal::new(
                RefusalCode::CutOff,
                "this connection was cut by an operator; ask the operator of that node",
            )),
            Some(member) if member.state == MemberState::Active => Ok(member.clone()),
            Some(_) => Err(Refusal::new(
                RefusalCode::Suspended,
                "the organisation is suspended; ask the council",
            )),
            None => Err(Refusal::new(
                RefusalCode::NotAMember,
                "the organisation is not in the membership list; ask the council",
            )),
        }
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = self.list();
        f.debug_struct("Network").field("own", &self.0.own).field("serial", &list.serial).finish()
    }
}

impl Current {
    fn new(signed: SignedMembership, list: Membership, before: Option<&Self>) -> Self {
        let members = || list.members.iter().enumerate();
        let by_id = members().map(|(at, m)| (m.id.clone(), at)).collect();
        let keys = |(at, m): (usize, &Member)| {
            let old = m.rotation.map(|old| (old.tls_fingerprint, at));
            [Some((m.tls_fingerprint, at)), old].into_iter().flatten()
        };
        let by_fingerprint = members().flat_map(keys).collect();
        let hash = signed.hash();
        let before = before.map(|before| (Arc::clone(&before.list), before.hash.clone()));
        Self { signed, hash, list: Arc::new(list), before, by_id, by_fingerprint }
    }

    /// The list after this one: continuing it where it names its council, else from the founders.
    fn followed_by(
        &self,
        signed: &SignedMembership,
        founders: &Founders,
    ) -> Result<Membership, MembershipError> {
        signed.after(&self.list, &self.hash, founders)
    }

    /// Whether `signed` is a second valid list in the place of this one.
    fn forked_by(&self, signed: &SignedMembership, founders: &Founders) -> Option<MembershipError> {
        let list = signed.read().ok()?;
        if list.serial != self.list.serial || signed.hash() == self.hash {
            return None;
        }
        let valid = match &self.before {
            Some((before, hash)) => signed.after(before, hash, founders).is_ok(),
            None => signed.founded(founders).is_ok(),
        };
        valid.then_some(MembershipError::Forked(list.serial))
    }
}
