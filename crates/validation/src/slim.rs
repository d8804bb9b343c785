//! From a StructureDefinition to a row of a pack: what the profile says beyond its type.
//!
//! A snapshot repeats all of the type it constrains. The walk of the type checks that once for an
//! instance, however many profiles it claims, so only the difference is kept: elements that are
//! narrowed in number or type, fixed values and patterns, other bindings, more rules, slices. What
//! differs is told by the published definitions; where a definition has no snapshot its
//! differential is kept with the address of its base, whose rules hold as well.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use fhir::definitions::{Element, Kind, Strength, Type, definitions};
use fhir::json::quote;
use fhir::{Kind as JsonKind, Value};

const DEFINITION: &str = "http://hl7.org/fhir/StructureDefinition/";

/// Rules in FHIRPath, each once.
#[derive(Default)]
pub(crate) struct Rules {
    rows: Vec<String>,
    numbers: BTreeMap<String, usize>,
}

impl Rules {
    fn number(&mut self, constraint: Value<'_>) -> usize {
        let cell = |name| quote(&constraint.str_at(name).unwrap_or_default());
        let row = format!(
            "[{},{},{},{}]",
            cell("key"),
            cell("severity"),
            cell("human"),
            cell("expression")
        );
        let next = self.rows.len();
        *self.numbers.entry(row.clone()).or_insert_with(|| {
            self.rows.push(row);
            next
        })
    }

    /// The table as a JSON array.
    pub fn text(&self) -> String {
        format!("[{}]", self.rows.join(","))
    }
}

/// The row of a profile or an extension; `None` for other definitions.
pub(crate) fn row(definition: Value<'_>, rules: &mut Rules) -> Option<String> {
    let url = definition.str_at("url")?;
    let type_of = definitions().get(&definition.str_at("type")?)?;
    if definition.str_at("derivation").is_none_or(|d| d != "constraint") || url.contains('"') {
        return None;
    }
    let snapshot = definition.get("snapshot");
    let mut out = format!("{{\"url\":{}", quote(&url));
    for name in ["version", "name", "type"] {
        if let Some(text) = definition.str_at(name) {
            let _ = write!(out, ",\"{name}\":{}", quote(&text));
        }
    }
    if definition.get("abstract").and_then(Value::as_bool) == Some(true) {
        out.push_str(",\"abstract\":true");
    }
    if let Some(base) = definition.str_at("baseDefinition").filter(|_| snapshot.is_none()) {
        let _ = write!(out, ",\"base\":{}", quote(&base));
    }
    if let Some(context) = definition.get("context").filter(|_| type_of.name == "Extension") {
        let _ = write!(out, ",\"context\":{}", compact(context));
    }
    out.push_str(",\"elements\":[");
    let elements = snapshot.or_else(|| definition.get("differential"))?.get("element")?;
    let mut narrowed = Narrowed::new(type_of);
    let mut first = true;
    for element in elements.items() {
        if let Some(row) = narrowed.element(element, rules) {
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            out.push_str(&row);
        }
    }
    out.push_str("]}");
    Some(out)
}

/// The elements seen so far, with the types that each may have.
struct Narrowed {
    root: &'static Type,
    types: HashMap<String, Vec<&'static Type>>,
}

/// What the published type says about an element: nothing but the type itself for the root.
struct Base {
    element: Option<&'static Element>,
    types: Vec<&'static Type>,
    /// The type that the name of a choice says: `Quantity` of `valueQuantity`.
    choice: Option<&'static str>,
    /// The id with `valueQuantity` written as the slice that it is.
    id: String,
}

impl Narrowed {
    fn new(root: &'static Type) -> Self {
        Self { root, types: HashMap::new() }
    }

    /// Finds the published element behind an id: `Observation.component:systolic.value[x]`.
    fn base(&self, id: &str) -> Option<Base> {
        let mut segments = id.split('.');
        let mut known = segments.next()?.to_owned();
        let mut base =
            Base { element: None, types: vec![self.root], choice: None, id: known.clone() };
        for segment in segments {
            let name = segment.split(':').next()?;
            let plain = name.trim_end_matches("[x]");
            let types = self.types.get(&known).cloned().unwrap_or(base.types);
            let mut found = types.iter().find_map(|t| Some((t.element(plain)?, None)));
            if found.is_none() {
                found = types.iter().find_map(|t| t.member(plain)).map(|(e, c)| (e, Some(c)));
            }
            let (element, choice) = found?;
            base.element = Some(element);
            base.choice = choice.filter(|_| element.is_choice).map(|choice| choice.name());
            base.types = match choice {
                Some(choice) => vec![choice.type_of()],
                None => element.types.iter().map(|choice| choice.type_of()).collect(),
            };
            let own = match choice {
                Some(_) => format!(".{}:{plain}", element.name),
                None => format!(".{plain}{}", segment.strip_prefix(name).unwrap_or_default()),
            };
            base.id.push_str(&own);
            known.clone_from(&base.id);
        }
        Some(base)
    }

    /// The row of an element; `None` where it says nothing beyond the type.
    fn element(&mut self, element: Value<'_>, rules: &mut Rules) -> Option<String> {
        let id = element.str_at("id").or_else(|| element.str_at("path"))?;
        let base = self.base(&id)?;
        let mut out = String::new();
        let last = base.id.rsplit('.').next().unwrap_or_default();
        let slice = last.contains(':');
        occurrence(&mut out, element, &base, slice);
        self.types(&mut out, element, &base, slice);
        // `valueQuantity` is the slice of `value[x]` with that type.
        if let (Some(choice), false) = (base.choice, out.contains("\"types\":")) {
            let _ = write!(out, ",\"types\":[[{},[],[]]]", quote(choice));
        }
        values(&mut out, element);
        binding(&mut out, element, &base);
        constraints(&mut out, element, &base, rules);
        slicing(&mut out, element, last);
        (slice || !out.is_empty()).then(|| format!("{{\"id\":{}{out}}}", quote(&base.id)))
    }

    fn types(&mut self, out: &mut String, element: Value<'_>, base: &Base, slice: bool) {
        let Some(published) = base.element else { return };
        let list: Vec<_> = element.get("type").into_iter().flat_map(Value::items).collect();
        let nested = base.types.iter().any(|t| t.kind == Kind::Backbone);
        let named: Option<Vec<_>> =
            list.iter().map(|t| definitions().get(&t.str_at("code")?)).collect();
        let Some(named) = named.filter(|named| !nested && !named.is_empty()) else { return };
        let members = |t: Value<'_>, name: &str| -> Vec<String> {
            let texts = t.get(name).into_iter().flat_map(Value::items).filter_map(Value::as_str);
            texts.map(|text| text.strip_prefix(DEFINITION).unwrap_or(&text).to_owned()).collect()
        };
        let mut differs = slice && named.len() < published.types.len();
        differs |= named.len() < base.types.len();
        let mut rows = Vec::new();
        for (reference, type_of) in list.iter().zip(&named) {
            let known = published.types.iter().find(|choice| choice.id == type_of.id);
            let (profiles, targets) =
                (members(*reference, "profile"), members(*reference, "targetProfile"));
            differs |= known.is_none_or(|known| {
                known.targets != targets || known.profiles != profiles && !profiles.is_empty()
            });
            let texts =
                |list: &[String]| list.iter().map(|text| quote(text)).collect::<Vec<_>>().join(",");
            rows.push(format!(
                "[{},[{}],[{}]]",
                quote(type_of.name),
                texts(&profiles),
                texts(&targets)
            ));
        }
        self.types.insert(base.id.clone(), named);
        if differs {
            let _ = write!(out, ",\"types\":[{}]", rows.join(","));
        }
    }
}

fn occurrence(out: &mut String, element: Value<'_>, base: &Base, slice: bool) {
    let min: u32 = element.get("min").and_then(|min| min.as_number()?.parse().ok()).unwrap_or(0);
    if min > base.element.map_or(0, |element| if slice { 0 } else { element.min }) {
        let _ = write!(out, ",\"min\":{min}");
    }
    let Some(max) = element.str_at("max").and_then(|max| max.parse::<u32>().ok()) else { return };
    if base.element.is_some_and(|element| element.max != Some(max) || slice) {
        let _ = write!(out, ",\"max\":{max}");
    }
}

/// Fixed values, patterns and limits, as they are written.
fn values(out: &mut String, element: Value<'_>) {
    for member in element.members() {
        let name = member.name();
        let kept = ["fixed", "pattern", "minValue", "maxValue"].into_iter().find(|kind| {
            name.strip_prefix(kind).is_some_and(|rest| rest.starts_with(char::is_uppercase))
        });
        if let Some(kind) = kept {
            let _ = write!(out, ",\"{kind}\":{}", compact(member.value));
        } else if name == "maxLength" {
            let _ = write!(out, ",\"maxLength\":{}", member.value.raw());
        }
    }
}

fn binding(out: &mut String, element: Value<'_>, base: &Base) {
    let Some(binding) = element.get("binding") else { return };
    let strength = binding.str_at("strength").unwrap_or_default();
    let Some(value_set) = binding.str_at("valueSet") else { return };
    if !matches!(strength.as_ref(), "required" | "extensible") {
        return;
    }
    let plain = |url: &str| url.split('|').next().unwrap_or_default().to_owned();
    let known = base.element.and_then(|element| element.binding.as_ref()).is_some_and(|known| {
        let word = match known.strength {
            Strength::Required => "required",
            Strength::Extensible => "extensible",
            Strength::Preferred => "preferred",
            Strength::Example => "example",
        };
        word == strength && plain(known.value_set) == plain(&value_set)
    });
    if !known {
        let _ = write!(out, ",\"binding\":[{},{}]", quote(&strength), quote(&value_set));
    }
}

fn constraints(out: &mut String, element: Value<'_>, base: &Base, rules: &mut Rules) {
    let known = |key: &str| {
        let types = base.types.iter().flat_map(|&t| std::iter::once(t).chain(t.ancestors()));
        let own = base.element.into_iter().flat_map(|element| &element.constraints);
        types.flat_map(|t| &t.constraints).chain(own).any(|constraint| constraint.key == key)
    };
    let list = element.get("constraint").into_iter().flat_map(Value::items);
    let numbers: Vec<_> = list
        .filter(|constraint| !known(&constraint.str_at("key").unwrap_or_default()))
        .map(|constraint| rules.number(constraint).to_string())
        .collect();
    if !numbers.is_empty() {
        let _ = write!(out, ",\"constraints\":[{}]", numbers.join(","));
    }
}

/// Open slicing of extensions by their address is what all of them have; it is left out.
fn slicing(out: &mut String, element: Value<'_>, last: &str) {
    let Some(slicing) = element.get("slicing") else { return };
    let rules = slicing.str_at("rules").unwrap_or_default();
    let ordered = slicing.get("ordered").and_then(Value::as_bool) == Some(true);
    if matches!(last, "extension" | "modifierExtension") && rules == "open" && !ordered {
        return;
    }
    let list = slicing.get("discriminator").into_iter().flat_map(Value::items);
    let discriminators: Vec<_> = list
        .map(|one| {
            let cell = |name| quote(&one.str_at(name).unwrap_or_default());
            format!("[{},{}]", cell("type"), cell("path"))
        })
        .collect();
    let (by, rules) = (discriminators.join(","), quote(&rules));
    let _ = write!(out, ",\"slicing\":{{\"by\":[{by}],\"rules\":{rules},\"ordered\":{ordered}}}");
}

/// The value without white space between its parts.
fn compact(value: Value<'_>) -> String {
    let joined = |parts: Vec<String>| parts.join(",");
    match value.kind() {
        JsonKind::Array => format!("[{}]", joined(value.items().map(compact).collect())),
        JsonKind::Object => {
            let member =
                |m: fhir::json::Member<'_>| format!("{}:{}", quote(&m.name()), compact(m.value));
            format!("{{{}}}", joined(value.members().map(member).collect()))
        }
        _ => value.raw().to_owned(),
    }
}
