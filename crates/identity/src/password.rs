//! Passwords: Argon2id (RFC 9106) with the parameters of the OWASP Password Storage Cheat Sheet
//! (19 MiB, 2 passes, 1 lane), written as PHC strings.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use crypto::Random;
use parking_lot::{Condvar, Mutex};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::account::AccountError;
use crate::fault::Fault;

/// Memory of one hash in KiB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Fewest characters of a new password (NIST SP 800-63B, section 5.1.1.1).
const MIN_CHARACTERS: usize = 8;
/// Longest password in bytes: hashing takes time with length.
pub(crate) const MAX_BYTES: usize = 1024;
/// Hashes at one time: each takes 19 MiB.
const AT_ONCE: usize = 4;
/// Hashes that may wait for a place.
const MAX_WAITING: usize = 256;

/// Hashes a new password into a PHC string.
pub fn hash_password(password: &str, random: &dyn Random) -> Result<String, AccountError> {
    if password.chars().count() < MIN_CHARACTERS || password.len() > MAX_BYTES {
        return Err(AccountError::Password);
    }
    let mut salt = [0; 16];
    random.fill(&mut salt).map_err(Fault::from)?;
    let hash = argon2()?
        .hash_password_with_salt(prepared(password).as_bytes(), &salt)
        .map_err(|_| Fault::Hash)?;
    Ok(hash.to_string())
}

/// Whether `hash` is an Argon2id PHC string that can be verified here.
pub(crate) fn is_usable(hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        let params = Params::try_from(&hash);
        // A hash from elsewhere may be costlier, within reason: it must not become a weapon.
        hash.algorithm == argon2::ARGON2ID_IDENT
            && params.is_ok_and(|p| p.m_cost() <= 256 * 1024 && p.t_cost() <= 16 && p.p_cost() <= 8)
            && hash.hash.is_some()
    })
}

/// Verifies passwords, a few at a time, at the same cost whether or not there is an account.
#[derive(Debug)]
pub struct Hasher {
    /// Hash of a password that nobody has.
    dummy: crate::Hidden<String>,
    load: Mutex<Load>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Load {
    running: usize,
    waiting: usize,
}

/// Too many passwords wait to be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overloaded;

impl Hasher {
    /// Makes the dummy hash; takes as long as one verification.
    pub fn new(random: &dyn Random) -> Result<Self, Fault> {
        let nobody = crypto::random::token(random, 32)?;
        let dummy = hash_password(&nobody, random).map_err(|error| match error {
            AccountError::Fault(fault) => fault,
            _ => Fault::Hash,
        })?;
        let load = Mutex::new(Load::default());
        Ok(Self { dummy: crate::Hidden::new(dummy), load, freed: Condvar::new() })
    }

    /// Whether `password` is the one that `hash` was made from. Without a hash the same work is
    /// done in vain. Blocks for some tens of milliseconds, longer while others are hashing.
    pub(crate) fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, Overloaded> {
        let _place = self.enter()?;
        let fits = password.len() <= MAX_BYTES;
        let password = if fits { prepared(password) } else { Zeroizing::new(String::new()) };
        let usable = hash.filter(|_| fits);
        let against = usable.unwrap_or_else(|| self.dummy.reveal());
        let matches = PasswordHash::new(against).is_ok_and(|hash| {
            Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
        });
        Ok(matches && usable.is_some())
    }

    fn enter(&self) -> Result<Place<'_>, Overloaded> {
        let mut load = self.load.lock();
        if load.running >= AT_ONCE {
            if load.waiting >= MAX_WAITING {
                return Err(Overloaded);
            }
            load.waiting += 1;
            while load.running >= AT_ONCE {
                self.freed.wait(&mut load);
            }
            load.waiting -= 1;
        }
        load.running += 1;
        Ok(Place(self))
    }
}

/// A place among those who hash; given back when dropped.
struct Place<'a>(&'a Hasher);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.load.lock().running -= 1;
        self.0.freed.notify_one();
    }
}

fn argon2() -> Result<Argon2<'static>, Fault> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| Fault::Hash)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// One spelling of what different keyboards produce (NIST SP 800-63B asks for NFKC or NFKD).
fn prepared(password: &str) -> Zeroizing<String> {
    Zeroizing::new(password.nfkc().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::SystemRandom;

    #[test]
    fn hashes_are_argon2id_with_the_recommended_cost_and_verify() {
        let hash = hash_password("correct horse é", &SystemRandom).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is_usable(&hash));
        let hasher = Hasher::new(&SystemRandom).unwrap();
        assert_eq!(hasher.verify("correct horse é", Some(&hash)), Ok(true));
        assert_eq!(hasher.verify("correct horse e\u{301}", Some(&hash)), Ok(true));
        assert_eq!(hasher.verify("correct horse e", Some(&hash)), Ok(false));
        assert_eq!(hasher.verify("correct horse é", None), Ok(false));
        assert_eq!(hasher.verify(&"x".repeat(MAX_BYTES + 1), Some(&hash)), Ok(false));
    }

    #[test]
    fn only_affordable_argon2id_hashes_are_taken_over() {
        let hash = |algorithm: &str, cost: &str| {
            format!("${algorithm}$v=19${cost}$c29tZXNhbHRzb21l$RdescudvJCsgt3ub+b+dWRWJTmaaaaaa")
        };
        for (text, usable) in [
            (hash("argon2id", "m=65536,t=3,p=4"), true),
            (hash("argon2i", "m=65536,t=3,p=4"), false),
            (hash("argon2id", "m=4194304,t=3,p=4"), false),
            (hash("argon2id", "m=65536,t=300,p=4"), false),
            ("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21l".into(), false),
            ("plain".into(), false),
        ] {
            assert_eq!(is_usable(&text), usable, "{text}");
        }
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        for password in ["seven77".to_owned(), "x".repeat(MAX_BYTES + 1)] {
            assert!(matches!(hash_password(&password, &SystemRandom), Err(AccountError::Password)));
        }
    }
}
