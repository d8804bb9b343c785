//! Consents on paper: what a patient has signed is recorded by the privacy officer, with a scan.
//!
//! The form has the choices of the patient's own page and becomes the same Consents, so they are
//! delivered, decided and shown as those are. They tell beside it when they were signed and by whom,
//! that the signature was verified (`verification`), who recorded them, and carry the scan
//! (`sourceAttachment`). The scan stays here: what travels to other institutions says where it is kept
//! and what its hashes are ([`for_others`]).
//!
//! Privacy officers may not read who a patient is. They type the number and the date of birth that
//! the paper states, and both have to be those of one patient.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir::edit::Edits;
use fhir::{Id, Resource};
use fhirpath::search::Registry;
use serde_json::{Value as Json, json};
use store::query::parse;
use store::{Expect, Key, Method, Transaction, Write};

use super::{decide, deliver};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::records::{parse as parse_stored, patients_of};
use crate::{App, Caller, Error, Kind, Result};

/// Longest scan, in bytes: some pages in grey.
pub const MAX_SCAN: usize = 768 * 1024;
/// Longest name of a representative, in characters.
pub const MAX_NAME: usize = 120;
/// Most recorded papers that are listed.
const MAX_LISTED: usize = 200;

/// Marks Consents that were given on paper.
const TAG_SYSTEM: &str = "https://consilium.health/fhir/CodeSystem/consent-form";
const TAG: &str = "paper";
/// SHA-256 of a scan that is kept elsewhere, in hexadecimal digits.
const SHA256: &str = "https://consilium.health/fhir/StructureDefinition/attachment-sha256";
/// Who recorded it, a reference by identifier.
pub(super) const RECORDED_BY: &str =
    "https://consilium.health/fhir/StructureDefinition/consent-recorded-by";

/// Whom a paper is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Every organisation.
    Everybody,
    /// One organisation, by its short id.
    Organisation(String),
    /// One person, by the key of [`super::people`].
    Person(String),
}

/// What a paper says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Whom it is about.
    pub about: About,
    /// Whether they may see what others hold.
    pub see: bool,
    /// Whether they may share what they hold; for a person the same as `see`.
    pub share: bool,
    /// The day of the signature, `2026-11-20`.
    pub signed_on: String,
    /// Who signed for the patient; empty where the patient did.
    pub representative: String,
}

/// A scan of the paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan(Vec<u8>, &'static str);

impl Scan {
    /// A scan whose first bytes show that it is a PDF or a JPEG picture, at most [`MAX_SCAN`] bytes.
    ///
    /// Errors: [`Kind::Invalid`] for anything else.
    pub fn read(bytes: Vec<u8>) -> Result<Self> {
        let content_type = match bytes.as_slice() {
            [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
            [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
            _ => return Err(Error::invalid("value", "a scan is a PDF or a JPEG picture")),
        };
        if bytes.len() > MAX_SCAN {
            let message = format!("a scan has at most {MAX_SCAN} bytes; scan it in grey");
            return Err(Error::invalid("too-long", message));
        }
        Ok(Self(bytes, content_type))
    }
}

/// A paper that was recorded here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Id of the Consent.
    pub id: Id,
    /// The patient's id here.
    pub patient: Id,
    /// Names of the organisations and people it is about; empty for all.
    pub about: Vec<String>,
    /// Whether it leaves those it is about to see what others hold.
    pub see: bool,
    /// Whether it leaves those it is about to share what they hold.
    pub share: bool,
    /// When it was signed, a FHIR dateTime: a day, or the moment where that day had not ended.
    pub signed: String,
    /// Who recorded it.
    pub by: String,
    /// Whether it is in force.
    pub active: bool,
}

/// The patient with this number (an identifier's value) and date of birth. Neither is told.
///
/// Errors: [`Kind::NotFound`] where no patient has both, or several have.
pub fn patient_of(app: &App, caller: &Caller, number: &str, born: &str) -> Result<Id> {
    officer(app, caller)?;
    let params = [
        ("identifier".to_owned(), number.replace(['|', ',', '\\', '$'], "")),
        ("birthdate".to_owned(), day(app, born)?.to_owned()),
    ];
    let search =
        parse(Registry::r4(), "Patient", &params).map_err(|e| Error::internal(e.to_string()))?;
    let snapshot = app.store().snapshot()?;
    let found = snapshot.find(&search.query, 2, false)?;
    let patient = match &*snapshot.load(&found)? {
        [one] => Some(one.key.id.clone()),
        _ => None,
    };
    let event = Event::by(caller, Pattern::Query).query("Patient?identifier&birthdate");
    app.audit(event.patients(patient.clone()))?;
    patient.ok_or_else(Error::not_found)
}

/// The Consents that a paper would become, to be tried and not to be stored.
///
/// Errors: [`Kind::Invalid`] for a day that is none or to come, somebody unknown, and for one
/// direction of all.
pub fn drafts(app: &App, caller: &Caller, patient: &Id, paper: &Paper) -> Result<Vec<Resource>> {
    officer(app, caller)?;
    let signed_on = day(app, &paper.signed_on)?;
    let drafts = match &paper.about {
        About::Everybody => decide::drafts(app, patient, None, paper.see, paper.share)?,
        About::Organisation(org) => {
            decide::drafts(app, patient, Some(org), paper.see, paper.share)?
        }
        About::Person(key) => vec![decide::draft_personal(app, caller, patient, key, paper.see)?],
    };
    drafts.iter().map(|draft| dated(app, draft, signed_on)).collect()
}

/// The Consent as of the day of the signature. A day that has not ended is replaced by the moment,
/// since a consent of the future is not in force.
fn dated(app: &App, draft: &Resource, signed_on: &str) -> Result<Resource> {
    let ends = fhir::time::parse(signed_on).map_or(i64::MAX, |day| day.end_ms);
    if ends > app.now_ms() {
        return Ok(draft.clone());
    }
    let mut json = read(draft)?;
    json["dateTime"] = json!(signed_on);
    written(&json)
}

/// Records a paper of `patient` with its scan and sends it to every institution that holds their
/// record. Returns the ids of its Consents.
///
/// Errors: [`Kind::Forbidden`] for anybody but the privacy officer, [`Kind::Invalid`] as
/// [`drafts`], [`Kind::NotFound`].
pub fn record(
    app: &App,
    caller: &Caller,
    patient: &Id,
    paper: &Paper,
    scan: &Scan,
) -> Result<Vec<Id>> {
    officer(app, caller)?;
    decide::authorised(app, caller, patient)?;
    if paper.representative.chars().count() > MAX_NAME {
        return Err(Error::invalid("too-long", "the name of who signed is too long"));
    }
    let drafts = drafts(app, caller, patient, paper)?;
    let scanned = STANDARD.encode(&scan.0);
    let signed = drafts.iter().map(|draft| {
        let mut json = read(draft)?;
        let title = json.pointer("/sourceAttachment/title").and_then(Json::as_str);
        let title = format!("{} (on paper)", title.unwrap_or_default());
        json["meta"] = json!({"tag": [{"system": TAG_SYSTEM, "code": TAG}]});
        json["extension"] = json!([{"url": RECORDED_BY, "valueReference": {
            "identifier": {
                "system": format!("{}{}", policy::consent::ORGANISATION_URN, app.org().id),
                "value": caller.user.id,
            },
            "display": caller.user.name,
        }}]);
        let signer = match paper.representative.trim() {
            "" => json!({"reference": format!("Patient/{patient}")}),
            name => json!({"display": name}),
        };
        json["performer"] = json!([signer]);
        json["sourceAttachment"] = json!({
            "contentType": scan.1, "data": scanned, "title": title,
            "creation": fhir::time::instant(app.now_ms()),
        });
        json["verification"] = json!([{
            "verified": true, "verifiedWith": signer,
            "verificationDate": fhir::time::instant(app.now_ms()),
        }]);
        written(&json)
    });
    let ids = decide::store(app, caller, patient, signed.collect::<Result<_>>()?)?;
    app.outbox().nudge();
    Ok(ids)
}

/// The papers that were recorded here, newest first. For the privacy officer.
pub fn recorded(app: &App, caller: &Caller) -> Result<Vec<Recorded>> {
    officer(app, caller)?;
    let params = [
        ("_tag".to_owned(), format!("{TAG_SYSTEM}|{TAG}")),
        ("_sort".to_owned(), "-_lastUpdated".to_owned()),
    ];
    let search =
        parse(Registry::r4(), "Consent", &params).map_err(|e| Error::internal(e.to_string()))?;
    let snapshot = app.store().snapshot()?;
    let found = snapshot.find(&search.query, MAX_LISTED, false)?;
    let mut list = Vec::new();
    for stored in snapshot.load(&found)? {
        let consent = parse_stored(&stored)?;
        // What another institution has recorded is not this officer's to end.
        if deliver::origin(&consent).is_none() {
            list.extend(view(&consent));
        }
    }
    let patients = list.iter().map(|one| one.patient.clone());
    app.audit(Event::by(caller, Pattern::Query).patients(patients).query("Consent?_tag=paper"))?;
    Ok(list)
}

/// Ends what a paper that was recorded here decides, as when the patient takes it back in writing.
///
/// Errors: [`Kind::NotFound`] where there is no such paper, [`Kind::Conflict`] where it has ended.
pub fn end(app: &App, caller: &Caller, id: &Id) -> Result<()> {
    officer(app, caller)?;
    let key = Key { resource_type: "Consent", id: id.clone() };
    let stored = app.store().snapshot()?.read(&key)?.filter(|s| s.method != Method::Delete);
    let stored = stored.ok_or_else(Error::not_found)?;
    let consent = parse_stored(&stored)?;
    let seen = view(&consent).filter(|_| deliver::origin(&consent).is_none());
    let seen = seen.ok_or_else(Error::not_found)?;
    if !seen.active {
        return Err(Error::new(Kind::Conflict, "this consent has ended already"));
    }
    let mut edits = Edits::default();
    edits.set(consent.root(), "status", "\"inactive\"", "resourceType");
    let resource =
        Resource::parse(edits.apply(consent.text())).map_err(|e| Error::internal(e.to_string()))?;
    let event =
        Event::by(caller, Pattern::Update).patients([seen.patient]).data(format!("Consent/{id}"));
    let expect = Expect::Version(stored.version);
    let write = Write::Put { key, resource, expect, method: Method::Put };
    let side = deliver::after_write(app, &write)?;
    let writes = vec![write, event.write(app)?];
    app.store().commit(Transaction { writes, side, ..Default::default() })?;
    app.outbox().nudge();
    Ok(())
}

/// A Consent as it travels to other institutions: of one on paper without the bytes of the scan, in
/// whose place stand an address, the size and the hashes (FHIR R4, Attachment: `url` is where the
/// data are, `hash` is their SHA-1). A signature, a handwriting and whatever else a form shows
/// are nobody else's; what was decided, when, by whom and that it was verified is told. `None`
/// where nothing has to be left out.
pub(super) fn for_others(app: &App, key: &Key, consent: &Resource) -> Result<Option<Resource>> {
    let tags = consent.root().path(&["meta", "tag"]);
    let is_paper = tags.into_iter().flat_map(|tags| tags.items()).any(|tag| {
        tag.get("system").is_some_and(|system| system.is_str(TAG_SYSTEM))
            && tag.get("code").is_some_and(|code| code.is_str(TAG))
    });
    if !is_paper || consent.root().path(&["sourceAttachment", "data"]).is_none() {
        return Ok(None);
    }
    let mut json = read(consent)?;
    let faulty = || Error::internal("the source of a consent on paper is no attachment");
    let source = json.get_mut("sourceAttachment").and_then(Json::as_object_mut);
    let source = source.ok_or_else(faulty)?;
    let data = source.remove("data").and_then(|data| data.as_str().map(str::to_owned));
    // What cannot be read is left out all the same.
    let bytes = data.and_then(|data| STANDARD.decode(data).ok()).unwrap_or_default();
    // What came from elsewhere is not kept here.
    if deliver::origin(consent).is_none() {
        let url = format!("{}/fhir/{}/{}", app.org().base_url, key.resource_type, key.id);
        source.insert("url".into(), url.into());
    }
    source.insert("size".into(), bytes.len().into());
    source.insert("hash".into(), STANDARD.encode(crypto::hash::sha1(&bytes)).into());
    let sha256 = crypto::hash::hex(&crypto::hash::sha256(&bytes));
    source.insert("extension".into(), json!([{"url": SHA256, "valueString": sha256}]));
    written(&json).map(Some)
}

/// Who recorded a Consent that was given on paper; `None` for others.
pub(super) fn recorder(consent: &Resource) -> Option<String> {
    let extensions = consent.root().get("extension")?;
    let by =
        extensions.items().find(|e| e.get("url").is_some_and(|url| url.is_str(RECORDED_BY)))?;
    Some(by.path(&["valueReference", "display"])?.as_str()?.into_owned())
}

fn view(consent: &Resource) -> Option<Recorded> {
    let root = consent.root();
    let text = |path: &[&str]| Some(root.path(path)?.as_str()?.into_owned());
    let super::standing::Decided { about, see, share, .. } = super::standing::decided(consent)?;
    Some(Recorded {
        id: consent.id()?,
        patient: patients_of(consent).into_iter().next()?,
        about,
        see,
        share,
        signed: text(&["dateTime"])?,
        by: recorder(consent)?,
        active: text(&["status"])? == "active",
    })
}

/// Whoever may keep consents for patients, and is none.
fn officer(app: &App, caller: &Caller) -> Result<()> {
    let permit = authorise(app, caller, Action::deciding("Consent"))?;
    match permit.scope().own() {
        None => Ok(()),
        Some(_) => Err(Error::not_found()),
    }
}

/// A whole day that has begun.
fn day<'t>(app: &App, text: &'t str) -> Result<&'t str> {
    let range = fhir::time::parse(text).filter(|_| text.len() == 10);
    match range {
        Some(day) if day.start_ms <= app.now_ms() => Ok(text),
        Some(_) => Err(Error::invalid("value", "the day is still to come")),
        None => Err(Error::invalid("value", "a day is written `2026-11-20`")),
    }
}

fn read(resource: &Resource) -> Result<Json> {
    serde_json::from_str(resource.text())
        .map_err(|e| Error::internal(format!("a consent is not valid: {e}")))
}

fn written(json: &Json) -> Result<Resource> {
    Resource::parse(json.to_string())
        .map_err(|e| Error::internal(format!("a consent is not valid: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_known_by_its_first_bytes() {
        for (bytes, expected) in [
            (b"%PDF-1.7 ...".to_vec(), Some("application/pdf")),
            (vec![0xFF, 0xD8, 0xFF, 0xE0], Some("image/jpeg")),
            (b"<html>".to_vec(), None),
            (Vec::new(), None),
        ] {
            let read = Scan::read(bytes).ok().map(|Scan(_, content_type)| content_type);
            assert_eq!(read, expected);
        }
        let mut long = b"%PDF-".to_vec();
        long.resize(MAX_SCAN + 1, 0);
        assert!(Scan::read(long).is_err());
    }
}
