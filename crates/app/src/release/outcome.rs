//! What came of questions, told to the institutions whose data were asked, so that they can tell their
//! patients.

use store::{Guard, SideWrite, Snapshot, Transaction};
use wire::research::{Outcome, Publication};
use wire::{OrgId, Sealed};

use super::SPACE;
use super::output::{Output, State};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::projects::{self, Known};
use crate::records::write::retry;
use crate::{App, Error, Kind, Result};

/// Most outcomes that are kept of one project.
pub(crate) const MOST: usize = 10_000;
/// How far the clock of a coordinator may be ahead, in milliseconds.
const AHEAD_MS: i64 = 5 * 60 * 1000;

/// The write that keeps what came of a released answer, signed, in place of what was told before.
pub(super) fn put(app: &App, output: &Output) -> Result<Option<SideWrite>> {
    let State::Released { id, from_ms } = &output.state else { return Ok(None) };
    let outcome = Outcome {
        version: 1,
        inquiry: output.question.clone(),
        project: output.project.clone(),
        release: id.clone(),
        publications: output.publications.clone(),
        at: app.now_ms(),
        from: *from_ms,
    };
    let sealed = Sealed::seal(&outcome, &app.peers().identity().assertion_key)
        .map_err(|e| Error::internal(e.to_string()))?;
    Ok(Some(write(&outcome, &sealed)?))
}

/// The outcomes of projects that this node coordinates, concern `peer`, are not among those it knows, and
/// may be shown; at most `most`.
pub(crate) fn untold(
    app: &App,
    peer: &OrgId,
    known: &[String],
    most: usize,
) -> Result<Vec<Sealed>> {
    let (own, now) = (app.network().own(), app.now_ms());
    let snapshot = app.store().snapshot()?;
    let mut out = Vec::new();
    for project in projects::all(app)?.iter() {
        if project.project.coordinator != *own || !project.concerns(peer) {
            continue;
        }
        for (sealed, outcome) in kept(&*snapshot, &project.id)? {
            if out.len() >= most {
                return Ok(out);
            }
            if outcome.from <= now && !known.contains(&sealed.id()) {
                out.push(sealed);
            }
        }
    }
    Ok(out)
}

/// Takes in what came of a question.
///
/// Errors: [`Kind::Invalid`] where it is not signed by the coordinator of its project,
/// [`Kind::NotFound`] for an unknown project.
pub(crate) fn take(app: &App, sealed: &Sealed) -> Result<()> {
    // Of two that come at the same time the later stands, whichever is written first.
    retry(|| take_once(app, sealed))
}

fn take_once(app: &App, sealed: &Sealed) -> Result<()> {
    let invalid = |message: String| Error::invalid("value", message);
    let outcome: Outcome = sealed.open().map_err(|e| invalid(e.to_string()))?;
    let snapshot = app.store().snapshot()?;
    let known = projects::known(&*snapshot, &outcome.project)?;
    projects::check_signer(app, &known.project.coordinator, sealed)?;
    if outcome.at > app.now_ms() + AHEAD_MS {
        return Err(invalid("the outcome is from the future; check the clocks".to_owned()));
    }
    let before = kept(&*snapshot, &known.id)?;
    let same = before.iter().find(|(_, one)| one.inquiry == outcome.inquiry);
    if same.is_some_and(|(_, one)| one.at >= outcome.at) {
        return Ok(());
    }
    if same.is_none() && before.len() >= MOST {
        return Err(Error::new(Kind::TooCostly, "there are too many outcomes of this project"));
    }
    let event = Event::by_node(Pattern::Receive)
        .request_id(&outcome.inquiry)
        .data(format!("ResearchStudy/{}", known.id))
        .note("the answer of a research question was released");
    let key = key(&outcome.project, &outcome.inquiry);
    let value = snapshot.side(SPACE, &key)?;
    let guards = vec![Guard::Side { space: SPACE, key, value }];
    let side = vec![write(&outcome, sealed)?];
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { guards, side, writes })?;
    Ok(())
}

/// What came of the questions of a project, as far as it is known here.
pub(crate) fn kept(snapshot: &dyn Snapshot, project: &str) -> Result<Vec<(Sealed, Outcome)>> {
    let stored = snapshot.side_scan(SPACE, &key(project, ""), MOST)?;
    let faulty = |_| Error::internal("a stored outcome is faulty");
    let read = |(_, value): &(Vec<u8>, Vec<u8>)| {
        let sealed: Sealed = serde_json::from_slice(value).map_err(faulty)?;
        let outcome = serde_json::from_str(&sealed.text).map_err(faulty)?;
        Ok((sealed, outcome))
    };
    stored.iter().map(read).collect()
}

/// The publications that rest on the released answers of a project, each once.
pub(crate) fn publications(
    app: &App,
    snapshot: &dyn Snapshot,
    known: &Known,
) -> Result<Vec<Publication>> {
    let now = app.now_ms();
    let mut out = Vec::new();
    for (_, outcome) in kept(snapshot, &known.id)? {
        for publication in outcome.publications {
            if outcome.from <= now && !out.contains(&publication) {
                out.push(publication);
            }
        }
    }
    Ok(out)
}

fn write(outcome: &Outcome, sealed: &Sealed) -> Result<SideWrite> {
    let value = serde_json::to_vec(sealed).map_err(|e| Error::internal(e.to_string()))?;
    let key = key(&outcome.project, &outcome.inquiry);
    Ok(SideWrite { space: SPACE, key, value: Some(value) })
}

fn key(project: &str, inquiry: &str) -> Vec<u8> {
    format!("outcome/{project}/{inquiry}").into_bytes()
}
