//! Checkpoints of logs and their cosignatures (C2SP tlog-checkpoint v1.0, tlog-cosignature v1).
//!
//! A checkpoint is a signed note of three lines: the log's origin, its size and its root. A witness
//! that has seen that it only adds to the checkpoint before cosigns it with the time at which it was
//! the newest. The log's key name is its origin.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::merkle::Hash;
use crate::note::{
    MAX_SIGNATURES, NoteError, NoteSignature, SignatureType, key_id, matches, signature,
};
use crate::{Head, Note, PublicKey, SigningKey};

/// What a log says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries it has, and the root over them.
    pub head: Head,
}

/// A checkpoint whose log's signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

/// A cosignature that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Name of the witness.
    pub name: String,
    /// When the witness knew of nothing newer, in seconds since the Unix epoch.
    pub time_s: u64,
}

/// Why a checkpoint cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note or a signature of it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note is about something else.
    #[error("the note is no checkpoint of a log")]
    Form,
    /// It is the checkpoint of another log.
    #[error("the checkpoint is of another log")]
    Origin,
}

/// What a note says as a checkpoint, no signature verified; `None` where it says something else.
pub fn read(note: &str) -> Option<Checkpoint> {
    Checkpoint::parse(&Note::parse(note).ok()?.text)
}

impl Checkpoint {
    /// Reads the text of a note. Lines after the third say nothing to us and are left alone.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        if origin.is_empty() || lines.any(str::is_empty) {
            return None;
        }
        let number = decimal(size)?;
        let hash: Hash = STANDARD.decode(root).ok()?.try_into().ok()?;
        Some(Self { origin: origin.to_owned(), head: Head { number, hash } })
    }

    /// Signs it with the log's key.
    pub fn sign(self, key: &SigningKey) -> Result<SignedCheckpoint, CheckpointError> {
        let note = Note::sign(self.to_string(), &self.origin, key)?;
        Ok(SignedCheckpoint { checkpoint: self, note })
    }
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { number, hash } = &self.head;
        write!(f, "{}\n{number}\n{}\n", self.origin, STANDARD.encode(hash))
    }
}

impl SignedCheckpoint {
    /// Reads a checkpoint of the log `origin` and verifies that its key signed it.
    pub fn open(note: &str, origin: &str, key: &PublicKey) -> Result<Self, CheckpointError> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse(&note.text).ok_or(CheckpointError::Form)?;
        if checkpoint.origin != origin {
            return Err(CheckpointError::Origin);
        }
        note.verify(origin, key)?;
        Ok(Self { checkpoint, note })
    }

    /// What the log says.
    pub fn head(&self) -> Head {
        self.checkpoint.head
    }

    /// Which log.
    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    /// Cosigns it as the witness `name` at `time_s` (seconds since the Unix epoch): the line of the
    /// signature, without its newline. That it is consistent is for the caller to know.
    pub fn cosign(
        &self,
        name: &str,
        key: &SigningKey,
        time_s: u64,
    ) -> Result<String, CheckpointError> {
        crate::note::check_name(name)?;
        let mut bytes = time_s.to_be_bytes().to_vec();
        bytes.extend(signature(key, self.cosigned_text(time_s).as_bytes())?);
        let id = key_id(name, SignatureType::Cosignature, &key.public_key());
        Ok(NoteSignature { name: name.to_owned(), id, bytes }.to_string())
    }

    /// Takes in a witness's cosignature, one line, in place of an earlier one, and returns its time.
    pub fn add(&mut self, line: &str, name: &str, key: &PublicKey) -> Result<u64, CheckpointError> {
        let one = NoteSignature::parse(line.trim_end_matches('\n'))?;
        let id = key_id(name, SignatureType::Cosignature, key);
        if one.name != name || one.id != id {
            return Err(NoteError::NotSigned.into());
        }
        let time_s = self.time_of(&one, key)?;
        self.note.signatures.retain(|other| other.name != name || other.id != id);
        if self.note.signatures.len() >= MAX_SIGNATURES {
            return Err(NoteError::TooLong.into());
        }
        self.note.signatures.push(one);
        Ok(time_s)
    }

    /// The cosignature of a witness; `None` where there is none.
    pub fn cosigned_by(
        &self,
        name: &str,
        key: &PublicKey,
    ) -> Result<Option<Cosigned>, CheckpointError> {
        let mut newest = None;
        for one in self.note.of(name, key_id(name, SignatureType::Cosignature, key)) {
            newest = newest.max(Some(self.time_of(one, key)?));
        }
        Ok(newest.map(|time_s| Cosigned { name: name.to_owned(), time_s }))
    }

    fn time_of(&self, one: &NoteSignature, key: &PublicKey) -> Result<u64, CheckpointError> {
        let bad = CheckpointError::Note(NoteError::BadSignature);
        let (time, signature) = one.bytes.split_first_chunk::<8>().ok_or(bad)?;
        let time_s = u64::from_be_bytes(*time);
        if i64::try_from(time_s).is_err() {
            return Err(bad);
        }
        matches(key, self.cosigned_text(time_s).as_bytes(), signature)?;
        Ok(time_s)
    }

    fn cosigned_text(&self, time_s: u64) -> String {
        format!("cosignature/v1\ntime {time_s}\n{}", self.note.text)
    }
}

/// The whole note.
impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// A number in digits without leading zeroes.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = text == "0" || !text.starts_with('0');
    if digits && plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::empty_root;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_seed(&[byte; 32]).unwrap()
    }

    fn checkpoint(number: u64) -> Checkpoint {
        Checkpoint { origin: "net/north/audit".into(), head: Head { number, hash: [7; 32] } }
    }

    #[test]
    fn the_published_example_is_read() {
        // C2SP tlog-checkpoint.
        let text = "example.com/behind-the-sofa\n20852163\n\
                    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let read = Checkpoint::parse(text).unwrap();
        assert_eq!(
            (read.origin.as_str(), read.head.number),
            ("example.com/behind-the-sofa", 20_852_163)
        );
        assert_eq!(read.to_string(), text);
        for (from, to) in [
            ("20852163", "020852163"),
            ("20852163", "+20852163"),
            ("20852163", "-1"),
            ("20852163", "99999999999999999999"),
            ("example.com/behind-the-sofa", ""),
            ("q2I=\n", "q2I=\n\nmore\n"),
            ("q2I=\n", "q2I="),
            ("CsUYapGGPo4d", "CsUYapGG"),
        ] {
            assert_eq!(Checkpoint::parse(&text.replace(from, to)), None, "{from} as {to}");
        }
        assert!(Checkpoint::parse(&format!("{text}extension\n")).is_some());
    }

    #[test]
    fn only_the_logs_own_key_makes_its_checkpoints() {
        let log = key(1);
        let text = checkpoint(5).sign(&log).unwrap().to_string();
        let open = |text: &str, origin, key: &SigningKey| {
            SignedCheckpoint::open(text, origin, &key.public_key())
        };
        assert_eq!(open(&text, "net/north/audit", &log).unwrap().head().number, 5);
        let not_signed = Err(CheckpointError::Note(NoteError::NotSigned));
        assert_eq!(open(&text, "net/north/audit", &key(2)), not_signed);
        assert_eq!(open(&text, "net/south/audit", &log), Err(CheckpointError::Origin));
        let bent = text.replace("\n5\n", "\n6\n");
        let bad = Err(CheckpointError::Note(NoteError::BadSignature));
        assert_eq!(open(&bent, "net/north/audit", &log), bad);
        let note = Note::sign("hello\n".into(), "net/north/audit", &log).unwrap().to_string();
        assert_eq!(open(&note, "net/north/audit", &log), Err(CheckpointError::Form));
    }

    #[test]
    fn a_cosignature_holds_for_one_witness_one_time_and_one_checkpoint() {
        let (log, witness) = (key(1), key(2));
        let (name, public) = ("net/south", witness.public_key());
        let mut signed = checkpoint(5).sign(&log).unwrap();
        let line = signed.cosign(name, &witness, 1_679_315_147).unwrap();
        assert_eq!(signed.cosigned_by(name, &public), Ok(None));
        assert_eq!(signed.add(&line, name, &public), Ok(1_679_315_147));
        let later = signed.cosign(name, &witness, 1_679_315_148).unwrap();
        assert_eq!(signed.add(&later, name, &public), Ok(1_679_315_148));
        let again = signed.to_string();
        assert_eq!(again.lines().count(), 6, "the later one replaces the earlier one: {again}");
        let again = SignedCheckpoint::open(&again, "net/north/audit", &log.public_key()).unwrap();
        let found = again.cosigned_by(name, &public).unwrap().unwrap();
        assert_eq!(found, Cosigned { name: name.into(), time_s: 1_679_315_148 });
        assert_eq!(again.cosigned_by("net/east", &public), Ok(None));

        let mut other = checkpoint(6).sign(&log).unwrap();
        let bad = Err(CheckpointError::Note(NoteError::BadSignature));
        assert_eq!(other.add(&line, name, &public), bad);
        let not_signed = Err(CheckpointError::Note(NoteError::NotSigned));
        assert_eq!(signed.add(&line, "net/east", &public), not_signed);
        assert_eq!(signed.add(&line, name, &log.public_key()), not_signed);
        // The log's signature is none of a witness, though one key makes both.
        let own = checkpoint(5).sign(&witness).unwrap();
        assert_eq!(own.cosigned_by("net/north/audit", &public), Ok(None));
    }

    #[test]
    fn the_signed_bytes_are_fixed() {
        let head = Head { number: 0, hash: empty_root() };
        let signed = Checkpoint { origin: "net/north/audit".into(), head }.sign(&key(1)).unwrap();
        let line = signed.cosign("net/south", &key(2), 1_700_000_000).unwrap();
        assert_eq!(
            format!("{signed}{line}\n"),
            include_str!("../vectors/checkpoint.txt"),
            "what witnesses hold must stay valid"
        );
    }
}
