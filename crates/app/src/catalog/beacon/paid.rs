//! What answers of the Beacon cost, and the ledger of it.
//!
//! What is paid for is a question, never what is found: whether a question is new, free or refused is known before a
//! row is read, so that none of it tells anything of the rows. The ledger is written before they are read, and the
//! answer before it is given. Budgets are those of a data set in a period of fixed length, however often its rows are
//! made anew in it.

use privacy::budget::{Cost, Entry, Limit, Overspent, Subject, refuse};
use serde::{Deserialize, Serialize};
use store::{SideWrite, Transaction};

use super::super::SPACE;
use super::super::counted::NoiseKey;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Result};

/// ε of one answer, in millionths.
const MICRO_EPSILON: u64 = 100_000;
/// The scale of its noise, in people.
pub(super) const SCALE: f64 = 10.0;
/// Most ε that one account spends in a data set in a period, in millionths: 50 different answers.
pub const PER_ACCOUNT: u64 = 5_000_000;
/// Most ε that everybody together spends in a data set in a period: 200 different answers.
pub const PER_SET: u64 = 20_000_000;
/// Length of a period in days. They begin anew for everybody at the same time, so that around a change the budgets of
/// two can be spent.
pub const PERIOD_DAYS: i64 = 90;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Most entries that are read of one period of a data set.
const MOST_ENTRIES: usize = 1_000;
/// Entries of past periods that are removed with one new entry.
const SWEPT: usize = 100;

/// A question about one data set, in the period in which it is asked.
pub(super) struct Asked {
    set: String,
    question: String,
    period: i64,
}

/// A question that was paid for.
#[derive(Serialize, Deserialize)]
struct Paid {
    /// What was answered; nothing where it has not come to an answer.
    noised: Option<i64>,
    entry: Entry,
    group: Entry,
}

impl Asked {
    /// A question by its digest, asked now.
    pub(super) fn now(app: &App, set: &str, question: String) -> Self {
        let period = app.now_ms().div_euclid(PERIOD_DAYS * DAY_MS);
        Self { set: set.to_owned(), question, period }
    }

    fn of_set(&self) -> String {
        format!("beacon/{}/", self.set)
    }

    fn of_period(&self) -> String {
        format!("{}{:010}/", self.of_set(), self.period)
    }

    fn place(&self) -> Vec<u8> {
        format!("{}{}", self.of_period(), self.question).into_bytes()
    }

    fn entry(&self, subject: String) -> Entry {
        Entry {
            subject: Subject::Group(subject),
            data_set: self.set.clone(),
            project: "beacon".to_owned(),
            question: self.question.clone(),
            cost: Cost::Pure { micro_epsilon: MICRO_EPSILON },
        }
    }
}

/// Pays for the questions that are new, with the entry in the audit, in one transaction; all of them or none. What was
/// answered to each before; nothing where it is still to be counted.
pub(super) fn pay(
    app: &App,
    caller: &Caller,
    asked: &[Asked],
) -> Result<std::result::Result<Vec<Option<i64>>, Overspent>> {
    let _one = app.catalogue().paying.lock();
    let snapshot = app.store().snapshot()?;
    let (mut side, mut answers, mut new) = (Vec::new(), Vec::with_capacity(asked.len()), 0);
    for one in asked {
        let place = one.place();
        if let Some(kept) = snapshot.side(SPACE, &place)? {
            answers.push(read(&kept)?.noised);
            continue;
        }
        let current = one.of_period().into_bytes();
        let mut entries = Vec::new();
        for (_, kept) in snapshot.side_scan(SPACE, &current, MOST_ENTRIES)? {
            let Paid { entry, group, .. } = read(&kept)?;
            entries.extend([entry, group]);
        }
        let entry = one.entry(format!("account {}", caller.user.id));
        let group = one.entry("all".to_owned());
        for (subject, most) in [(&entry, PER_ACCOUNT), (&group, PER_SET)] {
            let limit = Limit { micro_epsilon: most, femto_delta: 0 };
            if let Err(overspent) = refuse(&entries, subject, &limit) {
                return Ok(Err(overspent));
            }
        }
        side.push(write(place, &Paid { noised: None, entry, group })?);
        let past = snapshot.side_scan(SPACE, one.of_set().as_bytes(), SWEPT)?.into_iter();
        let past = past.map(|(key, _)| key).filter(|key| !key.starts_with(&current));
        side.extend(past.map(|key| SideWrite { space: SPACE, key, value: None }));
        answers.push(None);
        new += 1;
    }
    drop(snapshot);
    let sets: Vec<&str> = asked.iter().map(|one| one.set.as_str()).collect();
    let note = match sets.is_empty() {
        true => "asks the Beacon; no data set knows what was asked".to_owned(),
        false => format!("asks the Beacon about {}; {new} new answers", sets.join(", ")),
    };
    let event = Event::by(caller, Pattern::Query).note(note);
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { side, writes, ..Transaction::default() })?;
    Ok(Ok(answers))
}

/// The number of people with noise as it is told, kept first. The noise is always the same for the same number of the
/// same question, and another one for another question about the same people.
pub(super) fn answer(app: &App, asked: &Asked, people: u64) -> Result<i64> {
    let key = NoiseKey::of(app)?;
    let what: [&[u8]; 3] = [b"beacon question", asked.set.as_bytes(), asked.question.as_bytes()];
    let noised = key.noised(&what, people, MICRO_EPSILON)?;
    let _one = app.catalogue().paying.lock();
    let place = asked.place();
    let kept = app.store().snapshot()?.side(SPACE, &place)?;
    // The period of the question may have ended, and its entry may be gone.
    let Some(paid) = kept.map(|kept| read(&kept)).transpose()? else { return Ok(noised) };
    // Somebody else may have come to an answer meanwhile.
    if let Some(noised) = paid.noised {
        return Ok(noised);
    }
    let side = vec![write(place, &Paid { noised: Some(noised), ..paid })?];
    app.store().commit(Transaction { side, ..Transaction::default() })?;
    Ok(noised)
}

fn read(kept: &[u8]) -> Result<Paid> {
    serde_json::from_slice(kept).map_err(|_| Error::internal("an entry of the Beacon is faulty"))
}

fn write(key: Vec<u8>, paid: &Paid) -> Result<SideWrite> {
    let text = serde_json::to_vec(paid).map_err(|e| Error::internal(e.to_string()))?;
    Ok(SideWrite { space: SPACE, key, value: Some(text) })
}
