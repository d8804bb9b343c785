//! What a person has allowed, to see and to end.

use fhir::Id;
use oauth::Scopes;
use store::Transaction;

use super::consent::{grant_patient, through};
use super::record::{GRANTS, Grant, client, read, remove};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Result};

/// Most grants that are listed.
const MAX_LISTED: usize = 500;

/// An app that may ask in somebody's name.
#[derive(Clone, Debug)]
pub struct Allowed {
    /// The grant.
    pub id: String,
    /// What people call the app.
    pub name: String,
    /// Who made it.
    pub publisher: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The patient that it is about.
    pub patient: Option<Id>,
    /// When it was allowed, milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// Until when.
    pub until_ms: i64,
}

/// The apps that the caller has allowed, newest first.
pub fn list(app: &App, caller: &Caller) -> Result<Vec<Allowed>> {
    crate::authorise::by_a_person(app, caller, policy::Action::Read)?;
    let prefix = format!("{}.", caller.user.id);
    let found = app.store().snapshot()?.side_scan(GRANTS, prefix.as_bytes(), MAX_LISTED)?;
    let now = app.now_ms();
    let mut list = Vec::new();
    for (_, bytes) in found {
        let grant: Grant = serde_json::from_slice(&bytes)
            .map_err(|_| Error::internal("what an app was granted cannot be read"))?;
        let Some(client) = client(app, &grant.client)?.filter(|_| now < grant.expires_ms) else {
            continue;
        };
        list.push(Allowed {
            patient: grant_patient(&grant),
            scopes: Scopes::parse(&grant.scopes).unwrap_or_default(),
            since_ms: grant.created_ms,
            until_ms: grant.expires_ms,
            id: grant.id,
            name: client.name,
            publisher: client.publisher,
        });
    }
    list.sort_by_key(|one| std::cmp::Reverse(one.since_ms));
    Ok(list)
}

/// Ends what the caller has allowed; the app's tokens are void at once.
///
/// Errors: [`crate::Kind::NotFound`] for what is not the caller's.
pub fn end(app: &App, caller: &Caller, id: &str) -> Result<()> {
    crate::authorise::by_a_person(app, caller, policy::Action::Read)?;
    let grant: Option<Grant> = read(app, GRANTS, id.as_bytes())?;
    let grant = grant.filter(|grant| grant.account == caller.user.id);
    let grant = grant.ok_or_else(Error::not_found)?;
    let registered = client(app, &grant.client)?;
    let by = registered.map_or_else(|| caller.clone(), |client| through(caller, &grant, &client));
    let event = Event::by(&by, Pattern::Delegate).note("access was taken back from an app");
    let writes = vec![event.patients(grant_patient(&grant)).write(app)?];
    let side = vec![remove(GRANTS, id.as_bytes())];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    Ok(())
}
