//! The recipes that come with the program.

use super::compile::{CompiledRecipe, InvalidRecipe};

/// Name and JSON text of the shipped recipes. Their descriptions say what they promise.
pub const RECIPES: [(&str, &str); 5] = [
    ("safe-harbor", include_str!("../../recipes/safe-harbor.json")),
    ("safe-harbor-notes", include_str!("../../recipes/safe-harbor-notes.json")),
    ("limited-data-set", include_str!("../../recipes/limited-data-set.json")),
    ("research-shifted", include_str!("../../recipes/research-shifted.json")),
    ("research-images", include_str!("../../recipes/research-images.json")),
];

/// A shipped recipe, ready; `None` where none has the name.
pub fn recipe(name: &str) -> Option<Result<CompiledRecipe, InvalidRecipe>> {
    let (_, json) = RECIPES.iter().find(|(known, _)| *known == name)?;
    Some(CompiledRecipe::parse(json))
}
