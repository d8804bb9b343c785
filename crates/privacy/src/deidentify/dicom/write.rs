//! Writes a DICOM file (PS3.10 section 7): the preamble empty, the file's own attributes anew, sequences
//! and items with endings in place of lengths.

use super::read::{Content, Element, LONG};

/// Names the writer (PS3.7 annex D.3.3.2): made from a random UUID.
const IMPLEMENTATION: &[u8] = b"2.25.212693486102283148417803412583164803251";

/// A file that is being written.
pub(super) struct Writer {
    out: Vec<u8>,
    is_implicit: bool,
}

impl Writer {
    /// Nothing yet; `size` is about how many bytes there will be.
    pub(super) fn new(is_implicit: bool, size: usize) -> Self {
        Self { out: Vec::with_capacity(size), is_implicit }
    }

    /// Writes what precedes the data set.
    pub(super) fn start(&mut self, class: &[u8], instance: &[u8], transfer_syntax: &[u8]) {
        let mut own = Self { out: Vec::new(), is_implicit: false };
        let attributes: [(u32, &[u8; 2], &[u8]); 6] = [
            (0x0002_0001, b"OB", &[0, 1]),
            (0x0002_0002, b"UI", class),
            (0x0002_0003, b"UI", instance),
            (0x0002_0010, b"UI", transfer_syntax),
            (0x0002_0012, b"UI", IMPLEMENTATION),
            (0x0002_0013, b"SH", b"CONSILIUM "),
        ];
        for (tag, vr, bytes) in attributes {
            let mut bytes = bytes.to_vec();
            if bytes.len() % 2 == 1 {
                bytes.push(0);
            }
            own.element(&Element { tag, vr: *vr, content: Content::Bytes(&bytes) });
        }
        self.out.extend([0u8; 128]);
        self.out.extend(b"DICM");
        // The length of the file's own attributes, itself explicit.
        self.tag(0x0002_0000);
        self.out.extend(b"UL");
        self.out.extend(4u16.to_le_bytes());
        self.length(own.out.len());
        self.out.extend(own.out);
    }

    /// The file.
    pub(super) fn end(self) -> Vec<u8> {
        self.out
    }

    /// Writes an attribute as it is.
    pub(super) fn element(&mut self, element: &Element<'_>) {
        match &element.content {
            Content::Bytes(bytes) => {
                self.header(element.tag, element.vr, bytes.len());
                self.out.extend_from_slice(bytes);
            }
            Content::Items(items) => self.items(element.tag, |out| {
                for item in items {
                    out.item(|out| item.iter().for_each(|element| out.element(element)));
                }
            }),
            Content::Fragments(fragments) => {
                self.undefined(element.tag, element.vr);
                for fragment in fragments {
                    self.out.extend([0xFEu8, 0xFF, 0x00, 0xE0]);
                    self.length(fragment.len());
                    self.out.extend_from_slice(fragment);
                }
                self.ending([0xFE, 0xFF, 0xDD, 0xE0]);
            }
        }
    }

    /// Writes a sequence with what `inside` writes.
    pub(super) fn items(&mut self, tag: u32, inside: impl FnOnce(&mut Self)) {
        self.undefined(tag, *b"SQ");
        inside(self);
        self.ending([0xFE, 0xFF, 0xDD, 0xE0]);
    }

    /// Writes an item with what `inside` writes.
    pub(super) fn item(&mut self, inside: impl FnOnce(&mut Self)) {
        self.out.extend([0xFEu8, 0xFF, 0x00, 0xE0]);
        self.out.extend([0xFFu8; 4]);
        inside(self);
        self.ending([0xFE, 0xFF, 0x0D, 0xE0]);
    }

    fn header(&mut self, tag: u32, vr: [u8; 2], length: usize) {
        self.tag(tag);
        if self.is_implicit {
            return self.length(length);
        }
        match u16::try_from(length) {
            Ok(short) if !LONG.contains(&&vr) => {
                self.out.extend(vr);
                self.out.extend(short.to_le_bytes());
            }
            _ => {
                // What is too long for its representation is written as unknown (PS3.5 section 6.2.2).
                let vr = if LONG.contains(&&vr) { vr } else { *b"UN" };
                self.out.extend(vr);
                self.out.extend([0u8; 2]);
                self.length(length);
            }
        }
    }

    fn undefined(&mut self, tag: u32, vr: [u8; 2]) {
        self.tag(tag);
        if !self.is_implicit {
            self.out.extend(vr);
            self.out.extend([0u8; 2]);
        }
        self.out.extend([0xFFu8; 4]);
    }

    fn ending(&mut self, tag: [u8; 4]) {
        self.out.extend(tag);
        self.out.extend([0u8; 4]);
    }

    fn tag(&mut self, tag: u32) {
        self.out.extend(((tag >> 16) as u16).to_le_bytes());
        self.out.extend(((tag & 0xFFFF) as u16).to_le_bytes());
    }

    /// A length of what was itself part of a file of at most [`super::MAX_BYTES`].
    fn length(&mut self, length: usize) {
        self.out.extend(u32::try_from(length).unwrap_or_default().to_le_bytes());
    }
}
