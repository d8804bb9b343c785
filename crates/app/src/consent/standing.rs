//! What a patient has decided, as it stands.

use fhir::{Id, Resource};
use fhirpath::search::Registry;
use policy::consent::{
    Compiled, ConsentView, Kind as Decision, Request, WholeDecision, user_of, whole_record,
};
use policy::{Purpose, Role};
use store::query::parse;
use store::{Seq, Snapshot};

use crate::authorise::{Action, authorise};
use crate::records::parse as parse_stored;
use crate::{App, Caller, Error, Result};

/// Most consents of one patient; beyond, everything is denied.
pub const MAX_CONSENTS: usize = policy::consent::MAX_CONSENTS + 1;

/// Where one organisation stands with a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Short id.
    pub org: String,
    /// Name to show.
    pub name: String,
    /// Whether its clinicians may see for treatment what others hold.
    pub may_see: bool,
    /// Whether what it holds may be shown to others for treatment.
    pub may_share: bool,
}

/// One decision of the past or present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Id of the Consent.
    pub id: Id,
    /// When, milliseconds since the Unix epoch; 0 where it does not say.
    pub date_ms: i64,
    /// Whether it permits.
    pub permits: bool,
    /// Whether it leaves those it is about to see what others hold.
    pub see: bool,
    /// Whether it leaves those it is about to share what they hold.
    pub share: bool,
    /// Names of the organisations and people it is about; empty for all.
    pub about: Vec<String>,
    /// The people among them: how consents name them, and their names.
    pub people: Vec<(String, String)>,
    /// Who recorded it, where it was given on paper.
    pub on_paper: Option<String>,
    /// Whether it is in force.
    pub active: bool,
    /// Where it was made.
    pub origin: String,
    /// How many institutions it is still on its way to from here.
    pub waiting: usize,
}

/// Most waiting deliveries that are looked through for one patient.
const MAX_WAITING: usize = 10_000;

/// The active consents of a patient, without those that say what is left to people who act for them:
/// these concern nobody else.
pub(crate) fn resources(snapshot: &dyn Snapshot, patient: &Id) -> Result<Vec<Resource>> {
    let mut consents = for_proxies(snapshot, patient)?;
    consents.retain(|consent| !crate::proxies::is_arrangement(consent));
    Ok(consents)
}

/// All active consents of a patient.
pub(crate) fn for_proxies(snapshot: &dyn Snapshot, patient: &Id) -> Result<Vec<Resource>> {
    find(snapshot, patient, Some("active"))
}

fn find(snapshot: &dyn Snapshot, patient: &Id, status: Option<&str>) -> Result<Vec<Resource>> {
    let mut params = vec![("patient".to_owned(), format!("Patient/{patient}"))];
    params.extend(status.map(|status| ("status".to_owned(), status.to_owned())));
    let search =
        parse(Registry::r4(), "Consent", &params).map_err(|e| Error::internal(e.to_string()))?;
    let found: Vec<Seq> = snapshot.find(&search.query, MAX_CONSENTS, false)?;
    snapshot.load(&found)?.iter().map(parse_stored).collect()
}

/// Where every other organisation of the network stands, and the decisions behind it, newest
/// first. For the patient and for those who may keep consents.
pub fn standing(app: &App, caller: &Caller, patient: &Id) -> Result<(Vec<Standing>, Vec<Decided>)> {
    let permit = authorise(app, caller, Action::deciding("Consent"))?;
    if let Some(own) = permit.scope().own()
        && own != patient
    {
        return Err(Error::not_found());
    }
    let mut consents = find(&*app.store().snapshot()?, patient, None)?;
    // Who acts for the patient has a page of its own, which is the patient's alone.
    consents.retain(|consent| !crate::proxies::is_arrangement(consent));
    let compiled = Compiled::new(&consents);
    let members = app.network().active_others();
    let own = app.org().id.as_str();
    let home = std::iter::once((own, app.org().name.as_str()));
    let others = members.iter().map(|member| (member.id.as_str(), &*member.display_name));
    let list: Vec<Standing> = home
        .chain(others)
        .map(|(org, name)| Standing {
            org: org.to_owned(),
            name: name.to_owned(),
            may_see: is_open(app, &compiled, ANYBODY_ELSE, org),
            may_share: is_open(app, &compiled, org, ANYBODY_ELSE),
        })
        .collect();
    let mut history: Vec<Decided> = consents.iter().filter_map(decided).collect();
    let waiting = waiting(&*app.store().snapshot()?, patient)?;
    for decided in &mut history {
        let here = |(origin, id): &&(String, String)| *origin == own && *id == decided.id.as_str();
        decided.waiting = waiting.iter().filter(here).count();
    }
    history.sort_by_key(|decided| std::cmp::Reverse(decided.date_ms));
    Ok((list, history))
}

/// The consents of `patient` that wait to be delivered: where each was made, and its id there.
fn waiting(snapshot: &dyn Snapshot, patient: &Id) -> Result<Vec<(String, String)>> {
    #[derive(serde::Deserialize)]
    struct Waiting {
        delivery: wire::Delivery,
    }
    #[derive(serde::Deserialize)]
    struct Body {
        origin: String,
        id: String,
    }
    let queued = snapshot.side_scan(federation::outbox::SPACE, b"", MAX_WAITING)?;
    let one = |(_, text): &(Vec<u8>, Vec<u8>)| {
        let delivery = serde_json::from_slice::<Waiting>(text).ok()?.delivery;
        let is_ours = delivery.asker_patient_id == patient.as_str();
        let body = serde_json::from_str::<Body>(delivery.body.get()).ok().filter(|_| is_ours)?;
        Some((body.origin, body.id))
    };
    Ok(queued.iter().filter_map(one).collect())
}

/// Stands for an organisation that no decision names: what holds between it and another one holds
/// because of the other one, or for all. It is not a valid organisation id, so nobody has it.
const ANYBODY_ELSE: &str = "~";

/// Whether what `custodian` holds may go to clinicians of `recipient` for treatment. What depends
/// on the item counts as open.
fn is_open(app: &App, consents: &Compiled, custodian: &str, recipient: &str) -> bool {
    let request = Request {
        recipient_org: recipient.to_owned(),
        // Somebody whom no consent names.
        recipient_user: Some(user_of(recipient, ANYBODY_ELSE)),
        role: Role::Clinician,
        purpose: Purpose::TREAT,
        custodian_org: custodian.to_owned(),
        now_ms: app.now_ms(),
        break_glass_enabled: false,
    };
    !matches!(whole_record(&request, consents, &app.settings().consent), WholeDecision::Deny { .. })
}

/// What a Consent decides, for lists.
pub(super) fn decided(consent: &Resource) -> Option<Decided> {
    let view = ConsentView::of(consent)?;
    let permits = view.kind() == Some(Decision::Permit);
    let actors = consent.root().path(&["provision", "actor"]);
    let names = |role: &str| {
        actors.is_none_or(|actors| {
            actors.items().any(|actor| {
                let coding = actor.path(&["role", "coding"]);
                let code = coding.and_then(|codings| codings.items().next()?.get("code"));
                code.is_none_or(|code| code.is_str(role))
            })
        })
    };
    let organisations = view.organisations().into_iter().map(|(id, name)| name.unwrap_or(id));
    let people = view.people().into_iter();
    let people: Vec<(String, String)> =
        people.map(|(key, name)| (key.clone(), name.unwrap_or(key))).collect();
    Some(Decided {
        id: consent.id()?,
        date_ms: view.date().map_or(0, |date| date.start_ms),
        permits,
        see: permits || !names("IRCP"),
        share: permits || !names("CST"),
        about: organisations.chain(people.iter().map(|(_, name)| name.clone())).collect(),
        people,
        on_paper: super::paper::recorder(consent),
        active: view.status().as_deref() == Some("active"),
        origin: super::deliver::origin(consent).map(|(org, ..)| org).unwrap_or_default(),
        waiting: 0,
    })
}
