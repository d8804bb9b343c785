//! What an agreement asks of whoever receives data under it.

/// One code of the `ObligationPolicy` or `RefrainPolicy` branch of HL7 v3-ActCode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Obligation(&'static str);

impl Obligation {
    /// Every code that an agreement may name, those that ask for something first.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| Self(row.0))
    }

    /// The obligation with this code, where the list has one.
    pub fn find(code: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.0 == code).map(|row| Self(row.0))
    }

    /// The code.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// The published display name in lower case.
    pub fn display(self) -> &'static str {
        TABLE.iter().find(|row| row.0 == self.0).map_or("", |row| row.1)
    }
}

/// Code and display: the two branches as published in HL7 Terminology (THO, CC0), without what is
/// abstract, retired or about the label itself.
#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("ANONY", "anonymize"),
    ("AOD", "accounting of disclosure"),
    ("AUDIT", "audit"),
    ("AUDTR", "audit trail"),
    ("CPLYPOL", "comply with policy"),
    ("CPLYCC", "comply with confidentiality code"),
    ("CPLYCD", "comply with consent directive"),
    ("CPLYJPP", "comply with jurisdictional privacy policy"),
    ("CPLYOPP", "comply with organizational privacy policy"),
    ("CPLYOSP", "comply with organizational security policy"),
    ("DEID", "deidentify"),
    ("DELAU", "delete after use"),
    ("ENCRYPT", "encrypt"),
    ("ENCRYPTR", "encrypt at rest"),
    ("ENCRYPTT", "encrypt in transit"),
    ("ENCRYPTU", "encrypt in use"),
    ("HUAPRV", "human approval"),
    ("MASK", "mask"),
    ("MINEC", "minimum necessary"),
    ("PERSISTLABEL", "persist security label"),
    ("PRIVMARK", "privacy mark"),
    ("NOAUTH", "no disclosure without subject authorization"),
    ("NOCOLLECT", "no collection"),
    ("NODSCLCD", "no disclosure without consent directive"),
    ("NODSCLCDS", "no disclosure without information subject's consent directive"),
    ("NOINTEGRATE", "no integration"),
    ("NOLIST", "no unlisted entity disclosure"),
    ("NOMOU", "no disclosure without MOU"),
    ("NOORGPOL", "no disclosure without organizational authorization"),
    ("NOPAT", "no disclosure to patient, family or caregivers without attending provider's authorization"),
    ("NOPERSISTP", "no collection beyond purpose of use"),
    ("NORDSCLCD", "no redisclosure without consent directive"),
    ("NORDSCLCDS", "no redisclosure without information subject's consent directive"),
    ("NORDSCLW", "no disclosure without jurisdictional authorization"),
    ("NORELINK", "no relinking"),
    ("NOREUSE", "no reuse beyond purpose of use"),
    ("NOVIP", "no unauthorized VIP disclosure"),
    ("ORCON", "no disclosure without originator authorization"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_there_once() {
        for code in Obligation::all() {
            assert_eq!(Obligation::find(code.code()), Some(code));
            assert!(!code.display().is_empty());
            assert_eq!(TABLE.iter().filter(|row| row.0 == code.code()).count(), 1);
        }
        assert_eq!(Obligation::find("RefrainPolicy"), None);
    }
}
