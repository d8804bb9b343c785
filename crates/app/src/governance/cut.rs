//! The kill switch: this node stops talking to one organisation, or to all, at once, whatever the
//! membership list says. It holds for handshakes, open connections, answers on their way and
//! questions of this node alike, and outlasts a restart.

use serde::{Deserialize, Serialize};
use store::{SideWrite, Transaction};
use wire::OrgId;

use super::SPACE;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Result};

const PREFIX: &str = "cut/";
const ALL: &str = "*";
/// Longest reason, in characters.
pub const MAX_REASON: usize = 1_000;

/// A cut that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Whom it is about; empty for all.
    pub organisation: String,
    /// Who made it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// Who orders a cut or its end.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// An operator with a session.
    Caller(&'a Caller),
    /// Whoever is at the node's own terminal, by the name of the account there.
    Terminal(&'a str),
}

impl By<'_> {
    fn name(&self) -> String {
        match self {
            By::Caller(caller) => caller.user.name.clone(),
            By::Terminal(account) => format!("{account} at the node's terminal"),
        }
    }

    fn event(&self) -> Event<'_> {
        match self {
            By::Caller(caller) => Event::by(caller, Pattern::Configure),
            By::Terminal(_) => Event::by_node(Pattern::Configure),
        }
    }

    fn authorise(&self, app: &App) -> Result<()> {
        match self {
            By::Caller(caller) => {
                authorise(app, caller, Action::of(policy::Action::Operate)).map(drop)
            }
            By::Terminal(_) => Ok(()),
        }
    }
}

/// Cuts off one organisation, or all where none is named.
///
/// The cut holds before it is written down: an emergency does not wait for a disk. Where it then
/// cannot be written down, it holds until the node stops, and the error says so.
pub fn cut(app: &App, by: By<'_>, org: Option<&OrgId>, reason: &str) -> Result<()> {
    by.authorise(app)?;
    let reason = sound(reason)?;
    app.network().cut(org);
    let who = org.map_or(ALL, OrgId::as_str);
    let kept = Cut {
        organisation: org.map(ToString::to_string).unwrap_or_default(),
        by: by.name(),
        reason: reason.clone(),
        at_ms: app.now_ms(),
    };
    let value = serde_json::to_vec(&kept).map_err(|e| Error::internal(e.to_string()))?;
    let side = SideWrite { space: SPACE, key: key(who), value: Some(value) };
    let note = format!("cuts the connection to `{who}`: {reason} ({})", kept.by);
    keep(app, by.event().serious(note), vec![side])
}

/// Takes a cut back: of one organisation, or all cuts where none is named.
pub fn restore(app: &App, by: By<'_>, org: Option<&OrgId>, reason: &str) -> Result<()> {
    by.authorise(app)?;
    let reason = sound(reason)?;
    let keys = match org {
        Some(org) => vec![key(org.as_str())],
        None => {
            let kept = app.store().snapshot()?.side_scan(SPACE, PREFIX.as_bytes(), 100_000)?;
            kept.into_iter().map(|(key, _)| key).collect()
        }
    };
    let side = keys.into_iter().map(|key| SideWrite { space: SPACE, key, value: None }).collect();
    let who = org.map_or(ALL, OrgId::as_str);
    let note = format!("restores the connection to `{who}`: {reason} ({})", by.name());
    // The other way round: what is not on record is not restored.
    keep(app, by.event().note(note), side)?;
    app.network().restore(org);
    app.outbox().nudge();
    app.governance().news.notify_one();
    Ok(())
}

/// The cuts that hold.
pub fn list(app: &App) -> Result<Vec<Cut>> {
    let kept = app.store().snapshot()?.side_scan(SPACE, PREFIX.as_bytes(), 100_000)?;
    let read = |(_, value): (Vec<u8>, Vec<u8>)| serde_json::from_slice(&value);
    kept.into_iter()
        .map(read)
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| Error::internal(format!("a cut cannot be read: {e}")))
}

/// Puts the cuts that were kept in force, for the start of a node.
pub(super) fn take_up(app: &App) -> Result<()> {
    for cut in list(app)? {
        match cut.organisation.as_str() {
            "" => app.network().cut(None),
            org => match OrgId::new(org) {
                Ok(org) => app.network().cut(Some(&org)),
                Err(_) => continue,
            },
        };
    }
    Ok(())
}

fn sound(reason: &str) -> Result<String> {
    let reason = reason.trim();
    match (1..=MAX_REASON).contains(&reason.chars().count()) {
        true => Ok(reason.to_owned()),
        false => Err(Error::invalid("required", "say why, in at most 1000 characters")),
    }
}

fn key(who: &str) -> Vec<u8> {
    format!("{PREFIX}{who}").into_bytes()
}

fn keep(app: &App, event: Event<'_>, side: Vec<SideWrite>) -> Result<()> {
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    Ok(())
}
