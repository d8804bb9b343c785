//! Media types (BCP 13, RFC 6838 section 4.2).

/// The longest media type that is looked at.
const MAX_BYTES: usize = 300;

/// Whether it is `type/subtype` with well-formed parameters.
pub(super) fn is_type(code: &str) -> bool {
    if code.len() > MAX_BYTES {
        return false;
    }
    let mut parts = code.split(';');
    let name = parts.next().unwrap_or_default().trim_end();
    let Some((kind, subtype)) = name.split_once('/') else { return false };
    restricted(kind) && restricted(subtype) && parts.all(parameter)
}

/// A restricted-name of RFC 6838.
fn restricted(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 127
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
}

fn parameter(text: &str) -> bool {
    let Some((name, value)) = text.trim().split_once('=') else { return false };
    let quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    restricted(name) && (quoted || !value.is_empty() && value.bytes().all(token))
}
