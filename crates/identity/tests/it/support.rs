//! A node's accounts with a clock and random bytes that the test sets.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use consilium_identity::{
    Accounts, Hidden, NewAccount, NodeKey, Password, Role, Sessions, Settings, hash_password,
};
use crypto::{Random, RandomFault};
use store::SharedStore;
use store::memory::MemoryStore;

pub const START_MS: i64 = 1_700_000_000_000;
pub const SECRET: &[u8] = b"12345678901234567890";
pub const PASSWORD: &str = "correct horse";
pub const HOME: &str = "192.0.2.1";

/// Different bytes on every call, the same in every run.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomFault> {
        for chunk in bytes.chunks_mut(32) {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            chunk.copy_from_slice(&crypto::sha256(&number.to_be_bytes())[..chunk.len()]);
        }
        Ok(())
    }
}

pub fn memory() -> SharedStore {
    let now = Arc::new(AtomicI64::new(START_MS));
    MemoryStore::new(Arc::new(move || now.load(Ordering::Relaxed)))
}

pub fn accounts(store: SharedStore) -> Accounts {
    Accounts::new(store, NodeKey::new(&[7; 32]).unwrap(), Arc::new(Counter::default()))
}

pub fn clinician(username: &str) -> NewAccount {
    NewAccount {
        username: username.into(),
        display_name: "Dr. Ada Ek".into(),
        role: Role::Clinician,
        patient: None,
        practitioner: Some("Practitioner/ada".into()),
        password: Password::plain(PASSWORD),
        totp_secret: Some(Hidden::new(SECRET.to_vec())),
    }
}

/// A node with the clinician `ada`. Her password is hashed once for all tests.
pub fn node(settings: Settings) -> (Sessions, SharedStore) {
    static HASH: OnceLock<String> = OnceLock::new();
    let hash = HASH.get_or_init(|| hash_password(PASSWORD, &Counter::default()).unwrap());
    let store = memory();
    let accounts = accounts(Arc::clone(&store));
    let ada = NewAccount { password: Password::hashed(hash), ..clinician("ada") };
    accounts.create(ada, START_MS).unwrap();
    (Sessions::new(accounts, settings).unwrap(), store)
}

/// The code that an authenticator shows at `now_ms`.
pub fn code(now_ms: i64) -> String {
    let seconds = u64::try_from(now_ms / 1000).unwrap();
    let totp = totp_rs::Builder::new().with_secret(SECRET.to_vec()).build().unwrap();
    totp.generate(seconds).to_string()
}

/// A code that is wrong at `now_ms`.
pub fn wrong_code(now_ms: i64) -> String {
    let near: Vec<String> = [-30_000, 0, 30_000].iter().map(|ms| code(now_ms + ms)).collect();
    (0..).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
}
