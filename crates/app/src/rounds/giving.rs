//! What an aggregator keeps of a sum before it gives its share: over which sites it is, so that no other
//! sum shows one of them, and what they had bound themselves to.

use std::collections::BTreeSet;

use store::{Guard, SideWrite, Transaction};
use wire::research::Gift;

use super::SPACE;
use super::inquiry::{Against, Checked};
use super::overlap::{Over, Ruling, audit};
use super::replay::bound_key;
use crate::App;
use crate::audit::Event;
use crate::audit::event::Pattern;

/// What is added in a round.
pub(super) struct Added {
    /// The number of the round.
    pub number: u32,
    /// Which round of the analysis it is.
    pub step: u32,
    /// The sites, and those that may stand alone.
    pub over: Over,
    /// What each had bound itself to.
    pub commitments: Vec<String>,
}

impl Added {
    /// Nothing yet.
    pub fn of(number: u32, step: u32) -> Self {
        let over = Over { sites: BTreeSet::new(), alone: BTreeSet::new() };
        Self { number, step, over, commitments: Vec::new() }
    }
}

/// Keeps what is given, over which sites, and what they had bound themselves to: in one transaction
/// with its audit entry, or not at all. Blocks.
///
/// Errors: the rules `sites-changed` and `overlap`.
pub(super) fn keep(
    app: &App,
    checked: &Checked,
    key: Vec<u8>,
    gift: &Gift,
    added: &Added,
) -> Result<(), Against> {
    let unwritten = |_| Against::new("unavailable", "the sum could not be written");
    let over_key = format!("over/{}", checked.id).into_bytes();
    let over = serde_json::to_vec(&added.over.sites).map_err(unwritten)?;
    let _one_at_a_time = app.rounds().giving.lock();
    let snapshot = app.store().snapshot()?;
    let before = snapshot.side(SPACE, &over_key)?;
    if before.as_ref().is_some_and(|before| *before != over) {
        let reason =
            "a sum over other sites was given before; the difference would show one of them";
        return Err(Against::new("sites-changed", reason));
    }
    let sums_key = format!("overlap/{}", checked.known.project.dataset).into_bytes();
    let sums_before = snapshot.side(SPACE, &sums_key)?;
    drop(snapshot);
    let earlier: Vec<Over> = match &sums_before {
        Some(stored) => serde_json::from_slice(stored).map_err(unwritten)?,
        None => Vec::new(),
    };
    let mut guards = vec![
        Guard::Side { space: SPACE, key: key.clone(), value: None },
        Guard::Side { space: SPACE, key: over_key.clone(), value: before },
    ];
    let bound = serde_json::to_vec(&added.commitments).map_err(unwritten)?;
    let value = serde_json::to_vec(gift).map_err(unwritten)?;
    let mut side = vec![
        SideWrite { space: SPACE, key, value: Some(value) },
        SideWrite { space: SPACE, key: over_key, value: Some(over) },
        SideWrite { space: SPACE, key: bound_key(&checked.id, added.number), value: Some(bound) },
    ];
    // What noise covers it covers beside every other sum, too, and that was paid for.
    let ruling = match checked.noise {
        Some(_) => Ruling::Known,
        None => audit(&earlier, &added.over, checked.inquiry.min_sites),
    };
    match ruling {
        Ruling::Known => {}
        Ruling::Keep(all) => {
            let value = serde_json::to_vec(&all).map_err(unwritten)?;
            side.push(SideWrite { space: SPACE, key: sums_key.clone(), value: Some(value) });
        }
        // The asker learns the rule alone: which other sums there were is no matter of the question's.
        Ruling::Refuse => return Err(Against::new("overlap", "")),
    }
    guards.push(Guard::Side { space: SPACE, key: sums_key, value: sums_before });
    let number = added.number;
    let note = format!("adds what the sites gave in round {number} of a question, in a share");
    let event = Event::by_node(Pattern::Disclose)
        .purpose("HRESCH")
        .request_id(&checked.id)
        .data(format!("ResearchStudy/{}", checked.known.id))
        .note(note);
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { guards, side, writes })?;
    Ok(())
}
