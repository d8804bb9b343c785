//! JSON Pointer (RFC 6901).

/// A parsed pointer: the names from the root down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Parses a pointer: empty, or names that each follow a `/`, with `~1` for `/` and `~0` for
    /// `~`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        text.strip_prefix('/')?.split('/').map(unescape).collect::<Option<_>>().map(Self)
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The pointer to what holds the value, and the value's name in it; `None` for the root.
    pub fn split(&self) -> Option<(&[String], &str)> {
        let (last, holder) = self.0.split_last()?;
        Some((holder, last))
    }

    /// Whether the other pointer leads to something inside of what this one leads to.
    pub fn holds(&self, other: &Self) -> bool {
        other.0.len() > self.0.len() && other.0.starts_with(&self.0)
    }
}

/// A place in an array: digits without leading zeros.
pub fn index(name: &str) -> Option<usize> {
    let plain = name == "0" || !name.starts_with('0');
    let digits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    if plain && digits { name.parse().ok() } else { None }
}

fn unescape(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_exact() {
        let names = |text: &str| Pointer::parse(text).map(|pointer| pointer.0);
        let owned = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(names(""), owned(&[]));
        assert_eq!(names("/"), owned(&[""]));
        assert_eq!(names("/a~1b/~01/ /%20"), owned(&["a/b", "~1", " ", "%20"]));
        for bad in ["a", "a/b", "/~", "/~2", "#/a"] {
            assert_eq!(names(bad), None, "{bad}");
        }
        for (text, expected) in [
            ("0", Some(0)),
            ("10", Some(10)),
            ("01", None),
            ("-1", None),
            ("", None),
            ("1e0", None),
        ] {
            assert_eq!(index(text), expected, "{text}");
        }
    }
}
