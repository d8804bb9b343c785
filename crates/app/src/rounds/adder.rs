//! One of the two aggregators of a question: checks that what sites gave is within its bounds, and
//! adds, without seeing a number.
//!
//! The keys live as long as the process: after a restart the coordinator asks for new ones and the
//! round begins again. A sum is given once in a round: otherwise whoever coordinates could have it
//! once with a site and once without.

use std::collections::BTreeMap;

use crypto::hpke::OpeningKey;
use parking_lot::Mutex;
use privacy::aggregate::{
    Aggregator, Batch, ReportId, Role, SealedReport, Summation, VerifyKey, Waiting,
    commitment::Commitment,
};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use statistics::Round;
use store::Transaction;
use wire::research::{
    AggregatorKey, Before, Finding, Gift, Refused, ReportPart, ShareOf, SumShare,
};
use wire::{OrgId, Sealed};
use zeroize::Zeroizing;

use super::SPACE;
use super::giving::{Added, keep};
use super::inquiry::{Against, Checked, check};
use super::replay::{follow, signing_keys};
use super::site::{aggregator_key, bytes, summation, text};
use crate::App;
use crate::audit::Event;
use crate::audit::event::Pattern;

/// Most questions of one coordinator whose keys are held at a time, which is as many as it may have open. Its own
/// oldest goes first: nobody makes another's go.
const MOST_HELD: usize = super::MOST_OPEN;
const SECRET_INFO: &[u8] = b"consilium sum 1 verify key";

/// The questions in which this node adds.
#[derive(Default)]
pub(crate) struct Adders(Mutex<BTreeMap<String, Held>>);

struct Held {
    coordinator: OrgId,
    since_ms: i64,
    opening: OpeningKey,
    /// Known to both aggregators; the helper has it from the leader.
    verify: Option<VerifyKey>,
    round: u32,
    /// Which round of the analysis that is.
    step: u32,
    waiting: BTreeMap<ReportId, Looked>,
    aggregator: Option<Aggregator>,
    /// What noise is added by, where there is to be noise.
    sum: Option<Summation>,
}

/// A report that was found in order, as far as one aggregator can tell.
#[derive(Clone)]
struct Looked {
    site: OrgId,
    alone: bool,
    commitment: String,
    waiting: Waiting,
}

/// The reports of a round that an aggregator is shown.
pub(super) struct Shown<'a> {
    /// The round, as JSON.
    pub round: &'a str,
    /// Its number.
    pub number: u32,
    /// The other aggregator's signed key.
    pub other: &'a Sealed,
    /// The reports.
    pub reports: &'a [ReportPart],
    /// The sums of the rounds before.
    pub before: &'a Before,
}

/// Makes the keys for a question. The leader is given the helper's and seals the common secret to it.
pub(super) fn key(
    app: &App,
    coordinator: &OrgId,
    inquiry: &Sealed,
    helper: Option<&Sealed>,
) -> Result<Gift, Against> {
    let checked = check(app, coordinator, inquiry)?;
    let role = role(app, &checked)?;
    let unavailable = |_| Against::new("unavailable", "no key could be made");
    let opening = OpeningKey::generate().map_err(unavailable)?;
    let (verify, secret) = match (role, helper) {
        (Role::Leader, Some(sealed)) => {
            let helper = checked.inquiry.aggregators.get(1).ok_or_else(nobody)?;
            let (to, _) = aggregator_key(app, &checked.id, helper, sealed)?;
            let mut rng = ChaCha20Rng::from_seed(app.new_secret());
            let verify = VerifyKey::generate(&mut rng);
            let secret = to
                .seal(SECRET_INFO, checked.id.as_bytes(), &*verify.to_bytes())
                .map_err(unavailable)?;
            (Some(verify), Some(text(&secret)))
        }
        (Role::Leader, None) => return Err(nobody()),
        (Role::Helper, _) => (None, None),
    };
    let public = AggregatorKey {
        version: 1,
        inquiry: checked.id.clone(),
        aggregator: app.network().own().clone(),
        key: text(&opening.sealing_key().0),
        secret,
    };
    let sealed = Sealed::seal(&public, &app.peers().identity().assertion_key)
        .map_err(|e| Against::new("unavailable", e.to_string()))?;
    let since_ms = app.now_ms();
    let waiting = BTreeMap::new();
    let (aggregator, sum) = (None, None);
    let coordinator = coordinator.clone();
    let (round, step) = (0, 0);
    let fresh =
        Held { coordinator, since_ms, opening, verify, round, step, waiting, aggregator, sum };
    hold(&mut app.rounds().adders.0.lock(), checked.id, fresh);
    Ok(Gift::Key { key: sealed })
}

/// Holds the keys of a question; too many of its coordinator, and those of its oldest go.
fn hold(all: &mut BTreeMap<String, Held>, id: String, fresh: Held) {
    let own: Vec<(i64, String)> = all
        .iter()
        .filter(|(_, held)| held.coordinator == fresh.coordinator)
        .map(|(id, held)| (held.since_ms, id.clone()))
        .collect();
    if !all.contains_key(&id)
        && own.len() >= MOST_HELD
        && let Some((_, oldest)) = own.into_iter().min()
    {
        all.remove(&oldest);
    }
    all.insert(id, fresh);
}

/// Looks at reports: whose they are, and this aggregator's part of the proof that they are within
/// bounds. What is not signed by a site of the question, or comes a second time, is refused. Blocks.
pub(super) fn verify(
    app: &App,
    coordinator: &OrgId,
    inquiry: &Sealed,
    shown: &Shown<'_>,
) -> Result<Gift, Against> {
    let checked = check(app, coordinator, inquiry)?;
    let role = role(app, &checked)?;
    let round: Round = serde_json::from_str(shown.round)
        .map_err(|_| Against::new("not-valid", "the round cannot be read"))?;
    let mut followed = follow(app, &checked, (&round, shown.number), shown.before)?;
    let heard = followed.writes();
    if !heard.is_empty() {
        app.store().commit(Transaction { side: heard, ..Transaction::default() })?;
    }
    followed.keep(app, &checked.id);
    let network = app.network().list().network.clone();
    let is_noisy = checked.noise.is_some();
    let sum = summation(&network, &checked.id, shown.number, &round, is_noisy)?;
    let mut all = app.rounds().adders.0.lock();
    let held = all.get_mut(&checked.id).ok_or_else(lost)?;
    if held.verify.is_none() {
        held.verify = Some(secret(app, &checked, held, shown.other)?);
    }
    let verify = held.verify.clone().ok_or_else(lost)?;
    if held.round != shown.number {
        (held.round, held.waiting) = (shown.number, BTreeMap::new());
    }
    held.step = round.number;
    let aggregator = sum.aggregator(role, verify);
    let (mut findings, mut refused) = (Vec::new(), Vec::new());
    for part in shown.reports {
        match look(app, &checked, (&sum, &aggregator), shown.number, part, held) {
            Ok((id, looked, proof)) => {
                held.waiting.insert(id, looked);
                findings.push(Finding { report: part.id.clone(), proof: text(&proof) });
            }
            Err(rule) => refused.push(Refused { report: part.id.clone(), rule: rule.to_owned() }),
        }
    }
    held.aggregator = Some(aggregator);
    held.sum = is_noisy.then_some(sum);
    drop(all);
    note_refused(app, &checked, &refused)?;
    Ok(Gift::Findings { findings, refused })
}

fn look(
    app: &App,
    checked: &Checked,
    (sum, aggregator): (&Summation, &Aggregator),
    number: u32,
    part: &ReportPart,
    held: &Held,
) -> Result<(ReportId, Looked, Vec<u8>), &'static str> {
    let place = usize::from(aggregator.role() == Role::Helper);
    if !checked.inquiry.sites.contains(&part.site) {
        return Err("sites");
    }
    let keys = signing_keys(app, &part.site);
    if keys.is_empty() {
        return Err("not-a-member");
    }
    if !keys.iter().any(|key| part.is_signed(&checked.id, number, place, key)) {
        return Err("not-signed");
    }
    let id = bytes(&part.id).and_then(|id| id.try_into().ok()).map(ReportId).ok_or("not-valid")?;
    let by_site = held.waiting.iter().find(|(_, looked)| looked.site == part.site);
    if by_site.is_some_and(|(known, _)| *known != id) {
        return Err("replayed");
    }
    let commitment = bytes(&part.commitment).and_then(|c| c.try_into().ok()).map(Commitment);
    let share = bytes(&part.share).ok_or("not-valid")?;
    let public_share = bytes(&part.public).ok_or("not-valid")?;
    let (leader, helper) = if place == 0 { (share, Vec::new()) } else { (Vec::new(), share) };
    let sealed = SealedReport { id, public_share, leader, helper, commitment };
    let opened = sum.open(&sealed, aggregator.role(), &held.opening).map_err(|_| "not-sealed")?;
    let (waiting, proof) =
        aggregator.init(id, &sealed.public_share, &opened).map_err(|_| "out-of-bounds")?;
    let (site, commitment) = (part.site.clone(), part.commitment.clone());
    Ok((id, Looked { site, alone: part.alone, commitment, waiting }, proof))
}

/// Adds what both aggregators found within bounds, and gives this one's share of the sum, which says
/// nothing without the other's. Fewer sites than the question allows are not added. Noise is drawn once: what
/// is given is kept, and is the same whenever it is asked for again. Blocks.
pub(super) fn finish(
    app: &App,
    coordinator: &OrgId,
    inquiry: &Sealed,
    number: u32,
    others: &[Finding],
) -> Result<Gift, Against> {
    let checked = check(app, coordinator, inquiry)?;
    let key = format!("added/{}/{number:010}", checked.id).into_bytes();
    let snapshot = app.store().snapshot()?;
    if let Some(before) = snapshot.side(SPACE, &key)? {
        // The answer was lost on its way; it is the same again, whatever is asked now.
        return serde_json::from_slice(&before)
            .map_err(|_| Against::new("unavailable", "a stored sum is faulty"));
    }
    let mut all = app.rounds().adders.0.lock();
    let held = all.get_mut(&checked.id).filter(|held| held.round == number).ok_or_else(lost)?;
    let aggregator = held.aggregator.clone().ok_or_else(lost)?;
    let (mut batch, sum) = (Batch::new(&aggregator), held.sum.clone());
    let (mut refused, mut added) = (Vec::new(), Added::of(number, held.step));
    for finding in others {
        let id = bytes(&finding.report).and_then(|id| id.try_into().ok()).map(ReportId);
        let Some((id, Looked { site, alone, commitment, waiting })) =
            id.and_then(|id| Some((id, held.waiting.get(&id)?.clone())))
        else {
            return Err(lost());
        };
        if alone {
            added.over.alone.insert(site.clone());
        }
        added.over.sites.insert(site);
        added.commitments.push(commitment);
        let proof = bytes(&finding.proof).unwrap_or_default();
        let verified = aggregator
            .combine(&waiting, &proof)
            .and_then(|message| aggregator.finish(waiting, &message))
            .and_then(|verified| batch.add(&verified));
        if verified.is_err() {
            held.waiting.remove(&id);
            let report = finding.report.clone();
            refused.push(Refused { report, rule: "out-of-bounds".to_owned() });
        }
    }
    drop(all);
    if !refused.is_empty() {
        note_refused(app, &checked, &refused)?;
        return Ok(Gift::Share { share: None, refused });
    }
    if batch.count() < u64::from(checked.inquiry.min_sites) {
        return Err(Against::new("min-sites", "fewer sites than the question allows"));
    }
    if let Some(mechanism) = &checked.noise {
        let mut rng = ChaCha20Rng::from_seed(app.new_secret());
        let noisy = sum.ok_or_else(lost)?.add_noise(&mut batch, mechanism, &mut rng);
        noisy.map_err(|e| Against::new("unavailable", e.to_string()))?;
    }
    let own = batch.aggregate_share().map_err(|e| Against::new("unavailable", e.to_string()))?;
    let of =
        ShareOf { inquiry: &checked.id, aggregator: app.network().own(), number, step: added.step };
    let parts = (text(&own.share), own.count, text(&own.checksum));
    let sites = SumShare::sites_digest(&added.over.sites);
    let share = SumShare::sign(&of, parts, sites, &app.peers().identity().assertion_key)
        .map_err(|_| Against::new("unavailable", "the share could not be signed"))?;
    let gift = Gift::Share { share: Some(share), refused };
    keep(app, &checked, key, &gift, &added)?;
    Ok(gift)
}

fn note_refused(app: &App, checked: &Checked, refused: &[Refused]) -> Result<(), Against> {
    let mut rules: Vec<&str> = refused.iter().map(|one| one.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    if rules.is_empty() {
        return Ok(());
    }
    let event = Event::by_node(Pattern::Refuse)
        .request_id(&checked.id)
        .data(format!("ResearchStudy/{}", checked.known.id))
        .note("a site's part of a research question is not added")
        .refused(rules.join(" "));
    Ok(app.audit(event)?)
}

fn secret(
    app: &App,
    checked: &Checked,
    held: &Held,
    leader: &Sealed,
) -> Result<VerifyKey, Against> {
    let org = checked.inquiry.aggregators.first().ok_or_else(nobody)?;
    let (_, key) = aggregator_key(app, &checked.id, org, leader)?;
    let sealed = key.secret.as_deref().and_then(bytes).ok_or_else(nobody)?;
    let opened: Zeroizing<Vec<u8>> =
        held.opening.open(SECRET_INFO, checked.id.as_bytes(), &sealed).map_err(|_| lost())?;
    let key = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| nobody())?;
    Ok(VerifyKey::from_bytes(key))
}

fn role(app: &App, checked: &Checked) -> Result<Role, Against> {
    let own = app.network().own();
    match checked.inquiry.aggregators.iter().position(|org| org == own) {
        Some(0) => Ok(Role::Leader),
        Some(_) => Ok(Role::Helper),
        None => {
            Err(Against::new("aggregators", "this institution is no aggregator of the question"))
        }
    }
}

fn nobody() -> Against {
    Against::new("aggregators", "the other aggregator's key is missing")
}

/// The keys or the reports are not here any more: the coordinator begins the round again.
fn lost() -> Against {
    Against::new(LOST, "the aggregator was restarted")
}

/// The rule by which an aggregator says that it has lost its keys.
pub(super) const LOST: &str = "lost-keys";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_makes_the_keys_of_another_go() {
        let of = |coordinator: &str, since_ms: i64| Held {
            coordinator: OrgId::new(coordinator).unwrap(),
            since_ms,
            opening: OpeningKey::generate().unwrap(),
            verify: None,
            round: 0,
            step: 0,
            waiting: BTreeMap::new(),
            aggregator: None,
            sum: None,
        };
        let mut all = BTreeMap::new();
        hold(&mut all, "first".to_owned(), of("east", 0));
        for at in (1_i64..).take(MOST_HELD) {
            hold(&mut all, format!("west-{at}"), of("west", at));
        }
        assert_eq!(all.len(), MOST_HELD + 1);
        // Made anew in their place nothing goes; one more, and the oldest of the same goes.
        hold(&mut all, "west-1".to_owned(), of("west", 1));
        assert_eq!(all.len(), MOST_HELD + 1);
        hold(&mut all, "west-0".to_owned(), of("west", 1_000));
        assert_eq!(all.len(), MOST_HELD + 1);
        assert!(all.contains_key("first") && !all.contains_key("west-1"));
        assert!(all.contains_key("west-0") && all.contains_key("west-2"));
    }
}
