//! Signing with a passkey: the challenge is the hash of what is signed, so the device's answer is
//! its owner's signature over exactly that (Web Authentication, section 7.2), and can be checked
//! later by anybody who has the public key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use webauthn_rs::prelude::{COSEKeyType, ECDSACurve, EDDSACurve, Passkey, PasskeyAuthentication};
use wire::{PasskeyKey, PasskeyProof};

use super::passkeys::read;
use super::{Sessions, short, throttle_name};
use crate::fault::Fault;
use crate::passkey::{Ceremony, PasskeyError, Site, Started};
use crate::session::{SessionError, place};

type Result<T> = std::result::Result<T, PasskeyError>;

/// `backup eligible` among the flags of authenticator data, which are its byte 32.
const BACKUP_ELIGIBLE: (usize, u8) = (32, 0x08);

impl Sessions {
    /// Begins signing `digest` with a passkey of the session's account.
    ///
    /// Errors: [`PasskeyError::NoPasskey`], [`PasskeyError::Session`], [`PasskeyError::Unusable`].
    pub fn begin_passkey_signature(
        &self,
        token: &str,
        digest: &[u8; 32],
        address: &str,
        now_ms: i64,
    ) -> Result<Started> {
        let webauthn = self.site()?.webauthn();
        let principal = self.resolve(token, now_ms)?;
        let passkeys = self.passkeys_of(&principal.account_id)?;
        if passkeys.is_empty() {
            return Err(PasskeyError::NoPasskey);
        }
        let (options, state) = webauthn
            .start_passkey_authentication(&passkeys)
            .map_err(|error| PasskeyError::from_library(&error, ""))?;
        let mut options = serde_json::to_value(options).map_err(|_| Fault::Record("passkey"))?;
        if let Some(challenge) = options.pointer_mut("/publicKey/challenge") {
            *challenge = URL_SAFE_NO_PAD.encode(digest).into();
        }
        let state = challenged(&state, digest)?;
        let place = place(token).ok_or(SessionError::Unknown)?;
        self.begun(Ceremony::Sign(place, *digest, state), &options, address, now_ms)
    }

    /// Takes the browser's answer as the signature of the session's owner over `digest`, which must
    /// be what the ceremony began with.
    ///
    /// Errors: every refusal of [`PasskeyError`] that concerns an answer.
    pub fn finish_passkey_signature(
        &self,
        token: &str,
        ceremony: &str,
        digest: &[u8; 32],
        answer: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<PasskeyProof> {
        self.signed(token, ceremony, digest, answer, address, now_ms, |passkey| {
            let parsed: Value = read(answer)?;
            let part = |name: &str| {
                let part = parsed.pointer(&format!("/response/{name}")).and_then(Value::as_str);
                part.map(str::to_owned).ok_or(PasskeyError::Malformed)
            };
            let proof = PasskeyProof {
                origin: origin(&part("clientDataJSON")?)?,
                credential: URL_SAFE_NO_PAD.encode(passkey.cred_id()),
                key: public_key(&passkey)?,
                client_data: part("clientDataJSON")?,
                authenticator_data: part("authenticatorData")?,
                signature: part("signature")?,
            };
            // What is handed out must convince those who know nothing but it.
            verify_passkey_signature(&proof, digest)?;
            Ok(proof)
        })
    }

    /// Checks that `answer` is the signature of the session's owner over `digest`, with which the
    /// ceremony must have begun, and makes of the passkey what is to be kept. A failure of either
    /// counts towards throttling.
    #[expect(clippy::too_many_arguments, reason = "each is named at the two doors that call this")]
    pub(super) fn signed<T>(
        &self,
        token: &str,
        ceremony: &str,
        digest: &[u8; 32],
        answer: &str,
        address: &str,
        now_ms: i64,
        keep: impl FnOnce(Passkey) -> Result<T>,
    ) -> Result<T> {
        let principal = self.resolve(token, now_ms)?;
        let attempt = self
            .throttle
            .begin_factor(&throttle_name(&principal.username), &short(address), now_ms)
            .map_err(|retry_after_s| PasskeyError::Throttled { retry_after_s })?;
        let check = || {
            let own = place(token).ok_or(SessionError::Unknown)?;
            let state = match self.ceremonies.take(ceremony, now_ms) {
                Some(Ceremony::Sign(place, begun, state)) if place == own && begun == *digest => {
                    state
                }
                _ => return Err(PasskeyError::Expired),
            };
            keep(self.check_answer(&principal.account_id, answer, &state, now_ms)?)
        };
        let signed = check();
        match &signed {
            Ok(_) => self.throttle.succeeded(&attempt),
            Err(error) if !error.is_guess() => self.throttle.withdrawn(&attempt),
            Err(_) => tracing::info!("a signature with a passkey failed"),
        }
        signed
    }
}

/// Checks, with nothing else at hand, that the passkey with the key in `proof` signed `digest` at
/// the address that `proof` names, and that the device had checked its owner.
///
/// Errors: [`PasskeyError::Refused`] and the like; a proof that cannot be read is
/// [`PasskeyError::Malformed`].
pub fn verify_passkey_signature(proof: &PasskeyProof, digest: &[u8; 32]) -> Result<()> {
    let site = Site::new(&proof.origin, "Consilium", &[]).map_err(|_| PasskeyError::Unusable)?;
    let data = URL_SAFE_NO_PAD.decode(&proof.authenticator_data);
    let data = data.map_err(|_| PasskeyError::Malformed)?;
    let flags = data.get(BACKUP_ELIGIBLE.0).ok_or(PasskeyError::Malformed)?;
    let eligible = flags & BACKUP_ELIGIBLE.1 != 0;
    // The library checks answers against a passkey that it has registered; this is the same with
    // nothing known of it but the key.
    let passkey = json!({"cred": {
        "cred_id": proof.credential, "cred": cose(&proof.key)?, "counter": 0, "transports": null,
        "user_verified": true, "backup_eligible": eligible, "backup_state": false,
        "registration_policy": "required", "extensions": {},
        "attestation": {"data": "None", "metadata": "None"}, "attestation_format": "none",
    }});
    let passkey: Passkey = serde_json::from_value(passkey).map_err(|_| PasskeyError::Malformed)?;
    let answer = json!({
        "id": proof.credential, "rawId": proof.credential, "type": "public-key",
        "response": {
            "clientDataJSON": proof.client_data, "authenticatorData": proof.authenticator_data,
            "signature": proof.signature,
        },
        "clientExtensionResults": {},
    });
    let answer = serde_json::from_value(answer).map_err(|_| PasskeyError::Malformed)?;
    let refused = |error| PasskeyError::from_library(&error, "");
    let (_, state) = site.webauthn().start_passkey_authentication(&[passkey]).map_err(refused)?;
    let state = challenged(&state, digest)?;
    let proved = site.webauthn().finish_passkey_authentication(&answer, &state).map_err(refused)?;
    if proved.user_verified() { Ok(()) } else { Err(PasskeyError::NotVerified) }
}

/// The same expectation with another challenge.
fn challenged(state: &PasskeyAuthentication, digest: &[u8; 32]) -> Result<PasskeyAuthentication> {
    let mut value = serde_json::to_value(state).map_err(|_| Fault::Record("passkey"))?;
    let challenge = value.pointer_mut("/ast/challenge").ok_or(Fault::Record("passkey"))?;
    *challenge = URL_SAFE_NO_PAD.encode(digest).into();
    Ok(serde_json::from_value(value).map_err(|_| Fault::Record("passkey"))?)
}

fn origin(client_data: &str) -> Result<String> {
    let bytes = URL_SAFE_NO_PAD.decode(client_data).map_err(|_| PasskeyError::Malformed)?;
    let client: Value = serde_json::from_slice(&bytes).map_err(|_| PasskeyError::Malformed)?;
    let origin = client.get("origin").and_then(Value::as_str);
    origin.map(str::to_owned).ok_or(PasskeyError::Malformed)
}

/// The public key of a passkey as a JSON Web Key.
fn public_key(passkey: &Passkey) -> Result<PasskeyKey> {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    match &passkey.get_public_key().key {
        COSEKeyType::EC_EC2(key) if key.curve == ECDSACurve::SECP256R1 => {
            Ok(PasskeyKey::Ec { x: text(&key.x), y: text(&key.y) })
        }
        COSEKeyType::EC_OKP(key) if key.curve == EDDSACurve::ED25519 => {
            Ok(PasskeyKey::Okp { x: text(&key.x) })
        }
        COSEKeyType::RSA(key) => Ok(PasskeyKey::Rsa { n: text(&key.n), e: text(&key.e) }),
        _ => Err(PasskeyError::Refused),
    }
}

/// The key in the library's form.
fn cose(key: &PasskeyKey) -> Result<Value> {
    Ok(match key {
        PasskeyKey::Ec { x, y } => {
            json!({"type_": "ES256", "key": {"EC_EC2": {"curve": "SECP256R1", "x": x, "y": y}}})
        }
        PasskeyKey::Okp { x } => {
            json!({"type_": "EDDSA", "key": {"EC_OKP": {"curve": "ED25519", "x": x}}})
        }
        PasskeyKey::Rsa { n, e } => {
            let e = URL_SAFE_NO_PAD.decode(e).map_err(|_| PasskeyError::Malformed)?;
            json!({"type_": "RS256", "key": {"RSA": {"n": n, "e": e}}})
        }
    })
}
