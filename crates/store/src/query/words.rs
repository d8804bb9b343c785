//! Searching for words: the language of `_text` and `_content`.
//!
//! A text is its normal form (see [`fhirpath::search::normalise`]): words without case, accents and
//! punctuation, parted by spaces. Words that stand side by side must all occur, in any order;
//! `"…"` asks for them one after the other; `word*` for a beginning; `and`, `or`, `not` and
//! parentheses combine, `and` before `or`.

use fhirpath::search::normalise;

/// The deepest nesting and the most words of one expression.
const MOST: usize = 100;

/// A condition on the words of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// This word occurs.
    Word(String),
    /// A word that starts like this occurs.
    Prefix(String),
    /// These words occur one after the other.
    Phrase(Vec<String>),
    /// All of these hold.
    All(Vec<Words>),
    /// One of these holds.
    Any(Vec<Words>),
    /// This does not hold.
    Not(Box<Words>),
}

impl Words {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let parts = parts(text)?;
        if parts.len() > MOST {
            return Err("it has too many words");
        }
        let mut reader = Reader { parts: &parts, depth: 0 };
        let words = reader.any()?;
        if reader.parts.is_empty() { Ok(words) } else { Err("a parenthesis is not opened") }
    }

    /// Whether a text in normal form passes.
    pub fn hold(&self, text: &str) -> bool {
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        match self {
            Words::Word(wanted) => words.any(|word| word == wanted),
            Words::Prefix(start) => words.any(|word| word.starts_with(start.as_str())),
            Words::Phrase(phrase) => {
                let words: Vec<&str> = words.collect();
                words.windows(phrase.len().max(1)).any(|window| window == phrase.as_slice())
            }
            Words::All(all) => all.iter().all(|words| words.hold(text)),
            Words::Any(any) => any.iter().any(|words| words.hold(text)),
            Words::Not(words) => !words.hold(text),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Part {
    Open,
    Close,
    And,
    Or,
    Not,
    Words(Words),
}

fn parts(text: &str) -> Result<Vec<Part>, &'static str> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '(' | ')' => {
                found.push(if first == '(' { Part::Open } else { Part::Close });
                1
            }
            '"' => {
                let end = rest[1..].find('"').ok_or("a quotation mark is missing")?;
                found.extend(phrase(&rest[1..=end]).map(Part::Words));
                end + 2
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()\"".contains(c));
                let end = end.unwrap_or(rest.len());
                let word = &rest[..end];
                match word.to_lowercase().as_str() {
                    "and" => found.push(Part::And),
                    "or" => found.push(Part::Or),
                    "not" => found.push(Part::Not),
                    _ => found.extend(plain(word).map(Part::Words)),
                }
                end
            }
        };
        rest = rest[taken..].trim_start();
    }
    Ok(found)
}

/// One word as written, which may be several (`Smith-Jones`) or none (`--`).
fn plain(word: &str) -> Option<Words> {
    match word.strip_suffix('*') {
        Some(start) => {
            let start = normalise(start);
            let mut words: Vec<Words> =
                start.split(' ').filter(|w| !w.is_empty()).map(|w| Words::Word(w.into())).collect();
            if let Some(Words::Word(last)) = words.pop() {
                words.push(Words::Prefix(last));
            }
            one_or_all(words)
        }
        None => phrase(word),
    }
}

fn phrase(text: &str) -> Option<Words> {
    let text = normalise(text);
    let mut words: Vec<String> =
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    match words.len() {
        0 => None,
        1 => words.pop().map(Words::Word),
        _ => Some(Words::Phrase(words)),
    }
}

fn one_or_all(mut words: Vec<Words>) -> Option<Words> {
    match words.len() {
        0 => None,
        1 => words.pop(),
        _ => Some(Words::All(words)),
    }
}

struct Reader<'p> {
    parts: &'p [Part],
    depth: usize,
}

impl Reader<'_> {
    fn any(&mut self) -> Result<Words, &'static str> {
        self.depth += 1;
        if self.depth > MOST {
            return Err("it is nested too deep");
        }
        let mut any = vec![self.all()?];
        while self.take(&Part::Or) {
            any.push(self.all()?);
        }
        self.depth -= 1;
        Ok(match any.len() {
            1 => any.remove(0),
            _ => Words::Any(any),
        })
    }

    fn all(&mut self) -> Result<Words, &'static str> {
        let mut all = vec![self.one()?];
        loop {
            let joined = self.take(&Part::And);
            match self.parts.first() {
                Some(Part::Words(_) | Part::Open | Part::Not) => all.push(self.one()?),
                _ if joined => return Err("a word is missing behind `and`"),
                _ => break,
            }
        }
        Ok(match all.len() {
            1 => all.remove(0),
            _ => Words::All(all),
        })
    }

    fn one(&mut self) -> Result<Words, &'static str> {
        let (first, rest) = self.parts.split_first().ok_or("a word with a letter is expected")?;
        self.parts = rest;
        match first {
            Part::Words(words) => Ok(words.clone()),
            Part::Not => Ok(Words::Not(Box::new(self.one()?))),
            Part::Open => {
                let inner = self.any()?;
                if self.take(&Part::Close) { Ok(inner) } else { Err("a parenthesis is not closed") }
            }
            Part::Close | Part::And | Part::Or => Err("a word with a letter is expected"),
        }
    }

    fn take(&mut self, wanted: &Part) -> bool {
        match self.parts.split_first() {
            Some((first, rest)) if first == wanted => {
                self.parts = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_asked() {
        let text = "severe bone pain in the left leg";
        for (wanted, expected) in [
            ("bone", true),
            ("Bone", true),
            ("bo", false),
            ("bo*", true),
            ("bone leg", true),
            ("leg bone", true),
            ("\"bone pain\"", true),
            ("\"pain bone\"", false),
            ("bone-pain", true),
            ("(arm OR bone) and leg", true),
            ("arm or bone and arm", false),
            ("not arm", true),
            ("bone not leg", false),
        ] {
            assert_eq!(Words::parse(wanted).unwrap().hold(text), expected, "{wanted}");
        }
        for wrong in ["", "--", "(bone", "bone)", "bone and", "or bone", "\"bone", "not"] {
            assert!(Words::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Words::parse(&"not ".repeat(5000)).is_err());
        assert!(Words::parse(&"(".repeat(90)).is_err());
    }
}
