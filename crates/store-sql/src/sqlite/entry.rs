//! An audit entry on its way to the writer. Its leaf is a hash over the hashes of its lines, of which the
//! store stamps the first alone: the others are hashed by whoever brings the entry, not by the one writer.

use crypto::entry::{Unfinished, leaf_of};
use crypto::merkle::Hash;

use super::bodies::{is_marked, stamped};

/// An audit entry without number and time of its version.
pub(super) struct Entry {
    text: String,
    /// What is known of its leaf; `None` where all of it depends on the stamp.
    leaf: Option<Unfinished>,
}

impl Entry {
    /// An entry whose first line will be stamped.
    pub(super) fn new(text: String) -> Self {
        let leaf = Unfinished::new(&text);
        Self { text, leaf }
    }

    /// Its leaf as this version.
    pub(super) fn leaf(&self, version: u64, ms: i64) -> Hash {
        match (&self.leaf, self.text.split_once('\n')) {
            (Some(leaf), Some((first, _))) if is_marked(first) => {
                leaf.leaf(stamped(first.to_owned(), version, ms).as_bytes())
            }
            _ => leaf_of(stamped(self.text.clone(), version, ms).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bodies::unstamped_entry;
    use super::*;

    #[test]
    fn the_leaf_is_that_of_the_text_as_it_is_read() {
        let salted = format!("\n{},\n\"action\":\"R\"}}", crypto::entry::salt_line(&[3; 32]));
        for rest in [salted.as_str(), "\"action\":\"R\"}", "\n\"action\":\"R\"}"] {
            let text = unstamped_entry(&format!("{}{rest}", store::AUDIT_START), "e-1");
            let whole = stamped(text.clone(), 7, 1_700_000_000_000);
            assert!(whole.contains("\"versionId\":\"7\""), "{whole}");
            assert_eq!(Entry::new(text).leaf(7, 1_700_000_000_000), leaf_of(whole.as_bytes()));
        }
    }
}
