//! `consilium agreement`: the agreements of a node at the terminal, and checking one without any
//! node.

use std::path::{Path, PathBuf};

use app::agreements::read::{Export, at_terminal, exported};
use app::governance;
use clap::Subcommand;
use crypto::PublicKey;
use fhir::time::instant;
use policy::agreement::{Dossier, Said as Meant, Statement, differences, read};
use wire::agreement::{Said, text_hash};
use wire::{Membership, OrgId, SignedMembership};

use crate::command::say;
use crate::members;
use crate::wiring::{Fault, open, system_clock};

/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// What can be done with agreements.
#[derive(Subcommand)]
pub enum Task {
    /// List the agreements of a node and how they stand
    List {
        /// The node's folder; the node must not be running
        #[arg(long)]
        dir: PathBuf,
    },
    /// Say what an agreement says, who has signed it, and what was said since
    Show {
        /// The node's folder; the node must not be running
        #[arg(long)]
        dir: PathBuf,
        /// Id of the agreement
        id: String,
        /// Print every statement as it was signed, as JSON, to be verified elsewhere
        #[arg(long)]
        export: bool,
    },
    /// Check every signature of an exported agreement, without any node
    ///
    /// Needs the network's membership lists, for the keys of the parties' nodes, and the founding
    /// keys: trust goes from those through every list since. Verifies each statement, each passkey's signature over the
    /// exact text, and says how the agreement stands.
    Verify {
        /// The agreement, as `agreement show --export` prints it
        file: PathBuf,
        /// The lists since the first, as `consilium network invite` prints them, or
        /// `membership.json` with the folder `membership` beside it
        #[arg(long)]
        membership: PathBuf,
        /// The founding keys, `KEY` or `2 of KEY KEY KEY`, as `network status` shows them
        #[arg(long, allow_hyphen_values = true)]
        council: String,
    },
}

/// Does it.
pub fn run(task: &Task) -> Result<(), Fault> {
    match task {
        Task::List { dir } => list(dir),
        Task::Show { dir, id, export } => show(dir, id, *export),
        Task::Verify { file, membership, council } => {
            let export = read_json::<Export>(file)?;
            let now_ms = system_clock()();
            let lists = members::trusted(membership, council)?;
            let dossier = verified(&export, &lists)?;
            say(&format!("every signature of {} statements holds", export.statements.len()));
            tell(&dossier, now_ms);
            Ok(())
        }
    }
}

fn list(dir: &Path) -> Result<(), Fault> {
    let node = open(dir, system_clock())?;
    let list = at_terminal(&node.app).map_err(|e| e.message)?;
    if list.is_empty() {
        say("there is no agreement");
    }
    for one in list {
        say(&format!(
            "{}  {:?}  version {}  until {}  with {}: {}",
            one.id,
            one.state,
            one.version,
            instant(one.term.1),
            one.others.join(", "),
            one.title
        ));
    }
    Ok(())
}

fn show(dir: &Path, id: &str, export: bool) -> Result<(), Fault> {
    let node = open(dir, system_clock())?;
    let found = exported(&node.app, id).map_err(|e| e.message)?;
    if export {
        say(&serde_json::to_string_pretty(&found)?);
        return Ok(());
    }
    let lists: Vec<Membership> = governance::lists(&node.app)
        .map_err(|e| e.message)?
        .iter()
        .map(SignedMembership::read)
        .collect::<Result<_, _>>()?;
    tell(&verified(&found, &lists)?, node.app.now_ms());
    Ok(())
}

fn read_json<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T, Fault> {
    let unreadable = |e: std::io::Error| format!("cannot read `{}`: {e}", file.display());
    if std::fs::metadata(file).map_err(unreadable)?.len() > MAX_FILE {
        return Err(format!("`{}` is larger than 64 MiB", file.display()).into());
    }
    let text = std::fs::read(file).map_err(unreadable)?;
    serde_json::from_slice(&text)
        .map_err(|e| format!("`{}` is no exported agreement: {e}", file.display()).into())
}

/// Checks everything that was signed; what does not hold is an error that names it.
fn verified(export: &Export, lists: &[Membership]) -> Result<Dossier, Fault> {
    let mut dossier = Dossier::default();
    let mut later = Vec::new();
    for signed in &export.statements {
        let hash = signed.hash();
        let fault = |what: String| format!("statement `{hash}`: {what}");
        let wired = signed.open().map_err(|e| fault(e.to_string()))?;
        if wired.agreement != export.agreement {
            return Err(fault("it is about another agreement".into()).into());
        }
        if !has_signed(lists, &wired.issuer, &signed.key) {
            let what = format!("it is not signed by a key that the lists give `{}`", wired.issuer);
            return Err(fault(what).into());
        }
        let mut text_of = None;
        let said = match wired.said {
            Said::Proposed { text } => {
                text_of = Some(text_hash(&text));
                let terms =
                    read(&text).map_err(|e| fault(format!("the text is not understood: {e}")))?;
                Meant::Proposed(terms.into())
            }
            Said::Signed { text, steward, passkey } => {
                let digest = crypto::hash::from_hex(&text)
                    .ok_or_else(|| fault("the hash of the text is no hash".into()))?;
                identity::verify_passkey_signature(&passkey, &digest)
                    .map_err(|e| fault(format!("the passkey did not sign this text: {e}")))?;
                Meant::Signed { text: text.into(), steward: steward.into() }
            }
            Said::Ended { from, reason } => Meant::Ended { from_ms: from, reason: reason.into() },
            Said::Breached { reason } => Meant::Breached { reason: reason.into() },
            Said::Settled { breach, reason } => {
                Meant::Settled { breach: breach.into(), reason: reason.into() }
            }
        };
        let statement = Statement {
            hash: hash.into(),
            issuer: wired.issuer.as_str().into(),
            at_ms: wired.at,
            said,
        };
        match text_of {
            Some(text) => {
                dossier.enter(statement, Some(&text));
            }
            None => later.push(statement),
        }
    }
    for statement in later {
        dossier.enter(statement, None);
    }
    Ok(dossier)
}

/// Whether `org` has signed with this key by any of the lists, and the newest does not refuse it.
fn has_signed(lists: &[Membership], org: &OrgId, key: &PublicKey) -> bool {
    let refused = lists.last().and_then(|list| list.governance.as_ref());
    let has = |list: &Membership| list.member(org).is_some_and(|one| one.assertion_key == *key);
    !refused.is_some_and(|g| g.refused_keys.contains(key)) && lists.iter().any(has)
}

fn tell(dossier: &Dossier, now_ms: i64) {
    let standing = dossier.standing(now_ms);
    say(&format!("state      {:?}", standing.state));
    if let Some(ends_ms) = standing.ends_ms {
        say(&format!("ends       {}", instant(ends_ms)));
    }
    for version in dossier.versions() {
        let terms = version.terms;
        say(&format!("\nversion {} `{}`", terms.version, version.hash));
        say(&format!("title      {}", terms.title));
        say(&format!("term       {} to {}", instant(terms.from_ms), instant(terms.until_ms)));
        say(&format!("notice     {} days", terms.notice_days));
        for party in &terms.parties {
            let signed = version.signatures.iter().find(|(org, ..)| **org == *party.org);
            let by = signed.map_or_else(
                || "has not signed".to_owned(),
                |(_, steward, at)| format!("signed by {steward} on {}", instant(*at)),
            );
            say(&format!("party      {} ({}), {by}", party.name, party.org));
        }
        let old = terms.replaces.as_ref().and_then(|hash| dossier.text(hash));
        for change in old.map(|old| differences(old, terms)).unwrap_or_default() {
            let (clause, part) = (change.clause, change.part);
            let place = clause.map_or_else(String::new, |number| format!("clause {number} "));
            let (removed, added) = (change.removed.join(", "), change.added.join(", "));
            say(&format!("changed    {place}{part:?}: -[{removed}] +[{added}]"));
        }
    }
    for breach in dossier.breaches() {
        let settled = breach.settled.map_or("not settled", |_| "settled");
        say(&format!("breach     by {}: {} ({settled})", breach.statement.issuer, breach.reason));
    }
}
