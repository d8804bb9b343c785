//! What the record itself knows of the people and places in it.

use std::collections::BTreeSet;

use fhir::{Resource, Value};

use super::lists::Lists;
use super::token::Token;
use super::{Category, Span};

/// The most values that are kept.
const MAX_KNOWN: usize = 2_000;

/// Names, addresses, numbers and identifiers to look for in texts. They never appear in `Debug`.
#[derive(Clone, Default)]
pub struct Known {
    words: BTreeSet<String>,
    phrases: BTreeSet<(String, Category)>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Known({} words, {} phrases)", self.words.len(), self.phrases.len())
    }
}

impl Known {
    /// Takes the values of a resource: `name`, `address`, `telecom`, `identifier`, `id`, and those
    /// of `contact`.
    pub fn learn(&mut self, resource: &Resource) {
        let root = resource.root();
        self.person(root);
        for contact in root.get("contact").into_iter().flat_map(|contact| contact.each()) {
            self.person(contact);
        }
        self.phrase(root.get("id"), Category::Identifier);
    }

    /// Adds a name of a person.
    pub fn name(&mut self, name: &str) {
        for word in name.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’' | '-')) {
            if word.chars().count() > 1 && self.words.len() < MAX_KNOWN {
                self.words.insert(word.to_lowercase());
            }
        }
    }

    /// Adds a text of another kind; shorter than three characters it is not looked for.
    pub fn text(&mut self, text: &str, category: Category) {
        let text = text.trim().to_lowercase();
        if text.chars().count() >= 3 && self.phrases.len() < MAX_KNOWN {
            self.phrases.insert((text, category));
        }
    }

    fn person(&mut self, holder: Value<'_>) {
        for name in holder.get("name").into_iter().flat_map(|name| name.each()) {
            self.phrase(Some(name), Category::Organisation);
            for part in ["family", "given", "text"] {
                for text in name.get(part).into_iter().flat_map(|part| part.each()) {
                    self.name(&text.as_str().unwrap_or_default());
                }
            }
        }
        for address in holder.get("address").into_iter().flat_map(|address| address.each()) {
            for part in ["line", "city", "district", "postalCode"] {
                for text in address.get(part).into_iter().flat_map(|part| part.each()) {
                    self.phrase(Some(text), Category::Place);
                }
            }
        }
        for telecom in holder.get("telecom").into_iter().flat_map(|telecom| telecom.each()) {
            self.phrase(telecom.get("value"), Category::Telephone);
        }
        for identifier in holder.get("identifier").into_iter().flat_map(|i| i.each()) {
            self.phrase(identifier.get("value"), Category::Identifier);
        }
    }

    fn phrase(&mut self, value: Option<Value<'_>>, category: Category) {
        if let Some(text) = value.and_then(|value| value.as_str()) {
            self.text(&text, category);
        }
    }

    /// Finds the values: phrases on word bounds; names as words, those of six letters and more
    /// with one slip of the pen where the word is no ordinary one.
    pub(super) fn find(
        &self,
        text: &str,
        tokens: &[Token<'_>],
        lists: &Lists,
        spans: &mut Vec<Span>,
    ) {
        if self.words.is_empty() && self.phrases.is_empty() {
            return;
        }
        for token in tokens {
            let plain_word = !token.is_capital() && lists.is_word(&token.lower);
            let exact = self.words.contains(&token.lower) && !plain_word;
            let parts = || token.lower.split('-').any(|p| p.len() > 2 && self.words.contains(p));
            let near = || {
                token.lower.chars().count() >= 5
                    && !lists.is_ordinary(&token.lower)
                    && self
                        .words
                        .iter()
                        .any(|w| w.chars().count() >= 6 && one_edit(w, &token.lower))
            };
            if exact || (!plain_word && (parts() || near())) {
                spans.push(Span { start: token.start, end: token.end, category: Category::Name });
            }
        }
        // Lower case of ASCII only, so that places in both texts are the same.
        let lower = text.to_ascii_lowercase();
        for (phrase, category) in &self.phrases {
            for (start, found) in lower.match_indices(phrase.as_str()) {
                let end = start + found.len();
                let joined = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                let before = lower.get(..start).and_then(|t| t.chars().next_back());
                let after = lower.get(end..).and_then(|t| t.chars().next());
                if !joined(before) && !joined(after) {
                    spans.push(Span { start, end, category: *category });
                }
            }
        }
    }
}

/// Whether one insertion, deletion, change or swap of neighbours makes one word of the other.
fn one_edit(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (long, short) = if a.len() >= b.len() { (&a, &b) } else { (&b, &a) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let same = long.iter().zip(short).take_while(|(x, y)| x == y).count();
    let rest = |word: &[char], from: usize| word.get(from..).unwrap_or_default().to_vec();
    if long.len() > short.len() {
        return rest(long, same + 1) == rest(short, same);
    }
    rest(long, same + 1) == rest(short, same + 1)
        || (long.get(same) == short.get(same + 1)
            && long.get(same + 1) == short.get(same)
            && rest(long, same + 2) == rest(short, same + 2))
}
