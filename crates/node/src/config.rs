//! A node's configuration: one TOML file in the node's folder.
//!
//! Unknown keys are refused. `consilium init` writes a file with every key explained, and a test
//! keeps that file and this type the same.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use app::governance::conduct::Rules;
use app::records::validate::Enforced;
use app::services::{ConditionalDelete, Rest};
use federation::InboundLimits;
use identity::Role;
use matching::clk::Epsilon;
use policy::consent::{Defaults, Existence};
use serde::{Deserialize, Deserializer};

use crate::keys::ring::Ring;
use crate::providers::Entry;
use crate::stores::Location;

/// Name of the file in the node's folder.
pub const FILE: &str = "node.toml";
const MEBIBYTE: u64 = 1024 * 1024;
/// What keeps no lake.
const OFF: &str = "off";

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
    /// Proxies in front of `listen` that are believed about the addresses of their clients.
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// Where other nodes are served, over mutual TLS.
    pub network_listen: SocketAddr,
    /// Where records are kept: a folder below the node's, or the address of a PostgreSQL.
    #[serde(default = "store")]
    pub store: String,
    /// Memory for pages of the store's folder in MiB, taken as it is needed; 0 takes what suits.
    #[serde(default)]
    pub store_cache_mb: u32,
    /// The folder below the node's in which tables over the records are kept for research; `off` keeps
    /// none.
    #[serde(default = "lake")]
    pub lake: String,
    /// The operator states that the disk below a PostgreSQL is encrypted.
    #[serde(default)]
    pub store_disk_encrypted: bool,
    /// The keys that the network began with: the council's, or `2 of KEY KEY KEY`.
    pub council_key: String,
    /// What holds where a patient has decided nothing.
    #[serde(default, deserialize_with = "word")]
    pub consent_default: policy::consent::NetworkDefault,
    /// What happens to data labelled sensitive where no consent names the label.
    #[serde(default, deserialize_with = "word")]
    pub sensitive_default: policy::consent::SensitiveDefault,
    /// Whether patients are in research who have decided nothing.
    #[serde(default, deserialize_with = "word")]
    pub research_consent: app::consent::research::Regime,
    /// What may be learned of the people here by counting cohorts.
    #[serde(default)]
    pub cohorts: crate::cohorts::Budget,
    /// Organisations, locations and services here that are programmes in the sense of 42 CFR Part 2,
    /// as `Organization/12`.
    #[serde(default)]
    pub part2_programmes: Vec<String>,
    /// Whether an asker may learn that something is withheld.
    #[serde(default)]
    pub withheld: Withheld,
    /// What all members of the network have agreed on.
    #[serde(default)]
    pub common_agreement: CommonAgreement,
    /// Whether clinicians may break the glass.
    #[serde(default)]
    pub break_glass: bool,
    /// Roles whose accounts get nowhere without a passkey.
    #[serde(default = "passkey_roles")]
    pub passkey_roles: Vec<String>,
    /// What a conditional deletion may remove.
    #[serde(default)]
    pub conditional_delete: Deletion,
    /// Whether references to resources of this node must lead somewhere.
    #[serde(default)]
    pub referential_integrity: bool,
    /// Origins whose pages may call the API from a browser.
    #[serde(default)]
    pub cors_origins: Vec<String>,
    /// Hosts and networks that subscribers may point to beyond public `https` addresses.
    #[serde(default)]
    pub notify_allowed: Vec<String>,
    /// Hosts and networks that imports may fetch files from beyond public `https` addresses.
    #[serde(default)]
    pub import_allowed: Vec<String>,
    /// The mail server for subscriptions; empty sends no mail.
    #[serde(default)]
    pub mail_server: String,
    /// The sender of mails.
    #[serde(default)]
    pub mail_from: String,
    /// Whether mails may name or carry what they tell of.
    #[serde(default)]
    pub mail_content: bool,
    /// File with the trust anchors of a UDAP community; empty offers no UDAP.
    #[serde(default)]
    pub udap_anchors: String,
    /// File with the revocation lists of the community; empty asks none.
    #[serde(default)]
    pub udap_revoked: String,
    /// Address of the community.
    #[serde(default)]
    pub udap_community: String,
    /// File with this node's certificates in the community, leaf first.
    #[serde(default)]
    pub udap_certificates: String,
    /// File with the RSA key of the first of them.
    #[serde(default)]
    pub udap_key: String,
    /// The account whose permission the community's programs have; empty lets none ask for itself.
    #[serde(default)]
    pub udap_account: String,
    /// The most that such a program is granted.
    #[serde(default = "udap_scopes")]
    pub udap_scopes: String,
    /// Milliseconds after which slow institutions are named as outstanding.
    #[serde(default = "soft")]
    pub soft_deadline_ms: u64,
    /// Milliseconds after which slow institutions are given up.
    #[serde(default = "hard")]
    pub hard_deadline_ms: u64,
    /// How this node takes part in locating patients.
    #[serde(default)]
    pub locator: Locator,
    /// ε of the noise in what is published and asked, 0.5 to 10.
    #[serde(default = "locator_epsilon")]
    pub locator_epsilon: f64,
    /// How alike two encodings must be for a node to be asked, 0.5 to 1.
    #[serde(default = "locator_dice")]
    pub locator_dice: f64,
    /// What content must fulfil before it is stored: for `default` and for resource types.
    #[serde(default)]
    pub validation: BTreeMap<String, String>,
    /// How much each other node may ask for, and what of it is unusual.
    #[serde(default)]
    pub peers: PeerRules,
    /// Until when parents act for their children, and what is kept from them before.
    #[serde(default)]
    pub proxies: ProxyRules,
    /// How the institution tells of its data for research.
    #[serde(default)]
    pub catalog: CatalogRules,
    /// Who is asked before the institution's data are.
    #[serde(default)]
    pub research: ResearchRules,
    /// How many exports, imports and other long jobs run at the same time.
    #[serde(default = "jobs_at_once")]
    pub jobs_at_once: usize,
    /// Hours for which a finished job and its files are kept.
    #[serde(default = "jobs_keep_hours")]
    pub jobs_keep_hours: u32,
    /// Most resources or rows in one file of an export.
    #[serde(default = "jobs_file_rows")]
    pub jobs_file_rows: u64,
    /// Outside OpenID providers through which people may sign in.
    #[serde(default)]
    pub sign_in: Vec<Entry>,
}

/// What all members of the network have agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommonAgreement {
    /// Treatment, and what patients ask for themselves, among all members.
    #[default]
    Treatment,
    /// Nothing: only agreements that stewards have signed count.
    None,
}

/// How much each other node may ask for, and from when on its questions are unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeerRules {
    /// Requests a second, in the long run.
    pub requests_per_second: u32,
    /// Requests at once, after a pause.
    pub requests_at_once: u32,
    /// Mebibytes of answers a minute, in the long run.
    pub mebibytes_per_minute: u32,
    /// Mebibytes of answers at once, after a pause.
    pub mebibytes_at_once: u32,
    /// Records drawn for treatment in an hour, beyond which privacy officers are told.
    pub records_per_hour: u64,
    /// The same for new patients of one user in 24 hours.
    pub new_patients_per_day: u64,
    /// The same for patients of one user in 7 days for whom no care event was named.
    pub unproven_per_week: u64,
    /// Questions in a night below which nothing is unusual.
    pub night_least: u64,
    /// How many times its usual night an institution may ask.
    pub night_factor: u64,
    /// The night, hours of the day in UTC.
    pub night: (u8, u8),
}

/// Until when parents act for their children, and what is kept from them before that; jurisdictions
/// differ.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyRules {
    /// Age in years at which a parent's or guardian's right ends.
    pub adult: u8,
    /// Age in years from which on `withheld` is kept from parents.
    pub adolescent: u8,
    /// Sensitivity codes of v3-ActCode.
    pub withheld: Vec<String>,
    /// Time zone in which birthdays begin: a name of the IANA database, or as POSIX spells one out;
    /// UTC where empty.
    pub time_zone: String,
}

impl Default for ProxyRules {
    fn default() -> Self {
        let app::proxies::Rules { adult, adolescent, withheld, .. } = Default::default();
        Self { adult, adolescent, withheld, time_zone: String::new() }
    }
}

impl ProxyRules {
    /// The rules for the use cases.
    ///
    /// Errors: ages that cannot be, and a time zone or codes that are not known.
    pub fn rules(&self) -> Result<app::proxies::Rules, String> {
        if self.adolescent > self.adult || !(1..=30).contains(&self.adult) {
            let message = "`proxies.adolescent` is at most `proxies.adult`, and that from 1 to 30";
            return Err(message.into());
        }
        let is_code = |code: &&String| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        if let Some(code) = self.withheld.iter().find(|code| !is_code(code) || code.is_empty()) {
            return Err(format!("`proxies.withheld` names `{code}`; name codes of v3-ActCode"));
        }
        let zone = crate::zone::named(&self.time_zone)
            .map_err(|why| format!("`proxies.time_zone` is `{}`; {why}", self.time_zone))?;
        let (adult, adolescent) = (self.adult, self.adolescent);
        Ok(app::proxies::Rules { adult, adolescent, withheld: self.withheld.clone(), zone })
    }
}

/// Who is asked before the institution's data are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResearchRules {
    /// Fewest members of the patient council who have to agree to a project before a steward can
    /// approve it; 0 where none has to.
    pub patient_council: u32,
}

impl ResearchRules {
    /// Errors: a council that nobody could gather.
    fn check(self) -> Result<(), String> {
        match self.patient_council {
            0..=100 => Ok(()),
            _ => Err("`research.patient_council` is at most 100".into()),
        }
    }
}

/// How the institution tells of its data for research. Texts that are empty are not set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogRules {
    /// Whether everybody may read the descriptions.
    pub public: bool,
    /// For mail about data.
    pub mail: String,
    /// The institution's own page.
    pub homepage: String,
    /// What the institution does, in a sentence.
    pub about: String,
    /// A code of the publisher types of the European Health Data Space.
    pub publisher_type: String,
    /// A code of the EU's table of countries.
    pub country: String,
    /// The health data access body: its name.
    pub access_body: String,
    /// For mail to it.
    pub access_body_mail: String,
    /// Its page.
    pub access_body_page: String,
}

impl CatalogRules {
    /// The rules for the use cases.
    ///
    /// Errors: what is no address or no code.
    pub fn rules(&self) -> Result<app::catalog::Rules, String> {
        let is_code =
            |code: &str| code.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        if !is_code(&self.publisher_type) || !is_code(&self.country) {
            return Err("`catalog.publisher_type` and `catalog.country` are codes of tables".into());
        }
        let body = [&self.access_body, &self.access_body_mail, &self.access_body_page];
        let access_body = match body.map(|text| text.is_empty()) {
            [true, true, true] => None,
            [false, false, false] => Some(app::catalog::AccessBody {
                name: self.access_body.clone(),
                mail: given("access_body_mail", &self.access_body_mail)?,
                homepage: given("access_body_page", &self.access_body_page)?,
            }),
            _ => return Err("`catalog.access_body` needs its mail and its page".into()),
        };
        let Self { public, about, publisher_type, country, .. } = self.clone();
        Ok(app::catalog::Rules {
            public,
            mail: optional("mail", &self.mail)?,
            homepage: optional("homepage", &self.homepage)?,
            about,
            publisher_type,
            country,
            access_body,
        })
    }
}

/// A checked text of the catalogue's rules.
fn given<T: TryFrom<String>>(key: &str, text: &str) -> Result<T, String>
where
    T::Error: std::fmt::Display,
{
    T::try_from(text.to_owned()).map_err(|why| format!("`catalog.{key}` is `{text}`; {why}"))
}

fn optional<T: TryFrom<String>>(key: &str, text: &str) -> Result<Option<T>, String>
where
    T::Error: std::fmt::Display,
{
    if text.is_empty() { Ok(None) } else { given(key, text).map(Some) }
}

impl Default for PeerRules {
    fn default() -> Self {
        let (limits, rules) = (InboundLimits::default(), Rules::default());
        let mebibytes = |bytes: u64| u32::try_from(bytes / MEBIBYTE).unwrap_or(u32::MAX);
        Self {
            requests_per_second: limits.per_second,
            requests_at_once: limits.burst,
            mebibytes_per_minute: mebibytes(limits.bytes_per_minute),
            mebibytes_at_once: mebibytes(limits.bytes_burst),
            records_per_hour: rules.records_per_hour,
            new_patients_per_day: rules.new_patients_per_day,
            unproven_per_week: rules.unproven_per_week,
            night_least: rules.night_least,
            night_factor: rules.night_factor,
            night: rules.night,
        }
    }
}

impl PeerRules {
    /// What each peer may cost this node. What it remembers of assertions follows the rate: one is
    /// remembered for 70 seconds at most.
    pub fn limits(&self) -> InboundLimits {
        let per_minute = self.requests_per_second as usize * 70 + self.requests_at_once as usize;
        InboundLimits {
            per_second: self.requests_per_second,
            burst: self.requests_at_once,
            remembered: per_minute.max(InboundLimits::default().remembered),
            bytes_per_minute: u64::from(self.mebibytes_per_minute) * MEBIBYTE,
            bytes_burst: u64::from(self.mebibytes_at_once) * MEBIBYTE,
        }
    }

    /// What is unusual.
    pub fn conduct(&self) -> Rules {
        Rules {
            records_per_hour: self.records_per_hour,
            new_patients_per_day: self.new_patients_per_day,
            unproven_per_week: self.unproven_per_week,
            night_least: self.night_least,
            night_factor: self.night_factor,
            night: self.night,
        }
    }

    fn check(&self) -> Result<(), String> {
        let limits = [
            ("requests_per_second", self.requests_per_second),
            ("requests_at_once", self.requests_at_once),
            ("mebibytes_per_minute", self.mebibytes_per_minute),
            ("mebibytes_at_once", self.mebibytes_at_once),
        ];
        if let Some((name, value)) = limits.iter().find(|(_, v)| !(1..=100_000).contains(v)) {
            return Err(format!("`peers.{name}` is `{value}`; it is from 1 to 100000"));
        }
        let counted = [self.records_per_hour, self.new_patients_per_day, self.unproven_per_week];
        if counted.iter().any(|count| *count > 100_000) {
            return Err("what is counted in `peers` is at most 100000".into());
        }
        match self.night.0.max(self.night.1) < 24 {
            true => Ok(()),
            false => Err("`peers.night` holds two hours of the day, from 0 to 23".into()),
        }
    }
}

/// Whether existence of withheld data is shown. Sensitive data is hidden in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Withheld {
    /// The asker is told that something is withheld.
    Stated,
    /// Withheld looks the same as absent.
    #[default]
    Hidden,
}

/// How a node takes part in locating patients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Locator {
    /// It publishes encodings of its patients and asks locators.
    #[default]
    On,
    /// It publishes nothing and is asked directly; it asks locators.
    Refuse,
    /// It publishes nothing and asks every member directly.
    Off,
}

/// What a conditional deletion may remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deletion {
    /// One resource.
    #[default]
    Single,
    /// Everything that matches.
    Multiple,
}

fn word<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

fn store() -> String {
    "store".into()
}

fn lake() -> String {
    "lake".into()
}

fn passkey_roles() -> Vec<String> {
    [Role::Operator, Role::PrivacyOfficer, Role::Registrar, Role::CouncilMember]
        .map(|role| role.code().into())
        .into()
}

fn udap_scopes() -> String {
    "system/*.rs".into()
}

fn soft() -> u64 {
    2_000
}

fn hard() -> u64 {
    10_000
}

fn locator_epsilon() -> f64 {
    Epsilon::STANDARD.get()
}

fn locator_dice() -> f64 {
    app::locator::STANDARD_DICE
}

fn jobs_at_once() -> usize {
    2
}

fn jobs_keep_hours() -> u32 {
    24
}

fn jobs_file_rows() -> u64 {
    100_000
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
        let text =
            std::fs::read_to_string(&path).map_err(|e| ConfigError::Read(path.clone(), e))?;
        Self::parse(&text).map_err(|reason| ConfigError::Invalid(path, reason))
    }

    /// Where the records of the node in `folder` are kept, with the keys that open them.
    pub fn location(&self, folder: &Path) -> Result<Location, store::StoreError> {
        let found = Location::parse(&self.store, folder)?;
        let ring = Ring::open(&folder.join("keys"));
        let ring = ring.map_err(|error| store::StoreError::Failed(error.to_string()))?;
        let keys = ring.map_or_else(Vec::new, |ring| ring.page_keys());
        Ok(found.with_keys(keys).with_cache(self.store_cache_mb))
    }

    /// Where the tables over the records of the node in `folder` are kept; `None` where they are not.
    pub fn lake(&self, folder: &Path) -> Option<PathBuf> {
        (self.lake != OFF).then(|| folder.join(&self.lake))
    }

    /// The address of the FHIR service, as clients reach it.
    pub fn fhir_base(&self) -> String {
        format!("{}/fhir", self.base_url.trim_end_matches('/'))
    }

    /// How records are labelled when they are used.
    pub fn labelling(&self) -> policy::labels::Labelling {
        policy::labels::Labelling { part2_programmes: self.part2_programmes.clone() }
    }

    /// What the network has agreed for everybody, for the consent engine.
    pub fn defaults(&self) -> Defaults {
        Defaults {
            network: self.consent_default,
            sensitive: self.sensitive_default,
            denied: match self.withheld {
                Withheld::Stated => Existence::Known,
                Withheld::Hidden => Existence::Hidden,
            },
        }
    }

    /// What all members of the network have agreed on.
    pub fn common_agreement(&self) -> Vec<policy::agreement::Clause> {
        match self.common_agreement {
            CommonAgreement::Treatment => policy::agreement::common(),
            CommonAgreement::None => Vec::new(),
        }
    }

    /// What the operator has chosen where FHIR REST leaves a choice.
    pub fn rest(&self) -> Rest {
        Rest {
            conditional_delete: match self.conditional_delete {
                Deletion::Single => ConditionalDelete::Single,
                Deletion::Multiple => ConditionalDelete::Multiple,
            },
            referential_integrity: self.referential_integrity,
            cors_origins: self.cors_origins.clone(),
        }
    }

    /// How this node takes part in locating patients.
    pub fn locating(&self) -> Result<app::locator::Rules, String> {
        let epsilon = Epsilon::new(self.locator_epsilon);
        if !(0.5..=1.0).contains(&self.locator_dice) {
            return Err("`locator_dice` must be from 0.5 to 1".into());
        }
        Ok(app::locator::Rules {
            mode: match self.locator {
                Locator::On => app::locator::Mode::On,
                Locator::Refuse => app::locator::Mode::Refuse,
                Locator::Off => app::locator::Mode::Off,
            },
            epsilon: epsilon.map_err(|e| format!("`locator_epsilon`: {e}"))?,
            dice: self.locator_dice,
        })
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        if let Some(bad) = config.cors_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(format!("`cors_origins` holds `{bad}`, which is no origin"));
        }
        if config.soft_deadline_ms > config.hard_deadline_ms {
            return Err("`soft_deadline_ms` must not be later than `hard_deadline_ms`".into());
        }
        if config.store_cache_mb != 0 && !(8..=65_536).contains(&config.store_cache_mb) {
            return Err("`store_cache_mb` is 0, or from 8 to 65536".into());
        }
        if config.lake.is_empty() || config.lake.contains("..") {
            return Err("`lake` is a folder, or `off`".into());
        }
        config.locating()?;
        config.enforced()?;
        config.roles_with_passkeys()?;
        config.peers.check()?;
        config.proxies.rules()?;
        config.cohorts.rules()?;
        config.catalog.rules()?;
        config.research.check()?;
        Ok(config)
    }

    /// The roles in `passkey_roles`. Programs have no device that could check its owner.
    pub fn roles_with_passkeys(&self) -> Result<Vec<Role>, String> {
        let role = |code: &String| match Role::from_code(code) {
            Some(role) if role != Role::Service => Ok(role),
            _ => Err(format!("`passkey_roles` holds `{code}`, which is no role of a person")),
        };
        self.passkey_roles.iter().map(role).collect()
    }

    /// What content must fulfil before it is stored: where nothing is said of its type, and by
    /// resource type.
    pub fn enforced(&self) -> Result<(Enforced, BTreeMap<String, Enforced>), String> {
        let mut default = Enforced::Level(validation::Level::Structure);
        let mut by_type = BTreeMap::new();
        for (key, value) in &self.validation {
            let enforced = if value.contains(':') {
                Enforced::Profile(value.clone())
            } else {
                let level = value
                    .parse()
                    .map_err(|e| format!("`validation.{key}`: {e}, and no address of a profile"))?;
                Enforced::Level(level)
            };
            match fhir::resource_type(key) {
                _ if key == "default" => default = enforced,
                Some(resource_type) => {
                    by_type.insert(resource_type.to_owned(), enforced);
                }
                None => {
                    return Err(format!(
                        "`validation.{key}` is neither `default` nor a resource type of R4"
                    ));
                }
            }
        }
        Ok((default, by_type))
    }
}

/// Whether a text is an origin (`scheme://host[:port]`), or `*` for all.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host =
        |host: &str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    text == "*" || host.is_some_and(is_host)
}

/// A configuration file with every key explained. `text` values must not hold quotes.
pub fn sample(
    organisation: &str,
    name: &str,
    listen: SocketAddr,
    network_listen: SocketAddr,
    council_key: &str,
) -> String {
    format!(
        r#"# Configuration of a Consilium node. Unknown keys are refused.

# Short id of this institution in the network: a-z, 0-9 and "-".
organisation = {organisation:?}
# Name to show.
name = {name:?}

# Where pages and API are served, and how clients reach that place.
listen = "{listen}"
base_url = "http://{listen}"
# Proxies in front of it (the institution's TLS), as addresses or networks: they are believed about
# whose request they pass on (X-Forwarded-For), so that guessing is slowed down for whoever guesses
# and not for everybody, and the audit names the client and not the proxy. Nobody else is believed.
trusted_proxies = []

# Where other nodes are served, over mutual TLS.
network_listen = "{network_listen}"
# Where records are kept: a folder with an SQLite database, or a PostgreSQL as
# "postgres://user:password@host:5432/database?schema=consilium&sslmode=require".
store = "store"
# Memory for pages of the folder in MiB, taken as it is needed: 0 takes what suits (84 where pages
# are encrypted, else 40). The pages of a PostgreSQL are not encrypted by this node, which says so at
# every start until you state here that the disk below the server is encrypted.
store_cache_mb = 0
store_disk_encrypted = false
# Tables over the records, for research by SQL: a folder below this one, sealed under the node's keys and
# made again from the records where it is missing, or "off".
lake = "lake"

# The keys that the network began with, which membership.json goes back to: one key, or
# "2 of KEY KEY KEY" where several had to sign. `consilium network join` sets it.
council_key = "{council_key}"

# What holds where a patient has decided nothing:
# "permit-treatment", "permit-all", "deny" or "break-glass-only".
consent_default = "permit-treatment"
# Data labelled sensitive where no consent names the label: "withhold" or "share".
sensitive_default = "withhold"
# Whether patients who have decided nothing about it are in research (de-identified extracts and
# data sets made of the records): "opt-out" (they are) or "opt-in" (they are not). A decision of the
# patient counts in either case.
research_consent = "opt-out"
# Organisations, locations and services here that are programmes in the sense of 42 CFR Part 2, as
# "Organization/12": what refers to one of them is shared as a record of it, with its notice.
part2_programmes = []
# Whether an asker may learn that something is withheld: "stated" or "hidden".
withheld = "stated"
# What the members of the network have agreed on in common: "treatment" (and what patients ask for
# themselves) among all of them, or "none", where only agreements that stewards have signed count.
common_agreement = "treatment"
# Whether clinicians may break the glass. Some jurisdictions forbid it.
break_glass = true

# Roles that need a passkey: whoever has none is led to add one after signing in, and gets nowhere
# else before. Browsers take passkeys only at an https address with a host name and at
# http://localhost; where base_url is neither, nobody can have one, nobody is asked for one, and the
# node warns of it when it starts.
passkey_roles = ["operator", "privacy-officer", "registrar", "council-member"]

# What a conditional deletion (DELETE [type]?[search]) may remove: "single" or "multiple".
conditional_delete = "single"
# Whether references to resources of this node must lead somewhere: such a reference to what is
# not here is refused, and so is the deletion of what others refer to.
referential_integrity = false
# Origins whose pages may call the API from a browser, ["https://app.example"] for example.
cors_origins = []
# Where subscribers may have notifications sent: public https addresses, and these host names,
# addresses and networks, over http too; "10.1.0.0/16" or "hooks.hospital.example" for example.
notify_allowed = []
# Where imports may fetch files from, in the same way.
import_allowed = []
# The mail server for subscriptions, "smtps://user:password@host" or
# "smtp://user:password@host?tls=required"; empty sends no mail. Then the sender, and whether mails
# may name or carry what they tell of: mail is not encrypted beyond the server.
mail_server = ""
mail_from = ""
mail_content = false

# Programs of a community that register themselves by certificates (UDAP): PEM files in this folder
# with the community's trust anchors (empty offers no UDAP) and, where it has any, its revocation
# lists; the community's address; this node's certificates in it, the first for the FHIR base
# address, and their RSA key; the account whose permission programs have that ask in their own name
# (empty lets none), and the most that they are granted.
udap_anchors = ""
udap_revoked = ""
udap_community = ""
udap_certificates = ""
udap_key = ""
udap_account = ""
udap_scopes = "system/*.rs"

# Milliseconds after which slow institutions are named as outstanding, and given up.
soft_deadline_ms = 2000
hard_deadline_ms = 10000

# How patients are located without telling every member of the network: "on" publishes encodings of
# this node's patients to two members that cannot read them, "refuse" does not, so that everybody
# asks this node directly, and "off" asks every member directly as well. Then ε of the noise in what
# is published and asked for each bit (less is more noise), and how alike two encodings must be for a
# node to be asked (less asks more nodes and misses fewer).
locator = "on"
locator_epsilon = 3.0
locator_dice = 0.75

# How many exports, imports and other long jobs run at the same time, for how many hours a finished
# one and its files are kept, and how many resources or rows one file holds at most.
jobs_at_once = 2
jobs_keep_hours = 24
jobs_file_rows = 100000

# What content must fulfil before it is stored: "off", "structure" (elements that R4 has, of the
# right type and format), "base" (all rules of R4) or "profiles" (those that it claims, too).
# A resource type may have a level of its own, or the address of a profile.
[validation]
default = "structure"
# Patient = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"

# How much each other node may ask for; beyond it, it is refused and told when to come back.
[peers]
requests_per_second = 200
requests_at_once = 400
mebibytes_per_minute = 256
mebibytes_at_once = 1024
# From when on its questions are unusual: privacy officers and operators here and there are told, and
# nothing is blocked. Records drawn for treatment in an hour; new patients of one user in 24 hours;
# patients of one user in 7 days for whom no appointment, encounter or order was named; questions in
# a night, at least so many and so many times the usual night (hours in UTC). 0 switches a rule off.
records_per_hour = 300
new_patients_per_day = 40
unproven_per_week = 60
night_least = 100
night_factor = 5
night = [22, 6]

# People who act for a patient. A parent's right ends on the day the patient is `adult`, in years; from
# `adolescent` on, what is sensitive in these ways (codes of v3-ActCode) is kept from a parent unless
# the patient permits it. Birthdays begin in `time_zone`, "Europe/Berlin" for
# example; UTC where empty.
[proxies]
adult = 18
adolescent = 12
withheld = ["SEX", "PREGNANT", "MH", "PSY", "PSYTHPN", "BH", "SUD", "ETH", "HIV", "STD", "VIO", "SDV", "MST"]
time_zone = ""

# What researchers, here and at other institutions, may learn of the people here by counting cohorts and by
# questions that are answered with noise: ε of differential privacy that one account may spend in a period,
# and that all may spend together. A question costs the ε that it states (cohorts 1 by default), the same
# cohort again nothing. Synthetic twins are paid for out of what all may spend together.
[cohorts]
account_epsilon = 10.0
everybody_epsilon = 50.0
period_days = 90

# How many members of the patient council (accounts of role `representative`) have to agree to a research
# project before a steward can approve that it asks this institution's data; none may object. 0 asks for
# none, and their word is advice.
[research]
patient_council = 0

# How this institution tells of its data sets for research; see docs/guides/research.md. With `public`
# everybody may read the descriptions, what the Beacon says of itself and synthetic twins where operators
# offer them, signed in or not: a catalogue
# is there to be found, and its counts hold noise, but which data an institution holds is its own to
# tell. Without it, members of the network and who is signed in for research may. Then the address for
# mail about data (empty: postmaster at the host of base_url), the institution's own page, a sentence on
# what it does, what it is (a code of the publisher types of the European Health Data Space,
# "inpatient-institute" for example), its country (a code of the EU's table, "DEU"), and who decides
# on access to health data there, where that is not the institution itself.
[catalog]
public = false
mail = ""
homepage = ""
about = ""
publisher_type = "healthcare-providers"
country = ""
access_body = ""
access_body_mail = ""
access_body_page = ""

# Outside OpenID providers through which people may sign in, each in a block of its own; the guide is
# docs/operate/sign-in.md. A provider says who somebody is and nothing else: accounts are linked to it
# one by one, and roles and rights stay this node's.
# [[sign_in]]
# id = "university"
# label = "University of Northfield"
# issuer = "https://idp.university.example"
# client_id = "consilium-north"
# How this node proves itself there: "key" with its own key, which it publishes at /oauth/keys,
# "secret-basic" or "secret-post" with the secret in secret_file, "none", or "udap" at a provider of
# this node's UDAP community: it registers itself there (without client_id), saying who answers for it.
# authentication = "key"
# secret_file = "university.secret"
# contact = "mailto:it@north.example"
# logo = "https://north.example/logo.png"
# scopes = "openid"
# The claim that names the account there for good.
# account_claim = "sub"
# Which values of acr or amr mean a second factor; without any, none of its sign-ins counts as one.
# second_factor_acr = ["https://refeds.org/profile/mfa"]
# second_factor_amr = []
# How long ago somebody may have signed in there, and whether signing out here goes on to there.
# max_age_minutes = 480
# sign_out = false
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        sample("north", "North Hospital", address(8080), address(8180), "key")
    }

    #[test]
    fn the_sample_is_valid_and_names_every_key() {
        let config = Config::parse(&text()).unwrap();
        assert_eq!(config.organisation, "north");
        assert_eq!(config.withheld, Withheld::Stated);
        // A file from before there were passkeys asks for them too.
        let roles = config.roles_with_passkeys().unwrap();
        let administrative =
            [Role::Operator, Role::PrivacyOfficer, Role::Registrar, Role::CouncilMember];
        assert_eq!(roles, administrative);
        let older = text().replace("passkey_roles", "# passkey_roles");
        assert_eq!(Config::parse(&older).unwrap().roles_with_passkeys().unwrap(), roles);
        // A key that the type knows and the sample does not would be missing from this list.
        let is_key = |line: &&str| line.contains(" = ") && !line.starts_with('#');
        let keys = text().lines().filter(is_key).count();
        let fields = format!("{config:?}").matches(": ").count();
        assert!(keys >= 12 && fields >= keys, "{keys} keys, {fields} fields");
    }

    #[test]
    fn the_block_of_a_provider_in_the_sample_is_valid() {
        let text = text();
        let (before, block) = text.split_once("# [[sign_in]]").unwrap();
        let keys = block.lines().filter_map(|line| line.strip_prefix("# "));
        let keys: Vec<&str> = keys.filter(|line| line.contains(" = ")).collect();
        let written = format!("{before}[[sign_in]]\n{}", keys.join("\n"));
        let config = Config::parse(&written).unwrap();
        let entry = &config.sign_in[0];
        assert_eq!((entry.id.as_str(), entry.max_age_minutes), ("university", 480));
        assert_eq!(keys.len(), format!("{entry:?}").matches(": ").count(), "every key is named");
        let fault = Config::parse(&written.replace("sign_out", "sign_of")).unwrap_err();
        assert!(fault.contains("sign_of"), "{fault}");
    }

    #[test]
    fn unknown_keys_and_words_are_refused() {
        for (from, to, expected) in [
            ("break_glass", "brake_glass", "brake_glass"),
            ("permit-treatment\"\n", "permit-everything\"\n", "permit-treatment"),
            ("cors_origins = []", "cors_origins = [\"app.example\"]", "cors_origins"),
            ("delete = \"single\"", "delete = \"some\"", "some"),
            ("default = \"structure\"", "default = \"much\"", "validation.default"),
            ("default = \"structure\"", "Human = \"base\"", "validation.Human"),
            ("locator = \"on\"", "locator = \"maybe\"", "maybe"),
            ("locator_epsilon = 3.0", "locator_epsilon = 0.0", "locator_epsilon"),
            ("locator_dice = 0.75", "locator_dice = 1.2", "locator_dice"),
            ("soft_deadline_ms = 2000", "soft_deadline_ms = 20000", "soft_deadline_ms"),
            ("\"council-member\"]", "\"service\"]", "passkey_roles"),
            ("\"council-member\"]", "\"chief\"]", "passkey_roles"),
            ("requests_per_second = 200", "requests_per_second = 0", "peers.requests_per_second"),
            ("night = [22, 6]", "night = [22, 24]", "peers.night"),
            ("lake = \"lake\"", "lake = \"../lake\"", "lake"),
            ("patient_council = 0", "patient_council = 101", "research.patient_council"),
            ("\nmail = \"\"", "\nmail = \"nobody\"", "catalog.mail"),
            ("access_body = \"\"", "access_body = \"Body\"", "catalog.access_body"),
            ("country = \"\"", "country = \"a/b\"", "catalog.country"),
        ] {
            let changed = text().replace(from, to);
            assert!(Config::parse(&changed).unwrap_err().contains(expected), "{to}");
        }
    }
}
