//! Reading texts of a resource into the forms they are kept in.

use std::sync::Arc;

use fhir::Value;

/// The string member `name`, shared.
pub(crate) fn shared(value: Value<'_>, name: &str) -> Option<Arc<str>> {
    value.str_at(name).map(|text| Arc::from(&*text))
}

/// The string member `name` without room to grow.
pub(crate) fn boxed(value: Value<'_>, name: &str) -> Option<Box<str>> {
    value.str_at(name).map(|text| Box::from(&*text))
}

/// The string member `name`.
pub(crate) fn owned(value: Value<'_>, name: &str) -> Option<String> {
    value.str_at(name).map(std::borrow::Cow::into_owned)
}
