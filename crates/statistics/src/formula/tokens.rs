//! The words and signs of a formula.

use super::parse::{FormulaError, fault};

/// A word or a sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Name(String),
    Number(String),
    Sign(char),
}

/// The words and signs of a text, each with its place in characters, from 1.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, FormulaError> {
    let mut signs = text.chars().enumerate().map(|(at, sign)| (at + 1, sign)).peekable();
    let mut out = Vec::new();
    while let Some((at, sign)) = signs.next() {
        let token = match sign {
            _ if sign.is_whitespace() => continue,
            '`' => {
                let mut name = String::new();
                loop {
                    match signs.next() {
                        Some((_, '`')) => break,
                        Some((_, part)) => name.push(part),
                        None => return Err(fault(at, "the backtick is not closed")),
                    }
                }
                if name.is_empty() {
                    return Err(fault(at, "a name cannot be empty"));
                }
                Token::Name(name)
            }
            _ if starts_name(sign) || sign.is_ascii_digit() => {
                let is_name = starts_name(sign);
                let mut word = sign.to_string();
                while let Some((_, part)) = signs.next_if(|(_, part)| continues_name(*part)) {
                    word.push(part);
                }
                if is_name { Token::Name(word) } else { Token::Number(word) }
            }
            '~' | '+' | '-' | '*' | ':' | '(' | ')' | ',' | '^' => Token::Sign(sign),
            _ => {
                return Err(fault(
                    at,
                    format!(
                        "`{sign}` has no meaning here; a name that holds it goes between backticks"
                    ),
                ));
            }
        };
        out.push((at, token));
    }
    Ok(out)
}

/// Whether a name needs no backticks.
pub(in crate::formula) fn is_plain(name: &str) -> bool {
    name.chars().next().is_some_and(starts_name) && name.chars().all(continues_name)
}

fn starts_name(sign: char) -> bool {
    sign.is_alphabetic() || sign == '_' || sign == '.'
}

fn continues_name(sign: char) -> bool {
    starts_name(sign) || sign.is_alphanumeric()
}
