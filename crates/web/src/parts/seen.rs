//! What was seen, in words: `4 results, 2 medications`.

use crate::terms::Touched;
use crate::words::Words;

/// The kinds and counts in one line, `everything` where no kind is named.
pub fn seen(w: &Words<'_>, seen: &[Touched]) -> String {
    if seen.is_empty() {
        return w.say("seen-unknown").to_string();
    }
    let parts: Vec<String> =
        seen.iter().map(|touched| touched.kind.count(w, touched.count).to_string()).collect();
    parts.join(", ")
}
