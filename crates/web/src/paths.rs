//! The addresses of the pages. A path is a type: a page links to `Record::new(id)`, never to a
//! string, and the router takes its pattern from [`Path::ROUTE`].

use std::fmt;

/// An address within the node.
pub trait Path: fmt::Display {
    /// The pattern for the router, parameters in braces.
    const ROUTE: &'static str;
}

/// Paths without parameters.
macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident = $route:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name;

        impl Path for $name {
            const ROUTE: &'static str = $route;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($route)
            }
        }
    )*};
}

/// Paths with one parameter in the middle or at the end.
macro_rules! with_id {
    ($($(#[$doc:meta])* $name:ident = $before:literal, $param:literal, $after:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(
            /// The id, as it is; it is percent-encoded where it is written.
            pub &'a str,
        );

        impl Path for $name<'_> {
            const ROUTE: &'static str = concat!($before, "{", $param, "}", $after);
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($before, "{}", $after), Encoded(self.0))
            }
        }
    )*};
}

fixed! {
    /// The affairs of the network.
    Council = "/council";
    /// A new proposal to the members: GET the form, POST it.
    NewProposal = "/council/new";
    /// Cut somebody off, or restore: POST.
    Cuts = "/operator/cuts";
    /// Where a visitor starts; leads to the first page of the role.
    Home = "/";
    /// Sign-in: GET the form, POST it.
    SignIn = "/sign-in";
    /// Second factor: GET the form, POST it.
    StepUp = "/step-up";
    /// Sign-in with a passkey: POST.
    PasskeySignIn = "/sign-in/passkey";
    /// Second factor with a passkey: POST.
    PasskeyStepUp = "/step-up/passkey";
    /// A challenge for a passkey, asked for by a script: POST.
    PasskeyChallenge = "/passkey-challenge";
    /// The own sign-in.
    Account = "/account";
    /// Add a passkey: POST.
    AddPasskey = "/account/passkeys";
    /// Set up one-time codes, or set them up again: POST.
    OneTimeCodes = "/account/one-time-codes";
    /// Give a code of the new secret: POST.
    ConfirmOneTimeCodes = "/account/one-time-codes/confirm";
    /// Take one-time codes away: POST.
    RemoveOneTimeCodes = "/account/one-time-codes/remove";
    /// Make new recovery codes: POST.
    RecoveryCodes = "/account/recovery-codes";
    /// Sign-out: POST.
    SignOut = "/sign-out";
    /// Language and colours: POST.
    Preferences = "/preferences";
    /// Find a patient.
    Find = "/patients";
    /// The patient's own record.
    MyRecord = "/me/record";
    /// Server-sent events of the patient's own record.
    MyRecordEvents = "/me/record/events";
    /// Who saw the patient's record.
    MyAccesses = "/me/accesses";
    /// The patient's objections: GET the page, POST a new one.
    MyObjections = "/me/objections";
    /// Who may see it: GET the page, POST a decision.
    MyPermissions = "/me/permissions";
    /// What others would see of the record.
    MySimulation = "/me/permissions/simulation";
    /// Find a request for a consent by its code.
    MyGrants = "/me/grants";
    /// Who acts for the patient: GET the page, POST an invitation.
    MyProxies = "/me/proxies";
    /// For whom somebody acts: GET the page, POST the choice.
    Acting = "/acting";
    /// Accept an invitation by its code.
    AcceptProxy = "/acting/accept";
    /// Who acts for a patient, for the privacy officer: GET the page, POST a new one.
    Proxies = "/proxies";
    /// The patient whose proxies an officer asks for: POST.
    FindProxies = "/proxies/find";
    /// Which agreements let others ask about the patient.
    MyAgreements = "/me/agreements";
    /// The agreements of the institution.
    Agreements = "/agreements";
    /// Projects, data sets, and answers that wait.
    Research = "/projects";
    /// The data sets of the network: GET them, POST to have the members asked now.
    Catalog = "/catalog";
    /// Apply for a project: GET the form, POST it.
    NewProject = "/projects/new";
    /// The projects that ask this institution's data, for its patient council.
    PatientCouncil = "/patient-council";
    /// SQL over the records: in which projects.
    Workspace = "/workspace";
    /// How many people meet criteria: GET the page, POST what is to be done.
    Cohorts = "/cohorts";
    /// What a patient is told of research.
    MyResearch = "/me/research";
    /// Propose an agreement: GET the form, POST it.
    NewAgreement = "/agreements/new";
    /// Break-glass uses to review.
    BreakGlassReviews = "/privacy/break-glass";
    /// Objections of patients.
    Objections = "/privacy/objections";
    /// Consents on paper: GET the page, POST one with its scan.
    Papers = "/privacy/consents";
    /// What a consent on paper would change: POST.
    PaperPreview = "/privacy/consents/preview";
    /// Audit logs of two nodes compared.
    Reconciliation = "/privacy/reconciliation";
    /// Recalls: GET the page, POST a new one.
    Recalls = "/recalls";
    /// Notices to a clinician.
    Notices = "/notices";
    /// Questions that were refused.
    Denials = "/privacy/denials";
    /// Audit logs and their witnesses.
    Witnesses = "/privacy/witnesses";
    /// The operator's page.
    Network = "/operator";
    /// Verify the audit log: POST.
    VerifyAudit = "/operator/audit/verify";
    /// Answer peers or not: POST.
    Answering = "/operator/answering";
    /// An app asks for access: GET or POST.
    AppAuthorize = "/oauth/authorize";
    /// What an app asks for: GET the page, POST a decision.
    AppConsent = "/oauth/consent";
    /// Whom an app is about: POST.
    AppPatient = "/oauth/patient";
    /// The apps that somebody has allowed: GET the page, POST to end one.
    MyApps = "/apps";
    /// The registered apps: GET the page, POST a new one.
    AppRegistry = "/operator/apps";
    /// The accounts of the institution: GET the page, POST a new one.
    Accounts = "/operator/accounts";
    /// Possible links between patients of two organisations.
    Links = "/links";
}

with_id! {
    /// Limit or end one who acts for the patient.
    MyProxy = "/me/proxies/", "id", "";
    /// End one who acts for a patient, for the privacy officer.
    EndProxy = "/proxies/", "id", "/end";
    /// A data set of the network.
    CatalogSet = "/catalog/", "name", "";
    /// A research project.
    Project = "/projects/", "id", "";
    /// Decide about a project: POST.
    DecideProject = "/projects/", "id", "/decision";
    /// Take a project back: POST.
    EndProject = "/projects/", "id", "/end";
    /// A project, for the patient council.
    CouncilProject = "/patient-council/", "id", "";
    /// Give a word about it: POST.
    CouncilWord = "/patient-council/", "id", "/word";
    /// Ask a question in a project: POST.
    AskQuestion = "/projects/", "id", "/questions";
    /// SQL over the records in a project: GET the form, POST it.
    ProjectWorkspace = "/workspace/", "id", "";
    /// The bytes of a program that a project names; the door for programs gives them.
    ProgramBytes = "/research/programs/", "hash", "";
    /// A research question.
    Question = "/questions/", "id", "";
    /// Decide about an answer: POST.
    DecideAnswer = "/questions/", "id", "/decision";
    /// Record a publication: POST.
    PublishAnswer = "/questions/", "id", "/publications";
    /// A proposal: GET it, POST a vote.
    CouncilProposal = "/council/proposals/", "id", "";
    /// Put an application that was handed in aside: POST.
    PutAside = "/council/applications/", "id", "/aside";
    /// One static asset by its hashed name.
    Static = "/static/", "name", "";
    /// A request for a consent as its patient sees it.
    MyGrant = "/me/grants/", "id", "";
    /// A challenge for the passkey that approves it, asked for by a script: POST.
    MyGrantChallenge = "/me/grants/", "id", "/challenge";
    /// Approve it with a passkey: POST.
    MyGrantApprove = "/me/grants/", "id", "/approve";
    /// Show a code that approves it: POST.
    MyGrantCode = "/me/grants/", "id", "/code";
    /// Refuse it: POST.
    MyGrantRefuse = "/me/grants/", "id", "/refuse";
    /// Ask a patient who is there for a consent: GET the form, POST it.
    Propose = "/patients/", "id", "/consent";
    /// A request for a consent as whoever asks sees it: GET the page, POST the patient's code.
    Proposal = "/consent-requests/", "id", "";
    /// Sign in through an outside provider: POST.
    OutsideSignIn = "/sign-in/outside/", "id", "";
    /// Where the provider sends people back to.
    OutsideCallback = "/sign-in/outside/", "id", "/callback";
    /// The same from within this site, where the cookies come along.
    OutsideReturn = "/sign-in/outside/", "id", "/return";
    /// A provider tells that a session there has ended: POST.
    OutsideEnded = "/sign-in/outside/", "id", "/ended";
    /// Second factor at an outside provider: POST.
    OutsideStepUp = "/step-up/outside/", "id", "";
    /// Link the account to one at an outside provider: POST.
    LinkProvider = "/account/providers/", "id", "";
    /// Remove a link: POST.
    RemoveLink = "/account/links/", "id", "/remove";
    /// Remove a passkey: POST.
    RemovePasskey = "/account/passkeys/", "id", "/remove";
    /// Purpose and evidence before a question to other organisations: GET the form, POST it.
    Ask = "/patients/", "id", "/ask";
    /// Emergency access: GET the form, POST it.
    BreakGlass = "/patients/", "id", "/break-glass";
    /// Server-sent events of a record.
    RecordEvents = "/patients/", "id", "/record/events";
    /// One agreement.
    Agreement = "/agreements/", "id", "";
    /// Sign an agreement: POST.
    SignAgreement = "/agreements/", "id", "/sign";
    /// End an agreement: POST.
    EndAgreement = "/agreements/", "id", "/end";
    /// Declare a breach of an agreement: POST.
    BreachAgreement = "/agreements/", "id", "/breach";
    /// Declare that a breach is settled: POST.
    SettleAgreement = "/agreements/", "id", "/settle";
    /// Review of one break-glass use: POST.
    BreakGlassReview = "/privacy/break-glass/", "id", "/review";
    /// Answer an objection: POST.
    AnswerObjection = "/privacy/objections/", "id", "/answer";
    /// End a consent that was given on paper: POST.
    EndPaper = "/privacy/consents/", "id", "/end";
    /// Close what was unmatched with an organisation: POST.
    CloseGaps = "/privacy/reconciliation/", "id", "/close";
    /// Accept the audit log of an organisation as it is: POST.
    AcceptLog = "/privacy/witnesses/", "id", "/accept";
    /// The apps that can be opened for a patient.
    PatientApps = "/patients/", "id", "/apps";
    /// Remove a registered app: POST.
    RemoveApp = "/operator/apps/", "id", "/remove";
    /// An account: GET the page, POST a change.
    OneAccount = "/operator/accounts/", "username", "";
    /// Whether it may sign in: POST.
    AccountState = "/operator/accounts/", "username", "/state";
    /// Give it back to its owner: POST.
    RecoverAccount = "/operator/accounts/", "username", "/recover";
    /// Try a dead letter again: POST.
    Redeliver = "/operator/letters/", "id", "/redeliver";
    /// Decide about one possible link: POST.
    LinkDecision = "/links/", "id", "/decision";
    /// Undo a decision about a link: POST.
    LinkUndo = "/links/", "id", "/undo";
}

/// Paths that are about one line of a log.
macro_rules! about_line {
    ($($(#[$doc:meta])* $name:ident = $route:literal, $make:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            /// Organisation whose log it is.
            pub at: &'a str,
            /// The entry.
            pub entry: &'a str,
        }

        impl<'a> $name<'a> {
            /// The path for a line.
            pub fn $make(line: &'a crate::patient::accesses::Line) -> Self {
                Self { at: &line.at, entry: &line.entry }
            }
        }

        impl Path for $name<'_> {
            const ROUTE: &'static str = $route;
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($route, "?at={}&entry={}"), Encoded(self.at), Encoded(self.entry))
            }
        }
    )*};
}

about_line! {
    /// The proof of a line, a file.
    MyProof = "/me/accesses/proof", of;
    /// The form for an objection to a line.
    MyObjection = "/me/objections/new", to;
}

/// Paths to one version of an agreement.
macro_rules! with_version {
    ($($(#[$doc:meta])* $name:ident = $after:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            /// The agreement's id.
            pub agreement: &'a str,
            /// The hash of the version's text.
            pub text: &'a str,
        }

        impl Path for $name<'_> {
            const ROUTE: &'static str = concat!("/agreements/{id}/versions/{text}", $after);
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (agreement, text) = (Encoded(self.agreement), Encoded(self.text));
                write!(f, concat!("/agreements/{}/versions/{}", $after), agreement, text)
            }
        }
    )*};
}

with_version! {
    /// Propose a change of a version: GET the form, POST it.
    ChangeAgreement = "/change";
    /// A challenge for signing, asked for by a script: POST.
    AgreementChallenge = "/challenge";
}

/// Opens an app for a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenApp<'a> {
    /// The patient's id at this node.
    pub patient: &'a str,
    /// The app's id.
    pub app: &'a str,
    /// The encounter that it is opened from; empty for none.
    pub encounter: &'a str,
}

impl Path for OpenApp<'_> {
    const ROUTE: &'static str = "/patients/{id}/apps/{app}";
}

impl fmt::Display for OpenApp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/patients/{}/apps/{}", Encoded(self.patient), Encoded(self.app))?;
        match self.encounter {
            "" => Ok(()),
            encounter => write!(f, "?encounter={}", Encoded(encounter)),
        }
    }
}

/// The record of a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The patient's id at this node.
    pub patient: &'a str,
    /// Wait for every source and render the page whole, for readers without scripts.
    pub complete: bool,
    /// Show every item instead of the first of each list; waits for every source too.
    pub all: bool,
    /// Ask every institution, also those that have published that they know nobody like the patient.
    pub everybody: bool,
}

impl<'a> Record<'a> {
    /// The record, filled in live where scripts run.
    pub fn new(patient: &'a str) -> Self {
        Self { patient, complete: false, all: false, everybody: false }
    }

    /// The record, rendered whole.
    pub fn complete(patient: &'a str) -> Self {
        Self { patient, complete: true, all: false, everybody: false }
    }

    /// The record, rendered whole and with every item.
    pub fn all(patient: &'a str) -> Self {
        Self { patient, complete: true, all: true, everybody: false }
    }

    /// The record, rendered whole, with every institution asked.
    pub fn everybody(patient: &'a str) -> Self {
        Self { patient, complete: true, all: false, everybody: true }
    }
}

impl Path for Record<'_> {
    const ROUTE: &'static str = "/patients/{id}/record";
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = match (self.complete, self.all) {
            _ if self.everybody => "?everybody=true",
            (_, true) => "?all=true",
            (true, false) => "?complete=true",
            (false, false) => "",
        };
        write!(f, "/patients/{}/record{query}", Encoded(self.patient))
    }
}

/// A form that comes back to `next` when it is done: sign-in or step-up with its return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returning<'a, P> {
    /// The page with the form.
    pub to: P,
    /// Where the reader was.
    pub next: &'a str,
}

impl<P: Path> fmt::Display for Returning<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}?next={}", self.to, Encoded(self.next))
    }
}

/// The return address in `next` where it is a path of this node, the start page otherwise: a form
/// must not send its user to another site.
pub fn local(next: &str) -> &str {
    let inside = next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= 2048
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if inside { next } else { Home::ROUTE }
}

/// Text percent-encoded for a path segment or query value: all but the unreserved characters of
/// RFC 3986 section 2.3.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a>(
    /// The text as it is.
    pub &'a str,
);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_cannot_leave_their_segment() {
        for (path, expected) in [
            (Record::new("p-1").to_string(), "/patients/p-1/record"),
            (Record::complete("p-1").to_string(), "/patients/p-1/record?complete=true"),
            (Record::everybody("p-1").to_string(), "/patients/p-1/record?everybody=true"),
            (Record::all("p-1").to_string(), "/patients/p-1/record?all=true"),
            (Ask("../me?x=1#y").to_string(), "/patients/..%2Fme%3Fx%3D1%23y/ask"),
            (
                Returning { to: StepUp, next: "/patients/p-1/record?complete=true" }.to_string(),
                "/step-up?next=%2Fpatients%2Fp-1%2Frecord%3Fcomplete%3Dtrue",
            ),
        ] {
            assert_eq!(path, expected);
        }
        assert_eq!(RecordEvents::ROUTE, "/patients/{id}/record/events");
    }

    #[test]
    fn a_form_returns_only_within_the_node() {
        for (next, expected) in [
            ("/patients?q=a%20b", "/patients?q=a%20b"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nset-cookie: x", "/"),
            ("", "/"),
        ] {
            assert_eq!(local(next), expected, "{next}");
        }
    }
}
