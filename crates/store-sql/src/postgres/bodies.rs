//! Compressed texts (RFC 8878).

use zstd::bulk::{Compressor, Decompressor};

use super::fault::Fault;

/// Compression level; higher ones cost far more time than they save space here.
const LEVEL: i32 = 3;

/// Compresses.
pub(super) struct Packer(Compressor<'static>);

impl Packer {
    pub(super) fn new() -> Result<Self, Fault> {
        let fault = |_| Fault::failed("the compressor cannot be made");
        Ok(Self(Compressor::new(LEVEL).map_err(fault)?))
    }

    pub(super) fn pack(&mut self, text: &str) -> Result<Vec<u8>, Fault> {
        let fault = |_| Fault::Corrupt("a text could not be compressed");
        self.0.compress(text.as_bytes()).map_err(fault)
    }
}

/// The text of a stored body.
pub(super) fn unpack(body: &[u8]) -> Result<String, Fault> {
    let fault = || Fault::Corrupt("a text cannot be decompressed");
    let size = match zstd::zstd_safe::get_frame_content_size(body) {
        Ok(Some(size)) => usize::try_from(size).ok(),
        _ => None,
    };
    let size = size.filter(|size| *size <= fhir::json::MAX_BYTES * 2).ok_or_else(fault)?;
    let mut unpacker = Decompressor::new().map_err(|_| fault())?;
    let text = unpacker.decompress(body, size).map_err(|_| fault())?;
    String::from_utf8(text).map_err(|_| fault())
}
