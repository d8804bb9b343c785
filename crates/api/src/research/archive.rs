//! Files in a ZIP archive, stored as they are (PKWARE APPNOTE 6.3.3, method 0), so that a crate is one
//! download.

use flate2::Crc;

/// The day of every entry, 1 January 1980: equal files give equal archives.
const DAY: u16 = 0x21;
/// Names are UTF-8.
const FLAGS: u16 = 0x0800;
/// The version that is needed to read it: 1.0.
const VERSION: u16 = 10;

/// An archive of these files; nothing where it would be larger than the format without its extension
/// for large files allows.
pub(super) fn zip(files: &[(String, Vec<u8>)]) -> Option<Vec<u8>> {
    let (mut out, mut listed) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let at = u32::try_from(out.len()).ok()?;
        let head = head(name, bytes)?;
        out.extend(0x0403_4b50_u32.to_le_bytes());
        out.extend(&head);
        out.extend(name.as_bytes());
        out.extend(bytes);
        listed.extend(0x0201_4b50_u32.to_le_bytes());
        listed.extend(VERSION.to_le_bytes());
        listed.extend(&head);
        // No comment, first disk, plain attributes.
        listed.extend([0; 10]);
        listed.extend(at.to_le_bytes());
        listed.extend(name.as_bytes());
    }
    let (from, size) = (u32::try_from(out.len()).ok()?, u32::try_from(listed.len()).ok()?);
    let count = u16::try_from(files.len()).ok()?;
    out.extend(listed);
    out.extend(0x0605_4b50_u32.to_le_bytes());
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(from.to_le_bytes());
    out.extend([0; 2]);
    Some(out)
}

/// What both headers of a file have in common.
fn head(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut crc = Crc::new();
    crc.update(bytes);
    let size = u32::try_from(bytes.len()).ok()?;
    let mut out = Vec::with_capacity(26);
    for word in [VERSION, FLAGS, 0, 0, DAY] {
        out.extend(word.to_le_bytes());
    }
    for word in [crc.sum(), size, size] {
        out.extend(word.to_le_bytes());
    }
    out.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
    out.extend([0; 2]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::zip;

    #[test]
    fn an_archive_lists_what_it_holds() {
        let files = [("a.txt".to_owned(), b"123456789".to_vec()), ("b/c".to_owned(), Vec::new())];
        let bytes = zip(&files).unwrap();
        assert_eq!(bytes, zip(&files).unwrap());
        // The check value of CRC-32 for these nine digits, in the local and in the central header.
        let crc = 0xcbf4_3926_u32.to_le_bytes();
        assert_eq!(bytes.windows(4).filter(|window| *window == crc).count(), 2);
        let end = &bytes[bytes.len() - 22..];
        assert_eq!(&end[..4], &[0x50, 0x4b, 5, 6]);
        assert_eq!(u16::from_le_bytes([end[10], end[11]]), 2);
        let from = u32::from_le_bytes([end[16], end[17], end[18], end[19]]) as usize;
        assert_eq!(&bytes[from..from + 4], &[0x50, 0x4b, 1, 2]);
    }
}
