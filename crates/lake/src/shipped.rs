//! The views that every node keeps.

use crate::{Definition, Fault};

/// ViewDefinitions of the repository's `ig/views`.
const SHIPPED: [&str; 10] = [
    include_str!("../../../ig/views/patient.json"),
    include_str!("../../../ig/views/encounter.json"),
    include_str!("../../../ig/views/condition.json"),
    include_str!("../../../ig/views/observation.json"),
    include_str!("../../../ig/views/observation_component.json"),
    include_str!("../../../ig/views/medication.json"),
    include_str!("../../../ig/views/procedure.json"),
    include_str!("../../../ig/views/immunization.json"),
    include_str!("../../../ig/views/allergy.json"),
    include_str!("../../../ig/views/claim.json"),
];

/// The shipped views: patients, encounters, conditions, observations and their components,
/// prescriptions, procedures, immunisations, allergies and claims.
///
/// Errors: none but a fault in a shipped view, which a test excludes.
pub fn views() -> Result<Vec<Definition>, Fault> {
    SHIPPED.iter().map(|text| Definition::read(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_view_compiles_and_names_its_keys() {
        let views = views().unwrap();
        assert_eq!(views.len(), 10);
        for view in &views {
            let identifiers: Vec<&str> = view
                .columns()
                .iter()
                .filter(|column| column.identifier)
                .map(|column| column.name.as_str())
                .collect();
            assert!(identifiers.contains(&"patient_key"), "{}: {identifiers:?}", view.name());
            assert!(
                identifiers.iter().all(|name| name.ends_with("_key")),
                "{}: {identifiers:?}",
                view.name()
            );
        }
    }

    #[test]
    fn a_view_with_one_row_for_each_resource_has_a_key_of_its_own() {
        for view in &views().unwrap() {
            let key = format!("{}_key", view.name());
            let own = (view.name() != "observation_component").then_some(key.as_str());
            assert_eq!(view.own_key(), own, "{}", view.name());
        }
    }
}
