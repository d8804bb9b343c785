//! Headers of DICOM objects by the Basic Application Level Confidentiality Profile (DICOM PS3.15
//! annex E), over the DICOM JSON model (PS3.18 annex F).
//!
//! An attribute that the profile does not name stays, private attributes go. Where the profile
//! gives several actions of which the object's type decides (`X/Z/D`), the last is taken: it keeps
//! every object valid. UIDs and dates change under the key of the project, the same wherever they
//! stand. Pixels are not looked at: [`Cleaned::pixels`] tells whether they may hold burned-in text.

mod profile;
mod value;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::keys::ProjectKey;
use super::text::{Finder, Known};
use profile::{Do, Profile};

/// The deepest nesting of sequences; what lies deeper is left out.
pub const MAX_DEPTH: usize = 32;

/// What may stay beyond the profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Options {
    /// UIDs stay.
    pub retain_uids: bool,
    /// What identifies the device stays.
    pub retain_device_identity: bool,
    /// What identifies the institution stays.
    pub retain_institution_identity: bool,
    /// Age, sex, size, weight and the like stay; ages over 89 become 90.
    pub retain_patient_characteristics: bool,
    /// Dates.
    pub dates: Dates,
    /// Descriptions stay after what identifies in them was replaced.
    pub clean_descriptors: bool,
    /// Structured contents stay after what identifies in them was replaced.
    pub clean_structured_content: bool,
}

/// What becomes of dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dates {
    /// They go.
    #[default]
    Removed,
    /// They move by the days of the patient.
    Shifted,
    /// They stay.
    Kept,
}

/// What the cleaning needs beside the header.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The key of the project.
    pub key: &'a ProjectKey,
    /// The id of the Patient resource: PatientID and PatientName become its pseudonym.
    pub patient: &'a str,
    /// The largest shift of dates in days.
    pub shift_days: u16,
    /// Finds what identifies in texts.
    pub finder: &'a Finder,
    /// What the record knows of its people.
    pub known: &'a Known,
}

/// A cleaned header.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleaned {
    /// The header.
    pub header: Map<String, Value>,
    /// What is known of the pixels.
    pub pixels: Pixels,
}

/// Whether pixels may show what identifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pixels {
    /// BurnedInAnnotation (0028,0301) says that they do not.
    SaidClean,
    /// It says that they do: they must not leave as they are.
    BurnedIn,
    /// It does not say.
    Unknown,
}

/// Cleans a header: an object of DICOM JSON with `GGGGEEEE` as names. What is no attribute is left
/// out.
pub fn clean(header: &Map<String, Value>, options: Options, context: &Context<'_>) -> Cleaned {
    let mut cleaned = items(header, options, context, 0);
    for (tag, element) in stamps(options) {
        cleaned.insert(tag.to_owned(), element);
    }
    cleaned.sort_keys();
    let burned = header.get("00280301").and_then(|e| e.pointer("/Value/0")).and_then(Value::as_str);
    let pixels = match burned {
        Some("NO") => Pixels::SaidClean,
        Some("YES") => Pixels::BurnedIn,
        _ => Pixels::Unknown,
    };
    Cleaned { header: cleaned, pixels }
}

fn items(
    header: &Map<String, Value>,
    options: Options,
    context: &Context<'_>,
    depth: usize,
) -> Map<String, Value> {
    let mut out = Map::new();
    for (tag, element) in header {
        let Some(number) = tag_number(tag) else { continue };
        let Some(element) = element.as_object() else { continue };
        if let Some(made) = attribute(number, element, options, context, depth) {
            out.insert(format!("{number:08X}"), made);
        }
    }
    out
}

fn tag_number(tag: &str) -> Option<u32> {
    let hex = tag.len() == 8 && tag.bytes().all(|b| b.is_ascii_hexdigit());
    if hex { u32::from_str_radix(tag, 16).ok() } else { None }
}

/// One attribute as it may stay.
fn attribute(
    tag: u32,
    element: &Map<String, Value>,
    options: Options,
    context: &Context<'_>,
    depth: usize,
) -> Option<Value> {
    // Groups with an odd number are private (PS3.5 section 7.8).
    if (tag >> 16) & 1 == 1 {
        return None;
    }
    let vr = element.get("vr").and_then(Value::as_str).filter(|vr| value::is_vr(vr))?;
    let what = Profile::shared().action(tag, options);
    if vr == "SQ" {
        return match what {
            Do::Remove => None,
            Do::Empty => Some(json!({ "vr": "SQ" })),
            Do::Dummy => Some(json!({ "vr": "SQ", "Value": [{}] })),
            Do::Keep | Do::Clean | Do::Shift | Do::Uid => {
                sequence(element, options, context, depth)
            }
        };
    }
    let made = match what {
        Do::Remove => return None,
        Do::Empty => Some(Vec::new()),
        Do::Keep => return value::kept(tag, vr, element),
        Do::Dummy => Some(vec![value::dummy(tag, vr, context)]),
        Do::Uid => Some(value::uids(element, context.key)),
        Do::Shift => value::shifted(vr, element, context),
        Do::Clean => value::cleaned(vr, element, context),
    };
    match made {
        None => None,
        Some(values) if values.is_empty() => Some(json!({ "vr": vr })),
        Some(values) if value::is_binary(vr) => {
            Some(json!({ "vr": vr, "InlineBinary": values.first() }))
        }
        Some(values) => Some(json!({ "vr": vr, "Value": values })),
    }
}

fn sequence(
    element: &Map<String, Value>,
    options: Options,
    context: &Context<'_>,
    depth: usize,
) -> Option<Value> {
    if depth >= MAX_DEPTH {
        return None;
    }
    let inside = element.get("Value").and_then(Value::as_array)?;
    let inside: Vec<Value> = inside
        .iter()
        .filter_map(Value::as_object)
        .map(|item| Value::Object(items(item, options, context, depth + 1)))
        .collect();
    Some(json!({ "vr": "SQ", "Value": inside }))
}

/// What tells that the object was cleaned (PS3.15 section E.1.1), with the codes of context group
/// 7050 of PS3.16.
fn stamps(options: Options) -> Vec<(&'static str, Value)> {
    let temporal = match options.dates {
        Dates::Removed => "REMOVED",
        Dates::Shifted => "MODIFIED",
        Dates::Kept => "UNMODIFIED",
    };
    let codes = [
        (true, "113100", "Basic Application Confidentiality Profile"),
        (options.clean_structured_content, "113104", "Clean Structured Content Option"),
        (options.clean_descriptors, "113105", "Clean Descriptors Option"),
        (
            options.dates == Dates::Kept,
            "113106",
            "Retain Longitudinal Temporal Information Full Dates Option",
        ),
        (
            options.dates == Dates::Shifted,
            "113107",
            "Retain Longitudinal Temporal Information Modified Dates Option",
        ),
        (options.retain_patient_characteristics, "113108", "Retain Patient Characteristics Option"),
        (options.retain_device_identity, "113109", "Retain Device Identity Option"),
        (options.retain_uids, "113110", "Retain UIDs Option"),
        (options.retain_institution_identity, "113112", "Retain Institution Identity Option"),
    ];
    let codes: Vec<Value> = codes
        .iter()
        .filter(|(used, ..)| *used)
        .map(|(_, code, meaning)| {
            json!({
                "00080100": { "vr": "SH", "Value": [code] },
                "00080102": { "vr": "SH", "Value": ["DCM"] },
                "00080104": { "vr": "LO", "Value": [meaning] },
            })
        })
        .collect();
    vec![
        ("00120062", json!({ "vr": "CS", "Value": ["YES"] })),
        ("00120063", json!({ "vr": "LO", "Value": ["DICOM PS3.15 annex E, basic profile"] })),
        ("00120064", json!({ "vr": "SQ", "Value": codes })),
        ("00280303", json!({ "vr": "CS", "Value": [temporal] })),
    ]
}
