//! The definitions that are part of the program: every CodeSystem, ValueSet and ConceptMap of the
//! package `hl7.fhir.r4.core`, without narrative.
//!
//! The pack is `CTP1`, a length (u32, little endian) and a JSON index compressed with zstd, and
//! then blocks, each the JSON lines of neighbouring resources compressed together. Opening it reads
//! the index alone; a block is decoded when one of its resources is asked for.

use std::sync::OnceLock;

use fhir::json::{Document, Value, quote};

use crate::layer::{Also, Kind, Layer};

static PACK: &[u8] = include_bytes!("../definitions/r4.pack.zst");
const MAGIC: &[u8; 4] = b"CTP1";
const LEVEL: i32 = 19;
/// A block is closed when it is longer than this.
const BLOCK_BYTES: usize = 128 << 10;
const MAX_BLOCK_BYTES: usize = 16 << 20;

/// The embedded definitions; opened at first use.
pub fn embedded() -> &'static std::sync::Arc<Layer> {
    static LAYER: OnceLock<std::sync::Arc<Layer>> = OnceLock::new();
    LAYER.get_or_init(|| std::sync::Arc::new(Pack::open(PACK).map(Pack::layer).unwrap_or_default()))
}

/// An opened pack.
#[derive(Debug)]
pub struct Pack {
    bytes: &'static [u8],
    rows: Vec<IndexRow>,
    /// Where each block starts and ends in `bytes`.
    blocks: Vec<(usize, usize)>,
}

#[derive(Debug)]
struct IndexRow {
    kind: Kind,
    url: Box<str>,
    version: Box<str>,
    /// `CodeSystem.valueSet`, or `+` and the code system that is supplemented.
    also: Box<str>,
    place: Place,
}

/// Where a resource is: block, line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    block: u32,
    line: u32,
}

impl Pack {
    fn open(bytes: &'static [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (length, rest) = rest.split_at_checked(4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let (index, blocks) = rest.split_at_checked(length)?;
        let index = zstd::decode_all(index).ok()?;
        let document = Document::parse_bytes(index).ok()?;
        let number = |value: Value<'_>| value.as_number().and_then(|n| n.parse::<usize>().ok());
        let mut at = bytes.len() - blocks.len();
        let mut places = Vec::new();
        for length in document.root().get("blocks")?.items() {
            let end = at + number(length)?;
            places.push((at, end));
            at = end;
        }
        let mut rows = Vec::new();
        for row in document.root().get("rows")?.items() {
            let fields: Vec<_> = row.items().collect();
            let text = |at: usize| fields.get(at)?.as_str().map(|text| Box::from(&*text));
            let place = |at: usize| number(*fields.get(at)?).and_then(|n| u32::try_from(n).ok());
            rows.push(IndexRow {
                kind: Kind::read(&fields.first()?.as_str()?)?,
                url: text(1)?,
                version: text(2)?,
                also: text(3)?,
                place: Place { block: place(4)?, line: place(5)? },
            });
        }
        Some(Self { bytes, rows, blocks: places })
    }

    fn layer(mut self) -> Layer {
        let mut layer = Layer::default();
        for row in std::mem::take(&mut self.rows) {
            let also = match row.also.strip_prefix('+') {
                Some(base) => Also::Supplements(base),
                None if row.also.is_empty() => Also::Nothing,
                None => Also::ValueSet(&row.also),
            };
            layer.declare(row.kind, &row.url, &row.version, also, row.place);
        }
        layer.with_pack(self)
    }

    /// The resource at a place.
    pub(crate) fn resource(&self, place: Place) -> Option<Document> {
        let (start, end) = *self.blocks.get(place.block as usize)?;
        let packed = self.bytes.get(start..end)?;
        let text = zstd::decode_all(packed).ok().filter(|text| text.len() <= MAX_BLOCK_BYTES)?;
        let line = text.split(|byte| *byte == b'\n').nth(place.line as usize)?;
        Document::parse_bytes(line.to_vec()).ok()
    }
}

/// Writes a pack. `resources` are JSON texts without line breaks, each one resource, in the order
/// in which they are to be found; of two with the same address and version the first wins.
pub fn write(resources: &[String]) -> std::io::Result<Vec<u8>> {
    let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    let (mut rows, mut blocks, mut open) = (Vec::new(), Vec::new(), String::new());
    let mut line = 0;
    for text in resources {
        let document =
            Document::parse(text.as_str()).map_err(|error| invalid(&error.to_string()))?;
        let root = document.root();
        let part = |name| root.str_at(name).unwrap_or_default();
        let kind = part("resourceType");
        let also = match root.str_at("supplements") {
            Some(base) => format!("+{base}"),
            None => part("valueSet").into_owned(),
        };
        let fields = [&*kind, &part("url"), &part("version"), &also];
        if Kind::read(&kind).is_none() || text.contains('\n') {
            return Err(invalid("a resource that does not belong into the pack"));
        }
        if open.len() > BLOCK_BYTES {
            blocks.push(zstd::encode_all(open.as_bytes(), LEVEL)?);
            open.clear();
            line = 0;
        }
        rows.push(format!("[{},{},{line}]", fields.map(quote).join(","), blocks.len()));
        open.push_str(text);
        open.push('\n');
        line += 1;
    }
    blocks.push(zstd::encode_all(open.as_bytes(), LEVEL)?);
    let lengths: Vec<_> = blocks.iter().map(|block| block.len().to_string()).collect();
    let (lengths, rows) = (lengths.join(","), rows.join(","));
    let index = format!("{{\"blocks\":[{lengths}],\"rows\":[{rows}]}}");
    let index = zstd::encode_all(index.as_bytes(), LEVEL)?;
    let mut out = MAGIC.to_vec();
    let length = u32::try_from(index.len()).map_err(|_| invalid("the index is too long"))?;
    out.extend(length.to_le_bytes());
    out.extend(index);
    blocks.iter().for_each(|block| out.extend(block));
    Ok(out)
}
