//! Documents, with their text where it is inline and plain.

use std::cmp::Reverse;
use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fhir::Value;

use super::row::{Origins, moment};
use super::{Document, Fused, Section};
use crate::entry::Entry;
use crate::fact::{Kind, attachments};
use crate::read::{cut, text_of};

/// Documents of the section.
const MAX_DOCUMENTS: usize = 200;
/// Characters of text of one document.
const MAX_TEXT: usize = 20_000;

/// Content that some DocumentReference has, by source: a report that only repeats it is not shown
/// a second time.
pub(crate) struct Texts(HashSet<(usize, usize, u64)>);

impl Texts {
    pub fn of(facts: &[Fused<'_, '_>]) -> Self {
        let mut known = HashSet::new();
        for entry in facts.iter().flat_map(|fact| &fact.members) {
            if entry.fact.kind == Kind::Document {
                let contents = entry.fact.contents.iter().filter_map(|content| content.data);
                known.extend(contents.map(|(length, hash)| (entry.source, length, hash)));
            }
        }
        Self(known)
    }

    fn repeats(&self, entry: &Entry<'_>) -> bool {
        let contents = entry.fact.contents.iter().filter_map(|content| content.data);
        let mut known =
            contents.map(|(length, hash)| self.0.contains(&(entry.source, length, hash)));
        known.any(|known| known)
    }
}

/// Documents, newest first.
pub(crate) fn section(
    facts: &[Fused<'_, '_>],
    texts: &Texts,
    origins: &Origins<'_>,
) -> Section<Document> {
    let wanted = |fact: &&Fused<'_, '_>| match fact.kind() {
        Kind::Document => true,
        Kind::Report => !fact.lead.fact.contents.is_empty() && !texts.repeats(fact.lead),
        _ => false,
    };
    let mut found: Vec<&Fused<'_, '_>> = facts.iter().filter(wanted).collect();
    found.sort_by_key(|fact| {
        let error = fact.lead.fact.is_retracted();
        (error, Reverse(fact.start_ms()), fact.lead.source, fact.lead.id)
    });
    let total = found.len();
    let first = found.iter().take(MAX_DOCUMENTS);
    Section { rows: first.filter_map(|fact| document(fact, origins)).collect(), total }
}

fn document(fact: &Fused<'_, '_>, origins: &Origins<'_>) -> Option<Document> {
    let lead = fact.lead;
    let root = origins.resource(lead)?.root();
    let plain = attachments(root).find_map(plain_text);
    let content_type = attachments(root).find_map(|one| text_of(one.str_at("contentType")));
    let title = || attachments(root).find_map(|one| text_of(one.str_at("title")));
    let title = match lead.concept.is_empty() {
        true => text_of(root.str_at("description")).or_else(title),
        false => Some(lead.concept.label()),
    };
    let author = ["author", "performer"].iter().find_map(|name| {
        let people = root.get(name).into_iter().flat_map(Value::each);
        people.take(5).find_map(|person| text_of(person.str_at("display")))
    });
    let (text, is_cut) = plain.map_or((None, false), |(text, is_cut)| (Some(text), is_cut));
    Some(Document {
        type_name: lead.type_name.to_owned(),
        title: title.unwrap_or_else(|| lead.type_name.to_owned()),
        status: lead.fact.status.clone(),
        date: moment(lead.fact.start.as_ref()),
        author,
        content_type,
        text,
        is_cut,
        origin: origins.origin(&fact.members),
    })
}

/// Decodes inline `text/plain` data; as much of it as is shown.
fn plain_text(attachment: Value<'_>) -> Option<(String, bool)> {
    let media = attachment.str_at("contentType")?;
    let media = media.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("text/plain") {
        return None;
    }
    let data = attachment.str_at("data")?;
    let compact: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    // A character takes at most four bytes, four digits of base64 carry three.
    let most = MAX_TEXT * 4 / 3 * 4 + 4;
    let shortened = compact.get(..most).unwrap_or(&compact);
    let bytes = STANDARD.decode(shortened).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let (text, is_cut) = cut(text.trim(), MAX_TEXT);
    Some((text, is_cut || shortened.len() < compact.len()))
}
