//! What the form of a cohort says, as criteria.

use population::criteria::{
    AgeRange, Cohort, Compare, Criterion, Distance, Empty, EventCriterion, Fits, INDEX, IndexEvent,
    Occurs, Pick, Relation, Step, ValueTest, Window,
};
use population::event::{Kind, Sex};

use super::cohort::{CohortForm, CriterionFields};
use crate::form::FieldFault;

/// What a criterion can be about: the word that the form sends, and the key of its text.
pub const ABOUT: [(&str, &str); 10] = [
    ("condition", "cohort-condition"),
    ("observation", "cohort-observation"),
    ("medication", "cohort-medication"),
    ("procedure", "cohort-procedure"),
    ("immunization", "cohort-immunization"),
    ("allergy", "cohort-allergy"),
    ("encounter", "cohort-encounter"),
    ("age", "cohort-age"),
    ("sex", "cohort-sex"),
    ("alive", "cohort-alive"),
];
/// As what it is added.
pub const PLACES: [(&str, &str); 4] = [
    ("step", "cohort-as-step"),
    ("first", "cohort-as-first"),
    ("last", "cohort-as-last"),
    ("any", "cohort-as-any"),
];
/// How often something must have happened.
pub const OCCURS: [(&str, &str); 3] = [
    ("at-least", "cohort-at-least"),
    ("never", "cohort-never"),
    ("first-ever", "cohort-first-ever"),
];
/// How a value stands to a number.
pub const COMPARES: [(&str, &str); 5] = [
    ("above", "cohort-above"),
    ("at-least", "cohort-value-at-least"),
    ("equal", "cohort-equal"),
    ("at-most", "cohort-value-at-most"),
    ("below", "cohort-below"),
];
/// How it stands to the index event in time.
pub const WHEN: [(&str, &str); 3] =
    [("before", "cohort-before"), ("after", "cohort-after"), ("within", "cohort-within")];
/// Administrative sex.
pub const SEXES: [(&str, &str); 4] = [
    ("female", "cohort-female"),
    ("male", "cohort-male"),
    ("other", "cohort-other"),
    ("unknown", "cohort-unknown"),
];

/// The cohort with what the form adds.
///
/// Errors: the fields with their faults.
pub fn add(mut cohort: Cohort, form: &CohortForm) -> Result<Cohort, Box<CriterionFields>> {
    let mut fields = CriterionFields::of(form);
    let made = match form.place.as_str() {
        "first" | "last" | "any" => {
            let pick = match form.place.as_str() {
                "first" => Pick::First,
                "last" => Pick::Last,
                _ => Pick::Any,
            };
            match fits(form, &mut fields) {
                Some(event) => {
                    cohort.index = Some(IndexEvent { pick, event });
                    true
                }
                None => false,
            }
        }
        _ => match criterion(form, &mut fields) {
            Some(criterion) => {
                let label = match form.label.trim() {
                    "" => criterion.to_string(),
                    label => label.to_owned(),
                };
                let label = label.chars().take(200).collect();
                cohort.steps.push(Step { label, criterion });
                true
            }
            None => false,
        },
    };
    if made && fields.is_sound() { Ok(cohort) } else { Err(Box::new(fields)) }
}

fn criterion(form: &CohortForm, fields: &mut CriterionFields) -> Option<Criterion> {
    match (form.about.as_str(), form.choice.is_empty()) {
        ("age", true) => {
            let mut year = |text: &str, least: bool| {
                let read = text.trim().parse::<u16>().ok().filter(|year| *year <= 150);
                if read.is_none() && !text.trim().is_empty() {
                    let field = if least { &mut fields.least } else { &mut fields.most };
                    field.fault = Some(FieldFault::NotANumber);
                }
                read
            };
            let (at_least, at_most) = (year(&form.least, true), year(&form.most, false));
            if at_least.is_none() && at_most.is_none() && fields.least.is_sound() {
                fields.least.fault = Some(FieldFault::Required);
            }
            Some(Criterion::Age(AgeRange { at_least, at_most }))
        }
        ("sex", true) => {
            let sex = match form.sex.as_str() {
                "female" => Sex::Female,
                "male" => Sex::Male,
                "other" => Sex::Other,
                _ => Sex::Unknown,
            };
            Some(Criterion::Sex(vec![sex]))
        }
        ("alive", true) => Some(Criterion::Alive(Empty {})),
        _ => {
            let event = fits(form, fields)?;
            let occurs = match form.occurs.as_str() {
                "never" => Occurs::Never,
                "first-ever" => Occurs::FirstEver,
                _ => Occurs::AtLeast(number(&form.times, &mut fields.times)?.unwrap_or(1).max(1)),
            };
            let when = relation(form, fields)?.into_iter().collect();
            Some(Criterion::Event(EventCriterion { event, occurs, when }))
        }
    }
}

/// Which events fit. A code that was chosen says of which kind they are.
fn fits(form: &CohortForm, fields: &mut CriterionFields) -> Option<Fits> {
    let (word, chosen) = match form.choice.split_once(' ') {
        Some((word, code)) => (word, Some(code.to_owned())),
        None => (form.about.as_str(), None),
    };
    let kind = Kind::ALL.into_iter().find(|kind| word_of(*kind) == word)?;
    let typed = form.codes.split([',', '\n']).map(str::trim).filter(|code| !code.is_empty());
    let codes: Vec<String> = chosen.into_iter().chain(typed.map(str::to_owned)).collect();
    if codes.iter().any(|code| !code.contains('|')) {
        fields.codes.fault = Some(FieldFault::NotAChoice);
        return None;
    }
    let value = match form.number.trim() {
        "" => None,
        text => match text.replace(',', ".").parse::<f64>() {
            Ok(number) if number.is_finite() && kind == Kind::Observation => {
                let is = match form.compare.as_str() {
                    "below" => Compare::Below,
                    "at-most" => Compare::AtMost,
                    "equal" => Compare::Equal,
                    "at-least" => Compare::AtLeast,
                    _ => Compare::Above,
                };
                Some(ValueTest { is, number, unit: form.unit.trim().to_owned() })
            }
            _ => {
                fields.number.fault = Some(FieldFault::NotANumber);
                return None;
            }
        },
    };
    Some(Fits { kind, called: String::new(), codes, value: value.into_iter().collect() })
}

/// The relation to the index event; the inner `None` where none is asked for.
fn relation(form: &CohortForm, fields: &mut CriterionFields) -> Option<Option<Relation>> {
    let least = number(&form.least, &mut fields.least)?;
    let most = number(&form.most, &mut fields.most)?;
    let of = INDEX.to_owned();
    let distance = |of| Distance { of, at_least: least.unwrap_or(1), at_most: most };
    Some(match form.when.as_str() {
        "before" => Some(Relation::Before(distance(of))),
        "after" => Some(Relation::After(distance(of))),
        "within" => Some(Relation::Within(Window {
            of,
            days_before: least.unwrap_or(0),
            days_after: most.unwrap_or(0),
        })),
        _ => None,
    })
}

/// A whole number, where one was typed.
fn number(text: &str, field: &mut crate::form::Field) -> Option<Option<u32>> {
    match text.trim() {
        "" => Some(None),
        text => match text.parse() {
            Ok(number) => Some(Some(number)),
            Err(_) => {
                field.fault = Some(FieldFault::NotANumber);
                None
            }
        },
    }
}

/// The word of a kind, as criteria write it.
pub fn word_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Condition => "condition",
        Kind::Observation => "observation",
        Kind::Medication => "medication",
        Kind::Procedure => "procedure",
        Kind::Immunization => "immunization",
        Kind::Allergy => "allergy",
        Kind::Encounter => "encounter",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> CohortForm {
        let mut text = String::from("csrf=x");
        for (name, value) in fields {
            text.push_str(&format!("&{name}={}", value.replace('|', "%7C").replace(' ', "+")));
        }
        serde_urlencoded(&text)
    }

    /// Reads a form as the router does.
    fn serde_urlencoded(text: &str) -> CohortForm {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        let text = |value: &str| value.replace('+', " ").replace("%7C", "|");
        let object: serde_json::Map<_, _> =
            pairs.map(|(name, value)| (name.to_owned(), text(value).into())).collect();
        serde_json::from_value(object.into()).unwrap()
    }

    fn empty() -> Cohort {
        Cohort { index: None, named: Vec::new(), steps: Vec::new() }
    }

    #[test]
    fn forms_become_criteria() {
        for (fields, sentence) in [
            (&[("about", "age"), ("least", "18"), ("most", "65")][..], "aged 18 to 65 years"),
            (&[("about", "sex"), ("sex", "female")], "sex is female"),
            (&[("about", "alive")], "alive at the index date"),
            (&[("about", "condition"), ("codes", "s|a, s|b")], "at least one condition"),
            (
                &[("about", "age"), ("choice", "medication r|1"), ("occurs", "never")],
                "no medication",
            ),
            (
                &[("about", "observation"), ("codes", "l|x"), ("number", "7,5"), ("unit", "%")],
                "above 7.5 %",
            ),
            (
                &[("about", "procedure"), ("when", "after"), ("least", "2"), ("most", "30")],
                "2 to 30 days after the index date",
            ),
            (
                &[("about", "encounter"), ("times", "3"), ("when", "within"), ("least", "7")],
                "from 7 days before to 0 days after the index date",
            ),
        ] {
            let made = add(empty(), &form(fields)).unwrap();
            let said = made.steps[0].criterion.to_string();
            assert!(said.contains(sentence), "{said}");
            made.check().unwrap();
        }
        let index = [("about", "condition"), ("codes", "s|a"), ("place", "first")];
        let made = add(empty(), &form(&index)).unwrap();
        assert!(made.sentences()[0].contains("The index event is the first condition"));
    }

    #[test]
    fn what_is_wrong_is_marked() {
        let faulty = |fields: &[(&str, &str)]| *add(empty(), &form(fields)).unwrap_err();
        assert!(!faulty(&[("about", "condition"), ("codes", "diabetes")]).codes.is_sound());
        assert!(!faulty(&[("about", "age")]).least.is_sound());
        assert!(!faulty(&[("about", "age"), ("most", "old")]).most.is_sound());
        assert!(!faulty(&[("about", "condition"), ("number", "7")]).number.is_sound());
        assert!(!faulty(&[("about", "condition"), ("times", "x")]).times.is_sound());
    }
}
