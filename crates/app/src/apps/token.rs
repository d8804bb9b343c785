//! The token endpoint (RFC 6749, section 3.2): a code, a refresh token or a client's own
//! credentials become an access token.

use oauth::client::{Authentication, Client, Grant as Way};
use oauth::{Code, Kind as TokenKind, Permission, Scope, Scopes, Shown, Token, pkce};
use serde_json::{Map, Value, json};
use store::{StoreError, Transaction};

use super::access::behind;
use super::authenticate::{Credentials, Proved, proved};
use super::consent::{grant_patient, through};
use super::record::{GRANTS, Grant, Held, TOKENS, client, held, put, put_token, revoke, unchanged};
use super::{ACCESS_MS, BACKEND_MS, Fault, address, dpop, fhir_base, udap};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, User};

/// How long an ID token holds, in seconds.
const ID_TOKEN_S: i64 = 300;

/// A request at the token endpoint.
#[derive(Clone, Default)]
pub struct TokenRequest {
    /// What the client proves itself with.
    pub credentials: Credentials,
    /// `grant_type`
    pub grant_type: Option<String>,
    /// `code`
    pub code: Option<String>,
    /// `redirect_uri`
    pub redirect: Option<String>,
    /// `code_verifier`
    pub verifier: Option<String>,
    /// `refresh_token`
    pub refresh: Option<String>,
    /// `scope`
    pub scope: Option<String>,
    /// `udap`
    pub udap: Option<String>,
    /// The header `DPoP`.
    pub proof: Option<String>,
    /// The client's network address, for the audit.
    pub address: String,
}

impl std::fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRequest").field("grant_type", &self.grant_type).finish_non_exhaustive()
    }
}

/// Answers a request with the JSON object to send.
pub async fn token(app: &App, request: TokenRequest) -> Result<Value, Fault> {
    let way = match request.grant_type.as_deref() {
        Some(way @ ("authorization_code" | "refresh_token" | "client_credentials")) => {
            way.to_owned()
        }
        Some(_) => {
            let why = "`grant_type` is authorization_code, refresh_token or client_credentials";
            return Err(Fault::new(Code::UnsupportedGrantType, why));
        }
        None => return Err(Fault::new(Code::InvalidRequest, "`grant_type` is required")),
    };
    // Judged before anything is spent: whoever is told a nonce comes again with the same code.
    let proof = request.proof.as_deref();
    let proof = proof.map(|proof| dpop::judged(app, proof, "POST", &address(app, "token"), None));
    let proof = proof.transpose()?;
    let Proved { client, asserted } = match owner(app, &way, &request).await? {
        Some(client) => Proved { client, asserted: None },
        None => proved(app, &request.credentials).await?,
    };
    let is_udap = matches!(client.authentication, Authentication::Certificate { .. });
    if is_udap && request.udap.as_deref() != Some("1") {
        return Err(Fault::new(Code::InvalidRequest, "`udap=1` is required of a client of UDAP"));
    }
    if let Some(proof) = &proof {
        dpop::spend(app, proof)?;
    }
    let key = proof.map(|proof| proof.key);
    let expected = match way.as_str() {
        "client_credentials" => Way::Credentials,
        _ => Way::Code,
    };
    if client.grant != expected {
        let why = "the client is not registered for this `grant_type`";
        return Err(Fault::new(Code::UnauthorizedClient, why));
    }
    let answer = app.run(move |app| {
        Ok(match way.as_str() {
            "authorization_code" => by_code(app, &client, &request, key),
            "refresh_token" => by_refresh(app, &client, &request, key),
            _ => by_credentials(app, &client, &request, asserted.as_ref(), key),
        })
    });
    answer.await?
}

/// The public client that a refresh token belongs to, where the request does not say who asks. Such a
/// client has nothing to prove itself with (RFC 6749, section 6), its id is no secret, and
/// `fhirclient` leaves it out.
async fn owner(app: &App, way: &str, request: &TokenRequest) -> Result<Option<Client>, Fault> {
    if way != "refresh_token" || !request.credentials.is_empty() {
        return Ok(None);
    }
    let token = request.refresh.as_deref().and_then(|text| Token::read(TokenKind::Refresh, text));
    let Some(token) = token else { return Ok(None) };
    let found = app.run(move |app| {
        let Some((_, Held::Refresh { grant, .. })) = held(app, &token)? else { return Ok(None) };
        let Some((grant, ..)) = behind(app, &grant)? else { return Ok(None) };
        client(app, &grant.client)
    });
    Ok(found.await?.filter(|client| client.authentication == Authentication::Public))
}

fn invalid_grant(why: &str) -> Fault {
    Fault::new(Code::InvalidGrant, why)
}

fn required<'a>(value: &'a Option<String>, why: &str) -> Result<&'a str, Fault> {
    value.as_deref().ok_or_else(|| Fault::new(Code::InvalidRequest, why))
}

/// A code: once, within a minute, by the client that asked, with the same redirect address and the
/// proof of its challenge. A code that comes twice, or without its proof, was stolen: all that came
/// of it ends (RFC 6749, section 4.1.2; RFC 9700, section 2.1.1).
fn by_code(
    app: &App,
    client: &Client,
    request: &TokenRequest,
    proven: Option<String>,
) -> Result<Value, Fault> {
    let text = required(&request.code, "`code` is required")?;
    let verifier = required(&request.verifier, "`code_verifier` is required")?;
    let wrong = || invalid_grant("the code is not known, has expired, or is another client's");
    let token = Token::read(TokenKind::Code, text).ok_or_else(wrong)?;
    let Some((bytes, Held::Code { grant, redirect, challenge, expires_ms, used, key })) =
        held(app, &token)?
    else {
        return Err(wrong());
    };
    let standing = behind(app, &grant)?.filter(|(grant, ..)| grant.client == client.id);
    let (grant, _, user) = standing.ok_or_else(wrong)?;
    if used || !pkce::proves(verifier, &challenge) {
        revoke(app, &grant.id)?;
        return Err(match used {
            true => invalid_grant("the code was used before; everything that came of it has ended"),
            false => invalid_grant("`code_verifier` does not belong to the challenge"),
        });
    }
    if app.now_ms() >= expires_ms || request.redirect.as_deref() != Some(redirect.as_str()) {
        return Err(wrong());
    }
    check_key(key.as_deref(), proven.as_deref())?;
    let spent =
        Held::Code { grant: grant.id.clone(), redirect, challenge, expires_ms, used: true, key };
    let before = (&token, bytes, spent);
    let given = Given { client, grant: &grant, user: &user, scopes: &grant.scopes, key: proven };
    issue(app, given, Some(before), request)
}

/// A refresh token: once; the answer holds the next one. One that comes twice ends the grant
/// (RFC 9700, section 4.14.2).
fn by_refresh(
    app: &App,
    client: &Client,
    request: &TokenRequest,
    proven: Option<String>,
) -> Result<Value, Fault> {
    let text = required(&request.refresh, "`refresh_token` is required")?;
    let wrong =
        || invalid_grant("the refresh token is not known, has expired, or is another client's");
    let token = Token::read(TokenKind::Refresh, text).ok_or_else(wrong)?;
    let Some((bytes, Held::Refresh { grant, expires_ms, used, key })) = held(app, &token)? else {
        return Err(wrong());
    };
    let standing = behind(app, &grant)?.filter(|(grant, ..)| grant.client == client.id);
    let (grant, _, user) = standing.ok_or_else(wrong)?;
    if used {
        revoke(app, &grant.id)?;
        let why = "the refresh token was used before; everything that came of it has ended";
        return Err(invalid_grant(why));
    }
    if app.now_ms() >= expires_ms {
        return Err(wrong());
    }
    let scopes = match &request.scope {
        None => grant.scopes.clone(),
        Some(asked) => narrowed(asked, &grant.scopes)?,
    };
    check_key(key.as_deref(), proven.as_deref())?;
    let spent = Held::Refresh { grant: grant.id.clone(), expires_ms, used: true, key };
    let given = Given { client, grant: &grant, user: &user, scopes: &scopes, key: proven };
    issue(app, given, Some((&token, bytes, spent)), request)
}

/// Whether what is bound to a key comes with the proof of that key (RFC 9449, sections 5 and 10).
fn check_key(bound: Option<&str>, proven: Option<&str>) -> Result<(), Fault> {
    match bound {
        Some(bound) if proven != Some(bound) => {
            let why = "it is bound to a key; send a DPoP proof by that key";
            Err(Fault::new(Code::InvalidDpopProof, why))
        }
        _ => Ok(()),
    }
}

/// Scopes that were asked for when all of them are allowed.
fn narrowed(asked: &str, allowed: &str) -> Result<String, Fault> {
    let beyond = |why: &str| Fault::new(Code::InvalidScope, why);
    if let Some(unknown) = Scopes::first_unknown(asked) {
        let unknown: String = unknown.chars().take(80).collect();
        return Err(beyond(&format!("the scope `{unknown}` is not understood")));
    }
    let asked = Scopes::parse(asked).filter(|asked| !asked.is_empty());
    let asked = asked.ok_or_else(|| beyond("`scope` is empty or too long"))?;
    let allowed = Scopes::parse(allowed).unwrap_or_default();
    match allowed.covers(&asked) {
        true => Ok(asked.to_string()),
        false => Err(beyond("`scope` goes beyond what was allowed")),
    }
}

/// SMART Backend Services: what the operator has allowed, for five minutes, without a refresh
/// token. A program of UDAP says besides for whom and what it asks, and may leave `scope` out.
fn by_credentials(
    app: &App,
    client: &Client,
    request: &TokenRequest,
    asserted: Option<&Value>,
    key: Option<String>,
) -> Result<Value, Fault> {
    let asserted = match &client.authentication {
        Authentication::Certificate { .. } => Some(udap::asking(asserted)?),
        _ => None,
    };
    let scopes = match &request.scope {
        Some(scope) => narrowed(scope, &client.scopes)?,
        None if asserted.is_some() => client.scopes.clone(),
        None => return Err(Fault::new(Code::InvalidScope, "`scope` is required")),
    };
    let account = client.account.as_deref().unwrap_or_default();
    let found = app.identity().accounts().get(account);
    let found = found.map_err(|e| Fault::from(Error::internal(e.to_string())))?;
    let account = found.filter(|account| !account.disabled);
    let account = account.ok_or_else(|| {
        Fault::new(Code::UnauthorizedClient, "the account of this service has ended")
    })?;
    let now = app.now_ms();
    let grant = Grant {
        id: format!("{}.{}", account.id, app.new_token()),
        client: client.id.clone(),
        account: account.id.clone(),
        role: account.role.code().to_owned(),
        own: None,
        acting: None,
        scopes: scopes.clone(),
        patient: None,
        nonce: None,
        amr: Vec::new(),
        auth_time_ms: now,
        mfa_time_ms: None,
        encounter: None,
        asserted,
        created_ms: now,
        expires_ms: now + BACKEND_MS,
    };
    let user = User {
        id: account.id,
        role: grant.role.clone(),
        name: account.display_name,
        patient: None,
        practitioner: account.practitioner,
        acting: None,
        amr: Vec::new(),
        auth_time_ms: now,
        mfa_time_ms: None,
    };
    let given = Given { client, grant: &grant, user: &user, scopes: &scopes, key };
    issue(app, given, None, request)
}

/// The token that is spent, its record as it was read, and as it stays.
type Spent<'a> = (&'a Token, Vec<u8>, Held);

/// To whom tokens are given, and for what.
struct Given<'a> {
    client: &'a Client,
    grant: &'a Grant,
    user: &'a User,
    scopes: &'a str,
    /// The thumbprint of the key that they are bound to.
    key: Option<String>,
}

/// Writes new tokens down, together with the end of the one that was given for them and an audit
/// entry, and says what the client is told.
fn issue(
    app: &App,
    given: Given<'_>,
    spent: Option<Spent<'_>>,
    request: &TokenRequest,
) -> Result<Value, Fault> {
    let Given { client, grant, user, scopes, key } = given;
    let now = app.now_ms();
    let lasts = if client.grant == Way::Credentials { BACKEND_MS } else { ACCESS_MS };
    let access = Token::new(TokenKind::Access, &app.new_token());
    let held = Held::Access {
        grant: grant.id.clone(),
        scopes: scopes.to_owned(),
        issued_ms: now,
        expires_ms: now + lasts,
        key: key.clone(),
    };
    let mut side = vec![put_token(&access, &held)];
    let all = Scopes::parse(&grant.scopes).unwrap_or_default();
    let mut answer = Map::new();
    answer.insert("access_token".into(), json!(access.reveal()));
    let kind = if key.is_some() { "DPoP" } else { "Bearer" };
    answer.insert("token_type".into(), json!(kind));
    answer.insert("expires_in".into(), json!(lasts / 1000));
    answer.insert("scope".into(), json!(scopes));
    if all.has(&Scope::Offline) || all.has(&Scope::Online) {
        let refresh = Token::new(TokenKind::Refresh, &app.new_token());
        let (grant, expires_ms) = (grant.id.clone(), grant.expires_ms);
        // A confidential client proves itself at each use (RFC 9449, section 5).
        let key = key.filter(|_| !client.authentication.is_confidential());
        side.push(put_token(&refresh, &Held::Refresh { grant, expires_ms, used: false, key }));
        answer.insert("refresh_token".into(), json!(refresh.reveal()));
    }
    if all.has(&Scope::OpenId) && client.grant == Way::Code {
        answer.insert("id_token".into(), json!(id_token(app, grant, user)?));
    }
    context(app, grant, &all, &mut answer);
    let mut guards = Vec::new();
    match spent {
        Some((token, bytes, held)) => {
            guards.push(unchanged(TOKENS, &token.hash(), bytes));
            side.push(put_token(token, &held));
        }
        None => side.push(put(GRANTS, grant.id.as_bytes(), grant)),
    }
    let caller = caller(app, user, &request.address);
    let caller = through(&caller, grant, client);
    let event = Event::by(&caller, Pattern::Delegate).note("an access token was given out");
    let writes = vec![event.patients(grant_patient(grant)).write(app)?];
    match app.store().commit(Transaction { guards, writes, side }) {
        Ok(_) => Ok(Value::Object(answer)),
        Err(StoreError::GuardFailed) => {
            // Two came with the same code or token at the same moment.
            revoke(app, &grant.id)?;
            Err(invalid_grant("it was used before; everything that came of it has ended"))
        }
        Err(error) => Err(error.into()),
    }
}

/// The launch context beside the token (SMART App Launch 2.2, scopes and launch context).
fn context(app: &App, grant: &Grant, scopes: &Scopes, answer: &mut Map<String, Value>) {
    if let Some(patient) = &grant.patient {
        answer.insert("patient".into(), json!(patient));
        // Only an app that was opened from a record is framed by a page that names the patient,
        // and even then it is opened in a window of its own.
        answer.insert("need_patient_banner".into(), json!(true));
    }
    if let Some(encounter) = &grant.encounter {
        answer.insert("encounter".into(), json!(encounter));
    }
    if scopes.has(&Scope::Launch) {
        answer.insert("smart_style_url".into(), json!(super::address(app, "style.json")));
    }
}

fn caller(app: &App, user: &User, address: &str) -> Caller {
    Caller {
        purpose: crate::authorise::default_purpose(user),
        user: user.clone(),
        evidence: None,
        request_id: app.new_id().to_string(),
        address: address.to_owned(),
        granted: None,
    }
}

/// When a user last showed who they are, in seconds since the Unix epoch (`auth_time`).
pub(super) fn shown_s(user: &User) -> i64 {
    shown(user).newest_ms().div_euclid(1000)
}

/// How a user is signed in, for judging it against what an app demands.
pub(super) fn shown(user: &User) -> Shown<'_> {
    let (signed_in_ms, factor_ms) = (user.auth_time_ms, user.mfa_time_ms);
    Shown { acr: user.acr(), signed_in_ms, factor_ms }
}

/// Who the user is (OpenID Connect Core 1.0, section 2).
fn id_token(app: &App, grant: &Grant, user: &User) -> Result<String, Fault> {
    let now_s = app.now_ms().div_euclid(1000);
    let scopes = Scopes::parse(&grant.scopes).unwrap_or_default();
    let mut claims = json!({
        "iss": app.org().base_url,
        "sub": user.id,
        "aud": grant.client,
        "iat": now_s,
        "exp": now_s + ID_TOKEN_S,
        "auth_time": shown_s(user),
        "acr": user.acr(),
        "amr": user.amr,
    });
    if let Some(nonce) = &grant.nonce {
        claims["nonce"] = json!(nonce);
    }
    if scopes.has(&Scope::FhirUser)
        && let Some(who) = crate::accounts::fhir_user(app, user)?
    {
        claims["fhirUser"] = json!(format!("{}/{who}", fhir_base(app)));
    }
    Ok(super::sign(app, &claims.to_string())?)
}

/// Whether a list of scopes allows anything to be written, for a warning on pages.
pub fn writes(scopes: &Scopes) -> bool {
    let changing = [Permission::Create, Permission::Update, Permission::Delete];
    scopes.resources().any(|scope| changing.iter().any(|one| scope.can.has(*one)))
}
