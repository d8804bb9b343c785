//! Headers of images: one attribute for each action of the profile and each option.

use privacy::deidentify::ProjectKey;
use privacy::deidentify::dicom::{Cleaned, Context, Dates, Options, Pixels, clean};
use privacy::deidentify::text::{Finder, Known};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn cleaned(header: &Value, options: Options) -> Cleaned {
    let key = ProjectKey::new(&[3; 32], "project").unwrap();
    let (finder, mut known) = (Finder::new(), Known::default());
    known.name("Quizhpi");
    let context =
        Context { key: &key, patient: "p1", shift_days: 50, finder: &finder, known: &known };
    clean(header.as_object().unwrap(), options, &context)
}

fn header() -> Value {
    json!({
        "00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]},
        "00080018": {"vr": "UI", "Value": ["1.2.3.4"]},
        "00080020": {"vr": "DA", "Value": ["20200115"]},
        "00080021": {"vr": "DA", "Value": ["20200129"]},
        "0008002A": {"vr": "DT", "Value": ["20200115101112.5"]},
        "00080050": {"vr": "SH", "Value": ["A123"]},
        "00080060": {"vr": "CS", "Value": ["CT"]},
        "00080080": {"vr": "LO", "Value": ["Brackenridge"]},
        "00081030": {"vr": "LO", "Value": ["CT chest for Quizhpi"]},
        "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3.4"]}}]},
        "00090010": {"vr": "LO", "Value": ["PRIVATE"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Quizhpi^Ann"}]},
        "00100020": {"vr": "LO", "Value": ["MRN1"]},
        "00100030": {"vr": "DA", "Value": ["19500101"]},
        "00101010": {"vr": "AS", "Value": ["093Y"]},
        "00181000": {"vr": "LO", "Value": ["SERIAL9"]},
        "00280010": {"vr": "US", "Value": [512]},
        "00280301": {"vr": "CS", "Value": ["NO"]},
        "60023000": {"vr": "OW", "InlineBinary": "AQID"},
        "nonsense": {"vr": "LO", "Value": ["MRN1"]},
    })
}

fn at<'a>(made: &'a Cleaned, tag: &str) -> Option<&'a Value> {
    made.header.get(tag)?.pointer("/Value/0")
}

#[test]
fn each_action_does_what_the_standard_says() {
    let made = cleaned(&header(), Options::default());
    // X
    for gone in ["00090010", "00101010", "60023000", "00081030", "nonsense"] {
        assert!(!made.header.contains_key(gone), "{gone}");
    }
    // Z
    for empty in ["00080020", "00080050", "00100010", "00100030"] {
        assert!(made.header[empty].get("vr").is_some() && at(&made, empty).is_none(), "{empty}");
    }
    // D, and the last of several
    assert_eq!(at(&made, "00080021"), Some(&json!("19000101")));
    assert_eq!(at(&made, "0008002A"), Some(&json!("19000101000000")));
    assert_eq!(at(&made, "00080080"), Some(&json!("ANONYMOUS")));
    let key = ProjectKey::new(&[3; 32], "project").unwrap();
    assert_eq!(at(&made, "00100020"), Some(&json!(key.pseudonym("Patient", "p1"))));
    // U, the same inside a sequence
    let uid = at(&made, "00080018").unwrap().as_str().unwrap();
    assert!(uid.starts_with("2.25.") && uid.len() <= 64, "{uid}");
    assert_eq!(made.header["00081140"].pointer("/Value/0/00081155/Value/0").unwrap(), uid);
    // What the profile does not name
    assert_eq!(at(&made, "00280010"), Some(&json!(512)));
    assert_eq!(at(&made, "00080060"), Some(&json!("CT")));
    // What tells of it
    assert_eq!(at(&made, "00120062"), Some(&json!("YES")));
    assert_eq!(at(&made, "00280303"), Some(&json!("REMOVED")));
    assert_eq!(made.pixels, Pixels::SaidClean);
    let text = Value::Object(made.header).to_string();
    for secret in ["Quizhpi", "MRN1", "Brackenridge", "1.2.3.4", "SERIAL9", "2020", "A123"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn options_keep_or_clean() {
    let options = Options {
        retain_uids: true,
        retain_device_identity: true,
        retain_institution_identity: true,
        retain_patient_characteristics: true,
        dates: Dates::Shifted,
        clean_descriptors: true,
        clean_structured_content: true,
    };
    let made = cleaned(&header(), options);
    assert_eq!(at(&made, "00080018"), Some(&json!("1.2.3.4")));
    assert_eq!(at(&made, "00181000"), Some(&json!("SERIAL9")));
    assert_eq!(at(&made, "00080080"), Some(&json!("Brackenridge")));
    assert_eq!(at(&made, "00101010"), Some(&json!("090Y")));
    assert_eq!(at(&made, "00081030"), Some(&json!("CT chest for [NAME]")));
    assert_eq!(at(&made, "00280303"), Some(&json!("MODIFIED")));
    let date = |tag| -> jiff::civil::Date {
        jiff::civil::Date::strptime("%Y%m%d", at(&made, tag).unwrap().as_str().unwrap()).unwrap()
    };
    assert_eq!((date("00080021") - date("00080020")).get_days(), 14);
    assert_ne!(at(&made, "00080020"), Some(&json!("20200115")));
    let kept = cleaned(&header(), Options { dates: Dates::Kept, ..Options::default() });
    assert_eq!(at(&kept, "00080020"), Some(&json!("20200115")));
}

proptest! {
    #[test]
    fn names_and_private_attributes_never_stay(group in 0u32..0x8000, element in 0u32..0x10000, inside in any::<bool>()) {
        let private = json!({ format!("{:04X}{element:04X}", 2 * group + 1): {"vr": "LO", "Value": ["SECRET"]} });
        let name = json!({"vr": "PN", "Value": [{"Alphabetic": "SECRET"}]});
        let mut header: Map<String, Value> = private.as_object().unwrap().clone();
        header.insert("00100010".into(), name);
        let header = if inside { json!({ "00081115": {"vr": "SQ", "Value": [header]} }) } else { Value::Object(header) };
        let made = cleaned(&header, Options { retain_patient_characteristics: true, ..Options::default() });
        prop_assert!(!Value::Object(made.header).to_string().contains("SECRET"));
    }
}
