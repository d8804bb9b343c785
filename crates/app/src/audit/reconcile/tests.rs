//! A simulation of two nodes that ask each other over lossy links, with clocks apart, times at which
//! they are down, and a node that hides its questions: what is found is exactly what is hidden.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;

const DAY: i64 = EVERY_MS;
const DAYS: i64 = 5;

/// One node's log about the other.
#[derive(Default)]
struct Node {
    entries: Vec<Twin>,
    /// How far its clock is ahead.
    skew: i64,
    standing: Standing,
    found: BTreeSet<(Finding, String)>,
}

impl Node {
    fn note(&mut self, request: &str, part: Part, moment: i64) {
        let leaf = format!("{}-{part:?}", self.entries.len());
        let recorded = moment + self.skew;
        self.entries.push(Twin { request_id: request.to_owned(), part, recorded, leaf });
        self.entries.sort_by_key(|twin| twin.recorded);
    }

    fn within(&self, window: Window) -> Vec<Twin> {
        let inside = |twin: &&Twin| window.has(twin.recorded);
        self.entries.iter().filter(inside).cloned().collect()
    }

    /// What it answers to a comparison: small pages.
    fn answer(&self, message: &ReconcileRequest) -> ReconcileResponse {
        let mut entries = self.within(Window { from: message.from, until: message.until });
        let more = entries.len() > 7;
        entries.truncate(7);
        ReconcileResponse { entries, more }
    }
}

/// One comparison as [`with`] does it; `loss` tells for each page whether it is lost.
fn compared(node: &mut Node, other: &Node, moment: i64, loss: &mut impl FnMut() -> bool) {
    let now = moment + node.skew;
    let window = next(&node.standing, now);
    let theirs = fetch(window.wider(), |message| {
        let lost = loss();
        async move { if lost { Err("lost".to_owned()) } else { Ok(other.answer(&message)) } }
    });
    let Ok(theirs) = theirs.now_or_never().expect("nothing waits") else { return };
    let own = node.within(window.wider());
    for (finding, twin) in compare(window, &own, &theirs) {
        node.found.insert((finding, twin.request_id.clone()));
    }
    node.standing = Standing { until_ms: window.until, ..Standing::default() };
}

#[derive(Clone, Debug)]
struct Ask {
    by_first: bool,
    moment: i64,
    travel: i64,
    request_lost: bool,
    entries_there: u8,
    hidden: bool,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let one = (any::<bool>(), DAY..DAYS * DAY, 0..10_000_i64, 0..10_u8, 1..4_u8, 0..8_u8);
    let one = one.prop_map(|(by_first, moment, travel, lost, entries_there, hidden)| Ask {
        by_first,
        moment,
        travel,
        request_lost: lost == 0,
        entries_there,
        hidden: by_first && hidden == 0,
    });
    prop::collection::vec(one, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn what_is_found_is_what_is_hidden(
        asks in asks(), skew in -400_000..400_000_i64, down in (0..DAYS * DAY, 0..2 * DAY),
        seed in any::<u64>(),
    ) {
        let (mut first, mut second) = (Node::default(), Node { skew, ..Node::default() });
        let is_down = |moment: i64| (down.0..down.0 + down.1).contains(&moment);
        let mut hidden = BTreeSet::new();
        let mut asks = asks;
        asks.sort_by_key(|ask| ask.moment);
        let (mut state, mut day) = (seed | 1, 1);
        let mut loss = move || {
            // Xorshift: one page in four is lost.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state & 3 == 0
        };
        let compare_both = |first: &mut Node, second: &mut Node, at, loss: &mut dyn FnMut() -> bool| {
            // The first hides its questions from the other and from itself alike; that it is found by
            // the second is what counts.
            if !is_down(at) {
                compared(first, second, at, &mut || loss());
                compared(second, first, at, &mut || loss());
            }
        };
        for (number, ask) in asks.iter().enumerate() {
            while ask.moment > day * DAY {
                compare_both(&mut first, &mut second, day * DAY, &mut loss);
                day += 1;
            }
            let request = format!("request-{number}");
            let (asker, holder) = match ask.by_first {
                true => (&mut first, &mut second),
                false => (&mut second, &mut first),
            };
            // Which node is down does not matter: it neither asks nor answers.
            if is_down(ask.moment) {
                continue;
            }
            if !ask.hidden {
                asker.note(&request, Part::Asked, ask.moment);
            }
            if ask.request_lost {
                continue;
            }
            for entry in 0..ask.entries_there {
                let part = if entry == 0 { Part::Answered } else { Part::Refused };
                holder.note(&request, part, ask.moment + ask.travel);
            }
            if ask.hidden {
                hidden.insert(request);
            }
        }
        // In the end everything is settled and nothing is lost.
        let end = (DAYS + 1) * DAY;
        compared(&mut first, &second, end, &mut || false);
        compared(&mut second, &first, end, &mut || false);
        let as_found = |finding| -> BTreeSet<(Finding, String)> {
            hidden.iter().map(|request| (finding, request.clone())).collect()
        };
        prop_assert_eq!(&second.found, &as_found(Finding::NoQuestionThere));
        prop_assert_eq!(&first.found, &as_found(Finding::NoQuestionHere));
    }
}
