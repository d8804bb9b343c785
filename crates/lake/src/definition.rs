//! A view as the lake keeps it: its columns with their SQL types, and which of them tell who
//! somebody is.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use fhir::{Document, Value};
use fhirpath::views::{ColumnType, View};

use crate::Fault;

/// The hidden column with the number of the person whom a row is about ([`person`]).
pub(crate) const PERSON: &str = "_person";
/// The hidden column with the key of the resource that a row was made of.
pub(crate) const KEY: &str = "_key";
/// The `tag` of a column that tells who somebody is.
const IDENTIFIER_TAG: &str = "consilium/identifier";
/// Words in a path that lead to what tells who or which one something is.
const IDENTIFYING: [&str; 16] = [
    "getResourceKey",
    "getReferenceKey",
    "id",
    "identifier",
    "family",
    "given",
    "name",
    "telecom",
    "line",
    "reference",
    "photo",
    "div",
    "note",
    "comment",
    "fullUrl",
    "url",
];

/// What a column holds in SQL.
///
/// Other than in files for others ([`crate::Table`], where SQL on FHIR keeps them as text),
/// decimals are numbers here, and dates and times are the first moment of the period that they
/// state (FHIR R4, "date and time": a partial date stands for a period).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// A number (64-bit floating point).
    Number,
    /// Text; structures as JSON, bytes in base64.
    Text,
    /// A day.
    Date,
    /// A moment in UTC, in microseconds.
    Moment,
}

impl Kind {
    /// The type in memory and in files.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Text => DataType::Utf8View,
            Self::Date => DataType::Date32,
            Self::Moment => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

/// A column of a table of the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// What it holds. Columns of lists hold them as JSON text.
    pub kind: Kind,
    /// Whether it tells who or which one: a key, a reference, a name. Researchers can count and
    /// join by it, and nothing else.
    pub identifier: bool,
}

/// A view that the lake keeps as a table.
#[derive(Clone, Debug)]
pub struct Definition {
    name: String,
    hash: [u8; 32],
    view: Arc<View>,
    columns: Vec<TableColumn>,
    own_key: Option<String>,
    schema: SchemaRef,
}

impl Definition {
    /// Reads a ViewDefinition. The table has the view's `name`, in lower case.
    ///
    /// Errors: [`Fault::View`] where it is no view, has no name, or a column of it could not be
    /// told from another in SQL, where names are in lower case.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let fault = |name: &str, reason: String| Fault::View { name: name.into(), reason };
        let document = Document::parse(text).map_err(|e| fault("?", e.to_string()))?;
        let view = View::compile(document.root()).map_err(|e| fault("?", e.to_string()))?;
        let Some(name) = view.name().map(str::to_ascii_lowercase) else {
            return Err(fault("?", "a view of the lake needs a `name`".into()));
        };
        let mut stated = Vec::new();
        collect(document.root(), &mut stated);
        let mut columns: Vec<TableColumn> = Vec::new();
        for column in view.columns() {
            let said = stated.iter().find(|one| one.name == column.name);
            let kind = said.map_or("", |one| one.kind.as_str());
            let kind = match column.column_type {
                _ if column.collection => Kind::Text,
                ColumnType::Boolean => Kind::Boolean,
                ColumnType::Integer | ColumnType::Integer64 => Kind::Integer,
                ColumnType::Decimal => Kind::Number,
                ColumnType::Date => Kind::Date,
                ColumnType::Instant => Kind::Moment,
                _ if matches!(kind, "dateTime" | "DateTime") => Kind::Moment,
                _ => Kind::Text,
            };
            let name_of = column.name.to_ascii_lowercase();
            if columns.iter().any(|known| known.name == name_of) {
                return Err(fault(&name, format!("two columns are called `{name_of}` in SQL")));
            }
            let identifier = said.is_some_and(|one| one.identifier);
            columns.push(TableColumn { name: name_of, kind, identifier });
        }
        let fields: Vec<Field> =
            columns.iter().map(|c| Field::new(&c.name, c.kind.data_type(), true)).collect();
        let own_key = stated.iter().find(|one| one.is_own_key).map(|one| &one.name);
        let own_key =
            own_key.filter(|_| !repeats(document.root())).map(|name| name.to_ascii_lowercase());
        let hash = crypto::sha256(text.as_bytes());
        Ok(Self {
            name,
            hash,
            view: Arc::new(view),
            columns,
            own_key,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the definition's text. A table that was made with another one is rebuilt.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The view.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The columns in their order.
    pub fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// The column with the key of the resource of each row, where a resource has one row at most.
    pub(crate) fn own_key(&self) -> Option<&str> {
        self.own_key.as_deref()
    }

    /// What queries see.
    pub(crate) fn visible(&self) -> &SchemaRef {
        &self.schema
    }

    /// What is kept: the visible columns, then person and key.
    pub(crate) fn kept(&self) -> SchemaRef {
        let mut fields: Vec<Field> =
            self.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
        fields.push(Field::new(PERSON, DataType::UInt64, true));
        fields.push(Field::new(KEY, DataType::FixedSizeBinary(16), false));
        Arc::new(Schema::new(fields))
    }
}

/// The number that stands for a person in hidden columns: the first 64 bits of SHA-256 over the
/// id. Two of a million people share one with a probability of 3 in 10^8 (birthday bound,
/// n²/2^65), which would count them as one.
pub(crate) fn person(id: &str) -> u64 {
    let hash = crypto::hash::sha256_of_parts(&[b"person", id.as_bytes()]);
    hash.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
}

/// The number that stands for a resource: the first 128 bits of SHA-256 over type and id.
pub(crate) fn key(resource_type: &str, id: &str) -> u128 {
    let hash = crypto::hash::sha256_of_parts(&[resource_type.as_bytes(), b"/", id.as_bytes()]);
    hash.first_chunk::<16>().map_or(0, |first| u128::from_be_bytes(*first))
}

/// What a definition says of a column beside what the compiled view keeps.
struct Stated {
    name: String,
    kind: String,
    identifier: bool,
    is_own_key: bool,
}

/// Whether a resource may have several rows.
fn repeats(select: Value<'_>) -> bool {
    const REPEATING: [&str; 4] = ["forEach", "forEachOrNull", "unionAll", "repeat"];
    let mut inner = select.get("select").into_iter().flat_map(Value::items);
    REPEATING.iter().any(|name| select.get(name).is_some()) || inner.any(repeats)
}

fn collect(select: Value<'_>, found: &mut Vec<Stated>) {
    let each = |name: &str| select.get(name).into_iter().flat_map(Value::items);
    for column in each("column") {
        let text = |name: &str| column.str_at(name).unwrap_or_default().into_owned();
        let path = text("path");
        let mut words = path.split(|c: char| !c.is_ascii_alphanumeric());
        let tags = column.get("tag").into_iter().flat_map(Value::items);
        let identifier = words.any(|word| IDENTIFYING.contains(&word))
            || tags.into_iter().any(|tag| tag.str_at("name").as_deref() == Some(IDENTIFIER_TAG));
        let kind = text("type");
        let kind = kind.rsplit(['/', '.']).next().unwrap_or_default().to_owned();
        let is_own_key = path.trim() == "getResourceKey()";
        found.push(Stated { name: text("name"), kind, identifier, is_own_key });
    }
    for name in ["select", "unionAll"] {
        for inner in each(name) {
            collect(inner, found);
        }
    }
}
