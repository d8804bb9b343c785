//! Who this node is.

use crypto::{CryptoError, NodeCertificate, SigningKey};
use wire::{Member, MemberState, OrgId};

/// The organisation of this node and its private keys.
#[derive(Debug)]
pub struct Identity {
    /// Its id in the network.
    pub org: OrgId,
    /// Signs assertions.
    pub assertion_key: SigningKey,
    /// The key of the certificate.
    pub tls_key: SigningKey,
    /// What it shows at both ends of a TLS connection.
    pub certificate: NodeCertificate,
}

impl Identity {
    /// An identity with a fresh self-signed certificate for `tls_key`.
    pub fn new(
        org: OrgId,
        assertion_key: SigningKey,
        tls_key: SigningKey,
    ) -> Result<Self, CryptoError> {
        let certificate = NodeCertificate::self_signed(org.as_str(), &[], &tls_key)?;
        Ok(Self { org, assertion_key, tls_key, certificate })
    }

    /// What the membership list should say about this node. `node_url` is `https://host:port`,
    /// where it answers other nodes; `web_url` is where its pages are for people.
    pub fn member(&self, display_name: &str, node_url: &str, web_url: &str) -> Member {
        Member {
            id: self.org.clone(),
            display_name: display_name.to_owned(),
            node_url: node_url.to_owned(),
            tls_fingerprint: self.certificate.fingerprint(),
            assertion_key: self.assertion_key.public_key(),
            web_url: web_url.to_owned(),
            state: MemberState::Active,
            contact: String::new(),
            capabilities: wire::council::CAPABILITIES.map(str::to_owned).to_vec(),
            rotation: None,
        }
    }
}
