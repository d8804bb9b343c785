//! What the patient's consents let another organisation see.
//!
//! Consents are FHIR R4 Consent resources; [`Compiled`] reads them once and [`decide_all`] decides
//! item by item. The rules, in the order in which they are applied:
//!
//! **What counts.** Consents with status `active` and scope `patient-privacy`, and those of scope
//! `research` for research purposes, while the period of their outermost provision runs.
//!
//! **Inside one consent.** Elements of a provision are joined by *and*, repeats of an element by
//! *or*, an absent element is no condition. A provision's `type` is stated at each level; a nested
//! provision is an exception to the one around it, the innermost one that matches decides, and of
//! several at the same level a denial does (IHE PCF, appendix P). Where several decide alike, all
//! of them count. `policyRule` `OPTOUT` (and
//! `EMRGONLY` outside emergencies) denies what the provision leaves open; other rules add nothing.
//!
//! **Actors.** A recipient (`IRCP`, `PRCP` and the like, or no role) is who would receive the
//! data, a custodian (`CST`) the organisation that holds it. So a denial that names an
//! organisation as both takes it out of the exchange in both directions. People are known by
//! references and identifiers ([`Who`]); groups and care teams through a directory
//! ([`Compiled::with`]). A group names less closely than a person and more than an organisation. A permission grants to
//! the recipients it names; where it names recipients and only its custodian matches, it lifts
//! earlier denials about that custodian and grants nothing beyond what a permission around it
//! grants.
//!
//! **Codes.** A denial for a code reaches a resource that has it anywhere, a permission one that is
//! about it.
//!
//! **Labels.** A denial for a degree of confidentiality reaches that degree and higher ones, a
//! permission that degree and lower ones. Topics include those below them. Labels of systems not
//! known here are compared as written; one without system or code is not understood.
//!
//! **Several consents.** A denial beats a permission, unless the permission replaces it: it was
//! decided later (`dateTime` after the end of the other's, which a date without a time makes a
//! whole day long; neither may lie in the future), it is about the same actor (it names the
//! recipient at least as closely, and the custodian where the denial names one; a decision about
//! all is replaced by one about all or about this recipient, and one about an organisation is not
//! replaced by one about all), and it is about particular data where the denial is. Consents
//! without `dateTime` neither replace nor are replaced.
//!
//! **Not understood.** Structure that is not understood makes a consent deny whatever its
//! outermost provision covers; such a denial is not replaced by later permissions. A value that is
//! not understood makes a denial apply and a permission not apply. Put in place of anything in a
//! consent, it never permits more than what stood there; `policyRule` is left out of this, and so
//! is an element that is dropped and one of an unknown name put in its stead.
//!
//! **No consent.** The network's default ([`NetworkDefault`]). Sensitive items ([`crate::label`])
//! are withheld by default across organisations unless a permission names what makes them
//! sensitive, and that they exist is not told.
//!
//! **Emergency override.** For purpose `BTG`, with the node's switch on, denials do not bind
//! clinicians, except those that name `BTG` or a purpose that is not understood; where the consent
//! is not understood, naming it anywhere is enough. Sensitive items are then shared too. What the network's default denies
//! stays denied.
//!
//! **Own data.** Patients are not kept from their own record (role patient, purpose `PATRQT`; that
//! it is their own is decided before). An organisation is not kept from what it holds itself,
//! unless a denial names the person who asks or somebody who cannot be resolved and may be them.

mod build;
mod concern;
mod decide;
mod directory;
mod explain;
mod grant;
mod item;
mod read;
mod residual;
mod resolve;
mod rule;
mod rules;
mod scope;
mod terms;
mod view;
mod who;

use fhir::Resource;
use fhir::time::Range;

use crate::purpose::Purpose;
use crate::question::Role;

pub use build::{Choice, Party, Person, PersonalChoice, build, build_personal};
pub use decide::{decide_all, whole_record};
pub use directory::look_up;
pub use explain::{Audience, Explanation, explain};
pub use grant::{Grant, provision as grant_provision};
pub use item::Item;
pub use read::{MAX_LEVELS, MAX_PROVISIONS, MAX_VALUES};
pub use residual::{MAX_RESIDUAL, Residual, remains, residual};
pub use rule::{RULES_CAN_BE_SUSPENDED, Rule};
#[cfg(feature = "mutants")]
pub use rule::{Suspended, suspend_in_process};
pub use rules::Kind;
pub use scope::scope;
pub use view::ConsentView;
pub use who::{Directory, Who, user_of};

/// Active consents of one patient that are accepted; beyond, everything is denied.
pub const MAX_CONSENTS: usize = 1_000;

/// Start of an organisation's canonical URI, before its short id.
pub const ORGANISATION_URN: &str = "urn:consilium:org:";

/// The short id of an organisation from `urn:consilium:org:north` or `Organization/north`, also
/// with the address of a server before it and a version behind it. `None` for anything else.
pub fn organisation(reference: &str) -> Option<&str> {
    if let Some(id) = reference.strip_prefix(ORGANISATION_URN) {
        return Some(id);
    }
    item::relative(reference)?.strip_prefix("Organization/").filter(|id| !id.is_empty())
}

/// How an organisation outside of the network is named in a [`Request`], by the URI under which its
/// Organization is known (an identifier of the system `urn:ietf:rfc:3986`): nothing that could be
/// taken for a member of the network.
pub fn elsewhere(uri: &str) -> String {
    format!("uri:{}", uri.replace('/', "|"))
}

/// Who would receive the data, from whom, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The organisation that would receive it: short id, URI or reference.
    pub recipient_org: String,
    /// The person there, where known: a user of another organisation as [`user_of`] writes it, a
    /// local one as a relative reference such as `Practitioner/7`.
    pub recipient_user: Option<String>,
    /// Their role.
    pub role: Role,
    /// Purpose of use.
    pub purpose: Purpose,
    /// The organisation that holds the data and would disclose it: short id, URI or reference.
    pub custodian_org: String,
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// The emergency-override switch of the node that decides.
    pub break_glass_enabled: bool,
}

/// What applies where no consent decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum NetworkDefault {
    /// `permit-treatment`: purposes of treatment.
    #[default]
    PermitTreatment,
    /// `permit-all`: every purpose that the policies allow.
    PermitAll,
    /// `deny`: nothing.
    Deny,
    /// `break-glass-only`: nothing but emergency override.
    BreakGlassOnly,
}

/// A word that is no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown default; use one of {0}")]
pub struct UnknownDefault(&'static str);

impl std::str::FromStr for NetworkDefault {
    type Err = UnknownDefault;

    fn from_str(word: &str) -> Result<Self, UnknownDefault> {
        match word {
            "permit-treatment" => Ok(Self::PermitTreatment),
            "permit-all" => Ok(Self::PermitAll),
            "deny" => Ok(Self::Deny),
            "break-glass-only" => Ok(Self::BreakGlassOnly),
            _ => {
                Err(UnknownDefault("`permit-treatment`, `permit-all`, `deny`, `break-glass-only`"))
            }
        }
    }
}

/// What happens to sensitive items that no permission names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum SensitiveDefault {
    /// `withhold`
    #[default]
    Withhold,
    /// `share`: like everything else.
    Share,
}

impl std::str::FromStr for SensitiveDefault {
    type Err = UnknownDefault;

    fn from_str(word: &str) -> Result<Self, UnknownDefault> {
        match word {
            "withhold" => Ok(Self::Withhold),
            "share" => Ok(Self::Share),
            _ => Err(UnknownDefault("`withhold`, `share`")),
        }
    }
}

/// Whether the asker may know that something is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Existence {
    /// The asker may be told that something is withheld.
    #[default]
    Known,
    /// The answer must look as if it were not there.
    Hidden,
}

/// What a network has agreed for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Defaults {
    /// Where no consent decides.
    pub network: NetworkDefault,
    /// For sensitive items.
    pub sensitive: SensitiveDefault,
    /// Whether ordinary denials may be known. Sensitive items are hidden in any case.
    pub denied: Existence,
}

/// Why an item is permitted or denied. Consents and provisions are numbers within [`Compiled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Because {
    /// A provision of a consent.
    Provision {
        /// The consent.
        consent: u32,
        /// The provision, in document order from 0.
        provision: u16,
    },
    /// The `policyRule` of a consent.
    PolicyRule {
        /// The consent.
        consent: u32,
    },
    /// A consent that is not understood.
    NotUnderstood {
        /// The consent.
        consent: u32,
    },
    /// The network's default.
    NetworkDefault,
    /// Sensitive, and no permission names it.
    Sensitive,
    /// Emergency override.
    BreakGlass {
        /// The consent that would have denied it, where one would.
        over: Option<u32>,
    },
    /// The patient asks for their own record.
    OwnRequest,
    /// The recipient holds the data itself.
    OwnOrganisation,
}

impl Because {
    /// Stable word for programs and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Provision { .. } => "consent",
            Self::PolicyRule { .. } => "consent-policy",
            Self::NotUnderstood { .. } => "consent-not-understood",
            Self::NetworkDefault => "network-default",
            Self::Sensitive => "sensitive",
            Self::BreakGlass { .. } => "break-glass",
            Self::OwnRequest => "own-request",
            Self::OwnOrganisation => "own-organisation",
        }
    }

    /// The consent that decided or was overridden, for the audit entry.
    pub fn consent(self) -> Option<u32> {
        match self {
            Self::Provision { consent, .. }
            | Self::PolicyRule { consent }
            | Self::NotUnderstood { consent } => Some(consent),
            Self::BreakGlass { over } => over,
            _ => None,
        }
    }
}

/// The decision about one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ItemDecision {
    /// Permit or deny.
    pub effect: Kind,
    /// Whether the asker may know of a denied item.
    pub existence: Existence,
    /// Why.
    pub because: Because,
}

impl ItemDecision {
    /// Whether the item may be disclosed.
    pub fn is_permitted(&self) -> bool {
        self.effect == Kind::Permit
    }
}

/// What can be said before any item is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WholeDecision {
    /// Every item is permitted.
    Permit(Because),
    /// Every item is denied.
    Deny {
        /// Why.
        because: Because,
        /// Whether the asker may know that something is withheld.
        existence: Existence,
    },
    /// It depends on the item: read them and call [`decide_all`].
    ByItem,
}

/// The consents of one patient, read once.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Sorted by time of decision, so that nothing depends on the order in which they came.
    rules: Vec<rules::Rules>,
}

impl Compiled {
    /// Reads consents of one patient, from any organisation. Those that have no say are left out.
    /// A resource of another type denies everything: something is wrong with its storage.
    ///
    /// Nobody is looked up: groups and care teams that are named count as not resolved.
    pub fn new<'a>(consents: impl IntoIterator<Item = &'a Resource>) -> Self {
        Self::with(consents, &|_| None)
    }

    /// The same, where `directory` tells who is behind a reference or an identifier.
    pub fn with<'a>(
        consents: impl IntoIterator<Item = &'a Resource>,
        directory: Directory<'_>,
    ) -> Self {
        let key = |rules: &rules::Rules| rules.date.map(|date: Range| (date.start_ms, date.end_ms));
        let read = |consent: &'a Resource| Some((read::rules(consent, directory)?, consent.text()));
        let mut found: Vec<_> = consents.into_iter().filter_map(read).collect();
        if found.len() > MAX_CONSENTS {
            let names_btg = found.iter().any(|(rules, _)| rules.names_btg);
            let whole = Self { rules: found.into_iter().map(|(rules, _)| rules).collect() };
            let somebody = whole.may_name_somebody();
            return Self { rules: vec![rules::Rules::too_many(names_btg, somebody)] };
        }
        found.sort_by(|(a, a_text), (b, b_text)| {
            (key(a), &a.reference, a_text).cmp(&(key(b), &b.reference, b_text))
        });
        Self { rules: found.into_iter().map(|(rules, _)| rules).collect() }
    }

    /// How many have a say.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether none has a say.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Relative reference of a consent, `Consent/1`; empty where it has no id or there is none.
    pub fn reference(&self, consent: u32) -> &str {
        self.rule(consent).map_or("", |rules| &rules.reference)
    }

    /// Why a consent is not understood, where it is not.
    pub fn refused(&self, consent: u32) -> Option<&'static str> {
        self.rule(consent)?.refused
    }

    /// FHIRPath of a provision within its consent, `Consent.provision.provision[1]` for example.
    pub fn path(&self, consent: u32, provision: u16) -> Option<String> {
        let mut path = String::from("Consent.provision");
        let mut at = self.rule(consent)?.root.as_ref()?;
        while at.number != provision {
            let (place, next) =
                at.children.iter().enumerate().rfind(|(_, child)| child.number <= provision)?;
            path.push_str(&format!(".provision[{place}]"));
            at = next;
        }
        Some(path)
    }

    fn rule(&self, consent: u32) -> Option<&rules::Rules> {
        self.rules.get(usize::try_from(consent).ok()?)
    }
}
