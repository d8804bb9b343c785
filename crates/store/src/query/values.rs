//! Reading the values of search parameters.

use fhirpath::search::{NumberRange, Registry, normalise, number_range};

use super::{
    DateTest, NumberTest, Prefix, ReferenceTest, StringMatch, SystemTest, Test, TokenTest,
    UnitTest, UriMatch, fold,
};

/// What is wrong with a value.
pub(super) type Fault = &'static str;

/// Splits at every `separator` that no backslash stands before.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == separator {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Takes the backslashes away from `\,`, `\$`, `\|` and `\\`; other backslashes stand for
/// themselves.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(&next)) if matches!(next, ',' | '$' | '|' | '\\') => {
                chars.next();
                out.push(next);
            }
            _ => out.push(c),
        }
    }
    out
}

pub(super) fn string(value: &str, how: StringMatch) -> Result<Test, Fault> {
    let text = unescape(value);
    if how == StringMatch::Exact {
        return Ok(Test::String { text, how });
    }
    let text = normalise(&text);
    if text.is_empty() { Err("it has no letter or digit") } else { Ok(Test::String { text, how }) }
}

pub(super) fn token_text(value: &str) -> Result<Test, Fault> {
    let text = normalise(&unescape(value));
    if text.is_empty() { Err("it has no letter or digit") } else { Ok(Test::TokenText(text)) }
}

/// Reads `code`, `system|code`, `|code` or `system|`.
pub(super) fn token(value: &str) -> Result<TokenTest, Fault> {
    let parts = split(value, '|');
    let (system, code) = match parts.as_slice() {
        [code] => (SystemTest::Any, *code),
        ["", code] => (SystemTest::Absent, *code),
        [system, code] => (SystemTest::Is(unescape(system)), *code),
        _ => return Err("`code`, `system|code`, `|code` or `system|` is expected"),
    };
    let code = (!code.is_empty()).then(|| fold(&unescape(code)));
    if code.is_none() && !matches!(system, SystemTest::Is(_)) {
        return Err("a code or a system is expected");
    }
    Ok(TokenTest { system, code })
}

/// Reads `id`, `Type/id`, `Type/id/_history/n`, an absolute address or a canonical; `only` is the
/// type that a modifier named. An address below the server's own is the resource itself.
pub(super) fn reference(
    registry: &Registry,
    value: &str,
    only: Option<&str>,
) -> Result<ReferenceTest, Fault> {
    let text = unescape(value);
    let text = registry.local(&text).unwrap_or(&text);
    let path = text.rsplit_once("/_history/").map_or(text, |(path, _)| path);
    if text.contains(':') {
        return match (only, text.split_once('|')) {
            (Some(_), _) => Err("an id is expected behind a type"),
            (None, None) => Ok(ReferenceTest::Url(path.to_owned())),
            (None, Some((url, ""))) => Ok(ReferenceTest::Url(url.to_owned())),
            (None, Some((url, version))) => Ok(ReferenceTest::Versioned {
                url: url.to_owned(),
                version: version.to_owned(),
                below: false,
            }),
        };
    }
    let (resource_type, id) = match path.split_once('/') {
        Some((resource_type, id)) => (Some(resource_type), id),
        None => (None, path),
    };
    if only.is_some() && resource_type.is_some() && only != resource_type {
        return Err("it is of another type than the modifier says");
    }
    let resource_type = resource_type.or(only);
    if resource_type.is_some_and(|name| fhir::definitions::resource_type(name).is_none()) {
        return Err("it does not start with a resource type");
    }
    let id = fhir::Id::new(id).map_err(|_| "it is not `id`, `Type/id` or an absolute address")?;
    Ok(ReferenceTest::Local { resource_type: resource_type.map(str::to_owned), id: id.to_string() })
}

/// Reads `address|version` where versions that continue this one count too.
pub(super) fn canonical(value: &str, below: bool) -> Result<Test, Fault> {
    let text = unescape(value);
    match text.split_once('|') {
        Some((url, version)) if !version.is_empty() => {
            let (url, version) = (url.to_owned(), version.to_owned());
            Ok(Test::Reference(ReferenceTest::Versioned { url, version, below }))
        }
        Some((url, _)) => Ok(Test::Reference(ReferenceTest::Url(url.to_owned()))),
        None => Ok(Test::Reference(ReferenceTest::Url(text))),
    }
}

/// Reads a date, dateTime or instant with an optional prefix.
pub(super) fn date(value: &str) -> Result<DateTest, Fault> {
    let (prefix, text) = prefixed(value)?;
    let range = fhir::time::parse(text)
        .ok_or("a date such as `2024`, `2024-02` or `2024-02-29T10:00:00Z` is expected")?;
    Ok(DateTest { prefix, start_ms: range.start_ms, end_ms: range.end_ms })
}

/// Reads a decimal number with an optional prefix.
pub(super) fn number(value: &str) -> Result<NumberTest, Fault> {
    let (prefix, text) = prefixed(value)?;
    let NumberRange { low, high, value } = number_range(text).ok_or("a number is expected")?;
    Ok(NumberTest { prefix, low, high, value })
}

/// Reads `number`, `number|system|code` or `number||unit`.
pub(super) fn quantity(value: &str) -> Result<Test, Fault> {
    let parts = split(value, '|');
    let (amount, unit) = match parts.as_slice() {
        [amount] | [amount, "", ""] => (*amount, UnitTest::Any),
        [amount, "", unit] => (*amount, UnitTest::Named(unescape(unit))),
        [amount, system, code] if !code.is_empty() => {
            (*amount, UnitTest::Coded { system: unescape(system), code: unescape(code) })
        }
        _ => return Err("`number`, `number|system|code` or `number||unit` is expected"),
    };
    Ok(Test::Quantity { number: number(amount)?, unit })
}

pub(super) fn uri(value: &str, how: UriMatch) -> Result<Test, Fault> {
    let uri = unescape(value);
    if how != UriMatch::Exact && (uri.starts_with("urn:") || !uri.contains("://")) {
        return Err("`:below` and `:above` are for addresses with a path");
    }
    Ok(Test::Uri { uri, how })
}

/// The comparison that a prefix stands for.
pub(super) fn prefix(name: &str) -> Option<Prefix> {
    Some(match name {
        "eq" => Prefix::Eq,
        "ne" => Prefix::Ne,
        "gt" => Prefix::Gt,
        "lt" => Prefix::Lt,
        "ge" => Prefix::Ge,
        "le" => Prefix::Le,
        "sa" => Prefix::Sa,
        "eb" => Prefix::Eb,
        "ap" => Prefix::Ap,
        _ => return None,
    })
}

fn prefixed(value: &str) -> Result<(Prefix, &str), Fault> {
    if !value.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok((Prefix::Eq, value));
    }
    let fault = "the prefix is none of eq, ne, gt, lt, ge, le, sa, eb, ap";
    let (name, rest) = value.split_at_checked(2).ok_or(fault)?;
    let prefix = prefix(name).ok_or(fault)?;
    Ok((prefix, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_protect_separators() {
        assert_eq!(split(r"a\,b,c\\,d", ','), [r"a\,b", r"c\\", "d"]);
        assert_eq!(unescape(r"a\,b\|\$\\c\d"), r"a,b|$\c\d");
    }
}
