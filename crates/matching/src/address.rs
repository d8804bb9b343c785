//! A postal address in the form in which addresses are compared.

use crate::text::{digits, fold};
use fhir::Value;

/// Written and abbreviated forms of street words; the second stands for the first.
const STREET_WORDS: [(&str, &str); 24] = [
    ("street", "st"),
    ("avenue", "ave"),
    ("av", "ave"),
    ("road", "rd"),
    ("drive", "dr"),
    ("lane", "ln"),
    ("court", "ct"),
    ("place", "pl"),
    ("boulevard", "blvd"),
    ("terrace", "ter"),
    ("circle", "cir"),
    ("square", "sq"),
    ("parkway", "pkwy"),
    ("highway", "hwy"),
    ("extension", "ext"),
    ("trail", "trl"),
    ("mount", "mt"),
    ("saint", "st"),
    ("fort", "ft"),
    ("center", "ctr"),
    ("north", "n"),
    ("south", "s"),
    ("east", "e"),
    ("west", "w"),
];
/// Words before the number of a flat.
const UNIT_WORDS: [&str; 9] =
    ["apt", "apartment", "unit", "suite", "ste", "flat", "room", "rm", "fl"];
/// States and territories of the United States with their postal codes.
const STATES: [(&str, &str); 52] = [
    ("alabama", "al"),
    ("alaska", "ak"),
    ("arizona", "az"),
    ("arkansas", "ar"),
    ("california", "ca"),
    ("colorado", "co"),
    ("connecticut", "ct"),
    ("delaware", "de"),
    ("districtofcolumbia", "dc"),
    ("florida", "fl"),
    ("georgia", "ga"),
    ("hawaii", "hi"),
    ("idaho", "id"),
    ("illinois", "il"),
    ("indiana", "in"),
    ("iowa", "ia"),
    ("kansas", "ks"),
    ("kentucky", "ky"),
    ("louisiana", "la"),
    ("maine", "me"),
    ("maryland", "md"),
    ("massachusetts", "ma"),
    ("michigan", "mi"),
    ("minnesota", "mn"),
    ("mississippi", "ms"),
    ("missouri", "mo"),
    ("montana", "mt"),
    ("nebraska", "ne"),
    ("nevada", "nv"),
    ("newhampshire", "nh"),
    ("newjersey", "nj"),
    ("newmexico", "nm"),
    ("newyork", "ny"),
    ("northcarolina", "nc"),
    ("northdakota", "nd"),
    ("ohio", "oh"),
    ("oklahoma", "ok"),
    ("oregon", "or"),
    ("pennsylvania", "pa"),
    ("puertorico", "pr"),
    ("rhodeisland", "ri"),
    ("southcarolina", "sc"),
    ("southdakota", "sd"),
    ("tennessee", "tn"),
    ("texas", "tx"),
    ("utah", "ut"),
    ("vermont", "vt"),
    ("virginia", "va"),
    ("washington", "wa"),
    ("westvirginia", "wv"),
    ("wisconsin", "wi"),
    ("wyoming", "wy"),
];

/// One address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// House number and street, folded, abbreviations unified, without the flat.
    pub(crate) line: String,
    /// Number of the flat; empty when not written.
    pub(crate) unit: String,
    /// City as one folded word; empty when not known.
    pub(crate) city: String,
    /// The first five digits of the postal code; empty when not known.
    pub(crate) postal_code: String,
    /// State as a folded postal code or word; empty when not known.
    pub(crate) state: String,
}

impl Address {
    /// Reads a FHIR `Address`. `None` when it holds neither a line, a city nor a postal code.
    pub(crate) fn of(address: Value<'_>) -> Option<Self> {
        let lines = address.get("line").into_iter().flat_map(Value::each).take(4);
        let lines: Vec<_> = lines.filter_map(Value::as_str).collect();
        let (line, unit) = street(&lines.join(" "));
        let word = |member| {
            let text = address.str_at(member).unwrap_or_default();
            fold(&text).chars().filter(|c| c.is_alphanumeric()).collect::<String>()
        };
        let state = word("state");
        let code = STATES.iter().find(|(name, _)| *name == state).map(|(_, code)| *code);
        let address = Self {
            line,
            unit,
            city: word("city"),
            postal_code: postal_code(&address.str_at("postalCode").unwrap_or_default()),
            state: code.map_or(state, str::to_owned),
        };
        let known = [&address.line, &address.city, &address.postal_code];
        known.iter().any(|part| !part.is_empty()).then_some(address)
    }

    /// The first five digits of the postal code; empty when not known.
    pub fn postal_code(&self) -> &str {
        &self.postal_code
    }

    /// The house number; empty when there is none.
    pub(crate) fn number(&self) -> &str {
        let end = self.line.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.line.len());
        self.line.get(..end).unwrap_or_default()
    }
}

fn postal_code(text: &str) -> String {
    let code: String = digits(text).chars().take(5).collect();
    let placeholder = ["00000", "99999", "11111", "12345"].contains(&code.as_str());
    if code.len() < 4 || placeholder { String::new() } else { code }
}

/// Street and flat of an address line.
fn street(text: &str) -> (String, String) {
    let folded = fold(text).replace('#', " unit ");
    let mut line = String::new();
    let mut unit = String::new();
    let mut words = folded
        .split(|c: char| !c.is_alphanumeric() && c != '.' && c != '\'')
        .map(|word| word.replace(['.', '\''], ""))
        .filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        if UNIT_WORDS.contains(&word.as_str()) && !line.is_empty() {
            unit = words.find(|word| !UNIT_WORDS.contains(&word.as_str())).unwrap_or_default();
            continue;
        }
        let short = STREET_WORDS.iter().find(|(long, _)| *long == word).map(|(_, short)| *short);
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(short.unwrap_or(&word));
    }
    (line, unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir::Document;

    #[test]
    fn reads_addresses() {
        for (json, expected) in [
            (
                r#"{"line":["829 Dietrich Extension Apt 11"],"city":"Pocasset","state":"MA","postalCode":"02559-1234"}"#,
                "829 dietrich ext|11|pocasset|02559|ma",
            ),
            (
                r##"{"line":["829 N. Main Street","#4b"],"city":"North Adams","state":"New York"}"##,
                "829 n main st|4b|northadams||ny",
            ),
            (r#"{"postalCode":"99999"}"#, "none"),
            (r#"{"line":3,"city":[]}"#, "none"),
        ] {
            let doc = Document::parse(json).unwrap();
            let shown = Address::of(doc.root())
                .map(|a| [a.line, a.unit, a.city, a.postal_code, a.state].join("|"));
            assert_eq!(shown.as_deref().unwrap_or("none"), expected, "{json}");
        }
    }
}
