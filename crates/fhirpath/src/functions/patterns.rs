//! Regular expressions: `matches`, `matchesFull` and `replaceMatches`.
//!
//! A search takes time in proportion to the text and, at worst, to the states of the automaton
//! (regex crate, "Untrusted input": `O(m * n)`). Both are charged to the steps of the evaluation, so
//! that an expression from outside cannot buy more time with a pattern than without.

use regex::{Captures, Regex, RegexBuilder};
use regex_automata::dfa::dense;
use regex_automata::util::syntax;

use super::{Call, Function as F, truth};
use crate::eval::{EvalError, Evaluated, Evaluator, MAX_TEXT_BYTES};
use crate::item::Item;

/// The most memory that a compiled regular expression may take, in bytes; those that are written
/// out in one expression may take twice as much together.
const MAX_BYTES: usize = 1 << 20;
pub(crate) const MAX_BYTES_WRITTEN_OUT: usize = 2 * MAX_BYTES;
/// The least memory that an automaton is counted with, in bytes; the next sizes are each twice the
/// one before.
const LEAST_BYTES: usize = 1 << 10;
/// Memory of an automaton that makes a byte of text cost one step more. A state takes some 24
/// bytes, and 5 ns for each byte of text at which it is alive; a step takes 25 ns. Of large automata
/// few states are alive at once.
const BYTES_A_STEP: usize = 1024;
/// How much dearer it is to look ahead with an automaton whose states cannot be determined.
const STEPS_UNDETERMINED: usize = 4;
/// Steps that count for compiling a pattern that is not a literal, each time it is met; a literal
/// is compiled once, with the expression.
const STEPS_TO_COMPILE: usize = 50_000;
/// Steps for finding out whether an automaton stays small, where the pattern is not a literal.
const STEPS_TO_DETERMINE: usize = 400_000;
/// The most memory, in bytes, of an automaton that knows its state after each byte of text.
const MAX_DETERMINED_BYTES: usize = 1 << 20;
/// Bytes that such an automaton reads in one step.
const BYTES_DETERMINED_A_STEP: usize = 2;
/// How much dearer it is to tell groups apart than to find a match.
const STEPS_FOR_GROUPS: usize = 4;

/// A compiled regular expression with what searching by it costs.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    /// The memory of its automaton, rounded up, in bytes.
    bytes: usize,
    /// The longest text that can match, in bytes, where there is one.
    longest: Option<usize>,
    /// Whether its automaton can be made to be in one state at a time and is small then. Only
    /// asked for where matches are replaced and can be of any length.
    is_determined: bool,
}

impl Pattern {
    /// Compiles a pattern for a function: a full match is anchored at both ends; `.` matches line
    /// breaks (FHIRPath 5.6.9). JavaScript's escapes of `/` and the like are accepted.
    pub(crate) fn new(function: F, pattern: &str) -> Result<Self, Box<regex::Error>> {
        let pattern = match function {
            F::MatchesFull => format!("^(?:{pattern})$"),
            _ => pattern.to_owned(),
        };
        let mut bytes = LEAST_BYTES;
        let regex = loop {
            let built = RegexBuilder::new(&pattern)
                .dot_matches_new_line(true)
                .size_limit(bytes)
                .dfa_size_limit(MAX_BYTES)
                .build();
            match built {
                Ok(regex) => break regex,
                Err(regex::Error::CompiledTooBig(_)) if bytes < MAX_BYTES => bytes *= 2,
                Err(error) => return Err(Box::new(error)),
            }
        };
        let parsed =
            regex_syntax::ParserBuilder::new().dot_matches_new_line(true).build().parse(&pattern);
        let longest = parsed.ok().and_then(|parsed| parsed.properties().maximum_len());
        let is_determined =
            function == F::ReplaceMatches && longest.is_none() && is_determined(&pattern);
        Ok(Self { regex, bytes, longest, is_determined })
    }

    /// Roughly the memory that it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Steps for searching through a text of this length.
    fn steps(&self, length: usize) -> usize {
        length.saturating_mul(1 + self.bytes / BYTES_A_STEP)
    }

    /// Steps for having looked beyond a match with `left` bytes of text after it: as far as the
    /// longest match reaches, or to the end of the text where there is no longest.
    fn steps_ahead(&self, left: usize) -> usize {
        match self.longest {
            Some(longest) => self.steps(longest.min(left)),
            None if self.is_determined => 1 + left / BYTES_DETERMINED_A_STEP,
            None => self.steps(left).saturating_mul(STEPS_UNDETERMINED),
        }
    }
}

fn is_determined(pattern: &str) -> bool {
    let config = dense::Config::new()
        .dfa_size_limit(Some(MAX_DETERMINED_BYTES))
        .determinize_size_limit(Some(MAX_DETERMINED_BYTES));
    let syntax = syntax::Config::new().dot_matches_new_line(true);
    dense::Builder::new().configure(config).syntax(syntax).build(pattern).is_ok()
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn regular(&self, call: &Call<'_, '_, 'a>, input: &str) -> Evaluated<'a> {
        let made;
        let pattern = match call.pattern {
            Some(pattern) => pattern,
            None => {
                let Some(text) = self.text_arg(call, 0)? else { return Ok(Vec::new()) };
                self.charge(STEPS_TO_COMPILE.saturating_add(text.len().saturating_mul(100)))?;
                if call.function == F::ReplaceMatches {
                    self.charge(STEPS_TO_DETERMINE)?;
                }
                made = Pattern::new(call.function, &text).map_err(|_| EvalError::Argument {
                    function: call.function.name(),
                    reason: "not a valid regular expression, or too large".into(),
                })?;
                self.charge(made.bytes / 2)?;
                &made
            }
        };
        self.charge(pattern.steps(input.len()))?;
        if call.function != F::ReplaceMatches {
            return truth(pattern.regex.is_match(input));
        }
        let Some(with) = self.text_arg(call, 1)? else { return Ok(Vec::new()) };
        // An empty pattern matches between all characters and replaces nothing.
        let replaced = match pattern.regex.as_str() {
            "" => input.to_owned(),
            _ => self.replaced(pattern, input, &with)?,
        };
        Ok(vec![Item::String(replaced.into())])
    }

    fn replaced(&self, pattern: &Pattern, input: &str, with: &str) -> Result<String, EvalError> {
        let mut out = String::with_capacity(input.len());
        let mut done = 0;
        let mut add = |start: usize, end: usize, expand: &dyn Fn(&mut String)| {
            self.charge(pattern.steps_ahead(input.len().saturating_sub(end)))?;
            out.push_str(input.get(done..start).unwrap_or_default());
            expand(&mut out);
            done = end;
            if out.len() > MAX_TEXT_BYTES { Err(EvalError::TooLarge) } else { Ok(()) }
        };
        if with.contains('$') {
            self.charge(pattern.steps(input.len()).saturating_mul(STEPS_FOR_GROUPS))?;
            for groups in pattern.regex.captures_iter(input) {
                let Some(whole) = groups.get(0) else { continue };
                let expand = |out: &mut String| Captures::expand(&groups, with, out);
                add(whole.start(), whole.end(), &expand)?;
            }
        } else {
            for found in pattern.regex.find_iter(input) {
                add(found.start(), found.end(), &|out| out.push_str(with))?;
            }
        }
        out.push_str(input.get(done..).unwrap_or_default());
        Ok(out)
    }
}
