//! Where a node keeps its records: a folder with an SQLite database, or a PostgreSQL.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use app::services::Clock;
use store::{SharedStore, Snapshot, StoreError};
use store_sql::postgres::{self, Place, PostgresStore};
use store_sql::sqlite::{self, Form, PageKey, SqliteStore};

use crate::config;
use crate::wiring::Fault;

/// One store, opened or not.
#[derive(Clone, Debug)]
pub enum Location {
    /// A folder with an SQLite database.
    Folder(Folder),
    /// A schema of a PostgreSQL.
    Postgres(Box<Place>),
}

impl Location {
    /// Reads what a person writes: `postgres://…`, or a folder, which is meant below `base`
    /// unless it is absolute.
    pub fn parse(text: &str, base: &Path) -> Result<Self, StoreError> {
        if Place::is_one(text) {
            return Ok(Self::Postgres(Box::new(Place::parse(text)?)));
        }
        if text.is_empty() || text.contains("://") {
            let reason = "a store is a folder or an address that starts with `postgres://`";
            return Err(StoreError::Failed(reason.into()));
        }
        Ok(Self::Folder(Folder { path: base.join(text), keys: Vec::new(), cache_mb: 0 }))
    }

    /// The same with the keys of its pages, the newest first.
    pub fn with_keys(self, keys: Vec<PageKey>) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(Folder { keys, ..folder }),
            other => other,
        }
    }

    /// The same with this much memory for pages, in MiB; what suits where it is 0.
    pub fn with_cache(self, cache_mb: u32) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(Folder { cache_mb, ..folder }),
            other => other,
        }
    }

    /// What a node that has keys should be told about a store that they do not encrypt: `declared` is
    /// whether its operator has stated that the disk below is encrypted.
    pub fn warning(&self, declared: bool) -> Option<&'static str> {
        let unsealed = matches!(self, Self::Postgres(_)) && !declared;
        unsealed.then_some(
            "the pages of a PostgreSQL are not encrypted by this node: put the server's disk, its \
             logs and its backups on an encrypted medium, then set `store_disk_encrypted = true`",
        )
    }

    /// What a person names at a terminal: an address, a node's folder, or a store's own folder; and
    /// the address of the node's FHIR service, where a node is named.
    pub fn named(text: &str) -> Result<(Self, Option<String>), Fault> {
        let found = Self::parse(text, Path::new(""))?;
        match &found {
            Self::Folder(Folder { path, .. }) if path.join(config::FILE).is_file() => {
                let config = config::Config::read(path)?;
                Ok((config.location(path)?, Some(config.fhir_base())))
            }
            _ => Ok((found, None)),
        }
    }

    /// Opens it for reading and writing, made where it is missing. Only one process can. `base` is
    /// the address of the FHIR service, by which references to it are known; the one that it was
    /// opened with before where there is none.
    pub fn open(&self, clock: Clock, base: Option<String>) -> Result<SharedStore, StoreError> {
        Ok(match self {
            Self::Folder(folder) => folder.open(clock, base)?.0,
            Self::Postgres(place) => PostgresStore::open(
                place,
                postgres::Options { base, ..postgres::Options::new(clock) },
            )?,
        })
    }

    /// A snapshot for reading only, also while a node writes to it.
    pub fn open_read_only(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        match self {
            Self::Folder(folder) => sqlite::open_read_only(&folder.path, folder.key()?.as_ref()),
            Self::Postgres(place) => postgres::open_read_only(place),
        }
    }

    /// Checks the medium itself, also while a node writes to it; returns what is wrong.
    pub fn faults(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Folder(folder) => sqlite::faults(&folder.path, folder.key()?.as_ref()),
            Self::Postgres(place) => postgres::faults(place),
        }
    }
}

/// A folder with an SQLite database, and what opens it.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Keys of its pages, the newest first; none where the node's keys are not in a box.
    pub keys: Vec<PageKey>,
    /// Memory for its pages in MiB; what suits where it is 0.
    pub cache_mb: u32,
}

impl Folder {
    /// Opens it as [`Location::open`] does, and hands out the key that opened it, too.
    pub fn open(
        &self,
        clock: Clock,
        base: Option<String>,
    ) -> Result<(Arc<SqliteStore>, Option<PageKey>), StoreError> {
        let key = self.key()?;
        let mut options = sqlite::Options { base, key: key.clone(), ..sqlite::Options::new(clock) };
        match (self.cache_mb, &key) {
            (0, None) => {}
            (0, Some(_)) => options.cache_mb = sqlite::SEALED_CACHE_MB,
            (stated, _) => options.cache_mb = stated,
        }
        Ok((SqliteStore::open(&self.path, options)?, key))
    }

    /// The key that opens the database: the newest for one that is not there yet, none for one that
    /// is not encrypted.
    pub fn key(&self) -> Result<Option<PageKey>, StoreError> {
        self.mend()?;
        Ok(match (sqlite::form(&self.path)?, self.keys.as_slice()) {
            (Form::Absent, keys) => keys.first().cloned(),
            (Form::Plain, _) => None,
            (Form::Sealed, []) => {
                let reason = format!(
                    "the store in `{}` is encrypted; name the node's folder, whose keys open it",
                    self.path.display()
                );
                return Err(StoreError::Failed(reason));
            }
            (Form::Sealed, [key]) => Some(key.clone()),
            (Form::Sealed, [newest, ..]) => {
                let fits = self.keys.iter().find(|key| sqlite::opens(&self.path, key));
                Some(fits.unwrap_or(newest).clone())
            }
        })
    }

    /// Whether the database is encrypted under the newest key.
    pub fn is_up_to_date(&self) -> Result<bool, StoreError> {
        let newest = self.keys.first().is_some_and(|key| sqlite::opens(&self.path, key));
        Ok(newest && sqlite::form(&self.path)? == Form::Sealed)
    }

    /// Where a copy under the newest key is made.
    pub fn beside(&self) -> PathBuf {
        self.path.with_extension("sealing")
    }

    /// What the store was before such a copy took its place.
    pub fn before(&self) -> PathBuf {
        self.path.with_extension("before")
    }

    /// Ends the exchange of a store and its copy that was interrupted between its two steps.
    fn mend(&self) -> Result<(), StoreError> {
        let (new, old) = (self.beside(), self.before());
        if !self.path.exists() && new.exists() && old.exists() {
            let failed =
                |e: std::io::Error| StoreError::Failed(format!("`{}`: {e}", new.display()));
            fs::rename(&new, &self.path).map_err(failed)?;
        }
        Ok(())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "`{}`", folder.path.display()),
            Self::Postgres(place) => write!(f, "{place}"),
        }
    }
}
