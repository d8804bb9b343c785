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
    /// Who may see it: GET the page, POST a decision.
    MyPermissions = "/me/permissions";
    /// Break-glass uses to review.
    BreakGlassReviews = "/privacy/break-glass";
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
    /// Possible links between patients of two organisations.
    Links = "/links";
}

with_id! {
    /// A proposal: GET it, POST a vote.
    Proposal = "/council/proposals/", "id", "";
    /// One static asset by its hashed name.
    Static = "/static/", "name", "";
    /// Remove a passkey: POST.
    RemovePasskey = "/account/passkeys/", "id", "/remove";
    /// Purpose and evidence before a question to other organisations: GET the form, POST it.
    Ask = "/patients/", "id", "/ask";
    /// Emergency access: GET the form, POST it.
    BreakGlass = "/patients/", "id", "/break-glass";
    /// Server-sent events of a record.
    RecordEvents = "/patients/", "id", "/record/events";
    /// Review of one break-glass use: POST.
    BreakGlassReview = "/privacy/break-glass/", "id", "/review";
    /// Accept the audit log of an organisation as it is: POST.
    AcceptLog = "/privacy/witnesses/", "id", "/accept";
    /// The apps that can be opened for a patient.
    PatientApps = "/patients/", "id", "/apps";
    /// Remove a registered app: POST.
    RemoveApp = "/operator/apps/", "id", "/remove";
    /// Try a dead letter again: POST.
    Redeliver = "/operator/letters/", "id", "/redeliver";
    /// Decide about one possible link: POST.
    LinkDecision = "/links/", "id", "/decision";
    /// Undo a decision about a link: POST.
    LinkUndo = "/links/", "id", "/undo";
}

/// Opens an app for a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenApp<'a> {
    /// The patient's id at this node.
    pub patient: &'a str,
    /// The app's id.
    pub app: &'a str,
}

impl Path for OpenApp<'_> {
    const ROUTE: &'static str = "/patients/{id}/apps/{app}";
}

impl fmt::Display for OpenApp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/patients/{}/apps/{}", Encoded(self.patient), Encoded(self.app))
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
