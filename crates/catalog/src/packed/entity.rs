//! Entities of a crate: written once each, in a fixed order.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{PROFILE, VERSION};

/// The name of the metadata file of a crate.
#[must_use]
pub fn metadata_name() -> &'static str {
    "ro-crate-metadata.json"
}

/// The entities of a crate, by address. The descriptor and the root come first, the rest in order.
pub(super) struct Entities {
    root: Map<String, Json>,
    others: BTreeMap<String, Json>,
}

impl Entities {
    /// A crate with this name, description and day; the root gets more properties with [`Self::root`].
    pub(super) fn new(name: &str, description: &str) -> Self {
        let mut root = Map::new();
        root.insert("@id".to_owned(), json!("./"));
        root.insert("@type".to_owned(), json!("Dataset"));
        root.insert("conformsTo".to_owned(), reference(PROFILE));
        root.insert("name".to_owned(), json!(name));
        root.insert("description".to_owned(), json!(description));
        let mut entities = Self { root, others: BTreeMap::new() };
        entities.put(json!({
            "@id": PROFILE,
            "@type": ["CreativeWork", "Profile"],
            "name": "Five Safes RO-Crate profile",
            "version": "0.4",
        }));
        entities
    }

    /// Sets a property of the root.
    pub(super) fn root(&mut self, property: &str, value: Json) {
        self.root.insert(property.to_owned(), value);
    }

    /// Puts in an entity; what was there under its address is kept where it has more to say.
    pub(super) fn put(&mut self, entity: Json) {
        let Json::Object(entity) = entity else { return };
        let Some(id) = entity.get("@id").and_then(Json::as_str).map(str::to_owned) else { return };
        match self.others.get_mut(&id).and_then(Json::as_object_mut) {
            Some(known) => {
                for (property, value) in entity {
                    known.entry(property).or_insert(value);
                }
            }
            None => {
                self.others.insert(id, Json::Object(entity));
            }
        }
    }

    /// The metadata file.
    pub(super) fn finish(self) -> Json {
        let mut graph = vec![
            json!({
                "@id": metadata_name(),
                "@type": "CreativeWork",
                "about": reference("./"),
                "conformsTo": reference(VERSION),
            }),
            Json::Object(self.root),
        ];
        graph.extend(self.others.into_values());
        json!({"@context": format!("{VERSION}/context"), "@graph": graph})
    }
}

/// A reference to an entity.
pub(super) fn reference(id: impl AsRef<str>) -> Json {
    json!({"@id": id.as_ref()})
}

/// References to entities.
pub(super) fn references(ids: impl IntoIterator<Item = impl AsRef<str>>) -> Json {
    ids.into_iter().map(reference).collect()
}
