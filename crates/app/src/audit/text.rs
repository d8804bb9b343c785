//! JSON written from front to back.
//!
//! Every read writes an audit entry, and building a tree of values first took most of its time.

/// JSON text in the making. Members are named, items of arrays have the name `""`.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// Starts with room for what an audit entry usually takes.
    pub fn new() -> Self {
        Self(String::with_capacity(2_048))
    }

    /// An object with what `fill` puts in.
    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.within(name, '{', '}', fill);
    }

    /// An array with what `fill` puts in.
    pub fn array(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.within(name, '[', ']', fill);
    }

    /// A string.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.string(value);
    }

    /// A boolean.
    pub fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.0.push_str(if value { "true" } else { "false" });
    }

    /// An object with the members `system` and `code`.
    pub fn coding(&mut self, name: &str, system: &str, code: &str) {
        self.object(name, |coding| {
            coding.text("system", system);
            coding.text("code", code);
        });
    }

    /// A CodeableConcept with one coding.
    pub fn concept(&mut self, name: &str, system: &str, code: &str) {
        self.object(name, |concept| {
            concept.array("coding", |codings| codings.coding("", system, code));
        });
    }

    /// What has been written.
    pub fn finish(self) -> String {
        self.0
    }

    fn within(&mut self, name: &str, open: char, close: char, fill: impl FnOnce(&mut Self)) {
        self.name(name);
        self.0.push(open);
        fill(self);
        self.0.push(close);
    }

    fn name(&mut self, name: &str) {
        if !matches!(self.0.as_bytes().last(), None | Some(b'{' | b'[')) {
            self.0.push(',');
        }
        if !name.is_empty() {
            self.0.push('"');
            self.0.push_str(name);
            self.0.push_str("\":");
        }
    }

    fn string(&mut self, value: &str) {
        let plain = value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
        if plain {
            self.0.push('"');
            self.0.push_str(value);
            self.0.push('"');
        } else {
            self.0.push_str(&fhir::json::quote(value));
        }
    }
}
