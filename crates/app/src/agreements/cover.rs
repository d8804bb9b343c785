//! Whether an agreement covers a question between this node and another, and which data.

use std::sync::Arc;

use policy::Purpose;
use policy::agreement::{Agreed, Clause, Cover, Dossier};
use store::Snapshot;

use super::STALE_MS;
use super::shelf::Known;
use crate::{App, Result};

/// Whether a question is covered.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// By these clauses.
    Covered(Held),
    /// By none.
    Uncovered,
    /// Not for certain: the two sides know different things, or a party was not heard of for long.
    Unsure,
}

/// What covers one question.
#[derive(Clone, Debug)]
pub struct Held {
    known: Arc<Known>,
    /// The agreements that count.
    ids: Vec<String>,
    common: Arc<[Clause]>,
    asker: String,
    holder: String,
    purpose: Purpose,
    now_ms: i64,
}

impl Held {
    /// The clauses.
    pub fn cover(&self) -> Cover<'_> {
        let agreed = self.ids.iter().filter_map(|id| self.known.agreed.get(id)).flatten();
        let (asker, holder) = (&self.asker, &self.holder);
        Cover::of(agreed, &self.common, asker, holder, self.purpose, self.now_ms)
    }
}

/// Judges a question that `asker` has for `holder`, one of whom is this node and the other `peer`.
/// `stated` is the digest that the peer gave of what it knows; without it the peer is taken to
/// know the same.
pub fn judge(
    app: &App,
    snapshot: &dyn Snapshot,
    (asker, holder): (&str, &str),
    purpose: Purpose,
    stated: Option<Option<&str>>,
) -> Result<Verdict> {
    let known = app.agreements().known(snapshot)?;
    let own = app.org().id.as_str();
    let peer = if asker == own { holder } else { asker };
    let now_ms = app.now_ms();
    let common: Arc<[_]> = app.settings().common_agreement.clone().into();
    let (mut ids, mut unsure) = (Vec::new(), false);
    for (id, agreed) in &known.agreed {
        let cover = Cover::of(agreed, &[], asker, holder, purpose, now_ms);
        if cover.is_empty() {
            continue;
        }
        let Some(dossier) = known.dossiers.get(id) else { continue };
        if is_fresh(app, snapshot, dossier, own, peer, now_ms)? {
            ids.push(id.clone());
        } else {
            unsure = true;
        }
    }
    if let Some(stated) = stated
        && !ids.is_empty()
        && known.digest(own, peer).as_deref() != stated
    {
        ids.clear();
        unsure = true;
    }
    let (asker, holder) = (asker.to_owned(), holder.to_owned());
    let held = Held { known, ids, common, asker, holder, purpose, now_ms };
    if unsure {
        app.agreements().nudge();
    }
    Ok(match (held.cover().is_empty(), unsure) {
        (false, _) => Verdict::Covered(held),
        (true, false) => Verdict::Uncovered,
        (true, true) => Verdict::Unsure,
    })
}

/// Whether every other party was heard of lately, so that no end that one of them declared can
/// have been missed.
fn is_fresh(
    app: &App,
    snapshot: &dyn Snapshot,
    dossier: &Dossier,
    own: &str,
    peer: &str,
    now_ms: i64,
) -> Result<bool> {
    for party in dossier.parties() {
        if &*party.org == own || &*party.org == peer {
            continue;
        }
        // A party that signed lately was heard of by that.
        let spoke = dossier
            .statements()
            .iter()
            .filter(|one| one.issuer == party.org)
            .map(|one| one.at_ms)
            .max();
        let heard = app.agreements().heard(snapshot, &party.org)?.max(spoke);
        if heard.is_none_or(|heard| now_ms.saturating_sub(heard) > STALE_MS) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The members that may ask this node for nothing at all at this moment, in the order of the list:
/// neither the common agreement nor one in force names them as an asker, for whatever purpose.
pub(crate) fn closed_to(app: &App, snapshot: &dyn Snapshot) -> Result<Vec<wire::OrgId>> {
    let known = app.agreements().known(snapshot)?;
    let (own, now_ms) = (app.org().id.as_str(), app.now_ms());
    let permits = |clause: &Clause, asker: &str| {
        clause.purposes.iter().any(|purpose| clause.covers(asker, own, *purpose))
    };
    let mut closed = Vec::new();
    for member in app.network().active_others() {
        let asker = member.id.as_str();
        let mut open = app.settings().common_agreement.iter().any(|one| permits(one, asker));
        for (id, dossier) in known.dossiers.iter().filter(|(_, one)| one.is_party(asker)) {
            let agreed = in_force(&known, id, now_ms);
            let may = agreed.is_some_and(|a| a.terms.clauses.iter().any(|one| permits(one, asker)));
            open = open || may && is_fresh(app, snapshot, dossier, own, asker, now_ms)?;
        }
        if !open {
            closed.push(member.id);
        }
    }
    Ok(closed)
}

/// Whether this node may ask `peer` for `purpose`, and the digest that goes with the question.
/// A refusal is in words for the reader.
pub fn asking(
    app: &App,
    peer: &str,
    purpose: Purpose,
) -> Result<std::result::Result<Option<String>, &'static str>> {
    let snapshot = app.store().snapshot()?;
    let own = app.org().id.as_str();
    Ok(match judge(app, &*snapshot, (own, peer), purpose, None)? {
        Verdict::Covered(held) => Ok(held.known.digest(own, peer)),
        Verdict::Uncovered => Err(NONE),
        Verdict::Unsure => Err(UNSURE),
    })
}

/// The digest of what this node knows of its agreements with `peer`.
pub fn digest(app: &App, peer: &str) -> Result<Option<String>> {
    Ok(super::shelf::known(app)?.digest(&app.org().id, peer))
}

/// Said where no agreement covers a question.
pub const NONE: &str = "no agreement in force between the two organisations covers this purpose; \
                        their stewards can make one";
/// Said where it is not certain that one does.
pub const UNSURE: &str = "the parties of an agreement do not know the same about it at the moment; \
                          they are comparing, so ask again shortly";

/// What holds of agreements, for lists: those in force at `now_ms` by id.
pub(super) fn in_force<'a>(known: &'a Known, id: &str, now_ms: i64) -> Option<&'a Agreed> {
    let agreed = known.agreed.get(id)?;
    agreed.iter().find(|one| (one.since_ms..one.until_ms).contains(&now_ms))
}
