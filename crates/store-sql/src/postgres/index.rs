//! Rows of the index that wait to be written.

use fhirpath::search::ParamNumber;

use super::batch::{Column, Ready, Rows, insert};
use super::conn::Conn;
use super::fault::Fault;
use super::rows::{Indexed, Row, Slot};
use super::schema::INDEX_TABLES;

/// Where a resource is.
pub(super) type Spot = (i16, i64);

/// The columns that all tables begin with.
#[derive(Default)]
struct Head {
    shard: Vec<Option<i16>>,
    rid: Vec<i64>,
    param: Vec<i32>,
    slot: Vec<i32>,
}

impl Head {
    fn push(&mut self, spot: Spot, param: i32, slot: i32) {
        self.shard.push(Some(spot.0));
        self.rid.push(spot.1);
        self.param.push(param);
        self.slot.push(slot);
    }

    fn with(self, rest: Vec<Column>) -> Vec<Column> {
        let mut columns = vec![
            Column::Small(self.shard),
            Column::Big(self.rid),
            Column::Int(self.param),
            Column::Int(self.slot),
        ];
        columns.extend(rest);
        columns
    }
}

/// Declares a table: its own columns behind those of [`Head`].
macro_rules! table {
    ($type:ident, $name:literal, $($column:ident: $value:ty => $kind:ident),+) => {
        #[derive(Default)]
        struct $type { head: Head, $($column: Vec<$value>),+ }

        impl Rows for $type {
            const TABLE: &'static str = $name;
            const COLUMNS: &'static [&'static str] =
                &["shard", "rid", "param", "slot", $(stringify!($column)),+];

            fn into_columns(self) -> Vec<Column> {
                self.head.with(vec![$(Column::$kind(self.$column)),+])
            }
        }
    };
}

type Text = Option<String>;

table!(Tokens, "ix_token", system: Text => Text, code: Text => Text, text: Text => Text);
table!(Texts, "ix_text", text: Text => Text, exact: Text => Text);
table!(
    Links, "ix_link", kind: Option<i16> => Small, id: Text => Text, url: Text => Text,
    version: Text => Text, own_system: Text => Text, own_code: Text => Text
);
table!(Dates, "ix_date", start_ms: i64 => Big, end_ms: i64 => Big);
table!(Numbers, "ix_number", value: f64 => Real, open: Option<i16> => Small);
table!(
    Quantities, "ix_quantity", value: f64 => Real, open: Option<i16> => Small, system: Text => Text,
    code: Text => Text, unit: Text => Text
);
table!(Uris, "ix_uri", uri: Text => Text);

/// Rows of `ix_words`.
#[derive(Default)]
struct Words {
    shard: Vec<Option<i16>>,
    rid: Vec<i64>,
    narrative: Vec<Option<String>>,
    content: Vec<Option<String>>,
    whole: Vec<bool>,
}

impl Words {
    /// A statement that adds the rows; vectors are written as texts.
    fn ready(self) -> Option<Ready> {
        let sql = "INSERT INTO ix_words(shard, rid, narrative, content, whole)
                   SELECT shard, rid, narrative::tsvector, content::tsvector, whole
                   FROM unnest($1::int2[], $2::int8[], $3::text[], $4::text[], $5::bool[])
                       AS w(shard, rid, narrative, content, whole)";
        let any = !self.rid.is_empty();
        any.then(|| {
            Ready::new(
                sql,
                vec![
                    Column::Small(self.shard),
                    Column::Big(self.rid),
                    Column::Text(self.narrative),
                    Column::Text(self.content),
                    Column::Flag(self.whole),
                ],
            )
        })
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Waiting {
    tokens: Tokens,
    texts: Texts,
    links: Links,
    dates: Dates,
    numbers: Numbers,
    quantities: Quantities,
    uris: Uris,
    words: Words,
}

impl Waiting {
    /// Adds what the index holds of one resource.
    pub(super) fn push(&mut self, spot: Spot, indexed: Indexed) {
        self.push_rows(spot, indexed.rows);
        self.words.shard.push(Some(spot.0));
        self.words.rid.push(spot.1);
        self.words.narrative.push(Some(indexed.words.narrative));
        self.words.content.push(Some(indexed.words.content));
        self.words.whole.push(indexed.words.whole);
    }

    /// Adds rows of one resource without its words.
    pub(super) fn push_rows(
        &mut self,
        spot: Spot,
        rows: impl IntoIterator<Item = (ParamNumber, Slot, Row)>,
    ) {
        for (param, slot, row) in rows {
            self.push_row(spot, number(param), slot, row);
        }
    }

    fn push_row(&mut self, spot: Spot, param: i32, slot: Slot, row: Row) {
        match row {
            Row::Token { system, code, text } => {
                self.tokens.head.push(spot, param, slot);
                self.tokens.system.push(system);
                self.tokens.code.push(code);
                self.tokens.text.push(text);
            }
            Row::Text { text, exact } => {
                self.texts.head.push(spot, param, slot);
                self.texts.text.push(Some(text));
                self.texts.exact.push(exact);
            }
            Row::Link(link) => {
                let (system, code) = link.own.map_or((None, None), |(s, code)| (s, Some(code)));
                self.links.head.push(spot, param, slot);
                self.links.kind.push(link.kind);
                self.links.id.push(link.id);
                self.links.url.push(link.url);
                self.links.version.push(link.version);
                self.links.own_system.push(system);
                self.links.own_code.push(code);
            }
            Row::Date { start, end } => {
                self.dates.head.push(spot, param, slot);
                self.dates.start_ms.push(start);
                self.dates.end_ms.push(end);
            }
            Row::Number { value, open } => {
                self.numbers.head.push(spot, param, slot);
                self.numbers.value.push(value);
                self.numbers.open.push(Some(open));
            }
            Row::Quantity { value, open, unit } => {
                self.quantities.head.push(spot, param, slot);
                self.quantities.value.push(value);
                self.quantities.open.push(Some(open));
                self.quantities.system.push(unit.system);
                self.quantities.code.push(unit.code);
                self.quantities.unit.push(unit.text);
            }
            Row::Uri { uri } => {
                self.uris.head.push(spot, param, slot);
                self.uris.uri.push(Some(uri));
            }
        }
    }

    /// Writes everything, many rows at once and few among `ready`.
    pub(super) fn write(self, conn: &Conn, ready: &mut Vec<Ready>) -> Result<(), Fault> {
        insert(conn, self.tokens, ready)?;
        insert(conn, self.texts, ready)?;
        insert(conn, self.links, ready)?;
        insert(conn, self.dates, ready)?;
        insert(conn, self.numbers, ready)?;
        insert(conn, self.quantities, ready)?;
        insert(conn, self.uris, ready)?;
        ready.extend(self.words.ready());
        Ok(())
    }
}

/// A parameter's number as the tables keep it.
pub(super) fn number(param: ParamNumber) -> i32 {
    i32::try_from(param).unwrap_or(i32::MAX)
}

/// Statements that remove every row of some resources.
pub(super) fn removal(spots: &[Spot]) -> Vec<Ready> {
    if spots.is_empty() {
        return Vec::new();
    }
    let statement = |table: &&str| {
        let sql = format!(
            "DELETE FROM {table} x USING unnest($1::int2[], $2::int8[]) AS gone(shard, rid)
             WHERE x.shard = gone.shard AND x.rid = gone.rid"
        );
        let shards = spots.iter().map(|spot| Some(spot.0)).collect();
        let rids = spots.iter().map(|spot| spot.1).collect();
        Ready::new(sql, vec![Column::Small(shards), Column::Big(rids)])
    };
    INDEX_TABLES.iter().map(statement).collect()
}
