//! What a node is made of, as the use cases see it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir::Id;
use serde_json::{Value, json};
use store::{Pending, SharedStore, Transaction};
use tokio::sync::watch;

use crate::audit::Event;
use crate::audit::ledger::Ledger;
use crate::authorise::withheld::Keeper;
use crate::jobs::Jobs;
use crate::records::page::Pages;
use crate::terminology::Shelf;
use crate::{Error, Kind, Result, notify};

/// The institution that runs this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Short id, `north` for example.
    pub id: String,
    /// Name to show.
    pub name: String,
    /// Where people and programs reach the node, without a trailing slash.
    pub base_url: String,
}

/// The time in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;
/// Fills a buffer with unpredictable bytes.
pub type Random = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Destroys the key under which backups seal a patient's data. Returns whether there was one.
pub type Shred = Arc<dyn Fn(&Id) -> std::result::Result<bool, String> + Send + Sync>;

/// Rules that the operator sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What holds where a patient has decided nothing, and what may be known of what is withheld.
    pub consent: policy::consent::Defaults,
    /// How records are labelled when they are used.
    pub labelling: policy::labels::Labelling,
    /// What all members of the network have agreed on; empty where only signed agreements count.
    pub common_agreement: Vec<policy::agreement::Clause>,
    /// Whether clinicians may break the glass at this node.
    pub break_glass: bool,
    /// When the answer to a reader is complete enough to show without the slow ones.
    pub soft_deadline_ms: u64,
    /// When the slow ones are given up.
    pub hard_deadline_ms: u64,
    /// What subscribers may have.
    pub notify: notify::Rules,
    /// How patients are located.
    pub locator: crate::locator::Rules,
    /// What the standard leaves to a server.
    pub rest: Rest,
    /// Until when parents act for their children, and what is kept from them before.
    pub proxies: crate::proxies::Rules,
    /// From when on a peer's questions are unusual.
    pub conduct: crate::governance::conduct::Rules,
    /// Whether patients are in research who have decided nothing.
    pub research: crate::consent::research::Regime,
    /// What may be learned of the people here by counting cohorts.
    pub cohorts: crate::cohorts::Rules,
    /// How the institution tells of its data.
    pub catalog: crate::catalog::Rules,
    /// Fewest members of the patient council who have to agree to a project; 0 where none has to.
    pub patient_council: u32,
}

/// Choices that FHIR REST leaves to a server.
#[derive(Clone, Debug, Default)]
pub struct Rest {
    /// What a conditional deletion may remove.
    pub conditional_delete: ConditionalDelete,
    /// Whether references to resources of this node must lead somewhere.
    pub referential_integrity: bool,
    /// Origins whose pages may call the API from a browser (`*` for all); none by default.
    pub cors_origins: Vec<String>,
}

/// What a conditional deletion may remove (FHIR R4, conditional-delete-status).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConditionalDelete {
    /// One resource; several matches are refused.
    #[default]
    Single,
    /// Everything that matches.
    Multiple,
}

/// Everything a node is wired from.
pub struct Services {
    /// The institution.
    pub org: Organisation,
    /// Its store.
    pub store: SharedStore,
    /// Accounts and sessions.
    pub identity: identity::Sessions,
    /// Outside providers through which people may sign in.
    pub providers: identity::Providers,
    /// Role, purpose and relation.
    pub policy: policy::Engine,
    /// Weights of the patient matcher.
    pub matching: matching::Model,
    /// The other nodes.
    pub peers: federation::Peers,
    /// The membership list in force.
    pub network: federation::Network,
    /// Messages that must arrive.
    pub outbox: Arc<federation::Outbox>,
    /// What content is validated with.
    pub validation: crate::records::validate::Validation,
    /// Where the key of ID tokens comes from.
    pub id_key: crate::apps::KeySource,
    /// The community whose programs may register themselves, where the operator trusts one.
    pub udap: Option<crate::apps::udap::Community>,
    /// What makes a patient's data in backups unreadable.
    pub shred: Shred,
    /// Rules.
    pub settings: Settings,
    /// How long work is done.
    pub jobs: crate::jobs::Options,
    /// Where the lake is; `None` keeps none.
    pub lake: Option<crate::lake::Place>,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub random: Random,
}

/// A running node.
#[derive(Clone)]
pub struct App(Arc<dyn Parts>);

/// What a node consists of, behind a trait: that all of it may be used by several threads is proved here, once. A
/// compiler that saw the parts would prove it anew for each future that holds an [`App`], thousands of times.
trait Parts: Send + Sync {
    fn parts(&self) -> &Inner;
}

impl Parts for Inner {
    fn parts(&self) -> &Inner {
        self
    }
}

struct Inner {
    services: Services,
    pages: Pages,
    terminology: Shelf,
    jobs: Jobs,
    apps: crate::apps::State,
    proposals: crate::consent::point_of_care::Waiting,
    notify: notify::Hub,
    ledger: Ledger,
    withheld: Keeper,
    participation: crate::consent::research::Keeper,
    proxies: crate::proxies::Desk,
    locator: crate::locator::State,
    agreements: crate::agreements::Shelf,
    governance: crate::governance::State,
    projects: crate::projects::Held,
    catalogue: crate::catalog::State,
    programs: crate::programs::State,
    rounds: crate::rounds::State,
    lake: crate::lake::State,
    cohorts: crate::cohorts::State,
    answering: watch::Sender<bool>,
    listening: watch::Sender<bool>,
}

impl App {
    /// Puts a node together.
    pub fn new(mut services: Services) -> Self {
        let lake = crate::lake::State::new(services.lake.take());
        let pages = Pages::default();
        let jobs = Jobs::new(services.jobs.clone());
        crate::bulk::register(&jobs);
        crate::views::register(&jobs);
        crate::extracts::register(&jobs);
        let answering = watch::Sender::new(true);
        let listening = watch::Sender::new(false);
        let terminology = Shelf::default();
        let notify = notify::Hub::default();
        let apps = crate::apps::State::default();
        let ledger = Ledger::default();
        let locator = crate::locator::State::default();
        let agreements = crate::agreements::Shelf::default();
        let governance = crate::governance::State::default();
        let inner = Inner {
            services,
            pages,
            terminology,
            jobs,
            apps,
            proposals: Default::default(),
            notify,
            ledger,
            withheld: Keeper::default(),
            participation: crate::consent::research::Keeper::default(),
            proxies: crate::proxies::Desk::default(),
            locator,
            agreements,
            governance,
            projects: crate::projects::Held::default(),
            catalogue: crate::catalog::State::default(),
            programs: crate::programs::State::default(),
            rounds: crate::rounds::State::default(),
            lake,
            cohorts: crate::cohorts::State::default(),
            answering,
            listening,
        };
        Self(Arc::new(inner))
    }

    /// Destroys the key under which backups seal a patient's data. Returns whether there was one.
    pub(crate) fn shred(&self, patient: &Id) -> Result<bool> {
        (self.0.parts().services.shred)(patient).map_err(Error::internal)
    }

    /// The institution.
    pub fn org(&self) -> &Organisation {
        &self.0.parts().services.org
    }

    /// What content is validated with.
    pub fn validation(&self) -> &crate::records::validate::Validation {
        &self.0.parts().services.validation
    }

    /// Research projects, as far as they are held.
    pub(crate) fn projects(&self) -> &crate::projects::Held {
        &self.0.parts().projects
    }

    /// What is known of the data sets of others.
    pub(crate) fn catalogue(&self) -> &crate::catalog::State {
        &self.0.parts().catalogue
    }

    /// Researchers' own programs while they run.
    pub(crate) fn programs(&self) -> &crate::programs::State {
        &self.0.parts().programs
    }

    /// Questions over many institutions.
    pub fn rounds(&self) -> &crate::rounds::State {
        &self.0.parts().rounds
    }

    /// Tables over the records.
    pub(crate) fn lake(&self) -> &crate::lake::State {
        &self.0.parts().lake
    }

    /// People as cohorts count them.
    pub(crate) fn cohorts(&self) -> &crate::cohorts::State {
        &self.0.parts().cohorts
    }

    /// The store. Calls block.
    pub fn store(&self) -> &SharedStore {
        &self.0.parts().services.store
    }

    /// Accounts and sessions. Calls block.
    pub fn identity(&self) -> &identity::Sessions {
        &self.0.parts().services.identity
    }

    /// Outside providers through which people may sign in.
    pub(crate) fn providers(&self) -> &identity::Providers {
        &self.0.parts().services.providers
    }

    /// The policy engine.
    pub fn policy(&self) -> &policy::Engine {
        &self.0.parts().services.policy
    }

    /// The matcher's weights.
    pub fn matching(&self) -> &matching::Model {
        &self.0.parts().services.matching
    }

    /// The other nodes.
    pub fn peers(&self) -> &federation::Peers {
        &self.0.parts().services.peers
    }

    /// The membership list in force.
    pub fn network(&self) -> &federation::Network {
        &self.0.parts().services.network
    }

    /// Where people and programs reach a member's node; empty for an unknown one.
    pub fn base_url_of(&self, org: &str) -> String {
        let members = self.network().others();
        let member = members.into_iter().find(|member| member.id.as_str() == org);
        member.map(|member| member.web_url).unwrap_or_default()
    }

    /// Messages that must arrive.
    pub fn outbox(&self) -> &Arc<federation::Outbox> {
        &self.0.parts().services.outbox
    }

    /// Rules.
    pub fn settings(&self) -> &Settings {
        &self.0.parts().services.settings
    }

    /// Lists of search results that are being paged.
    pub fn pages(&self) -> &Pages {
        &self.0.parts().pages
    }

    /// What the node knows of terminology. [`crate::terminology`] has the questions.
    pub fn terminology(&self) -> &Shelf {
        &self.0.parts().terminology
    }

    /// Long work.
    pub fn jobs(&self) -> &Jobs {
        &self.0.parts().jobs
    }

    /// Apps that wait for a person's decision, and the key of ID tokens.
    pub(crate) fn apps(&self) -> &crate::apps::State {
        &self.0.parts().apps
    }

    /// Consents that wait for a patient who is there.
    pub fn proposals(&self) -> &crate::consent::point_of_care::Waiting {
        &self.0.parts().proposals
    }

    /// Where the key of ID tokens comes from.
    pub(crate) fn id_key(&self) -> &crate::apps::KeySource {
        &self.0.parts().services.id_key
    }

    /// The community whose programs may register themselves (UDAP).
    pub(crate) fn udap(&self) -> Option<&crate::apps::udap::Community> {
        self.0.parts().services.udap.as_ref()
    }

    /// The websockets of subscribers.
    pub fn notify(&self) -> &notify::Hub {
        &self.0.parts().notify
    }

    /// The audit log's tree.
    pub fn ledger(&self) -> &Ledger {
        &self.0.parts().ledger
    }

    /// What patients keep from single people of this institution.
    pub(crate) fn proxies(&self) -> &crate::proxies::Desk {
        &self.0.parts().proxies
    }

    /// What patients keep from people of this institution.
    pub(crate) fn withheld(&self) -> &Keeper {
        &self.0.parts().withheld
    }

    /// Who is in research.
    pub(crate) fn participation(&self) -> &crate::consent::research::Keeper {
        &self.0.parts().participation
    }

    /// What is known of the locators.
    pub(crate) fn locator(&self) -> &crate::locator::State {
        &self.0.parts().locator
    }

    /// What this node knows of agreements. [`crate::agreements`] has the questions.
    pub(crate) fn agreements(&self) -> &crate::agreements::Shelf {
        &self.0.parts().agreements
    }

    /// The network's own affairs. [`crate::governance`] has the use cases.
    pub(crate) fn governance(&self) -> &crate::governance::State {
        &self.0.parts().governance
    }

    /// Whether this node answers and asks other nodes; the operator may stop it for maintenance.
    pub fn answering(&self) -> &watch::Sender<bool> {
        &self.0.parts().answering
    }

    /// Whether the door for other nodes is open at this moment; set by whoever serves it.
    pub fn listening(&self) -> &watch::Sender<bool> {
        &self.0.parts().listening
    }

    /// Now, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        (self.0.parts().services.clock)()
    }

    /// A new logical id: a UUID of version 7, so that ids made one after the other lie together.
    pub fn new_id(&self) -> Id {
        let mut random = [0; 10];
        (self.0.parts().services.random)(&mut random);
        let now = u64::try_from(self.now_ms()).unwrap_or_default();
        let uuid = uuid::Builder::from_unix_timestamp_millis(now, &random).into_uuid();
        // A UUID in its usual form is a FHIR id, so the second branch is never taken.
        Id::new(uuid.to_string()).unwrap_or_else(|_| fallback_id(&random))
    }

    /// Fills a buffer with unpredictable bytes.
    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        (self.0.parts().services.random)(bytes);
    }

    /// A new unguessable token of 256 bits.
    pub fn new_token(&self) -> String {
        let mut random = [0; 32];
        (self.0.parts().services.random)(&mut random);
        URL_SAFE_NO_PAD.encode(random)
    }

    /// A new secret of 256 bits.
    pub fn new_secret(&self) -> [u8; 32] {
        let mut random = [0; 32];
        (self.0.parts().services.random)(&mut random);
        random
    }

    /// `Organization/<id>` with its name, for agents and custodians.
    pub fn organisation_reference(&self) -> Value {
        json!({"reference": format!("Organization/{}", self.org().id), "display": self.org().name})
    }

    /// Commits one audit entry by itself: for what changes nothing else. If it cannot be written,
    /// the caller must not go on.
    pub fn audit(&self, event: Event<'_>) -> Result<()> {
        self.begin_audit(event)?.wait()?;
        Ok(())
    }

    /// The same without waiting: what the entry is about must not leave before it is done.
    pub fn begin_audit(&self, event: Event<'_>) -> Result<Pending> {
        let transaction = Transaction { writes: vec![event.write(self)?], ..Default::default() };
        Ok(self.store().submit(transaction))
    }

    /// Runs a short use case that waits for nothing but the store: here and now where the store
    /// is at hand, off the async threads elsewhere. Handing work over and back takes longer than
    /// a point read.
    pub async fn run_short<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.store().is_at_hand() { work(self) } else { self.run(work).await }
    }

    /// Runs a blocking use case off the async threads.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = self.clone();
        tokio::task::spawn_blocking(move || work(&app))
            .await
            .unwrap_or_else(|_| Err(Error::new(Kind::Internal, "a use case did not finish")))
    }
}

fn fallback_id(random: &[u8; 10]) -> Id {
    let hex: String = random.iter().map(|b| format!("{b:02x}")).collect();
    Id::new(hex).unwrap_or_else(|_| fallback_id(&[0; 10]))
}
