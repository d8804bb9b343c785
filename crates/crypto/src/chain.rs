//! Tokens signed under an X.509 certificate whose chain they carry (`x5c`: RFC 7515, section
//! 4.1.6), as UDAP has them: the chain is followed to a trust anchor of the community, revocation
//! lists are asked, and the name in the certificate is handed on.
//!
//! Paths are built and checked by `rustls-webpki` (RFC 5280); the clock is the caller's.

use std::time::Duration;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage,
    OwnedCertRevocationList, RevocationOptionsBuilder, UnknownStatusPolicy,
    anchor_from_trusted_cert,
};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::jwk::Algorithm;

/// Longest token with its certificates, in bytes.
pub const MAX_TOKEN_BYTES: usize = 48 * 1024;
/// Most certificates of a chain.
const MAX_CHAIN: usize = 8;
/// Most anchors and most revocation lists.
const MAX_TRUSTED: usize = 64;
/// The algorithms that are taken: RS256 and ES256 as UDAP asks for, and the two of SMART.
pub const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Rs256, Algorithm::Es256, Algorithm::Rs384, Algorithm::Es384];

/// Why a token or what it was to be checked with was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Not a compact JWS with certificates, or too long.
    #[error(
        "not a signed token with its certificates in `x5c`, of at most {MAX_TOKEN_BYTES} bytes"
    )]
    Malformed,
    /// Another algorithm.
    #[error("the token must be signed with RS256, ES256, RS384 or ES384")]
    Algorithm,
    /// The certificates lead to no anchor, or one of them does not hold now.
    #[error("the certificates do not lead to a trust anchor of the community, or do not hold now")]
    Untrusted,
    /// A certificate was withdrawn, or no list says that it was not.
    #[error("a certificate was revoked, or no revocation list covers it")]
    Revoked,
    /// The certificate's key did not sign this.
    #[error("the signature of the token does not match its certificate")]
    Signature,
    /// The claims are not as they should be.
    #[error("the claims of the token cannot be read")]
    Claims,
    /// Certificates or lists of the operator that cannot be read.
    #[error("not PEM with at least one certificate, or one revocation list, that can be read")]
    Trusted,
}

/// Whom a community trusts.
#[derive(Debug)]
pub struct Anchors {
    anchors: Vec<TrustAnchor<'static>>,
    lists: Vec<OwnedCertRevocationList>,
}

/// A token that was signed under a certificate of the community.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    /// What was signed.
    pub claims: T,
    /// The addresses that the certificate is for (uniformResourceIdentifier of its alternative
    /// names), as they stand there.
    pub uris: Vec<String>,
}

impl Signed<()> {
    /// The claims before anything is checked: for looking up who claims to ask.
    pub fn unchecked<T: DeserializeOwned>(token: &str) -> Option<T> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        serde_json::from_slice(&claims).ok()
    }
}

impl Anchors {
    /// Reads the certificates of anchors, and revocation lists where there are any, each as PEM.
    /// Where a list is given, every certificate below an anchor must be covered by one that has
    /// not run out.
    pub fn read(anchors: &str, lists: &str) -> Result<Self, ChainError> {
        let mut read = Vec::new();
        for der in blocks("CERTIFICATE", anchors)? {
            let der = CertificateDer::from(der);
            let anchor = anchor_from_trusted_cert(&der).map_err(|_| ChainError::Trusted)?;
            read.push(anchor.to_owned());
        }
        let lists: Vec<OwnedCertRevocationList> = blocks("X509 CRL", lists)?
            .iter()
            .map(|der| BorrowedCertRevocationList::from_der(der).and_then(|list| list.to_owned()))
            .collect::<Result<_, _>>()
            .map_err(|_| ChainError::Trusted)?;
        let bounded = (1..=MAX_TRUSTED).contains(&read.len()) && lists.len() <= MAX_TRUSTED;
        if bounded { Ok(Self { anchors: read, lists }) } else { Err(ChainError::Trusted) }
    }

    /// The claims of `token` and the names of its certificate, after checking at `now_s` (seconds
    /// since the Unix epoch) that its chain leads to an anchor and its leaf's key signed it. Claims
    /// are not judged.
    pub fn verify<T: DeserializeOwned>(
        &self,
        token: &str,
        now_s: i64,
    ) -> Result<Signed<T>, ChainError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(ChainError::Malformed);
        }
        let mut parts = token.split('.');
        let (Some(head), Some(body), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ChainError::Malformed);
        };
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| ChainError::Malformed);
        let header: Header =
            serde_json::from_slice(&decoded(head)?).map_err(|_| ChainError::Malformed)?;
        if header.crit.is_some() || header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(ChainError::Malformed);
        }
        let algorithm = ALGORITHMS.into_iter().find(|known| known.name() == header.alg);
        let algorithm = algorithm.ok_or(ChainError::Algorithm)?;
        let mut chain = Vec::new();
        for text in header.x5c.iter().take(MAX_CHAIN + 1) {
            // Base64, not base64url: RFC 7515, section 4.1.6.
            chain.push(STANDARD.decode(text).map_err(|_| ChainError::Malformed)?);
        }
        let (leaf, above) = chain.split_first().ok_or(ChainError::Malformed)?;
        if chain.len() > MAX_CHAIN {
            return Err(ChainError::Malformed);
        }
        self.check(leaf, above, now_s)?;
        let (uris, key) = names_and_key(leaf)?;
        let message = format!("{head}.{body}");
        let key = UnparsedPublicKey::new(verifier(algorithm), key);
        key.verify(message.as_bytes(), &decoded(signature)?).map_err(|_| ChainError::Signature)?;
        let claims = serde_json::from_slice(&decoded(body)?).map_err(|_| ChainError::Claims)?;
        Ok(Signed { claims, uris })
    }

    fn check(&self, leaf: &[u8], above: &[Vec<u8>], now_s: i64) -> Result<(), ChainError> {
        let leaf = CertificateDer::from(leaf);
        let leaf = EndEntityCert::try_from(&leaf).map_err(|_| ChainError::Malformed)?;
        let above: Vec<CertificateDer<'_>> =
            above.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let now = Duration::from_secs(u64::try_from(now_s).map_err(|_| ChainError::Untrusted)?);
        let lists: Vec<CertRevocationList<'_>> =
            self.lists.iter().cloned().map(CertRevocationList::from).collect();
        let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let checked = leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &self.anchors,
            &above,
            UnixTime::since_unix_epoch(now),
            KeyUsage::client_auth(),
            revocation,
            None,
        );
        checked.map(drop).map_err(|error| match error {
            webpki::Error::CertRevoked
            | webpki::Error::UnknownRevocationStatus
            | webpki::Error::CrlExpired { .. } => ChainError::Revoked,
            _ => ChainError::Untrusted,
        })
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    #[serde(default)]
    x5c: Vec<String>,
    crit: Option<serde_json::Value>,
}

fn verifier(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
        Algorithm::EdDsa => &ED25519,
        Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
    }
}

/// The addresses among a certificate's alternative names, and its public key.
fn names_and_key(der: &[u8]) -> Result<(Vec<String>, Vec<u8>), ChainError> {
    let (_, read) = X509Certificate::from_der(der).map_err(|_| ChainError::Malformed)?;
    let mut uris = Vec::new();
    for extension in read.extensions() {
        let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
            continue;
        };
        uris.extend(names.general_names.iter().filter_map(|name| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        }));
    }
    Ok((uris, read.public_key().subject_public_key.data.to_vec()))
}

/// The addresses that the first certificate of a PEM text is for, and all its certificates.
pub fn own(pem: &str) -> Result<(Vec<String>, Vec<Vec<u8>>), ChainError> {
    let chain = blocks("CERTIFICATE", pem)?;
    let leaf = chain.first().ok_or(ChainError::Trusted)?;
    let (uris, _) = names_and_key(leaf)?;
    Ok((uris, chain))
}

/// The contents of every PEM block with `label` (RFC 7468).
fn blocks(label: &str, text: &str) -> Result<Vec<Vec<u8>>, ChainError> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut found = Vec::new();
    for part in text.split(&begin).skip(1) {
        let body = part.split(&end).next().filter(|_| part.contains(&end));
        let body: String =
            body.ok_or(ChainError::Trusted)?.chars().filter(|c| !c.is_whitespace()).collect();
        found.push(STANDARD.decode(body).map_err(|_| ChainError::Trusted)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
