//! Security labels: how confidential an item is and why it is sensitive.
//!
//! Labels are the codings of `Resource.meta.security` (HL7 DS4P implementation guide).
//! Confidentiality is a total order, `V` > `R` > `N` > `M` > `L` > `U`; an item without one is
//! `N`. Sensitivity codes say why an item is delicate and form a hierarchy. An item with a
//! sensitivity code is taken as at least `R`, whatever it says of itself (the rule IHE PCF uses).

use fhir::Value;

use crate::consent::Rule;

/// The code system of confidentiality.
pub const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
/// The code system of sensitivity, law and obligation codes.
pub const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// The code that says that elements carry labels of their own (DS4P, inline security labels).
pub const PROCESS_INLINE: &str = "PROCESSINLINELABEL";

/// How confidential something is, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidentiality {
    /// `U`
    Unrestricted,
    /// `L`
    Low,
    /// `M`
    Moderate,
    /// `N`, also where nothing is said.
    Normal,
    /// `R`
    Restricted,
    /// `V`
    VeryRestricted,
}

impl Confidentiality {
    /// The degree with this code of v3-Confidentiality.
    pub fn find(code: &str) -> Option<Self> {
        Some(match code {
            "U" => Self::Unrestricted,
            "L" => Self::Low,
            "M" => Self::Moderate,
            "N" => Self::Normal,
            "R" => Self::Restricted,
            "V" => Self::VeryRestricted,
            _ => return None,
        })
    }

    /// Every degree, least first.
    pub const ALL: [Self; 6] = [
        Self::Unrestricted,
        Self::Low,
        Self::Moderate,
        Self::Normal,
        Self::Restricted,
        Self::VeryRestricted,
    ];

    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unrestricted => "U",
            Self::Low => "L",
            Self::Moderate => "M",
            Self::Normal => "N",
            Self::Restricted => "R",
            Self::VeryRestricted => "V",
        }
    }
}

/// One sensitivity code of the published list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sensitivity(&'static str);

impl Sensitivity {
    /// The code, where the list has it.
    pub fn find(code: &str) -> Option<Self> {
        SENSITIVITY.iter().find(|row| row.0 == code).map(|row| Self(row.0))
    }

    /// The code.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// Whether this is `other` or below it: alcohol use disorder is a substance use disorder.
    pub fn is_a(self, other: Self) -> bool {
        let parent = |code: &Self| {
            SENSITIVITY.iter().find(|row| row.0 == code.0).and_then(|row| Self::find(row.1))
        };
        std::iter::successors(Some(self), parent).take(SENSITIVITY.len()).any(|code| code == other)
    }
}

/// The law of v3-ActCode for records of federally assisted programmes for substance use disorders.
pub const PART2: &str = "42CFRPart2";

/// One label, understood as far as possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// A degree of confidentiality.
    Level(Confidentiality),
    /// A sensitivity code.
    Sensitive(Sensitivity),
    /// A law that asks for the patient's permission, such as `42CFRPart2`.
    Law(&'static str),
    /// Any other label, by system and code.
    Other(Box<str>, Box<str>),
    /// A code of the confidentiality system that is none of the six degrees.
    UnknownLevel,
}

impl Label {
    /// Reads a coding.
    pub fn of(system: &str, code: &str) -> Self {
        // Codings without a system occur in practice; the stricter reading is taken.
        let bare = system.is_empty();
        if bare || is_confidentiality(system) {
            if let Some(level) = Confidentiality::find(code) {
                return Self::Level(level);
            }
            // Retired codes of the confidentiality system that name a topic (ETH, HIV, PSY, SDV).
            if let Some(topic) = Sensitivity::find(code).filter(|topic| topic.0.len() > 1) {
                return Self::Sensitive(topic);
            }
            if !bare {
                return Self::UnknownLevel;
            }
        }
        if bare || is_act_code(system) {
            if let Some(topic) = Sensitivity::find(code) {
                return Self::Sensitive(topic);
            }
            if let Some(law) = LAWS.iter().find(|law| **law == code) {
                return Self::Law(law);
            }
        }
        Self::Other(system.into(), code.into())
    }

    /// The law with this code, where it asks for the patient's permission.
    pub fn law(code: &str) -> Option<Self> {
        LAWS.iter().find(|law| **law == code).map(|law| Self::Law(law))
    }

    /// Reads a JSON coding; a coding without a code is none of the known labels.
    pub fn of_coding(coding: Value<'_>) -> Self {
        let system = coding.str_at("system").unwrap_or_default();
        Self::of(&system, &coding.str_at("code").unwrap_or_default())
    }
}

/// The labels of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Degree of confidentiality, at least [`Confidentiality::Restricted`] where a sensitivity
    /// code or law is present.
    pub confidentiality: Confidentiality,
    /// Sensitivity codes.
    pub sensitivity: Vec<Sensitivity>,
    /// Laws that ask for the patient's permission.
    pub laws: Vec<&'static str>,
    /// Everything else, by system and code.
    pub other: Vec<(Box<str>, Box<str>)>,
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            confidentiality: Confidentiality::Normal,
            sensitivity: Vec::new(),
            laws: Vec::new(),
            other: Vec::new(),
        }
    }
}

impl Labels {
    /// Takes the labels together. Of several degrees the highest counts.
    pub fn new(labels: impl IntoIterator<Item = Label>) -> Self {
        let (mut this, mut stated) = (Self::default(), None);
        for label in labels {
            match label {
                Label::Level(level) => stated = stated.max(Some(level)),
                Label::UnknownLevel => stated = stated.max(Some(Confidentiality::Restricted)),
                Label::Sensitive(code) if this.sensitivity.contains(&code) => {}
                Label::Sensitive(code) => this.sensitivity.push(code),
                Label::Law(law) if this.laws.contains(&law) => {}
                Label::Law(law) => this.laws.push(law),
                Label::Other(system, code) => this.other.push((system, code)),
            }
        }
        this.confidentiality = stated.unwrap_or(Confidentiality::Normal);
        let marked = !this.sensitivity.is_empty() || !this.laws.is_empty();
        if marked && Rule::TopicRestricts.holds() {
            this.confidentiality = this.confidentiality.max(Confidentiality::Restricted);
        }
        this
    }

    /// Whether the item is restricted or above, by degree, topic or law.
    pub fn is_sensitive(&self) -> bool {
        self.confidentiality >= Confidentiality::Restricted
    }

    /// Whether a denial of `label` is about this item: the degree or a higher one; the topic or
    /// one below it, and also one above it, because what is marked as substance use may well be
    /// about alcohol.
    pub fn denied_by(&self, label: &Label) -> bool {
        match label {
            Label::Level(level) if Rule::DenialReachesUp.holds() => self.confidentiality >= *level,
            Label::Level(level) => self.confidentiality == *level,
            Label::Sensitive(topic) if Rule::TopicReaches.holds() => {
                self.sensitivity.iter().any(|own| own.is_a(*topic) || topic.is_a(*own))
            }
            Label::Sensitive(topic) => self.sensitivity.contains(topic),
            Label::UnknownLevel => true,
            _ => self.has(label),
        }
    }

    /// Whether a permission for `label` is about this item: the degree or a lower one, as with a
    /// clearance; the topic or one below it.
    pub fn permitted_by(&self, label: &Label) -> bool {
        match label {
            Label::Level(level) => self.confidentiality <= *level,
            Label::Sensitive(topic) => self.sensitivity.iter().any(|own| own.is_a(*topic)),
            Label::UnknownLevel => false,
            _ => self.has(label),
        }
    }

    /// Whether permissions for `labels` together name all that makes this item sensitive: its
    /// degree, or every topic and law it carries. Topics do not open what is very restricted.
    pub fn named_by<'a>(&self, labels: impl Iterator<Item = &'a Label> + Clone) -> bool {
        let cleared = |label: &Label| {
            matches!(label, Label::Level(level)
                if *level >= Confidentiality::Restricted && self.confidentiality <= *level)
        };
        if labels.clone().any(cleared) {
            return true;
        }
        let marks = !self.sensitivity.is_empty() || !self.laws.is_empty();
        let topic = |own: &Sensitivity| {
            labels.clone().any(|label| matches!(label, Label::Sensitive(named) if own.is_a(*named)))
        };
        let law = |own: &&'static str| labels.clone().any(|label| *label == Label::Law(own));
        if !Rule::NamedInFull.holds() {
            return self.sensitivity.iter().any(topic) || self.laws.iter().any(law);
        }
        marks
            && self.confidentiality <= Confidentiality::Restricted
            && self.sensitivity.iter().all(topic)
            && self.laws.iter().all(law)
    }

    fn has(&self, label: &Label) -> bool {
        match label {
            Label::Law(law) => self.laws.contains(law),
            Label::Other(system, code) => {
                self.other.iter().any(|(own, value)| own == system && value == code)
            }
            _ => false,
        }
    }
}

fn is_confidentiality(system: &str) -> bool {
    const OLD: [&str; 2] =
        ["http://hl7.org/fhir/v3/Confidentiality", "urn:oid:2.16.840.1.113883.5.25"];
    system == CONFIDENTIALITY || OLD.contains(&system)
}

fn is_act_code(system: &str) -> bool {
    const OLD: [&str; 2] = ["http://hl7.org/fhir/v3/ActCode", "urn:oid:2.16.840.1.113883.5.4"];
    system == ACT_CODE || OLD.contains(&system)
}

/// Laws of v3-ActCode under which sharing needs the patient's permission.
const LAWS: &[&str] = &[PART2, "HIPAAPsyNotes", "Title38Section7332"];

/// Code and code of the parent: the `InformationSensitivityPolicy` branch of v3-ActCode as
/// published in HL7 Terminology (THO, CC0).
#[rustfmt::skip]
const SENSITIVITY: &[(&str, &str)] = &[
    ("ETH", ""),
    ("GDIS", ""),
    ("HIV", ""),
    ("MST", ""),
    ("PREGNANT", ""),
    ("SCA", ""),
    ("SDV", ""),
    ("SEX", ""),
    ("SPI", ""),
    ("BH", "SPI"),
    ("COGN", "BH"),
    ("DVD", "BH"),
    ("EMOTDIS", "BH"),
    ("MH", "SPI"),
    ("PSY", "SPI"),
    ("PSYTHPN", "SPI"),
    ("SUD", "SPI"),
    ("ETHUD", "SUD"),
    ("OPIOIDUD", "SUD"),
    ("STD", ""),
    ("TBOO", ""),
    ("VIO", ""),
    ("IDS", ""),
    ("SICKLE", ""),
    ("DEMO", ""),
    ("DOB", ""),
    ("GENDER", ""),
    ("LIVARG", ""),
    ("MARST", ""),
    ("PATLOC", ""),
    ("RACE", ""),
    ("REL", ""),
    ("B", ""),
    ("EMPL", ""),
    ("LOCIS", ""),
    ("SSP", ""),
    ("ADOL", ""),
    ("CEL", ""),
    ("VIP", ""),
    ("DIA", ""),
    ("DRGIS", ""),
    ("EMP", ""),
    ("PDS", ""),
    ("PHY", ""),
    ("PRS", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(codes: &[&str]) -> Labels {
        Labels::new(codes.iter().map(|code| Label::of("", code)))
    }

    #[test]
    fn denials_reach_upwards_and_permissions_downwards() {
        let check = |item: &[&str], label: &str, denied: bool, permitted: bool, named: bool| {
            let (labels, label) = (labels(item), Label::of("", label));
            let found = (
                labels.denied_by(&label),
                labels.permitted_by(&label),
                labels.named_by([&label].into_iter()),
            );
            assert_eq!(found, (denied, permitted, named), "{item:?} {label:?}");
        };
        check(&[], "N", true, true, false);
        check(&[], "R", false, true, true);
        check(&["R"], "R", true, true, true);
        check(&["V"], "R", true, false, false);
        check(&["R"], "V", false, true, true);
        check(&["HIV"], "R", true, true, true);
        check(&["HIV"], "N", true, false, false);
        check(&["HIV"], "HIV", true, true, true);
        check(&["HIV", "R"], "HIV", true, true, true);
        check(&["HIV", "V"], "HIV", true, true, false);
        check(&["HIV", "PSY"], "HIV", true, true, false);
        check(&["ETHUD"], "SUD", true, true, true);
        check(&["SUD"], "ETHUD", true, false, false);
        check(&["42CFRPart2"], "42CFRPart2", true, true, true);
        check(&["42CFRPart2", "SUD"], "SUD", true, true, false);
        check(&["CTCOMPT"], "R", false, true, true);
    }

    #[test]
    fn what_cannot_be_read_is_taken_as_restricted() {
        assert!(Labels::new([Label::of(CONFIDENTIALITY, "T")]).is_sensitive());
        assert!(Labels::new([Label::of(CONFIDENTIALITY, "HIV")]).is_sensitive());
        assert!(!Labels::new([Label::of(CONFIDENTIALITY, "L")]).is_sensitive());
        assert!(!Labels::new([Label::of(ACT_CODE, "CTCOMPT")]).is_sensitive());
    }
}
