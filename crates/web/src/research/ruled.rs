//! Refusals and findings in the reader's language. The engine says them in English, with the name of a rule: what
//! is signed and audited stays so. The name is shown as it is; English words only where there are no others.

mod known;

use askama::Template;
use askama::filters::HtmlSafe;
use jiff::Timestamp;

use self::known::{PLACES, PLAIN, RULES, WITH_OWN};
use crate::words::{Message, Words};

/// A refusal or a finding as a page shows it.
#[derive(Debug, Default, PartialEq, Template)]
#[template(path = "parts/told.html")]
pub struct Told {
    /// The sentence; empty where there is none.
    said: String,
    /// Names as they are typed: of the rule, and of what it is about.
    codes: Vec<String>,
    /// The engine's own words, in English, where they are shown.
    own: String,
}

impl HtmlSafe for Told {}

/// The engine's words of a refusal or a finding, in the reader's language as far as there are words for it.
pub fn told(w: &Words<'_>, text: &str) -> Told {
    if let Some((_, key)) = PLAIN.iter().find(|(begins, _)| text.starts_with(begins)) {
        let own = if WITH_OWN.contains(key) { text } else { "" };
        return Told { said: w.say(key).to_string(), codes: quoted(text), own: own.to_owned() };
    }
    by_name(text, w).unwrap_or_else(|| Told { own: text.to_owned(), ..Told::default() })
}

/// The words of a refusal together with the rule that decided, where that is one which is told here.
pub fn with_rule(rule: Option<&str>, message: String) -> String {
    match rule {
        Some(rule) if !message.starts_with("rule ") && is_known(rule) => {
            format!("rule {rule}: {message}")
        }
        _ => message,
    }
}

fn is_known(rule: &str) -> bool {
    RULES.iter().any(|(known, ..)| *known == rule)
}

/// `rule name`, `rule name: reason`, `rule name, place` or `rule name, place: reason`; before it who refuses, where
/// that is said.
fn by_name(text: &str, w: &Words<'_>) -> Option<Told> {
    let (before, named) = match text.strip_prefix("rule ") {
        Some(named) => ("", named),
        None => text.split_once(": rule ")?,
    };
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_' || c == '-';
    let rest = named.trim_start_matches(is_name);
    let rule = named.strip_suffix(rest).unwrap_or(named);
    let (place, reason) = match rest.strip_prefix(", ") {
        Some(rest) => rest.split_once(": ").unwrap_or((rest, "")),
        None => ("", rest.strip_prefix(": ").unwrap_or_default()),
    };
    let fits = |known: &str, begins: &str| known == rule && reason.starts_with(begins);
    let (.., key) = RULES.iter().find(|(known, begins, _)| fits(known, begins))?;
    let mut said = Vec::new();
    if !before.is_empty() {
        said.push(refuses(before, w)?);
    }
    let at = placed(place, w);
    said.push(match &at {
        Some(at) => format!("{at}: {}", w.say(key)),
        None => w.say(key).to_string(),
    });
    said.extend(until(reason, w));
    // A query is told where it breaks a rule by its own words.
    let about = match place {
        "" => quoted(reason),
        _ if at.is_some() => Vec::new(),
        place => vec![place.replace('`', "")],
    };
    let mut codes = vec![rule.to_owned()];
    codes.extend(about);
    let own = if WITH_OWN.contains(key) { reason } else { "" };
    Some(Told { said: said.join(" "), codes, own: own.to_owned() })
}

/// Who refuses, or what becomes of what was given.
fn refuses(before: &str, w: &Words<'_>) -> Option<String> {
    if before == "what it gave is not added" {
        return Some(w.say("rule-not-added").to_string());
    }
    let name = before.strip_prefix("the aggregator `")?.strip_suffix("` refuses")?;
    Some(w.say("rule-aggregator-refuses").s("name", name).to_string())
}

/// A place in an answer in words: `table 2, row 1, column total`.
fn placed(place: &str, w: &Words<'_>) -> Option<String> {
    let one = |part: &str| -> Option<Message> {
        let (word, at) = part.split_once(' ')?;
        let (_, key) = PLACES.iter().find(|(known, _)| *known == word)?;
        Some(match (word, at) {
            ("row", "total") => w.say("rule-at-row-total"),
            ("column", "total") => w.say("rule-at-column-total"),
            _ => w.say(key).s("number", at.parse::<u32>().ok()?),
        })
    };
    if let Some((table, other)) = place.split_once(" beside ") {
        let beside = w.say("rule-at-beside").s("table", one(table)?).s("other", one(other)?);
        return Some(beside.to_string());
    }
    let parts: Option<Vec<String>> =
        place.split(", ").map(|part| one(part).map(|said| said.to_string())).collect();
    Some(parts?.join(", "))
}

/// Until when a refusal holds, where it says so.
fn until(reason: &str, w: &Words<'_>) -> Option<String> {
    let (_, at) = reason.rsplit_once("until ")?;
    let at = at.parse::<Timestamp>().ok()?.as_millisecond();
    Some(w.say("rule-holds-until").s("until", w.moment(&at).plain()).to_string())
}

/// Names and values that stand in backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::lang::Lang;

    fn german(text: &str) -> Told {
        told(&Words::new(Lang::De, &TimeZone::UTC), text)
    }

    #[test]
    fn every_rule_has_a_sentence_in_every_language() {
        let named = RULES.iter().map(|(.., key)| key);
        let keys = named.chain(PLAIN.iter().chain(PLACES).map(|(_, key)| key));
        for key in keys {
            for lang in Lang::ALL {
                let said = Words::new(lang, &TimeZone::UTC).say(key).s("number", 1).to_string();
                assert!(!said.contains(key), "{key} in {}: {said}", lang.tag());
            }
        }
    }

    #[test]
    fn a_rule_is_told_with_its_name_and_its_place() {
        let Told { said, codes, own } = german("rule min_cell, table 2, row 1, column total");
        assert_eq!(said, "Tabelle 2, Zeile 1, Summe der Spalten: Es geht um zu wenige Menschen.");
        assert_eq!((codes, own.as_str()), (vec!["min_cell".to_owned()], ""));
        let linked = german("rule linked, table 2 beside table 1").said;
        assert!(linked.starts_with("Tabelle 2 neben Tabelle 1: "), "{linked}");
        let sql = german("rule unknown, `weight`: there is no such table, column or function");
        assert_eq!(sql.codes, ["unknown", "weight"]);
        let query = german("rule not_aggregated, select: only aggregates are shown");
        assert_eq!(query.codes, ["not_aggregated", "select"]);
        assert!(query.own.is_empty() && !query.said.contains("aggregates are"), "{}", query.said);
    }

    #[test]
    fn who_refuses_and_until_when_is_told() {
        let refused = german("the aggregator `east` refuses: rule overlap").said;
        assert!(refused.starts_with("east lehnt ab. "), "{refused}");
        let left_out = german("what it gave is not added: rule out-of-bounds");
        assert_eq!(left_out.codes, ["out-of-bounds"]);
        let spent = german(
            "rule budget: what this account may learn is spent, until 2027-01-01T00:00:00.000Z",
        );
        assert!(spent.said.contains("2027"), "{}", spent.said);
        let kind = german(
            "rule privacy: noise is for questions whose one round are counts in which a row stands once: \
             `crosstab` and `histogram`",
        );
        assert_eq!(kind.codes, ["privacy", "crosstab", "histogram"]);
    }

    #[test]
    fn what_has_no_words_stays_as_it_is() {
        for text in ["rule of-tomorrow: come back", "the sum is not accepted: it is odd", ""] {
            let own = text.to_owned();
            assert_eq!(german(text), Told { own, ..Told::default() });
        }
        let program = german("rule program: the program ended early");
        assert_eq!(program.own, "the program ended early");
        assert!(!program.said.is_empty());
    }

    #[test]
    fn the_rule_of_a_refusal_is_put_before_its_words_once() {
        let spent = || "it is spent".to_owned();
        assert_eq!(with_rule(Some("budget"), spent()), "rule budget: it is spent");
        assert_eq!(with_rule(Some("policy-code"), spent()), "it is spent");
        assert_eq!(with_rule(None, spent()), "it is spent");
        let told = "rule limit, query: the query needs more time or memory than it may have";
        assert_eq!(with_rule(Some("limit"), told.to_owned()), told);
    }
}
