//! Signed notes (C2SP signed-note v1.0): a text and Ed25519 signatures over it, as lines.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::hash::{hex, sha256_of_parts};
use crate::{CryptoError, PublicKey, Signature, SigningKey};

/// Longest note that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// Most signatures of a note.
pub const MAX_SIGNATURES: usize = 128;

/// A text and who signed it. Nothing of it is to be believed before a signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text, its last newline included.
    pub text: String,
    /// Signatures, verified or not.
    pub signatures: Vec<NoteSignature>,
}

/// One signature of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// Which key of that name, see [`key_id`].
    pub id: [u8; 4],
    /// What its algorithm makes.
    pub bytes: Vec<u8>,
}

/// What a signature is over (the types that C2SP signed-note assigns).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureType {
    /// The text of the note.
    Ed25519 = 1,
    /// The text of a checkpoint and a time (C2SP tlog-cosignature, `cosignature/v1`).
    Cosignature = 4,
}

/// Why a note cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is no note.
    #[error("the text is no signed note")]
    Form,
    /// It is longer than [`MAX_BYTES`] or has more than [`MAX_SIGNATURES`].
    #[error("the signed note is too long")]
    TooLong,
    /// The key did not sign it.
    #[error("the note is not signed by the key that was expected")]
    NotSigned,
    /// It has a signature of the key that does not match.
    #[error("a signature of the note does not match")]
    BadSignature,
    /// A name that cannot be one.
    #[error("the name of a key is empty, or has spaces or `+` in it")]
    Name,
}

/// By what a key is told from others of its name.
pub fn key_id(name: &str, kind: SignatureType, key: &PublicKey) -> [u8; 4] {
    let hash = sha256_of_parts(&[name.as_bytes(), b"\n", &[kind as u8], key.as_bytes()]);
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// A key as verifiers are told of it: `name+id+base64(type ‖ key)`.
pub fn verifier_key(name: &str, kind: SignatureType, key: &PublicKey) -> String {
    let mut material = vec![kind as u8];
    material.extend_from_slice(key.as_bytes());
    format!("{name}+{}+{}", hex(&key_id(name, kind, key)), STANDARD.encode(material))
}

/// Reads what [`verifier_key`] writes; the name, the kind and the key.
pub fn read_verifier_key(text: &str) -> Option<(String, SignatureType, PublicKey)> {
    let (name, rest) = text.split_once('+')?;
    let (id, material) = rest.split_once('+')?;
    let material = STANDARD.decode(material).ok()?;
    let (kind, key) = material.split_first()?;
    let kind = match kind {
        1 => SignatureType::Ed25519,
        4 => SignatureType::Cosignature,
        _ => return None,
    };
    let key = PublicKey::from_bytes(key.try_into().ok()?);
    let same = check_name(name).is_ok() && hex(&key_id(name, kind, &key)) == id;
    same.then(|| (name.to_owned(), kind, key))
}

impl Note {
    /// Signs `text`, which ends with a newline.
    pub fn sign(text: String, name: &str, key: &SigningKey) -> Result<Self, NoteError> {
        check_name(name)?;
        if !is_text(&text) || text.len() > MAX_BYTES {
            return Err(NoteError::Form);
        }
        let bytes = signature(key, text.as_bytes())?;
        let id = key_id(name, SignatureType::Ed25519, &key.public_key());
        Ok(Self { text, signatures: vec![NoteSignature { name: name.to_owned(), id, bytes }] })
    }

    /// Reads a note, verifying nothing.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_BYTES {
            return Err(NoteError::TooLong);
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, lines) = (note.get(..=at), note.get(at + 2..));
        let (text, lines) = text.zip(lines).ok_or(NoteError::Form)?;
        if !is_text(text) || !is_text(lines) {
            return Err(NoteError::Form);
        }
        if lines.lines().count() > MAX_SIGNATURES {
            return Err(NoteError::TooLong);
        }
        let signatures = lines.lines().map(NoteSignature::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// Checks that `key` signed the text under `name`. A signature of that key that does not match
    /// is an error even beside one that does.
    pub fn verify(&self, name: &str, key: &PublicKey) -> Result<(), NoteError> {
        let id = key_id(name, SignatureType::Ed25519, key);
        let mut signed = false;
        for signature in self.of(name, id) {
            matches(key, self.text.as_bytes(), &signature.bytes)?;
            signed = true;
        }
        if signed { Ok(()) } else { Err(NoteError::NotSigned) }
    }

    /// The signatures of one key.
    pub fn of(&self, name: &str, id: [u8; 4]) -> impl Iterator<Item = &NoteSignature> {
        self.signatures.iter().filter(move |one| one.name == name && one.id == id)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    /// Reads one line, without its newline.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let rest = line.strip_prefix("— ").ok_or(NoteError::Form)?;
        let (name, encoded) = rest.split_once(' ').ok_or(NoteError::Form)?;
        check_name(name)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Form)?;
        let (id, rest) = bytes.split_first_chunk::<4>().ok_or(NoteError::Form)?;
        Ok(Self { name: name.to_owned(), id: *id, bytes: rest.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "— {} {}", self.name, STANDARD.encode([&self.id, self.bytes.as_slice()].concat()))
    }
}

/// Signs `message`; the 64 bytes of the signature.
pub(crate) fn signature(key: &SigningKey, message: &[u8]) -> Result<Vec<u8>, NoteError> {
    let signature = key.sign(message).map_err(|_: CryptoError| NoteError::BadSignature)?;
    Ok(signature.as_bytes().to_vec())
}

/// Checks a signature of 64 bytes.
pub(crate) fn matches(key: &PublicKey, message: &[u8], bytes: &[u8]) -> Result<(), NoteError> {
    let signature = bytes.try_into().map_err(|_| NoteError::BadSignature)?;
    key.verify(message, &Signature::from_bytes(signature)).map_err(|_| NoteError::BadSignature)
}

pub(crate) fn check_name(name: &str) -> Result<(), NoteError> {
    let bad = |c: char| c.is_whitespace() || c == '+' || c.is_ascii_control();
    if name.is_empty() || name.chars().any(bad) { Err(NoteError::Name) } else { Ok(()) }
}

/// Whether it may stand in a note: lines without other control characters.
fn is_text(text: &str) -> bool {
    text.ends_with('\n') && !text.chars().any(|c| c.is_ascii_control() && c != '\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of the specification.
    const KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const NOTE: &str = "This is an example message.\n\n\
        — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXm\
        RKuwHjG1Yu72IneyaQM=\n";

    #[test]
    fn agrees_with_the_published_example() {
        let (name, kind, key) = read_verifier_key(KEY).unwrap();
        assert_eq!((name.as_str(), kind), ("example.com/foo", SignatureType::Ed25519));
        assert_eq!(verifier_key(&name, kind, &key), KEY);
        let note = Note::parse(NOTE).unwrap();
        assert_eq!(note.text, "This is an example message.\n");
        assert_eq!(note.verify(&name, &key), Ok(()));
        assert_eq!(note.to_string(), NOTE);
        assert_eq!(note.verify("example.com/bar", &key), Err(NoteError::NotSigned));
        let bent = Note { text: "This is an example massage.\n".into(), ..note };
        assert_eq!(bent.verify(&name, &key), Err(NoteError::BadSignature));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let line = NOTE.lines().last().unwrap();
        for (text, expected) in [
            ("", NoteError::Form),
            ("text\n", NoteError::Form),
            ("text\n\n", NoteError::Form),
            ("text\n\nno dash\n", NoteError::Form),
            ("text\n\n— name !!!\n", NoteError::Form),
            ("text\n\n— name AAA=\n", NoteError::Form),
            ("te\rxt\n\n— name AAAAAA==\n", NoteError::Form),
            ("text\n\n— na+me AAAAAA==\n", NoteError::Name),
        ] {
            assert_eq!(Note::parse(text), Err(expected), "{text:?}");
        }
        let many = format!("text\n\n{}", format!("{line}\n").repeat(MAX_SIGNATURES + 1));
        assert_eq!(Note::parse(&many), Err(NoteError::TooLong));
        assert_eq!(Note::parse(&"x".repeat(MAX_BYTES + 1)), Err(NoteError::TooLong));
        // A bad signature of a known key spoils the note beside a good one.
        let (name, _, key) = read_verifier_key(KEY).unwrap();
        let mut note = Note::parse(NOTE).unwrap();
        let mut bad = note.signatures[0].clone();
        bad.bytes[5] ^= 1;
        note.signatures.push(bad);
        assert_eq!(note.verify(&name, &key), Err(NoteError::BadSignature));
        assert_eq!(read_verifier_key(&KEY.replace("530d903a", "530d903b")), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*(\n\n)?(— [a-z+ ]* [A-Za-z0-9=]*\n)*") {
            if let Ok(note) = Note::parse(&text) {
                prop_assert_eq!(Note::parse(&note.to_string()), Ok(note));
            }
        }
    }
}
