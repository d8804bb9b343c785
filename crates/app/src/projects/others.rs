//! What other parties have decided: told by the coordinator, who hears of it from each, to everybody else
//! with a part in the project.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use wire::research::Decision;
use wire::{OrgId, Sealed};

use super::{held, known, shelf, take_decision};
use crate::{App, Error, Result};

/// Most decisions told in one answer.
pub(crate) const MOST_TOLD: usize = 200;
/// Most bytes of their texts.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// The latest decisions of others about projects that this node coordinates and `peer` has a part in and
/// knows, as far as they are not among `known`; the latest first. What nobody can ask in any more is not
/// told, nor what nobody would take: signed by a key, or for a member, that is one no longer.
pub(crate) fn untold(app: &App, peer: &OrgId, known: &[String]) -> Result<Vec<Sealed>> {
    let (own, now) = (app.network().own(), app.now_ms());
    let known: BTreeSet<&String> = known.iter().collect();
    let all = held::all(app)?;
    let mut found = Vec::new();
    for one in all.iter() {
        let is_told = one.project.coordinator == *own && one.project.until > now;
        if !is_told || !one.concerns(peer) || !known.contains(&one.id) {
            continue;
        }
        for (party, signed) in &one.signed {
            let at = one.decisions.get(party).map(|decision| decision.at);
            let is_new = party != peer && !known.contains(&signed.id);
            if is_new && shelf::is_members_key(app, party, &signed.sealed) {
                found.push((at, &signed.sealed));
            }
        }
    }
    found.sort_by_key(|(at, _)| Reverse(*at));
    let mut bytes = 0;
    let within = |sealed: &&Sealed| {
        bytes += sealed.text.len();
        bytes <= MOST_BYTES
    };
    let told = found.into_iter().map(|(_, sealed)| sealed).take(MOST_TOLD).take_while(within);
    Ok(told.cloned().collect())
}

/// Ids of the decisions of others that are kept here about projects of `coordinator` that go on, the latest
/// first: what it need not tell.
pub(crate) fn kept(app: &App, coordinator: &OrgId) -> Result<Vec<String>> {
    let (own, now) = (app.network().own(), app.now_ms());
    let all = held::all(app)?;
    let of_it =
        all.iter().filter(|one| one.project.coordinator == *coordinator && one.project.until > now);
    let mut kept = Vec::new();
    for one in of_it {
        for (party, signed) in one.signed.iter().filter(|(party, _)| *party != own) {
            let at = one.decisions.get(party).map(|decision| decision.at);
            kept.push((at, signed.id.clone()));
        }
    }
    kept.sort_by_key(|(at, _)| Reverse(*at));
    Ok(kept.into_iter().map(|(_, id)| id).collect())
}

/// Takes in what `coordinator` hands on of another party's. About what is decided here, this node has the
/// last word.
///
/// Errors: as those of a decision from its party, and [`crate::Kind::Invalid`] for a project of another coordinator.
pub fn hear(app: &App, coordinator: &OrgId, sealed: &Sealed) -> Result<()> {
    let invalid = |message: String| Error::invalid("value", message);
    let decision: Decision = sealed.open().map_err(|e| invalid(e.to_string()))?;
    if decision.holder == *app.network().own() {
        return Err(invalid("what is decided here is told by nobody else".to_owned()));
    }
    let known = known(&*app.store().snapshot()?, &decision.project)?;
    if known.project.coordinator != *coordinator {
        return Err(invalid("the project is of another coordinator".to_owned()));
    }
    take_decision(app, sealed, None).map(|_| ())
}
