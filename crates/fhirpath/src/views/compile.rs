//! From a ViewDefinition to a [`View`], with every check that needs no data.

use fhir::{Kind, Value};

use super::constants::{Constant, literal, substitute};
use super::tree::Tree;
use super::{Column, ColumnType, Iterate, Joined, Path, Select, View};
use crate::Expr;

/// Most columns of a view.
pub const MAX_COLUMNS: usize = 1_000;
/// Most selects and branches of a view.
pub const MAX_SELECTS: usize = 500;
/// How deep selects may be nested.
pub const MAX_NESTING: usize = 30;
/// Most constants and most conditions of a view.
const MAX_LIST: usize = 200;

/// Members of a ViewDefinition that say something about it and nothing about its rows.
const METADATA: [&str; 29] = [
    "resourceType",
    "id",
    "meta",
    "implicitRules",
    "language",
    "text",
    "contained",
    "extension",
    "url",
    "identifier",
    "version",
    "versionAlgorithmString",
    "versionAlgorithmCoding",
    "title",
    "status",
    "experimental",
    "date",
    "publisher",
    "contact",
    "description",
    "useContext",
    "jurisdiction",
    "purpose",
    "copyright",
    "copyrightLabel",
    "profile",
    "fhirVersion",
    "relatedArtifact",
    "name",
];

/// Why a ViewDefinition cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{place}`: {reason}")]
pub struct InvalidView {
    /// The element at fault, `select[0].column[1].path` for example.
    pub place: String,
    /// What is wrong.
    pub reason: String,
}

impl InvalidView {
    pub(super) fn new(place: &str, reason: impl Into<String>) -> Self {
        Self { place: place.to_owned(), reason: reason.into() }
    }
}

type Checked<T> = Result<T, InvalidView>;

impl View {
    /// Compiles a ViewDefinition. Errors name the element at fault; what is not understood is
    /// refused by its name.
    pub fn compile(view: Value<'_>) -> Checked<Self> {
        if view.kind() != Kind::Object {
            return Err(InvalidView::new("ViewDefinition", "a view is a JSON object"));
        }
        if let Some(kind) = view.get("resourceType").filter(|kind| !kind.is_str("ViewDefinition")) {
            let kind = short(&kind.as_str().unwrap_or_default());
            return Err(InvalidView::new("resourceType", format!("`{kind}` is not a view")));
        }
        known_members(view, "", &["resource", "constant", "select", "where"], &METADATA)?;
        let name = optional_text(view, "name", "name")?;
        if let Some(name) = &name {
            check_name(name, "name")?;
        }
        let resource = text(view, "resource", "resource")?;
        let resource_type = fhir::resource_type(&resource).ok_or_else(|| {
            let reason = format!("`{}` is not a resource type of FHIR R4", short(&resource));
            InvalidView::new("resource", reason)
        })?;
        let mut compiler =
            Compiler { constants: constants(view)?, columns: Vec::new(), selects: 0 };
        let mut conditions = Vec::new();
        for (at, condition) in list(view, "where", MAX_LIST)?.into_iter().enumerate() {
            let place = format!("where[{at}]");
            known_members(condition, &place, &["path", "description"], &[])?;
            conditions.push(compiler.expression(condition, "path", &place)?);
        }
        let mut selects = Vec::new();
        for (at, select) in list(view, "select", MAX_SELECTS)?.into_iter().enumerate() {
            selects.push(compiler.select(select, &format!("select[{at}]"), 1)?);
        }
        if compiler.columns.is_empty() {
            return Err(InvalidView::new("select", "a view needs at least one column"));
        }
        Ok(Self { resource_type, name, conditions, selects, columns: compiler.columns })
    }
}

struct Compiler {
    constants: Vec<Constant>,
    /// Columns so far; a column's number is its place in the row.
    columns: Vec<Column>,
    selects: usize,
}

impl Compiler {
    fn expression(&self, holder: Value<'_>, name: &str, place: &str) -> Checked<Expr> {
        let place = format!("{place}.{name}");
        self.parse(&text(holder, name, &place)?, &place)
    }

    fn parse(&self, text: &str, place: &str) -> Checked<Expr> {
        let mut parsed =
            Expr::parse(text).map_err(|error| InvalidView::new(place, error.to_string()))?;
        substitute(&mut parsed.ast, &self.constants).map_err(|name| {
            InvalidView::new(place, format!("the constant `%{}` is not defined", short(&name)))
        })?;
        Ok(parsed)
    }

    fn select(&mut self, select: Value<'_>, place: &str, depth: usize) -> Checked<Select> {
        self.selects += 1;
        if depth > MAX_NESTING || self.selects > MAX_SELECTS {
            return Err(InvalidView::new(place, "the view has too many or too deep selects"));
        }
        const MEMBERS: [&str; 7] =
            ["column", "select", "unionAll", "forEach", "forEachOrNull", "repeat", "description"];
        known_members(select, place, &MEMBERS, &[])?;
        let start = self.columns.len();
        let iterate = self.iterate(select, place)?;
        let (mut columns, mut joined, mut numbered) = (Vec::new(), Vec::new(), Vec::new());
        let (mut plain, mut plain_paths) = (Tree::default(), Vec::new());
        for (at, column) in list(select, "column", MAX_COLUMNS)?.into_iter().enumerate() {
            let (path, is_number) = self.column(column, &format!("{place}.column[{at}]"))?;
            numbered.extend(is_number.then_some(path.place));
            let is_plain = plain.take(path.place, &path.expression, path.collection);
            if is_plain { &mut plain_paths } else { &mut columns }.push(path);
        }
        for (at, nested) in list(select, "select", MAX_SELECTS)?.into_iter().enumerate() {
            let nested = self.select(nested, &format!("{place}.select[{at}]"), depth + 1)?;
            numbered.extend(&nested.numbered);
            joined.push(Joined::Select(Box::new(nested)));
        }
        let union = self.union(select, place, depth)?;
        if let Some(first) = union.first() {
            numbered.extend(&first.numbered);
            joined.push(Joined::Union(union));
        }
        let places = start..self.columns.len();
        Ok(Select { iterate, plain, plain_paths, columns, joined, places, numbered })
    }

    fn iterate(&self, select: Value<'_>, place: &str) -> Checked<Iterate> {
        let given: Vec<&str> = ["forEach", "forEachOrNull", "repeat"]
            .into_iter()
            .filter(|name| select.get(name).is_some())
            .collect();
        match given.as_slice() {
            [] => Ok(Iterate::Once),
            ["forEach"] => self.expression(select, "forEach", place).map(Iterate::Each),
            ["forEachOrNull"] => {
                self.expression(select, "forEachOrNull", place).map(Iterate::EachOrNull)
            }
            ["repeat"] => {
                let mut paths = Vec::new();
                for (at, path) in list(select, "repeat", MAX_LIST)?.into_iter().enumerate() {
                    let place = format!("{place}.repeat[{at}]");
                    let text = path
                        .as_str()
                        .ok_or_else(|| InvalidView::new(&place, "a path is a string"))?;
                    paths.push(self.parse(&text, &place)?);
                }
                if paths.is_empty() {
                    return Err(InvalidView::new(place, "`repeat` needs at least one path"));
                }
                Ok(Iterate::Repeat(paths))
            }
            _ => {
                let reason = "only one of `forEach`, `forEachOrNull` and `repeat` may be given";
                Err(InvalidView::new(place, reason))
            }
        }
    }

    /// One column, and whether it is nothing but `%rowIndex`.
    fn column(&mut self, column: Value<'_>, place: &str) -> Checked<(Path, bool)> {
        const MEMBERS: [&str; 6] = ["path", "name", "type", "collection", "tag", "description"];
        known_members(column, place, &MEMBERS, &[])?;
        let name_place = format!("{place}.name");
        let name = text(column, "name", &name_place)?;
        check_name(&name, &name_place)?;
        if self.columns.iter().any(|known| known.name == name) {
            let reason = format!("the column `{name}` is already defined");
            return Err(InvalidView::new(&name_place, reason));
        }
        if self.columns.len() >= MAX_COLUMNS {
            let reason = format!("a view has at most {MAX_COLUMNS} columns");
            return Err(InvalidView::new(place, reason));
        }
        let declared = optional_text(column, "type", &format!("{place}.type"))?;
        let column_type = declared.as_deref().map(ColumnType::read).unwrap_or_default();
        let collection = match column.get("collection") {
            None => false,
            Some(value) => value.as_bool().ok_or_else(|| {
                InvalidView::new(&format!("{place}.collection"), "`true` or `false` is expected")
            })?,
        };
        let expression = self.expression(column, "path", place)?;
        let is_number = column.str_at("path").is_some_and(|path| path.trim() == "%rowIndex");
        let path = Path { place: self.columns.len(), expression, collection };
        self.columns.push(Column { name, column_type, collection });
        Ok((path, is_number))
    }

    /// The branches of `unionAll`: all of them must have the same columns in the same order.
    fn union(&mut self, select: Value<'_>, place: &str, depth: usize) -> Checked<Vec<Select>> {
        let start = self.columns.len();
        let mut first: Option<Vec<Column>> = None;
        let mut branches = Vec::new();
        for (at, branch) in list(select, "unionAll", MAX_SELECTS)?.into_iter().enumerate() {
            let place = format!("{place}.unionAll[{at}]");
            branches.push(self.select(branch, &place, depth + 1)?);
            let columns = self.columns.split_off(start);
            match &first {
                None => first = Some(columns),
                Some(known) if *known == columns => {}
                Some(_) => {
                    let reason = "the columns differ from those of the first branch in name, \
                                  order or type";
                    return Err(InvalidView::new(&place, reason));
                }
            }
        }
        self.columns.extend(first.unwrap_or_default());
        Ok(branches)
    }
}

fn constants(view: Value<'_>) -> Checked<Vec<Constant>> {
    let mut found: Vec<Constant> = Vec::new();
    for (at, constant) in list(view, "constant", MAX_LIST)?.into_iter().enumerate() {
        let place = format!("constant[{at}]");
        let name = text(constant, "name", &format!("{place}.name"))?;
        check_name(&name, &place)?;
        if found.iter().any(|(known, _)| *known == name) {
            return Err(InvalidView::new(&place, format!("`{name}` is defined twice")));
        }
        found.push((name, literal(constant, &place)?));
    }
    Ok(found)
}

/// Names of views, columns and constants (SQL on FHIR, invariant sql-name).
fn check_name(name: &str, place: &str) -> Checked<()> {
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
    if first && name.len() <= 255 && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    let reason = "a name starts with a letter and goes on with letters, digits and `_`";
    Err(InvalidView::new(place, reason))
}

/// Refuses members that are not understood; `id`, extensions and what begins with `_` are passed
/// over, but a modifier extension may change the meaning.
fn known_members(holder: Value<'_>, place: &str, rules: &[&str], more: &[&str]) -> Checked<()> {
    for member in holder.members() {
        let name = member.name();
        let known = rules.contains(&&*name)
            || more.contains(&&*name)
            || matches!(&*name, "id" | "extension")
            || name.starts_with('_');
        if !known {
            let place =
                if place.is_empty() { short(&name) } else { format!("{place}.{}", short(&name)) };
            return Err(InvalidView::new(&place, "this element is not known"));
        }
    }
    Ok(())
}

fn list<'v>(holder: Value<'v>, name: &str, most: usize) -> Checked<Vec<Value<'v>>> {
    let Some(value) = holder.get(name) else { return Ok(Vec::new()) };
    if value.kind() != Kind::Array {
        return Err(InvalidView::new(name, "a list is expected"));
    }
    let items: Vec<Value<'v>> = value.items().collect();
    if items.len() > most {
        return Err(InvalidView::new(name, format!("at most {most} are allowed")));
    }
    Ok(items)
}

fn optional_text(holder: Value<'_>, name: &str, place: &str) -> Checked<Option<String>> {
    let Some(value) = holder.get(name) else { return Ok(None) };
    match value.as_str() {
        Some(text) => Ok(Some(text.into_owned())),
        None => Err(InvalidView::new(place, "a string is expected")),
    }
}

fn text(holder: Value<'_>, name: &str, place: &str) -> Checked<String> {
    let text = optional_text(holder, name, place)?.filter(|text| !text.is_empty());
    text.ok_or_else(|| InvalidView::new(place, "this element is missing"))
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
