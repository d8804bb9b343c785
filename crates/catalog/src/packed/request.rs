//! The crate of a request: a project asks a question.

use serde_json::{Value as Json, json};

use super::entity::{Entities, reference, references};
use super::{Action, MOST_ACTIONS, MOST_FILES, PackedFile, Status};
use crate::words::{Instant, Iri, Sha256, Slug};

/// An institution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its address, such as one of ROR.
    pub iri: Iri,
    /// Its name.
    pub name: String,
}

impl Organization {
    pub(super) fn write(&self, entities: &mut Entities) -> Json {
        let (iri, name) = (self.iri.as_str(), &self.name);
        entities.put(json!({"@id": iri, "@type": "Organization", "name": name, "url": iri}));
        reference(iri)
    }
}

/// Somebody who works for a project, or decides on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The address of the person, such as one of ORCID.
    pub iri: Iri,
    /// The name.
    pub name: String,
    /// For whom the person works.
    pub affiliation: Organization,
}

impl Person {
    pub(super) fn write(&self, entities: &mut Entities) -> Json {
        let affiliation = self.affiliation.write(entities);
        let (iri, name) = (self.iri.as_str(), &self.name);
        entities.put(json!({
            "@id": iri, "@type": "Person", "name": name, "affiliation": affiliation,
        }));
        reference(iri)
    }
}

/// The project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its address.
    pub iri: Iri,
    /// Its name.
    pub name: String,
    /// What it wants to know, for people.
    pub description: String,
    /// Its number at the node that keeps it.
    pub identifier: String,
    /// The institutions that take part.
    pub members: Vec<Organization>,
    /// Its accredited people.
    pub people: Vec<Person>,
}

/// A question of a project, with what was decided on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name of the question, unique among those of the network.
    pub id: Slug,
    /// What it asks, for people.
    pub name: String,
    /// The same in more words.
    pub description: String,
    /// When it was asked.
    pub asked: Instant,
    /// Who asks.
    pub agent: Person,
    /// For which project.
    pub project: Project,
    /// The analysis or program that is run, by its address.
    pub workflow: Iri,
    /// The name of it.
    pub workflow_name: String,
    /// The SHA-256 of its definition, which the holders approved.
    pub workflow_sha256: Sha256,
    /// The data sets that it is put to.
    pub datasets: Vec<(Iri, String)>,
    /// The files of the crate: the signed question and what belongs to it.
    pub files: Vec<PackedFile>,
    /// Decisions of holders and councils.
    pub approvals: Vec<Action>,
    /// Terms under which the crate may be used.
    pub licence: (Iri, String),
    /// Who packed it.
    pub publisher: Organization,
}

/// The metadata file of a request. Lists longer than their limits are cut off there.
#[must_use]
pub fn request(request: &Request) -> Json {
    let mut entities = Entities::new(&request.name, &request.description);
    let mentions = write(&mut entities, request, Status::Potential, None, None, &[]);
    entities.root("datePublished", json!(request.asked.as_str()));
    close(&mut entities, request, mentions, &request.files, &request.publisher);
    entities.finish()
}

/// Writes the project, its people and approvals and the run; gives what the root mentions.
pub(super) fn write(
    entities: &mut Entities,
    request: &Request,
    status: Status,
    started: Option<&Instant>,
    ended: Option<&Instant>,
    results: &[String],
) -> Vec<String> {
    let project = write_project(entities, &request.project);
    let agent = request.agent.write(entities);
    entities.put(json!({"@id": request.agent.iri.as_str(), "memberOf": reference(&project)}));
    let workflow = request.workflow.as_str();
    entities.put(json!({
        "@id": workflow,
        "@type": "Dataset",
        "name": request.workflow_name,
        "conformsTo": reference("https://w3id.org/workflowhub/workflow-ro-crate/1.0"),
        "identifier": format!("sha256:{}", request.workflow_sha256),
        "sha256": request.workflow_sha256.as_str(),
    }));
    let mut objects: Vec<String> =
        request.files.iter().take(MOST_FILES).map(|file| file.path().to_owned()).collect();
    for (iri, name) in request.datasets.iter().take(MOST_FILES) {
        entities.put(
            json!({"@id": iri.as_str(), "@type": "Dataset", "name": name, "url": iri.as_str()}),
        );
        objects.push(iri.as_str().to_owned());
    }
    let run = format!("#query-{}", request.id);
    let mut action = json!({
        "@id": run,
        "@type": "CreateAction",
        "name": request.name,
        "description": request.description,
        "actionStatus": status.term(),
        "agent": agent,
        "instrument": reference(workflow),
        "object": references(&objects),
    });
    if let Some(fields) = action.as_object_mut() {
        if let Some(started) = started {
            fields.insert("startTime".to_owned(), json!(started.as_str()));
        }
        if let Some(ended) = ended {
            fields.insert("endTime".to_owned(), json!(ended.as_str()));
        }
        if !results.is_empty() {
            fields.insert("result".to_owned(), references(results));
        }
    }
    entities.put(action);
    let about = [workflow.to_owned(), project];
    let approvals = request.approvals.iter().take(MOST_ACTIONS);
    std::iter::once(run).chain(approvals.map(|one| one.write(entities, &about))).collect()
}

fn write_project(entities: &mut Entities, project: &Project) -> String {
    let id = project.iri.as_str().to_owned();
    let people: Vec<Json> =
        project.people.iter().take(MOST_ACTIONS).map(|p| p.write(entities)).collect();
    for person in project.people.iter().take(MOST_ACTIONS) {
        entities.put(json!({"@id": person.iri.as_str(), "memberOf": reference(&id)}));
    }
    let institutions = project.members.iter().take(MOST_ACTIONS).map(|m| m.write(entities));
    let mut members: Vec<Json> = institutions.collect();
    members.extend(people);
    entities.put(json!({
        "@id": id,
        "@type": "Project",
        "name": project.name,
        "description": project.description,
        "identifier": project.identifier,
        "member": members,
    }));
    id
}

/// Writes files, licence and publisher, and what the root says of them.
pub(super) fn close(
    entities: &mut Entities,
    request: &Request,
    mentions: Vec<String>,
    files: &[PackedFile],
    publisher: &Organization,
) {
    for file in files.iter().take(MOST_FILES) {
        entities.put(file.entity());
    }
    let publisher = publisher.write(entities);
    let (licence, name) = &request.licence;
    entities.put(json!({
        "@id": licence.as_str(), "@type": "CreativeWork", "name": name, "url": licence.as_str(),
    }));
    entities.root("license", reference(licence.as_str()));
    entities.root("publisher", publisher);
    entities.root("identifier", json!(request.id.as_str()));
    entities.root("sourceOrganization", reference(request.project.iri.as_str()));
    entities.root("mainEntity", reference(request.workflow.as_str()));
    entities.root("hasPart", {
        let files = files.iter().take(MOST_FILES).map(PackedFile::path);
        references(files.chain(std::iter::once(request.workflow.as_str())))
    });
    entities.root("mentions", references(mentions));
}
