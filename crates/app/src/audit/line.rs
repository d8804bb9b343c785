//! The proof of one line of a patient's access log: the entry as the patient may see it, its place in
//! the log, and a checkpoint that others have cosigned. It can be checked without this node.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::entry::Redacted;
use crypto::log_proof::LogProof;
use fhir::{Id, Resource};
use store::{Snapshot, Stored};
use wire::{LineProof, Member};

use super::accesses::{Access, Proof, view};
use super::proof;
use super::redact::redact;
use super::witnessed::witnessed;
use crate::{App, Error, Result};

/// What proves lines of this node's log, as one snapshot shows it.
pub struct Prover<'a> {
    app: &'a App,
    snapshot: &'a dyn Snapshot,
    /// The newest cosigned checkpoint, how many entries it covers, and by how many it is cosigned.
    cosigned: Option<(String, u64, usize)>,
}

impl<'a> Prover<'a> {
    /// Looks up the newest checkpoint that others have cosigned.
    pub fn new(app: &'a App, snapshot: &'a dyn Snapshot) -> Result<Self> {
        let note = witnessed(snapshot)?.checkpoint;
        let list = app.network().list();
        let own = list.member(app.network().own());
        let vouched = own.and_then(|own| wire::witness::vouched(&list, own, &note).ok());
        let cosigned = vouched
            .filter(|vouched| !vouched.by.is_empty())
            .map(|vouched| (note, vouched.checkpoint.head().number, vouched.by.len()));
        Ok(Self { app, snapshot, cosigned })
    }

    /// The checkpoint to which the proofs lead; `None` where nobody has cosigned one.
    pub fn checkpoint(&self) -> Option<&str> {
        self.cosigned.as_ref().map(|(note, ..)| note.as_str())
    }

    /// How a line of this node's log stands.
    pub fn state(&self, stored: &Stored) -> Result<Proof> {
        if crypto::entry::is_salted(&stored.text) {
            let number = proof::number(self.snapshot, stored.seq)?;
            return Ok(match (&self.cosigned, number) {
                (Some((_, size, by)), Some(number)) if number <= *size => Proof::Cosigned(*by),
                _ => Proof::Waiting,
            });
        }
        Ok(Proof::Absent)
    }

    /// The proof of a line for `patient`; `None` where there is none yet, or never.
    pub fn prove(&self, stored: &Stored, patient: &Id, reason: bool) -> Result<Option<LineProof>> {
        let Some((_, size, _)) = &self.cosigned else { return Ok(None) };
        let Some(shown) = redact(&stored.text, patient, reason) else { return Ok(None) };
        let number = proof::number(self.snapshot, stored.seq)?;
        let Some(number) = number.filter(|number| number <= size) else { return Ok(None) };
        let path = self.app.ledger().inclusion(self.snapshot, number, *size)?;
        let path = path.iter().map(|hash| STANDARD.encode(hash)).collect();
        Ok(Some(LineProof { index: number - 1, path, entry: shown.to_string() }))
    }
}

/// A proof as a file (C2SP tlog-proof); `None` where a hash is none.
pub fn file(proof: &LineProof, checkpoint: &str) -> Option<LogProof> {
    let hash = |text: &String| STANDARD.decode(text).ok()?.try_into().ok();
    let path = proof.path.iter().map(hash).collect::<Option<Vec<_>>>()?;
    let (entry, checkpoint) = (proof.entry.clone().into_bytes(), checkpoint.to_owned());
    Some(LogProof { entry, index: proof.index, path, checkpoint })
}

/// Checks what the member `log` sent as the proof of a line: that the checkpoint is its own, that the
/// entry is in it, and that the entry says what the line says. Returns by how many others the
/// checkpoint is cosigned.
///
/// Errors: a sentence for the log; what does not hold is never shown as proved.
pub fn check(
    app: &App,
    log: &Member,
    line: &Access,
    sent: &LineProof,
    checkpoint: &str,
) -> std::result::Result<usize, &'static str> {
    let list = app.network().list();
    let vouched = wire::witness::vouched(&list, log, checkpoint);
    let vouched = vouched.map_err(|_| "its checkpoint is not signed as it should be")?;
    let proof = file(sent, checkpoint).ok_or("its path cannot be read")?;
    proof.verify(&vouched.checkpoint.head()).map_err(|_| "it is not in the log")?;
    let shown = Redacted::parse(&sent.entry).ok_or("its entry cannot be read")?;
    let event = Resource::parse(shown.json()).map_err(|_| "its entry is no resource")?;
    let said = view(&event, log.id.as_str()).ok_or("its entry is no access")?;
    match said.is_said_by(line) {
        true => Ok(vouched.by.len()),
        false => Err("its entry says something else"),
    }
}

/// The version of an AuditEvent of this node, if it names `patient`.
pub(super) fn about(snapshot: &dyn Snapshot, id: &Id, patient: &Id) -> Result<Stored> {
    let key = store::Key { resource_type: "AuditEvent", id: id.clone() };
    let stored = snapshot.read(&key)?.ok_or_else(Error::not_found)?;
    let event = crate::records::parse(&stored)?;
    let reference = format!("Patient/{patient}");
    // Who uses their own record is the agent of the entry (BALP, patient portals).
    let within = |list: &str, path: [&str; 2]| {
        event.get(list).is_some_and(|list| {
            list.items().any(|one| one.path(&path).is_some_and(|text| text.is_str(&reference)))
        })
    };
    let names = within("entity", ["what", "reference"]) || within("agent", ["who", "reference"]);
    if names { Ok(stored) } else { Err(Error::not_found()) }
}
