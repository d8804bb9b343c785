//! Comma-separated values (RFC 4180), record by record.

use std::io::BufRead;

use super::{lines, unreadable};
use crate::Error;

/// The longest record, over all its lines, in bytes.
const MAX_RECORD_BYTES: usize = 16 << 20;

/// Calls `visit` with the fields of every record; the first record is the heading.
pub(super) fn records(
    source: impl BufRead,
    mut visit: impl FnMut(&[String]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut open = String::new();
    let mut number = 0;
    lines(source, |line| {
        number += 1;
        if !open.is_empty() {
            open.push('\n');
        }
        open.push_str(line);
        if open.len() > MAX_RECORD_BYTES {
            return Err(unreadable(number, "a quotation mark is never closed"));
        }
        // An odd number of marks means that a field goes on in the next line.
        if open.matches('"').count().is_multiple_of(2) {
            if !open.is_empty() {
                visit(&fields(&open))?;
            }
            open.clear();
        }
        Ok(())
    })?;
    if open.is_empty() {
        Ok(())
    } else {
        Err(unreadable(number, "a quotation mark is never closed"))
    }
}

fn fields(record: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut quoted = false;
    let mut letters = record.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                push(&mut all, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(String::new()),
            letter => push(&mut all, letter),
        }
    }
    all
}

fn push(all: &mut [String], letter: char) {
    if let Some(last) = all.last_mut() {
        last.push(letter);
    }
}

/// The places of columns by their names in the heading.
pub(super) struct Columns(Vec<String>);

impl Columns {
    pub(super) fn new(heading: &[String]) -> Self {
        Self(heading.iter().map(|name| name.trim().to_ascii_uppercase()).collect())
    }

    /// The field of this column in a record; empty where there is none.
    pub(super) fn get<'r>(&self, record: &'r [String], name: &str) -> &'r str {
        let at = self.0.iter().position(|known| known == name);
        at.and_then(|at| record.get(at)).map_or("", |field| field.trim())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn fields_are_told_apart() {
        let text = "a,b,c\n\"1, 2\",\"say \"\"so\"\"\",x\n\"two\nlines\",,\n";
        let mut all = Vec::new();
        super::records(text.as_bytes(), |fields| {
            all.push(fields.join("/"));
            Ok(())
        })
        .unwrap();
        assert_eq!(all, ["a/b/c", "1, 2/say \"so\"/x", "two\nlines//"]);
        assert!(super::records("\"open".as_bytes(), |_| Ok(())).is_err());
    }
}
