//! The hospitals, and the organisation, staff and places that every node knows of.

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::names::{FAMILIES, MEN_NEW, TOWNS, WOMEN_NEW};

/// A hospital of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Short id, `north` for example (`[a-z0-9-]{1,40}`).
    pub org: String,
    /// Display name, `Northfield General Hospital` for example.
    pub name: String,
}

/// Ids and names, the three of the demonstration first.
const HOSPITALS: [(&str, &str); 20] = [
    ("north", "Northfield General Hospital"),
    ("east", "Eastbrook Heart and Vascular Hospital"),
    ("west", "Westhaven University Medical Center"),
    ("south", "Southgate Community Hospital"),
    ("harbor", "Harborview Regional Medical Center"),
    ("lakeside", "Lakeside Memorial Hospital"),
    ("summit", "Summit Ridge Hospital"),
    ("riverbend", "Riverbend Health"),
    ("valley", "Valley Mercy Hospital"),
    ("prairie", "Prairie View Clinic"),
    ("cedar", "Cedar Hill Medical Center"),
    ("stclare", "Saint Clare Hospital"),
    ("bayside", "Bayside Infirmary"),
    ("oakwood", "Oakwood Family Health Center"),
    ("granite", "Granite State Veterans Hospital"),
    ("willow", "Willow Creek Hospital"),
    ("metro", "Metropolitan Teaching Hospital"),
    ("pine", "Pine Hollow Rural Hospital"),
    ("unity", "Unity Health Partners"),
    ("copper", "Copper Falls District Hospital"),
];

/// The first `n` hospitals of a fixed list of twenty; more are not available.
pub fn sites(n: usize) -> Vec<Site> {
    HOSPITALS
        .iter()
        .take(n)
        .map(|&(org, name)| Site { org: org.into(), name: name.into() })
        .collect()
}

/// What a member of staff does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Primary,
    Pediatrics,
    Cardiology,
    Endocrinology,
    Pulmonology,
    Psychiatry,
    Infectious,
    Rheumatology,
    Neurology,
    Oncology,
    Obstetrics,
    Surgery,
    Emergency,
    Hospitalist,
}

/// Role, id part, and NUCC provider taxonomy code with display.
const ROLES: [(Role, &str, &str, &str); 14] = [
    (Role::Primary, "family-medicine", "207Q00000X", "Family Medicine Physician"),
    (Role::Pediatrics, "pediatrics", "208000000X", "Pediatrics Physician"),
    (Role::Cardiology, "cardiology", "207RC0000X", "Cardiovascular Disease Physician"),
    (
        Role::Endocrinology,
        "endocrinology",
        "207RE0101X",
        "Endocrinology, Diabetes & Metabolism Physician",
    ),
    (Role::Pulmonology, "pulmonology", "207RP1001X", "Pulmonary Disease Physician"),
    (Role::Psychiatry, "psychiatry", "2084P0800X", "Psychiatry Physician"),
    (Role::Infectious, "infectious-disease", "207RI0200X", "Infectious Disease Physician"),
    (Role::Rheumatology, "rheumatology", "207RR0500X", "Rheumatology Physician"),
    (Role::Neurology, "neurology", "2084N0400X", "Neurology Physician"),
    (Role::Oncology, "oncology", "207RX0202X", "Medical Oncology Physician"),
    (Role::Obstetrics, "obstetrics", "207V00000X", "Obstetrics & Gynecology Physician"),
    (Role::Surgery, "surgery", "208600000X", "Surgery Physician"),
    (Role::Emergency, "emergency", "207P00000X", "Emergency Medicine Physician"),
    (Role::Hospitalist, "hospital-medicine", "208M00000X", "Hospitalist Physician"),
];

impl Role {
    fn row(self) -> (Role, &'static str, &'static str, &'static str) {
        ROLES.into_iter().find(|row| row.0 == self).unwrap_or(ROLES[0])
    }

    /// The department as it is written in notes.
    pub(crate) fn department(self) -> &'static str {
        self.row().3.trim_end_matches(" Physician")
    }
}

/// Where in a hospital something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Clinic,
    Emergency,
    Ward,
}

impl Place {
    const ALL: [Place; 3] = [Place::Clinic, Place::Emergency, Place::Ward];

    fn words(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Place::Clinic => ("clinic", "Outpatient Clinic", "OF", "Outpatient facility"),
            Place::Emergency => ("emergency", "Emergency Department", "ER", "Emergency room"),
            Place::Ward => ("ward", "Inpatient Ward", "HU", "Hospital unit"),
        }
    }
}

/// A member of staff.
pub(crate) struct Staff {
    /// Logical id of the Practitioner.
    pub(crate) id: String,
    /// `Dr. Given Family`.
    pub(crate) display: String,
    given: &'static str,
    family: &'static str,
    female: bool,
}

impl Site {
    /// The one who fills `role` here. Staff do not depend on the seed of the patients.
    pub(crate) fn staff(&self, role: Role) -> Staff {
        let word = role.row().1;
        let mut chance = Chance::new(0, &["staff", &self.org, word]);
        let female = chance.yes(0.5);
        let given = chance.pick(if female { WOMEN_NEW } else { MEN_NEW });
        let family = chance.pick(FAMILIES);
        let (id, display) = (format!("{}-{word}", self.org), format!("Dr. {given} {family}"));
        Staff { id, display, given, family, female }
    }

    /// A Reference to the Practitioner who fills `role`.
    pub(crate) fn practitioner(&self, role: Role) -> Value {
        let staff = self.staff(role);
        json!({"reference": format!("Practitioner/{}", staff.id), "display": staff.display})
    }

    /// A Reference to a place.
    pub(crate) fn place(&self, place: Place) -> Value {
        let (word, name, ..) = place.words();
        let display = format!("{} {name}", self.name);
        json!({"reference": format!("Location/{}-{word}", self.org), "display": display})
    }

    /// A Reference to the hospital itself.
    pub(crate) fn reference(&self) -> Value {
        json!({"reference": format!("Organization/{}", self.org), "display": self.name})
    }

    fn town(&self) -> (&'static str, &'static str, &'static str, i64) {
        let mut chance = Chance::new(0, &["town", &self.org]);
        let (town, zip, area) = chance.pick(TOWNS);
        (town, zip, area, chance.between(1000, 9999))
    }

    fn contact(&self) -> (Value, Value) {
        let (town, zip, area, number) = self.town();
        let telecom =
            json!([{"system": "phone", "value": format!("({area}) 555-{number}"), "use": "work"}]);
        let line = format!("{} Hospital Way", number / 10);
        let address = json!({"line": [line], "city": town, "state": "MA", "postalCode": zip, "country": "US"});
        (telecom, address)
    }
}

/// The Organization, Location, Practitioner and PractitionerRole resources of all `sites`, which
/// every hospital holds, as JSON texts.
pub fn shared(sites: &[Site]) -> Vec<String> {
    let mut out = Vec::new();
    for site in sites {
        let (telecom, address) = site.contact();
        out.push(organization(site, &telecom, &address));
        out.extend(Place::ALL.into_iter().map(|place| location(site, place, &telecom, &address)));
        for (role, word, code, display) in ROLES {
            let staff = site.staff(role);
            out.push(practitioner(site, &staff));
            out.push(practitioner_role(site, &staff, word, code, display));
        }
    }
    out.iter().map(Value::to_string).collect()
}

/// The Organization resources of `sites` alone, as JSON texts.
pub fn organizations(sites: &[Site]) -> Vec<String> {
    let one = |site: &Site| {
        let (telecom, address) = site.contact();
        organization(site, &telecom, &address).to_string()
    };
    sites.iter().map(one).collect()
}

fn organization(site: &Site, telecom: &Value, address: &Value) -> Value {
    json!({
        "resourceType": "Organization",
        "id": site.org,
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": format!("urn:consilium:org:{}", site.org)}],
        "active": true,
        "type": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/organization-type",
            "code": "prov", "display": "Healthcare Provider"}]}],
        "name": site.name,
        "telecom": telecom,
        "address": [address],
    })
}

fn location(site: &Site, place: Place, telecom: &Value, address: &Value) -> Value {
    let (word, name, code, display) = place.words();
    json!({
        "resourceType": "Location",
        "id": format!("{}-{word}", site.org),
        "status": "active",
        "name": format!("{} {name}", site.name),
        "mode": "instance",
        "type": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
            "code": code, "display": display}]}],
        "telecom": telecom,
        "address": address,
        "managingOrganization": site.reference(),
    })
}

fn practitioner(site: &Site, staff: &Staff) -> Value {
    json!({
        "resourceType": "Practitioner",
        "id": staff.id,
        "identifier": [{"system": format!("urn:consilium:org:{}:staff", site.org), "value": staff.id}],
        "active": true,
        "name": [{"use": "official", "family": staff.family, "given": [staff.given], "prefix": ["Dr."]}],
        "gender": if staff.female { "female" } else { "male" },
    })
}

fn practitioner_role(site: &Site, staff: &Staff, word: &str, code: &str, display: &str) -> Value {
    json!({
        "resourceType": "PractitionerRole",
        "id": format!("{}-{word}-role", site.org),
        "active": true,
        "practitioner": {"reference": format!("Practitioner/{}", staff.id), "display": staff.display},
        "organization": site.reference(),
        "code": [{"coding": [{"system": "http://nucc.org/provider-taxonomy", "code": code, "display": display}]}],
        "specialty": [{"coding": [{"system": "http://nucc.org/provider-taxonomy", "code": code, "display": display}]}],
        "location": [site.place(Place::Clinic)],
    })
}
