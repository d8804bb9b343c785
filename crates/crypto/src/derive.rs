//! Keys made from keys: HKDF (RFC 5869) and HMAC (RFC 2104), both with SHA-256.

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};

use crate::CryptoError;

/// 32 bytes for the purpose `info` (its parts one after the other, each with its length before it)
/// out of `secret`: HKDF-SHA256 with an empty salt. Different purposes give keys that say nothing
/// about each other. The secret must have the strength of a key; it is not stretched.
pub fn derive(secret: &[u8], info: &[&[u8]]) -> Result<[u8; 32], CryptoError> {
    let lengths: Vec<[u8; 4]> = info
        .iter()
        .map(|part| u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes())
        .collect();
    let parts: Vec<&[u8]> =
        lengths.iter().zip(info).flat_map(|(length, part)| [length.as_slice(), *part]).collect();
    let key = Salt::new(HKDF_SHA256, &[]).extract(secret);
    let mut out = [0; 32];
    key.expand(&parts, HKDF_SHA256)
        .and_then(|made| made.fill(&mut out))
        .map_err(|_| CryptoError::Library)?;
    Ok(out)
}

/// A key that authenticates or maps messages: HMAC-SHA256. It never appears in `Debug`.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// The key of these bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(HMAC_SHA256, key))
    }

    /// HMAC-SHA256 of the parts one after the other.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let mut out = [0; 32];
        // HMAC-SHA256 gives 32 bytes.
        for (to, from) in out.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        out
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::hex;

    #[test]
    fn agrees_with_rfc_4231() {
        // RFC 4231, section 4.3, test case 2, the key filled up with zeros as HMAC does.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let made = MacKey::new(&key).sign(&[b"what do ya want ", b"for nothing?"]);
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&made), expected);
    }

    #[test]
    fn purposes_are_apart() {
        let made = |info: &[&[u8]]| derive(&[7; 32], info).unwrap();
        assert_eq!(made(&[b"a", b"b"]), made(&[b"a", b"b"]));
        assert_ne!(made(&[b"a", b"b"]), made(&[b"ab"]));
        assert_ne!(made(&[b"a"]), derive(&[8; 32], &[b"a"]).unwrap());
    }
}
