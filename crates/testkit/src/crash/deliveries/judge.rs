//! Whether a subscription was told of everything, in order, and of nothing else.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::load::Sent;
use super::receiver::Told;

/// A subscription and when the node promised it.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// Its id at the node.
    pub id: String,
    /// Name of its hook at the receiver.
    pub hook: String,
    /// Number of the code that it is told of.
    pub code: usize,
    /// When its creation was acknowledged: whatever is sent later must arrive.
    pub since: Instant,
}

/// The faults of what one subscription was told, compared with the events that the node has
/// numbered for it (`focus` and text of each, from event 1) and with what the workers sent.
pub fn faults(
    subscribed: &Subscribed,
    numbered: &[(String, String)],
    got: &[Told],
    workers: &[Vec<Sent>],
) -> Vec<String> {
    let mut faults = events(subscribed, numbered, workers);
    faults.extend(arrivals(numbered, got));
    faults.into_iter().map(|fault| format!("`{}`: {fault}", subscribed.hook)).collect()
}

/// The events are the writes: each once, those of a worker in its order, none that nobody sent.
fn events(
    subscribed: &Subscribed,
    numbered: &[(String, String)],
    workers: &[Vec<Sent>],
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut known: HashMap<&str, (usize, &Sent)> = HashMap::new();
    for (worker, sent) in workers.iter().enumerate() {
        let own = sent.iter().filter(|sent| sent.code == subscribed.code);
        known.extend(own.map(|sent| (sent.text.as_str(), (worker, sent))));
    }
    let mut seen = HashSet::new();
    let mut last: HashMap<usize, usize> = HashMap::new();
    for (focus, text) in numbered {
        let Some((worker, sent)) = known.get(text.as_str()) else {
            faults.push(format!("an event for `{focus}` that nobody asked for"));
            continue;
        };
        if !seen.insert(text.as_str()) {
            faults.push(format!("two events for one version of `{focus}`"));
        }
        let before = last.insert(*worker, sent.request);
        if before.is_some_and(|before| before > sent.request) {
            faults.push(format!("the event for `{focus}` comes after a later one"));
        }
    }
    for (_, sent) in known.values() {
        let promised = sent.acknowledged && sent.at > subscribed.since;
        if promised && !seen.contains(sent.text.as_str()) {
            faults.push(format!("no event for `{}`, which was acknowledged", sent.focus));
        }
    }
    faults
}

/// Every event arrived, in order; what was not acknowledged may have come again.
fn arrivals(numbered: &[(String, String)], got: &[Told]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut arrived = 0;
    for told in got {
        let is_next = |at: usize| {
            let event = numbered.get(at);
            event.is_some_and(|(focus, text)| {
                *focus == told.focus && told.text.as_ref().is_none_or(|told| told == text)
            })
        };
        let at = match told.number {
            Some(number) => usize::try_from(number).unwrap_or(0).saturating_sub(1),
            // Without a number it is the next, or the last once more.
            None if is_next(arrived) => arrived,
            None => arrived.saturating_sub(1),
        };
        if at > arrived {
            faults.push(format!("event {} came before event {}", at + 1, arrived + 1));
            return faults;
        }
        if !is_next(at) {
            faults.push(format!("event {} was told as `{}`", at + 1, told.focus));
        }
        arrived = arrived.max(at + 1);
    }
    if arrived < numbered.len() {
        faults.push(format!("{} of {} events arrived", arrived, numbered.len()));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str, request: usize, acknowledged: bool) -> Sent {
        let at = Instant::now();
        Sent {
            focus: format!("Observation/{text}"),
            text: text.into(),
            code: 0,
            request,
            at,
            acknowledged,
        }
    }

    fn check(numbered: &[&str], got: &[(Option<u64>, &str)], expected: &[&str]) {
        let since = Instant::now();
        let subscribed = Subscribed { id: "s".into(), hook: "h".into(), code: 0, since };
        let workers = [vec![sent("a", 0, true), sent("b", 1, true), sent("c", 2, false)]];
        let numbered: Vec<(String, String)> =
            numbered.iter().map(|text| (format!("Observation/{text}"), (*text).into())).collect();
        let got: Vec<Told> = got
            .iter()
            .map(|(number, text)| Told {
                number: *number,
                focus: format!("Observation/{text}"),
                text: Some((*text).into()),
            })
            .collect();
        let found = faults(&subscribed, &numbered, &got, &workers);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}: {expected}");
        }
    }

    #[test]
    fn repeats_are_forgiven_and_nothing_else_is() {
        let numbers = [(Some(1), "a"), (Some(2), "b"), (Some(1), "a"), (Some(2), "b")];
        check(&["a", "b"], &numbers, &[]);
        check(&["a", "b"], &[(None, "a"), (None, "a"), (None, "b")], &[]);
        check(&["a", "b", "c"], &[(None, "a"), (None, "b"), (None, "c")], &[]);
        check(&["a", "b"], &[(Some(2), "b"), (Some(1), "a")], &["event 2 came before event 1"]);
        check(&["a", "b"], &[(Some(1), "a")], &["1 of 2 events arrived"]);
        check(&["a", "b"], &[(None, "a"), (None, "x")], &["told as `Observation/x`", "1 of 2"]);
        check(&["a"], &[(Some(1), "a")], &["no event for `Observation/b`"]);
        check(&["b", "a"], &[(Some(1), "b"), (Some(2), "a")], &["after a later one"]);
        check(&["a", "a", "b"], &[(Some(1), "a"), (Some(2), "a"), (Some(3), "b")], &["two events"]);
        check(&["a", "b", "z"], &[(None, "a"), (None, "b"), (None, "z")], &["nobody asked for"]);
    }
}
