//! A holder's part of a round: computes its vector, and gives it in two sealed shares.

use crypto::hpke::SealingKey;
use privacy::aggregate::{Context, Layout, Range, SealedReport, Summation};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use statistics::{Contribution, Round};
use store::{Guard, SideWrite, Transaction};
use wire::research::{AggregatorKey, Before, Gift, Report, Unsigned};
use wire::{OrgId, Sealed};

use super::inquiry::{Against, Checked, check};
use super::replay::follow;
use super::{SPACE, noise, pair, payment, used};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Kind, catalog, programs, projects};

/// What a round asks of a site.
pub(super) struct Asked<'a> {
    /// The question.
    pub inquiry: &'a Sealed,
    /// The round, as JSON.
    pub round: &'a str,
    /// Its number.
    pub number: u32,
    /// The aggregators' signed keys, the leader's first.
    pub keys: &'a [Sealed],
    /// The sums of the rounds before.
    pub before: &'a Before,
}

/// Gives the site's part of a round, which is in the audit before it leaves. Blocks.
pub(super) fn contribute(
    app: &App,
    coordinator: &OrgId,
    asked: &Asked<'_>,
) -> Result<Gift, Against> {
    Ok(Gift::Report { report: given(app, coordinator, asked)? })
}

fn given(app: &App, coordinator: &OrgId, asked: &Asked<'_>) -> Result<Report, Against> {
    let checked = check(app, coordinator, asked.inquiry)?;
    let own = app.network().own().clone();
    if !checked.inquiry.sites.contains(&own) {
        return Err(Against::new("sites", "this institution is not asked"));
    }
    let keys = sealing_keys(app, &checked, asked.keys)?;
    let round: Round = serde_json::from_str(asked.round)
        .map_err(|_| Against::new("not-valid", "the round cannot be read"))?;
    // What is not paid for is no work. It is looked at again where it is written.
    let key = given_key(&checked, asked.number);
    let snapshot = app.store().snapshot()?;
    payment::due(app, &*snapshot, &checked, &key)?;
    pair::due(app, &*snapshot, &checked)?;
    drop(snapshot);
    let mut followed = follow(app, &checked, (&round, asked.number), asked.before)?;
    let given = values(app, &checked, &round)?;
    // With noise nothing is said of the rows that the noise does not cover.
    let is_noisy = checked.noise.is_some();
    let alone = !is_noisy && given.rows >= checked.inquiry.min_rows as usize;
    let mut rng = ChaCha20Rng::from_seed(app.new_secret());
    let network = &app.network().list().network;
    let sum = summation(network, &checked.id, asked.number, &round, is_noisy)?;
    let report =
        sum.shard(&given.values, &mut rng).map_err(|e| Against::new("bounds", e.to_string()))?;
    let sealed = sum
        .seal(&report, &keys[0], &keys[1])
        .map_err(|e| Against::new("not-valid", e.to_string()))?;
    record(app, &checked, asked, followed.writes())?;
    followed.keep(app, &checked.id);
    let key = &app.peers().identity().assertion_key;
    unsigned(&sealed, alone, is_noisy)?
        .sign(&checked.id, asked.number, &own, key)
        .map_err(|_| Against::new("unavailable", "the report could not be signed"))
}

/// The task of summing of one round, which every party makes for itself. Where the answer has noise, sites
/// do not bind themselves to their parts: that would show the noise.
pub(super) fn summation(
    network: &str,
    inquiry: &str,
    number: u32,
    round: &Round,
    is_noisy: bool,
) -> Result<Summation, Against> {
    let range = |entry: &statistics::Entry| Range {
        bound: entry.bound,
        is_count: entry.is_count,
        length: entry.length,
    };
    let ranges = round.layout.entries.iter().map(range).collect();
    let invalid = |e: privacy::aggregate::SumError| Against::new("not-valid", e.to_string());
    let layout = Layout::new(ranges).map_err(invalid)?;
    let context = Context::new(network, inquiry, number);
    match is_noisy {
        true => Summation::new(layout, &context),
        false => Summation::committed(layout, &context),
    }
    .map_err(invalid)
}

fn values(app: &App, checked: &Checked, round: &Round) -> Result<Contribution, Against> {
    let question = &checked.question;
    let names: Vec<String> =
        question.dictionary.variables.iter().map(|variable| variable.name.clone()).collect();
    let dataset = &checked.known.project.dataset;
    let (set, frame) = catalog::rows(app, dataset, &names).map_err(|error| {
        if error.kind == Kind::NotFound {
            return Against::new("no-dataset", "the data set is not here");
        }
        tracing::error!(%dataset, reason = %error.message, "a data set cannot be asked");
        Against::new("dataset-stale", "the data set is out of date and cannot be made anew")
    })?;
    // Its bounds and levels are values of people; that a question fits them would tell so without noise.
    if checked.noise.is_some() && set.is_of_rows() {
        let reason = "the dictionary of the data set was made of its rows; hand it in with one to have it asked with noise";
        return Err(Against::new(noise::RULE, reason));
    }
    for variable in &question.dictionary.variables {
        if set.dictionary.variable(&variable.name).is_none_or(|own| own.kind != variable.kind) {
            let reason = format!("the data set has another variable `{}`", variable.name);
            return Err(Against::new("dictionary", reason));
        }
    }
    if frame.rows() > question.most_rows as usize {
        return Err(Against::new("bounds", "the site has more rows than the question allows"));
    }
    let named = programs::of(question, &checked.known.project);
    if let Some(named) = named.map_err(|why| Against::new(programs::RULE, why))? {
        let (inquiry, project) = (checked.id.as_str(), checked.known.id.as_str());
        let run = programs::Run { inquiry, project, question, named };
        let given = programs::contribute(app, &run, round, &frame)?;
        return given.map_err(|why| Against::new(programs::RULE, why));
    }
    let given = question.contribute(round, &frame);
    given.map_err(|e| Against::new("analysis", e.to_string()))
}

/// The keys of the question's two aggregators, each signed by the aggregator itself: a coordinator
/// cannot put keys of its own in their place.
fn sealing_keys(app: &App, checked: &Checked, keys: &[Sealed]) -> Result<[SealingKey; 2], Against> {
    let mut out = Vec::with_capacity(2);
    for (aggregator, sealed) in checked.inquiry.aggregators.iter().zip(keys) {
        out.push(aggregator_key(app, &checked.id, aggregator, sealed)?.0);
    }
    <[SealingKey; 2]>::try_from(out)
        .map_err(|_| Against::new("aggregators", "there are not two aggregators' keys"))
}

/// The key of one aggregator for a question, and what it holds.
pub(super) fn aggregator_key(
    app: &App,
    inquiry: &str,
    aggregator: &OrgId,
    sealed: &Sealed,
) -> Result<(SealingKey, AggregatorKey), Against> {
    let against = || Against::new("aggregators", "the key of an aggregator is not its own");
    let key: AggregatorKey = sealed.open().map_err(|_| against())?;
    projects::check_signer(app, aggregator, sealed).map_err(|_| against())?;
    if key.inquiry != inquiry || key.aggregator != *aggregator {
        return Err(against());
    }
    let bytes = bytes(&key.key).and_then(|bytes| bytes.try_into().ok()).ok_or_else(against)?;
    Ok((SealingKey(bytes), key))
}

/// One round is answered once: a coordinator cannot ask for the same number a second time with
/// another state. The audit entry and the note of it are one transaction.
fn record(
    app: &App,
    checked: &Checked,
    asked: &Asked<'_>,
    heard: Vec<SideWrite>,
) -> Result<(), Against> {
    let key = given_key(checked, asked.number);
    let hash = crypto::sha256(asked.round.as_bytes()).to_vec();
    let _turn = payment::turn(app, checked);
    let snapshot = app.store().snapshot()?;
    let before = snapshot.side(SPACE, &key)?;
    if before.as_ref().is_some_and(|before| *before != hash) {
        return Err(Against::new("replayed-round", "this round was asked before in another form"));
    }
    let (mut guards, paid) = payment::due(app, &*snapshot, checked, &key)?;
    let with = checked.inquiry.noise.map_or_else(String::new, |noise| {
        format!(" with noise at ε = {}", noise.micro_epsilon as f64 / 1e6)
    });
    let note = format!(
        "gives a sum over the data set `{}` in round {} of a question{with}, in two sealed shares",
        checked.known.project.dataset, asked.number
    );
    let event = Event::by_node(Pattern::Disclose)
        .purpose("HRESCH")
        .request_id(&checked.id)
        .data(format!("ResearchStudy/{}", checked.known.id))
        .note(note);
    guards.push(Guard::Side { space: SPACE, key: key.clone(), value: before });
    let mut side = [heard, paid].concat();
    side.extend(used::first(app, &*snapshot, checked)?);
    side.push(SideWrite { space: SPACE, key, value: Some(hash) });
    if let Some((guard, write)) = pair::due(app, &*snapshot, checked)? {
        guards.push(guard);
        side.push(write);
    }
    let writes = vec![event.write(app)?];
    // Somebody may have decided otherwise about research since the rows were read.
    let Some(since) = catalog::anew::stands(app, &checked.known.project.dataset)? else {
        return Err(Against::new("dataset-stale", "who is in research has changed meanwhile"));
    };
    // Sums over other rows than those of the rounds before would be about nothing.
    let (rows, since) = (format!("rows/{}", checked.id).into_bytes(), since.to_be_bytes().to_vec());
    match snapshot.side(SPACE, &rows)? {
        Some(before) if before != since => {
            let reason = "the rows have changed since the first round; ask again";
            return Err(Against::new("dataset-changed", reason));
        }
        Some(_) => {}
        None => side.push(SideWrite { space: SPACE, key: rows, value: Some(since) }),
    }
    app.store().commit(Transaction { guards, side, writes })?;
    Ok(())
}

/// Under what a round is noted that was given.
fn given_key(checked: &Checked, number: u32) -> Vec<u8> {
    format!("given/{}/{number:010}", checked.id).into_bytes()
}

fn unsigned(sealed: &SealedReport, alone: bool, is_noisy: bool) -> Result<Unsigned, Against> {
    let commitment = match &sealed.commitment {
        Some(commitment) => text(&commitment.0),
        None if is_noisy => String::new(),
        None => return Err(Against::new("not-valid", "no commitment")),
    };
    Ok(Unsigned {
        id: text(&sealed.id.0),
        public: text(&sealed.public_share),
        commitment,
        shares: [text(&sealed.leader), text(&sealed.helper)],
        alone,
    })
}

/// Bytes as they travel: base64url without padding.
pub(super) fn text(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of such a text.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()
}
