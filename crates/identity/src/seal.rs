//! Second-factor secrets at rest, sealed under the node's key (`crypto::aead`).
//!
//! The account id is authenticated with a secret, so that one moved to another account does not
//! open.

use crypto::Random;
use crypto::aead::AeadKey;
use zeroize::Zeroizing;

use crate::fault::Fault;

/// The node's key for secrets at rest.
#[derive(Debug)]
pub struct NodeKey(AeadKey);

impl NodeKey {
    /// Takes 32 random bytes as the key.
    pub fn new(bytes: &[u8; 32]) -> Result<Self, Fault> {
        Ok(Self(AeadKey::new(bytes).map_err(|_| Fault::Sealed)?))
    }

    /// Encrypts `secret` for `account_id`.
    pub(crate) fn seal(
        &self,
        account_id: &str,
        secret: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, Fault> {
        self.0.seal(&context(account_id), secret, random).map_err(|_| Fault::Sealed)
    }

    /// Decrypts what [`NodeKey::seal`] made for the same account.
    pub(crate) fn open(
        &self,
        account_id: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.0.open(&context(account_id), sealed).map_err(|_| Fault::Sealed)
    }
}

fn context(account_id: &str) -> Vec<u8> {
    format!("consilium totp {account_id}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::SystemRandom;

    #[test]
    fn a_sealed_secret_opens_only_with_its_key_and_account_and_unchanged() {
        let (key, other) = (NodeKey::new(&[1; 32]).unwrap(), NodeKey::new(&[2; 32]).unwrap());
        let sealed = key.seal("a", b"0123456789abcdef", &SystemRandom).unwrap();
        assert_eq!(key.open("a", &sealed).unwrap().as_slice(), b"0123456789abcdef");
        assert!(key.open("b", &sealed).is_err());
        assert!(other.open("a", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open("a", &changed).is_err(), "byte {at}");
            assert!(key.open("a", &sealed[..at]).is_err(), "cut at {at}");
        }
        assert_ne!(sealed, key.seal("a", b"0123456789abcdef", &SystemRandom).unwrap());
    }
}
