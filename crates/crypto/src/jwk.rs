//! Tokens of programs outside the network: compact JWS (RFC 7515) checked with the public keys
//! that the program has registered as a JWK set (RFC 7517).
//!
//! The key comes from the set alone: what a token's header brings along is never used, and the
//! algorithm is one that the caller names (RFC 8725, sections 3.1 and 3.10). Claims are not judged
//! here; that takes a clock.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{DecodingKey, Validation};
use serde::de::DeserializeOwned;

use crate::jws::{JwsError, MAX_TOKEN_BYTES};

/// Longest key set that is read, in bytes.
pub const MAX_SET_BYTES: usize = 64 * 1024;
/// Most keys of a set.
const MAX_KEYS: usize = 32;
/// The smallest RSA modulus that is taken, in base64url characters: 2048 bits (RFC 7518, 3.3).
const MIN_MODULUS_CHARS: usize = 341;

/// A signature algorithm of RFC 7518 or RFC 8037.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// EdDSA with Ed25519, which hashes with SHA-512.
    EdDsa,
}

impl Algorithm {
    /// Its name in a header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(crate) fn of(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Rs384 => jsonwebtoken::Algorithm::RS384,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// Why a key set was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not a JWK set, too long, or with too many keys.
    #[error("not a JWK set of at most {MAX_SET_BYTES} bytes and {MAX_KEYS} keys")]
    Malformed,
    /// It holds something that must stay with its owner.
    #[error("the key set holds a private or symmetric key; register the public keys alone")]
    Private,
    /// No key in it can check a signature that is taken here.
    #[error("no key of the set is RSA of at least 2048 bits or EC on P-256 or P-384, with a `kid`")]
    NoKey,
}

/// The public keys of a program, or of a provider.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<Jwk>,
    /// Whether they are a provider's: then a token may leave out the name of its key where only one
    /// can have signed it.
    of_provider: bool,
}

impl KeySet {
    /// Reads a JWK set. Keys of other kinds, for other uses or without a `kid` are passed over; a
    /// set without any that can be used is refused.
    pub fn parse(text: &str) -> Result<Self, KeySetError> {
        Self::read(text, false)
    }

    /// The same for an OpenID provider, whose keys need no `kid` where only one serves an algorithm
    /// (OpenID Connect Core 1.0, section 10.1).
    pub fn of_provider(text: &str) -> Result<Self, KeySetError> {
        Self::read(text, true)
    }

    fn read(text: &str, of_provider: bool) -> Result<Self, KeySetError> {
        if text.len() > MAX_SET_BYTES {
            return Err(KeySetError::Malformed);
        }
        let raw: RawSet = serde_json::from_str(text).map_err(|_| KeySetError::Malformed)?;
        if raw.keys.len() > MAX_KEYS {
            return Err(KeySetError::Malformed);
        }
        if raw.keys.iter().any(|key| key.contains_key("d") || key.contains_key("k")) {
            return Err(KeySetError::Private);
        }
        let read = |key: serde_json::Map<String, serde_json::Value>| {
            serde_json::from_value::<Jwk>(serde_json::Value::Object(key)).ok()
        };
        let set = JwkSet { keys: raw.keys.into_iter().filter_map(read).collect() };
        let fits = |key: &Jwk| is_usable(key, of_provider);
        let keys: Vec<Jwk> = set.keys.into_iter().filter(fits).collect();
        if keys.is_empty() { Err(KeySetError::NoKey) } else { Ok(Self { keys, of_provider }) }
    }

    /// The one key with this name, or without a name the only one, that serves an algorithm; `None`
    /// where there is none or more than one (SMART App Launch 2.2, asymmetric authentication).
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Jwk> {
        if kid.is_none() && !self.of_provider {
            return None;
        }
        let fits = |key: &&Jwk| {
            let named = kid.is_none() || key.common.key_id.as_deref() == kid;
            let stated = key
                .common
                .key_algorithm
                .is_none_or(|stated| stated.to_string().eq_ignore_ascii_case(algorithm.name()));
            named && stated && serves(key, algorithm)
        };
        let mut found = self.keys.iter().filter(fits);
        found.next().filter(|_| found.next().is_none())
    }
}

/// A set before its keys are understood.
#[derive(serde::Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Map<String, serde_json::Value>>,
}

fn is_usable(key: &Jwk, of_provider: bool) -> bool {
    let for_signing =
        key.common.public_key_use.as_ref().is_none_or(|stated| *stated == PublicKeyUse::Signature);
    let named = key.common.key_id.as_ref().map_or(of_provider, |kid| !kid.is_empty());
    let sound = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) => rsa.n.len() >= MIN_MODULUS_CHARS,
        AlgorithmParameters::EllipticCurve(curve) => {
            matches!(curve.curve, EllipticCurve::P256 | EllipticCurve::P384)
        }
        // Programs sign with the algorithms of SMART, which has none for it.
        AlgorithmParameters::OctetKeyPair(pair) => {
            of_provider && pair.curve == EllipticCurve::Ed25519
        }
        _ => false,
    };
    for_signing && named && sound
}

/// Whether a key is one for an algorithm, and strong enough.
pub(crate) fn serves(key: &Jwk, algorithm: Algorithm) -> bool {
    match &key.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            rsa.n.len() >= MIN_MODULUS_CHARS
                && matches!(algorithm, Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Ps256)
        }
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => algorithm == Algorithm::Es256,
            EllipticCurve::P384 => algorithm == Algorithm::Es384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(pair) => {
            pair.curve == EllipticCurve::Ed25519 && algorithm == Algorithm::EdDsa
        }
        _ => false,
    }
}

/// The claims of `token` after checking that its header names one of `algorithms` and exactly one
/// key of `set`, and that this key signed it.
pub fn verify<T: DeserializeOwned>(
    token: &str,
    set: &KeySet,
    algorithms: &[Algorithm],
) -> Result<T, JwsError> {
    verify_typed(token, set, algorithms, &["JWT"])
}

/// The same for a token whose header states one of `types`, or none (`typ`, RFC 8725, section
/// 3.11).
pub fn verify_typed<T: DeserializeOwned>(
    token: &str,
    set: &KeySet,
    algorithms: &[Algorithm],
    types: &[&str],
) -> Result<T, JwsError> {
    verify_telling(token, set, algorithms, types).map(|(claims, _)| claims)
}

/// The same with the algorithm that signed, by which other values in the token are hashed.
pub fn verify_telling<T: DeserializeOwned>(
    token: &str,
    set: &KeySet,
    algorithms: &[Algorithm],
    types: &[&str],
) -> Result<(T, Algorithm), JwsError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(JwsError::TooLong);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|e| match e.kind() {
        // An unknown `alg`, `none` too, is a JSON error here.
        jsonwebtoken::errors::ErrorKind::Json(e) if e.is_data() => JwsError::WrongAlgorithm,
        _ => JwsError::Malformed,
    })?;
    let algorithm = algorithms.iter().copied().find(|known| known.of() == header.alg);
    let algorithm = algorithm.ok_or(JwsError::WrongAlgorithm)?;
    let fits = |typ: &str| types.iter().any(|one| typ.eq_ignore_ascii_case(one));
    if header.typ.as_deref().is_some_and(|typ| !fits(typ)) {
        return Err(JwsError::WrongType);
    }
    let key = set.find(header.kid.as_deref(), algorithm).ok_or(JwsError::UnknownKey)?;
    Ok((checked(token, key, algorithm)?, algorithm))
}

/// The claims of a token that `key` signed.
pub(crate) fn checked<T: DeserializeOwned>(
    token: &str,
    key: &Jwk,
    algorithm: Algorithm,
) -> Result<T, JwsError> {
    let key = DecodingKey::from_jwk(key).map_err(|_| JwsError::UnknownKey)?;
    let mut validation = Validation::new(algorithm.of());
    // These would read the clock of the machine; the caller judges the claims with its own.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    match jsonwebtoken::decode(token, &key, &validation) {
        Ok(data) => Ok(data.claims),
        Err(e) => Err(match e.kind() {
            jsonwebtoken::errors::ErrorKind::Json(_) => JwsError::BadClaims,
            jsonwebtoken::errors::ErrorKind::InvalidSignature => JwsError::BadSignature,
            _ => JwsError::Malformed,
        }),
    }
}

/// Where a token's header says that its keys are (`jku`); `None` where it says nothing.
pub fn stated_key_address(token: &str) -> Option<String> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    jsonwebtoken::decode_header(token).ok()?.jku
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::{Value, json};

    fn p384() -> (EncodingKey, Value) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref()[1..].to_vec();
        let (x, y) = point.split_at(48);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let key = json!({"kty": "EC", "crv": "P-384", "kid": "one", "x": text(x), "y": text(y)});
        let der = pair.private_key().as_der().map(|_| pair.to_pkcs8v1().unwrap()).unwrap();
        (EncodingKey::from_ec_der(der.as_ref()), key)
    }

    fn signed(key: &EncodingKey, kid: Option<&str>) -> String {
        let mut header = Header::new(jsonwebtoken::Algorithm::ES384);
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, &json!({"sub": "app"}), key).unwrap()
    }

    fn check(token: &str, set: &Value) -> Result<Value, JwsError> {
        let set = KeySet::parse(&set.to_string()).unwrap();
        verify(token, &set, &[Algorithm::Rs384, Algorithm::Es384])
    }

    #[test]
    fn one_key_of_the_set_must_have_signed_it() {
        let (key, public) = p384();
        let (_, mut other) = p384();
        let set = json!({"keys": [public]});
        assert_eq!(check(&signed(&key, Some("one")), &set).unwrap()["sub"], "app");
        assert_eq!(check(&signed(&key, Some("two")), &set), Err(JwsError::UnknownKey));
        assert_eq!(check(&signed(&key, None), &set), Err(JwsError::UnknownKey));
        let twice = json!({"keys": [public, other]});
        assert_eq!(check(&signed(&key, Some("one")), &twice), Err(JwsError::UnknownKey));
        other["kid"] = json!("two");
        let both = json!({"keys": [public, other]});
        assert_eq!(check(&signed(&key, Some("two")), &both), Err(JwsError::BadSignature));
    }

    /// A key on Ed25519, and its public part without a name.
    fn ed25519() -> (EncodingKey, Value) {
        use aws_lc_rs::signature::Ed25519KeyPair;
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let der = pair.to_pkcs8v1().unwrap();
        (EncodingKey::from_ed_der(der.as_ref()), json!({"kty": "OKP", "crv": "Ed25519", "x": x}))
    }

    #[test]
    fn a_providers_key_may_go_without_a_name_where_it_is_the_only_one() {
        let (key, public) = ed25519();
        let (_, other) = ed25519();
        let (_, curve) = p384();
        let header = Header::new(jsonwebtoken::Algorithm::EdDSA);
        let token = jsonwebtoken::encode(&header, &json!({"sub": "ada"}), &key).unwrap();
        let judged = |keys: &[&Value]| {
            let set = KeySet::of_provider(&json!({"keys": keys}).to_string()).unwrap();
            let all = [Algorithm::EdDsa, Algorithm::Es384];
            verify_telling::<Value>(&token, &set, &all, &["JWT"])
        };
        // A key of another kind beside it does not matter; a second of its own kind does.
        let (claims, algorithm) = judged(&[&curve, &public]).unwrap();
        assert_eq!((claims["sub"].as_str(), algorithm), (Some("ada"), Algorithm::EdDsa));
        assert_eq!(judged(&[&public, &other]), Err(JwsError::UnknownKey));
        assert_eq!(judged(&[&other]), Err(JwsError::BadSignature));
        assert_eq!(judged(&[&curve]), Err(JwsError::UnknownKey));
        // Programs must name theirs.
        let unnamed = json!({"keys": [public]}).to_string();
        assert_eq!(KeySet::parse(&unnamed).err(), Some(KeySetError::NoKey));
        let (key, mut curve) = p384();
        curve["kid"] = json!("one");
        assert_eq!(
            check(&signed(&key, None), &json!({"keys": [curve]})),
            Err(JwsError::UnknownKey)
        );
    }

    #[test]
    fn no_signature_and_symmetric_signatures_are_refused() {
        let (_, public) = p384();
        let set = json!({"keys": [public]});
        let text = |part: &str| URL_SAFE_NO_PAD.encode(part);
        let none = format!("{}.{}.", text(r#"{"alg":"none","kid":"one"}"#), text("{}"));
        assert_eq!(check(&none, &set), Err(JwsError::WrongAlgorithm));
        let mut header = Header::new(jsonwebtoken::Algorithm::HS384);
        header.kid = Some("one".into());
        let secret = EncodingKey::from_secret(public.to_string().as_bytes());
        let symmetric = jsonwebtoken::encode(&header, &json!({}), &secret).unwrap();
        assert_eq!(check(&symmetric, &set), Err(JwsError::WrongAlgorithm));
    }

    #[test]
    fn sets_hold_public_keys_that_can_be_used() {
        let (_, public) = p384();
        for (set, fault) in [
            (json!({"keys": []}), KeySetError::NoKey),
            (json!([]), KeySetError::Malformed),
            (json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "1"}]}), KeySetError::Private),
            (
                json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "1"}]}),
                KeySetError::NoKey,
            ),
        ] {
            assert_eq!(KeySet::parse(&set.to_string()).err(), Some(fault), "{set}");
        }
        let mut private = public.clone();
        private["d"] = json!("AAAA");
        let set = json!({"keys": [private]}).to_string();
        assert_eq!(KeySet::parse(&set).err(), Some(KeySetError::Private));
        // An unknown kind of key beside a good one is passed over.
        let mixed = json!({"keys": [{"kty": "PQ", "kid": "9"}, public]}).to_string();
        assert!(KeySet::parse(&mixed).is_ok());
    }
}
