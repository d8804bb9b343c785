//! A store without an audit, to measure beside one that has it. No node can be told to be so: this
//! stands around the store of a node that the bench serves itself.

use std::sync::Arc;

use fhirpath::search::Registry;
use store::{
    Committed, Figures, Key, Newest, Pending, Reindex, Restored, SharedStore, Snapshot, Store,
    StoreError, Stored, Transaction, Watch, Write,
};

/// Drops every audit entry on its way.
pub struct Unaudited(pub SharedStore);

impl Store for Unaudited {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.0.snapshot()
    }

    fn read(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.0.read(key)
    }

    fn submit(&self, mut transaction: Transaction) -> Pending {
        let is_entry = |write: &Write| matches!(write, Write::Audit { .. });
        // Whoever reads what was committed counts from the front.
        let front = transaction.writes.iter().take_while(|write| !is_entry(write)).count();
        if transaction.writes.iter().skip(front).all(is_entry) {
            transaction.writes.truncate(front);
            return self.0.submit(transaction);
        }
        let (answer, pending) = Pending::new();
        // The other end waits.
        let _ = answer.send(Err(StoreError::Failed("an audit entry before other writes".into())));
        pending
    }

    fn is_at_hand(&self) -> bool {
        self.0.is_at_hand()
    }

    fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        self.submit(transaction).wait()
    }

    fn restore(&self, part: Restored) -> Result<(), StoreError> {
        self.0.restore(part)
    }

    fn watch(&self) -> Watch {
        self.0.watch()
    }

    fn newest(&self) -> &Newest {
        self.0.newest()
    }

    fn registry(&self) -> Arc<Registry> {
        self.0.registry()
    }

    fn reindex_progress(&self) -> Result<Vec<Reindex>, StoreError> {
        self.0.reindex_progress()
    }

    fn figures(&self) -> Result<Figures, StoreError> {
        self.0.figures()
    }

    fn integrity(&self) -> Result<Vec<String>, StoreError> {
        self.0.integrity()
    }
}
