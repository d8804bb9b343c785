//! An app or program as the operator has registered it.

use serde::{Deserialize, Serialize};

use crate::resource_scope::Level;
use crate::scopes::Scopes;

/// Most redirect addresses of a client.
const MAX_REDIRECTS: usize = 20;
/// Longest address, in bytes.
const MAX_ADDRESS: usize = 2_000;
/// Schemes that run in a browser or read its files.
const FORBIDDEN_SCHEMES: [&str; 9] =
    ["javascript", "data", "file", "vbscript", "blob", "about", "ws", "wss", "view-source"];

/// How a client proves itself at the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authentication {
    /// It cannot: an app in a browser or on a telephone.
    Public,
    /// By a secret, of which the SHA-256 is kept in hexadecimal.
    Secret(String),
    /// By a signed assertion, checked with these public keys (a JWK set as text).
    Keys(String),
    /// By a signed assertion, checked with the keys at this address.
    KeyAddress(String),
    /// By an assertion signed under a certificate of a community for this address (UDAP).
    Certificate {
        /// The address in the certificate.
        uri: String,
        /// The community that trusts it.
        community: String,
    },
}

impl Authentication {
    /// Whether it proves who the client is.
    pub fn is_confidential(&self) -> bool {
        *self != Self::Public
    }
}

/// In which way a client comes to its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// A person allows it (SMART App Launch).
    Code,
    /// The operator has allowed it (SMART Backend Services).
    Credentials,
}

/// A registered client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Who made it and answers for it.
    pub publisher: String,
    /// How it proves itself.
    pub authentication: Authentication,
    /// How it comes to tokens.
    pub grant: Grant,
    /// Where people are sent back to, exactly as they must be sent.
    pub redirects: Vec<String>,
    /// Where an EHR launch begins, for apps that can be opened from a record.
    pub launch: Option<String>,
    /// The most that it may be granted.
    pub scopes: String,
    /// The account whose permission a backend service has.
    pub account: Option<String>,
    /// When it was registered, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// When it last changed what it is (UDAP); what it was granted before has ended.
    #[serde(default)]
    pub changed_ms: Option<i64>,
}

/// Why a registration was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientFault {
    /// No name or maker, or too long.
    #[error("name and publisher have 1 to 100 characters each")]
    Name,
    /// An app that people allow needs somewhere to send them back to.
    #[error("an app needs between 1 and {MAX_REDIRECTS} redirect addresses")]
    NoRedirect,
    /// An address that nobody may be sent to.
    #[error(
        "`{0}` cannot be used: an address is complete, without `#`, user name or wildcard, and \
         `https`, or `http` on this machine, or for redirects a scheme of the app's own with a dot"
    )]
    Address(String),
    /// A scope that is not understood.
    #[error("the scope `{0}` is not understood")]
    Scope(String),
    /// Too many scopes, or none.
    #[error("name at least one scope and at most 200")]
    Scopes,
    /// A backend service is confidential, by keys, with system scopes and an account.
    #[error(
        "a backend service has keys, system scopes, an account whose permission it has, and no \
         redirect or launch address"
    )]
    Backend,
    /// An app has no system scopes and no account of its own.
    #[error("an app that people allow has no system scopes and no account; those are for backends")]
    App,
}

impl Client {
    /// Whether the registration can stand.
    pub fn check(&self) -> Result<(), ClientFault> {
        let named = |text: &str| (1..=100).contains(&text.trim().chars().count());
        if !named(&self.name) || !named(&self.publisher) {
            return Err(ClientFault::Name);
        }
        if let Some(unknown) = Scopes::first_unknown(&self.scopes) {
            return Err(ClientFault::Scope(unknown.chars().take(80).collect()));
        }
        let scopes = self.allowed();
        if scopes.is_empty() {
            return Err(ClientFault::Scopes);
        }
        if let Authentication::KeyAddress(address) = &self.authentication {
            check_address(address, false)?;
        }
        if self.grant == Grant::Credentials {
            let keyed = matches!(
                self.authentication,
                Authentication::Keys(_)
                    | Authentication::KeyAddress(_)
                    | Authentication::Certificate { .. }
            );
            let system = scopes.resources().all(|scope| scope.level == Level::System)
                && scopes.iter().all(|scope| scope.resource().is_some());
            let bare = self.redirects.is_empty() && self.launch.is_none();
            return match keyed && system && bare && self.account.is_some() {
                true => Ok(()),
                false => Err(ClientFault::Backend),
            };
        }
        if scopes.has_level(Level::System) || self.account.is_some() {
            return Err(ClientFault::App);
        }
        if self.redirects.is_empty() || self.redirects.len() > MAX_REDIRECTS {
            return Err(ClientFault::NoRedirect);
        }
        self.redirects.iter().try_for_each(|address| check_address(address, true))?;
        self.launch.iter().try_for_each(|address| check_address(address, false))
    }

    /// The most that it may be granted.
    pub fn allowed(&self) -> Scopes {
        Scopes::parse(&self.scopes).unwrap_or_default()
    }

    /// Whether people may be sent back to `address`: it is registered in exactly this form.
    pub fn returns_to(&self, address: &str) -> bool {
        self.redirects.iter().any(|registered| registered == address)
    }
}

/// Whether people or this node may be sent to an address.
pub(crate) fn check_address(address: &str, may_be_own: bool) -> Result<(), ClientFault> {
    let fault = || ClientFault::Address(address.chars().take(120).collect());
    let graphic = address.bytes().all(|b| b.is_ascii_graphic() && !br#""<>\^`{|}*"#.contains(&b));
    if address.len() > MAX_ADDRESS || !graphic || address.contains('#') {
        return Err(fault());
    }
    let (scheme, rest) = address.split_once(':').ok_or_else(fault)?;
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.strip_prefix("//").map(|rest| {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    });
    let sound = match (scheme.as_str(), authority) {
        ("https", Some(host)) => is_host(host),
        ("http", Some(host)) => is_host(host) && is_this_machine(host),
        // A scheme of the app's own is a reversed domain name (RFC 8252, section 7.1).
        (own, _) => {
            may_be_own && own.contains('.') && !FORBIDDEN_SCHEMES.contains(&own) && is_scheme(own)
        }
    };
    if sound { Ok(()) } else { Err(fault()) }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn is_host(authority: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    !authority.is_empty() && authority.bytes().all(plain) && !authority.starts_with(':')
}

fn is_this_machine(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    matches!(host, "localhost" | "127.0.0.1" | "::1")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn app() -> Client {
        Client {
            id: "app".into(),
            name: "Growth chart".into(),
            publisher: "Example Ltd".into(),
            authentication: Authentication::Public,
            grant: Grant::Code,
            redirects: vec!["https://app.example/after".into()],
            launch: Some("https://app.example/launch".into()),
            scopes: "launch openid patient/*.rs".into(),
            account: None,
            created_ms: 0,
            changed_ms: None,
        }
    }

    #[test]
    fn addresses_are_complete_and_lead_to_apps_alone() {
        for (address, sound) in [
            ("https://app.example/after?x=1", true),
            ("http://127.0.0.1:8000/after", true),
            ("http://localhost/after", true),
            ("org.example.app:/after", true),
            ("http://app.example/after", false),
            ("https://app.example/#after", false),
            ("https://user@app.example/after", false),
            ("https://*.example/after", false),
            ("https:///after", false),
            ("https://app.example;script-src/after", false),
            ("javascript:alert(1)", false),
            ("myapp:/after", false),
            ("/after", false),
            ("https://app.example/a b", false),
            ("http://localhost.evil.example/", false),
        ] {
            let client = Client { redirects: vec![address.into()], ..app() };
            assert_eq!(client.check().is_ok(), sound, "{address}");
        }
        let own_scheme = Client { launch: Some("org.example.app:/launch".into()), ..app() };
        assert!(own_scheme.check().is_err(), "a record opens pages alone");
    }

    #[test]
    fn redirects_are_compared_exactly() {
        for (address, expected) in [
            ("https://app.example/after", true),
            ("https://app.example/after/", false),
            ("https://app.example/after?x=1", false),
            ("https://APP.example/after", false),
            ("https://app.example/after/../after", false),
        ] {
            assert_eq!(app().returns_to(address), expected, "{address}");
        }
    }

    #[test]
    fn backends_and_apps_are_kept_apart() {
        let backend = Client {
            authentication: Authentication::Keys("{}".into()),
            grant: Grant::Credentials,
            redirects: Vec::new(),
            launch: None,
            scopes: "system/*.rs".into(),
            account: Some("svc".into()),
            ..app()
        };
        assert_eq!(backend.check(), Ok(()));
        for wrong in [
            Client { authentication: Authentication::Public, ..backend.clone() },
            Client { authentication: Authentication::Secret("0".into()), ..backend.clone() },
            Client { scopes: "patient/*.rs".into(), ..backend.clone() },
            Client { scopes: "system/*.rs offline_access".into(), ..backend.clone() },
            Client { account: None, ..backend.clone() },
        ] {
            assert_eq!(wrong.check(), Err(ClientFault::Backend), "{wrong:?}");
        }
        let greedy = Client { scopes: "system/*.rs".into(), ..app() };
        assert_eq!(greedy.check(), Err(ClientFault::App));
        let unknown = Client { scopes: "patient/X.rs".into(), ..app() };
        assert_eq!(unknown.check(), Err(ClientFault::Scope("patient/X.rs".into())));
    }
}
