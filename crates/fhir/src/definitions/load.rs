//! Decoding of the pack. Its form is what `cargo xtask codegen` writes.

use std::collections::{HashMap, HashSet};

use super::rows::{
    binding, compartment, constraints, flag, items, lasting, number, numbers, parameter, text,
    texts,
};
use super::types::Member;
use super::{Constraint, Definitions, Element, ElementType, Kind, System, Type, TypeId};
use crate::json::{Document, Value};

/// Why a definitions pack cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the definitions pack is damaged: {0}")]
pub struct InvalidPack(pub(super) &'static str);

pub(super) type Loaded<T> = Result<T, InvalidPack>;

/// Decodes a pack. Its text stays in memory for good: the definitions point into it.
pub(super) fn load(pack: &[u8]) -> Loaded<Definitions> {
    let bytes = zstd::decode_all(pack).map_err(|_| InvalidPack("not compressed with zstd"))?;
    let document = Document::parse_bytes(bytes).map_err(|_| InvalidPack("not valid JSON"))?;
    let root = Box::leak(Box::new(document)).root();
    let constraints: &'static [Constraint] =
        root.get("constraints").map(constraints).transpose()?.unwrap_or_default().leak();
    let rows: Vec<_> = items(root, "types").collect();
    let mut builder = Builder::default();
    for &row in &rows {
        builder.declare(row)?;
    }
    for &row in &rows {
        builder.define(row, constraints)?;
    }
    let Builder { mut types, by_name, .. } = builder;
    for at in 0..types.len() {
        types[at].ancestors = ancestors(&types, at)?;
        // Some integers are published as if their values were strings; what they are derived
        // from knows better.
        let base = types[at].ancestors.iter().find_map(|id| types[usize::from(id.0)].system);
        types[at].system = base.or(types[at].system);
    }
    let mut resource_types: Vec<_> =
        types.iter().filter(|t| t.is_concrete_resource()).map(|t| t.name).collect();
    resource_types.sort_unstable();
    Ok(Definitions {
        version: text(root, "fhirVersion")?,
        types,
        by_name,
        resource_types,
        search_parameters: items(root, "searchParameters").map(parameter).collect::<Loaded<_>>()?,
        compartments: items(root, "compartments").map(compartment).collect::<Loaded<_>>()?,
    })
}

/// Types while they are put together. Until [`ancestors`] has run, `Type::ancestors` holds only the
/// direct base.
#[derive(Default)]
struct Builder {
    types: Vec<Type>,
    by_name: HashMap<&'static str, TypeId>,
    names: HashSet<&'static str>,
}

impl Builder {
    /// Makes a type known by name: the row's own and one for every element with a structure.
    fn declare(&mut self, row: Value<'static>) -> Loaded<()> {
        let kind = match text(row, "kind")? {
            "primitive-type" => Kind::Primitive,
            "complex-type" => Kind::Complex,
            "resource" => Kind::Resource,
            _ => return Err(InvalidPack("an unknown kind of type")),
        };
        self.add(text(row, "name")?, kind)?.is_abstract = flag(row, "abstract");
        for element in items(row, "elements") {
            if structure(element).is_some() {
                self.add(text(element, "path")?, Kind::Backbone)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &'static str, kind: Kind) -> Loaded<&mut Type> {
        let number = u16::try_from(self.types.len()).map_err(|_| InvalidPack("too many types"))?;
        let id = TypeId(number);
        if self.by_name.insert(name, id).is_some() {
            return Err(InvalidPack("a type occurs twice"));
        }
        self.types.push(Type {
            id,
            name,
            kind,
            is_abstract: false,
            constraints: Vec::new(),
            regex: None,
            system: None,
            elements: Vec::new(),
            members: Vec::new(),
            ancestors: Vec::new(),
        });
        self.types.last_mut().ok_or(InvalidPack("no types"))
    }

    fn id(&self, name: &str) -> Loaded<TypeId> {
        self.by_name.get(name).copied().ok_or(InvalidPack("a type is not defined"))
    }

    fn at(&mut self, id: TypeId) -> &mut Type {
        &mut self.types[usize::from(id.0)]
    }

    /// Fills in elements, members, constraints and bases of a row's types.
    fn define(&mut self, row: Value<'static>, constraints: &'static [Constraint]) -> Loaded<()> {
        let root = self.id(text(row, "name")?)?;
        if let Some(base) = row.get("base").and_then(|base| base.as_str()) {
            let base = self.id(&base)?;
            self.at(root).ancestors.push(base);
        }
        for element in items(row, "elements") {
            let path = text(element, "path")?;
            let held = numbers(element, "constraints")
                .map(|n| constraints.get(n).ok_or(InvalidPack("a constraint is not defined")))
                .collect::<Loaded<Vec<_>>>()?;
            let Some((owner, name)) = path.rsplit_once('.') else {
                self.at(root).constraints = held;
                continue;
            };
            if let Some(base) = structure(element) {
                let (id, base) = (self.id(path)?, self.id(base)?);
                self.at(id).ancestors.push(base);
                self.at(id).constraints.clone_from(&held);
            }
            let owner = self.id(owner)?;
            if self.at(owner).kind == Kind::Primitive && name == "value" {
                self.define_value(owner, element)?;
                continue;
            }
            let element = self.element(element, name, path, held)?;
            self.attach(owner, element)?;
        }
        Ok(())
    }

    fn define_value(&mut self, owner: TypeId, element: Value<'static>) -> Loaded<()> {
        let reference =
            items(element, "types").next().ok_or(InvalidPack("a value without type"))?;
        self.at(owner).system = Some(match text(reference, "code")? {
            "System.Boolean" => System::Boolean,
            "System.String" => System::String,
            "System.Integer" => System::Integer,
            "System.Decimal" => System::Decimal,
            "System.Date" => System::Date,
            "System.DateTime" => System::DateTime,
            "System.Time" => System::Time,
            _ => return Err(InvalidPack("an unknown type of value")),
        });
        let regex = reference.get("regex").and_then(|regex| regex.as_str());
        self.at(owner).regex = regex.map(lasting);
        Ok(())
    }

    fn element(
        &mut self,
        row: Value<'static>,
        name: &'static str,
        path: &'static str,
        constraints: Vec<&'static Constraint>,
    ) -> Loaded<Element> {
        let plain = name.strip_suffix("[x]");
        let max = text(row, "max")?;
        let own = structure(row).map(|_| path);
        let mut types = Vec::new();
        if let Some(content) = row.get("content").and_then(|content| content.as_str()) {
            types.push(self.element_type(name, &content, row)?);
        }
        for reference in items(row, "types") {
            let type_name = own.unwrap_or(text(reference, "code")?);
            types.push(self.element_type(name, type_name, reference)?);
        }
        Ok(Element {
            name: plain.unwrap_or(name),
            path,
            is_choice: plain.is_some(),
            min: row.get("min").and_then(number).ok_or(InvalidPack("no minimum"))?,
            max: if max == "*" { None } else { max.parse().ok() },
            types,
            constraints,
            binding: row.get("binding").map(binding).transpose()?,
            is_modifier: flag(row, "modifier"),
            is_summary: flag(row, "summary"),
        })
    }

    fn element_type(
        &mut self,
        element: &'static str,
        type_name: &str,
        reference: Value<'static>,
    ) -> Loaded<ElementType> {
        let id = self.id(type_name)?;
        let member = match element.strip_suffix("[x]") {
            Some(stem) => {
                let mut name = String::from(stem);
                let mut letters = type_name.chars();
                name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                name.push_str(letters.as_str());
                self.interned(name)
            }
            None => element,
        };
        let primitive = self.at(id).kind == Kind::Primitive;
        let sibling = primitive.then(|| self.interned(format!("_{member}")));
        let (targets, profiles) = (texts(reference, "targets"), texts(reference, "profiles"));
        Ok(ElementType { member, sibling, id, targets, profiles })
    }

    fn attach(&mut self, owner: TypeId, element: Element) -> Loaded<()> {
        let owner = self.at(owner);
        let too_many = |_| InvalidPack("too many elements");
        let at = u16::try_from(owner.elements.len()).map_err(too_many)?;
        for (choice, reference) in element.types.iter().enumerate() {
            let choice = u16::try_from(choice).map_err(too_many)?;
            let member = Member { name: reference.member, element: at, choice };
            match owner.members.binary_search_by(|other| other.name.cmp(member.name)) {
                // Only the choice of a plain element's type is not in its name.
                Ok(_) if !element.is_choice => {}
                Ok(_) => return Err(InvalidPack("a member occurs twice")),
                Err(place) => owner.members.insert(place, member),
            }
        }
        owner.elements.push(element);
        Ok(())
    }

    /// Names that are put together here are kept once each.
    fn interned(&mut self, name: String) -> &'static str {
        if let Some(known) = self.names.get(name.as_str()) {
            return known;
        }
        let name: &'static str = name.leak();
        self.names.insert(name);
        name
    }
}

/// The published base (`BackboneElement` or `Element`) of an element that has a structure of its
/// own.
fn structure(element: Value<'static>) -> Option<&'static str> {
    let code = items(element, "types").next()?.get("code")?;
    let nested = text(element, "path").ok()?.contains('.');
    ["BackboneElement", "Element"].into_iter().find(|base| nested && code.is_str(base))
}

/// Follows the direct bases to the end.
fn ancestors(types: &[Type], at: usize) -> Loaded<Vec<TypeId>> {
    let mut found = Vec::new();
    let mut next = types[at].ancestors.first().copied();
    while let Some(id) = next {
        if found.contains(&id) {
            return Err(InvalidPack("a type is derived from itself"));
        }
        found.push(id);
        // A type before this one in the list has its whole chain already; the first is the base.
        next = types[usize::from(id.0)].ancestors.first().copied();
    }
    Ok(found)
}
