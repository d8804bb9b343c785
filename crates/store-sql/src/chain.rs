//! The audit of stores that earlier releases wrote, made into leaves of a Merkle tree.
//!
//! They kept with every entry `SHA-256(hash of the entry before ‖ SHA-256(text))`, with 32 zero bytes
//! before the first. Where such a link holds, its entry gets the hash of its leaf. Where it does not,
//! the hash stays as it is: it belongs to no text, so the verification of the audit names the same
//! entry as before.

use crypto::entry::leaf_of;
use crypto::hash::{sha256, sha256_of_parts};

/// Goes through a chain from its first link.
#[derive(Default)]
pub(crate) struct Chain {
    previous: [u8; 32],
}

impl Chain {
    /// What is to be stored instead of `link`, the hash of the next entry. `text` is `None` where the
    /// entry is gone.
    pub(crate) fn leaf(&mut self, link: [u8; 32], text: Option<&str>) -> [u8; 32] {
        let previous = std::mem::replace(&mut self.previous, link);
        match text {
            Some(text) if chained(&previous, text) == link => leaf_of(text.as_bytes()),
            _ => link,
        }
    }
}

fn chained(previous: &[u8; 32], text: &str) -> [u8; 32] {
    sha256_of_parts(&[previous, &sha256(text.as_bytes())])
}

/// The chain over texts, as earlier releases wrote it.
#[cfg(test)]
pub(crate) fn links(texts: &[&str]) -> Vec<[u8; 32]> {
    let mut hash = [0; 32];
    let mut link = |text: &&str| {
        hash = chained(&hash, text);
        hash
    };
    texts.iter().map(&mut link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_does_not_hold_stays_what_it_is() {
        let texts = ["{}", "{\"a\":1}", "{\"b\":2}", "{\"c\":3}"];
        let links = links(&texts);
        assert_eq!(
            crypto::hash::hex(&links[0]),
            "961af672d320bfb80e482edf9e092930b12b6f10f28ac4913d1d64c49219da68"
        );
        let convert = |texts: [Option<&str>; 4]| {
            let mut chain = Chain::default();
            let all = links.iter().zip(texts);
            all.map(|(link, text)| chain.leaf(*link, text)).collect::<Vec<_>>()
        };
        let leaf = |at: usize| leaf_of(texts[at].as_bytes());
        let whole = convert(texts.map(Some));
        assert_eq!(whole, [leaf(0), leaf(1), leaf(2), leaf(3)]);
        let broken = convert([Some("{}"), Some("{\"a\":2}"), None, Some("{\"c\":3}")]);
        assert_eq!(broken, [leaf(0), links[1], links[2], leaf(3)]);
    }
}
