//! The order of results.

use fhirpath::search::ParamNumber;
use store::query::{Sort, SortBy};

use super::condition::{Conditions, table_of};

impl Conditions<'_> {
    /// The parts of ORDER BY for rows `r` of `resource`: values that are missing come last in either
    /// direction, and what is left is in the order of first writing.
    pub(super) fn order(&mut self, sort: &[Sort], r: &str) -> String {
        let mut parts: Vec<String> = sort
            .iter()
            .filter_map(|part| {
                let key = match part.by {
                    SortBy::Id => format!("{r}.id"),
                    SortBy::LastUpdated => format!("{r}.seq"),
                    SortBy::Param(param) => self.extreme(param, part.descending, r)?,
                };
                let direction = if part.descending { "DESC" } else { "ASC" };
                Some(format!("{key} {direction} NULLS LAST"))
            })
            .collect();
        parts.push(format!("{r}.first"));
        parts.join(", ")
    }

    /// The lowest value of a parameter, or the highest.
    fn extreme(&mut self, param: ParamNumber, descending: bool, r: &str) -> Option<String> {
        let table = table_of(self.registry.by_number(param)?.param_type)?;
        let t = self.sql.table();
        let value = match table {
            "ix_token" => format!("{t}.code"),
            "ix_text" => format!("{t}.text"),
            "ix_date" => format!("{t}.start_ms"),
            "ix_number" | "ix_quantity" => format!("{t}.value"),
            "ix_uri" => format!("{t}.uri"),
            _ => format!(
                "coalesce({t}.url, (SELECT k.name FROM kind k WHERE k.number = {t}.kind) \
                 || '/' || {t}.id)"
            ),
        };
        let params = self.params(param);
        let best = if descending { "max" } else { "min" };
        Some(format!(
            "(SELECT {best}({value}) FROM {table} {t} WHERE {t}.shard = {r}.shard \
             AND {t}.rid = {r}.rid AND {t}.param {params} AND {t}.slot >= 0)"
        ))
    }
}
