//! Which files may leave: kinds of images, and those whose pixels are not expected to identify.

use super::read::{Content, Element, trimmed};
use super::{PIXELS, Refused};

/// What a file says that it is.
pub(super) struct Admitted<'a> {
    /// SOPClassUID.
    pub(super) class: &'a [u8],
    /// SOPInstanceUID.
    pub(super) instance: &'a [u8],
}

const IMAGE_TYPE: u32 = 0x0008_0008;
const SOP_CLASS: u32 = 0x0008_0016;
const SOP_INSTANCE: u32 = 0x0008_0018;
const MODALITY: u32 = 0x0008_0060;
const CONVERSION: u32 = 0x0008_0064;
const BURNED_IN: u32 = 0x0028_0301;
const RECOGNISABLE: u32 = 0x0028_0302;

/// What is decided by.
const TOLD: [u32; 7] =
    [IMAGE_TYPE, SOP_CLASS, SOP_INSTANCE, MODALITY, CONVERSION, BURNED_IN, RECOGNISABLE];

/// What classes of storage begin with (PS3.4 annex B.5).
const STORAGE: &[u8] = b"1.2.840.10008.5.1.4.1.1.";

/// Images whose pixels as a rule hold no text: computed and digital radiography, mammography, CT, MR,
/// angiography and fluoroscopy, tomosynthesis, nuclear medicine, parametric maps, registrations and
/// segmentations, PET, images and doses of radiotherapy.
const CLASSES: &[&str] = &[
    "1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "2", "2.1", "2.2", "4", "4.1", "4.2",
    "4.3", "4.4", "12.1", "12.1.1", "12.2", "12.2.1", "13.1.1", "13.1.2", "13.1.3", "13.1.4",
    "13.1.5", "20", "30", "66.1", "66.3", "66.4", "128", "128.1", "130", "481.1", "481.2",
];

/// Images that often show names: ultrasound and secondary capture.
const SHOWING: &[&str] = &["3.1", "6.1", "6.2", "7", "7.1", "7.2", "7.3", "7.4"];

/// Modalities of which the same holds as of [`CLASSES`].
const MODALITIES: &[&[u8]] = &[
    b"CR", b"CT", b"DX", b"IO", b"MG", b"MR", b"NM", b"PT", b"PX", b"RF", b"RTDOSE", b"RTIMAGE",
    b"SEG", b"XA",
];

/// Whether a file may leave.
pub(super) fn admit<'a>(data_set: &[Element<'a>]) -> Result<Admitted<'a>, Refused> {
    let is_wrong = |element: &Element<'_>| {
        let is_value = matches!(element.content, Content::Bytes(_));
        TOLD.contains(&element.tag) && !(is_value && element.is_as_the_standard_says())
    };
    if data_set.iter().any(is_wrong) {
        return Err(Refused::Malformed);
    }
    let text = |tag: u32| -> &'a [u8] {
        data_set
            .binary_search_by_key(&tag, |element| element.tag)
            .ok()
            .and_then(|at| data_set.get(at))
            .map_or(&[], Element::text)
    };
    let (class, instance) = (text(SOP_CLASS), text(SOP_INSTANCE));
    if class.is_empty() || instance.is_empty() {
        return Err(Refused::Malformed);
    }
    let kind = class.strip_prefix(STORAGE).ok_or(Refused::Kind)?;
    let is_one_of = |known: &[&str]| known.iter().any(|known| known.as_bytes() == kind);
    let is_showing = is_one_of(SHOWING);
    if !is_showing && !is_one_of(CLASSES) {
        return Err(Refused::Kind);
    }
    // `None` where nothing is said; what is no `NO` is a yes.
    let says = |tag: u32| {
        let said = text(tag);
        (!said.is_empty()).then(|| !said.eq_ignore_ascii_case(b"NO"))
    };
    let shows = [BURNED_IN, RECOGNISABLE].into_iter().any(|tag| says(tag) == Some(true));
    if shows || holds_overlay(data_set) {
        return Err(Refused::Pixels);
    }
    let has_pixels = data_set.iter().any(|element| element.tag >> 16 == PIXELS);
    let is_said_clean = says(BURNED_IN) == Some(false);
    // The second value of ImageType, wherever it stands: made after the examination, as screenshots are.
    let is_secondary = text(IMAGE_TYPE)
        .split(|byte| *byte == b'\\')
        .any(|one| trimmed(one).eq_ignore_ascii_case(b"SECONDARY"));
    let is_plain = !is_showing
        && !is_secondary
        && text(CONVERSION).is_empty()
        && MODALITIES.contains(&text(MODALITY));
    if has_pixels && !is_plain && !is_said_clean {
        return Err(Refused::MayShow);
    }
    Ok(Admitted { class, instance })
}

/// Whether an overlay is in bits of the pixels (PS3.3 section C.9.2, retired), so that taking the
/// attributes away would leave it there: an overlay without data of its own.
fn holds_overlay(data_set: &[Element<'_>]) -> bool {
    let is_overlay = |element: &&Element<'_>| (element.tag >> 16) & 0xFF00 == 0x6000;
    let has_data = |group: u32| {
        data_set.iter().any(|element| {
            element.tag == ((group << 16) | 0x3000)
                && matches!(element.content, Content::Bytes(bytes) if !bytes.is_empty())
        })
    };
    data_set.iter().filter(is_overlay).any(|element| !has_data(element.tag >> 16))
}
