//! What surrounds every page: who is looking, in which language, at which hospital.

use jiff::tz::TimeZone;

use crate::lang::Lang;
use crate::paths::{
    Accounts, Acting, Agreements, AppRegistry, BreakGlassReviews, Catalog, Cohorts, Council,
    Denials, Find, Links, MyAccesses, MyAgreements, MyApps, MyObjections, MyPermissions, MyProxies,
    MyRecord, MyResearch, Network, Notices, Objections, Papers, PatientCouncil, Proxies, Recalls,
    Reconciliation, Research, Witnesses, Workspace,
};
use crate::proxies::relationship::Relationship;
use crate::words::{Message, Words};

/// The frame of a page.
#[derive(Clone, Debug)]
pub struct Chrome {
    /// The reader's language.
    pub lang: Lang,
    /// The reader's choice of colours.
    pub theme: Theme,
    /// Display name of the hospital whose node this is.
    pub organisation: String,
    /// The signed-in user, `None` before sign-in.
    pub session: Option<Session>,
    /// The token every form sends back in its `csrf` field.
    pub csrf: String,
    /// Path and query of this page, for marking where the reader is and for coming back.
    pub path: String,
    /// The time zone in which times are shown.
    pub zone: TimeZone,
    /// Now, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// What the last action came to, shown once above the page.
    pub notice: Option<Notice>,
}

impl Chrome {
    /// The words of this reader.
    pub fn words(&self) -> Words<'_> {
        Words::new(self.lang, &self.zone)
    }

    /// The name of the time zone, as it is known to computers.
    pub fn zone_name(&self) -> String {
        self.zone.iana_name().map_or_else(
            || {
                let at = jiff::Timestamp::from_millisecond(self.now_ms).unwrap_or_default();
                match self.zone.to_offset(at) {
                    offset if offset.is_zero() => "UTC".to_string(),
                    offset => format!("UTC{offset}"),
                }
            },
            ToString::to_string,
        )
    }

    /// The pages of the reader's role.
    pub fn navigation(&self) -> Vec<NavItem> {
        let Some(session) = &self.session else { return Vec::new() };
        if session.held {
            return Vec::new();
        }
        let item = |key: &'static str, path: String| {
            let here = self.path.split('?').next().unwrap_or_default();
            let current = here == path || here.starts_with(&format!("{path}/"));
            NavItem { key, path, current }
        };
        let mut items = match session.role {
            Role::Clinician => {
                vec![
                    item("nav-find", Find.to_string()),
                    item("nav-notices", Notices.to_string()),
                    item("nav-apps", MyApps.to_string()),
                ]
            }
            Role::Patient => vec![
                item("nav-my-record", MyRecord.to_string()),
                item("nav-my-accesses", MyAccesses.to_string()),
                item("nav-my-objections", MyObjections.to_string()),
                item("nav-my-permissions", MyPermissions.to_string()),
                item("nav-my-proxies", MyProxies.to_string()),
                item("nav-my-agreements", MyAgreements.to_string()),
                item("nav-research", MyResearch.to_string()),
                item("nav-apps", MyApps.to_string()),
            ],
            Role::PrivacyOfficer => vec![
                item("nav-break-glass", BreakGlassReviews.to_string()),
                item("nav-objections", Objections.to_string()),
                item("nav-papers", Papers.to_string()),
                item("nav-denials", Denials.to_string()),
                item("nav-witnesses", Witnesses.to_string()),
                item("nav-reconciliation", Reconciliation.to_string()),
                item("nav-recalls", Recalls.to_string()),
                item("nav-proxies", Proxies.to_string()),
                item("nav-agreements", Agreements.to_string()),
                item("nav-council", Council.to_string()),
                item("nav-research", Research.to_string()),
            ],
            Role::Operator => vec![
                item("nav-network", Network.to_string()),
                item("nav-accounts", Accounts.to_string()),
                item("nav-registry", AppRegistry.to_string()),
                item("nav-witnesses", Witnesses.to_string()),
                item("nav-reconciliation", Reconciliation.to_string()),
                item("nav-agreements", Agreements.to_string()),
                item("nav-council", Council.to_string()),
                item("nav-research", Research.to_string()),
            ],
            Role::Steward => vec![
                item("nav-agreements", Agreements.to_string()),
                item("nav-research", Research.to_string()),
                item("nav-catalog", Catalog.to_string()),
            ],
            Role::Researcher => vec![
                item("nav-research", Research.to_string()),
                item("nav-catalog", Catalog.to_string()),
                item("nav-cohorts", Cohorts.to_string()),
                item("nav-workspace", Workspace.to_string()),
            ],
            Role::Registrar => vec![
                item("nav-links", Links.to_string()),
                item("nav-recalls", Recalls.to_string()),
                item("nav-find", Find.to_string()),
            ],
            Role::CouncilMember => vec![item("nav-council", Council.to_string())],
            Role::Representative => {
                vec![item("nav-patient-council", PatientCouncil.to_string())]
            }
            Role::Proxy => self.navigation_of_proxy(item),
        };
        // A page below another page of the menu is the lower one alone.
        let here = items.iter().filter(|item| item.current).map(|item| item.path.len()).max();
        for item in &mut items {
            item.current &= Some(item.path.len()) == here;
        }
        items
    }
}

impl Chrome {
    /// For whom the reader acts.
    pub fn acting(&self) -> Option<&ActingFor> {
        self.session.as_ref()?.acting.as_ref()
    }

    fn navigation_of_proxy(&self, item: impl Fn(&'static str, String) -> NavItem) -> Vec<NavItem> {
        let mut items = vec![item("nav-acting", Acting.to_string())];
        let Some(acting) = self.session.as_ref().and_then(|session| session.acting.as_ref()) else {
            return items;
        };
        items.push(item("nav-acting-record", MyRecord.to_string()));
        if acting.consents {
            items.push(item("nav-my-permissions", MyPermissions.to_string()));
        }
        if acting.invites {
            items.push(item("proxies-invite-title", MyProxies.to_string()));
        }
        items.push(item("nav-apps", MyApps.to_string()));
        items
    }
}

/// A link of the navigation.
#[derive(Clone, Debug)]
pub struct NavItem {
    /// Translation key of its text.
    pub key: &'static str,
    /// Where it leads.
    pub path: String,
    /// Whether the reader is there.
    pub current: bool,
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// The name to show.
    pub name: String,
    /// The role in which they act.
    pub role: Role,
    /// Whether the role needs a passkey that the session has not shown: no page but those of the
    /// own sign-in is open.
    pub held: bool,
    /// Until when the second factor counts as fresh, Unix epoch milliseconds.
    pub factor_until_ms: Option<i64>,
    /// For whom they act, for role `proxy`.
    pub acting: Option<ActingFor>,
}

/// For whom somebody acts at this moment.
#[derive(Clone, Debug)]
pub struct ActingFor {
    /// The patient's name.
    pub name: String,
    /// What the reader is to the patient.
    pub relationship: Relationship,
    /// Whether they decide who else sees the record.
    pub consents: bool,
    /// Whether they invite others.
    pub invites: bool,
}

/// The roles that have pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `clinician`
    Clinician,
    /// `patient`
    Patient,
    /// `privacy-officer`
    PrivacyOfficer,
    /// `operator`
    Operator,
    /// `registrar`
    Registrar,
    /// `steward`
    Steward,
    /// `council-member`
    CouncilMember,
    /// `proxy`
    Proxy,
    /// `researcher`
    Researcher,
    /// `representative`
    Representative,
}

impl Role {
    /// Every role that has pages.
    pub const ALL: [Self; 10] = [
        Self::Clinician,
        Self::Patient,
        Self::PrivacyOfficer,
        Self::Operator,
        Self::Registrar,
        Self::Steward,
        Self::CouncilMember,
        Self::Proxy,
        Self::Researcher,
        Self::Representative,
    ];

    /// The role of its code, `None` for one without pages.
    pub fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "clinician" => Self::Clinician,
            "patient" => Self::Patient,
            "privacy-officer" => Self::PrivacyOfficer,
            "operator" => Self::Operator,
            "registrar" => Self::Registrar,
            "steward" => Self::Steward,
            "council-member" => Self::CouncilMember,
            "proxy" => Self::Proxy,
            "researcher" => Self::Researcher,
            "representative" => Self::Representative,
            _ => return None,
        })
    }

    /// The first page of the role.
    pub fn home(self) -> String {
        match self {
            Self::Clinician => Find.to_string(),
            Self::Patient => MyRecord.to_string(),
            Self::PrivacyOfficer => BreakGlassReviews.to_string(),
            Self::Operator => Network.to_string(),
            Self::Registrar => Links.to_string(),
            Self::Steward => Agreements.to_string(),
            Self::CouncilMember => Council.to_string(),
            Self::Proxy => Acting.to_string(),
            Self::Researcher => Research.to_string(),
            Self::Representative => PatientCouncil.to_string(),
        }
    }

    /// Its word.
    pub fn say(&self, words: &Words<'_>) -> Message {
        words.say(match self {
            Self::Clinician => "role-clinician",
            Self::Patient => "role-patient",
            Self::PrivacyOfficer => "role-privacy-officer",
            Self::Operator => "role-operator",
            Self::Registrar => "role-registrar",
            Self::Steward => "role-steward",
            Self::CouncilMember => "role-council-member",
            Self::Proxy => "role-proxy",
            Self::Researcher => "role-researcher",
            Self::Representative => "role-representative",
        })
    }
}

/// The reader's choice of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the device says.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The choice of its code, [`Theme::Auto`] for any other text.
    pub fn from_code(code: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.code() == code).unwrap_or_default()
    }

    /// The value kept in a cookie and written into the page.
    pub fn code(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Its word.
    pub fn say(&self, words: &Words<'_>) -> Message {
        words.say(match self {
            Self::Auto => "theme-auto",
            Self::Light => "theme-light",
            Self::Dark => "theme-dark",
        })
    }
}

/// What an action came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A permission was given or withdrawn.
    PermissionSaved,
    /// A break-glass use was reviewed.
    ReviewSaved,
    /// An audit log was accepted as it is.
    LogAccepted,
    /// An objection is on its way.
    ObjectionSent,
    /// An objection was answered.
    ObjectionAnswered,
    /// A consent on paper was recorded.
    PaperSaved,
    /// A consent on paper was ended.
    PaperEnded,
    /// What was unmatched was closed.
    GapsClosed,
    /// Recipients are being told.
    RecallBegun,
    /// Two patients were linked.
    LinkConfirmed,
    /// Two patients were declared not to be the same person.
    LinkRejected,
    /// A decision about a link was undone.
    LinkUndone,
    /// The audit log was verified; the result is on the page.
    AuditVerified,
    /// The node answers peers again.
    AnsweringOn,
    /// The node no longer answers peers.
    AnsweringOff,
    /// A dead letter was put back into its queue.
    Redelivering,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was removed.
    PasskeyRemoved,
    /// One-time codes were taken away.
    OneTimeCodesRemoved,
    /// One-time codes were set up.
    OneTimeCodesSet,
    /// An account at an outside provider was linked.
    ProviderLinked,
    /// Such a link was removed.
    ProviderUnlinked,
    /// The user signed out.
    SignedOut,
    /// The session had run out.
    SessionEnded,
    /// An app was allowed something no longer.
    AppEnded,
    /// An app was removed.
    AppRemoved,
    /// An agreement or a change of one was proposed.
    AgreementProposed,
    /// An agreement was signed.
    AgreementSigned,
    /// The end of an agreement was declared.
    AgreementEnded,
    /// A breach was declared.
    BreachDeclared,
    /// A breach was settled.
    BreachSettled,
    /// Something was proposed to the network.
    Proposed,
    /// A vote or comment was signed.
    VoteCast,
    /// An application was put aside.
    ApplicationAside,
    /// Somebody was cut off.
    CutOff,
    /// A cut was taken back.
    Restored,
    /// An account was changed.
    AccountChanged,
    /// An account may not sign in any more.
    AccountDisabled,
    /// An account may sign in again.
    AccountEnabled,
    /// An application for a research project was signed.
    ProjectApplied,
    /// A decision about a research project was signed.
    ProjectDecided,
    /// A research project was taken back.
    ProjectEnded,
    /// A member of the patient council has given a word.
    CouncilSaid,
    /// Somebody has decided about an answer.
    AnswerDecided,
    /// A publication was recorded.
    PublicationRecorded,
}

impl Notice {
    /// Every notice.
    pub const ALL: [Self; 45] = [
        Self::PermissionSaved,
        Self::ReviewSaved,
        Self::LogAccepted,
        Self::ObjectionSent,
        Self::ObjectionAnswered,
        Self::PaperSaved,
        Self::PaperEnded,
        Self::GapsClosed,
        Self::RecallBegun,
        Self::LinkConfirmed,
        Self::LinkRejected,
        Self::LinkUndone,
        Self::AuditVerified,
        Self::AnsweringOn,
        Self::AnsweringOff,
        Self::Redelivering,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
        Self::OneTimeCodesRemoved,
        Self::OneTimeCodesSet,
        Self::ProviderLinked,
        Self::ProviderUnlinked,
        Self::SignedOut,
        Self::SessionEnded,
        Self::AppEnded,
        Self::AppRemoved,
        Self::AgreementProposed,
        Self::AgreementSigned,
        Self::AgreementEnded,
        Self::BreachDeclared,
        Self::BreachSettled,
        Self::Proposed,
        Self::VoteCast,
        Self::ApplicationAside,
        Self::CutOff,
        Self::Restored,
        Self::AccountChanged,
        Self::AccountDisabled,
        Self::AccountEnabled,
        Self::ProjectApplied,
        Self::ProjectDecided,
        Self::ProjectEnded,
        Self::CouncilSaid,
        Self::AnswerDecided,
        Self::PublicationRecorded,
    ];

    /// The code under which it travels from an action to the page that shows it.
    pub fn code(self) -> &'static str {
        match self {
            Self::PermissionSaved => "permission-saved",
            Self::ReviewSaved => "review-saved",
            Self::LogAccepted => "log-accepted",
            Self::ObjectionSent => "objection-sent",
            Self::ObjectionAnswered => "objection-answered",
            Self::PaperSaved => "paper-saved",
            Self::PaperEnded => "paper-ended",
            Self::GapsClosed => "gaps-closed",
            Self::RecallBegun => "recall-begun",
            Self::LinkConfirmed => "link-confirmed",
            Self::LinkRejected => "link-rejected",
            Self::LinkUndone => "link-undone",
            Self::AuditVerified => "audit-verified",
            Self::AnsweringOn => "answering-on",
            Self::AnsweringOff => "answering-off",
            Self::Redelivering => "redelivering",
            Self::PasskeyAdded => "passkey-added",
            Self::PasskeyRemoved => "passkey-removed",
            Self::OneTimeCodesRemoved => "one-time-codes-removed",
            Self::OneTimeCodesSet => "one-time-codes-set",
            Self::ProviderLinked => "provider-linked",
            Self::ProviderUnlinked => "provider-unlinked",
            Self::SignedOut => "signed-out",
            Self::SessionEnded => "session-ended",
            Self::AppEnded => "app-ended",
            Self::AppRemoved => "app-removed",
            Self::AgreementProposed => "agreement-proposed",
            Self::AgreementSigned => "agreement-signed",
            Self::AgreementEnded => "agreement-ended",
            Self::BreachDeclared => "breach-declared",
            Self::BreachSettled => "breach-settled",
            Self::Proposed => "proposed",
            Self::VoteCast => "vote-cast",
            Self::ApplicationAside => "application-aside",
            Self::CutOff => "cut-off",
            Self::Restored => "restored",
            Self::AccountChanged => "account-changed",
            Self::AccountDisabled => "account-disabled",
            Self::AccountEnabled => "account-enabled",
            Self::ProjectApplied => "project-applied",
            Self::ProjectDecided => "project-decided",
            Self::ProjectEnded => "project-ended",
            Self::CouncilSaid => "council-said",
            Self::AnswerDecided => "answer-decided",
            Self::PublicationRecorded => "publication-recorded",
        }
    }

    /// The notice of its code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.code() == code)
    }

    /// Its sentence.
    pub fn say(&self, words: &Words<'_>) -> Message {
        words.say(match self {
            Self::PermissionSaved => "notice-permission-saved",
            Self::ReviewSaved => "notice-review-saved",
            Self::LogAccepted => "notice-log-accepted",
            Self::ObjectionSent => "notice-objection-sent",
            Self::ObjectionAnswered => "notice-objection-answered",
            Self::PaperSaved => "notice-paper-saved",
            Self::PaperEnded => "notice-paper-ended",
            Self::GapsClosed => "notice-gaps-closed",
            Self::RecallBegun => "notice-recall-begun",
            Self::LinkConfirmed => "notice-link-confirmed",
            Self::LinkRejected => "notice-link-rejected",
            Self::LinkUndone => "notice-link-undone",
            Self::AuditVerified => "notice-audit-verified",
            Self::AnsweringOn => "notice-answering-on",
            Self::AnsweringOff => "notice-answering-off",
            Self::Redelivering => "notice-redelivering",
            Self::PasskeyAdded => "notice-passkey-added",
            Self::PasskeyRemoved => "notice-passkey-removed",
            Self::OneTimeCodesRemoved => "notice-one-time-codes-removed",
            Self::OneTimeCodesSet => "notice-one-time-codes-set",
            Self::ProviderLinked => "notice-provider-linked",
            Self::ProviderUnlinked => "notice-provider-unlinked",
            Self::SignedOut => "notice-signed-out",
            Self::SessionEnded => "notice-session-ended",
            Self::AppEnded => "notice-app-ended",
            Self::AppRemoved => "notice-app-removed",
            Self::AgreementProposed => "notice-agreement-proposed",
            Self::AgreementSigned => "notice-agreement-signed",
            Self::AgreementEnded => "notice-agreement-ended",
            Self::BreachDeclared => "notice-breach-declared",
            Self::BreachSettled => "notice-breach-settled",
            Self::Proposed => "notice-proposed",
            Self::VoteCast => "notice-vote-cast",
            Self::ApplicationAside => "notice-application-aside",
            Self::CutOff => "notice-cut-off",
            Self::Restored => "notice-restored",
            Self::AccountChanged => "notice-account-changed",
            Self::AccountDisabled => "notice-account-disabled",
            Self::AccountEnabled => "notice-account-enabled",
            Self::ProjectApplied => "notice-project-applied",
            Self::ProjectDecided => "notice-project-decided",
            Self::ProjectEnded => "notice-project-ended",
            Self::CouncilSaid => "notice-council-said",
            Self::AnswerDecided => "notice-answer-decided",
            Self::PublicationRecorded => "notice-publication-recorded",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back_to_what_they_stand_for() {
        for notice in Notice::ALL {
            assert_eq!(Notice::from_code(notice.code()), Some(notice));
        }
        for theme in Theme::ALL {
            assert_eq!(Theme::from_code(theme.code()), theme);
        }
        assert_eq!(Theme::from_code("\"><script>"), Theme::Auto);
        assert_eq!(Role::from_code("service"), None);
    }
}
