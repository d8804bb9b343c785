//! Who is signed in: accounts, passwords, one-time codes and sessions over a store's side values.
//!
//! [`Accounts`] keeps accounts in the side space `accounts`, [`Sessions`] signs people in and
//! keeps sessions in the side space `sessions` (see `docs/state.md`). [`Providers`] asks outside
//! OpenID providers over HTTP; nothing else here does.
//! Time and random bytes are parameters. Calls that are not async block on the store and on password
//! hashing; run them off the async threads.
//!
//! What is kept is of no use to a thief of the store: passwords as Argon2id, one-time-code secrets
//! under AES-256-GCM with the node's key, session tokens and recovery codes as SHA-256, of passkeys
//! the public key.

mod account;
mod accounts;
mod fault;
mod hidden;
mod known;
mod outside;
mod passkey;
mod password;
mod principal;
mod recovery;
mod seal;
mod session;
mod sessions;
mod throttle;
mod totp;

pub use account::{Account, AccountError, Amendment, NewAccount, Password, Role, Username};
pub use accounts::Accounts;
pub use fault::Fault;
pub use hidden::Hidden;
pub use outside::{
    About, Answer, Begun, Ended, Errand, Linked, MAX_LINKS, Member, OutsideError, Proved, Provider,
    ProviderAuthentication, ProviderFault, Providers, Purpose,
};
pub use passkey::approval::{Approval, ApprovalFault};
pub use passkey::{Device, MAX_PASSKEYS, PasskeyError, Site, Standing, Started, Unusable};
pub use password::{Hasher, hash_password};
pub use principal::{FRESH_MFA_MS, Principal};
pub use recovery::RECOVERY_CODES;
pub use seal::NodeKey;
pub use session::{SessionError, Token, check_csrf, csrf};
pub use sessions::one_time_codes::{Confirmed, NewCodes};
pub use sessions::signatures::verify_passkey_signature;
pub use sessions::{Session, Sessions, Settings, SignInError, StepUpError};
pub use throttle::{Throttle, ThrottleSettings};
pub use totp::{base32, code_at, otpauth_uri};
