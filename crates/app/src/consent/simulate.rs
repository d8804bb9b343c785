//! What others would see of a patient, and why not more: before a decision is made, and after one
//! that is only tried.
//!
//! [`here`] answers for this institution with the very selection that answers a peer's question
//! ([`crate::records::selection`]); [`everywhere`] asks each institution that holds a record of the
//! patient as well, since each decides by its own rules.

mod elsewhere;
mod explained;

use std::collections::BTreeMap;

use fhir::{Id, Resource};
use policy::consent::{Choice, Compiled, ItemDecision, Kind as Decision, Party, build, user_of};
use policy::{Action as PolicyAction, BreakGlass, Purpose, Question, Relation, Role};
use store::{Key, Method, Snapshot};
use wire::simulate::{MAX_DRAFTS, MAX_EXPLAINED, MAX_RECIPIENTS};
use wire::{KindCount, OrgId, Recipient, Remedy, Simulated, SourceStatus};

use super::{deliver, standing};
use crate::agreements::cover::{self, Verdict};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::records::selection::{self, Held};
use crate::{App, Caller, Error, Result};

pub use elsewhere::answer;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who would ask, at least one.
    pub recipients: Vec<Recipient>,
    /// For what.
    pub purpose: Purpose,
    /// Whether they would override consent in an emergency; the purpose is then `BTG`.
    pub emergency: bool,
    /// Consents that are tried: in place of the one with the same id, otherwise in addition.
    pub drafts: Vec<Resource>,
    /// How many withheld items are to be explained for each recipient.
    pub explain: usize,
}

impl Asked {
    /// Clinicians of `organisations`, for treatment, with consents that are tried.
    pub fn clinicians(organisations: &[OrgId], drafts: Vec<Resource>) -> Self {
        let recipient = |organisation: &OrgId| Recipient {
            organisation: organisation.clone(),
            person: None,
            role: wire::Role::Clinician,
        };
        Self {
            recipients: organisations.iter().map(recipient).collect(),
            purpose: Purpose::TREAT,
            emergency: false,
            drafts,
            explain: 0,
        }
    }

    /// Refuses what is too much or names nobody known.
    fn check(&self, app: &App) -> Result<()> {
        if self.recipients.is_empty() || self.recipients.len() > MAX_RECIPIENTS {
            let message = format!("name 1 to {MAX_RECIPIENTS} recipients");
            return Err(Error::invalid("value", message));
        }
        if self.drafts.len() > MAX_DRAFTS {
            let message = format!("at most {MAX_DRAFTS} consents can be tried at once");
            return Err(Error::invalid("too-costly", message));
        }
        if self.drafts.iter().any(|draft| draft.type_name() != "Consent") {
            return Err(Error::invalid("value", "`draft` is a Consent"));
        }
        let unknown = |one: &&Recipient| {
            let org = one.organisation.as_str();
            org != app.org().id && app.network().others().iter().all(|m| m.id.as_str() != org)
        };
        match self.recipients.iter().find(unknown) {
            None => Ok(()),
            Some(_) => Err(Error::invalid("value", "there is no such organisation in the network")),
        }
    }

    fn purpose(&self) -> Purpose {
        if self.emergency { Purpose::BTG } else { self.purpose }
    }
}

/// What one holder of a record said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its short id.
    pub org: String,
    /// Its name.
    pub name: String,
    /// How it stands; `None` where it was not asked.
    pub status: Option<SourceStatus>,
    /// Sentences about that.
    pub notes: Vec<String>,
    /// One for each recipient; empty where there is no answer.
    pub outcomes: Vec<Simulated>,
}

/// Asks this institution and, for the patient, every other one that is known to hold a record.
///
/// For patients about their own record, and for privacy officers, who are told counts alone and of
/// this institution alone. Errors: [`crate::Kind::NotFound`], [`crate::Kind::Forbidden`] by policy,
/// [`crate::Kind::Invalid`].
pub async fn everywhere(
    app: &App,
    caller: Caller,
    patient: Id,
    asked: Asked,
) -> Result<Vec<Holder>> {
    let question = {
        let (caller, patient, asked) = (caller.clone(), patient.clone(), asked.clone());
        app.run(move |app| begin(app, &caller, &patient, &asked)).await?
    };
    let (own, others) = question;
    let mut holders = vec![own];
    holders.extend(elsewhere::ask(app, caller, patient, &asked, others).await?);
    Ok(holders)
}

/// Authorises and records the question; answers it for this institution.
fn begin(
    app: &App,
    caller: &Caller,
    patient: &Id,
    asked: &Asked,
) -> Result<(Holder, elsewhere::Others)> {
    // It would tell of what is kept from whoever acts for the patient.
    crate::proxies::refuse(caller, "a simulation of accesses")?;
    let permit = authorise(app, caller, Action::deciding("Consent"))?;
    if permit.scope().own().is_some_and(|own| own != patient) {
        return Err(Error::not_found());
    }
    asked.check(app)?;
    let snapshot = app.store().snapshot()?;
    let key = Key { resource_type: "Patient", id: patient.clone() };
    if snapshot.read(&key)?.is_none_or(|stored| stored.method == Method::Delete) {
        return Err(Error::not_found());
    }
    // What a resource says is for the patient; others learn how much there is.
    let explain = if permit.scope().own().is_some() { asked.explain } else { 0 };
    let outcomes = here(app, &*snapshot, patient, &Asked { explain, ..asked.clone() }, None)?;
    let others = elsewhere::others(app, &*snapshot, caller, patient)?;
    drop(snapshot);
    let who: Vec<&str> = asked.recipients.iter().map(|one| one.organisation.as_str()).collect();
    let query = format!(
        "Patient/{patient}/$simulate-access?organisation={}&purpose={}",
        who.join(","),
        asked.purpose().code()
    );
    let event = Event::by(caller, Pattern::Query).patients([patient.clone()]).query(query);
    app.audit(event)?;
    let own = Holder {
        org: app.org().id.clone(),
        name: app.org().name.clone(),
        status: Some(SourceStatus::Answered),
        notes: Vec::new(),
        outcomes,
    };
    Ok((own, others))
}

/// What this institution would send each recipient of `patient`'s record. `origin` is where the
/// drafts come from, where that is another institution. Touches no log.
pub fn here(
    app: &App,
    snapshot: &dyn Snapshot,
    patient: &Id,
    asked: &Asked,
    origin: Option<&str>,
) -> Result<Vec<Simulated>> {
    let present = standing::resources(snapshot, patient)?;
    let tried = with_drafts(&present, &asked.drafts, origin);
    let held = Held::of(app, snapshot, patient)?;
    let case = Case { app, snapshot, held: &held, present: &present, tried: &tried, asked };
    asked.recipients.iter().map(|recipient| case.simulate(recipient)).collect()
}

/// The consents as they would stand with `drafts`.
fn with_drafts(present: &[Resource], drafts: &[Resource], origin: Option<&str>) -> Vec<Resource> {
    let replaced = |consent: &Resource| {
        drafts.iter().filter_map(Resource::id).any(|id| match origin {
            None => consent.id().as_ref() == Some(&id),
            Some(from) => deliver::origin(consent)
                .is_some_and(|(org, there, _)| org == from && there == id.as_str()),
        })
    };
    let kept = present.iter().filter(|consent| !replaced(consent));
    kept.chain(drafts).cloned().collect()
}

struct Case<'a> {
    app: &'a App,
    snapshot: &'a dyn Snapshot,
    held: &'a Held,
    present: &'a [Resource],
    tried: &'a [Resource],
    asked: &'a Asked,
}

impl Case<'_> {
    fn simulate(&self, recipient: &Recipient) -> Result<Simulated> {
        let role = Role::find(recipient.role.word())
            .ok_or_else(|| Error::invalid("value", "the role is not known here"))?;
        let purpose = self.asked.purpose();
        let refused = self.refused(recipient, role, purpose);
        let request = |purpose| self.request(recipient, role, purpose);
        let (_, before) = self.decide(self.present, &request(purpose), refused.is_some());
        let (compiled, after) = self.decide(self.tried, &request(purpose), refused.is_some());
        let mut withheld = Vec::new();
        let hidden = after.iter().filter(|sent| !is_sent(sent)).count();
        if refused.is_none() {
            let name = |id: &str| name_of(self.app, id);
            let items = self.held.resources.iter().zip(&after).enumerate();
            for (at, (resource, decision)) in items {
                let Some(decision) = decision else { continue };
                if decision.is_permitted() || withheld.len() >= self.explain() {
                    continue;
                }
                let remedy = self.remedy(&request(purpose), recipient, at, decision)?;
                withheld.push(explained::item(resource, decision, &compiled, remedy, name));
            }
        }
        Ok(Simulated {
            organisation: recipient.organisation.clone(),
            more: refused.is_none() && hidden > withheld.len(),
            kinds: self.kinds(&before, &after),
            withheld,
            emergency_opens: self.emergency_opens(recipient),
            refused,
        })
    }

    fn explain(&self) -> usize {
        self.asked.explain.min(MAX_EXPLAINED)
    }

    fn request(
        &self,
        recipient: &Recipient,
        role: Role,
        purpose: Purpose,
    ) -> policy::consent::Request {
        let uri = recipient.organisation.uri();
        // Where nobody in particular is meant, it is somebody whom no consent names.
        let user = recipient.person.as_deref().unwrap_or("~");
        let person = user_of(recipient.organisation.as_str(), user);
        selection::request(self.app, &uri, Some(person), role, purpose)
    }

    /// Why policy would refuse the question however well it were asked: with a second factor,
    /// evidence and, in an emergency, the override.
    fn refused(&self, recipient: &Recipient, role: Role, purpose: Purpose) -> Option<String> {
        let own = recipient.organisation.as_str() == self.app.org().id;
        let (action, relation) = match own {
            true => (PolicyAction::Read, Relation::Member),
            false => (PolicyAction::Answer, Relation::Peer),
        };
        let mut question = Question::new(role, action, purpose, relation);
        question.mfa_age_s = Some(0);
        question.evidence = true;
        question.same_organisation = own;
        let sides = (recipient.organisation.as_str(), self.app.org().id.as_str());
        let agreed = cover::judge(self.app, self.snapshot, sides, purpose, None);
        question.agreement = agreed.is_ok_and(|verdict| matches!(verdict, Verdict::Covered(_)));
        let enabled = self.app.settings().break_glass;
        question.break_glass = BreakGlass { enabled, granted: purpose == Purpose::BTG };
        let decision = self.app.policy().decide(&question);
        (!decision.allowed).then(|| decision.sentence())
    }

    /// One decision for each resource; `None` for all of them where nothing is answered at all.
    fn decide(
        &self,
        consents: &[Resource],
        request: &policy::consent::Request,
        refused: bool,
    ) -> (Compiled, Vec<Option<ItemDecision>>) {
        if refused {
            return (Compiled::default(), vec![None; self.held.resources.len()]);
        }
        let decided = self.held.decide((self.app, self.snapshot), request, consents);
        (decided.compiled, decided.decisions.into_iter().map(Some).collect())
    }

    fn kinds(
        &self,
        before: &[Option<ItemDecision>],
        after: &[Option<ItemDecision>],
    ) -> Vec<KindCount> {
        let mut kinds: BTreeMap<&str, KindCount> = BTreeMap::new();
        let decisions = before.iter().map(is_sent).zip(after.iter().map(is_sent));
        for (resource, (was, is)) in self.held.resources.iter().zip(decisions) {
            let kind = resource.type_name();
            let empty =
                || KindCount { kind: kind.to_owned(), seen: 0, withheld: 0, gained: 0, lost: 0 };
            let count = kinds.entry(kind).or_insert_with(empty);
            *(if is { &mut count.seen } else { &mut count.withheld }) += 1;
            count.gained += u32::from(is && !was);
            count.lost += u32::from(was && !is);
        }
        kinds.into_values().collect()
    }

    fn emergency_opens(&self, recipient: &Recipient) -> bool {
        if self.refused(recipient, Role::Clinician, Purpose::BTG).is_some() {
            return false;
        }
        let request = self.request(recipient, Role::Clinician, Purpose::BTG);
        self.decide(self.tried, &request, false).1.iter().any(is_sent)
    }

    /// What would make the item at `at` be sent, by trying it.
    fn remedy(
        &self,
        request: &policy::consent::Request,
        recipient: &Recipient,
        at: usize,
        decision: &ItemDecision,
    ) -> Result<Remedy> {
        if decision.because.code() == "consent-not-understood" {
            return Ok(Remedy::CorrectConsent);
        }
        let org = recipient.organisation.as_str();
        let own = self.app.org().id.as_str();
        for (remedy, permitted) in [
            (Remedy::PermitRecipient, &[org] as &[&str]),
            (Remedy::PermitHolder, &[own]),
            (Remedy::PermitBoth, &[org, own]),
        ] {
            let mut consents = self.tried.to_vec();
            for id in permitted {
                consents.push(self.permission(id)?);
            }
            let decided = self.held.decide((self.app, self.snapshot), request, &consents);
            if decided.decisions.get(at).is_some_and(ItemDecision::is_permitted) {
                return Ok(remedy);
            }
        }
        Ok(match decision.because.code() {
            "sensitive" => Remedy::NameSensitive,
            _ => Remedy::Nothing,
        })
    }

    /// A permission for `org` as the patient would give it with one action.
    fn permission(&self, org: &str) -> Result<Resource> {
        let name = name_of(self.app, org).unwrap_or_default();
        let text = build(&Choice {
            patient: "Patient/tried",
            organisation: Some(Party { id: org, name: &name }),
            decision: Decision::Permit,
            // Later than what was decided a moment ago, and not in the future for the engine.
            date_ms: self.app.now_ms().saturating_add(1_000),
            custodian: Party { id: &self.app.org().id, name: &self.app.org().name },
        });
        Resource::parse(text).map_err(|e| Error::internal(format!("a consent is not valid: {e}")))
    }
}

fn is_sent(decision: &Option<ItemDecision>) -> bool {
    decision.as_ref().is_some_and(ItemDecision::is_permitted)
}

/// The name of an organisation of the network.
fn name_of(app: &App, org: &str) -> Option<String> {
    if org == app.org().id {
        return Some(app.org().name.clone());
    }
    let members = app.network().others();
    members.into_iter().find(|member| member.id.as_str() == org).map(|member| member.display_name)
}
