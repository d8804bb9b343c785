//! Proposals to the members of a network and the votes on them, each signed by the node of whoever
//! makes it.
//!
//! One form serves all: what changes the membership list and what does not. What a carried proposal
//! makes of the list in force is computed ([`Proposal::next`]), so that every node that signs the
//! next list signs the same bytes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::{Fingerprint, PublicKey, Signature, SigningKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::council::{Change, Council, MAX_OVERLAP_MS, Rotation};
use crate::membership::{
    Member, MemberState, Membership, MembershipError, SignedMembership, VOTED,
};
use crate::org::OrgId;
use crate::time;

/// Longest text of a proposal, a ballot or an application, in bytes.
pub const MAX_TEXT: usize = 128 * 1024;
/// Longest title, in characters.
pub const MAX_TITLE: usize = 200;
/// Longest explanation or reason, in characters.
pub const MAX_REASON: usize = 4_000;
/// How long a proposal may be open, in milliseconds: 90 days.
pub const MAX_OPEN_MS: i64 = 90 * 24 * 60 * 60 * 1000;

const VERSION: u32 = 1;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A text and who signed it. The text is kept as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// JSON, exactly as signed.
    pub text: String,
    /// By which key.
    pub key: PublicKey,
    /// The signature.
    pub signature: Signature,
}

/// What can be sealed; the kind is part of what is signed, so that nothing stands for another.
pub trait Sealable: Serialize + DeserializeOwned {
    /// The kind.
    const KIND: &'static str;
    /// Whether the content is in bounds.
    fn is_sound(&self) -> bool;
}

/// Why a sealed text is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It cannot be read, or is too large.
    #[error("the {0} cannot be read, or is not within bounds")]
    Unreadable(&'static str),
    /// The signature is not its key's.
    #[error("the signature of the {0} does not hold")]
    NotSigned(&'static str),
}

/// Asks to become a member, signed by the assertion key that is to stand in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Always 1.
    pub version: u32,
    /// The network that is meant.
    pub network: String,
    /// What the list is to say.
    pub member: Member,
    /// The key of the certificate.
    pub tls_key: PublicKey,
    /// Its signature over the assertion key and the network's name.
    pub tls_proof: Signature,
    /// Why, in the applicant's words.
    pub reason: String,
    /// When it was made; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub made: i64,
}

/// The answer to an application that was handed in over the network
/// (`POST /council/applications`, at a member's address for people).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationReceipt {
    /// Id of the application: SHA-256 of its text in hexadecimal digits.
    pub id: String,
    /// The network that it was handed in to.
    pub network: String,
    /// Who applies.
    pub organisation: OrgId,
    /// What it is taken for.
    pub asks: Asked,
}

/// What an application asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// To become a member.
    Admit,
    /// New keys, of somebody who is a member.
    Recover,
}

/// What the members are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Always 1.
    pub version: u32,
    /// The network.
    pub network: String,
    /// The seat, or the member without one, that proposes.
    pub proposer: OrgId,
    /// The person, by the name to show.
    pub by: String,
    /// What it is about, in one line.
    pub title: String,
    /// Why.
    pub reason: String,
    /// What is to be done.
    pub motion: Motion,
    /// When it was made; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub made: i64,
    /// Until when votes count.
    #[serde(with = "time")]
    pub closes: i64,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Motion {
    /// Take in the applicant.
    Admit {
        /// Its application.
        application: Sealed,
    },
    /// Suspend a member.
    Suspend {
        /// Which.
        organisation: OrgId,
    },
    /// Lift a suspension.
    Reinstate {
        /// Whose.
        organisation: OrgId,
    },
    /// Expel a member.
    Expel {
        /// Which.
        organisation: OrgId,
    },
    /// Replace keys, as their owner wishes; nobody votes on it.
    Rotate {
        /// Whose.
        organisation: OrgId,
        /// The new key of the certificate.
        tls_fingerprint: Fingerprint,
        /// The new key of assertions.
        assertion_key: PublicKey,
        /// The old keys and their word.
        rotation: Rotation,
    },
    /// Replace keys that were lost or stolen.
    Recover {
        /// A new application of the member, with the new keys.
        application: Sealed,
    },
    /// Another council.
    Council {
        /// Which.
        council: Council,
    },
    /// Let the list be valid for longer.
    Renew,
    /// Anything else that the members should decide.
    General,
}

/// A vote, or a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// Always 1.
    pub version: u32,
    /// The network.
    pub network: String,
    /// The proposal's id.
    pub proposal: String,
    /// Whose vote: a member with a seat, or an adviser.
    pub seat: OrgId,
    /// How.
    pub choice: Choice,
    /// Why.
    pub reason: String,
    /// The person, by the name to show.
    pub by: String,
    /// How strongly the person had signed in, by their own node ([`crate::acr()`]).
    pub acr: String,
    /// When; milliseconds since the Unix epoch.
    #[serde(with = "time")]
    pub at: i64,
}

/// `POST /network/v1/council`: two nodes bring their knowledge of the council's business together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouncilRequest {
    /// Serial number of the list that the asker has in force.
    pub serial: u64,
    /// The tags of what the asker has ([`CouncilItem::tag`]).
    pub have: Vec<String>,
    /// What the asker hands over.
    pub items: Vec<CouncilItem>,
}

/// The answer to a [`CouncilRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouncilAnswer {
    /// Serial number of the list that the answerer has in force.
    pub serial: u64,
    /// What the asker lacks, as much as fits into one message.
    pub items: Vec<CouncilItem>,
    /// The tags of what this node lacks.
    pub want: Vec<String>,
}

/// One piece of the council's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CouncilItem {
    /// A list that is in force, or was.
    List {
        /// The list.
        list: SignedMembership,
    },
    /// A list that gathers signatures.
    Draft {
        /// The list.
        list: SignedMembership,
    },
    /// A proposal.
    Proposal {
        /// The sealed text.
        sealed: Sealed,
    },
    /// A vote or comment.
    Ballot {
        /// The sealed text.
        sealed: Sealed,
    },
}

impl CouncilItem {
    /// A short name; a draft has another with every signature that is added.
    pub fn tag(&self) -> String {
        let text = match self {
            Self::List { list } => format!("list {}", list.hash()),
            Self::Draft { list } => {
                let mut keys: Vec<_> = list.signatures.iter().map(|s| s.key.to_string()).collect();
                keys.sort();
                format!("draft {} {}", list.hash(), keys.join(" "))
            }
            Self::Proposal { sealed } => format!("proposal {}", sealed.id()),
            Self::Ballot { sealed } => format!("ballot {}", sealed.id()),
        };
        crypto::hash::hex(&crypto::sha256(text.as_bytes())).chars().take(24).collect()
    }
}

/// How somebody votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// For it.
    Yes,
    /// Against it.
    No,
    /// Neither.
    Abstain,
    /// No vote, only what is said.
    Comment,
}

impl Choice {
    /// Its word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Abstain => "abstain",
            Self::Comment => "comment",
        }
    }
}

impl Sealed {
    /// Signs `content` with `key`.
    pub fn seal<T: Sealable>(content: &T, key: &SigningKey) -> Result<Self, SealError> {
        if !content.is_sound() {
            return Err(SealError::Unreadable(T::KIND));
        }
        let text = serde_json::to_string(content).map_err(|_| SealError::Unreadable(T::KIND))?;
        let signature = key.sign(&bytes::<T>(&text)).map_err(|_| SealError::NotSigned(T::KIND))?;
        Ok(Self { text, key: key.public_key(), signature })
    }

    /// The content, after checking its bounds and that `key` has signed it. Whose key that is, the
    /// caller must look up.
    pub fn open<T: Sealable>(&self) -> Result<T, SealError> {
        let unreadable = SealError::Unreadable(T::KIND);
        if self.text.len() > MAX_TEXT {
            return Err(unreadable);
        }
        if self.key.verify(&bytes::<T>(&self.text), &self.signature).is_err() {
            return Err(SealError::NotSigned(T::KIND));
        }
        let content: T = serde_json::from_str(&self.text).map_err(|_| unreadable.clone())?;
        if content.is_sound() { Ok(content) } else { Err(unreadable) }
    }

    /// What it is called: SHA-256 of the text in hexadecimal digits, which is a FHIR id too.
    pub fn id(&self) -> String {
        crypto::hash::hex(&crypto::sha256(self.text.as_bytes()))
    }

    /// As one line of text, to be handed on by people.
    pub fn to_line(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads [`Self::to_line`], or JSON.
    pub fn from_line(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > 2 * MAX_TEXT {
            return None;
        }
        if text.starts_with('{') {
            return serde_json::from_str(text).ok();
        }
        let packed: String = text.split_whitespace().collect();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(packed).ok()?).ok()
    }
}

fn bytes<T: Sealable>(text: &str) -> Vec<u8> {
    format!("consilium {}, version 1\n{text}", T::KIND).into_bytes()
}

impl Sealable for Application {
    const KIND: &'static str = "application";

    fn is_sound(&self) -> bool {
        let proof = Self::proof_bytes(&self.network, &self.member.assertion_key);
        let member = &self.member;
        self.version == VERSION
            && member.rotation.is_none()
            && member.state == MemberState::Active
            && fits(&member.display_name, 1, MAX_TITLE)
            && fits(&member.contact, 1, MAX_TITLE)
            && fits(&self.reason, 0, MAX_REASON)
            && member.capabilities.len() <= 32
            && member.capabilities.iter().all(|word| fits(word, 1, 64))
            && Fingerprint::of_key(&self.tls_key) == member.tls_fingerprint
            && self.tls_key.verify(&proof, &self.tls_proof).is_ok()
    }
}

impl Application {
    /// An application of `member`, whose keys these are, signed by both.
    pub fn seal(
        network: &str,
        member: Member,
        (assertion, tls): (&SigningKey, &SigningKey),
        reason: &str,
        made: i64,
    ) -> Result<Sealed, SealError> {
        let proof = Self::proof_bytes(network, &member.assertion_key);
        let tls_proof = tls.sign(&proof).map_err(|_| SealError::NotSigned(Self::KIND))?;
        let application = Self {
            version: VERSION,
            network: network.to_owned(),
            member,
            tls_key: tls.public_key(),
            tls_proof,
            reason: reason.to_owned(),
            made,
        };
        Sealed::seal(&application, assertion)
    }

    /// Reads an application for `network`, after checking that whoever made it has both keys.
    pub fn open(sealed: &Sealed, network: &str) -> Result<Self, SealError> {
        let application: Self = sealed.open()?;
        if sealed.key != application.member.assertion_key || application.network != network {
            return Err(SealError::NotSigned(Self::KIND));
        }
        Ok(application)
    }

    fn proof_bytes(network: &str, assertion_key: &PublicKey) -> Vec<u8> {
        format!("consilium certificate key, version 1\n{network}\n{assertion_key}\n").into_bytes()
    }
}

impl Sealable for Proposal {
    const KIND: &'static str = "proposal";

    fn is_sound(&self) -> bool {
        self.version == VERSION
            && fits(&self.title, 1, MAX_TITLE)
            && fits(&self.by, 0, MAX_TITLE)
            && fits(&self.reason, 1, MAX_REASON)
            && self.made >= 0
            && self.closes > self.made
            && self.closes - self.made <= MAX_OPEN_MS
    }
}

impl Sealable for Ballot {
    const KIND: &'static str = "ballot";

    fn is_sound(&self) -> bool {
        self.version == VERSION
            && self.proposal.len() == 64
            && fits(&self.by, 0, MAX_TITLE)
            && fits(&self.acr, 0, MAX_TITLE)
            && fits(&self.reason, 1, MAX_REASON)
    }
}

fn fits(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.trim().chars().count())
}

impl Proposal {
    /// The list that carries this out, after `current` with the hash `current_hash`, with this
    /// serial number; `None` for a general proposal. The error says why it cannot be done (any more).
    pub fn next(
        &self,
        id: &str,
        current: &Membership,
        current_hash: &str,
        serial: u64,
    ) -> Result<Option<Membership>, MembershipError> {
        let bad = MembershipError::BadGovernance;
        let Some(before) = &current.governance else {
            return Err(bad("the network has no council yet"));
        };
        if matches!(self.motion, Motion::General) {
            return Ok(None);
        }
        let mut list = current.clone();
        (list.version, list.serial) = (VOTED, serial);
        list.issued = self.made.max(current.issued);
        for member in &mut list.members {
            member.rotation = member.rotation.filter(|old| old.until > list.issued);
        }
        let mut governance = before.clone();
        governance.previous = Some(current_hash.to_owned());
        governance.proposal = Some(id.to_owned());
        list.governance = Some(governance);
        self.carry_out(&mut list)?;
        list.check()?;
        current.changes(&list)?;
        Ok(Some(list))
    }

    fn carry_out(&self, list: &mut Membership) -> Result<(), MembershipError> {
        let bad = MembershipError::BadGovernance;
        match &self.motion {
            Motion::Admit { application } => {
                let application = applied(application, &list.network)?;
                list.members.push(application.member);
            }
            Motion::Suspend { organisation } => {
                let member = find(list, organisation)?;
                if member.state == MemberState::Suspended {
                    return Err(bad("the member is suspended already"));
                }
                member.state = MemberState::Suspended;
            }
            Motion::Reinstate { organisation } => {
                let member = find(list, organisation)?;
                if member.state == MemberState::Active {
                    return Err(bad("the member is not suspended"));
                }
                member.state = MemberState::Active;
            }
            Motion::Expel { organisation } => {
                let gone = find(list, organisation)?.clone();
                list.members.retain(|member| member.id != gone.id);
                refuse(list, &gone);
                if let Some(governance) = &mut list.governance {
                    governance.council = governance.council.without(&gone.id);
                }
            }
            Motion::Rotate { organisation, tls_fingerprint, assertion_key, rotation } => {
                let (network, made) = (list.network.clone(), self.made);
                let member = find(list, organisation)?;
                let new = (*tls_fingerprint, *assertion_key);
                if !rotation.holds(&network, member, new) {
                    return Err(bad("a rotation is signed by the key it replaces"));
                }
                if rotation.until > made.saturating_add(MAX_OVERLAP_MS) {
                    return Err(bad("old keys are accepted for 30 days at most"));
                }
                (member.tls_fingerprint, member.assertion_key) = new;
                member.rotation = Some(*rotation);
            }
            Motion::Recover { application } => {
                let new = applied(application, &list.network)?.member;
                let member = find(list, &new.id)?;
                let old = member.clone();
                (member.tls_fingerprint, member.assertion_key) =
                    (new.tls_fingerprint, new.assertion_key);
                member.rotation = None;
                refuse(list, &old);
            }
            Motion::Council { council } => {
                if let Some(governance) = &mut list.governance {
                    governance.council = council.clone();
                }
            }
            Motion::Renew => {
                let days = list.council().map_or(365, |council| council.valid_days);
                list.expires = list.expires.max(self.made.saturating_add(i64::from(days) * DAY_MS));
            }
            Motion::General => {}
        }
        Ok(())
    }
}

impl Motion {
    /// Its word on the wire.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Admit { .. } => "admit",
            Self::Suspend { .. } => "suspend",
            Self::Reinstate { .. } => "reinstate",
            Self::Expel { .. } => "expel",
            Self::Rotate { .. } => "rotate",
            Self::Recover { .. } => "recover",
            Self::Council { .. } => "council",
            Self::Renew => "renew",
            Self::General => "general",
        }
    }

    /// Whom it is about, where it is about one organisation.
    pub fn organisation(&self) -> Option<OrgId> {
        match self {
            Self::Admit { application } | Self::Recover { application } => {
                application.open::<Application>().ok().map(|application| application.member.id)
            }
            Self::Suspend { organisation }
            | Self::Reinstate { organisation }
            | Self::Expel { organisation }
            | Self::Rotate { organisation, .. } => Some(organisation.clone()),
            Self::Council { .. } | Self::Renew | Self::General => None,
        }
    }

    /// The change that it is, for its threshold; `None` for a general proposal.
    pub fn change(&self) -> Option<Change> {
        let org = self.organisation();
        match self {
            Self::Admit { .. } => org.map(Change::Admit),
            Self::Suspend { .. } => org.map(Change::Suspend),
            Self::Reinstate { .. } => org.map(Change::Reinstate),
            Self::Expel { .. } => org.map(Change::Expel),
            Self::Rotate { .. } => org.map(Change::Rotate),
            Self::Recover { .. } => org.map(Change::Recover),
            Self::Council { .. } => Some(Change::Council),
            Self::Renew => Some(Change::Renew),
            Self::General => None,
        }
    }
}

fn applied(sealed: &Sealed, network: &str) -> Result<Application, MembershipError> {
    Application::open(sealed, network)
        .map_err(|_| MembershipError::BadGovernance("the application is not signed by its keys"))
}

fn find<'a>(list: &'a mut Membership, org: &OrgId) -> Result<&'a mut Member, MembershipError> {
    let member = list.members.iter_mut().find(|member| member.id == *org);
    member.ok_or(MembershipError::BadGovernance("there is no such member"))
}

/// Refuses the keys of a member from then on.
fn refuse(list: &mut Membership, member: &Member) {
    let Some(governance) = &mut list.governance else { return };
    let old = member.rotation;
    for key in [Some(member.assertion_key), old.map(|old| old.assertion_key)] {
        governance.refused_keys.extend(key.filter(|key| !governance.refused_keys.contains(key)));
    }
    for one in [Some(member.tls_fingerprint), old.map(|old| old.tls_fingerprint)] {
        let new = one.filter(|one| !governance.refused_certificates.contains(one));
        governance.refused_certificates.extend(new);
    }
}
