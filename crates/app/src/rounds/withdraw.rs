//! Taking a question back: nobody does anything more for it, whatever the coordinator says later.

use store::{SideWrite, Snapshot, Transaction};
use wire::research::Withdrawal;
use wire::{OrgId, Sealed};

use super::ask::{self, End, keep_standing};
use super::{SPACE, task};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, projects};

/// Most withdrawals that are kept of one project.
const MOST_WITHDRAWN: usize = 10_000;
/// How a question that was withdrawn stands.
const WITHDRAWN: &str = "rule withdrawn: the question was withdrawn by whoever asked it";

/// Withdraws a question of one's own that has not ended. The institutions that take part hear of it at
/// once where they listen, and otherwise when they next call.
///
/// Errors: [`Kind::NotFound`], [`Kind::Forbidden`] for somebody else's question, [`Kind::Conflict`] for
/// one that has ended.
pub fn withdraw(app: &App, caller: &Caller, id: &str) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Research))?;
    let snapshot = app.store().snapshot()?;
    let (_, inquiry) = ask::read(&*snapshot, id)?;
    if inquiry.asker != caller.user.id {
        return Err(Error::new(Kind::Forbidden, "the question is somebody else's"));
    }
    let mut standing = ask::stands(&*snapshot, id)?;
    let ended = || Error::new(Kind::Conflict, "the question has ended");
    if standing.end.is_some() {
        return Err(ended());
    }
    let known = projects::known(&*snapshot, &inquiry.project)?;
    drop(snapshot);
    standing.end = Some(End::Failed(WITHDRAWN.to_owned()));
    let at = app.now_ms();
    let (inquiry, project) = (id.to_owned(), known.id.clone());
    let withdrawal = Withdrawal { version: 1, inquiry, project, at };
    let sealed = Sealed::seal(&withdrawal, &app.peers().identity().assertion_key)
        .map_err(|e| Error::internal(e.to_string()))?;
    let event = Event::by(caller, Pattern::Configure)
        .data(format!("ResearchStudy/{}", known.id))
        .note(format!("withdraws a research question: {id}"));
    let guards = vec![ask::is_open(id)];
    let side = vec![keep_standing(id, &standing)?, ask::close(id), write(&withdrawal, &sealed)?];
    let writes = vec![task::put(id, &known.id, &standing)?, event.write(app)?];
    let done = app.store().commit(Transaction { guards, side, writes });
    if matches!(done, Err(store::StoreError::GuardFailed)) {
        return Err(ended());
    }
    done?;
    for party in known.parties() {
        app.rounds().board.tell(&party, &sealed);
    }
    app.rounds().board.close(id);
    app.rounds().end();
    Ok(())
}

/// Whether a question of a project was withdrawn, as far as this node has heard.
pub(super) fn is_withdrawn(snapshot: &dyn Snapshot, project: &str, id: &str) -> Result<bool> {
    Ok(snapshot.side(SPACE, &key(project, id))?.is_some())
}

/// Takes in a withdrawal, from whomever it came.
///
/// Errors: [`Kind::Invalid`] where it is not signed by the coordinator of its project,
/// [`Kind::NotFound`] for an unknown project.
pub(super) fn take(app: &App, sealed: &Sealed) -> Result<()> {
    let invalid = |message: String| Error::invalid("value", message);
    let withdrawal: Withdrawal = sealed.open().map_err(|e| invalid(e.to_string()))?;
    let snapshot = app.store().snapshot()?;
    let known = projects::known(&*snapshot, &withdrawal.project)?;
    projects::check_signer(app, &known.project.coordinator, sealed)?;
    if is_withdrawn(&*snapshot, &known.id, &withdrawal.inquiry)? {
        return Ok(());
    }
    if kept(&*snapshot, &known.id)?.len() >= MOST_WITHDRAWN {
        return Err(Error::new(Kind::TooCostly, "there are too many withdrawals of this project"));
    }
    let event = Event::by_node(Pattern::Receive)
        .request_id(&withdrawal.inquiry)
        .data(format!("ResearchStudy/{}", known.id))
        .note("a research question is withdrawn");
    let side = vec![write(&withdrawal, sealed)?];
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { side, writes, ..Transaction::default() })?;
    Ok(())
}

/// The withdrawals of projects that this node coordinates, concern `peer`, and are not among those it
/// knows; at most `most`. What nobody would answer any more is not told.
pub(super) fn untold(
    app: &App,
    peer: &OrgId,
    known: &[String],
    most: usize,
) -> Result<Vec<Sealed>> {
    let (own, now) = (app.network().own(), app.now_ms());
    let mut out = Vec::new();
    for project in projects::all(app)?.iter() {
        let is_over = project.project.until <= now;
        if is_over || project.project.coordinator != *own || !project.concerns(peer) {
            continue;
        }
        let snapshot = app.store().snapshot()?;
        for (id, sealed) in kept(&*snapshot, &project.id)? {
            if out.len() >= most {
                return Ok(out);
            }
            let (_, inquiry) = ask::read(&*snapshot, &id)?;
            if inquiry.until > now && !known.contains(&id) {
                out.push(sealed);
            }
        }
    }
    Ok(out)
}

/// The withdrawals that are kept of a project, each with the id of its question.
pub(super) fn kept(snapshot: &dyn Snapshot, project: &str) -> Result<Vec<(String, Sealed)>> {
    let prefix = key(project, "");
    let stored = snapshot.side_scan(SPACE, &prefix, MOST_WITHDRAWN)?;
    let read = |(key, value): &(Vec<u8>, Vec<u8>)| {
        let id = String::from_utf8_lossy(key.get(prefix.len()..).unwrap_or_default()).into_owned();
        let faulty = |_| Error::internal("a stored withdrawal is faulty");
        Ok((id, serde_json::from_slice(value).map_err(faulty)?))
    };
    stored.iter().map(read).collect()
}

fn write(withdrawal: &Withdrawal, sealed: &Sealed) -> Result<SideWrite> {
    let key = key(&withdrawal.project, &withdrawal.inquiry);
    let value = serde_json::to_vec(sealed).map_err(|e| Error::internal(e.to_string()))?;
    Ok(SideWrite { space: SPACE, key, value: Some(value) })
}

fn key(project: &str, id: &str) -> Vec<u8> {
    format!("withdrawn/{project}/{id}").into_bytes()
}
