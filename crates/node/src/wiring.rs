//! Puts a node together from its folder.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use app::records::validate::{Enforced, Validation};
use app::services::{Clock, Random};
use app::{App, Organisation, Services, Settings};
use crypto::{Random as _, SystemRandom};
use federation::notify::{Allowed, Mail, Postman};
use federation::{Limits, Network, Outbox, Peers};
use store::SharedStore;
use wire::{Founders, OrgId};

use crate::config::Config;
use crate::keys::ring::{BOX, Ring};
use crate::keys::{self, Keys};
use crate::rekey::Pages;
use crate::stores::Location;
use crate::{members, packages};

/// What can go wrong while a node is put together, for a person at a terminal.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A node ready to serve.
pub struct Node {
    /// Its configuration.
    pub config: Config,
    /// Its use cases.
    pub app: App,
    /// Who it is in the network.
    pub identity: Arc<federation::Identity>,
    /// The membership list in force.
    pub network: Network,
    /// Who carries notifications of subscriptions.
    pub postman: Arc<Postman>,
    /// What encrypts its store anew when there is a new key; `None` where the store is not encrypted.
    pub pages: Option<Pages>,
    /// The terminology in its folder.
    pub shelf: crate::terminology::Shelf,
    /// Its folder.
    pub folder: std::path::PathBuf,
}

/// The system clock, in milliseconds since the Unix epoch.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// The operating system's random numbers. Without them nothing can be done safely, so the
/// process ends where they fail.
pub fn system_random() -> Random {
    Arc::new(|buffer| {
        if SystemRandom.fill(buffer).is_err() {
            tracing::error!("the operating system gives no random numbers");
            std::process::abort();
        }
    })
}

/// A node's place in its network, without its store.
pub struct Place {
    /// Its configuration.
    pub config: Config,
    /// Who it is in the network.
    pub identity: Arc<federation::Identity>,
    /// The membership list in force.
    pub network: Network,
    /// The other nodes.
    pub peers: Peers,
    /// Encrypts second-factor secrets at rest.
    vault: [u8; 32],
}

/// Opens what a node needs to speak to others: configuration, keys and membership list. The node
/// may be running. Call inside a tokio runtime.
pub fn place(folder: &Path, clock: Clock) -> Result<Place, Fault> {
    let config = Config::read(folder)?;
    let founders: Founders = config.council_key.parse()?;
    let own = OrgId::new(&config.organisation)?;
    let lists = members::chain(folder, &founders)?;
    let network = Network::open_chain(&lists, founders, own.clone(), clock.clone())?;
    let list = network.list();
    let keys = members::with_next_keys(folder, &list, &own)?;
    let Some(member) = list.member(&own) else {
        // A network that one key signs has no way to apply.
        if list.governance.is_none() {
            return Err(format!("the membership list does not name `{own}`").into());
        }
        tracing::warn!(
            network = %list.network,
            "this node is no member of the network yet; apply with `consilium network apply`"
        );
        return joined(config, keys, own, network, clock);
    };
    if !member.signing_keys(clock()).contains(&keys.assertion.public_key()) {
        tracing::warn!("the membership list names other keys for this node; nobody will answer it");
    }
    joined(config, keys, own, network, clock)
}

fn joined(
    config: Config,
    keys: Keys,
    own: OrgId,
    network: Network,
    clock: Clock,
) -> Result<Place, Fault> {
    let identity = Arc::new(federation::Identity::new(own, keys.assertion, keys.tls)?);
    let peers = Peers::new(
        identity.clone(),
        network.clone(),
        clock,
        Arc::new(SystemRandom),
        Limits::default(),
    );
    Ok(Place { config, identity, network, peers, vault: keys.vault })
}

/// Opens the node in `folder`: configuration, keys, membership list and store.
pub fn open(folder: &Path, clock: Clock) -> Result<Node, Fault> {
    open_around(folder, clock, |store| store)
}

/// Opens the node in `folder` with something around its store: for programs that measure or disturb
/// what is between a node and its store.
pub fn open_around(
    folder: &Path,
    clock: Clock,
    around: impl FnOnce(SharedStore) -> SharedStore,
) -> Result<Node, Fault> {
    let Place { config, identity, network, peers, vault } = place(folder, clock.clone())?;
    let random = system_random();
    let location = config.location(folder)?;
    if folder.join("keys").join(BOX).exists()
        && let Some(warning) = location.warning(config.store_disk_encrypted)
    {
        tracing::warn!("{warning}");
    }
    let base = Some(config.fhir_base());
    let (store, pages): (SharedStore, _) = match &location {
        Location::Folder(place) => {
            let (store, key) = place.open(clock.clone(), base)?;
            let pages = key.map(|key| Pages::new(store.clone(), key, folder));
            (store, pages)
        }
        Location::Postgres(_) => (location.open(clock.clone(), base)?, None),
    };
    let store = around(store);
    let lake =
        config.lake(folder).map(|at| app::lake::Place::new(at, &vault, Arc::new(SystemRandom)));
    let vault = identity::NodeKey::new(&vault)?;
    let accounts = identity::Accounts::new(store.clone(), vault, Arc::new(SystemRandom));
    let accounts = identity::Sessions::new(accounts, identity::Settings::default())?;
    let accounts = match identity::Site::new(
        config.base_url.trim_end_matches('/'),
        &config.name,
        &config.roles_with_passkeys()?,
    ) {
        Ok(site) => accounts.with_passkeys(site),
        Err(reason) => {
            tracing::warn!(%reason, base_url = %config.base_url, "there are no passkeys");
            accounts
        }
    };
    let outbox = Arc::new(Outbox::open(store.clone())?);
    let packages = packages::read(folder)?;
    let validation = validation_of(&packages, &config)?;
    let allowed = Allowed::new(&config.notify_allowed)?;
    let mail = match config.mail_server.as_str() {
        "" => None,
        server => Some(Mail::new(server, &config.mail_from)?),
    };
    let rules = app::notify::Rules {
        allowed: allowed.clone(),
        mail: mail.is_some(),
        mail_content: config.mail_content,
    };
    let postman = Arc::new(Postman::new(allowed, mail)?);
    let app = App::new(Services {
        org: Organisation {
            id: config.organisation.clone(),
            name: config.name.clone(),
            base_url: config.base_url.trim_end_matches('/').to_owned(),
        },
        store,
        identity: accounts,
        providers: crate::providers::providers(folder, &config)?,
        policy: policy::Engine::new()?,
        matching: matching::Model::standard()?,
        peers,
        network: network.clone(),
        outbox,
        validation,
        id_key: {
            let keys = folder.join("keys");
            Arc::new(move || keys::openid(&keys).map_err(|e| e.to_string()))
        },
        udap: crate::udap::community(folder, &config)?,
        shred: {
            let keys = folder.join("keys");
            Arc::new(move |patient| match keys.join(BOX).exists() {
                true => Ring::destroy_unit(&keys, patient).map_err(|e| e.to_string()),
                false => Ok(false),
            })
        },
        settings: Settings {
            consent: config.defaults(),
            labelling: config.labelling(),
            common_agreement: config.common_agreement(),
            break_glass: config.break_glass,
            soft_deadline_ms: config.soft_deadline_ms,
            hard_deadline_ms: config.hard_deadline_ms,
            locator: config.locating()?,
            rest: config.rest(),
            notify: rules,
            conduct: config.peers.conduct(),
            proxies: config.proxies.rules()?,
            research: config.research_consent,
            cohorts: config.cohorts.rules()?,
            catalog: config.catalog.rules()?,
            patient_council: config.research.patient_council,
        },
        jobs: app::jobs::Options {
            at_once: config.jobs_at_once,
            keep_ms: i64::from(config.jobs_keep_hours) * 60 * 60 * 1000,
            file_rows: config.jobs_file_rows,
            allowed: Allowed::new(&config.import_allowed)?,
            keys: Ring::open(&folder.join("keys"))?.map(|ring| {
                let random = Arc::new(SystemRandom);
                Arc::new(app::jobs::folder::Keys::new(ring.file_keys(), random))
            }),
            ..app::jobs::Options::new(folder.join("jobs"))
        },
        lake: lake.transpose()?,
        clock,
        random,
    });
    let mut shelf = crate::terminology::Shelf::new(folder, &packages);
    if let Some(layers) = shelf.read()? {
        app.terminology().load(layers);
    }
    // Cuts and lists that were decided hold before any door opens.
    tokio::task::block_in_place(|| -> Result<(), Fault> {
        app::governance::start(&app).map_err(|e| e.message)?;
        members::obey(&app, folder);
        Ok(())
    })?;
    let folder = folder.to_owned();
    Ok(Node { config, app, identity, network, postman, pages, shelf, folder })
}

/// What content is validated with: the profiles of the packages in the node's folder, and what the
/// configuration enforces.
fn validation_of(packages: &[validation::Package], config: &Config) -> Result<Validation, Fault> {
    let validator = validation::Validator::new(packages)?;
    let (default, by_type) = config.enforced()?;
    for (resource_type, enforced) in &by_type {
        if let Enforced::Profile(url) = enforced
            && !validator.knows(url)
        {
            return Err(format!(
                "`validation.{resource_type}` names the profile `{url}`, which is not known; load \
                 its package with `consilium package load`"
            )
            .into());
        }
    }
    Ok(Validation { validator, default, by_type })
}
