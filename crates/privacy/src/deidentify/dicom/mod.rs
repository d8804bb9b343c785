//! DICOM files by the Basic Application Level Confidentiality Profile (DICOM PS3.15 annex E).
//!
//! A file is taken apart, every attribute is decided by the table of the profile at any depth, and
//! the file is written anew; values that stay are the same bytes. Private attributes, overlays,
//! curves and attributes that the standard does not have go. Where the profile gives several actions of
//! which the object's type decides (`X/Z/D`), the last is taken: it keeps every object valid. Of what the
//! profile does not name, codes and numbers stay and dates and UIDs are treated as those that it names; texts,
//! bytes and what is told of the patient go but for closed lists. UIDs and dates change under the key of the
//! project, the same in every file.
//!
//! Pixels pass as they are, so a file leaves only where nothing identifying is to be expected in them
//! ([`Refused`]); faces that can be computed from slices of a head are not removed.

mod admit;
mod beyond;
mod pixels;
mod profile;
mod read;
mod syntax;
mod value;
mod write;

use serde::{Deserialize, Serialize};

use super::keys::ProjectKey;
use profile::{Do, Profile};
use read::{Content, Element};
use write::Writer;

/// The deepest nesting of sequences of a file that is taken.
pub const MAX_DEPTH: usize = 32;
/// The largest file that is taken, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// The most attributes, items, fragments, and UIDs and dates of a file that is taken.
pub const MAX_PARTS: usize = 500_000;
/// The longest value of UIDs, dates, times or ages, in bytes.
pub const MAX_VALUE: usize = 64 << 10;

/// What may stay beyond the profile: the options of PS3.15 section E.3 that are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Options {
    /// Age, sex, size, weight and the like stay; ages over 89 become 90.
    pub retain_patient_characteristics: bool,
    /// Dates.
    pub dates: Dates,
}

impl Options {
    /// Whether nothing stays that `other` does not leave.
    pub fn leave_no_more_than(self, other: Self) -> bool {
        self.retain_patient_characteristics <= other.retain_patient_characteristics
            && (self.dates == Dates::Removed || other.dates == Dates::Shifted)
    }
}

/// What becomes of dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dates {
    /// They go.
    #[default]
    Removed,
    /// They move by the days of the patient, as those of their record do; those that show an age over
    /// 89 go.
    Shifted,
}

/// What the cleaning needs beside the file.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The key of the project.
    pub key: &'a ProjectKey,
    /// The id of the Patient resource: PatientID becomes its pseudonym.
    pub patient: &'a str,
    /// The largest shift of dates in days.
    pub shift_days: u16,
    /// The year in which the data are handed out: ages are reckoned to it.
    pub reference_year: i16,
    /// Whether the person may be older than 89 by then: a lower age of earlier goes.
    pub may_be_old: bool,
}

/// Why a file does not leave. The texts say nothing of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No DICOM Part 10 file.
    #[error("this is no DICOM file")]
    NotDicom,
    /// More than [`MAX_BYTES`] or [`MAX_PARTS`].
    #[error("the DICOM file is larger than `{MAX_BYTES}` bytes or `{MAX_PARTS}` parts")]
    TooLarge,
    /// Sequences within sequences beyond [`MAX_DEPTH`].
    #[error("the DICOM file nests sequences deeper than `{MAX_DEPTH}`")]
    TooDeep,
    /// Cut short, out of order, or with lengths that do not fit: also pixels of another length than the
    /// attributes say, and UIDs or dates longer than [`MAX_VALUE`].
    #[error("the DICOM file is malformed")]
    Malformed,
    /// Deflated, big endian, referenced or private: how the attributes are written is not read.
    #[error("the transfer syntax is not supported; use an uncompressed data set in little endian")]
    TransferSyntax,
    /// A report, a document, a photograph, a presentation state, raw data and the like.
    #[error("this kind of DICOM object is not de-identified")]
    Kind,
    /// BurnedInAnnotation or RecognizableVisualFeatures says something else than `NO`, or an overlay is
    /// within the pixels.
    #[error("the pixels show what identifies")]
    Pixels,
    /// Images of this modality often show names, and nothing says that this one does not.
    #[error("the pixels may show what identifies: BurnedInAnnotation does not say `NO`")]
    MayShow,
    /// Nobody knows whose it is.
    #[error("it is not known whose file this is")]
    Patient,
}

/// The file as it may be shown to the project.
///
/// Errors: why it may not be, or cannot be read.
pub fn clean(file: &[u8], options: Options, context: &Context<'_>) -> Result<Vec<u8>, Refused> {
    let read = read::file(file)?;
    let admitted = admit::admit(&read.data_set)?;
    pixels::fit(&read.data_set, read.is_compressed)?;
    let mut writer = Writer::new(read.is_implicit, file.len());
    let instance = value::uid(admitted.instance, context.key);
    writer.start(admitted.class, instance.as_bytes(), read.transfer_syntax);
    let cleaner = Cleaner { options, context };
    let mut stamps = cleaner.stamps().into_iter().peekable();
    for element in &read.data_set {
        while let Some(stamp) = stamps.next_if(|stamp| stamp.tag < element.tag) {
            writer.element(&stamp);
        }
        cleaner.attribute(element, true, &mut writer);
    }
    for stamp in stamps {
        writer.element(&stamp);
    }
    Ok(writer.end())
}

const PIXEL_DATA: u32 = 0x7FE0_0010;
/// The group of pixels.
const PIXELS: u32 = 0x7FE0;
/// What tells of the cleaning: written anew, at no depth taken over.
const STAMPS: [u32; 4] = [0x0012_0062, 0x0012_0063, 0x0012_0064, 0x0028_0303];

struct Cleaner<'a> {
    options: Options,
    context: &'a Context<'a>,
}

impl Cleaner<'_> {
    /// Writes what may stay of an attribute.
    fn attribute(&self, element: &Element<'_>, is_root: bool, out: &mut Writer) {
        // What the file says of its pixels says nothing of those of an icon within.
        if !is_root && element.tag >> 16 == PIXELS {
            return;
        }
        let what = self.what(element);
        let made = match (what, &element.content) {
            (Do::Remove, _) => return,
            (Do::Empty, Content::Items(_)) => return out.items(element.tag, |_| ()),
            (Do::Dummy, Content::Items(_)) => {
                return out.items(element.tag, |out| out.item(|_| ()));
            }
            (_, Content::Items(items)) => return self.sequence(element.tag, items, out),
            (Do::Keep, Content::Fragments(_)) => return out.element(element),
            (_, Content::Fragments(_)) => return,
            (Do::Empty, Content::Bytes(_)) => Some(Vec::new()),
            (Do::Dummy, Content::Bytes(_)) => {
                Some(value::dummy(element.tag, element.vr, self.context))
            }
            (Do::Uid, Content::Bytes(bytes)) => {
                let is_named = Profile::shared().basic(element.tag).is_some();
                Some(value::uids(bytes, self.context.key, !is_named))
            }
            (Do::Shift, Content::Bytes(bytes)) => value::shifted(element.vr, bytes, self.context),
            (Do::Keep, Content::Bytes(bytes)) if element.vr == *b"AS" => {
                value::age(bytes, self.context)
            }
            (Do::Keep, Content::Bytes(bytes)) if !value::is_fit(element.vr, bytes) => {
                Some(value::fit(element.vr, bytes))
            }
            (Do::Keep, Content::Bytes(_)) => return out.element(element),
        };
        let made = match made {
            Some(made) => made,
            // A date that cannot be moved, an age that must not be told.
            None => match Profile::shared().basic(element.tag) {
                Some(Do::Empty) => Vec::new(),
                Some(Do::Dummy) => value::dummy(element.tag, element.vr, self.context),
                _ => return,
            },
        };
        out.element(&Element { tag: element.tag, vr: element.vr, content: Content::Bytes(&made) });
    }

    fn sequence(&self, tag: u32, items: &[Vec<Element<'_>>], out: &mut Writer) {
        out.items(tag, |out| {
            for item in items {
                out.item(|out| {
                    for element in item {
                        self.attribute(element, false, out);
                    }
                });
            }
        });
    }

    /// What is done to an attribute.
    fn what(&self, element: &Element<'_>) -> Do {
        let (group, number) = (element.tag >> 16, element.tag & 0xFFFF);
        let is_overlay = group & 0xFF00 == 0x6000;
        // Groups with an odd number are private (PS3.5 section 7.8); lengths of groups (number 0)
        // are not true any more; those below 8 are of messages and files.
        if group & 1 == 1 || group < 8 || number == 0 || is_overlay {
            return Do::Remove;
        }
        if STAMPS.contains(&element.tag) || !element.is_as_the_standard_says() {
            return Do::Remove;
        }
        let shift = match self.options.dates {
            Dates::Removed => Do::Remove,
            Dates::Shifted => Do::Shift,
        };
        Profile::shared()
            .action(element.tag, self.options)
            .unwrap_or_else(|| beyond::action(element.tag, element.vr, shift))
    }

    /// What tells that the file was cleaned (PS3.15 section E.1.1), with the codes of context group
    /// 7050 of PS3.16.
    fn stamps(&self) -> Vec<Element<'static>> {
        let text = |tag, vr: &[u8; 2], text: &'static [u8]| Element {
            tag,
            vr: *vr,
            content: Content::Bytes(text),
        };
        let is_shifted = self.options.dates == Dates::Shifted;
        let codes: [(bool, &[u8], &[u8]); 3] = [
            (true, b"113100", b"Basic Application Confidentiality Profile "),
            (
                is_shifted,
                b"113107",
                b"Retain Longitudinal Temporal Information Modified Dates Option",
            ),
            (
                self.options.retain_patient_characteristics,
                b"113108",
                b"Retain Patient Characteristics Option ",
            ),
        ];
        let codes = codes.iter().filter(|(used, ..)| *used).map(|&(_, code, meaning)| {
            vec![
                text(0x0008_0100, b"SH", code),
                text(0x0008_0102, b"SH", b"DCM "),
                text(0x0008_0104, b"LO", meaning),
            ]
        });
        let codes = Content::Items(codes.collect());
        vec![
            text(STAMPS[0], b"CS", b"YES "),
            text(STAMPS[1], b"LO", b"DICOM PS3.15 2024e annex E, basic profile "),
            Element { tag: STAMPS[2], vr: *b"SQ", content: codes },
            text(STAMPS[3], b"CS", if is_shifted { b"MODIFIED" } else { b"REMOVED " }),
        ]
    }
}
