//! The membership list in force.
//!
//! One place holds it, and a newer list replaces it at once for handshakes, inbound checks and
//! questions alike. An expired list admits nobody: trust ends unless the council renews it.

use std::collections::HashMap;
use std::sync::Arc;

use crypto::{Fingerprint, PublicKey};
use parking_lot::RwLock;
use tokio::sync::watch;
use wire::{
    Member, MemberState, Membership, MembershipError, OrgId, Refusal, RefusalCode, SignedMembership,
};

use crate::Clock;

/// The network as this node sees it. Clones share one list.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    own: OrgId,
    council: PublicKey,
    clock: Clock,
    current: RwLock<Arc<Current>>,
    serial: watch::Sender<u64>,
}

struct Current {
    list: Arc<Membership>,
    by_id: HashMap<OrgId, usize>,
    by_fingerprint: HashMap<Fingerprint, usize>,
}

impl Network {
    /// Puts the first list in force. `own` is this node's organisation, `council` the key that
    /// must have signed every list.
    pub fn open(
        signed: &SignedMembership,
        council: PublicKey,
        own: OrgId,
        clock: Clock,
    ) -> Result<Self, MembershipError> {
        let list = signed.verify(&council, clock(), None)?;
        let (serial, _) = watch::channel(list.serial);
        let current = RwLock::new(Arc::new(Current::new(list)));
        Ok(Self(Arc::new(Inner { own, council, clock, current, serial })))
    }

    /// Puts a newer list in force and returns its serial number. The list that was in force stays
    /// where the new one is not valid or not newer.
    pub fn update(&self, signed: &SignedMembership) -> Result<u64, MembershipError> {
        let now_ms = (self.0.clock)();
        // Checked inside the lock, so that of two lists offered at once the newer one stays.
        let mut current = self.0.current.write();
        let list = signed.verify(&self.0.council, now_ms, Some(&current.list))?;
        let serial = list.serial;
        *current = Arc::new(Current::new(list));
        drop(current);
        self.0.serial.send_replace(serial);
        Ok(serial)
    }

    /// The list in force, even if it has expired meanwhile.
    pub fn list(&self) -> Arc<Membership> {
        Arc::clone(&self.0.current.read().list)
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
        self.others().into_iter().filter(|m| m.state == MemberState::Active).collect()
    }

    /// The member `id`, or the refusal that says why it may not ask or answer now.
    pub fn active(&self, id: &OrgId) -> Result<Member, Refusal> {
        self.standing(|current| current.by_id.get(id).copied())
    }

    /// The member whose certificate has this key, or the refusal that says why it may not.
    pub fn active_by_fingerprint(&self, key: &Fingerprint) -> Result<Member, Refusal> {
        self.standing(|current| current.by_fingerprint.get(key).copied())
    }

    /// Tells the serial number of every list that comes into force.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.serial.subscribe()
    }

    fn is_expired(&self) -> bool {
        (self.0.clock)() >= self.list().expires
    }

    fn standing(&self, find: impl Fn(&Current) -> Option<usize>) -> Result<Member, Refusal> {
        let current = Arc::clone(&self.0.current.read());
        if (self.0.clock)() >= current.list.expires {
            return Err(Refusal::new(
                RefusalCode::NotAMember,
                "the membership list has expired; get a newer one from the council",
            ));
        }
        match find(&current).and_then(|at| current.list.members.get(at)) {
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
    fn new(list: Membership) -> Self {
        let members = || list.members.iter().enumerate();
        let by_id = members().map(|(at, m)| (m.id.clone(), at)).collect();
        let by_fingerprint = members().map(|(at, m)| (m.tls_fingerprint, at)).collect();
        Self { list: Arc::new(list), by_id, by_fingerprint }
    }
}
