//! Signing in, staying signed in, proving presence again, signing out.

mod approvals;
pub(crate) mod one_time_codes;
mod outside;
mod passkeys;
pub(crate) mod signatures;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::{Guard, SharedStore, SideWrite, StoreError, Transaction};

use crate::account::{Account, AccountError};
use crate::accounts::Accounts;
use crate::fault::Fault;
use crate::known::Known;
use crate::passkey::{Ceremonies, Site, Standing};
use crate::password::{Hasher, Overloaded};
use crate::principal::Principal;
use crate::recovery;
use crate::session::{Factor, Record, SessionError, Token, place};
use crate::throttle::{Throttle, ThrottleSettings};
use crate::totp::{Code, STEP_S};

const SPACE: &str = "sessions";
/// How often the time of last use is written down, in milliseconds.
const WRITE_BACK_MS: i64 = 60_000;
/// How often a change is tried again because another request changed the same session.
const ATTEMPTS: usize = 8;
/// First bytes of session keys that one sweep looks through.
const SWEEP_PREFIXES: usize = 16;
/// Sessions under one prefix that one sweep looks at.
const SWEEP_PER_PREFIX: usize = 512;
/// Characters of a client address that are looked at.
const MAX_ADDRESS: usize = 100;

/// Limits of sessions and of guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// A session ends when it is not used for this many milliseconds.
    pub idle_ms: i64,
    /// A session ends after this many milliseconds however much it is used.
    pub absolute_ms: i64,
    /// When to slow down guessing.
    pub throttle: ThrottleSettings,
}

impl Default for Settings {
    fn default() -> Self {
        let throttle = ThrottleSettings::default();
        Self { idle_ms: 15 * 60_000, absolute_ms: 12 * 3_600_000, throttle }
    }
}

/// A session that has just begun.
#[derive(Clone, Debug)]
pub struct Session {
    /// Given out here and never again.
    pub token: Token,
    /// Who is signed in.
    pub principal: Principal,
}

/// Why somebody could not sign in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Username or password is wrong, or the account is disabled; which one is not told.
    #[error("the username or the password is wrong")]
    InvalidCredentials,
    /// Too many failures, or too many people signing in at this moment.
    #[error("too many attempts; try again in {retry_after_s} seconds")]
    Throttled {
        /// Whole seconds to wait.
        retry_after_s: u64,
    },
    /// The one-time code is wrong.
    #[error("the one-time code is wrong")]
    SecondFactorWrong,
    /// The one-time code has been used.
    #[error("the one-time code has been used; wait up to {STEP_S} seconds for the next")]
    SecondFactorReused,
    /// The node could not do its part.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why presence could not be proved again.
#[derive(Debug, thiserror::Error)]
pub enum StepUpError {
    /// There is no session to step up.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The account has no second factor.
    #[error("the account has no second factor; set one up first")]
    NoSecondFactor,
    /// The role needs a passkey, and the account has one.
    #[error("this account's role needs a passkey; use it instead of a one-time code")]
    PasskeyNeeded,
    /// Too many failures.
    #[error("too many attempts; try again in {retry_after_s} seconds")]
    Throttled {
        /// Whole seconds to wait.
        retry_after_s: u64,
    },
    /// The one-time code is wrong.
    #[error("the one-time code is wrong")]
    SecondFactorWrong,
    /// The one-time code has been used.
    #[error("the one-time code has been used; wait up to {STEP_S} seconds for the next")]
    SecondFactorReused,
}

impl From<Fault> for StepUpError {
    fn from(fault: Fault) -> Self {
        Self::Session(fault.into())
    }
}

/// Why a code proved nothing.
enum CodeFault {
    Throttled { retry_after_s: u64 },
    Wrong,
    Reused,
    Fault(Fault),
}

impl From<CodeFault> for SignInError {
    fn from(fault: CodeFault) -> Self {
        match fault {
            CodeFault::Throttled { retry_after_s } => Self::Throttled { retry_after_s },
            CodeFault::Wrong => Self::SecondFactorWrong,
            CodeFault::Reused => Self::SecondFactorReused,
            CodeFault::Fault(fault) => fault.into(),
        }
    }
}

impl From<CodeFault> for StepUpError {
    fn from(fault: CodeFault) -> Self {
        match fault {
            CodeFault::Throttled { retry_after_s } => Self::Throttled { retry_after_s },
            CodeFault::Wrong => Self::SecondFactorWrong,
            CodeFault::Reused => Self::SecondFactorReused,
            CodeFault::Fault(fault) => fault.into(),
        }
    }
}

/// The sessions of one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sessions {
    accounts: Accounts,
    settings: Settings,
    throttle: Arc<Throttle>,
    hasher: Arc<Hasher>,
    swept: Arc<AtomicUsize>,
    known: Arc<Known>,
    site: Option<Arc<Site>>,
    ceremonies: Arc<Ceremonies>,
}

impl Sessions {
    /// Sessions of these accounts, in the same store.
    pub fn new(accounts: Accounts, settings: Settings) -> Result<Self, Fault> {
        Ok(Self {
            throttle: Arc::new(Throttle::new(settings.throttle)),
            hasher: Arc::new(Hasher::new(accounts.random())?),
            swept: Arc::new(AtomicUsize::new(0)),
            known: Arc::default(),
            site: None,
            ceremonies: Arc::default(),
            accounts,
            settings,
        })
    }

    /// The same, with passkeys at this site.
    #[must_use]
    pub fn with_passkeys(mut self, site: Site) -> Self {
        self.site = Some(Arc::new(site));
        self
    }

    /// The accounts.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Checks username and password and, where one is given, a one-time code or a recovery code,
    /// and begins a session. `address` is where the client connects from; it serves throttling only. The work
    /// is the same whether or not the username exists.
    pub fn sign_in(
        &self,
        username: &str,
        password: &str,
        totp: Option<&str>,
        address: &str,
        now_ms: i64,
    ) -> Result<Session, SignInError> {
        let name = throttle_name(username);
        let attempt = self
            .throttle
            .begin(&name, &short(address), now_ms)
            .map_err(|retry_after_s| SignInError::Throttled { retry_after_s })?;
        let outcome = self.check(username, password, totp, &short(address), now_ms);
        match &outcome {
            Ok(_) => self.throttle.succeeded(&attempt),
            // The password was not guessed at, and our own fault is no guess.
            Err(
                SignInError::SecondFactorWrong
                | SignInError::SecondFactorReused
                | SignInError::Fault(_)
                | SignInError::Throttled { .. },
            ) => self.throttle.withdrawn(&attempt),
            Err(SignInError::InvalidCredentials) => tracing::info!("a sign-in failed"),
        }
        outcome
    }

    fn check(
        &self,
        username: &str,
        password: &str,
        totp: Option<&str>,
        address: &str,
        now_ms: i64,
    ) -> Result<Session, SignInError> {
        let found = self.accounts.find_to_sign_in(username)?;
        let hash = found.as_ref().map(|found| found.password_hash.reveal().as_str());
        let right = self
            .hasher
            .verify(password, hash)
            .map_err(|Overloaded| SignInError::Throttled { retry_after_s: 1 })?;
        let Some(found) = found.filter(|found| right && !found.account.disabled) else {
            return Err(SignInError::InvalidCredentials);
        };
        let mut record = Record::begin(&found.account.id, now_ms);
        if let Some(code) = totp {
            record.prove(self.prove_code(&found.account, code, address, now_ms)?, now_ms);
        }
        Ok(self.open(found.account, &record)?)
    }

    /// Uses up a code of an account; guessing is slowed down.
    fn prove_code(
        &self,
        account: &Account,
        code: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Factor, CodeFault> {
        let attempt = self
            .throttle
            .begin_factor(&throttle_name(account.username.as_str()), address, now_ms)
            .map_err(|retry_after_s| CodeFault::Throttled { retry_after_s })?;
        let fault = match self.use_code(&account.id, code, now_ms) {
            Ok((Code::Good(_), factor)) => {
                self.throttle.succeeded(&attempt);
                return Ok(factor);
            }
            Ok((Code::Wrong, _)) => {
                tracing::info!("a second factor was wrong");
                return Err(CodeFault::Wrong);
            }
            // A code that was right but is used up is no guess.
            Ok((Code::Used, _)) => CodeFault::Reused,
            Err(fault) => CodeFault::Fault(fault),
        };
        self.throttle.withdrawn(&attempt);
        Err(fault)
    }

    /// Uses up a one-time code or, where it has the form of one, a recovery code.
    fn use_code(&self, id: &str, code: &str, now_ms: i64) -> Result<(Code, Factor), Fault> {
        if recovery::spelled(code).is_none() {
            return Ok((self.accounts.use_code(id, code, now_ms)?, Factor::Otp));
        }
        match self.accounts.use_recovery_code(id, code, now_ms) {
            Ok(true) => Ok((Code::Good(0), Factor::Recovery)),
            Ok(false) | Err(AccountError::NotFound) => Ok((Code::Wrong, Factor::Recovery)),
            Err(AccountError::Fault(fault)) => Err(fault),
            Err(_) => Err(Fault::Record("account")),
        }
    }

    /// Begins a session.
    fn open(&self, account: Account, record: &Record) -> Result<Session, Fault> {
        let token = Token::new(self.accounts.random())?;
        let place = place(token.as_str()).ok_or(Fault::Record("session"))?;
        self.write(place, Some(record), None).map_err(|error| match error {
            StoreError::GuardFailed => Fault::Contended,
            error => error.into(),
        })?;
        // A recovery code that was used a moment ago is no longer in the account as it was read.
        let account = self.accounts.get(&account.id)?.unwrap_or(account);
        Ok(Session { token, principal: self.principal(&account, record) })
    }

    fn principal(&self, account: &Account, record: &Record) -> Principal {
        let standing = self.standing(account, record);
        Principal::new(account, record, standing, self.settings.absolute_ms)
    }

    /// What stands between the session and the node's work.
    fn standing(&self, account: &Account, record: &Record) -> Standing {
        let required = self.site.as_ref().is_some_and(|site| site.requires(account.role));
        match (required && record.passkey_ms.is_none(), account.passkeys.is_empty()) {
            (false, _) => Standing::Open,
            (true, false) => Standing::PasskeyNeeded,
            (true, true) => Standing::EnrolmentNeeded,
        }
    }

    /// The same as [`Sessions::resolve`] where memory holds the answer: it never blocks.
    pub fn resolve_known(
        &self,
        token: &str,
        now_ms: i64,
    ) -> Option<Result<Principal, SessionError>> {
        self.known.find(&place(token)?, self.accounts.changes().now(), |record, account| {
            self.is_recent(record, now_ms).then(|| {
                self.check_session(record, account, now_ms)?;
                Ok(self.principal(account, record))
            })
        })
    }

    /// Whether the session's use was written down so recently that the idle limit is not reached
    /// before it is written down again.
    fn is_recent(&self, record: &Record, now_ms: i64) -> bool {
        let write_back_ms = WRITE_BACK_MS.min(self.settings.idle_ms / 4);
        now_ms.saturating_sub(record.last_seen_ms) < write_back_ms
    }

    /// Who is behind `token`, with the role and links that the account has at this moment. Using a
    /// session keeps it from going idle; that is written down at most once a minute.
    pub fn resolve(&self, token: &str, now_ms: i64) -> Result<Principal, SessionError> {
        if let Some(known) = self.resolve_known(token, now_ms) {
            return known;
        }
        let place = place(token).ok_or(SessionError::Unknown)?;
        let changes = self.accounts.changes().now();
        for _ in 0..ATTEMPTS {
            let (bytes, mut record, account) = self.load(&place, now_ms)?;
            if self.is_recent(&record, now_ms) {
                self.known.keep(place, changes, record.clone(), account.clone());
                return Ok(self.principal(&account, &record));
            }
            record.last_seen_ms = now_ms;
            // The guard keeps a session that is being signed out from coming back to life.
            match self.write(place.clone(), Some(&record), Some(bytes)) {
                Ok(()) => return Ok(self.principal(&account, &record)),
                Err(StoreError::GuardFailed) => {}
                Err(error) => return Err(Fault::from(error).into()),
            }
        }
        Err(Fault::Contended.into())
    }

    /// Takes a one-time code or a recovery code as proof that the person is present now.
    pub fn step_up(
        &self,
        token: &str,
        totp: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<Principal, StepUpError> {
        let principal = self.resolve(token, now_ms)?;
        let account = self.accounts.get(&principal.account_id)?.ok_or(SessionError::Unknown)?;
        if !account.has_second_factor() {
            return Err(StepUpError::NoSecondFactor);
        }
        let required = self.site.as_ref().is_some_and(|site| site.requires(account.role));
        if required && !account.passkeys.is_empty() && recovery::spelled(totp).is_none() {
            return Err(StepUpError::PasskeyNeeded);
        }
        let factor = self.prove_code(&account, totp, &short(address), now_ms)?;
        Ok(self.proved(token, factor, now_ms)?)
    }

    /// Notes in the session that a factor was proved now.
    fn proved(&self, token: &str, factor: Factor, now_ms: i64) -> Result<Principal, SessionError> {
        self.note(token, now_ms, |record| record.prove(factor, now_ms))
    }

    /// Writes down in the session what `change` makes of it.
    fn note(
        &self,
        token: &str,
        now_ms: i64,
        change: impl Fn(&mut Record),
    ) -> Result<Principal, SessionError> {
        let place = place(token).ok_or(SessionError::Unknown)?;
        for _ in 0..ATTEMPTS {
            let (bytes, mut record, account) = self.load(&place, now_ms)?;
            change(&mut record);
            record.last_seen_ms = record.last_seen_ms.max(now_ms);
            match self.write(place.clone(), Some(&record), Some(bytes)) {
                Ok(()) => return Ok(self.principal(&account, &record)),
                Err(StoreError::GuardFailed) => {}
                Err(error) => return Err(Fault::from(error).into()),
            }
        }
        Err(Fault::Contended.into())
    }

    /// Notes as which RelatedPerson the session acts for a patient from now on, by its id; `None`
    /// for the account's own affairs. Whether it may is asked before, and again at each use.
    pub fn act_as(
        &self,
        token: &str,
        related: Option<&str>,
        now_ms: i64,
    ) -> Result<Principal, SessionError> {
        let place = place(token).ok_or(SessionError::Unknown)?;
        for _ in 0..ATTEMPTS {
            let (bytes, mut record, account) = self.load(&place, now_ms)?;
            record.acting = related.map(str::to_owned);
            match self.write(place.clone(), Some(&record), Some(bytes)) {
                Ok(()) => return Ok(self.principal(&account, &record)),
                Err(StoreError::GuardFailed) => {}
                Err(error) => return Err(Fault::from(error).into()),
            }
        }
        Err(Fault::Contended.into())
    }

    /// Ends the session. Nothing happens where there is none.
    pub fn sign_out(&self, token: &str) -> Result<(), Fault> {
        let Some(place) = place(token) else { return Ok(()) };
        let side = vec![SideWrite { space: SPACE, key: place, value: None }];
        self.store().commit(Transaction { side, ..Transaction::default() })?;
        self.accounts.changes().happened();
        Ok(())
    }

    /// When the owner of each account signed in last, in milliseconds since the Unix epoch, as far as
    /// sessions tell that have not been swept away; at most `limit` of them are looked at.
    pub fn last_signed_in(&self, limit: usize) -> Result<HashMap<String, i64>, Fault> {
        let mut last: HashMap<String, i64> = HashMap::new();
        for (_, bytes) in self.store().snapshot()?.side_scan(SPACE, b"", limit)? {
            let Ok(session) = Record::read(&bytes) else { continue };
            let at_ms = last.entry(session.account_id).or_insert(session.auth_time_ms);
            *at_ms = session.auth_time_ms.max(*at_ms);
        }
        Ok(last)
    }

    /// Removes expired sessions from a sixteenth of the store at a time; sixteen calls see it all.
    /// Returns how many were removed. Expired sessions are refused whether or not they are swept.
    pub fn sweep(&self, now_ms: i64) -> Result<usize, Fault> {
        let first = self.swept.fetch_add(SWEEP_PREFIXES, Ordering::Relaxed);
        let snapshot = self.store().snapshot()?;
        let mut side = Vec::new();
        for number in first..first.saturating_add(SWEEP_PREFIXES) {
            let prefix = [u8::try_from(number % 256).unwrap_or(0)];
            for (key, bytes) in snapshot.side_scan(SPACE, &prefix, SWEEP_PER_PREFIX)? {
                let (idle, absolute) = (self.settings.idle_ms, self.settings.absolute_ms);
                let over = match Record::read(&bytes) {
                    Ok(record) => record.is_expired(now_ms, idle, absolute),
                    Err(_) => true,
                };
                if over {
                    side.push(SideWrite { space: SPACE, key, value: None });
                }
            }
        }
        drop(snapshot);
        let removed = side.len();
        if removed > 0 {
            self.store().commit(Transaction { side, ..Transaction::default() })?;
            self.accounts.changes().happened();
        }
        Ok(removed)
    }

    /// The session under `place` with its account, if both still stand.
    fn load(
        &self,
        place: &[u8],
        now_ms: i64,
    ) -> Result<(Vec<u8>, Record, crate::Account), SessionError> {
        let bytes = self.store().snapshot().and_then(|snapshot| snapshot.side(SPACE, place));
        let bytes = bytes.map_err(Fault::from)?.ok_or(SessionError::Unknown)?;
        let record = Record::read(&bytes)?;
        let account = self.accounts.get(&record.account_id)?.ok_or(SessionError::Unknown)?;
        self.check_session(&record, &account, now_ms)?;
        Ok((bytes, record, account))
    }

    /// Refuses a session that is over.
    fn check_session(
        &self,
        record: &Record,
        account: &crate::Account,
        now_ms: i64,
    ) -> Result<(), SessionError> {
        let (idle, absolute) = (self.settings.idle_ms, self.settings.absolute_ms);
        if record.is_expired(now_ms, idle, absolute) {
            return Err(SessionError::Expired);
        }
        if account.disabled || record.created_ms < account.sessions_from_ms {
            return Err(SessionError::Unknown);
        }
        // A lost device is removed from the account so that nobody goes on with it.
        if record.device.as_ref().is_some_and(|device| !account.passkeys.contains(device)) {
            return Err(SessionError::Unknown);
        }
        let began = record.outside.as_ref().filter(|outside| outside.began);
        if began.is_some_and(|outside| !account.links.contains(&outside.link)) {
            return Err(SessionError::Unknown);
        }
        Ok(())
    }

    fn write(
        &self,
        place: Vec<u8>,
        record: Option<&Record>,
        before: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let value = match record.map(Record::bytes).transpose() {
            Ok(value) => value,
            Err(error) => return Err(StoreError::Failed(error.to_string())),
        };
        let transaction = Transaction {
            guards: vec![Guard::Side { space: SPACE, key: place.clone(), value: before }],
            side: vec![SideWrite { space: SPACE, key: place, value }],
            ..Transaction::default()
        };
        self.store().commit(transaction)?;
        self.accounts.changes().happened();
        Ok(())
    }

    fn store(&self) -> &SharedStore {
        self.accounts.store()
    }
}

/// The name under which failures are counted, whether or not it is a username at all.
fn throttle_name(username: &str) -> String {
    username.trim().chars().take(200).collect::<String>().to_ascii_lowercase()
}

fn short(address: &str) -> String {
    address.chars().take(MAX_ADDRESS).collect()
}
