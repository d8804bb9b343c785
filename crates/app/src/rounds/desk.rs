//! One round of a question at the coordinator: every site's report, both aggregators' findings, both
//! shares of the sum.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use privacy::aggregate::{AggregateShare, Role};
use statistics::Sums;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use wire::research::{Finding, Gift, Refused, Report, Step};
use wire::{OrgId, Sealed};

use super::adder::LOST;
use super::board::Handed;
use super::site::bytes;
use crate::{App, Error, Result};

/// How long a site or an aggregator has for its part of a round.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// What came of a round.
pub(super) enum Outcome {
    Added(Sums),
    /// Sites that are to be left out, and why.
    Missing(BTreeMap<OrgId, String>),
    /// The aggregators are to make new keys.
    Lost,
    Failed(String),
}

/// What waits on one round.
pub(super) struct Desk {
    app: App,
    id: String,
    aggregators: Vec<OrgId>,
    keys: Vec<Sealed>,
    round: String,
    number: u32,
    tickets: BTreeMap<u64, Waits>,
    reports: BTreeMap<OrgId, Report>,
    /// What each aggregator found, by id of the report.
    findings: [BTreeMap<String, Finding>; 2],
    missing: BTreeMap<OrgId, String>,
    sites: BTreeSet<OrgId>,
}

#[derive(Clone, Debug)]
enum Waits {
    Site(OrgId),
    Verify(usize),
    Finish(usize),
}

/// What sites gave, by site.
pub(super) type Reports = BTreeMap<OrgId, Report>;

impl Desk {
    /// Puts the round up for every site.
    pub fn new(
        app: &App,
        (id, number): (&str, u32),
        aggregators: &[OrgId],
        keys: &[Sealed],
        sites: &BTreeSet<OrgId>,
        round: String,
    ) -> Result<Self> {
        let mut desk = Self {
            app: app.clone(),
            id: id.to_owned(),
            aggregators: aggregators.to_vec(),
            keys: keys.to_vec(),
            round,
            number,
            tickets: BTreeMap::new(),
            reports: BTreeMap::new(),
            findings: Default::default(),
            missing: BTreeMap::new(),
            sites: sites.clone(),
        };
        for site in sites {
            let (round, keys) = (desk.round.clone(), desk.keys.clone());
            let step = Step::Contribute { round, number, keys };
            desk.put(site, step, Waits::Site(site.clone()))?;
        }
        Ok(desk)
    }

    fn put(&mut self, to: &OrgId, step: Step, waits: Waits) -> Result<()> {
        let ticket = put(&self.app, &self.id, to, step)?;
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
            let handed = match timeout_at(deadline, gifts.recv()).await {
                Ok(Some(handed)) => handed,
                Ok(None) => return Err(Error::internal("the question was closed")),
                Err(_) => return Ok(Err(self.late())),
            };
            let Some(waits) = self.tickets.remove(&handed.ticket) else { continue };
            if let Some(outcome) = self.take(waits, handed.gift)? {
                return Ok(Err(outcome));
            }
        }
        match self.missing.is_empty() {
            true => Ok(Ok(self.reports.clone())),
            false => Ok(Err(Outcome::Missing(std::mem::take(&mut self.missing)))),
        }
    }

    fn is_complete(&self) -> bool {
        self.sites.iter().all(|site| {
            self.missing.contains_key(site)
                || self.reports.get(site).is_some_and(|report| {
                    self.findings.iter().all(|found| found.contains_key(&report.id))
                })
        })
    }

    /// Nobody has more time: sites that gave nothing are left out, a silent aggregator ends it.
    fn late(&mut self) -> Outcome {
        let silent = self.tickets.values().find_map(|waits| match waits {
            Waits::Verify(place) | Waits::Finish(place) => self.aggregators.get(*place),
            Waits::Site(_) => None,
        });
        if let Some(aggregator) = silent {
            return Outcome::Failed(format!("the aggregator `{aggregator}` does not answer"));
        }
        for waits in self.tickets.values() {
            if let Waits::Site(site) = waits {
                self.missing.insert(site.clone(), "it did not answer in time".to_owned());
            }
        }
        if self.missing.is_empty() {
            let message = "an aggregator spoke of other reports than it was shown";
            return Outcome::Failed(message.to_owned());
        }
        Outcome::Missing(std::mem::take(&mut self.missing))
    }

    fn take(&mut self, waits: Waits, gift: Gift) -> Result<Option<Outcome>> {
        match (waits, gift) {
            (Waits::Site(site), Gift::Report { report }) => self.report(site, report)?,
            (Waits::Site(site), Gift::Refusal { rule, reason }) => {
                self.missing.insert(site, format!("rule {rule}: {reason}"));
            }
            (Waits::Site(site), _) => {
                self.missing.insert(site, "it gave something else than its part".to_owned());
            }
            (Waits::Verify(place), Gift::Findings { findings, refused }) => {
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
            (Waits::Verify(_) | Waits::Finish(_), Gift::Refusal { rule, .. }) if rule == LOST => {
                return Ok(Some(Outcome::Lost));
            }
            (Waits::Verify(place) | Waits::Finish(place), gift) => {
                return Ok(Some(self.refusal_of_aggregator(place, &gift)));
            }
        }
        Ok(None)
    }

    fn refusal_of_aggregator(&self, place: usize, gift: &Gift) -> Outcome {
        let aggregator = self.aggregators.get(place).map(OrgId::as_str).unwrap_or_default();
        Outcome::Failed(match gift {
            Gift::Refusal { rule, reason } => {
                format!("the aggregator `{aggregator}` refuses: rule {rule}: {reason}")
            }
            _ => format!("the aggregator `{aggregator}` gave something else than was asked"),
        })
    }

    fn report(&mut self, site: OrgId, report: Report) -> Result<()> {
        if self.reports.values().any(|known| known.id == report.id) {
            self.missing.insert(site, "its report repeats another's".to_owned());
            return Ok(());
        }
        let parts = [report.part(&site, 0), report.part(&site, 1)];
        let [Some(leader), Some(helper)] = parts else {
            self.missing.insert(site, "its report is not whole".to_owned());
            return Ok(());
        };
        for (place, part) in [leader, helper].into_iter().enumerate() {
            let Some(aggregator) = self.aggregators.get(place).cloned() else { continue };
            let Some(other) = self.keys.get(1 - place).cloned() else { continue };
            let (round, number) = (self.round.clone(), self.number);
            let step = Step::Verify { round, number, other, reports: vec![part] };
            self.put(&aggregator, step, Waits::Verify(place))?;
        }
        self.reports.insert(site, report);
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

    /// Has both aggregators add, and takes their shares.
    pub async fn shares(
        &mut self,
        gifts: &mut mpsc::Receiver<Handed>,
    ) -> Result<std::result::Result<[AggregateShare; 2], Outcome>> {
        for place in 0..2 {
            let Some(aggregator) = self.aggregators.get(place).cloned() else { continue };
            let findings = self.findings[1 - place].values().cloned().collect();
            let step = Step::Finish { number: self.number, findings };
            self.put(&aggregator, step, Waits::Finish(place))?;
        }
        let mut shares: [Option<AggregateShare>; 2] = [None, None];
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let [Some(leader), Some(helper)] = &shares {
                return Ok(Ok([leader.clone(), helper.clone()]));
            }
            let handed = match timeout_at(deadline, gifts.recv()).await {
                Ok(Some(handed)) => handed,
                Ok(None) => return Err(Error::internal("the question was closed")),
                Err(_) => return Ok(Err(self.late())),
            };
            let Some(waits) = self.tickets.remove(&handed.ticket) else { continue };
            let (Waits::Finish(place), Gift::Share { share, count, checksum, refused }) =
                (&waits, &handed.gift)
            else {
                match self.take(waits, handed.gift)? {
                    Some(outcome) => return Ok(Err(outcome)),
                    None => continue,
                }
            };
            if !refused.is_empty() {
                self.leave_out(refused);
                return Ok(Err(Outcome::Missing(std::mem::take(&mut self.missing))));
            }
            let role = if *place == 0 { Role::Leader } else { Role::Helper };
            let checksum = bytes(checksum).and_then(|bytes| bytes.try_into().ok());
            let (Some(share), Some(checksum)) = (bytes(share), checksum) else {
                return Ok(Err(self.refusal_of_aggregator(*place, &handed.gift)));
            };
            shares[(*place).min(1)] =
                Some(AggregateShare { role, count: *count, checksum, share, noise: None });
        }
    }
}

/// Puts up work for somebody.
pub(super) fn put(app: &App, id: &str, to: &OrgId, step: Step) -> Result<u64> {
    let ticket = app.rounds().board.put(id, to, step);
    ticket.ok_or_else(|| Error::internal("there is too much to do for one question"))
}
