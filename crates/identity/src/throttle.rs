//! Slows guessing down: after some failures each further one doubles the time to wait, for the
//! account and for the address it comes from. The wait is never longer than a quarter of an hour,
//! so nobody can be locked out for good by somebody else's guesses.
//!
//! The table is in memory and bounded. A restart forgets it; a guesser gains a few attempts.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;

/// The longest wait in milliseconds.
const MAX_WAIT_MS: i64 = 15 * 60_000;
/// The first wait in milliseconds.
const FIRST_WAIT_MS: i64 = 2_000;
/// Failures are forgotten after this many milliseconds without another one.
const FORGET_MS: i64 = 60 * 60_000;

/// When to slow down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleSettings {
    /// Failures in one account before the first wait.
    pub account_failures: u32,
    /// Failures from one address before the first wait; more than for an account, because a whole
    /// hospital may share an address.
    pub address_failures: u32,
    /// Accounts and addresses that are remembered.
    pub entries: usize,
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        Self { account_failures: 5, address_failures: 50, entries: 100_000 }
    }
}

/// Counts failures.
#[derive(Debug)]
pub struct Throttle {
    settings: ThrottleSettings,
    table: Mutex<HashMap<[u8; 16], Entry>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    failures: u32,
    last_ms: i64,
}

/// An attempt under way. It counts as failed until it is known to have succeeded, so that attempts
/// made at the same time cannot pass together.
#[derive(Debug)]
pub(crate) struct Attempt {
    account: [u8; 16],
    address: [u8; 16],
}

impl Throttle {
    /// An empty table.
    pub fn new(settings: ThrottleSettings) -> Self {
        Self { settings, table: Mutex::new(HashMap::new()) }
    }

    /// Starts an attempt, or says after how many seconds to come back.
    pub(crate) fn begin(&self, account: &str, address: &str, now_ms: i64) -> Result<Attempt, u64> {
        self.begin_one("account", account, address, now_ms)
    }

    /// Starts an attempt to prove a second factor of an account. It is counted apart from those at
    /// the password: whoever has stolen the password must not clear by it what they have guessed
    /// at the second factor.
    pub(crate) fn begin_factor(
        &self,
        account: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Attempt, u64> {
        self.begin_one("factor", account, address, now_ms)
    }

    fn begin_one(
        &self,
        kind: &str,
        account: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Attempt, u64> {
        let attempt =
            Attempt { account: key(kind, account), address: key("address", &network(address)) };
        let limits = [
            (attempt.account, self.settings.account_failures),
            (attempt.address, self.settings.address_failures),
        ];
        let mut table = self.table.lock();
        let wait = |(key, limit): &([u8; 16], u32)| {
            let entry = table.get(key).filter(|entry| is_kept(entry, now_ms));
            // A clock that was set back counts as no time passed: the wait never grows by it.
            let wait_ms = entry.map_or(0, |entry| wait_ms(entry.failures, *limit));
            let passed_ms = entry.map_or(0, |entry| now_ms.saturating_sub(entry.last_ms).max(0));
            wait_ms - passed_ms
        };
        let wait_ms = limits.iter().map(wait).max().unwrap_or(0);
        if wait_ms > 0 {
            return Err(wait_ms.unsigned_abs().div_ceil(1000));
        }
        for (key, _) in limits {
            self.make_room(&mut table, now_ms);
            let entry = table.entry(key).or_insert(Entry { failures: 0, last_ms: now_ms });
            if !is_kept(entry, now_ms) {
                entry.failures = 0;
            }
            entry.failures = entry.failures.saturating_add(1);
            entry.last_ms = now_ms;
        }
        Ok(attempt)
    }

    /// Starts an attempt that concerns no account known yet. `once` tells it from every other, so
    /// that the address alone counts: what cannot be guessed must not lock its owner out.
    pub(crate) fn begin_unnamed(
        &self,
        once: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Attempt, u64> {
        self.begin(&format!("unnamed {once}"), address, now_ms)
    }

    /// Takes the attempt back: the account starts afresh, the address is as it was. One good
    /// account must not clear an address from which others are being guessed.
    pub(crate) fn succeeded(&self, attempt: &Attempt) {
        let mut table = self.table.lock();
        table.remove(&attempt.account);
        self.release(&mut table, attempt);
    }

    /// Takes the attempt back without forgetting earlier failures: nothing was guessed.
    pub(crate) fn withdrawn(&self, attempt: &Attempt) {
        let mut table = self.table.lock();
        if let Some(entry) = table.get_mut(&attempt.account) {
            entry.failures = entry.failures.saturating_sub(1);
        }
        self.release(&mut table, attempt);
    }

    fn release(&self, table: &mut HashMap<[u8; 16], Entry>, attempt: &Attempt) {
        if let Some(entry) = table.get_mut(&attempt.address) {
            entry.failures = entry.failures.saturating_sub(1);
            if entry.failures == 0 {
                table.remove(&attempt.address);
            }
        }
    }

    /// Drops what is forgotten anyway and, if that is not enough, the eighth of the entries with
    /// the fewest and oldest failures: an attacker cannot push out the account under attack.
    fn make_room(&self, table: &mut HashMap<[u8; 16], Entry>, now_ms: i64) {
        if table.len() < self.settings.entries {
            return;
        }
        table.retain(|_, entry| is_kept(entry, now_ms));
        if table.len() < self.settings.entries {
            return;
        }
        let mut order: Vec<(u32, i64, [u8; 16])> =
            table.iter().map(|(key, entry)| (entry.failures, entry.last_ms, *key)).collect();
        order.sort_unstable();
        for (_, _, key) in order.iter().take(self.settings.entries / 8 + 1) {
            table.remove(key);
        }
    }

    /// How many accounts and addresses are remembered.
    pub fn len(&self) -> usize {
        self.table.lock().len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn is_kept(entry: &Entry, now_ms: i64) -> bool {
    now_ms.saturating_sub(entry.last_ms) < FORGET_MS
}

/// How long to wait after `failures`: nothing below `limit`, then 2 s, 4 s, 8 s … 15 min.
fn wait_ms(failures: u32, limit: u32) -> i64 {
    match failures.checked_sub(limit) {
        None => 0,
        Some(beyond) => FIRST_WAIT_MS.saturating_mul(1 << beyond.min(30)).min(MAX_WAIT_MS),
    }
}

/// Names are not kept: what is typed as a name is sometimes a password.
fn key(kind: &str, name: &str) -> [u8; 16] {
    let hash = crypto::hash::sha256_of_parts(&[kind.as_bytes(), &[0], name.as_bytes()]);
    let mut key = [0; 16];
    key.copy_from_slice(hash.first_chunk::<16>().unwrap_or(&[0; 16]));
    key
}

/// The address, or for IPv6 the /64 network that one customer commonly has to himself.
fn network(address: &str) -> String {
    match address.trim().parse::<IpAddr>() {
        Ok(IpAddr::V6(v6)) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.to_string(),
            None => v6.segments().iter().take(4).map(|part| format!("{part:x}:")).collect(),
        },
        Ok(v4) => v4.to_string(),
        Err(_) => address.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn throttle() -> Throttle {
        Throttle::new(ThrottleSettings { entries: 64, ..ThrottleSettings::default() })
    }

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let throttle = throttle();
        let mut now_ms = 0;
        let mut waits = Vec::new();
        for _ in 0..16 {
            if let Err(wait_s) = throttle.begin("ada", "192.0.2.1", now_ms) {
                waits.push(wait_s);
                now_ms += i64::try_from(wait_s).unwrap() * 1000;
                throttle.begin("ada", "192.0.2.1", now_ms).unwrap();
            }
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        // A clock that is set back makes nobody wait who has not failed often enough.
        throttle.begin("eve", "192.0.2.9", now_ms).unwrap();
        assert!(throttle.begin("eve", "192.0.2.9", now_ms - 500_000).is_ok());
        // Another account from the same address is not held up, nor is this one tomorrow.
        assert!(throttle.begin("bob", "192.0.2.1", now_ms).is_ok());
        assert!(throttle.begin("ada", "192.0.2.1", now_ms + FORGET_MS).is_ok());
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_slowed_down() {
        let throttle = Throttle::new(ThrottleSettings::default());
        for number in 0..50 {
            // Addresses of one IPv6 network count together.
            let address = format!("2001:db8::{number:x}");
            throttle.begin(&format!("user{number}"), &address, 0).unwrap();
        }
        assert_eq!(throttle.begin("someone", "2001:db8::ffff", 0).unwrap_err(), 2);
        assert!(throttle.begin("someone", "2001:db8:0:1::1", 0).is_ok());
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn success_clears_the_account_but_not_the_address() {
        let settings = ThrottleSettings { address_failures: 3, ..ThrottleSettings::default() };
        let throttle = Throttle::new(settings);
        throttle.begin("a", "x", 0).unwrap();
        throttle.begin("b", "x", 0).unwrap();
        let good = throttle.begin("mine", "x", 0).unwrap();
        throttle.succeeded(&good);
        throttle.begin("c", "x", 0).unwrap();
        assert_eq!(throttle.begin("mine", "x", 0).unwrap_err(), 2);
        assert_eq!(throttle.len(), 4);
    }

    #[test]
    fn a_flood_of_names_does_not_push_out_the_account_under_attack() {
        let throttle = throttle();
        for _ in 0..5 {
            throttle.begin("victim", "a", 0).unwrap();
        }
        for number in 0..1_000 {
            let _ = throttle.begin(&format!("n{number}"), &format!("h{number}"), 1_000);
            assert!(throttle.len() <= 64);
        }
        assert!(throttle.begin("victim", "b", 1_500).is_err());
    }

    proptest! {
        #[test]
        fn a_wait_always_ends_within_a_quarter_of_an_hour(
            steps in prop::collection::vec((0..3_usize, -100_000..2_000_000_i64), 1..80)
        ) {
            let throttle = throttle();
            let mut now_ms = 0_i64;
            for (account, step) in steps {
                now_ms += step;
                let name = ["a", "b", "c"][account];
                if let Err(wait_s) = throttle.begin(name, "x", now_ms) {
                    prop_assert!((1..=900).contains(&wait_s));
                }
            }
            let later = now_ms.max(0) + 200_000_000;
            prop_assert!(throttle.begin("a", "x", later).is_ok());
        }
    }
}
