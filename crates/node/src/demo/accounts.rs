//! The demo's accounts: one of each role at each hospital, and a second steward.

use std::path::Path;

use app::App;
use app::accounts::add::{New, add};
use fhir::Id;
use identity::{Hidden, Role, base32};
use serde::{Deserialize, Serialize};
use synthetic::{Person, Site, World};

use crate::wiring::Fault;

/// An account as it is printed and written to `accounts.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Short id of the hospital.
    pub hospital: String,
    /// Role.
    pub role: String,
    /// Base URL of the hospital's node.
    pub base: String,
    /// Name of the person.
    #[serde(default)]
    pub name: String,
    /// Name to sign in with.
    pub username: String,
    /// Password.
    pub password: String,
    /// Secret of the one-time codes, base32.
    pub totp_secret: String,
    /// The patient, for the patient's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
}

/// Username and display name of each role; patients have their own names.
const STAFF: [(Role, &str, &str); 9] = [
    (Role::Clinician, "clinician", "Dr. Alex Morgan"),
    (Role::PrivacyOfficer, "privacy", "Robin Keller"),
    (Role::Operator, "operator", "Sam Ortiz"),
    (Role::Registrar, "registrar", "Jo Lindqvist"),
    (Role::Steward, "steward", "Kim Adler"),
    (Role::CouncilMember, "council", "Toni Vega"),
    (Role::Researcher, "researcher", "Dr. Ines Duarte"),
    (Role::Representative, "representative", "Alma Reyes"),
    // Two stewards look at an answer before it leaves.
    (Role::Steward, "checker", "Noor Haddad"),
];

/// Makes the accounts of every hospital and writes them down.
pub fn make(folder: &Path, sites: &[Site], apps: &[App], world: &World) -> Result<(), Fault> {
    let mut list = Vec::new();
    for (site, app) in sites.iter().zip(apps) {
        for (role, username, name) in STAFF {
            list.push(create(app, site, role, username, name, None)?);
        }
        if let Some(person) = holder(world, &site.org)
            && let Some(known) = person.at.get(&site.org)
        {
            let id = Id::new(&known.patient_id)?;
            let name = patient_name(known.resources.first().map_or("", String::as_str));
            list.push(create(app, site, Role::Patient, "patient", &name, Some(id))?);
        }
    }
    std::fs::write(folder.join("accounts.json"), serde_json::to_vec_pretty(&list)?)?;
    Ok(())
}

/// Who gets the patient's account at a hospital: the person of the story where there is one, else
/// the person known to most hospitals.
fn holder<'a>(world: &'a World, org: &str) -> Option<&'a Person> {
    let here = || world.persons.iter().filter(|person| person.at.contains_key(org));
    match world.story() {
        Some(_) => world.account_holder(org),
        None => {
            let widest = world.persons.iter().map(|person| person.at.len()).max()?;
            let first = world.persons.iter().find(|person| person.at.len() == widest)?;
            if first.at.contains_key(org) { Some(first) } else { here().next() }
        }
    }
}

fn patient_name(patient: &str) -> String {
    let Ok(patient) = fhir::Resource::parse(patient) else { return "Patient".into() };
    let name = patient.get("name").and_then(|names| names.items().next());
    let family = name.and_then(|name| name.str_at("family")).unwrap_or_default();
    let given = name.and_then(|name| name.get("given")?.items().next()?.as_str());
    let name = format!("{} {family}", given.unwrap_or_default());
    let name = name.trim();
    if name.is_empty() { "Patient".into() } else { name.to_owned() }
}

fn create(
    app: &App,
    site: &Site,
    role: Role,
    username: &str,
    name: &str,
    patient: Option<Id>,
) -> Result<Account, Fault> {
    let password = format!("{username}-{}", site.org);
    let new = New {
        username: username.to_owned(),
        name: name.to_owned(),
        role,
        patient: patient.clone(),
        practitioner: None,
        specialty: (role == Role::Clinician).then(|| "Internal medicine".to_owned()),
        password: Some(Hidden::new(password.clone())),
    };
    let added = add(app, None, new).map_err(|e| e.message)?;
    let totp_secret = base32(added.totp_secret.reveal());
    Ok(Account {
        hospital: site.org.clone(),
        role: role.code().to_owned(),
        base: app.org().base_url.clone(),
        name: name.to_owned(),
        username: username.to_owned(),
        password,
        totp_secret,
        patient: patient.map(|id| id.to_string()),
    })
}

/// Reads the accounts back.
pub fn read(folder: &Path) -> Result<Vec<Account>, Fault> {
    let path = folder.join("accounts.json");
    let text = std::fs::read(&path).map_err(|e| format!("`{}`: {e}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}
