//! The rounds: start, look whether everything promised so far is kept, load, kill, verify.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use node::config::Config;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use synthetic::sites;

use super::Plan;
use super::child::Program;
use super::load::{Done, decisions, imports, large, write_files};
use super::promise::{Judge, Kept, Promise, Session};
use crate::client::{Account, Client, Fault};
use crate::figures::{Times, ms, say};
use crate::network::prepare;

/// Workers that make small writes at the same time, beside one that makes large ones.
const WORKERS: usize = 4;
/// Patients who decide at the same time.
const DECIDERS: usize = 2;
/// The node lives at least this long under load, and at most.
const LIFE_MS: std::ops::Range<u64> = 3..600;
/// An import from the command line lives this long.
const IMPORT_MS: std::ops::Range<u64> = 10..1200;
/// Every so many rounds an import from the command line is killed as well.
const IMPORT_EVERY: u32 = 5;
/// Files of such an import, and resources in each: fewer than one transaction takes.
const FILES: usize = 60;
const FILE_SIZE: u64 = 200;
/// Faults that are printed.
const SHOWN: usize = 20;

/// An import from the command line that was killed: where its files are and what is in them.
struct Cut {
    folder: PathBuf,
    tags: Vec<String>,
}

struct Run {
    plan: Plan,
    program: Program,
    chance: ChaCha8Rng,
    judge: Judge,
    deciders: Vec<Account>,
    promises: Vec<Promise>,
    /// Those that were not looked at since the last kill.
    new: Vec<Promise>,
    noted: Option<String>,
    cut: Option<Cut>,
    kept: Kept,
    starts: Times,
    kills: u32,
    import_kills: u32,
    acknowledged: usize,
}

/// Carries out `plan` and prints what happened. Returns whether nothing was lost.
pub async fn run(plan: Plan) -> Result<bool, Fault> {
    let started = Instant::now();
    let mut run = Run::set_up(plan).await?;
    for round in 1..=run.plan.rounds {
        run.round(round).await?;
    }
    run.all_again().await?;
    let kept = &run.kept;
    say(&format!(
        "\n{} kills of a serving node and {} of an import in {:.0} s; {} writes acknowledged; looked \
         at {} of them after the next start or at the end; of those without an answer {} stand and \
         {} do not",
        run.kills,
        run.import_kills,
        started.elapsed().as_secs_f64(),
        run.acknowledged,
        kept.acknowledged,
        kept.open.0,
        kept.open.1
    ));
    say(&format!(
        "start after a kill: p50 {}, longest {}",
        ms(run.starts.percentile(0.5)),
        ms(run.starts.percentile(1.0))
    ));
    kept.faults.iter().take(SHOWN).for_each(|fault| say(&format!("  {fault}")));
    let is_good = kept.faults.is_empty() && run.acknowledged > 0;
    say(&match is_good {
        true => "crash: nothing acknowledged was lost".to_owned(),
        false => format!("crash: FAILED, {} faults", kept.faults.len()),
    });
    Ok(is_good)
}

impl Run {
    async fn set_up(plan: Plan) -> Result<Self, Fault> {
        // A second member makes consents leave deliveries behind; nobody is there to take them.
        let places = prepare(&plan.folder, &sites(2))?;
        let [own, other] = places.as_slice() else { return Err("two hospitals are needed".into()) };
        let program = Program::new(plan.binary.clone(), own.clone());
        let consent_rounds = usize::try_from(plan.rounds)? / 2;
        let patients = plan.folder.join("patients.ndjson");
        let lines: Vec<String> = (0..consent_rounds * DECIDERS)
            .map(|n| {
                json!({"resourceType": "Patient", "id": format!("decider-{n}"),
                    "name": [{"family": "Decider", "given": [format!("Number {n}")]}]})
                .to_string()
            })
            .collect();
        std::fs::write(&patients, lines.join("\n"))?;
        program.import(&patients)?;
        let mut deciders = Vec::new();
        for n in 0..consent_rounds * DECIDERS {
            let name = format!("decider-{n}");
            deciders.push(program.add_account("patient", &name, Some(&name))?);
        }
        let account = program.add_account("clinician", "crash-clinician", None)?;
        let (mut running, _) = program.serve().await?;
        // One session for the whole run: it must survive every kill, too.
        let token = Client::sign_in(&account).await?.token().to_owned();
        running.kill()?;
        let noted = Some(program.verify_audit(None)?);
        let clinician = Session { http: reqwest::Client::new(), base: own.base(), token };
        let judge = Judge {
            clinician,
            own: own.site.org.clone(),
            other: other.site.org.clone(),
            defaults: Config::read(&own.folder)?.defaults(),
        };
        Ok(Self {
            chance: ChaCha8Rng::seed_from_u64(plan.seed),
            plan,
            program,
            judge,
            deciders,
            promises: Vec::new(),
            new: Vec::new(),
            noted,
            cut: None,
            kept: Kept::default(),
            starts: Times::default(),
            kills: 1,
            import_kills: 0,
            acknowledged: 0,
        })
    }

    /// One life of the node.
    async fn round(&mut self, round: u32) -> Result<(), Fault> {
        if round.is_multiple_of(IMPORT_EVERY) {
            self.cut_import(round)?;
        }
        let (mut running, took) = self.program.serve().await?;
        self.starts.push(took);
        self.fresh_connections()?;
        let before = self.kept.faults.len();
        self.look_at_new().await;
        let is_import = round % 2 == 1;
        let workers = match is_import {
            true => self.start_imports(round),
            false => self.start_decisions(round).await?,
        };
        let life = Duration::from_millis(self.chance.random_range(LIFE_MS));
        tokio::time::sleep(life).await;
        // A head seen while the node writes must still be in the log after the kill.
        if round.is_multiple_of(3) {
            let program = self.program.clone();
            let noted = self.noted.clone();
            let verify = move || program.verify_audit(noted.as_deref());
            self.note(tokio::task::spawn_blocking(verify).await?);
        }
        if let Some(success) = running.kill()? {
            self.kept.faults.push(format!("round {round}: the node ended by itself ({success})"));
        }
        self.kills += 1;
        let mut writes = 0;
        for worker in workers {
            let Done { promises, refused } = worker.await?;
            writes += promises.iter().map(Promise::acknowledged).sum::<usize>();
            self.new.extend(promises);
            self.kept.faults.extend(refused.into_iter().map(|why| format!("round {round}: {why}")));
        }
        self.acknowledged += writes;
        let head = self.program.verify_audit(self.noted.as_deref());
        self.note(head);
        self.finish_import()?;
        let found = self.kept.faults.len() - before;
        say(&format!(
            "round {round:>3} {:<8} killed after {:>3} ms under load, {writes:>4} writes acknowledged, \
             start {}, audit head {}{}",
            if is_import { "import" } else { "consent" },
            life.as_millis(),
            ms(took),
            self.noted.as_deref().and_then(|head| head.split(':').next()).unwrap_or("?"),
            if found == 0 { String::new() } else { format!(", {found} FAULTS") }
        ));
        Ok(())
    }

    fn note(&mut self, head: Result<String, Fault>) {
        match head {
            Ok(head) => {
                let number = |head: &str| head.split(':').next()?.parse::<u64>().ok();
                if number(&head) < self.noted.as_deref().and_then(number) {
                    self.kept.faults.push("the audit has become shorter".into());
                }
                self.noted = Some(head);
            }
            Err(error) => self.kept.faults.push(error.to_string()),
        }
    }

    /// Connections to a node that was killed are of no use any more.
    fn fresh_connections(&mut self) -> Result<(), Fault> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        self.judge.clinician.http = client;
        Ok(())
    }

    async fn look_at_new(&mut self) {
        for promise in std::mem::take(&mut self.new) {
            self.kept.add(self.judge.check(&promise).await);
            // What is not settled yet is looked at once: it may change later.
            if !matches!(promise, Promise::Files { finished: false, .. }) {
                self.promises.push(promise);
            }
        }
    }

    fn start_imports(&mut self, round: u32) -> Vec<tokio::task::JoinHandle<Done>> {
        let mut workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let name = format!("r{round}w{worker}");
                let (seed, session) =
                    (self.chance.random_range(0..u64::MAX), self.judge.clinician.clone());
                tokio::spawn(imports(session, name, seed))
            })
            .collect();
        let (seed, session) = (self.chance.random_range(0..u64::MAX), self.judge.clinician.clone());
        workers.push(tokio::spawn(large(session, format!("r{round}large"), seed)));
        workers
    }

    async fn start_decisions(
        &mut self,
        round: u32,
    ) -> Result<Vec<tokio::task::JoinHandle<Done>>, Fault> {
        let first = (usize::try_from(round)? / 2 - 1) * DECIDERS;
        let mut sessions = Vec::new();
        for number in first..first + DECIDERS {
            let account = self.deciders.get(number).ok_or("no patient is left to decide")?;
            let token = Client::sign_in(account).await?.token().to_owned();
            sessions.push((number, Session { token, ..self.judge.clinician.clone() }));
        }
        let other = self.judge.other.clone();
        Ok(sessions
            .into_iter()
            .map(|(number, session)| {
                let seed = self.chance.random_range(0..u64::MAX);
                let about = (number % 2 == 0).then(|| other.clone());
                let patient = format!("decider-{number}");
                tokio::spawn(decisions(session, patient, about, seed))
            })
            .collect())
    }

    /// Starts an import from the command line and kills it.
    fn cut_import(&mut self, round: u32) -> Result<(), Fault> {
        let folder = self.plan.folder.join(format!("files-{round}"));
        let tags = write_files(&folder, &format!("r{round}"), FILES, FILE_SIZE)?;
        let mut running = self.program.start_import(&folder)?;
        let life = Duration::from_millis(self.chance.random_range(IMPORT_MS));
        std::thread::sleep(life);
        let ended = running.kill()?;
        self.import_kills += u32::from(ended.is_none());
        if ended == Some(false) {
            self.kept.faults.push(format!("round {round}: the import failed by itself"));
        }
        let finished = ended == Some(true);
        if finished {
            self.acknowledged += tags.len();
        }
        self.new.push(Promise::Files { tags: tags.clone(), size: FILE_SIZE, finished });
        let head = self.program.verify_audit(self.noted.as_deref());
        self.note(head);
        say(&format!(
            "round {round:>3} {:<8} {} after {} ms",
            "files",
            if finished { "had ended" } else { "killed" },
            life.as_millis()
        ));
        self.cut = Some(Cut { folder, tags });
        Ok(())
    }

    /// Repeats an import that was killed; what it had stored must not be there twice.
    fn finish_import(&mut self) -> Result<(), Fault> {
        if let Some(Cut { folder, tags }) = self.cut.take() {
            self.program.import(&folder)?;
            self.acknowledged += tags.len();
            self.new.push(Promise::Files { tags, size: FILE_SIZE, finished: true });
            std::fs::remove_dir_all(folder)?;
        }
        Ok(())
    }

    /// The last start: everything that was ever promised.
    async fn all_again(&mut self) -> Result<(), Fault> {
        let (mut running, took) = self.program.serve().await?;
        self.starts.push(took);
        self.fresh_connections()?;
        self.look_at_new().await;
        let mut last = Kept::default();
        for promise in &self.promises {
            last.add(self.judge.check(promise).await);
        }
        let count = last.acknowledged;
        // They were counted after their own kill already.
        self.kept.faults.extend(last.faults);
        running.kill()?;
        let head = self.program.verify_audit(self.noted.as_deref());
        self.note(head);
        say(&format!(
            "\nat the end {count} acknowledged writes of all rounds were looked at again"
        ));
        Ok(())
    }
}
