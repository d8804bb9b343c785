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

/// Most programs that a node keeps. Beyond that, those go that no project names which is on here.
pub const MOST: usize = 100;
/// Most programs that are fetched of one coordinator's projects before this institution has decided
/// about them.
const MOST_UNDECIDED: usize = 12;

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
    let loaded = app.programs().aside(|held| Ok(held.load(bytes)?));
    let program = match loaded {
        Ok(program) => program,
        Err(stopped) => {
            let note = format!("a program is not taken in: {stopped}");
            app.audit(Event::by(caller, Pattern::Refuse).refused(format!("{RULE}: {note}")))?;
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
pub(super) fn loaded(app: &App, held: &Held, hash: &str) -> std::result::Result<Program, Stopped> {
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

/// The hashes of programs that projects of `coordinator` name and that are not here, as many as there is
/// room for. Blocks.
pub(crate) fn wanted(app: &App, coordinator: &OrgId) -> Result<Vec<String>> {
    let snapshot = app.store().snapshot()?;
    let here = snapshot.side_scan(SPACE, b"here/", MOST + 1)?;
    let room = (MOST + unnamed(app, &here)?.len()).saturating_sub(here.len());
    let here: BTreeSet<Vec<u8>> = here.into_iter().map(|(key, _)| key).collect();
    let all = projects::all(app)?;
    let (mut approved, mut undecided) = (BTreeSet::new(), BTreeSet::new());
    for known in all.iter().filter(|known| known.project.coordinator == *coordinator) {
        if !is_on(app, known) {
            continue;
        }
        let hashes = known.project.programs.iter().map(|program| program.hash.as_str());
        match known.decisions.contains_key(app.network().own()) {
            true => approved.extend(hashes),
            false => undecided.extend(hashes),
        }
    }
    Ok(fetched(&approved, &undecided, |hash| here.contains(&here_key(hash)), room))
}

/// Those of a coordinator's programs that are fetched: what was approved first, then what is yet to be
/// decided about, of which there are at most [`MOST_UNDECIDED`] with those that are here.
fn fetched(
    approved: &BTreeSet<&str>,
    undecided: &BTreeSet<&str>,
    is_here: impl Fn(&str) -> bool,
    room: usize,
) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) =
        undecided.difference(approved).copied().partition(|hash| is_here(hash));
    let new = new.into_iter().take(MOST_UNDECIDED.saturating_sub(old.len()));
    let missing = approved.iter().copied().filter(|hash| !is_here(hash));
    missing.chain(new).take(room).map(str::to_owned).collect()
}

/// Whether the programs of a project are kept here: it is not over, and this institution has not refused
/// it, unless others take part in it that fetch them here.
fn is_on(app: &App, known: &projects::Known) -> bool {
    let own = app.network().own();
    let choice = known.decisions.get(own).map(|decision| decision.choice);
    known.project.until > app.now_ms()
        && known.ended.is_none()
        && (known.project.coordinator == *own
            || matches!(choice, None | Some(projects::Choice::Approve)))
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
/// Errors: [`Kind::Invalid`] where they are others than those of the hash, or not as many as the project
/// states.
pub(crate) fn take(app: &App, coordinator: &OrgId, hash: &str, bytes: &[u8]) -> Result<()> {
    let is_stated = projects::all(app)?
        .iter()
        .filter(|known| known.project.coordinator == *coordinator)
        .flat_map(|known| &known.project.programs)
        .any(|named| named.hash == hash && named.bytes as usize == bytes.len());
    let against = if bytes.len() > MAX_PROGRAM || sandbox::hash(bytes) != hash {
        Some("other bytes for a program than those of its hash")
    } else if !is_stated {
        Some("a program of another size than its project states")
    } else {
        None
    };
    if let Some(what) = against {
        let note = format!("`{coordinator}` gave {what}");
        app.audit(Event::by_node(Pattern::Refuse).refused(format!("{RULE}: {note}")))?;
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
        let unnamed = unnamed(app, &here)?;
        for hash in &unnamed {
            side.push(SideWrite { space: SPACE, key: bytes_key(hash), value: None });
            side.push(SideWrite { space: SPACE, key: here_key(hash), value: None });
        }
        if unnamed.is_empty() {
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

/// The hashes of what is here and is named by no project that is on here: those that go where room is
/// needed.
fn unnamed(app: &App, here: &[(Vec<u8>, Vec<u8>)]) -> Result<Vec<String>> {
    let all = projects::all(app)?;
    let named: BTreeSet<Vec<u8>> = all
        .iter()
        .filter(|known| is_on(app, known))
        .flat_map(|known| &known.project.programs)
        .map(|program| here_key(&program.hash))
        .collect();
    let unnamed = here.iter().filter(|(key, _)| !named.contains(key)).map(|(key, _)| {
        String::from_utf8_lossy(key.get(b"here/".len()..).unwrap_or_default()).into_owned()
    });
    Ok(unnamed.collect())
}

fn bytes_key(hash: &str) -> Vec<u8> {
    format!("bytes/{hash}").into_bytes()
}

fn here_key(hash: &str) -> Vec<u8> {
    format!("here/{hash}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_coordinator_fills_no_more_than_its_part_before_anybody_has_decided() {
        let texts: Vec<String> = (0..200).map(|at| format!("{at:03}")).collect();
        let of = |range: std::ops::Range<usize>| -> BTreeSet<&str> {
            texts[range].iter().map(String::as_str).collect()
        };
        let none = |_: &str| false;
        let count = |approved: &BTreeSet<&str>, undecided: &BTreeSet<&str>, room| {
            fetched(approved, undecided, none, room).len()
        };
        assert_eq!(count(&of(0..0), &of(0..200), MOST), MOST_UNDECIDED);
        assert_eq!(count(&of(0..20), &of(0..200), MOST), 20 + MOST_UNDECIDED);
        assert_eq!(
            fetched(&of(150..155), &of(0..20), none, 6),
            ["150", "151", "152", "153", "154", "000"]
        );
        assert_eq!(count(&of(0..5), &of(5..9), 0), 0, "there is no room");
        // Those that are here count, and are not fetched again.
        let old = of(0..10);
        let found = fetched(&of(0..0), &of(0..200), |hash| old.contains(hash), MOST);
        assert_eq!(found, ["010", "011"]);
    }
}
