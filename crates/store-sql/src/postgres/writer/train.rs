//! What a group of transactions changes, gathered until it is sent.

use std::collections::{BTreeMap, HashMap, HashSet};

use store::Key;
use store::rules::Standing;

use super::super::batch::{Column, Ready, Rows, insert, send};
use super::super::fault::Fault;
use super::super::index::{Spot, Waiting, removal};
use super::super::rows::Indexed;
use super::{MANY_ROWS, Writer};

/// What stands of a resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current {
    pub(super) spot: Spot,
    pub(super) kind: i16,
    pub(super) seq: i64,
    pub(super) ms: i64,
    pub(super) first: i64,
    pub(super) standing: Standing,
    /// Whether the database has a row of it.
    pub(super) stored: bool,
    /// Whether that row has to change.
    pub(super) changed: bool,
}

/// Key and value of side values that change.
pub(super) type SideChanges = BTreeMap<(String, Vec<u8>), Option<Vec<u8>>>;

#[derive(Default)]
pub(super) struct Train {
    /// Everything that was looked up or changed; `None` where there never was a version.
    pub(super) current: HashMap<Key, Option<Current>>,
    pub(super) versions: Versions,
    pub(super) links: Links,
    /// What the index will hold of what changed; nothing of what is deleted.
    pub(super) rows: HashMap<Spot, Option<Indexed>>,
    pub(super) row_count: usize,
    /// Resources whose rows in the database no longer hold.
    pub(super) stale: HashSet<Spot>,
    pub(super) side: SideChanges,
    /// By how much the number of resources of a type changes.
    pub(super) census: HashMap<i16, i64>,
    /// Numbers without a version.
    pub(super) forgotten: i64,
    /// Whether a transaction of PostgreSQL is open.
    begun: bool,
}

impl Train {
    fn is_empty(&self) -> bool {
        self.versions.seq.is_empty() && self.side.is_empty() && self.forgotten == 0
    }
}

#[derive(Default)]
pub(super) struct Versions {
    pub(super) shard: Vec<Option<i16>>,
    pub(super) rid: Vec<i64>,
    pub(super) version: Vec<i64>,
    pub(super) seq: Vec<i64>,
    pub(super) kind: Vec<Option<i16>>,
    pub(super) ms: Vec<i64>,
    pub(super) method: Vec<Option<i16>>,
    pub(super) body: Vec<Vec<u8>>,
}

impl Rows for Versions {
    const TABLE: &'static str = "version";
    const COLUMNS: &'static [&'static str] =
        &["shard", "rid", "version", "seq", "kind", "ms", "method", "body"];

    fn into_columns(self) -> Vec<Column> {
        vec![
            Column::Small(self.shard),
            Column::Big(self.rid),
            Column::Big(self.version),
            Column::Big(self.seq),
            Column::Small(self.kind),
            Column::Big(self.ms),
            Column::Small(self.method),
            Column::Bytes(self.body),
        ]
    }
}

/// Leaves of the audit.
#[derive(Default)]
pub(super) struct Links {
    pub(super) number: Vec<i64>,
    pub(super) seq: Vec<i64>,
    pub(super) hash: Vec<Vec<u8>>,
}

impl Rows for Links {
    const TABLE: &'static str = "audit";
    const COLUMNS: &'static [&'static str] = &["number", "seq", "hash"];

    fn into_columns(self) -> Vec<Column> {
        vec![Column::Big(self.number), Column::Big(self.seq), Column::Bytes(self.hash)]
    }
}

/// Rows of `resource`.
#[derive(Default)]
struct Resources {
    shard: Vec<Option<i16>>,
    rid: Vec<i64>,
    kind: Vec<Option<i16>>,
    id: Vec<Option<String>>,
    seq: Vec<i64>,
    version: Vec<i64>,
    ms: Vec<i64>,
    live: Vec<bool>,
    first: Vec<i64>,
}

impl Resources {
    fn push(&mut self, key: &Key, current: &Current) {
        self.shard.push(Some(current.spot.0));
        self.rid.push(current.spot.1);
        self.kind.push(Some(current.kind));
        self.id.push(Some(key.id.as_str().to_owned()));
        self.seq.push(current.seq);
        self.version.push(i64::try_from(current.standing.version).unwrap_or(i64::MAX));
        self.ms.push(current.ms);
        self.live.push(current.standing.live);
        self.first.push(current.first);
    }
}

impl Rows for Resources {
    const TABLE: &'static str = "resource";
    const COLUMNS: &'static [&'static str] =
        &["shard", "rid", "kind", "id", "seq", "version", "ms", "live", "first"];

    fn into_columns(self) -> Vec<Column> {
        vec![
            Column::Small(self.shard),
            Column::Big(self.rid),
            Column::Small(self.kind),
            Column::Text(self.id),
            Column::Big(self.seq),
            Column::Big(self.version),
            Column::Big(self.ms),
            Column::Flag(self.live),
            Column::Big(self.first),
        ]
    }
}

impl Writer {
    /// Writes what was gathered and makes it durable.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        if self.train.begun || !self.train.is_empty() {
            self.send_train(Some("COMMIT"))?;
        }
        self.train = Train::default();
        Ok(())
    }

    /// Writes what was gathered, so that searches of this transaction see it.
    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        if self.train.is_empty() { Ok(()) } else { self.send_train(None) }
    }

    /// Writes what was gathered where it is much.
    pub(super) fn flush_if_large(&mut self) -> Result<(), Fault> {
        if self.train.row_count > MANY_ROWS { self.flush() } else { Ok(()) }
    }

    /// Opens a transaction of PostgreSQL where none is open.
    pub(super) fn begin(&mut self) -> Result<(), Fault> {
        if !std::mem::replace(&mut self.train.begun, true) {
            self.conn.batch("BEGIN")?;
        }
        Ok(())
    }

    fn send_train(&mut self, last: Option<&str>) -> Result<(), Fault> {
        self.begin()?;
        let train = &mut self.train;
        // Old rows must be gone before new ones come.
        let stale: Vec<Spot> = train.stale.drain().collect();
        send(&self.conn, &removal(&stale), None)?;
        let mut waiting = Waiting::default();
        for (spot, indexed) in train.rows.drain() {
            if let Some(indexed) = indexed {
                waiting.push(spot, indexed);
            }
        }
        train.row_count = 0;
        let mut ready = Vec::new();
        insert(&self.conn, std::mem::take(&mut train.versions), &mut ready)?;
        insert(&self.conn, std::mem::take(&mut train.links), &mut ready)?;
        let (mut new, mut old) = (Resources::default(), Resources::default());
        for (key, current) in &mut train.current {
            let Some(current) = current.as_mut().filter(|current| current.changed) else {
                continue;
            };
            current.changed = false;
            let rows =
                if std::mem::replace(&mut current.stored, true) { &mut old } else { &mut new };
            rows.push(key, current);
        }
        insert(&self.conn, new, &mut ready)?;
        if !old.rid.is_empty() {
            ready.push(update(old));
        }
        waiting.write(&self.conn, &mut ready)?;
        side(std::mem::take(&mut train.side), &mut ready);
        let (kinds, changes): (Vec<_>, Vec<_>) =
            train.census.drain().filter(|(_, change)| *change != 0).unzip();
        if !kinds.is_empty() {
            let kinds = kinds.into_iter().map(Some).collect();
            let sql = "UPDATE kind SET live = live + c.n
                       FROM unnest($1::int2[], $2::int8[]) AS c(number, n)
                       WHERE kind.number = c.number";
            ready.push(Ready::new(sql, vec![Column::Small(kinds), Column::Big(changes)]));
        }
        let forgotten = std::mem::take(&mut train.forgotten);
        if forgotten > 0 {
            ready.push(Ready::new(FORGOTTEN, vec![Column::Big(vec![forgotten])]));
        }
        send(&self.conn, &ready, last)
    }
}

/// Numbers without a version are counted, so that one that is lost is found.
const FORGOTTEN: &str = "INSERT INTO meta(name, value)
    SELECT 'forgotten', n::text FROM unnest($1::int8[]) AS n
    ON CONFLICT(name) DO UPDATE SET value = (meta.value::int8 + excluded.value::int8)::text";

fn update(rows: Resources) -> Ready {
    let sql = "UPDATE resource r SET seq = u.seq, version = u.version, ms = u.ms, live = u.live,
                   first = u.first
               FROM unnest($1::int2[], $2::int8[], $3::int2[], $4::text[], $5::int8[], $6::int8[],
                   $7::int8[], $8::bool[], $9::int8[])
                   AS u(shard, rid, kind, id, seq, version, ms, live, first)
               WHERE r.shard = u.shard AND r.rid = u.rid";
    Ready::new(sql, rows.into_columns())
}

fn side(changes: SideChanges, ready: &mut Vec<Ready>) {
    let (mut spaces, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let (mut gone_spaces, mut gone_keys) = (Vec::new(), Vec::new());
    for ((space, key), value) in changes {
        match value {
            Some(value) => {
                spaces.push(Some(space));
                keys.push(key);
                values.push(value);
            }
            None => {
                gone_spaces.push(Some(space));
                gone_keys.push(key);
            }
        }
    }
    if !keys.is_empty() {
        let sql = "INSERT INTO side(space, key, value)
                   SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[])
                   ON CONFLICT(space, key) DO UPDATE SET value = excluded.value";
        let columns = vec![Column::Text(spaces), Column::Bytes(keys), Column::Bytes(values)];
        ready.push(Ready::new(sql, columns));
    }
    if !gone_keys.is_empty() {
        let sql = "DELETE FROM side s USING unnest($1::text[], $2::bytea[]) AS g(space, key)
                   WHERE s.space = g.space AND s.key = g.key";
        ready.push(Ready::new(sql, vec![Column::Text(gone_spaces), Column::Bytes(gone_keys)]));
    }
}
