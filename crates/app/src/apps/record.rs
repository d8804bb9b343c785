//! What is kept of apps beside the FHIR resources: registrations, grants, hashes of tokens, and
//! ids of assertions that were seen (`docs/state.md`).

use oauth::udap::Asking;
use oauth::{Client, Scopes, Token};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{Guard, SideWrite, Transaction};

use crate::caller::Granted;
use crate::{App, Error, Result};

pub(super) const CLIENTS: &str = "oauth-clients";
pub(super) const GRANTS: &str = "oauth-grants";
pub(super) const TOKENS: &str = "oauth-tokens";
pub(super) const ASSERTIONS: &str = "oauth-assertions";
/// How long a grant is kept after its last token ended: jobs ordered with it may still run.
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// Records that are looked at in one sweep of a space.
const SWEPT: usize = 10_000;

/// What a person has allowed an app, or the operator a backend service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    /// The account and chance, `<account>.<chance>`, so that an account's grants lie together.
    pub id: String,
    pub client: String,
    pub account: String,
    pub role: String,
    /// The patient that the account belonged to, or for whom it acted.
    pub own: Option<String>,
    /// The RelatedPerson as whom it acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting: Option<String>,
    pub scopes: String,
    /// The patient in context.
    pub patient: Option<String>,
    pub nonce: Option<String>,
    pub amr: Vec<String>,
    pub auth_time_ms: i64,
    pub mfa_time_ms: Option<i64>,
    /// The encounter in context.
    #[serde(default)]
    pub encounter: Option<String>,
    /// For whom and what a program of UDAP asks.
    #[serde(default)]
    pub asserted: Option<Asking>,
    pub created_ms: i64,
    /// When the last token that may come of it ends.
    pub expires_ms: i64,
}

/// What a hash of a token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Held {
    /// An authorisation code. It stays when it is used, so that a second use is noticed.
    Code {
        grant: String,
        redirect: String,
        challenge: String,
        expires_ms: i64,
        used: bool,
        /// The thumbprint of the key that it is bound to; so too below.
        #[serde(default)]
        key: Option<String>,
    },
    /// An access token.
    Access {
        grant: String,
        scopes: String,
        issued_ms: i64,
        expires_ms: i64,
        #[serde(default)]
        key: Option<String>,
    },
    /// A refresh token; it stays as a code does.
    Refresh {
        grant: String,
        expires_ms: i64,
        used: bool,
        #[serde(default)]
        key: Option<String>,
    },
    /// The context of an EHR launch.
    Launch {
        client: String,
        account: String,
        patient: String,
        expires_ms: i64,
        #[serde(default)]
        encounter: Option<String>,
    },
}

impl Held {
    fn expires_ms(&self) -> i64 {
        match self {
            // Kept longer: whoever uses one twice has stolen it, or was stolen from.
            Self::Code { expires_ms, .. } => expires_ms.saturating_add(KEPT_MS),
            Self::Refresh { expires_ms, .. }
            | Self::Access { expires_ms, .. }
            | Self::Launch { expires_ms, .. } => *expires_ms,
        }
    }
}

impl Grant {
    /// What a caller may do with it; `scopes` may be fewer than those of the grant.
    pub fn granted(&self, client: &Client, scopes: &str) -> Granted {
        Granted {
            id: self.id.clone(),
            client: client.id.clone(),
            client_name: client.name.clone(),
            scopes: Scopes::parse(scopes).unwrap_or_default(),
            patient: self.patient.as_deref().and_then(|id| fhir::Id::new(id).ok()),
            organization: self.asserted.as_ref().map(|asking| asking.organization_id.clone()),
            asserted: self.asserted.clone(),
        }
    }
}

/// Reads a record; `None` where there is none.
pub(super) fn read<T: DeserializeOwned>(app: &App, space: &str, key: &[u8]) -> Result<Option<T>> {
    Ok(read_exact(app, space, key)?.map(|(_, record)| record))
}

/// The same with its bytes, for a guard.
pub(super) fn read_exact<T: DeserializeOwned>(
    app: &App,
    space: &str,
    key: &[u8],
) -> Result<Option<(Vec<u8>, T)>> {
    let Some(bytes) = app.store().snapshot()?.side(space, key)? else { return Ok(None) };
    let record = serde_json::from_slice(&bytes)
        .map_err(|_| Error::internal(format!("a record of `{space}` cannot be read")))?;
    Ok(Some((bytes, record)))
}

/// A token's record with its bytes.
pub(super) fn held(app: &App, token: &Token) -> Result<Option<(Vec<u8>, Held)>> {
    read_exact(app, TOKENS, &token.hash())
}

/// A registration.
pub(super) fn client(app: &App, id: &str) -> Result<Option<Client>> {
    read(app, CLIENTS, id.as_bytes())
}

/// The write that keeps a record.
pub(super) fn put<T: Serialize>(space: &'static str, key: &[u8], record: &T) -> SideWrite {
    // Records are strings and numbers, which always have a JSON form.
    let value = serde_json::to_vec(record).unwrap_or_default();
    SideWrite { space, key: key.to_vec(), value: Some(value) }
}

/// The write that keeps a token's record under its hash.
pub(super) fn put_token(token: &Token, held: &Held) -> SideWrite {
    put(TOKENS, &token.hash(), held)
}

/// The write that removes a record.
pub(super) fn remove(space: &'static str, key: &[u8]) -> SideWrite {
    SideWrite { space, key: key.to_vec(), value: None }
}

/// Ends a grant and with it every token that came of it.
pub(super) fn revoke(app: &App, grant: &str) -> Result<()> {
    let side = vec![remove(GRANTS, grant.as_bytes())];
    app.store().commit(Transaction { side, ..Transaction::default() })?;
    Ok(())
}

/// The condition that a record is still as it was read.
pub(super) fn unchanged(space: &'static str, key: &[u8], bytes: Vec<u8>) -> Guard {
    Guard::Side { space, key: key.to_vec(), value: Some(bytes) }
}

/// Removes what has expired. Expired records are refused whether or not they are swept.
pub fn sweep(app: &App) -> Result<()> {
    let now = app.now_ms();
    let snapshot = app.store().snapshot()?;
    let mut side = Vec::new();
    for (key, bytes) in snapshot.side_scan(TOKENS, b"", SWEPT)? {
        let held = serde_json::from_slice::<Held>(&bytes);
        if held.map_or(true, |held| held.expires_ms() < now) {
            side.push(remove(TOKENS, &key));
        }
    }
    for (key, bytes) in snapshot.side_scan(GRANTS, b"", SWEPT)? {
        let grant = serde_json::from_slice::<Grant>(&bytes);
        if grant.map_or(true, |grant| grant.expires_ms.saturating_add(KEPT_MS) < now) {
            side.push(remove(GRANTS, &key));
        }
    }
    for (key, bytes) in snapshot.side_scan(ASSERTIONS, b"", SWEPT)? {
        if serde_json::from_slice::<i64>(&bytes).map_or(true, |expires_ms| expires_ms < now) {
            side.push(remove(ASSERTIONS, &key));
        }
    }
    drop(snapshot);
    if !side.is_empty() {
        app.store().commit(Transaction { side, ..Transaction::default() })?;
    }
    Ok(())
}
