//! Counts here, adds noise, and writes down what it cost before anybody is told.

use std::time::{Duration, Instant};

use population::distinct::{NoiseRefused, QuestionKey, Sketch, Token};
use population::{CountError, Counting};
use privacy::budget::noise::Mechanism;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use store::{SideWrite, Snapshot, Transaction};

use super::question::{Question, cells_for};
use super::{SPACE, keep};
use crate::audit::Event;
use crate::budget::{Ledger, Payment, Purchase, RULE, period};
use crate::consent::research::participants;
use crate::{App, Error, Kind, Result};

/// How long a question waits until those before it are counted.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one question is counted at most.
const MOST_TIME: Duration = Duration::from_secs(10);
/// Answers of past periods that are removed with one new answer.
const SWEPT: usize = 100;
/// Under which keys answers are kept, by period.
const ANSWERS: &[u8] = b"answer/";

/// What this institution answers, as it was made and is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Given {
    /// Where people are left behind, with noise (see [`wire::CohortResponse`]).
    pub(super) parts: Vec<i64>,
    /// The sketch; empty where none was asked for.
    pub(super) sketch: Vec<i64>,
    /// As of when the records were counted, in milliseconds since the Unix epoch.
    pub(super) counted_ms: i64,
    /// Whether it was given before.
    #[serde(skip)]
    pub(super) again: bool,
}

/// Who is answered, and how the audit tells of it.
pub(super) struct Asker<'a> {
    /// As the ledger calls the account.
    pub(super) account: String,
    /// The entry about an answer, or about a refusal where the word for it is given.
    pub(super) entry: &'a (dyn Fn(Option<&str>) -> Event<'a> + Send + Sync),
}

/// Answers a question of this institution's people, once they are there ([`keep::ready`]). It is paid for before anybody
/// is counted, so that one that comes to no answer costs the same, and counts again for nothing. Blocks.
///
/// Errors: [`Kind::Forbidden`] by the rule `budget`; [`Kind::Busy`]; [`Kind::TooCostly`] for one that takes longer than
/// [`MOST_TIME`].
pub(super) fn give(app: &App, asker: &Asker<'_>, question: &Question) -> Result<Given> {
    let digest = question.digest(app)?;
    let snapshot = app.store().snapshot()?;
    if let Some(given) = before(app, &*snapshot, &digest)? {
        return told(app, asker, question, given);
    }
    // Refused at once, and not after those before it are counted.
    let ledger = Ledger::read(app, &*snapshot)?;
    if !ledger.has(&digest) {
        spend(app, asker, &ledger, &digest, question)?;
    }
    drop(snapshot);
    let state = app.cohorts();
    let Some(_turn) = state.counting.try_lock_for(PATIENCE) else {
        return Err(Error::new(Kind::Busy, "other questions are being counted; ask again shortly"));
    };
    // Somebody may have asked the same meanwhile.
    if let Some(given) = pay(app, asker, question, &digest)? {
        return told(app, asker, question, given);
    }
    let given = counted(app, question)?;
    kept(app, &given, &digest)?;
    Ok(given)
}

/// Pays for a question that was not paid for, with the entry in the audit. What was answered meanwhile is given back.
fn pay(app: &App, asker: &Asker<'_>, question: &Question, digest: &str) -> Result<Option<Given>> {
    let _spending = app.cohorts().spending.lock();
    let snapshot = app.store().snapshot()?;
    let given = before(app, &*snapshot, digest)?;
    if given.is_some() {
        return Ok(given);
    }
    let ledger = Ledger::read(app, &*snapshot)?;
    if ledger.has(digest) {
        app.audit(audited(asker, question, "counted again; it was paid for before".to_owned()))?;
        return Ok(None);
    }
    let Payment { guard, side } = spend(app, asker, &ledger, digest, question)?;
    drop(snapshot);
    let epsilon = question.costs().iter().sum::<u64>() as f64 / 1e6;
    let note = format!("noisy counts at ε = {epsilon}");
    let writes = vec![audited(asker, question, note).write(app)?];
    app.store().commit(Transaction { guards: vec![guard], side, writes })?;
    Ok(None)
}

/// Keeps an answer before it is told; some of past periods go.
fn kept(app: &App, given: &Given, digest: &str) -> Result<()> {
    let value = serde_json::to_vec(given).map_err(|e| Error::internal(e.to_string()))?;
    let answer = SideWrite { space: SPACE, key: key(period(app), digest), value: Some(value) };
    let current = prefix(period(app));
    let past = app.store().snapshot()?.side_scan(SPACE, ANSWERS, SWEPT)?.into_iter();
    let past = past.map(|(key, _)| key).filter(|key| !key.starts_with(&current));
    let past = past.map(|key| SideWrite { space: SPACE, key, value: None });
    let side = std::iter::once(answer).chain(past).collect();
    app.store().commit(Transaction { side, ..Transaction::default() })?;
    Ok(())
}

/// The same answer as before, which costs nothing more.
fn told(app: &App, asker: &Asker<'_>, question: &Question, given: Given) -> Result<Given> {
    app.audit(audited(asker, question, "answered as before".to_owned()))?;
    Ok(Given { again: true, ..given })
}

fn audited<'a>(asker: &Asker<'a>, question: &Question, note: String) -> Event<'a> {
    (asker.entry)(None).query(question.said()).note(note)
}

fn spend(
    app: &App,
    asker: &Asker<'_>,
    ledger: &Ledger,
    digest: &str,
    question: &Question,
) -> Result<Payment> {
    let costs = question.costs();
    let purchase = Purchase {
        account: &asker.account,
        question: digest,
        micro_epsilons: &costs,
        project: None,
    };
    let spent = ledger.spend(app, &purchase);
    if let Err(error) = &spent
        && error.rule.as_deref() == Some(RULE)
    {
        let word = format!("{} {RULE}", policy::Action::Explore);
        app.audit((asker.entry)(Some(&word)).query(question.said()))?;
    }
    spent
}

fn before(app: &App, snapshot: &dyn Snapshot, digest: &str) -> Result<Option<Given>> {
    let stored = snapshot.side(SPACE, &key(period(app), digest))?;
    let read = |value: Vec<u8>| {
        serde_json::from_slice(&value)
            .map_err(|_| Error::internal("an answer that was given cannot be read"))
    };
    stored.map(read).transpose()
}

/// Counts and adds noise. Whoever is not in research at this moment is not counted.
fn counted(app: &App, question: &Question) -> Result<Given> {
    let people = app.cohorts().people.read();
    let people = people.as_ref().ok_or_else(keep::not_yet)?;
    // Asked when the people stand still, so that nobody's decision is older than what is counted of them.
    let without = people.keys_without(&*participants(app)?);
    let threads = app.settings().cohorts.threads;
    let how = Counting { day: question.when, threads, without: &without };
    let until = Instant::now() + MOST_TIME;
    let found = people.index.count_until(&question.cohort, &how, &|| Instant::now() >= until);
    let found = found.map_err(|error| match error {
        CountError::Criteria(fault) => Error::invalid("value", fault.to_string()),
        CountError::Stopped => {
            let message = "the question takes longer to count than this node allows; leave out criteria, or ask for \
                           fewer events that lean on one another";
            Error::new(Kind::TooCostly, message)
        }
        other => Error::internal(other.to_string()),
    })?;
    // Everybody is in one part, so noise for a change of one in one part covers all.
    let mut left: Vec<u64> = std::iter::once(found.people).chain(found.entered).collect();
    left.extend(found.steps.iter().map(|step| step.people));
    let next = left.iter().skip(1).chain(std::iter::once(&0));
    let exact: Vec<u64> = left.iter().zip(next).map(|(all, next)| all - next).collect();
    let mut rng = ChaCha20Rng::from_seed(app.new_secret());
    let mut noise = |micro_epsilon: u64| {
        Mechanism::DiscreteLaplace { sensitivity: 1, micro_epsilon }
            .sample(&mut rng)
            .map_err(|_| NoiseRefused)
    };
    let mut parts = Vec::with_capacity(exact.len());
    for people in exact {
        let drawn = noise(question.steps).map_err(|e| Error::internal(e.to_string()))?;
        parts.push(i64::try_from(people).unwrap_or(i64::MAX).saturating_add(drawn));
    }
    let sketch = match &question.sketch {
        None => Vec::new(),
        Some(dealt) => {
            let members = u64::try_from(parts.last().copied().unwrap_or_default()).unwrap_or(0);
            let cells = match dealt.cells {
                Some(cells) => Ok(cells),
                None => cells_for(members, dealt.micro_epsilon),
            };
            let mut tokens: Vec<Token> = people.tokens_of(found.members());
            let key =
                QuestionKey::new(&dealt.key, b"").map_err(|e| Error::internal(e.to_string()))?;
            cells
                .and_then(|cells| Sketch::of(&mut tokens, cells, &key, &mut noise))
                .map_err(|e| Error::internal(e.to_string()))?
                .counts()
                .to_vec()
        }
    };
    Ok(Given { parts, sketch, counted_ms: people.read_ms, again: false })
}

fn key(period: i64, digest: &str) -> Vec<u8> {
    [prefix(period), digest.as_bytes().to_vec()].concat()
}

fn prefix(period: i64) -> Vec<u8> {
    [ANSWERS, format!("{period:010}/").as_bytes()].concat()
}
