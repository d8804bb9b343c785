//! DICOM files, made up attribute by attribute: what goes, what stays, what is refused. What comes out is
//! read by `dicom-object`, which knows nothing of ours.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;
use dicom_object::{DefaultDicomObject, FileMetaTableBuilder, InMemDicomObject, from_reader};
use privacy::deidentify::ProjectKey;
use privacy::deidentify::dicom::{
    Context, Dates, MAX_BYTES, MAX_DEPTH, MAX_PARTS, Options, Refused, clean,
};
use proptest::prelude::*;
use serde_json::Value;

use super::recipes::{applied_under, recipe};

pub(super) const IMPLICIT: &str = "1.2.840.10008.1.2";
pub(super) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const JPEG: &str = "1.2.840.10008.1.2.4.50";
pub(super) const CT: &str = "1.2.840.10008.5.1.4.1.1.2";

pub(super) const IMAGE_TYPE: u32 = 0x0008_0008;
pub(super) const SOP_CLASS: u32 = 0x0008_0016;
pub(super) const SOP_INSTANCE: u32 = 0x0008_0018;
const STUDY_DATE: u32 = 0x0008_0020;
pub(super) const MODALITY: u32 = 0x0008_0060;
pub(super) const REFERENCED_IMAGES: u32 = 0x0008_1140;
pub(super) const REFERENCED_INSTANCE: u32 = 0x0008_1155;
pub(super) const PATIENT_NAME: u32 = 0x0010_0010;
const PATIENT_ID: u32 = 0x0010_0020;
const BIRTH_DATE: u32 = 0x0010_0030;
const AGE: u32 = 0x0010_1010;
pub(super) const ROWS: u32 = 0x0028_0010;
pub(super) const COLUMNS: u32 = 0x0028_0011;
pub(super) const BITS: u32 = 0x0028_0100;
pub(super) const BURNED_IN: u32 = 0x0028_0301;
pub(super) const PIXELS: u32 = 0x7FE0_0010;

/// Attributes by tag, written.
pub(super) type DataSet = BTreeMap<u32, Vec<u8>>;

fn padded(value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(b' ');
    }
    value
}

pub(super) fn tag(tag: u32) -> Vec<u8> {
    let (group, number) = ((tag >> 16) as u16, (tag & 0xFFFF) as u16);
    [group.to_le_bytes(), number.to_le_bytes()].concat()
}

pub(super) fn element(number: u32, vr: &str, value: &[u8]) -> Vec<u8> {
    let mut out = tag(number);
    let value = padded(value);
    out.extend(vr.as_bytes());
    if ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"].contains(&vr)
    {
        out.extend([0u8; 2]);
        out.extend((value.len() as u32).to_le_bytes());
    } else {
        out.extend((value.len() as u16).to_le_bytes());
    }
    out.extend(value);
    out
}

pub(super) fn implicit(number: u32, value: &[u8]) -> Vec<u8> {
    let value = padded(value);
    [tag(number), (value.len() as u32).to_le_bytes().to_vec(), value].concat()
}

pub(super) fn item(data_set: &[u8]) -> Vec<u8> {
    [tag(0xFFFE_E000), (data_set.len() as u32).to_le_bytes().to_vec(), data_set.to_vec()].concat()
}

pub(super) fn bytes(data_set: &DataSet) -> Vec<u8> {
    data_set.values().flatten().copied().collect()
}

/// A file with marks in the preamble and in its own attributes.
pub(super) fn file(transfer_syntax: &str, data_set: &[u8]) -> Vec<u8> {
    let own = [
        element(0x0002_0001, "OB", &[0, 1]),
        element(0x0002_0002, "UI", b"1.2.3.777.0"),
        element(0x0002_0003, "UI", b"1.2.3.777.1"),
        element(0x0002_0010, "UI", transfer_syntax.as_bytes()),
        element(0x0002_0016, "AE", b"MARK"),
        element(0x0002_0102, "OB", b"MARK"),
    ];
    let own = own.concat();
    let length = element(0x0002_0000, "UL", &(own.len() as u32).to_le_bytes());
    [b"MARK".repeat(32), b"DICM".to_vec(), length, own, data_set.to_vec()].concat()
}

pub(super) fn pixels() -> Vec<u8> {
    (0..2048u32).map(|at| (at * 37 % 251) as u8 | 0x80).collect()
}

/// A computed tomogram.
pub(super) fn tomogram() -> DataSet {
    let pixels = pixels();
    let written: [(u32, &str, &[u8]); 13] = [
        (IMAGE_TYPE, "CS", b"ORIGINAL\\PRIMARY\\AXIAL"),
        (SOP_CLASS, "UI", CT.as_bytes()),
        (SOP_INSTANCE, "UI", b"1.2.3.777.1"),
        (STUDY_DATE, "DA", b"20200115"),
        (MODALITY, "CS", b"CT"),
        (PATIENT_NAME, "PN", b"MARK^Ann"),
        (PATIENT_ID, "LO", b"MARK1"),
        (BIRTH_DATE, "DA", b"19680425"),
        (AGE, "AS", b"051Y"),
        (ROWS, "US", &[0, 2]),
        (COLUMNS, "US", &[2, 0]),
        (BITS, "US", &[16, 0]),
        (PIXELS, "OW", &pixels),
    ];
    written.iter().map(|(tag, vr, value)| (*tag, element(*tag, vr, value))).collect()
}

/// A file of these attributes in the explicit syntax, with some in place of others.
pub(super) fn with(changed: &[(u32, &str, &[u8])]) -> Vec<u8> {
    let mut data_set = tomogram();
    for (tag, vr, value) in changed {
        data_set.insert(*tag, element(*tag, vr, value));
    }
    file(EXPLICIT, &bytes(&data_set))
}

fn cleaned_for(project: &str, file: &[u8], options: Options) -> Result<Vec<u8>, Refused> {
    let key = ProjectKey::new(&[7; 32], project).unwrap();
    let context = Context {
        key: &key,
        patient: "p1",
        shift_days: 50,
        reference_year: 2026,
        may_be_old: false,
    };
    clean(file, options, &context)
}

pub(super) fn cleaned(file: &[u8]) -> Result<Vec<u8>, Refused> {
    cleaned_for("project-1", file, Options::default())
}

fn read(file: &[u8]) -> DefaultDicomObject {
    from_reader(file).unwrap()
}

fn text(object: &InMemDicomObject, tag: u32) -> String {
    let tag = Tag((tag >> 16) as u16, (tag & 0xFFFF) as u16);
    let text = object.element(tag).unwrap().to_str().unwrap();
    text.trim_end_matches(['\0', ' ']).to_owned()
}

fn has(object: &InMemDicomObject, tag: u32) -> bool {
    object.get(Tag((tag >> 16) as u16, (tag & 0xFFFF) as u16)).is_some()
}

pub(super) fn holds(file: &[u8], mark: &[u8]) -> bool {
    file.windows(mark.len()).any(|part| part == mark)
}

const MARKS: [&[u8]; 5] = [b"MARK", b"1.2.3.777", b"19870604", b"071829", b"077Y"];

/// A known value for a representation.
pub(super) fn mark(vr: &str) -> &'static [u8] {
    match vr {
        "UI" => b"1.2.3.777.5",
        "DA" => b"19870604",
        "TM" => b"071829",
        "DT" => b"19870604071829",
        "AS" => b"077Y",
        // No code.
        "CS" => b"MARK^ANN",
        _ => b"MARKMARK",
    }
}

/// Every attribute that the profile names, as what `vr` says it is written.
fn all_named(vr_of: impl Fn(&'static str) -> &'static str) -> DataSet {
    let mut data_set = DataSet::new();
    let table = include_str!("../../../lists/dicom-basic-profile.txt");
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let Some(number) = line.split(' ').next() else { continue };
        let Ok(number) = u32::from_str_radix(&number.replace('x', "0"), 16) else { continue };
        if number < 0x0008_0000 {
            continue;
        }
        let known = StandardDataDictionary.by_tag(Tag((number >> 16) as u16, number as u16));
        let vr = known.map_or("LO", |entry| entry.vr().relaxed().to_string());
        let private = element(0x0009_1001, "UN", b"MARK");
        let value = match vr {
            "SQ" => item(&[private, element(PATIENT_NAME, "PN", b"MARK")].concat()),
            vr => mark(vr).to_vec(),
        };
        let written = if vr == "SQ" { vr } else { vr_of(vr) };
        data_set.insert(number, element(number, written, &value));
    }
    assert!(data_set.len() > 600, "{}", data_set.len());
    data_set
}

pub(super) fn no_mark(made: &[u8], what: &str) {
    for mark in MARKS {
        let name = String::from_utf8_lossy(mark);
        assert!(!holds(made, mark), "{name} of {what}");
    }
}

#[test]
fn nothing_that_the_profile_names_stays_at_any_depth() {
    for (what, written) in [("as it is", None), ("unknown", Some("UN")), ("bytes", Some("OB"))] {
        let inner = all_named(|vr| written.unwrap_or(vr));
        let mut middle = inner.clone();
        middle.insert(REFERENCED_IMAGES, element(REFERENCED_IMAGES, "SQ", &item(&bytes(&inner))));
        let mut root = middle.clone();
        root.insert(REFERENCED_IMAGES, element(REFERENCED_IMAGES, "SQ", &item(&bytes(&middle))));
        root.extend(tomogram());
        root.insert(0x0009_0010, element(0x0009_0010, "LO", b"MARK PRIVATE"));
        root.insert(
            0x0009_1010,
            element(0x0009_1010, "SQ", &item(&element(PATIENT_ID, "LO", b"MARK"))),
        );
        let made = cleaned(&file(EXPLICIT, &bytes(&root))).unwrap();
        no_mark(&made, what);
        // Pixels are the same bytes, and the last thing in the file.
        assert!(made.ends_with(&element(PIXELS, "OW", &pixels())), "{what}");
        let object = read(&made);
        assert!(has(&object, REFERENCED_IMAGES) && has(&object, ROWS), "{what}");
    }
}

#[test]
fn attributes_without_written_representation_are_known_by_the_standard() {
    let inner = [
        implicit(REFERENCED_INSTANCE, b"1.2.3.777.1"),
        implicit(PATIENT_NAME, b"MARK"),
        implicit(0x0011_1001, b"MARK"),
    ];
    let data_set = [
        implicit(SOP_CLASS, CT.as_bytes()),
        implicit(SOP_INSTANCE, b"1.2.3.777.1"),
        implicit(MODALITY, b"CT"),
        implicit(REFERENCED_IMAGES, &item(&inner.concat())),
        implicit(PATIENT_NAME, b"MARK"),
        implicit(PATIENT_ID, b"MARK"),
        implicit(ROWS, &[0, 2]),
        implicit(COLUMNS, &[2, 0]),
        implicit(BITS, &[16, 0]),
        // The standard has no such attribute.
        implicit(0x0028_0F0F, b"MARK"),
        implicit(PIXELS, &pixels()),
    ];
    let made = cleaned(&file(IMPLICIT, &data_set.concat())).unwrap();
    no_mark(&made, "implicit");
    assert!(made.ends_with(&implicit(PIXELS, &pixels())));
    let object = read(&made);
    let images = object.element(Tag(0x0008, 0x1140)).unwrap().items().unwrap();
    assert_eq!(text(&images[0], REFERENCED_INSTANCE), text(&object, SOP_INSTANCE));
}

#[test]
fn what_another_program_wrote_is_read() {
    for syntax in [IMPLICIT, EXPLICIT] {
        let inner = InMemDicomObject::from_element_iter([
            DataElement::new(Tag(0x0008, 0x1155), VR::UI, "1.2.3.777.1"),
            DataElement::new(Tag(0x0010, 0x0010), VR::PN, "MARK"),
        ]);
        let object = InMemDicomObject::from_element_iter([
            DataElement::new(Tag(0x0008, 0x0016), VR::UI, CT),
            DataElement::new(Tag(0x0008, 0x0018), VR::UI, "1.2.3.777.1"),
            DataElement::new(Tag(0x0008, 0x0020), VR::DA, "19870604"),
            DataElement::new(Tag(0x0008, 0x0060), VR::CS, "CT"),
            DataElement::new(Tag(0x0008, 0x1140), VR::SQ, DataSetSequence::from(vec![inner])),
            DataElement::new(Tag(0x0010, 0x0010), VR::PN, "MARK^Ann"),
            DataElement::new(Tag(0x0010, 0x0020), VR::LO, "MARK"),
            DataElement::new(Tag(0x0028, 0x0010), VR::US, PrimitiveValue::from(512u16)),
            DataElement::new(Tag(0x0028, 0x0011), VR::US, PrimitiveValue::from(2u16)),
            DataElement::new(Tag(0x0028, 0x0100), VR::US, PrimitiveValue::from(16u16)),
            DataElement::new(Tag(0x7FE0, 0x0010), VR::OW, PrimitiveValue::from(pixels())),
        ]);
        let object = object.with_meta(FileMetaTableBuilder::new().transfer_syntax(syntax)).unwrap();
        let mut written = Vec::new();
        object.write_all(&mut written).unwrap();
        assert!(holds(&written, b"MARK"));
        let made = cleaned(&written).unwrap();
        no_mark(&made, syntax);
        let object = read(&made);
        assert_eq!(object.meta().transfer_syntax(), syntax);
        assert_eq!(object.meta().media_storage_sop_class_uid(), CT);
        assert_eq!(object.meta().media_storage_sop_instance_uid(), text(&object, SOP_INSTANCE));
        assert!(made.ends_with(&pixels()));
    }
}

#[test]
fn compressed_pixels_are_the_same_bytes() {
    let fragments = [vec![0; 4], pixels(), pixels()[..100].to_vec()];
    let items: Vec<u8> = fragments.iter().flat_map(|fragment| item(fragment)).collect();
    let ending = [tag(0xFFFE_E0DD), vec![0; 4]].concat();
    let header = [tag(PIXELS), b"OB\0\0".to_vec(), vec![0xFF; 4]].concat();
    let written = [header, items, ending].concat();
    let mut data_set = tomogram();
    data_set.insert(PIXELS, written.clone());
    let made = cleaned(&file(JPEG, &bytes(&data_set))).unwrap();
    assert!(made.ends_with(&written));
    no_mark(&made, "compressed");
}

#[test]
fn the_file_tells_what_was_done() {
    let object = read(&cleaned(&with(&[])).unwrap());
    assert_eq!(text(&object, 0x0012_0062), "YES");
    assert_eq!(text(&object, 0x0028_0303), "REMOVED");
    let codes = |object: &InMemDicomObject| -> Vec<String> {
        let codes = object.element(Tag(0x0012, 0x0064)).unwrap().items().unwrap();
        codes.iter().map(|code| text(code, 0x0008_0100)).collect()
    };
    assert_eq!(codes(&object), ["113100"]);
    // X, Z, D, and what the profile does not name.
    assert!(!has(&object, AGE));
    assert_eq!(text(&object, PATIENT_NAME), "");
    assert_eq!(text(&object, STUDY_DATE), "");
    assert_eq!(text(&object, MODALITY), "CT");
    let options = Options { retain_patient_characteristics: true, dates: Dates::Shifted };
    let made = cleaned_for("project-1", &with(&[(0x0012_0063, "LO", b"MARK")]), options).unwrap();
    no_mark(&made, "an earlier method");
    let object = read(&made);
    assert_eq!(text(&object, 0x0028_0303), "MODIFIED");
    assert_eq!(codes(&object), ["113100", "113107", "113108"]);
    assert_eq!(text(&object, AGE), "051Y");
    assert_eq!(text(&object, BIRTH_DATE), "");
    let old = cleaned_for("project-1", &with(&[(AGE, "AS", b"093Y")]), options).unwrap();
    assert_eq!(text(&read(&old), AGE), "090Y");
    let key = ProjectKey::new(&[7; 32], "project-1").unwrap();
    let context = Context {
        key: &key,
        patient: "p1",
        shift_days: 50,
        reference_year: 2026,
        may_be_old: true,
    };
    assert!(!has(&read(&clean(&with(&[]), options, &context).unwrap()), AGE));
}

#[test]
fn dates_move_and_those_of_very_old_people_go() {
    let options = Options { dates: Dates::Shifted, ..Options::default() };
    let key = ProjectKey::new(&[7; 32], "project-1").unwrap();
    let days = key.shift_days("p1", 50);
    let date = |written: &[u8], vr: &str, at: u32| {
        text(&read(&cleaned_for("project-1", &with(&[(at, vr, written)]), options).unwrap()), at)
    };
    let moved = jiff::civil::date(2020, 1, 15) + jiff::Span::new().days(days);
    let moved = moved.strftime("%Y%m%d").to_string();
    assert_eq!(date(b"20200115", "DA", STUDY_DATE), moved);
    assert_eq!(date(b"20200115101112.5", "DT", 0x0008_002A), format!("{moved}101112.5"));
    assert_eq!(date(b"101112", "TM", 0x0008_0030), "101112");
    // Z and the last of X/Z/D.
    assert_eq!(date(b"19301231", "DA", STUDY_DATE), "");
    assert_eq!(date(b"MARK1987", "DA", STUDY_DATE), "");
    assert_eq!(date(b"1930", "DT", 0x0008_002A), "19000101000000");
}

#[test]
fn references_between_files_hold_within_a_project() {
    let one = with(&[]);
    let reference = item(&element(REFERENCED_INSTANCE, "UI", b"1.2.3.777.1"));
    let two = with(&[
        (SOP_INSTANCE, "UI", b"1.2.3.777.2"),
        (REFERENCED_IMAGES, "SQ", reference.as_slice()),
    ]);
    let made =
        |project: &str, file: &[u8]| read(&cleaned_for(project, file, Options::default()).unwrap());
    let (here, there) = (made("project-1", &one), made("project-1", &two));
    let images = there.element(Tag(0x0008, 0x1140)).unwrap().items().unwrap();
    let uid = text(&here, SOP_INSTANCE);
    assert_eq!(text(&images[0], REFERENCED_INSTANCE), uid);
    assert!(uid.starts_with("2.25.") && uid.len() <= 64, "{uid}");
    assert_ne!(text(&there, SOP_INSTANCE), uid);
    assert_eq!(text(&here, SOP_CLASS), CT);
    let elsewhere = made("project-2", &one);
    assert_ne!(text(&elsewhere, SOP_INSTANCE), uid);
    assert_ne!(text(&elsewhere, PATIENT_ID), text(&here, PATIENT_ID));
}

const MEDIA: &str = "Media.content.data -> {\"dicom\":{\"dates\":\"shifted\"}}
    dateTime -> shift-dates
    Reference.reference -> pseudonymise";

fn media(kind: &str, contents: &[u8]) -> String {
    let data = STANDARD.encode(contents);
    format!(
        r#"{{"resourceType":"Media","id":"m1","status":"completed","subject":{{"reference":"Patient/p1"}},
        "createdDateTime":"2020-01-15","content":{{"contentType":"{kind}","data":"{data}"}}}}"#
    )
}

#[test]
fn attached_files_are_of_the_same_patient_and_days_as_their_record() {
    let made = applied_under(MEDIA, &media("application/dicom", &with(&[])), "project-1");
    let made: Value = serde_json::from_str(&made).unwrap();
    let data = made["content"]["data"].as_str().unwrap();
    let object = read(&STANDARD.decode(data).unwrap());
    let patient = text(&object, PATIENT_ID);
    assert_eq!(made["subject"]["reference"], format!("Patient/{patient}"));
    let date = made["createdDateTime"].as_str().unwrap().replace('-', "");
    assert_eq!(text(&object, STUDY_DATE), date);
    assert_ne!(date, "20200115");
}

#[test]
fn other_contents_and_refused_files_are_left_out() {
    let burned = with(&[(BURNED_IN, "CS", b"YES")]);
    let cases = [
        media("application/pdf", &with(&[])),
        media("text/plain", b"MARK"),
        media("application/dicom", b"MARK"),
        media("application/dicom", &burned),
    ];
    for case in cases {
        let made: Value = serde_json::from_str(&applied_under(MEDIA, &case, "p")).unwrap();
        assert_eq!(made.get("content"), None, "{case}");
    }
    // Other values under the rule are left out as well.
    let rule = "Media -> {\"dicom\":{}}";
    let made = applied_under(rule, &media("application/dicom", &with(&[])), "p");
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!((made.get("status"), made.get("createdDateTime")), (None, None));
    assert!(recipe("Media.content.data -> {\"dicom\":{\"retain-uids\":true}}").is_err());
}

#[test]
fn files_that_may_identify_are_refused() {
    let us = b"1.2.840.10008.5.1.4.1.1.6.1".as_slice();
    let secondary = b"1.2.840.10008.5.1.4.1.1.7".as_slice();
    let report = b"1.2.840.10008.5.1.4.1.1.88.11".as_slice();
    let pdf = b"1.2.840.10008.5.1.4.1.1.104.1".as_slice();
    let no = (BURNED_IN, "CS", b"NO".as_slice());
    let check = |changed: &[(u32, &str, &[u8])], expected: Option<Refused>| {
        assert_eq!(cleaned(&with(changed)).err(), expected, "{changed:?}");
    };
    check(&[], None);
    check(&[(BURNED_IN, "CS", b"YES")], Some(Refused::Pixels));
    check(&[(0x0028_0302, "CS", b"YES")], Some(Refused::Pixels));
    check(&[(SOP_CLASS, "UI", us), (MODALITY, "CS", b"US")], Some(Refused::MayShow));
    check(&[(SOP_CLASS, "UI", us), (MODALITY, "CS", b"US"), no], None);
    check(&[(SOP_CLASS, "UI", secondary)], Some(Refused::MayShow));
    check(&[(SOP_CLASS, "UI", secondary), no], None);
    check(&[(MODALITY, "CS", b"OT")], Some(Refused::MayShow));
    check(&[(IMAGE_TYPE, "CS", b"DERIVED\\SECONDARY")], Some(Refused::MayShow));
    check(&[(0x0008_0064, "CS", b"SD")], Some(Refused::MayShow));
    check(&[(SOP_CLASS, "UI", report), no], Some(Refused::Kind));
    check(&[(SOP_CLASS, "UI", pdf), no], Some(Refused::Kind));
    check(&[(SOP_CLASS, "UI", b"1.2.3.4"), no], Some(Refused::Kind));
    // An overlay in bits of the pixels, and one of its own.
    check(&[(0x6000_0010, "US", &[1, 0])], Some(Refused::Pixels));
    check(&[(0x6000_0010, "US", &[1, 0]), (0x6000_3000, "OW", b"MARK")], None);
}

#[test]
fn other_syntaxes_and_what_is_no_file_are_refused() {
    let data_set = bytes(&tomogram());
    for syntax in
        ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.95", "1.2.3"]
    {
        assert_eq!(cleaned(&file(syntax, &data_set)), Err(Refused::TransferSyntax), "{syntax}");
    }
    assert_eq!(cleaned(b""), Err(Refused::NotDicom));
    assert_eq!(cleaned(&[0; 4096]), Err(Refused::NotDicom));
    assert_eq!(cleaned(&vec![0; MAX_BYTES + 1]), Err(Refused::TooLarge));
    // An attribute twice, one out of order, and lengths beyond the file.
    let twice = [data_set.clone(), element(PIXELS, "OW", b"MARK")].concat();
    let back = [data_set.clone(), element(PATIENT_NAME, "PN", b"MARK")].concat();
    let mut beyond = [data_set, tag(0x7FE0_0020), b"OW\0\0".to_vec()].concat();
    beyond.extend(0xFFFF_FFF0u32.to_le_bytes());
    for wrong in [twice, back, beyond] {
        assert_eq!(cleaned(&file(EXPLICIT, &wrong)), Err(Refused::Malformed));
    }
    let items = item(&[]).repeat(MAX_PARTS + 1);
    let many = with(&[(REFERENCED_IMAGES, "SQ", items.as_slice())]);
    assert_eq!(cleaned(&many), Err(Refused::TooLarge));
}

#[test]
fn sequences_are_followed_to_a_stated_depth() {
    let nested = |depth: usize| {
        let start = [tag(REFERENCED_IMAGES), b"SQ\0\0".to_vec(), vec![0xFF; 4]].concat();
        let start = [start, tag(0xFFFE_E000), vec![0xFF; 4]].concat();
        let end = [tag(0xFFFE_E00D), vec![0; 4], tag(0xFFFE_E0DD), vec![0; 4]].concat();
        let name = element(PATIENT_NAME, "PN", b"MARK");
        let mut data_set = tomogram();
        let written = [start.repeat(depth), name, end.repeat(depth)].concat();
        data_set.insert(REFERENCED_IMAGES, written);
        file(EXPLICIT, &bytes(&data_set))
    };
    no_mark(&cleaned(&nested(MAX_DEPTH)).unwrap(), "the deepest item");
    assert_eq!(cleaned(&nested(MAX_DEPTH + 1)), Err(Refused::TooDeep));
    assert_eq!(cleaned(&nested(100_000)), Err(Refused::TooDeep));
}

proptest! {
    #[test]
    fn what_is_cut_short_tells_nothing(share in 0.0f64..1.0) {
        let mut data_set = all_named(|vr| vr);
        data_set.extend(tomogram());
        let whole = file(EXPLICIT, &bytes(&data_set));
        let length = (whole.len() as f64 * share) as usize;
        if let Ok(made) = cleaned(&whole[..length]) {
            no_mark(&made, "a part");
            prop_assert!(from_reader(made.as_slice()).is_ok());
        }
    }

    #[test]
    fn wrong_bytes_do_no_harm(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40)) {
        let mut written = with(&[]);
        for (at, byte) in changes {
            let at = at.index(written.len());
            written[at] = byte;
        }
        let options = Options { retain_patient_characteristics: true, dates: Dates::Shifted };
        let made = cleaned_for("project-1", &written, options);
        // What was taken can be taken again.
        if let Ok(made) = made {
            prop_assert!(cleaned_for("project-1", &made, options).is_ok());
        }
    }

    #[test]
    fn private_attributes_never_stay(group in 4u32..0x7FF0, number in 0x1000u32..0x10000, inside in any::<bool>()) {
        let private = ((2 * group + 1) << 16) | number;
        let written = element(private, "LO", b"MARK");
        let mut data_set = tomogram();
        match inside {
            true => data_set.insert(REFERENCED_IMAGES, element(REFERENCED_IMAGES, "SQ", &item(&written))),
            false => data_set.insert(private, written),
        };
        match cleaned(&file(EXPLICIT, &bytes(&data_set))) {
            Ok(made) => no_mark(&made, "a private attribute"),
            // A private group among those of overlays.
            Err(refused) => prop_assert_eq!(refused, Refused::Pixels),
        }
    }
}
