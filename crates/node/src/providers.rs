//! The outside OpenID providers of the configuration: what the operator writes of one, and its secret
//! out of a file.

use std::path::Path;

use identity::{About, Hidden, Provider, ProviderAuthentication, Providers};
use serde::Deserialize;

use crate::config::Config;
use crate::wiring::Fault;

/// Longest file with a secret, in bytes.
const MAX_SECRET: usize = 4_096;

/// A provider as the operator writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its short id.
    pub id: String,
    /// What the sign-in page calls it.
    pub label: String,
    /// Its issuer identifier.
    pub issuer: String,
    /// This node's id there; none where it registers itself.
    #[serde(default)]
    pub client_id: String,
    /// How this node proves itself there.
    #[serde(default)]
    pub authentication: Authentication,
    /// File with the secret, for the two ways that have one.
    #[serde(default)]
    pub secret_file: String,
    /// A `mailto:` address of whoever answers for this node, where it registers itself.
    #[serde(default)]
    pub contact: String,
    /// An `https` address of a picture of this node, where it registers itself.
    #[serde(default)]
    pub logo: String,
    /// The scopes that are asked for.
    #[serde(default = "scopes")]
    pub scopes: String,
    /// The claim that names the account.
    #[serde(default = "account_claim")]
    pub account_claim: String,
    /// Values of `acr` that mean a second factor.
    #[serde(default)]
    pub second_factor_acr: Vec<String>,
    /// Values of `amr` that mean a second factor.
    #[serde(default)]
    pub second_factor_amr: Vec<String>,
    /// How many minutes ago the person may have signed in there.
    #[serde(default = "max_age")]
    pub max_age_minutes: u32,
    /// Whether signing out here leads to signing out there.
    #[serde(default)]
    pub sign_out: bool,
}

/// How this node proves itself to a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authentication {
    /// With its own key: `private_key_jwt`.
    #[default]
    Key,
    /// `client_secret_basic`.
    SecretBasic,
    /// `client_secret_post`.
    SecretPost,
    /// As a member of the UDAP community, at a provider of the same, where this node registers
    /// itself.
    Udap,
    /// Not at all.
    None,
}

fn scopes() -> String {
    "openid".into()
}

fn account_claim() -> String {
    "sub".into()
}

fn max_age() -> u32 {
    480
}

/// Reads the providers of the configuration.
///
/// Errors: a secret that cannot be read, and what cannot be used.
pub fn providers(folder: &Path, config: &Config) -> Result<Providers, Fault> {
    let is_of_community = |entry: &&Entry| entry.authentication == Authentication::Udap;
    if let Some(entry) = config.sign_in.iter().find(is_of_community)
        && config.udap_anchors.is_empty()
    {
        let id = &entry.id;
        return Err(
            format!("`authentication` of `{id}` is `udap`, so `udap_anchors` is needed").into()
        );
    }
    let list = config.sign_in.iter().map(|entry| provider(folder, entry));
    let list = list.collect::<Result<Vec<_>, Fault>>()?;
    Providers::new(list).map_err(|e| format!("`sign_in`: {e}").into())
}

fn provider(folder: &Path, entry: &Entry) -> Result<Provider, Fault> {
    Ok(Provider {
        authentication: match entry.authentication {
            Authentication::Key => ProviderAuthentication::PrivateKey,
            Authentication::SecretBasic => {
                ProviderAuthentication::SecretBasic(secret(folder, entry)?)
            }
            Authentication::SecretPost => {
                ProviderAuthentication::SecretPost(secret(folder, entry)?)
            }
            Authentication::Udap => ProviderAuthentication::Community(About {
                contact: entry.contact.clone(),
                logo: entry.logo.clone(),
            }),
            Authentication::None => ProviderAuthentication::None,
        },
        id: entry.id.clone(),
        label: entry.label.clone(),
        issuer: entry.issuer.clone(),
        client_id: entry.client_id.clone(),
        scopes: match entry.authentication {
            Authentication::Udap if !entry.scopes.split(' ').any(|one| one == "udap") => {
                format!("{} udap", entry.scopes)
            }
            _ => entry.scopes.clone(),
        },
        account_claim: entry.account_claim.clone(),
        second_factor_acr: entry.second_factor_acr.clone(),
        second_factor_amr: entry.second_factor_amr.clone(),
        max_age_s: i64::from(entry.max_age_minutes) * 60,
        sign_out: entry.sign_out,
    })
}

fn secret(folder: &Path, entry: &Entry) -> Result<Hidden<String>, Fault> {
    let path = folder.join(&entry.secret_file);
    let text = std::fs::read_to_string(&path).map_err(|e| {
        format!("`secret_file` of `{}`: cannot read `{}`: {e}", entry.id, path.display())
    })?;
    let text = Hidden::new(text);
    let secret = text.reveal().trim();
    match (1..=MAX_SECRET).contains(&secret.len()) {
        true => Ok(Hidden::new(secret.to_owned())),
        false => Err(format!("`secret_file` of `{}` holds no secret", entry.id).into()),
    }
}
