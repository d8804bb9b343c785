//! What matches point to, what points to them, and a patient's compartment.

use fhir::Id;
use store::query::{Direction, Include, local_target};
use store::{Seq, Stored};

use super::super::fault::Fault;
use super::super::index::number;
use super::super::view::{load, signed};
use super::sql::{Sql, Value};
use super::{Search, numbers};

/// The most that texts are asked for while a parameter is being indexed.
const MOST_BY_TEXT: usize = 1_000_000;

impl Search<'_> {
    /// See `Snapshot::include`.
    pub(in crate::postgres) fn include(
        &self,
        matches: &[Seq],
        include: &Include,
    ) -> Result<Vec<Seq>, Fault> {
        let versions = load(self.conn, self.shared, matches)?;
        match include.direction {
            Direction::Forward => self.pointed_to(&versions, include),
            Direction::Reverse => {
                let mut found = self.pointing_at(&versions, include)?;
                let keys: Vec<(&str, &str)> = versions
                    .iter()
                    .map(|stored| (stored.key.resource_type, stored.key.id.as_str()))
                    .collect();
                // While a parameter is being indexed, only the texts can tell.
                for query in include.by_text(&self.registry, &keys) {
                    for seq in self.find(&query, MOST_BY_TEXT, false)? {
                        if !matches.contains(&seq) && !found.contains(&seq) {
                            found.push(seq);
                        }
                    }
                }
                Ok(found)
            }
        }
    }

    /// Where the references in the texts of versions lead.
    fn pointed_to(&self, versions: &[Stored], include: &Include) -> Result<Vec<Seq>, Fault> {
        let (mut kinds, mut ids) = (Vec::new(), Vec::new());
        for stored in versions {
            let from = include.source_type.is_none_or(|name| name == stored.key.resource_type);
            if !from || stored.text.is_empty() {
                continue;
            }
            for entry in self.entries(stored)? {
                if !include.params.contains(&entry.param) {
                    continue;
                }
                let Some((name, id)) = local_target(&entry.value) else { continue };
                let wanted = include.target_type.is_none_or(|target| target == name);
                if let Some(kind) = self.shared.kinds.number(name).filter(|_| wanted) {
                    kinds.push(kind);
                    ids.push(id.to_owned());
                }
            }
        }
        let matched: Vec<i64> = versions.iter().map(|stored| signed(stored.seq)).collect();
        let sql = "SELECT r.seq FROM (SELECT DISTINCT kind, id
                       FROM unnest($1::int2[], $2::text[]) AS k(kind, id)) k
                   JOIN resource r ON r.kind = k.kind AND r.id = k.id
                   WHERE r.live AND NOT EXISTS (SELECT 1 FROM version v WHERE v.shard = r.shard
                       AND v.rid = r.rid AND v.seq = ANY($3))
                   ORDER BY r.first";
        numbers(self.conn.rows(sql, &[&kinds, &ids, &matched])?)
    }

    fn pointing_at(&self, versions: &[Stored], include: &Include) -> Result<Vec<Seq>, Fault> {
        let wanted = |stored: &&Stored| {
            include.target_type.is_none_or(|name| name == stored.key.resource_type)
        };
        let (mut kinds, mut ids) = (Vec::new(), Vec::new());
        for stored in versions.iter().filter(wanted) {
            kinds.extend(self.shared.kinds.number(stored.key.resource_type));
            ids.push(stored.key.id.as_str());
        }
        let mut params: Vec<i32> = include
            .params
            .iter()
            .flat_map(|param| self.registry.indexed_as(*param))
            .map(number)
            .collect();
        params.sort_unstable();
        params.dedup();
        let matched: Vec<i64> = versions.iter().map(|stored| signed(stored.seq)).collect();
        let sql = "SELECT r.seq FROM resource r
                   WHERE r.live AND (r.shard, r.rid) IN (SELECT l.shard, l.rid
                       FROM unnest($1::int2[], $2::text[]) AS k(kind, id)
                       JOIN ix_link l ON l.kind = k.kind AND l.id = k.id
                       WHERE l.param = ANY($3))
                   AND NOT EXISTS (SELECT 1 FROM version v WHERE v.shard = r.shard
                       AND v.rid = r.rid AND v.seq = ANY($4))
                   ORDER BY r.first";
        numbers(self.conn.rows(sql, &[&kinds, &ids, &params, &matched])?)
    }

    /// See `Snapshot::compartment`.
    pub(in crate::postgres) fn compartment(
        &self,
        patient: &Id,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Seq>, Fault> {
        let Some(kind) = self.shared.kinds.number("Patient") else { return Ok(Vec::new()) };
        let mut sql = Sql::default();
        let (kind, id) = (sql.bind(Value::Small(kind)), sql.text(patient.as_str()));
        let params = self.shared.compartment.iter().filter(|(_, kind)| wanted(kind));
        let params = params.map(|(param, _)| number(*param)).collect();
        let params = sql.bind(Value::Ints(params));
        let statement = format!(
            "SELECT seq FROM (
                 SELECT seq, 0 AS part, first FROM resource
                 WHERE kind = {kind} AND id = {id} AND live
                 UNION ALL
                 SELECT r.seq, 1, r.first FROM resource r
                 WHERE r.live AND NOT (r.kind = {kind} AND r.id = {id})
                     AND (r.shard, r.rid) IN (SELECT shard, rid FROM ix_link
                         WHERE kind = {kind} AND id = {id} AND param = ANY({params}))
             ) found ORDER BY part, first"
        );
        numbers(self.conn.ask(&statement, &sql.values())?)
    }
}
