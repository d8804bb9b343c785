//! Language tags (BCP 47, RFC 5646).

use super::tables::{country, language};

/// The longest tag that is looked at.
const MAX_TAG_BYTES: usize = 100;

/// The parts of a tag that has the form of RFC 5646, section 2.1.
struct Tag<'t> {
    language: &'t str,
    script: Option<&'t str>,
    region: Option<&'t str>,
    variants: Vec<&'t str>,
}

fn letters(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphabetic())
}

fn read(tag: &str) -> Option<Tag<'_>> {
    if tag.len() > MAX_TAG_BYTES {
        return None;
    }
    let mut parts = tag.split('-').peekable();
    let primary = parts.next()?;
    let mut next = |fits: &dyn Fn(&str) -> bool| parts.next_if(|part| fits(part));
    for _ in 0..if primary.len() <= 3 { 3 } else { 0 } {
        next(&|part| part.len() == 3 && letters(part));
    }
    let script = next(&|part| part.len() == 4 && letters(part));
    let region = next(&|part| {
        part.len() == 2 && letters(part)
            || part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit())
    });
    let mut variants = Vec::new();
    while let Some(variant) = next(&|part| {
        (5..=8).contains(&part.len())
            || part.len() == 4 && part.starts_with(|c: char| c.is_ascii_digit())
    }) {
        variants.push(variant);
    }
    let rest: Vec<_> = parts.collect();
    extensions(&rest).then_some(Tag { language: primary, script, region, variants })
}

/// Extensions and private use: a letter or digit of its own and at least one part after it.
fn extensions(parts: &[&str]) -> bool {
    let mut open = None;
    let mut held = 0;
    for part in parts {
        let private = open == Some("x");
        if part.len() == 1 && !private {
            if open.is_some() && held == 0 {
                return false;
            }
            (open, held) = (Some(*part), 0);
        } else if open.is_none() || !(1..=8).contains(&part.len()) {
            return false;
        } else {
            held += 1;
        }
    }
    open.is_none() || held > 0
}

/// Whether the tag is well formed, its language of two letters exists (ISO 639-1), and a region of
/// two letters is a country. Languages of three letters are not looked up.
pub(super) fn is_tag(tag: &str) -> bool {
    if !tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return false;
    }
    if let Some(private) = tag.strip_prefix("x-").or_else(|| tag.strip_prefix("X-")) {
        return private.split('-').all(|part| (1..=8).contains(&part.len()));
    }
    let Some(read) = read(tag) else { return false };
    let primary = read.language;
    let known = match primary.len() {
        2 => language(&primary.to_ascii_lowercase()).is_some(),
        3 => letters(primary),
        _ => primary.eq_ignore_ascii_case("i") && !read.variants.is_empty(),
    };
    let region = read
        .region
        .is_none_or(|region| region.len() == 3 || country(&region.to_ascii_uppercase()).is_some());
    known && region
}

/// The language's English name, with the region where there is one.
pub(super) fn display(tag: &str) -> Option<String> {
    let read = read(tag)?;
    let name = language(&read.language.to_ascii_lowercase())?;
    let region = read
        .region
        .map(|region| country(&region.to_ascii_uppercase()).unwrap_or(region).to_owned());
    let more: Vec<_> = read.script.map(str::to_owned).into_iter().chain(region).collect();
    if more.is_empty() {
        return Some(name.to_owned());
    }
    Some(format!("{name} ({})", more.join(", ")))
}
