//! One AuditEvent, in the patterns of IHE Basic Audit Log Patterns (BALP 1.1).
//!
//! The entry joins the transaction of what it records, so either both stand or neither does. Its text
//! is written in lines that can be shown one without another ([`super::redact`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir::Id;
use oauth::udap::Asking;
use store::{Key, Write};

use super::text::Text;
use crate::caller::{Caller, Evidence, Granted};
use crate::{App, Result};

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const REST: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const LIFECYCLE: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
const ASSURANCE: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/ihe-assuranceLevel";
const AUTHENTICATION: &str = "https://consilium.health/fhir/StructureDefinition/authentication";
const OBSERVATION_VALUE: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const ACR: &str = "https://consilium.health/fhir/CodeSystem/acr";
const PROVENANCE_PARTICIPANT: &str =
    "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
/// How the type of a detail begins that counts resources of a type.
pub(super) const SEEN: &str = "seen:";
const BALP_ENTITY: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
/// Most patients one entry names; an interaction that touches more says so in a detail.
const MAX_PATIENTS: usize = 200;

/// What was done, which fixes type, subtype, action and the roles of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// FHIR read or vread.
    Read,
    /// FHIR history.
    History,
    /// FHIR create.
    Create,
    /// FHIR update.
    Update,
    /// FHIR delete.
    Delete,
    /// FHIR search, or a question to other institutions.
    Query,
    /// FHIR batch or transaction.
    Transaction,
    /// Resources taken in from files.
    Import,
    /// Data that left for another institution (BALP PrivacyDisclosure.Source).
    Disclose,
    /// Data that came from another institution (BALP PrivacyDisclosure.Recipient).
    Receive,
    /// A refusal, by consent or policy.
    Refuse,
    /// Sign-in, successful or not.
    SignIn,
    /// What an account is proved with was changed: a passkey, one-time codes, recovery codes.
    Credential,
    /// Start of an emergency override.
    BreakGlass,
    /// The audit was read.
    AuditRead,
    /// A link between two records of one person was confirmed or undone.
    Link,
    /// A setting of the node was changed.
    Configure,
    /// The audit log of a node is not what its witnesses have cosigned, or has no twin of an entry.
    LogAlarm,
    /// Somebody has let the deadline of a matter between institutions pass.
    Overdue,
    /// What was disclosed of one person was another's: recipients are told, remove it and confirm.
    Recall,
    /// An app was allowed something, came to a token, or was allowed it no longer.
    Delegate,
}

impl Pattern {
    /// `(type system, type code, type display, subtype system, subtype code, action)`.
    fn coding(self) -> [&'static str; 6] {
        let rest = |code, action| [REST, "rest", "RESTful Operation", INTERACTION, code, action];
        match self {
            Self::Read => rest("read", "R"),
            Self::History => rest("history", "R"),
            Self::Create => rest("create", "C"),
            Self::Update => rest("update", "U"),
            Self::Delete => rest("delete", "D"),
            Self::Query => rest("search", "E"),
            Self::Transaction => rest("transaction", "E"),
            Self::Import => [DCM, "110107", "Import", LIFECYCLE, "receive", "C"],
            Self::Disclose => [DCM, "110106", "Export", LIFECYCLE, "disclose", "R"],
            Self::Receive => [DCM, "110107", "Import", LIFECYCLE, "disclose", "C"],
            Self::Refuse => [DCM, "110113", "Security Alert", DCM, "110132", "E"],
            Self::SignIn => [DCM, "110114", "User Authentication", DCM, "110122", "E"],
            Self::Credential => [DCM, "110113", "Security Alert", DCM, "110137", "U"],
            Self::BreakGlass => [DCM, "110113", "Security Alert", DCM, "110127", "E"],
            Self::AuditRead => [DCM, "110101", "Audit Log Used", INTERACTION, "search", "R"],
            Self::Link => [DCM, "110110", "Patient Record", LIFECYCLE, "link", "U"],
            // Which security attributes a user has: that an app may ask in their name.
            Self::Delegate => [DCM, "110113", "Security Alert", DCM, "110137", "E"],
            Self::Configure => [DCM, "110113", "Security Alert", DCM, "110128", "U"],
            Self::Overdue => [DCM, "110113", "Security Alert", LIFECYCLE, "hold", "E"],
            Self::Recall => [DCM, "110110", "Patient Record", LIFECYCLE, "unlink", "U"],
            Self::LogAlarm => [DCM, "110113", "Security Alert", LIFECYCLE, "verify", "E"],
        }
    }
}

impl Pattern {
    /// The types of the two agents that are machines: the code of the client's in DICOM's terms, and
    /// system and code of the server's (BALP, section "RESTful activities" of its profiles).
    fn sides(self) -> (&'static str, (&'static str, &'static str)) {
        match self {
            Self::Create
            | Self::Update
            | Self::Query
            | Self::Transaction
            | Self::Receive
            | Self::Import => ("110153", (DCM, "110152")),
            Self::Delete => ("110150", (PROVENANCE_PARTICIPANT, "custodian")),
            _ => ("110152", (DCM, "110153")),
        }
    }
}

/// How it ended (FHIR audit-event-outcome).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Success,
    /// Refused or faulty request.
    Refused,
    /// Something is wrong that is nobody's request.
    Serious,
}

/// Another institution's user, as asserted by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Institution, `north` for example.
    pub org: String,
    /// Name of the institution.
    pub org_name: String,
    /// Account id at that institution.
    pub user: String,
    /// Display name of the user.
    pub name: String,
    /// Role of the user.
    pub role: String,
    /// How the user signed in, as that institution asserts it.
    pub signed_in: SignedIn,
}

/// How strongly somebody signed in, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedIn {
    /// Authentication context class reference; empty where nobody signed in.
    pub acr: String,
    /// Authentication methods (RFC 8176).
    pub amr: Vec<String>,
    /// When, in milliseconds since the Unix epoch.
    pub auth_time_ms: i64,
}

/// An entry in the making.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    pattern: Pattern,
    outcome: Outcome,
    description: Option<String>,
    caller: Option<&'a Caller>,
    peer: Option<Agent>,
    purpose: Option<String>,
    patients: Vec<Id>,
    data: Vec<String>,
    consents: Vec<String>,
    query: Option<String>,
    request_id: Option<String>,
    evidence: Option<String>,
    asked: Vec<(String, String)>,
    seen: Vec<(&'static str, usize)>,
    client: Option<String>,
}

impl<'a> Event<'a> {
    /// An entry about something a user of this node did.
    pub fn by(caller: &'a Caller, pattern: Pattern) -> Self {
        // Whatever is done in a patient's name is in their log, with what allowed it.
        let acting = caller.user.acting.as_ref();
        let patients = caller.user.patient.iter().filter(|_| acting.is_some()).cloned().collect();
        let consents = acting.map(|acting| format!("Consent/{}", acting.related));
        let consents = consents.into_iter().collect();
        Self { caller: Some(caller), patients, consents, ..Self::by_node(pattern) }
            .purpose(&caller.purpose)
            .request_id(&caller.request_id)
            .evidence(caller.evidence.as_ref())
    }

    /// An entry about something the node did of itself.
    pub fn by_node(pattern: Pattern) -> Self {
        Self {
            pattern,
            outcome: Outcome::Success,
            description: None,
            caller: None,
            peer: None,
            purpose: None,
            patients: Vec::new(),
            data: Vec::new(),
            consents: Vec::new(),
            query: None,
            request_id: None,
            evidence: None,
            asked: Vec::new(),
            seen: Vec::new(),
            client: None,
        }
    }

    /// The network address of somebody of whom nothing else is known.
    pub fn client(mut self, address: &str) -> Self {
        self.client = Some(address.to_owned());
        self
    }

    /// The user who did it; `None` for the node and for other institutions.
    pub(crate) fn caller(&self) -> Option<&'a Caller> {
        self.caller
    }

    /// Names the other institution's user: the asker where this node answers.
    pub fn peer(mut self, peer: Agent) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Purpose of use, a v3-ActReason code.
    pub fn purpose(mut self, code: &str) -> Self {
        self.purpose = Some(code.into());
        self
    }

    /// The id that joins the entries of all nodes.
    pub fn request_id(mut self, id: &str) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// What the asker stated as evidence.
    pub fn evidence(mut self, evidence: Option<&Evidence>) -> Self {
        self.evidence = evidence.map(|e| e.text().to_owned());
        self
    }

    /// A refusal and the rule that decided; no personal data.
    pub fn refused(mut self, why: impl Into<String>) -> Self {
        self.outcome = Outcome::Refused;
        self.description = Some(why.into());
        self
    }

    /// What is wrong, where that is nobody's request; no personal data.
    pub fn serious(mut self, what: impl Into<String>) -> Self {
        self.outcome = Outcome::Serious;
        self.description = Some(what.into());
        self
    }

    /// A remark on the outcome; no personal data.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.description = Some(note.into());
        self
    }

    /// Patients it is about; each finds the entry in their own log.
    pub fn patients(mut self, patients: impl IntoIterator<Item = Id>) -> Self {
        for patient in patients {
            if !self.patients.contains(&patient) {
                self.patients.push(patient);
            }
        }
        self
    }

    /// A resource it is about, as `Type/id`.
    pub fn data(mut self, reference: impl Into<String>) -> Self {
        self.data.push(reference.into());
        self
    }

    /// A Consent that decided, as `Consent/id`.
    pub fn consent(mut self, reference: impl Into<String>) -> Self {
        self.consents.push(reference.into());
        self
    }

    /// Names the other institutions that are asked: id and name of each.
    pub fn asking(mut self, others: impl IntoIterator<Item = (String, String)>) -> Self {
        self.asked.extend(others);
        self
    }

    /// What kinds of data were seen: counts by resource type, nothing of what they say.
    pub fn seen<'r>(mut self, resources: impl IntoIterator<Item = &'r fhir::Resource>) -> Self {
        for resource in resources {
            let kind = fhir::resource_type(resource.type_name()).unwrap_or("Basic");
            match self.seen.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => self.seen.push((kind, 1)),
            }
        }
        self
    }

    /// The query as it was received.
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }

    /// The write that adds this entry to a transaction.
    pub fn write(&self, app: &App) -> Result<Write> {
        let key = Key { resource_type: "AuditEvent", id: app.new_id() };
        let text = self.json(app);
        debug_assert!(fhir::Resource::parse(text.clone()).is_ok(), "an audit entry is faulty");
        Ok(Write::Audit { key, text })
    }

    fn json(&self, app: &App) -> String {
        let [system, code, display, sub_system, sub_code, action] = self.pattern.coding();
        let mut text = Text::new();
        text.object("", |event| {
            event.text("resourceType", "AuditEvent");
            // The store knows an entry by how it starts, comma included.
            event.line(&crypto::entry::salt_line(&app.new_secret()));
            event.object("type", |coding| {
                coding.text("system", system);
                coding.text("code", code);
                coding.text("display", display);
            });
            event.array("subtype", |subtype| subtype.coding("", sub_system, sub_code));
            event.text("action", action);
            event.text("recorded", &fhir::time::instant(app.now_ms()));
            let outcome = match self.outcome {
                Outcome::Success => "0",
                Outcome::Refused => "4",
                Outcome::Serious => "8",
            };
            event.text("outcome", outcome);
            if let Some(description) = &self.description {
                event.part();
                event.text("outcomeDesc", description);
            }
            if let Some(purpose) = &self.purpose {
                event.part();
                event.array("purposeOfEvent", |list| list.concept("", ACT_REASON, purpose));
            }
            event.part();
            event.array("agent", |agents| self.agents(agents, app));
            event.object("source", |source| {
                source.text("site", &app.org().id);
                source.object("observer", |observer| ours(observer, app));
            });
            let entities = self.patients.len() + self.data.len() + self.consents.len();
            if entities > 0 || self.query.is_some() || self.request_id.is_some() {
                event.array("entity", |entities| {
                    self.entities(entities);
                    entities.part();
                });
            }
        });
        text.finish()
    }

    /// The person first, then the two sides; the side that is this node closes the list, so that the
    /// line after it is shown whatever is hidden before.
    fn agents(&self, agents: &mut Text, app: &App) {
        let (client, server) = self.pattern.sides();
        if let Some(caller) = self.caller {
            agents.object("", |agent| person_of_ours(agent, caller));
            if let Some(granted) = &caller.granted {
                agents.part();
                agents.object("", |agent| app_of_theirs(agent, granted));
                if let Some(asking) = &granted.asserted {
                    agents.object("", |agent| organisation_of_theirs(agent, asking));
                }
            }
            agents.part();
            agents.object("", |agent| {
                agent.concept("type", DCM, client);
                agent.object("who", |who| ours(who, app));
                agent.flag("requestor", false);
                agent.part();
                at_address(agent, &caller.address);
                agent.part();
            });
        }
        if let Some(address) = &self.client {
            agents.part();
            agents.object("", |agent| {
                agent.concept("type", DCM, client);
                agent.flag("requestor", true);
                agent.part();
                at_address(agent, address);
                agent.part();
            });
        }
        if let Some(peer) = &self.peer {
            agents.object("", |agent| person_elsewhere(agent, peer));
            agents.part();
            agents.object("", |agent| {
                agent.concept("type", DCM, client);
                agent.object("who", |who| organisation(who, &peer.org, &peer.org_name));
                agent.flag("requestor", false);
                agent.part();
                at_uri(agent, &app.base_url_of(&peer.org));
                agent.part();
            });
        }
        for (org, name) in &self.asked {
            agents.part();
            agents.object("", |agent| {
                agent.concept("type", DCM, server.1);
                agent.object("who", |who| organisation(who, org, name));
                agent.flag("requestor", false);
                at_uri(agent, &app.base_url_of(org));
            });
        }
        agents.part();
        agents.object("", |agent| {
            agent.concept("type", server.0, server.1);
            agent.object("who", |who| ours(who, app));
            let somebody = self.caller.is_some() || self.peer.is_some() || self.client.is_some();
            agent.flag("requestor", !somebody);
            at_uri(agent, &app.org().base_url);
        });
    }

    /// Each on a line of its own.
    fn entities(&self, entities: &mut Text) {
        for patient in self.patients.iter().take(MAX_PATIENTS) {
            entities.part();
            referred(entities, &format!("Patient/{patient}"), "1", "1");
        }
        for reference in &self.data {
            entities.part();
            referred(entities, reference, "2", "4");
        }
        for reference in &self.consents {
            entities.part();
            referred(entities, reference, "2", "13");
        }
        if let Some(query) = &self.query {
            entities.part();
            entities.object("", |entity| {
                entity.coding("type", ENTITY_TYPE, "2");
                entity.coding("role", OBJECT_ROLE, "24");
                entity.text("query", &STANDARD.encode(query.as_bytes()));
            });
        }
        let Some(id) = &self.request_id else { return };
        entities.part();
        entities.object("", |entity| {
            entity.object("what", |what| {
                what.object("identifier", |identifier| identifier.text("value", id));
            });
            entity.coding("type", BALP_ENTITY, "XrequestId");
            if self.evidence.is_some() || !self.seen.is_empty() {
                entity.array("detail", |details| self.details(details));
            }
            let patients = self.patients.len();
            if patients > MAX_PATIENTS {
                entity.part();
                let all = format!("{patients} patients in all, {MAX_PATIENTS} named");
                entity.text("description", &all);
                entity.part();
            }
        });
    }

    fn details(&self, details: &mut Text) {
        let seen =
            self.seen.iter().map(|(kind, count)| (format!("{SEEN}{kind}"), count.to_string()));
        let evidence = self.evidence.iter().map(|text| ("evidence".to_owned(), text.clone()));
        for (name, value) in evidence.chain(seen) {
            details.part();
            details.object("", |detail| {
                detail.text("type", &name);
                detail.text("valueString", &value);
            });
        }
        details.part();
    }
}

/// An organisation, as a reference.
fn organisation(reference: &mut Text, id: &str, name: &str) {
    reference.text("reference", &format!("Organization/{id}"));
    reference.text("display", name);
}

/// This institution, as a reference.
fn ours(reference: &mut Text, app: &App) {
    organisation(reference, &app.org().id, &app.org().name);
}

/// Where a client is, by its address in the network.
fn at_address(agent: &mut Text, address: &str) {
    agent.object("network", |network| {
        network.text("address", address);
        network.text("type", "2");
    });
}

/// Where a node is.
fn at_uri(agent: &mut Text, uri: &str) {
    if !uri.is_empty() {
        agent.object("network", |network| {
            network.text("address", uri);
            network.text("type", "5");
        });
    }
}

fn person_of_ours(agent: &mut Text, caller: &Caller) {
    agent.concept("type", PARTICIPATION, "IRCP");
    agent.array("role", |roles| {
        roles.object("", |role| role.text("text", &caller.user.role));
        if let Some(acting) = &caller.user.acting {
            roles.object("", |role| {
                role.array("coding", |codings| {
                    codings.coding("", crate::proxies::ROLE_CODE, &acting.relationship);
                });
            });
        }
    });
    agent.flag("requestor", true);
    agent.object("who", |who| {
        who.text("display", &caller.user.name);
        who.part();
        who.object("identifier", |identifier| identifier.text("value", &caller.user.id));
        if let Some(acting) = &caller.user.acting {
            who.text("reference", &format!("RelatedPerson/{}", acting.related));
        } else if let Some(patient) = &caller.user.patient {
            who.text("reference", &format!("Patient/{patient}"));
        }
        who.part();
    });
    let user = &caller.user;
    let (acr, amr) = (user.acr().to_owned(), user.amr.clone());
    assured(agent, &SignedIn { acr, amr, auth_time_ms: user.auth_time_ms });
}

/// The app through which somebody asked (BALP, AuditEvent with an OAuth client as agent): DICOM's
/// `Application`, by the id under which it is registered.
fn app_of_theirs(agent: &mut Text, granted: &Granted) {
    agent.concept("type", DCM, "110150");
    agent.object("who", |who| {
        who.object("identifier", |identifier| identifier.text("value", &granted.client));
        who.text("display", &granted.client_name);
    });
    agent.flag("requestor", false);
}

/// For whom a program of UDAP asks, as it has signed it: the organisation that gets to know, and
/// the person there.
fn organisation_of_theirs(agent: &mut Text, asking: &Asking) {
    agent.concept("type", PARTICIPATION, "IRCP");
    agent.object("who", |who| {
        who.object("identifier", |identifier| identifier.text("value", &asking.organization_id));
        if let Some(name) = &asking.organization_name {
            who.text("display", name);
        }
    });
    if let Some(name) = &asking.subject_name {
        agent.text("name", name);
    }
    if let Some(id) = &asking.subject_id {
        agent.text("altId", id);
    }
    agent.flag("requestor", false);
}

fn person_elsewhere(agent: &mut Text, peer: &Agent) {
    agent.concept("type", PARTICIPATION, "IRCP");
    agent.array("role", |roles| roles.object("", |role| role.text("text", &peer.role)));
    agent.flag("requestor", true);
    agent.object("who", |who| {
        who.text("display", &peer.name);
        who.object("identifier", |identifier| {
            identifier.text("system", &format!("urn:consilium:org:{}:account", peer.org));
            identifier.part();
            identifier.text("value", &peer.user);
            identifier.part();
        });
    });
    assured(agent, &peer.signed_in);
}

/// How strongly somebody signed in (BALP, assuranceLevel), by what means and when; on a line of its
/// own.
fn assured(agent: &mut Text, signed_in: &SignedIn) {
    if signed_in.acr.is_empty() {
        return;
    }
    agent.part();
    agent.array("extension", |list| {
        list.object("", |extension| {
            extension.text("url", ASSURANCE);
            extension.object("valueCodeableConcept", |concept| {
                concept.array("coding", |codings| {
                    codings.coding("", OBSERVATION_VALUE, level(&signed_in.acr));
                    codings.coding("", ACR, &signed_in.acr);
                });
            });
        });
        list.object("", |extension| {
            extension.text("url", AUTHENTICATION);
            let (amr, at) = (signed_in.amr.join(" "), fhir::time::instant(signed_in.auth_time_ms));
            extension.array("extension", |parts| {
                parts.object("", |part| {
                    part.text("url", "amr");
                    part.text("valueString", &amr);
                });
                parts.object("", |part| {
                    part.text("url", "auth_time");
                    part.text("valueInstant", &at);
                });
            });
        });
    });
    agent.part();
}

/// The level of assurance of the authentication (v3-ObservationValue, the levels of NIST SP 800-63-1):
/// one factor is level 1, two are level 2, and two that a copy of the page cannot catch are level 3.
fn level(acr: &str) -> &'static str {
    match acr {
        wire::acr::PHISHING_RESISTANT => "LOAAP3",
        wire::acr::TWO_FACTORS => "LOAAP2",
        _ => "LOAAP1",
    }
}

/// An entity with a reference, by its type and role.
fn referred(entities: &mut Text, reference: &str, entity_type: &str, role: &str) {
    entities.object("", |entity| {
        entity.object("what", |what| what.text("reference", reference));
        entity.coding("type", ENTITY_TYPE, entity_type);
        entity.coding("role", OBJECT_ROLE, role);
    });
}
