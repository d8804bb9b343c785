//! The check that every request of a peer passes before anything else looks at it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crypto::sha256;
use parking_lot::Mutex;
use wire::{Assertion, Expected, Member, OrgId, Refusal, RefusalCode};

use crate::{Clock, Network};

/// Limits for each peer.
#[derive(Clone, Copy, Debug)]
pub struct InboundLimits {
    /// Requests a second, in the long run.
    pub per_second: u32,
    /// Requests at once, after a pause.
    pub burst: u32,
    /// Assertions remembered until they expire; when full, further ones are refused.
    pub remembered: usize,
    /// Bytes of answers a minute, in the long run.
    pub bytes_per_minute: u64,
    /// Bytes of answers at once, after a pause. An answer that has begun is sent whole; what it is
    /// too long counts against the next ones.
    pub bytes_burst: u64,
}

impl Default for InboundLimits {
    fn default() -> Self {
        // An assertion is remembered for 70 s at most, so this holds all that the rate lets in.
        Self {
            per_second: 200,
            burst: 400,
            remembered: 20_000,
            bytes_per_minute: 256 * 1024 * 1024,
            bytes_burst: 1024 * 1024 * 1024,
        }
    }
}

/// A request of which is known who asks, and that it is asked once.
#[derive(Clone, Debug)]
pub struct Asserted {
    /// What the peer asserts of its user.
    pub assertion: Assertion,
    /// The peer.
    pub member: Member,
}

/// Checks requests of peers.
pub struct Inbound {
    network: Network,
    clock: Clock,
    limits: InboundLimits,
    // Only members get an entry, so the membership list bounds it.
    peers: Mutex<HashMap<OrgId, PeerState>>,
}

impl Inbound {
    /// A check for the node that `network` is seen from.
    pub fn new(network: Network, clock: Clock, limits: InboundLimits) -> Self {
        Self { network, clock, limits, peers: Mutex::default() }
    }

    /// Checks one request: `peer` is the organisation at the other end of the connection, `token`
    /// the value of `wire::ASSERTION_HEADER`, `path` is without query, `body` the whole body.
    ///
    /// In this order: membership, rate and volume, the assertion itself, and that it was not used
    /// before. While a member's keys overlap, both are accepted.
    /// What the purpose, the role and the second factor allow is for policy to say.
    pub fn check(
        &self,
        peer: &OrgId,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Asserted, Refusal> {
        let member = self.network.active(peer)?;
        let now_ms = (self.clock)();
        self.spend(peer, now_ms)?;
        let token = token.ok_or_else(|| {
            Refusal::new(RefusalCode::AssertionInvalid, "the request carries no assertion")
        })?;
        let (own, body_sha256) = (self.network.own(), &sha256(body));
        let expected = Expected { peer, own, method, path, body_sha256, now_ms };
        let assertion = verified(token, &expected, &member.signing_keys(now_ms))?;
        self.remember(&assertion, now_ms)?;
        Ok(Asserted { assertion, member })
    }

    fn spend(&self, peer: &OrgId, now_ms: i64) -> Result<(), Refusal> {
        let mut peers = self.peers.lock();
        let fresh = || PeerState::new(&self.limits, now_ms);
        let state = peers.entry(peer.clone()).or_insert_with(fresh);
        let refused = |what: &str, seconds| {
            Err(Refusal::new(RefusalCode::RateLimited, what).retry_after(seconds))
        };
        if let Some(seconds) = state.volume.debt_s(&self.limits, now_ms) {
            return refused("too much was asked for; ask again later", seconds);
        }
        if !state.bucket.take(&self.limits, now_ms) {
            let missing = 1000_u64.saturating_sub(state.bucket.thousandths);
            let ms = missing.div_ceil(u64::from(self.limits.per_second.max(1)));
            return refused("too many requests; ask again later", seconds_of(ms));
        }
        Ok(())
    }

    /// Counts `bytes` that are sent to `peer` in answer.
    pub fn sent(&self, peer: &OrgId, bytes: u64) {
        let now_ms = (self.clock)();
        let mut peers = self.peers.lock();
        let fresh = || PeerState::new(&self.limits, now_ms);
        peers.entry(peer.clone()).or_insert_with(fresh).volume.spend(&self.limits, now_ms, bytes);
    }

    fn remember(&self, assertion: &Assertion, now_ms: i64) -> Result<(), Refusal> {
        let mut peers = self.peers.lock();
        let fresh = || PeerState::new(&self.limits, now_ms);
        let state = peers.entry(assertion.issuer.clone()).or_insert_with(fresh);
        state.used.admit(&assertion.id, assertion.expires_ms, now_ms, self.limits.remembered)
    }
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound").field("network", &self.network).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct PeerState {
    bucket: Bucket,
    volume: Volume,
    used: Used,
}

impl PeerState {
    fn new(limits: &InboundLimits, now_ms: i64) -> Self {
        let bucket = Bucket { thousandths: u64::from(limits.burst) * 1000, filled_ms: now_ms };
        let volume = Volume {
            left: i64::try_from(limits.bytes_burst).unwrap_or(i64::MAX),
            filled_ms: now_ms,
        };
        Self { bucket, volume, used: Used::default() }
    }
}

/// The assertion by whichever of the peer's keys has signed it.
fn verified(
    token: &str,
    expected: &Expected<'_>,
    keys: &[crypto::PublicKey],
) -> Result<Assertion, Refusal> {
    let mut first = None;
    for key in keys {
        match Assertion::verify(token, expected, key) {
            Ok(assertion) => return Ok(assertion),
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    let none = || Refusal::new(RefusalCode::AssertionInvalid, "the peer has no key");
    Err(first.map_or_else(none, wire::AssertionError::refusal))
}

fn seconds_of(ms: u64) -> u32 {
    u32::try_from(ms.div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

/// How many bytes a peer may still be sent; below zero it waits.
#[derive(Debug)]
struct Volume {
    left: i64,
    filled_ms: i64,
}

impl Volume {
    fn fill(&mut self, limits: &InboundLimits, now_ms: i64) {
        let elapsed_ms = u64::try_from(now_ms.saturating_sub(self.filled_ms)).unwrap_or(0);
        let gained = elapsed_ms.saturating_mul(limits.bytes_per_minute) / 60_000;
        // What is too little to count is left to the next time.
        if gained > 0 || now_ms < self.filled_ms {
            self.filled_ms = now_ms;
        }
        let full = i64::try_from(limits.bytes_burst).unwrap_or(i64::MAX);
        let gained = i64::try_from(gained).unwrap_or(i64::MAX);
        self.left = self.left.saturating_add(gained).min(full);
    }

    fn spend(&mut self, limits: &InboundLimits, now_ms: i64, bytes: u64) {
        self.fill(limits, now_ms);
        self.left = self.left.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// After how many seconds the peer may ask again, where it has had too much.
    fn debt_s(&mut self, limits: &InboundLimits, now_ms: i64) -> Option<u32> {
        self.fill(limits, now_ms);
        let debt = u64::try_from(self.left.checked_neg()?).ok().filter(|debt| *debt > 0)?;
        Some(seconds_of(debt.saturating_mul(60_000) / limits.bytes_per_minute.max(1)))
    }
}

/// A token bucket. It counts thousandths of a request, so that milliseconds need no fractions.
#[derive(Debug)]
struct Bucket {
    thousandths: u64,
    filled_ms: i64,
}

impl Bucket {
    fn take(&mut self, limits: &InboundLimits, now_ms: i64) -> bool {
        // A clock that was set back adds nothing; the next request counts from the new time.
        let elapsed_ms = u64::try_from(now_ms.saturating_sub(self.filled_ms)).unwrap_or(0);
        self.filled_ms = now_ms;
        let gained = elapsed_ms.saturating_mul(u64::from(limits.per_second));
        let full = u64::from(limits.burst) * 1000;
        self.thousandths = self.thousandths.saturating_add(gained).min(full);
        match self.thousandths.checked_sub(1000) {
            Some(rest) => {
                self.thousandths = rest;
                true
            }
            None => false,
        }
    }
}

/// The assertions of one peer that are still valid and were used.
#[derive(Debug, Default)]
struct Used {
    ids: HashSet<Box<str>>,
    by_expiry: BTreeMap<i64, Vec<Box<str>>>,
}

impl Used {
    fn admit(
        &mut self,
        id: &str,
        expires_ms: i64,
        now_ms: i64,
        limit: usize,
    ) -> Result<(), Refusal> {
        while let Some(entry) = self.by_expiry.first_entry()
            && *entry.key() <= now_ms
        {
            for id in entry.remove() {
                self.ids.remove(&id);
            }
        }
        if self.ids.contains(id) {
            return Err(Refusal::new(
                RefusalCode::Replayed,
                "the assertion was used before; sign a new one for each request",
            ));
        }
        if self.ids.len() >= limit {
            return Err(Refusal::new(
                RefusalCode::RateLimited,
                "too many requests; ask again later",
            ));
        }
        self.ids.insert(id.into());
        self.by_expiry.entry(expires_ms).or_default().push(id.into());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_bucket_fills_at_its_rate() {
        let limits =
            InboundLimits { per_second: 2, burst: 3, remembered: 1, ..InboundLimits::default() };
        let mut bucket = PeerState::new(&limits, 0).bucket;
        let mut takes =
            |now_ms, times: usize| (0..times).filter(|_| bucket.take(&limits, now_ms)).count();
        assert_eq!(takes(0, 10), 3);
        assert_eq!(takes(499, 10), 0);
        assert_eq!(takes(500, 10), 1);
        assert_eq!(takes(1_000_000, 10), 3);
        assert_eq!(takes(0, 10), 0, "a clock that was set back adds nothing");
        assert_eq!(takes(1_000, 10), 2);
    }

    #[test]
    fn what_was_too_much_is_waited_for() {
        let (bytes_per_minute, bytes_burst) = (600, 1000);
        let limits = InboundLimits { bytes_per_minute, bytes_burst, ..InboundLimits::default() };
        let mut volume = PeerState::new(&limits, 0).volume;
        volume.spend(&limits, 0, 1000);
        assert_eq!(volume.debt_s(&limits, 0), None, "all that is allowed is not too much");
        volume.spend(&limits, 0, 25);
        assert_eq!(volume.debt_s(&limits, 0), Some(3), "ten bytes a second");
        assert_eq!(volume.debt_s(&limits, 2_000), Some(1));
        assert_eq!(volume.debt_s(&limits, 2_500), None);
        volume.spend(&limits, 10_000_000, 1001);
        assert_eq!(volume.debt_s(&limits, 10_000_000), Some(1), "no more than one burst is saved");
        assert_eq!(volume.debt_s(&limits, 0), Some(1), "a clock that was set back adds nothing");
    }

    #[test]
    fn an_assertion_is_accepted_once_and_forgotten_when_it_has_expired() {
        let mut used = Used::default();
        let mut admit = |id: &str, expires_ms, now_ms| {
            used.admit(id, expires_ms, now_ms, 2).map_err(|refusal| refusal.code)
        };
        assert_eq!(admit("a", 100, 0), Ok(()));
        assert_eq!(admit("a", 100, 99), Err(RefusalCode::Replayed));
        assert_eq!(admit("b", 200, 99), Ok(()));
        assert_eq!(admit("c", 200, 99), Err(RefusalCode::RateLimited));
        assert_eq!(admit("c", 200, 100), Ok(()));
        assert_eq!(admit("a", 200, 100), Err(RefusalCode::RateLimited));
        assert_eq!(admit("a", 300, 200), Ok(()));
    }

    proptest! {
        #[test]
        fn memory_stays_bounded_and_consistent(
            uses in prop::collection::vec((0..50u8, 1..100i64, 0..20i64), 1..300)
        ) {
            let (mut used, mut now_ms) = (Used::default(), 0);
            let mut accepted = HashMap::new();
            for (id, lifetime_ms, step_ms) in uses {
                now_ms += step_ms;
                let id = format!("id-{id}");
                let outcome = used.admit(&id, now_ms + lifetime_ms, now_ms, 16);
                let valid = accepted.get(&id).is_some_and(|until| *until > now_ms);
                match outcome.map_err(|refusal| refusal.code) {
                    Ok(()) => {
                        prop_assert!(!valid);
                        accepted.insert(id, now_ms + lifetime_ms);
                    }
                    Err(RefusalCode::Replayed) => prop_assert!(valid),
                    Err(code) => prop_assert_eq!(code, RefusalCode::RateLimited),
                }
                let listed: usize = used.by_expiry.values().map(Vec::len).sum();
                prop_assert!(used.ids.len() <= 16 && listed == used.ids.len());
            }
        }
    }
}
