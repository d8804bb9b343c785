//! A client proves itself at the token endpoint (RFC 6749, section 2.3; RFC 7523).

use std::time::Duration;

use crypto::chain::Signed;
use crypto::jwk::KeySet;
use federation::fetch::{Fetcher, Wish};
use oauth::client::{Authentication, Client};
use oauth::{Code, Kind as TokenKind, Token, assertion};
use serde_json::{Map, Value};
use store::{Guard, StoreError, Transaction};

use super::record::{ASSERTIONS, client, put};
use super::{Fault, address};
use crate::App;

/// How long the fetch of a client's keys may take.
const KEYS_WITHIN: Duration = Duration::from_secs(5);

/// What a client sent to prove itself.
#[derive(Clone, Default)]
pub struct Credentials {
    /// `client_id` and `client_secret` of HTTP Basic, decoded.
    pub basic: Option<(String, String)>,
    /// `client_id` of the form.
    pub client_id: Option<String>,
    /// `client_secret` of the form.
    pub client_secret: Option<String>,
    /// `client_assertion_type` of the form.
    pub assertion_type: Option<String>,
    /// `client_assertion` of the form.
    pub assertion: Option<String>,
}

impl Credentials {
    /// Whether nothing was sent.
    pub(super) fn is_empty(&self) -> bool {
        let Self { basic, client_id, client_secret, assertion_type, assertion } = self;
        let texts = [client_id, client_secret, assertion_type, assertion];
        basic.is_none() && texts.iter().all(|text| text.is_none())
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

fn invalid(why: impl Into<String>) -> Fault {
    Fault::new(Code::InvalidClient, why)
}

fn unknown() -> Fault {
    invalid("the client is not known, or has not proved itself as it is registered")
}

/// A client that has proved itself.
#[derive(Clone, Debug)]
pub(super) struct Proved {
    pub client: Client,
    /// What it has signed of who asks (`hl7-b2b`), where it is one of UDAP.
    pub asserted: Option<Value>,
}

/// The client that the credentials prove. A public client only says its id.
pub(super) async fn authenticate(app: &App, sent: &Credentials) -> Result<Client, Fault> {
    Ok(proved(app, sent).await?.client)
}

/// The same with what it has said beside.
pub(super) async fn proved(app: &App, sent: &Credentials) -> Result<Proved, Fault> {
    let ways = [sent.basic.is_some(), sent.client_secret.is_some(), sent.assertion.is_some()];
    if ways.iter().filter(|way| **way).count() > 1 {
        let why = "a client proves itself in one way (RFC 6749, section 2.3)";
        return Err(Fault::new(Code::InvalidRequest, why));
    }
    if sent.assertion.is_some() || sent.assertion_type.is_some() {
        return by_assertion(app, sent).await;
    }
    let (id, secret) = match (&sent.basic, &sent.client_id) {
        (Some((id, _)), Some(other)) if id != other => return Err(unknown()),
        (Some((id, secret)), _) => (id, Some(secret)),
        (None, Some(id)) => (id, sent.client_secret.as_ref()),
        (None, None) => return Err(invalid("say which client asks: `client_id` is missing")),
    };
    let id = id.clone();
    let client = app.run(move |app| client(app, &id)).await?.ok_or_else(unknown)?;
    let proved = match (&client.authentication, secret) {
        (Authentication::Public, None) => true,
        (Authentication::Secret(hash), Some(secret)) => {
            let token = Token::read(TokenKind::Secret, secret);
            // Hashes are compared, of a secret of 256 bits: the time it takes tells nothing.
            token.is_some_and(|token| crypto::hash::hex(&token.hash()) == *hash)
        }
        _ => false,
    };
    if proved { Ok(Proved { client, asserted: None }) } else { Err(unknown()) }
}

async fn by_assertion(app: &App, sent: &Credentials) -> Result<Proved, Fault> {
    if sent.assertion_type.as_deref() != Some(assertion::TYPE) {
        return Err(invalid(format!("`client_assertion_type` must be `{}`", assertion::TYPE)));
    }
    let text = sent.assertion.clone().ok_or_else(|| invalid("`client_assertion` is missing"))?;
    let id = claimed_client(&text).ok_or_else(unknown)?;
    if sent.client_id.as_ref().is_some_and(|stated| *stated != id) {
        return Err(unknown());
    }
    let named = id.clone();
    let client = app.run(move |app| client(app, &named)).await?.ok_or_else(unknown)?;
    if let Authentication::Certificate { uri, community } = &client.authentication {
        return by_certificate(app, &client, (uri, community), &text).await;
    }
    let stated = crypto::jwk::stated_key_address(&text);
    let keys = match &client.authentication {
        Authentication::Keys(_) | Authentication::Public | Authentication::Secret(_)
            if stated.is_some() =>
        {
            return Err(invalid("`jku` is not the key address that is registered"));
        }
        Authentication::Keys(keys) => keys.clone(),
        Authentication::KeyAddress(registered) => {
            if stated.is_some_and(|stated| stated != *registered) {
                return Err(invalid("`jku` is not the key address that is registered"));
            }
            fetch(app, registered).await?
        }
        Authentication::Public | Authentication::Secret(_) | Authentication::Certificate { .. } => {
            return Err(unknown());
        }
    };
    let keys = KeySet::parse(&keys).map_err(|e| invalid(e.to_string()))?;
    let now_s = app.now_ms().div_euclid(1000);
    let audience = address(app, "token");
    let holds = assertion::judge(&text, &client.id, &keys, &audience, now_s);
    let holds = holds.map_err(|e| invalid(e.to_string()))?;
    let spent = client.id.clone();
    app.run(move |app| Ok(spend(app, &spent, &holds.jti, holds.expires_s))).await??;
    Ok(Proved { client, asserted: None })
}

/// The client that an assertion claims to come from, before anything is checked.
fn claimed_client(text: &str) -> Option<String> {
    let claims = Signed::unchecked::<Map<String, Value>>(text)?;
    claims.get("sub").and_then(Value::as_str).map(str::to_owned)
}

/// A client of UDAP: the certificate holds now, and is for the address it registered with.
async fn by_certificate(
    app: &App,
    client: &Client,
    (uri, community): (&str, &str),
    text: &str,
) -> Result<Proved, Fault> {
    let own = app.udap().filter(|own| own.community == *community).ok_or_else(unknown)?;
    let now_s = app.now_ms().div_euclid(1000);
    let signed = own.anchors.verify::<Map<String, Value>>(text, now_s);
    let signed = signed.map_err(|e| invalid(e.to_string()))?;
    let audience = address(app, "token");
    let judged = oauth::udap::judge_assertion(&signed, &client.id, uri, &audience, now_s);
    let (claims, asserted) =
        judged.map_err(|why| invalid(format!("the client assertion does not hold: {why}")))?;
    let spent = client.id.clone();
    app.run(move |app| Ok(spend(app, &spent, &claims.jti, claims.expires_s))).await??;
    Ok(Proved { client: client.clone(), asserted })
}

/// Writes down that a token of `client` was used; one that was used before is refused, also when
/// two come at the same moment.
pub(super) fn spend(app: &App, client: &str, jti: &str, expires_s: i64) -> Result<(), Fault> {
    let key = crypto::hash::sha256_of_parts(&[client.as_bytes(), b"\0", jti.as_bytes()]);
    // Beyond its expiry an assertion is refused anyway; a minute more covers differing clocks.
    let forget_ms = expires_s.saturating_add(60).saturating_mul(1000);
    let transaction = Transaction {
        guards: vec![Guard::Side { space: ASSERTIONS, key: key.to_vec(), value: None }],
        side: vec![put(ASSERTIONS, &key, &forget_ms)],
        ..Transaction::default()
    };
    match app.store().commit(transaction) {
        Ok(_) => Ok(()),
        Err(StoreError::GuardFailed) => Err(invalid("the `jti` of the assertion was used before")),
        Err(error) => Err(error.into()),
    }
}

/// The keys at a client's address, fetched for each assertion: how long they might be kept is not
/// known, and a key that was taken away must not serve again.
async fn fetch(app: &App, address: &str) -> Result<String, Fault> {
    let state = app.apps();
    let fetcher = state
        .fetcher
        .get_or_init(|| Fetcher::new(app.jobs().options().allowed.clone()).ok())
        .as_ref()
        .ok_or_else(|| Fault::new(Code::ServerError, "keys cannot be fetched by this node"))?;
    let most = crypto::jwk::MAX_SET_BYTES as u64;
    let wish = Wish { url: address, headers: &[], accept: "application/json", most };
    let mut bytes = Vec::new();
    let fetched =
        tokio::time::timeout(KEYS_WITHIN, fetcher.fetch(wish, &mut bytes, &|_| true)).await;
    match fetched {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(invalid(format!("the client's keys: {error}"))),
        Err(_) => return Err(invalid("the client's keys did not come in time")),
    }
    String::from_utf8(bytes).map_err(|_| invalid("the client's keys are not UTF-8"))
}
