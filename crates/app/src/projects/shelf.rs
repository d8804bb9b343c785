//! What is known of projects, and how what others signed is taken in.

use std::collections::BTreeMap;

use store::{SideWrite, Snapshot, Transaction};
use wire::research::{Decision, MAX_SITES, Project, ProjectChoice};
use wire::{OrgId, Sealed};

use super::{MOST, MOST_DECISIONS, SPACE, amend, study};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Error, Kind, Result};

/// How far the clock of another party may be ahead, in milliseconds.
const AHEAD_MS: i64 = 5 * 60 * 1000;
/// Most decisions that are kept of one party about one project: a last withdrawal and an end find room.
const MOST_KEPT: usize = MOST_DECISIONS + 2;
/// Most decisions about one project: of its holders, two aggregators and the coordinator.
const MOST_READ: usize = (MAX_SITES + 3) * MOST_KEPT;

/// A project and what its parties have decided.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its id: the hash of the application.
    pub id: String,
    /// The application.
    pub project: Project,
    /// As it was signed.
    pub sealed: Sealed,
    /// The latest decision of each party that has decided.
    pub decisions: BTreeMap<OrgId, Decision>,
    /// The same as they were signed.
    pub signed: BTreeMap<OrgId, Signed>,
    /// How it ended before its time.
    pub ended: Option<Ended>,
}

/// How a project ends before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Whoever applied has taken it back.
    Withdrawn,
    /// Everybody has approved the project with this id, which amends it.
    Amended(String),
}

impl Ended {
    /// Why nothing is asked in it any more, in words.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Withdrawn => "the project was taken back by whoever applied for it",
            Self::Amended(_) => "the project was amended; ask in the amendment",
        }
    }
}

/// A decision as it was signed.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Its id: the hash of its text.
    pub id: String,
    /// It.
    pub sealed: Sealed,
}

impl Known {
    /// Everybody who must approve: holders and aggregators, each once.
    pub fn parties(&self) -> Vec<OrgId> {
        let mut parties = [&self.project.holders[..], &self.project.aggregators].concat();
        parties.sort_unstable();
        parties.dedup();
        parties
    }

    /// Whether an institution has a part in it, or coordinates it.
    pub fn concerns(&self, org: &OrgId) -> bool {
        self.project.coordinator == *org || self.parties().contains(org)
    }

    /// Takes a decision down, where it is the latest of its party.
    fn note(&mut self, decision: Decision, sealed: &Sealed) {
        let is_end = decision.choice == ProjectChoice::End;
        if is_end {
            self.ended = Some(Ended::Withdrawn);
        }
        // Nothing comes after an end.
        let is_later = |before: &Decision| {
            is_end || (before.choice != ProjectChoice::End && before.at <= decision.at)
        };
        if self.decisions.get(&decision.holder).is_none_or(is_later) {
            let signed = Signed { id: sealed.id(), sealed: sealed.clone() };
            self.signed.insert(decision.holder.clone(), signed);
            self.decisions.insert(decision.holder.clone(), decision);
        }
    }

    /// Whether a decision is taken however many the party has made: what ends its part, once.
    fn has_room_for(&self, decision: &Decision) -> bool {
        let before = self.decisions.get(&decision.holder);
        match decision.choice {
            ProjectChoice::End => before.is_none_or(|one| one.choice != ProjectChoice::End),
            ProjectChoice::Withdraw => before
                .is_some_and(|one| one.choice == ProjectChoice::Approve && one.at <= decision.at),
            ProjectChoice::Approve | ProjectChoice::Refuse => false,
        }
    }

    /// Whether `org` lets the project go on at `now_ms`.
    pub fn is_approved_by(&self, org: &OrgId, now_ms: i64) -> bool {
        let is_on = (self.project.from..self.project.until).contains(&now_ms);
        let is_on = is_on && self.ended.is_none();
        let choice = self.decisions.get(org).map(|decision| decision.choice);
        is_on && choice == Some(ProjectChoice::Approve)
    }
}

/// All projects, as the store has them.
pub(super) fn all(snapshot: &dyn Snapshot) -> Result<Vec<Known>> {
    let stored = snapshot.side_scan(SPACE, b"project/", MOST)?;
    stored.iter().map(|(_, value)| open(snapshot, value)).collect()
}

/// One project.
///
/// Errors: [`Kind::NotFound`].
pub fn known(snapshot: &dyn Snapshot, id: &str) -> Result<Known> {
    let stored = snapshot.side(SPACE, &project_key(id))?.ok_or_else(Error::not_found)?;
    open(snapshot, &stored)
}

// What was verified when it was taken is not verified again.
fn open(snapshot: &dyn Snapshot, value: &[u8]) -> Result<Known> {
    let faulty = || Error::internal("a stored project is faulty");
    let sealed: Sealed = serde_json::from_slice(value).map_err(|_| faulty())?;
    let project: Project = serde_json::from_str(&sealed.text).map_err(|_| faulty())?;
    let id = sealed.id();
    let ended = amend::ended(snapshot, &id, &project)?;
    let (decisions, signed) = (BTreeMap::new(), BTreeMap::new());
    let mut known = Known { id, project, sealed, decisions, signed, ended };
    let prefix = format!("decision/{}/", known.id);
    for (_, value) in snapshot.side_scan(SPACE, prefix.as_bytes(), MOST_READ)? {
        let sealed: Sealed = serde_json::from_slice(&value).map_err(|_| faulty())?;
        let decision: Decision = serde_json::from_str(&sealed.text).map_err(|_| faulty())?;
        known.note(decision, &sealed);
    }
    Ok(known)
}

/// An application alone, where it is known here.
pub(super) fn application(snapshot: &dyn Snapshot, id: &str) -> Result<Option<Project>> {
    let faulty = || Error::internal("a stored project is faulty");
    let Some(stored) = snapshot.side(SPACE, &project_key(id))? else { return Ok(None) };
    let sealed: Sealed = serde_json::from_slice(&stored).map_err(|_| faulty())?;
    serde_json::from_str(&sealed.text).map(Some).map_err(|_| faulty())
}

/// The signed decisions of `org` about a project.
pub(crate) fn signed_by(snapshot: &dyn Snapshot, id: &str, org: &OrgId) -> Result<Vec<Sealed>> {
    let prefix = format!("decision/{id}/{org}/");
    let stored = snapshot.side_scan(SPACE, prefix.as_bytes(), MOST_KEPT)?;
    let read = |value: &Vec<u8>| {
        serde_json::from_slice(value).map_err(|_| Error::internal("a stored decision is faulty"))
    };
    stored.iter().map(|(_, value)| read(value)).collect()
}

/// Takes in an application that concerns this node, from whomever it came. Whether it is new.
///
/// Errors: [`Kind::Invalid`] where it is not signed by its coordinator, or is none of this network.
pub(crate) fn take_project(app: &App, sealed: &Sealed, by: Option<Event<'_>>) -> Result<bool> {
    let invalid = |message: String| Error::invalid("value", message);
    let project: Project = sealed.open().map_err(|e| invalid(e.to_string()))?;
    check_signer(app, &project.coordinator, sealed)?;
    if project.network != app.network().list().network || project.made > app.now_ms() + AHEAD_MS {
        return Err(invalid("the project is of another network, or from the future".to_owned()));
    }
    let snapshot = app.store().snapshot()?;
    let id = sealed.id();
    if snapshot.side(SPACE, &project_key(&id))?.is_some() {
        return Ok(false);
    }
    if snapshot.side_scan(SPACE, b"project/", MOST)?.len() >= MOST {
        return Err(Error::new(Kind::TooCostly, "there are too many projects"));
    }
    let (decisions, signed) = (BTreeMap::new(), BTreeMap::new());
    let ended = amend::ended(&*snapshot, &id, &project)?;
    let known = Known { id, project, sealed: sealed.clone(), decisions, signed, ended };
    if !known.concerns(app.network().own()) {
        return Err(invalid("this institution has no part in the project".to_owned()));
    }
    amend::check(&*snapshot, &known)?;
    let value = serde_json::to_vec(sealed).map_err(|e| Error::internal(e.to_string()))?;
    let note = format!("an application for a research project of `{}`", known.project.coordinator);
    let event = by.unwrap_or_else(|| Event::by_node(Pattern::Receive).note(note));
    let event = event.data(format!("ResearchStudy/{}", known.id));
    let side = vec![SideWrite { space: SPACE, key: project_key(&known.id), value: Some(value) }];
    let writes = vec![study::put(&known)?, event.write(app)?];
    app.store().commit(Transaction { side, writes, ..Transaction::default() })?;
    app.projects().changed();
    Ok(true)
}

/// Takes in a decision about a project that is known here. Whether it is new.
///
/// Errors: [`Kind::NotFound`] for an unknown project, [`Kind::Invalid`] where it is not signed by
/// one of its parties, [`Kind::TooCostly`] where the party has decided too often. What ends its part is taken then too.
pub(crate) fn take_decision(app: &App, sealed: &Sealed, by: Option<Event<'_>>) -> Result<bool> {
    take_decision_with(app, sealed, by, Transaction::default())
}

/// The same, together with what else `transaction` holds: both stand, or neither.
pub(super) fn take_decision_with(
    app: &App,
    sealed: &Sealed,
    by: Option<Event<'_>>,
    mut transaction: Transaction,
) -> Result<bool> {
    let invalid = |message: String| Error::invalid("value", message);
    let decision: Decision = sealed.open().map_err(|e| invalid(e.to_string()))?;
    check_signer(app, &decision.holder, sealed)?;
    if decision.at > app.now_ms() + AHEAD_MS {
        return Err(invalid("the decision is from the future; check the clocks".to_owned()));
    }
    let _taking = app.projects().taking();
    let snapshot = app.store().snapshot()?;
    let mut known = known(&*snapshot, &decision.project)?;
    let may = match decision.choice {
        ProjectChoice::End => known.project.coordinator == decision.holder,
        _ => known.parties().contains(&decision.holder),
    };
    if !may {
        return Err(invalid("who decides this is no party of the project".to_owned()));
    }
    let before = signed_by(&*snapshot, &known.id, &decision.holder)?;
    if before.contains(sealed) {
        return Ok(false);
    }
    if before.len() >= MOST_DECISIONS && !known.has_room_for(&decision) {
        return Err(Error::new(Kind::TooCostly, "there are too many decisions about this project"));
    }
    let key = format!("decision/{}/{}/{}", known.id, decision.holder, sealed.id()).into_bytes();
    let value = serde_json::to_vec(sealed).map_err(|e| Error::internal(e.to_string()))?;
    let event = by.unwrap_or_else(|| {
        let note = format!("`{}` has decided about a research project", decision.holder);
        Event::by_node(Pattern::Receive).note(note)
    });
    let event = event.data(format!("ResearchStudy/{}", known.id));
    known.note(decision, sealed);
    transaction.side.push(SideWrite { space: SPACE, key, value: Some(value) });
    transaction.writes.extend([study::put(&known)?, event.write(app)?]);
    if let Some(ends) = amend::ends(&*snapshot, &known)? {
        transaction.side.push(ends.write);
        for one in &ends.all {
            transaction.writes.push(study::put(one)?);
        }
    }
    app.store().commit(transaction)?;
    app.projects().changed();
    Ok(true)
}

/// The key must be that of the node of whoever says it.
pub(crate) fn check_signer(app: &App, org: &OrgId, sealed: &Sealed) -> Result<()> {
    let is_own = org == app.network().own();
    let is_key = if is_own {
        app.peers().identity().assertion_key.public_key() == sealed.key
    } else {
        is_members_key(app, org, sealed)
    };
    match is_key {
        true => Ok(()),
        false => Err(Error::invalid("value", "this is not signed by a member's own key")),
    }
}

/// Whether other members would take it for signed by `org` now.
pub(super) fn is_members_key(app: &App, org: &OrgId, sealed: &Sealed) -> bool {
    let member = app.network().active(org).ok();
    member.is_some_and(|member| member.signing_keys(app.now_ms()).contains(&sealed.key))
}

fn project_key(id: &str) -> Vec<u8> {
    format!("project/{id}").into_bytes()
}
