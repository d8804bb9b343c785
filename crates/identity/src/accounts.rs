//! Accounts in the side space `accounts`.
//!
//! `u/<username>` holds the account, `i/<id>` its username, and `t/<id>` the last one-time-code
//! step that was accepted. The step stands apart so that two sign-ins with one code meet in the
//! store, where only one of them can win. `o/<hash>` leads from an account at an outside provider
//! to the account here ([`crate::outside`]).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto::Random;
use store::{Guard, SharedStore, SideWrite, StoreError, Transaction, Write};

use crate::account::{
    Account, AccountError, Amendment, MAX_DISPLAY_NAME, NewAccount, Password, Record, Role,
    Username,
};
use crate::fault::Fault;
use crate::hidden::Hidden;
use crate::known::Changes;
use crate::password::{hash_password, is_usable};
use crate::seal::NodeKey;
use crate::totp::{self, Code, MAX_SECRET_BYTES, MIN_SECRET_BYTES, SECRET_BYTES};

pub(crate) const SPACE: &str = "accounts";
/// Accounts among which another operator is looked for.
const MOST_ACCOUNTS: usize = 100_000;
/// How often a change is tried again because somebody else changed the same record.
const ATTEMPTS: usize = 8;

/// The accounts of one node. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    store: SharedStore,
    key: Arc<NodeKey>,
    random: Arc<dyn Random>,
    changes: Changes,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

/// A stored account with what is needed to sign in.
pub(crate) struct Found {
    pub account: Account,
    pub password_hash: Hidden<String>,
}

impl Accounts {
    /// Accounts in `store`; one-time-code secrets are sealed with `key`.
    pub fn new(store: SharedStore, key: NodeKey, random: Arc<dyn Random>) -> Self {
        Self { store, key: Arc::new(key), random, changes: Changes::default() }
    }

    pub(crate) fn store(&self) -> &SharedStore {
        &self.store
    }

    /// Counts every change of accounts and sessions.
    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(crate) fn random(&self) -> &dyn Random {
        self.random.as_ref()
    }

    /// Creates an account. The username must be free.
    pub fn create(&self, new: NewAccount, now_ms: i64) -> Result<Account, AccountError> {
        self.create_with(new, now_ms, |_| Ok(Vec::new()))
    }

    /// Creates an account together with what `beside` makes of it; it may still name the account's
    /// Practitioner. The username must be free.
    pub fn create_with<E: From<AccountError>>(
        &self,
        new: NewAccount,
        now_ms: i64,
        beside: impl FnOnce(&mut Account) -> Result<Vec<Write>, E>,
    ) -> Result<Account, E> {
        let (mut account, hash, sealed) = self.prepared(new, now_ms)?;
        let writes = beside(&mut account)?;
        let record = Record::new(&account, hash, sealed);
        let place = user_key(account.username.as_str());
        let transaction = Transaction {
            guards: vec![Guard::Side { space: SPACE, key: place.clone(), value: None }],
            writes,
            side: vec![
                put(place, record.bytes().map_err(AccountError::from)?),
                put(id_key(&account.id), account.username.as_str().as_bytes().to_vec()),
            ],
        };
        match self.store.commit(transaction) {
            Ok(_) => Ok(account),
            Err(StoreError::GuardFailed) => Err(AccountError::Taken.into()),
            Err(error) => Err(AccountError::from(Fault::from(error)).into()),
        }
    }

    /// A new account with the hash of its password and its sealed one-time-code secret.
    fn prepared(
        &self,
        new: NewAccount,
        now_ms: i64,
    ) -> Result<(Account, String, Option<String>), AccountError> {
        let account = Account {
            id: crypto::random::token(self.random(), 16).map_err(Fault::from)?,
            username: Username::new(&new.username)?,
            display_name: display_name(&new.display_name)?,
            role: new.role,
            patient: new.patient,
            practitioner: new.practitioner,
            has_totp: new.totp_secret.is_some(),
            passkeys: Vec::new(),
            recovery_codes: 0,
            links: Vec::new(),
            disabled: false,
            created_ms: now_ms,
            role_since_ms: now_ms,
            sessions_from_ms: i64::MIN,
        };
        check_patient(&account)?;
        let hash = self.hash_of(&new.password)?;
        let secret = new.totp_secret.as_ref().map(|secret| secret.reveal().as_slice());
        let sealed = secret.map(|secret| self.seal(&account.id, secret)).transpose()?;
        Ok((account, hash, sealed))
    }

    /// The account with this username in any spelling; `None` for an unknown one.
    pub fn find(&self, username: &str) -> Result<Option<Account>, Fault> {
        Ok(self.find_to_sign_in(username)?.map(|found| found.account))
    }

    /// The account with this id.
    pub fn get(&self, id: &str) -> Result<Option<Account>, Fault> {
        match self.record(id)? {
            Some((_, record)) => Ok(Some(record.account()?)),
            None => Ok(None),
        }
    }

    /// The first `limit` accounts in the order of their usernames.
    pub fn list(&self, limit: usize) -> Result<Vec<Account>, Fault> {
        let found = self.store.snapshot()?.side_scan(SPACE, b"u/", limit)?;
        found.iter().map(|(_, bytes)| Record::read(bytes)?.account()).collect()
    }

    /// Gives the account another display name.
    pub fn rename(&self, id: &str, display_name: &str) -> Result<Account, AccountError> {
        let name = self::display_name(display_name)?;
        self.change(id, |record| record.rename(&name))
    }

    /// Changes an account together with what `beside` makes of how it was and how it is to be. It
    /// may be asked again, where somebody else changed the same account meanwhile.
    ///
    /// Errors: [`AccountError::LastOperator`] where nobody would be left to run the node.
    pub fn amend<E: From<AccountError>>(
        &self,
        id: &str,
        amendment: &Amendment,
        now_ms: i64,
        beside: impl Fn(&Account, &Account) -> Result<Vec<Write>, E>,
    ) -> Result<Account, E> {
        let mut amendment = amendment.clone();
        if let Some(name) = &mut amendment.display_name {
            *name = display_name(name)?;
        }
        for _ in 0..ATTEMPTS {
            let Some((old, mut record)) = self.record(id).map_err(AccountError::from)? else {
                return Err(AccountError::NotFound.into());
            };
            let before = record.account().map_err(AccountError::from)?;
            record.amend(&amendment, now_ms);
            let after = record.account().map_err(AccountError::from)?;
            check_patient(&after)?;
            let place = user_key(after.username.as_str());
            let new = record.bytes().map_err(AccountError::from)?;
            let mut guards =
                vec![Guard::Side { space: SPACE, key: place.clone(), value: Some(old) }];
            if runs_the_node(&before) && !runs_the_node(&after) {
                guards.push(self.another_operator(id)?);
            }
            let writes = beside(&before, &after)?;
            let transaction = Transaction { guards, writes, side: vec![put(place, new)] };
            match self.store.commit(transaction) {
                Ok(_) => {
                    self.changes.happened();
                    return Ok(after);
                }
                Err(StoreError::GuardFailed | StoreError::Conflict { .. }) => {}
                Err(error) => return Err(AccountError::from(Fault::from(error)).into()),
            }
        }
        Err(AccountError::from(Fault::Contended).into())
    }

    /// A guard that somebody else stays an operator: two who disable each other meet in the store,
    /// where only one of them can win.
    fn another_operator(&self, id: &str) -> Result<Guard, AccountError> {
        let snapshot = self.store.snapshot().map_err(Fault::from)?;
        let all = snapshot.side_scan(SPACE, b"u/", MOST_ACCOUNTS).map_err(Fault::from)?;
        for (key, bytes) in all {
            let account = Record::read(&bytes)?.account()?;
            if account.id != id && runs_the_node(&account) {
                return Ok(Guard::Side { space: SPACE, key, value: Some(bytes) });
            }
        }
        Err(AccountError::LastOperator)
    }

    /// Names `reference` as the Practitioner of an account that names none, together with `writes`.
    /// Its sessions go on: nobody is somebody else by it.
    pub fn name_practitioner(
        &self,
        id: &str,
        reference: &str,
        writes: &[Write],
    ) -> Result<Account, AccountError> {
        let (account, ()) = self.try_change_with(id, writes, |record| {
            record.name_practitioner(reference);
            Ok::<(), AccountError>(())
        })?;
        Ok(account)
    }

    /// Forbids signing in and ends every session, or allows signing in again.
    pub fn set_disabled(
        &self,
        id: &str,
        disabled: bool,
        now_ms: i64,
    ) -> Result<Account, AccountError> {
        self.change(id, |record| {
            record.disabled = disabled;
            record.sessions_from_ms = record.sessions_from_ms.max(now_ms.saturating_add(1));
        })
    }

    /// Sets a new password and ends every session.
    pub fn set_password(
        &self,
        id: &str,
        password: &Password,
        now_ms: i64,
    ) -> Result<Account, AccountError> {
        let hash = self.hash_of(password)?;
        self.change(id, |record| {
            record.password_hash.clone_from(&hash);
            record.sessions_from_ms = record.sessions_from_ms.max(now_ms.saturating_add(1));
        })
    }

    /// Ends every session of the account that began up to now.
    pub fn end_sessions(&self, id: &str, now_ms: i64) -> Result<Account, AccountError> {
        self.change(id, |record| {
            record.sessions_from_ms = record.sessions_from_ms.max(now_ms.saturating_add(1));
        })
    }

    /// A fresh secret for one-time codes. It is not stored until [`Accounts::set_totp`].
    pub fn new_totp_secret(&self) -> Result<Hidden<Vec<u8>>, Fault> {
        let mut secret = vec![0; SECRET_BYTES];
        self.random.fill(&mut secret)?;
        Ok(Hidden::new(secret))
    }

    /// Sets up one-time codes with this secret, or takes them away with `None`.
    pub fn set_totp(
        &self,
        id: &str,
        secret: Option<&Hidden<Vec<u8>>>,
    ) -> Result<Account, AccountError> {
        let sealed = secret.map(|secret| self.seal(id, secret.reveal())).transpose()?;
        self.change(id, |record| record.totp.clone_from(&sealed))
    }

    /// Sets up one-time codes with a secret of which `code` shows that its owner has it, in place of
    /// the one before; the code is used up by that. `entry` is committed with it. `false` for a
    /// wrong code, which changes nothing.
    pub(crate) fn replace_totp(
        &self,
        id: &str,
        secret: &Hidden<Vec<u8>>,
        code: &str,
        entry: &[Write],
        now_ms: i64,
    ) -> Result<bool, AccountError> {
        let Code::Good(step) = totp::check(secret.reveal(), code, now_ms, None) else {
            return Ok(false);
        };
        let sealed = self.seal(id, secret.reveal())?;
        let used = put(step_key(id), step.to_be_bytes().to_vec());
        self.try_change_beside(id, (entry, Vec::new(), vec![used]), |record| {
            record.totp = Some(sealed.clone());
            Ok::<(), AccountError>(())
        })?;
        Ok(true)
    }

    /// The account with its password hash.
    pub(crate) fn find_to_sign_in(&self, username: &str) -> Result<Option<Found>, Fault> {
        let Ok(username) = Username::new(username) else { return Ok(None) };
        let snapshot = self.store.snapshot()?;
        let Some(bytes) = snapshot.side(SPACE, &user_key(username.as_str()))? else {
            return Ok(None);
        };
        let record = Record::read(&bytes)?;
        let account = record.account()?;
        Ok(Some(Found { account, password_hash: Hidden::new(record.password_hash) }))
    }

    /// Checks a one-time code and uses it up: of two callers with the same code one gets
    /// [`Code::Good`]. Without a secret every code is wrong.
    pub(crate) fn use_code(&self, id: &str, code: &str, now_ms: i64) -> Result<Code, Fault> {
        for _ in 0..ATTEMPTS {
            let snapshot = self.store.snapshot()?;
            let last_bytes = snapshot.side(SPACE, &step_key(id))?;
            drop(snapshot);
            let Some((_, record)) = self.record(id)? else { return Ok(Code::Wrong) };
            let Some(sealed) = &record.totp else { return Ok(Code::Wrong) };
            let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| Fault::Sealed)?;
            let secret = self.key.open(id, &sealed)?;
            let last = match &last_bytes {
                Some(bytes) => Some(step_of(bytes)?),
                None => None,
            };
            let Code::Good(step) = totp::check(&secret, code, now_ms, last) else {
                return Ok(totp::check(&secret, code, now_ms, last));
            };
            let transaction = Transaction {
                guards: vec![Guard::Side { space: SPACE, key: step_key(id), value: last_bytes }],
                side: vec![put(step_key(id), step.to_be_bytes().to_vec())],
                ..Transaction::default()
            };
            match self.store.commit(transaction) {
                Ok(_) => return Ok(Code::Good(step)),
                Err(StoreError::GuardFailed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contended)
    }

    pub(crate) fn hash_of(&self, password: &Password) -> Result<String, AccountError> {
        match password {
            Password::Plain(plain) => hash_password(plain.reveal(), self.random()),
            Password::Hashed(hash) if is_usable(hash.reveal()) => Ok(hash.reveal().clone()),
            Password::Hashed(_) => Err(AccountError::PasswordHash),
        }
    }

    fn seal(&self, id: &str, secret: &[u8]) -> Result<String, AccountError> {
        if !(MIN_SECRET_BYTES..=MAX_SECRET_BYTES).contains(&secret.len()) {
            return Err(AccountError::TotpSecret);
        }
        Ok(URL_SAFE_NO_PAD.encode(self.key.seal(id, secret, self.random())?))
    }

    /// The stored bytes and what they say.
    pub(crate) fn record(&self, id: &str) -> Result<Option<(Vec<u8>, Record)>, Fault> {
        let snapshot = self.store.snapshot()?;
        let Some(username) = snapshot.side(SPACE, &id_key(id))? else { return Ok(None) };
        let username = String::from_utf8(username).map_err(|_| Fault::Record("account"))?;
        let Some(bytes) = snapshot.side(SPACE, &user_key(&username))? else { return Ok(None) };
        let record = Record::read(&bytes)?;
        Ok(Some((bytes, record)))
    }

    fn change(&self, id: &str, change: impl Fn(&mut Record)) -> Result<Account, AccountError> {
        let (account, ()) = self.try_change(id, |record| {
            change(record);
            Ok::<(), AccountError>(())
        })?;
        Ok(account)
    }

    /// Changes the record of an account unless `change` refuses. It may be called again with a
    /// newer record, where somebody else changed the same one meanwhile.
    pub(crate) fn try_change<T, E: From<AccountError>>(
        &self,
        id: &str,
        change: impl FnMut(&mut Record) -> Result<T, E>,
    ) -> Result<(Account, T), E> {
        self.try_change_with(id, &[], change)
    }

    /// The same together with `writes`: either both stand or neither does.
    pub(crate) fn try_change_with<T, E: From<AccountError>>(
        &self,
        id: &str,
        writes: &[Write],
        change: impl FnMut(&mut Record) -> Result<T, E>,
    ) -> Result<(Account, T), E> {
        self.try_change_beside(id, (writes, Vec::new(), Vec::new()), change)
    }

    /// The same together with further guards and side values.
    pub(crate) fn try_change_beside<T, E: From<AccountError>>(
        &self,
        id: &str,
        (writes, guards, side): (&[Write], Vec<Guard>, Vec<SideWrite>),
        mut change: impl FnMut(&mut Record) -> Result<T, E>,
    ) -> Result<(Account, T), E> {
        for _ in 0..ATTEMPTS {
            let Some((old, mut record)) = self.record(id).map_err(AccountError::from)? else {
                return Err(AccountError::NotFound.into());
            };
            let value = change(&mut record)?;
            let account = record.account().map_err(AccountError::from)?;
            let place = user_key(account.username.as_str());
            let new = record.bytes().map_err(AccountError::from)?;
            let own = Guard::Side { space: SPACE, key: place.clone(), value: Some(old) };
            let transaction = Transaction {
                guards: guards.iter().cloned().chain([own]).collect(),
                writes: writes.to_vec(),
                side: side.iter().cloned().chain([put(place, new)]).collect(),
            };
            match self.store.commit(transaction) {
                Ok(_) => {
                    self.changes.happened();
                    return Ok((account, value));
                }
                Err(StoreError::GuardFailed) => {}
                Err(error) => return Err(AccountError::from(Fault::from(error)).into()),
            }
        }
        Err(AccountError::from(Fault::Contended).into())
    }
}

/// An account of role patient names its patient, and no other does.
fn check_patient(account: &Account) -> Result<(), AccountError> {
    match (account.role == Role::Patient) == account.patient.is_some() {
        true => Ok(()),
        false => Err(AccountError::PatientLink),
    }
}

fn runs_the_node(account: &Account) -> bool {
    account.role == Role::Operator && !account.disabled
}

fn display_name(text: &str) -> Result<String, AccountError> {
    let name = text.trim();
    let length = name.chars().count();
    let valid = (1..=MAX_DISPLAY_NAME).contains(&length) && !name.chars().any(char::is_control);
    if valid { Ok(name.to_owned()) } else { Err(AccountError::DisplayName) }
}

fn step_of(bytes: &[u8]) -> Result<u64, Fault> {
    let bytes = <[u8; 8]>::try_from(bytes).map_err(|_| Fault::Record("one-time-code"))?;
    Ok(u64::from_be_bytes(bytes))
}

pub(crate) fn put(key: Vec<u8>, value: Vec<u8>) -> SideWrite {
    SideWrite { space: SPACE, key, value: Some(value) }
}

fn user_key(username: &str) -> Vec<u8> {
    format!("u/{username}").into_bytes()
}

fn id_key(id: &str) -> Vec<u8> {
    format!("i/{id}").into_bytes()
}

fn step_key(id: &str) -> Vec<u8> {
    format!("t/{id}").into_bytes()
}
