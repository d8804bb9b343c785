//! Node certificates: self-signed, trusted by the hash of their key.
//!
//! Who a node is stands in the network's membership list, which names the SHA-256 of the
//! SubjectPublicKeyInfo of its certificate (the pinning of RFC 7469). Names and dates inside the
//! certificate therefore decide nothing: it is dated to never end (RFC 5280, section 4.1.2.5), and
//! a key is withdrawn by a new list.

use std::fmt;
use std::str::FromStr;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hash::{from_hex, hex, sha256};
use crate::key::SigningKey;
use crate::{CryptoError, pem};

const LABEL: &str = "CERTIFICATE";

/// SHA-256 of a certificate's SubjectPublicKeyInfo; as text 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

/// A node's certificate for TLS 1.3.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeCertificate {
    der: Vec<u8>,
    fingerprint: Fingerprint,
}

impl NodeCertificate {
    /// A self-signed certificate for `key` with the common name `name`, good for both ends of a
    /// connection, valid for `hosts` (names or IP addresses; they may be empty between nodes).
    pub fn self_signed(
        name: &str,
        hosts: &[String],
        key: &SigningKey,
    ) -> Result<Self, CryptoError> {
        let failed = |_| CryptoError::Certificate;
        let mut params = CertificateParams::new(hosts.to_vec()).map_err(failed)?;
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(9999, 12, 31);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.self_signed(&Issuer(key)).map_err(failed)?;
        Self::from_der(certificate.der().to_vec())
    }

    /// Takes a DER certificate.
    pub fn from_der(der: Vec<u8>) -> Result<Self, CryptoError> {
        let fingerprint = Fingerprint::of_certificate(&der)?;
        Ok(Self { der, fingerprint })
    }

    /// Reads a certificate in PEM.
    pub fn from_pem(text: &str) -> Result<Self, CryptoError> {
        Self::from_der(pem::decode(LABEL, text)?.to_vec())
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> String {
        pem::encode(LABEL, &self.der).to_string()
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What the membership list says of it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// Lets `rcgen` sign with our key without ever holding a copy of it.
struct Issuer<'a>(&'a SigningKey);

impl rcgen::PublicKeyData for Issuer<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for Issuer<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self.0.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature.as_bytes().to_vec())
    }
}

impl fmt::Debug for NodeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeCertificate({})", self.fingerprint)
    }
}

impl Fingerprint {
    /// The fingerprint of the key in a DER certificate.
    pub fn of_certificate(der: &[u8]) -> Result<Self, CryptoError> {
        subject_public_key_info(der).map(|spki| Self(sha256(spki)))
    }

    /// The fingerprint of a certificate for the Ed25519 key `key`: its SubjectPublicKeyInfo is a fixed
    /// head and the key (RFC 8410, section 4).
    pub fn of_key(key: &crate::PublicKey) -> Self {
        const HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
        Self(crate::hash::sha256_of_parts(&[&HEAD, key.as_bytes()]))
    }

    /// The 32 bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The SubjectPublicKeyInfo of a DER certificate, as it stands there.
pub fn subject_public_key_info(der: &[u8]) -> Result<&[u8], CryptoError> {
    let (rest, certificate) =
        x509_parser::parse_x509_certificate(der).map_err(|_| CryptoError::Certificate)?;
    if !rest.is_empty() {
        return Err(CryptoError::Certificate);
    }
    Ok(certificate.tbs_certificate.subject_pki.raw)
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = CryptoError;

    fn from_str(text: &str) -> Result<Self, CryptoError> {
        from_hex(text).map(Self).ok_or(CryptoError::Fingerprint)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32]).unwrap()
    }

    #[test]
    fn the_fingerprint_is_that_of_the_key_not_of_the_certificate() {
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let one = NodeCertificate::self_signed("north", &hosts, &key(1)).unwrap();
        let two = NodeCertificate::self_signed("other", &[], &key(1)).unwrap();
        let three = NodeCertificate::self_signed("north", &hosts, &key(2)).unwrap();
        assert_ne!(one.der(), two.der());
        assert_eq!(one.fingerprint(), two.fingerprint());
        assert_ne!(one.fingerprint(), three.fingerprint());
        // An Ed25519 SubjectPublicKeyInfo is a fixed prefix and the key (RFC 8410, section 4).
        let spki = subject_public_key_info(one.der()).unwrap();
        assert_eq!(spki.len(), 44);
        assert_eq!(&spki[12..], key(1).public_key().as_bytes());
    }

    #[test]
    fn survives_pem_and_refuses_what_is_no_certificate() {
        let one = NodeCertificate::self_signed("north", &[], &key(1)).unwrap();
        assert_eq!(NodeCertificate::from_pem(&one.to_pem()).unwrap(), one);
        let text = one.fingerprint().to_string();
        assert_eq!(text.parse::<Fingerprint>().unwrap(), one.fingerprint());
        assert_eq!(NodeCertificate::from_der(vec![1, 2, 3]), Err(CryptoError::Certificate));
        let mut longer = one.der().to_vec();
        longer.push(0);
        assert_eq!(NodeCertificate::from_der(longer), Err(CryptoError::Certificate));
        assert_eq!("abc".parse::<Fingerprint>(), Err(CryptoError::Fingerprint));
    }
}
