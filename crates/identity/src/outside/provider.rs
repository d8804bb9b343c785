//! An OpenID provider as the operator has configured it.

use super::community::About;
use crate::hidden::Hidden;

/// Most providers of a node.
const MAX_PROVIDERS: usize = 16;
/// Claims that people or administrators change or that are given to somebody else later (OpenID
/// Connect Core 1.0, section 5.7): they name no account.
const NO_ACCOUNT: [&str; 9] = [
    "email",
    "preferred_username",
    "name",
    "given_name",
    "family_name",
    "nickname",
    "phone_number",
    "upn",
    "unique_name",
];

/// A provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its short id, part of addresses here.
    pub id: String,
    /// What pages call it.
    pub label: String,
    /// Its issuer identifier.
    pub issuer: String,
    /// This node's id there.
    pub client_id: String,
    /// How this node proves itself there.
    pub authentication: ProviderAuthentication,
    /// The scopes that are asked for, with `openid`.
    pub scopes: String,
    /// The claim that names the account, `sub` as a rule.
    pub account_claim: String,
    /// Values of `acr` that mean a second factor.
    pub second_factor_acr: Vec<String>,
    /// Values of `amr` that mean a second factor.
    pub second_factor_amr: Vec<String>,
    /// How long ago the person may have signed in there, in seconds.
    pub max_age_s: i64,
    /// Whether signing out here leads to signing out there.
    pub sign_out: bool,
}

/// How this node proves itself to a provider (OpenID Connect Core 1.0, section 9).
#[derive(Clone, Debug)]
pub enum ProviderAuthentication {
    /// Not at all: a public client with PKCE.
    None,
    /// `client_secret_basic`.
    SecretBasic(Hidden<String>),
    /// `client_secret_post`.
    SecretPost(Hidden<String>),
    /// `private_key_jwt`, with the node's own key.
    PrivateKey,
    /// As a member of a UDAP community, where this node registers itself and has its id from.
    Community(About),
}

/// Why a provider cannot be used as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderFault {
    /// There are too many.
    #[error("a node has at most {MAX_PROVIDERS} providers")]
    TooMany,
    /// Not an id, or used twice.
    #[error(
        "`{0}` is no id of a provider, or used twice; it has 1 to 32 characters of a-z, 0-9 and `-`"
    )]
    Id(String),
    /// Not an issuer, or used twice.
    #[error(
        "`issuer` of `{0}` must be an `https` address without a query, and no other provider's"
    )]
    Issuer(String),
    /// Something is empty that must not be.
    #[error("`{1}` of `{0}` must not be empty")]
    Empty(String, &'static str),
    /// It does not say what this node says of itself there.
    #[error("`{0}` needs `contact`, a `mailto:` address, and `logo`, an `https` address")]
    About(String),
    /// The scopes lack `openid`.
    #[error("`scopes` of `{0}` must hold `openid`")]
    Scopes(String),
    /// The claim does not name an account for good.
    #[error(
        "`account_claim` of `{0}` may change its owner; use `sub`, or another claim that never does"
    )]
    Claim(String),
    /// The time is out of range.
    #[error("`max_age_minutes` of `{0}` is from 1 to 1440")]
    Age(String),
    /// There can be no HTTP client.
    #[error("the HTTP client for providers cannot be made")]
    Client,
}

impl Provider {
    /// Whether a sign-in there counts as one with a second factor: by the operator's rule alone.
    pub fn counts<T: AsRef<str>>(&self, acr: Option<&str>, amr: &[T]) -> bool {
        let by_class = acr.is_some_and(|acr| self.second_factor_acr.iter().any(|one| one == acr));
        let stated = |method: &String| amr.iter().any(|one| one.as_ref() == method);
        by_class || self.second_factor_amr.iter().any(stated)
    }

    /// Whether this node registers itself there as a member of a UDAP community.
    pub fn is_of_community(&self) -> bool {
        matches!(self.authentication, ProviderAuthentication::Community(_))
    }

    /// Whether a second factor can be shown there at all.
    pub fn has_second_factor(&self) -> bool {
        !self.second_factor_acr.is_empty() || !self.second_factor_amr.is_empty()
    }
}

/// Whether these can be a node's providers.
pub(super) fn check(list: &[Provider]) -> Result<(), ProviderFault> {
    if list.len() > MAX_PROVIDERS {
        return Err(ProviderFault::TooMany);
    }
    for (at, one) in list.iter().enumerate() {
        let id = one.id.clone();
        let before = || list.iter().take(at);
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let sound = (1..=32).contains(&id.len()) && id.bytes().all(plain);
        if !sound || before().any(|other| other.id == id) {
            return Err(ProviderFault::Id(id));
        }
        let twice = before().any(|other| other.issuer == one.issuer);
        if !oauth::openid::is_issuer(&one.issuer) || twice {
            return Err(ProviderFault::Issuer(id));
        }
        let of_itself = match &one.authentication {
            ProviderAuthentication::Community(about) => {
                if !about.contact.starts_with("mailto:") || !about.logo.starts_with("https://") {
                    return Err(ProviderFault::About(id));
                }
                None
            }
            _ => Some(("client_id", &one.client_id)),
        };
        let mut empty = std::iter::once(("label", &one.label)).chain(of_itself);
        if let Some((name, _)) = empty.find(|(_, text)| text.trim().is_empty()) {
            return Err(ProviderFault::Empty(id, name));
        }
        if !one.scopes.split(' ').any(|scope| scope == "openid") {
            return Err(ProviderFault::Scopes(id));
        }
        if one.account_claim.is_empty() || NO_ACCOUNT.contains(&one.account_claim.as_str()) {
            return Err(ProviderFault::Claim(id));
        }
        if !(60..=86_400).contains(&one.max_age_s) {
            return Err(ProviderFault::Age(id));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> Provider {
        Provider {
            id: "university".into(),
            label: "University".into(),
            issuer: "https://idp.example".into(),
            client_id: "node".into(),
            authentication: ProviderAuthentication::None,
            scopes: "openid".into(),
            account_claim: "sub".into(),
            second_factor_acr: vec!["https://refeds.org/profile/mfa".into()],
            second_factor_amr: vec!["otp".into()],
            max_age_s: 28_800,
            sign_out: false,
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        assert_eq!(check(&[provider()]), Ok(()));
        type Change = fn(&mut Provider);
        let id = || "university".to_owned();
        let cases: [(Change, ProviderFault); 9] = [
            (|p| p.id = "Uni".into(), ProviderFault::Id("Uni".into())),
            (|p| p.issuer = "http://idp.example".into(), ProviderFault::Issuer(id())),
            (|p| p.label = " ".into(), ProviderFault::Empty(id(), "label")),
            (|p| p.client_id = String::new(), ProviderFault::Empty(id(), "client_id")),
            (|p| p.scopes = "profile".into(), ProviderFault::Scopes(id())),
            (|p| p.account_claim = "email".into(), ProviderFault::Claim(id())),
            (|p| p.account_claim = "preferred_username".into(), ProviderFault::Claim(id())),
            (|p| p.max_age_s = 0, ProviderFault::Age(id())),
            (|p| p.max_age_s = 86_401, ProviderFault::Age(id())),
        ];
        for (change, fault) in cases {
            let mut changed = provider();
            change(&mut changed);
            assert_eq!(check(&[changed]), Err(fault));
        }
        assert_eq!(check(&[provider(), provider()]), Err(ProviderFault::Id(id())));
        let other = Provider { id: "other".into(), ..provider() };
        assert_eq!(check(&[provider(), other]), Err(ProviderFault::Issuer("other".into())));
    }

    #[test]
    fn a_second_factor_counts_by_the_operators_rule_alone() {
        let ruled = provider();
        assert!(ruled.counts(Some("https://refeds.org/profile/mfa"), &["pwd"]));
        assert!(ruled.counts(None, &["pwd", "otp"]));
        assert!(!ruled.counts(Some("phr"), &["pwd", "mfa", "hwk"]));
        let none =
            Provider { second_factor_acr: Vec::new(), second_factor_amr: Vec::new(), ..provider() };
        assert!(!none.counts(Some("phr"), &["mfa"]) && !none.has_second_factor());
    }
}
