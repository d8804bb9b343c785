//! What may be learned of the people here, and what has been: this institution's own ledger, of cohorts that were
//! counted and of questions in rounds that were answered with noise. It is the same people, and so one ledger.
//!
//! Every question costs its ε once for everybody who is known here, whether or not it comes to an answer. The ledger
//! adds up what each account has asked, and what all have together ([`privacy::budget::ledger`]: sequentially, or as
//! zero-concentrated privacy at δ = 10⁻⁶, whichever is less). Periods have a fixed length and begin anew for everybody
//! at the same time, so that around a change twice the budget of one period can be spent.
//!
//! A project with a budget of its own is kept apart, without periods: its questions together cost what was approved
//! and no more, as ε alone.
//!
//! Each institution keeps its own ledger of its own people. Somebody who is known at `d` institutions is told of by
//! `d` answers to one question over the network, which together cost `d` times its ε.

use privacy::budget::ledger::{Cost, Entry, Limit, Subject, refuse, remaining};
use store::{Guard, SideWrite, Snapshot};

use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// The rule by which a question is refused that the budget does not cover.
pub const RULE: &str = "budget";
/// Where the ledger is kept: beside the answers about cohorts, for which it was first kept.
const SPACE: &str = "cohorts";
/// What changes with every entry, so that no two are written beside each other unseen.
const TIP: &[u8] = b"ledger-tip";
/// Millionths.
pub(crate) const MICRO: u64 = 1_000_000;
/// δ of the composition, in 10^-15.
const FEMTO_DELTA: u64 = 1_000_000_000;
/// Most questions of one period that the ledger is read for.
const MOST: usize = 100_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// The people of the institution, as the ledger calls them.
const PEOPLE: &str = "people";

/// What the operator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// ε in millionths that one account may spend in a period.
    pub account_micro_epsilon: u64,
    /// ε in millionths that all accounts together may spend in a period.
    pub everybody_micro_epsilon: u64,
    /// Length of a period in days.
    pub period_days: u32,
    /// Threads that one count takes.
    pub threads: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            account_micro_epsilon: 10 * MICRO,
            everybody_micro_epsilon: 50 * MICRO,
            period_days: 90,
            threads: 2,
        }
    }
}

/// How the budget of an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What the account has left, ε in millionths; no more than all have left together.
    pub left: u64,
    /// What it may spend in a period.
    pub of: u64,
    /// What all accounts together have left.
    pub everybody_left: u64,
    /// What they may spend in a period.
    pub everybody_of: u64,
    /// When the next period begins, in milliseconds since the Unix epoch.
    pub until_ms: i64,
}

/// How the caller's budget at this institution stands. Blocks.
pub fn standing(app: &App, caller: &Caller) -> Result<Standing> {
    authorise(app, caller, Action::of(policy::Action::Explore))?;
    let ledger = Ledger::read(app, &*app.store().snapshot()?)?;
    Ok(ledger.standing(app, &account(app.org().id.as_str(), &caller.user.id)))
}

/// What the ledger calls an account of an institution.
pub(crate) fn account(org: &str, user: &str) -> String {
    format!("{org}/{user}")
}

/// The number of the period.
pub(crate) fn period(app: &App) -> i64 {
    let days = i64::from(app.settings().cohorts.period_days.max(1));
    app.now_ms().div_euclid(days * DAY_MS)
}

/// What was spent in the period.
pub(crate) struct Ledger {
    period: i64,
    entries: Vec<Entry>,
    tip: Option<Vec<u8>>,
}

/// What is to be paid for.
pub(crate) struct Purchase<'a> {
    /// Who asks, as the ledger calls the account.
    pub(crate) account: &'a str,
    /// What the ledger calls the question.
    pub(crate) question: &'a str,
    /// ε in millionths of each part of it.
    pub(crate) micro_epsilons: &'a [u64],
    /// The project that it is asked in, where that has a budget.
    pub(crate) project: Option<InProject>,
}

/// What pays for a question; it belongs to the transaction with its audit entry.
pub(crate) struct Payment {
    /// That nobody else has paid meanwhile.
    pub(crate) guard: Guard,
    /// The entries.
    pub(crate) side: Vec<SideWrite>,
}

/// What a project has spent of a data set of this institution, with those that it amends, since they began.
pub(crate) struct InProject {
    project: String,
    dataset: String,
    of: u64,
    entries: Vec<Entry>,
}

impl InProject {
    /// Reads it: of `projects` the first asks, and what the others have spent counts with it; `of` is the ε in
    /// millionths that was approved with the first.
    pub(crate) fn read(
        snapshot: &dyn Snapshot,
        projects: Vec<String>,
        dataset: &str,
        of: u64,
    ) -> Result<Self> {
        let mut stored = Vec::new();
        for project in &projects {
            stored.extend(snapshot.side_scan(SPACE, &of_project(project), MOST)?);
            if stored.len() >= MOST {
                return Err(Error::new(Kind::Busy, "the ledger of this project is full"));
            }
        }
        let project = projects.into_iter().next();
        let project = project.ok_or_else(|| Error::internal("a ledger is of a project"))?;
        let entry = |(_, value): &(Vec<u8>, Vec<u8>)| {
            serde_json::from_slice(value)
                .map_err(|_| Error::internal("an entry of the privacy ledger is faulty"))
        };
        let entries = stored.iter().map(entry).collect::<Result<_>>()?;
        Ok(Self { project, dataset: dataset.to_owned(), of, entries })
    }

    /// Without δ, entries add up as ε alone.
    fn limit(micro_epsilon: u64) -> Limit {
        Limit { micro_epsilon, femto_delta: 0 }
    }

    /// The write that spends these ε.
    fn spend(&self, question: &str, micro_epsilon: u64) -> Result<SideWrite> {
        let new = Entry {
            subject: everybody(),
            data_set: self.dataset.clone(),
            project: self.project.clone(),
            question: question.to_owned(),
            cost: Cost::Pure { micro_epsilon },
        };
        if refuse(&self.entries, &new, &Self::limit(self.of)).is_err() {
            let message = "what the project may learn of this data set is spent, or the question asks for more \
                           than is left";
            return Err(Error::new(Kind::Forbidden, message).by_rule(RULE));
        }
        let value = serde_json::to_vec(&new).map_err(|e| Error::internal(e.to_string()))?;
        let mut key = of_project(&self.project);
        key.extend_from_slice(question.as_bytes());
        Ok(SideWrite { space: SPACE, key, value: Some(value) })
    }
}

impl Ledger {
    pub(crate) fn read(app: &App, snapshot: &dyn Snapshot) -> Result<Self> {
        let period = period(app);
        let stored = snapshot.side_scan(SPACE, &prefix(period), MOST)?;
        if stored.len() >= MOST {
            return Err(Error::new(Kind::Busy, "the ledger of this period is full"));
        }
        let mut entries = Vec::new();
        for (_, value) in stored {
            let own: Vec<Entry> = serde_json::from_slice(&value)
                .map_err(|_| Error::internal("an entry of the privacy ledger is faulty"))?;
            // What one account is told is told to everybody it may meet.
            let of_accounts = own.iter().filter(|one| one.subject != everybody());
            entries.extend(of_accounts.map(|one| Entry { subject: everybody(), ..one.clone() }));
            entries.extend(own);
        }
        let tip = snapshot.side(SPACE, TIP)?;
        Ok(Self { period, entries, tip })
    }

    /// Whether a question was paid for, by anybody.
    pub(crate) fn has(&self, question: &str) -> bool {
        self.entries.iter().any(|entry| entry.question == question)
    }

    pub(crate) fn standing(&self, app: &App, account: &str) -> Standing {
        let rules = app.settings().cohorts;
        let left = |subject: &Subject, of| remaining(&self.entries, subject, PEOPLE, &limit(of));
        let everybody_left = left(&everybody(), rules.everybody_micro_epsilon);
        let own = Subject::Group(account.to_owned());
        let days = i64::from(rules.period_days.max(1));
        Standing {
            left: left(&own, rules.account_micro_epsilon).min(everybody_left),
            of: rules.account_micro_epsilon,
            everybody_left,
            everybody_of: rules.everybody_micro_epsilon,
            until_ms: (self.period + 1) * days * DAY_MS,
        }
    }

    /// What spends these ε on a question, to be committed before anybody is counted.
    ///
    /// Errors: [`Kind::Forbidden`] by [`RULE`] where the budget does not cover them.
    pub(crate) fn spend(&self, app: &App, purchase: &Purchase<'_>) -> Result<Payment> {
        let Purchase { account, question, micro_epsilons, project } = purchase;
        let rules = app.settings().cohorts;
        let named = project.as_ref().map_or(SPACE, |project| project.project.as_str());
        let entry = |subject: Subject, micro_epsilon: u64| Entry {
            subject,
            data_set: PEOPLE.to_owned(),
            project: named.to_owned(),
            question: (*question).to_owned(),
            cost: Cost::Pure { micro_epsilon },
        };
        let own = || Subject::Group((*account).to_owned());
        for (subject, of, whose) in [
            (own(), rules.account_micro_epsilon, "this account may learn"),
            (everybody(), rules.everybody_micro_epsilon, "all accounts together may learn"),
        ] {
            let mut entries = self.entries.clone();
            for micro_epsilon in *micro_epsilons {
                let new = entry(subject.clone(), *micro_epsilon);
                if refuse(&entries, &new, &limit(of)).is_err() {
                    let until = fhir::time::instant(self.standing(app, account).until_ms);
                    let message = format!(
                        "what {whose} of the people here is spent, or the question asks for more than is left, \
                         until {until}"
                    );
                    return Err(Error::new(Kind::Forbidden, message).by_rule(RULE));
                }
                entries.push(new);
            }
        }
        let entries: Vec<Entry> = micro_epsilons.iter().map(|one| entry(own(), *one)).collect();
        let mut payment = self.pay(app, &entries)?;
        if let Some(project) = project {
            payment.side.push(project.spend(question, micro_epsilons.iter().sum())?);
        }
        Ok(payment)
    }

    /// What spends this ε on everybody and on no account.
    ///
    /// Errors: [`Kind::Forbidden`] by [`RULE`] where the budget does not cover it.
    fn spend_on_everybody(&self, app: &App, question: &str, micro_epsilon: u64) -> Result<Payment> {
        let new = Entry {
            subject: everybody(),
            data_set: PEOPLE.to_owned(),
            project: "catalog".to_owned(),
            question: question.to_owned(),
            cost: Cost::Pure { micro_epsilon },
        };
        let of = app.settings().cohorts.everybody_micro_epsilon;
        if refuse(&self.entries, &new, &limit(of)).is_err() {
            let until = fhir::time::instant(self.standing(app, "").until_ms);
            let message = format!(
                "what all accounts together may learn of the people here does not cover it until {until}"
            );
            return Err(Error::new(Kind::Forbidden, message).by_rule(RULE));
        }
        self.pay(app, &[new])
    }

    fn pay(&self, app: &App, entries: &[Entry]) -> Result<Payment> {
        let value = serde_json::to_vec(entries).map_err(|e| Error::internal(e.to_string()))?;
        let id = app.new_id().as_str().as_bytes().to_vec();
        let key = [prefix(self.period), id.clone()].concat();
        let side = vec![
            SideWrite { space: SPACE, key, value: Some(value) },
            SideWrite { space: SPACE, key: TIP.to_vec(), value: Some(id) },
        ];
        let guard = Guard::Side { space: SPACE, key: TIP.to_vec(), value: self.tip.clone() };
        Ok(Payment { guard, side })
    }
}

/// Spends this ε of the people here on what everybody is given, such as a synthetic twin: `commit` takes what pays for
/// it into a transaction with the audit entry, before any noise is drawn. Blocks.
///
/// Errors: [`Kind::Forbidden`] by [`RULE`] where the budget does not cover it, and those of `commit`.
pub(crate) fn everybody_pays(
    app: &App,
    question: &str,
    micro_epsilon: u64,
    commit: impl FnOnce(Payment) -> Result<()>,
) -> Result<()> {
    let _spending = app.cohorts().spending.lock();
    let ledger = Ledger::read(app, &*app.store().snapshot()?)?;
    commit(ledger.spend_on_everybody(app, question, micro_epsilon)?)
}

fn everybody() -> Subject {
    Subject::Group("everybody".to_owned())
}

fn limit(micro_epsilon: u64) -> Limit {
    Limit { micro_epsilon, femto_delta: FEMTO_DELTA }
}

fn prefix(period: i64) -> Vec<u8> {
    format!("ledger/{period:010}/").into_bytes()
}

fn of_project(project: &str) -> Vec<u8> {
    format!("project/{project}/").into_bytes()
}
