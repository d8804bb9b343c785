//! An approval signed with a passkey: the challenge was the SHA-256 of what was approved, so the
//! signature is over exactly that. It can be checked later by anybody who has it (Web
//! Authentication, level 3, section 7.2, without what only the node can know).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    COSEAlgorithm, COSEEC2Key, COSEKey, COSEKeyType, COSERSAKey, Credential, ECDSACurve, Passkey,
    Url,
};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;

/// A signed approval. Bytes are base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The address at which it was asked for.
    pub origin: String,
    /// The host that the passkey is bound to.
    pub rp_id: String,
    /// The passkey's id.
    pub credential_id: String,
    /// Its public key as a JSON Web Key (RFC 7517).
    pub public_key: Value,
    /// What the browser stated, with the challenge inside.
    pub client_data_json: String,
    /// What the device stated.
    pub authenticator_data: String,
    /// The signature over both.
    pub signature: String,
}

/// Why a signed approval does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalFault {
    /// Not in the form of one.
    #[error("the approval cannot be read: `{0}`")]
    Form(&'static str),
    /// The challenge is another one.
    #[error("the passkey has signed something else")]
    AnotherChallenge,
    /// It was made for another purpose or at another place.
    #[error("the approval was not asked for at the place that it states")]
    AnotherPlace,
    /// The device did not check its owner.
    #[error("the device did not check that it was its owner")]
    NotVerified,
    /// The key did not make the signature.
    #[error("the signature is not this key's")]
    BadSignature,
}

type Result<T> = std::result::Result<T, ApprovalFault>;

impl Approval {
    /// Takes what is to be kept of an answer that has been checked.
    pub(crate) fn of(answer: &str, passkey: Passkey, origin: &Url) -> Result<Self> {
        let fault = ApprovalFault::Form("answer");
        let answer: Value = serde_json::from_str(answer).map_err(|_| fault)?;
        let text = |pointer: &str| {
            answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned).ok_or(fault)
        };
        let key = Credential::from(passkey).cred;
        Ok(Self {
            origin: origin.origin().ascii_serialization(),
            rp_id: origin.domain().ok_or(ApprovalFault::Form("origin"))?.to_owned(),
            credential_id: text("/rawId")?,
            public_key: jwk(&key).ok_or(ApprovalFault::Form("public_key"))?,
            client_data_json: text("/response/clientDataJSON")?,
            authenticator_data: text("/response/authenticatorData")?,
            signature: text("/response/signature")?,
        })
    }

    /// Checks that the key has signed `challenge`, for the place that is stated, by a device that
    /// had checked its owner.
    ///
    /// Errors: [`ApprovalFault`]. That the key is the patient's is for whoever vouches for it.
    pub fn verify(&self, challenge: &[u8; 32]) -> Result<()> {
        let client = bytes(&self.client_data_json, "client_data_json")?;
        let form = ApprovalFault::Form("client_data_json");
        let stated: Value = serde_json::from_slice(&client).map_err(|_| form)?;
        if stated["challenge"].as_str().and_then(|text| BASE64.decode(text).ok()).as_deref()
            != Some(challenge.as_slice())
        {
            return Err(ApprovalFault::AnotherChallenge);
        }
        let data = bytes(&self.authenticator_data, "authenticator_data")?;
        let at = stated["type"] == "webauthn.get" && stated["origin"] == *self.origin;
        let host = Url::parse(&self.origin).ok();
        let host = host.as_ref().and_then(Url::domain) == Some(self.rp_id.as_str());
        let hash = data.get(..32) == Some(crypto::sha256(self.rp_id.as_bytes()).as_slice());
        if !(at && host && hash) {
            return Err(ApprovalFault::AnotherPlace);
        }
        let both = USER_PRESENT | USER_VERIFIED;
        if data.get(32).is_none_or(|flags| flags & both != both) {
            return Err(ApprovalFault::NotVerified);
        }
        let key = key(&self.public_key).ok_or(ApprovalFault::Form("public_key"))?;
        let signed = [data.as_slice(), &crypto::sha256(&client)].concat();
        let signature = bytes(&self.signature, "signature")?;
        match key.verify_signature(&signature, &signed) {
            Ok(true) => Ok(()),
            _ => Err(ApprovalFault::BadSignature),
        }
    }
}

fn bytes(text: &str, name: &'static str) -> Result<Vec<u8>> {
    BASE64.decode(text).map_err(|_| ApprovalFault::Form(name))
}

/// A public key as a JSON Web Key (RFC 7518, section 6). `None` for a kind that the library does
/// not check signatures of.
fn jwk(key: &COSEKey) -> Option<Value> {
    match &key.key {
        COSEKeyType::EC_EC2(ec) => {
            let (curve, algorithm) = match ec.curve {
                ECDSACurve::SECP256R1 => ("P-256", "ES256"),
                ECDSACurve::SECP384R1 => ("P-384", "ES384"),
                ECDSACurve::SECP521R1 => return None,
            };
            Some(json!({
                "kty": "EC", "crv": curve, "alg": algorithm,
                "x": BASE64.encode(&ec.x), "y": BASE64.encode(&ec.y),
            }))
        }
        COSEKeyType::RSA(rsa) => Some(json!({
            "kty": "RSA", "alg": "RS256",
            "n": BASE64.encode(&rsa.n), "e": BASE64.encode(rsa.e),
        })),
        COSEKeyType::EC_OKP(_) => None,
    }
}

fn key(jwk: &Value) -> Option<COSEKey> {
    let field = |name: &str| BASE64.decode(jwk.get(name)?.as_str()?).ok();
    let ec =
        |curve| Some(COSEKeyType::EC_EC2(COSEEC2Key { curve, x: field("x")?, y: field("y")? }));
    let (type_, key) = match (jwk.get("kty")?.as_str()?, jwk.get("alg")?.as_str()?) {
        ("EC", "ES256") => (COSEAlgorithm::ES256, ec(ECDSACurve::SECP256R1)?),
        ("EC", "ES384") => (COSEAlgorithm::ES384, ec(ECDSACurve::SECP384R1)?),
        ("RSA", "RS256") => {
            let e = field("e")?.try_into().ok()?;
            (COSEAlgorithm::RS256, COSEKeyType::RSA(COSERSAKey { n: field("n")?, e }))
        }
        _ => return None,
    };
    Some(COSEKey { type_, key })
}
