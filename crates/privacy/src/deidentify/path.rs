//! Paths of rules: those that types alone decide, and FHIRPath for the rest.

use fhir::definitions::{Kind, Type, TypeId, definitions};
use fhirpath::Expr;

use super::compile::InvalidRecipe;

/// Where a rule applies.
pub(super) enum Path {
    /// A type, and elements below it.
    Typed(Typed),
    /// An expression to evaluate on resources of one type.
    Evaluated(&'static str, Box<Expr>),
}

/// A type and the steps from it.
pub(super) struct Typed {
    /// The type at which the path starts; types derived from it count.
    pub(super) head: TypeId,
    /// The steps.
    pub(super) steps: Vec<Step>,
}

/// One step to a child element.
pub(super) struct Step {
    /// Name in FHIRPath.
    pub(super) name: String,
    /// Only values of this type.
    pub(super) of_type: Option<TypeId>,
}

/// Reads the path of rule number `rule`.
pub(super) fn read(rule: usize, text: &str) -> Result<Path, InvalidRecipe> {
    let head = text.split('.').next().unwrap_or_default().trim();
    let Some(head) = definitions().get(head) else {
        return Err(InvalidRecipe::Head { rule });
    };
    if let Some(steps) = steps(text) {
        let known = reaches(head, &steps);
        let typed = Typed { head: head.id, steps };
        return if known { Ok(Path::Typed(typed)) } else { Err(InvalidRecipe::Element { rule }) };
    }
    if !head.is_concrete_resource() {
        return Err(InvalidRecipe::Condition { rule });
    }
    let expr = Expr::parse(text).map_err(|_| InvalidRecipe::Path { rule })?;
    Ok(Path::Evaluated(head.name, Box::new(expr)))
}

/// The steps of a path that is nothing but names and `ofType`.
fn steps(text: &str) -> Option<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for part in text.trim().split('.').skip(1) {
        if let Some(name) = part.strip_prefix("ofType(").and_then(|rest| rest.strip_suffix(')')) {
            let of_type = definitions().get(name.trim())?.id;
            steps.last_mut().filter(|step| step.of_type.is_none())?.of_type = Some(of_type);
        } else if part.chars().all(|c| c.is_ascii_alphanumeric()) && !part.is_empty() {
            steps.push(Step { name: part.to_owned(), of_type: None });
        } else {
            return None;
        }
    }
    Some(steps)
}

/// Whether the steps lead somewhere: a path that cannot match is a mistake of its author.
fn reaches(head: &'static Type, steps: &[Step]) -> bool {
    let mut types = vec![head];
    for step in steps {
        let mut next: Vec<&'static Type> = Vec::new();
        for owner in types {
            if let Some(element) = owner.element(&step.name).filter(|_| !hidden(owner, &step.name))
            {
                let fits = |t: &&'static Type| step.of_type.is_none_or(|of| t.is_a(of));
                next.extend(element.types.iter().map(|choice| choice.type_of()).filter(fits));
            }
        }
        types = next;
    }
    !types.is_empty()
}

/// A primitive's own value is no child of it.
pub(super) fn hidden(owner: &Type, name: &str) -> bool {
    owner.kind == Kind::Primitive && !matches!(name, "id" | "extension")
}
