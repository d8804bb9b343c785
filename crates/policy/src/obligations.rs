//! What a recipient must and must not do with what it is sent.
//!
//! Codes are those of HL7 v3-ActCode, `ObligationPolicy` and `RefrainPolicy`. They follow from the
//! labels of what is sent and from the purpose; what a resource already carries is passed on. A
//! code that would reveal that something was kept back or masked never stands for an answer as a
//! whole (DS4P: the high-water mark carries no privacy-revealing codes).

use crate::consent::Item;
use crate::label::{ACT_CODE, Confidentiality, PART2};
use crate::purpose::Purpose;

/// The notice of 42 CFR 2.32(a)(1) that goes with every disclosure of records of a programme, in the
/// words of the rule of 2024 (89 FR 12472).
pub const PART2_NOTICE: &str = "This record which has been disclosed to you is protected by Federal confidentiality rules \
     (42 CFR part 2). These rules prohibit you from using or disclosing this record, or testimony \
     that describes the information contained in this record, in any civil, criminal, \
     administrative, or legislative proceedings by any Federal, State, or local authority, against \
     the patient, unless authorized by the consent of the patient, except as provided at 42 CFR \
     2.12(c)(5) or as authorized by a court in accordance with 42 CFR 2.64 or 2.65. In addition, \
     the Federal rules prohibit you from making any other use or disclosure of this record unless \
     at least one of the following applies: (i) Further use or disclosure is expressly permitted \
     by the written consent of the individual whose information is being disclosed in this record \
     or as otherwise permitted by 42 CFR part 2. (ii) You are a covered entity or business \
     associate and have received the record for treatment, payment, or health care operations, or \
     (iii) You have received the record from a covered entity or business associate as permitted \
     by 45 CFR part 164, subparts A and E. A general authorization for the release of medical or \
     other information is NOT sufficient to meet the required elements of written consent to \
     further use or redisclose the record (see 42 CFR 2.31).";

/// Codes that are passed on where a resource carries them.
const PASSED_ON: &[&str] = &[
    "AOD",
    "CPLYCC",
    "CPLYCD",
    "CPLYPOL",
    "DEID",
    "DELAU",
    "ENCRYPT",
    "ENCRYPTR",
    "ENCRYPTT",
    "HUAPRV",
    "MASK",
    "MINEC",
    "PERSISTLABEL",
    "PRIVMARK",
    "PSEUD",
    "REDACT",
    "NOAUTH",
    "NOCOLLECT",
    "NODSCLCD",
    "NODSCLCDS",
    "NOINTEGRATE",
    "NOLIST",
    "NOPAT",
    "NOPERSISTP",
    "NORDSCLCD",
    "NORDSCLCDS",
    "NORDSCLW",
    "NORELINK",
    "NOREUSE",
    "NOVIP",
    "ORCON",
];

/// Codes that would tell that there is more than is shown.
const REVEALING: &[&str] = &["MASK", "REDACT", "NODSCLCD", "NODSCLCDS", "NOVIP"];

/// How what is sent must be handled.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Handling {
    /// The highest degree of confidentiality of anything that is sent.
    pub confidentiality: Option<Confidentiality>,
    /// Each code with the references of the resources it is for, in the order of first use.
    pub codes: Vec<(&'static str, Vec<String>)>,
    /// Whether records under 42 CFR Part 2 are among it, so that [`PART2_NOTICE`] must travel.
    pub part2: bool,
}

impl Handling {
    /// How `items`, all of which are sent for `purpose`, must be handled.
    pub fn of<'i>(items: impl IntoIterator<Item = &'i Item>, purpose: Purpose) -> Self {
        let mut handling = Self::default();
        for item in items {
            let degree = item.labels.confidentiality;
            handling.confidentiality = handling.confidentiality.max(Some(degree));
            handling.part2 |= item.labels.laws.contains(&PART2);
            for code in codes(item, purpose) {
                let reference = item.reference.to_string();
                match handling.codes.iter_mut().find(|(known, _)| *known == code) {
                    Some((_, references)) => references.push(reference),
                    None => handling.codes.push((code, vec![reference])),
                }
            }
        }
        handling
    }

    /// The labels of the answer as a whole, by system and code: the high-water mark of
    /// confidentiality and every code that reveals nothing.
    pub fn high_water(&self) -> Vec<(&'static str, &'static str)> {
        let degree = self.confidentiality.map(Confidentiality::code);
        let codes = self.codes.iter().map(|(code, _)| *code).filter(|code| !is_revealing(code));
        let degree = degree.map(|code| (crate::label::CONFIDENTIALITY, code));
        degree.into_iter().chain(codes.map(|code| (ACT_CODE, code))).collect()
    }
}

/// Whether a code would tell that there is more than is shown.
pub fn is_revealing(code: &str) -> bool {
    REVEALING.contains(&code)
}

/// The code of the list, where it is one that is passed on.
pub fn known(code: &str) -> Option<&'static str> {
    PASSED_ON.iter().find(|known| **known == code).copied()
}

/// The codes for one resource, each once.
fn codes(item: &Item, purpose: Purpose) -> Vec<&'static str> {
    let mut codes = Vec::new();
    if item.labels.is_sensitive() {
        codes.extend(["NORDSCLCD", "PERSISTLABEL"]);
    }
    if item.labels.laws.contains(&PART2) {
        codes.push("PRIVMARK");
    }
    if !purpose.is_a(Purpose::TREAT) && !purpose.is_a(Purpose::PATRQT) {
        codes.extend(["DELAU", "NOREUSE"]);
    }
    let stored = item.labels.other.iter().filter(|(system, _)| **system == *ACT_CODE);
    for code in stored.filter_map(|(_, code)| known(code)) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use fhir::Resource;

    use super::*;

    fn handling(labels: &[&[&str]], purpose: Purpose) -> Handling {
        let item = |(n, codes): (usize, &&[&str])| {
            let coding = |code: &&str| format!(r#"{{"system":"{ACT_CODE}","code":"{code}"}}"#);
            let codings: Vec<_> = codes.iter().map(coding).collect();
            let text = format!(
                r#"{{"resourceType":"Basic","id":"{n}","meta":{{"security":[{}]}}}}"#,
                codings.join(",")
            );
            Item::of(&Resource::parse(text).expect("a resource"))
        };
        let items: Vec<_> = labels.iter().enumerate().map(item).collect();
        Handling::of(&items, purpose)
    }

    #[test]
    fn obligations_follow_labels_and_purpose() {
        let plain = handling(&[&[]], Purpose::TREAT);
        assert_eq!((plain.codes.len(), plain.part2), (0, false));
        assert_eq!(plain.high_water(), [(crate::label::CONFIDENTIALITY, "N")]);
        let research = handling(&[&[]], Purpose::HRESCH);
        assert_eq!(
            research.codes.iter().map(|(code, _)| *code).collect::<Vec<_>>(),
            ["DELAU", "NOREUSE"]
        );
        let part2 = handling(&[&[], &["42CFRPart2", "SUD"]], Purpose::TREAT);
        assert!(part2.part2);
        assert_eq!(part2.codes.first(), Some(&("NORDSCLCD", vec!["Basic/1".to_owned()])));
    }

    #[test]
    fn the_high_water_mark_does_not_tell_that_something_is_masked() {
        let masked = handling(&[&["MASK", "NODSCLCD", "HIV"]], Purpose::TREAT);
        assert!(masked.codes.iter().any(|(code, _)| *code == "MASK"));
        let codes: Vec<_> = masked.high_water().into_iter().map(|(_, code)| code).collect();
        assert_eq!(codes, ["R", "NORDSCLCD", "PERSISTLABEL"]);
    }
}
