//! What can go wrong that is nobody's fault who signs in.

use store::StoreError;

/// The node itself could not do its part.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The store failed.
    #[error("the account store could not be used")]
    Store(#[from] StoreError),
    /// No random bytes were to be had.
    #[error("random bytes could not be had")]
    Random(#[from] crypto::RandomFault),
    /// A stored record cannot be read.
    #[error("the stored {0} record cannot be read")]
    Record(&'static str),
    /// A one-time-code secret cannot be opened: the node key is not the one it was sealed with.
    #[error("the one-time-code secret cannot be opened; check the node key")]
    Sealed,
    /// Password hashing failed.
    #[error("the password could not be hashed")]
    Hash,
    /// Others kept changing the same record.
    #[error("the record keeps changing; try again")]
    Contended,
}
