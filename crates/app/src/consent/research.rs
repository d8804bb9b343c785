//! Who is in research: what patients' consents say of it, and where they say nothing, what the
//! institution has stated.
//!
//! The consent engine decides, for the purpose of healthcare research and a recipient that no
//! consent names. Decisions are remembered and follow every Consent from the moment it is committed;
//! of a patient who is in without a word about it nothing is kept.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::Arc;

use fhir::{Id, Resource};
use parking_lot::{Mutex, RwLock};
use policy::consent::{
    Compiled, Defaults, Existence, Item, NetworkDefault, Request, SensitiveDefault, WholeDecision,
    decide_all, elsewhere, whole_record,
};
use policy::{Purpose, Role};
use store::query::Query;
use store::{HistoryOf, Key, Method, Seq, Snapshot, Stored};

use super::standing;
use crate::records::{holdings, parse, patients_of};
use crate::{App, Result};

/// Versions that are read at a time.
const PAGE: usize = 1_000;
/// Most patients of a node that are listed one by one.
const MOST_PATIENTS: usize = 10_000_000;
/// Whom an extract is for, as consents are asked: nobody whom a consent could name.
const RECIPIENT: &str = "https://consilium.health/research";

/// What holds of research where no consent of a patient decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Regime {
    /// Patients are in unless they have decided otherwise.
    #[default]
    OptOut,
    /// Patients are out unless they have decided otherwise.
    OptIn,
}

/// A word that is no regime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use one of `opt-out`, `opt-in`")]
pub struct UnknownRegime;

impl FromStr for Regime {
    type Err = UnknownRegime;

    fn from_str(word: &str) -> std::result::Result<Self, UnknownRegime> {
        match word {
            "opt-out" => Ok(Self::OptOut),
            "opt-in" => Ok(Self::OptIn),
            _ => Err(UnknownRegime),
        }
    }
}

/// Where a patient stands.
#[derive(Clone, Debug)]
pub enum Standing {
    /// All of the record may be used.
    In,
    /// Nothing of it may be.
    Out,
    /// It depends on the resource.
    ByItem(Arc<ByItem>),
}

impl Standing {
    /// Whether both let the same be used.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::In, Self::In) | (Self::Out, Self::Out) => true,
            (Self::ByItem(one), Self::ByItem(other)) => one.mark == other.mark,
            _ => false,
        }
    }

    /// What tells this standing from others, to be written down.
    pub(crate) fn mark(&self) -> &str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::ByItem(by_item) => &by_item.mark,
        }
    }
}

/// Consents that look at single resources.
#[derive(Debug)]
pub struct ByItem {
    consents: Compiled,
    /// A hash of the consents, and until when they say the same.
    mark: String,
}

/// Where every patient stands at one moment.
#[derive(Debug, Default)]
pub struct Participants {
    regime: Regime,
    /// Those whose consents say otherwise than the regime, or in part.
    said: HashMap<Id, Standing>,
}

impl Participants {
    /// Where a patient stands.
    pub fn standing(&self, patient: &Id) -> Standing {
        match (self.said.get(patient), self.regime) {
            (Some(said), _) => said.clone(),
            (None, Regime::OptOut) => Standing::In,
            (None, Regime::OptIn) => Standing::Out,
        }
    }

    /// What holds where a patient has decided nothing.
    pub(crate) fn regime(&self) -> Regime {
        self.regime
    }

    /// The patients of whom the other holds: under [`Regime::OptOut`] those of whom not all may be
    /// used, under [`Regime::OptIn`] those of whom all may be.
    pub(crate) fn apart(&self) -> impl Iterator<Item = &Id> {
        let apart = self.regime == Regime::OptIn;
        self.said.keys().filter(move |id| self.is_in(id) == apart)
    }

    /// Whether all of a patient's record may be used.
    pub fn is_in(&self, patient: &Id) -> bool {
        matches!(self.standing(patient), Standing::In)
    }
}

/// Where every patient stands now. Blocks; costs a look at a number while no Consent was written.
pub fn participants(app: &App) -> Result<Arc<Participants>> {
    app.participation().now(app)
}

/// The patients of `snapshot` of whom not all may be used for research, as it stands now: those who
/// are out, and those who keep part of the record out of it. Blocks.
pub fn without(app: &App, snapshot: &dyn Snapshot) -> Result<HashSet<Id>> {
    let participants = participants(app)?;
    let out = |id: &Id| !participants.is_in(id);
    if participants.regime == Regime::OptOut {
        return Ok(participants.said.keys().filter(|id| out(id)).cloned().collect());
    }
    let query = Query::every("Patient");
    let mut found = HashSet::new();
    for page in snapshot.find(&query, MOST_PATIENTS, true)?.chunks(PAGE) {
        let ids = snapshot.load(page)?.into_iter().map(|stored| stored.key.id);
        found.extend(ids.filter(out));
    }
    Ok(found)
}

/// Which resources of a patient may be used, where that depends on the resource.
pub(crate) fn usable(
    app: &App,
    snapshot: &dyn Snapshot,
    patient: &Id,
    by_item: &ByItem,
) -> Result<HashSet<Key>> {
    let resources = holdings::record(snapshot, patient)?;
    let labelling = &app.settings().labelling;
    let items: Vec<Item> =
        resources.iter().map(|resource| Item::labelled(resource, labelling)).collect();
    let defaults = defaults(app.settings().research);
    let decisions = decide_all(&request(app), &by_item.consents, &defaults, &items);
    let key = |resource: &Resource| {
        let resource_type = fhir::resource_type(resource.type_name())?;
        Some(Key { resource_type, id: resource.id()? })
    };
    let permitted = resources.iter().zip(&decisions).filter(|(_, one)| one.is_permitted());
    Ok(permitted.filter_map(|(resource, _)| key(resource)).collect())
}

fn request(app: &App) -> Request {
    Request {
        recipient_org: elsewhere(RECIPIENT),
        recipient_user: None,
        role: Role::Researcher,
        purpose: Purpose::HRESCH,
        custodian_org: app.org().id.clone(),
        now_ms: app.now_ms(),
        break_glass_enabled: false,
    }
}

/// Labels keep nothing back here: what leaves names nobody, and a patient may say otherwise.
fn defaults(regime: Regime) -> Defaults {
    let network = match regime {
        Regime::OptOut => NetworkDefault::PermitAll,
        Regime::OptIn => NetworkDefault::Deny,
    };
    Defaults { network, sensitive: SensitiveDefault::Share, denied: Existence::Hidden }
}

/// What the node remembers of it.
#[derive(Default)]
pub(crate) struct Keeper {
    known: RwLock<Option<Known>>,
    /// Locked while consents are read, so that one caller does it for all.
    reading: Mutex<()>,
}

/// Decisions as of a moment.
#[derive(Clone)]
struct Known {
    /// The newest version that was looked at.
    checked: Seq,
    participants: Arc<Participants>,
    /// Patients whose consents say something else from a time on, milliseconds since the Unix epoch.
    changes: Arc<HashMap<Id, i64>>,
    /// The first of these times.
    until_ms: i64,
}

impl Known {
    fn is_fresh(&self, app: &App) -> bool {
        self.checked >= app.store().newest().consent() && app.now_ms() < self.until_ms
    }
}

impl Keeper {
    fn now(&self, app: &App) -> Result<Arc<Participants>> {
        let fresh = || self.known.read().clone().filter(|known| known.is_fresh(app));
        if let Some(known) = fresh() {
            return Ok(known.participants);
        }
        let _reading = self.reading.lock();
        if let Some(known) = fresh() {
            return Ok(known.participants);
        }
        let before = self.known.read().clone();
        let known = follow(app, before)?;
        let participants = known.participants.clone();
        *self.known.write() = Some(known);
        Ok(participants)
    }
}

/// What was known, as of this moment.
fn follow(app: &App, before: Option<Known>) -> Result<Known> {
    let snapshot = app.store().snapshot()?;
    let snapshot = &*snapshot;
    let (now, regime) = (app.now_ms(), app.settings().research);
    let checked = before.as_ref().map_or(0, |known| known.checked);
    let mut touched = touched(snapshot, checked)?;
    let mut said = HashMap::new();
    let mut changes = HashMap::new();
    if let Some(before) = before {
        if touched.is_empty() && now < before.until_ms {
            return Ok(Known { checked: snapshot.seq(), ..before });
        }
        let due = before.changes.iter().filter(|(_, at)| **at <= now);
        touched.extend(due.map(|(id, _)| id.clone()));
        said = before.participants.said.clone();
        changes = (*before.changes).clone();
    }
    let request = request(app);
    for patient in touched {
        let (standing, until_ms) = decide(snapshot, &patient, &request, regime)?;
        let is_default = matches!(
            (&standing, regime),
            (Standing::In, Regime::OptOut) | (Standing::Out, Regime::OptIn)
        );
        match until_ms {
            Some(at) => changes.insert(patient.clone(), at),
            None => changes.remove(&patient),
        };
        match is_default {
            true => said.remove(&patient),
            false => said.insert(patient, standing),
        };
    }
    let until_ms = changes.values().copied().min().unwrap_or(i64::MAX);
    let participants = Arc::new(Participants { regime, said });
    Ok(Known { checked: snapshot.seq(), participants, changes: Arc::new(changes), until_ms })
}

/// The patients whose consents were written after a version.
fn touched(snapshot: &dyn Snapshot, checked: Seq) -> Result<HashSet<Id>> {
    let (mut after, mut touched) = (checked, HashSet::new());
    loop {
        let page = snapshot.history_after(&HistoryOf::Type("Consent"), after, PAGE)?;
        let Some(last) = page.last() else { return Ok(touched) };
        after = last.seq;
        for stored in &page {
            touched.extend(patients(stored)?);
            // Of whom it was before: whoever it is not about any more is decided anew, too.
            let before = stored.version.checked_sub(1).filter(|version| *version > 0);
            let before = before.map(|version| snapshot.vread(&stored.key, version)).transpose()?;
            if let Some(before) = before.flatten().filter(|_| checked > 0) {
                touched.extend(patients(&before)?);
            }
        }
    }
}

fn patients(stored: &Stored) -> Result<Vec<Id>> {
    match stored.method {
        Method::Delete => Ok(Vec::new()),
        _ => Ok(patients_of(&parse(stored)?)),
    }
}

/// Where a patient stands, and from when on that may be otherwise.
fn decide(
    snapshot: &dyn Snapshot,
    patient: &Id,
    request: &Request,
    regime: Regime,
) -> Result<(Standing, Option<i64>)> {
    let consents = standing::resources(snapshot, patient)?;
    // Groups are not looked up: no recipient of research is in one, and a denial that names one holds.
    let compiled = Compiled::new(&consents);
    let until_ms = compiled.next_change_ms(request.now_ms);
    let standing = match whole_record(request, &compiled, &defaults(regime)) {
        WholeDecision::Permit(_) => Standing::In,
        WholeDecision::Deny { .. } => Standing::Out,
        WholeDecision::ByItem => {
            let mut texts: Vec<&str> = consents.iter().map(Resource::text).collect();
            texts.sort_unstable();
            let said = crypto::hash::hex(&crypto::sha256(texts.join("\n").as_bytes()));
            let mark = format!("{said} {}", until_ms.unwrap_or(i64::MAX));
            Standing::ByItem(Arc::new(ByItem { consents: compiled, mark }))
        }
    };
    Ok((standing, until_ms))
}
