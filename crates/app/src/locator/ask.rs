//! Asks locators which members are worth a `$match`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use fhir::{Id, Resource};
use futures_util::future::join_all;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};
use wire::{LocateRequest, LocateResponse, OrgId};

use super::committee::{epoch, locators};
use super::encoding::{Maker, Use};
use super::{Mode, keys};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::consent::deliver::as_node;
use crate::records::longitudinal::ask_json;
use crate::{App, Error, Kind, Result};

/// How long locators have together; whoever is not settled by then is asked directly.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// How long a shortlist serves deliveries of one decision to many members.
const LATELY_MS: i64 = 30_000;
/// Most shortlists that are kept for that.
const MOST_LATELY: usize = 1_000;
/// Most members that an entry of the audit names.
const MOST_NAMED: usize = 50;

/// Shortlists that were made lately, by patient: when, and what.
pub type Lately = HashMap<Id, (i64, Arc<OnceCell<Shortlist>>)>;

/// Who is worth a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortlist {
    /// Members that published something like the person.
    pub likely: BTreeSet<OrgId>,
    /// Members that published all they have, and nothing like the person: they are not asked.
    pub absent: BTreeSet<OrgId>,
    /// The locators that answered.
    pub locators: BTreeSet<OrgId>,
}

impl Shortlist {
    /// Whether a member is to be asked: all but those of whom a locator says that they know
    /// nobody like that.
    pub fn wants(&self, org: &OrgId) -> bool {
        !self.absent.contains(org)
    }

    fn settles(&self, org: &OrgId) -> bool {
        self.likely.contains(org) || self.absent.contains(org)
    }

    fn add(&mut self, locator: OrgId, answer: LocateResponse, of: &[OrgId]) {
        let wanted = |org: &OrgId| of.contains(org);
        self.likely.extend(answer.likely.into_iter().filter(wanted));
        self.absent.extend(answer.absent.into_iter().filter(wanted));
        // One locator that has seen it outweighs one that has not.
        self.absent.retain(|org| !self.likely.contains(org));
        self.locators.insert(locator);
    }
}

/// Asks the locators of `others` about a Patient of this node, and records in the audit who is to be
/// asked, before anybody is. Members that no locator speaks for stand in neither list.
pub async fn shortlist(
    app: &App,
    patient: &Resource,
    others: Vec<OrgId>,
    request_id: &str,
) -> Result<Shortlist> {
    let mut found = Shortlist::default();
    if app.settings().locator.mode == Mode::Off || others.is_empty() {
        return Ok(found);
    }
    let deadline = Instant::now() + PATIENCE;
    let mut tried = BTreeSet::new();
    // The second round asks the second locators of those whose first one was silent.
    for _ in 0..2 {
        let open: Vec<&OrgId> = others.iter().filter(|org| !found.settles(org)).collect();
        let round = cover(app, &open, &tried);
        if round.is_empty() || Instant::now() >= deadline {
            break;
        }
        let asked = round.iter().map(|locator| {
            timeout_at(deadline, locate(app, patient, locator, request_id, deadline))
        });
        for (locator, answer) in round.iter().zip(join_all(asked).await) {
            match answer {
                Ok(Ok(answer)) => found.add(locator.clone(), answer, &others),
                Ok(Err(error)) => {
                    tracing::debug!(%locator, reason = %error.message, "a locator did not answer");
                }
                Err(_) => tracing::debug!(%locator, "a locator did not answer in time"),
            }
        }
        tried.extend(round);
    }
    if !found.locators.is_empty() {
        record(app, patient, &others, &found, request_id).await?;
    }
    Ok(found)
}

/// The same, made at most once within half a minute for one patient: a decision goes to every
/// member, one delivery each.
pub async fn lately(app: &App, patient: &Resource, request_id: &str) -> Result<Shortlist> {
    let id = patient.id().ok_or_else(|| Error::internal("a stored Patient has no id"))?;
    let now = app.now_ms();
    let cell = {
        let mut lately = app.locator().lately.lock();
        lately.retain(|_, (made, _)| made.saturating_add(LATELY_MS) > now);
        if lately.len() >= MOST_LATELY {
            lately.clear();
        }
        let (_, cell) = lately.entry(id).or_insert_with(|| (now, Arc::default()));
        Arc::clone(cell)
    };
    let others = app.network().active_others().into_iter().map(|member| member.id).collect();
    cell.get_or_try_init(|| shortlist(app, patient, others, request_id)).await.cloned()
}

/// A few locators that together speak for `open`, by whoever speaks for most (greedy set cover).
fn cover(app: &App, open: &[&OrgId], tried: &BTreeSet<OrgId>) -> BTreeSet<OrgId> {
    let (list, own) = (app.network().list(), app.network().own());
    let epoch = epoch(app.now_ms());
    let mut speaks: BTreeMap<OrgId, BTreeSet<&OrgId>> = BTreeMap::new();
    for holder in open {
        let of_holder = locators(&list, epoch, holder);
        for locator in of_holder.into_iter().filter(|l| l != own && !tried.contains(l)) {
            speaks.entry(locator).or_default().insert(holder);
        }
    }
    let mut chosen = BTreeSet::new();
    while let Some((best, covered)) = speaks
        .iter()
        .max_by_key(|(_, holders)| holders.len())
        .filter(|(_, holders)| !holders.is_empty())
        .map(|(best, holders)| (best.clone(), holders.clone()))
    {
        speaks.values_mut().for_each(|holders| holders.retain(|h| !covered.contains(h)));
        speaks.remove(&best);
        chosen.insert(best);
    }
    chosen
}

async fn locate(
    app: &App,
    patient: &Resource,
    locator: &OrgId,
    request_id: &str,
    deadline: Instant,
) -> Result<LocateResponse> {
    let epoch = epoch(app.now_ms());
    let key = keys::get(app, locator, epoch, deadline).await?;
    let maker = Maker::new(app, locator, epoch, &key, Use::Asked)?;
    let rules = app.settings().locator;
    let encodings = maker.encode(patient);
    if encodings.is_empty() {
        return Err(Error::new(Kind::Busy, "too little is known of the person to look for them"));
    }
    let message = LocateRequest {
        epoch,
        key: key.id,
        epsilon: rules.epsilon.get(),
        dice: rules.dice,
        encodings,
    };
    // The node asks, not its user: a locator need not know who treats whom.
    let asking = as_node(app, request_id);
    ask_json(app, locator, wire::path::LOCATOR_LOCATE, &message, &asking, deadline)
        .await
        .map_err(|e| Error::new(Kind::Busy, e.to_string()))
}

async fn record(
    app: &App,
    patient: &Resource,
    others: &[OrgId],
    found: &Shortlist,
    request_id: &str,
) -> Result<()> {
    let asked: Vec<OrgId> = others.iter().filter(|org| found.wants(org)).cloned().collect();
    let located: Vec<OrgId> = found.locators.iter().cloned().collect();
    let note = format!(
        "located by {}; to be asked: {}; not asked: {} of {}",
        named(&located),
        named(&asked),
        others.len() - asked.len(),
        others.len()
    );
    let (patient, request_id) = (patient.id(), request_id.to_owned());
    app.run(move |app| {
        let event = Event::by_node(Pattern::Query)
            .patients(patient)
            .request_id(&request_id)
            .query("locate by encodings")
            .note(note);
        app.audit(event)
    })
    .await
}

fn named(orgs: &[OrgId]) -> String {
    let mut out: Vec<String> = orgs.iter().take(MOST_NAMED).map(|org| format!("`{org}`")).collect();
    match orgs.len() {
        0 => out.push("nobody".into()),
        all if all > MOST_NAMED => out.push(format!("and {} more", all - MOST_NAMED)),
        _ => {}
    }
    out.join(", ")
}
