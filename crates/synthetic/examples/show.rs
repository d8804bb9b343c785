//! Prints one synthetic patient: `cargo run -p consilium-synthetic --example show -- [seed] [number]`.
//! Without a number it prints the person of the demonstration; `all` prints everybody, `counts`
//! how much there is.

use std::io::Write;

use consilium_synthetic::{Options, Person, World, generate, sites};
use fhir::Document;

/// A fixed time, so that the output can be compared from run to run: 2026-11-20.
const NOW_MS: i64 = 1_795_176_000_000;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let which = arguments.next().unwrap_or_default();
    let world = generate(&Options { seed, patients: 150, sites: &sites(3), now_ms: NOW_MS });
    let mut out = std::io::stdout().lock();
    match which.as_str() {
        "counts" => return counts(&world, &mut out),
        "all" => return world.persons.iter().try_for_each(|person| show(person, &mut out)),
        _ => {}
    }
    match world.persons.get(which.parse().unwrap_or(0)) {
        Some(person) => show(person, &mut out),
        None => writeln!(out, "there is no such person"),
    }
}

fn show(person: &Person, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{}", person.file)?;
    for (org, known) in &person.at {
        writeln!(out, "\n== {org} ({} resources)", known.resources.len())?;
        for text in &known.resources {
            writeln!(out, "{}", line(text))?;
        }
    }
    Ok(())
}

/// One line that says what a clinician would want to see of a resource.
fn line(text: &str) -> String {
    let Ok(doc) = Document::parse(text) else { return "not JSON".into() };
    let root = doc.root();
    let field = |path: &[&str]| {
        root.path(path).and_then(|v| v.as_str()).map(|v| v.into_owned()).unwrap_or_default()
    };
    let coded = |name: &str| {
        let concept = root.get(name).and_then(|v| v.each().next());
        concept
            .and_then(|v| v.get("text"))
            .and_then(|v| v.as_str())
            .map(|v| v.into_owned())
            .unwrap_or_default()
    };
    let when =
        ["effectiveDateTime", "authoredOn", "recordedDate", "occurrenceDateTime", "date", "start"]
            .iter()
            .map(|name| field(&[name]))
            .chain([field(&["period", "start"]), field(&["performedPeriod", "start"])])
            .find(|text| !text.is_empty())
            .unwrap_or_default();
    let day = when.get(..16).unwrap_or(&when).to_owned();
    let kind = field(&["resourceType"]);
    let rest = match kind.as_str() {
        "Patient" => text.to_owned(),
        "Encounter" => {
            format!("{} {} | {}", field(&["class", "code"]), coded("type"), coded("reasonCode"))
        }
        "Observation" => format!("{} {}", coded("code"), value(root)),
        "MedicationRequest" => format!(
            "{} {} {}",
            field(&["status"]),
            field(&["intent"]),
            coded("medicationCodeableConcept")
        ),
        "Condition" => format!(
            "{} onset {} until {}",
            coded("code"),
            field(&["onsetDateTime"]),
            field(&["abatementDateTime"])
        ),
        "Immunization" => coded("vaccineCode"),
        "DocumentReference" => note(text),
        _ => format!("{} {}", coded("code"), field(&["title"])),
    };
    format!(
        "{day:16} {}{kind}: {rest}",
        if text.contains("v3-Confidentiality") { "[R] " } else { "" }
    )
}

fn number(value: fhir::Value<'_>) -> Option<&str> {
    value.path(&["valueQuantity", "value"]).map(|number| number.raw())
}

/// What an Observation found.
fn value(root: fhir::Value<'_>) -> String {
    if let Some(parts) = root.get("component") {
        return parts.items().filter_map(number).collect::<Vec<_>>().join("/");
    }
    let first = |name: &str| root.get(name).and_then(|v| v.each().next());
    let flag = first("interpretation").and_then(|v| v.get("coding")).and_then(|v| v.items().next());
    let words = [
        number(root).unwrap_or_default().to_owned(),
        root.path(&["valueQuantity"])
            .and_then(|v| v.str_at("unit"))
            .unwrap_or_default()
            .into_owned(),
        flag.and_then(|v| v.str_at("code")).unwrap_or_default().into_owned(),
        first("valueCodeableConcept")
            .and_then(|v| v.str_at("text"))
            .unwrap_or_default()
            .into_owned(),
    ];
    words.join(" ").trim().to_owned()
}

fn note(text: &str) -> String {
    use base64::Engine as _;
    let doc = Document::parse(text).ok();
    let data = doc.as_ref().and_then(|doc| {
        let content = doc.root().get("content")?.items().next()?;
        content.path(&["attachment", "data"])?.as_str().map(|v| v.into_owned())
    });
    let bytes = data
        .and_then(|data| base64::engine::general_purpose::STANDARD.decode(data).ok())
        .unwrap_or_default();
    format!(
        "\n{}",
        String::from_utf8_lossy(&bytes)
            .lines()
            .map(|line| format!("        | {line}\n"))
            .collect::<String>()
    )
}

fn counts(world: &World, out: &mut impl Write) -> std::io::Result<()> {
    let mut types = std::collections::BTreeMap::new();
    let (mut several, mut bytes) = (0, 0);
    for person in &world.persons {
        several += usize::from(person.at.len() > 1);
        for text in person.at.values().flat_map(|known| &known.resources) {
            bytes += text.len();
            let kind = text.split('"').nth(3).unwrap_or_default().to_owned();
            *types.entry(kind).or_insert(0) += 1;
        }
    }
    writeln!(
        out,
        "{} persons, {several} at several hospitals, {} resources, {bytes} bytes",
        world.persons.len(),
        types.values().sum::<i32>()
    )?;
    for (kind, count) in types {
        writeln!(out, "{count:7} {kind}")?;
    }
    for (at, person) in world.persons.iter().enumerate() {
        let list: Vec<String> = person
            .at
            .iter()
            .map(|(org, known)| format!("{org} {}", known.resources.len()))
            .collect();
        writeln!(out, "{at:4} {} {}", person.file, list.join(", "))?;
    }
    Ok(())
}
