//! Sealed files that grow: what comes back, from where, and what is refused.

use std::io::{Cursor, Read as _, Seek as _, SeekFrom, Write as _};

use super::*;
use crate::SystemRandom;

fn key() -> AeadKey {
    AeadKey::new(&[7; 32]).unwrap()
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn begun() -> Writer<Cursor<Vec<u8>>> {
    Writer::create(Cursor::default(), &key(), "a", &SystemRandom).unwrap()
}

fn sealed_file(content: &[u8]) -> Vec<u8> {
    let mut writer = begun();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

fn opened(file: &[u8], name: &str) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    Reader::open(Cursor::new(file), &key(), name)?.read_to_end(&mut out)?;
    Ok(out)
}

#[test]
fn files_of_every_length_come_back_under_their_name_only() {
    for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 17] {
        let file = sealed_file(&bytes(length));
        assert_eq!(opened(&file, "a").unwrap(), bytes(length), "{length}");
        assert!(opened(&file, "b").is_err(), "{length}");
        let other = AeadKey::new(&[8; 32]).unwrap();
        assert!(Reader::open(Cursor::new(file), &other, "a").is_err());
    }
}

#[test]
fn any_place_can_be_read_first() {
    let content = bytes(3 * PIECE + 17);
    let mut reader = Reader::open(Cursor::new(sealed_file(&content)), &key(), "a").unwrap();
    assert_eq!(reader.length(), content.len() as u64);
    for at in [3 * PIECE + 16, 2 * PIECE - 3, 0, PIECE, content.len(), content.len() + 9, 5] {
        reader.seek(SeekFrom::Start(at as u64)).unwrap();
        let mut found = vec![0; 10.min(content.len().saturating_sub(at))];
        reader.read_exact(&mut found).unwrap();
        assert_eq!(found, content.get(at..at + found.len()).unwrap_or_default(), "{at}");
    }
    assert_eq!(reader.read(&mut []).unwrap(), 0);
    assert_eq!(reader.seek(SeekFrom::End(-1)).unwrap(), content.len() as u64 - 1);
    assert!(reader.seek(SeekFrom::End(-1_000_000)).is_err());
}

#[test]
fn a_file_is_taken_up_where_it_was_flushed() {
    // Pieces written and flushed, then more that is lost; from each place the rest is written anew.
    let (content, ends) = (bytes(200_000), [0, 1, 500, PIECE + 500, 180_000, 200_000]);
    let mut writer = begun();
    for (from, to) in ends.iter().zip(&ends[1..]) {
        writer.write_all(&content[*from..*to]).unwrap();
        writer.flush().unwrap();
    }
    let unfinished = writer.get_ref().clone().into_inner();
    for file in [unfinished.clone(), writer.finish().unwrap().into_inner()] {
        for end in ends {
            let part = Reader::open_part(Cursor::new(&file), &key(), "a", end as u64);
            let mut found = Vec::new();
            part.unwrap().read_to_end(&mut found).unwrap();
            assert_eq!(found, &content[..end]);
            // With half of a frame behind it, too.
            for torn in [file.len(), file.len() - 3] {
                let torn = Cursor::new(file[..torn].to_vec());
                let taken = Writer::take_up(torn, &key(), "a", end as u64, &SystemRandom);
                if end == 200_000 && taken.is_err() {
                    assert!(file.len() == unfinished.len(), "the torn frame is the one before");
                    continue;
                }
                let (mut writer, length) = taken.unwrap();
                writer.out.get_mut().truncate(length as usize);
                writer.write_all(&content[end..]).unwrap();
                let whole = writer.finish().unwrap().into_inner();
                assert_eq!(opened(&whole, "a").unwrap(), content, "{end}");
            }
        }
    }
    let wrong = |length| {
        let file = Cursor::new(unfinished.clone());
        Writer::take_up(file, &key(), "a", length, &SystemRandom).is_err()
    };
    assert!(wrong(2) && wrong(200_001), "nothing ends there");
    assert!(opened(&unfinished, "a").is_err(), "it is not finished");
    assert!(Reader::open_part(Cursor::new(unfinished), &key(), "a", 200_001).is_err());
}

#[test]
fn the_same_frame_is_never_sealed_under_the_same_nonce() {
    let mut nonces = std::collections::BTreeSet::new();
    let mut file = begun().out;
    for _ in 0..20 {
        let (mut writer, end) = Writer::take_up(file, &key(), "a", 0, &SystemRandom).unwrap();
        writer.out.get_mut().truncate(end as usize);
        writer.write_all(b"x").unwrap();
        writer.flush().unwrap();
        file = writer.out;
        let nonce = file.get_ref()[HEADER + 4..HEADER + START].to_vec();
        assert!(nonces.insert(nonce));
    }
}

#[test]
fn what_is_cut_short_reordered_or_changed_is_known() {
    let content: Vec<u8> = (0..3 * PIECE + 17).map(|at| (at / PIECE) as u8).collect();
    let file = sealed_file(&content);
    let whole = START + PIECE + TAG;
    for cut in [0, 10, HEADER, HEADER + 3, HEADER + whole, HEADER + 3 * whole, file.len() - 1] {
        assert!(opened(&file[..cut], "a").is_err(), "cut at {cut}");
    }
    for at in
        (0..HEADER + START + 2).chain([HEADER + whole + 5, HEADER + 3 * whole, file.len() - 1])
    {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(opened(&changed, "a").is_err(), "byte {at}");
    }
    let (first, second) = (HEADER..HEADER + whole, HEADER + whole..HEADER + 2 * whole);
    let mut swapped = file.clone();
    swapped[first.clone()].copy_from_slice(&file[second.clone()]);
    swapped[second.clone()].copy_from_slice(&file[first.clone()]);
    assert!(opened(&swapped, "a").is_err());
    let mut left_out = file.clone();
    left_out.drain(first.clone());
    assert!(opened(&left_out, "a").is_err());
    // A frame of another file under the same key and name.
    let mut spliced = file.clone();
    spliced[first.clone()].copy_from_slice(&sealed_file(&content)[first]);
    assert!(opened(&spliced, "a").is_err());
    let mut longer = file;
    longer.push(0);
    assert!(opened(&longer, "a").is_err());
}
