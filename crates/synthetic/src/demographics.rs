//! Who a person is: the true demographics, and the Patient resource that a hospital makes of its
//! own copy of them.

use fhir::json::quote;
use serde_json::{Map, Value, json};

/// The system of the one identifier that hospitals share.
pub const SSN_SYSTEM: &str = "http://hl7.org/fhir/sid/us-ssn";

/// A postal address in the United States.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// House number and street.
    pub line: String,
    /// Apartment, where there is one.
    pub unit: Option<String>,
    /// Town.
    pub city: String,
    /// Two-letter state.
    pub state: String,
    /// ZIP code with five digits, or nine with a hyphen; empty where unknown.
    pub zip: String,
}

/// The demographics of one person. Also used for a hospital's own copy of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demographics {
    /// `Mrs.` and the like.
    pub prefix: Option<String>,
    /// First and further given names.
    pub given: Vec<String>,
    /// Family name.
    pub family: String,
    /// `Jr.` and the like.
    pub suffix: Option<String>,
    /// Family name before marriage.
    pub former_family: Option<String>,
    /// Code of AdministrativeGender.
    pub gender: String,
    /// `YYYY-MM-DD`.
    pub birth_date: String,
    /// Where the person lives.
    pub address: Option<Address>,
    /// Where the person lived before.
    pub former_address: Option<Address>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Telephone number used before.
    pub former_phone: Option<String>,
    /// Electronic mail.
    pub email: Option<String>,
    /// Social Security number, `NNN-NN-NNNN`.
    pub ssn: Option<String>,
}

impl Demographics {
    /// Reads what a Patient resource says. Of several entries the official name, the first phone,
    /// the first e-mail and the first address count.
    pub fn from_patient(patient: fhir::Value<'_>) -> Self {
        let text = |value: Option<fhir::Value<'_>>| {
            value.and_then(|value| value.as_str()).map(|text| text.into_owned())
        };
        let mut out = Self {
            gender: text(patient.get("gender")).unwrap_or_else(|| "unknown".into()),
            birth_date: text(patient.get("birthDate")).unwrap_or_default(),
            ..Self::default()
        };
        for name in patient.get("name").into_iter().flat_map(|names| names.items()) {
            let usage = text(name.get("use")).unwrap_or_default();
            if usage == "maiden" || usage == "old" {
                out.former_family = text(name.get("family"));
            } else if out.family.is_empty() {
                out.family = text(name.get("family")).unwrap_or_default();
                out.given = strings(name.get("given"));
                out.prefix = strings(name.get("prefix")).into_iter().next();
                out.suffix = strings(name.get("suffix")).into_iter().next();
            }
        }
        for telecom in patient.get("telecom").into_iter().flat_map(|items| items.items()) {
            let slot = match text(telecom.get("system")).as_deref() {
                Some("phone") => &mut out.phone,
                Some("email") => &mut out.email,
                _ => continue,
            };
            if slot.is_none() {
                *slot = text(telecom.get("value"));
            }
        }
        out.address =
            patient.get("address").and_then(|items| items.items().next()).map(|address| {
                let mut lines = strings(address.get("line")).into_iter();
                Address {
                    line: lines.next().unwrap_or_default(),
                    unit: lines.next(),
                    city: text(address.get("city")).unwrap_or_default(),
                    state: text(address.get("state")).unwrap_or_default(),
                    zip: text(address.get("postalCode")).unwrap_or_default(),
                }
            });
        out.ssn = patient
            .get("identifier")
            .into_iter()
            .flat_map(|items| items.items())
            .find(|item| item.get("system").is_some_and(|system| system.is_str(SSN_SYSTEM)))
            .and_then(|item| text(item.get("value")));
        out
    }

    /// The first given name, or nothing.
    pub fn first_given(&self) -> &str {
        self.given.first().map_or("", String::as_str)
    }
}

fn strings(value: Option<fhir::Value<'_>>) -> Vec<String> {
    let items = value.into_iter().flat_map(|value| value.each());
    items.filter_map(|item| item.as_str()).map(|text| text.into_owned()).collect()
}

/// What a Patient resource says beside the demographics: member names with their JSON texts.
pub(crate) type Extras = Vec<(String, String)>;

/// The Patient resource of hospital `org` with logical id `id` and record number `mrn`, made of the
/// hospital's copy of the demographics. `extras` are written as they are.
pub(crate) fn patient(
    copy: &Demographics,
    org: &str,
    id: &str,
    mrn: &str,
    extras: &Extras,
) -> String {
    let mut out = format!("{{\"resourceType\":\"Patient\",\"id\":{}", quote(id));
    let mut member = |name: &str, value: &str| {
        out.push_str(&format!(",{}:{value}", quote(name)));
    };
    // Extensions come before the elements they extend, as usual in FHIR JSON.
    for (name, value) in extras.iter().filter(|(name, _)| name == "meta" || name == "extension") {
        member(name, value);
    }
    member("identifier", &identifiers(copy, org, mrn).to_string());
    member("active", "true");
    member("name", &names(copy).to_string());
    let telecoms = telecoms(copy);
    if !telecoms.is_empty() {
        member("telecom", &Value::Array(telecoms).to_string());
    }
    member("gender", &quote(&copy.gender));
    member("birthDate", &quote(&copy.birth_date));
    if let Some(address) = &copy.address {
        member("address", &Value::Array(vec![address_of(address)]).to_string());
    }
    for (name, value) in extras.iter().filter(|(name, _)| name != "meta" && name != "extension") {
        member(name, value);
    }
    let reference = json!({"reference": format!("Organization/{org}")});
    member("managingOrganization", &reference.to_string());
    out.push('}');
    out
}

fn identifiers(copy: &Demographics, org: &str, mrn: &str) -> Value {
    let kind = |code: &str, display: &str| {
        json!({"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": code, "display": display}]})
    };
    let mut all = vec![json!({
        "use": "usual",
        "type": kind("MR", "Medical record number"),
        "system": format!("urn:consilium:org:{org}:mrn"),
        "value": mrn,
        "assigner": {"reference": format!("Organization/{org}")},
    })];
    if let Some(ssn) = &copy.ssn {
        let kind = kind("SS", "Social Security number");
        all.push(json!({"use": "official", "type": kind, "system": SSN_SYSTEM, "value": ssn}));
    }
    Value::Array(all)
}

fn names(copy: &Demographics) -> Value {
    let mut official = Map::new();
    official.insert("use".into(), "official".into());
    official.insert("family".into(), copy.family.clone().into());
    if !copy.given.is_empty() {
        official.insert("given".into(), copy.given.clone().into());
    }
    if let Some(prefix) = &copy.prefix {
        official.insert("prefix".into(), json!([prefix]));
    }
    if let Some(suffix) = &copy.suffix {
        official.insert("suffix".into(), json!([suffix]));
    }
    let mut all = vec![Value::Object(official)];
    if let Some(former) = &copy.former_family {
        all.push(json!({"use": "maiden", "family": former, "given": copy.given}));
    }
    Value::Array(all)
}

fn telecoms(copy: &Demographics) -> Vec<Value> {
    let phone =
        copy.phone.iter().map(|value| json!({"system": "phone", "value": value, "use": "home"}));
    let email = copy.email.iter().map(|value| json!({"system": "email", "value": value}));
    phone.chain(email).collect()
}

fn address_of(address: &Address) -> Value {
    let lines: Vec<&String> = [&address.line].into_iter().chain(&address.unit).collect();
    let mut out = Map::new();
    out.insert("use".into(), "home".into());
    out.insert("line".into(), json!(lines));
    for (name, value) in
        [("city", &address.city), ("state", &address.state), ("postalCode", &address.zip)]
    {
        if !value.is_empty() {
            out.insert(name.into(), value.clone().into());
        }
    }
    out.insert("country".into(), "US".into());
    Value::Object(out)
}
