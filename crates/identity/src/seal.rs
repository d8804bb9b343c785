//! Secrets at rest: AES-256-GCM (NIST SP 800-38D) under the node's key.
//!
//! A sealed secret is a version byte, a random 96-bit nonce, the ciphertext and its tag. The account
//! id is authenticated with it, so a sealed secret moved to another account does not open. With
//! random nonces one key is good for 2^32 secrets, far more than a node has accounts.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use crypto::Random;
use zeroize::Zeroizing;

use crate::fault::Fault;

const VERSION: u8 = 1;

/// The node's key for secrets at rest.
pub struct NodeKey(LessSafeKey);

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeKey(hidden)")
    }
}

impl NodeKey {
    /// Takes 32 random bytes as the key.
    pub fn new(bytes: &[u8; 32]) -> Result<Self, Fault> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| Fault::Sealed)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Encrypts `secret` for `account_id`.
    pub(crate) fn seal(
        &self,
        account_id: &str,
        secret: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, Fault> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        let mut sealed = secret.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context(account_id)),
                &mut sealed,
            )
            .map_err(|_| Fault::Sealed)?;
        let mut out = vec![VERSION];
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Decrypts what [`NodeKey::seal`] made for the same account.
    pub(crate) fn open(
        &self,
        account_id: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let (version, rest) = sealed.split_first().ok_or(Fault::Sealed)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(Fault::Sealed)?;
        if *version != VERSION {
            return Err(Fault::Sealed);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Fault::Sealed)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .0
            .open_in_place(nonce, Aad::from(context(account_id)), &mut body)
            .map_err(|_| Fault::Sealed)?
            .len();
        body.truncate(length);
        Ok(body)
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
