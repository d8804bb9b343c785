//! The search of a file, byte by byte, for what must not be in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::secrets::Secrets;

/// The shortest run of characters that is opened as base64.
const MIN_ENCODED: usize = 24;

/// Something that must not be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What kind of thing it is.
    pub kind: &'static str,
    /// As it stands there, in lower case.
    pub text: String,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The byte of the line, from 0; within what was encoded, of the start of that.
    pub byte: usize,
}

/// Looks through a file: every text of the originals on bounds of words, in any case of letters; in
/// `data`, every date of theirs and every year that shows an age over 89 as well. What is encoded in
/// base64 is opened and searched, too. Names of JSON members are no texts.
pub fn search(secrets: &Secrets, file: &str, text: &str, data: bool) -> Vec<Found> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut hit = |byte: usize, kind: &'static str, text: &str| {
            let (text, file) = (text.to_owned(), file.to_owned());
            found.push(Found { kind, text, file, line: number + 1, byte });
        };
        within(secrets, &line.to_lowercase(), data, &mut hit);
        for (at, run) in encoded(line) {
            let opened =
                STANDARD.decode(run.as_bytes()).ok().and_then(|b| String::from_utf8(b).ok());
            if let Some(opened) = opened {
                within(secrets, &opened.to_lowercase(), data, &mut |_, kind, text| {
                    hit(at, kind, text);
                });
            }
        }
    }
    found
}

fn within(
    secrets: &Secrets,
    line: &str,
    data: bool,
    hit: &mut dyn FnMut(usize, &'static str, &str),
) {
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let Some(rest) = line.get(at..) else {
            at += 1;
            continue;
        };
        let run: &str = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        if run.is_empty() {
            at += 1;
            continue;
        }
        let is_member = rest.get(run.len()..).is_some_and(|after| after.starts_with("\":"));
        if !is_member
            && let Some((text, kind)) = secrets.starts(run, rest)
            && !is_within_number(line, at, text)
        {
            hit(at, kind, text);
        }
        if data && let Some((date, kind)) = date(secrets, line, at, run) {
            hit(at, kind, date);
        }
        at += run.len();
    }
}

/// Whether digits are part of a longer number (`4.2124`, `2116.07`), of a code (`2532-0`), or a number
/// that is measured and no text: a postal code is none of these.
fn is_within_number(line: &str, at: usize, text: &str) -> bool {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let bytes = line.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let joint = |at: usize| bytes.get(at).is_some_and(|byte| matches!(byte, b'.' | b'-'));
    let end = at + text.len();
    let before = at > 1 && joint(at - 1) && digit(at - 2);
    let after = joint(end) && digit(end + 1);
    let of_member = |before: &str| before.trim_end_matches(' ').ends_with("\":");
    before || after || line.get(..at).is_some_and(of_member)
}

/// A date of the originals at this place, or a year that is a value and shows an age over 89.
fn date<'l>(
    secrets: &Secrets,
    line: &'l str,
    at: usize,
    run: &str,
) -> Option<(&'l str, &'static str)> {
    if run.len() != 4 || !run.bytes().all(|byte| byte.is_ascii_digit()) {
        // `2020-01-02T…` is a run of its own as far as the hyphen.
        return None;
    }
    let ends = |to: usize| !line.as_bytes().get(to).is_some_and(u8::is_ascii_digit);
    for length in [10, 7] {
        if let Some(date) = line.get(at..at + length)
            && ends(at + length)
            && secrets.is_date(date)
        {
            return Some((date, "date"));
        }
    }
    let before = line.get(..at).is_some_and(|before| before.ends_with('"'));
    let after = line.get(at + 4..).is_some_and(|after| after.starts_with('"'));
    let is_old = run.parse::<i32>().is_ok_and(|year| (1850..=secrets.old_year).contains(&year));
    let year = line.get(at..at + 4).filter(|_| before && after && is_old);
    year.map(|year| (year, "year over 89 years ago"))
}

/// Runs of characters that may be base64, with their places.
fn encoded(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_of_it = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let mut at = 0;
    line.split(move |c| !is_of_it(c)).filter_map(move |run| {
        let here = at;
        at += run.len() + 1;
        (run.len() >= MIN_ENCODED && run.len().is_multiple_of(4)).then_some((here, run))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: &str = r#"{"resourceType":"Patient","id":"p-77","name":[{"family":"Quillfeather","given":["Ottilie"]}],
        "extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"Delacroix-Bonte"}],
        "address":[{"line":["77 Larkspur Lane"],"city":"Wexmoor","postalCode":"01545"}],"birthDate":"1931-03-04",
        "telecom":[{"value":"(555) 010-7788"}],"identifier":[{"value":"MRN-55-X"}]}"#;

    fn kinds(text: &str) -> Vec<&'static str> {
        let mut secrets = Secrets::new(2026);
        secrets.learn(PATIENT).unwrap();
        search(&secrets, "f", text, true).into_iter().map(|found| found.kind).collect()
    }

    #[test]
    fn what_is_planted_is_found_and_nothing_else() {
        let planted = [
            ("{\"a\":\"to ottilie\"}", "name"),
            ("{\"a\":\"QUILLFEATHER\"}", "name"),
            ("{\"a\":\"bonte\"}", "name"),
            ("at 77 Larkspur Lane, there", "address line"),
            ("in wexmoor.", "city"),
            ("\"01545\"", "postal code"),
            ("call (555) 010-7788 now", "telephone or mail"),
            ("no. mrn-55-x", "identifier"),
            ("Patient/p-77", "logical id"),
            ("\"1931-03-04T00:00:00Z\"", "date"),
            ("\"1931-03\"", "date"),
            ("{\"birthDate\":\"1931\"}", "year over 89 years ago"),
        ];
        for (text, kind) in planted {
            assert_eq!(kinds(text), [kind], "{text}");
        }
        let numbers = [
            "{\"value\":4.01545}",
            "{\"value\":01545.3}",
            "\"01545-0\"",
            "{\"value\":01545}",
            "{\"value\": 01545}",
        ];
        for text in numbers {
            assert_eq!(kinds(text), [""; 0], "{text}");
        }
        for text in ["\"015\"", "{\"valueInteger\":1931}", "quillfeathers", "\"1945\""] {
            assert_eq!(kinds(text), [""; 0], "{text}");
        }
        let hidden = STANDARD.encode("seen today: Ottilie, who is well");
        assert_eq!(kinds(&format!("{{\"data\":\"{hidden}\"}}")), ["name"]);
    }
}
