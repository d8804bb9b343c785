//! The record as a FHIR R4 Bundle of type `collection`.
//!
//! First every original, its text untouched but for `meta.source`; then, made here, one
//! OperationOutcome for each source that says how whole its answer is, one Provenance for each
//! source that sent anything, a Linkage for each cluster and a DetectedIssue for each conflict.
//! Ids of what is made here follow from the request id and the content.

use fhir::json::quote;
use fhir::time::instant;
use serde_json::{Value as Json, json};

use crate::cluster::Cluster;
use crate::conflict::Conflict;
use crate::record::{ItemRef, Record};
use crate::source::{Source, SourceState, SourceStatus};
use crate::splice::with_source;
use crate::view::Analysis;

const OURS: &str = "https://consilium.health/fhir";

impl Record {
    /// Writes the record. `statuses` says how each source has answered; a source without a status
    /// has not finished and is reported as `timed-out`, or `partial` if it sent something.
    /// `now_ms` is the present in milliseconds since the Unix epoch. The result depends on the
    /// arguments and the items alone, not on the order in which they arrived.
    pub fn bundle(&self, statuses: &[SourceStatus], request_id: &str, now_ms: i64) -> String {
        let analysis = Analysis::of(self);
        let mut order: Vec<_> = analysis.entries.iter().collect();
        order.sort_by_key(|entry| (entry.source, entry.type_name != "Patient"));
        let size: usize = self.items().iter().map(|item| item.resource.text().len() + 400).sum();
        let mut writer = Writer {
            record: self,
            request_id,
            now: instant(now_ms),
            out: String::with_capacity(size + 10_000),
            entries: 0,
        };
        writer.open();
        for entry in &order {
            writer.original(entry.item);
        }
        for (number, source) in self.sources().iter().enumerate() {
            let status = statuses.iter().find(|status| status.source == number);
            writer.outcome(number, source, status);
        }
        for (number, source) in self.sources().iter().enumerate() {
            let own = order.iter().filter(|entry| entry.source == number);
            let items: Vec<ItemRef> = own.map(|entry| entry.item).collect();
            writer.provenance(source, &items);
        }
        for cluster in &analysis.clusters {
            writer.linkage(cluster);
        }
        let patient = order.iter().find(|entry| entry.type_name == "Patient");
        let patient = patient.map(|entry| entry.item);
        for conflict in &analysis.conflicts {
            writer.issue(conflict, patient);
        }
        writer.out.push_str("]}");
        writer.out
    }
}

struct Writer<'a> {
    record: &'a Record,
    request_id: &'a str,
    now: String,
    out: String,
    entries: usize,
}

impl Writer<'_> {
    fn open(&mut self) {
        let label = |(system, code): &(String, String)| {
            format!("{{\"system\":{},\"code\":{}}}", quote(system), quote(code))
        };
        let labels: Vec<_> = self.record.security().iter().map(label).collect();
        let meta = match labels.is_empty() {
            true => String::new(),
            false => format!("\"meta\":{{\"security\":[{}]}},", labels.join(",")),
        };
        let head = format!(
            "{{\"resourceType\":\"Bundle\",\"id\":{},{meta}\"identifier\":{{\"system\":{},\"value\":{}}},\
             \"type\":\"collection\",\"timestamp\":{},\"entry\":[",
            quote(&uuid(&[self.request_id, "bundle"])),
            quote(&format!("{OURS}/NamingSystem/request-id")),
            quote(self.request_id),
            quote(&self.now),
        );
        self.out.push_str(&head);
    }

    fn entry(&mut self, full_url: &str, resource: &str) {
        if self.entries > 0 {
            self.out.push(',');
        }
        self.entries += 1;
        self.out.push_str("{\"fullUrl\":");
        self.out.push_str(&quote(full_url));
        self.out.push_str(",\"resource\":");
        self.out.push_str(resource);
        self.out.push('}');
    }

    fn original(&mut self, item: ItemRef) {
        let record = self.record;
        let Some(found) = record.item(item) else { return };
        let Some(source) = record.sources().get(found.source) else { return };
        let full_url = source.full_url(found.resource.type_name(), found.id());
        let text = with_source(found.resource.root(), &source.uri());
        self.entry(&full_url, &text);
    }

    /// Adds a resource that is made here, under an id that follows from `name`.
    fn made(&mut self, name: &[&str], mut resource: Json) {
        let mut parts = vec![self.request_id];
        parts.extend(name);
        let id = uuid(&parts);
        if let Some(resource) = resource.as_object_mut() {
            resource.insert("id".into(), json!(id));
        }
        self.entry(&format!("urn:uuid:{id}"), &resource.to_string());
    }

    fn outcome(&mut self, number: usize, source: &Source, status: Option<&SourceStatus>) {
        let received = self.record.count(number);
        let state = match status {
            Some(status) => status.state,
            None if received > 0 => SourceState::Partial,
            None => SourceState::TimedOut,
        };
        let diagnostics = match (state, status.and_then(|status| status.expected)) {
            (SourceState::Answered | SourceState::Partial | SourceState::Withheld, Some(all)) => {
                format!("{received} of {all} resources")
            }
            (_, _) if received == 1 => "1 resource".into(),
            (_, _) => format!("{received} resources"),
        };
        let mut issues = vec![json!({
            "severity": state.issue_severity(),
            "code": state.issue_type(),
            "details": {
                "coding": [{
                    "system": format!("{OURS}/CodeSystem/source-status"),
                    "code": state.code(),
                    "display": state.display(),
                }],
                "text": format!("{}: {}", source.name, state.display()),
            },
            "diagnostics": diagnostics,
        })];
        let notes = status.into_iter().flat_map(|status| &status.notes);
        issues.extend(notes.map(
            |note| json!({"severity": "information", "code": "informational", "diagnostics": note}),
        ));
        let resource = json!({
            "resourceType": "OperationOutcome",
            "extension": [
                {
                    "url": format!("{OURS}/StructureDefinition/source-organization"),
                    "valueReference": organisation(source),
                },
                {"url": format!("{OURS}/StructureDefinition/source-id"), "valueString": source.org},
            ],
            "issue": issues,
        });
        self.made(&["outcome", &source.org, &number.to_string()], resource);
    }

    fn provenance(&mut self, source: &Source, items: &[ItemRef]) {
        if items.is_empty() {
            return;
        }
        let resource = json!({
            "resourceType": "Provenance",
            "target": self.references(items),
            "recorded": self.now,
            "agent": [
                {"type": participant("custodian"), "who": organisation(source)},
                {"type": participant("assembler"), "who": self.author()},
            ],
        });
        self.made(&["provenance", &source.org], resource);
    }

    fn linkage(&mut self, cluster: &Cluster) {
        let references = self.references(&cluster.items);
        let mut items = Vec::with_capacity(references.len());
        for (at, reference) in references.iter().enumerate() {
            let role = if at == 0 { "source" } else { "alternate" };
            items.push(json!({"type": role, "resource": reference}));
        }
        let reasons: Vec<Json> = cluster
            .reasons
            .iter()
            .map(|reason| {
                json!({
                    "url": format!("{OURS}/StructureDefinition/link-reason"),
                    "valueCodeableConcept": {
                        "coding": [{
                            "system": format!("{OURS}/CodeSystem/link-rule"),
                            "code": reason.rule.code(),
                        }],
                        "text": reason.to_string(),
                    },
                })
            })
            .collect();
        let name = self.name_of(&cluster.items);
        let resource = json!({
            "resourceType": "Linkage",
            "extension": reasons,
            "active": true,
            "author": self.author(),
            "item": items,
        });
        self.made(&["linkage", &cluster.type_name, &name], resource);
    }

    fn issue(&mut self, conflict: &Conflict, patient: Option<ItemRef>) {
        let mut resource = json!({
            "resourceType": "DetectedIssue",
            "status": "final",
            "code": {
                "coding": [{
                    "system": format!("{OURS}/CodeSystem/record-conflict"),
                    "code": conflict.kind.code(),
                    "display": conflict.kind.display(),
                }],
                "text": conflict.kind.display(),
            },
            "severity": conflict.severity.code(),
            "identifiedDateTime": self.now,
            "author": self.author(),
            "implicated": self.references(&conflict.items),
            "detail": conflict.sentence,
        });
        let patient = patient.and_then(|item| self.record.full_url(item));
        if let (Some(url), Some(resource)) = (patient, resource.as_object_mut()) {
            resource.insert("patient".into(), json!({"reference": url}));
        }
        let name = self.name_of(&conflict.items);
        self.made(&["issue", conflict.kind.code(), &conflict.sentence, &name], resource);
    }

    fn author(&self) -> Json {
        self.record.sources().first().map(organisation).unwrap_or_default()
    }

    fn references(&self, items: &[ItemRef]) -> Vec<Json> {
        let urls = items.iter().filter_map(|&item| self.record.full_url(item));
        urls.map(|url| json!({"reference": url})).collect()
    }

    fn name_of(&self, items: &[ItemRef]) -> String {
        let urls = items.iter().filter_map(|&item| self.record.full_url(item));
        urls.collect::<Vec<_>>().join(" ")
    }
}

fn organisation(source: &Source) -> Json {
    json!({
        "reference": source.full_url("Organization", &source.org),
        "type": "Organization",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": source.uri()},
        "display": source.name,
    })
}

fn participant(code: &str) -> Json {
    let system = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
    json!({"coding": [{"system": system, "code": code}]})
}

/// A UUID of version 8 (RFC 9562, section 5.8) that follows from `parts`: FNV-1a with 128 bits
/// over each part and its length. It names; it proves nothing.
fn uuid(parts: &[&str]) -> String {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for part in parts {
        for byte in part.bytes().chain((part.len() as u64).to_be_bytes()) {
            hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
        }
    }
    let version = 0x8_u128 << 76;
    let variant = 0b10_u128 << 62;
    let bits = (hash & !(0xf_u128 << 76) & !(0b11_u128 << 62)) | version | variant;
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    let parts = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn names_are_stable_and_distinct() {
        assert_eq!(uuid(&["a", "b"]), uuid(&["a", "b"]));
        assert_ne!(uuid(&["ab"]), uuid(&["a", "b"]));
        let name = uuid(&["x"]);
        assert_eq!((name.len(), name.as_bytes()[14]), (36, b'8'));
        assert!(matches!(name.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }
}
