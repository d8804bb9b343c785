//! Keys of the queues: `peer ‖ 0 ‖ sequence`, so that key order is queue order for each peer.

use wire::OrgId;

/// The key of one entry.
pub(super) fn key(peer: &OrgId, sequence: u64) -> Vec<u8> {
    let mut key = prefix(peer);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

/// What all keys of one peer start with. An organisation id holds no zero byte, so `a` does not
/// catch `ab`.
pub(super) fn prefix(peer: &OrgId) -> Vec<u8> {
    let mut prefix = peer.as_str().as_bytes().to_vec();
    prefix.push(0);
    prefix
}

/// Peer and sequence of a key; `None` for anything else.
pub(super) fn read_key(key: &[u8]) -> Option<(OrgId, u64)> {
    let at = key.iter().position(|b| *b == 0)?;
    let (peer, rest) = key.split_at(at);
    let peer = OrgId::new(std::str::from_utf8(peer).ok()?).ok()?;
    let sequence = rest.get(1..)?.try_into().ok().map(u64::from_be_bytes)?;
    Some((peer, sequence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_read_back_and_sort_by_sequence(a in "[a-z0-9-]{1,40}", one: u64, two: u64) {
            let peer = OrgId::new(&a).unwrap();
            prop_assert_eq!(read_key(&key(&peer, one)), Some((peer.clone(), one)));
            prop_assert_eq!(key(&peer, one).cmp(&key(&peer, two)), one.cmp(&two));
            let longer = OrgId::new(&format!("{}x", &a[..a.len().min(39)])).unwrap();
            prop_assert!(!key(&longer, one).starts_with(&prefix(&peer)) || longer == peer);
        }

        #[test]
        fn other_bytes_are_no_key(bytes in prop::collection::vec(any::<u8>(), 0..8)) {
            prop_assert_eq!(read_key(&bytes), None);
        }
    }
}
