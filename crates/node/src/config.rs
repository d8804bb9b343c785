//! A node's configuration: one TOML file in the node's folder.
//!
//! Unknown keys are refused. `consilium init` writes a file with every key explained, and a test
//! keeps that file and this type the same.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use policy::consent::{Absent, NetworkDefault, Sensitive};
use serde::Deserialize;

/// Name of the file in the node's folder.
pub const FILE: &str = "node.toml";

/// What the operator sets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Short id of the institution in the network.
    pub organisation: String,
    /// Name to show.
    pub name: String,
    /// Where pages and API are served.
    pub listen: SocketAddr,
    /// How clients reach `listen`.
    pub base_url: String,
    /// Where other nodes are served, over mutual TLS.
    pub network_listen: SocketAddr,
    /// Public key of the council that signs the membership list.
    pub council_key: String,
    /// What holds where a patient has decided nothing.
    #[serde(default)]
    pub consent_default: ConsentDefault,
    /// Data labelled sensitive where no consent names it.
    #[serde(default)]
    pub sensitive: SensitiveDefault,
    /// Whether an asker may learn that something is withheld.
    #[serde(default)]
    pub withheld: Withheld,
    /// Whether clinicians may break the glass.
    #[serde(default)]
    pub break_glass: bool,
    /// Milliseconds after which slow institutions are named as outstanding.
    #[serde(default = "soft")]
    pub soft_deadline_ms: u64,
    /// Milliseconds after which slow institutions are given up.
    #[serde(default = "hard")]
    pub hard_deadline_ms: u64,
}

/// The configuration's word for [`Absent`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentDefault {
    /// Treatment is permitted.
    #[default]
    PermitTreatment,
    /// Every purpose that policy allows is permitted.
    PermitAll,
    /// Nothing is permitted.
    Deny,
    /// Only emergency access is permitted.
    BreakGlassOnly,
}

/// The configuration's word for [`Sensitive`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SensitiveDefault {
    /// Held back unless a consent names the label.
    #[default]
    Withhold,
    /// Shared like other data.
    Share,
}

/// Whether existence of withheld data is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Withheld {
    /// The asker is told that something is withheld.
    Stated,
    /// Withheld looks the same as absent.
    #[default]
    Hidden,
}

fn soft() -> u64 {
    2_000
}

fn hard() -> u64 {
    10_000
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{0}`: {1}")]
    Read(PathBuf, std::io::Error),
    /// The file is not valid.
    #[error("`{0}` is not valid: {1}")]
    Invalid(PathBuf, String),
}

impl Config {
    /// Reads the configuration in `folder`.
    pub fn read(folder: &Path) -> Result<Self, ConfigError> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| ConfigError::Read(path.clone(), e))?;
        Self::parse(&text).map_err(|reason| ConfigError::Invalid(path, reason))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        if config.soft_deadline_ms > config.hard_deadline_ms {
            return Err("`soft_deadline_ms` must not be later than `hard_deadline_ms`".into());
        }
        Ok(config)
    }
}
