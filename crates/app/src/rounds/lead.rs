//! The coordinator's part: leads a question round by round to its end.
//!
//! What is kept are the sums of each round; the rest is computed from them, so a question goes on
//! where it was after a restart. A site that does not answer the first round, refuses it, or gives what
//! is out of bounds is left out. Once there is a sum, every other sum is over the same sites: the
//! difference of two sums over different sites would show what one of them gave. So a site that goes
//! missing later ends the question. A question with noise has one round, which is paid for where it is given:
//! it goes on without a site that is missing, and is not asked a second time. Whoever says that it cannot for
//! now is asked again, and where the programs of this node cannot run for now the question waits.

use std::collections::BTreeSet;
use std::time::Duration;

use privacy::aggregate::{AggregateShare, Summation, commitment::Commitment};
use privacy::budget::Mechanism;
use serde::{Deserialize, Serialize};
use statistics::{Answer, Failure, Question, Round, Step as Next, Sums};
use store::{SideWrite, Transaction};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use wire::research::{Gift, Inquiry, PastSum, Step, SumShare};
use wire::{OrgId, Sealed};

use super::SPACE;
use super::ask::{self, End, Standing, keep_standing, read, stands};
use super::board::Handed;
use super::desk::{Asked, Desk, Outcome, PATIENCE, Reports, put};
use super::noise;
use super::past::{Found, Past};
use super::replay::{MIN_CELL, aggregate_share};
use super::site::{bytes, summation};
use super::task;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::programs::{self, Conversation, Halt};
use crate::{App, Error, Kind, Result, projects, release};

/// Most rounds of a question, over all attempts.
const MOST_ROUNDS: u32 = 5_000;
/// How often aggregators may begin again.
const MOST_LOST: u32 = 20;
/// How often a round is asked again because somebody could not take part in it for now.
const MOST_LATER: u32 = 10;
/// How often this node's own programs are tried at a time before the question is put aside; it is then taken
/// up again from the sums that are kept, as long as its time lasts.
const MOST_TRIES: u32 = 5;
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(5);

/// Sums of one round, as they are kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The sites that are in it.
    sites: BTreeSet<OrgId>,
    sums: Sums,
    /// The same in the aggregators' shares, by which everybody who takes part works it out.
    past: PastSum,
}

/// How a question stands whose time is over.
const OVER: &str = "rule until: the time in which the question could be answered is over";

/// How a question with noise stands whose round came to nothing.
const ONCE: &str = "rule privacy: the round could not be finished, and is not asked again because what was given \
                    for it is paid for; ask a new question";

/// A question that is led.
struct Lead {
    app: App,
    id: String,
    inquiry: Inquiry,
    question: Question,
    standing: Standing,
    gifts: mpsc::Receiver<Handed>,
    /// The aggregators' signed keys, the leader's first.
    keys: Vec<Sealed>,
    lost: u32,
    /// How often a round was asked again.
    later: u32,
    past: Past,
    /// The noise that each aggregator adds.
    noise: Option<Mechanism>,
}

/// Leads a question to its end, from wherever it is. An error is this node's own; the question is
/// taken up again.
pub(super) async fn lead(app: App, id: String) -> Result<()> {
    let of = id.clone();
    let (sealed, inquiry, standing) = app
        .run(move |app| {
            let snapshot = app.store().snapshot()?;
            let (sealed, inquiry) = read(&*snapshot, &of)?;
            Ok((sealed, inquiry, stands(&*snapshot, &of)?))
        })
        .await?;
    if standing.end.is_some() {
        return Ok(());
    }
    let question: Question = serde_json::from_str(&inquiry.question)
        .map_err(|_| Error::internal("a stored question is faulty"))?;
    let noise = noise::of(&inquiry, &question);
    let gifts = app.rounds().board.open(&id, sealed);
    let mut lead = Lead {
        app: app.clone(),
        id: id.clone(),
        inquiry,
        question,
        standing,
        gifts,
        keys: Vec::new(),
        lost: 0,
        later: 0,
        past: Past::default(),
        noise,
    };
    let end = match lead.run().await {
        Ok(end) => lead.finish(end).await,
        Err(error) => Err(error),
    };
    app.rounds().board.close(&id);
    let Err(error) = end else { return Ok(()) };
    // Whoever asked may have withdrawn it meanwhile.
    let has_ended = app.run(move |app| Ok(stands(&*app.store().snapshot()?, &id)?.end.is_some()));
    if has_ended.await? { Ok(()) } else { Err(error) }
}

impl Lead {
    async fn run(&mut self) -> Result<End> {
        loop {
            let sites = self.sites();
            if sites.len() < self.inquiry.min_sites as usize {
                let missing = self.standing.missing.len();
                return Ok(End::Failed(format!(
                    "only {} sites are left of the {} that it takes; {missing} are missing",
                    sites.len(),
                    self.inquiry.min_sites
                )));
            }
            if self.is_over() {
                return Ok(End::Failed(OVER.to_owned()));
            }
            match self.attempt(&sites).await? {
                Err(_) if self.is_over() => return Ok(End::Failed(OVER.to_owned())),
                Ok(answer) => return Ok(self.checked(answer)),
                Err(Outcome::Missing(missing)) if self.standing.rounds == 0 => {
                    self.standing.missing.extend(missing);
                }
                Err(Outcome::Missing(missing)) => {
                    let named: Vec<String> =
                        missing.iter().map(|(site, why)| format!("`{site}`: {why}")).collect();
                    return Ok(End::Failed(format!(
                        "a site went missing after sums were made, and a sum without it would show its \
                         part; ask again when it is back ({})",
                        named.join("; ")
                    )));
                }
                Err(Outcome::Failed(reason)) => return Ok(End::Failed(reason)),
                Err(Outcome::Lost | Outcome::Later(_) | Outcome::Added(_)) => {
                    let message = "the aggregators have lost their keys too often";
                    return Ok(End::Failed(message.to_owned()));
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        self.inquiry.until <= self.app.now_ms()
    }

    fn sites(&self) -> BTreeSet<OrgId> {
        let is_in = |site: &&OrgId| !self.standing.missing.contains_key(*site);
        self.inquiry.sites.iter().filter(is_in).cloned().collect()
    }

    /// One attempt over the same sites: from the sums that are kept of them to the answer.
    async fn attempt(
        &mut self,
        sites: &BTreeSet<OrgId>,
    ) -> Result<std::result::Result<Answer, Outcome>> {
        let failed = |e: Failure| Ok(Err(Outcome::Failed(e.to_string())));
        let mut progress = match self.start().await? {
            Ok(progress) => progress,
            Err(error) => return failed(error),
        };
        let least = u64::from(MIN_CELL.min(self.inquiry.min_rows));
        let mut round = progress.first();
        let (kept, past): (Vec<Sums>, Vec<PastSum>) = self.kept(sites).await?.into_iter().unzip();
        self.past = Past::of(past);
        for sums in kept {
            let step;
            (progress, step) = self.step(progress, sums).await?;
            match step {
                Ok(Next::Ask(next)) => round = next,
                Ok(Next::Done(answer)) => return Ok(Ok(*answer)),
                Err(error) => return failed(error),
            }
        }
        loop {
            if let Some(name) = progress.rare(least) {
                let reason = format!(
                    "rule min_cell: fewer than {least} rows have `{name}`, or all but fewer"
                );
                return Ok(Err(Outcome::Failed(reason)));
            }
            if self.is_over() {
                return Ok(Err(Outcome::Failed(OVER.to_owned())));
            }
            if self.standing.begun >= MOST_ROUNDS {
                return Ok(Err(Outcome::Failed("it takes too many rounds".to_owned())));
            }
            if self.noise.is_some() && self.standing.begun > 0 {
                return Ok(Err(Outcome::Failed(ONCE.to_owned())));
            }
            let number = self.begin().await?;
            let sums = match self.round(sites, &round, number).await? {
                Outcome::Added(found) => {
                    // A round with noise may have gone on without some of them.
                    let sites = &self.sites();
                    self.keep(sites, number, &found).await?;
                    self.past.push(found.past);
                    found.sums
                }
                Outcome::Lost if self.lost < MOST_LOST => {
                    self.lost += 1;
                    self.keys.clear();
                    continue;
                }
                Outcome::Later(_) if self.later < MOST_LATER => {
                    self.later += 1;
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Outcome::Later(otherwise) => return Ok(Err(*otherwise)),
                other => return Ok(Err(other)),
            };
            let step;
            (progress, step) = self.step(progress, sums).await?;
            match step {
                Ok(Next::Ask(next)) => round = next,
                Ok(Next::Done(answer)) => return Ok(Ok(*answer)),
                Err(error) => return failed(error),
            }
        }
    }

    /// The conversation from its beginning.
    async fn start(&self) -> Result<std::result::Result<Conversation, Failure>> {
        let mut tries = 0;
        loop {
            let (question, project) = (self.question.clone(), self.inquiry.project.clone());
            let work = move |app: &App| {
                let project = projects::known(&*app.store().snapshot()?, &project)?.project;
                Ok(programs::begin(app, &question, &project))
            };
            match self.app.run(work).await? {
                Ok(begun) => return Ok(Ok(begun)),
                Err(Halt::Ended(failure)) => return Ok(Err(failure)),
                Err(Halt::ForNow(why)) => again(&mut tries, why).await?,
            }
        }
    }

    /// What comes of the sums of a round. A program may take its time for it.
    async fn step(
        &self,
        mut progress: Conversation,
        sums: Sums,
    ) -> Result<(Conversation, std::result::Result<Next, Failure>)> {
        let mut tries = 0;
        loop {
            let of = sums.clone();
            let work = move |_: &App| {
                let step = progress.take(&of);
                Ok((progress, step))
            };
            let step;
            (progress, step) = self.app.run(work).await?;
            match step {
                Ok(Next::Done(mut answer)) => {
                    if let Some(mechanism) = &self.noise {
                        answer.noise = noise::told(mechanism, &sums)?;
                    }
                    return Ok((progress, Ok(Next::Done(answer))));
                }
                Ok(step) => return Ok((progress, Ok(step))),
                Err(Halt::Ended(failure)) => return Ok((progress, Err(failure))),
                Err(Halt::ForNow(why)) => again(&mut tries, why).await?,
            }
        }
    }

    /// The sums of earlier rounds over exactly these sites, oldest first.
    async fn kept(&self, sites: &BTreeSet<OrgId>) -> Result<Vec<(Sums, PastSum)>> {
        let prefix = format!("sums/{}/", self.id);
        let stored = self
            .app
            .run(move |app| {
                let snapshot = app.store().snapshot()?;
                Ok(snapshot.side_scan(SPACE, prefix.as_bytes(), MOST_ROUNDS as usize)?)
            })
            .await?;
        let mut out = Vec::new();
        for (_, value) in stored {
            let kept: Kept = serde_json::from_slice(&value)
                .map_err(|_| Error::internal("a stored sum is faulty"))?;
            if kept.sites == *sites {
                out.push((kept.sums, kept.past));
            }
        }
        Ok(out)
    }

    /// The number of a round that begins; it is used once, whatever comes of the round.
    async fn begin(&mut self) -> Result<u32> {
        self.standing.begun += 1;
        let side = vec![keep_standing(&self.id, &self.standing)?];
        let guards = vec![ask::is_open(&self.id)];
        let transaction = Transaction { guards, side, ..Transaction::default() };
        self.app.run(move |app| Ok(app.store().commit(transaction).map(drop)?)).await?;
        Ok(self.standing.begun)
    }

    async fn keep(&mut self, sites: &BTreeSet<OrgId>, number: u32, found: &Found) -> Result<()> {
        self.standing.rounds += 1;
        let (sums, past) = (found.sums.clone(), found.past.clone());
        let kept = Kept { sites: sites.clone(), sums, past };
        let value = serde_json::to_vec(&kept).map_err(|e| Error::internal(e.to_string()))?;
        let key = format!("sums/{}/{number:010}", self.id).into_bytes();
        let side = vec![
            SideWrite { space: SPACE, key, value: Some(value) },
            keep_standing(&self.id, &self.standing)?,
        ];
        let guards = vec![ask::is_open(&self.id)];
        let transaction = Transaction { guards, side, ..Transaction::default() };
        self.app.run(move |app| Ok(app.store().commit(transaction).map(drop)?)).await
    }

    /// The rule of the project that an answer must keep to before anybody sees it.
    fn checked(&self, answer: Answer) -> End {
        if answer.n < u64::from(self.inquiry.min_rows) {
            let least = self.inquiry.min_rows;
            return End::Failed(format!(
                "rule min_rows: the answer rests on fewer than {least} rows"
            ));
        }
        End::Answered(Box::new(answer))
    }

    async fn finish(mut self, end: End) -> Result<()> {
        self.standing.end = Some(end);
        let Self { app, id, inquiry, standing, question, .. } = self;
        let work = move |app: &App| {
            let word = match &standing.end {
                Some(End::Failed(_)) => "a research question has no answer",
                _ => "a research question is answered",
            };
            let event = Event::by_node(Pattern::Receive)
                .request_id(&id)
                .data(format!("ResearchStudy/{}", inquiry.project))
                .note(word);
            let guards = vec![ask::is_open(&id)];
            let mut side = vec![keep_standing(&id, &standing)?, ask::close(&id)];
            if let Some(End::Answered(answer)) = &standing.end {
                let (sealed, _) = read(&*app.store().snapshot()?, &id)?;
                let missing = standing.missing.keys().cloned().collect();
                let asked = release::Asked {
                    id: &id,
                    sealed: &sealed,
                    inquiry: &inquiry,
                    question: &question,
                    missing,
                };
                side.extend(release::writes(app, &asked, answer)?);
            }
            let writes = vec![task::put(&id, &inquiry.project, &standing)?, event.write(app)?];
            app.store().commit(Transaction { guards, side, writes })?;
            Ok(())
        };
        app.run(work).await?;
        app.rounds().end();
        Ok(())
    }

    /// One round: every site's report, both aggregators' findings, both shares, the sum.
    async fn round(
        &mut self,
        sites: &BTreeSet<OrgId>,
        round: &Round,
        number: u32,
    ) -> Result<Outcome> {
        self.app.rounds().board.clear(&self.id);
        if self.keys.is_empty()
            && let Some(outcome) = self.new_keys().await?
        {
            return Ok(outcome);
        }
        let text = serde_json::to_string(round).map_err(|e| Error::internal(e.to_string()))?;
        let asked = (Asked { text, number, step: round.number }, std::mem::take(&mut self.past));
        let mut desk =
            Desk::new(&self.app, &self.id, &self.inquiry.aggregators, &self.keys, sites, asked)?;
        if self.noise.is_some() {
            desk = desk.going_on_with(self.inquiry.min_sites);
        }
        let given = self.given(&mut desk).await;
        if self.noise.is_some() {
            self.standing.missing.extend(desk.take_missing());
        }
        self.past = desk.into_past();
        let (reports, shares) = match given? {
            Ok(given) => given,
            Err(outcome) => return Ok(outcome),
        };
        let network = self.app.network().list().network.clone();
        let sum = summation(&network, &self.id, number, round, self.noise.is_some())
            .map_err(|against| Error::internal(against.reason))?;
        Ok(opened(&sum, number, shares, &reports, self.noise))
    }

    /// Every site's report and both shares.
    async fn given(
        &mut self,
        desk: &mut Desk,
    ) -> Result<std::result::Result<(Reports, [SumShare; 2]), Outcome>> {
        let reports = match desk.collect(&mut self.gifts).await? {
            Ok(reports) => reports,
            Err(outcome) => return Ok(Err(outcome)),
        };
        Ok(desk.shares(&mut self.gifts).await?.map(|shares| (reports, shares)))
    }

    /// Asks the helper for its key, and the leader for its own with the helper's in hand.
    async fn new_keys(&mut self) -> Result<Option<Outcome>> {
        let mut keys: Vec<Sealed> = Vec::new();
        for aggregator in self.inquiry.aggregators.clone().iter().rev() {
            let step = Step::Key { helper: keys.first().cloned() };
            let ticket = put(&self.app, &self.id, aggregator, step)?;
            let deadline = Instant::now() + PATIENCE;
            let key = loop {
                let failed = |why: &str| {
                    let reason = format!("the aggregator `{aggregator}` {why}");
                    Ok(Some(Outcome::Failed(reason)))
                };
                match timeout_at(deadline, self.gifts.recv()).await {
                    Ok(Some(handed)) if handed.ticket == ticket => match handed.gift {
                        Gift::Key { key } => break key,
                        Gift::Refusal { rule, reason } => {
                            return failed(&format!("refuses: rule {rule}: {reason}"));
                        }
                        _ => return failed("gave no key"),
                    },
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => return failed("does not answer"),
                }
            };
            keys.insert(0, key);
        }
        self.keys = keys;
        Ok(None)
    }
}

/// Waits until this node's programs may be tried again.
///
/// Errors: [`Kind::Busy`] where they were tried often enough.
async fn again(tries: &mut u32, why: String) -> Result<()> {
    *tries += 1;
    if *tries >= MOST_TRIES {
        return Err(Error::new(Kind::Busy, why));
    }
    tokio::time::sleep(PAUSE).await;
    Ok(())
}

/// The sums, checked against what the sites had bound themselves to: an aggregator that gives another
/// share than it should is found here, but where the answer has noise, which nothing can be checked against.
fn opened(
    sum: &Summation,
    number: u32,
    shares: [SumShare; 2],
    reports: &Reports,
    noise: Option<Mechanism>,
) -> Outcome {
    let share = |(place, share)| {
        aggregate_share(place, share).map(|share| AggregateShare { noise, ..share })
    };
    let both: Option<Vec<AggregateShare>> = shares.iter().enumerate().map(share).collect();
    let Some(both) = both.and_then(|both| <[AggregateShare; 2]>::try_from(both).ok()) else {
        return Outcome::Failed("an aggregator's share cannot be read".to_owned());
    };
    let found = match noise {
        Some(_) => sum.unshard_noisy(&both).map(|(counts, sites)| {
            (counts.into_iter().map(|count| count as f64).collect::<Vec<f64>>(), sites)
        }),
        None => {
            let commitments: Option<Vec<Commitment>> = reports
                .values()
                .map(|report| bytes(&report.commitment)?.try_into().ok().map(Commitment))
                .collect();
            let Some(commitments) = commitments else {
                return Outcome::Failed("a site's commitment cannot be read".to_owned());
            };
            sum.unshard_committed(&both, &commitments)
        }
    };
    match found {
        Ok((values, sites)) => {
            let sites = u32::try_from(sites).unwrap_or(u32::MAX);
            let past = PastSum { number, shares: shares.into() };
            Outcome::Added(Box::new(Found { sums: Sums { values, sites }, past }))
        }
        Err(error) => Outcome::Failed(format!("the sum is not accepted: {error}")),
    }
}
