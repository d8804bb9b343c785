//! What answers of the Beacon cost, and the ledger of it, written before an answer is given.

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
/// Most ε that one account spends in one version of a data set, in millionths: 50 different answers.
pub const PER_ACCOUNT: u64 = 5_000_000;
/// Most ε that everybody together spends in one version of a data set: 200 different answers.
pub const PER_SET: u64 = 20_000_000;
/// Most entries that are read of one version of a data set.
const MOST_ENTRIES: usize = 1_000;

/// People of one data set who meet what was asked. The number is exact and stays here.
pub(super) struct Counted {
    /// The data set.
    pub set: String,
    /// The digest of its rows.
    pub digest: String,
    /// The digest of which rows were counted.
    pub rows: String,
    /// How many.
    pub people: u64,
}

/// An answer that was given.
#[derive(Serialize, Deserialize)]
struct Given {
    noised: i64,
    entry: Entry,
    group: Entry,
}

/// The sum of what was counted, with noise; what is new in it is paid for and kept first, with the
/// entry in the audit, in one transaction.
pub(super) fn pay(
    app: &App,
    caller: &Caller,
    counted: &[Counted],
) -> Result<std::result::Result<i64, Overspent>> {
    let key = NoiseKey::of(app)?;
    let _one = app.catalogue().paying.lock();
    let snapshot = app.store().snapshot()?;
    let (mut side, mut sum) = (Vec::new(), 0_i64);
    for one in counted {
        let of_set = format!("beacon/{}/{}/", one.set, one.digest);
        let place = format!("{of_set}{}", one.rows).into_bytes();
        if let Some(kept) = snapshot.side(SPACE, &place)? {
            sum = sum.saturating_add(read(&kept)?.noised);
            continue;
        }
        let mut entries = Vec::new();
        for (_, kept) in snapshot.side_scan(SPACE, of_set.as_bytes(), MOST_ENTRIES)? {
            let Given { entry, group, .. } = read(&kept)?;
            entries.extend([entry, group]);
        }
        let entry = |subject| Entry {
            subject: Subject::Group(subject),
            data_set: one.set.clone(),
            project: "beacon".to_owned(),
            question: one.rows.clone(),
            cost: Cost::Pure { micro_epsilon: MICRO_EPSILON },
        };
        let (own, group) = (entry(format!("account {}", caller.user.id)), entry("all".to_owned()));
        for (new, most) in [(&own, PER_ACCOUNT), (&group, PER_SET)] {
            let limit = Limit { micro_epsilon: most, femto_delta: 0 };
            if let Err(overspent) = refuse(&entries, new, &limit) {
                return Ok(Err(overspent));
            }
        }
        let what = [b"beacon", one.set.as_bytes(), one.digest.as_bytes(), one.rows.as_bytes()];
        let noised = key.noised(&what, one.people, MICRO_EPSILON)?;
        sum = sum.saturating_add(noised);
        let given = Given { noised, entry: own, group };
        let text = serde_json::to_vec(&given).map_err(|e| Error::internal(e.to_string()))?;
        side.push(SideWrite { space: SPACE, key: place, value: Some(text) });
    }
    let sets: Vec<&str> = counted.iter().map(|one| one.set.as_str()).collect();
    let note = match sets.is_empty() {
        true => "asks the Beacon; no data set knows what was asked".to_owned(),
        false => format!("asks the Beacon about {}; {} new answers", sets.join(", "), side.len()),
    };
    let event = Event::by(caller, Pattern::Query).note(note);
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { side, writes, ..Transaction::default() })?;
    Ok(Ok(sum))
}

fn read(kept: &[u8]) -> Result<Given> {
    serde_json::from_slice(kept).map_err(|_| Error::internal("an entry of the Beacon is faulty"))
}
