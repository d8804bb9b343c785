//! What can go wrong inside, before it is shown as a [`StoreError`].

use store::StoreError;

/// An error inside the backend.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite failed. Its messages name tables and columns, never values.
    Sql(rusqlite::Error),
    /// What is stored cannot be.
    Corrupt(&'static str),
    /// The answer to the caller.
    Store(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Store(StoreError::Failed(error.to_string()))
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Sql(error) => StoreError::Failed(error.to_string()),
            Fault::Corrupt(what) => StoreError::Failed(format!("the database is damaged: {what}")),
            Fault::Store(error) => error,
        }
    }
}
