//! Compact JWS (RFC 7515) with EdDSA (RFC 8037) and nothing else.
//!
//! A JWS is refused before its signature is looked at unless its header says exactly
//! `{"alg":"EdDSA","typ":<the type that is expected here>}`, with at most a `kid` beside it: the
//! key always comes from the caller, never from the token, and one kind of token cannot pass for
//! another (RFC 8725, sections 3.1, 3.11 and 3.12). Claims are not judged here; that takes a clock.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::key::{PublicKey, SigningKey};

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// Not three parts of base64url with a JSON header.
    #[error("the token is not a compact JWS")]
    Malformed,
    /// Another algorithm than EdDSA.
    #[error("the token is not signed with `EdDSA`")]
    WrongAlgorithm,
    /// Another or no `typ`.
    #[error("the token is not of the type expected here")]
    WrongType,
    /// A header field that could bring in another key or meaning.
    #[error("the token's header has fields beside `alg`, `typ` and `kid`")]
    UnexpectedHeader,
    /// The header names no key, an unknown one, or one that several have.
    #[error("the token's `kid` does not name exactly one known key for its algorithm")]
    UnknownKey,
    /// The key did not sign this.
    #[error("the signature of the token does not match")]
    BadSignature,
    /// The signed claims do not have the shape expected here.
    #[error("the claims of the token cannot be read")]
    BadClaims,
    /// The token could not be made.
    #[error("the token could not be signed")]
    NotSigned,
}

/// Signs `claims` as a JWS of type `typ`.
pub fn sign<T: Serialize>(typ: &str, claims: &T, key: &SigningKey) -> Result<String, JwsError> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(typ.to_owned());
    let key = EncodingKey::from_ed_der(key.pkcs8_der());
    jsonwebtoken::encode(&header, claims, &key).map_err(|_| JwsError::NotSigned)
}

/// Returns the claims of `token` after checking that its header is exactly what [`sign`] writes
/// for `typ` and that `key` signed it.
pub fn verify<T: DeserializeOwned>(typ: &str, token: &str, key: &PublicKey) -> Result<T, JwsError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(JwsError::TooLong);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|e| match e.kind() {
        // An unknown `alg` is a JSON error here, and so is a header that is no object.
        jsonwebtoken::errors::ErrorKind::Json(e) if e.is_data() => JwsError::WrongAlgorithm,
        _ => JwsError::Malformed,
    })?;
    check_header(typ, &header)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    // These would read the clock of the machine; the caller judges the claims with its own.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_ed_der(key.as_bytes());
    match jsonwebtoken::decode(token, &key, &validation) {
        Ok(data) => Ok(data.claims),
        Err(e) => Err(match e.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => JwsError::BadSignature,
            jsonwebtoken::errors::ErrorKind::Json(_) => JwsError::BadClaims,
            _ => JwsError::Malformed,
        }),
    }
}

fn check_header(typ: &str, header: &Header) -> Result<(), JwsError> {
    if header.alg != Algorithm::EdDSA {
        return Err(JwsError::WrongAlgorithm);
    }
    if header.typ.as_deref() != Some(typ) {
        return Err(JwsError::WrongType);
    }
    let mut plain = Header::new(Algorithm::EdDSA);
    plain.typ.clone_from(&header.typ);
    plain.kid.clone_from(&header.kid);
    if *header == plain { Ok(()) } else { Err(JwsError::UnexpectedHeader) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32]).unwrap()
    }

    /// Signs whatever header is given, as an attacker who holds the key would.
    fn signed(header: &str, claims: &str) -> String {
        let text = |part: &str| URL_SAFE_NO_PAD.encode(part);
        let message = format!("{}.{}", text(header), text(claims));
        let signature = key(1).sign(message.as_bytes()).unwrap();
        format!("{message}.{signature}")
    }

    #[test]
    fn agrees_with_rfc_8037() {
        // RFC 8037, appendix A.4: the key signs the JWS of appendix A.5, which has no `typ`.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let key = SigningKey::from_seed(&seed.try_into().unwrap()).unwrap();
        let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        assert_eq!(
            key.sign(message.as_bytes()).unwrap().to_string(),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn refuses_every_header_but_the_expected_one() {
        use JwsError::*;
        let check = |header: &str, expected: Result<(), JwsError>| {
            let token = signed(header, "{\"a\":1}");
            let found = verify::<Value>("x+jwt", &token, &key(1).public_key()).map(|_| ());
            assert_eq!(found, expected, "{header}");
        };
        check(r#"{"alg":"EdDSA","typ":"x+jwt"}"#, Ok(()));
        check(r#"{"alg":"EdDSA","typ":"x+jwt","kid":"1"}"#, Ok(()));
        check(r#"{"alg":"none","typ":"x+jwt"}"#, Err(WrongAlgorithm));
        check(r#"{"alg":"HS256","typ":"x+jwt"}"#, Err(WrongAlgorithm));
        check(r#"{"alg":"EdDSA","typ":"y+jwt"}"#, Err(WrongType));
        check(r#"{"alg":"EdDSA"}"#, Err(WrongType));
        check(r#"{"alg":"EdDSA","typ":"x+jwt","crit":["exp"]}"#, Err(UnexpectedHeader));
        check(r#"{"alg":"EdDSA","typ":"x+jwt","jku":"https://e.org"}"#, Err(UnexpectedHeader));
        check(r#"{"alg":"EdDSA","typ":"x+jwt","b64":false}"#, Err(UnexpectedHeader));
        check("[]", Err(WrongAlgorithm));
        check("{", Err(Malformed));
    }

    #[test]
    fn refuses_other_keys_other_shapes_and_long_texts() {
        let token = sign("x+jwt", &json!({"a": 1}), &key(1)).unwrap();
        let read = |token: &str, by: u8| verify::<Value>("x+jwt", token, &key(by).public_key());
        assert_eq!(read(&token, 1), Ok(json!({"a": 1})));
        assert_eq!(read(&token, 2), Err(JwsError::BadSignature));
        assert_eq!(read("a.b", 1), Err(JwsError::Malformed));
        assert_eq!(read("", 1), Err(JwsError::Malformed));
        assert_eq!(read(&"a".repeat(MAX_TOKEN_BYTES + 1), 1), Err(JwsError::TooLong));
        let strict = verify::<Vec<u8>>("x+jwt", &token, &key(1).public_key());
        assert_eq!(strict, Err(JwsError::BadClaims));
    }

    proptest! {
        #[test]
        fn any_changed_character_is_noticed(at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.-]") {
            let token = sign("x+jwt", &json!({"a": "some claims"}), &key(1)).unwrap();
            let mut bytes = token.clone().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = with.as_bytes()[0];
            let changed = String::from_utf8(bytes).unwrap();
            let read = verify::<Value>("x+jwt", &changed, &key(1).public_key());
            prop_assert_eq!(read.is_ok(), changed == token);
        }
    }
}
