//! Reconciliation: once a day a node compares what its audit says of the requests between itself and
//! another node with what the other's says. An answer without a question is an alarm, whichever of the
//! two logs it is missing from.
//!
//! What cannot be told apart from harmless causes is no alarm: a question without an answer (the other
//! was down, the answer is on its way), and a difference of the two clocks of up to [`SLACK_MS`].

use std::collections::{BTreeMap, HashSet};

use fhir::{Resource, Value};
use fhirpath::search::Registry;
use serde::{Deserialize, Serialize};
use store::query::parse;
use store::{Guard, SideWrite, Snapshot, StoreError, Transaction};
use tokio::time::Instant;
use wire::{OrgId, Part, ReconcileRequest, ReconcileResponse, Refusal, Twin};

use super::event::{Event, Pattern};
use crate::authorise::{Action, authorise};
use crate::consent::deliver::{as_node, may_speak};
use crate::operate::upkeep::authorise_upkeep;
use crate::records::answer::refused;
use crate::records::longitudinal::ask_json;
use crate::{App, Caller, Error, Result};

/// How often nodes compare, in milliseconds: a day.
pub const EVERY_MS: i64 = 24 * 60 * 60 * 1000;
/// Entries younger than this wait for the next time: answers may be on their way.
pub const SETTLE_MS: i64 = 60 * 60 * 1000;
/// How far the clocks of two nodes may be apart, with the time a question takes.
pub const SLACK_MS: i64 = 15 * 60 * 1000;
/// How far back the first comparison goes, and how much one comparison takes at most.
pub const MOST_MS: i64 = 7 * EVERY_MS;
/// A node that could not be asked is asked again after this time.
const AGAIN_MS: i64 = 60 * 60 * 1000;
/// Most entries on a page, and most pages of one comparison.
const PAGE: usize = 1_000;
const MAX_PAGES: usize = 200;
/// How long a node has for each page.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
const SPACE: &str = "reconcile";
/// Most alarms that are kept about one node.
const MOST: usize = 1_000;

/// A time, from (included) and until (not), in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first moment.
    pub from: i64,
    /// The moment after the last.
    pub until: i64,
}

impl Window {
    /// With the slack of clocks at both ends.
    pub fn wider(self) -> Self {
        Self { from: self.from - SLACK_MS, until: self.until + SLACK_MS }
    }

    fn has(self, moment: i64) -> bool {
        (self.from..self.until).contains(&moment)
    }
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The other's log says that it answered us, and ours has no question.
    NoQuestionHere,
    /// Our log says that we answered the other, and theirs has no question.
    NoQuestionThere,
}

/// Compares two logs about the requests between their nodes. Both lists cover [`Window::wider`]; what
/// is judged lies in `window`.
pub fn compare<'a>(
    window: Window,
    own: &'a [Twin],
    theirs: &'a [Twin],
) -> Vec<(Finding, &'a Twin)> {
    let asked = |list: &'a [Twin]| -> HashSet<&'a str> {
        let asked = list.iter().filter(|twin| twin.part == Part::Asked);
        asked.map(|twin| twin.request_id.as_str()).collect()
    };
    let unasked = |answers: &'a [Twin], questions: HashSet<&'a str>, finding| {
        let mut told = HashSet::new();
        let answers = answers.iter().filter(move |twin| {
            twin.part != Part::Asked
                && window.has(twin.recorded)
                && !questions.contains(twin.request_id.as_str())
        });
        // A request leaves several entries; one is enough.
        answers
            .filter(move |twin| told.insert(twin.request_id.as_str()))
            .map(move |twin| (finding, twin))
    };
    unasked(theirs, asked(own), Finding::NoQuestionHere)
        .chain(unasked(own, asked(theirs), Finding::NoQuestionThere))
        .collect()
}

/// The entries of this log in which `other` is the other side, oldest first, and whether there are
/// more than `count`.
pub fn list(
    snapshot: &dyn Snapshot,
    other: &str,
    window: Window,
    count: usize,
) -> Result<(Vec<Twin>, bool)> {
    let params = [
        ("agent".to_owned(), format!("Organization/{other}")),
        ("date".to_owned(), format!("ge{}", fhir::time::instant(window.from))),
        ("date".to_owned(), format!("lt{}", fhir::time::instant(window.until))),
        ("_sort".to_owned(), "date".to_owned()),
    ];
    let search =
        parse(Registry::r4(), "AuditEvent", &params).map_err(|e| Error::internal(e.to_string()))?;
    let found = snapshot.find(&search.query, count + 1, false)?;
    let more = found.len() > count;
    let mut twins = Vec::new();
    for stored in snapshot.load(found.get(..count).unwrap_or(&found))? {
        let event = crate::records::parse(&stored)?;
        let leaf = crypto::hash::hex(&crypto::entry::leaf_of(stored.text.as_bytes()));
        twins.extend(twin(&event, other, leaf));
    }
    Ok((twins, more))
}

/// All entries of a window.
pub fn all(snapshot: &dyn Snapshot, other: &str, window: Window) -> Result<Vec<Twin>> {
    let most = PAGE * MAX_PAGES;
    match list(snapshot, other, window, most)? {
        (twins, false) => Ok(twins),
        (_, true) => Err(Error::internal(format!("more than {most} entries in one comparison"))),
    }
}

/// What both sides know of an entry; `None` for one that is about no question of a person.
fn twin(event: &Resource, other: &str, leaf: String) -> Option<Twin> {
    let root = event.root();
    let is_requestor =
        |agent: &Value<'_>| agent.get("requestor").and_then(Value::as_bool) == Some(true);
    let requestor = root.get("agent")?.items().find(is_requestor)?;
    let role = requestor.get("role")?.items().next()?.str_at("text")?;
    // What a node says for itself has no question of a person.
    if role == wire::Role::Service.word() {
        return None;
    }
    let system = requestor.path(&["who", "identifier", "system"]).and_then(Value::as_str);
    let theirs = format!("urn:consilium:org:{other}:account");
    let part = match system.as_deref() {
        None => Part::Asked,
        Some(system) if system != theirs => return None,
        _ if root.get("outcome").is_some_and(|outcome| outcome.is_str("0")) => Part::Answered,
        _ => Part::Refused,
    };
    let request = root.get("entity")?.items().find(|entity| {
        entity.path(&["type", "code"]).is_some_and(|code| code.is_str("XrequestId"))
    })?;
    Some(Twin {
        request_id: request.path(&["what", "identifier", "value"])?.as_str()?.into_owned(),
        part,
        recorded: fhir::time::parse(&root.str_at("recorded")?)?.start_ms,
        leaf,
    })
}

/// Answers a member that compares: the entries in which it is the other side.
pub fn answer(
    app: &App,
    peer: &OrgId,
    message: &ReconcileRequest,
) -> std::result::Result<ReconcileResponse, Refusal> {
    may_speak(app).map_err(refused)?;
    let work = || {
        let window = Window { from: message.from, until: message.until };
        let count = usize::try_from(message.count).unwrap_or(PAGE).clamp(1, PAGE);
        let (entries, more) = list(&*app.store().snapshot()?, peer.as_str(), window, count)?;
        Ok(ReconcileResponse { entries, more })
    };
    work().map_err(refused)
}

/// Takes the entries of `window` from `peer`, page by page, by `ask`.
pub async fn fetch<F, A>(window: Window, mut ask: F) -> std::result::Result<Vec<Twin>, String>
where
    F: FnMut(ReconcileRequest) -> A,
    A: Future<Output = std::result::Result<ReconcileResponse, String>>,
{
    let mut twins: BTreeMap<(i64, String), Twin> = BTreeMap::new();
    let mut from = window.from;
    for _ in 0..MAX_PAGES {
        let count = u32::try_from(PAGE).unwrap_or(u32::MAX);
        let answer = ask(ReconcileRequest { from, until: window.until, count }).await?;
        let before = twins.len();
        let last = answer.entries.last().map(|twin| twin.recorded);
        for twin in answer.entries {
            twins.insert((twin.recorded, twin.leaf.clone()), twin);
        }
        match last {
            Some(last) if answer.more && twins.len() > before => from = last,
            // Entries that stand for no question leave gaps; a page of them says nothing new.
            _ if answer.more => return Err("it sends a page that leads nowhere".into()),
            _ => return Ok(twins.into_values().collect()),
        }
    }
    Err("it has more entries than one comparison takes".into())
}

/// How the comparison with one node stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Up to when both logs were compared, in milliseconds since the Unix epoch; 0 for never.
    pub until_ms: i64,
    /// When it was last tried.
    pub tried_ms: i64,
    /// Entries of both sides that the last comparison took in.
    pub entries: usize,
    /// Why the last try came to nothing; empty where it did not.
    pub failed: String,
}

/// An answer without a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The other institution.
    pub org: String,
    /// What is missing.
    pub finding: Finding,
    /// The entry that has no twin.
    pub request_id: String,
    /// When it was recorded, by the clock of its log, in milliseconds since the Unix epoch.
    pub recorded_ms: i64,
    /// The hash of its leaf, in hexadecimal digits.
    pub leaf: String,
    /// When the gap was found.
    pub found_ms: i64,
    /// Who has closed it, when, and how it is explained; `None` while it is open.
    pub closed: Option<(String, i64, String)>,
}

impl Missing {
    fn key(&self) -> Vec<u8> {
        let what = crypto::sha256(format!("{:?} {}", self.finding, self.request_id).as_bytes());
        format!("missing/{}/{}", self.org, crypto::hash::hex(&what)).into_bytes()
    }

    /// What was found, for people; no personal data.
    pub fn sentence(&self) -> String {
        let Self { org, request_id, .. } = self;
        match self.finding {
            Finding::NoQuestionHere => format!(
                "`{org}` says that it answered the request `{request_id}` of this node, and the log \
                 here has no such question"
            ),
            Finding::NoQuestionThere => format!(
                "this node answered the request `{request_id}` of `{org}`, and `{org}` shows no such \
                 question"
            ),
        }
    }
}

/// Compares with every node for which it is time; returns how many new gaps were found.
pub async fn run_due(app: &App) -> Result<usize> {
    if !*app.answering().borrow() {
        return Ok(0);
    }
    let mut found = 0;
    for member in app.network().active_others() {
        let id = member.id.to_string();
        let standing = app.run(move |app| standing(&*app.store().snapshot()?, &id)).await?;
        let pause = if standing.failed.is_empty() { EVERY_MS } else { AGAIN_MS };
        if app.now_ms() - standing.tried_ms >= pause {
            found += with(app, &member.id, standing).await?;
        }
    }
    Ok(found)
}

/// Compares with one node from where the last comparison ended; returns how many new gaps were found.
pub async fn with(app: &App, peer: &OrgId, before: Standing) -> Result<usize> {
    let now = app.now_ms();
    let window = next(&before, now);
    let theirs = fetch(window.wider(), |message| {
        let asking = as_node(app, app.new_id().as_str());
        async move {
            let deadline = Instant::now() + PATIENCE;
            ask_json(app, peer, wire::path::RECONCILE, &message, &asking, deadline)
                .await
                .map_err(|error| error.to_string())
        }
    })
    .await;
    let org = peer.to_string();
    app.run(move |app| match theirs {
        Ok(theirs) => conclude(app, &org, window, &theirs, now),
        Err(failed) => {
            let failed = failed.chars().take(300).collect();
            keep(app, &org, &Standing { tried_ms: now, failed, ..before })?;
            Ok(0)
        }
    })
    .await
}

/// The window that follows what was compared.
pub fn next(before: &Standing, now_ms: i64) -> Window {
    let until = now_ms - SETTLE_MS;
    Window { from: before.until_ms.max(until - MOST_MS).min(until), until }
}

fn conclude(app: &App, org: &str, window: Window, theirs: &[Twin], now: i64) -> Result<usize> {
    let own = all(&*app.store().snapshot()?, org, window.wider())?;
    let mut found = 0;
    for (finding, twin) in compare(window, &own, theirs) {
        let missing = Missing {
            org: org.to_owned(),
            finding,
            request_id: twin.request_id.clone(),
            recorded_ms: twin.recorded,
            leaf: twin.leaf.clone(),
            found_ms: now,
            closed: None,
        };
        found += usize::from(raise(app, &missing)?);
    }
    let entries = own.len() + theirs.len();
    let standing =
        Standing { until_ms: window.until, tried_ms: now, entries, failed: String::new() };
    keep(app, org, &standing)?;
    Ok(found)
}

/// Keeps an alarm and writes it into the audit; `false` where it is known.
fn raise(app: &App, missing: &Missing) -> Result<bool> {
    let key = missing.key();
    let snapshot = app.store().snapshot()?;
    let prefix = format!("missing/{}/", missing.org);
    let full = snapshot.side_scan(SPACE, prefix.as_bytes(), MOST)?.len() >= MOST;
    if full || snapshot.side(SPACE, &key)?.is_some() {
        return Ok(false);
    }
    drop(snapshot);
    tracing::error!(peer = %missing.org, "{}", missing.sentence());
    let event = Event::by_node(Pattern::LogAlarm).serious(missing.sentence());
    let transaction = Transaction {
        guards: vec![Guard::Side { space: SPACE, key: key.clone(), value: None }],
        writes: vec![event.write(app)?],
        side: vec![set(key, missing)?],
    };
    match app.store().commit(transaction) {
        Ok(_) => Ok(true),
        Err(StoreError::GuardFailed) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn set(key: Vec<u8>, value: &impl Serialize) -> Result<SideWrite> {
    let value = serde_json::to_vec(value).map_err(|e| Error::internal(e.to_string()))?;
    Ok(SideWrite { space: SPACE, key, value: Some(value) })
}

fn keep(app: &App, org: &str, standing: &Standing) -> Result<()> {
    let side = vec![set(format!("at/{org}").into_bytes(), standing)?];
    app.store().commit(Transaction { side, ..Transaction::default() })?;
    Ok(())
}

/// How the comparison with `org` stands.
pub fn standing(snapshot: &dyn Snapshot, org: &str) -> Result<Standing> {
    let value = snapshot.side(SPACE, format!("at/{org}").as_bytes())?;
    let read = value.map(|value| serde_json::from_slice(&value)).transpose();
    let read = read.map_err(|e| Error::internal(format!("a comparison cannot be read: {e}")))?;
    Ok(read.unwrap_or_default())
}

/// The gaps that were found, the newest first.
pub fn gaps(snapshot: &dyn Snapshot) -> Result<Vec<Missing>> {
    let mut gaps = Vec::new();
    for (_, value) in snapshot.side_scan(SPACE, b"missing/", 10 * MOST)? {
        let gap: Missing = serde_json::from_slice(&value)
            .map_err(|e| Error::internal(format!("a gap cannot be read: {e}")))?;
        gaps.push(gap);
    }
    gaps.sort_by_key(|gap| (gap.closed.is_some(), std::cmp::Reverse(gap.found_ms)));
    Ok(gaps)
}

/// How far each institution's log was compared with this one's, and the gaps.
pub type Compared = (Vec<(String, Standing)>, Vec<Missing>);

/// The state of all comparisons, and the gaps. For whoever reviews or operates.
pub fn review(app: &App, caller: &Caller) -> Result<Compared> {
    authorise_upkeep(app, Some(caller))?;
    let snapshot = app.store().snapshot()?;
    let mut all = Vec::new();
    for member in app.network().others() {
        let org = member.id.to_string();
        let standing = standing(&*snapshot, &org)?;
        all.push((org, standing));
    }
    Ok((all, gaps(&*snapshot)?))
}

/// Closes the gaps about `org` with an explanation. For privacy officers.
///
/// Errors: [`crate::Kind::NotFound`] where none is open.
pub fn close(app: &App, caller: &Caller, org: &str, reason: &str) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Review))?;
    let open = gaps(&*app.store().snapshot()?)?.into_iter();
    let mut side = Vec::new();
    for gap in open.filter(|gap| gap.org == org && gap.closed.is_none()) {
        let closed = Some((caller.user.name.clone(), app.now_ms(), reason.to_owned()));
        side.push(set(gap.key(), &Missing { closed, ..gap })?);
    }
    if side.is_empty() {
        return Err(Error::not_found());
    }
    let note = format!("closes what was unmatched with `{org}`: {reason}");
    let writes = vec![Event::by(caller, Pattern::LogAlarm).note(note).write(app)?];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    Ok(())
}

#[cfg(test)]
mod tests;
