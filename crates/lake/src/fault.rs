//! What can go wrong with a lake, in words that hold no content of a record.

use std::io;

use datafusion::arrow::error::ArrowError;
use datafusion::parquet::errors::ParquetError;

/// Why the lake could not do what it was asked. Messages name a rule or a place, never a value.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A view that the lake cannot keep.
    #[error("the view `{name}` cannot be kept: {reason}")]
    View {
        /// The view's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder could not be read or written.
    #[error("the lake's folder: {place}: {kind}")]
    Disk {
        /// What was being done.
        place: &'static str,
        /// The system's word for it.
        kind: io::ErrorKind,
    },
    /// A file does not open: it was changed, or the key is another one.
    #[error("a file of the lake does not open ({0}): the key is another one, or it was changed")]
    Sealed(&'static str),
    /// A file opens and does not say what it should.
    #[error("a file of the lake is broken ({0}); rebuild the lake from the start")]
    Broken(&'static str),
    /// A stated limit was reached.
    #[error("the limit `{0}` of the lake is reached")]
    Limit(&'static str),
}

impl Fault {
    /// A fault of the file system; what does not open is told apart.
    pub(crate) fn disk(place: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| match error.kind() {
            io::ErrorKind::InvalidData => Self::Sealed(place),
            kind => Self::Disk { place, kind },
        }
    }

    pub(crate) fn arrow(place: &'static str) -> impl Fn(ArrowError) -> Self {
        move |_| Self::Broken(place)
    }

    pub(crate) fn parquet(place: &'static str) -> impl Fn(ParquetError) -> Self {
        move |error| match error {
            ParquetError::External(inner) => match inner.downcast_ref::<io::Error>() {
                Some(io) if io.kind() == io::ErrorKind::InvalidData => Self::Sealed(place),
                Some(io) => Self::Disk { place, kind: io.kind() },
                None => Self::Broken(place),
            },
            _ => Self::Broken(place),
        }
    }
}
