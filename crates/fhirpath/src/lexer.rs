//! From the text of an expression to tokens (FHIRPath grammar, lexical part).

use crate::parser::ParseError;

/// A token with the byte at which it starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub at: usize,
    pub kind: TokenKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// A plain identifier; keywords are identifiers until the parser knows better.
    Word(String),
    /// An identifier in backquotes, never a keyword.
    Quoted(String),
    Text(String),
    /// Digits, with a decimal point where there is one.
    Number(String),
    /// A date, dateTime or time without the `@`.
    Temporal(String),
    /// `%name`
    Variable(String),
    /// `$this`, `$index` or `$total`, without the `$`.
    Special(String),
    Symbol(&'static str),
    End,
}

/// Longer symbols first.
const SYMBOLS: [&str; 24] = [
    "<=", ">=", "!=", "!~", "(", ")", "[", "]", "{", "}", ".", ",", "+", "-", "*", "/", "&", "|",
    "<", ">", "=", "~", ";", ":",
];

/// Splits a text into tokens; the last one is [`TokenKind::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::new();
    loop {
        lexer.space()?;
        let at = lexer.at;
        let kind = lexer.token()?;
        let end = kind == TokenKind::End;
        found.push(Token { at, kind });
        if end {
            return Ok(found);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn fault<T>(&self, at: usize, reason: &str) -> Result<T, ParseError> {
        Err(ParseError::new(self.text, at, reason))
    }

    fn space(&mut self) -> Result<(), ParseError> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                match trimmed.find("*/") {
                    Some(end) => self.at += end + 2,
                    None => return self.fault(self.at, "the comment is not closed"),
                }
            } else {
                return Ok(());
            }
        }
    }

    /// Takes characters while they fit.
    fn take(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn token(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        let Some(first) = self.peek() else { return Ok(TokenKind::End) };
        match first {
            '\'' => Ok(TokenKind::Text(self.delimited('\'')?)),
            // Double quotes are not in the grammar, but in some published expressions.
            '"' => Ok(TokenKind::Text(self.delimited('"')?)),
            '`' => Ok(TokenKind::Quoted(self.delimited('`')?)),
            '0'..='9' => Ok(self.number()),
            '@' => {
                self.at += 1;
                self.temporal()
            }
            '%' => {
                self.at += 1;
                match self.peek() {
                    Some(quote @ ('`' | '\'')) => Ok(TokenKind::Variable(self.delimited(quote)?)),
                    _ => match self.take(|c| is_word(c) || c == '-') {
                        "" => self.fault(start, "a name was expected after `%`"),
                        name => Ok(TokenKind::Variable(name.into())),
                    },
                }
            }
            '$' => {
                self.at += 1;
                match self.take(is_word) {
                    name @ ("this" | "index" | "total") => Ok(TokenKind::Special(name.into())),
                    _ => self.fault(start, "`$this`, `$index` or `$total` was expected"),
                }
            }
            c if is_word(c) => Ok(TokenKind::Word(self.take(is_word).into())),
            _ => match SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol)) {
                Some(symbol) => {
                    self.at += symbol.len();
                    Ok(TokenKind::Symbol(symbol))
                }
                None => self.fault(start, "unexpected character"),
            },
        }
    }

    fn number(&mut self) -> TokenKind {
        let start = self.at;
        self.take(|c| c.is_ascii_digit());
        let mut after = self.rest().chars();
        if after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.take(|c| c.is_ascii_digit());
        }
        TokenKind::Number(self.text.get(start..self.at).unwrap_or_default().into())
    }

    /// The grammar of the parts is checked where the value is made. A zone belongs to the literal
    /// only behind a time, so that `@2020-01-01-1 day` stays a subtraction.
    fn temporal(&mut self) -> Result<TokenKind, ParseError> {
        let start = self.at;
        if self.peek() != Some('T') {
            self.take(|c| c.is_ascii_digit());
            for _ in 0..2 {
                let mut after = self.rest().chars();
                if after.next() == Some('-') && after.next().is_some_and(|c| c.is_ascii_digit()) {
                    self.at += 1;
                    self.take(|c| c.is_ascii_digit());
                }
            }
        }
        if self.peek() == Some('T') {
            self.at += 1;
            self.clock();
        }
        match self.text.get(start..self.at).unwrap_or_default() {
            "" | "T" => self.fault(start, "a date or time was expected after `@`"),
            text => Ok(TokenKind::Temporal(text.into())),
        }
    }

    fn clock(&mut self) {
        let start = self.at;
        self.take(|c| c.is_ascii_digit() || c == ':');
        let mut after = self.rest().chars();
        if after.next() == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            self.take(|c| c.is_ascii_digit());
        }
        if self.at == start {
            return;
        }
        let zone = self.rest().as_bytes();
        let offset = |b: &[u8]| {
            matches!(b, [b'+' | b'-', h1, h2, b':', m1, m2, ..]
                if [h1, h2, m1, m2].iter().all(|d| d.is_ascii_digit()))
        };
        if zone.first() == Some(&b'Z') {
            self.at += 1;
        } else if offset(zone) {
            self.at += 6;
        }
    }

    /// Reads up to the closing quote and resolves escapes.
    fn delimited(&mut self, quote: char) -> Result<String, ParseError> {
        let start = self.at;
        self.at += quote.len_utf8();
        let mut out = String::new();
        loop {
            let Some(c) = self.peek() else {
                return self.fault(start, "the text is not closed");
            };
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Ok(out),
                '\\' => self.escape(&mut out)?,
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), ParseError> {
        let at = self.at;
        let Some(c) = self.peek() else { return self.fault(at, "the text is not closed") };
        self.at += c.len_utf8();
        let resolved = match c {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\u{c}',
            '\'' | '"' | '`' | '\\' | '/' => c,
            'u' => {
                let digits =
                    self.rest().get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
                let point = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
                let Some(c) = point.and_then(char::from_u32) else {
                    return self.fault(at, "four hexadecimal digits were expected after `\\u`");
                };
                self.at += 4;
                c
            }
            // Published regular expressions carry escapes of their own (`\d`, `\.`).
            other => {
                out.push('\\');
                other
            }
        };
        out.push(resolved);
        Ok(())
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
