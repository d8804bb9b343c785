//! What a store of resources promises, without saying how.
//!
//! * [`Store`] takes [`Transaction`]s (all or nothing, durable when acknowledged) and hands out
//!   [`Snapshot`]s (one consistent, unchanging view).
//! * Every version ever written has one [`Seq`], monotonic over the whole store: the change feed,
//!   the paging of search results and the audit log all stand on it.
//! * [`memory`] is the plain implementation and the oracle; [`suite`] is what every backend passes,
//!   [`rules`] what every backend checks before it writes.
//!
//! To page through a search, call [`Snapshot::find`] once with `all`, keep the sequence numbers it
//! returns, and [`Snapshot::load`] a slice of them for each page, from any later snapshot: only
//! [`Write::Forget`] takes versions away, so the pages stay what they were while the store moves on.

pub mod copy;
pub mod digest;
pub mod examine;
pub mod memory;
mod newest;
pub mod query;
pub mod rules;
pub mod suite;

use std::sync::Arc;

use fhir::{Id, Resource};
use fhirpath::search::Registry;
use query::{Include, Query};

pub use newest::Newest;

/// Position of one version in the order of all writes of a store, from 1.
pub type Seq = u64;

/// Type and logical id of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// One of the resource types of FHIR R4.
    pub resource_type: &'static str,
    /// The logical id.
    pub id: Id,
}

/// How a version came to be, as history shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Created under an id that the server chose.
    Post,
    /// Created or updated under an id that the client named.
    Put,
    /// Deleted.
    Delete,
}

/// One version as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Which resource.
    pub key: Key,
    /// Its version, from 1.
    pub version: u64,
    /// Where this version stands among all writes.
    pub seq: Seq,
    /// When it was committed, in milliseconds since the Unix epoch; never decreases with `seq`.
    pub last_updated_ms: i64,
    /// How it came to be.
    pub method: Method,
    /// The JSON text in its final form, `id` and `meta` included; empty for a deletion.
    pub text: String,
}

/// What must be true of a resource's current version for a write to go ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Any,
    /// There is none, or it is deleted.
    Absent,
    /// It has exactly this version and is not deleted.
    Version(u64),
}

/// How the text of an audit entry starts that is handed over unread.
pub const AUDIT_START: &str = r#"{"resourceType":"AuditEvent","#;

/// One change of one resource.
#[derive(Clone, Debug)]
pub enum Write {
    /// Stores a new version. The store sets `id`, `meta.versionId` and `meta.lastUpdated`.
    /// An `AuditEvent` may be created, and joins the audit log; it can never be changed.
    Put {
        /// Under which id.
        key: Key,
        /// The content.
        resource: Resource,
        /// What must hold of the current version.
        expect: Expect,
        /// [`Method::Post`] or [`Method::Put`].
        method: Method,
    },
    /// Adds an audit entry that the program itself has made. Who makes it answers for its form: a
    /// store may index it without reading it first. See [`Write::read`].
    Audit {
        /// Under which id; the type is `AuditEvent`.
        key: Key,
        /// An `AuditEvent` that starts with [`AUDIT_START`] and has neither `id` nor `meta`.
        text: String,
    },
    /// Records a deletion; nothing happens where there is nothing to delete.
    Delete {
        /// Which resource.
        key: Key,
        /// What must hold of the current version.
        expect: Expect,
    },
    /// Removes earlier versions for good, text and all; the newest version stays, whatever it is.
    /// Nothing of an `AuditEvent` can be removed. It makes no version of its own. The numbers of
    /// removed versions are never used again.
    Forget {
        /// Which resource.
        key: Key,
        /// Versions with a lower number than this go; `u64::MAX` for all but the newest.
        below: u64,
    },
}

impl Write {
    /// Which resource it is about.
    pub fn key(&self) -> &Key {
        let (Write::Put { key, .. }
        | Write::Audit { key, .. }
        | Write::Delete { key, .. }
        | Write::Forget { key, .. }) = self;
        key
    }

    /// The same with an audit entry read: as [`Write::Put`]. For stores that have no shorter way.
    pub fn read(self) -> Result<Self, StoreError> {
        let Write::Audit { key, text } = self else { return Ok(self) };
        let resource = Resource::parse(text)
            .map_err(|error| StoreError::Failed(format!("an audit entry is faulty: {error}")))?;
        Ok(Write::Put { key, resource, expect: Expect::Absent, method: Method::Post })
    }
}

/// Versions and side values of another store, exactly as they were there: a part of a copy or of
/// a backup.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Versions by ascending number, all newer than what the store holds.
    pub versions: Vec<Stored>,
    /// Side values: namespace, key, and value or `None` where it is to be removed.
    pub side: Vec<(String, Vec<u8>, Option<Vec<u8>>)>,
}

/// A condition on the whole store, checked inside the write.
#[derive(Clone, Debug)]
pub enum Guard {
    /// The search still finds exactly these resources (conditional create and friends).
    Found {
        /// The search.
        query: Query,
        /// What it must find, in any order.
        keys: Vec<Key>,
    },
    /// A side value is still what it was when the caller read it.
    Side {
        /// Namespace.
        space: &'static str,
        /// Key.
        key: Vec<u8>,
        /// The value, or `None` for absent.
        value: Option<Vec<u8>>,
    },
}

/// A change of state that is not FHIR (see `docs/state.md`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideWrite {
    /// Namespace, one per owner: `accounts`, `sessions`, `outbox`.
    pub space: &'static str,
    /// Key within the namespace.
    pub key: Vec<u8>,
    /// The new value; `None` removes the key.
    pub value: Option<Vec<u8>>,
}

/// Changes that take effect together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// Conditions, checked first.
    pub guards: Vec<Guard>,
    /// Changes of resources, in order.
    pub writes: Vec<Write>,
    /// Changes of side values.
    pub side: Vec<SideWrite>,
}

/// What a committed transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// One per write: the version that now stands. `None` for a deletion of nothing and where
    /// versions were forgotten.
    pub versions: Vec<Option<Version>>,
}

/// Where a write ended up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Which resource.
    pub key: Key,
    /// Its new version.
    pub version: u64,
    /// Its place in the order of writes.
    pub seq: Seq,
    /// Commit time, milliseconds since the Unix epoch.
    pub last_updated_ms: i64,
    /// Whether the resource did not exist (or was deleted) before.
    pub created: bool,
}

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An [`Expect`] did not hold.
    #[error("`{}/{}` has changed since it was read", .key.resource_type, .key.id)]
    Conflict {
        /// Which resource.
        key: Key,
        /// The version that stands, `None` when absent or deleted.
        current: Option<u64>,
    },
    /// A [`Guard`] did not hold.
    #[error("the store has changed since it was read")]
    GuardFailed,
    /// An update or deletion of an `AuditEvent`.
    #[error("an audit entry cannot be changed or removed")]
    AuditImmutable,
    /// The search would need more than the store is willing to hold.
    #[error("the search matches more than {limit} resources; narrow it")]
    TooCostly {
        /// The limit that was passed.
        limit: usize,
    },
    /// Too many writes are waiting.
    #[error("too many writes are waiting; try again shortly")]
    Busy,
    /// The medium failed; nothing was acknowledged.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// One entry of the change feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place.
    pub seq: Seq,
    /// Which resource.
    pub key: Key,
    /// Which version of it.
    pub version: u64,
    /// What was done.
    pub method: Method,
}

/// Which part of history is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryOf {
    /// One resource.
    Instance(Key),
    /// All resources of one type.
    Type(&'static str),
    /// Everything.
    System,
}

/// One entry of the audit log as a leaf of its Merkle tree (RFC 6962, see `crypto::merkle`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLeaf {
    /// Number in the log, from 1.
    pub number: u64,
    /// Which version holds the entry.
    pub seq: Seq,
    /// `SHA-256(0x00 ‖ text of the entry)`.
    pub hash: [u8; 32],
}

/// Key and value of a side value.
pub type SideValue = (Vec<u8>, Vec<u8>);

/// A change feed reader's wake-up call.
pub type Watch = tokio::sync::watch::Receiver<Seq>;

/// A place to keep resources. Calls block on the medium; run them off the async threads.
pub trait Store: Send + Sync + 'static {
    /// A consistent view of everything committed so far.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// The current version of one resource, as a snapshot of this moment would show it.
    fn read(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.snapshot()?.read(key)
    }

    /// Queues a transaction. The receiver yields once it is durable or refused. Transactions
    /// that are queued together share one flush to disk.
    fn submit(&self, transaction: Transaction) -> Pending;

    /// Whether a short read and a submission would at this moment wait for nobody, so that they
    /// need no thread that may block. A store on another machine is never so.
    fn is_at_hand(&self) -> bool {
        false
    }

    /// Commits and waits.
    fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        self.submit(transaction).wait()
    }

    /// Takes in versions of another store as they were there, with their numbers and times, and
    /// continues the audit log with the entries among them. All or nothing, and durable when it
    /// returns. For copies and backups only: a store that is in use is changed by
    /// [`Store::submit`].
    fn restore(&self, part: Restored) -> Result<(), StoreError>;

    /// Tells of every new highest sequence number.
    fn watch(&self) -> Watch;

    /// The newest versions of some kinds.
    fn newest(&self) -> &Newest;

    /// The search parameters as they are now: the published ones and every active SearchParameter
    /// that the store holds.
    fn registry(&self) -> Arc<Registry>;

    /// How far resources are indexed by SearchParameters that were added; empty where nothing is
    /// left to do. Searches by them are right meanwhile, but slower.
    fn reindex_progress(&self) -> Result<Vec<Reindex>, StoreError>;

    /// Figures for the operator.
    fn figures(&self) -> Result<Figures, StoreError>;

    /// Checks the medium itself (not the audit log); returns what is wrong.
    fn integrity(&self) -> Result<Vec<String>, StoreError>;
}

/// A store that is shared between tasks.
pub type SharedStore = Arc<dyn Store>;

/// A transaction on its way.
#[derive(Debug)]
pub struct Pending(tokio::sync::oneshot::Receiver<Result<Committed, StoreError>>);

impl Pending {
    /// A pending transaction and the end by which the store answers it.
    pub fn new() -> (tokio::sync::oneshot::Sender<Result<Committed, StoreError>>, Self) {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        (sender, Self(receiver))
    }

    /// Waits on a thread that may block.
    pub fn wait(self) -> Result<Committed, StoreError> {
        self.0.blocking_recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Waits in a task.
    pub async fn done(self) -> Result<Committed, StoreError> {
        self.0.await.unwrap_or_else(|_| Err(closed()))
    }
}

fn closed() -> StoreError {
    StoreError::Failed("the store is closed".into())
}

/// How far resources are indexed by a parameter that was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reindex {
    /// Canonical address of the SearchParameter; empty for the index of words.
    pub url: String,
    /// The name used in a search.
    pub code: String,
    /// The type of the resources.
    pub resource_type: &'static str,
    /// Resources of the type that have been looked at.
    pub done: u64,
    /// Resources of the type.
    pub total: u64,
}

/// Sizes and counts of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Resources that are not deleted.
    pub resources: u64,
    /// Versions, deletions included.
    pub versions: u64,
    /// Bytes on disk, write-ahead log included; 0 in memory.
    pub bytes: u64,
    /// The highest sequence number.
    pub seq: Seq,
    /// Writes that wait for the disk.
    pub queued: u64,
}

/// One unchanging view, but for one thing: before the index of audit entries is asked, it may move on
/// to a later moment, at which that index is complete.
pub trait Snapshot: Send {
    /// The highest sequence number it shows.
    fn seq(&self) -> Seq;

    /// The current version, which may be a deletion; `None` where there never was one.
    fn read(&self, key: &Key) -> Result<Option<Stored>, StoreError>;

    /// One version of a resource.
    fn vread(&self, key: &Key, version: u64) -> Result<Option<Stored>, StoreError>;

    /// Versions, newest first, older than `before` (exclusive; `Seq::MAX` for the newest), at
    /// most `limit`, not older than `since_ms`.
    fn history(
        &self,
        of: &HistoryOf,
        before: Seq,
        since_ms: i64,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError>;

    /// Versions, oldest first, newer than `after` (exclusive; 0 for the oldest), at most `limit`.
    fn history_after(
        &self,
        of: &HistoryOf,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError>;

    /// The versions that match, in the order asked for (by default: as first written). Finding
    /// more than `limit` is [`StoreError::TooCostly`] when `all` is set; otherwise the first
    /// `limit` are returned.
    fn find(&self, query: &Query, limit: usize, all: bool) -> Result<Vec<Seq>, StoreError>;

    /// The first `limit` matches in order, where the store finds them without finding all; `None`
    /// where it does not. [`Snapshot::find`] gives the same.
    fn first(&self, query: &Query, limit: usize) -> Result<Option<Vec<Seq>>, StoreError> {
        let _ = (query, limit);
        Ok(None)
    }

    /// How many match.
    fn count(&self, query: &Query) -> Result<u64, StoreError>;

    /// The resources that `matches` point to or are pointed at by, each once, without `matches`.
    fn include(&self, matches: &[Seq], include: &Include) -> Result<Vec<Seq>, StoreError>;

    /// The current versions of everything in the patient's compartment (FHIR R4
    /// CompartmentDefinition/patient) that is of a `wanted` type, the Patient itself first.
    fn compartment(
        &self,
        patient: &Id,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Seq>, StoreError>;

    /// Whole versions, in the order asked for. Unknown numbers are left out.
    fn load(&self, versions: &[Seq]) -> Result<Vec<Stored>, StoreError>;

    /// Changes after `after`, oldest first.
    fn changes(&self, after: Seq, limit: usize) -> Result<Vec<Change>, StoreError>;

    /// Leaves of the audit log from number `from` on, oldest first.
    fn audit_leaves(&self, from: u64, limit: usize) -> Result<Vec<AuditLeaf>, StoreError>;

    /// The newest leaf of the audit log.
    fn audit_head(&self) -> Result<Option<AuditLeaf>, StoreError>;

    /// The namespaces that hold side values, in order.
    fn side_spaces(&self) -> Result<Vec<String>, StoreError>;

    /// A side value.
    fn side(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Side values whose key starts with `prefix`, in key order, at most `limit`.
    fn side_scan(
        &self,
        space: &str,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<SideValue>, StoreError>;
}
