//! One patient's bundle: which resource goes to which hospital, with what references.

use std::collections::{BTreeMap, HashMap};

use fhir::edit::{Edits, walk_references};
use fhir::json::quote;
use fhir::{Document, Id, Value};

use super::directory::Directory;
use super::hospitals::Splitter;
use super::{SplitError, patient};
use crate::chance::Chance;
use crate::world::{Person, SitePatient};

/// A parsed bundle with the name of its file.
pub(super) struct Bundle<'a> {
    file: &'a str,
    doc: Document,
}

/// One entry of a bundle.
pub(super) struct Entry<'a> {
    /// Place in `Bundle.entry`.
    pub(super) index: usize,
    pub(super) full_url: Option<String>,
    pub(super) resource: Value<'a>,
    pub(super) type_name: String,
    /// The resource's id, or that of its `urn:uuid` where it has none.
    pub(super) id: String,
}

impl<'a> Bundle<'a> {
    pub(super) fn parse(file: &'a str, text: &str) -> Result<Self, SplitError> {
        let fault = |reason: String| SplitError::new(file, None, reason);
        let doc =
            Document::parse(text).map_err(|error| fault(format!("not valid JSON: {error}")))?;
        if !doc.root().get("resourceType").is_some_and(|name| name.is_str("Bundle")) {
            return Err(fault("not a Bundle".into()));
        }
        Ok(Self { file, doc })
    }

    pub(super) fn entries(&self) -> Result<Vec<Entry<'_>>, SplitError> {
        let mut out = Vec::new();
        for (index, entry) in
            self.doc.root().get("entry").into_iter().flat_map(|all| all.items()).enumerate()
        {
            let fault = |reason: &str| SplitError::new(self.file, Some(index), reason);
            let resource =
                entry.get("resource").ok_or_else(|| fault("the entry has no resource"))?;
            let type_name = resource
                .str_at("resourceType")
                .ok_or_else(|| fault("the resource has no `resourceType`"))?;
            let full_url = entry.str_at("fullUrl").map(|url| url.into_owned());
            let id = match resource.str_at("id") {
                Some(id) => id.into_owned(),
                None => full_url
                    .as_deref()
                    .and_then(|url| url.strip_prefix("urn:uuid:"))
                    .unwrap_or_default()
                    .to_owned(),
            };
            Id::new(&id)
                .map_err(|error| fault(&format!("the resource has no valid id: {error}")))?;
            out.push(Entry { index, full_url, resource, type_name: type_name.into_owned(), id });
        }
        Ok(out)
    }

    /// The one Patient among `entries`, with its place.
    pub(super) fn patient<'e, 'v>(
        &self,
        entries: &'e [Entry<'v>],
    ) -> Result<(usize, &'e Entry<'v>), SplitError> {
        let mut patients =
            entries.iter().enumerate().filter(|(_, entry)| entry.type_name == "Patient");
        let first = patients
            .next()
            .ok_or_else(|| SplitError::new(self.file, None, "the bundle has no Patient"))?;
        match patients.next() {
            Some((_, second)) => Err(SplitError::new(
                self.file,
                Some(second.index),
                "the bundle has a second Patient",
            )),
            None => Ok(first),
        }
    }
}

/// Whether a bundle holds a Patient: those are split; those without are a [`super::directory`].
/// Fails on what is no bundle.
pub fn has_patient(file: &str, bundle_text: &str) -> Result<bool, SplitError> {
    let bundle = Bundle::parse(file, bundle_text)?;
    let entries = bundle.entries()?;
    Ok(entries.iter().any(|entry| entry.type_name == "Patient"))
}

/// The organisation that answers for an Encounter, as a literal reference where known.
pub(super) fn organisation_of(encounter: &Entry<'_>, directory: &Directory) -> Option<String> {
    let reference = encounter.resource.path(&["serviceProvider", "reference"])?.as_str()?;
    Some(directory.resolve(&reference).unwrap_or(&reference).to_owned())
}

/// Deals one patient's resources to the hospitals of `split`.
///
/// Every resource but the Patient goes to exactly one hospital, with its text unchanged apart from
/// references: to that of the Encounter it belongs to, else to that of a resource it refers to or
/// that refers to it, else to the patient's home, the hospital with most encounters of the patient.
/// Provenance goes home. Each hospital that gets anything has a Patient with an id of its own, its
/// own record number and its own imperfect demographics. The same arguments give the same bytes.
///
/// Fails on what is no bundle, on an entry without resource, type or valid id, and on a bundle
/// without a Patient or with several.
pub fn split_bundle(
    file: &str,
    bundle_text: &str,
    split: &Splitter,
    seed: u64,
) -> Result<Person, SplitError> {
    let bundle = Bundle::parse(file, bundle_text)?;
    let entries = bundle.entries()?;
    let (patient_at, patient_entry) = bundle.patient(&entries)?;
    let mut index: HashMap<String, usize> = HashMap::with_capacity(entries.len() * 2);
    for (at, entry) in entries.iter().enumerate() {
        index.insert(format!("{}/{}", entry.type_name, entry.id), at);
        if let Some(url) = &entry.full_url {
            index.insert(url.clone(), at);
        }
    }
    let hospitals = deal(&entries, patient_at, &index, split, seed, file);
    let mut person = Person { file: file.to_owned(), at: BTreeMap::new() };
    for (number, site) in split.sites.iter().enumerate() {
        let is_home = hospitals.home == number;
        if !is_home && !hospitals.of.contains(&Some(number)) {
            continue;
        }
        let label = format!("{file}\u{0}{}", patient_entry.id);
        let patient_id = Chance::new(seed, &["patient id", &site.org, &label]).id();
        let rewrite = |reference: &str| match index.get(reference) {
            Some(at) if *at == patient_at => Some(format!("Patient/{patient_id}")),
            Some(at) => entries.get(*at).map(|entry| format!("{}/{}", entry.type_name, entry.id)),
            None => split.directory.resolve(reference).map(str::to_owned),
        };
        let mut resources = vec![patient::copy(
            patient_entry.resource,
            &patient_id,
            site,
            split,
            seed,
            &label,
            &rewrite,
        )];
        for (entry, _) in
            entries.iter().zip(&hospitals.of).filter(|(_, hospital)| **hospital == Some(number))
        {
            resources.push(text(entry, &rewrite));
        }
        person.at.insert(site.org.clone(), SitePatient { patient_id, resources });
    }
    Ok(person)
}

/// The text of `value` with its references rewritten.
pub(super) fn rewritten(value: Value<'_>, rewrite: &dyn Fn(&str) -> Option<String>) -> Edits {
    let start = value.range().start;
    let mut edits = Edits::default();
    walk_references(value, &mut |reference| {
        if let Some(new) =
            reference.as_str().and_then(|old| rewrite(&old).filter(|new| *new != *old))
        {
            let range = reference.range();
            edits.replace(range.start - start..range.end - start, quote(&new));
        }
    });
    edits
}

fn text(entry: &Entry<'_>, rewrite: &dyn Fn(&str) -> Option<String>) -> String {
    let mut edits = rewritten(entry.resource, rewrite);
    if entry.resource.get("id").is_none() {
        edits.replace(1..1, format!("\"id\":{},", quote(&entry.id)));
    }
    edits.apply(entry.resource.raw())
}

/// Which hospital gets what.
struct Dealt {
    home: usize,
    /// By place in the bundle; nothing for the Patient.
    of: Vec<Option<usize>>,
}

fn deal(
    entries: &[Entry<'_>],
    patient_at: usize,
    index: &HashMap<String, usize>,
    split: &Splitter,
    seed: u64,
    file: &str,
) -> Dealt {
    let mut counts = vec![0usize; split.sites.len()];
    let mut of: Vec<Option<usize>> = vec![None; entries.len()];
    for (at, entry) in
        entries.iter().enumerate().filter(|(_, entry)| entry.type_name == "Encounter")
    {
        of[at] = organisation_of(entry, &split.directory).and_then(|name| split.index_of(&name));
        if let Some(hospital) = of[at] {
            counts[hospital] += 1;
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    let home = match counts.iter().position(|count| *count == most) {
        Some(first) if most > 0 => first,
        _ => Chance::new(seed, &["home", file]).below(split.sites.len()),
    };
    let is_provenance = |entry: &Entry<'_>| entry.type_name == "Provenance";
    // References to follow, without those to the patient.
    let links: Vec<Vec<usize>> = entries
        .iter()
        .map(|entry| {
            let mut links = Vec::new();
            if !is_provenance(entry) {
                walk_references(entry.resource, &mut |reference| {
                    let target = reference.as_str().and_then(|text| index.get(&*text).copied());
                    links.extend(target.filter(|target| *target != patient_at));
                });
            }
            links
        })
        .collect();
    for (at, entry) in entries.iter().enumerate() {
        if of[at].is_none() && at != patient_at {
            let encounter =
                encounters(entry.resource).into_iter().find_map(|text| index.get(&text).copied());
            of[at] = encounter.and_then(|encounter| of[encounter]);
        }
    }
    // What belongs to no encounter follows what it refers to or what refers to it. Chains are
    // short (claim, prescription, medicine), so a few rounds reach everything.
    for _ in 0..4 {
        for (at, entry) in entries.iter().enumerate() {
            if at == patient_at || is_provenance(entry) {
                continue;
            }
            if of[at].is_none() {
                of[at] = links[at].iter().find_map(|target| of[*target]);
            } else {
                for target in &links[at] {
                    of[*target] = of[*target].or(of[at]);
                }
            }
        }
    }
    for (at, hospital) in of.iter_mut().enumerate() {
        *hospital = (at != patient_at).then_some(hospital.unwrap_or(home));
    }
    Dealt { home, of }
}

/// References of a resource to the encounters it belongs to, as R4 names them: `encounter`,
/// `context`, `context.encounter`, `item.encounter`.
fn encounters(resource: Value<'_>) -> Vec<String> {
    let direct = [
        resource.get("encounter"),
        resource.get("context"),
        resource.path(&["context", "encounter"]),
    ];
    let items = resource
        .get("item")
        .into_iter()
        .flat_map(|items| items.items())
        .map(|item| item.get("encounter"));
    direct
        .into_iter()
        .chain(items)
        .flatten()
        .flat_map(|value| value.each())
        .filter_map(|value| value.str_at("reference").map(|text| text.into_owned()))
        .collect()
}
