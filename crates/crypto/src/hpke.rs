//! Sealing to a public key: HPKE (RFC 9180) in base mode with the one suite that DAP makes mandatory,
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
//!
//! The primitive is AWS-LC's, reached through rustls. It draws the ephemeral key of each message from
//! AWS-LC's own generator and takes none from outside, as RFC 9180 (section 9.7.5) recommends: a
//! repeated ephemeral key would give two messages the same key and nonce.

use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_128 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use zeroize::Zeroizing;

use crate::CryptoError;

/// Bytes of a public key, of a private key and of the encapsulated secret (RFC 9180, section 7.1).
pub const KEY_LENGTH: usize = 32;
/// Bytes that a sealed message is longer than its content: the encapsulated secret and the tag.
pub const OVERHEAD: usize = KEY_LENGTH + 16;

/// A private key that opens what was sealed to its public half.
pub struct OpeningKey {
    private: HpkePrivateKey,
    public: SealingKey,
}

/// A public key that seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealingKey(pub [u8; KEY_LENGTH]);

impl std::fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpeningKey(hidden)")
    }
}

impl OpeningKey {
    /// A new pair of keys. Fails only where the library does.
    pub fn generate() -> Result<Self, CryptoError> {
        let (public, private) = SUITE.generate_key_pair().map_err(|_| CryptoError::Library)?;
        let public = public.0.try_into().map_err(|_| CryptoError::Library)?;
        Ok(Self { private, public: SealingKey(public) })
    }

    /// The pair of what [`OpeningKey::private_bytes`] and [`OpeningKey::sealing_key`] gave. Whether
    /// the two belong together shows when something is opened.
    #[must_use]
    pub fn from_bytes(private: &[u8; KEY_LENGTH], public: SealingKey) -> Self {
        Self { private: HpkePrivateKey::from(private.to_vec()), public }
    }

    /// The private key, to be kept in a sealed place.
    #[must_use]
    pub fn private_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.private.secret_bytes().to_vec())
    }

    /// The public half.
    #[must_use]
    pub fn sealing_key(&self) -> SealingKey {
        self.public
    }

    /// The content of `sealed`, made by [`SealingKey::seal`] with the same `info` and associated
    /// data.
    ///
    /// Errors: [`CryptoError::Sealed`] for another key, other words or changed bytes.
    pub fn open(
        &self,
        info: &[u8],
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (secret, body) = sealed.split_at_checked(KEY_LENGTH).ok_or(CryptoError::Sealed)?;
        let secret = EncapsulatedSecret(secret.to_vec());
        SUITE
            .open(&secret, info, associated, body, &self.private)
            .map(Zeroizing::new)
            .map_err(|_| CryptoError::Sealed)
    }
}

impl SealingKey {
    /// The encapsulated secret and the ciphertext with its tag, one after the other. `info` says what
    /// it is for, `associated` what it belongs to; both are authenticated and not sent.
    ///
    /// Errors: [`CryptoError::Library`] where the public key is no point that X25519 takes.
    pub fn seal(
        &self,
        info: &[u8],
        associated: &[u8],
        content: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let key = HpkePublicKey(self.0.to_vec());
        let (secret, body) =
            SUITE.seal(info, associated, content, &key).map_err(|_| CryptoError::Library)?;
        Ok([secret.0.as_slice(), body.as_slice()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_with_its_key_and_words_and_unchanged() {
        let (key, other) = (OpeningKey::generate().unwrap(), OpeningKey::generate().unwrap());
        let sealed = key.sealing_key().seal(b"info", b"aad", b"content").unwrap();
        assert_eq!(sealed.len(), 7 + OVERHEAD);
        assert_eq!(key.open(b"info", b"aad", &sealed).unwrap().as_slice(), b"content");
        assert_eq!(key.open(b"else", b"aad", &sealed), Err(CryptoError::Sealed));
        assert_eq!(key.open(b"info", b"else", &sealed), Err(CryptoError::Sealed));
        assert_eq!(other.open(b"info", b"aad", &sealed), Err(CryptoError::Sealed));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(b"info", b"aad", &changed).is_err(), "byte {at}");
            assert!(key.open(b"info", b"aad", &sealed[..at]).is_err(), "cut at {at}");
        }
        let private = key.private_bytes().as_slice().try_into().unwrap();
        let again = OpeningKey::from_bytes(&private, key.sealing_key());
        assert_eq!(again.open(b"info", b"aad", &sealed).unwrap().as_slice(), b"content");
    }

    #[test]
    fn opens_the_official_vector_of_the_suite() {
        // RFC 9180, appendix A.1.1: the recipient's keys, and sequence number 0 of A.1.1.1.
        let bytes = |text: &str| -> Vec<u8> {
            (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
                .collect()
        };
        let private = bytes("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8");
        let public = bytes("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
        let secret = bytes("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
        let body = bytes(
            "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9\
             6d8770ac83d07bea87e13c512a",
        );
        let key = OpeningKey::from_bytes(
            &private.try_into().unwrap(),
            SealingKey(public.try_into().unwrap()),
        );
        let info = bytes("4f6465206f6e2061204772656369616e2055726e");
        let aad = bytes("436f756e742d30");
        let sealed = [secret, body].concat();
        let opened = key.open(&info, &aad, &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"Beauty is truth, truth beauty");
    }
}
