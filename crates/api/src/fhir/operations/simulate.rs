//! `Patient/[id]/$simulate-access`: what others would see of a patient, and why not more.

use app::consent::simulate::{self, Asked as Question, Holder};
use app::{App, Error};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use fhir::{Id, Resource, Value};
use policy::Purpose;
use serde_json::{Value as Json, json};
use wire::{KindCount, OrgId, Recipient, Remedy, Simulated, WithheldItem};

use super::{Operation, Parameters};
use crate::fhir::{Asked, answer};
use crate::outcome::Failure;

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[Operation {
    name: "simulate-access",
    definition: "https://consilium.health/fhir/OperationDefinition/Patient-simulate-access",
    types: &["Patient"],
}];

/// Withheld items that are explained where the question does not say.
const EXPLAINED: usize = 100;
/// Longest id of a person's account, in bytes.
const MAX_PERSON: usize = 128;

pub fn routes() -> Router<App> {
    Router::new().route("/fhir/Patient/{id}/$simulate-access", post(simulate_access))
}

async fn simulate_access(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let patient = Id::new(&id).map_err(|e| Error::invalid("value", e.to_string()))?;
    let question = question(&Parameters::read(&body)?)?;
    let holders = simulate::everywhere(&app, caller, patient, question).await?;
    let list: Vec<Json> = holders.iter().map(holder).collect();
    let body = json!({"resourceType": "Parameters", "parameter": list});
    Ok(answer::json(StatusCode::OK, body.to_string()))
}

fn question(parameters: &Parameters) -> Result<Question, Error> {
    let (mut organisations, mut drafts) = (Vec::new(), Vec::new());
    let (mut person, mut role) = (None, wire::Role::Clinician);
    let (mut purpose, mut emergency, mut explain) = (Purpose::TREAT, false, EXPLAINED);
    let list = parameters.0.root().get("parameter").into_iter().flat_map(Value::items);
    for parameter in list {
        let name = parameter.str_at("name").unwrap_or_default();
        let wrong = |what: &str| Error::invalid("value", format!("`{name}` takes {what}"));
        let text = || {
            let members = ["valueCode", "valueString", "valueId"];
            let value = members.iter().find_map(|member| parameter.get(member));
            let text = value.and_then(Value::as_str).map(|text| text.into_owned());
            text.ok_or_else(|| wrong("a code or a string"))
        };
        match name.as_ref() {
            "organisation" => {
                let id = OrgId::new(&text()?);
                organisations.push(id.map_err(|_| wrong("the short id of an organisation"))?);
            }
            "person" => {
                let fits = |text: &String| !text.is_empty() && text.len() <= MAX_PERSON;
                let what = "the id of an account at the organisation";
                person = Some(Some(text()?).filter(fits).ok_or_else(|| wrong(what))?);
            }
            "role" => {
                role = serde_json::from_value(Json::String(text()?))
                    .map_err(|_| wrong("a role of the network, `clinician` for example"))?;
            }
            "purpose" => {
                let what = "a code of v3-ActReason, `TREAT` for example";
                purpose = Purpose::find(&text()?).ok_or_else(|| wrong(what))?;
            }
            "emergency" => {
                let given = parameter.get("valueBoolean").and_then(Value::as_bool);
                emergency = given.ok_or_else(|| wrong("`true` or `false` as `valueBoolean`"))?;
            }
            "explain" => {
                let given = parameter.get("valueInteger").and_then(Value::as_number);
                let given = given.and_then(|number| number.parse().ok());
                explain = given.ok_or_else(|| wrong("a whole number from 0 as `valueInteger`"))?;
            }
            "draft" => {
                let given = parameter.get("resource").map(|given| given.raw().to_owned());
                let given = given.and_then(|text| Resource::parse(text).ok());
                drafts.push(given.ok_or_else(|| wrong("a Consent as `resource`"))?);
            }
            other => return Err(super::parameters::unknown(other)),
        }
    }
    if organisations.is_empty() {
        return Err(Error::invalid("required", "the parameter `organisation` is missing"));
    }
    let recipient = |organisation| Recipient { organisation, person: person.clone(), role };
    let recipients = organisations.into_iter().map(recipient).collect();
    Ok(Question { recipients, purpose, emergency, drafts, explain })
}

fn holder(holder: &Holder) -> Json {
    let mut parts = vec![
        json!({"name": "organisation", "valueCode": holder.org}),
        json!({"name": "name", "valueString": holder.name}),
        json!({"name": "status", "valueCode": holder.status.map_or("not-asked", |s| s.as_str())}),
    ];
    parts.extend(holder.notes.iter().map(|note| json!({"name": "note", "valueString": note})));
    parts.extend(holder.outcomes.iter().map(outcome));
    json!({"name": "holder", "part": parts})
}

fn outcome(outcome: &Simulated) -> Json {
    let mut parts =
        vec![json!({"name": "organisation", "valueCode": outcome.organisation.as_str()})];
    let refused = outcome.refused.iter();
    parts.extend(refused.map(|why| json!({"name": "refused", "valueString": why})));
    parts.push(json!({"name": "emergencyOpens", "valueBoolean": outcome.emergency_opens}));
    parts.extend(outcome.kinds.iter().map(kind));
    parts.extend(outcome.withheld.iter().map(withheld));
    if outcome.more {
        parts.push(json!({"name": "more", "valueBoolean": true}));
    }
    json!({"name": "recipient", "part": parts})
}

fn kind(count: &KindCount) -> Json {
    json!({"name": "kind", "part": [
        {"name": "type", "valueCode": count.kind},
        {"name": "seen", "valueInteger": count.seen},
        {"name": "withheld", "valueInteger": count.withheld},
        {"name": "gained", "valueInteger": count.gained},
        {"name": "lost", "valueInteger": count.lost},
    ]})
}

fn withheld(item: &WithheldItem) -> Json {
    let mut parts = vec![
        json!({"name": "what", "valueString": item.reference}),
        json!({"name": "code", "valueCode": item.code}),
        json!({"name": "because", "valueString": item.because}),
        json!({"name": "remedy", "valueCode": item.remedy.word()}),
        json!({"name": "wouldChange", "valueString": sentence(item.remedy)}),
    ];
    if !item.display.is_empty() {
        parts.push(json!({"name": "display", "valueString": item.display}));
    }
    let consent = item.consent.iter();
    parts.extend(consent.map(|reference| json!({"name": "consent", "valueString": reference})));
    json!({"name": "withheld", "part": parts})
}

fn sentence(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::PermitRecipient => "a permission for the organisation that asks would show it",
        Remedy::PermitHolder => "a permission for the organisation that holds it would show it",
        Remedy::PermitBoth => {
            "permissions for the organisation that asks and for the one that holds it would show it"
        }
        Remedy::NameSensitive => {
            "a permission that names this kind of sensitive data would show it"
        }
        Remedy::CorrectConsent => "the consent must be put right first, since it is not understood",
        Remedy::Nothing => "no single decision of the patient would show it",
    }
}
