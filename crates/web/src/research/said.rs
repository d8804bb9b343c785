//! A cohort in the reader's language. What is signed and audited says the same in English
//! ([`population::criteria::Cohort::sentences`]).

use population::criteria::{
    AgeRange, Compare, Criterion, Distance, EventCriterion, Fits, INDEX, IndexEvent, Occurs, Pick,
    Relation, Step, ValueTest,
};
use population::event::{Kind, Sex};

use crate::words::{Message, Words};

/// Codes that a sentence names at most; the others are counted.
const SHOWN_CODES: usize = 5;

/// The event by which a person enters.
pub fn entry(index: &IndexEvent, w: &Words<'_>) -> String {
    let key = match index.pick {
        Pick::First => "said-index-first",
        Pick::Last => "said-index-last",
        Pick::Any => "said-index-any",
    };
    w.say(key).s("event", fits(&index.event, w)).to_string()
}

/// A step: what it is called, and what is asked.
pub fn step(step: &Step, w: &Words<'_>) -> String {
    let asked = criterion(&step.criterion, w);
    if is_unnamed(step) { format!("{asked}.") } else { format!("{}: {asked}.", step.label) }
}

/// What a step is called: its name, or what is asked where it has none.
pub fn label(step: &Step, w: &Words<'_>) -> String {
    if is_unnamed(step) { criterion(&step.criterion, w) } else { step.label.clone() }
}

/// A step without a name carries the English words of its criterion, cut off where they are long.
fn is_unnamed(step: &Step) -> bool {
    let words = step.criterion.to_string();
    words == step.label || (step.label.chars().count() >= 200 && words.starts_with(&step.label))
}

fn criterion(asked: &Criterion, w: &Words<'_>) -> String {
    match asked {
        Criterion::All(inner) => joined(inner, "said-and", w),
        Criterion::Any(inner) => joined(inner, "said-or", w),
        Criterion::None(inner) => {
            let key = if inner.len() == 1 { "said-not" } else { "said-none" };
            w.say(key).s("criteria", joined(inner, "said-or", w)).to_string()
        }
        Criterion::Age(ages) => age(ages, w),
        Criterion::Sex(sexes) => {
            let names: Vec<String> = sexes
                .iter()
                .map(|sex| match sex {
                    Sex::Female => "said-female",
                    Sex::Male => "said-male",
                    Sex::Other => "said-other",
                    Sex::Unknown => "said-unknown",
                })
                .map(|key| w.say(key).to_string())
                .collect();
            w.say("said-sex").s("sex", between(&names, "said-or", w)).to_string()
        }
        Criterion::Alive(_) => w.say("said-alive").to_string(),
        Criterion::Event(event) => happened(event, w),
    }
}

fn joined(inner: &[Criterion], word: &'static str, w: &Words<'_>) -> String {
    let said: Vec<String> = inner.iter().map(|one| criterion(one, w)).collect();
    format!("({})", between(&said, word, w))
}

/// Texts with a word between them.
fn between(texts: &[String], word: &'static str, w: &Words<'_>) -> String {
    texts.join(&format!(" {} ", w.say(word)))
}

fn age(ages: &AgeRange, w: &Words<'_>) -> String {
    match (ages.at_least, ages.at_most) {
        (Some(least), Some(most)) => w.say("said-age").s("least", least).s("most", most),
        (Some(least), None) => w.say("said-age-least").s("least", least),
        (None, Some(most)) => w.say("said-age-most").s("most", most),
        (None, None) => w.say("said-age-any"),
    }
    .to_string()
}

fn happened(asked: &EventCriterion, w: &Words<'_>) -> String {
    let event = fits(&asked.event, w);
    let mut said = match asked.occurs {
        Occurs::AtLeast(1) => w.say("said-once"),
        Occurs::AtLeast(times) => w.say("said-times").s("times", times),
        Occurs::Never => w.say("said-never"),
        Occurs::FirstEver => w.say("said-first-ever"),
    }
    .s("event", event)
    .to_string();
    if !asked.when.is_empty() {
        let when: Vec<String> = asked.when.iter().map(|one| relation(one, w)).collect();
        said.push_str(", ");
        said.push_str(&between(&when, "said-and", w));
    }
    said
}

/// The word of a kind of event.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Condition => "said-condition",
        Kind::Observation => "said-observation",
        Kind::Medication => "said-medication",
        Kind::Procedure => "said-procedure",
        Kind::Immunization => "said-immunization",
        Kind::Allergy => "said-allergy",
        Kind::Encounter => "said-encounter",
    }
}

fn fits(event: &Fits, w: &Words<'_>) -> String {
    let mut said = w.say(kind(event.kind)).to_string();
    if !event.called.is_empty() {
        said.push_str(&format!(" “{}”", event.called));
    }
    if !event.codes.is_empty() {
        let shown = event.codes.get(..SHOWN_CODES).unwrap_or(&event.codes);
        let mut codes = shown.join(", ");
        if event.codes.len() > shown.len() {
            let more = (event.codes.len() - shown.len()) as u64;
            codes.push_str(&format!(" {}", w.say("said-more").s("more", w.count(&more))));
        }
        said.push_str(&format!(" [{codes}]"));
    }
    if !event.value.is_empty() {
        let tests: Vec<String> = event.value.iter().map(|test| value(test, w)).collect();
        let tests = between(&tests, "said-and", w);
        said.push_str(&format!(" {}", w.say("said-value").s("tests", tests)));
    }
    said
}

fn value(test: &ValueTest, w: &Words<'_>) -> String {
    let key = match test.is {
        Compare::Below => "said-below",
        Compare::AtMost => "said-at-most",
        Compare::Equal => "said-equal",
        Compare::AtLeast => "said-at-least",
        Compare::Above => "said-above",
    };
    let unit = match test.unit.as_str() {
        "" => w.say("said-no-unit").to_string(),
        unit => unit.to_owned(),
    };
    format!("{} {unit}", w.say(key).s("number", w.number(test.number)))
}

fn relation(stands: &Relation, w: &Words<'_>) -> String {
    let other = match stands.of() {
        INDEX => w.say("said-index-date").to_string(),
        name => format!("“{name}”"),
    };
    match stands {
        Relation::Before(distance) => {
            let keys =
                ["said-before", "said-before-or-on", "said-before-least", "said-before-range"];
            far(distance, keys, w)
        }
        Relation::After(distance) => {
            let keys = ["said-after", "said-after-or-on", "said-after-least", "said-after-range"];
            far(distance, keys, w)
        }
        Relation::Within(window) => match (window.days_before, window.days_after) {
            (0, 0) => w.say("said-on-day"),
            (before, after) => w.say("said-within").s("before", before).s("after", after),
        },
        Relation::SameEncounter(_) => w.say("said-same-encounter"),
    }
    .s("other", other)
    .to_string()
}

/// How far: by the keys of any day, of any day or the same one, of so many days or more, and of a range.
fn far(distance: &Distance, keys: [&'static str; 4], w: &Words<'_>) -> Message {
    let [any, or_on, least, range] = keys;
    match (distance.at_least, distance.at_most) {
        (0, None) => w.say(or_on),
        (1, None) => w.say(any),
        (days, None) => w.say(least).s("least", days),
        (days, Some(most)) => w.say(range).s("least", days).s("most", most),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use population::criteria::Cohort;

    use super::*;
    use crate::lang::Lang;

    fn cohort() -> Cohort {
        serde_json::from_value(serde_json::json!({
            "index": {"pick": "first", "event": {"kind": "condition", "codes": ["s|a"]}},
            "steps": [
                {"label": "aged 18 years or more at the index date",
                 "criterion": {"age": {"at-least": 18}}},
                {"label": "no insulin", "criterion": {"event": {
                    "event": {"kind": "medication", "codes": ["r|1", "r|2", "r|3", "r|4", "r|5", "r|6"]},
                    "occurs": "never",
                    "when": [{"before": {"at-least": 2, "at-most": 30}}, {"within": {"days-before": 0, "days-after": 0}}]
                }}},
                {"label": "x", "criterion": {"any": [
                    {"none": [{"sex": ["female", "other"]}]},
                    {"event": {"event": {"kind": "observation", "called": "HbA1c",
                        "value": [{"is": "above", "number": 7.5, "unit": "%"}]}}}
                ]}}
            ]
        }))
        .unwrap()
    }

    fn said(lang: Lang) -> Vec<String> {
        let (cohort, zone) = (cohort(), TimeZone::UTC);
        let w = Words::new(lang, &zone);
        let index = cohort.index.iter().map(|index| entry(index, &w));
        index.chain(cohort.steps.iter().map(|one| step(one, &w))).collect()
    }

    #[test]
    fn in_english_it_is_what_the_audit_has() {
        let mut audited = cohort().sentences();
        // A step without a name is not said twice.
        audited[1] = "aged 18 years or more at the index date.".to_owned();
        assert_eq!(said(Lang::EnUs), audited);
    }

    #[test]
    fn other_languages_have_words_of_their_own() {
        assert_eq!(
            said(Lang::De),
            [
                "Das Indexereignis ist das erste von: Diagnose [s|a].",
                "18 Jahre oder älter am Indextag.",
                "no insulin: nie: Medikament [r|1, r|2, r|3, r|4, r|5 und 1 weitere], 2 bis 30 Tage vor dem Indextag und an dem Indextag selbst.",
                "x: (nicht (Geschlecht: weiblich oder divers) oder mindestens einmal: Messwert “HbA1c” mit einem Wert über 7,5 %).",
            ]
        );
        assert_eq!(said(Lang::Es)[1], "18 años o más en la fecha índice.");
        let (cohort, zone) = (cohort(), TimeZone::UTC);
        let w = Words::new(Lang::De, &zone);
        assert_eq!(label(&cohort.steps[0], &w), "18 Jahre oder älter am Indextag");
        assert_eq!(label(&cohort.steps[1], &w), "no insulin");
    }
}
