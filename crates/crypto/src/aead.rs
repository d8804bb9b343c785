//! Secrets at rest: AES-256-GCM (NIST SP 800-38D).
//!
//! What is sealed is a version byte, a random 96-bit nonce, the ciphertext and its tag. A context is
//! authenticated with it, so that what was sealed for one place does not open at another. With
//! random nonces one key is good for 2^32 secrets (SP 800-38D, section 8.3).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::{CryptoError, Random};

const VERSION: u8 = 1;

/// A 256-bit key that seals.
pub struct AeadKey(LessSafeKey);

impl std::fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AeadKey(hidden)")
    }
}

impl AeadKey {
    /// Takes 32 random bytes as the key. Fails only where the library does.
    pub fn new(bytes: &[u8; 32]) -> Result<Self, CryptoError> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| CryptoError::Library)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Encrypts `secret` for `context`. Fails where there are no random bytes.
    pub fn seal(
        &self,
        context: &[u8],
        secret: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, CryptoError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce)?;
        let mut out = Vec::with_capacity(1 + NONCE_LEN + secret.len() + AES_256_GCM.tag_len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(secret);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let body = out.get_mut(start..).unwrap_or_default();
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(context), body);
        out.extend_from_slice(tag.map_err(|_| CryptoError::Library)?.as_ref());
        Ok(out)
    }

    /// Decrypts what [`AeadKey::seal`] made for the same context.
    ///
    /// Errors: [`CryptoError::Sealed`] for another key, another context, or changed bytes.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let Some((&VERSION, rest)) = sealed.split_first() else { return Err(CryptoError::Sealed) };
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(CryptoError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CryptoError::Sealed)?;
        let mut body = Zeroizing::new(body.to_vec());
        let opened = self.0.open_in_place(nonce, Aad::from(context), &mut body);
        let length = opened.map_err(|_| CryptoError::Sealed)?.len();
        body.truncate(length);
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    #[test]
    fn what_is_sealed_opens_only_with_its_key_and_context_and_unchanged() {
        let (key, other) = (AeadKey::new(&[1; 32]).unwrap(), AeadKey::new(&[2; 32]).unwrap());
        let sealed = key.seal(b"a", b"0123456789abcdef", &SystemRandom).unwrap();
        assert_eq!(key.open(b"a", &sealed).unwrap().as_slice(), b"0123456789abcdef");
        assert!(key.open(b"b", &sealed).is_err());
        assert!(other.open(b"a", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(b"a", &changed).is_err(), "byte {at}");
            assert!(key.open(b"a", &sealed[..at]).is_err(), "cut at {at}");
        }
        assert_ne!(sealed, key.seal(b"a", b"0123456789abcdef", &SystemRandom).unwrap());
    }
}
