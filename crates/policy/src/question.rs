//! What is asked of the engine, and what it answers.

use std::fmt;

use crate::purpose::Purpose;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word used in policies, messages and logs.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value with this word, where there is one.
            pub fn find(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.word() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// What somebody is at the organisation that vouches for them.
    Role {
        /// Treats patients.
        Clinician = "clinician",
        /// A patient with an account of their own.
        Patient = "patient",
        /// Watches over access.
        PrivacyOfficer = "privacy-officer",
        /// Runs the node.
        Operator = "operator",
        /// Keeps the patient register.
        Registrar = "registrar",
        /// Makes agreements with other organisations.
        Steward = "steward",
        /// A node that speaks for itself.
        Service = "service",
        /// Speaks for the institution, or for an advisory board, in the council of the network.
        CouncilMember = "council-member",
        /// Acts for a patient: a parent, guardian or carer (RelatedPerson).
        Proxy = "proxy",
        /// Asks questions of data sets in approved projects.
        Researcher = "researcher",
        /// Speaks for patients about research with the institution's data.
        Representative = "representative",
    }
}

impl Role {
    /// The purpose that applies when a request of this role states none.
    pub fn default_purpose(self) -> Purpose {
        match self {
            Self::Clinician => Purpose::TREAT,
            Self::Patient => Purpose::PATRQT,
            Self::PrivacyOfficer | Self::Steward => Purpose::HCOMPL,
            Self::Operator | Self::Service => Purpose::HSYSADMIN,
            Self::CouncilMember | Self::Representative => Purpose::HOPERAT,
            Self::Registrar => Purpose::PATADMIN,
            Self::Proxy => Purpose::FAMRQT,
            Self::Researcher => Purpose::HRESCH,
        }
    }
}

words! {
    /// What somebody wants to do.
    Action {
        /// Read a resource of the own organisation.
        Read = "read",
        /// Search resources of the own organisation.
        Search = "search",
        /// Take many records of the own organisation out at once.
        Export = "export",
        /// Create, change or delete a resource of the own organisation.
        Write = "write",
        /// Ask other organisations about a patient; decided by the asker's node.
        Ask = "ask",
        /// Be answered by another organisation; decided by the node that holds the record.
        Answer = "answer",
        /// Look for the records of a person by demographics.
        Match = "match",
        /// Confirm or undo that two records are the same person's.
        ConfirmLink = "confirm-link",
        /// Give or withdraw permission.
        Consent = "consent",
        /// Obtain a grant for emergency override.
        BreakGlass = "break-glass",
        /// The list of emergency accesses to be reviewed.
        Review = "review",
        /// Read the access log.
        AuditRead = "audit-read",
        /// See the state of the node.
        Operate = "operate",
        /// Deliver decisions and notices from another node.
        Deliver = "deliver",
        /// See the affairs of the network: members, proposals, votes and their reasons.
        CouncilRead = "council-read",
        /// Propose, comment and vote.
        CouncilDecide = "council-decide",
        /// A patient reads their own record.
        OwnRecord = "own-record",
        /// A patient sees who used their record.
        OwnAccesses = "own-accesses",
        /// Make, sign and end agreements with other organisations.
        Agree = "agree",
        /// See which agreements there are and what they say.
        ReadAgreements = "read-agreements",
        /// See and choose who may act for a patient.
        Appoint = "appoint",
        /// Make accounts of this institution, change and end them.
        ManageAccounts = "manage-accounts",
        /// See which accounts there are: who they are and in which role.
        ReadAccounts = "read-accounts",
        /// See what one's own account says of oneself.
        OwnAccount = "own-account",
        /// Register data sets for research and take them away.
        ManageDatasets = "manage-datasets",
        /// Apply for a project, ask questions in it, read their answers.
        Research = "research",
        /// Decide for the institution whether a project may use its data.
        DecideProjects = "decide-projects",
        /// See, as a patient or for patients, which research projects there are and what they are for.
        ReadProjects = "read-projects",
        /// Say for the patients whether a research project may use the institution's data.
        Represent = "represent",
        /// Decide whether the answer of a research question may leave.
        ReleaseAnswers = "release-answers",
        /// See data sets, projects, decisions and what was asked.
        ReadResearch = "read-research",
        /// Count people who meet criteria, and ask de-identified views for aggregates: noisy or guarded
        /// numbers, never a row.
        Explore = "explore",
        /// Take de-identified extracts of records out of the store.
        Extract = "extract",
    }
}

words! {
    /// How somebody stands to the record in question.
    Relation {
        /// The patient whose record it is.
        SelfPatient = "self",
        /// Staff of the organisation that holds the record.
        Member = "member",
        /// Staff of another organisation.
        Peer = "peer",
        /// None of these, or no record in question.
        Unrelated = "none",
        /// Somebody who acts for the patient whose record it is, and may at this moment.
        Proxy = "proxy",
    }
}

words! {
    /// What kind of content is asked for.
    Content {
        /// Anything that may say something about health.
        Clinical = "clinical",
        /// Who a patient is.
        Demographic = "demographic",
        /// The institution's directory of its people, places and organisations.
        Directory = "directory",
    }
}

impl Content {
    /// The kind of content that resources of type `resource_type` are. A search or an operation
    /// over several types is [`Content::Clinical`].
    pub fn of_type(resource_type: &str) -> Self {
        match resource_type {
            "Patient" | "RelatedPerson" | "Person" => Self::Demographic,
            "Practitioner" | "PractitionerRole" | "Organization" | "Location"
            | "HealthcareService" => Self::Directory,
            _ => Self::Clinical,
        }
    }
}

/// The state of emergency override.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BreakGlass {
    /// The switch of the node that decides.
    pub enabled: bool,
    /// A grant for this person and this patient that has not run out. The node that holds the
    /// record takes the asker's signed assertion for it.
    pub granted: bool,
}

/// One question to the engine. [`Question::new`] gives one in which no condition is met, so that
/// what a caller forgets counts against the asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Role of the person or node.
    pub role: Role,
    /// What they want to do.
    pub action: Action,
    /// Why.
    pub purpose: Purpose,
    /// How they stand to the record.
    pub relation: Relation,
    /// Seconds since the second factor was given; `None` when there was none.
    pub mfa_age_s: Option<u32>,
    /// An appointment, encounter or order is named, or a reason is stated in words.
    pub evidence: bool,
    /// An agreement in force covers who asks, who answers and the purpose.
    pub agreement: bool,
    /// Emergency override.
    pub break_glass: BreakGlass,
    /// The account belongs to the organisation whose node decides.
    pub same_organisation: bool,
    /// The proxy was given the right to do this in the patient's name, beyond seeing the record.
    pub entrusted: bool,
    /// What is asked for.
    pub content: Content,
}

impl Question {
    /// A question with no second factor, evidence or override, from outside the organisation, for
    /// clinical content.
    pub fn new(role: Role, action: Action, purpose: Purpose, relation: Relation) -> Self {
        Self {
            role,
            action,
            purpose,
            relation,
            mfa_age_s: None,
            evidence: false,
            agreement: false,
            break_glass: BreakGlass::default(),
            same_organisation: false,
            entrusted: false,
            content: Content::Clinical,
        }
    }
}

/// Why a question was decided as it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reason {
    /// Stable word for programs and logs, `second-factor-required` for example.
    pub code: String,
    /// The same for people: lower case, no full stop, says what to do where something can be done.
    pub sentence: String,
}

/// The engine's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// The permission it rests on, or everything that stands against it; never empty.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// Whether `code` is among the reasons.
    pub fn has(&self, code: &str) -> bool {
        self.reasons.iter().any(|reason| reason.code == code)
    }

    /// The sentences of all reasons, joined by `; `.
    pub fn sentence(&self) -> String {
        let sentences: Vec<_> = self.reasons.iter().map(|reason| &*reason.sentence).collect();
        sentences.join("; ")
    }
}
