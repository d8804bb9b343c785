//! Who a Patient resource says the patient is.

use fhir::Value;

use crate::read::{text_of, wording};

/// Names of one person that are looked at.
const MAX_PARTS: usize = 50;

/// Demographics of a Patient.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demographics {
    pub birth_date: Option<String>,
    pub gender: Option<String>,
    /// Family and given names of the current official or usual name.
    pub name: Option<(String, String)>,
    /// Every name, reduced to its words in lower case, to compare.
    pub names: Vec<(String, String)>,
    pub deceased: Option<bool>,
    pub deceased_on: Option<String>,
}

/// Reads a Patient.
pub(crate) fn demographics(root: Value<'_>) -> Demographics {
    let mut found = Demographics {
        birth_date: text_of(root.str_at("birthDate")),
        gender: text_of(root.str_at("gender")),
        deceased: root.get("deceasedBoolean").and_then(Value::as_bool),
        deceased_on: text_of(root.str_at("deceasedDateTime")),
        ..Demographics::default()
    };
    if found.deceased_on.is_some() {
        found.deceased = Some(true);
    }
    let mut best = 0;
    for name in root.get("name").into_iter().flat_map(Value::each).take(MAX_PARTS) {
        let given: Vec<_> = name
            .get("given")
            .into_iter()
            .flat_map(Value::each)
            .filter_map(Value::as_str)
            .take(MAX_PARTS)
            .collect();
        let family = name.str_at("family").unwrap_or_default();
        let rank = match name.str_at("use").as_deref() {
            Some("official") => 3,
            Some("usual") | None => 2,
            _ => 1,
        };
        let shown = (text_of(Some(family.clone())), text_of(Some(given.join(" ").into())));
        let (family_shown, given_shown) =
            (shown.0.unwrap_or_default(), shown.1.unwrap_or_default());
        if family_shown.is_empty() && given_shown.is_empty() {
            continue;
        }
        found.names.push((
            wording(&family_shown),
            wording(given.first().map(|first| first.as_ref()).unwrap_or_default()),
        ));
        if rank > best {
            best = rank;
            found.name = Some((family_shown, given_shown));
        }
    }
    found
}
