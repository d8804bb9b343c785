//! RSA keys for tokens that programs outside the network check: OpenID Connect asks for RS256.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{CryptoError, JwsError, pem, sha256};

const LABEL: &str = "PRIVATE KEY";

/// A private RSA key of 2048 bits that signs with RS256 (RFC 7518, section 3.3). It never appears
/// in `Debug`.
pub struct RsaKey {
    pair: KeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
    modulus: String,
    exponent: String,
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaKey").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl RsaKey {
    /// A new key out of the operating system's random numbers. Takes up to a second.
    pub fn generate() -> Result<Self, CryptoError> {
        Self::from_pair(KeyPair::generate(KeySize::Rsa2048).map_err(|_| CryptoError::Library)?)
    }

    /// Reads a key in PKCS#8 form (RFC 5958) inside PEM.
    pub fn from_pem(text: &str) -> Result<Self, CryptoError> {
        let der = pem::decode(LABEL, text)?;
        Self::from_pair(KeyPair::from_pkcs8(&der).map_err(|_| CryptoError::RsaKey)?)
    }

    /// The key in PKCS#8 form inside PEM: a secret, to be written only to a protected file.
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::encode(LABEL, &self.pkcs8)
    }

    /// Its name: the thumbprint of its public half (RFC 7638).
    pub fn id(&self) -> String {
        let canonical =
            format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, self.exponent, self.modulus);
        URL_SAFE_NO_PAD.encode(sha256(canonical.as_bytes()))
    }

    /// Modulus `n` and exponent `e` as a JWK writes them (RFC 7518, section 6.3.1).
    pub fn public_parts(&self) -> (&str, &str) {
        (&self.modulus, &self.exponent)
    }

    /// Signs `claims`, a JSON object as text, as a compact JWS with RS256 whose header names this
    /// key and the type `JWT`.
    pub fn sign(&self, claims: &str) -> Result<String, JwsError> {
        // The name of a key is base64url, so nothing in the header needs an escape.
        self.sign_under(&format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{}"}}"#, self.id()), claims)
    }

    /// The same under a header that carries the certificates of the key, leaf first (`x5c`,
    /// RFC 7515, section 4.1.6).
    pub fn sign_with_chain(&self, claims: &str, chain: &[Vec<u8>]) -> Result<String, JwsError> {
        let texts: Vec<String> =
            chain.iter().map(|der| format!("\"{}\"", STANDARD.encode(der))).collect();
        let header = format!(r#"{{"alg":"RS256","typ":"JWT","x5c":[{}]}}"#, texts.join(","));
        self.sign_under(&header, claims)
    }

    fn sign_under(&self, header: &str, claims: &str) -> Result<String, JwsError> {
        let text = |part: &str| URL_SAFE_NO_PAD.encode(part);
        let message = format!("{}.{}", text(header), text(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .map_err(|_| JwsError::NotSigned)?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn from_pair(pair: KeyPair) -> Result<Self, CryptoError> {
        let document = pair.as_der().map_err(|_| CryptoError::Library)?;
        let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
        let public = pair.public_key();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let modulus = text(public.modulus().big_endian_without_leading_zero());
        let exponent = text(public.exponent().big_endian_without_leading_zero());
        Ok(Self { pair, pkcs8, modulus, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwk::{self, Algorithm, KeySet};
    use serde_json::{Value, json};

    #[test]
    fn what_is_signed_is_checked_with_the_public_half() {
        let key = RsaKey::from_pem(&RsaKey::generate().unwrap().to_pem()).unwrap();
        let token = key.sign(r#"{"sub":"ada"}"#).unwrap();
        let (n, e) = key.public_parts();
        let set = json!({"keys": [{"kty": "RSA", "kid": key.id(), "n": n, "e": e}]}).to_string();
        let set = KeySet::parse(&set).unwrap();
        let claims: Value = jwk::verify(&token, &set, &[Algorithm::Rs256]).unwrap();
        assert_eq!(claims["sub"], "ada");
        assert!(jwk::verify::<Value>(&token, &set, &[Algorithm::Rs384]).is_err());
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }
}
