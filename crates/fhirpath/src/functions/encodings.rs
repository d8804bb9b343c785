//! `encode`, `decode`, `escape` and `unescape` (FHIRPath 5.6, trial use).

use std::borrow::Cow;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `hex`, `base64` or `urlbase64`; `None` for other forms.
pub(super) fn encode(input: &str, form: &str) -> Option<String> {
    match form {
        "hex" => Some(input.bytes().map(|b| format!("{b:02x}")).collect()),
        "base64" => Some(base64(input.as_bytes())),
        "urlbase64" => Some(base64(input.as_bytes()).replace('+', "-").replace('/', "_")),
        _ => None,
    }
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = (group >> (18 - 6 * place)) as usize & 63;
            let letter = BASE64.get(digit).copied().unwrap_or(b'=');
            out.push(if place > chunk.len() { '=' } else { letter as char });
        }
    }
    out
}

/// The opposite of [`encode`]; `None` also for what is not encoded so.
pub(super) fn decode(input: &str, form: &str) -> Option<String> {
    let bytes = match form {
        "hex" => {
            let digits = input.as_bytes().chunks(2);
            digits
                .map(|pair| match pair {
                    [_, _] => u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok(),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()?
        }
        "base64" => unbase64(input)?,
        "urlbase64" => unbase64(&input.replace('-', "+").replace('_', "/"))?,
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}

fn unbase64(input: &str) -> Option<Vec<u8>> {
    let digits = input.trim_end_matches('=').as_bytes();
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    for chunk in digits.chunks(4) {
        let mut group = 0;
        for place in 0..4 {
            let digit = match chunk.get(place) {
                Some(letter) => BASE64.iter().position(|known| known == letter)?,
                None => 0,
            };
            group = group << 6 | digit;
        }
        let bytes = [(group >> 16) as u8, (group >> 8) as u8, group as u8];
        out.extend_from_slice(bytes.get(..chunk.len().checked_sub(1)?)?);
    }
    Some(out)
}

/// For `html` or `json`; `None` for other targets.
pub(super) fn escape(input: &str, target: &str) -> Option<String> {
    match target {
        "html" => {
            let mut out = String::with_capacity(input.len());
            for c in input.chars() {
                match HTML.iter().find(|(_, plain)| *plain == c) {
                    Some((entity, _)) => out.push_str(entity),
                    None => out.push(c),
                }
            }
            Some(out)
        }
        "json" => {
            let quoted = fhir::json::quote(input);
            quoted.strip_prefix('"')?.strip_suffix('"').map(str::to_owned)
        }
        _ => None,
    }
}

/// The opposite of [`escape`].
pub(super) fn unescape(input: &str, target: &str) -> Option<String> {
    match target {
        "html" => {
            let mut out = input.to_owned();
            // The ampersand comes last so that nothing is resolved twice.
            for (entity, plain) in HTML.iter().rev() {
                out = out.replace(entity, plain.encode_utf8(&mut [0; 4]));
            }
            Some(out)
        }
        "json" => {
            // Quotes need no escape here, since nothing ends the text.
            let (mut body, mut escaped) = (String::with_capacity(input.len() + 2), false);
            for c in input.chars() {
                if c == '"' && !escaped {
                    body.push('\\');
                }
                escaped = c == '\\' && !escaped;
                body.push(c);
            }
            let document = fhir::Document::parse(format!("\"{body}\"")).ok()?;
            document.root().as_str().map(Cow::into_owned)
        }
        _ => None,
    }
}

const HTML: [(&str, char); 5] =
    [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\'')];
