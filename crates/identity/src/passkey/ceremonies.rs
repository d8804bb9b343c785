//! Ceremonies under way: the challenge that was given out and whom it was given to.
//!
//! They live in memory, for some minutes and one try each; a restart asks people to try again.
//! The table is bounded, and one address cannot fill it.

use std::collections::HashMap;

use crypto::Random;
use parking_lot::Mutex;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, PasskeyAuthentication, PasskeyRegistration,
};

use crate::fault::Fault;
use crate::hidden::Hidden;

/// How long a challenge may be answered, in milliseconds.
pub(crate) const LIFETIME_MS: i64 = 300_000;
/// Most ceremonies at the same time.
const MOST: usize = 8_192;
/// Most ceremonies of one address. A whole hospital may share one.
const MOST_OF_ADDRESS: usize = 1_024;
/// Bytes of the name of a ceremony.
const TOKEN_BYTES: usize = 24;

/// What a challenge was given out for.
pub(crate) enum Ceremony {
    /// Signing in; nobody is known yet.
    SignIn(DiscoverableAuthentication),
    /// Proving presence in the session at this place.
    StepUp(Vec<u8>, PasskeyAuthentication),
    /// Signing this digest in the session at this place.
    Sign(Vec<u8>, [u8; 32], PasskeyAuthentication),
    /// Setting up one-time codes with this secret in the session at this place.
    OneTimeCodes(Vec<u8>, Hidden<Vec<u8>>),
    /// Adding a passkey in the session at this place.
    Enrol(Vec<u8>, PasskeyRegistration),
}

struct Entry<T> {
    ceremony: T,
    began_ms: i64,
    address: String,
}

/// The ceremonies of one kind at one node.
pub(crate) struct Ceremonies<T = Ceremony> {
    table: Mutex<HashMap<String, Entry<T>>>,
    lifetime_ms: i64,
}

impl<T> Default for Ceremonies<T> {
    fn default() -> Self {
        Self::lasting(LIFETIME_MS)
    }
}

impl<T> std::fmt::Debug for Ceremonies<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ceremonies(hidden)")
    }
}

impl<T> Ceremonies<T> {
    /// Ceremonies that last so many milliseconds.
    pub fn lasting(lifetime_ms: i64) -> Self {
        Self { table: Mutex::default(), lifetime_ms }
    }

    /// Keeps a ceremony; returns its name.
    pub fn begin(
        &self,
        ceremony: T,
        address: &str,
        random: &dyn Random,
        now_ms: i64,
    ) -> Result<String, Fault> {
        let token = crypto::random::token(random, TOKEN_BYTES)?;
        let address = address.to_owned();
        let mut table = self.table.lock();
        if table.values().filter(|entry| entry.address == address).count() >= MOST_OF_ADDRESS {
            drop_oldest(&mut table, 1, |entry| entry.address == address);
        }
        if table.len() >= MOST {
            table.retain(|_, entry| self.is_live(entry, now_ms));
        }
        if table.len() >= MOST {
            drop_oldest(&mut table, MOST / 8, |_| true);
        }
        table.insert(token.clone(), Entry { ceremony, began_ms: now_ms, address });
        Ok(token)
    }

    /// Takes a ceremony out; whatever comes of it, it cannot be taken again. `None` for one that
    /// has run out or never was.
    pub fn take(&self, token: &str, now_ms: i64) -> Option<T> {
        let entry = self.table.lock().remove(token)?;
        self.is_live(&entry, now_ms).then_some(entry.ceremony)
    }

    /// A clock that was set back ends a ceremony rather than prolong it.
    fn is_live(&self, entry: &Entry<T>, now_ms: i64) -> bool {
        (0..=self.lifetime_ms).contains(&now_ms.saturating_sub(entry.began_ms))
    }
}

fn drop_oldest<T>(
    table: &mut HashMap<String, Entry<T>>,
    count: usize,
    concerned: impl Fn(&Entry<T>) -> bool,
) {
    let concerned = table.iter().filter(|(_, entry)| concerned(entry));
    let mut order: Vec<(i64, String)> =
        concerned.map(|(token, entry)| (entry.began_ms, token.clone())).collect();
    order.sort_unstable();
    for (_, token) in order.into_iter().take(count) {
        table.remove(&token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passkey::Site;
    use crypto::SystemRandom;

    fn ceremony() -> Ceremony {
        let site = Site::new("https://north.example", "North", &[]).unwrap();
        Ceremony::SignIn(site.webauthn().start_discoverable_authentication().unwrap().1)
    }

    #[test]
    fn a_ceremony_lasts_five_minutes_and_one_try() {
        let all = Ceremonies::<Ceremony>::default();
        let begin = |now_ms| all.begin(ceremony(), "a", &SystemRandom, now_ms).unwrap();
        for (age_ms, expected) in
            [(0, true), (LIFETIME_MS, true), (LIFETIME_MS + 1, false), (-1, false)]
        {
            let token = begin(1_000_000);
            assert_eq!(all.take(&token, 1_000_000 + age_ms).is_some(), expected, "{age_ms}");
            assert!(all.take(&token, 1_000_000).is_none(), "{age_ms}");
        }
        assert!(all.take("another", 0).is_none());
    }

    #[test]
    fn one_address_pushes_out_its_own_only() {
        let all = Ceremonies::<Ceremony>::default();
        let one = ceremony();
        let Ceremony::SignIn(state) = one else { panic!("another ceremony") };
        let begin = |address: &str, now_ms| {
            all.begin(Ceremony::SignIn(state.clone()), address, &SystemRandom, now_ms).unwrap()
        };
        let (mine, first) = (begin("mine", 0), begin("flood", 0));
        for at in 0..2_000 {
            begin("flood", at);
        }
        assert_eq!(all.table.lock().len(), MOST_OF_ADDRESS + 1);
        assert!(all.take(&first, 2_000).is_none());
        assert!(all.take(&mine, 2_000).is_some());
    }
}
