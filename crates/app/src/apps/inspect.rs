//! Introspection (RFC 7662) and revocation (RFC 7009) of tokens.

use oauth::{Kind as TokenKind, Scope, Scopes, Token};
use serde_json::{Value, json};
use store::Transaction;

use super::access::{Access, behind, check_binding, find};
use super::authenticate::{Credentials, authenticate};
use super::record::{Held, TOKENS, held, remove, revoke};
use super::token::shown_s;
use super::{Fault, fhir_base};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::consent::token::ihe_pcf;
use crate::{App, Caller, Error, Result};

/// What is known of a token, for the client that it was given to: a confidential one, or whoever
/// holds an access token of the same client as `bearer`, which says too whether a proof of its key
/// was checked. Of others' tokens nothing is told.
pub async fn introspect(
    app: &App,
    credentials: Credentials,
    bearer: Option<(String, bool)>,
    token: String,
) -> std::result::Result<Value, Fault> {
    let asker = match bearer {
        Some((bearer, proven)) => {
            let known = app.run(move |app| find(app, &bearer)).await?;
            let known = known.filter(|access| check_binding(access, proven).is_ok());
            known.map(|access| access.client)
        }
        None => Some(authenticate(app, &credentials).await?)
            .filter(|client| client.authentication.is_confidential()),
    };
    let asker = asker.ok_or_else(|| {
        let why = "introspection is for confidential clients and holders of an access token";
        Fault::new(oauth::Code::InvalidClient, why)
    })?;
    Ok(app
        .run(move |app| {
            let inactive = json!({"active": false});
            match find(app, &token)?.filter(|access| access.client.id == asker.id) {
                Some(access) => described(app, &access),
                None => Ok(described_refresh(app, &token, &asker.id)?.unwrap_or(inactive)),
            }
        })
        .await?)
}

fn described(app: &App, access: &Access) -> Result<Value> {
    let mut told = json!({
        "active": true,
        "scope": access.scopes,
        "client_id": access.client.id,
        "token_type": "Bearer",
        "iat": access.issued_ms.div_euclid(1000),
        "exp": access.expires_ms.div_euclid(1000),
    });
    if let Some(key) = &access.key {
        // RFC 9449, section 6.2.
        told["token_type"] = json!("DPoP");
        told["cnf"] = json!({"jkt": key});
    }
    if access.client.grant == oauth::Grant::Code {
        // RFC 9470, section 6.2.
        told["acr"] = json!(access.user.acr());
        told["amr"] = json!(access.user.amr);
        told["auth_time"] = json!(shown_s(&access.user));
    }
    if let Some(asking) = &access.grant.asserted {
        told["extensions"] = json!({"hl7-b2b": super::udap::told(asking)});
    }
    let scopes = Scopes::parse(&access.grant.scopes).unwrap_or_default();
    if scopes.has(&Scope::OpenId) {
        told["iss"] = json!(app.org().base_url);
        told["sub"] = json!(access.user.id);
    }
    if scopes.has(&Scope::FhirUser)
        && let Some(who) = crate::accounts::fhir_user(app, &access.user)?
    {
        told["fhirUser"] = json!(format!("{}/{who}", fhir_base(app)));
    }
    if let Some(patient) = &access.grant.patient {
        told["patient"] = json!(patient);
        told["need_patient_banner"] = json!(true);
        let caller = Caller {
            purpose: crate::authorise::default_purpose(&access.user),
            user: access.user.clone(),
            evidence: None,
            request_id: app.new_id().to_string(),
            address: String::new(),
            granted: None,
        };
        if let Some(left) = ihe_pcf(app, &caller, patient)? {
            told["extensions"] = json!({"ihe_pcf": left});
        }
    }
    if let Some(encounter) = &access.grant.encounter {
        told["encounter"] = json!(encounter);
    }
    Ok(told)
}

fn described_refresh(app: &App, text: &str, client: &str) -> Result<Option<Value>> {
    let Some(token) = Token::read(TokenKind::Refresh, text) else { return Ok(None) };
    let Some((_, Held::Refresh { grant, expires_ms, used: false, key })) = held(app, &token)?
    else {
        return Ok(None);
    };
    let standing = behind(app, &grant)?.filter(|(grant, ..)| grant.client == client);
    let Some((grant, ..)) = standing.filter(|_| app.now_ms() < expires_ms) else {
        return Ok(None);
    };
    let mut told = json!({
        "active": true,
        "scope": grant.scopes,
        "client_id": client,
        "token_type": "refresh_token",
        "exp": expires_ms.div_euclid(1000),
    });
    if let Some(key) = key {
        told["cnf"] = json!({"jkt": key});
    }
    Ok(Some(told))
}

/// Ends a token of the client: an access token alone, a refresh token with all that came of its
/// grant. What is not the client's, or not known, is left alone, and the answer is the same.
pub async fn end(
    app: &App,
    credentials: Credentials,
    token: String,
) -> std::result::Result<(), Fault> {
    let client = authenticate(app, &credentials).await?;
    app.run(move |app| end_of(app, &client.id, &token)).await?;
    Ok(())
}

fn end_of(app: &App, client: &str, text: &str) -> Result<()> {
    let kinds = [TokenKind::Access, TokenKind::Refresh];
    let Some(token) = kinds.into_iter().find_map(|kind| Token::read(kind, text)) else {
        return Ok(());
    };
    let (grant, is_refresh) = match held(app, &token)? {
        Some((_, Held::Access { grant, .. })) => (grant, false),
        Some((_, Held::Refresh { grant, .. })) => (grant, true),
        _ => return Ok(()),
    };
    let standing = behind(app, &grant)?.filter(|(grant, ..)| grant.client == client);
    if standing.is_none() {
        return Ok(());
    }
    let event = Event::by_node(Pattern::Delegate).note(format!("app {client} gave back a token"));
    let writes = vec![event.write(app)?];
    if is_refresh {
        revoke(app, &grant)?;
    }
    let side = vec![remove(TOKENS, &token.hash())];
    app.store()
        .commit(Transaction { writes, side, ..Transaction::default() })
        .map_err(Error::from)?;
    Ok(())
}
