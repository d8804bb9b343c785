//! Hospitals that run: folders, keys, membership list, patients, accounts and doors, as an
//! operator would make them.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use app::App;
use app::records::import::Import;
use consilium_node::config::{self, sample};
use consilium_node::keys::Keys;
use consilium_node::serve::{Running, start};
use consilium_node::wiring::{Node, open, system_clock};
use crypto::{SigningKey, SystemRandom};
use fhir::Id;
use identity::{NewAccount, Password, Role, base32};
use synthetic::{Options, Person, Site, World, sites};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;
use tokio::task::block_in_place;
use wire::{Council, Membership, OrgId};

use crate::client::{Account, Client};

/// The change that leaves the record locator on.
pub const LOCATOR: (&str, &str) = ("locator = \"on\"", "locator = \"on\"");

/// How long a node that was stopped may hold its store.
const LET_GO: Duration = Duration::from_secs(60);

/// Puts further files into a node's folder, which is given with the node's address.
pub type Prepared<'a> = &'a (dyn Fn(&Path, &str) + Send + Sync);

/// How hospitals are set up.
pub struct Setup<'a> {
    pub hospitals: usize,
    pub patients: usize,
    /// Changes to the sample configuration: text and its replacement.
    pub config: &'static [(&'static str, &'static str)],
    pub clock: app::services::Clock,
    /// What is put into each folder before the node opens it.
    pub prepared: Option<Prepared<'a>>,
    /// Places of hospitals whose doors stay closed and that do nothing by themselves: tests act for
    /// them with their keys.
    pub silent: &'static [usize],
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self {
            hospitals: 3,
            patients: 12,
            config: &[],
            clock: system_clock(),
            prepared: None,
            silent: &[],
        }
    }
}

/// One hospital.
pub struct Hospital {
    pub org: String,
    pub name: String,
    pub base: String,
    pub app: App,
}

/// Hospitals that know each other.
pub struct Hospitals {
    pub all: Vec<Hospital>,
    pub world: World,
    pub clock: app::services::Clock,
    // Dropped in this order: the nodes end before their folders go.
    running: Vec<Running>,
    silent: Vec<Node>,
    folder: tempfile::TempDir,
}

/// The runtime on which all nodes and tests of this process run.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        // Whoever is first decides; it is the same provider either way.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
    })
}

/// Runs a test.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    runtime().block_on(test)
}

/// The three hospitals that tests share. Tests use patients and accounts of their own there.
pub async fn shared() -> &'static Hospitals {
    static SHARED: OnceCell<Hospitals> = OnceCell::const_new();
    SHARED.get_or_init(|| Hospitals::start(Setup::default())).await
}

impl Hospitals {
    pub async fn start(setup: Setup<'_>) -> Self {
        let folder = home();
        let sites = sites(setup.hospitals);
        prepare(folder.path(), &sites, setup.config);
        let now_ms = system_clock()();
        let options = Options { seed: 7, patients: setup.patients, sites: &sites, now_ms };
        let world = synthetic::generate(&options);
        let (mut all, mut running, mut silent) = (Vec::new(), Vec::new(), Vec::new());
        for (place, site) in sites.iter().enumerate() {
            let home = folder.path().join(&site.org);
            if let Some(prepared) = setup.prepared {
                let config = std::fs::read_to_string(home.join(config::FILE)).expect("a file");
                let base = config.split("base_url = \"").nth(1).expect("an address");
                prepared(&home, base.split('"').next().expect("an address"));
            }
            let node = block_in_place(|| {
                let node = open(&home, setup.clock.clone()).expect("the node opens");
                fill(&node.app, &site.org, &world);
                node
            });
            let (app, site) = (node.app.clone(), site.clone());
            match setup.silent.contains(&place) {
                true => silent.push(node),
                false => running.push(start(node).await.expect("the node starts")),
            }
            let base = app.org().base_url.clone();
            all.push(Hospital { org: site.org, name: site.name, base, app });
        }
        let hospitals = Self { all, world, clock: setup.clock, running, silent, folder };
        if setup.silent.is_empty() {
            hospitals.know_each_other().await;
        }
        hospitals
    }

    /// Until nobody is taken to be away who had not started yet when the others looked for them.
    async fn know_each_other(&self) {
        let is_apart = |hospital: &Hospital| {
            hospital.app.peers().figures().iter().any(|peer| peer.failing_fast)
        };
        while self.all.iter().any(is_apart) {
            tokio::task::yield_now().await;
        }
    }

    /// People known to `count` hospitals, the first left out who has a story.
    pub fn known_to(&self, count: usize) -> Vec<&Person> {
        self.world.persons.iter().skip(1).filter(|person| person.at.len() == count).collect()
    }

    /// The person with a story, known to the first three hospitals.
    pub fn story(&self) -> &Person {
        self.world.story().expect("a story")
    }

    /// The folder of a hospital.
    pub fn home(&self, hospital: &Hospital) -> PathBuf {
        self.folder.path().join(&hospital.org)
    }

    /// Stops all nodes. Their folders are removed when the returned value is dropped.
    pub async fn stop(self) -> tempfile::TempDir {
        for running in self.running {
            running.stop().await;
        }
        drop(self.silent);
        self.folder
    }
}

/// Opens a node again as soon as the one that was stopped there has let go of its store, which it does when
/// the last work that it began has ended.
pub async fn open_again(home: &Path, clock: app::services::Clock) -> Node {
    let since = Instant::now();
    loop {
        match block_in_place(|| open(home, clock.clone())) {
            Ok(node) => return node,
            Err(error) => {
                let is_held = error.to_string().contains("is open already");
                assert!(is_held && since.elapsed() < LET_GO, "{error}");
            }
        }
        tokio::task::yield_now().await;
    }
}

/// The use cases of one hospital whose doors are closed, and its folder.
pub fn idle(clock: app::services::Clock) -> (App, tempfile::TempDir) {
    let folder = home();
    let sites = sites(1);
    prepare(folder.path(), &sites, &[]);
    let home = folder.path().join(&sites[0].org);
    (block_in_place(|| open(&home, clock).expect("the node opens")).app, folder)
}

impl Hospital {
    /// Makes an account of its own for a test.
    pub fn account(&self, role: Role, patient: Option<&str>) -> Account {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let accounts = self.app.identity().accounts();
        let secret = accounts.new_totp_secret().expect("a secret");
        let account = Account {
            username: format!("{}{number}", role.code()),
            password: format!("a long password {number}"),
            secret: base32(secret.reveal()),
        };
        let new = NewAccount {
            username: account.username.clone(),
            display_name: format!("{} No. {number}", role.code()),
            role,
            patient: patient.map(|id| Id::new(id).expect("an id")),
            practitioner: None,
            password: Password::plain(account.password.clone()),
            totp_secret: Some(secret),
        };
        let made = block_in_place(|| accounts.create(new, self.app.now_ms()));
        made.expect("the account is made");
        account
    }

    /// A new account, signed in with both factors.
    pub async fn signed_in(&self, role: Role) -> Client {
        let account = self.account(role, None);
        Client::sign_in(&self.base, &account, Some(self.app.now_ms())).await
    }

    /// A new account of a patient, signed in with both factors.
    pub async fn patient(&self, id: &str) -> Client {
        let account = self.account(Role::Patient, Some(id));
        Client::sign_in(&self.base, &account, Some(self.app.now_ms())).await
    }

    /// Everybody's program that is not signed in.
    pub fn stranger(&self) -> Client {
        Client::stranger(&self.base)
    }
}

/// A folder below the build's own for temporary files. One that an ended test process left is
/// removed, because what tests share is never dropped.
fn home() -> tempfile::TempDir {
    static PROCESS: OnceLock<PathBuf> = OnceLock::new();
    let process = PROCESS.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hospitals");
        std::fs::create_dir_all(&all).expect("a folder");
        for old in std::fs::read_dir(&all).expect("a folder").flatten() {
            let runs = Path::new("/proc").join(old.file_name()).exists();
            if !runs {
                // Another process may be removing it too.
                let _ = std::fs::remove_dir_all(old.path());
            }
        }
        let own = all.join(std::process::id().to_string());
        std::fs::create_dir_all(&own).expect("a folder");
        own
    });
    tempfile::tempdir_in(process).expect("a folder")
}

/// A free port below those that the system gives to clients, so that none takes it meanwhile.
fn address() -> SocketAddr {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| {
        let spread = u16::try_from(std::process::id() % 1000).unwrap_or_default();
        AtomicU16::new(20_000 + spread * 12)
    });
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], next.fetch_add(1, Ordering::Relaxed)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// Makes folders, keys, configurations and the signed membership list.
fn prepare(folder: &Path, sites: &[Site], changes: &[(&str, &str)]) {
    let council = SigningKey::generate(&SystemRandom).expect("a key");
    let mut members = Vec::new();
    for site in sites {
        let home = folder.join(&site.org);
        let keys = Keys::create(&home.join("keys")).expect("keys");
        let (people, nodes) = (address(), address());
        let council = council.public_key().to_string();
        let mut config = sample(&site.org, &site.name, people, nodes, &council);
        // What is registered in a test is asked for at once, before it is published; the tests of the
        // locator say that they want it.
        if !changes.iter().any(|(from, _)| *from == LOCATOR.0) {
            config = config.replace("locator = \"on\"", "locator = \"off\"");
        }
        for (from, to) in changes {
            assert!(config.contains(from), "the configuration has `{from}`");
            config = config.replace(from, to);
        }
        std::fs::write(home.join(config::FILE), config).expect("a file");
        let org = OrgId::new(&site.org).expect("an organisation");
        let identity = federation::Identity::new(org, keys.assertion, keys.tls).expect("identity");
        let (nodes, people) = (format!("https://{nodes}"), format!("http://{people}"));
        members.push(identity.member(&site.name, &nodes, &people));
    }
    let now = system_clock()();
    let list = Membership::first("whole-path", now, now + 60 * 24 * 60 * 60 * 1000, members);
    let seats = list.members.iter().map(|member| member.id.clone()).collect();
    let list = list.with_council(Council::of(seats));
    let signed = list.sign(&council).expect("a signature").to_json();
    for site in sites {
        std::fs::write(folder.join(&site.org).join("membership.json"), &signed).expect("a file");
    }
}

/// Imports a hospital's share.
fn fill(app: &App, org: &str, world: &World) {
    let own = world.persons.iter().filter_map(|person| person.at.get(org));
    let mut texts: Vec<&String> = world.shared.iter().collect();
    texts.extend(own.flat_map(|known| &known.resources));
    for piece in texts.chunks(400) {
        let lines = piece.iter().map(|text| text.as_bytes().to_vec()).collect();
        let report = Import::new(app).take_lines("test", lines).expect("the import is taken");
        assert_eq!(report.refused, [], "every resource is taken");
    }
}

/// What each hospital was given of a person, but for the Patient: `Type/id` and the text.
pub fn dealt(person: &Person) -> BTreeMap<String, String> {
    let texts = person.at.values().flat_map(|known| known.resources.iter().skip(1));
    texts
        .map(|text| {
            let resource = fhir::Resource::parse(text.clone()).expect("a resource");
            let id = resource.id().expect("an id");
            (format!("{}/{id}", resource.type_name()), text.clone())
        })
        .collect()
}

/// A clock that stands still until tests turn it forward.
pub fn still() -> (app::services::Clock, Arc<AtomicU64>) {
    let ahead = Arc::new(AtomicU64::new(0));
    let (shared, begun) = (ahead.clone(), system_clock()());
    let clock = move || begun + i64::try_from(shared.load(Ordering::SeqCst)).unwrap_or(0);
    (Arc::new(clock), ahead)
}

/// A clock that tests turn forward.
pub fn clock() -> (app::services::Clock, Arc<AtomicU64>) {
    let ahead = Arc::new(AtomicU64::new(0));
    let (shared, system) = (ahead.clone(), system_clock());
    let clock = move || system() + i64::try_from(shared.load(Ordering::SeqCst)).unwrap_or(0);
    (Arc::new(clock), ahead)
}
