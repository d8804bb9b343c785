//! How codes and tokens look: opaque, 256 bits of chance behind a prefix that says what they are
//! for, so that one cannot pass for another and a leaked one is recognised by scanners. Only their
//! hashes are kept.

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An authorisation code.
    Code,
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// The `launch` parameter of an EHR launch.
    Launch,
    /// The secret of a confidential client.
    Secret,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Code, Self::Access, Self::Refresh, Self::Launch, Self::Secret];

    /// What its tokens begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Code => "cns-code.",
            Self::Access => "cns-at.",
            Self::Refresh => "cns-rt.",
            Self::Launch => "cns-launch.",
            Self::Secret => "cns-secret.",
        }
    }
}

/// A token in clear text. Its `Debug` shows its kind alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    kind: Kind,
    text: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Token").field(&self.kind).finish()
    }
}

impl Token {
    /// A token out of `chance`, 43 characters of base64url.
    pub fn new(kind: Kind, chance: &str) -> Self {
        Self { kind, text: format!("{}{chance}", kind.prefix()) }
    }

    /// Reads a token of a kind; `None` for any other text.
    pub fn read(kind: Kind, text: &str) -> Option<Self> {
        let chance = text.strip_prefix(kind.prefix())?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        (chance.len() == 43 && chance.bytes().all(plain))
            .then(|| Self { kind, text: text.to_owned() })
    }

    /// The text, to be sent to its owner and kept nowhere.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is kept of it.
    pub fn hash(&self) -> [u8; 32] {
        crypto::sha256(self.text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_its_own_kind_alone() {
        let chance = "A".repeat(43);
        for kind in Kind::ALL {
            let token = Token::new(kind, &chance);
            for other in Kind::ALL {
                let read = Token::read(other, token.reveal());
                assert_eq!(read.is_some(), kind == other, "{kind:?} as {other:?}");
            }
            assert!(!format!("{token:?}").contains("AAA"));
        }
        assert!(Token::read(Kind::Access, "cns-at.short").is_none());
    }
}
