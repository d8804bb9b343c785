//! Doses of medicines.

use fhir::Value;

use crate::read::{decimal_key, decimal_shown, text_of, wording};

/// How much of a medicine is taken how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dose {
    pub text: Option<String>,
    /// Quantity and unit of one dose.
    pub quantity: Option<(String, String)>,
    /// Times per period.
    pub timing: Option<(String, String, String)>,
}

impl Dose {
    /// Whether a field that both state differs.
    pub fn differs(&self, other: &Self) -> bool {
        fn both<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> Option<bool> {
            Some(a.as_ref()? != b.as_ref()?)
        }
        let coded = [both(&self.quantity, &other.quantity), both(&self.timing, &other.timing)];
        if coded.iter().any(Option::is_some) {
            return coded.contains(&Some(true));
        }
        match (&self.text, &other.text) {
            (Some(a), Some(b)) => wording(a) != wording(b),
            _ => false,
        }
    }

    /// The dose as a person reads it, where anything is known.
    pub fn shown(&self) -> Option<String> {
        if self.text.is_some() {
            return self.text.clone();
        }
        let quantity = self.quantity.as_ref().map(|(value, unit)| match unit.as_str() {
            "" => value.clone(),
            unit => format!("{value} {unit}"),
        });
        let timing = self.timing.as_ref().map(|(times, period, unit)| {
            let unit = match unit.as_str() {
                "s" => "second",
                "min" => "minute",
                "h" => "hour",
                "d" => "day",
                "wk" => "week",
                "mo" => "month",
                "a" => "year",
                other => other,
            };
            match decimal_key(period) == decimal_key("1") {
                true => format!("{times} time(s) per {unit}"),
                false => format!("{times} time(s) per {period} {unit}s"),
            }
        });
        match (quantity, timing) {
            (Some(quantity), Some(timing)) => Some(format!("{quantity}, {timing}")),
            (quantity, timing) => quantity.or(timing),
        }
    }
}

/// The first dosage of a MedicationRequest or MedicationStatement.
pub(crate) fn dose(root: Value<'_>) -> Dose {
    let dosages = root.get("dosageInstruction").or_else(|| root.get("dosage"));
    let Some(first) = dosages.and_then(|dosages| dosages.each().next()) else {
        return Dose::default();
    };
    let rate = first.get("doseAndRate").and_then(|rates| rates.each().next());
    let quantity = rate.and_then(|rate| rate.get("doseQuantity")).and_then(|quantity| {
        let value = decimal_shown(quantity.get("value")?.as_number()?);
        let unit = quantity.str_at("unit").or_else(|| quantity.str_at("code"));
        Some((value, text_of(unit).unwrap_or_default()))
    });
    let timing = first.path(&["timing", "repeat"]).and_then(|repeat| {
        let number = |name: &str| repeat.get(name).and_then(Value::as_number).map(decimal_shown);
        let unit = repeat.str_at("periodUnit")?.into_owned();
        Some((number("frequency").unwrap_or_else(|| "1".into()), number("period")?, unit))
    });
    Dose { text: text_of(first.str_at("text")), quantity, timing }
}
