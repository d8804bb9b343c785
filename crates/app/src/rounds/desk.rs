//! One round of a question at the coordinator: every site's report, both aggregators' findings, both
//! shares of the sum.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use wire::research::{Before, Finding, Gift, Refused, Report, ShareOf, Step, SumShare};
use wire::{OrgId, Sealed};

use super::adder::LOST;
use super::board::Handed;
use super::past::{Found, Past};
use super::replay::{FOR_NOW, is_signed};
use crate::{App, Error, Result};

/// How long a site or an aggregator has for its part of a round.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// After how long whoever cannot do something for now is asked again. It has itself waited for its turn, if
/// it is for that.
const PAUSE: Duration = Duration::from_secs(5);
/// How often somebody is asked for the same in a round that it cannot do for now.
const MOST_TRIES: u32 = 3;

/// What came of a round.
pub(super) enum Outcome {
    Added(Box<Found>),
    /// Sites that are to be left out, and why.
    Missing(BTreeMap<OrgId, String>),
    /// The aggregators are to make new keys.
    Lost,
    /// Somebody cannot take part for now: the round is to be asked again later. Else this comes of it.
    Later(Box<Outcome>),
    Failed(String),
}

/// What waits on one round.
pub(super) struct Desk {
    app: App,
    id: String,
    aggregators: Vec<OrgId>,
    keys: Vec<Sealed>,
    round: Asked,
    past: Past,
    tickets: BTreeMap<u64, Waits>,
    reports: BTreeMap<OrgId, Report>,
    /// What each aggregator found, by id of the report.
    findings: [BTreeMap<String, Finding>; 2],
    missing: BTreeMap<OrgId, String>,
    sites: BTreeSet<OrgId>,
    /// What was put up again, because whoever was to do it had lost the sums before.
    repeated: BTreeSet<Waits>,
    /// How often it was said that something cannot be done for now.
    tries: BTreeMap<Waits, u32>,
    /// What is put up again, and when; the earliest first.
    later: VecDeque<(Instant, Waits)>,
    /// Where the answer has noise, how many sites are enough to go on without the others.
    enough: Option<usize>,
}

/// The round that is asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// As JSON.
    pub text: String,
    /// The number under which it is asked.
    pub number: u32,
    /// Which round of the analysis it is.
    pub step: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Waits {
    Site(OrgId),
    /// The aggregator in this place, on the report of this site.
    Verify(usize, OrgId),
    Finish(usize),
}

/// What sites gave, by site.
pub(super) type Reports = BTreeMap<OrgId, Report>;

impl Desk {
    /// Puts the round up for every site.
    pub fn new(
        app: &App,
        id: &str,
        aggregators: &[OrgId],
        keys: &[Sealed],
        sites: &BTreeSet<OrgId>,
        (round, past): (Asked, Past),
    ) -> Result<Self> {
        let mut desk = Self {
            app: app.clone(),
            id: id.to_owned(),
            aggregators: aggregators.to_vec(),
            keys: keys.to_vec(),
            round,
            past,
            tickets: BTreeMap::new(),
            reports: BTreeMap::new(),
            findings: Default::default(),
            missing: BTreeMap::new(),
            sites: sites.clone(),
            repeated: BTreeSet::new(),
            tries: BTreeMap::new(),
            later: VecDeque::new(),
            enough: None,
        };
        for site in sites {
            desk.ask(Waits::Site(site.clone()))?;
        }
        Ok(desk)
    }

    /// The same round, which goes on with this many sites or more where others go missing: what was given for
    /// it is paid for, and another round would be paid for again.
    pub fn going_on_with(self, enough: u32) -> Self {
        Self { enough: Some(enough as usize), ..self }
    }

    /// Sites that the round went on without, and why.
    pub fn take_missing(&mut self) -> BTreeMap<OrgId, String> {
        std::mem::take(&mut self.missing)
    }

    /// The sums, and who has been told of them by now.
    pub fn into_past(self) -> Past {
        self.past
    }

    /// Puts up what is waited for.
    fn ask(&mut self, waits: Waits) -> Result<()> {
        let (round, number) = (self.round.text.clone(), self.round.number);
        let nobody = || Error::internal("a question has no such aggregator");
        let (to, step) = match &waits {
            Waits::Site(site) => {
                let (keys, before) = (self.keys.clone(), self.past.before(site));
                (site.clone(), Step::Contribute { round, number, keys, before })
            }
            Waits::Verify(place, site) => {
                let to = self.aggregators.get(*place).cloned().ok_or_else(nobody)?;
                let other = self.keys.get(1 - (*place).min(1)).cloned().ok_or_else(nobody)?;
                let part = self.reports.get(site).and_then(|report| report.part(site, *place));
                let reports = vec![part.ok_or_else(nobody)?];
                let before = self.past.before(&to);
                (to, Step::Verify { round, number, other, reports, before })
            }
            Waits::Finish(place) => {
                let to = self.aggregators.get(*place).cloned().ok_or_else(nobody)?;
                let of_other = self.findings.get(1 - (*place).min(1)).ok_or_else(nobody)?;
                let is_in = |id: &str| self.reports.values().any(|report| report.id == id);
                let findings = of_other.values().filter(|one| is_in(&one.report));
                let findings = findings.cloned().collect();
                (to, Step::Finish { number, findings })
            }
        };
        let ticket = put(&self.app, &self.id, &to, step)?;
        self.tickets.insert(ticket, waits);
        Ok(())
    }

    /// Until every site has given its part and both aggregators have looked at it, or somebody is
    /// found to be missing.
    pub async fn collect(
        &mut self,
        gifts: &mut mpsc::Receiver<Handed>,
    ) -> Result<std::result::Result<Reports, Outcome>> {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_complete() {
            let outcome = match self.handed(gifts, deadline).await? {
                None => Some(self.late()),
                Some(handed) => match self.tickets.remove(&handed.ticket) {
                    Some(waits) => self.take(waits, handed.gift)?,
                    None => None,
                },
            };
            if let Some(outcome) = outcome.and_then(|outcome| self.ends(outcome)) {
                return Ok(Err(outcome));
            }
        }
        if self.goes_on() {
            self.leave();
        } else if !self.missing.is_empty() {
            return Ok(Err(Outcome::Missing(std::mem::take(&mut self.missing))));
        }
        Ok(Ok(self.reports.clone()))
    }

    /// What ends the round; that a site goes missing does not where it goes on without it.
    fn ends(&mut self, outcome: Outcome) -> Option<Outcome> {
        match outcome {
            Outcome::Missing(missing) if self.enough.is_some() => {
                self.missing.extend(missing);
                None
            }
            Outcome::Later(otherwise) if self.enough.is_some() => self.ends(*otherwise),
            outcome => Some(outcome),
        }
    }

    /// Whether enough are left for the round to go on without those that are missing.
    fn goes_on(&self) -> bool {
        let left = self.sites.iter().filter(|site| !self.missing.contains_key(*site)).count();
        self.enough.is_some_and(|enough| left >= enough)
    }

    /// Goes on without the sites that are missing: whatever they still give is late.
    fn leave(&mut self) {
        let missing = &self.missing;
        let is_left = |site: &OrgId| !missing.contains_key(site);
        self.sites.retain(is_left);
        self.reports.retain(|site, _| is_left(site));
        let is_waited_for = |waits: &Waits| match waits {
            Waits::Site(site) | Waits::Verify(_, site) => is_left(site),
            Waits::Finish(_) => true,
        };
        self.tickets.retain(|_, waits| is_waited_for(waits));
        self.later.retain(|(_, waits)| is_waited_for(waits));
    }

    /// What is handed in next; none at the deadline. What is to be asked again is put up in its time.
    async fn handed(
        &mut self,
        gifts: &mut mpsc::Receiver<Handed>,
        deadline: Instant,
    ) -> Result<Option<Handed>> {
        loop {
            let next = self.later.front().map_or(deadline, |(at, _)| *at);
            let until = next.min(deadline);
            match timeout_at(until, gifts.recv()).await {
                Ok(Some(handed)) => return Ok(Some(handed)),
                Ok(None) => return Err(Error::internal("the question was closed")),
                Err(_) if until == deadline => return Ok(None),
                Err(_) => {
                    if let Some((_, waits)) = self.later.pop_front() {
                        self.ask(waits)?;
                    }
                }
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.sites.iter().all(|site| self.is_done(site))
    }

    /// Whether a site is missing, or both aggregators have looked at its part.
    fn is_done(&self, site: &OrgId) -> bool {
        self.missing.contains_key(site)
            || self.reports.get(site).is_some_and(|report| {
                self.findings.iter().all(|found| found.contains_key(&report.id))
            })
    }

    /// Nobody has more time. Where somebody could not for now the round is asked again.
    fn late(&mut self) -> Outcome {
        let silent = self.silent();
        if self.tries.is_empty() { silent } else { Outcome::Later(Box::new(silent)) }
    }

    /// Sites that gave nothing are left out, a silent aggregator ends it. A round that goes on without sites leaves out,
    /// too, those whose part came too late to be looked at.
    fn silent(&mut self) -> Outcome {
        let later = self.later.iter().map(|(_, waits)| waits);
        let has_looked = |place: usize| {
            self.enough.is_some() && self.findings.get(place).is_some_and(|found| !found.is_empty())
        };
        let silent = self.tickets.values().chain(later.clone()).find_map(|waits| match waits {
            Waits::Verify(place, _) if has_looked(*place) => None,
            Waits::Verify(place, _) | Waits::Finish(place) => self.aggregators.get(*place),
            Waits::Site(_) => None,
        });
        if let Some(aggregator) = silent {
            return Outcome::Failed(format!("the aggregator `{aggregator}` does not answer"));
        }
        for waits in self.tickets.values().chain(later) {
            if let Waits::Site(site) = waits {
                self.missing.insert(site.clone(), "it did not answer in time".to_owned());
            }
        }
        if self.enough.is_some() {
            let open: Vec<OrgId> =
                self.sites.iter().filter(|site| !self.is_done(site)).cloned().collect();
            for site in open {
                self.missing.insert(site, "what it gave was not looked at in time".to_owned());
            }
        }
        if self.missing.is_empty() {
            let message = "an aggregator spoke of other reports than it was shown";
            return Outcome::Failed(message.to_owned());
        }
        Outcome::Missing(std::mem::take(&mut self.missing))
    }

    fn take(&mut self, waits: Waits, gift: Gift) -> Result<Option<Outcome>> {
        if let Gift::Refusal { rule, reason } = &gift {
            if rule == Before::LOST && self.repeated.insert(waits.clone()) {
                self.forget(&waits);
                self.ask(waits)?;
                return Ok(None);
            }
            if rule == FOR_NOW {
                return Ok(self.not_now(waits, refused(rule, reason)));
            }
        }
        match (waits, gift) {
            (Waits::Site(site), Gift::Report { report }) => {
                self.past.knows(&site);
                self.report(site, report)?;
            }
            (Waits::Site(site), Gift::Refusal { rule, reason }) => {
                self.missing.insert(site, refused(&rule, &reason));
            }
            (Waits::Site(site), _) => {
                self.missing.insert(site, "it gave something else than its part".to_owned());
            }
            (Waits::Verify(place, _), Gift::Findings { findings, refused }) => {
                if let Some(aggregator) = self.aggregators.get(place) {
                    self.past.knows(&aggregator.clone());
                }
                // Of every report that it was shown it says something; else nobody would ever answer.
                if findings.len() + refused.len() != 1 {
                    let nothing = Gift::Findings { findings, refused };
                    return Ok(Some(self.refusal_of_aggregator(place, &nothing)));
                }
                for finding in findings {
                    self.findings[place.min(1)].insert(finding.report.clone(), finding);
                }
                self.leave_out(&refused);
            }
            (Waits::Verify(..) | Waits::Finish(_), Gift::Refusal { rule, .. }) if rule == LOST => {
                return Ok(Some(Outcome::Lost));
            }
            (Waits::Verify(place, _) | Waits::Finish(place), gift) => {
                return Ok(Some(self.refusal_of_aggregator(place, &gift)));
            }
        }
        Ok(None)
    }

    /// Whoever was to do it is told the sums before once more.
    fn forget(&mut self, waits: &Waits) {
        let by = match waits {
            Waits::Site(site) => Some(site),
            Waits::Verify(place, _) | Waits::Finish(place) => self.aggregators.get(*place),
        };
        if let Some(by) = by.cloned() {
            self.past.lost(&by);
        }
    }

    /// It cannot be done for now: it is asked again after a while, and after some tries the whole round.
    fn not_now(&mut self, waits: Waits, why: String) -> Option<Outcome> {
        let tries = self.tries.entry(waits.clone()).or_default();
        *tries += 1;
        if *tries < MOST_TRIES {
            // What it was told with this may have gone with it.
            self.forget(&waits);
            self.repeated.remove(&waits);
            self.later.push_back((Instant::now() + PAUSE, waits));
            return None;
        }
        let otherwise = match waits {
            Waits::Site(site) => Outcome::Missing(BTreeMap::from([(site, why)])),
            Waits::Verify(place, _) | Waits::Finish(place) => {
                let aggregator = self.aggregators.get(place).map(OrgId::as_str).unwrap_or_default();
                Outcome::Failed(format!("the aggregator `{aggregator}` refuses: {why}"))
            }
        };
        Some(Outcome::Later(Box::new(otherwise)))
    }

    fn refusal_of_aggregator(&self, place: usize, gift: &Gift) -> Outcome {
        let aggregator = self.aggregators.get(place).map(OrgId::as_str).unwrap_or_default();
        Outcome::Failed(match gift {
            Gift::Refusal { rule, reason } => {
                format!("the aggregator `{aggregator}` refuses: {}", refused(rule, reason))
            }
            _ => format!("the aggregator `{aggregator}` gave something else than was asked"),
        })
    }

    fn report(&mut self, site: OrgId, report: Report) -> Result<()> {
        if self.reports.values().any(|known| known.id == report.id) {
            self.missing.insert(site, "its report repeats another's".to_owned());
            return Ok(());
        }
        if report.shares.len() != 2 {
            self.missing.insert(site, "its report is not whole".to_owned());
            return Ok(());
        }
        self.reports.insert(site.clone(), report);
        for place in 0..self.aggregators.len() {
            self.ask(Waits::Verify(place, site.clone()))?;
        }
        Ok(())
    }

    fn leave_out(&mut self, refused: &[Refused]) {
        for one in refused {
            let whose = self.reports.iter().find(|(_, report)| report.id == one.report);
            if let Some((site, _)) = whose {
                let why = format!("what it gave is not added: rule {}", one.rule);
                self.missing.insert(site.clone(), why);
            }
        }
    }

    /// Has both aggregators add, and takes their shares. That a proof is false shows only now: where the round can go on
    /// without its site, who found it adds the others.
    pub async fn shares(
        &mut self,
        gifts: &mut mpsc::Receiver<Handed>,
    ) -> Result<std::result::Result<[SumShare; 2], Outcome>> {
        for place in 0..self.aggregators.len() {
            self.ask(Waits::Finish(place))?;
        }
        let mut shares: [Option<SumShare>; 2] = [None, None];
        // Each of the two can find every site's to be false, and no more.
        let mut refusals = 2 * self.sites.len();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let [Some(leader), Some(helper)] = &shares {
                return Ok(Ok([leader.clone(), helper.clone()]));
            }
            let Some(handed) = self.handed(gifts, deadline).await? else {
                return Ok(Err(self.late()));
            };
            let Some(waits) = self.tickets.remove(&handed.ticket) else { continue };
            let (Waits::Finish(place), Gift::Share { share, refused }) = (&waits, &handed.gift)
            else {
                match self.take(waits, handed.gift)? {
                    Some(outcome) => return Ok(Err(outcome)),
                    None => continue,
                }
            };
            if !refused.is_empty() {
                // The other may have found the same, and may have added the rest since.
                let is_in = |one: &Refused| self.reports.values().any(|r| r.id == one.report);
                let is_new = refused.iter().any(is_in);
                self.leave_out(refused);
                let is_late = is_new && shares.iter().any(Option::is_some);
                if !self.goes_on() || is_late || refusals == 0 {
                    return Ok(Err(Outcome::Missing(std::mem::take(&mut self.missing))));
                }
                refusals -= 1;
                self.leave();
                self.ask(Waits::Finish(*place))?;
                continue;
            }
            match share {
                Some(share) if self.is_own(*place, share) => {
                    shares[(*place).min(1)] = Some(share.clone());
                }
                _ => return Ok(Err(self.refusal_of_aggregator(*place, &handed.gift))),
            }
        }
    }

    /// Whether the share is the aggregator's, of this round and over these sites: nobody would go on
    /// from another.
    fn is_own(&self, place: usize, share: &SumShare) -> bool {
        let Some(aggregator) = self.aggregators.get(place) else { return false };
        let Asked { number, step, .. } = self.round;
        let of = ShareOf { inquiry: &self.id, aggregator, number, step };
        share.sites == SumShare::sites_digest(&self.sites) && is_signed(&self.app, &of, share)
    }
}

/// A refusal in words: the rule, and what was said of it.
fn refused(rule: &str, reason: &str) -> String {
    match reason {
        "" => format!("rule {rule}"),
        reason => format!("rule {rule}: {reason}"),
    }
}

/// Puts up work for somebody.
pub(super) fn put(app: &App, id: &str, to: &OrgId, step: Step) -> Result<u64> {
    let ticket = app.rounds().board.put(id, to, step);
    ticket.ok_or_else(|| Error::internal("there is too much to do for one question"))
}
