//! The constants of a view: `%name` becomes a literal wherever it stands.

use fhir::Value;
use rust_decimal::Decimal;

use super::compile::InvalidView;
use crate::ast::{Ast, Literal};
use crate::item::decimal;
use crate::temporal::Temporal;

/// A name with its value.
pub(super) type Constant = (String, Literal);

/// Variables that every expression may use; `%vs-…` and `%ext-…` too.
const KNOWN: [&str; 7] =
    ["context", "resource", "rootResource", "ucum", "sct", "loinc", "rowIndex"];

/// Reads the value of one constant: exactly one `value[x]` of a primitive type.
pub(super) fn literal(constant: Value<'_>, place: &str) -> Result<Literal, InvalidView> {
    let mut values = constant.members().filter(|member| member.name().starts_with("value"));
    let (Some(member), None) = (values.next(), values.next()) else {
        return Err(InvalidView::new(place, "a constant has exactly one `value[x]`"));
    };
    let name = member.name();
    let kind = name.strip_prefix("value").unwrap_or_default();
    let bad = || InvalidView::new(place, format!("`value{kind}` cannot be read"));
    let text = || member.value.as_str().ok_or_else(bad);
    // R4 has no integer64; R5 writes it as a string.
    let digits = || member.value.as_number().map(Into::into).or_else(|| member.value.as_str());
    Ok(match kind {
        "Boolean" => Literal::Boolean(member.value.as_bool().ok_or_else(bad)?),
        "Integer" | "PositiveInt" | "UnsignedInt" | "Integer64" => {
            Literal::Integer(digits().and_then(|d| d.parse().ok()).ok_or_else(bad)?)
        }
        "Decimal" => {
            let number: Option<Decimal> = member.value.as_number().and_then(decimal);
            Literal::Decimal(number.ok_or_else(bad)?)
        }
        "Date" => Literal::Temporal(Temporal::date(&text()?).ok_or_else(bad)?),
        "DateTime" | "Instant" => Literal::Temporal(Temporal::date_time(&text()?).ok_or_else(bad)?),
        "Time" => Literal::Temporal(Temporal::time(&text()?).ok_or_else(bad)?),
        "Base64Binary" | "Canonical" | "Code" | "Id" | "Oid" | "String" | "Uri" | "Url"
        | "Uuid" => Literal::Text(text()?.into_owned()),
        _ => {
            return Err(InvalidView::new(place, "a constant has a primitive value"));
        }
    })
}

/// Puts the constants into an expression. The error is the name of one that is not defined.
pub(super) fn substitute(ast: &mut Ast, constants: &[Constant]) -> Result<(), String> {
    if let Ast::Variable(name) = ast {
        if let Some((_, literal)) = constants.iter().find(|(known, _)| known == name) {
            *ast = Ast::Literal(literal.clone());
            return Ok(());
        }
        let known =
            KNOWN.contains(&name.as_str()) || name.starts_with("vs-") || name.starts_with("ext-");
        return if known { Ok(()) } else { Err(name.clone()) };
    }
    match ast {
        Ast::Empty | Ast::Literal(_) | Ast::This | Ast::Index | Ast::Total | Ast::Variable(_) => {}
        Ast::Member { input, .. } | Ast::TypeTest { input, .. } => {
            if let Some(input) = input {
                substitute(input, constants)?;
            }
        }
        Ast::Call { input, args, .. } => {
            if let Some(input) = input {
                substitute(input, constants)?;
            }
            for arg in args {
                substitute(arg, constants)?;
            }
        }
        Ast::Item { input, index } => {
            substitute(input, constants)?;
            substitute(index, constants)?;
        }
        Ast::Negate(operand) | Ast::Plus(operand) => substitute(operand, constants)?,
        Ast::Binary { left, right, .. } => {
            substitute(left, constants)?;
            substitute(right, constants)?;
        }
    }
    Ok(())
}
