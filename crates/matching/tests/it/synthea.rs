//! Synthea patients of the shared data folder as truth to be copied with faults.

use super::desk::{Desk, Rates};
use super::population::{Place, Truth};
use fhir::{Document, Value};
use flate2::read::GzDecoder;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::io::Read;
use std::path::PathBuf;

/// The folder with the bundles, or `None` where the shared data is absent.
pub fn folder() -> Option<PathBuf> {
    let shared = std::env::var_os("CONSILIUM_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    Some(shared.join("data/synthea")).filter(|folder| folder.is_dir())
}

/// All patients of the bundles in `folder`, in the order of the file names.
pub fn patients(folder: &std::path::Path) -> std::io::Result<Vec<Truth>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".json.gz"));
    files.sort();
    let mut out = Vec::new();
    for path in files {
        let mut text = String::new();
        GzDecoder::new(std::fs::File::open(path)?).read_to_string(&mut text)?;
        let doc = Document::parse(text).map_err(std::io::Error::other)?;
        let entries = doc.root().get("entry").into_iter().flat_map(Value::items);
        let resources = entries.filter_map(|entry| entry.get("resource"));
        out.extend(
            resources
                .filter(|r| r.get("resourceType").is_some_and(|t| t.is_str("Patient")))
                .map(truth),
        );
    }
    Ok(out)
}

/// Three copies of each patient, one at each site. Only what real hospitals would share is kept:
/// no identifier but the SSN.
pub fn copies(people: &[Truth], rates: Rates, seed: u64) -> Vec<(String, String, String)> {
    let mut desk = Desk { rng: ChaCha8Rng::seed_from_u64(seed), rates };
    let mut out = Vec::new();
    for person in people {
        let mut person = person.clone();
        // Where somebody lived and which telephone they had before.
        let other = &people[desk.rng.random_range(0..people.len())];
        person.old_place = Place {
            line: format!("{} Former Way", desk.rng.random_range(1..900)),
            ..other.place.clone()
        };
        person.old_phone = format!("555{:07}", desk.rng.random_range(1_000_000..9_999_999));
        person.relative_ssn.clone_from(&other.ssn);
        for site in ["north", "lake", "hill"] {
            out.push((person.id.clone(), site.to_owned(), desk.patient(&person, site, out.len())));
        }
    }
    out
}

fn truth(patient: Value<'_>) -> Truth {
    let text = |value: Option<Value<'_>>, name: &str| {
        value.and_then(|v| v.str_at(name)).unwrap_or_default().into_owned()
    };
    let list = |name: &str| patient.get(name).into_iter().flat_map(Value::items);
    let named =
        |code: &str| list("name").find(|name| name.get("use").is_some_and(|u| u.is_str(code)));
    let given = |at: usize| {
        named("official")
            .and_then(|name| name.get("given")?.items().nth(at)?.as_str())
            .unwrap_or_default()
            .into_owned()
    };
    let ssn = list("identifier")
        .find(|i| i.get("system").is_some_and(|s| s.is_str("http://hl7.org/fhir/sid/us-ssn")));
    let address = list("address").next();
    let line = address.and_then(|a| a.get("line")?.items().next()?.as_str()).unwrap_or_default();
    let birth = text(Some(patient), "birthDate");
    let part = |from: usize, to: usize| birth.get(from..to).and_then(|p| p.parse().ok());
    let mother = list("extension")
        .find(|e| e.str_at("url").is_some_and(|url| url.ends_with("patient-mothersMaidenName")));
    let died = text(Some(patient), "deceasedDateTime");
    let digits = |text: String| text.chars().filter(char::is_ascii_digit).collect::<String>();
    Truth {
        id: text(Some(patient), "id"),
        female: patient.get("gender").is_some_and(|g| g.is_str("female")),
        given: given(0),
        middle: given(1),
        family: text(named("official"), "family"),
        maiden: named("maiden").map(|name| text(Some(name), "family")),
        birth: (
            part(0, 4).unwrap_or(1950),
            part(5, 7).unwrap_or(1) as u8,
            part(8, 10).unwrap_or(1) as u8,
        ),
        ssn: digits(text(ssn, "value")),
        phone: digits(text(list("telecom").next(), "value")),
        email: format!("{}@example.org", text(Some(patient), "id")),
        place: Place {
            line: line.into_owned(),
            unit: None,
            city: text(address, "city"),
            state: text(address, "state"),
            postal_code: text(address, "postalCode"),
        },
        mother: text(mother, "valueString"),
        died: Some(died).filter(|date| !date.is_empty()),
        ..Truth::default()
    }
}
