//! Typed reads of FHIR R4 data types, tolerant of whatever a source sends.

use std::borrow::Cow;

use fhir::Value;
use fhir::time::Range;

/// Codings of one concept that are looked at.
const MAX_CODINGS: usize = 20;
/// Characters of a display text that are kept.
const MAX_LABEL: usize = 200;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

pub(crate) const SNOMED: &str = "http://snomed.info/sct";
pub(crate) const LOINC: &str = "http://loinc.org";
pub(crate) const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
const CVX: &str = "http://hl7.org/fhir/sid/cvx";

/// One `Coding` with a system and a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Coding {
    pub system: String,
    pub code: String,
    pub display: Option<String>,
}

impl Coding {
    pub fn token(&self) -> String {
        format!("{}|{}", self.system, self.code)
    }
}

/// A `CodeableConcept`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Concept {
    pub codings: Vec<Coding>,
    pub text: Option<String>,
    wording: String,
}

impl Concept {
    pub fn read(value: Option<Value<'_>>) -> Self {
        let Some(value) = value else { return Self::default() };
        let mut codings = Vec::new();
        for coding in value.get("coding").into_iter().flat_map(Value::each).take(MAX_CODINGS) {
            if let Some(code) = coding.str_at("code").filter(|code| !code.trim().is_empty()) {
                codings.push(Coding {
                    system: system(&coding.str_at("system").unwrap_or_default()),
                    code: code.trim().to_owned(),
                    display: text_of(coding.str_at("display")),
                });
            }
        }
        let mut concept = Self { codings, text: text_of(value.str_at("text")), wording: "".into() };
        concept.wording = concept.name().map(|name| wording(&name)).unwrap_or_default();
        concept
    }

    /// The text to show; codes only where there is nothing else.
    pub fn label(&self) -> String {
        let code = || self.codings.first().map(|coding| coding.code.clone());
        self.name().or_else(code).unwrap_or_else(|| "unnamed".into())
    }

    fn name(&self) -> Option<String> {
        let display = || self.codings.iter().find_map(|coding| coding.display.clone());
        self.text.clone().or_else(display)
    }

    pub fn is_empty(&self) -> bool {
        self.codings.is_empty() && self.text.is_none()
    }

    pub fn has(&self, system: &str, code: &str) -> bool {
        self.codings.iter().any(|coding| coding.system == system && coding.code == code)
    }

    /// Keys under which a concept that [`Concept::matches`] this one can be found.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.codings.iter().map(Coding::token).collect();
        if !self.wording.is_empty() {
            keys.push(format!("\"{}\"", self.wording));
        }
        keys
    }

    /// What shows that both mean the same: a shared code, or the same wording where they have no
    /// code system in common that could tell them apart.
    pub fn matches(&self, other: &Self) -> Option<String> {
        let has = |coding: &&Coding| other.has(&coding.system, &coding.code);
        if let Some(shared) = self.codings.iter().filter(has).map(Coding::token).min() {
            return Some(shared);
        }
        let common = |a: &Coding| other.codings.iter().any(|b| a.system == b.system);
        let comparable = self.codings.iter().any(common);
        (!comparable && !self.wording.is_empty() && self.wording == other.wording)
            .then(|| format!("\"{}\"", self.wording))
    }
}

/// A point or stretch of time with the text it was written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct When {
    pub text: String,
    pub start_ms: i64,
    pub end_ms: i64,
}

impl When {
    pub fn read(value: Option<Value<'_>>) -> Option<Self> {
        let text = value?.as_str()?;
        let Range { start_ms, end_ms } = fhir::time::parse(&text)?;
        Some(Self { text: text.into_owned(), start_ms, end_ms })
    }

    /// Whether a time of day was written.
    fn is_exact(&self) -> bool {
        self.end_ms - self.start_ms <= MINUTE_MS
    }

    /// The calendar day as written, in the writer's own zone.
    pub fn day(&self) -> &str {
        self.text.get(..10).unwrap_or(&self.text)
    }

    /// Within one minute where both have a time of day; the same day where one has only a date;
    /// the same text where one has only a month or a year.
    pub fn is_same(&self, other: &Self) -> bool {
        if self.is_exact() && other.is_exact() {
            return (self.start_ms - other.start_ms).abs() <= MINUTE_MS;
        }
        self.day() == other.day()
    }

    /// Milliseconds between the two, 0 where they overlap.
    pub fn gap_ms(&self, other: &Self) -> i64 {
        (self.start_ms - other.end_ms + 1).max(other.start_ms - self.end_ms + 1).max(0)
    }

    pub fn is_within_days(&self, other: &Self, days: i64) -> bool {
        self.gap_ms(other) <= days * DAY_MS
    }

    /// Whether both were written with a time of day.
    pub fn both_exact(&self, other: &Self) -> bool {
        self.is_exact() && other.is_exact()
    }
}

/// The code of the first coding: how status elements that are CodeableConcepts are read.
pub(crate) fn first_code(value: Option<Value<'_>>) -> String {
    let coding = value.and_then(|value| value.get("coding"));
    let code = coding.and_then(|coding| coding.each().find_map(|coding| coding.str_at("code")));
    code.unwrap_or_default().into_owned()
}

/// Whole text, white space at the ends removed and cut to what a page can show.
pub(crate) fn text_of(text: Option<Cow<'_, str>>) -> Option<String> {
    let text = text?;
    let text = text.trim();
    (!text.is_empty()).then(|| cut(text, MAX_LABEL).0)
}

/// The first `max` characters, and whether any were left off.
pub(crate) fn cut(text: &str, max: usize) -> (String, bool) {
    match text.char_indices().nth(max) {
        Some((end, _)) => (text[..end].to_owned(), true),
        None => (text.to_owned(), false),
    }
}

/// Words in lower case without punctuation and without the semantic tag of SNOMED CT names.
pub(crate) fn wording(text: &str) -> String {
    let text = text.trim();
    let bare = match (text.ends_with(')'), text.rfind('(')) {
        (true, Some(at)) if at > 0 => &text[..at],
        _ => text,
    };
    let lower = bare.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric() && c != '.' && c != '%');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// One spelling of a code system: OIDs that FHIR R4 names a URI for are replaced by it.
fn system(uri: &str) -> String {
    let uri = uri.trim().trim_end_matches('/');
    match uri {
        "urn:oid:2.16.840.1.113883.6.96" => SNOMED.into(),
        "urn:oid:2.16.840.1.113883.6.1" => LOINC.into(),
        "urn:oid:2.16.840.1.113883.6.88" => RXNORM.into(),
        "urn:oid:2.16.840.1.113883.12.292" => CVX.into(),
        _ => uri.to_owned(),
    }
}

/// One spelling of a decimal: `1.50`, `1.5` and `15e-1` become the same text.
pub(crate) fn decimal_key(digits: &str) -> String {
    let (sign, rest) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Ok(exponent) = exponent.parse::<i32>() else { return digits.to_owned() };
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return "0".into();
    }
    let dropped = (all.len() - all.trim_end_matches('0').len()) as i64;
    let power = i64::from(exponent) - fraction.len() as i64 + dropped;
    format!("{sign}{significant}e{power}")
}

/// Digits without zeros at the end of the fraction.
pub(crate) fn decimal_shown(digits: &str) -> String {
    match digits.split_once('.') {
        Some((whole, fraction)) if !fraction.contains(['e', 'E']) => {
            let fraction = fraction.trim_end_matches('0');
            if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
        }
        _ => digits.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_compare_by_value() {
        for (a, b, same) in [
            ("1.50", "1.5", true),
            ("1.5", "15e-1", true),
            ("100", "1E+2", true),
            ("0", "-0.00", true),
            ("0.001", "1e-3", true),
            ("1.5", "1.05", false),
            ("10", "1", false),
            ("-1", "1", false),
        ] {
            assert_eq!(decimal_key(a) == decimal_key(b), same, "{a} {b}");
        }
    }

    #[test]
    fn times_are_the_same_within_a_minute_or_on_the_same_day() {
        let when = |text: &str| {
            let range = fhir::time::parse(text).unwrap();
            When { text: text.into(), start_ms: range.start_ms, end_ms: range.end_ms }
        };
        for (a, b, same) in [
            ("2020-01-01T10:00:00Z", "2020-01-01T10:00:59Z", true),
            ("2020-01-01T10:00:00Z", "2020-01-01T11:00:00+01:00", true),
            ("2020-01-01T10:00:00Z", "2020-01-01T10:01:01Z", false),
            ("2020-01-01", "2020-01-01T23:59:00-05:00", true),
            ("2020-01-01", "2020-01-02", false),
            ("2020-01", "2020-01-01", false),
            ("2020-01", "2020-01", true),
        ] {
            assert_eq!(when(a).is_same(&when(b)), same, "{a} {b}");
            assert_eq!(when(b).is_same(&when(a)), same, "{b} {a}");
        }
    }

    #[test]
    fn wording_forgets_case_punctuation_and_the_semantic_tag() {
        assert_eq!(wording("Diabetes mellitus, type 2 (disorder)"), "diabetes mellitus type 2");
        assert_eq!(wording("(x)"), "x");
        assert_eq!(wording(" ) "), "");
    }
}
