//! What a search asks a terminology: which codes a value set has, and which lie above and below one.
//!
//! A [`Query`](super::Query) holds explicit lists, so that no store needs a terminology.

use std::collections::HashSet;

use super::fold;

/// The most codes that one value of `:in`, `:above` or `:below` may stand for.
pub const MAX_CODES: usize = 50_000;

/// A code with its system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// The code system.
    pub system: String,
    /// The code as the system writes it.
    pub code: String,
}

/// A terminology. Answers hold at most `limit` codes; what would be more is
/// [`TermsError::TooMany`].
pub trait Terms {
    /// The codes of a value set, by canonical (`http://…|version`) or as `ValueSet/id`.
    fn members(&self, value_set: &str, limit: usize) -> Result<Vec<Code>, TermsError>;

    /// The code and everything that it subsumes. A terminology may insist on the system
    /// ([`TermsError::NeedsSystem`]).
    fn descendants(
        &self,
        system: Option<&str>,
        code: &str,
        limit: usize,
    ) -> Result<Vec<Code>, TermsError>;

    /// The code and everything that subsumes it.
    fn ancestors(
        &self,
        system: Option<&str>,
        code: &str,
        limit: usize,
    ) -> Result<Vec<Code>, TermsError>;
}

/// Why a terminology gives no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The value set is not known.
    #[error("the value set is not known here")]
    UnknownValueSet,
    /// The code or its code system is not known.
    #[error("the code or its system is not known here")]
    UnknownCode,
    /// The code alone does not tell which code system is meant.
    #[error("name the code system too, as `system|code`")]
    NeedsSystem,
    /// The list is too long.
    #[error("it stands for too many codes")]
    TooMany,
    /// It is known but cannot be listed.
    #[error("its codes cannot be listed")]
    NotEnumerable,
}

/// A terminology that knows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTerms;

impl Terms for NoTerms {
    fn members(&self, _: &str, _: usize) -> Result<Vec<Code>, TermsError> {
        Err(TermsError::UnknownValueSet)
    }

    fn descendants(&self, _: Option<&str>, _: &str, _: usize) -> Result<Vec<Code>, TermsError> {
        Err(TermsError::UnknownCode)
    }

    fn ancestors(&self, _: Option<&str>, _: &str, _: usize) -> Result<Vec<Code>, TermsError> {
        Err(TermsError::UnknownCode)
    }
}

/// A list of codes, folded for comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codes {
    listed: HashSet<(String, String)>,
    codes: HashSet<String>,
}

impl Codes {
    /// A list.
    pub fn new(codes: impl IntoIterator<Item = Code>) -> Self {
        let mut list = Self::default();
        for Code { system, code } in codes {
            let code = fold(&code);
            list.codes.insert(code.clone());
            list.listed.insert((system, code));
        }
        list
    }

    /// The codes with their systems, each code as [`fold`] writes it, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.listed.iter().map(|(system, code)| (system.as_str(), code.as_str()))
    }

    /// Whether a token is in the list. One without a system is taken to be of the right one:
    /// elements of type `code` never say theirs.
    pub fn holds(&self, system: Option<&str>, code: Option<&str>) -> bool {
        let Some(code) = code.map(fold) else { return false };
        match system {
            Some(system) => self.listed.contains(&(system.to_owned(), code)),
            None => self.codes.contains(&code),
        }
    }
}
