//! Links between a patient here and the same person's record at another institution.
//!
//! A link is a FHIR `Linkage` with one item for the patient here (`source`) and one for the record
//! there (`alternate`). There is at most one for each patient and institution, under an id made
//! from both, so that it is found without a search. Its state says how it came about; a link that
//! was undone stays as a decision, so that the matcher does not follow it again.

use fhir::{Id, Resource};
use serde_json::json;
use store::{Expect, Key, Method, Snapshot, Write};

use super::parse;
use crate::{App, Error, Result};

const STATE: &str = "https://consilium.health/fhir/StructureDefinition/link-state";
const ORGANISATION: &str = "https://consilium.health/fhir/StructureDefinition/link-organisation";
const REMOTE_ID: &str = "https://consilium.health/fhir/StructureDefinition/link-patient-id";
const SCORE: &str = "https://consilium.health/fhir/StructureDefinition/link-score";
const FIELDS: &str = "https://consilium.health/fhir/StructureDefinition/link-fields";
const DEMOGRAPHICS: &str = "https://consilium.health/fhir/StructureDefinition/link-demographics";

/// How the id of a link begins.
pub(crate) const PREFIX: &str = "link-";
/// How the extensions begin that make a Linkage a link.
const EXTENSIONS: &str = "https://consilium.health/fhir/StructureDefinition/link-";

/// How a link came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The matcher was certain.
    Certain,
    /// A person confirmed it.
    Confirmed,
    /// The matcher finds it possible; a person must decide.
    Possible,
    /// A person decided that it is somebody else, or undid the link.
    Rejected,
}

impl State {
    /// The word in the resource.
    pub fn word(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Confirmed => "confirmed",
            Self::Possible => "possible",
            Self::Rejected => "rejected",
        }
    }

    fn find(word: &str) -> Option<Self> {
        [Self::Certain, Self::Confirmed, Self::Possible, Self::Rejected]
            .into_iter()
            .find(|state| state.word() == word)
    }

    /// Whether records may be asked for along the link.
    pub fn is_followed(self) -> bool {
        matches!(self, Self::Certain | Self::Confirmed)
    }
}

/// A link as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The patient here.
    pub patient: Id,
    /// The other institution.
    pub org: String,
    /// The patient's id there.
    pub remote: Id,
    /// How it came about.
    pub state: State,
    /// The matcher's probability, 0 to 1, where it scored.
    pub score: Option<f64>,
    /// The matcher's explanation: JSON list of `{name, agreement, weight}`.
    pub fields: Option<String>,
    /// Demographics there, as the other institution sent them: FHIR `Patient` JSON.
    pub demographics: Option<String>,
    /// Version of the stored resource; 0 for a link not stored yet.
    pub version: u64,
}

/// Where the link between `patient` and `org` is kept.
pub fn key(patient: &Id, org: &str) -> Result<Key> {
    let hash = crypto::hash::sha256_of_parts(&[patient.as_str().as_bytes(), b"\0", org.as_bytes()]);
    let hex = crypto::hash::hex(&hash);
    let id =
        Id::new(format!("{PREFIX}{}", &hex[..40])).map_err(|e| Error::internal(e.to_string()))?;
    Ok(Key { resource_type: "Linkage", id })
}

/// The link between `patient` and `org`, whatever its state.
pub fn find(snapshot: &dyn Snapshot, patient: &Id, org: &str) -> Result<Option<Link>> {
    let stored = snapshot.read(&key(patient, org)?)?.filter(|s| s.method != Method::Delete);
    stored.map(|stored| Ok(view(&parse(&stored)?, stored.version))).transpose().map(Option::flatten)
}

/// Whether a Linkage has anything of a link of this node's making.
pub(crate) fn is_one(resource: &Resource) -> bool {
    let list = resource.get("extension");
    let mut urls = list.iter().flat_map(|list| list.items()).filter_map(|one| one.str_at("url"));
    urls.any(|url| url.starts_with(EXTENSIONS))
}

/// Reads a Linkage of this node's making.
pub fn view(resource: &Resource, version: u64) -> Option<Link> {
    let extension = |url: &str| {
        let list = resource.get("extension")?;
        list.items().find(|e| e.get("url").is_some_and(|u| u.is_str(url)))
    };
    let text = |url: &str| Some(extension(url)?.str_at("valueString")?.into_owned());
    let source = resource
        .get("item")?
        .items()
        .find(|i| i.get("type").is_some_and(|t| t.is_str("source")))?;
    let reference = source.path(&["resource", "reference"])?.as_str()?;
    Some(Link {
        patient: Id::new(reference.strip_prefix("Patient/")?).ok()?,
        org: text(ORGANISATION)?,
        remote: Id::new(text(REMOTE_ID)?).ok()?,
        state: State::find(&extension(STATE)?.str_at("valueCode")?)?,
        score: extension(SCORE).and_then(|e| e.get("valueDecimal")?.as_number()?.parse().ok()),
        fields: text(FIELDS),
        demographics: text(DEMOGRAPHICS),
        version,
    })
}

/// The write that stores `link`; it fails if somebody changed the link since it was read.
pub fn write(app: &App, link: &Link, peer_base_url: &str) -> Result<Write> {
    let mut extensions = vec![
        json!({"url": STATE, "valueCode": link.state.word()}),
        json!({"url": ORGANISATION, "valueString": link.org}),
        json!({"url": REMOTE_ID, "valueString": link.remote.as_str()}),
    ];
    extensions.extend(link.score.map(|score| json!({"url": SCORE, "valueDecimal": score})));
    extensions.extend(link.fields.as_ref().map(|text| json!({"url": FIELDS, "valueString": text})));
    extensions.extend(
        link.demographics.as_ref().map(|text| json!({"url": DEMOGRAPHICS, "valueString": text})),
    );
    let remote = format!("{peer_base_url}/fhir/Patient/{}", link.remote);
    let resource = json!({
        "resourceType": "Linkage",
        "extension": extensions,
        "active": link.state.is_followed(),
        "author": app.organisation_reference(),
        "item": [
            {"type": "source", "resource": {"reference": format!("Patient/{}", link.patient)}},
            {"type": "alternate", "resource": {"reference": remote}},
        ],
    });
    let resource = Resource::parse(resource.to_string())
        .map_err(|e| Error::internal(format!("a link is not valid: {e}")))?;
    let expect = match link.version {
        0 => Expect::Absent,
        version => Expect::Version(version),
    };
    Ok(Write::Put { key: key(&link.patient, &link.org)?, resource, expect, method: Method::Put })
}
