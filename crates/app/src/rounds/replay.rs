//! Finding a round for oneself. Whoever takes part in a question works the state of a round out of the
//! sums of the rounds before, each in both aggregators' signed shares, and does nothing for a round that
//! is another: a coordinator could else choose a state whose sum singles out a row.
//!
//! An aggregator also holds each sum of its own against what the sites had bound themselves to, so that a
//! coordinator and the other aggregator cannot make one up between them.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use privacy::aggregate::{AggregateShare, Role, commitment::Commitment};
use serde::{Deserialize, Serialize};
use statistics::{Analysis, Round, Step, Sums};
use store::SideWrite;
use wire::OrgId;
use wire::research::{Before, MAX_PAST, PastSum, ShareOf, SumShare};

use super::SPACE;
use super::inquiry::{Against, Checked};
use super::site::{bytes, summation};
use crate::App;
use crate::programs::{self, Conversation, Halt};

/// Most questions whose replay is held in memory; the one used longest ago goes first, and is read
/// again from the store when it is needed.
const MOST_HELD: usize = 200;
/// Fewest rows that must have a level or an indicator before its coefficient is worked out, where the
/// question's `min_rows` does not allow fewer.
pub(super) const MIN_CELL: u32 = 10;

/// The rule by which a round is not the one that the sums before lead to.
pub(super) const STATE: &str = "state";
/// The rule by which a node cannot do for now what it is asked: other programs run on it, or its store does
/// not answer. The coordinator asks again.
pub(super) const FOR_NOW: &str = "unavailable";

/// Questions that are replayed.
#[derive(Default)]
pub(crate) struct Replays(Mutex<BTreeMap<String, Replay>>);

/// A question, as far as the sums that were verified lead.
pub(super) struct Replay {
    used_ms: i64,
    /// How many sums were taken.
    taken: u32,
    /// The number of the last of them.
    last: u32,
    /// The digest of the sites that are in all of them.
    sites: Option<String>,
    progress: Conversation,
    /// The round that comes next; `None` at the end.
    round: Option<Round>,
}

/// A sum as it is kept once it was verified.
#[derive(Serialize, Deserialize)]
struct Heard {
    number: u32,
    sites: String,
    sums: Sums,
}

/// What a round was found to be. The writes belong to the transaction that notes what is done for it;
/// after that, [`Followed::keep`].
pub(super) struct Followed {
    replay: Replay,
    writes: Vec<SideWrite>,
}

impl Followed {
    /// What is to be written.
    pub fn writes(&mut self) -> Vec<SideWrite> {
        std::mem::take(&mut self.writes)
    }

    /// Holds it in memory for the next round.
    pub fn keep(self, app: &App, inquiry: &str) {
        let mut held = app.rounds().replays.0.lock();
        if held.len() >= MOST_HELD
            && let Some(oldest) = held.iter().min_by_key(|(_, held)| held.used_ms)
        {
            let oldest = oldest.0.clone();
            held.remove(&oldest);
        }
        held.insert(inquiry.to_owned(), self.replay);
    }
}

/// Whether the round that is asked under `number` is the one that the sums before lead to, of which
/// those in `before` are new here. Blocks.
pub(super) fn follow(
    app: &App,
    checked: &Checked,
    (asked, number): (&Round, u32),
    before: &Before,
) -> Result<Followed, Against> {
    if !before.is_sound() {
        return Err(Against::new("not-valid", "there are too many sums, or shares are missing"));
    }
    let known = app.rounds().replays.0.lock().remove(&checked.id);
    let replay = match known {
        Some(replay) => replay,
        None => stored(app, checked)?,
    };
    let mut followed = Followed { replay, writes: Vec::new() };
    if before.from > followed.replay.taken {
        let reason = "the sums of the rounds before are not here";
        followed.keep(app, &checked.id);
        return Err(Against::new(Before::LOST, reason));
    }
    let new = (followed.replay.taken - before.from) as usize;
    for past in before.sums.iter().skip(new) {
        followed.take(app, checked, past)?;
    }
    let replay = &mut followed.replay;
    replay.used_ms = app.now_ms();
    let is_it = replay.round.as_ref().is_some_and(|round| asked.is_like(round));
    if !is_it || number <= replay.last {
        let reason = "the round is not the one that the sums before lead to";
        return Err(Against::new(STATE, reason));
    }
    Ok(followed)
}

impl Followed {
    /// Takes a further sum.
    fn take(&mut self, app: &App, checked: &Checked, past: &PastSum) -> Result<(), Against> {
        let replay = &mut self.replay;
        let against = || Against::new(STATE, "a sum of an earlier round does not hold");
        let round = replay.round.as_ref().ok_or_else(against)?;
        if past.number <= replay.last {
            return Err(against());
        }
        let heard = opened(app, checked, round, past)?;
        if replay.sites.as_ref().is_some_and(|sites| *sites != heard.sites) {
            return Err(Against::new(STATE, "the sums are not over the same sites"));
        }
        let key = heard_key(&checked.id, replay.taken);
        let value = serde_json::to_vec(&heard)
            .map_err(|_| Against::new("unavailable", "a sum could not be written"))?;
        replay.take(checked, heard)?;
        self.writes.push(SideWrite { space: SPACE, key, value: Some(value) });
        Ok(())
    }
}

impl Replay {
    fn take(&mut self, checked: &Checked, heard: Heard) -> Result<(), Against> {
        let halted = |halt: Halt| match halt {
            Halt::ForNow(why) => Against::new(FOR_NOW, why),
            Halt::Ended(_) => Against::new(STATE, "the sums of the rounds before end the question"),
        };
        self.round = match self.progress.take(&heard.sums).map_err(halted)? {
            Step::Ask(round) => Some(round),
            Step::Done(_) => None,
        };
        if let Some(name) = self.progress.rare(least(checked)) {
            return Err(Against::new("min_cell", format!("too few rows have `{name}`")));
        }
        (self.taken, self.last, self.sites) = (self.taken + 1, heard.number, Some(heard.sites));
        Ok(())
    }
}

/// Fewest rows that must have a level of the question.
pub(super) fn least(checked: &Checked) -> u64 {
    u64::from(MIN_CELL.min(checked.inquiry.min_rows))
}

/// The replay as far as what is kept leads.
fn stored(app: &App, checked: &Checked) -> Result<Replay, Against> {
    let progress =
        programs::begin(app, &checked.question, &checked.known.project).map_err(|halt| {
            match (halt, &checked.question.analysis) {
                (Halt::ForNow(why), _) => Against::new(FOR_NOW, why),
                (Halt::Ended(failure), Analysis::Program(_)) => {
                    Against::new(programs::RULE, failure.to_string())
                }
                (Halt::Ended(_), _) => Against::new("not-valid", "the question cannot be begun"),
            }
        })?;
    let round = Some(progress.first());
    let used_ms = app.now_ms();
    let mut replay = Replay { used_ms, taken: 0, last: 0, sites: None, progress, round };
    let prefix = format!("heard/{}/", checked.id);
    for (_, value) in app.store().snapshot()?.side_scan(SPACE, prefix.as_bytes(), MAX_PAST)? {
        let heard = serde_json::from_slice(&value)
            .map_err(|_| Against::new("unavailable", "a stored sum is faulty"))?;
        replay.take(checked, heard)?;
    }
    Ok(replay)
}

/// The sum in both shares, each signed by its aggregator.
fn opened(app: &App, checked: &Checked, round: &Round, past: &PastSum) -> Result<Heard, Against> {
    let against = || Against::new(STATE, "a sum of an earlier round does not hold");
    // A question with noise has one round, and no sum before it.
    if checked.noise.is_some() {
        return Err(against());
    }
    let mut shares = Vec::with_capacity(2);
    for (place, (aggregator, share)) in
        checked.inquiry.aggregators.iter().zip(&past.shares).enumerate()
    {
        let (inquiry, number, step) = (checked.id.as_str(), past.number, round.number);
        let of = ShareOf { inquiry, aggregator, number, step };
        if !is_signed(app, &of, share) || share.count < u64::from(checked.inquiry.min_sites) {
            return Err(against());
        }
        shares.push(aggregate_share(place, share).ok_or_else(against)?);
    }
    let shares = <[AggregateShare; 2]>::try_from(shares).map_err(|_| against())?;
    let sites = match past.shares.as_slice() {
        [leader, helper] if leader.sites == helper.sites => leader.sites.clone(),
        _ => return Err(against()),
    };
    let network = app.network().list().network.clone();
    let sum = summation(&network, &checked.id, past.number, round, false)?;
    let found = match bound(app, checked, past.number)? {
        Some(commitments) => sum.unshard_committed(&shares, &commitments),
        None => sum.unshard(&shares),
    };
    let (values, count) = found.map_err(|_| against())?;
    let sums = Sums { values, sites: u32::try_from(count).unwrap_or(u32::MAX) };
    Ok(Heard { number: past.number, sites, sums })
}

/// What the sites of a sum had bound themselves to, where this node is one of those that added it.
fn bound(app: &App, checked: &Checked, number: u32) -> Result<Option<Vec<Commitment>>, Against> {
    if !checked.inquiry.aggregators.contains(app.network().own()) {
        return Ok(None);
    }
    let stored = app.store().snapshot()?.side(SPACE, &bound_key(&checked.id, number))?;
    let texts: Option<Vec<String>> = stored.and_then(|stored| serde_json::from_slice(&stored).ok());
    let commitments = texts.and_then(|texts| {
        texts.iter().map(|text| bytes(text)?.try_into().ok().map(Commitment)).collect()
    });
    let none = || Against::new(STATE, "this node has added no such sum");
    commitments.map(Some).ok_or_else(none)
}

/// Whether the aggregator's node has signed its share.
pub(super) fn is_signed(app: &App, of: &ShareOf<'_>, share: &SumShare) -> bool {
    signing_keys(app, of.aggregator).iter().any(|key| share.is_signed(of, key))
}

/// The keys by which a member of the network, this one included, signs now; none of whoever is no
/// member.
pub(super) fn signing_keys(app: &App, org: &OrgId) -> Vec<crypto::PublicKey> {
    if org == app.network().own() {
        return vec![app.peers().identity().assertion_key.public_key()];
    }
    app.network()
        .active(org)
        .map_or_else(|_| Vec::new(), |member| member.signing_keys(app.now_ms()))
}

/// A share as the engine of sums takes it, of the aggregator in this place, 0 for the leader.
pub(super) fn aggregate_share(place: usize, share: &SumShare) -> Option<AggregateShare> {
    let role = if place == 0 { Role::Leader } else { Role::Helper };
    let checksum = bytes(&share.checksum)?.try_into().ok()?;
    let (count, share) = (share.count, bytes(&share.share)?);
    Some(AggregateShare { role, count, checksum, share, noise: None })
}

/// Where the commitments of a sum are kept that this node has added.
pub(super) fn bound_key(inquiry: &str, number: u32) -> Vec<u8> {
    format!("bound/{inquiry}/{number:010}").into_bytes()
}

fn heard_key(inquiry: &str, place: u32) -> Vec<u8> {
    format!("heard/{inquiry}/{place:010}").into_bytes()
}
