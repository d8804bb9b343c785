//! `consilium audit`: the audit log, its checkpoints and its proofs at the terminal.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use app::audit::ledger::Ledger;
use app::audit::reconcile::{self, Finding, Window};
use app::audit::verify::{Verdict, verify};
use app::audit::witnessed::witnessed;
use app::audit::{alarm, witness};
use clap::Subcommand;
use crypto::log_proof::LogProof;
use crypto::{Checkpoint, FaultKind, Head, LogFault, SignedCheckpoint};
use store::{Key, Snapshot};
use tokio::time::Instant;
use wire::{CheckpointsRequest, CheckpointsResponse};

use crate::command::{runtime, say};
use crate::config::Config;
use crate::members;
use crate::wiring::{Fault, Place, place, system_clock};

/// How long a peer has to say what it has cosigned.
const PATIENCE: Duration = Duration::from_secs(10);

/// What can be done with the audit.
#[derive(Subcommand)]
pub enum AuditTask {
    /// Check that no entry was changed, removed or put elsewhere
    ///
    /// Every entry is compared with the hash that was stored with it. Whoever can write the store
    /// can change both, so this alone shows accidents and clumsy hands. With `--against-witnesses`
    /// the other nodes are asked for the checkpoints that they have cosigned: a log that was
    /// rewritten afterwards cannot agree with those, whatever was recomputed in it.
    ///
    /// Ends with status 1 where the log is broken, where a witness has refused one of its
    /// checkpoints, and where no witness could be asked. For example:
    /// `consilium audit verify --dir node --against-witnesses`
    Verify {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
        /// A head noted earlier, `number:hash`, which the log must still contain; may be repeated
        #[arg(long)]
        noted: Vec<String>,
        /// Ask the other nodes what they have cosigned, and check the log against it
        #[arg(long)]
        against_witnesses: bool,
    },
    /// Print a checkpoint: how long the log is and the root over it, signed by this node
    ///
    /// A checkpoint is a signed note (C2SP tlog-checkpoint). Whoever keeps one can tell later
    /// whether the log still contains what it contained then: with `audit verify --noted`, or with
    /// a consistency proof (`audit proof --from`).
    Checkpoint {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
        /// The newest one that other nodes have cosigned, with their cosignatures
        #[arg(long)]
        witnessed: bool,
    },
    /// Prove that an entry is in the log, or that the log continues what it was
    ///
    /// With `--entry`, prints a proof (C2SP tlog-proof) with the entry, the path to the root and the
    /// newest cosigned checkpoint; anybody can check it with `audit check`, without this node.
    /// With `--from`, prints the hashes of a consistency proof (RFC 6962), one a line in base64.
    Proof {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
        /// Id of an AuditEvent, or its number in the log
        #[arg(long, required_unless_present = "from", conflicts_with = "from")]
        entry: Option<String>,
        /// Size of the log at an earlier checkpoint
        #[arg(long)]
        from: Option<u64>,
        /// Size of the log up to which it is proved that it continues; the whole log where it is not
        /// given
        #[arg(long, requires = "from")]
        to: Option<u64>,
    },
    /// Compare this log with those of the other nodes: no answer without a question
    ///
    /// Every node keeps an entry of each question that it asks another and of each that it answers.
    /// Asks the others for their entries about this node, and names every request of which one side
    /// says that it was answered and the other does not know the question. The node does the same
    /// once a day by itself; this writes nothing.
    Reconcile {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
        /// How many days back
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
    },
    /// Check a proof that an entry is in a log, without any node
    ///
    /// Takes what `audit proof --entry` prints and what patients download from the page of those who
    /// saw their record; of the second, hidden lines stay hidden.
    /// Needs the network's membership lists, for the keys of the log and of its witnesses, and the
    /// founding keys: trust goes from those through every list since, each signed by voters of the
    /// one before. Keys that were replaced still count for what they signed; those that were refused,
    /// because they were stolen or their owner was expelled, do not. Says what the entry is, whose
    /// log it is in, and who has cosigned it. Fails where nobody but the log itself vouches for it.
    Check {
        /// The proof
        file: PathBuf,
        /// The lists since the first, as `consilium network invite` prints them, or
        /// `membership.json` with the folder `membership` beside it
        #[arg(long)]
        membership: PathBuf,
        /// The founding keys, `KEY` or `2 of KEY KEY KEY`, as `network status` shows them
        #[arg(long, allow_hyphen_values = true)]
        council: String,
    },
    /// Say what this node has cosigned of other nodes' logs, and which of them are not what they were
    ///
    /// Prints the evidence of every alarm: two checkpoints, both signed by the log's own node, of
    /// which the second does not continue the first.
    Witnessed {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
    },
}

/// Carries it out.
pub fn run(task: AuditTask) -> Result<ExitCode, Fault> {
    match task {
        AuditTask::Verify { dir, noted, against_witnesses } => {
            verify_log(&dir, &noted, against_witnesses)
        }
        AuditTask::Checkpoint { dir, witnessed } => print_checkpoint(&dir, witnessed),
        AuditTask::Proof { dir, entry, from, to } => match (entry, from) {
            (Some(entry), _) => prove_entry(&dir, &entry),
            (None, from) => prove_continuation(&dir, from.unwrap_or(0), to),
        },
        AuditTask::Check { file, membership, council } => check(&file, &membership, &council),
        AuditTask::Reconcile { dir, days } => reconcile_logs(&dir, days),
        AuditTask::Witnessed { dir } => watched(&dir),
    }
}

/// A head that the log must contain, and who says so.
struct Noted {
    head: Head,
    by: String,
    when: Option<u64>,
}

impl Noted {
    fn source(&self) -> String {
        match self.when {
            Some(s) => format!("{} on {}", self.by, instant(s)),
            None => self.by.clone(),
        }
    }
}

fn verify_log(dir: &Path, noted: &[String], against: bool) -> Result<ExitCode, Fault> {
    let mut heads = Vec::new();
    for text in noted {
        heads.push(Noted { head: read_head(text)?, by: "`--noted`".into(), when: None });
    }
    let mut doubts = false;
    if against {
        // Asked first, so that what they have cosigned meanwhile is in the snapshot.
        let runtime = runtime()?;
        doubts = runtime
            .block_on(async { ask_witnesses(&place(dir, system_clock())?, &mut heads).await })?;
    }
    let snapshot = snapshot(dir)?;
    let all: Vec<Head> = heads.iter().map(|noted| noted.head).collect();
    match verify(&*snapshot, &all, &mut |_| {}).map_err(|e| e.message)? {
        Verdict::Sound(head) => {
            say(&format!("{} audit entries are as they were written", head.number));
            if let Some(newest) = heads.iter().max_by_key(|noted| noted.head.number) {
                say(&format!(
                    "they contain the first {} as noted by {}",
                    newest.head.number,
                    newest.source()
                ));
            }
            say(&format!("head {}:{}", head.number, crypto::hash::hex(&head.hash)));
            Ok(if doubts { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Verdict::Broken(fault) => {
            say(&format!("the audit is broken: {fault}"));
            explain(&fault, &heads).iter().for_each(|line| say(line));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What a fault means, by who noted what.
fn explain(fault: &LogFault, heads: &[Noted]) -> Vec<String> {
    let of = |number: u64| heads.iter().find(|noted| noted.head.number == number);
    let mut lines = Vec::new();
    match fault.kind {
        FaultKind::Rewritten { upto } => {
            if let Some(before) = fault.number.checked_sub(1).filter(|n| *n > 0).and_then(of) {
                let (number, source) = (before.head.number, before.source());
                lines.push(format!("entries 1 to {number} are as noted by {source}"));
            }
            if let Some(after) = of(upto) {
                lines.push(format!(
                    "of the entries {} to {upto}, noted by {}, at least one was changed, removed or \
                     put elsewhere since",
                    fault.number,
                    after.source()
                ));
            }
        }
        FaultKind::Removed => {
            let missing = heads.iter().filter(|noted| noted.head.number >= fault.number);
            if let Some(noted) = missing.max_by_key(|noted| noted.head.number) {
                lines.push(format!(
                    "a log of {} entries was noted by {}; they are not all there, from entry {} on",
                    noted.head.number,
                    noted.source(),
                    fault.number
                ));
            }
        }
        FaultKind::Changed | FaultKind::OutOfOrder => {}
    }
    lines
}

/// Asks every other node what it has cosigned of this node's log. Returns whether something is
/// amiss that the log itself will not show: nobody answered, or somebody has refused a checkpoint.
async fn ask_witnesses(place: &Place, heads: &mut Vec<Noted>) -> Result<bool, Fault> {
    let own = place.network.own();
    let network = place.network.list().network.clone();
    let (origin, key) =
        (wire::witness::origin(&network, own), place.identity.assertion_key.public_key());
    let message = serde_json::to_vec(&CheckpointsRequest { organisation: own.clone() })?;
    let (mut answered, mut doubts) = (false, false);
    for peer in place.network.active_others() {
        let deadline = Instant::now() + PATIENCE;
        let asking = asking(place)?;
        let body = message.clone().into();
        let path = wire::path::CHECKPOINTS;
        let reply = place.peers.ask(&peer.id, path, body, &asking, deadline).await;
        let reply = match reply {
            Ok(reply) => reply.json::<CheckpointsResponse>().await,
            Err(error) => Err(error),
        };
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                say(&format!("`{}` does not say what it has cosigned: {error}", peer.id));
                continue;
            }
        };
        answered = true;
        let (before, name) = (heads.len(), wire::witness::witness(&network, &peer.id));
        for note in &reply.checkpoints {
            let open = || -> Option<Noted> {
                let checkpoint = SignedCheckpoint::open(note, &origin, &key).ok()?;
                let when = checkpoint.cosigned_by(&name, &peer.assertion_key).ok()??.time_s;
                let by = format!("`{}`", peer.id);
                Some(Noted { head: checkpoint.head(), by, when: Some(when) })
            };
            match open() {
                Some(noted) => heads.push(noted),
                None => say(&format!(
                    "`{}` shows a checkpoint that this node or that one has not signed; it is passed over",
                    peer.id
                )),
            }
        }
        let found = heads.get(before..).unwrap_or_default();
        match found.iter().max_by_key(|noted| noted.head.number) {
            Some(newest) => say(&format!(
                "`{}` has cosigned {} checkpoints, the newest of {} entries on {}",
                peer.id,
                found.len(),
                newest.head.number,
                instant(newest.when.unwrap_or(0))
            )),
            None => say(&format!("`{}` has cosigned nothing of this log", peer.id)),
        }
        let signed = |note: &&String| SignedCheckpoint::open(note, &origin, &key).is_ok();
        let refused = reply.refused.iter().filter(signed).count();
        if refused > 0 {
            doubts = true;
            say(&format!(
                "`{}` has refused {refused} checkpoints that this node signed, because they do not \
                 continue those before",
                peer.id
            ));
        }
    }
    if !answered {
        say("no other node has answered, so this is no proof against whoever can write the store");
    }
    Ok(doubts || !answered)
}

/// The node speaking for itself.
fn asking(place: &Place) -> Result<federation::Asking, Fault> {
    Ok(federation::Asking {
        request_id: crypto::random::token(&crypto::SystemRandom, 16)?,
        subject: wire::Subject {
            id: "node".into(),
            display: place.config.name.clone(),
            role: wire::Role::Service,
        },
        purpose_of_use: policy::Purpose::PATADMIN.code().into(),
        amr: Vec::new(),
        auth_time_ms: system_clock()(),
        mfa_time_ms: None,
        evidence: None,
    })
}

fn print_checkpoint(dir: &Path, cosigned: bool) -> Result<ExitCode, Fault> {
    let snapshot = snapshot(dir)?;
    if cosigned {
        let known = witnessed(&*snapshot).map_err(|e| e.message)?;
        if known.checkpoint.is_empty() {
            return Err("no other node has cosigned a checkpoint of this log yet".into());
        }
        say(known.checkpoint.trim_end_matches('\n'));
        return Ok(ExitCode::SUCCESS);
    }
    let place = runtime()?.block_on(async { place(dir, system_clock()) })?;
    let head = Ledger::default().head(&*snapshot).map_err(|e| e.message)?;
    let origin = wire::witness::origin(&place.network.list().network, place.network.own());
    let signed = Checkpoint { origin, head }.sign(&place.identity.assertion_key)?;
    say(signed.to_string().trim_end_matches('\n'));
    Ok(ExitCode::SUCCESS)
}

fn prove_entry(dir: &Path, entry: &str) -> Result<ExitCode, Fault> {
    let snapshot = snapshot(dir)?;
    let number = number_of(&*snapshot, entry)?;
    let proof = app::audit::proof::of(&Ledger::default(), &*snapshot, number);
    say(proof.map_err(|e| e.message)?.to_string().trim_end_matches('\n'));
    Ok(ExitCode::SUCCESS)
}

fn number_of(snapshot: &dyn Snapshot, entry: &str) -> Result<u64, Fault> {
    if let Ok(number) = entry.parse() {
        return Ok(number);
    }
    let unknown = || format!("there is no AuditEvent `{entry}`");
    let id = fhir::Id::new(entry.trim_start_matches("AuditEvent/"))?;
    let stored = snapshot.read(&Key { resource_type: "AuditEvent", id })?.ok_or_else(unknown)?;
    let number = app::audit::proof::number(snapshot, stored.seq).map_err(|e| e.message)?;
    Ok(number.ok_or_else(unknown)?)
}

fn prove_continuation(dir: &Path, from: u64, to: Option<u64>) -> Result<ExitCode, Fault> {
    use base64::Engine as _;
    let snapshot = snapshot(dir)?;
    let all = app::audit::ledger::size(&*snapshot).map_err(|e| e.message)?;
    let to = to.unwrap_or(all);
    if from > to {
        return Err(format!("a log of `{to}` entries cannot continue one of `{from}`").into());
    }
    let proof = Ledger::default().consistency(&*snapshot, from, to).map_err(|e| e.message)?;
    for hash in proof {
        say(&base64::engine::general_purpose::STANDARD.encode(hash));
    }
    Ok(ExitCode::SUCCESS)
}

fn check(file: &Path, membership: &Path, council: &str) -> Result<ExitCode, Fault> {
    let lists = members::trusted(membership, council)?;
    let list = lists.last().ok_or("there is no membership list")?;
    let text = std::fs::read_to_string(file)
        .map_err(|e| format!("cannot read `{}`: {e}", file.display()))?;
    let proof = LogProof::parse(&text).ok_or("the file is no proof of an entry")?;
    let claimed = crypto::checkpoint::read(&proof.checkpoint);
    let origin = claimed.ok_or("the proof has no checkpoint")?.origin;
    let of = |member: &&wire::Member| wire::witness::origin(&list.network, &member.id) == origin;
    let known = lists.iter().rev().flat_map(|list| &list.members).find(of);
    let log = known.ok_or_else(|| format!("`{origin}` is the log of no member"))?;
    let vouched = wire::witness::vouched_since(&lists, &log.id, &proof.checkpoint)?;
    let checkpoint = vouched.checkpoint;
    proof.verify(&checkpoint.head())?;
    say(&format!(
        "the entry is number {} of {} in the audit log of {}",
        proof.index + 1,
        checkpoint.head().number,
        log.display_name
    ));
    if list.member(&log.id).is_none() {
        say("it is no member any more; only what others had cosigned before that counts");
    }
    for (org, time_s) in &vouched.by {
        let named = lists.iter().rev().find_map(|list| list.member(org));
        let name = named.map_or(org.as_str(), |member| &member.display_name);
        say(&format!("cosigned by {name} on {}", instant(*time_s)));
    }
    let entry = String::from_utf8(proof.entry)?;
    match crypto::entry::Redacted::parse(&entry) {
        Some(shown) => {
            say(&format!("shown in part, {} lines of it are hidden:", shown.hidden()));
            say(&shown.json());
        }
        None => say(&entry),
    }
    match vouched.by.len() {
        0 => Err("nobody but the log itself vouches for this; ask for a proof against a cosigned checkpoint".into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn reconcile_logs(dir: &Path, days: u16) -> Result<ExitCode, Fault> {
    let (runtime, until) = (runtime()?, system_clock()() - reconcile::SETTLE_MS);
    let window = Window { from: until - i64::from(days) * reconcile::EVERY_MS, until };
    let (mut doubts, mut answered) = (false, false);
    runtime.block_on(async {
        let place = place(dir, system_clock())?;
        let snapshot = snapshot(dir)?;
        for peer in place.network.active_others() {
            let asked = reconcile::fetch(window.wider(), |message| {
                let (place, peer) = (&place, &peer.id);
                async move { compared(place, peer, &message).await.map_err(|e| e.to_string()) }
            });
            let theirs = match asked.await {
                Ok(theirs) => theirs,
                Err(reason) => {
                    say(&format!("`{}` could not be compared: {reason}", peer.id));
                    continue;
                }
            };
            answered = true;
            let own = reconcile::all(&*snapshot, peer.id.as_str(), window.wider());
            let own = own.map_err(|e| e.message)?;
            let found = reconcile::compare(window, &own, &theirs);
            let (ours, others) = (own.len(), theirs.len());
            say(&format!("`{}`: {ours} entries here, {others} there", peer.id));
            for (finding, twin) in found {
                doubts = true;
                let missing = match finding {
                    Finding::NoQuestionHere => "is answered there, and has no question here",
                    Finding::NoQuestionThere => "is answered here, and has no question there",
                };
                let at = fhir::time::instant(twin.recorded);
                say(&format!("request `{}` of {at} {missing}", twin.request_id));
            }
        }
        Ok::<_, Fault>(())
    })?;
    if !answered {
        say("no other node has answered, so nothing is compared");
    }
    Ok(if doubts || !answered { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn compared(
    place: &Place,
    peer: &wire::OrgId,
    message: &wire::ReconcileRequest,
) -> Result<wire::ReconcileResponse, Fault> {
    let body = serde_json::to_vec(message)?.into();
    let deadline = Instant::now() + PATIENCE;
    let asking = asking(place)?;
    let reply = place.peers.ask(peer, wire::path::RECONCILE, body, &asking, deadline).await?;
    Ok(reply.json().await?)
}

fn watched(dir: &Path) -> Result<ExitCode, Fault> {
    let snapshot = snapshot(dir)?;
    let place = runtime()?.block_on(async { place(dir, system_clock()) })?;
    for peer in place.network.others() {
        let held = witness::held(&*snapshot, peer.id.as_str()).map_err(|e| e.message)?;
        say(&match held {
            None => format!("`{}`: nothing cosigned", peer.id),
            Some(held) => format!(
                "`{}`: {} entries, cosigned on {}",
                peer.id,
                held.head().map_err(|e| e.message)?.number,
                fhir::time::instant(held.cosigned_ms)
            ),
        });
    }
    let alarms = alarm::all(&*snapshot, "").map_err(|e| e.message)?;
    for alarm in &alarms {
        say(&format!("\nALARM of {}: {}", fhir::time::instant(alarm.found_ms), alarm.sentence()));
        if let Some(accepted) = &alarm.accepted {
            say(&format!("accepted by {}: {}", accepted.by, accepted.reason));
        }
        say(&format!("cosigned:\n{}\noffered:\n{}", alarm.cosigned_note, alarm.offered_note));
    }
    let open = alarms.iter().any(|alarm| alarm.accepted.is_none());
    Ok(if open { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn snapshot(dir: &Path) -> Result<Box<dyn Snapshot>, Fault> {
    Ok(Config::read(dir)?.location(dir)?.open_read_only()?)
}

fn instant(seconds: u64) -> String {
    fhir::time::instant(i64::try_from(seconds).unwrap_or(i64::MAX / 1000).saturating_mul(1000))
}

fn read_head(text: &str) -> Result<Head, Fault> {
    let read = || {
        let (number, hash) = text.split_once(':')?;
        Some(Head { number: number.parse().ok()?, hash: crypto::hash::from_hex(hash)? })
    };
    read().ok_or_else(|| "a head is written `number:hash`, as `audit verify` prints it".into())
}
