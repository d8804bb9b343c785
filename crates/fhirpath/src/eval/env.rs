//! What surrounds an evaluation.

use std::collections::HashMap;

use fhir::Resource;

use super::{EvalError, Evaluated};
use crate::functions::codes::Codes;
use crate::functions::elements::Profiles;
use crate::item::{Collection, Item, Node};

/// What an expression is evaluated in.
#[derive(Clone, Debug)]
pub struct Env<'a> {
    pub(crate) now_ms: i64,
    pub(crate) strict: bool,
    pub(crate) resource: Option<Node<'a>>,
    pub(crate) root_resource: Option<Node<'a>>,
    pub(crate) known: Option<&'a HashMap<String, Node<'a>>>,
    pub(crate) codes: Option<&'a dyn Codes>,
    pub(crate) profiles: Option<&'a dyn Profiles>,
    row_index: Option<usize>,
    variables: Vec<(String, Collection<'a>)>,
}

impl<'a> Env<'a> {
    /// An environment in which it is `now_ms`, in milliseconds since the Unix epoch, in UTC.
    pub fn new(now_ms: i64) -> Self {
        Self {
            now_ms,
            strict: false,
            resource: None,
            root_resource: None,
            known: None,
            codes: None,
            profiles: None,
            row_index: None,
            variables: Vec::new(),
        }
    }

    /// Sets `%resource` and `%rootResource`; without effect where FHIR R4 has no such type.
    pub fn with_resource(mut self, resource: &'a Resource) -> Self {
        self.resource = Node::resource(resource.root());
        self.root_resource = self.resource;
        self
    }

    /// Sets `%resource` alone: for an element inside a contained resource.
    pub fn with_inner_resource(mut self, resource: Node<'a>) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Sets `%resource` and `%rootResource` to a resource that is part of a larger document, such
    /// as an entry of a Bundle.
    pub fn with_root_resource(mut self, resource: Node<'a>) -> Self {
        self.resource = Some(resource);
        self.root_resource = Some(resource);
        self
    }

    /// Resources that `resolve()` finds, by the text of the references to them.
    pub fn with_known(mut self, known: &'a HashMap<String, Node<'a>>) -> Self {
        self.known = Some(known);
        self
    }

    /// Sets what `memberOf`, `subsumes` and `subsumedBy` ask; without, they are not supported.
    pub fn with_codes(mut self, codes: &'a dyn Codes) -> Self {
        self.codes = Some(codes);
        self
    }

    /// Sets what `conformsTo` asks about profiles; without, it knows the published types alone.
    pub fn with_profiles(mut self, profiles: &'a dyn Profiles) -> Self {
        self.profiles = Some(profiles);
        self
    }

    /// Defines `%name`.
    pub fn with_variable(mut self, name: impl Into<String>, value: Collection<'a>) -> Self {
        self.variables.push((name.into(), value));
        self
    }

    /// The same environment at an item of an iteration of a view: defines `%rowIndex`.
    pub(crate) fn at_row(&self, index: usize) -> Self {
        Self { row_index: Some(index), ..self.clone() }
    }

    /// Makes what is usually tolerated an error: elements that a type does not have, `as` on
    /// several items, a criterion of `iif` that is no boolean.
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// The value of `%name` where `context` is the context.
    pub(super) fn variable(&self, name: &str, context: &[Item<'a>]) -> Evaluated<'a> {
        let text = |text: &'static str| Ok(vec![Item::String(text.into())]);
        let node = |node: Option<Node<'a>>| Ok(node.map(Item::Node).into_iter().collect());
        if let Some((_, value)) = self.variables.iter().rev().find(|(known, _)| known == name) {
            return Ok(value.clone());
        }
        match name {
            "context" => Ok(context.to_vec()),
            "resource" => node(self.resource),
            "rootResource" => node(self.root_resource),
            "ucum" => text("http://unitsofmeasure.org"),
            "sct" => text("http://snomed.info/sct"),
            "loinc" => text("http://loinc.org"),
            "rowIndex" if self.row_index.is_some() => {
                let index = self.row_index.and_then(|index| i64::try_from(index).ok());
                Ok(index.map(Item::Integer).into_iter().collect())
            }
            _ => {
                let url = |kind, name| format!("http://hl7.org/fhir/{kind}/{name}");
                let url = match name.split_once('-') {
                    Some(("vs", name)) => url("ValueSet", name),
                    Some(("ext", name)) => url("StructureDefinition", name),
                    _ => return Err(EvalError::UnknownVariable(name.into())),
                };
                Ok(vec![Item::String(url.into())])
            }
        }
    }
}
