//! The pages of apps: a request arrives, a person decides, apps are opened, ended and registered.

use app::apps::begin::{Begun, begin};
use app::apps::consent::{self, Decision, Question, Unmet};
use app::apps::register::{self, New, Proof};
use app::apps::udap::tiered;
use app::apps::{launch, origins, standing};
use app::{Caller, Error, Kind, User};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, RawForm};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use store::Key;

use super::clinician::found_for;
use super::outside::for_request;
use super::person;
use super::proxies::for_app;
use super::session::{Made, Stop, Visit, done, id, page, see_other};
use crate::apps::allowed::{self, Allowed, AllowedView, EndForm};
use crate::apps::consent::{self as consent_page, ConsentForm, ConsentView};
use crate::apps::offered::{self, Offered, OfferedView, OfferedVisit};
use crate::apps::onward::{self, Way, Why};
use crate::apps::patient::{self as patient_page, ChooseForm, ChooseView};
use crate::apps::registry::{self, RegisterForm, Registered, RegistryView};
use crate::apps::wording::Reader;
use crate::chrome::{Notice, Role};
use crate::clinician::find::FindForm;
use crate::fault::Fault;
use crate::form::{Bare, Field};
use crate::paths::{AppRegistry, MyApps, Returning, SignIn};

/// Who may allow apps.
const PEOPLE: &[Role] = &[Role::Clinician, Role::Patient, Role::Proxy];
const OPERATOR: &[Role] = &[Role::Operator];

/// `GET` and `POST /oauth/authorize`: an app sends somebody's browser. Nobody needs to be signed
/// in yet, and from another site nobody appears to be.
pub async fn authorize(visit: Visit, RawForm(form): RawForm) -> Response {
    let made = try_authorize(&visit, &form).await;
    visit.finish(made)
}

async fn try_authorize(visit: &Visit, form: &[u8]) -> Made {
    let params: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
    match visit.app().run(move |app| begin(app, &params)).await? {
        Begun::Waiting(request) => page(onward::render(Way::App, &at(&request), &visit.chrome)?),
        Begun::Sent(address) => Ok(see_other(&address)),
        Begun::Shown("redirect") => refused(visit, Why::Redirect),
        Begun::Shown(_) => refused(visit, Why::Client),
    }
}

/// The page of a request that waits.
fn at(request: &str) -> String {
    format!("{}?request={}", crate::paths::AppConsent, crate::paths::Encoded(request))
}

/// The request whose page an address is.
pub fn request_at(address: &str) -> Option<String> {
    let (path, query) = address.split_once('?')?;
    let is_page = path == crate::paths::AppConsent.to_string();
    let mut pairs = form_urlencoded::parse(query.as_bytes()).filter(|_| is_page);
    pairs.find(|(name, _)| name == "request").map(|(_, value)| value.into_owned())
}

fn refused(visit: &Visit, why: Why) -> Made {
    let html = onward::render_refused(why, &visit.chrome)?;
    Ok((StatusCode::BAD_REQUEST, Html(html)).into_response())
}

/// What the page of a request is asked with.
#[derive(Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    request: String,
    #[serde(default)]
    q: String,
}

/// `GET /oauth/consent`
pub async fn consent(mut visit: Visit, wanted: Result<Query<Wanted>, QueryRejection>) -> Response {
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let made = try_consent(&mut visit, &wanted).await;
    let made = or_elsewhere(&visit, &wanted.request, made);
    visit.finish(made)
}

/// A request that waits no more has a page of its own; whoever acts for patients and has not said
/// for whom, or has chosen another since, says so first and comes back.
fn or_elsewhere(visit: &Visit, request: &str, made: Made) -> Made {
    match made {
        Err(Stop::Error(error)) if error.kind == Kind::Gone => refused(visit, Why::Expired),
        Err(Stop::Error(error)) if error.rule.as_deref() == Some(consent::CHOOSE_PATIENT) => {
            Ok(see_other(&for_app(&at(request))))
        }
        made => made,
    }
}

async fn try_consent(visit: &mut Visit, wanted: &Wanted) -> Made {
    let (request, token) = (wanted.request.clone(), visit.token.clone().unwrap_or_default());
    let elsewhere = visit.app().run(move |app| tiered::wanted(app, &request, &token)).await?;
    if let Some(provider) = elsewhere {
        return for_request(visit, &provider, &wanted.request, &at(&wanted.request)).await;
    }
    let user = &visit.require(PEOPLE)?.clone();
    let caller = visit.caller(user);
    let request = wanted.request.clone();
    let unmet = {
        let (caller, request) = (caller.clone(), request.clone());
        visit.app().run(move |app| consent::unmet(app, &caller, &request)).await?
    };
    match unmet {
        None => {}
        Some(Unmet::Never(address)) => return Ok(see_other(&address)),
        Some(Unmet::SignIn) => return sign_in_again(visit, &wanted.request).await,
    }
    let asked = {
        let caller = caller.clone();
        visit.app().run(move |app| consent::question(app, &caller, &request)).await?
    };
    if asked.needs_patient {
        return choose_from(visit, caller, wanted, &asked).await;
    }
    let patient = name_of(visit, caller, &asked).await?;
    let site = origins::of(&asked.redirect).unwrap_or_else(|| scheme_of(&asked.redirect));
    let view = ConsentView {
        request: wanted.request.clone(),
        app: asked.client.name,
        publisher: asked.client.publisher,
        site: site.clone(),
        reader: reader(user),
        patient,
        scopes: asked.scopes.iter().cloned().collect(),
    };
    let mut response = Html(consent_page::render(&view, &visit.chrome)?).into_response();
    // The form's answer leads to the app, which browsers hold to be a place the form is sent to.
    let policy = format!("{} {site}", super::CONTENT_SECURITY_POLICY);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// Ends the session and leads back to the request by the sign-in: the person has nothing else to
/// show that it is them.
async fn sign_in_again(visit: &mut Visit, request: &str) -> Made {
    if let Some(token) = visit.token.clone() {
        visit.app().run(move |app| app::session::sign_out(app, &token)).await?;
    }
    visit.close();
    Ok(see_other(&Returning { to: SignIn, next: &at(request) }.to_string()))
}

fn scheme_of(address: &str) -> String {
    address.split_once(':').map(|(scheme, _)| format!("{scheme}:")).unwrap_or_default()
}

fn reader(user: &User) -> Reader {
    if user.patient.is_some() { Reader::Patient } else { Reader::Clinician }
}

/// The name of the patient in context; the look is recorded as every other.
async fn name_of(visit: &Visit, caller: Caller, asked: &Question) -> Result<Option<String>, Stop> {
    let Some(id) = asked.patient.clone() else { return Ok(None) };
    let key = Key { resource_type: "Patient", id };
    let found = visit.app().run(move |app| {
        let stored = app::records::read::read(app, &caller, &key, None)?;
        Ok(person::found(&person::parse(stored)?))
    });
    Ok(found.await?.map(|found| found.name))
}

async fn choose_from(visit: &Visit, caller: Caller, wanted: &Wanted, asked: &Question) -> Made {
    let form = FindForm { q: wanted.q.clone(), ..FindForm::default() };
    let mut view = ChooseView {
        request: wanted.request.clone(),
        app: asked.client.name.clone(),
        q: Field::optional(&wanted.q, 200),
        ..ChooseView::default()
    };
    if let Some(search) = form.read().0 {
        let (results, more) = found_for(visit, caller, &search).await?;
        view.results = Some(results);
        view.more = more;
    }
    page(patient_page::render(&view, &visit.chrome)?)
}

/// The request that a form is about.
fn requested<T>(form: &Result<Form<T>, FormRejection>, request: impl Fn(&T) -> &String) -> String {
    form.as_ref().map(|Form(form)| request(form).clone()).unwrap_or_default()
}

/// `POST /oauth/patient`
pub async fn choose(visit: Visit, form: Result<Form<ChooseForm>, FormRejection>) -> Response {
    let request = requested(&form, |form| &form.request.0);
    let made = try_choose(&visit, form).await;
    let made = or_elsewhere(&visit, &request, made);
    visit.finish(made)
}

async fn try_choose(visit: &Visit, form: Result<Form<ChooseForm>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(PEOPLE)?);
    let form = visit.form(form)?;
    let patient = id(&form.patient)?;
    let back = at(&form.request.0);
    visit.app().run(move |app| consent::choose(app, &caller, &form.request.0, &patient)).await?;
    Ok(see_other(&back))
}

/// `POST /oauth/consent`
pub async fn decide(visit: Visit, form: Result<Form<ConsentForm>, FormRejection>) -> Response {
    let request = requested(&form, |form| &form.request.0);
    let made = try_decide(&visit, form).await;
    let made = or_elsewhere(&visit, &request, made);
    visit.finish(made)
}

async fn try_decide(visit: &Visit, form: Result<Form<ConsentForm>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(PEOPLE)?);
    let form = visit.form(form)?;
    let decision = form.read().map_or(Decision::Deny, Decision::Allow);
    let again = at(&form.request.0);
    let decided =
        visit.app().run(move |app| consent::decide(app, &caller, &form.request.0, &decision)).await;
    match decided {
        Ok(onward) => Ok(see_other(&onward)),
        // The page says by now whom it is about.
        Err(error) if error.kind == Kind::Conflict => Ok(see_other(&again)),
        Err(error) => Err(error.into()),
    }
}

/// `GET /apps`
pub async fn mine(visit: Visit) -> Response {
    let made = try_mine(&visit).await;
    visit.finish(made)
}

async fn try_mine(visit: &Visit) -> Made {
    let user = visit.require(PEOPLE)?;
    let (caller, own) = (visit.caller(user), user.patient.clone());
    let (list, offered) = visit
        .app()
        .run(move |app| {
            let list = standing::list(app, &caller)?;
            let offered = match &own {
                Some(own) => launch::offered(app, &caller, own)?,
                None => Vec::new(),
            };
            let offered: Vec<Offered> = own.iter().flat_map(|own| shown(&offered, own)).collect();
            Ok((list, offered))
        })
        .await?;
    let apps = list.into_iter().map(|one| Allowed {
        id: one.id,
        name: one.name,
        publisher: one.publisher,
        scopes: one.scopes.iter().cloned().collect(),
        since_ms: one.since_ms,
        until_ms: one.until_ms,
    });
    let view = AllowedView { reader: reader(user), apps: apps.collect(), offered };
    page(allowed::render(&view, &visit.chrome)?)
}

fn shown(clients: &[oauth::Client], patient: &fhir::Id) -> Vec<Offered> {
    let offered = clients.iter().map(|client| Offered {
        id: client.id.clone(),
        name: client.name.clone(),
        publisher: client.publisher.clone(),
        patient: patient.to_string(),
    });
    offered.collect()
}

/// `POST /apps`
pub async fn end(visit: Visit, form: Result<Form<EndForm>, FormRejection>) -> Response {
    let made = try_end(&visit, form).await;
    visit.finish(made)
}

async fn try_end(visit: &Visit, form: Result<Form<EndForm>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(PEOPLE)?);
    let form = visit.form(form)?;
    visit.app().run(move |app| standing::end(app, &caller, &form.grant)).await?;
    done(MyApps, Notice::AppEnded)
}

/// `GET /patients/{id}/apps`
pub async fn offer(
    visit: Visit,
    Path(patient): Path<String>,
    from: Result<Query<From>, QueryRejection>,
) -> Response {
    let from = from.map(|Query(from)| from).unwrap_or_default();
    let made = try_offer(&visit, &patient, from).await;
    visit.finish(made)
}

/// The visit that an app is opened from.
#[derive(Default, Deserialize)]
pub struct From {
    #[serde(default)]
    encounter: String,
}

async fn try_offer(visit: &Visit, patient: &str, from: From) -> Made {
    let caller = visit.caller(visit.require(&[Role::Clinician])?);
    let patient = id(patient)?;
    let view = visit
        .app()
        .run(move |app| {
            let clients = launch::offered(app, &caller, &patient)?;
            let offers = person::offers(app, &caller, &patient)?;
            let visits = offers.into_iter().filter_map(|offer| {
                let id = offer.reference.strip_prefix("Encounter/")?.to_owned();
                Some(OfferedVisit { id, text: offer.text, when: offer.when })
            });
            Ok(OfferedView {
                apps: shown(&clients, &patient),
                visits: visits.collect(),
                encounter: from.encounter,
                patient: patient.to_string(),
            })
        })
        .await?;
    page(offered::render(&view, &visit.chrome)?)
}

/// `GET /patients/{id}/apps/{app}`: to the app, with what it needs to come back.
pub async fn open(
    visit: Visit,
    Path((patient, app)): Path<(String, String)>,
    from: Result<Query<From>, QueryRejection>,
) -> Response {
    let from = from.map(|Query(from)| from).unwrap_or_default();
    let made = try_open(&visit, &patient, app, &from).await;
    visit.finish(made)
}

async fn try_open(visit: &Visit, patient: &str, client: String, from: &From) -> Made {
    let caller = visit.caller(visit.require(PEOPLE)?);
    let patient = id(patient)?;
    let encounter = match from.encounter.as_str() {
        "" => None,
        encounter => Some(id(encounter)?),
    };
    let onward = visit
        .app()
        .run(move |app| launch::open(app, &caller, &patient, encounter.as_ref(), &client))
        .await?;
    Ok(see_other(&onward))
}

/// `GET /operator/apps`
pub async fn registry(visit: Visit) -> Response {
    let made = try_registry(&visit, RegistryView::default()).await;
    visit.finish(made)
}

async fn try_registry(visit: &Visit, view: RegistryView) -> Made {
    let caller = visit.caller(visit.require(OPERATOR)?);
    let clients = visit.app().run(move |app| register::list(app, Some(&caller))).await?;
    let apps = clients.into_iter().map(|client| Registered {
        id: client.id,
        name: client.name,
        publisher: client.publisher,
        scopes: client.scopes,
        redirects: client.redirects,
    });
    let view = RegistryView { apps: apps.collect(), ..view };
    page(registry::render(&view, &visit.chrome)?)
}

/// `POST /operator/apps`
pub async fn register_app(
    visit: Visit,
    form: Result<Form<RegisterForm>, FormRejection>,
) -> Response {
    let made = try_register(&visit, form).await;
    visit.finish(made)
}

async fn try_register(visit: &Visit, form: Result<Form<RegisterForm>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(OPERATOR)?);
    let form = visit.form(form)?;
    let new = new_app(&form).ok_or(Stop::Fault(Fault::BadRequest))?;
    let made = visit.app().run(move |app| register::register(app, Some(&caller), new)).await;
    let view = match made {
        Ok(made) => {
            let secret = made.secret.map(|secret| secret.reveal().to_owned());
            RegistryView { made: Some((made.client.id, secret)), ..RegistryView::default() }
        }
        Err(Error { kind: Kind::Unprocessable | Kind::TooCostly, message, .. }) => {
            RegistryView { fault: Some(message), form: form.typed(), ..RegistryView::default() }
        }
        Err(error) => return Err(error.into()),
    };
    try_registry(visit, view).await
}

/// What is to be registered; `None` for a form that is not ours.
fn new_app(form: &RegisterForm) -> Option<New> {
    let given = |text: &str| {
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let keys = form.keys.trim();
    let proof = match form.proof.as_str() {
        "public" => Proof::Public,
        "secret" => Proof::Secret,
        "keys" if keys.starts_with('{') => Proof::Keys(keys.to_owned()),
        "keys" => Proof::KeyAddress(keys.to_owned()),
        _ => return None,
    };
    Some(New {
        name: form.name.clone(),
        publisher: form.publisher.clone(),
        proof,
        redirects: form.redirects.split_whitespace().map(str::to_owned).collect(),
        launch: given(&form.launch),
        scopes: form.scopes.split_whitespace().collect::<Vec<_>>().join(" "),
        account: given(&form.account),
    })
}

/// `POST /operator/apps/{app}/remove`
pub async fn remove(
    visit: Visit,
    Path(app): Path<String>,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let made = try_remove(&visit, app, form).await;
    visit.finish(made)
}

async fn try_remove(visit: &Visit, id: String, form: Result<Form<Bare>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(OPERATOR)?);
    visit.form(form)?;
    visit.app().run(move |app| register::withdraw(app, Some(&caller), &id)).await?;
    done(AppRegistry, Notice::AppRemoved)
}
