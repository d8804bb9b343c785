//! Operations on a patient: the longitudinal record, matching, links, consent, emergency access,
//! and who looked.

use app::audit::accesses::{self, Proof};
use app::consent::{break_glass, decide};
use app::records::decide_link::{self, Decision};
use app::records::link::State;
use app::records::longitudinal::{self, Reach};
use app::records::matching;
use app::{App, Error};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State as AppState};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fhir::{Document, Id, Resource};
use policy::consent::Kind as Choice;
use serde_json::{Value as Json, json};

use super::{Operation, Parameters};
use crate::events;
use crate::fhir::{Asked, answer};
use crate::outcome::Failure;

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[
    of_patient("match", "http://hl7.org/fhir/OperationDefinition/Patient-match"),
    of_patient("purge", "http://hl7.org/fhir/OperationDefinition/Patient-purge"),
    of_patient(
        "longitudinal-record",
        "https://consilium.health/fhir/OperationDefinition/Patient-longitudinal-record",
    ),
    of_patient("accesses", "https://consilium.health/fhir/OperationDefinition/Patient-accesses"),
    of_patient("consent", "https://consilium.health/fhir/OperationDefinition/Patient-consent"),
    of_patient(
        "break-glass",
        "https://consilium.health/fhir/OperationDefinition/Patient-break-glass",
    ),
    of_patient(
        "link-candidates",
        "https://consilium.health/fhir/OperationDefinition/Patient-link-candidates",
    ),
    of_patient(
        "confirm-link",
        "https://consilium.health/fhir/OperationDefinition/Patient-confirm-link",
    ),
    of_patient(
        "reject-link",
        "https://consilium.health/fhir/OperationDefinition/Patient-reject-link",
    ),
];

const fn of_patient(name: &'static str, definition: &'static str) -> Operation {
    Operation { name, definition, types: &["Patient"] }
}

type Answered = Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/Patient/$match", post(match_))
        .route("/fhir/Patient/{id}/$purge", post(purge))
        .route("/fhir/Patient/{id}/$longitudinal-record", get(longitudinal_record))
        .route("/fhir/Patient/{id}/$accesses", get(accesses_))
        .route("/fhir/Patient/{id}/$consent", post(consent))
        .route("/fhir/Patient/{id}/$break-glass", post(break_glass_))
        .route("/fhir/Patient/{id}/$link-candidates", get(link_candidates))
        .route("/fhir/Patient/{id}/$confirm-link", post(confirm_link))
        .route("/fhir/Patient/{id}/$reject-link", post(reject_link))
}

fn patient_id(id: &str) -> Result<Id, Failure> {
    Id::new(id).map_err(|e| Error::invalid("value", e.to_string()).into())
}

/// `POST Patient/[id]/$purge`: removes every version of what is in the patient's compartment for
/// good, and destroys the key of the patient's data in sealed backups; the audit stays. The parameter
/// `basis` names the legal basis. For privacy officers and operators.
async fn purge(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    let patient = patient_id(&id)?;
    let mut basis = String::new();
    for (name, value) in super::parameters::pairs(query.as_deref(), &body)? {
        match name.as_str() {
            "basis" => basis = value,
            _ => return Err(super::parameters::unknown(&name).into()),
        }
    }
    let purged = app
        .run(move |app| app::operate::purge::purge(app, Some(&caller), &patient, &basis))
        .await?;
    let key = match purged.key_destroyed {
        true => "the key of the patient's data in sealed backups is destroyed",
        false => "backups that are not sealed still hold them",
    };
    let text = format!(
        "purged {} resources for good, and versions of {} that belong to others too; {key}",
        purged.resources, purged.shortened
    );
    Ok(answer::json(StatusCode::OK, answer::information(&text)))
}

fn json_answer(body: &Json) -> Response {
    answer::json(StatusCode::OK, body.to_string())
}

/// `GET Patient/[id]/$longitudinal-record`: a Bundle, or server-sent events where the client
/// accepts `text/event-stream`. `_wait=all` waits for slow sources until the hard deadline,
/// `_reach=everybody` asks also those who have published that they know nobody like the patient.
async fn longitudinal_record(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    let patient = patient_id(&id)?;
    let (mut wait, mut reach) = (false, Reach::default());
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match (name.as_ref(), value.as_ref()) {
            ("_wait", "all") => wait = true,
            ("_reach", "everybody") => reach = Reach::Everybody,
            ("_reach", "located") => reach = Reach::Located,
            ("_wait", "soft") | ("_format", _) => {}
            _ => {
                let name: String = name.chars().take(40).collect();
                let message = format!(
                    "`{name}` is not a parameter of this operation, or its value is not known"
                );
                return Err(Error::invalid("not-supported", message).into());
            }
        }
    }
    let asked = longitudinal::ask(&app, caller, patient, reach).await?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/event-stream")) {
        return Ok(events::stream(asked).into_response());
    }
    let request_id = asked.request_id.clone();
    let (record, statuses) = longitudinal::gather(asked, wait).await?;
    let body = app.run(move |app| Ok(record.bundle(&statuses, &request_id, app.now_ms()))).await?;
    Ok(answer::json(StatusCode::OK, body))
}

/// `POST Patient/$match`: Parameters, or the Patient alone (IHE PDQm, ITI-119).
async fn match_(AppState(app): AppState<App>, Asked(caller): Asked, body: Bytes) -> Answered {
    let body = app
        .run(move |app| {
            let document = Document::parse_bytes(body.to_vec()).map_err(|e| {
                Error::invalid("structure", format!("the body is not valid JSON: {e}"))
            })?;
            let asked = match document.root().str_at("resourceType").as_deref() {
                Some("Patient") => described(document.text(), false, false, None)?,
                Some("Parameters") => match_parameters(&document)?,
                _ => {
                    let message = "send a Parameters resource, or a Patient";
                    return Err(Error::invalid("structure", message));
                }
            };
            Ok(matches(app, &matching::match_here(app, &caller, &asked)?))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}

fn described(
    text: &str,
    only_certain: bool,
    only_single: bool,
    count: Option<usize>,
) -> Result<matching::Asked, Error> {
    let described =
        Resource::parse(text).map_err(|e| Error::invalid("structure", e.to_string()))?;
    let count = count.unwrap_or(matching::DEFAULT_COUNT);
    Ok(matching::Asked { described, only_certain, only_single, count })
}

fn match_parameters(document: &Document) -> Result<matching::Asked, Error> {
    let (mut resource, mut count) = (None, None);
    let (mut only_certain, mut only_single) = (None, None);
    let list = document.root().get("parameter").into_iter().flat_map(fhir::Value::items);
    for parameter in list {
        let name = parameter.str_at("name").unwrap_or_default();
        let wrong = |what: &str| Error::invalid("value", format!("`{name}` takes {what}"));
        let truth = || {
            let given = parameter.get("valueBoolean").and_then(fhir::Value::as_bool);
            given.ok_or_else(|| wrong("`true` or `false` as `valueBoolean`"))
        };
        let repeated = match name.as_ref() {
            "resource" => {
                let given = parameter.get("resource").map(|given| given.raw().to_owned());
                resource.replace(given.ok_or_else(|| wrong("a Patient"))?).is_some()
            }
            "onlyCertainMatches" => only_certain.replace(truth()?).is_some(),
            "onlySingleMatch" => only_single.replace(truth()?).is_some(),
            "count" => {
                let given = parameter.get("valueInteger").and_then(fhir::Value::as_number);
                let given = given.and_then(|n| n.parse().ok()).filter(|count| *count > 0);
                let what = "a whole number from 1 as `valueInteger`";
                count.replace(given.ok_or_else(|| wrong(what))?).is_some()
            }
            other => return Err(super::parameters::unknown(other)),
        };
        if repeated {
            let message = format!("`{name}` is given more than once");
            return Err(Error::invalid("value", message));
        }
    }
    let resource = resource
        .ok_or_else(|| Error::invalid("required", "the parameter `resource` is missing"))?;
    described(&resource, only_certain.unwrap_or(false), only_single.unwrap_or(false), count)
}

/// The searchset of `$match`, with score and match-grade (FHIR R4, Patient/$match).
fn matches(app: &App, matched: &matching::Matched) -> String {
    let entries: Vec<String> = matched
        .known
        .iter()
        .map(|known| {
            let score = &known.found.score;
            let url = format!("{}/fhir/Patient/{}", app.org().base_url, known.found.id);
            let search = json!({
                "extension": [{
                    "url": "http://hl7.org/fhir/StructureDefinition/match-grade",
                    "valueCode": score.grade.code(),
                }],
                "mode": "match",
                "score": (score.probability * 10_000.0).round() / 10_000.0,
            });
            format!(
                "{{\"fullUrl\":{},\"resource\":{},\"search\":{search}}}",
                fhir::json::quote(&url),
                known.patient.text()
            )
        })
        .collect();
    let entries = if entries.is_empty() {
        String::new()
    } else {
        format!(",\"entry\":[{}]", entries.join(","))
    };
    format!(
        "{{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"total\":{}{entries}}}",
        matched.total
    )
}

/// Who used this patient's record: at this institution and, for the patient, at all others that
/// hold it.
async fn accesses_(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
) -> Answered {
    let patient = patient_id(&id)?;
    let found = accesses::everywhere(&app, caller, patient).await?;
    let list: Vec<Json> = found
        .list
        .iter()
        .map(|access| {
            let mut parts = vec![
                json!({"name": "recorded", "valueInstant": fhir::time::instant(access.recorded_ms)}),
                json!({"name": "organisation", "valueString": access.organisation}),
                json!({"name": "at", "valueString": access.at}),
                json!({"name": "action", "valueCode": access.action}),
                json!({"name": "refused", "valueBoolean": access.refused}),
                json!({"name": "breakGlass", "valueBoolean": access.is_break_glass()}),
                json!({"name": "entry", "valueString": access.id}),
                json!({"name": "authority", "valueCode": access.authority().code()}),
                json!({"name": "proof", "valueCode": access.proof.code()}),
            ];
            if let Proof::Cosigned(by) = access.proof {
                parts.push(json!({"name": "cosignedBy", "valueInteger": by}));
            }
            let seen = access.seen.iter();
            parts.extend(seen.map(|(resource_type, count)| {
                json!({"name": "seen", "valueString": format!("{count} {resource_type}")})
            }));
            let texts = [
                ("user", &access.user),
                ("role", &access.role),
                ("purpose", &access.purpose),
                ("requestId", &access.request_id),
            ];
            let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
            parts.extend(texts.map(|(name, text)| json!({"name": name, "valueString": text})));
            json!({"name": "access", "part": parts})
        })
        .chain(found.silent.iter().map(|org| json!({"name": "noAnswer", "valueString": org})))
        .collect();
    Ok(json_answer(&json!({"resourceType": "Parameters", "parameter": list})))
}

async fn consent(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    body: Bytes,
) -> Answered {
    let patient = patient_id(&id)?;
    let parameters = Parameters::read(&body)?;
    let organisation = parameters.text("organisation");
    let choice = match parameters.required("decision")?.as_str() {
        "permit" => Choice::Permit,
        "withdraw" => Choice::Deny,
        _ => {
            return Err(Error::invalid("value", "`decision` is `permit` or `withdraw`").into());
        }
    };
    let id = app
        .run(move |app| decide::decide(app, &caller, &patient, organisation.as_deref(), choice))
        .await?;
    Ok(json_answer(&json!({"resourceType": "Parameters", "parameter": [
        {"name": "consent", "valueReference": {"reference": format!("Consent/{id}")}},
    ]})))
}

async fn break_glass_(
    AppState(app): AppState<App>,
    Asked(mut caller): Asked,
    Path(id): Path<String>,
    body: Bytes,
) -> Answered {
    let patient = patient_id(&id)?;
    let reason = Parameters::read(&body)?.required("reason")?;
    caller.purpose = "BTG".into();
    caller.evidence = app::Evidence::read(&reason);
    let grant = app.run(move |app| break_glass::start(app, &caller, &patient, &reason)).await?;
    Ok(json_answer(&json!({"resourceType": "Parameters", "parameter": [
        {"name": "task", "valueReference": {"reference": format!("Task/{}", grant.task)}},
        {"name": "until", "valueInstant": fhir::time::instant(grant.end_ms)},
    ]})))
}

async fn link_candidates(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
) -> Answered {
    let patient = patient_id(&id)?;
    let links = app.run(move |app| decide_link::list(app, &caller, Some(&patient))).await?;
    let list: Vec<Json> = links
        .iter()
        .filter(|link| link.state == State::Possible)
        .map(|link| {
            let mut parts = vec![
                json!({"name": "organisation", "valueString": link.org}),
                json!({"name": "patient", "valueString": link.remote.as_str()}),
            ];
            parts.extend(link.score.map(|score| json!({"name": "score", "valueDecimal": score})));
            json!({"name": "candidate", "part": parts})
        })
        .collect();
    Ok(json_answer(&json!({"resourceType": "Parameters", "parameter": list})))
}

async fn confirm_link(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    body: Bytes,
) -> Answered {
    decide_on_link(app, caller, &id, &body, Decision::Confirm).await
}

async fn reject_link(
    AppState(app): AppState<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    body: Bytes,
) -> Answered {
    decide_on_link(app, caller, &id, &body, Decision::Reject).await
}

async fn decide_on_link(
    app: App,
    caller: app::Caller,
    id: &str,
    body: &Bytes,
    decision: Decision,
) -> Answered {
    let patient = patient_id(id)?;
    let parameters = Parameters::read(body)?;
    let org = parameters.required("organisation")?;
    let remote = patient_id(&parameters.required("patient")?)?;
    app.run(move |app| decide_link::decide(app, &caller, &patient, &org, &remote, decision))
        .await?;
    Ok(answer::json(StatusCode::OK, answer::information("the decision is recorded")))
}
