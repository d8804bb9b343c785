//! References, mapped so that they still lead to what they led to.

use std::collections::HashMap;

use fhir::Value;

use super::keys::ProjectKey;

/// Where references lead that do not say so themselves: `urn:uuid:…` and conditional references
/// of transaction bundles.
#[derive(Clone, Debug, Default)]
pub struct Links {
    targets: HashMap<String, (String, String)>,
}

impl Links {
    /// A reference text, and the type and id of what it leads to.
    pub fn add(&mut self, reference: &str, resource_type: &str, id: &str) {
        self.targets.insert(reference.to_owned(), (resource_type.to_owned(), id.to_owned()));
    }

    /// All entries of a transaction Bundle: by `fullUrl`, and by each identifier in the form
    /// `Type?identifier=system|value`.
    pub fn add_bundle(&mut self, bundle: Value<'_>) {
        for entry in bundle.get("entry").into_iter().flat_map(|entries| entries.items()) {
            let Some(resource) = entry.get("resource") else { continue };
            let (Some(of), Some(id)) = (resource.str_at("resourceType"), resource.str_at("id"))
            else {
                continue;
            };
            if let Some(url) = entry.str_at("fullUrl") {
                self.add(&url, &of, &id);
            }
            for identifier in resource.get("identifier").into_iter().flat_map(|i| i.each()) {
                let system = identifier.str_at("system").unwrap_or_default();
                if let Some(value) = identifier.str_at("value") {
                    self.add(&format!("{of}?identifier={system}|{value}"), &of, &id);
                }
            }
        }
    }

    /// The reference to the pseudonym of its target; `None` where nobody knows the target.
    pub(super) fn rewrite(&self, key: &ProjectKey, reference: &str) -> Option<String> {
        if let Some((of, id)) = self.targets.get(reference) {
            return Some(format!("{of}/{}", key.pseudonym(of, id)));
        }
        let path = reference.split("/_history/").next()?;
        let (rest, id) = path.rsplit_once('/')?;
        let (base, of) = rest.rsplit_once('/').unwrap_or(("", rest));
        let of = fhir::resource_type(of)?;
        fhir::Id::new(id).ok()?;
        // What another server calls `1` is not what this one calls `1`.
        let code = match base {
            "" => key.pseudonym(of, id),
            base => key.pseudonym(of, &format!("{base}|{id}")),
        };
        Some(format!("{of}/{code}"))
    }
}
