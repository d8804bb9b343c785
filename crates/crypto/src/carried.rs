//! Tokens that carry the key they are signed with (`jwk` of RFC 7515, section 4.1.3): they prove
//! that their sender holds a key, not who the sender is (RFC 9449, DPoP).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::jwk::{Algorithm, checked, serves};
use crate::jws::{JwsError, MAX_TOKEN_BYTES};

/// Members of a JWK that only its owner may know (RFC 7518, sections 6.2.2, 6.3.2 and 6.4).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// Claims and the thumbprint of the key that signed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried<T> {
    /// What was signed.
    pub claims: T,
    /// SHA-256 of the public key in base64url (RFC 7638).
    pub thumbprint: String,
}

/// The claims of `token` after checking that its header says exactly `typ`, one of `algorithms` and
/// a public key, and that this key signed it. Claims are not judged; that takes a clock.
pub fn verify<T: DeserializeOwned>(
    typ: &str,
    token: &str,
    algorithms: &[Algorithm],
) -> Result<Carried<T>, JwsError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(JwsError::TooLong);
    }
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| JwsError::Malformed)?;
    let header: Map<String, Value> =
        serde_json::from_slice(&header).map_err(|_| JwsError::Malformed)?;
    if header.get("typ").and_then(Value::as_str) != Some(typ) {
        return Err(JwsError::WrongType);
    }
    if header.keys().any(|name| !["typ", "alg", "jwk", "kid"].contains(&name.as_str())) {
        return Err(JwsError::UnexpectedHeader);
    }
    let stated = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let algorithm = algorithms.iter().copied().find(|known| known.name() == stated);
    let algorithm = algorithm.ok_or(JwsError::WrongAlgorithm)?;
    let key = header.get("jwk").and_then(Value::as_object).ok_or(JwsError::UnknownKey)?;
    if PRIVATE.iter().any(|name| key.contains_key(*name)) {
        return Err(JwsError::UnexpectedHeader);
    }
    let key: Jwk =
        serde_json::from_value(Value::Object(key.clone())).map_err(|_| JwsError::UnknownKey)?;
    if !serves(&key, algorithm) {
        return Err(JwsError::WrongAlgorithm);
    }
    let claims = checked(token, &key, algorithm)?;
    let thumbprint = key.thumbprint(ThumbprintHash::SHA256).map_err(|_| JwsError::UnknownKey)?;
    Ok(Carried { claims, thumbprint })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    const TYP: &str = "dpop+jwt";
    const TAKEN: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256];

    fn signed(header: &Value, pair: &EcdsaKeyPair) -> String {
        let text = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", text(header), text(&json!({"jti": "1"})));
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn key() -> (EcdsaKeyPair, Value) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let key =
            json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])});
        (pair, key)
    }

    #[test]
    fn agrees_with_rfc_9449() {
        // RFC 9449, figure 2: the proof of the example request, and its key's thumbprint.
        let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
        let carried: Carried<Value> = verify(TYP, proof, &TAKEN).unwrap();
        assert_eq!(carried.claims["htu"], "https://server.example.com/token");
        assert_eq!(carried.thumbprint, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn a_header_says_type_algorithm_and_public_key_and_nothing_else() {
        use JwsError::*;
        let (pair, public) = key();
        let (_, other) = key();
        let mut private = public.clone();
        private["d"] = json!("AAAA");
        let check = |header: Value, expected: Result<(), JwsError>| {
            let found = verify::<Value>(TYP, &signed(&header, &pair), &TAKEN).map(|_| ());
            assert_eq!(found, expected, "{header}");
        };
        check(json!({"typ": TYP, "alg": "ES256", "jwk": public}), Ok(()));
        check(json!({"typ": "JWT", "alg": "ES256", "jwk": public}), Err(WrongType));
        check(json!({"alg": "ES256", "jwk": public}), Err(WrongType));
        check(json!({"typ": TYP, "alg": "none", "jwk": public}), Err(WrongAlgorithm));
        check(json!({"typ": TYP, "alg": "HS256", "jwk": public}), Err(WrongAlgorithm));
        check(json!({"typ": TYP, "alg": "ES384", "jwk": public}), Err(WrongAlgorithm));
        check(json!({"typ": TYP, "alg": "ES256"}), Err(UnknownKey));
        check(json!({"typ": TYP, "alg": "ES256", "jwk": private}), Err(UnexpectedHeader));
        check(json!({"typ": TYP, "alg": "ES256", "jwk": other}), Err(BadSignature));
        let crit = json!({"typ": TYP, "alg": "ES256", "jwk": public, "crit": ["b64"]});
        check(crit, Err(UnexpectedHeader));
    }
}
