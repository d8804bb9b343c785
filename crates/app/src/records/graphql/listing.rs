//! Arguments of elements that repeat: which of them, and how many (FHIR R4, GraphQL, "List
//! Navigation").

use fhir::Value;
use fhir::definitions::{Kind, Type};

use super::query::{Argument, short};
use super::values::{Given, Variables};
use crate::{Error, Result};

/// Which values of an element are wanted.
#[derive(Debug, Default)]
pub struct Listing {
    /// `fhirpath`
    pub expression: Option<String>,
    /// `_offset`
    pub offset: usize,
    /// `_count`
    pub count: Option<usize>,
    /// Members with the texts of which each must have one.
    members: Vec<(&'static str, Vec<String>)>,
}

/// What is wrong with the name of an argument of an element of this type.
pub fn check(of: &Type, name: &str) -> Result<()> {
    match name {
        "fhirpath" | "_offset" | "_count" => Ok(()),
        _ => member(of, name).map(|_| ()),
    }
}

fn member(of: &Type, name: &str) -> Result<&'static str> {
    let known = of.member(name).filter(|(_, choice)| choice.type_of().kind == Kind::Primitive);
    known.map(|(_, choice)| choice.member).ok_or_else(|| {
        let message = format!("`{}` has no simple element `{}` to choose by", of.name, short(name));
        Error::invalid("not-supported", message)
    })
}

/// Reads the arguments of an element of a type.
pub fn listing(of: &Type, arguments: &[Argument<'_>], variables: &Variables) -> Result<Listing> {
    let mut listing = Listing::default();
    for (name, value) in arguments {
        let Some(given) = Given::read(value, variables).filter(|v| *v != Given::Null) else {
            continue;
        };
        let refuse = || Error::invalid("value", format!("`{}` takes a text", short(name)));
        match *name {
            "fhirpath" => listing.expression = Some(given.text().ok_or_else(refuse)?),
            "_offset" => listing.offset = given.number(name)?,
            "_count" => listing.count = Some(given.number(name)?),
            _ => listing.members.push((member(of, name)?, given.texts().ok_or_else(refuse)?)),
        }
    }
    Ok(listing)
}

impl Listing {
    /// Whether the members have the texts asked for.
    pub fn has_members(&self, value: Value<'_>) -> bool {
        self.members.iter().all(|(name, texts)| {
            value.get(name).is_some_and(|held| held.each().any(|one| is_one_of(one, texts)))
        })
    }

    /// Cuts out the part from `_offset` on with `_count` items.
    pub fn cut<T>(&self, items: Vec<T>) -> Vec<T> {
        items.into_iter().skip(self.offset).take(self.count.unwrap_or(usize::MAX)).collect()
    }
}

fn is_one_of(value: Value<'_>, texts: &[String]) -> bool {
    texts.iter().any(|text| match value.as_number() {
        Some(number) => {
            let same = || Some(number.parse::<f64>().ok()? == text.parse::<f64>().ok()?);
            number == text || same() == Some(true)
        }
        None => value.is_str(text) || value.as_bool().is_some_and(|_| value.raw() == text),
    })
}
