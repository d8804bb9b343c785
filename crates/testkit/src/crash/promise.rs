//! What a node promised by a success status, and whether it keeps it.

use fhir::{Document, Resource};
use policy::consent::{
    Compiled, ConsentView, Defaults, Kind, Request, WholeDecision, whole_record,
};
use policy::{Purpose, Role};
use serde_json::{Value, json};

use crate::client::Fault;
use crate::compare::difference;
use crate::population::now_ms;

/// System of the tags by which the resources of one transaction are found again.
pub const TAGS: &str = "https://consilium.health/fhir/CodeSystem/crash";
/// Most consents that one search brings.
const MANY: usize = 1000;

/// A session at the node, over connections of one life of it.
#[derive(Clone)]
pub struct Session {
    /// HTTP client.
    pub http: reqwest::Client,
    /// Base URL of the node.
    pub base: String,
    /// Bearer token.
    pub token: String,
}

impl Session {
    /// A GET below `/fhir` that must succeed.
    pub async fn get(&self, path: &str) -> Result<String, Fault> {
        let url = format!("{}/fhir/{path}", self.base);
        let answer = self.http.get(url).bearer_auth(&self.token).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        match status.is_success() {
            true => Ok(text),
            false => Err(format!("GET {path}: {status}").into()),
        }
    }

    async fn total(&self, search: &str) -> Result<u64, Fault> {
        let bundle: Value = serde_json::from_str(&self.get(search).await?)?;
        bundle["total"].as_u64().ok_or_else(|| format!("{search}: no total").into())
    }

    /// `POST` or `PUT` of JSON.
    pub fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: &Value,
    ) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}/fhir{path}", self.base))
            .bearer_auth(&self.token)
            .header("content-type", "application/fhir+json")
            .body(body.to_string())
    }
}

/// How far the node came with an answer before it was killed.
#[derive(Clone, Debug, Default)]
pub enum Answer<T> {
    /// No success status was received: the write may stand or not.
    #[default]
    Nothing,
    /// A success status was received, but not the whole body.
    StatusOnly,
    /// The whole answer.
    Whole(T),
}

impl<T> Answer<T> {
    /// Whether a success status was received.
    pub fn is_acknowledged(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

/// A resource that stands at a version: type, id, version.
pub type Stands = (String, String, u64);

/// What was sent and what was answered.
#[derive(Clone, Debug)]
pub enum Promise {
    /// A transaction Bundle: all or nothing.
    Transaction {
        /// Code of the tag of all its resources.
        tag: String,
        /// The resources as sent, the Encounter that the others refer to first.
        sent: Vec<Value>,
        /// Where they stand, in the same order.
        answer: Answer<Vec<Stands>>,
    },
    /// Versions of one resource, each with the number in it, oldest first.
    Updates {
        /// Id of the Observation.
        id: String,
        /// Version and number of each that was acknowledged.
        acknowledged: Vec<(u64, u64)>,
        /// The number of one that was sent without a whole answer, and whether a success status
        /// was received for it.
        open: Option<(u64, bool)>,
    },
    /// A conditional create.
    Conditional {
        /// The identifier that no other Patient may have.
        identifier: String,
        /// Id of the Patient.
        answer: Answer<String>,
    },
    /// A patient's decisions about sharing, oldest first.
    Decisions {
        /// The patient.
        patient: String,
        /// Id of each Consent and whether it permits.
        acknowledged: Vec<(String, bool)>,
        /// One that was sent without a whole answer, and whether a success status was received
        /// for it.
        open: Option<(bool, bool)>,
    },
    /// Files of an import from the command line, each one transaction: all or nothing.
    Files {
        /// Codes of the tags of the files.
        tags: Vec<String>,
        /// Resources in each.
        size: u64,
        /// Whether the import had said that all are stored.
        finished: bool,
    },
}

/// Who may look, and what the rules of the network are.
pub struct Judge {
    /// A clinician.
    pub clinician: Session,
    /// The node's institution.
    pub own: String,
    /// Another institution of the network.
    pub other: String,
    /// What holds where a patient has decided nothing.
    pub defaults: Defaults,
}

/// What was found of one promise.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Acknowledged writes that were looked at.
    pub acknowledged: usize,
    /// Writes without an answer that stand, and that do not.
    pub open: (usize, usize),
    /// What is not as it must be.
    pub faults: Vec<String>,
}

impl Kept {
    /// Adds what was found of another.
    pub fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.open.0 += other.open.0;
        self.open.1 += other.open.1;
        self.faults.extend(other.faults);
    }

    fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    fn open(&mut self, stands: bool) {
        match stands {
            true => self.open.0 += 1,
            false => self.open.1 += 1,
        }
    }
}

impl Promise {
    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        match self {
            Self::Transaction { answer, .. } => usize::from(answer.is_acknowledged()),
            Self::Conditional { answer, .. } => usize::from(answer.is_acknowledged()),
            Self::Updates { acknowledged, open, .. } => {
                acknowledged.len() + usize::from(open.is_some_and(|open| open.1))
            }
            Self::Decisions { acknowledged, open, .. } => {
                acknowledged.len() + usize::from(open.is_some_and(|open| open.1))
            }
            Self::Files { tags, finished: true, .. } => tags.len(),
            Self::Files { .. } => 0,
        }
    }
}

impl Judge {
    /// Looks whether `promise` is kept. A request that fails is a fault of its own.
    pub async fn check(&self, promise: &Promise) -> Kept {
        let mut kept = Kept::default();
        let looked = match promise {
            Promise::Transaction { tag, sent, answer } => {
                self.transaction(tag, sent, answer, &mut kept).await
            }
            Promise::Updates { id, acknowledged, open } => {
                self.updates(id, acknowledged, *open, &mut kept).await
            }
            Promise::Conditional { identifier, answer } => {
                self.conditional(identifier, answer, &mut kept).await
            }
            Promise::Decisions { patient, acknowledged, open } => {
                self.decisions(patient, acknowledged, *open, &mut kept).await
            }
            Promise::Files { tags, size, finished } => {
                self.files(tags, *size, *finished, &mut kept).await
            }
        };
        if let Err(error) = looked {
            kept.fault(error.to_string());
        }
        kept
    }

    async fn tagged(&self, tag: &str) -> Result<u64, Fault> {
        let of = |kind: &str| format!("{kind}?_tag={TAGS}|{tag}&_count=1");
        let observations = self.clinician.total(&of("Observation")).await?;
        Ok(observations + self.clinician.total(&of("Encounter")).await?)
    }

    async fn transaction(
        &self,
        tag: &str,
        sent: &[Value],
        answer: &Answer<Vec<Stands>>,
        kept: &mut Kept,
    ) -> Result<(), Fault> {
        let found = self.tagged(tag).await?;
        let whole = sent.len() as u64;
        if found != whole && (found != 0 || answer.is_acknowledged()) {
            kept.fault(format!("transaction {tag}: {found} of {whole} resources"));
        }
        if !answer.is_acknowledged() {
            kept.open(found == whole);
        }
        kept.acknowledged += usize::from(answer.is_acknowledged());
        let Answer::Whole(stand) = answer else { return Ok(()) };
        if stand.len() != sent.len() {
            kept.fault(format!("transaction {tag}: {} answers for {whole} entries", stand.len()));
        }
        let encounter =
            stand.first().map(|(_, id, _)| format!("Encounter/{id}")).unwrap_or_default();
        for (resource, (kind, id, version)) in sent.iter().zip(stand) {
            let mut expected = resource.clone();
            expected["id"] = json!(id);
            if !expected["encounter"].is_null() {
                expected["encounter"]["reference"] = json!(encounter);
            }
            let text = self.clinician.get(&format!("{kind}/{id}/_history/{version}")).await?;
            let (a, b) = (Document::parse(expected.to_string())?, Document::parse(text)?);
            if let Some(path) = difference(a.root(), b.root(), &[]) {
                kept.fault(format!("transaction {tag}: {kind}/{id} differs at {path}"));
            }
        }
        Ok(())
    }

    async fn updates(
        &self,
        id: &str,
        acknowledged: &[(u64, u64)],
        open: Option<(u64, bool)>,
        kept: &mut Kept,
    ) -> Result<(), Fault> {
        let read = |text: &str| -> Result<(u64, u64), Fault> {
            let value: Value = serde_json::from_str(text)?;
            let version = value["meta"]["versionId"].as_str().ok_or("no version")?.parse()?;
            Ok((version, value["valueInteger"].as_u64().ok_or("no number")?))
        };
        let latest = acknowledged.last().copied().unwrap_or_default();
        for one in acknowledged {
            let path = format!("Observation/{id}/_history/{}", one.0);
            if read(&self.clinician.get(&path).await?)? != *one {
                kept.fault(format!("{path}: not the number that was acknowledged"));
            }
        }
        kept.acknowledged += acknowledged.len();
        let must = latest.0 > 0 || open.is_some_and(|open| open.1);
        let stands = match self.clinician.get(&format!("Observation/{id}")).await {
            Ok(text) => read(&text)?,
            Err(_) if !must => (0, 0),
            Err(error) => return Err(error),
        };
        let is_open = open.is_some_and(|(number, _)| stands == (latest.0 + 1, number));
        let is_lost = stands == latest && open.is_some_and(|open| open.1);
        if is_lost || (stands != latest && !is_open) {
            kept.fault(format!("Observation/{id}: stands at {stands:?} after {latest:?}"));
        }
        if open.is_some() {
            kept.open(is_open);
        }
        Ok(())
    }

    async fn conditional(
        &self,
        identifier: &str,
        answer: &Answer<String>,
        kept: &mut Kept,
    ) -> Result<(), Fault> {
        let search = format!("identifier={TAGS}|{identifier}");
        let before = self.clinician.total(&format!("Patient?{search}&_count=1")).await?;
        if before > 1 || (answer.is_acknowledged() && before == 0) {
            kept.fault(format!("conditional create {identifier}: {before} patients"));
        }
        match answer.is_acknowledged() {
            true => kept.acknowledged += 1,
            false => kept.open(before == 1),
        }
        if let Answer::Whole(id) = answer {
            self.clinician.get(&format!("Patient/{id}")).await?;
            let bundle: Value =
                serde_json::from_str(&self.clinician.get(&format!("Patient?{search}")).await?)?;
            if bundle["entry"][0]["resource"]["id"].as_str() != Some(id) {
                kept.fault(format!("conditional create {identifier}: another id than promised"));
            }
        }
        // Asking again must find what is there, or make it where it was never promised.
        let body = conditional(identifier);
        let again = self.clinician.send(reqwest::Method::POST, "", &body).send().await?;
        let status = again.status();
        again.bytes().await?;
        let after = self.clinician.total(&format!("Patient?{search}&_count=1")).await?;
        if !status.is_success() || after != 1 {
            kept.fault(format!(
                "conditional create {identifier} again: {status}, {after} patients"
            ));
        }
        Ok(())
    }

    async fn decisions(
        &self,
        patient: &str,
        acknowledged: &[(String, bool)],
        open: Option<(bool, bool)>,
        kept: &mut Kept,
    ) -> Result<(), Fault> {
        let text =
            self.clinician.get(&format!("Consent?patient=Patient/{patient}&_count={MANY}")).await?;
        let bundle = Document::parse(text)?;
        let mut consents = Vec::new();
        for entry in bundle.root().get("entry").iter().flat_map(|list| list.items()) {
            let resource = entry.get("resource").ok_or("an entry has no resource")?;
            consents.push(Resource::parse(resource.raw())?);
        }
        for (id, permits) in acknowledged {
            let consent = consents.iter().find(|c| c.id().is_some_and(|own| own.as_str() == id));
            let kind = consent.and_then(|consent| ConsentView::of(consent)?.kind());
            if kind != Some(if *permits { Kind::Permit } else { Kind::Deny }) {
                kept.fault(format!("Consent/{id}: not what was acknowledged"));
            }
        }
        kept.acknowledged += acknowledged.len();
        let surplus = consents.len().saturating_sub(acknowledged.len());
        if surplus > usize::from(open.is_some()) {
            kept.fault(format!("Patient/{patient}: {surplus} consents that nobody made"));
        }
        let mut in_force = acknowledged.last().map(|(_, permits)| *permits);
        if let Some((permits, is_acknowledged)) = open {
            if surplus == 1 {
                in_force = Some(permits);
            } else if is_acknowledged {
                kept.fault(format!("Patient/{patient}: an acknowledged consent is lost"));
            }
            kept.open(surplus == 1);
        }
        if let Some(permits) = in_force
            && self.may_see(&consents) != permits
        {
            let decision = if permits { "permission" } else { "withdrawal" };
            kept.fault(format!("Patient/{patient}: the latest {decision} is not in force"));
        }
        Ok(())
    }

    /// Whether clinicians of the other institution may see anything that is held here, as the
    /// node itself decides it.
    fn may_see(&self, consents: &[Resource]) -> bool {
        let request = Request {
            recipient_org: self.other.clone(),
            recipient_user: None,
            role: Role::Clinician,
            purpose: Purpose::TREAT,
            custodian_org: self.own.clone(),
            now_ms: now_ms(),
            break_glass_enabled: false,
        };
        let decision = whole_record(&request, &Compiled::new(consents), &self.defaults);
        !matches!(decision, WholeDecision::Deny { .. })
    }

    async fn files(
        &self,
        tags: &[String],
        size: u64,
        finished: bool,
        kept: &mut Kept,
    ) -> Result<(), Fault> {
        for tag in tags {
            let found = self.tagged(tag).await?;
            if found != size && (found != 0 || finished) {
                kept.fault(format!("import of {tag}: {found} of {size} resources"));
            }
            match finished {
                true => kept.acknowledged += 1,
                false => kept.open(found == size),
            }
        }
        Ok(())
    }
}

/// A transaction that creates a Patient unless there is one with `identifier`.
pub fn conditional(identifier: &str) -> Value {
    json!({"resourceType": "Bundle", "type": "transaction", "entry": [{
        "resource": {
            "resourceType": "Patient",
            "identifier": [{"system": TAGS, "value": identifier}],
            "name": [{"family": "Conditional", "given": [identifier]}],
        },
        "request": {
            "method": "POST", "url": "Patient",
            "ifNoneExist": format!("identifier={TAGS}|{identifier}"),
        },
    }]})
}
