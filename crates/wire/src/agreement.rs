//! `POST /network/v1/agreements`, and what a delivery of kind `agreement` carries: what parties of
//! an agreement say about it, each statement signed by the node of the party that makes it.
//!
//! The signature covers the exact bytes of the statement, with a fixed prefix so that it can stand
//! for nothing else; a statement is known by the SHA-256 of the same bytes. Statements are passed on
//! unchanged, so any party can hand over what another has said.

use crypto::hash::{hex, sha256_of_parts};
use crypto::{PublicKey, Signature, SigningKey};
use serde::{Deserialize, Serialize};

use crate::org::OrgId;
use crate::time;

const PREFIX: &[u8] = b"consilium agreement statement, version 1\n";
const TEXT_PREFIX: &[u8] = b"consilium agreement text, version 1\n";
/// Longest statement, in bytes.
pub const MAX_STATEMENT: usize = 160 * 1024;
/// Most agreements and most hashes in one request.
pub const MAX_KNOWN: usize = 10_000;

/// A statement with its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedStatement {
    /// The JSON text of a [`Statement`], exactly as signed.
    pub statement: String,
    /// The key of the node that signed it.
    pub key: PublicKey,
    /// The signature.
    pub signature: Signature,
}

/// What a party says about an agreement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Always 1.
    pub version: u32,
    /// The agreement's id.
    pub agreement: String,
    /// Who says it.
    pub issuer: OrgId,
    /// When, by the issuer's clock; milliseconds since the Unix epoch, RFC 3339 on the wire.
    #[serde(with = "time")]
    pub at: i64,
    /// What.
    pub said: Said,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// A text to agree on.
    Proposed {
        /// A FHIR R4 Contract, exactly as it is to be signed.
        text: String,
    },
    /// The party agrees to a text.
    Signed {
        /// [`text_hash`] of it.
        text: String,
        /// Who signed, by display name.
        steward: String,
        /// Their passkey's signature over the hash.
        passkey: PasskeyProof,
    },
    /// The agreement is to end.
    Ended {
        /// Not before; milliseconds since the Unix epoch, RFC 3339 on the wire.
        #[serde(with = "time")]
        from: i64,
        /// Why, in words.
        reason: String,
    },
    /// Another party has broken the agreement.
    Breached {
        /// How, in words.
        reason: String,
    },
    /// A breach that this party declared is settled.
    Settled {
        /// Hash of the statement that declared it.
        breach: String,
        /// How, in words.
        reason: String,
    },
}

/// What a passkey signed (Web Authentication, section 7.2). Bytes are base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyProof {
    /// The address at which it was asked for.
    pub origin: String,
    /// The id of the credential.
    pub credential: String,
    /// Its public key.
    pub key: PasskeyKey,
    /// `clientDataJSON`; its challenge is the hash that was signed.
    pub client_data: String,
    /// `authenticatorData`.
    pub authenticator_data: String,
    /// The signature over both.
    pub signature: String,
}

/// A public key as a JSON Web Key (RFC 7517, RFC 7518, RFC 8037).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub enum PasskeyKey {
    /// P-256, for ES256.
    #[serde(rename = "EC")]
    Ec {
        /// First coordinate.
        x: String,
        /// Second coordinate.
        y: String,
    },
    /// Ed25519, for EdDSA.
    #[serde(rename = "OKP")]
    Okp {
        /// The point.
        x: String,
    },
    /// RSA, for RS256.
    #[serde(rename = "RSA")]
    Rsa {
        /// Modulus.
        n: String,
        /// Exponent.
        e: String,
    },
}

/// Why a statement is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not JSON, or not of this shape.
    #[error("the statement cannot be read")]
    Unreadable,
    /// Longer than [`MAX_STATEMENT`].
    #[error("the statement is longer than {MAX_STATEMENT} bytes")]
    TooLarge,
    /// Another version than 1.
    #[error("the statement has version `{0}`; this program reads version 1, so upgrade it")]
    UnsupportedVersion(u32),
    /// The key did not sign it.
    #[error("the statement is not signed by the key that it names")]
    NotSigned,
    /// It could not be signed.
    #[error("the statement could not be signed")]
    SigningFailed,
}

/// The hash by which a text is known and which is signed: lower-case hexadecimal digits.
pub fn text_hash(text: &str) -> String {
    hex(&text_digest(text))
}

/// The same as bytes: the challenge that a passkey signs.
pub fn text_digest(text: &str) -> [u8; 32] {
    sha256_of_parts(&[TEXT_PREFIX, text.as_bytes()])
}

impl Statement {
    /// Signs the statement with the key of the issuer's node.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedStatement, StatementError> {
        let statement = serde_json::to_string(self).map_err(|_| StatementError::SigningFailed)?;
        let signature = key
            .sign(&[PREFIX, statement.as_bytes()].concat())
            .map_err(|_| StatementError::SigningFailed)?;
        Ok(SignedStatement { statement, key: key.public_key(), signature })
    }
}

impl SignedStatement {
    /// What is said, once the signature is verified by the key that the envelope names. Whose key
    /// that is, is for the caller to say.
    pub fn open(&self) -> Result<Statement, StatementError> {
        if self.statement.len() > MAX_STATEMENT {
            return Err(StatementError::TooLarge);
        }
        self.key
            .verify(&[PREFIX, self.statement.as_bytes()].concat(), &self.signature)
            .map_err(|_| StatementError::NotSigned)?;
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } =
            serde_json::from_str(&self.statement).map_err(|_| StatementError::Unreadable)?;
        if version != 1 {
            return Err(StatementError::UnsupportedVersion(version));
        }
        serde_json::from_str(&self.statement).map_err(|_| StatementError::Unreadable)
    }

    /// The hash by which the statement is known: lower-case hexadecimal digits.
    pub fn hash(&self) -> String {
        hex(&sha256_of_parts(&[PREFIX, self.statement.as_bytes()]))
    }
}

/// Asks a party for statements that the asker does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementsRequest {
    /// Hashes of the statements that it has about agreements with the peer.
    pub known: Vec<String>,
}

/// The answer to [`AgreementsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementsResponse {
    /// Statements about agreements to which both are parties, oldest first.
    pub statements: Vec<SignedStatement>,
    /// Whether there are more; ask again.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[7; 32]).unwrap()
    }

    fn statement() -> Statement {
        Statement {
            version: 1,
            agreement: "a-1".into(),
            issuer: "north".parse().unwrap(),
            at: 1_700_000_000_000,
            said: Said::Breached { reason: "data were passed on".into() },
        }
    }

    #[test]
    fn a_statement_is_known_by_what_was_signed() {
        let signed = statement().sign(&key()).unwrap();
        assert_eq!(signed.open().unwrap(), statement());
        let mut changed = signed.clone();
        changed.statement = changed.statement.replace("passed on", "kept safe");
        assert_eq!(changed.open(), Err(StatementError::NotSigned));
        assert_ne!(changed.hash(), signed.hash());
        let mut newer = statement();
        newer.version = 2;
        let newer = newer.sign(&key()).unwrap();
        assert_eq!(newer.open(), Err(StatementError::UnsupportedVersion(2)));
        let long = SignedStatement { statement: " ".repeat(MAX_STATEMENT + 1), ..signed };
        assert_eq!(long.open(), Err(StatementError::TooLarge));
    }
}
