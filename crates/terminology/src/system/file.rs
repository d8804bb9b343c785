//! A code system as a file: what `consilium terminology load` leaves in the node's data folder.
//!
//! `CTS1`, then length-prefixed sections (u32, little endian) compressed with zstd: a JSON head,
//! the text, the ends, the flags, the links child → parent; then the number of detail blocks and
//! each block as it is in memory.

use fhir::json::{Document, Value, quote};

use super::build::table;
use super::cold::Cold;
use super::{CodeSystem, Content, Head, Index, Property};
use crate::text::{boxed, shared};

const MAGIC: &[u8; 4] = b"CTS1";
const LEVEL: i32 = 6;
/// The longest section: what four bytes can point into.
const MAX_SECTION: usize = u32::MAX as usize;

/// Why a file is not a code system of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the code system file is damaged ({0}); load the terminology again")]
pub struct DamagedFile(&'static str);

impl CodeSystem {
    /// The file's content.
    pub fn to_bytes(&self) -> std::io::Result<Vec<u8>> {
        let mut out = MAGIC.to_vec();
        let mut section = |bytes: &[u8]| -> std::io::Result<()> {
            let packed = zstd::bulk::compress(bytes, LEVEL)?;
            length(&mut out, bytes.len())?;
            length(&mut out, packed.len())?;
            out.extend(packed);
            Ok(())
        };
        section(head_json(&self.head).as_bytes())?;
        section(self.text.as_bytes())?;
        section(&numbers(self.ends.iter().copied()))?;
        section(&self.flags)?;
        let links = (0u32..).zip(&self.flags).flat_map(|(child, _)| {
            self.parents.of(super::Concept(child)).iter().flat_map(move |&parent| [child, parent])
        });
        section(&numbers(links))?;
        length(&mut out, self.cold.blocks.len())?;
        for block in &self.cold.blocks {
            length(&mut out, block.len())?;
            out.extend_from_slice(block);
        }
        Ok(out)
    }

    /// Whether these bytes open like a file of [`CodeSystem::to_bytes`].
    pub fn is_file(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Reads a file's content back.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedFile> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(DamagedFile("not a code system"))?;
        let mut reader = Reader { rest };
        let head = String::from_utf8(reader.section()?).map_err(|_| DamagedFile("head"))?;
        let head = read_head(&head).ok_or(DamagedFile("head"))?;
        let text = String::from_utf8(reader.section()?).map_err(|_| DamagedFile("text"))?;
        let ends = reader.numbers()?;
        let flags = reader.section()?;
        let links = reader.numbers()?;
        let mut blocks = Vec::new();
        for _ in 0..reader.length()? {
            let length = reader.length()?;
            blocks.push(reader.take(length)?.into());
        }
        let ordered = ends.is_sorted() && ends.last().is_none_or(|end| *end as usize <= text.len());
        if !ordered || ends.len() != flags.len() * 2 || links.len() % 2 != 0 {
            return Err(DamagedFile("tables"));
        }
        let edges = links.chunks_exact(2).filter_map(|pair| {
            let (&child, &parent) = pair.first().zip(pair.get(1))?;
            ((child as usize) < flags.len() && (parent as usize) < flags.len())
                .then_some((child, parent))
        });
        let mut system = Self {
            head,
            text: text.into(),
            ends: ends.into(),
            index: Index::build(0, |_| ""),
            parents: table(flags.len(), edges.clone()),
            children: table(flags.len(), edges.map(|(child, parent)| (parent, child))),
            flags: flags.into(),
            cold: Cold { blocks },
        };
        system.index = Index::build(system.len(), |concept| system.code(concept));
        Ok(system)
    }
}

fn length(out: &mut Vec<u8>, length: usize) -> std::io::Result<()> {
    let length = u32::try_from(length).map_err(|_| {
        std::io::Error::new(std::io::ErrorKind::FileTooLarge, "a section is beyond 4 GiB")
    })?;
    out.extend(length.to_le_bytes());
    Ok(())
}

fn numbers(list: impl Iterator<Item = u32>) -> Vec<u8> {
    list.flat_map(u32::to_le_bytes).collect()
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DamagedFile> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DamagedFile("too short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn length(&mut self) -> Result<usize, DamagedFile> {
        let bytes = self.take(4)?.try_into().map_err(|_| DamagedFile("too short"))?;
        Ok(u32::from_le_bytes(bytes) as usize)
    }

    fn section(&mut self) -> Result<Vec<u8>, DamagedFile> {
        let (plain, packed) = (self.length()?, self.length()?);
        let packed = self.take(packed)?;
        // What zstd can say in a byte is limited, so a short file cannot ask for much memory.
        if plain > MAX_SECTION.min(packed.len().saturating_mul(40_000)) {
            return Err(DamagedFile("a length"));
        }
        let bytes = zstd::bulk::decompress(packed, plain).map_err(|_| DamagedFile("a section"))?;
        if bytes.len() == plain { Ok(bytes) } else { Err(DamagedFile("a section's length")) }
    }

    fn numbers(&mut self) -> Result<Vec<u32>, DamagedFile> {
        let bytes = self.section()?;
        let number = |four: &[u8]| four.try_into().ok().map(u32::from_le_bytes);
        bytes.chunks(4).map(|four| number(four).ok_or(DamagedFile("a number"))).collect()
    }
}

fn head_json(head: &Head) -> String {
    let mut out = format!("{{\"url\":{},\"name\":{}", quote(&head.url), quote(&head.name));
    let texts = [
        ("version", head.version.as_deref()),
        ("title", head.title.as_deref()),
        ("status", Some(&*head.status)),
        ("language", head.language.as_deref()),
        ("valueSet", head.value_set.as_deref()),
        ("supplements", head.supplements.as_deref()),
        ("content", Some(head.content.code())),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            out += &format!(",{}:{}", quote(name), quote(text));
        }
    }
    out += &format!(
        ",\"caseSensitive\":{},\"subsumes\":{},\"compositional\":{},\"property\":[",
        head.case_sensitive, head.subsumes, head.compositional
    );
    let properties = head.properties.iter().map(|property| {
        let description = property.description.as_deref().unwrap_or_default();
        let fields = [&*property.code, &*property.kind, description];
        format!("[{}]", fields.map(quote).join(","))
    });
    out += &properties.collect::<Vec<_>>().join(",");
    out + "]}"
}

fn read_head(text: &str) -> Option<Head> {
    let document = Document::parse(text).ok()?;
    let root = document.root();
    let flag = |name| root.get(name).and_then(Value::as_bool);
    let property = |row: Value<'_>| {
        let mut fields = row.items().map(|field| field.as_str().map(|text| Box::from(&*text)));
        Some(Property {
            code: fields.next()??,
            kind: fields.next()??,
            description: fields.next()?.filter(|text| !text.is_empty()),
        })
    };
    Some(Head {
        url: shared(root, "url")?,
        version: shared(root, "version"),
        name: boxed(root, "name")?,
        title: boxed(root, "title"),
        status: boxed(root, "status")?,
        language: boxed(root, "language"),
        case_sensitive: flag("caseSensitive")?,
        content: Content::read(&root.str_at("content")?),
        value_set: boxed(root, "valueSet"),
        supplements: boxed(root, "supplements"),
        subsumes: flag("subsumes")?,
        compositional: flag("compositional")?,
        properties: root.get("property")?.items().filter_map(property).collect(),
    })
}
