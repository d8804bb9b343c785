//! The receiver's side of durable delivery: each delivery takes effect once.
//!
//! The sender repeats a delivery until it has a receipt. [`admit`] tells whether one was taken
//! before; if not, it gives the guards and side writes that belong into the same transaction as its
//! effect. For each peer the last [`REMEMBERED`] ids are kept. Deliveries of one peer come in order
//! and only the one at the head of its queue is repeated, so that is far more than is needed.

use store::{Guard, SideWrite, Snapshot, StoreError};
use wire::OrgId;

/// The namespace of side values.
pub const SPACE: &str = "inbox";
/// How many ids are kept for each peer.
pub const REMEMBERED: u64 = 10_000;

/// What to do with a delivery.
#[derive(Debug)]
pub enum Admission {
    /// It took effect before: answer with the receipt only.
    Duplicate,
    /// It is new: commit its effect together with these. Where the commit fails because a guard
    /// did not hold, ask again.
    New {
        /// To be checked inside the write.
        guards: Vec<Guard>,
        /// To be written with the effect.
        side: Vec<SideWrite>,
    },
}

/// Looks up whether the delivery `id` of `peer` was taken before, as `snapshot` shows it.
pub fn admit(snapshot: &dyn Snapshot, peer: &OrgId, id: &str) -> Result<Admission, StoreError> {
    let taken = key(peer, b'i', id.as_bytes());
    if snapshot.side(SPACE, &taken)?.is_some() {
        return Ok(Admission::Duplicate);
    }
    // The count is guarded, so that of two copies that arrive at once only one is committed.
    let count_key = key(peer, b'n', b"");
    let before = snapshot.side(SPACE, &count_key)?;
    let count = before.as_deref().map_or(0, number);
    let put = |key: Vec<u8>, value: Vec<u8>| SideWrite { space: SPACE, key, value: Some(value) };
    let remove = |key: Vec<u8>| SideWrite { space: SPACE, key, value: None };
    let order = |number: u64| key(peer, b'o', &number.to_be_bytes());
    let mut side = vec![
        put(taken, count.to_be_bytes().to_vec()),
        put(order(count), id.as_bytes().to_vec()),
        put(count_key.clone(), (count + 1).to_be_bytes().to_vec()),
    ];
    if let Some(oldest) = count.checked_sub(REMEMBERED)
        && let Some(oldest_id) = snapshot.side(SPACE, &order(oldest))?
    {
        side.push(remove(key(peer, b'i', &oldest_id)));
        side.push(remove(order(oldest)));
    }
    let guards = vec![Guard::Side { space: SPACE, key: count_key, value: before }];
    Ok(Admission::New { guards, side })
}

/// `peer ‖ 0 ‖ kind ‖ rest`; an organisation id holds no zero byte.
fn key(peer: &OrgId, kind: u8, rest: &[u8]) -> Vec<u8> {
    [peer.as_str().as_bytes(), &[0, kind], rest].concat()
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}
