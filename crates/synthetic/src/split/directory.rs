//! Organisations, places and practitioners that bundles refer to by identifier.

use std::collections::BTreeMap;

use super::SplitError;
use super::bundle::Bundle;

/// What the `hospitalInformation` and `practitionerInformation` bundles hold.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// Conditional reference (`Type?identifier=system|value`) to literal reference (`Type/id`).
    references: BTreeMap<String, String>,
    shared: Vec<String>,
}

/// Reads directory bundles, each with the name of its file. Their resources become the shared texts
/// as they are written. Fails on a bundle that is no JSON or has an entry without a type or id.
pub fn directory<'a>(
    bundles: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Directory, SplitError> {
    let mut out = Directory::default();
    for (file, text) in bundles {
        let bundle = Bundle::parse(file, text)?;
        for entry in bundle.entries()? {
            let target = format!("{}/{}", entry.type_name, entry.id);
            for identifier in
                entry.resource.get("identifier").into_iter().flat_map(|value| value.each())
            {
                let (system, value) = (identifier.str_at("system"), identifier.str_at("value"));
                let (Some(system), Some(value)) = (system, value) else { continue };
                let key = format!("{}?identifier={system}|{value}", entry.type_name);
                out.references.entry(key).or_insert_with(|| target.clone());
            }
            out.shared.push(entry.resource.raw().to_owned());
        }
    }
    Ok(out)
}

impl Directory {
    /// The literal reference that a conditional one stands for.
    pub fn resolve(&self, conditional: &str) -> Option<&str> {
        self.references.get(conditional).map(String::as_str)
    }

    /// The texts of all resources, in the order of the bundles.
    pub fn shared(&self) -> &[String] {
        &self.shared
    }
}
