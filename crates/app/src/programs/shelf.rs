//! The bytes of programs: taken in from researchers, given to those who decide, fetched from whoever
//! coordinates a project.

use std::collections::BTreeSet;

use sandbox::Program;
use store::{SideWrite, Snapshot, Transaction};
use wire::OrgId;
use wire::research::{MAX_PROGRAM, is_program_hash};

use super::machine::{Held, Stopped};
use super::{RULE, SPACE};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, projects};

/// Most programs that a node keeps. Beyond that, those go that no project names.
pub const MOST: usize = 100;

/// What a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// SHA-256 of its bytes, as 64 hexadecimal digits.
    pub hash: String,
    /// How many bytes it has.
    pub bytes: usize,
    /// What it calls itself.
    pub name: String,
    /// The version that it says it is.
    pub version: String,
    /// The variables that it needs; empty where it works on any.
    pub variables: Vec<String>,
    /// Most rounds that it may ask for.
    pub rounds: u32,
}

/// Takes a program in, so that projects can name it. For researchers with a second factor of the last
/// five minutes. It is compiled and asked what it is; no row is near. Blocks.
///
/// Errors: [`Kind::Invalid`] with the rule of the sandbox that stands against it, [`Kind::TooCostly`]
/// where there are too many.
pub fn upload(app: &App, caller: &Caller, bytes: &[u8]) -> Result<Described> {
    authorise(app, caller, Action::of(policy::Action::Research))?;
    let loaded = app.programs().alone(|held| Ok(held.load(bytes)?));
    let program = match loaded {
        Ok(program) => program,
        Err(stopped) => {
            let note = format!("a program is not taken in: {stopped}");
            app.audit(Event::by(caller, Pattern::Refuse).note(note).refused(RULE))?;
            return Err(stopped.into());
        }
    };
    let event = Event::by(caller, Pattern::Configure);
    keep(
        app,
        program.hash(),
        bytes,
        event.note(format!("takes in a program: {}", program.hash())),
    )?;
    Ok(described(&program, bytes.len()))
}

fn described(program: &Program, bytes: usize) -> Described {
    let said = program.description();
    Described {
        hash: program.hash().to_owned(),
        bytes,
        name: said.name.clone(),
        version: said.version.clone(),
        variables: said.variables.iter().map(|need| need.name.clone()).collect(),
        rounds: said.most_rounds,
    }
}

/// The bytes of a program that is here, for those who may see what is asked. They are somebody else's:
/// look at them with tools that do not run them.
///
/// Errors: [`Kind::NotFound`].
pub fn bytes(app: &App, caller: &Caller, hash: &str) -> Result<Vec<u8>> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    kept(&*app.store().snapshot()?, hash)?.ok_or_else(Error::not_found)
}

/// The bytes of a program, where they are here.
pub(super) fn kept(snapshot: &dyn Snapshot, hash: &str) -> Result<Option<Vec<u8>>> {
    Ok(match is_program_hash(hash) {
        true => snapshot.side(SPACE, &bytes_key(hash))?,
        false => None,
    })
}

/// The program of this hash, compiled.
pub(super) fn loaded(
    app: &App,
    held: &mut Held,
    hash: &str,
) -> std::result::Result<Program, Stopped> {
    if let Some(program) = held.loaded(hash) {
        return Ok(program);
    }
    let snapshot = app.store().snapshot().map_err(|_| Stopped::Unread)?;
    let bytes = kept(&*snapshot, hash).map_err(|_| Stopped::Unread)?.ok_or(Stopped::Absent)?;
    drop(snapshot);
    if sandbox::hash(&bytes) != hash {
        return Err(sandbox::Refused::Hash.into());
    }
    Ok(held.load(&bytes)?)
}

/// The hashes of programs that projects of `coordinator` name and that are not here. Blocks.
pub(crate) fn wanted(app: &App, coordinator: &OrgId) -> Result<Vec<String>> {
    let (own, now) = (app.network().own(), app.now_ms());
    let snapshot = app.store().snapshot()?;
    let mut out = BTreeSet::new();
    for known in projects::all(app)?.iter() {
        let choice = known.decisions.get(own).map(|decision| decision.choice);
        let is_on =
            known.project.until > now && matches!(choice, None | Some(projects::Choice::Approve));
        if !is_on || known.project.coordinator != *coordinator {
            continue;
        }
        for program in &known.project.programs {
            if snapshot.side(SPACE, &here_key(&program.hash))?.is_none() {
                out.insert(program.hash.clone());
            }
        }
    }
    Ok(out.into_iter().collect())
}

/// The bytes of the first of these programs that a project names which this node coordinates and in which
/// `peer` has a part. Blocks.
pub(crate) fn give(app: &App, peer: &OrgId, wanted: &[String]) -> Result<Option<Vec<u8>>> {
    let Some(hash) = wanted.first() else { return Ok(None) };
    let own = app.network().own();
    let names = projects::all(app)?.iter().any(|known| {
        known.project.coordinator == *own
            && known.concerns(peer)
            && known.project.programs.iter().any(|program| program.hash == *hash)
    });
    if names { kept(&*app.store().snapshot()?, hash) } else { Ok(None) }
}

/// Takes in the bytes that `coordinator` gave for a hash. Whatever they are, they are nothing but bytes until
/// somebody approves them. Blocks.
///
/// Errors: [`Kind::Invalid`] where they are others than those of the hash.
pub(crate) fn take(app: &App, coordinator: &OrgId, hash: &str, bytes: &[u8]) -> Result<()> {
    if bytes.len() > MAX_PROGRAM || sandbox::hash(bytes) != hash {
        let note = format!("`{coordinator}` gave other bytes for a program than those of its hash");
        app.audit(Event::by_node(Pattern::Refuse).note(note).refused(RULE))?;
        return Err(Error::invalid("value", "these are not the bytes of the program"));
    }
    let note = format!("the bytes of a program of a project of `{coordinator}`: {hash}");
    keep(app, hash, bytes, Event::by_node(Pattern::Receive).note(note))
}

fn keep(app: &App, hash: &str, bytes: &[u8], event: Event<'_>) -> Result<()> {
    let snapshot = app.store().snapshot()?;
    let here = snapshot.side_scan(SPACE, b"here/", MOST + 1)?;
    let mut side = Vec::new();
    if here.len() >= MOST && snapshot.side(SPACE, &here_key(hash))?.is_none() {
        side.extend(room(app, &here)?);
        if side.is_empty() {
            return Err(Error::new(
                Kind::TooCostly,
                "there are too many programs in projects here",
            ));
        }
    }
    side.push(SideWrite { space: SPACE, key: bytes_key(hash), value: Some(bytes.to_vec()) });
    side.push(SideWrite { space: SPACE, key: here_key(hash), value: Some(Vec::new()) });
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { side, writes, ..Transaction::default() })?;
    Ok(())
}

/// Takes away what no project names.
fn room(app: &App, here: &[(Vec<u8>, Vec<u8>)]) -> Result<Vec<SideWrite>> {
    let all = projects::all(app)?;
    let named: BTreeSet<Vec<u8>> = all
        .iter()
        .flat_map(|known| &known.project.programs)
        .map(|program| here_key(&program.hash))
        .collect();
    let mut out = Vec::new();
    for (key, _) in here.iter().filter(|(key, _)| !named.contains(key)) {
        let hash = String::from_utf8_lossy(key.get(b"here/".len()..).unwrap_or_default());
        out.push(SideWrite { space: SPACE, key: bytes_key(&hash), value: None });
        out.push(SideWrite { space: SPACE, key: key.clone(), value: None });
    }
    Ok(out)
}

fn bytes_key(hash: &str) -> Vec<u8> {
    format!("bytes/{hash}").into_bytes()
}

fn here_key(hash: &str) -> Vec<u8> {
    format!("here/{hash}").into_bytes()
}
