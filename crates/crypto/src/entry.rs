//! What the leaf of an audit entry commits to: its lines one by one, so that an entry can be shown
//! with some of them blacked out and still be proved to be in the log.
//!
//! An entry is *salted* where its second line brings a secret of 256 bits ([`salt_line`]). Line `i`
//! then has the salt `sᵢ = SHA-256(0x03 ‖ secret ‖ i)`, cut to 16 bytes, and the commitment
//! `cᵢ = SHA-256(0x02 ‖ sᵢ ‖ line)`, and the leaf is the RFC 6962 leaf over [`HEADER`] and all
//! commitments in their order. Any other text is its own leaf, as it was before there were salts; the
//! two cannot be mistaken for each other, because an entry begins with `{` and the header does not.
//!
//! **Why it binds.** Two sets of lines with one leaf are a collision of SHA-256. **Why it hides.** Of
//! a line that is not shown one sees `SHA-256(0x02 ‖ 128 unknown bits ‖ line)`, so guesses cannot be
//! compared; the salts of shown lines are outputs of SHA-256 on other inputs of the same fixed length
//! and tell nothing about it, SHA-256 taken as a pseudo-random function of the secret. How many lines
//! there are is not hidden. The line with the secret is never shown.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::hash::sha256_of_parts;
use crate::merkle::{Hash, leaf_hash};

/// Begins what the leaf of a salted entry is made from, and an entry that is shown in part.
pub const HEADER: &str = "consilium.health/audit-entry@v1\n";
const SALT_START: &str = "\"extension\":[{\"url\":\"https://consilium.health/fhir/StructureDefinition/audit-salt\",\
     \"valueString\":\"";
const SALT_END: &str = "\"}]";
/// Which line brings the secret, from 0: the one after the first.
const SALT_AT: usize = 1;
/// Most lines of an entry that is shown in part.
pub const MAX_LINES: usize = 10_000;

/// Room for the commitments of an usual entry, in bytes.
const ROOM: usize = 1_024;

/// The salt of one line.
type Salt = [u8; 16];

/// The member of the entry that brings the secret; it stands alone on the second line, after the
/// comma that parts it from what is before.
pub fn salt_line(secret: &[u8; 32]) -> String {
    format!("{SALT_START}{}{SALT_END}", URL_SAFE_NO_PAD.encode(secret))
}

/// The leaf of an entry by its whole text.
pub fn leaf_of(text: &[u8]) -> Hash {
    let Some(secret) = secret_of(text) else { return leaf_hash(text) };
    let mut preimage = HEADER.as_bytes().to_vec();
    commit(&secret, text, 0, &mut preimage);
    leaf_hash(&preimage)
}

/// An entry of which everything but the first line is final: that one gets the number and time of its
/// version when it is written.
#[derive(Debug)]
pub struct Unfinished {
    first: Salt,
    /// What is hashed, from the second commitment on.
    rest: Vec<u8>,
}

impl Unfinished {
    /// Commits to all lines but the first; `None` where the entry is not salted.
    pub fn new(text: &str) -> Option<Self> {
        let secret = secret_of(text.as_bytes())?;
        let mut rest = Vec::with_capacity(ROOM);
        commit(&secret, text.as_bytes(), 1, &mut rest);
        Some(Self { first: salt(&secret, 0), rest })
    }

    /// The leaf of the entry with its first line as it is written.
    pub fn leaf(&self, line: &[u8]) -> Hash {
        let commitment = commitment(&self.first, line);
        leaf_hash(&[HEADER.as_bytes(), commitment.as_slice(), self.rest.as_slice()].concat())
    }
}

/// The leaf of what a proof brings: a whole text, or an entry that is shown in part; `None` for one
/// that begins like the second and is none.
pub fn leaf_of_shown(entry: &[u8]) -> Option<Hash> {
    match entry.starts_with(HEADER.as_bytes()) {
        true => Some(Redacted::parse(std::str::from_utf8(entry).ok()?)?.leaf()),
        false => Some(leaf_of(entry)),
    }
}

/// Whether an entry can be shown in part.
pub fn is_salted(text: &str) -> bool {
    secret_of(text.as_bytes()).is_some()
}

/// An entry of which some lines are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted(Vec<Line>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Shown { salt: Salt, text: String },
    Hidden(Hash),
}

impl Redacted {
    /// Shows the lines of an entry for which `is_shown` holds, never the one with the secret; `None`
    /// where the entry is not salted.
    pub fn of(text: &str, mut is_shown: impl FnMut(usize, &str) -> bool) -> Option<Self> {
        let secret = secret_of(text.as_bytes())?;
        let line = |(at, line): (usize, &str)| {
            let salt = salt(&secret, at);
            match at != SALT_AT && is_shown(at, line) {
                true => Line::Shown { salt, text: line.to_owned() },
                false => Line::Hidden(commitment(&salt, line.as_bytes())),
            }
        };
        Some(Self(text.split('\n').enumerate().map(line).collect()))
    }

    /// Reads what [`fmt::Display`] writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let lines = text.strip_prefix(HEADER)?.strip_suffix('\n')?;
        let read = |line: &str| match line.split_at_checked(2)? {
            ("- ", hash) => Some(Line::Hidden(STANDARD_NO_PAD.decode(hash).ok()?.try_into().ok()?)),
            ("+ ", rest) => {
                let (salt, text) = rest.split_once(' ')?;
                let salt = STANDARD_NO_PAD.decode(salt).ok()?.try_into().ok()?;
                Some(Line::Shown { salt, text: text.to_owned() })
            }
            _ => None,
        };
        let lines: Vec<Line> =
            lines.split('\n').take(MAX_LINES + 1).map(read).collect::<Option<_>>()?;
        (lines.len() <= MAX_LINES).then_some(Self(lines))
    }

    /// The leaf of the whole entry.
    pub fn leaf(&self) -> Hash {
        let mut preimage = HEADER.as_bytes().to_vec();
        for line in &self.0 {
            preimage.extend(match line {
                Line::Shown { salt, text } => commitment(salt, text.as_bytes()),
                Line::Hidden(hash) => *hash,
            });
        }
        leaf_hash(&preimage)
    }

    /// The shown lines as one JSON text. Entries are written so that a hidden line takes whole
    /// members or items with it, the comma before them included.
    pub fn json(&self) -> String {
        let mut json = String::new();
        for line in &self.0 {
            let Line::Shown { text, .. } = line else { continue };
            let first = json.is_empty() || json.ends_with(['{', '[', ',']);
            json.push_str(if first { text.strip_prefix(',').unwrap_or(text) } else { text });
        }
        json
    }

    /// How many lines are hidden.
    pub fn hidden(&self) -> usize {
        self.0.iter().filter(|line| matches!(line, Line::Hidden(_))).count()
    }
}

/// The header, then a line for each line of the entry: `+ salt text` for one that is shown, `- hash`
/// for one that is not.
impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        self.0.iter().try_for_each(|line| match line {
            Line::Shown { salt, text } => writeln!(f, "+ {} {text}", STANDARD_NO_PAD.encode(salt)),
            Line::Hidden(hash) => writeln!(f, "- {}", STANDARD_NO_PAD.encode(hash)),
        })
    }
}

/// Puts the commitments to the lines of `text` from line `from` on behind each other.
fn commit(secret: &[u8; 32], text: &[u8], from: usize, to: &mut Vec<u8>) {
    let (mut rest, mut at) = (Some(text), 0);
    while let Some(text) = rest {
        let (line, behind) =
            match memchr::memchr(b'\n', text).and_then(|end| text.split_at_checked(end)) {
                Some((line, behind)) => (line, behind.get(1..)),
                None => (text, None),
            };
        if at >= from {
            to.extend_from_slice(&commitment(&salt(secret, at), line));
        }
        (rest, at) = (behind, at + 1);
    }
}

fn salt(secret: &[u8; 32], line: usize) -> Salt {
    let whole = sha256_of_parts(&[&[3], secret, &(line as u64).to_be_bytes()]);
    let mut salt = Salt::default();
    salt.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    salt
}

fn commitment(salt: &Salt, line: &[u8]) -> Hash {
    sha256_of_parts(&[&[2], salt, line])
}

/// The secret of a salted entry.
fn secret_of(text: &[u8]) -> Option<[u8; 32]> {
    let after = text.get(memchr::memchr(b'\n', text)? + 1..)?;
    let line = after.get(..memchr::memchr(b'\n', after).unwrap_or(after.len()))?;
    let line = line.strip_prefix(b",").unwrap_or(line);
    let secret = line.strip_prefix(SALT_START.as_bytes())?.strip_suffix(SALT_END.as_bytes())?;
    URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(lines: &[&str]) -> String {
        let salt = format!(",{}", salt_line(&[7; 32]));
        let all: Vec<&str> = std::iter::once("{\"a\":1")
            .chain([salt.as_str()])
            .chain(lines.iter().copied())
            .collect();
        all.join("\n")
    }

    #[test]
    fn an_entry_without_salt_is_its_own_leaf() {
        for text in ["{}", "{\n}", "{\"a\":1\n,\"b\":2}", ""] {
            assert_eq!(leaf_of(text.as_bytes()), leaf_hash(text.as_bytes()), "{text}");
            assert_eq!(Redacted::of(text, |_, _| true), None);
        }
        let salted = entry(&[",\"b\":2}"]);
        assert_ne!(leaf_of(salted.as_bytes()), leaf_hash(salted.as_bytes()));
    }

    #[test]
    fn what_is_shown_reads_as_json_and_the_secret_never_does() {
        let text =
            entry(&[",\"list\":[", "{\"x\":1}", ",{\"y\":2}", "]", ",\"z\":{", "\"q\":1", "}}"]);
        for hide in [vec![], vec![3], vec![4], vec![3, 4], vec![7], vec![3, 4, 7]] {
            let shown = Redacted::of(&text, |at, _| !hide.contains(&at)).unwrap();
            let json: serde_json::Value = serde_json::from_str(&shown.json()).unwrap();
            assert_eq!(json["a"], 1, "{}", shown.json());
            assert!(json.get("extension").is_none());
            assert_eq!(shown.hidden(), hide.len() + 1);
            assert_eq!(shown.leaf(), leaf_of(text.as_bytes()));
            assert_eq!(leaf_of_shown(shown.to_string().as_bytes()), Some(shown.leaf()));
        }
        assert_eq!(leaf_of_shown(format!("{HEADER}? x\n").as_bytes()), None);
    }

    #[test]
    fn the_leaf_waits_for_the_first_line_alone() {
        let text = entry(&[",\"b\":2", ",\"c\":\"\"", "}"]);
        let unfinished = Unfinished::new(&text).unwrap();
        for first in ["{\"a\":1", "{\"a\":1,\"meta\":{\"versionId\":\"1\"}", ""] {
            let whole = text.replacen("{\"a\":1", first, 1);
            assert_eq!(unfinished.leaf(first.as_bytes()), leaf_of(whole.as_bytes()), "{first}");
        }
        assert!(Unfinished::new("{\n}").is_none());
    }

    proptest! {
        #[test]
        fn a_changed_moved_or_missing_line_is_another_leaf(
            lines in prop::collection::hash_set("[a-z]{1,9}", 2..9), hide in any::<u16>(),
            at in any::<prop::sample::Index>()
        ) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let text = entry(&lines);
            let leaf = leaf_of(text.as_bytes());
            let shown = Redacted::of(&text, |at, _| hide >> at & 1 == 0).unwrap();
            prop_assert_eq!(shown.leaf(), leaf);
            prop_assert_eq!(Redacted::parse(&shown.to_string()), Some(shown.clone()));
            // One line of what travels is changed, taken out, or put elsewhere.
            let at = at.index(shown.0.len());
            let mut bent = shown.clone();
            match &mut bent.0[at] {
                Line::Shown { text, .. } => text.push('x'),
                Line::Hidden(hash) => hash[0] ^= 1,
            }
            prop_assert_ne!(bent.leaf(), leaf);
            let mut bent = shown.clone();
            bent.0.remove(at);
            prop_assert_ne!(bent.leaf(), leaf);
            let mut bent = shown.clone();
            bent.0.rotate_left(1);
            prop_assert_ne!(bent.leaf(), leaf);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "consilium.health/audit-entry@v1\n([+-] [A-Za-z0-9+/]{0,44}( .*)?\n){0,4}") {
            if let Some(read) = Redacted::parse(&text) {
                let again = read.to_string();
                prop_assert_eq!(Redacted::parse(&again), Some(read));
            }
        }
    }
}
