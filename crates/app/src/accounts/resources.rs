//! What an account is as resources: pure, from the account and what stood before.

use fhir::Id;
use identity::{Account, Role};
use serde_json::{Map, Value as Json, json};

use super::ROLES;
use crate::App;

/// Most links of one Person; nobody acts for more patients than that.
pub(crate) const MAX_LINKS: usize = 200;

const PRACTITIONER_ROLE: &str = "http://terminology.hl7.org/CodeSystem/practitioner-role";
const ROLE_CLASS: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";

/// An account as an identifier; its value is what the audit calls the account.
pub(crate) fn identifier(app: &App, account: &str) -> Json {
    json!({"system": accounts_system(app), "value": account})
}

/// The system of the identifiers of this institution's accounts.
pub(crate) fn accounts_system(app: &App) -> String {
    format!("urn:consilium:org:{}", app.org().id)
}

/// This institution, as the directory of the network names it.
fn organization(app: &App) -> Json {
    json!({
        "reference": format!("Organization/network-{}", app.org().id),
        "display": app.org().name,
    })
}

/// The Person of a human being. The account's own identities stand on the operator's word (level 3);
/// `related` are the links to RelatedPersons, each with an assurance of its own.
pub(crate) fn person(app: &App, id: &Id, account: &Account, related: &[Json]) -> Json {
    let own = account.patient.as_ref().map(|patient| format!("Patient/{patient}"));
    let link =
        |reference: &String| json!({"target": {"reference": reference}, "assurance": "level3"});
    let own = account.practitioner.iter().chain(&own).map(link);
    let links: Vec<Json> = own.chain(related.iter().cloned()).collect();
    let mut person = json!({
        "resourceType": "Person",
        "id": id.as_str(),
        "identifier": [identifier(app, &account.id)],
        "name": [{"text": account.display_name}],
        "managingOrganization": organization(app),
        "active": !account.disabled,
    });
    if !links.is_empty() {
        person["link"] = links.into();
    }
    person
}

/// The Practitioner that the node makes for whoever has none. What others have added to it
/// (qualification, telecom, photo …) stays.
pub(crate) fn practitioner(app: &App, id: &Id, account: &Account, before: Option<Json>) -> Json {
    let mut practitioner = before.unwrap_or_else(|| json!({"resourceType": "Practitioner"}));
    practitioner["id"] = id.as_str().into();
    practitioner["identifier"] = json!([identifier(app, &account.id)]);
    practitioner["active"] = (!account.disabled && super::is_staff(account.role)).into();
    practitioner["name"] = json!([{"text": account.display_name}]);
    practitioner
}

/// The role that an account holds since [`Account::role_since_ms`]. `specialty` are
/// CodeableConcepts; `practitioner` is who holds it.
pub(crate) fn role(
    app: &App,
    id: &Id,
    account: &Account,
    practitioner: &str,
    specialty: Option<&Json>,
) -> Json {
    let mut codings = vec![json!({
        "system": ROLES,
        "code": account.role.code(),
        "display": display(account.role),
    })];
    codings.extend(standard(account.role));
    let mut role = json!({
        "resourceType": "PractitionerRole",
        "id": id.as_str(),
        "identifier": [identifier(app, &account.id)],
        "active": !account.disabled,
        "period": {"start": fhir::time::instant(account.role_since_ms)},
        "practitioner": {"reference": practitioner, "display": account.display_name},
        "organization": organization(app),
        "code": [{"coding": codings}],
    });
    if let Some(specialty) = specialty {
        role["specialty"] = specialty.clone();
    }
    role
}

/// A role that is held no more, from `ended_ms` on (milliseconds since the Unix epoch).
pub(crate) fn ended(mut role: Json, ended_ms: i64) -> Json {
    role["active"] = false.into();
    if role.pointer("/period/end").is_none() {
        role["period"]["end"] = fhir::time::instant(ended_ms).into();
    }
    role
}

/// A program with an account of its own.
pub(crate) fn device(app: &App, id: &Id, account: &Account) -> Json {
    json!({
        "resourceType": "Device",
        "id": id.as_str(),
        "identifier": [identifier(app, &account.id)],
        "status": if account.disabled { "inactive" } else { "active" },
        "deviceName": [{"name": account.display_name, "type": "user-friendly-name"}],
        "type": {"coding": [{"system": ROLES, "code": Role::Service.code(), "display": "Program"}]},
        "owner": organization(app),
    })
}

/// Words for a specialty as CodeableConcepts: `system|code` of a code system, else as text.
pub(crate) fn specialty(text: &str) -> Json {
    match text.split_once('|') {
        Some((system, code)) => json!([{"coding": [{"system": system, "code": code}]}]),
        None => json!([{"text": text}]),
    }
}

/// The reverse: how a stored specialty is written by whoever chooses one.
pub(crate) fn specialty_text(role: &Json) -> Option<String> {
    let concept = role.pointer("/specialty/0")?;
    if let Some(text) = concept.get("text").and_then(Json::as_str) {
        return Some(text.to_owned());
    }
    let part = |name: &str| concept.pointer(&format!("/coding/0/{name}")).and_then(Json::as_str);
    Some(format!("{}|{}", part("system")?, part("code")?))
}

/// The code of a published system that says the same, where one does.
fn standard(role: Role) -> Option<Json> {
    match role {
        Role::Clinician => {
            Some(json!({"system": ROLE_CLASS, "code": "PROV", "display": "healthcare provider"}))
        }
        Role::Operator => {
            Some(json!({"system": PRACTITIONER_ROLE, "code": "ict", "display": "ICT professional"}))
        }
        _ => None,
    }
}

/// As the code system names the role.
fn display(role: Role) -> &'static str {
    match role {
        Role::Clinician => "Clinician",
        Role::Patient => "Patient",
        Role::PrivacyOfficer => "Privacy officer",
        Role::Operator => "Operator",
        Role::Registrar => "Registrar",
        Role::Steward => "Steward of agreements",
        Role::Service => "Program",
        Role::CouncilMember => "Council member",
        Role::Proxy => "Acts for patients",
        Role::Researcher => "Researcher",
        Role::Representative => "Speaks for patients",
    }
}

/// A stored resource as it is compared and changed: without what the store states of a version.
pub(crate) fn without_version(text: &str) -> Option<Json> {
    let mut json: Json = serde_json::from_str(text).ok()?;
    let meta: Option<&mut Map<String, Json>> = json.get_mut("meta").and_then(Json::as_object_mut);
    let is_bare = meta.is_some_and(|meta| {
        meta.remove("versionId");
        meta.remove("lastUpdated");
        meta.is_empty()
    });
    if is_bare && let Some(members) = json.as_object_mut() {
        members.remove("meta");
    }
    Some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specialty_is_read_as_it_was_written() {
        for text in ["Paediatrics", "http://nucc.org/provider-taxonomy|208000000X"] {
            let role = json!({"specialty": specialty(text)});
            assert_eq!(specialty_text(&role).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_role_ends_once() {
        let once = ended(json!({"active": true, "period": {"start": "2026-01-01"}}), 0);
        assert_eq!(once["active"], false);
        assert_eq!(ended(once.clone(), 86_400_000), once);
    }

    #[test]
    fn the_code_system_lists_every_role() {
        let system: Json = serde_json::from_str(crate::terminology::ROLES).unwrap();
        let concepts = system["concept"].as_array().unwrap();
        let listed = |role: &Role| {
            concepts.iter().any(|concept| {
                concept["code"] == role.code() && concept["display"] == display(*role)
            })
        };
        assert!(Role::ALL.iter().all(listed));
        assert_eq!((concepts.len(), &system["url"]), (Role::ALL.len(), &json!(ROLES)));
    }
}
