//! How long pixels are (PS3.5 sections 8.1.1 and 8.2): what follows the last of them would leave unseen.

use super::read::{Content, Element};
use super::{PIXEL_DATA, Refused};

const FLOATS: u32 = 0x7FE0_0008;
const DOUBLES: u32 = 0x7FE0_0009;
const SAMPLES: u32 = 0x0028_0002;
const PHOTOMETRIC: u32 = 0x0028_0004;
const FRAMES: u32 = 0x0028_0008;
const ROWS: u32 = 0x0028_0010;
const COLUMNS: u32 = 0x0028_0011;
const BITS: u32 = 0x0028_0100;
/// What the length is reckoned from.
const TOLD: [u32; 6] = [SAMPLES, PHOTOMETRIC, FRAMES, ROWS, COLUMNS, BITS];

/// Whether pixels are compressed where the syntax says so, and else as long as the attributes say, to the
/// next even length.
pub(super) fn fit(data_set: &[Element<'_>], is_compressed: bool) -> Result<(), Refused> {
    for (tag, bits) in [(FLOATS, Some(32)), (DOUBLES, Some(64)), (PIXEL_DATA, None)] {
        let Some(element) = find(data_set, tag) else { continue };
        let is_fit = match &element.content {
            Content::Fragments(_) => is_compressed,
            Content::Bytes(bytes) => {
                let length = length(data_set, bits).and_then(|one| one.checked_next_multiple_of(2));
                length.is_some_and(|length| u64::try_from(bytes.len()) == Ok(length))
            }
            Content::Items(_) => false,
        };
        if !is_fit {
            return Err(Refused::Malformed);
        }
    }
    Ok(())
}

/// How many bytes there are to be. `None` where nothing says so.
fn length(data_set: &[Element<'_>], bits: Option<u64>) -> Option<u64> {
    let mut told = TOLD.iter().filter_map(|tag| find(data_set, *tag));
    if !told.all(Element::is_as_the_standard_says) {
        return None;
    }
    let frames = match find(data_set, FRAMES) {
        None => 1,
        Some(element) => std::str::from_utf8(element.text()).ok()?.parse::<u64>().ok()?,
    };
    let samples = match find(data_set, PHOTOMETRIC).map(Element::text) {
        // Two pixels share their colours.
        Some(b"YBR_FULL_422" | b"YBR_PARTIAL_422") => 2,
        _ if find(data_set, SAMPLES).is_none() => 1,
        _ => number(data_set, SAMPLES)?,
    };
    let bits = bits.or_else(|| number(data_set, BITS))?;
    let each = [number(data_set, ROWS)?, number(data_set, COLUMNS)?, samples, bits];
    let bits = each.into_iter().try_fold(frames, u64::checked_mul)?;
    Some(bits.div_ceil(8))
}

fn number(data_set: &[Element<'_>], tag: u32) -> Option<u64> {
    let element = find(data_set, tag)?;
    match element.content {
        Content::Bytes(&[low, high]) => Some(u64::from(u16::from_le_bytes([low, high]))),
        _ => None,
    }
}

fn find<'a, 'b>(data_set: &'b [Element<'a>], tag: u32) -> Option<&'b Element<'a>> {
    let at = data_set.binary_search_by_key(&tag, |element| element.tag).ok()?;
    data_set.get(at)
}
