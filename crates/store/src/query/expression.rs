//! `_filter`: conditions in a language of their own (FHIR R4, search_filter).
//!
//! `and` binds closer than `or`; `not (…)` negates; `path[condition].name` asks a condition of the
//! resource on the way. What an operator cannot compare is refused by its name.

use fhirpath::search::{ParamType, SearchParam};

use super::filter::{MAX_LINKS, Reader, fault, known, shown};
use super::values;
use super::{Filter, Prefix, QueryError, StringMatch, Test, UriMatch, modifiers};

const NAME: &str = "_filter";
/// The most parts of one expression, and its deepest nesting.
const MOST_PARTS: usize = 500;

/// Reads an expression about resources of a type.
pub(super) fn parse(
    reader: &Reader<'_>,
    resource_type: &'static str,
    text: &str,
    depth: usize,
) -> Result<Filter, QueryError> {
    let tokens = tokens(text).map_err(|reason| fault(NAME, reason))?;
    if tokens.len() > MOST_PARTS {
        return Err(QueryError::TooMany { what: "parts of `_filter`", limit: MOST_PARTS });
    }
    let mut parser = Parser { reader, tokens: &tokens, nested: 0 };
    let filter = parser.any(resource_type, depth)?;
    match parser.tokens {
        [] => Ok(filter),
        _ => Err(fault(NAME, "`and` or `or` is expected between conditions")),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    /// A name, a number, a date or an operator.
    Word(String),
    /// In quotation marks.
    Text(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, &'static str> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let single = match first {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            '[' => Some(Token::OpenBracket),
            ']' => Some(Token::CloseBracket),
            _ => None,
        };
        let taken = match (single, first) {
            (Some(token), _) => {
                found.push(token);
                1
            }
            (None, '"') => {
                let (text, taken) = quoted(rest)?;
                found.push(Token::Text(text));
                taken
            }
            (None, _) => {
                let end = rest.find(|c: char| c.is_whitespace() || "()[]\"".contains(c));
                let end = end.unwrap_or(rest.len());
                found.push(Token::Word(rest[..end].to_owned()));
                end
            }
        };
        rest = rest[taken..].trim_start();
    }
    Ok(found)
}

/// A string as JSON writes it, and its length with the marks.
fn quoted(text: &str) -> Result<(String, usize), &'static str> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let whole = &text[..=at];
                let read = fhir::Document::parse(whole).map_err(|_| "a text is not valid")?;
                let read = read.root().as_str().ok_or("a text is not valid")?.into_owned();
                return Ok((read, whole.len()));
            }
            _ => {}
        }
    }
    Err("a quotation mark is missing")
}

struct Parser<'p, 'r> {
    reader: &'p Reader<'r>,
    tokens: &'p [Token],
    nested: usize,
}

impl Parser<'_, '_> {
    fn any(&mut self, kind: &'static str, depth: usize) -> Result<Filter, QueryError> {
        self.nested += 1;
        if self.nested > 50 {
            return Err(fault(NAME, "it is nested too deep"));
        }
        let mut any = vec![self.all(kind, depth)?];
        while self.take_word("or") {
            any.push(self.all(kind, depth)?);
        }
        self.nested -= 1;
        Ok(single(any, Filter::Any))
    }

    fn all(&mut self, kind: &'static str, depth: usize) -> Result<Filter, QueryError> {
        let mut all = vec![self.one(kind, depth)?];
        while self.take_word("and") {
            all.push(self.one(kind, depth)?);
        }
        Ok(single(all, Filter::All))
    }

    fn one(&mut self, kind: &'static str, depth: usize) -> Result<Filter, QueryError> {
        let negated = matches!(self.tokens, [Token::Word(word), Token::Open, ..] if word == "not");
        if negated {
            self.take_word("not");
        }
        if self.take(&Token::Open) {
            let inner = self.any(kind, depth)?;
            if !self.take(&Token::Close) {
                return Err(fault(NAME, "a parenthesis is not closed"));
            }
            return Ok(if negated { Filter::Not(Box::new(inner)) } else { inner });
        }
        self.condition(kind, depth)
    }

    /// `path operator value`
    fn condition(&mut self, kind: &'static str, depth: usize) -> Result<Filter, QueryError> {
        if depth > MAX_LINKS {
            return Err(QueryError::TooMany { what: "links of one chain", limit: MAX_LINKS });
        }
        let path = self.word("the name of a parameter is expected")?;
        if path.starts_with("_has") {
            return Err(QueryError::Unsupported { name: format!("_filter: {}", shown(&path)) });
        }
        // What a bracket asks of the resources on the way.
        let (mut path, mut aside) = (path, None);
        if self.tokens.first() == Some(&Token::OpenBracket) {
            let start = self.tokens;
            aside = Some(start);
            self.skip_bracket()?;
            let rest = self.word("a name is expected behind `]`")?;
            let rest =
                rest.strip_prefix('.').ok_or_else(|| fault(NAME, "`.` is expected behind `]`"))?;
            path = format!("{path}.{rest}");
        }
        let operator = self.word("an operator is expected")?;
        let value = match self.tokens.split_first() {
            Some((Token::Word(value) | Token::Text(value), rest)) => {
                self.tokens = rest;
                value.clone()
            }
            _ => return Err(fault(NAME, "a value is expected behind the operator")),
        };
        self.path(kind, &path, aside, (&operator, &value), depth)
    }

    /// A condition at the end of a path of links.
    fn path(
        &self,
        kind: &'static str,
        path: &str,
        aside: Option<&[Token]>,
        (operator, value): (&str, &str),
        depth: usize,
    ) -> Result<Filter, QueryError> {
        if depth > MAX_LINKS {
            return Err(QueryError::TooMany { what: "links of one chain", limit: MAX_LINKS });
        }
        let Some((link, rest)) = path.split_once('.') else {
            return compare(self.reader, kind, path, operator, value);
        };
        let (code, only) = match link.split_once(':') {
            Some((code, only)) => (code, Some(only)),
            None => (link, None),
        };
        let param = known(self.reader.registry, kind, code)?;
        if param.param_type != ParamType::Reference
            || only.is_some_and(|only| !super::filter::may_lead_to(param, only))
        {
            return Err(QueryError::Unsupported { name: format!("_filter: {}", shown(path)) });
        }
        self.reader.targets(param, only, |target| {
            let mut all = vec![self.path(target, rest, None, (operator, value), depth + 1)?];
            if let Some(tokens) = aside {
                // The bracket was skipped once; here it is read for this type of target.
                let tokens = tokens.get(1..).unwrap_or_default();
                let mut inner = Parser { reader: self.reader, tokens, nested: self.nested };
                all.push(inner.any(target, depth + 1)?);
                if !inner.take(&Token::CloseBracket) {
                    return Err(fault(NAME, "a bracket is not closed"));
                }
            }
            Ok(all)
        })
    }

    fn skip_bracket(&mut self) -> Result<(), QueryError> {
        let mut open = 0_usize;
        while let Some((first, rest)) = self.tokens.split_first() {
            self.tokens = rest;
            match first {
                Token::OpenBracket => open += 1,
                Token::CloseBracket => open -= 1,
                _ => {}
            }
            if open == 0 {
                return Ok(());
            }
        }
        Err(fault(NAME, "a bracket is not closed"))
    }

    fn word(&mut self, expected: &'static str) -> Result<String, QueryError> {
        match self.tokens.split_first() {
            Some((Token::Word(word), rest)) => {
                self.tokens = rest;
                Ok(word.clone())
            }
            _ => Err(fault(NAME, expected)),
        }
    }

    fn take(&mut self, wanted: &Token) -> bool {
        match self.tokens.split_first() {
            Some((first, rest)) if first == wanted => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        self.take(&Token::Word(wanted.to_owned()))
    }
}

fn single(mut filters: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => many(filters),
    }
}

/// One comparison of a parameter's values.
fn compare(
    reader: &Reader<'_>,
    kind: &'static str,
    code: &str,
    operator: &str,
    value: &str,
) -> Result<Filter, QueryError> {
    let unfit = || QueryError::Operator { name: shown(code), operator: shown(operator) };
    let name = format!("{NAME} {}", shown(code));
    match (code, operator) {
        ("_id", "eq") => return Ok(Filter::Id(vec![value.to_owned()])),
        ("_id", "ne") => return Ok(Filter::Not(Box::new(Filter::Id(vec![value.to_owned()])))),
        ("_id", _) => return Err(unfit()),
        ("_lastUpdated", _) => {
            let test = date(operator, value).ok_or_else(unfit)?;
            return Ok(Filter::LastUpdated(vec![test.map_err(|reason| fault(&name, reason))?]));
        }
        _ => {}
    }
    let param = known(reader.registry, kind, code)?;
    let number = param.number;
    if operator == "pr" {
        let present: bool =
            value.parse().map_err(|_| fault(&name, "`pr true` or `pr false` is expected"))?;
        return Ok(Filter::Missing { param: number, missing: !present });
    }
    let tests = match (param.param_type, operator) {
        (ParamType::Token, "in" | "ni") => {
            let tests = modifiers::tests(reader, param, Some("in"), &name, value)?;
            return Ok(Filter::Param { param: number, tests, negated: operator == "ni" });
        }
        (ParamType::Token, "ss" | "sb") => {
            let token = values::token(value).map_err(|reason| fault(&name, reason))?;
            vec![modifiers::subsumption(reader, operator == "ss", &name, &token, value)?]
        }
        _ => {
            let test = test(reader, param, operator, value).ok_or_else(unfit)?;
            vec![test.map_err(|reason| fault(&name, reason))?]
        }
    };
    Ok(Filter::Param { param: number, tests, negated: false })
}

/// `None` where the operator does not go with the parameter.
fn test(
    reader: &Reader<'_>,
    param: &SearchParam,
    operator: &str,
    value: &str,
) -> Option<Result<Test, &'static str>> {
    // Quotation marks protect the value, so a separator in it needs no backslash here.
    let escaped = value.replace('\\', "\\\\");
    let not = |test: Result<Test, &'static str>| test.map(|test| Test::Not(Box::new(test)));
    Some(match (param.param_type, operator) {
        (ParamType::String, "eq") => values::string(&escaped, StringMatch::Equal),
        (ParamType::String, "ne") => not(values::string(&escaped, StringMatch::Equal)),
        (ParamType::String, "co") => values::string(&escaped, StringMatch::Contains),
        (ParamType::String, "sw") => values::string(&escaped, StringMatch::Starts),
        (ParamType::String, "ew") => values::string(&escaped, StringMatch::Ends),
        (ParamType::Token, "eq") => values::token(value).map(Test::Token),
        (ParamType::Token, "ne") => not(values::token(value).map(Test::Token)),
        (ParamType::Reference, "eq" | "re") => {
            values::reference(reader.registry, value, None).map(Test::Reference)
        }
        (ParamType::Reference, "ne") => {
            not(values::reference(reader.registry, value, None).map(Test::Reference))
        }
        (ParamType::Uri, "eq") => values::uri(&escaped, UriMatch::Exact),
        (ParamType::Uri, "ne") => not(values::uri(&escaped, UriMatch::Exact)),
        (ParamType::Uri, "sw") => values::uri(&escaped, UriMatch::Below),
        (ParamType::Date, _) => return date(operator, value).map(|test| test.map(Test::Date)),
        (ParamType::Number, _) => {
            let prefix = values::prefix(operator)?;
            values::number(value).map(|test| Test::Number(super::NumberTest { prefix, ..test }))
        }
        (ParamType::Quantity, _) => {
            let prefix = values::prefix(operator)?;
            values::quantity(value).map(|test| match test {
                Test::Quantity { number, unit } => {
                    Test::Quantity { number: super::NumberTest { prefix, ..number }, unit }
                }
                other => other,
            })
        }
        _ => return None,
    })
}

fn date(operator: &str, value: &str) -> Option<Result<super::DateTest, &'static str>> {
    let prefix = match operator {
        "po" => Prefix::Po,
        other => values::prefix(other)?,
    };
    Some(values::date(value).map(|test| super::DateTest { prefix, ..test }))
}
