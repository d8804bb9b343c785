//! Sealed files that grow and are read from any place: AES-256-GCM in frames.
//!
//! ```text
//! header  "CONFRAM1", file key sealed under another key for the file's name (61 bytes)
//! frame   word (u32, big-endian: length of the content, highest bit set in the last frame),
//!         nonce (12 bytes), content of at most 64 KiB, tag (16 bytes)
//! ```
//!
//! As in [`crate::stream`] each file has a random key of its own, and what is cut short, reordered or
//! spliced with another file is known: header, number and word of a frame are authenticated with
//! it, and only the last frame is marked as the last (STREAM; Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO
//! 2015). Other than there, a frame may be shorter and is never written again: whoever writes ends
//! one whenever what was written has to be on disk, so a file can be taken up again at each of these
//! places after a crash. A frame with the same number may then be written a second time, so a nonce
//! is not the number: it is 8 random bytes of each time that the file is taken up, and a counter. A frame
//! of an earlier time with the same number and content length can be put back by whoever writes
//! to the disk, as an older file can.

use std::io::{self, Read, Seek, SeekFrom, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::aead::AeadKey;
use crate::{CryptoError, Random};

const MAGIC: &[u8; 8] = b"CONFRAM1";
/// Most bytes of content in a frame.
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;
const NONCE: usize = 12;
/// Bytes of a frame before its content.
const START: usize = 4 + NONCE;
/// Version byte, nonce, key and tag of [`AeadKey::seal`].
const WRAPPED: usize = 1 + 12 + 32 + TAG;
const HEADER: usize = MAGIC.len() + WRAPPED;
/// Marks the last frame.
const LAST: u32 = 1 << 31;

fn broken(error: CryptoError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn sealed() -> io::Error {
    broken(CryptoError::Sealed)
}

/// The context under which the key of a file with this name is sealed.
fn context(name: &str) -> Vec<u8> {
    [b"consilium frames ", name.as_bytes()].concat()
}

/// What seals and opens the frames of one file.
struct Cipher {
    key: LessSafeKey,
    header: Vec<u8>,
}

impl Cipher {
    fn of(own: &[u8], header: Vec<u8>) -> io::Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, own).map_err(|_| broken(CryptoError::Library))?;
        Ok(Self { key: LessSafeKey::new(key), header })
    }

    fn generate(under: &AeadKey, name: &str, random: &dyn Random) -> io::Result<Self> {
        let mut own = Zeroizing::new([0; 32]);
        random.fill(&mut *own).map_err(|e| broken(e.into()))?;
        let wrapped = under.seal(&context(name), &*own, random).map_err(broken)?;
        Self::of(&*own, [MAGIC.as_slice(), &wrapped].concat())
    }

    fn read(input: &mut dyn Read, under: &AeadKey, name: &str) -> io::Result<Self> {
        let mut header = vec![0; HEADER];
        input.read_exact(&mut header).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => sealed(),
            _ => error,
        })?;
        let wrapped = header.strip_prefix(MAGIC.as_slice()).ok_or_else(sealed)?;
        let own = under.open(&context(name), wrapped).map_err(broken)?;
        Self::of(&own, header)
    }

    fn bound(&self, number: u64, word: u32) -> Aad<Vec<u8>> {
        Aad::from([self.header.as_slice(), &number.to_be_bytes(), &word.to_be_bytes()].concat())
    }
}

/// Where a frame is in its file.
#[derive(Clone, Copy)]
struct Frame {
    /// Its first byte in the file.
    position: u64,
    /// The first byte of its content among the content of all.
    start: u64,
    word: u32,
}

impl Frame {
    fn length(self) -> u64 {
        u64::from(self.word & !LAST)
    }

    fn is_last(self) -> bool {
        self.word & LAST != 0
    }

    /// The first byte behind it in the file.
    fn end(self) -> u64 {
        self.position + START as u64 + self.length() + TAG as u64
    }
}

/// The frames that a file has whole. What they say of themselves is not authenticated yet.
fn frames<R: Read + Seek>(input: &mut R) -> io::Result<(Vec<Frame>, u64)> {
    let total = input.seek(SeekFrom::End(0))?;
    let (mut found, mut position, mut start) = (Vec::new(), HEADER as u64, 0);
    while position + (START + TAG) as u64 <= total {
        let mut word = [0; 4];
        input.seek(SeekFrom::Start(position))?;
        input.read_exact(&mut word)?;
        let frame = Frame { position, start, word: u32::from_be_bytes(word) };
        // Only the last one may be empty, so there are not more frames than bytes.
        if frame.length() > PIECE as u64 || (frame.length() == 0 && !frame.is_last()) {
            return Err(sealed());
        }
        if frame.end() > total {
            break;
        }
        (position, start) = (frame.end(), start + frame.length());
        found.push(frame);
        if frame.is_last() {
            break;
        }
    }
    Ok((found, total))
}

/// Seals what is written to it. What was written is in the file after [`Write::flush`]; a file is
/// whole after [`Writer::finish`].
pub struct Writer<W: Write> {
    out: W,
    cipher: Cipher,
    piece: Zeroizing<Vec<u8>>,
    number: u64,
    time: [u8; 8],
    turn: u32,
}

impl<W: Write> Writer<W> {
    /// Begins a file with a name, sealed under a key.
    ///
    /// Errors: those of `out`, and `InvalidData` where there are no random bytes.
    pub fn create(
        mut out: W,
        under: &AeadKey,
        name: &str,
        random: &dyn Random,
    ) -> io::Result<Self> {
        let cipher = Cipher::generate(under, name, random)?;
        out.write_all(&cipher.header)?;
        Self::at(out, cipher, 0, random)
    }

    fn at(out: W, cipher: Cipher, number: u64, random: &dyn Random) -> io::Result<Self> {
        let mut time = [0; 8];
        random.fill(&mut time).map_err(|e| broken(e.into()))?;
        let piece = Zeroizing::new(Vec::with_capacity(PIECE));
        Ok(Self { out, cipher, piece, number, time, turn: 0 })
    }

    /// Where it writes to.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    fn end_frame(&mut self, last: bool) -> io::Result<()> {
        let length = u32::try_from(self.piece.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let word = if last { length | LAST } else { length };
        let mut nonce = [0; NONCE];
        for (to, from) in nonce.iter_mut().zip(self.time.into_iter().chain(self.turn.to_be_bytes()))
        {
            *to = from;
        }
        let bound = self.cipher.bound(self.number, word);
        let mut frame = Vec::with_capacity(START + self.piece.len() + TAG);
        frame.extend_from_slice(&word.to_be_bytes());
        frame.extend_from_slice(&nonce);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.cipher.key.seal_in_place_separate_tag(nonce, bound, &mut self.piece);
        frame.extend_from_slice(&self.piece);
        self.piece.clear();
        frame.extend_from_slice(tag.map_err(|_| broken(CryptoError::Library))?.as_ref());
        self.number += 1;
        self.turn = self.turn.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        self.out.write_all(&frame)
    }

    /// Ends the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.end_frame(true)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

impl<F: Read + Write + Seek> Writer<F> {
    /// Takes up a file again where it had `length` bytes of content, which must be where it was
    /// flushed. Returns also its length in bytes as it lies there: whatever is behind that must be cut off
    /// before anything is written.
    ///
    /// Errors: `InvalidData` where the file does not open, or was never flushed at that place.
    pub fn take_up(
        mut file: F,
        under: &AeadKey,
        name: &str,
        length: u64,
        random: &dyn Random,
    ) -> io::Result<(Self, u64)> {
        file.seek(SeekFrom::Start(0))?;
        let cipher = Cipher::read(&mut file, under, name)?;
        let (frames, _) = frames(&mut file)?;
        let kept = frames.partition_point(|frame| frame.start < length);
        let (end, reached) = match kept.checked_sub(1).and_then(|last| frames.get(last)) {
            Some(frame) if frame.is_last() => return Err(sealed()),
            Some(frame) => (frame.end(), frame.start + frame.length()),
            None => (HEADER as u64, 0),
        };
        if reached != length {
            return Err(sealed());
        }
        file.seek(SeekFrom::Start(end))?;
        Ok((Self::at(file, cipher, kept as u64, random)?, end))
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE {
            self.end_frame(false)?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.piece.is_empty() {
            self.end_frame(false)?;
        }
        self.out.flush()
    }
}

/// Opens a file while it is read, from any place. Every byte that it gives is authentic.
pub struct Reader<R> {
    input: R,
    cipher: Cipher,
    frames: Vec<Frame>,
    length: u64,
    /// The number of the frame that is open, and its content.
    open: Option<(usize, Zeroizing<Vec<u8>>)>,
    at: u64,
}

impl<R: Read + Seek> Reader<R> {
    /// Begins to read a finished file.
    ///
    /// Errors: `InvalidData` where it does not open under this key and name, or is cut short.
    pub fn open(input: R, under: &AeadKey, name: &str) -> io::Result<Self> {
        let (mut reader, total) = Self::begin(input, under, name)?;
        let last = reader.frames.len().checked_sub(1).ok_or_else(sealed)?;
        let frame = *reader.frames.get(last).ok_or_else(sealed)?;
        if !frame.is_last() || frame.end() != total {
            return Err(sealed());
        }
        // Only now it is known that the file ends here.
        reader.turn_to(last)?;
        reader.length = frame.start + frame.length();
        Ok(reader)
    }

    /// Begins to read the first `length` bytes of a file that need not be finished.
    ///
    /// Errors: `InvalidData` where it does not open under this key and name, or is shorter.
    pub fn open_part(input: R, under: &AeadKey, name: &str, length: u64) -> io::Result<Self> {
        let (mut reader, _) = Self::begin(input, under, name)?;
        let whole = reader.frames.last().map_or(0, |frame| frame.start + frame.length());
        if whole < length {
            return Err(sealed());
        }
        reader.length = length;
        Ok(reader)
    }

    fn begin(mut input: R, under: &AeadKey, name: &str) -> io::Result<(Self, u64)> {
        input.seek(SeekFrom::Start(0))?;
        let cipher = Cipher::read(&mut input, under, name)?;
        let (frames, total) = frames(&mut input)?;
        Ok((Self { input, cipher, frames, length: 0, open: None, at: 0 }, total))
    }

    /// Bytes of its content.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn turn_to(&mut self, number: usize) -> io::Result<()> {
        let frame = *self.frames.get(number).ok_or_else(sealed)?;
        let mut nonce = [0; NONCE];
        self.input.seek(SeekFrom::Start(frame.position + 4))?;
        self.input.read_exact(&mut nonce)?;
        let mut content = Zeroizing::new(vec![0; frame.length() as usize + TAG]);
        self.input.read_exact(&mut content)?;
        let bound = self.cipher.bound(number as u64, frame.word);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.cipher.key.open_in_place(nonce, bound, &mut content);
        let length = opened.map_err(|_| sealed())?.len();
        content.truncate(length);
        self.open = Some((number, content));
        Ok(())
    }
}

impl<R: Read + Seek> Read for Reader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.length || into.is_empty() {
            return Ok(0);
        }
        let number = self.frames.partition_point(|frame| frame.start <= self.at).saturating_sub(1);
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            self.turn_to(number)?;
        }
        let start = self.frames.get(number).map_or(0, |frame| frame.start);
        let content = self.open.as_ref().map_or(&[][..], |(_, content)| content.as_slice());
        let from = usize::try_from(self.at - start).unwrap_or(usize::MAX);
        let most = usize::try_from(self.length - self.at).unwrap_or(usize::MAX);
        let rest = content.get(from..).unwrap_or_default();
        let taken = rest.len().min(into.len()).min(most);
        for (to, from) in into.iter_mut().zip(rest.iter().take(taken)) {
            *to = *from;
        }
        self.at += taken as u64;
        Ok(taken)
    }
}

impl<R: Read + Seek> Seek for Reader<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests;
