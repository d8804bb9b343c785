//! Whether one code means more than another.

use crate::Error;
use crate::system::CodeSystem;
use crate::terms::{Source, Terminology};

/// How code A stands to code B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subsumption {
    /// They are the same.
    Equivalent,
    /// A is more general.
    Subsumes,
    /// A is more special.
    SubsumedBy,
    /// Neither.
    NotSubsumed,
}

impl Subsumption {
    /// The code of FHIR's `concept-subsumption-outcome`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Equivalent => "equivalent",
            Self::Subsumes => "subsumes",
            Self::SubsumedBy => "subsumed-by",
            Self::NotSubsumed => "not-subsumed",
        }
    }
}

impl Terminology {
    /// How code `a` stands to code `b` of a code system. Fails for codes that are not in it, where
    /// its content is not available, and where its hierarchy does not mean subsumption.
    pub fn subsumes(
        &self,
        system: &str,
        version: Option<&str>,
        a: &str,
        b: &str,
    ) -> Result<Subsumption, Error> {
        let unknown =
            |code: &str| Error::UnknownCode { system: system.to_owned(), code: code.to_owned() };
        match self.source(system, version) {
            Source::Missing => Err(Error::NoContent(system.to_owned())),
            Source::Grammar(grammar) => {
                for code in [a, b] {
                    if !grammar.contains(code) {
                        return Err(unknown(code));
                    }
                }
                Ok(if a == b { Subsumption::Equivalent } else { Subsumption::NotSubsumed })
            }
            Source::Listed(listed) => {
                let a = listed.find(a).ok_or_else(|| unknown(a))?;
                let b = listed.find(b).ok_or_else(|| unknown(b))?;
                if a == b {
                    return Ok(Subsumption::Equivalent);
                }
                if !listed.head.subsumes && listed.is_hierarchical() {
                    return Err(Error::NotSupported(format!(
                        "the hierarchy of `{system}` does not mean subsumption"
                    )));
                }
                Ok(relation(&listed, a, b))
            }
        }
    }
}

fn relation(
    system: &CodeSystem,
    a: crate::system::Concept,
    b: crate::system::Concept,
) -> Subsumption {
    if system.is_above(a, b) {
        Subsumption::Subsumes
    } else if system.is_above(b, a) {
        Subsumption::SubsumedBy
    } else {
        Subsumption::NotSubsumed
    }
}
