//! What is known of concepts beyond code and display, in compressed blocks.
//!
//! A record is one line of JSON without line breaks: `{"f":definition,"d":[[language, use system,
//! use code, use display, value]…],"p":[[code, type, value]…]}`, or an empty line. A block is the
//! lines of [`BLOCK`] concepts, compressed with zstd.

use std::io::Read;

use fhir::json::{Document, Value, quote};

use super::Concept;

/// Concepts in a block.
const BLOCK: usize = 64;
const LEVEL: i32 = 3;
/// The longest block that is decoded: a damaged file must not fill the memory.
const MAX_BLOCK_BYTES: u64 = 64 << 20;

/// Another name of a concept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Designation {
    /// BCP-47 language.
    pub language: Option<String>,
    /// Coding of its use: system, code, display.
    pub usage: Option<(String, String, String)>,
    /// The name.
    pub value: String,
}

/// A property of a concept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyValue {
    /// The property's code.
    pub code: String,
    /// The type as in `value[x]`: `Code`, `String`, `Coding`, `Boolean`, `Integer`, `Decimal` or
    /// `DateTime`.
    pub kind: String,
    /// The value as JSON text.
    pub json: String,
}

impl PropertyValue {
    /// A property whose value is text: of kind `Code`, `String` or `DateTime`.
    pub fn text(code: &str, kind: &str, value: &str) -> Self {
        Self { code: code.into(), kind: kind.into(), json: quote(value) }
    }

    /// The value as filters compare it: the text, or the code of a Coding.
    pub fn comparable(&self) -> String {
        let Ok(document) = Document::parse(self.json.as_str()) else { return String::new() };
        let root = document.root();
        let text = root.str_at("code").or_else(|| root.as_str());
        text.map_or_else(|| self.json.clone(), std::borrow::Cow::into_owned)
    }
}

/// Everything about a concept that is seldom asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// What the concept means.
    pub definition: Option<String>,
    /// Other names.
    pub designations: Vec<Designation>,
    /// Properties, without parents and children, which the hierarchy has.
    pub properties: Vec<PropertyValue>,
}

impl Details {
    /// Values of a property.
    pub fn property<'a>(&'a self, code: &'a str) -> impl Iterator<Item = &'a PropertyValue> {
        self.properties.iter().filter(move |property| property.code == code)
    }

    pub(super) fn line(&self) -> String {
        if self == &Self::default() {
            return String::new();
        }
        let mut parts = Vec::new();
        if let Some(definition) = &self.definition {
            parts.push(format!("\"f\":{}", quote(definition)));
        }
        let designations = self.designations.iter().map(|d| {
            let (system, code, display) = d.usage.clone().unwrap_or_default();
            let language = d.language.as_deref().unwrap_or_default();
            let fields = [language, &system, &code, &display, &d.value];
            format!("[{}]", fields.map(quote).join(","))
        });
        let designations: Vec<_> = designations.collect();
        if !designations.is_empty() {
            parts.push(format!("\"d\":[{}]", designations.join(",")));
        }
        let properties = self.properties.iter().map(|p| {
            // Raw JSON of a resource may be written over several lines.
            let json = p.json.replace(['\n', '\r'], " ");
            format!("[{},{},{json}]", quote(&p.code), quote(&p.kind))
        });
        let properties: Vec<_> = properties.collect();
        if !properties.is_empty() {
            parts.push(format!("\"p\":[{}]", properties.join(",")));
        }
        format!("{{{}}}", parts.join(","))
    }

    fn read(line: &str) -> Self {
        if line.is_empty() {
            return Self::default();
        }
        let Ok(document) = Document::parse(line) else { return Self::default() };
        let root = document.root();
        let text = |value: Value<'_>| value.as_str().map(std::borrow::Cow::into_owned);
        let rows = |name| root.get(name).into_iter().flat_map(Value::items);
        let designation = |row: Value<'_>| {
            let mut fields = row.items().map(|field| text(field).unwrap_or_default());
            let language = fields.next().filter(|language| !language.is_empty());
            let usage = (fields.next()?, fields.next()?, fields.next()?);
            let usage = Some(usage).filter(|usage| !usage.1.is_empty());
            Some(Designation { language, usage, value: fields.next()? })
        };
        let property = |row: Value<'_>| {
            let mut fields = row.items();
            Some(PropertyValue {
                code: text(fields.next()?)?,
                kind: text(fields.next()?)?,
                json: fields.next()?.raw().to_owned(),
            })
        };
        Self {
            definition: root.get("f").and_then(text),
            designations: rows("d").filter_map(designation).collect(),
            properties: rows("p").filter_map(property).collect(),
        }
    }
}

/// The blocks of a code system.
#[derive(Debug, Default)]
pub(super) struct Cold {
    pub(super) blocks: Vec<Box<[u8]>>,
}

impl Cold {
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.len() + size_of::<Box<[u8]>>()).sum()
    }

    fn decode(block: &[u8]) -> String {
        let mut text = String::new();
        let read = zstd::Decoder::new(block)
            .and_then(|decoder| decoder.take(MAX_BLOCK_BYTES).read_to_string(&mut text));
        // A damaged block loses what it says, not the codes.
        if read.is_err() { String::new() } else { text }
    }

    pub(super) fn get(&self, concept: Concept) -> Details {
        let at = concept.0 as usize;
        let Some(block) = self.blocks.get(at / BLOCK) else { return Details::default() };
        let text = Self::decode(block);
        text.split('\n').nth(at % BLOCK).map(Details::read).unwrap_or_default()
    }

    pub(super) fn each(&self, len: usize, mut visit: impl FnMut(Concept, Details)) {
        let mut at = 0;
        for block in &self.blocks {
            let text = Self::decode(block);
            for line in text.split('\n').take(BLOCK) {
                if at as usize >= len {
                    return;
                }
                visit(Concept(at), Details::read(line));
                at += 1;
            }
        }
    }
}

/// Puts lines together to blocks.
#[derive(Default)]
pub(super) struct ColdBuilder {
    blocks: Vec<Box<[u8]>>,
    open: String,
    lines: usize,
    any: bool,
}

impl ColdBuilder {
    pub(super) fn push(&mut self, details: &Details) {
        let line = details.line();
        self.any |= !line.is_empty();
        if self.lines > 0 {
            self.open.push('\n');
        }
        self.open.push_str(&line);
        self.lines += 1;
        if self.lines == BLOCK {
            self.close();
        }
    }

    fn close(&mut self) {
        // Compression into memory fails only for want of memory.
        let block = zstd::bulk::compress(self.open.as_bytes(), LEVEL).unwrap_or_default();
        self.blocks.push(block.into());
        self.open.clear();
        self.lines = 0;
    }

    pub(super) fn finish(mut self) -> Cold {
        if self.lines > 0 {
            self.close();
        }
        if self.any { Cold { blocks: self.blocks } } else { Cold::default() }
    }
}
