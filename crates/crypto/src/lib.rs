//! Keys, signatures, node certificates, and the Merkle tree of the audit log with its signed
//! checkpoints and proofs.
//!
//! Nothing here is a home-made primitive: Ed25519 (RFC 8032) and SHA-256 (FIPS 180-4) come from
//! AWS-LC, compact JWS (RFC 7515, RFC 8037) from `jsonwebtoken`, X.509 from `rcgen` and
//! `x509-parser`. The crate does no I/O, reads no clock, and takes its random bytes from a
//! [`Random`] that the caller passes in.

pub mod aead;
pub mod carried;
pub mod certificate;
pub mod chain;
pub mod checkpoint;
pub mod derive;
pub mod entry;
pub mod frames;
pub mod hash;
pub mod hpke;
pub mod jwk;
pub mod jws;
pub mod key;
pub mod lockbox;
pub mod log;
pub mod log_proof;
pub mod merkle;
pub mod note;
mod pem;
pub mod puncture;
pub mod random;
pub mod rsa;
pub mod stream;
pub mod witness;

pub use certificate::{Fingerprint, NodeCertificate};
pub use checkpoint::{Checkpoint, Cosigned, SignedCheckpoint};
pub use derive::{MacKey, derive};
pub use hash::{sha256, sha384, sha512};
pub use jws::JwsError;
pub use key::{PublicKey, Signature, SigningKey};
pub use log::{FaultKind, Head, LogEntry, LogFault, LogVerifier};
pub use note::Note;
pub use random::{Random, RandomFault, SystemRandom};
pub use rsa::RsaKey;

/// What can be wrong with a key, a certificate or an encoded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// A text that should have been PEM (RFC 7468) with the named label.
    #[error("expected one PEM block labelled `{0}`")]
    Pem(&'static str),
    /// A private key that is not Ed25519 in PKCS#8.
    #[error("the private key is not an Ed25519 key in PKCS#8 form")]
    PrivateKey,
    /// A private key that is not RSA in PKCS#8.
    #[error("the private key is not an RSA key in PKCS#8 form")]
    RsaKey,
    /// A public key that is not 32 bytes of Ed25519 in base64url.
    #[error("the public key is not an Ed25519 key in base64url form")]
    PublicKey,
    /// A signature that is not 64 bytes in base64url.
    #[error("the signature is not 64 bytes in base64url form")]
    SignatureForm,
    /// A fingerprint that is not 64 hexadecimal digits.
    #[error("the fingerprint is not 64 hexadecimal digits")]
    Fingerprint,
    /// A signature that the key did not make over these bytes.
    #[error("the signature does not match")]
    BadSignature,
    /// Bytes that are no X.509 certificate.
    #[error("the certificate cannot be read")]
    Certificate,
    /// What is sealed does not open: the key is another one, or the bytes were changed.
    #[error("it does not open: the key is another one, or the bytes were changed")]
    Sealed,
    /// The cryptographic library refused to work.
    #[error("the cryptographic library failed")]
    Library,
    /// No random bytes were to be had.
    #[error(transparent)]
    Random(#[from] RandomFault),
}
