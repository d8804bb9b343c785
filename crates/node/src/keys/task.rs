//! `consilium keys`: the ways to open a node's secrets, and making keys anew.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use crypto::lockbox::{Lockbox, Opened, Secret, Way};
use crypto::{CryptoError, SystemRandom};
use store_sql::sqlite::{self, Form};

use super::plain::Files;
use super::ring::{self, BOX, KEY_FILE, Ring};
use super::{KeysError, token, unlock, wipe};
use crate::command::say;
use crate::config::Config;
use crate::stores::Location;
use crate::wiring::Fault;

/// What can be done with a node's secrets.
#[derive(Subcommand)]
pub enum KeysTask {
    /// Say how the secrets are sealed, which keys there are, and what could be better
    Status {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
    },
    /// Seal the secrets by one more way to open them: a passphrase, a key file, or a token
    ///
    /// A new node opens its secrets with the key file `keys/node.key`: whoever copies the store or a
    /// backup alone reads nothing, but whoever takes the whole disk has the key as well. Choose a
    /// passphrase (asked for at every start), a key file on another medium, or a token, and give
    /// `--only` so that the other ways go. Folders of earlier releases are taken into a box first.
    Seal(Seal),
    /// Replace the passphrase
    ChangePassphrase {
        /// The node's folder; the node may be running, and asks for the new one when it starts next
        #[arg(long)]
        dir: PathBuf,
        /// A file with the new passphrase, such as `/dev/fd/4`; it is asked for where absent
        #[arg(long)]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Write a recovery file: it opens the secrets when every other way is lost
    ///
    /// Whoever has lost every way has lost all data, for ever: nobody holds a second key. Print the
    /// file or put it on a medium, keep it in a safe that two people open, and remove it from here.
    /// Any command takes it by `--recovery-file`.
    Escrow {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
        /// The new file
        file: PathBuf,
    },
    /// Make keys anew, while the node serves: the node key, or with an option a key of data
    Rotate {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
        /// A new key for backups from now on; older ones stay readable
        #[arg(long)]
        backups: bool,
        /// A new key for the store's pages, and the store encrypted under it; the node serves on
        #[arg(long)]
        store: bool,
        /// No progress bar
        #[arg(long)]
        quiet: bool,
    },
}

/// How to seal.
#[derive(Args)]
pub struct Seal {
    /// The node's folder; the node may be running
    #[arg(long)]
    dir: PathBuf,
    /// By a passphrase, asked for, or read from `--new-passphrase-file`
    #[arg(long, group = "how")]
    passphrase: bool,
    /// By a new key file at this place, best on another medium
    #[arg(long, group = "how")]
    key_file: Option<PathBuf>,
    /// By a token: the label that it was initialised with
    #[arg(long, group = "how", requires = "module")]
    token: Option<String>,
    /// The token's PKCS#11 library, such as `/usr/lib/softhsm/libsofthsm2.so`
    #[arg(long)]
    module: Option<String>,
    /// The label of the AES key in the token, which is made where it is missing
    #[arg(long, default_value = "consilium-node-key")]
    key_label: String,
    /// A file with the new passphrase, such as `/dev/fd/4`
    #[arg(long)]
    new_passphrase_file: Option<PathBuf>,
    /// Remove every other way but recovery files
    #[arg(long)]
    only: bool,
}

/// Carries out a task.
pub fn run(task: KeysTask) -> Result<(), Fault> {
    match task {
        KeysTask::Status { dir } => status(&dir),
        KeysTask::Seal(task) => seal(&task),
        KeysTask::ChangePassphrase { dir, new_passphrase_file } => {
            change_passphrase(&dir.join("keys"), new_passphrase_file.as_deref())
        }
        KeysTask::Escrow { dir, file } => escrow(&dir.join("keys"), &file),
        KeysTask::Rotate { dir, backups: false, store: false, .. } => rotate(&dir.join("keys")),
        KeysTask::Rotate { dir, backups, store, quiet } => add_keys(&dir, backups, store, quiet),
    }
}

fn status(dir: &Path) -> Result<(), Fault> {
    let folder = dir.join("keys");
    let Some(closed) = ring::read(&folder)? else {
        say("the secrets are files of their own, readable to whoever reads the folder; seal them");
        say(&format!("with `consilium keys seal --dir {}`", dir.display()));
        return Ok(());
    };
    say(&format!("node key   generation {}", closed.generation()));
    for way in closed.ways() {
        say(&format!("way        {}", described(way)));
    }
    let ring = Ring::open(&folder)?.ok_or("the box has gone")?;
    let (pages, backups, nodes) = ring.figures();
    say(&format!("page keys  {}", numbers(&pages)));
    say(&format!("backups    {}", numbers(&backups)));
    say(&format!("patients   {nodes} nodes of the tree of their keys are kept"));
    say(&format!("store      {}", how_stored(dir)?));
    let beside = |way: &Way| matches!(way, Way::File { path, .. } if path == KEY_FILE);
    if closed.ways().iter().any(beside) {
        say(
            "advice     the key file lies beside what it opens: copies of the store and of backups",
        );
        say("           are safe, a stolen disk is not; see `consilium keys seal --help`");
    }
    if !closed.ways().iter().any(|way| matches!(way, Way::Recovery { .. })) {
        say("advice     there is no recovery file: whoever loses every way has lost all data for");
        say("           ever; make one with `consilium keys escrow`");
    }
    Ok(())
}

fn how_stored(dir: &Path) -> Result<&'static str, Fault> {
    let config = Config::read(dir)?;
    let location = config.location(dir)?;
    if let Some(warning) = location.warning(config.store_disk_encrypted) {
        return Ok(warning);
    }
    let Location::Folder(store) = location else {
        return Ok("a PostgreSQL, which this node does not encrypt; its disk is, as you state");
    };
    Ok(match sqlite::form(&store.path)? {
        Form::Absent => "not made yet; it will be encrypted",
        Form::Plain => "NOT encrypted; encrypt it with `consilium store seal`",
        Form::Sealed if store.is_up_to_date()? => "encrypted under the newest key",
        Form::Sealed => "encrypted under an older key; `consilium store seal` takes the newest",
    })
}

fn described(way: &Way) -> String {
    match way {
        Way::Passphrase { kib, passes, lanes, .. } => {
            format!("passphrase, argon2id with {kib} KiB, {passes} passes, {lanes} lanes")
        }
        Way::File { path, .. } => format!("key file `{path}`"),
        Way::Recovery { .. } => "recovery file, kept elsewhere".to_owned(),
        Way::Token { token, module, .. } => format!("token `{token}` by `{module}`"),
    }
}

fn numbers(keys: &[u32]) -> String {
    keys.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn made(error: CryptoError) -> KeysError {
    KeysError::Content("a key", error)
}

fn locked(reason: impl Into<String>) -> KeysError {
    KeysError::Locked(reason.into())
}

fn seal(task: &Seal) -> Result<(), Fault> {
    let folder = task.dir.join("keys");
    if ring::read(&folder)?.is_none() {
        let files = Files::read(&folder)?;
        files.keys()?;
        Ring::take_in(&folder, files)?;
        // What the box gives back is what the files held: only then do they go.
        Ring::open(&folder)?.ok_or("the box was not made")?.keys()?;
        Files::remove(&folder)?;
        say(&format!("the secrets are in `{}` now", folder.join(BOX).display()));
    }
    if ring::alter(&folder, |closed, opened| add_way(task, closed, opened))? {
        say("the secrets open by the new way, too");
        if task.only {
            remove_others(&folder)?;
        }
    }
    say("KEEP IN MIND: whoever loses every way to open the secrets has lost all data, for ever.");
    say("Make a recovery file with `consilium keys escrow`, and keep it elsewhere.");
    Ok(())
}

/// Adds the way that the arguments name. Returns whether they name one.
fn add_way(task: &Seal, closed: &mut Lockbox, opened: &Opened) -> Result<bool, KeysError> {
    if task.passphrase {
        let new = unlock::new_passphrase(task.new_passphrase_file.as_deref())?;
        let way = Way::passphrase(&SystemRandom).map_err(made)?;
        let secret = way.stretch(&new).map_err(made)?;
        closed.add(opened, way, None, &secret, &SystemRandom).map_err(made)?;
        unlock::now_is(new);
        return Ok(true);
    }
    if let Some(path) = &task.key_file {
        let path = std::path::absolute(path).map_err(|e| super::failed(path, e))?;
        let secret = unlock::new_key_file(&path)?;
        let way = Way::File { path: path.display().to_string(), sealed: String::new() };
        closed.add(opened, way, None, &secret, &SystemRandom).map_err(made)?;
        return Ok(true);
    }
    let (Some(token), Some(module)) = (&task.token, &task.module) else { return Ok(false) };
    let (module, key) = (module.clone(), task.key_label.clone());
    let way = Way::Token { module, token: token.clone(), key, sealed: String::new() };
    let pin = unlock::passphrase("PIN of the token")?;
    let sealed = token::seal(&way, &pin, opened)?;
    closed.add_sealed(way, None, &sealed);
    let added = closed.ways().last().ok_or_else(|| locked("no way was added"))?;
    if token::open(added, &pin)?.bytes() != opened.bytes() {
        return Err(locked("the token does not give back what it sealed; nothing was changed"));
    }
    Ok(true)
}

/// Removes every way but the last one and recovery files, and the key file in the folder.
fn remove_others(folder: &Path) -> Result<(), Fault> {
    ring::alter(folder, |closed, _| {
        for place in (0..closed.ways().len().saturating_sub(1)).rev() {
            if !matches!(closed.ways().get(place), Some(Way::Recovery { .. })) {
                closed.remove(place);
            }
        }
        Ok(())
    })?;
    // It opens still by what is left, before the file that opened it so far goes.
    Ring::open(folder)?;
    let key_file = folder.join(KEY_FILE);
    if key_file.exists() {
        wipe(&key_file)?;
    }
    say("the other ways are removed");
    Ok(())
}

fn change_passphrase(folder: &Path, file: Option<&Path>) -> Result<(), Fault> {
    let new = ring::alter(folder, |closed, opened| {
        let mut ways = closed.ways().iter().cloned().enumerate();
        let found = ways.find(|(_, way)| matches!(way, Way::Passphrase { .. }));
        let reason = "no passphrase opens the secrets; add one with `consilium keys seal`";
        let (place, way) = found.ok_or_else(|| locked(reason))?;
        // The present one is asked for even where another way has opened the box.
        checked_secret(folder, closed, &way)?;
        let new = unlock::new_passphrase(file)?;
        let way = Way::passphrase(&SystemRandom).map_err(made)?;
        let secret = way.stretch(&new).map_err(made)?;
        closed.add(opened, way, Some(place), &secret, &SystemRandom).map_err(made)?;
        Ok(new)
    })?;
    unlock::now_is(new);
    say("the passphrase is changed; copies of the old `sealed.json` still open with the old one");
    Ok(())
}

fn escrow(folder: &Path, file: &Path) -> Result<(), Fault> {
    let file = std::path::absolute(file)?;
    ring::alter(folder, |closed, opened| {
        let secret = unlock::new_key_file(&file)?;
        let place = closed.ways().iter().position(|way| matches!(way, Way::Recovery { .. }));
        let way = Way::Recovery { sealed: String::new() };
        closed.add(opened, way, place, &secret, &SystemRandom).map_err(made)
    })?;
    say(&format!("`{}` opens the secrets; one made before does not any more", file.display()));
    say("KEEP IT ELSEWHERE, and remove it from this machine: whoever has it and the folder `keys`");
    say("reads everything. It is of no use without that folder: save `keys` apart from backups.");
    Ok(())
}

fn add_keys(dir: &Path, backups: bool, store: bool, quiet: bool) -> Result<(), Fault> {
    let (file, page) = Ring::update(&dir.join("keys"), |content| {
        let file = backups.then(|| ring::add_key(&mut content.files)).transpose()?;
        let page = store.then(|| ring::add_key(&mut content.store)).transpose()?;
        Ok::<_, KeysError>((file, page))
    })??;
    if let Some(number) = file {
        say(&format!("backups are sealed under key {number} from now on"));
    }
    if let Some(number) = page {
        say(&format!("page key {number} is made"));
        crate::rekey::finish(dir, quiet)?;
    }
    Ok(())
}

fn rotate(folder: &Path) -> Result<(), Fault> {
    let (generation, lost) = ring::alter(folder, |closed, opened| anew(folder, closed, opened))?;
    say(&format!("the node key is made anew, generation {generation}; the node may serve on"));
    if lost {
        say(
            "THE RECOVERY FILE OPENS NOTHING ANY MORE: make a new one with `consilium keys escrow`",
        );
    }
    say("copies of the old `sealed.json` still open as before: remove them");
    Ok(())
}

/// Seals everything in the box under a new node key. Returns its generation, and whether a recovery
/// file that is not here had to be left out.
fn anew(folder: &Path, closed: &mut Lockbox, opened: &Opened) -> Result<(u32, bool), KeysError> {
    let content = closed.content(opened).map_err(made)?;
    let new = Opened::generate(&SystemRandom).map_err(made)?;
    let mut lost = Vec::new();
    for (place, way) in closed.ways().to_vec().into_iter().enumerate() {
        if let Way::Token { .. } = way {
            let sealed = token::seal(&way, &unlock::passphrase("PIN of the token")?, &new)?;
            closed.add_sealed(way, Some(place), &sealed);
            continue;
        }
        match checked_secret(folder, closed, &way)? {
            Some(secret) => {
                closed.add(&new, way, Some(place), &secret, &SystemRandom).map_err(made)?;
            }
            None if matches!(way, Way::Recovery { .. }) => lost.push(place),
            None => {
                return Err(locked(format!(
                    "the {} is not there; nothing was changed",
                    way.name()
                )));
            }
        }
    }
    for place in lost.iter().rev() {
        closed.remove(*place);
    }
    closed.fill(&new, &content, &SystemRandom).map_err(made)?;
    closed.next_generation();
    Ok((closed.generation(), !lost.is_empty()))
}

/// The secret of a way, which must open the box as it is now; `None` where what holds it is not there.
fn checked_secret(folder: &Path, closed: &Lockbox, way: &Way) -> Result<Option<Secret>, KeysError> {
    let Some(secret) = unlock::secret_of(folder, way)? else { return Ok(None) };
    let wrong = || locked(format!("the {} is not the right one; nothing was changed", way.name()));
    closed.open(way, &secret).map_err(|_| wrong())?;
    Ok(Some(secret))
}
