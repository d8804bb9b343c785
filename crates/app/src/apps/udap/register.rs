//! A program registers, changes or cancels itself by a software statement.

use crypto::chain::ChainError;
use oauth::client::{Authentication, Client, ClientFault, Grant};
use oauth::udap::{Metadata, StatementFault, Wish, judge_statement};
use oauth::{Code, Level, Scope, Scopes};
use serde_json::{Map, Value, json};
use store::{Guard, SideWrite, Transaction};

use super::Community;
use crate::apps::authenticate::spend;
use crate::apps::record::{CLIENTS, put, remove};
use crate::apps::register::{MAX_CLIENTS, all};
use crate::apps::{Fault, address, origins};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::reach::is_honoured;
use crate::{App, Error};

/// What came of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What the program is told.
    pub told: Value,
    /// Whether it was not registered before.
    pub is_new: bool,
}

fn metadata_fault(why: impl Into<String>) -> Fault {
    Fault::new(Code::InvalidClientMetadata, why)
}

/// Carries out a statement, the body of `POST /oauth/register`.
///
/// The same address again in the same community changes the registration, and everything granted
/// before ends; a statement without grant types cancels it. A registration of another community, or
/// of the operator, is never touched.
pub fn register(app: &App, body: &Value) -> Result<Done, Fault> {
    let own = app.udap().ok_or_else(|| {
        Fault::new(Code::InvalidRequest, "programs do not register themselves at this node")
    })?;
    let invalid = |why: &str| Fault::new(Code::InvalidRequest, why);
    if body.get("udap").and_then(Value::as_str) != Some("1") {
        return Err(invalid("`udap` must be \"1\""));
    }
    let text = body.get("software_statement").and_then(Value::as_str);
    let text = text.ok_or_else(|| {
        Fault::new(Code::InvalidSoftwareStatement, "`software_statement` is required")
    })?;
    let now_s = app.now_ms().div_euclid(1000);
    let signed = own.anchors.verify::<Map<String, Value>>(text, now_s).map_err(|error| {
        let code = match error {
            ChainError::Untrusted | ChainError::Revoked => Code::UnapprovedSoftwareStatement,
            _ => Code::InvalidSoftwareStatement,
        };
        Fault::new(code, error.to_string())
    })?;
    let statement = judge_statement(&signed, &address(app, "register"), now_s);
    let statement = statement.map_err(|fault| match fault {
        StatementFault::Token(why) => Fault::new(Code::InvalidSoftwareStatement, why),
        StatementFault::Metadata(why) => metadata_fault(why),
    })?;
    let claims = &statement.claims;
    let clients = all(app)?;
    let proof = Authentication::Certificate {
        uri: claims.issuer.clone(),
        community: own.community.clone(),
    };
    let before = clients.iter().find(|client| client.authentication == proof);
    if before.is_none() && clients.len() >= MAX_CLIENTS {
        return Err(Fault::new(Code::TemporarilyUnavailable, "no more programs can be registered"));
    }
    let done = match &statement.wish {
        Wish::Cancel => None,
        Wish::Register(metadata) => Some((metadata, client(app, own, metadata, proof, before)?)),
    };
    spend(app, &claims.issuer, &claims.jti, claims.expires_s).map_err(|fault| {
        match fault.code {
            Code::InvalidClient => Fault::new(Code::InvalidSoftwareStatement, fault.why),
            _ => fault,
        }
    })?;
    match (done, before) {
        (Some((metadata, client)), _) => {
            keep(app, &client, before)?;
            Ok(Done { told: told(&client, metadata), is_new: before.is_none() })
        }
        (None, Some(before)) => {
            let side = vec![remove(CLIENTS, before.id.as_bytes())];
            write(app, &format!("program {} cancelled itself", before.id), side, Vec::new())?;
            Ok(Done { told: json!({"client_id": before.id, "grant_types": []}), is_new: false })
        }
        (None, None) => Err(metadata_fault("there is no registration to cancel")),
    }
}

/// The registration that metadata stand for.
fn client(
    app: &App,
    own: &Community,
    metadata: &Metadata,
    proof: Authentication,
    before: Option<&Client>,
) -> Result<Client, Fault> {
    let asked = Scopes::parse(&metadata.scope).unwrap_or_default();
    let registry = app.store().registry();
    let honoured =
        |scope: &Scope| scope.resource().is_none_or(|scope| is_honoured(&registry, scope));
    let (scopes, account) = match metadata.grant {
        Grant::Credentials => {
            let allowed = Scopes::parse(&own.scopes).unwrap_or_default();
            (asked.and(&allowed).only(honoured), Some(account(app, own)?))
        }
        Grant::Code => {
            let is_lasting = |scope: &Scope| matches!(scope, Scope::Offline | Scope::Online);
            let of_people = asked.only(|scope| {
                scope.resource().is_none_or(|scope| scope.level != Level::System)
                    && (metadata.refreshes || !is_lasting(scope))
            });
            (of_people.only(honoured), None)
        }
    };
    if scopes.is_empty() {
        return Err(metadata_fault("nothing of `scope` is offered; see `scopes_supported`"));
    }
    let now = app.now_ms();
    let client = Client {
        id: before.map_or_else(|| app.new_id().to_string(), |before| before.id.clone()),
        name: metadata.name.clone(),
        publisher: metadata
            .contacts
            .first()
            .cloned()
            .unwrap_or_default()
            .chars()
            .take(100)
            .collect(),
        authentication: proof,
        grant: metadata.grant,
        redirects: metadata.redirects.clone(),
        launch: None,
        scopes: scopes.to_string(),
        account,
        created_ms: before.map_or(now, |before| before.created_ms),
        changed_ms: before.map(|_| now),
    };
    client.check().map_err(|e: ClientFault| metadata_fault(e.to_string()))?;
    Ok(client)
}

/// The account whose permission programs have.
fn account(app: &App, own: &Community) -> Result<String, Fault> {
    let found = app.identity().accounts().find(&own.account);
    let found = found.map_err(|e| Fault::from(Error::internal(e.to_string())))?;
    let usable = found.filter(|account| !account.disabled && account.patient.is_none());
    usable.map(|account| account.id).ok_or_else(|| {
        metadata_fault("client_credentials is not offered: no account is set up for programs")
    })
}

fn keep(app: &App, client: &Client, before: Option<&Client>) -> Result<(), Fault> {
    let key = client.id.as_bytes();
    // Of two statements at the same moment one is refused, and is to be sent again.
    let value = before.map(|before| put(CLIENTS, key, before).value.unwrap_or_default());
    let guards = vec![Guard::Side { space: CLIENTS, key: key.to_vec(), value }];
    let what = if before.is_none() { "registered" } else { "changed" };
    let note = format!("program {} {what} itself", client.id);
    write(app, &note, vec![put(CLIENTS, key, client)], guards)
}

fn write(app: &App, note: &str, side: Vec<SideWrite>, guards: Vec<Guard>) -> Result<(), Fault> {
    let event = Event::by_node(Pattern::Configure).note(note);
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { guards, writes, side })?;
    origins::forget(app);
    Ok(())
}

/// What was registered, as granted.
fn told(client: &Client, metadata: &Metadata) -> Value {
    let mut told = json!({
        "client_id": client.id,
        "client_id_issued_at": client.created_ms.div_euclid(1000),
        "client_name": client.name,
        "contacts": metadata.contacts,
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": client.scopes,
    });
    match client.grant {
        Grant::Credentials => told["grant_types"] = json!(["client_credentials"]),
        Grant::Code => {
            told["grant_types"] = match metadata.refreshes {
                true => json!(["authorization_code", "refresh_token"]),
                false => json!(["authorization_code"]),
            };
            told["redirect_uris"] = json!(client.redirects);
            told["response_types"] = json!(["code"]);
        }
    }
    told
}
