//! Who stands behind an access token, at this moment.

use std::sync::Arc;

use oauth::{Client, Kind as TokenKind, Token};

use super::record::{GRANTS, Grant, Held, client, held, read};
use crate::caller::Granted;
use crate::{App, Caller, Error, Kind, Result, User};

/// An access token that holds.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub grant: Grant,
    pub client: Client,
    pub user: User,
    pub scopes: String,
    pub issued_ms: i64,
    pub expires_ms: i64,
    /// The thumbprint of the key that it is bound to.
    pub key: Option<String>,
}

/// Whether a text has the form of an access token.
pub fn is_one(text: &str) -> bool {
    Token::read(TokenKind::Access, text).is_some()
}

/// The user of an access token and what the app may do; `proven` says that a proof of possession
/// for it was checked ([`super::dpop::check`]).
///
/// Errors: [`Kind::Unauthenticated`] for one that is unknown, has expired or was revoked, where the
/// account or the app is not what it was, and where one that is bound to a key comes without proof.
pub fn resolve(app: &App, token: &str, proven: bool) -> Result<(User, Arc<Granted>)> {
    let access = find(app, token)?.ok_or_else(over)?;
    check_binding(&access, proven)?;
    let granted = access.grant.granted(&access.client, &access.scopes);
    Ok((access.user, Arc::new(granted)))
}

/// Whether a token comes as it was given out: with the proof of its key, or without any.
pub(super) fn check_binding(access: &Access, proven: bool) -> Result<()> {
    match (&access.key, proven) {
        (Some(_), false) => {
            let message = "the access token is bound to a key; send it as `Authorization: DPoP`, \
                           with a proof in `DPoP`";
            Err(Error::new(Kind::Unauthenticated, message).by_rule("invalid-token"))
        }
        (None, true) => Err(over()),
        _ => Ok(()),
    }
}

pub(super) fn over() -> Error {
    let message = "the access token is not known, has expired or was revoked; ask for a new one";
    Error::new(Kind::Unauthenticated, message).by_rule("invalid-token")
}

/// An access token that holds, with all that stands behind it.
pub(super) fn find(app: &App, text: &str) -> Result<Option<Access>> {
    let Some(token) = Token::read(TokenKind::Access, text) else { return Ok(None) };
    let Some((_, Held::Access { grant, scopes, issued_ms, expires_ms, key })) = held(app, &token)?
    else {
        return Ok(None);
    };
    if app.now_ms() >= expires_ms {
        return Ok(None);
    }
    let Some((grant, client, user)) = behind(app, &grant)? else { return Ok(None) };
    Ok(Some(Access { grant, client, user, scopes, issued_ms, expires_ms, key }))
}

/// A grant that was not revoked, its app, and its user as the account is now; `None` where any of
/// them has ended or is another.
pub(super) fn behind(app: &App, grant: &str) -> Result<Option<(Grant, Client, User)>> {
    let Some(grant) = read::<Grant>(app, GRANTS, grant.as_bytes())? else { return Ok(None) };
    let Some(client) = client(app, &grant.client)? else { return Ok(None) };
    if client.changed_ms.is_some_and(|changed_ms| grant.created_ms < changed_ms) {
        return Ok(None);
    }
    let account = app.identity().accounts().get(&grant.account);
    let account = account.map_err(|e| Error::internal(e.to_string()))?;
    let is_same = |account: &identity::Account| {
        account.role.code() == grant.role
            && account.patient.as_ref().map(ToString::to_string) == grant.own
    };
    let stands = account.filter(|account| {
        !account.disabled
            && account.allows_since(grant.created_ms)
            // Whether somebody may still act for a patient is asked below.
            && (grant.acting.is_some() || is_same(account))
    });
    let Some(account) = stands else { return Ok(None) };
    let user = User {
        id: account.id,
        role: grant.role.clone(),
        name: account.display_name,
        patient: account.patient,
        practitioner: account.practitioner,
        acting: None,
        amr: grant.amr.clone(),
        auth_time_ms: grant.auth_time_ms,
        mfa_time_ms: grant.mfa_time_ms,
    };
    let Some(related) = &grant.acting else { return Ok(Some((grant, client, user))) };
    let user = crate::proxies::stand::as_proxy(app, user, related)?;
    let is_same = user.patient.as_ref().map(ToString::to_string) == grant.own;
    Ok((user.acting.is_some() && is_same).then_some((grant, client, user)))
}

/// Whether what an app was granted when it ordered something has not been revoked since; true
/// where no app did.
pub(crate) fn still_stands(app: &App, caller: &Caller) -> Result<bool> {
    let Some(granted) = &caller.granted else { return Ok(true) };
    Ok(behind(app, &granted.id)?.is_some())
}
