//! Taking part: calls the coordinators of the projects that this institution has approved, does what
//! they have for it, and leads its own questions. It only ever calls.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use wire::research::{Before, Gift, Given, MAX_WAIT_MS, Step, Work};
use wire::{OrgId, RoundsRequest, RoundsResponse, Sealed};

use super::replay::FOR_NOW;
use super::{adder, ask, exchange, inquiry, lead, site, withdraw};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::consent::deliver::as_node;
use crate::records::longitudinal::ask_json;
use crate::{App, Error, Kind, Result, programs, projects, release};

/// How often members are called for news of projects where nothing happens.
const EVERY: Duration = Duration::from_secs(60);
/// How long a coordinator has for its answer, beyond the time that it may wait for work.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most ids of projects, withdrawals, outcomes and decisions in one call.
const MOST_KNOWN: usize = 10_000;
/// Most programs that are asked for in one call of a member.
const MOST_PROGRAMS: usize = 8;
/// How long a coordinator may keep a call open, in milliseconds, while something is being done here for it,
/// at first and at the longest: what is done is handed in soon, however long the rest takes.
const SHORT_WAITS_MS: (u32, u32) = (100, 1_000);
/// How long the next call of a coordinator waits for what is being done for it.
const QUICK: Duration = Duration::from_millis(250);
/// About the most questions of one coordinator for which something is done at a time.
const MOST_AT_A_TIME: usize = 100;
/// Pauses after calls that failed, the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// Takes part until the node stops.
pub async fn run(app: App, mut stopped: watch::Receiver<bool>) {
    let mut nudges = app.rounds().nudges.subscribe();
    let mut opened = app.rounds().opened.subscribe();
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tasks = JoinSet::new();
    let mut running: BTreeSet<Doing> = BTreeSet::new();
    loop {
        let is_look = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            _ = every.tick() => true,
            _ = nudges.changed() => true,
            _ = opened.changed() => false,
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                if let Ok(ended) = ended {
                    running.remove(&ended);
                }
                false
            }
        };
        if is_look {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = look(&app) => {}
            }
        }
        match app.run(todo).await {
            Ok(todo) => {
                for doing in todo {
                    if running.insert(doing.clone()) {
                        tasks.spawn(run_one(app.clone(), doing));
                    }
                }
            }
            Err(error) => {
                tracing::error!(reason = %error.message, "research projects could not be looked after");
            }
        }
    }
}

/// What goes on at a time: calls of one coordinator, or a question that is led here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    Call(OrgId),
    Lead(String),
}

fn todo(app: &App) -> Result<Vec<Doing>> {
    let now = app.now_ms();
    let own = app.network().own();
    let all = projects::all(app)?;
    let approved = all.iter().filter(|known| known.is_approved_by(own, now));
    let callees: BTreeSet<OrgId> =
        approved.map(|known| known.project.coordinator.clone()).collect();
    let open = ask::open_questions(&*app.store().snapshot()?)?;
    Ok(callees.into_iter().map(Doing::Call).chain(open.into_iter().map(Doing::Lead)).collect())
}

async fn run_one(app: App, doing: Doing) -> Doing {
    match &doing {
        Doing::Call(coordinator) => call(&app, coordinator).await,
        Doing::Lead(id) => {
            if let Err(error) = lead::lead(app.clone(), id.clone()).await {
                tracing::error!(reason = %error.message, "a research question could not be led");
                tokio::time::sleep(PAUSES.1).await;
            }
        }
    }
    doing
}

/// Calls every member once: takes up projects that concern this institution and what came of them, and
/// tells its decisions.
pub async fn look(app: &App) {
    if !*app.answering().borrow() {
        return;
    }
    let members = app.network().active_others();
    let asked = members.into_iter().map(|member| async move {
        if let Err(error) = look_at(app, &member.id).await {
            tracing::debug!(peer = %member.id, reason = %error.message, "no news of projects");
        }
    });
    join_all(asked.collect::<Vec<_>>()).await;
}

async fn look_at(app: &App, member: &OrgId) -> Result<()> {
    let of = member.clone();
    let request = app
        .run(move |app| {
            let snapshot = app.store().snapshot()?;
            let mut request = RoundsRequest::default();
            for known in projects::all(app)?.iter() {
                if known.project.coordinator == of {
                    let own = projects::signed_by(&*snapshot, &known.id, app.network().own())?;
                    request.decisions.extend(own);
                    request.known.push(known.id.clone());
                    let withdrawn = withdraw::kept(&*snapshot, &known.id)?;
                    request.known.extend(withdrawn.into_iter().map(|(id, _)| id));
                    let outcomes = release::outcomes(&*snapshot, &known.id)?;
                    request.known.extend(outcomes.into_iter().map(|(sealed, _)| sealed.id()));
                }
            }
            request.known.extend(projects::others::kept(app, &of)?);
            request.known.truncate(MOST_KNOWN);
            Ok(request)
        })
        .await?;
    let answer = asked(app, member, &request).await?;
    take_projects(app, answer.projects).await?;
    take_decisions(app, member, answer.decisions).await?;
    take_withdrawals(app, answer.withdrawn).await?;
    let work = move |app: &App| {
        for sealed in &answer.outcomes {
            if let Err(error) = release::take_outcome(app, sealed) {
                tracing::warn!(reason = %error.message, "an outcome of a question is refused");
            }
        }
        Ok(())
    };
    app.run(work).await?;
    fetch_programs(app, member).await
}

/// Asks a coordinator for the programs that its projects name and that are not here, one at a time.
async fn fetch_programs(app: &App, member: &OrgId) -> Result<()> {
    let of = member.clone();
    let wanted = app.run(move |app| programs::wanted(app, &of)).await?;
    for hash in wanted.into_iter().take(MOST_PROGRAMS) {
        let request = RoundsRequest { programs: vec![hash.clone()], ..RoundsRequest::default() };
        let answer = asked(app, member, &request).await?;
        let Some(bytes) = answer.program.and_then(|program| site::bytes(&program.bytes)) else {
            continue;
        };
        let of = member.clone();
        let taken = app.run(move |app| programs::take(app, &of, &hash, &bytes)).await;
        if let Err(error) = taken {
            tracing::warn!(peer = %member, reason = %error.message, "a program is not taken");
        }
    }
    Ok(())
}

async fn take_withdrawals(app: &App, sealed: Vec<Sealed>) -> Result<()> {
    let work = move |app: &App| {
        for sealed in &sealed {
            if let Err(error) = withdraw::take(app, sealed) {
                tracing::warn!(reason = %error.message, "a withdrawal of a question is refused");
            }
        }
        Ok(())
    };
    app.run(work).await
}

async fn take_projects(app: &App, sealed: Vec<Sealed>) -> Result<()> {
    let work = move |app: &App| {
        for sealed in &sealed {
            if let Err(error) = projects::take_project(app, sealed, None) {
                tracing::warn!(reason = %error.message, "an application for a project is refused");
            }
        }
        Ok(())
    };
    app.run(work).await
}

async fn take_decisions(app: &App, coordinator: &OrgId, sealed: Vec<Sealed>) -> Result<()> {
    let coordinator = coordinator.clone();
    let work = move |app: &App| {
        for sealed in sealed.iter().take(projects::others::MOST_TOLD) {
            if let Err(error) = projects::hear(app, &coordinator, sealed) {
                tracing::warn!(%coordinator, reason = %error.message, "a decision of another party is refused");
            }
        }
        Ok(())
    };
    app.run(work).await
}

/// Calls one coordinator as long as there is a project of its that is approved here. What is done for one
/// question is handed in while others take longer.
async fn call(app: &App, coordinator: &OrgId) {
    let mut hands = Hands::new(app, coordinator);
    let mut given: Vec<Given> = Vec::new();
    let (mut pause, mut short_wait_ms) = (PAUSES.0, SHORT_WAITS_MS.0);
    loop {
        let of = coordinator.clone();
        let is_on = app.run(move |app| Ok(todo(app)?.contains(&Doing::Call(of)))).await;
        if !is_on.unwrap_or(false) {
            return;
        }
        given.extend(hands.done().await);
        while hands.lines.len() >= MOST_AT_A_TIME {
            given.extend(hands.done().await);
        }
        let wait_ms = if hands.lines.is_empty() { MAX_WAIT_MS } else { short_wait_ms };
        short_wait_ms = match hands.lines.is_empty() {
            true => SHORT_WAITS_MS.0,
            false => (short_wait_ms * 2).min(SHORT_WAITS_MS.1),
        };
        let request = RoundsRequest { given: given.clone(), wait_ms, ..Default::default() };
        match asked(app, coordinator, &request).await {
            Ok(answer) => {
                pause = PAUSES.0;
                given.clear();
                if let Err(error) = take_withdrawals(app, answer.withdrawn).await {
                    tracing::error!(reason = %error.message, "a withdrawal was not taken");
                }
                hands.take(answer.work);
            }
            Err(error) => {
                tracing::debug!(%coordinator, reason = %error.message, "a coordinator cannot be called");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

async fn asked(app: &App, org: &OrgId, request: &RoundsRequest) -> Result<RoundsResponse> {
    if org == app.network().own() {
        return exchange(app, org, request.clone()).await;
    }
    let asking = as_node(app, app.new_id().as_str());
    let wait = Duration::from_millis(u64::from(request.wait_ms));
    let deadline = Instant::now() + wait + PATIENCE;
    ask_json(app, org, wire::path::ROUNDS, request, &asking, deadline)
        .await
        .map_err(|e| Error::new(Kind::Busy, e.to_string()))
}

/// What is being done for a coordinator: several questions at a time, the work of each in its order.
struct Hands {
    app: App,
    coordinator: OrgId,
    tasks: JoinSet<(String, Vec<Given>)>,
    /// The questions for which there is something to do, by id.
    lines: BTreeMap<String, Line>,
}

/// What there is to do for one question.
#[derive(Default)]
struct Line {
    /// Whether some of it is being done.
    is_on: bool,
    waiting: Vec<Work>,
    /// Of all that is being done or waits.
    tickets: BTreeSet<u64>,
}

impl Hands {
    fn new(app: &App, coordinator: &OrgId) -> Self {
        let (app, coordinator) = (app.clone(), coordinator.clone());
        Self { app, coordinator, tasks: JoinSet::new(), lines: BTreeMap::new() }
    }

    /// Takes work and begins what can be begun.
    fn take(&mut self, work: Vec<Work>) {
        for one in work {
            let line = self.lines.entry(one.inquiry.id()).or_default();
            // What takes longer than its lease is handed out again, and is not done twice.
            if line.tickets.insert(one.ticket) {
                line.waiting.push(one);
            }
        }
        self.begin();
    }

    /// Begins what waits for questions for which nothing is being done.
    fn begin(&mut self) {
        for (id, line) in &mut self.lines {
            if line.is_on || line.waiting.is_empty() {
                continue;
            }
            line.is_on = true;
            let work = std::mem::take(&mut line.waiting);
            let (app, coordinator, id) = (self.app.clone(), self.coordinator.clone(), id.clone());
            self.tasks.spawn(async move {
                let inquiry = id.clone();
                let done = app.run(move |app| {
                    let gifts = work.iter().map(|one| Given {
                        inquiry: inquiry.clone(),
                        ticket: one.ticket,
                        gift: answer(app, &coordinator, one),
                    });
                    Ok(gifts.collect::<Vec<_>>())
                });
                let gifts = done.await.unwrap_or_default();
                (id, gifts)
            });
        }
    }

    /// What was done by now. Waits until everything is, but no longer than quick work takes.
    async fn done(&mut self) -> Vec<Given> {
        let until = Instant::now() + QUICK;
        let mut given = Vec::new();
        while let Ok(Some(ended)) = timeout_at(until, self.tasks.join_next()).await {
            match ended {
                Ok((id, gifts)) => {
                    self.end(&id);
                    given.extend(gifts);
                }
                // What broke off is handed out again.
                Err(_) => self.lines.clear(),
            }
            self.begin();
        }
        given
    }

    fn end(&mut self, id: &str) {
        let Some(line) = self.lines.get_mut(id) else { return };
        if line.waiting.is_empty() {
            self.lines.remove(id);
            return;
        }
        line.is_on = false;
        line.tickets = line.waiting.iter().map(|one| one.ticket).collect();
    }
}

/// What this node gives for a piece of work that a coordinator has for it, or the rule by which it refuses.
/// Blocks.
pub fn answer(app: &App, coordinator: &OrgId, work: &Work) -> Gift {
    let inquiry = &work.inquiry;
    let done = match &work.step {
        Step::Contribute { round, number, keys, before } => {
            let asked = site::Asked { inquiry, round, number: *number, keys, before };
            site::contribute(app, coordinator, &asked)
        }
        Step::Key { helper } => adder::key(app, coordinator, inquiry, helper.as_ref()),
        Step::Verify { round, number, other, reports, before } => {
            let shown = adder::Shown { round, number: *number, other, reports, before };
            adder::verify(app, coordinator, inquiry, &shown)
        }
        Step::Finish { number, findings } => {
            adder::finish(app, coordinator, inquiry, *number, findings)
        }
    };
    done.unwrap_or_else(|against| refusal(app, coordinator, inquiry, against))
}

/// The rule by which this node does not do what a coordinator asks, in the audit before it leaves.
/// That keys or sums are not here any more is no refusal: the coordinator gives them again.
fn refusal(app: &App, coordinator: &OrgId, inquiry: &Sealed, against: inquiry::Against) -> Gift {
    let inquiry::Against { rule, reason } = against;
    if ![adder::LOST, Before::LOST].contains(&rule) {
        let note = format!("a research question of `{coordinator}` is not answered");
        let id = inquiry.id();
        let event = Event::by_node(Pattern::Refuse).request_id(&id).note(note).refused(rule);
        if app.audit(event).is_err() {
            return Gift::Refusal { rule: FOR_NOW.to_owned(), reason: String::new() };
        }
    }
    Gift::Refusal { rule: rule.to_owned(), reason }
}
