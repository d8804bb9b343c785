//! Subscriptions over SIGKILL: a node that notifies a receiver while it is written to is killed
//! and started again, and every event must have arrived in the end: at least once, in order for
//! each subscription, none lost.

pub mod judge;
pub mod load;
pub mod receiver;

use std::time::{Duration, Instant};

use node::config;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use serde_json::{Value, json};
use synthetic::sites;

use super::Plan;
use super::child::Program;
use super::promise::Session;
use crate::client::{Client, Fault};
use crate::figures::{Times, ms, say};
use crate::network::prepare;
use judge::Subscribed;
use load::{CODE_SYSTEM, CODES, Sent, Worker};
use receiver::{Receiver, Told};

/// Workers that write at the same time.
const WORKERS: usize = 3;
/// The node lives at least this long under load, and at most.
const LIFE_MS: std::ops::Range<u64> = 20..900;
/// How long the last life waits for what is still to come. A hook that refused is tried again
/// after 5 s, then 10, then 20.
const PATIENCE: Duration = Duration::from_secs(90);
/// Events that one `$events` brings.
const PAGE: usize = 1000;
/// Faults that are printed.
const SHOWN: usize = 20;
const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";

struct Run {
    program: Program,
    receiver: Receiver,
    session: Session,
    chance: ChaCha8Rng,
    subscribed: Vec<Subscribed>,
    workers: Vec<Vec<Sent>>,
    starts: Times,
    faults: Vec<String>,
}

/// Carries out `plan` and prints what happened. Returns whether nothing was lost.
pub async fn run(plan: Plan) -> Result<bool, Fault> {
    let started = Instant::now();
    let mut run = Run::set_up(&plan).await?;
    for round in 1..=plan.rounds {
        run.round(round).await?;
    }
    let (events, arrived) = run.last_life().await?;
    let acknowledged = run.workers.iter().flatten().filter(|sent| sent.acknowledged).count();
    let faults = &run.faults;
    say(&format!(
        "\n{} kills in {:.0} s; {acknowledged} versions acknowledged; {events} events of {} \
         subscriptions arrived, {} of them more than once",
        plan.rounds,
        started.elapsed().as_secs_f64(),
        run.subscribed.len(),
        arrived.saturating_sub(events),
    ));
    say(&format!("start after a kill: p50 {}", ms(run.starts.percentile(0.5))));
    faults.iter().take(SHOWN).for_each(|fault| say(&format!("  {fault}")));
    let is_good = faults.is_empty() && acknowledged > 0 && events > 0;
    say(&match is_good {
        true => "deliveries: every event arrived, in order".to_owned(),
        false => format!("deliveries: FAILED, {} faults", faults.len()),
    });
    Ok(is_good)
}

impl Run {
    async fn set_up(plan: &Plan) -> Result<Self, Fault> {
        let places = prepare(&plan.folder, &sites(1))?;
        let place = places.first().ok_or("a hospital is needed")?;
        let file = place.folder.join(config::FILE);
        let text = std::fs::read_to_string(&file)?;
        let here = text.replace("notify_allowed = []", "notify_allowed = [\"127.0.0.0/8\"]");
        if here == text {
            return Err("the configuration has no `notify_allowed` to change".into());
        }
        std::fs::write(file, here)?;
        let program = Program::new(plan.binary.clone(), place.clone());
        let account = program.add_account("clinician", "crash-clinician", None)?;
        let (mut running, _) = program.serve().await?;
        let token = Client::sign_in(&account).await?.token().to_owned();
        let mut run = Self {
            program,
            receiver: Receiver::start(plan.seed).await?,
            session: Session { http: reqwest::Client::new(), base: place.base(), token },
            chance: ChaCha8Rng::seed_from_u64(plan.seed),
            subscribed: Vec::new(),
            workers: Vec::new(),
            starts: Times::default(),
            faults: Vec::new(),
        };
        for (name, code) in [("full", 0), ("ids", 1), ("plain", 2), ("refusing", 0)] {
            let made = subscribe(&run.session, &run.receiver.url, name, code).await?;
            run.subscribed.push(made.ok_or("the node went away")?);
        }
        running.kill()?;
        Ok(run)
    }

    /// One life of the node: one more subscription and writes, until it is killed.
    async fn round(&mut self, round: u32) -> Result<(), Fault> {
        let (mut running, took) = self.program.serve().await?;
        self.starts.push(took);
        self.fresh_connections()?;
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let seed = self.chance.random_range(0..u64::MAX);
                let name = format!("r{round}w{worker}");
                tokio::spawn(load::writes(self.session.clone(), name, seed))
            })
            .collect();
        let (session, url) = (self.session.clone(), self.receiver.url.clone());
        let (name, code) = (format!("late-{round}"), self.chance.random_range(0..CODES));
        let late = tokio::spawn(async move { subscribe(&session, &url, &name, code).await });
        let life = Duration::from_millis(self.chance.random_range(LIFE_MS));
        tokio::time::sleep(life).await;
        if let Some(success) = running.kill()? {
            self.faults.push(format!("round {round}: the node ended by itself ({success})"));
        }
        let mut writes = 0;
        for worker in workers {
            let Worker { sent, refused } = worker.await?;
            writes += sent.iter().filter(|sent| sent.acknowledged).count();
            self.workers.push(sent);
            self.faults.extend(refused.map(|why| format!("round {round}: {why}")));
        }
        // One whose answer was cut off may stand; nobody was promised anything then.
        self.subscribed.extend(late.await??);
        let hooks = self.subscribed.iter();
        let arrived: usize = hooks.map(|one| self.receiver.got(&one.hook).len()).sum();
        say(&format!(
            "round {round:>3} killed after {:>3} ms under load, {writes:>4} versions acknowledged, \
             {arrived:>5} events arrived so far, start {}",
            life.as_millis(),
            ms(took),
        ));
        Ok(())
    }

    /// The last life: whatever is still to come arrives. Returns how many events there are and
    /// how many arrived, repeats included.
    async fn last_life(&mut self) -> Result<(usize, usize), Fault> {
        self.receiver.be_steady();
        let (mut running, took) = self.program.serve().await?;
        self.starts.push(took);
        self.fresh_connections()?;
        self.mark_the_end().await?;
        self.faults.extend(self.receiver.faults());
        let (mut events, mut arrived) = (0, 0);
        for one in &self.subscribed {
            let numbered = numbered(&self.session, &one.id).await?;
            let got = self.receiver.got(&one.hook);
            self.faults.extend(judge::faults(one, &numbered, &got, &self.workers));
            events += numbered.len();
            arrived += got.len();
        }
        running.kill()?;
        self.program.verify_audit(None)?;
        Ok((events, arrived))
    }

    /// One last write for each code, and waits until every hook has been told of it.
    async fn mark_the_end(&mut self) -> Result<(), Fault> {
        for code in 0..CODES {
            let (id, at) = (format!("end-{code}"), Instant::now());
            let (focus, body) = (format!("Observation/{id}"), load::observation(&id, code, &id));
            let answer = self.session.send(Method::PUT, &format!("/{focus}"), &body).send().await?;
            answer.error_for_status()?;
            let sent =
                Sent { focus: focus.clone(), text: id, code, request: 0, at, acknowledged: true };
            self.workers.push(vec![sent]);
            let hooks: Vec<String> = self
                .subscribed
                .iter()
                .filter(|one| one.code == code)
                .map(|one| one.hook.clone())
                .collect();
            let missing = self.receiver.until_told(&hooks, &focus, PATIENCE).await;
            self.faults
                .extend(missing.iter().map(|hook| format!("`{hook}` was never told of the end")));
        }
        Ok(())
    }

    /// Connections to a node that was killed are of no use any more.
    fn fresh_connections(&mut self) -> Result<(), Fault> {
        self.session.http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        Ok(())
    }
}

/// Subscribes hook `name` to one code. The name says in which form: `plain` is told as plain R4,
/// with the resource; `ids` by backport without it; any other by backport with it. `None` where
/// the node is gone before it has answered.
async fn subscribe(
    session: &Session,
    url: &str,
    name: &str,
    code: usize,
) -> Result<Option<Subscribed>, Fault> {
    let mut channel = json!({
        "type": "rest-hook", "endpoint": format!("{url}/{name}"), "payload": "application/fhir+json",
    });
    if name != "plain" {
        let content = if name == "ids" { "id-only" } else { "full-resource" };
        let url = format!("{BACKPORT}backport-payload-content");
        channel["_payload"] = json!({"extension": [{"url": url, "valueCode": content}]});
        let url = format!("{BACKPORT}backport-max-count");
        channel["extension"] = json!([{"url": url, "valuePositiveInt": 4}]);
    }
    let body = json!({
        "resourceType": "Subscription", "status": "requested", "reason": "crash",
        "criteria": format!("Observation?code={CODE_SYSTEM}|d{code}"), "channel": channel,
    });
    let sending = session.send(Method::POST, "/Subscription", &body).send();
    let Ok(answer) = sending.await else { return Ok(None) };
    let status = answer.status();
    let Ok(text) = answer.text().await else { return Ok(None) };
    if !status.is_success() {
        return Err(format!("a Subscription was refused: {status} {text}").into());
    }
    let made: Value = serde_json::from_str(&text)?;
    let id = made["id"].as_str().ok_or("a Subscription without an id")?.to_owned();
    Ok(Some(Subscribed { id, hook: name.to_owned(), code, since: Instant::now() }))
}

/// Focus and text of all events that the node has numbered for a subscription.
async fn numbered(session: &Session, id: &str) -> Result<Vec<(String, String)>, Fault> {
    let mut all = Vec::new();
    loop {
        let first = all.len() + 1;
        let path =
            format!("Subscription/{id}/$events?eventsSinceNumber={first}&content=full-resource");
        let told = receiver::read("", &session.get(&path).await?)?;
        let count = told.len();
        for Told { number, focus, text } in told {
            if number != u64::try_from(all.len() + 1).ok() {
                return Err(
                    format!("`$events` of `{id}` leaves out event {}", all.len() + 1).into()
                );
            }
            all.push((focus, text.unwrap_or_default()));
        }
        if count < PAGE {
            return Ok(all);
        }
    }
}
