//! The membership list: who belongs to the network, by which keys, signed by its council.
//!
//! The council's signatures cover the exact bytes of the list, with a fixed prefix so that they
//! can stand for nothing else. The list travels as a string inside its envelope; a tool that
//! reformats the envelope therefore does not break it.
//!
//! A list of version 1 is valid by one signature of the council's key. A list of version 2 names
//! the [`Council`]: the members whose keys decide about the next list, and how many of them it
//! takes. Trust goes on from list to list ([`SignedMembership::follows`]), and begins with the
//! founding keys ([`SignedMembership::founded`]).

use std::collections::HashSet;

use crypto::{Fingerprint, PublicKey, Signature, SigningKey};
use serde::{Deserialize, Serialize};

use crate::council::{Council, Founders, Rotation};
use crate::org::OrgId;
use crate::time;

/// The same for both versions, so that a signature means the same whoever reads it.
const SIGNED_PREFIX: &[u8] = b"consilium membership list, version 1\n";
/// Longest envelope that is read, in bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Most members of one network.
pub const MAX_MEMBERS: usize = 10_000;
/// Most signatures of one list.
pub const MAX_SIGNATURES: usize = 100;
/// The list that one council key signs.
pub const ONE_KEY: u32 = 1;
/// The list that names its council.
pub const VOTED: u32 = 2;

/// The members of a network, as of one serial number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// 1 or 2; a list names its council from version 2 on.
    pub version: u32,
    /// The name of the network; it never changes.
    pub network: String,
    /// Grows with every list.
    pub serial: u64,
    /// When it was made; milliseconds since the Unix epoch, RFC 3339 on the wire.
    #[serde(with = "time")]
    pub issued: i64,
    /// From when on it is no longer valid; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub expires: i64,
    /// What applies where a patient has said nothing, as one line for the policy engine.
    pub default_policy: String,
    /// The members.
    pub members: Vec<Member>,
    /// Who decides about the next list; there from version 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governance: Option<Governance>,
}

/// What a list of version 2 says beyond its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Governance {
    /// Who decides.
    pub council: Council,
    /// SHA-256 of the text of the list before, in hexadecimal digits; absent in the first list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The proposal that this list carries out; absent in the first list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
    /// Keys of certificates that nobody may use again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_certificates: Vec<Fingerprint>,
    /// Keys of assertions that nobody may use again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_keys: Vec<PublicKey>,
}

/// One organisation in the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its id.
    pub id: OrgId,
    /// Its name for people.
    pub display_name: String,
    /// Where its node answers other nodes: `https://host:port`.
    pub node_url: String,
    /// The key of its TLS certificate.
    pub tls_fingerprint: Fingerprint,
    /// The key that signs its assertions.
    pub assertion_key: PublicKey,
    /// Where its pages are for people: `https://host[:port]`.
    pub web_url: String,
    /// Whether it takes part.
    pub state: MemberState,
    /// Whom to reach in matters of the network: a name, an address, a number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub contact: String,
    /// What its node does, in the words of the protocol: `record`, `match`, `deliver`, `witness`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// The keys before these, while they are still accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// Whether a member takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// It may ask and answer.
    Active,
    /// It may not, until a later list says otherwise.
    Suspended,
}

/// A membership list in its envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedMembership {
    /// The JSON text of a [`Membership`], exactly as signed.
    pub membership: String,
    /// Signatures over it.
    pub signatures: Vec<CouncilSignature>,
}

/// One signature of the council.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouncilSignature {
    /// By which key.
    pub key: PublicKey,
    /// The signature.
    pub signature: Signature,
}

/// Why a list is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// The envelope or the list cannot be read.
    #[error("the membership list cannot be read")]
    Unreadable,
    /// Larger than [`MAX_BYTES`], [`MAX_MEMBERS`] or the limit of signatures.
    #[error("the membership list is too large")]
    TooLarge,
    /// Another version than 1 or 2.
    #[error("the membership list has version `{0}`; this program reads 1 and 2, so upgrade it")]
    UnsupportedVersion(u32),
    /// The council's key did not sign it.
    #[error("the membership list is not signed by the council's key")]
    NotSigned,
    /// Too few of those who decide have signed it.
    #[error(
        "the membership list has `{signed}` valid signatures of the council, and needs `{needed}`"
    )]
    TooFewSignatures {
        /// How many have signed.
        signed: usize,
        /// How many it takes.
        needed: usize,
    },
    /// It does not continue the list in force.
    #[error("the membership list `{0}` does not continue the list in force")]
    NotContinuing(u64),
    /// Two lists have one serial number: somebody has signed both.
    #[error("there are two membership lists with serial `{0}`; ask the council which one holds")]
    Forked(u64),
    /// The council, its thresholds or a key is not what it must be.
    #[error("the membership list is not valid: {0}")]
    BadGovernance(&'static str),
    /// Its time has passed.
    #[error("the membership list has expired; get a newer one from the council")]
    Expired,
    /// It belongs to another network.
    #[error("the membership list is for the network `{0}`")]
    OtherNetwork(String),
    /// Its serial number is not above that of the list in force.
    #[error("the membership list has serial `{offered}`, but `{current}` is already in force")]
    Outdated {
        /// The serial number that was offered.
        offered: u64,
        /// The serial number in force.
        current: u64,
    },
    /// Two members share an id or a key.
    #[error("two members of the list share an id or a key, `{0}` among them")]
    NotUnique(OrgId),
    /// An address that is no `https` URL.
    #[error("the node address of member `{0}` is not of the form `https://host:port`")]
    BadUrl(OrgId),
    /// It could not be signed.
    #[error("the membership list could not be signed")]
    SigningFailed,
}

impl Membership {
    /// The member with this id, in whatever state.
    pub fn member(&self, id: &OrgId) -> Option<&Member> {
        self.members.iter().find(|m| m.id == *id)
    }

    /// The member whose node shows this certificate key, in whatever state.
    pub fn by_fingerprint(&self, fingerprint: &Fingerprint) -> Option<&Member> {
        self.members.iter().find(|m| m.tls_fingerprint == *fingerprint)
    }

    /// A list of version 1 that is valid from `issued` to `expires`, milliseconds since the Unix
    /// epoch, with serial number 1.
    pub fn first(network: &str, issued: i64, expires: i64, members: Vec<Member>) -> Self {
        Self {
            version: ONE_KEY,
            network: network.to_owned(),
            serial: 1,
            issued,
            expires,
            default_policy: "permit-treatment".into(),
            members,
            governance: None,
        }
    }

    /// The same list with a council: version 2.
    pub fn with_council(self, council: Council) -> Self {
        let governance = Governance {
            council,
            previous: None,
            proposal: None,
            refused_certificates: Vec::new(),
            refused_keys: Vec::new(),
        };
        Self { version: VOTED, governance: Some(governance), ..self }
    }

    /// The council, where the list names one.
    pub fn council(&self) -> Option<&Council> {
        self.governance.as_ref().map(|governance| &governance.council)
    }

    /// Signs the list with one key: the council's, a founder's, or that of a member with a seat.
    /// The list itself is checked first, except for time and serial number.
    pub fn sign(&self, key: &SigningKey) -> Result<SignedMembership, MembershipError> {
        self.check()?;
        let text = serde_json::to_string(self).map_err(|_| MembershipError::SigningFailed)?;
        let mut signed = SignedMembership { membership: text, signatures: Vec::new() };
        signed.sign(key)?;
        Ok(signed)
    }

    pub(crate) fn check(&self) -> Result<(), MembershipError> {
        match (self.version, &self.governance) {
            (ONE_KEY, None) => {}
            (VOTED, Some(governance)) => governance.check(self)?,
            (ONE_KEY | VOTED, _) => {
                return Err(MembershipError::BadGovernance("version 2 is the one with a council"));
            }
            (version, _) => return Err(MembershipError::UnsupportedVersion(version)),
        }
        if self.members.len() > MAX_MEMBERS {
            return Err(MembershipError::TooLarge);
        }
        let (mut ids, mut tls, mut keys) = (HashSet::new(), HashSet::new(), HashSet::new());
        for member in &self.members {
            let unique = ids.insert(&member.id)
                & tls.insert(member.tls_fingerprint)
                & keys.insert(member.assertion_key);
            if !unique {
                return Err(MembershipError::NotUnique(member.id.clone()));
            }
            if !is_node_url(&member.node_url) {
                return Err(MembershipError::BadUrl(member.id.clone()));
            }
        }
        Ok(())
    }
}

impl SignedMembership {
    /// Reads the envelope. Nothing is verified yet.
    pub fn parse(text: &[u8]) -> Result<Self, MembershipError> {
        if text.len() > MAX_BYTES {
            return Err(MembershipError::TooLarge);
        }
        serde_json::from_slice(text).map_err(|_| MembershipError::Unreadable)
    }

    /// The envelope as JSON text.
    pub fn to_json(&self) -> String {
        // Strings and keys only: there is always a text.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Adds a signature with `key`, unless it is there already. The list is not looked at.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), MembershipError> {
        let by = key.public_key();
        if self.signatures.iter().all(|s| s.key != by) {
            let signature = key
                .sign(&signed_bytes(&self.membership))
                .map_err(|_| MembershipError::SigningFailed)?;
            self.signatures.push(CouncilSignature { key: by, signature });
        }
        Ok(())
    }

    /// Returns the list after checking the signature of `council`, the form, the time, and, where
    /// a list is `current`, that this one is for the same network and newer.
    pub fn verify(
        &self,
        council: &PublicKey,
        now_ms: i64,
        current: Option<&Membership>,
    ) -> Result<Membership, MembershipError> {
        let list = self.founded(&Founders::one(*council))?;
        if now_ms >= list.expires {
            return Err(MembershipError::Expired);
        }
        if let Some(current) = current {
            list.is_after(current)?;
        }
        Ok(list)
    }

    /// Returns the list after checking the signatures of the founders and the form: what begins a
    /// chain of lists. The time is not looked at.
    pub fn founded(&self, founders: &Founders) -> Result<Membership, MembershipError> {
        self.check_size()?;
        let (signed, needed) = (self.signed_by(&founders.keys), founders.threshold);
        if signed < needed {
            return Err(match needed {
                1 => MembershipError::NotSigned,
                _ => MembershipError::TooFewSignatures { signed, needed },
            });
        }
        self.read()
    }

    /// Reads and checks the list, whoever has signed it.
    pub fn read(&self) -> Result<Membership, MembershipError> {
        self.check_size()?;
        let version: VersionOnly =
            serde_json::from_str(&self.membership).map_err(|_| MembershipError::Unreadable)?;
        if version.version != ONE_KEY && version.version != VOTED {
            return Err(MembershipError::UnsupportedVersion(version.version));
        }
        let list: Membership =
            serde_json::from_str(&self.membership).map_err(|_| MembershipError::Unreadable)?;
        list.check()?;
        Ok(list)
    }

    /// SHA-256 of the text of the list, in hexadecimal digits.
    pub fn hash(&self) -> String {
        crypto::hash::hex(&crypto::sha256(self.membership.as_bytes()))
    }

    /// How many of `keys` have signed, each counted once.
    pub fn signed_by(&self, keys: &[PublicKey]) -> usize {
        let message = signed_bytes(&self.membership);
        let valid = |key: &&PublicKey| {
            let mut own = self.signatures.iter().take(MAX_SIGNATURES).filter(|s| s.key == **key);
            own.any(|s| key.verify(&message, &s.signature).is_ok())
        };
        let keys: HashSet<&PublicKey> = keys.iter().collect();
        keys.into_iter().filter(valid).count()
    }

    /// Takes over the signatures of another envelope of the same list; whether there are new ones.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = self.signatures.len();
        let message = signed_bytes(&self.membership);
        for one in other.signatures.iter().take(MAX_SIGNATURES) {
            let known = self.signatures.iter().any(|s| s.key == one.key);
            if self.membership == other.membership
                && !known
                && before < MAX_SIGNATURES
                && one.key.verify(&message, &one.signature).is_ok()
            {
                self.signatures.push(*one);
            }
        }
        self.signatures.len() > before
    }

    fn check_size(&self) -> Result<(), MembershipError> {
        if self.membership.len() > MAX_BYTES || self.signatures.len() > MAX_SIGNATURES {
            return Err(MembershipError::TooLarge);
        }
        Ok(())
    }
}

impl Membership {
    /// Whether this list is of the same network as `current` and newer.
    pub fn is_after(&self, current: &Self) -> Result<(), MembershipError> {
        if self.network != current.network {
            return Err(MembershipError::OtherNetwork(self.network.clone()));
        }
        if self.serial <= current.serial {
            let (offered, current) = (self.serial, current.serial);
            return Err(MembershipError::Outdated { offered, current });
        }
        Ok(())
    }
}

/// Read first, because a list of another version may have another shape.
#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

fn signed_bytes(text: &str) -> Vec<u8> {
    [SIGNED_PREFIX, text.as_bytes()].concat()
}

/// `https://host:port` with nothing after it, so that paths can be appended as they are.
fn is_node_url(url: &str) -> bool {
    let Some((host, port)) = url.strip_prefix("https://").and_then(|rest| rest.rsplit_once(':'))
    else {
        return false;
    };
    let host_byte =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'[' | b']' | b':');
    let port_ok =
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0);
    (1..=253).contains(&host.len()) && host.bytes().all(host_byte) && port_ok
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32]).unwrap()
    }

    fn member(id: &str, byte: u8) -> Member {
        Member {
            id: id.parse().unwrap(),
            display_name: id.to_uppercase(),
            node_url: format!("https://{id}.example:7443"),
            tls_fingerprint: crypto::hash::hex(&[byte; 32]).parse().unwrap(),
            assertion_key: key(byte).public_key(),
            web_url: format!("https://{id}.example"),
            state: MemberState::Active,
            contact: String::new(),
            capabilities: Vec::new(),
            rotation: None,
        }
    }

    fn list(serial: u64) -> Membership {
        Membership {
            version: 1,
            network: "valley".into(),
            serial,
            issued: 1_000,
            expires: 10_000,
            default_policy: "permit treatment".into(),
            members: vec![member("north", 1), member("south", 2)],
            governance: None,
        }
    }

    #[test]
    fn a_signed_list_is_valid_until_it_expires_or_is_outdated() {
        let council = key(9);
        let signed = SignedMembership::parse(list(3).sign(&council).unwrap().to_json().as_bytes());
        let signed = signed.unwrap();
        let verify = |now, current: Option<&Membership>| {
            signed.verify(&council.public_key(), now, current).map(|m| m.serial)
        };
        assert_eq!(verify(9_999, None), Ok(3));
        assert_eq!(verify(9_999, Some(&list(2))), Ok(3));
        assert_eq!(verify(10_000, None), Err(MembershipError::Expired));
        for current in [3, 4] {
            let outdated = MembershipError::Outdated { offered: 3, current };
            assert_eq!(verify(0, Some(&list(current))), Err(outdated));
        }
        let other = Membership { network: "coast".into(), ..list(2) };
        assert_eq!(verify(0, Some(&other)), Err(MembershipError::OtherNetwork("valley".into())));
        let stranger = signed.verify(&key(8).public_key(), 0, None);
        assert_eq!(stranger, Err(MembershipError::NotSigned));
    }

    #[test]
    fn a_stranger_cannot_sign_under_the_councils_name() {
        let mut signed = list(3).sign(&key(8)).unwrap();
        signed.signatures[0].key = key(9).public_key();
        let found = signed.verify(&key(9).public_key(), 0, None);
        assert_eq!(found, Err(MembershipError::NotSigned));
    }

    #[test]
    fn refuses_lists_that_contradict_themselves() {
        let check = |change: &dyn Fn(&mut Membership), expected: MembershipError| {
            let mut bad = list(1);
            change(&mut bad);
            assert_eq!(bad.sign(&key(9)), Err(expected));
        };
        let south = || "south".parse::<OrgId>().unwrap();
        check(&|m| m.version = 3, MembershipError::UnsupportedVersion(3));
        check(&|m| m.members[0].id = south(), MembershipError::NotUnique(south()));
        check(
            &|m| m.members[1].tls_fingerprint = m.members[0].tls_fingerprint,
            MembershipError::NotUnique(south()),
        );
        check(
            &|m| m.members[1].assertion_key = m.members[0].assertion_key,
            MembershipError::NotUnique(south()),
        );
        for url in [
            "http://south:1",
            "https://south",
            "https://south:0",
            "https://a/b:1",
            "https://south:70000",
            "https://user@south:1",
            "https://:1",
            "https://south:+1",
        ] {
            check(&|m| m.members[1].node_url = url.into(), MembershipError::BadUrl(south()));
        }
    }

    #[test]
    fn a_newer_version_is_named_even_when_its_shape_is_unknown() {
        let text = r#"{"version":3,"everything":"else"}"#.to_owned();
        let signature = key(9).sign(&signed_bytes(&text)).unwrap();
        let signatures = vec![CouncilSignature { key: key(9).public_key(), signature }];
        let signed = SignedMembership { membership: text, signatures };
        let found = signed.verify(&key(9).public_key(), 0, None);
        assert_eq!(found, Err(MembershipError::UnsupportedVersion(3)));
    }

    proptest! {
        #[test]
        fn any_changed_byte_breaks_the_signature(at in any::<prop::sample::Index>(), with in "[ -~]") {
            let mut signed = list(1).sign(&key(9)).unwrap();
            let at = at.index(signed.membership.len());
            prop_assume!(signed.membership[at..=at] != with);
            signed.membership.replace_range(at..=at, &with);
            let found = signed.verify(&key(9).public_key(), 0, None);
            prop_assert_eq!(found, Err(MembershipError::NotSigned));
        }
    }
}
