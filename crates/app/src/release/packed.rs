//! A released answer as a Five Safes RO-Crate: what was asked and by whom, who let it be asked, what
//! came of it and who looked at that, with the files themselves.

use ::catalog::packed::{
    Action, Actor, Answered, Organization, PackedFile, Person, Phase, Project, Request, Status,
    check, metadata_name, result,
};
use ::catalog::words::{Instant, Sha256};
use ::catalog::{Iri, Slug};
use wire::research::{Inquiry, ProjectChoice, Release};

use super::released;
use crate::projects::{self, Known};
use crate::{App, Caller, Error, Kind, Result};

/// The files of a crate by their paths, its metadata first. For those who may see what is asked.
///
/// Errors: [`Kind::NotFound`], also while a holder keeps the answer back.
pub fn packed(app: &App, caller: &Caller, id: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let (sealed, release) = released(app, caller, id)?;
    let known = projects::known(&*app.store().snapshot()?, &release.project)?;
    let inquiry: Inquiry = serde_json::from_str(&release.inquiry.text)
        .map_err(|_| Error::internal("a faulty inquiry"))?;
    let whole = serde_json::to_vec(&sealed).map_err(|e| Error::internal(e.to_string()))?;
    let asked = serde_json::to_vec(&release.inquiry).map_err(|e| Error::internal(e.to_string()))?;
    let files = [
        ("question.json", "The question as it was signed", asked),
        ("release.json", "The release as it was signed", whole),
        ("outputs/answer.json", "The answer", release.answer.clone().into_bytes()),
    ];
    let mut described = Vec::new();
    for (path, name, bytes) in &files {
        let digest = Sha256::new(crypto::hash::hex(&crypto::sha256(bytes))).map_err(internal)?;
        let size = bytes.len() as u64;
        let file = PackedFile::new(*path, *name, "application/json", size, digest);
        described.push(file.map_err(internal)?);
    }
    let outputs = described.split_off(2);
    let answered = answered(app, id, &release, &inquiry, &known, described, outputs)?;
    if let Some(fault) = check(&answered.request, Some(&answered)).first() {
        let message = format!("the answer cannot be packed: {fault}");
        return Err(Error::new(Kind::Unprocessable, message));
    }
    let metadata = result(&answered).to_string().into_bytes();
    let mut out = vec![(metadata_name().to_owned(), metadata)];
    out.extend(files.into_iter().map(|(path, _, bytes)| (path.to_owned(), bytes)));
    Ok(out)
}

fn answered(
    app: &App,
    id: &str,
    release: &Release,
    inquiry: &Inquiry,
    known: &Known,
    files: Vec<PackedFile>,
    outputs: Vec<PackedFile>,
) -> Result<Answered> {
    let own = institution(app, release.coordinator.as_str())?;
    let mut people = Vec::new();
    for researcher in &known.project.researchers {
        people.push(person(&own, &researcher.account, &researcher.name)?);
    }
    let asker = known.project.researchers.iter().find(|one| one.account == inquiry.asker);
    let asker = asker.map_or("somebody of the project", |one| one.name.as_str());
    let agent = person(&own, &inquiry.asker, asker)?;
    if !people.iter().any(|one| one.iri == agent.iri) {
        people.push(agent.clone());
    }
    let mut members = Vec::new();
    for party in known.parties() {
        members.push(institution(app, party.as_str())?);
    }
    let kind = serde_json::from_str::<serde_json::Value>(&inquiry.question).unwrap_or_default();
    let kind = kind["analysis"]["kind"].as_str().unwrap_or("analysis").to_owned();
    let base = &app.org().base_url;
    let page = |path: String| Iri::new(format!("{base}{path}")).map_err(internal);
    let dataset = &known.project.dataset;
    let request = Request {
        id: slug(&release.inquiry.id())?,
        name: format!("{}: {kind}", release.title),
        description: inquiry.question.chars().take(4_000).collect(),
        asked: instant(inquiry.made)?,
        agent,
        project: Project {
            iri: page(format!("/projects/{}", known.id))?,
            name: known.project.title.clone(),
            description: known.project.purpose.clone(),
            identifier: known.id.clone(),
            members,
            people,
        },
        workflow: Iri::new(format!("urn:consilium:analysis:{}", slug(&kind)?)).map_err(internal)?,
        workflow_name: kind,
        workflow_sha256: digest(inquiry.question.as_bytes())?,
        datasets: vec![(page(format!("/research/catalog/{dataset}"))?, dataset.clone())],
        files,
        approvals: approvals(app, known)?,
        licence: (page(format!("/projects/{}", known.id))?, "Terms of the project".to_owned()),
        publisher: own.clone(),
    };
    let mut checks = vec![rules(release, &own)?];
    for (place, one) in release.checks.iter().enumerate() {
        let checker =
            person(&own, &format!("checker-{place}-{}", &id.get(..8).unwrap_or(id)), &one.name)?;
        checks.push(Action {
            id: slug(&format!("checker-{place}"))?,
            phase: Phase::Disclosure,
            name: "A person has looked at the answer and let it leave".to_owned(),
            actor: Actor::Person(checker),
            status: Status::Completed,
            started: None,
            ended: Some(instant(one.at)?),
            rule: None,
            rule_name: String::new(),
            reason: Some(one.reason.clone()),
        });
    }
    Ok(Answered {
        request,
        started: instant(inquiry.made)?,
        ended: instant(release.at)?,
        outputs,
        checks,
        released: instant(release.at)?,
    })
}

/// The decisions of the project's parties that let it be asked.
fn approvals(app: &App, known: &Known) -> Result<Vec<Action>> {
    let approved = known.decisions.iter().filter(|(_, one)| one.choice == ProjectChoice::Approve);
    approved
        .map(|(party, decision)| {
            Ok(Action {
                id: slug(&format!("approval-{party}"))?,
                phase: Phase::SignOff,
                name: "The institution has approved the project".to_owned(),
                actor: Actor::Organization(institution(app, party.as_str())?),
                status: Status::Completed,
                started: None,
                ended: Some(instant(decision.at)?),
                rule: None,
                rule_name: String::new(),
                reason: Some(decision.reason.clone()).filter(|reason| !reason.trim().is_empty()),
            })
        })
        .collect()
}

/// The rules of output checking.
fn rules(release: &Release, own: &Organization) -> Result<Action> {
    let findings = release.findings.join("; ");
    Ok(Action {
        id: slug("output-rules")?,
        phase: Phase::Disclosure,
        name: "The rules of output checking were held against the answer".to_owned(),
        actor: Actor::Program {
            iri: Iri::new("urn:consilium:output-check").map_err(internal)?,
            name: release.software.clone(),
            version: release.software.rsplit(' ').next().unwrap_or_default().to_owned(),
            provider: own.clone(),
        },
        status: Status::Completed,
        started: None,
        ended: Some(instant(release.at)?),
        rule: None,
        rule_name: String::new(),
        reason: Some(findings).filter(|findings| !findings.is_empty()),
    })
}

fn institution(app: &App, org: &str) -> Result<Organization> {
    let list = app.network().list();
    let member = list.members.iter().find(|member| member.id.as_str() == org);
    let base = match org == app.org().id {
        true => app.org().base_url.clone(),
        false => app.base_url_of(org),
    };
    let iri = match base.is_empty() {
        true => format!("urn:consilium:institution:{org}"),
        false => format!("{}/", base.trim_end_matches('/')),
    };
    let name = member.map_or_else(|| org.to_owned(), |member| member.display_name.clone());
    Ok(Organization { iri: Iri::new(iri).map_err(internal)?, name })
}

fn person(of: &Organization, account: &str, name: &str) -> Result<Person> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let account: String = account.chars().map(plain).collect();
    let iri = Iri::new(format!("{}#person-{account}", of.iri)).map_err(internal)?;
    Ok(Person { iri, name: name.to_owned(), affiliation: of.clone() })
}

fn slug(text: &str) -> Result<Slug> {
    let plain: String = text.chars().take(100).collect();
    Slug::new(plain).map_err(internal)
}

fn digest(bytes: &[u8]) -> Result<Sha256> {
    Sha256::new(crypto::hash::hex(&crypto::sha256(bytes))).map_err(internal)
}

fn instant(ms: i64) -> Result<Instant> {
    let text: String = fhir::time::instant(ms).chars().take(19).collect();
    Instant::new(format!("{text}Z")).map_err(internal)
}

fn internal(error: ::catalog::Invalid) -> Error {
    Error::internal(error.to_string())
}
