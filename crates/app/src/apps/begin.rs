//! An app's request arrives with somebody's browser: it is judged before anybody is asked, and
//! waits in memory while the person signs in and decides.

use fhir::Id;
use oauth::{Client, Kind as TokenKind, Refusal, Request, Scope, Token, request};

use super::fhir_base;
use super::record::{Held, client, held};
use super::udap::tiered;
use crate::{App, Result};

/// How long a person may take, in milliseconds.
pub const PENDING_MS: i64 = 15 * 60 * 1000;
/// Requests that wait at once.
const MAX_PENDING: usize = 10_000;

/// A request that waits for a person.
#[derive(Clone, Debug)]
pub struct Pending {
    /// What is asked for.
    pub request: Request,
    /// Who asks.
    pub client: Client,
    /// The patient in context, once known.
    pub patient: Option<Id>,
    /// The encounter in context, of an EHR launch.
    pub(super) encounter: Option<String>,
    /// Whether the patient comes from an EHR launch and is not to be chosen again.
    pub(super) is_launched: bool,
    /// The provider of the community at which the person is to sign in, by its id.
    pub(super) provider: Option<String>,
    /// The account that decides: of the launch, or of whoever saw the request first.
    pub(super) account: Option<String>,
    /// What the person was last asked: about which patient, for which scopes.
    pub(super) shown: Option<(Option<Id>, String)>,
    /// When the request came.
    pub(super) created_ms: i64,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Begun {
    /// It waits under this token.
    Waiting(String),
    /// It cannot go on; the reason's key, for a page.
    Shown(&'static str),
    /// It cannot go on; the browser goes back to the app, to this address.
    Sent(String),
}

/// Judges a request; `params` are those of its query or form, decoded.
pub fn begin(app: &App, params: &[(String, String)]) -> Result<Begun> {
    let found = match request::client_id(params) {
        Some(id) if id.len() <= 100 => client(app, id)?,
        _ => None,
    };
    let Some(client) = found else { return Ok(Begun::Shown("client")) };
    let base = fhir_base(app);
    let context = request::Context { client: &client, fhir_base: &base };
    let request = match request::judge(params, context) {
        Ok(request) => request,
        Err(Refusal::Shown(why)) => return Ok(Begun::Shown(why)),
        Err(Refusal::Sent { redirect, state, code, why }) => {
            let mut answer = vec![("error", code.text()), ("error_description", why)];
            answer.extend(state.as_deref().map(|state| ("state", state)));
            return Ok(Begun::Sent(answered(app, &redirect, &answer)));
        }
    };
    let mut pending = Pending {
        request,
        client,
        patient: None,
        encounter: None,
        is_launched: false,
        provider: None,
        account: None,
        shown: None,
        created_ms: app.now_ms(),
    };
    match tiered::chosen(app, &pending) {
        Ok(provider) => pending.provider = provider,
        Err(code) => {
            let why = "this node does not take users from the identity provider that `idp` names";
            return Ok(Begun::Sent(tiered::told(app, &pending, code, why)));
        }
    }
    if let Some(launch) = pending.request.launch.clone() {
        match launched(app, &pending, &launch)? {
            Some((account, patient, encounter)) => {
                pending.is_launched = true;
                pending.patient = Some(patient);
                pending.encounter = encounter;
                pending.account = Some(account);
            }
            None => {
                let why = "`launch` is not known, has expired, or is another app's";
                let (redirect, state) = (&pending.request.redirect, &pending.request.state);
                let code = oauth::Code::InvalidRequest.text();
                let answer =
                    [("error", code), ("error_description", why), ("state", state.as_str())];
                return Ok(Begun::Sent(answered(app, redirect, &answer)));
            }
        }
    }
    Ok(Begun::Waiting(keep(app, pending)))
}

/// The account, the patient and the encounter of an EHR launch of this app.
fn launched(
    app: &App,
    pending: &Pending,
    launch: &str,
) -> Result<Option<(String, Id, Option<String>)>> {
    let Some(token) = Token::read(TokenKind::Launch, launch) else { return Ok(None) };
    let Some((_, Held::Launch { client, account, patient, expires_ms, encounter })) =
        held(app, &token)?
    else {
        return Ok(None);
    };
    let holds = client == pending.client.id
        && app.now_ms() < expires_ms
        && pending.request.scopes.has(&Scope::Launch);
    let patient = Id::new(patient).ok().filter(|_| holds);
    Ok(patient.map(|patient| (account, patient, encounter)))
}

fn keep(app: &App, pending: Pending) -> String {
    let token = app.new_token();
    let oldest = app.now_ms() - PENDING_MS;
    let mut all = app.apps().pending.lock();
    all.retain(|_, one| one.created_ms > oldest);
    // Whoever floods the node with requests pushes out the oldest, which can be made again.
    while all.len() >= MAX_PENDING {
        let first = all.iter().min_by_key(|(_, one)| one.created_ms);
        let Some(first) = first.map(|(token, _)| token.clone()) else { break };
        all.remove(&first);
    }
    all.insert(token.clone(), pending);
    token
}

/// A request that still waits under `token`.
pub(super) fn waiting(app: &App, token: &str) -> Option<Pending> {
    let oldest = app.now_ms() - PENDING_MS;
    app.apps().pending.lock().get(token).filter(|one| one.created_ms > oldest).cloned()
}

/// Puts the request that waits under `token` as it is now.
pub(super) fn update(app: &App, token: &str, pending: Pending) {
    if let Some(kept) = app.apps().pending.lock().get_mut(token) {
        *kept = pending;
    }
}

/// Takes a request away; `false` where somebody was faster.
pub(super) fn take(app: &App, token: &str) -> bool {
    app.apps().pending.lock().remove(token).is_some()
}

/// A redirect address with an answer in its query; what the query held before stays (RFC 6749,
/// section 3.1.2). `iss` says who answers (RFC 9207).
pub(super) fn answered(app: &App, redirect: &str, answer: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(answer);
    query.append_pair("iss", &app.org().base_url);
    let joint = match redirect.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{redirect}{joint}{}", query.finish())
}
