//! Purposes of use: why somebody wants a record.
//!
//! The codes and their hierarchy are the `PurposeOfUse` branch of HL7 v3-ActReason as published in
//! HL7 Terminology (THO, CC0). A rule for a purpose covers the purposes below it: what is
//! permitted for `TREAT` is permitted for `ETREAT`, `BTG` and `COC` (IHE PCF, appendix P).

use std::collections::HashSet;
use std::fmt;
use std::sync::OnceLock;

/// The code system of purposes of use.
pub const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// One purpose of use of the published list. Two are equal when their codes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Purpose(&'static str);

/// A text that is no purpose of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown purpose of use; send a code of v3-ActReason such as `TREAT`")]
pub struct UnknownPurpose;

impl Purpose {
    /// Treatment.
    pub const TREAT: Self = Self("TREAT");
    /// Emergency treatment.
    pub const ETREAT: Self = Self("ETREAT");
    /// Break the glass: emergency override.
    pub const BTG: Self = Self("BTG");
    /// At the patient's request.
    pub const PATRQT: Self = Self("PATRQT");
    /// At the request of the patient's family or of another who acts for them.
    pub const FAMRQT: Self = Self("FAMRQT");
    /// Operations of the organisation.
    pub const HOPERAT: Self = Self("HOPERAT");
    /// Research.
    pub const HRESCH: Self = Self("HRESCH");
    /// Compliance with laws and agreements.
    pub const HCOMPL: Self = Self("HCOMPL");
    /// Administration of the system.
    pub const HSYSADMIN: Self = Self("HSYSADMIN");
    /// Administration of patients.
    pub const PATADMIN: Self = Self("PATADMIN");

    /// Every purpose of the list, in its published order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| Self(row.0))
    }

    /// The purpose with this code, where the list has one.
    pub fn find(code: &str) -> Option<Self> {
        static CODES: OnceLock<HashSet<&str>> = OnceLock::new();
        let codes = CODES.get_or_init(|| TABLE.iter().map(|row| row.0).collect());
        codes.get(code).copied().map(Self)
    }

    /// The code.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// The published display name in lower case, `emergency treatment` for example.
    pub fn display(self) -> &'static str {
        self.row().map_or("", |row| row.2)
    }

    /// The next broader purpose, where there is one.
    pub fn parent(self) -> Option<Self> {
        self.row().and_then(|row| Self::find(row.1))
    }

    /// Whether this is `other` or one of the purposes below it.
    pub fn is_a(self, other: Self) -> bool {
        // The list is four levels deep; a bound keeps a faulty table from turning into a loop.
        std::iter::successors(Some(self), |purpose| purpose.parent())
            .take(TABLE.len())
            .any(|purpose| purpose == other)
    }

    fn row(self) -> Option<&'static (&'static str, &'static str, &'static str)> {
        TABLE.iter().find(|row| row.0 == self.0)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::str::FromStr for Purpose {
    type Err = UnknownPurpose;

    fn from_str(code: &str) -> Result<Self, UnknownPurpose> {
        Self::find(code).ok_or(UnknownPurpose)
    }
}

/// Code, code of the parent (empty at the top), display.
#[rustfmt::skip]
const TABLE: &[(&str, &str, &str)] = &[
    ("HMARKT", "", "healthcare marketing"),
    ("HOPERAT", "", "healthcare operations"),
    ("CAREMGT", "HOPERAT", "care management"),
    ("DONAT", "HOPERAT", "donation"),
    ("FRAUD", "HOPERAT", "fraud"),
    ("GOV", "HOPERAT", "government"),
    ("HACCRED", "HOPERAT", "health accreditation"),
    ("HCOMPL", "HOPERAT", "health compliance"),
    ("HDECD", "HOPERAT", "decedent"),
    ("HDIRECT", "HOPERAT", "directory"),
    ("HDM", "HOPERAT", "healthcare delivery management"),
    ("HLEGAL", "HOPERAT", "legal"),
    ("HOUTCOMS", "HOPERAT", "health outcome measure"),
    ("HPRGRP", "HOPERAT", "health program reporting"),
    ("HQUALIMP", "HOPERAT", "health quality improvement"),
    ("HSYSADMIN", "HOPERAT", "health system administration"),
    ("LABELING", "HSYSADMIN", "labeling"),
    ("METAMGT", "HSYSADMIN", "metadata management"),
    ("MEMADMIN", "HOPERAT", "member administration"),
    ("MILCDM", "HOPERAT", "military command"),
    ("PATADMIN", "HOPERAT", "patient administration"),
    ("PATSFTY", "HOPERAT", "patient safety"),
    ("PERFMSR", "HOPERAT", "performance measure"),
    ("RECORDMGT", "HOPERAT", "records management"),
    ("SYSDEV", "HOPERAT", "system development"),
    ("HTEST", "SYSDEV", "test health data"),
    ("TRAIN", "HOPERAT", "training"),
    ("MLTRAINING", "HOPERAT", "machine learning training"),
    ("HPAYMT", "", "healthcare payment"),
    ("CLMATTCH", "HPAYMT", "claim attachment"),
    ("COVAUTH", "HPAYMT", "coverage authorization"),
    ("COVERAGE", "HPAYMT", "coverage under policy or program"),
    ("ELIGDTRM", "COVERAGE", "eligibility determination"),
    ("ELIGVER", "COVERAGE", "eligibility verification"),
    ("ENROLLM", "COVERAGE", "enrollment"),
    ("MILDCRG", "COVERAGE", "military discharge"),
    ("REMITADV", "HPAYMT", "remittance advice"),
    ("PMTDS", "HPAYMT", "decision support assisted payment decision"),
    ("HRESCH", "", "healthcare research"),
    ("BIORCH", "HRESCH", "biomedical research"),
    ("CLINTRCH", "HRESCH", "clinical trial research"),
    ("CLINTRCHNPC", "CLINTRCH", "clinical trial research without patient care"),
    ("CLINTRCHPC", "CLINTRCH", "clinical trial research with patient care"),
    ("PRECLINTRCH", "CLINTRCH", "preclinical trial research"),
    ("DSRCH", "HRESCH", "disease specific healthcare research"),
    ("POARCH", "HRESCH", "population origins or ancestry healthcare research"),
    ("TRANSRCH", "HRESCH", "translational healthcare research"),
    ("PATRQT", "", "patient requested"),
    ("FAMRQT", "PATRQT", "family requested"),
    ("PWATRNY", "PATRQT", "power of attorney"),
    ("SUPNWK", "PATRQT", "support network"),
    ("PUBHLTH", "", "public health"),
    ("DISASTER", "PUBHLTH", "disaster"),
    ("THREAT", "PUBHLTH", "threat"),
    ("TREAT", "", "treatment"),
    ("CLINTRL", "TREAT", "clinical trial"),
    ("COC", "TREAT", "coordination of care"),
    ("ETREAT", "TREAT", "emergency treatment"),
    ("BTG", "ETREAT", "break the glass"),
    ("ERTREAT", "ETREAT", "emergency room treatment"),
    ("POPHLTH", "TREAT", "population health"),
    ("TREATDS", "TREAT", "decision support assisted treatment decision"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrower_purposes_are_covered_by_broader_ones() {
        let check = |narrow: &str, broad: &str, expected: bool| {
            let (Some(narrow), Some(broad)) = (Purpose::find(narrow), Purpose::find(broad)) else {
                panic!("unknown purpose");
            };
            assert_eq!(narrow.is_a(broad), expected, "{narrow} is a {broad}");
        };
        check("TREAT", "TREAT", true);
        check("BTG", "TREAT", true);
        check("BTG", "ETREAT", true);
        check("COC", "TREAT", true);
        check("TREAT", "BTG", false);
        check("COC", "ETREAT", false);
        check("HRESCH", "TREAT", false);
        check("CLINTRCHNPC", "HRESCH", true);
        check("FAMRQT", "PATRQT", true);
    }

    #[test]
    fn every_parent_is_in_the_list() {
        for (code, parent, _) in TABLE {
            assert!(parent.is_empty() || Purpose::find(parent).is_some(), "{code}");
            assert_eq!(TABLE.iter().filter(|row| row.0 == *code).count(), 1, "{code}");
        }
        assert_eq!("TREATMENT".parse::<Purpose>(), Err(UnknownPurpose));
    }
}
