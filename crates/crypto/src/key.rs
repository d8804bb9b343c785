//! Ed25519 keys and signatures (RFC 8032).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::random::Random;
use crate::{CryptoError, pem};

const LABEL: &str = "PRIVATE KEY";

/// A private Ed25519 key. It never appears in `Debug`, and its memory is cleared when dropped.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    // jsonwebtoken and rustls want the encoded form; encoding again each time would leave copies.
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

/// A public Ed25519 key; as text 43 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

/// An Ed25519 signature; as text 86 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl SigningKey {
    /// A new key out of 32 bytes of `random`.
    pub fn generate(random: &dyn Random) -> Result<Self, CryptoError> {
        let mut seed = Zeroizing::new([0; 32]);
        random.fill(seed.as_mut())?;
        Self::from_seed(&seed)
    }

    /// The key that belongs to a 32-byte seed (RFC 8032, section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, CryptoError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| CryptoError::Library)?;
        Self::from_pair(pair)
    }

    /// Reads a key in PKCS#8 form (RFC 5958, RFC 8410) inside PEM.
    pub fn from_pem(text: &str) -> Result<Self, CryptoError> {
        let der = pem::decode(LABEL, text)?;
        let pair = Ed25519KeyPair::from_pkcs8(&der).map_err(|_| CryptoError::PrivateKey)?;
        Self::from_pair(pair)
    }

    /// The key in PKCS#8 form inside PEM: a secret, to be written only to a protected file.
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::encode(LABEL, &self.pkcs8)
    }

    /// The key in PKCS#8 form (version 1, without the public key): a secret.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    pub(crate) fn public_key_bytes(&self) -> &[u8] {
        &self.public.0
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, CryptoError> {
        let signature = self.pair.try_sign(message).map_err(|_| CryptoError::Library)?;
        signature.as_ref().try_into().map(Signature).map_err(|_| CryptoError::Library)
    }

    fn from_pair(pair: Ed25519KeyPair) -> Result<Self, CryptoError> {
        let document = pair.to_pkcs8v1().map_err(|_| CryptoError::Library)?;
        let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
        let public = pair.public_key().as_ref().try_into().map_err(|_| CryptoError::Library)?;
        Ok(Self { pair, pkcs8, public: PublicKey(public) })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// The 32 bytes of the encoded point.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes 32 bytes as an encoded point. Whether they are one shows when a signature is
    /// verified.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Checks that the holder of this key signed `message`.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), CryptoError> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, &signature.0)
            .map_err(|_| CryptoError::BadSignature)
    }
}

impl Signature {
    /// The 64 bytes of the signature.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// Takes 64 bytes as a signature. Whether they are one shows when they are verified.
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }
}

impl FromStr for PublicKey {
    type Err = CryptoError;

    fn from_str(text: &str) -> Result<Self, CryptoError> {
        decode(text).map(Self).ok_or(CryptoError::PublicKey)
    }
}

impl FromStr for Signature {
    type Err = CryptoError;

    fn from_str(text: &str) -> Result<Self, CryptoError> {
        decode(text).map(Self).ok_or(CryptoError::SignatureForm)
    }
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // The length is checked first so that a long text costs nothing.
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// Text, `Debug` and serde forms of a type that wraps bytes: base64url without padding.
macro_rules! as_base64url {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($type))
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_base64url!(PublicKey);
as_base64url!(Signature);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{from_hex, hex};
    use crate::random::SystemRandom;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_rfc_8032() {
        // RFC 8032, section 7.1, test 2.
        let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let key = SigningKey::from_seed(&from_hex(seed).unwrap()).unwrap();
        assert_eq!(
            hex(key.public_key().as_bytes()),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        assert_eq!(
            hex(key.sign(&[0x72]).unwrap().as_bytes()),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
    }

    #[test]
    fn keys_survive_pem_and_stay_out_of_debug() {
        let key = SigningKey::generate(&SystemRandom).unwrap();
        let pem = key.to_pem();
        let again = SigningKey::from_pem(&pem).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        let secret = pem.lines().nth(1).unwrap();
        assert!(!format!("{key:?}").contains(&secret[secret.len() - 20..]));
        assert_eq!(SigningKey::from_pem("nonsense").unwrap_err(), CryptoError::Pem(LABEL));
        let wrong = super::pem::encode(LABEL, b"not a key");
        assert_eq!(SigningKey::from_pem(&wrong).unwrap_err(), CryptoError::PrivateKey);
    }

    #[test]
    fn reads_a_key_made_by_openssl() {
        // RFC 8410, section 10.3, the key without its public half.
        let text = "-----BEGIN PRIVATE KEY-----\n\
                    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                    -----END PRIVATE KEY-----\n";
        let key = SigningKey::from_pem(text).unwrap();
        assert_eq!(
            hex(key.public_key().as_bytes()),
            "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
        );
    }

    proptest! {
        #[test]
        fn only_the_signed_bytes_verify(
            seed in any::<[u8; 32]>(), message in prop::collection::vec(any::<u8>(), 1..200),
            flip in any::<prop::sample::Index>(), bit in 0..8u8
        ) {
            let key = SigningKey::from_seed(&seed).unwrap();
            let signature = key.sign(&message).unwrap();
            prop_assert_eq!(key.public_key().verify(&message, &signature), Ok(()));
            let mut other = message.clone();
            other[flip.index(message.len())] ^= 1 << bit;
            prop_assert_eq!(
                key.public_key().verify(&other, &signature), Err(CryptoError::BadSignature)
            );
            let text = signature.to_string();
            prop_assert_eq!(text.parse::<Signature>().unwrap(), signature);
            let text = serde_json::to_string(&key.public_key()).unwrap();
            prop_assert_eq!(serde_json::from_str::<PublicKey>(&text).unwrap(), key.public_key());
        }
    }
}
