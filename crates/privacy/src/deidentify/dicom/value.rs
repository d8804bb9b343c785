//! Values of attributes by their representation (VR, PS3.5 section 6.2).

use serde_json::{Map, Value, json};

use super::Context;
use crate::deidentify::keys::ProjectKey;

const VRS: [&str; 34] = [
    "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "OB", "OD", "OF", "OL",
    "OV", "OW", "PN", "SH", "SL", "SQ", "SS", "ST", "SV", "TM", "UC", "UI", "UL", "UN", "UR", "US",
    "UT", "UV",
];

const PATIENT_NAME: u32 = 0x0010_0010;
const PATIENT_ID: u32 = 0x0010_0020;

/// Whether it is a value representation.
pub(super) fn is_vr(vr: &str) -> bool {
    VRS.contains(&vr)
}

/// Whether values are bytes.
pub(super) fn is_binary(vr: &str) -> bool {
    matches!(vr, "OB" | "OD" | "OF" | "OL" | "OV" | "OW" | "UN")
}

fn values(element: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    element.get("Value").and_then(Value::as_array).into_iter().flatten()
}

/// The attribute as it is, members that DICOM JSON does not have left out; an age over 89 as 90.
pub(super) fn kept(_tag: u32, vr: &str, element: &Map<String, Value>) -> Option<Value> {
    let mut out = Map::new();
    out.insert("vr".to_owned(), json!(vr));
    for name in ["Value", "InlineBinary", "BulkDataURI"] {
        if let Some(value) = element.get(name) {
            out.insert(name.to_owned(), value.clone());
        }
    }
    if vr == "AS" {
        let ages: Vec<Value> =
            values(element).filter_map(Value::as_str).map(|a| json!(age(a))).collect();
        out.insert("Value".to_owned(), Value::Array(ages));
    }
    Some(Value::Object(out))
}

/// `095Y` becomes `090Y`; what is no age, `090Y` too.
fn age(text: &str) -> &str {
    let years = text.strip_suffix('Y').map(str::parse::<u32>);
    match years {
        Some(Ok(years)) if years < 90 => text,
        None if text.len() == 4 && text.ends_with(['D', 'W', 'M']) => text,
        _ => "090Y",
    }
}

/// A value that stands for none: the pseudonym of the patient for id and name.
pub(super) fn dummy(tag: u32, vr: &str, context: &Context<'_>) -> Value {
    let patient = || context.key.pseudonym("Patient", context.patient);
    match vr {
        _ if tag == PATIENT_ID => json!(patient()),
        "PN" if tag == PATIENT_NAME => json!({ "Alphabetic": patient() }),
        "PN" => json!({ "Alphabetic": "ANONYMOUS" }),
        "DA" => json!("19000101"),
        "TM" => json!("000000"),
        "DT" => json!("19000101000000"),
        "AS" => json!("000D"),
        "AT" => json!("00000000"),
        "UI" => json!(context.key.uid("dummy")),
        "UR" => json!("urn:anonymous"),
        "DS" | "IS" | "FD" | "FL" | "SL" | "SS" | "SV" | "UL" | "US" | "UV" => json!(0),
        _ if is_binary(vr) => json!("AAA="),
        _ => json!("ANONYMOUS"),
    }
}

/// UIDs mapped under the key.
pub(super) fn uids(element: &Map<String, Value>, key: &ProjectKey) -> Vec<Value> {
    values(element).filter_map(Value::as_str).map(|uid| json!(key.uid(uid))).collect()
}

/// Dates moved by the days of the patient; times of day stay. `None` for what is no date.
pub(super) fn shifted(
    vr: &str,
    element: &Map<String, Value>,
    context: &Context<'_>,
) -> Option<Vec<Value>> {
    let days = context.key.shift_days(context.patient, context.shift_days);
    let moved = |text: &str| -> Option<Value> {
        let date = text.get(..8).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
        let rest = text.get(8..)?;
        let date = jiff::civil::Date::strptime("%Y%m%d", date).ok()?;
        let moved = date.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
        let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-');
        rest.chars().all(digits).then(|| json!(format!("{}{rest}", moved.strftime("%Y%m%d"))))
    };
    match vr {
        "TM" => {
            let time = |text: &&str| text.chars().all(|c| c.is_ascii_digit() || c == '.');
            Some(values(element).filter_map(Value::as_str).filter(time).map(|t| json!(t)).collect())
        }
        "DA" | "DT" => Some(values(element).filter_map(Value::as_str).filter_map(moved).collect()),
        _ => None,
    }
}

/// Texts without what identifies; `None` for what is no text.
pub(super) fn cleaned(
    vr: &str,
    element: &Map<String, Value>,
    context: &Context<'_>,
) -> Option<Vec<Value>> {
    let text = matches!(vr, "LO" | "LT" | "SH" | "ST" | "UC" | "UT" | "CS");
    text.then(|| {
        let texts = values(element).filter_map(Value::as_str);
        texts.map(|text| json!(context.finder.scrubbed(text, context.known))).collect()
    })
}
