//! Parties compare what they know of their agreements, so that nothing that was said is missed,
//! whatever became of its delivery.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use federation::Asserted;
use store::Transaction;
use tokio::sync::watch;
use tokio::time::Instant;
use wire::agreement::MAX_KNOWN;
use wire::{AgreementsRequest, AgreementsResponse, OrgId, Refusal, RefusalCode, SignedStatement};

use super::enter::{Outcome, enter};
use super::shelf::known;
use crate::audit::Agent;
use crate::consent::deliver::{as_node, may_speak};
use crate::records::answer::refused;
use crate::records::longitudinal::ask_json;
use crate::records::write::retry;
use crate::{App, Error, Result};

/// How often parties compare.
const EVERY: Duration = Duration::from_secs(60);
/// However often it is asked for, not more often than this.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// How long a party has for its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of statements in one answer.
const MOST_BYTES: usize = 1024 * 1024;
/// Most answers that are asked of one party in a row.
const MOST_TURNS: usize = 50;

/// Compares with every party: once a minute and whenever something is not certain.
pub async fn run(app: App, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut nudges = app.agreements().nudges.subscribe();
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            _ = every.tick() => {}
            _ = nudges.changed() => {}
        }
        if let Err(error) = compare(&app).await {
            tracing::error!(reason = %error.message, "agreements could not be compared");
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(AT_MOST_EVERY) => {}
        }
    }
}

/// Asks every party of an agreement for what this node does not have. Returns those that told.
pub async fn compare(app: &App) -> Result<BTreeSet<OrgId>> {
    let mut told = BTreeSet::new();
    if !*app.answering().borrow() {
        return Ok(told);
    }
    let parties = app.run(|app| Ok(parties(&*known(app)?, &app.org().id))).await?;
    for (party, name) in
        parties.into_iter().filter_map(|(org, name)| Some((OrgId::new(&org).ok()?, name)))
    {
        match pull(app, &party, &name).await {
            Ok(true) => {
                told.insert(party);
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(peer = %party, reason = %error.message, "what a party said of an agreement is not taken");
            }
        }
    }
    Ok(told)
}

/// The other parties of what is known, and their names.
fn parties(known: &super::shelf::Known, own: &str) -> BTreeMap<String, String> {
    let all = known.dossiers.values().flat_map(|dossier| dossier.parties());
    let others = all.filter(|party| &*party.org != own);
    others.map(|party| (party.org.to_string(), party.name.to_string())).collect()
}

/// Asks one party; whether it told all that it knows.
async fn pull(app: &App, party: &OrgId, name: &str) -> Result<bool> {
    let at_ms = app.now_ms();
    for _ in 0..MOST_TURNS {
        let peer = party.to_string();
        let request = app.run(move |app| Ok(request(&*known(app)?, &app.org().id, &peer))).await?;
        let asking = as_node(app, app.new_id().as_str());
        let deadline = Instant::now() + PATIENCE;
        let asked = ask_json(app, party, wire::path::AGREEMENTS, &request, &asking, deadline).await;
        let answer: AgreementsResponse = match asked {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(peer = %party, %error, "a party could not be asked about agreements");
                return Ok(false);
            }
        };
        let (more, any) = (answer.more, !answer.statements.is_empty());
        let agent = Agent {
            org: party.to_string(),
            org_name: name.to_owned(),
            user: "node".into(),
            name: name.to_owned(),
            role: "service".into(),
            signed_in: Default::default(),
        };
        app.run(move |app| take(app, &agent, &answer.statements)).await?;
        if !more || !any {
            let party = party.to_string();
            app.run(move |app| heard(app, &party, at_ms)).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn request(known: &super::shelf::Known, own: &str, peer: &str) -> AgreementsRequest {
    let both = known.dossiers.values().filter(|d| d.is_party(own) && d.is_party(peer));
    let hashes = both.flat_map(|dossier| dossier.statements());
    AgreementsRequest { known: hashes.map(|one| one.hash.to_string()).take(MAX_KNOWN).collect() }
}

/// Enters what a party told. What cannot be taken does not keep the rest out.
fn take(app: &App, from: &Agent, statements: &[SignedStatement]) -> Result<()> {
    for signed in statements {
        match retry(|| enter(app, from, signed, Vec::new(), Vec::new())) {
            Ok(Outcome::New | Outcome::Known | Outcome::NotOurs) => {}
            Err(error) if error.kind == crate::Kind::Internal => return Err(error),
            Err(error) => {
                tracing::warn!(peer = %from.org, reason = %error.message, "a statement about an agreement is refused");
            }
        }
    }
    Ok(())
}

fn heard(app: &App, party: &str, at_ms: i64) -> Result<()> {
    let Some(write) = app.agreements().hear(party, at_ms) else { return Ok(()) };
    app.store().commit(Transaction { side: vec![write], ..Transaction::default() })?;
    Ok(())
}

/// Answers a party that asks for what it does not have.
pub fn statements(
    app: &App,
    asserted: &Asserted,
    message: &AgreementsRequest,
) -> std::result::Result<AgreementsResponse, Refusal> {
    may_speak(app).map_err(refused)?;
    if message.known.len() > MAX_KNOWN {
        return Err(Refusal::new(RefusalCode::MessageInvalid, "too many hashes in one request"));
    }
    let find = || -> Result<AgreementsResponse> {
        let known = known(app)?;
        let peer = asserted.assertion.issuer.as_str();
        let has: BTreeSet<&str> = message.known.iter().map(String::as_str).collect();
        let mut answer = AgreementsResponse { statements: Vec::new(), more: false };
        let mut bytes = 0;
        for dossier in known.dossiers.values().filter(|dossier| dossier.is_party(peer)) {
            for one in dossier.statements().iter().filter(|one| !has.contains(&*one.hash)) {
                let signed = known.signed.get(&*one.hash).ok_or_else(|| {
                    Error::internal("a statement about an agreement is not there any more")
                })?;
                bytes += signed.statement.len() + 200;
                if bytes > MOST_BYTES && !answer.statements.is_empty() {
                    answer.more = true;
                    return Ok(answer);
                }
                answer.statements.push(signed.clone());
            }
        }
        Ok(answer)
    };
    find().map_err(refused)
}
