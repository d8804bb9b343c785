//! Operations, one module for each family. A family says what it offers once, in its
//! `OPERATIONS`; routing, the CapabilityStatement and the guide's tests go by that.

mod bulk;
mod everything;
mod graphql;
pub mod jobs;
mod meta;
mod observation;
mod parameters;
mod patient;
mod rows;
mod simulate;
mod sql_query;
mod submit;
mod subscription;
mod terminology;
mod validate;
mod views;

use app::App;
use axum::Router;

pub use parameters::Parameters;

/// One operation as the CapabilityStatement lists it.
pub struct Operation {
    /// Its name without the `$`.
    pub name: &'static str,
    /// Canonical URL of its OperationDefinition.
    pub definition: &'static str,
    /// Resource types that have it, `Resource` for all of them; empty for an operation of the whole
    /// system.
    pub types: &'static [&'static str],
}

impl Operation {
    /// Whether resources of a type have it.
    pub fn is_of(&self, resource_type: &str) -> bool {
        self.types.iter().any(|one| *one == resource_type || *one == "Resource")
    }
}

/// Every family of operations.
const FAMILIES: &[&[Operation]] = &[
    patient::OPERATIONS,
    simulate::OPERATIONS,
    everything::OPERATIONS,
    graphql::OPERATIONS,
    meta::OPERATIONS,
    observation::OPERATIONS,
    subscription::OPERATIONS,
    terminology::OPERATIONS,
    validate::OPERATIONS,
    bulk::OPERATIONS,
    submit::OPERATIONS,
    views::OPERATIONS,
    sql_query::OPERATIONS,
];

/// Every operation of this node.
pub fn all() -> impl Iterator<Item = &'static Operation> {
    FAMILIES.iter().copied().flatten()
}

/// The routes of all operations.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(patient::routes())
        .merge(simulate::routes())
        .merge(everything::routes())
        .merge(graphql::routes())
        .merge(meta::routes())
        .merge(observation::routes())
        .merge(subscription::routes())
        .merge(terminology::routes())
        .merge(validate::routes())
}

/// Whether an address answers in forms of its own, so that nothing is done to its bodies.
pub fn is_free(path: &str) -> bool {
    const NAMES: [&str; 10] = [
        "$sqlquery-run",
        "$bulk-submit",
        "$bulk-submit-status",
        "$export",
        "$import",
        "$run",
        "$sql-run",
        "$sql-export",
        "$viewdefinition-run",
        "$viewdefinition-export",
    ];
    let last = path.rsplit('/').next().unwrap_or_default();
    path.starts_with("/fhir/_jobs/")
        || path.starts_with("/fhir/_submissions/")
        || NAMES.contains(&last)
}

/// The routes of operations that answer in forms of their own, files and tables for example.
pub fn free_routes() -> Router<App> {
    Router::new()
        .merge(bulk::routes())
        .merge(submit::routes())
        .merge(jobs::routes())
        .merge(views::routes())
        .merge(sql_query::routes())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn every_operation_of_ours_has_its_definition_in_the_guide() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ig");
        for operation in super::all().filter(|o| o.definition.contains("consilium")) {
            let id = operation.definition.rsplit('/').next().unwrap();
            let text =
                std::fs::read_to_string(folder.join(format!("OperationDefinition-{id}.json")));
            let definition: Value = serde_json::from_str(&text.unwrap()).unwrap();
            assert_eq!(definition["code"], operation.name);
            assert_eq!(definition["url"], operation.definition);
        }
    }
}
