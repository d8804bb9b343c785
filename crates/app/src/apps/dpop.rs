//! Proof of possession at this node (RFC 9449): nonces, proofs that were seen, and the check that
//! whoever uses a bound token holds its key.

use std::collections::HashMap;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth::Code;
use oauth::dpop::{Expected, Proof, ProofError, judge};
use parking_lot::Mutex;

use super::Fault;
use super::access::{find, over};
use crate::{App, Error};

/// How long a nonce is the newest one, in seconds; the one before it is taken too.
const NONCE_S: i64 = 300;
/// Most proofs that are remembered at once. Each is forgotten after a minute.
const MAX_SEEN: usize = 100_000;

/// What is kept in memory. A restart forgets which proofs were seen, and with them every nonce: no
/// proof of before is taken after it.
#[derive(Default)]
pub(super) struct State {
    secret: OnceLock<String>,
    seen: Mutex<HashMap<[u8; 32], i64>>,
}

/// The nonce that proofs need from now on (`DPoP-Nonce`).
pub fn nonce(app: &App) -> String {
    nonce_of(app, app.now_ms().div_euclid(1000).div_euclid(NONCE_S))
}

/// A hash over a secret and a number of fixed length, so that nothing has to be kept of it.
fn nonce_of(app: &App, window: i64) -> String {
    let secret = app.apps().dpop.secret.get_or_init(|| app.new_token());
    let parts: [&[u8]; 3] = [secret.as_bytes(), b"dpop nonce", &window.to_be_bytes()];
    URL_SAFE_NO_PAD.encode(crypto::hash::sha256_of_parts(&parts))
}

/// Judges a proof for a request; it is not spent yet.
pub(super) fn judged(
    app: &App,
    proof: &str,
    method: &str,
    address: &str,
    token: Option<&str>,
) -> Result<Proof, Fault> {
    let now_s = app.now_ms().div_euclid(1000);
    let window = now_s.div_euclid(NONCE_S);
    let nonces = [nonce_of(app, window), nonce_of(app, window - 1)];
    let expected = Expected { method, address, token, nonces: &nonces, now_s };
    judge(proof, expected).map_err(|error| {
        let code = match error {
            ProofError::Nonce => Code::UseDpopNonce,
            _ => Code::InvalidDpopProof,
        };
        Fault::new(code, error.to_string())
    })
}

/// Remembers that a proof was used; one that was used before is refused.
pub(super) fn spend(app: &App, proof: &Proof) -> Result<(), Fault> {
    let now_s = app.now_ms().div_euclid(1000);
    let parts: [&[u8]; 3] = [proof.key.as_bytes(), b"\0", proof.jti.as_bytes()];
    let id = crypto::hash::sha256_of_parts(&parts);
    let mut seen = app.apps().dpop.seen.lock();
    if seen.len() >= MAX_SEEN {
        seen.retain(|_, until_s| *until_s >= now_s);
    }
    if seen.len() >= MAX_SEEN {
        let why = "too many proofs at the moment; try again in a minute";
        return Err(Fault::new(Code::TemporarilyUnavailable, why));
    }
    match seen.insert(id, proof.until_s).is_some_and(|until_s| until_s >= now_s) {
        true => {
            Err(Fault::new(Code::InvalidDpopProof, "the proof was used before; make a new one"))
        }
        false => Ok(()),
    }
}

/// Checks the proof that comes with an access token at a resource: `address` is that of the
/// request without its query.
///
/// Errors: `invalid_token` is told as [`Code::InvalidGrant`], for a token that is unknown or bound
/// to another key or to none; the codes of RFC 9449 for the proof.
pub fn check(
    app: &App,
    token: &str,
    proof: Option<&str>,
    method: &str,
    address: &str,
) -> Result<(), Fault> {
    let unknown = || Fault::new(Code::InvalidGrant, over().message);
    let proof = proof.ok_or_else(|| {
        let why = "`Authorization: DPoP` needs one proof in the header `DPoP`";
        Fault::new(Code::InvalidDpopProof, why)
    })?;
    let proof = judged(app, proof, method, address, Some(token))?;
    let access = find(app, token).map_err(|e: Error| Fault::from(e))?.ok_or_else(unknown)?;
    if access.key.as_deref() != Some(proof.key.as_str()) {
        return Err(unknown());
    }
    spend(app, &proof)
}
