//! Sealed files of any length: AES-256-GCM in pieces (the STREAM construction of Hoang,
//! Reyhanitabar, Rogaway and Vizár, CRYPTO 2015), so that a file is read as it is opened and one that
//! is cut short, reordered or spliced with another is known.
//!
//! ```text
//! header  "CONSEAL1", number of the key (u32), file key sealed under that key (61 bytes)
//! piece   64 KiB of the content, and its tag; the last one is shorter and may be empty
//! ```
//!
//! Each file has a random key of its own, so a piece's nonce can be its number: 7 bytes of zeros, the
//! number (u32, big-endian), and 1 for the last piece, else 0. The header is authenticated with every
//! piece. A file holds at most 2^32 pieces (256 TiB).

use std::io::{self, Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::aead::AeadKey;
use crate::{CryptoError, Random};

const MAGIC: &[u8; 8] = b"CONSEAL1";
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;
/// Version byte, nonce, key and tag of [`AeadKey::seal`].
const WRAPPED: usize = 1 + 12 + 32 + TAG;
/// Bytes before the first piece.
const HEADER: usize = MAGIC.len() + 4 + WRAPPED;
const CONTEXT: &[u8] = b"consilium file key";

/// Whether a file that begins with these bytes is a sealed one.
pub fn is_sealed(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

fn piece_key(bytes: &[u8]) -> Result<LessSafeKey, CryptoError> {
    let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| CryptoError::Library)?;
    Ok(LessSafeKey::new(key))
}

fn nonce(number: u32, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    let (_, end) = bytes.split_at_mut(7);
    for (to, from) in end.iter_mut().zip(number.to_be_bytes().into_iter().chain([last.into()])) {
        *to = from;
    }
    Nonce::assume_unique_for_key(bytes)
}

fn broken(error: CryptoError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Seals what is written to it. Nothing is whole before [`Sealer::finish`].
pub struct Sealer<W: Write> {
    out: W,
    key: LessSafeKey,
    header: Vec<u8>,
    piece: Zeroizing<Vec<u8>>,
    number: u32,
}

impl<W: Write> Sealer<W> {
    /// Begins a file under the key with this number.
    pub fn new(
        mut out: W,
        (number, key): (u32, &AeadKey),
        random: &dyn Random,
    ) -> io::Result<Self> {
        let mut own = Zeroizing::new([0; 32]);
        random.fill(&mut *own).map_err(|e| broken(e.into()))?;
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&number.to_be_bytes());
        header.extend(key.seal(CONTEXT, &*own, random).map_err(broken)?);
        out.write_all(&header)?;
        let key = piece_key(&*own).map_err(broken)?;
        Ok(Self { out, key, header, piece: Zeroizing::new(Vec::with_capacity(PIECE)), number: 0 })
    }

    fn end_piece(&mut self, last: bool) -> io::Result<()> {
        let aad = Aad::from(self.header.as_slice());
        let nonce = nonce(self.number, last);
        let tag = self.key.seal_in_place_separate_tag(nonce, aad, &mut self.piece);
        self.out.write_all(&self.piece)?;
        self.out.write_all(tag.map_err(|_| broken(CryptoError::Library))?.as_ref())?;
        self.piece.clear();
        self.number = self.number.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.end_piece(true)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE {
            self.end_piece(false)?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // A piece that is begun is not sealed before it is full.
        self.out.flush()
    }
}

/// Opens a sealed file while it is read. What was read is authentic; that nothing is missing is
/// known when the end was reached.
pub struct Opener<R: Read> {
    input: R,
    key: LessSafeKey,
    header: Vec<u8>,
    /// What the input gave beyond the piece that is open: at most one byte more than a piece.
    ahead: Vec<u8>,
    piece: Zeroizing<Vec<u8>>,
    at: usize,
    number: u32,
    ended: bool,
}

impl<R: Read> Opener<R> {
    /// Begins to read. `key_of` gives the key with a number.
    ///
    /// Errors: `InvalidData` where it is not a sealed file, or the key is not there or another one.
    pub fn new(mut input: R, key_of: impl FnOnce(u32) -> Option<AeadKey>) -> io::Result<Self> {
        let mut header = vec![0; HEADER];
        input.read_exact(&mut header)?;
        let sealed = || broken(CryptoError::Sealed);
        let rest = header.strip_prefix(MAGIC.as_slice()).ok_or_else(sealed)?;
        let (number, wrapped) = rest.split_first_chunk::<4>().ok_or_else(sealed)?;
        let key = key_of(u32::from_be_bytes(*number)).ok_or_else(sealed)?;
        let own = key.open(CONTEXT, wrapped).map_err(broken)?;
        let key = piece_key(&own).map_err(broken)?;
        let piece = Zeroizing::default();
        Ok(Self { input, key, header, ahead: Vec::new(), piece, at: 0, number: 0, ended: false })
    }

    fn next_piece(&mut self) -> io::Result<()> {
        let mut sealed = std::mem::take(&mut self.ahead);
        let wanted = (PIECE + TAG + 1 - sealed.len()) as u64;
        self.input.by_ref().take(wanted).read_to_end(&mut sealed)?;
        // One byte more than a piece means that another one follows.
        let last = sealed.len() <= PIECE + TAG;
        if !last {
            self.ahead = sealed.split_off(PIECE + TAG);
        }
        let aad = Aad::from(self.header.as_slice());
        let opened = self.key.open_in_place(nonce(self.number, last), aad, &mut sealed);
        let length = opened.map_err(|_| broken(CryptoError::Sealed))?.len();
        sealed.truncate(length);
        self.piece = Zeroizing::new(sealed);
        self.at = 0;
        self.ended = last;
        self.number = self.number.checked_add(1).ok_or(io::ErrorKind::InvalidData)?;
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            if self.ended {
                return Ok(0);
            }
            self.next_piece()?;
        }
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let taken = rest.len().min(into.len());
        for (to, from) in into.iter_mut().zip(rest) {
            *to = *from;
        }
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandom;

    fn key(_: u32) -> Option<AeadKey> {
        AeadKey::new(&[7; 32]).ok()
    }

    fn sealed(content: &[u8]) -> Vec<u8> {
        let key = key(0).unwrap();
        let mut sealer = Sealer::new(Vec::new(), (5, &key), &SystemRandom).unwrap();
        sealer.write_all(content).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(sealed: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Opener::new(sealed, key)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn files_of_every_length_come_back() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 17] {
            let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let file = sealed(&content);
            assert!(is_sealed(&file));
            assert_eq!(opened(&file).unwrap(), content, "{length}");
        }
    }

    #[test]
    fn what_is_cut_short_reordered_or_changed_is_known() {
        let content: Vec<u8> = (0..3 * PIECE + 17).map(|at| (at / PIECE) as u8).collect();
        let file = sealed(&content);
        let whole = PIECE + TAG;
        for cut in [10, HEADER, HEADER + whole, HEADER + 2 * whole, file.len() - 1] {
            assert!(opened(&file[..cut]).is_err(), "cut at {cut}");
        }
        for at in [0, 9, 20, HEADER, HEADER + whole + 5, file.len() - 1] {
            let mut changed = file.clone();
            changed[at] ^= 1;
            // The number of a key is only a hint here: the header is authenticated all the same.
            assert!(opened(&changed).is_err(), "byte {at}");
        }
        let mut swapped = file.clone();
        let (first, second) = (HEADER..HEADER + whole, HEADER + whole..HEADER + 2 * whole);
        swapped[first.clone()].copy_from_slice(&file[second.clone()]);
        swapped[second].copy_from_slice(&file[first]);
        assert!(opened(&swapped).is_err());
        let mut longer = file;
        longer.push(0);
        assert!(opened(&longer).is_err());
    }
}
