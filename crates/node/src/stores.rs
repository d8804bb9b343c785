//! Where a node keeps its records: a folder with an SQLite database, or a PostgreSQL.

use std::fmt;
use std::path::{Path, PathBuf};

use app::services::Clock;
use store::{SharedStore, Snapshot, StoreError};
use store_sql::postgres::{self, Place, PostgresStore};
use store_sql::sqlite::{self, SqliteStore};

use crate::config;
use crate::wiring::Fault;

/// One store, opened or not.
#[derive(Clone, Debug)]
pub enum Location {
    /// A folder with an SQLite database.
    Folder(PathBuf),
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
        Ok(Self::Folder(base.join(text)))
    }

    /// What a person names at a terminal: an address, a node's folder, or a store's own folder; and
    /// the address of the node's FHIR service, where a node is named.
    pub fn named(text: &str) -> Result<(Self, Option<String>), Fault> {
        let found = Self::parse(text, Path::new(""))?;
        match &found {
            Self::Folder(folder) if folder.join(config::FILE).is_file() => {
                let config = config::Config::read(folder)?;
                Ok((config.location(folder)?, Some(config.fhir_base())))
            }
            _ => Ok((found, None)),
        }
    }

    /// Opens it for reading and writing, made where it is missing. Only one process can. `base` is
    /// the address of the FHIR service, by which references to it are known; the one that it was
    /// opened with before where there is none.
    pub fn open(&self, clock: Clock, base: Option<String>) -> Result<SharedStore, StoreError> {
        Ok(match self {
            Self::Folder(folder) => {
                SqliteStore::open(folder, sqlite::Options { base, ..sqlite::Options::new(clock) })?
            }
            Self::Postgres(place) => PostgresStore::open(
                place,
                postgres::Options { base, ..postgres::Options::new(clock) },
            )?,
        })
    }

    /// A snapshot for reading only, also while a node writes to it.
    pub fn open_read_only(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        match self {
            Self::Folder(folder) => sqlite::open_read_only(folder),
            Self::Postgres(place) => postgres::open_read_only(place),
        }
    }

    /// Checks the medium itself, also while a node writes to it; returns what is wrong.
    pub fn faults(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Folder(folder) => sqlite::faults(folder),
            Self::Postgres(place) => postgres::faults(place),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "`{}`", folder.display()),
            Self::Postgres(place) => write!(f, "{place}"),
        }
    }
}
