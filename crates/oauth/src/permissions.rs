//! What may be done with resources: the letters `cruds` of SMART scopes version 2.

use std::fmt;

/// One letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// `c`: create.
    Create,
    /// `r`: read, version read, history of a resource.
    Read,
    /// `u`: update and patch, also where that creates.
    Update,
    /// `d`: delete.
    Delete,
    /// `s`: search, history of a type and of the system.
    Search,
}

impl Permission {
    /// Every letter in its order.
    pub const ALL: [Self; 5] = [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Search];

    /// The letter.
    pub fn letter(self) -> char {
        match self {
            Self::Create => 'c',
            Self::Read => 'r',
            Self::Update => 'u',
            Self::Delete => 'd',
            Self::Search => 's',
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Create => 1,
            Self::Read => 2,
            Self::Update => 4,
            Self::Delete => 8,
            Self::Search => 16,
        }
    }
}

/// A set of letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    /// None.
    pub const NONE: Self = Self(0);
    /// `cruds`.
    pub const ALL: Self = Self(31);
    /// `rs`, version 1's `read`.
    pub const READ: Self = Self(18);
    /// `cud`, version 1's `write`.
    pub const WRITE: Self = Self(13);

    /// Reads the part of a scope behind the dot: version 1's words, or letters in their order,
    /// each at most once. `None` for anything else; nothing is guessed.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => return Some(Self::READ),
            "write" => return Some(Self::WRITE),
            "*" => return Some(Self::ALL),
            "" => return None,
            _ => {}
        }
        let mut left = Permission::ALL.iter();
        let mut found = Self::NONE;
        for letter in text.chars() {
            let permission = left.find(|permission| permission.letter() == letter)?;
            found = found.with(*permission);
        }
        Some(found)
    }

    /// The same with one more.
    #[must_use]
    pub fn with(self, one: Permission) -> Self {
        Self(self.0 | one.bit())
    }

    /// What both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `one` is in it.
    pub fn has(self, one: Permission) -> bool {
        self.0 & one.bit() != 0
    }

    /// Whether all of `other` is in it.
    pub fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Version 1's word for it, where there is one.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::READ => Some("read"),
            Self::WRITE => Some("write"),
            Self::ALL => Some("*"),
            _ => None,
        }
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in Permission::ALL.into_iter().filter(|one| self.has(*one)) {
            write!(f, "{}", one.letter())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_keep_their_order_and_words_are_not_letters() {
        // SMART App Launch 2.2, scopes: `.dus` is out of order; `.read` is `.rs` and not `r e a d`.
        for (text, expected) in [
            ("cruds", Some("cruds")),
            ("rs", Some("rs")),
            ("s", Some("s")),
            ("read", Some("rs")),
            ("write", Some("cud")),
            ("*", Some("cruds")),
            ("dus", None),
            ("rr", None),
            ("sr", None),
            ("", None),
            ("x", None),
            ("Read", None),
        ] {
            assert_eq!(
                Permissions::parse(text).map(|p| p.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
