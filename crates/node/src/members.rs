//! The membership lists in a node's folder, and orders from its terminal while it runs.
//!
//! `membership.json` is the list in force; the folder `membership` holds every list since the first,
//! because trust goes on from list to list. A running node writes both when a new list comes into
//! force. The folder `orders` is how `consilium network …` speaks to it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use app::App;
use app::governance::{self, cut, cut::By, propose};
use crypto::Fingerprint;
use crypto::aead::AeadKey;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use wire::{Founders, Membership, MembershipError, Motion, OrgId, SignedMembership};

use crate::keys::Keys;
use crate::keys::ring::Ring;
use crate::wiring::{Fault, system_clock};

/// Name of the file with the list in force.
pub const FILE: &str = "membership.json";
const HISTORY: &str = "membership";
const ORDERS: &str = "orders";
/// How often orders are looked for.
const LOOK: Duration = Duration::from_millis(200);
/// Most orders that are carried out at once.
const MOST_ORDERS: usize = 100;
/// Most lists of one network that are read.
const MOST_LISTS: usize = 100_000;

/// Everything that a node needs to know a network: its lists since the first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invitation {
    /// The founding keys, as the configuration writes them. Compare them with what a member says.
    pub founders: String,
    /// The lists, the oldest first.
    pub lists: Vec<SignedMembership>,
}

/// What the terminal asks of a node that runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum Order {
    /// Cut off one organisation, or all.
    Cut {
        /// Whom; all where it is absent.
        organisation: Option<OrgId>,
        /// Why.
        reason: String,
        /// By which account of the machine.
        by: String,
    },
    /// Take a cut back.
    Restore {
        /// Whose; all where it is absent.
        organisation: Option<OrgId>,
        /// Why.
        reason: String,
        /// By which account of the machine.
        by: String,
    },
    /// Ask the network to take this node's new keys.
    Rotate {
        /// The motion, signed by the old key.
        motion: Motion,
    },
    /// Put a list in force that came by hand.
    List {
        /// The list.
        list: SignedMembership,
    },
    /// Work with accounts. What is told may hold a password and is sealed.
    Account {
        /// What to do.
        asked: crate::accounts::Asked,
    },
}

/// What came of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was carried out.
    pub done: bool,
    /// What to tell.
    pub message: String,
}

/// The lists of a node's folder that lead from the founders to the list in force.
pub fn chain(folder: &Path, founders: &Founders) -> Result<Vec<SignedMembership>, Fault> {
    continued(folder, read(&folder.join(FILE))?, founders)
}

/// The lists that lead from the founders to `current`; those before it are in the folder's history.
fn continued(
    folder: &Path,
    current: SignedMembership,
    founders: &Founders,
) -> Result<Vec<SignedMembership>, Fault> {
    if current.founded(founders).is_ok() {
        return Ok(vec![current]);
    }
    let serial = current.read()?.serial;
    let mut lists = Vec::new();
    for entry in fs::read_dir(folder.join(HISTORY)).into_iter().flatten().take(MOST_LISTS) {
        let list = read(&entry?.path())?;
        let number = list.read()?.serial;
        if number < serial {
            lists.push((number, list));
        }
    }
    lists.sort_by_key(|(number, _)| *number);
    let mut lists: Vec<_> = lists.into_iter().map(|(_, list)| list).collect();
    lists.push(current);
    Ok(lists)
}

/// The lists that a file for whoever checks something without a node leads to, the oldest first,
/// each verified by the one before it and the first by `council`, the founding keys. The file is an
/// invitation (`consilium network invite`), or a `membership.json` with the folder of the lists
/// before it beside it; one that the founding keys have signed needs nothing else.
pub fn trusted(file: &Path, council: &str) -> Result<Vec<Membership>, Fault> {
    let founders: Founders = council.parse()?;
    let text = fs::read(file).map_err(|e| format!("cannot read `{}`: {e}", file.display()))?;
    let lists = match serde_json::from_slice::<Invitation>(&text) {
        Ok(invitation) => invitation.lists,
        Err(_) => {
            let folder = file.parent().unwrap_or(Path::new("."));
            continued(folder, SignedMembership::parse(&text)?, &founders)?
        }
    };
    let lists = Membership::chain(&lists, &founders).map_err(|error| match error {
        MembershipError::NotSigned | MembershipError::TooFewSignatures { .. } => format!(
            "{error}; trust goes from the founding keys through every list since: take the file \
             that `consilium network invite` makes"
        ),
        error => error.to_string(),
    })?;
    match lists.last() {
        Some(last) if system_clock()() < last.expires => Ok(lists),
        _ => Err(MembershipError::Expired.into()),
    }
}

fn read(path: &Path) -> Result<SignedMembership, Fault> {
    let text = fs::read(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
    Ok(SignedMembership::parse(&text)?)
}

/// Keeps lists, the oldest first, in a node's folder; the last is the one in force.
pub fn keep(folder: &Path, lists: &[SignedMembership]) -> Result<(), Fault> {
    let history = folder.join(HISTORY);
    fs::create_dir_all(&history)?;
    for list in lists {
        let path = history.join(format!("{:010}.json", list.read()?.serial));
        if !path.exists() {
            write(&path, list.to_json().as_bytes())?;
        }
    }
    let Some(last) = lists.last() else { return Ok(()) };
    let path = folder.join(FILE);
    let text = last.to_json();
    if fs::read(&path).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(());
    }
    write(&path, text.as_bytes())
}

/// Writes a file so that it is there whole or not at all.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), Fault> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(())
}

/// Follows the membership list and carries out orders until the node stops. The list in force is in
/// the folder when it ends: the next start takes the keys into use that it names.
pub async fn run(app: App, folder: PathBuf, mut stopped: watch::Receiver<bool>) {
    let mut changes = app.network().changes();
    changes.mark_changed();
    loop {
        let (is_new, is_last) = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => (true, true),
            _ = changes.changed() => (true, false),
            () = tokio::time::sleep(LOOK) => (false, false),
        };
        let folder = folder.clone();
        let work = move |app: &App| {
            if is_new && let Err(error) = keep_all(app, &folder) {
                tracing::error!(%error, "the membership list could not be written to the folder");
            }
            if !is_last {
                obey(app, &folder);
            }
            Ok(())
        };
        if let Err(error) = app.run(work).await {
            tracing::error!(reason = %error.message, "orders could not be looked for");
        }
        if is_last {
            return;
        }
    }
}

fn keep_all(app: &App, folder: &Path) -> Result<(), Fault> {
    keep(folder, &governance::lists(app).map_err(|e| e.message)?)
}

/// Carries out the orders that wait.
pub fn obey(app: &App, folder: &Path) {
    let Ok(entries) = fs::read_dir(folder.join(ORDERS)) else { return };
    for entry in entries.flatten().take(MOST_ORDERS) {
        let path = entry.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let order = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let is_confidential = matches!(order, Some(Order::Account { .. }));
        let outcome = match order {
            Some(order) => carry_out(app, order),
            None => Err("the order cannot be read".to_owned()),
        };
        let answer = match outcome {
            Ok(message) => Answer { done: true, message },
            Err(message) => Answer { done: false, message },
        };
        let text = serde_json::to_vec(&answer).unwrap_or_default();
        let text = if is_confidential { sealed(folder, &path, &text) } else { Ok(text) };
        let answered = text.and_then(|text| write(&path.with_extension("done"), &text));
        if let Err(error) = answered {
            tracing::error!(%error, "the answer to an order could not be written");
        }
        if let Err(error) = fs::remove_file(&path) {
            tracing::error!(%error, "an order could not be removed");
        }
    }
}

fn carry_out(app: &App, order: Order) -> Result<String, String> {
    let done = match order {
        Order::Cut { organisation, reason, by } => {
            cut::cut(app, By::Terminal(&by), organisation.as_ref(), &reason)
                .map(|()| "the connection is cut".to_owned())
        }
        Order::Restore { organisation, reason, by } => {
            cut::restore(app, By::Terminal(&by), organisation.as_ref(), &reason)
                .map(|()| "the connection is restored".to_owned())
        }
        Order::Rotate { motion } => {
            let title = format!("New keys of {}", app.org().name);
            let reason = "the owner replaces the keys and has signed with the old one".to_owned();
            let draft = propose::Draft { adviser: None, title, reason, motion, days: 30 };
            propose::submit(app, None, draft).map(|id| format!("handed in as `{id}`"))
        }
        Order::Account { asked } => return crate::accounts::carry_out(app, asked),
        Order::List { list } => governance::adopt(app, &list)
            .map(|serial| format!("the membership list {serial} is in force")),
    };
    done.map_err(|error| error.message)
}

/// Leaves an order for the node in `folder` and waits for its answer; `None` where no node answers
/// within `patience`. The order then waits for the node's next start.
pub fn order(folder: &Path, order: &Order, patience: Duration) -> Result<Option<Answer>, Fault> {
    let path = leave(folder, order)?;
    let Some(text) = answered(&path, patience)? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&text)?))
}

/// The same with an answer that is sealed, and an order that does not wait for the next start: where
/// no node answers it is taken back.
pub fn confidential(
    folder: &Path,
    order: &Order,
    patience: Duration,
) -> Result<Option<Answer>, Fault> {
    let path = leave(folder, order)?;
    let found = match answered(&path, patience)? {
        Some(text) => Some(text),
        None => {
            // A node that has just begun to carry it out ends that.
            if fs::remove_file(&path).is_ok() { None } else { answered(&path, patience)? }
        }
    };
    let Some(text) = found else { return Ok(None) };
    let wrong = || "the node's answer cannot be read with the node's keys";
    let opened = order_key(folder)?.open(context(&path).as_bytes(), &text).map_err(|_| wrong())?;
    Ok(Some(serde_json::from_slice(&opened)?))
}

fn sealed(folder: &Path, path: &Path, text: &[u8]) -> Result<Vec<u8>, Fault> {
    Ok(order_key(folder)?.seal(context(path).as_bytes(), text, &crypto::SystemRandom)?)
}

/// What answers are sealed with: derived from the key that seals what accounts are proved with.
fn order_key(folder: &Path) -> Result<AeadKey, Fault> {
    let vault = Keys::read(&folder.join("keys"))?.vault;
    let derived = [b"consilium answers to orders".as_slice(), &vault].concat();
    Ok(AeadKey::new(&crypto::hash::sha256(&derived))?)
}

/// An answer opens as the one to its own order alone.
fn context(path: &Path) -> String {
    format!("consilium order {}", path.file_stem().unwrap_or_default().to_string_lossy())
}

/// Leaves an order and says where.
fn leave(folder: &Path, order: &Order) -> Result<PathBuf, Fault> {
    let orders = folder.join(ORDERS);
    fs::create_dir_all(&orders)?;
    let name = crypto::random::token(&crypto::SystemRandom, 16)?;
    let path = orders.join(format!("{name}.json"));
    write(&path, &serde_json::to_vec(order)?)?;
    Ok(path)
}

/// The answer to an order, as soon as it is there.
fn answered(path: &Path, patience: Duration) -> Result<Option<Vec<u8>>, Fault> {
    let answer = path.with_extension("done");
    for _ in 0..patience.as_millis() / 20 {
        if let Ok(text) = fs::read(&answer) {
            fs::remove_file(&answer)?;
            return Ok(Some(text));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(None)
}

/// The node's keys: those made for it by `consilium network rotate-keys` as soon as the list in
/// force names them.
pub fn with_next_keys(folder: &Path, list: &Membership, own: &OrgId) -> Result<Keys, Fault> {
    let folder = folder.join("keys");
    let keys = Keys::read(&folder)?;
    let Some((assertion, tls)) = &keys.next else { return Ok(keys) };
    let is_named = list.member(own).is_some_and(|member| {
        assertion.public_key() == member.assertion_key
            && Fingerprint::of_key(&tls.public_key()) == member.tls_fingerprint
    });
    if !is_named {
        return Ok(keys);
    }
    Ring::take_next(&folder)?;
    tracing::warn!("the node's new keys are in use from now on");
    Ok(Keys::read(&folder)?)
}
