//! Ingredients and strengths out of the name of a medicine.
//!
//! RxNorm writes a clinical drug as ingredient, strength and dose form, several ingredients
//! separated by ` / `, with an optional leading quantity (`24 HR`, `0.4 ML`) and an optional brand
//! in brackets (RxNorm Technical Documentation, section on normal forms). Free text mostly follows
//! the same order. Where it does not, nothing is claimed.

use crate::read::wording;

/// Salt names that do not make another medicine out of the same ingredient.
const SALTS: [&str; 18] = [
    "hydrochloride",
    "hcl",
    "sodium",
    "potassium",
    "calcium",
    "sulfate",
    "maleate",
    "tartrate",
    "besylate",
    "succinate",
    "acetate",
    "citrate",
    "phosphate",
    "mesylate",
    "fumarate",
    "monohydrate",
    "hydrobromide",
    "bitartrate",
];

/// What a medicine contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drug {
    /// Ingredient names in lower case without salts, sorted, joined by ` + `.
    pub ingredients: String,
    /// Strengths in the order of the ingredients, `25 mg` for example.
    pub strength: String,
}

impl Drug {
    /// Reads a name; `None` where no ingredient with a strength can be told.
    pub fn parse(name: &str) -> Option<Self> {
        let bare = name.split('[').next().unwrap_or_default();
        let mut parts: Vec<(String, String)> = Vec::new();
        for part in bare.split(" / ").take(10) {
            if let Some(part) = component(part) {
                parts.push(part);
            }
        }
        parts.sort();
        let (names, strengths): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        (!names.is_empty())
            .then(|| Self { ingredients: names.join(" + "), strength: strengths.join(" + ") })
    }
}

/// Ingredient and strength of one component such as `Metformin hydrochloride 500 MG Oral Tablet`.
fn component(text: &str) -> Option<(String, String)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let quantity = |unit: &str| matches!(unit.to_ascii_uppercase().as_str(), "HR" | "ML");
    let mut rest = words.as_slice();
    if let [first, unit, more @ ..] = rest
        && number(first)
        && quantity(unit)
    {
        rest = more;
    }
    let at = rest.iter().position(number)?;
    let (ingredient, strength) = rest.split_at_checked(at)?;
    let name = wording(&ingredient.join(" "));
    let mut name: Vec<&str> = name.split(' ').filter(|word| !word.is_empty()).collect();
    if !name.first().is_some_and(|first| SALTS.contains(first)) {
        while name.len() > 1 && name.last().is_some_and(|last| SALTS.contains(last)) {
            name.pop();
        }
    }
    let strength = strength.iter().take(2).copied().collect::<Vec<_>>().join(" ").to_lowercase();
    (!name.is_empty()).then(|| (name.join(" "), strength))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (name, expected) in [
            ("Hydrochlorothiazide 25 MG Oral Tablet", "hydrochlorothiazide: 25 mg"),
            (
                "24 HR Metformin hydrochloride 500 MG Extended Release Oral Tablet",
                "metformin: 500 mg",
            ),
            (
                "0.4 ML Enoxaparin sodium 100 MG/ML Prefilled Syringe [Lovenox]",
                "enoxaparin: 100 mg/ml",
            ),
            (
                "Acetaminophen 325 MG / Oxycodone Hydrochloride 5 MG Oral Tablet",
                "acetaminophen + oxycodone: 325 mg + 5 mg",
            ),
            ("Potassium chloride 10 MEQ Oral Tablet", "potassium chloride: 10 meq"),
            ("aspirin", "nothing"),
            ("25 MG", "nothing"),
            ("", "nothing"),
        ] {
            let shown = Drug::parse(name).map_or("nothing".into(), |drug| {
                format!("{}: {}", drug.ingredients, drug.strength)
            });
            assert_eq!(shown, expected, "{name}");
        }
    }
}
