//! Functions on strings (FHIRPath 5.6 and the additions of the trial-use release).

use std::borrow::Cow;

use super::encodings::{decode, encode, escape, unescape};
use super::{Call, Function as F, truth};
use crate::eval::{EvalError, Evaluated, Evaluator, MAX_TEXT_BYTES, wrong_type};
use crate::item::{Collection, Item};

/// Bytes of text read that count as one step.
const BYTES_READ_A_STEP: usize = 64;
impl<'a> Evaluator<'_, 'a> {
    pub(super) fn string(&self, call: Call<'_, '_, 'a>) -> Evaluated<'a> {
        let name = call.function.name();
        if call.function == F::Join {
            return self.join(&call);
        }
        let input = match self.single(name, &call.input)? {
            Some(item) => Some(self.text(name, item)?),
            None => None,
        };
        let input = match input {
            Some(Some(text)) => text,
            _ => return Ok(Vec::new()),
        };
        self.charge(input.len() / BYTES_READ_A_STEP)?;
        let items = match call.function {
            F::Length => number(input.chars().count()),
            F::Upper => text(input.to_uppercase()),
            F::Lower => text(input.to_lowercase()),
            F::Trim => text(input.trim().to_owned()),
            F::ToChars => input.chars().map(|c| Item::String(c.to_string().into())).collect(),
            F::Substring => self.substring(&call, &input)?,
            F::Matches | F::MatchesFull | F::ReplaceMatches => self.regular(&call, &input)?,
            _ => {
                let Some(argument) = self.text_arg(&call, 0)? else { return Ok(Vec::new()) };
                self.with_argument(&call, &input, &argument)?
            }
        };
        let size: usize = items.iter().filter_map(Item::as_text).map(|text| text.len()).sum();
        if size > MAX_TEXT_BYTES { Err(EvalError::TooLarge) } else { Ok(items) }
    }

    fn with_argument(&self, call: &Call<'_, '_, 'a>, input: &str, argument: &str) -> Evaluated<'a> {
        let chars = |at: usize| input.get(..at).map_or(0, |before| before.chars().count());
        let position = |at: Option<usize>| match at {
            Some(at) => number(chars(at)),
            None => vec![Item::Integer(-1)],
        };
        Ok(match call.function {
            F::IndexOf => position(input.find(argument)),
            F::LastIndexOf => position(input.rfind(argument)),
            F::StartsWith => return truth(input.starts_with(argument)),
            F::EndsWith => return truth(input.ends_with(argument)),
            F::Contains => return truth(input.contains(argument)),
            F::Split => {
                input.split(argument).map(|part| Item::String(part.to_owned().into())).collect()
            }
            F::Replace => match self.text_arg(call, 1)? {
                Some(with) if input.len().saturating_mul(with.len() + 1) <= MAX_TEXT_BYTES => {
                    text(input.replace(argument, &with))
                }
                Some(_) => return Err(EvalError::TooLarge),
                None => Vec::new(),
            },
            F::Encode => encode(input, argument).map(text).unwrap_or_default(),
            F::Decode => decode(input, argument).map(text).unwrap_or_default(),
            F::Escape => escape(input, argument).map(text).unwrap_or_default(),
            F::Unescape => unescape(input, argument).map(text).unwrap_or_default(),
            _ => return Err(EvalError::Unsupported(call.function.name())),
        })
    }

    /// The text of an item; `None` for a primitive without value, an error for other types.
    fn text(&self, name: &'static str, item: &Item<'a>) -> Result<Option<Cow<'a, str>>, EvalError> {
        match item {
            Item::Node(node) if node.type_of().system.is_some() && !node.has_value() => Ok(None),
            item => match item.to_system() {
                Some(Item::String(text)) => Ok(Some(text)),
                // FHIR's dates are strings to functions on strings.
                Some(Item::Temporal(temporal)) if matches!(item, Item::Node(_)) => {
                    Ok(Some(temporal.to_string().into()))
                }
                _ => Err(wrong_type(name, item)),
            },
        }
    }

    pub(super) fn text_arg(
        &self,
        call: &Call<'_, '_, 'a>,
        index: usize,
    ) -> Result<Option<Cow<'a, str>>, EvalError> {
        let name = call.function.name();
        let arg = self.arg(call, index)?;
        self.single(name, &arg)?.map_or(Ok(None), |item| self.text(name, item))
    }

    fn substring(&self, call: &Call<'_, '_, 'a>, input: &str) -> Evaluated<'a> {
        let name = call.function.name();
        let Some(start) = self.integer(name, &self.arg(call, 0)?)? else { return Ok(Vec::new()) };
        let length = self.integer(name, &self.arg(call, 1)?)?;
        let Ok(start) = usize::try_from(start) else { return Ok(Vec::new()) };
        if start >= input.chars().count() {
            return Ok(Vec::new());
        }
        let length = length.map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(0));
        Ok(text(input.chars().skip(start).take(length).collect()))
    }

    fn join(&self, call: &Call<'_, '_, 'a>) -> Evaluated<'a> {
        let name = call.function.name();
        let separator = self.text_arg(call, 0)?.unwrap_or_default();
        let mut out = String::new();
        let mut first = true;
        for item in &call.input {
            let Some(part) = self.text(name, item)? else { continue };
            if !first {
                out.push_str(&separator);
            }
            first = false;
            out.push_str(&part);
            if out.len() > MAX_TEXT_BYTES {
                return Err(EvalError::TooLarge);
            }
        }
        Ok(if call.input.is_empty() { Vec::new() } else { text(out) })
    }
}

fn text<'a>(text: String) -> Collection<'a> {
    vec![Item::String(text.into())]
}

fn number<'a>(count: usize) -> Collection<'a> {
    i64::try_from(count).map(Item::Integer).into_iter().collect()
}
