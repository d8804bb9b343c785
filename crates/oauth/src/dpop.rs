//! Proof of possession (RFC 9449, DPoP): a token that is bound to a key is of use only together
//! with a fresh signature by that key over the very request.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::carried;
use crypto::jwk::Algorithm;
use serde::Deserialize;

/// The algorithms that proofs may be signed with.
pub const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256, Algorithm::Rs384];
/// For how long a proof is good, in seconds: it is made for one request.
pub const WINDOW_S: i64 = 60;
/// How far ahead the clock of a client may be, in seconds.
pub const SKEW_S: i64 = 30;
/// The type that a proof states.
const TYP: &str = "dpop+jwt";
/// Longest `jti`, in bytes.
const MAX_JTI: usize = 256;

/// The request that a proof must be for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The method.
    pub method: &'a str,
    /// The address without query and fragment.
    pub address: &'a str,
    /// The access token that is used; `None` at the token endpoint.
    pub token: Option<&'a str>,
    /// The nonces that this server has given out and still takes.
    pub nonces: &'a [String],
    /// Now, in seconds since the Unix epoch.
    pub now_s: i64,
}

/// A proof that holds; its id must not have been seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The thumbprint of the key (`jkt`, RFC 7638).
    pub key: String,
    /// Its id.
    pub jti: String,
    /// When it is too old to be taken, seconds since the Unix epoch.
    pub until_s: i64,
}

/// Why a proof was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Its form or signature.
    #[error("the DPoP proof does not hold: {0}")]
    Signature(#[from] crypto::JwsError),
    /// It is for another request.
    #[error("`htm` and `htu` of the DPoP proof must be the method and the address of this request")]
    Request,
    /// Too old, or from the future.
    #[error("`iat` of the DPoP proof must be now, at most {WINDOW_S} seconds ago")]
    Time,
    /// No id, or too long a one.
    #[error("the DPoP proof needs a `jti` of at most {MAX_JTI} characters")]
    Id,
    /// For another token.
    #[error("`ath` of the DPoP proof must be the SHA-256 of the access token")]
    Token,
    /// Without a nonce of this server.
    #[error("the DPoP proof needs the `nonce` that `DPoP-Nonce` says")]
    Nonce,
}

#[derive(Deserialize)]
struct Claims {
    htm: Option<String>,
    htu: Option<String>,
    iat: Option<i64>,
    jti: Option<String>,
    ath: Option<String>,
    nonce: Option<String>,
}

/// Judges a proof (RFC 9449, section 4.3). A missing nonce is told last: whoever is told it would
/// have been let in otherwise.
pub fn judge(proof: &str, expected: Expected<'_>) -> Result<Proof, ProofError> {
    let carried = carried::verify::<Claims>(TYP, proof, &ALGORITHMS)?;
    let claims = carried.claims;
    let here = claims.htu.as_deref().is_some_and(|htu| is_same(htu, expected.address));
    if claims.htm.as_deref() != Some(expected.method) || !here {
        return Err(ProofError::Request);
    }
    let made_s = claims.iat.ok_or(ProofError::Time)?;
    let (oldest, newest) = (expected.now_s - WINDOW_S, expected.now_s + SKEW_S);
    if !(oldest..=newest).contains(&made_s) {
        return Err(ProofError::Time);
    }
    let jti = claims.jti.filter(|jti| (1..=MAX_JTI).contains(&jti.len())).ok_or(ProofError::Id)?;
    if let Some(token) = expected.token {
        let hash = URL_SAFE_NO_PAD.encode(crypto::sha256(token.as_bytes()));
        if claims.ath.as_deref() != Some(hash.as_str()) {
            return Err(ProofError::Token);
        }
    }
    if !claims.nonce.is_some_and(|nonce| expected.nonces.contains(&nonce)) {
        return Err(ProofError::Nonce);
    }
    Ok(Proof { key: carried.thumbprint, jti, until_s: made_s + WINDOW_S })
}

/// Whether `htu` is `address`: query and fragment do not count, nor the case of scheme and host
/// (RFC 9449, section 4.3, with RFC 3986, section 6.2.2.1).
fn is_same(htu: &str, address: &str) -> bool {
    let bare = |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_owned();
    let parted = |text: &str| {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let path = if path.is_empty() { "/" } else { path };
        Some((scheme.to_ascii_lowercase(), host.to_ascii_lowercase(), path.to_owned()))
    };
    let (one, other) = (parted(&bare(htu)), parted(&bare(address)));
    one.is_some() && one == other
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9449, figure 2, and the request that it belongs to.
    const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    const MADE_S: i64 = 1_562_262_616;

    #[test]
    fn a_proof_is_for_one_request_and_one_minute() {
        let right = Expected {
            method: "POST",
            address: "https://server.example.com/token",
            token: None,
            nonces: &[],
            now_s: MADE_S,
        };
        for (expected, fault) in [
            (right, ProofError::Nonce),
            (Expected { address: "HTTPS://Server.example.com/token", ..right }, ProofError::Nonce),
            (Expected { method: "GET", ..right }, ProofError::Request),
            (
                Expected { address: "https://server.example.com/other", ..right },
                ProofError::Request,
            ),
            (Expected { address: "http://server.example.com/token", ..right }, ProofError::Request),
            (Expected { now_s: MADE_S + WINDOW_S + 1, ..right }, ProofError::Time),
            (Expected { now_s: MADE_S - SKEW_S - 1, ..right }, ProofError::Time),
            (Expected { token: Some("cns-at.x"), ..right }, ProofError::Token),
        ] {
            assert_eq!(judge(PROOF, expected), Err(fault), "{expected:?}");
        }
        let broken = PROOF.replace("2-GxA6", "2-GxA7");
        let fault = ProofError::Signature(crypto::JwsError::BadSignature);
        assert_eq!(judge(&broken, right), Err(fault));
    }

    #[test]
    fn addresses_are_the_same_without_query() {
        for (htu, address, same) in [
            ("https://a.example/fhir/Patient?x=1", "https://a.example/fhir/Patient", true),
            ("https://a.example", "https://a.example/", true),
            ("https://a.example/fhir/Patient/", "https://a.example/fhir/Patient", false),
            ("fhir/Patient", "fhir/Patient", false),
        ] {
            assert_eq!(is_same(htu, address), same, "{htu}");
        }
    }
}
