//! Where the rows of each resource are.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use datafusion::arrow::array::{Array, FixedSizeBinaryArray, RecordBatch};

use crate::Fault;

/// Rows that stand one behind the other in a part.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub part: u64,
    pub first: u32,
    pub count: u32,
}

/// Keys are hashes already.
#[derive(Default)]
pub(super) struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

/// The index of a table: about 50 bytes of memory for each resource that has rows.
pub(super) type Index = HashMap<u128, Place, BuildHasherDefault<Taken>>;
/// A set of keys.
pub(super) type Keys = std::collections::HashSet<u128, BuildHasherDefault<Taken>>;

/// Calls `found` with each run of rows of one key: the key, its first row in this batch, how many.
pub(super) fn runs(
    batch: &RecordBatch,
    mut found: impl FnMut(u128, u32, u32),
) -> Result<(), Fault> {
    let column = batch.columns().last().map(|column| column.as_any());
    let column = column.and_then(|column| column.downcast_ref::<FixedSizeBinaryArray>());
    let keys = column.ok_or(Fault::Broken("keys"))?;
    let mut open: Option<(u128, u32, u32)> = None;
    for at in 0..keys.len() {
        let key = keys.value(at).first_chunk::<16>().map_or(0, |key| u128::from_be_bytes(*key));
        let row = u32::try_from(at).map_err(|_| Fault::Limit("rows of a part"))?;
        open = match open {
            Some((known, first, count)) if known == key => Some((known, first, count + 1)),
            Some((known, first, count)) => {
                found(known, first, count);
                Some((key, row, 1))
            }
            None => Some((key, row, 1)),
        };
    }
    if let Some((key, first, count)) = open {
        found(key, first, count);
    }
    Ok(())
}
