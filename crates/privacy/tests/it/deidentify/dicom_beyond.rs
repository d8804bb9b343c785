//! DICOM attributes that the profile does not name, and files that are made to get past what it looks at.

use std::collections::BTreeSet;

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use privacy::deidentify::dicom::{MAX_VALUE, Refused};

use super::dicom::{
    BITS, BURNED_IN, COLUMNS, CT, DataSet, EXPLICIT, IMAGE_TYPE, IMPLICIT, MODALITY, PATIENT_NAME,
    PIXELS, REFERENCED_IMAGES, REFERENCED_INSTANCE, ROWS, SOP_CLASS, SOP_INSTANCE, bytes, cleaned,
    element, file, holds, implicit, item, mark, no_mark, pixels, tag, tomogram, with,
};

const SAMPLES: u32 = 0x0028_0002;
const PHOTOMETRIC: u32 = 0x0028_0004;
const FRAMES: u32 = 0x0028_0008;
const CONVERSION: u32 = 0x0008_0064;
const RECOGNISABLE: u32 = 0x0028_0302;
const FLOATS: u32 = 0x7FE0_0008;
const DOUBLES: u32 = 0x7FE0_0009;

/// Texts and bytes that stay although the profile does not name them: given by a device or a standard.
const STAYS: [u32; 41] = [
    0x0008_0070,
    0x0008_0100,
    0x0008_0102,
    0x0008_0103,
    0x0008_0104,
    0x0008_0119,
    0x0008_1090,
    0x0018_0024,
    0x0018_0031,
    0x0018_0085,
    0x0018_1020,
    0x0018_1040,
    0x0018_1070,
    0x0018_1160,
    0x0018_1210,
    0x0018_1250,
    0x0018_1251,
    0x0018_9005,
    0x0018_9041,
    0x0018_9047,
    0x0018_9050,
    0x0018_9320,
    0x0020_9056,
    0x0028_1054,
    0x0028_1201,
    0x0028_1202,
    0x0028_1203,
    0x0028_1204,
    0x0028_1221,
    0x0028_1222,
    0x0028_1223,
    0x0028_3004,
    0x0028_3006,
    0x0054_0018,
    0x0054_1101,
    0x0054_1103,
    0x0054_1105,
    0x0062_0009,
    0x0064_0009,
    0x7FE0_0001,
    0x7FE0_0002,
];

/// The groups of the standard; where several are alike, the first of them.
const GROUPS: [u16; 72] = [
    0x0008, 0x0010, 0x0012, 0x0014, 0x0016, 0x0018, 0x0020, 0x0022, 0x0024, 0x0028, 0x0032, 0x0034,
    0x0038, 0x003A, 0x0040, 0x0042, 0x0044, 0x0046, 0x0048, 0x0050, 0x0052, 0x0054, 0x0060, 0x0062,
    0x0064, 0x0066, 0x0068, 0x006A, 0x0070, 0x0072, 0x0074, 0x0076, 0x0078, 0x0080, 0x0082, 0x0088,
    0x0100, 0x0400, 0x1000, 0x1010, 0x2000, 0x2010, 0x2020, 0x2030, 0x2040, 0x2050, 0x2100, 0x2110,
    0x2120, 0x2130, 0x2200, 0x3002, 0x3004, 0x3006, 0x3008, 0x300A, 0x300C, 0x300E, 0x3010, 0x4000,
    0x4008, 0x4010, 0x4FFE, 0x5000, 0x5200, 0x5400, 0x5600, 0x6000, 0x7F00, 0x7FE0, 0xFFFA, 0xFFFC,
];

/// Every attribute of the standard but those of messages and of files, each with a mark; numbers that are
/// no text are none.
fn whole_standard() -> DataSet {
    let within = |group: u16| (1..=u16::MAX).map(move |number| Tag(group, number));
    let tags = GROUPS.into_iter().flat_map(within);
    let all: DataSet = tags
        .filter_map(|at| {
            let entry = StandardDataDictionary.by_tag(at)?;
            if entry.tag() != at {
                return None;
            }
            let number = (u32::from(at.0) << 16) | u32::from(at.1);
            Some((number, marked(number, entry.vr().relaxed().to_string())))
        })
        .collect();
    // As many as the dictionary has.
    assert_eq!(all.len(), 5258);
    all
}

/// An attribute with the mark of its representation.
fn marked(number: u32, vr: &str) -> Vec<u8> {
    match vr {
        "SQ" => element(number, vr, &item(&element(PATIENT_NAME, "PN", b"MARK"))),
        "AT" | "FD" | "FL" | "SL" | "SS" | "SV" | "UL" | "US" | "UV" => {
            element(number, vr, &[0; 8])
        }
        _ => element(number, vr, mark(vr)),
    }
}

#[test]
fn of_the_whole_standard_only_a_closed_list_of_texts_stays() {
    let mut inner = whole_standard();
    let stays: BTreeSet<u32> = STAYS.into_iter().collect();
    let stay: DataSet = inner.clone().into_iter().filter(|(at, _)| stays.contains(at)).collect();
    assert_eq!(stay.len(), STAYS.len());
    inner.retain(|at, _| !stays.contains(at));
    let mut root = inner.clone();
    // What a file is refused by, and what says how long its pixels are.
    for at in [CONVERSION, BURNED_IN, RECOGNISABLE, SAMPLES, PHOTOMETRIC, FRAMES, FLOATS, DOUBLES] {
        assert!(root.remove(&at).is_some(), "{at:x}");
    }
    root.extend(tomogram());
    root.insert(REFERENCED_IMAGES, element(REFERENCED_IMAGES, "SQ", &item(&bytes(&inner))));
    let made = cleaned(&file(EXPLICIT, &bytes(&root))).unwrap();
    no_mark(&made, "the standard");
    assert!(made.len() > 20_000, "codes and numbers stay: {}", made.len());

    let mut root = tomogram();
    root.extend(stay.clone());
    let made = cleaned(&file(EXPLICIT, &bytes(&root))).unwrap();
    for (at, written) in stay {
        assert!(holds(&made, &written), "{at:x}");
    }
}

#[test]
fn what_is_written_as_a_code_or_a_number_and_is_none_goes() {
    let kept = |at: u32, vr: &str, written: &[u8], expected: &[u8]| {
        let made = cleaned(&with(&[(at, vr, written)])).unwrap();
        assert!(holds(&made, &element(at, vr, expected)), "{}", String::from_utf8_lossy(written));
    };
    kept(0x0018_0015, "CS", b"CHEST\\Mark Ann\\HEAD", b"CHEST\\\\HEAD");
    kept(0x0018_0015, "CS", b"MARK_ANN_BORN_1987", b"");
    kept(0x0018_0050, "DS", b"1.25\\MARK\\-2.5e3", b"1.25\\\\-2.5e3");
    // Longer than the standard allows, as many devices write.
    kept(0x0018_0050, "DS", b"1.23456789012345678", b"1.23456789012345678");
    kept(0x0020_0013, "IS", b"7 MARK", b"");
}

/// A file without written representations.
fn unwritten(changed: &[(u32, &[u8])]) -> Vec<u8> {
    let mut data_set = DataSet::new();
    let base: [(u32, &[u8]); 3] =
        [(SOP_CLASS, CT.as_bytes()), (SOP_INSTANCE, b"1.2.3.777.1"), (MODALITY, b"CT")];
    for (at, value) in base.iter().chain(changed) {
        data_set.insert(*at, implicit(*at, value));
    }
    file(IMPLICIT, &bytes(&data_set))
}

#[test]
fn long_values_are_refused_before_they_are_taken_apart() {
    let [uid, date, time, both, age] =
        [0x0020_0052, 0x0008_0020, 0x0008_0030, 0x0008_002A, 0x0010_1010];
    for at in [uid, date, time, both, age] {
        let (most, more) = (b"1".repeat(MAX_VALUE), b"\\".repeat(MAX_VALUE + 2));
        assert!(cleaned(&unwritten(&[(at, &most)])).is_ok(), "{at:x}");
        assert_eq!(cleaned(&unwritten(&[(at, &more)])), Err(Refused::Malformed), "{at:x}");
    }
    // Within an item, and as what was unknown to a writer.
    let more = b"\\".repeat(MAX_VALUE + 2);
    let inside = item(&implicit(REFERENCED_INSTANCE, &more));
    let inside = unwritten(&[(REFERENCED_IMAGES, &inside)]);
    assert_eq!(cleaned(&inside), Err(Refused::Malformed));
    assert_eq!(cleaned(&with(&[(uid, "UN", &more)])), Err(Refused::Malformed));
    // Values of UIDs are counted as attributes are.
    let many = item(&implicit(REFERENCED_INSTANCE, &b"\\".repeat(MAX_VALUE)));
    let items = |count: usize| unwritten(&[(REFERENCED_IMAGES, &many.repeat(count))]);
    assert!(cleaned(&items(7)).is_ok());
    assert_eq!(cleaned(&items(8)), Err(Refused::TooLarge));
}

#[test]
fn nothing_is_written_into_the_name_of_a_syntax() {
    let data_set = bytes(&tomogram());
    for syntax in [
        "1.2.840.10008.1.2.4.MARK",
        "1.2.840.10008.1.2.4.50.19870604",
        "1.2.840.10008.1.2.4.50 MARK",
        "1.2.840.10008.1.2.4.",
        "1.2.840.10008.1.2.4.100",
        "1.2.840.10008.1.2.1.98",
        "1.2.840.10008.1.2.",
    ] {
        assert_eq!(cleaned(&file(syntax, &data_set)), Err(Refused::TransferSyntax), "{syntax}");
    }
    for syntax in [EXPLICIT, "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"] {
        assert!(cleaned(&file(syntax, &data_set)).is_ok(), "{syntax}");
    }
}

#[test]
fn nothing_follows_the_last_pixel() {
    let check = |changed: &[(u32, &str, &[u8])], is_fit: bool| {
        let expected = (!is_fit).then_some(Refused::Malformed);
        let told: Vec<_> = changed.iter().map(|(at, _, value)| (at, value.len())).collect();
        assert_eq!(cleaned(&with(changed)).err(), expected, "{told:x?}");
    };
    let once = pixels();
    let longer = [once.clone(), b"MARK".to_vec()].concat();
    let twice = once.repeat(2);
    check(&[(PIXELS, "OW", &longer)], false);
    check(&[(PIXELS, "OW", &once[..2046])], false);
    check(&[(PIXELS, "OW", &twice)], false);
    check(&[(PIXELS, "OW", &twice), (FRAMES, "IS", b"2")], true);
    check(&[(PIXELS, "OW", &twice), (FRAMES, "IS", b"MARK")], false);
    // No reader would take this for the number of frames.
    check(&[(PIXELS, "OW", &twice), (FRAMES, "LO", b"2")], false);
    check(&[(PIXELS, "OW", &twice), (SAMPLES, "US", &[2, 0])], true);
    check(&[(ROWS, "US", &[])], false);
    check(&[(BITS, "US", &[0xFF; 4])], false);
    let largest: &[u8] = &[0xFF; 2];
    let huge = [(ROWS, "US", largest), (COLUMNS, "US", largest), (SAMPLES, "US", largest)];
    check(&huge, false);
    let mut more = huge.to_vec();
    more.push((FRAMES, "IS", b"18446744073709551615"));
    check(&more, false);
    let native = |side: u8, bits: u8, more: &[(u32, &str, &[u8])], is_fit: bool| {
        let (side, bits) = ([side, 0], [bits, 0]);
        let size: [(u32, &str, &[u8]); 3] =
            [(ROWS, "US", &side), (COLUMNS, "US", &side), (BITS, "US", &bits)];
        check(&[size.as_slice(), more].concat(), is_fit);
    };
    // Nine bytes and one of padding; nine bits; pairs of pixels that share their colours.
    native(3, 8, &[(PIXELS, "OB", &[7; 9])], true);
    native(3, 8, &[(PIXELS, "OB", &[7; 12])], false);
    native(3, 1, &[(PIXELS, "OB", &[7; 2])], true);
    native(3, 1, &[(PIXELS, "OB", &[7; 4])], false);
    let colours: [(u32, &str, &[u8]); 2] =
        [(SAMPLES, "US", &[3, 0]), (PHOTOMETRIC, "CS", b"YBR_FULL_422")];
    for (bytes, is_fit) in [(8, true), (12, false)] {
        let pixels = vec![7u8; bytes];
        let mut more = colours.to_vec();
        more.push((PIXELS, "OB", &pixels));
        native(2, 8, &more, is_fit);
    }
    // Of floating point: 512 times 2 of four bytes.
    check(&[(FLOATS, "OF", &twice)], true);
    check(&[(FLOATS, "OF", &longer)], false);
    check(&[(DOUBLES, "OD", &twice)], false);
}

#[test]
fn pixels_are_not_compressed_where_the_syntax_does_not_say_so() {
    let ending = [tag(0xFFFE_E0DD), vec![0; 4]].concat();
    let header = [tag(PIXELS), b"OB\0\0".to_vec(), vec![0xFF; 4]].concat();
    let mut data_set = tomogram();
    data_set.insert(PIXELS, [header, item(&[]), item(b"MARK"), ending].concat());
    assert_eq!(cleaned(&file(EXPLICIT, &bytes(&data_set))), Err(Refused::Malformed));
}

#[test]
fn spaces_and_small_letters_hide_nothing() {
    let us = b"1.2.840.10008.5.1.4.1.1.6.1".as_slice();
    let check = |changed: &[(u32, &str, &[u8])], expected: Option<Refused>| {
        assert_eq!(cleaned(&with(changed)).err(), expected, "{changed:?}");
    };
    for said in ["YES", " YES", "yes ", "Y", "TRUE", "1", "NO\\YES", "N O", "?"] {
        check(&[(BURNED_IN, "CS", said.as_bytes())], Some(Refused::Pixels));
        check(&[(RECOGNISABLE, "CS", said.as_bytes())], Some(Refused::Pixels));
    }
    for said in ["NO", " NO", "no"] {
        check(&[(BURNED_IN, "CS", said.as_bytes())], None);
        check(&[(SOP_CLASS, "UI", us), (BURNED_IN, "CS", said.as_bytes())], None);
    }
    // Nothing is said.
    for said in ["", "  "] {
        check(&[(BURNED_IN, "CS", said.as_bytes())], None);
        check(&[(SOP_CLASS, "UI", us), (BURNED_IN, "CS", said.as_bytes())], Some(Refused::MayShow));
    }
    for kind in ["DERIVED\\ SECONDARY", "DERIVED\\Secondary \\AXIAL", "DERIVED\\\\SECONDARY"] {
        check(&[(IMAGE_TYPE, "CS", kind.as_bytes())], Some(Refused::MayShow));
    }
}
