//! Values of attributes by their representation (VR, PS3.5 section 6.2).

use super::Context;
use super::read::trimmed;
use crate::deidentify::dates;
use crate::deidentify::keys::ProjectKey;

const PATIENT_ID: u32 = 0x0010_0020;
/// UIDs of the standard itself: classes, syntaxes, groups of codes.
const STANDARD: &str = "1.2.840.10008.";

/// A value that stands for none; the pseudonym of the patient for the id.
pub(super) fn dummy(tag: u32, vr: [u8; 2], context: &Context<'_>) -> Vec<u8> {
    if tag == PATIENT_ID {
        return context.key.pseudonym("Patient", context.patient).into_bytes();
    }
    match &vr {
        b"DA" => b"19000101".to_vec(),
        b"TM" => b"000000".to_vec(),
        b"DT" => b"19000101000000".to_vec(),
        b"AS" => b"000D".to_vec(),
        b"UI" => padded(context.key.uid("dummy").into_bytes(), 0),
        b"UR" => b"urn:anonymous ".to_vec(),
        b"DS" | b"IS" => b"0 ".to_vec(),
        b"FD" | b"OD" | b"SV" | b"UV" | b"OV" => vec![0; 8],
        b"AT" | b"FL" | b"OF" | b"SL" | b"UL" | b"OL" => vec![0; 4],
        b"SS" | b"US" | b"OB" | b"OW" | b"UN" => vec![0; 2],
        _ => b"ANONYMOUS ".to_vec(),
    }
}

/// The UID in place of one: of an instance, a study, a frame of reference.
pub(super) fn uid(original: &[u8], key: &ProjectKey) -> String {
    let text = String::from_utf8_lossy(original);
    let text = text.trim_matches([' ', '\0']);
    if text.is_empty() { String::new() } else { key.uid(text) }
}

/// UIDs mapped under the key; those of the standard itself stay where they may.
pub(super) fn uids(bytes: &[u8], key: &ProjectKey, keeps_standard: bool) -> Vec<u8> {
    let mapped = bytes.split(|byte| *byte == b'\\').map(|one| {
        match std::str::from_utf8(one).map(|one| one.trim_matches([' ', '\0'])) {
            Ok(standard) if keeps_standard && is_standard(standard) => standard.to_owned(),
            _ => uid(one, key),
        }
    });
    padded(mapped.collect::<Vec<_>>().join("\\").into_bytes(), 0)
}

fn is_standard(uid: &str) -> bool {
    uid.len() <= 64
        && uid.starts_with(STANDARD)
        && uid.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Dates moved by the days of the patient, as dates of resources are; times of day stay. `None` for what
/// is no date, and for one that shows an age over 89.
pub(super) fn shifted(vr: [u8; 2], bytes: &[u8], context: &Context<'_>) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let each = text.split('\\').map(|one| {
        let one = one.trim_matches([' ', '\0']);
        match &vr {
            _ if one.is_empty() => Some(String::new()),
            b"TM" => is_time(one, 16).then(|| one.to_owned()),
            b"DA" if one.len() == 8 => moved(one, context),
            b"DT" => {
                let digits = one.bytes().take_while(u8::is_ascii_digit).count();
                let (date, rest) = one.split_at_checked(digits.min(8))?;
                let is_fit = is_time(rest, 18) && (digits >= 8 || rest.is_empty());
                let date = is_fit.then(|| moved(date, context)).flatten()?;
                Some(format!("{date}{rest}"))
            }
            _ => None,
        }
    });
    let each: Option<Vec<String>> = each.collect();
    Some(padded(each?.join("\\").into_bytes(), b' '))
}

/// Whether these are the characters of a time, with its zone.
fn is_time(text: &str, most: usize) -> bool {
    text.len() <= most
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'+' | b'-' | b':'))
}

/// `YYYY`, `YYYYMM` or `YYYYMMDD` moved.
fn moved(date: &str, context: &Context<'_>) -> Option<String> {
    let days = context.key.shift_days(context.patient, context.shift_days);
    let written = match date.len() {
        4 => date.to_owned(),
        6 => format!("{}-{}", date.get(..4)?, date.get(4..)?),
        8 => format!("{}-{}-{}", date.get(..4)?, date.get(4..6)?, date.get(6..)?),
        _ => return None,
    };
    Some(dates::shift(&written, days, context.reference_year)?.replace('-', ""))
}

/// An age (`nnnD`, `W`, `M`, `Y`); over 89 years as 90. `None` for what is no age, and for a lower one
/// of somebody who may be over 89 by now.
pub(super) fn age(bytes: &[u8], context: &Context<'_>) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?.trim_matches([' ', '\0']);
    if text.is_empty() {
        return Some(Vec::new());
    }
    let (number, unit) = text.split_at_checked(3)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match (number.parse::<u32>().ok()?, unit) {
        (90.., "Y") => Some(b"090Y".to_vec()),
        (_, "Y" | "M" | "W" | "D") if !context.may_be_old => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

/// Whether codes and numbers that are written as text are such. Others are what they are.
pub(super) fn is_fit(vr: [u8; 2], bytes: &[u8]) -> bool {
    let is_text = matches!(&vr, b"CS" | b"DS" | b"IS");
    !is_text || bytes.split(|byte| *byte == b'\\').all(|one| is_one_fit(vr, one))
}

/// Codes and numbers; what is none of them is left empty.
pub(super) fn fit(vr: [u8; 2], bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 1);
    for (at, one) in bytes.split(|byte| *byte == b'\\').enumerate() {
        if at > 0 {
            out.push(b'\\');
        }
        if is_one_fit(vr, one) {
            out.extend_from_slice(trimmed(one));
        }
    }
    padded(out, b' ')
}

/// Numbers are often longer than the standard has them; codes are not.
fn is_one_fit(vr: [u8; 2], one: &[u8]) -> bool {
    let one = trimmed(one);
    let is_fit = |byte: u8| match &vr {
        b"CS" => matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_' | b' '),
        b"DS" => matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'E' | b'e'),
        b"IS" => matches!(byte, b'0'..=b'9' | b'+' | b'-'),
        _ => true,
    };
    one.iter().all(|byte| is_fit(*byte)) && (vr != *b"CS" || one.len() <= 16)
}

fn padded(mut bytes: Vec<u8>, with: u8) -> Vec<u8> {
    if bytes.len() % 2 == 1 {
        bytes.push(with);
    }
    bytes
}
