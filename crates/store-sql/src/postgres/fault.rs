//! What can go wrong inside, before it is shown as a [`StoreError`].

use store::StoreError;
use tokio_postgres::error::SqlState;

/// An error inside the backend.
#[derive(Debug)]
pub(super) enum Fault {
    /// PostgreSQL or the connection failed.
    Sql(tokio_postgres::Error),
    /// What is stored cannot be.
    Corrupt(&'static str),
    /// The answer to the caller.
    Store(StoreError),
}

impl Fault {
    /// A failure with a sentence of our own.
    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::Store(StoreError::Failed(reason.into()))
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Sql(error) => StoreError::Failed(sentence(&error)),
            Fault::Corrupt(what) => StoreError::Failed(format!("the database is damaged: {what}")),
            Fault::Store(error) => error,
        }
    }
}

/// What PostgreSQL says, without the detail in which it may repeat values.
fn sentence(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) if *db.code() == SqlState::QUERY_CANCELED => {
            "PostgreSQL took too long for this question; narrow it".into()
        }
        Some(db) => format!("PostgreSQL: {} ({})", db.message(), db.code().code()),
        None => {
            let mut text = format!("PostgreSQL: {error}");
            let mut source = std::error::Error::source(error);
            while let Some(inner) = source {
                text = format!("{text}: {inner}");
                source = inner.source();
            }
            text
        }
    }
}
