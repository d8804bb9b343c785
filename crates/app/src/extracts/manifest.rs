//! What an extract consists of: its files with their hashes, and where they come from.

use std::collections::BTreeMap;
use std::io::Read as _;

use crypto::hash::hex;
use fhir::time::instant;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::order::Order;
use crate::bulk::{Part, Plan, place};
use crate::jobs::{Outcome, Run, failed};
use crate::{App, Error};

/// The name of the file.
pub(super) const MANIFEST: &str = "manifest.json";
/// Bytes of a file that are hashed at once.
const CHUNK: usize = 256 * 1024;

/// What an extract has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Patients in it.
    pub patients: usize,
    /// Resources in it.
    pub resources: u64,
    /// Its files, the manifest among them.
    pub files: Vec<MadeFile>,
}

/// One file of an extract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeFile {
    /// Its name.
    pub name: String,
    /// The resource type of its lines, where it has resources.
    pub kind: Option<String>,
    /// Lines of resources.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of its content in hexadecimal digits.
    pub sha256: String,
}

/// Describes the files of resources and the others by their names, and writes the manifest.
pub(super) fn write(
    app: &App,
    run: &Run,
    (order, plan, recipe): (&Order, &Plan, &str),
    parts: &BTreeMap<String, Vec<Part>>,
    others: &[&str],
    patients: usize,
) -> Outcome<Made> {
    let mut files = Vec::new();
    for (kind, part) in parts.iter().flat_map(|(kind, parts)| parts.iter().map(move |p| (kind, p)))
    {
        let (bytes, sha256) = hashed(run, &part.name)?;
        let (name, kind) = (part.name.clone(), Some(kind.clone()));
        files.push(MadeFile { name, kind, count: part.count, bytes, sha256 });
    }
    for name in others {
        let (bytes, sha256) = hashed(run, name)?;
        files.push(MadeFile { name: (*name).to_owned(), kind: None, count: 0, bytes, sha256 });
    }
    let mut made = Made { patients, resources: files.iter().map(|file| file.count).sum(), files };
    let caller = run.caller();
    let document: Value = json!({
        "extract": run.id().as_str(),
        "institution": app.org().id,
        "orderedBy": {"account": caller.user.id, "role": caller.user.role, "purpose": caller.purpose},
        "made": instant(app.now_ms()),
        "project": order.project,
        "purpose": order.purpose,
        "recipe": recipe,
        "sequence": plan.seq,
        "moment": instant(plan.time_ms),
        "patients": made.patients,
        "resources": made.resources,
        "files": made.files,
    });
    let text =
        serde_json::to_string_pretty(&document).map_err(|e| Error::internal(e.to_string()))?;
    put(run, MANIFEST, &text)?;
    let (bytes, sha256) = hashed(run, MANIFEST)?;
    made.files.push(MadeFile { name: MANIFEST.to_owned(), kind: None, count: 0, bytes, sha256 });
    Ok(made)
}

/// Writes a whole file for download; durable on return.
pub(super) fn put(run: &Run, name: &str, text: &str) -> Outcome<()> {
    let written = run.folder().write(&place(name), text.as_bytes());
    Ok(written.map_err(|e| failed("written", &e))?)
}

/// The length of a file for download and the hash of its content.
fn hashed(run: &Run, name: &str) -> Outcome<(u64, String)> {
    let mut input = run.folder().open(&place(name)).map_err(|e| failed("read", &e))?;
    let (mut hash, mut bytes) = (crypto::hash::Sha256::new(), 0);
    let mut piece = vec![0; CHUNK];
    loop {
        run.check()?;
        let read = input.read(&mut piece).map_err(|e| failed("read", &e))?;
        if read == 0 {
            return Ok((bytes, hex(&hash.finish())));
        }
        hash.update(piece.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
}
