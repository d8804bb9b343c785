//! The keys of encodings: one for each locator and epoch, known to every member but that locator.
//!
//! The keeper of a locator's key derives it from its own assertion key, so it keeps nothing, and
//! gives it to members that ask over the connection between the two nodes. Neither the council nor
//! anybody outside is on that way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use federation::Asserted;
use tokio::time::Instant;
use wire::{LocatorKeyRequest, LocatorKeyResponse, OrgId, Refusal, RefusalCode};

use super::committee::{self, keeper};
use crate::consent::deliver::{as_node, may_speak};
use crate::records::answer::refused;
use crate::records::longitudinal::ask_json;
use crate::{App, Error, Kind, Result};

/// Most keys that are kept in memory: those of two epochs for the largest committee.
const MOST_KEPT: usize = 10_000;

/// A key that was got from its keeper.
#[derive(Clone)]
pub struct Kept {
    keeper: OrgId,
    key: Key,
}

/// A key and what it is called.
#[derive(Clone)]
pub struct Key {
    /// The key itself.
    pub(super) secret: [u8; 32],
    /// 16 hexadecimal digits that tell it from other keys and say nothing about it.
    pub id: String,
}

impl Key {
    fn new(secret: [u8; 32]) -> Result<Self> {
        let name = derived(&secret, &[b"name of a locator key"])?;
        Ok(Self { secret, id: crypto::hash::hex(name.get(..8).unwrap_or_default()) })
    }
}

fn derived(secret: &[u8], purpose: &[&[u8]]) -> Result<[u8; 32]> {
    crypto::derive(secret, purpose).map_err(|e| Error::internal(e.to_string()))
}

/// A secret of this node for `purpose`.
pub(super) fn own(app: &App, purpose: &[&[u8]]) -> Result<[u8; 32]> {
    let parts: Vec<&[u8]> = [b"consilium record locator".as_slice()]
        .into_iter()
        .chain(purpose.iter().copied())
        .collect();
    derived(app.peers().identity().assertion_key.pkcs8_der(), &parts)
}

/// The key under which encodings for `locator` are made in `epoch`: kept here, or asked of its
/// keeper.
pub async fn get(app: &App, locator: &OrgId, epoch: u64, deadline: Instant) -> Result<Key> {
    let list = app.network().list();
    let keeper = keeper(&list, epoch, locator)
        .ok_or_else(|| Error::new(Kind::Busy, "nobody keeps the locator's key"))?;
    if keeper == *app.network().own() {
        return kept_here(app, locator, epoch);
    }
    let place = (locator.clone(), epoch);
    if let Some(kept) = app.locator().keys.lock().get(&place)
        && kept.keeper == keeper
    {
        return Ok(kept.key.clone());
    }
    let message = LocatorKeyRequest { locator: locator.clone(), epoch };
    let asking = as_node(app, app.new_id().as_str());
    let answer: LocatorKeyResponse =
        ask_json(app, &keeper, wire::path::LOCATOR_KEY, &message, &asking, deadline)
            .await
            .map_err(|e| Error::new(Kind::Busy, e.to_string()))?;
    let secret = STANDARD.decode(&answer.key).ok().and_then(|key| <[u8; 32]>::try_from(key).ok());
    let secret = secret.ok_or_else(|| Error::new(Kind::Busy, "a locator's key has 32 bytes"))?;
    let key = Key::new(secret)?;
    let now = committee::epoch(app.now_ms());
    let mut keys = app.locator().keys.lock();
    keys.retain(|(_, epoch), _| *epoch >= now);
    if keys.len() < MOST_KEPT {
        keys.insert(place, Kept { keeper, key: key.clone() });
    }
    Ok(key)
}

fn kept_here(app: &App, locator: &OrgId, epoch: u64) -> Result<Key> {
    let list = app.network().list();
    let purpose: [&[u8]; 4] =
        [b"key", list.network.as_bytes(), locator.as_str().as_bytes(), &epoch.to_be_bytes()];
    Key::new(own(app, &purpose)?)
}

/// Gives a member the key of another locator that this node keeps.
pub fn key_request(
    app: &App,
    asserted: &Asserted,
    message: &LocatorKeyRequest,
) -> std::result::Result<LocatorKeyResponse, Refusal> {
    may_speak(app).map_err(refused)?;
    let refuse = |why: &str| Err(Refusal::new(RefusalCode::PurposeNotPermitted, why));
    if asserted.assertion.issuer == message.locator {
        return refuse("a locator does not get the key of what it compares");
    }
    if !committee::epochs(app.now_ms()).any(|epoch| epoch == message.epoch) {
        return refuse("there is no key for that epoch; check the clock of the node");
    }
    let keeper = keeper(&app.network().list(), message.epoch, &message.locator);
    if keeper.as_ref() != Some(app.network().own()) {
        return refuse("another member keeps that key; get the newest membership list");
    }
    let key = kept_here(app, &message.locator, message.epoch).map_err(refused)?;
    Ok(LocatorKeyResponse { key: STANDARD.encode(key.secret) })
}
