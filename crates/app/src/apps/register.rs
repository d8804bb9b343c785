//! The operator registers apps and backend services.

use crypto::jwk::KeySet;
use oauth::client::{Authentication, Client, ClientFault, Grant};
use oauth::{Kind as TokenKind, Token};
use store::{Guard, Transaction};

use super::record::{CLIENTS, client, put, remove};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// Most apps of a node.
pub(super) const MAX_CLIENTS: usize = 1_000;

/// How a new app will prove itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Not at all.
    Public,
    /// By a secret that the node makes.
    Secret,
    /// With these public keys, a JWK set.
    Keys(String),
    /// With the keys at this address.
    KeyAddress(String),
}

/// An app to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct New {
    /// What people call it.
    pub name: String,
    /// Who made it.
    pub publisher: String,
    /// How it proves itself.
    pub proof: Proof,
    /// Where people are sent back to.
    pub redirects: Vec<String>,
    /// Where an EHR launch begins.
    pub launch: Option<String>,
    /// The most that it may be granted.
    pub scopes: String,
    /// For a backend service, the username of the account whose permission it has.
    pub account: Option<String>,
}

/// An app that was registered.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The registration.
    pub client: Client,
    /// Its secret where it has one; shown once.
    pub secret: Option<Token>,
}

/// Registers an app for the operator who is signed in, or, without a caller, for whoever holds the
/// node's folder.
///
/// Errors: [`Kind::Unprocessable`] says what is wrong with the registration.
pub fn register(app: &App, caller: Option<&Caller>, new: New) -> Result<Registered> {
    check(app, caller)?;
    if app.store().snapshot()?.side_scan(CLIENTS, b"", MAX_CLIENTS)?.len() >= MAX_CLIENTS {
        let message = format!("a node has at most {MAX_CLIENTS} apps; remove one first");
        return Err(Error::new(Kind::TooCostly, message));
    }
    let secret =
        matches!(new.proof, Proof::Secret).then(|| Token::new(TokenKind::Secret, &app.new_token()));
    let authentication = match (new.proof, &secret) {
        (Proof::Public, _) => Authentication::Public,
        (Proof::Secret, secret) => {
            let hash = secret.as_ref().map(Token::hash).unwrap_or_default();
            Authentication::Secret(crypto::hash::hex(&hash))
        }
        (Proof::Keys(keys), _) => {
            KeySet::parse(&keys).map_err(|e| Error::new(Kind::Unprocessable, e.to_string()))?;
            Authentication::Keys(keys)
        }
        (Proof::KeyAddress(address), _) => Authentication::KeyAddress(address),
    };
    let account = new.account.as_deref().map(|name| account(app, name)).transpose()?;
    let client = Client {
        id: app.new_id().to_string(),
        name: new.name.trim().to_owned(),
        publisher: new.publisher.trim().to_owned(),
        authentication,
        grant: if account.is_some() { Grant::Credentials } else { Grant::Code },
        redirects: new.redirects,
        launch: new.launch,
        scopes: new.scopes,
        account,
        created_ms: app.now_ms(),
        changed_ms: None,
    };
    client.check().map_err(|e: ClientFault| Error::new(Kind::Unprocessable, e.to_string()))?;
    check_honoured(app, &client)?;
    let key = client.id.as_bytes();
    app.store().commit(Transaction {
        guards: vec![Guard::Side { space: CLIENTS, key: key.to_vec(), value: None }],
        writes: vec![event(caller, &format!("app {} registered", client.id)).write(app)?],
        side: vec![put(CLIENTS, key, &client)],
    })?;
    super::origins::forget(app);
    Ok(Registered { client, secret })
}

/// Every registered app, by name.
pub fn list(app: &App, caller: Option<&Caller>) -> Result<Vec<Client>> {
    check(app, caller)?;
    all(app)
}

/// Removes an app; everything that it was granted ends at once.
///
/// Errors: [`Kind::NotFound`].
pub fn withdraw(app: &App, caller: Option<&Caller>, id: &str) -> Result<()> {
    check(app, caller)?;
    client(app, id)?.ok_or_else(Error::not_found)?;
    app.store().commit(Transaction {
        writes: vec![event(caller, &format!("app {id} removed")).write(app)?],
        side: vec![remove(CLIENTS, id.as_bytes())],
        ..Transaction::default()
    })?;
    super::origins::forget(app);
    Ok(())
}

/// Every registered app.
pub(super) fn all(app: &App) -> Result<Vec<Client>> {
    let found = app.store().snapshot()?.side_scan(CLIENTS, b"", MAX_CLIENTS)?;
    let read = |bytes: &[u8]| {
        serde_json::from_slice::<Client>(bytes)
            .map_err(|_| Error::internal("the registration of an app cannot be read"))
    };
    let mut all: Vec<Client> = found.iter().map(|(_, bytes)| read(bytes)).collect::<Result<_>>()?;
    all.sort_by(|one, other| one.name.cmp(&other.name).then_with(|| one.id.cmp(&other.id)));
    Ok(all)
}

fn check(app: &App, caller: Option<&Caller>) -> Result<()> {
    match caller {
        Some(caller) => authorise(app, caller, Action::of(policy::Action::Operate)).map(|_| ()),
        None => Ok(()),
    }
}

fn event<'a>(caller: Option<&'a Caller>, note: &str) -> Event<'a> {
    let event = match caller {
        Some(caller) => Event::by(caller, Pattern::Configure),
        None => Event::by_node(Pattern::Configure),
    };
    event.note(note)
}

/// A scope that could not be kept to on every door is not registered.
fn check_honoured(app: &App, client: &Client) -> Result<()> {
    let registry = app.store().registry();
    let allowed = client.allowed();
    let honoured =
        |scope: &&oauth::ResourceScope| !crate::authorise::reach::is_honoured(&registry, scope);
    match allowed.resources().find(honoured) {
        None => Ok(()),
        Some(scope) => {
            let message = format!("this node cannot keep to the scope `{scope}`; simplify it");
            Err(Error::new(Kind::Unprocessable, message))
        }
    }
}

fn account(app: &App, username: &str) -> Result<String> {
    let found = app.identity().accounts().find(username);
    let found = found.map_err(|e| Error::internal(e.to_string()))?;
    let usable = found.filter(|account| !account.disabled && account.patient.is_none());
    usable.map(|account| account.id).ok_or_else(|| {
        let message = "there is no such account for a backend service; make one of role `service`";
        Error::new(Kind::Unprocessable, message)
    })
}
