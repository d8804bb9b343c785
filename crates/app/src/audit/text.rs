//! JSON written from front to back.
//!
//! Every read writes an audit entry, and building a tree of values first took most of its time.

/// JSON text in the making. Members are named, items of arrays have the name `""`.
#[derive(Debug, Default)]
pub(super) struct Text {
    json: String,
    parted: bool,
}

impl Text {
    /// Starts with room for what an audit entry usually takes.
    pub fn new() -> Self {
        Self { json: String::with_capacity(3_072), parted: false }
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
        self.json.push_str(if value { "true" } else { "false" });
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

    /// What follows begins a new line: the lines of an entry can be shown one without another
    /// ([`crypto::entry`]), so what is between two parts is whole members or items with the comma
    /// before them.
    pub fn part(&mut self) {
        self.parted = true;
    }

    /// A member that is JSON text already, its name included, alone on the line after the comma that
    /// parts it from the member before.
    pub fn line(&mut self, json: &str) {
        self.json.push_str(",\n");
        self.json.push_str(json);
        self.part();
    }

    /// What has been written.
    pub fn finish(self) -> String {
        self.json
    }

    fn within(&mut self, name: &str, open: char, close: char, fill: impl FnOnce(&mut Self)) {
        self.name(name);
        self.json.push(open);
        fill(self);
        self.end_line();
        self.json.push(close);
    }

    fn name(&mut self, name: &str) {
        let is_first = matches!(self.json.as_bytes().last(), None | Some(b'{' | b'['));
        self.end_line();
        if !is_first {
            self.json.push(',');
        }
        if !name.is_empty() {
            self.json.push('"');
            self.json.push_str(name);
            self.json.push_str("\":");
        }
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.parted) {
            self.json.push('\n');
        }
    }

    fn string(&mut self, value: &str) {
        let plain = value.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
        if plain {
            self.json.push('"');
            self.json.push_str(value);
            self.json.push('"');
        } else {
            self.json.push_str(&fhir::json::quote(value));
        }
    }
}
