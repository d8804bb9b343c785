//! The structure of a DICOM file (PS3.5 section 7, PS3.10 section 7): tags, representations and
//! lengths. Values are parts of the file and are not read.
//!
//! Every length is held against what is left of the file before it is followed, nesting and number of
//! parts are bounded, and attributes must come in ascending order, so no attribute is there twice.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::syntax::syntax;
use super::{MAX_BYTES, MAX_DEPTH, MAX_PARTS, MAX_VALUE, PIXEL_DATA, Refused};

/// A file that was taken apart.
pub(super) struct Read<'a> {
    pub(super) transfer_syntax: &'a [u8],
    /// Whether representations are not written but known by the tag.
    pub(super) is_implicit: bool,
    /// Whether pixels are.
    pub(super) is_compressed: bool,
    pub(super) data_set: Vec<Element<'a>>,
}

/// An attribute.
pub(super) struct Element<'a> {
    /// Group and number.
    pub(super) tag: u32,
    /// Its representation (VR), two letters.
    pub(super) vr: [u8; 2],
    pub(super) content: Content<'a>,
}

/// What an attribute holds.
pub(super) enum Content<'a> {
    Bytes(&'a [u8]),
    Items(Vec<Vec<Element<'a>>>),
    /// Compressed pixels: the table of offsets and what follows.
    Fragments(Vec<&'a [u8]>),
}

impl<'a> Element<'a> {
    /// Its value without padding; nothing where it is none.
    pub(super) fn text(&self) -> &'a [u8] {
        match self.content {
            Content::Bytes(bytes) => trimmed(bytes),
            Content::Items(_) | Content::Fragments(_) => &[],
        }
    }

    /// Whether the standard has the attribute, with this representation. Of what claims to be
    /// something else nobody knows what it holds.
    pub(super) fn is_as_the_standard_says(&self) -> bool {
        let known: &[&[u8; 2]] = match known(self.tag) {
            None => return false,
            Some(VirtualVr::Exact(vr)) => return vr.to_bytes() == self.vr,
            Some(VirtualVr::Xs) => &[b"US", b"SS"],
            Some(VirtualVr::Ox | VirtualVr::Px) => &[b"OB", b"OW"],
            Some(VirtualVr::Lt) => &[b"US", b"SS", b"OW"],
            Some(_) => return false,
        };
        known.contains(&&self.vr)
    }
}

/// Without padding at either end.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | 0);
    let start = bytes.iter().position(is_text).unwrap_or_default();
    let end = bytes.iter().rposition(is_text).map_or(0, |at| at + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// What the standard says of a tag.
fn known(tag: u32) -> Option<VirtualVr> {
    let tag = Tag((tag >> 16) as u16, (tag & 0xFFFF) as u16);
    StandardDataDictionary.by_tag(tag).map(|entry| entry.vr())
}

/// The representation of a tag that does not say it.
fn vr_of(tag: u32) -> [u8; 2] {
    known(tag).map_or(*b"UN", |vr| vr.relaxed().to_bytes())
}

const UNDEFINED: u32 = u32::MAX;
const ITEM: u32 = 0xFFFE_E000;
const ITEM_END: u32 = 0xFFFE_E00D;
const SEQUENCE_END: u32 = 0xFFFE_E0DD;
const TRANSFER_SYNTAX: u32 = 0x0002_0010;

/// Representations with four bytes of length (PS3.5 table 7.1-1).
pub(super) const LONG: [&[u8; 2]; 13] =
    [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];

/// Takes a file apart.
pub(super) fn file(bytes: &[u8]) -> Result<Read<'_>, Refused> {
    if bytes.len() > MAX_BYTES {
        return Err(Refused::TooLarge);
    }
    let (Some(b"DICM"), Some(rest)) = (bytes.get(128..132), bytes.get(132..)) else {
        return Err(Refused::NotDicom);
    };
    let mut reader = Reader { parts: 0 };
    let mut cursor = Cursor { rest };
    let mut transfer_syntax = None;
    while cursor.is_at_group_2() {
        let tag = cursor.tag()?;
        let element = reader.element(tag, &mut cursor, false, MAX_DEPTH)?;
        if tag == TRANSFER_SYNTAX {
            transfer_syntax = Some(element.text());
        }
    }
    let transfer_syntax = transfer_syntax.ok_or(Refused::NotDicom)?;
    let (is_implicit, is_compressed) = syntax(transfer_syntax)?;
    let data_set = reader.data_set(&mut cursor, is_implicit, 0, false)?;
    Ok(Read { transfer_syntax, is_implicit, is_compressed, data_set })
}

/// What is left of a part of the file.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Refused> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Refused::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        self.take(N)?.try_into().map_err(|_| Refused::Malformed)
    }

    fn u16(&mut self) -> Result<u32, Refused> {
        Ok(u32::from(u16::from_le_bytes(self.array()?)))
    }

    fn u32(&mut self) -> Result<u32, Refused> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn tag(&mut self) -> Result<u32, Refused> {
        Ok((self.u16()? << 16) | self.u16()?)
    }

    fn part(&mut self, length: u32) -> Result<&'a [u8], Refused> {
        self.take(usize::try_from(length).map_err(|_| Refused::Malformed)?)
    }

    fn is_at_group_2(&self) -> bool {
        self.rest.starts_with(&[2, 0])
    }

    /// The length of an ending, which is none.
    fn ending(&mut self) -> Result<(), Refused> {
        if self.u32()? == 0 { Ok(()) } else { Err(Refused::Malformed) }
    }
}

struct Reader {
    parts: usize,
}

impl Reader {
    fn count(&mut self) -> Result<(), Refused> {
        self.parts += 1;
        if self.parts > MAX_PARTS { Err(Refused::TooLarge) } else { Ok(()) }
    }

    /// Counts the UIDs and dates of a value, each of which is made anew.
    fn values(&mut self, vr: [u8; 2], bytes: &[u8]) -> Result<(), Refused> {
        if !matches!(&vr, b"UI" | b"DA" | b"DT" | b"TM" | b"AS") {
            return Ok(());
        }
        if bytes.len() > MAX_VALUE {
            return Err(Refused::Malformed);
        }
        self.parts += bytes.iter().filter(|byte| **byte == b'\\').count();
        if self.parts > MAX_PARTS { Err(Refused::TooLarge) } else { Ok(()) }
    }

    /// Attributes to the end of the cursor, or to the ending of an item where there is to be one.
    fn data_set<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        is_implicit: bool,
        depth: usize,
        has_ending: bool,
    ) -> Result<Vec<Element<'a>>, Refused> {
        let mut elements: Vec<Element<'a>> = Vec::new();
        while has_ending || !cursor.rest.is_empty() {
            let tag = cursor.tag()?;
            if has_ending && tag == ITEM_END {
                cursor.ending()?;
                break;
            }
            let is_after = elements.last().is_none_or(|last| last.tag < tag);
            if !is_after || tag >> 16 == 0xFFFE {
                return Err(Refused::Malformed);
            }
            elements.push(self.element(tag, cursor, is_implicit, depth)?);
        }
        Ok(elements)
    }

    /// What follows a tag.
    fn element<'a>(
        &mut self,
        tag: u32,
        cursor: &mut Cursor<'a>,
        is_implicit: bool,
        depth: usize,
    ) -> Result<Element<'a>, Refused> {
        self.count()?;
        let (written, length) = if is_implicit {
            (vr_of(tag), cursor.u32()?)
        } else {
            let vr = cursor.array::<2>()?;
            if LONG.contains(&&vr) {
                cursor.u16()?;
                (vr, cursor.u32()?)
            } else if is_vr(vr) {
                (vr, cursor.u16()?)
            } else {
                return Err(Refused::Malformed);
            }
        };
        // What was unknown to a writer is written without representations, also within (PS3.5
        // section 6.2.2); we may know it.
        let was_unknown = written == *b"UN";
        let vr = if was_unknown { vr_of(tag) } else { written };
        let inner = is_implicit || was_unknown;
        let content = match length {
            UNDEFINED if tag == PIXEL_DATA => Content::Fragments(self.fragments(cursor)?),
            UNDEFINED if vr == *b"SQ" || was_unknown => {
                Content::Items(self.items(cursor, inner, depth, true)?)
            }
            UNDEFINED => return Err(Refused::Malformed),
            length if vr == *b"SQ" => {
                let mut part = Cursor { rest: cursor.part(length)? };
                Content::Items(self.items(&mut part, inner, depth, false)?)
            }
            length => Content::Bytes(cursor.part(length)?),
        };
        if let Content::Bytes(bytes) = content {
            self.values(vr, bytes)?;
        }
        Ok(Element { tag, vr, content })
    }

    fn items<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        is_implicit: bool,
        depth: usize,
        has_ending: bool,
    ) -> Result<Vec<Vec<Element<'a>>>, Refused> {
        if depth >= MAX_DEPTH {
            return Err(Refused::TooDeep);
        }
        let mut items = Vec::new();
        while has_ending || !cursor.rest.is_empty() {
            self.count()?;
            match cursor.tag()? {
                SEQUENCE_END if has_ending => {
                    cursor.ending()?;
                    break;
                }
                ITEM => match cursor.u32()? {
                    UNDEFINED => items.push(self.data_set(cursor, is_implicit, depth + 1, true)?),
                    length => {
                        let mut part = Cursor { rest: cursor.part(length)? };
                        items.push(self.data_set(&mut part, is_implicit, depth + 1, false)?);
                    }
                },
                _ => return Err(Refused::Malformed),
            }
        }
        Ok(items)
    }

    fn fragments<'a>(&mut self, cursor: &mut Cursor<'a>) -> Result<Vec<&'a [u8]>, Refused> {
        let mut fragments = Vec::new();
        loop {
            self.count()?;
            match cursor.tag()? {
                SEQUENCE_END => {
                    cursor.ending()?;
                    return Ok(fragments);
                }
                ITEM => {
                    let length = cursor.u32()?;
                    fragments.push(cursor.part(length)?);
                }
                _ => return Err(Refused::Malformed),
            }
        }
    }
}

fn is_vr(vr: [u8; 2]) -> bool {
    std::str::from_utf8(&vr).is_ok_and(|vr| vr.parse::<VR>().is_ok())
}
