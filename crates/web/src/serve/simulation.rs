//! What others would see of a patient, and what a decision would change before it is saved.

use app::consent::simulate::{self, Asked, Holder};
use app::consent::{decide, people};
use app::{App, Caller, Error};
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use fhir::Id;
use policy::consent::ConsentView;
use wire::{KindCount, OrgId, Simulated, SourceStatus, WithheldItem};

use super::patient::{name_of, own};
use super::session::{Made, Stop, Visit, page};
use crate::fault::Fault;
use crate::form::{Field, FieldFault};
use crate::patient::permissions::Decision;
use crate::patient::preview::{self, Effect, PreviewView};
use crate::patient::simulation::{
    self as pages, Bar, HolderView, SimulationForm, SimulationView, Why, Withheld,
};
use crate::terms::{Kind, Purpose, Touched};

/// Withheld items on the page, of each holder.
const EXPLAINED: usize = 60;

/// `GET /me/permissions/simulation`
pub async fn simulation(
    visit: Visit,
    query: Result<Query<SimulationForm>, QueryRejection>,
) -> Response {
    let made = try_simulation(&visit, query).await;
    visit.finish(made)
}

async fn try_simulation(
    visit: &Visit,
    query: Result<Query<SimulationForm>, QueryRejection>,
) -> Made {
    let (user, patient) = own(visit)?;
    let Query(form) = query.map_err(|_| Stop::Fault(Fault::BadRequest))?;
    let organisations = organisations(visit.app());
    let mut view = SimulationView {
        organisation: Field::new(&form.organisation),
        purpose: Field::new(&form.purpose),
        organisations,
        holders: None,
    };
    if form.organisation.is_empty() {
        // What others hold is asked for where the patient is surely there.
        visit.require_fresh_factor(user)?;
        return page(pages::render(&view, &visit.chrome)?);
    }
    let known = view.organisations.iter().any(|(id, _)| *id == form.organisation);
    let (Some(organisation), true) = (OrgId::new(&form.organisation).ok(), known) else {
        view.organisation = Field::default().with(FieldFault::NotAChoice);
        return page(pages::render(&view, &visit.chrome)?);
    };
    let purpose = Purpose::from_code(&form.purpose);
    let code = policy::Purpose::find(purpose.code());
    let Some(code) = code else {
        view.purpose = Field::default().with(FieldFault::NotAChoice);
        return page(pages::render(&view, &visit.chrome)?);
    };
    visit.require_fresh_factor(user)?;
    let asked = Asked {
        purpose: code,
        emergency: purpose == Purpose::BreakTheGlass,
        explain: EXPLAINED,
        ..Asked::clinicians(&[organisation], Vec::new())
    };
    let holders = simulate::everywhere(visit.app(), visit.caller(user), patient, asked).await?;
    view.holders = Some(holders.iter().map(holder_view).collect());
    page(pages::render(&view, &visit.chrome)?)
}

/// Every organisation of the network but this one first: id and name.
fn organisations(app: &App) -> Vec<(String, String)> {
    let others = app.network().active_others().into_iter();
    let others = others.map(|member| (member.id.as_str().to_owned(), member.display_name));
    let own = (app.org().id.clone(), app.org().name.clone());
    others.chain(std::iter::once(own)).collect()
}

fn holder_view(holder: &Holder) -> HolderView {
    let outcome = holder.outcomes.first();
    HolderView {
        name: holder.name.clone(),
        answered: holder.status == Some(SourceStatus::Answered) && outcome.is_some(),
        refused: outcome.and_then(|outcome| outcome.refused.clone()),
        kinds: outcome.map(|outcome| bars(&outcome.kinds)).unwrap_or_default(),
        withheld: outcome.map(|o| o.withheld.iter().map(withheld).collect()).unwrap_or_default(),
        more: outcome.is_some_and(|outcome| outcome.more),
        emergency: outcome.is_some_and(|outcome| outcome.emergency_opens),
    }
}

/// The counts by the kinds that pages know.
fn bars(counts: &[KindCount]) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for count in counts {
        let kind = Kind::from_type(&count.kind);
        let (seen, withheld) = (number(count.seen), number(count.withheld));
        match bars.iter_mut().find(|bar| bar.kind == kind) {
            Some(bar) => {
                bar.seen += seen;
                bar.withheld += withheld;
            }
            None => bars.push(Bar { kind, seen, withheld }),
        }
    }
    bars
}

fn number(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn withheld(item: &WithheldItem) -> Withheld {
    let kind = item.reference.split('/').next().unwrap_or_default();
    Withheld {
        kind: Kind::from_type(kind),
        display: item.display.clone(),
        why: Why::from_code(&item.code),
        about: item.about.join(", "),
        decided_ms: item.decided,
        remedy: item.remedy,
    }
}

/// What `decision` would change, with a button that saves it.
pub async fn preview(visit: &Visit, caller: Caller, patient: Id, decision: Decision) -> Made {
    let app = visit.app();
    if let Some(key) = decision.person.clone() {
        return preview_personal(visit, caller, patient, decision, key).await;
    }
    let (organisation, permission) = (decision.organisation.clone(), decision.permission);
    let about = patient.clone();
    let (drafts, recipients) = app
        .run(move |app| {
            let organisation = organisation.as_deref();
            let drafts =
                decide::drafts(app, &about, organisation, permission.see, permission.share)?;
            Ok((drafts, recipients(app)?))
        })
        .await?;
    let asked = Asked::clinicians(&recipients, drafts);
    let holders = simulate::everywhere(app, caller, patient, asked).await?;
    let name = decision.organisation.as_deref().map(|org| name_of(app, org));
    let view = preview_view(app, decision, name, &holders);
    page(preview::render(&view, &visit.chrome)?)
}

/// What a decision about one person would change.
async fn preview_personal(
    visit: &Visit,
    caller: Caller,
    patient: Id,
    decision: Decision,
    key: String,
) -> Made {
    let app = visit.app();
    let (by, about, see) = (caller.clone(), patient.clone(), decision.permission.see);
    let drafted = {
        let key = key.clone();
        move |app: &App| decide::draft_personal(app, &by, &about, &key, see)
    };
    let draft = app.run(drafted).await?;
    let named = ConsentView::of(&draft).map(ConsentView::people).unwrap_or_default();
    let name = named.into_iter().next().and_then(|(_, name)| name).unwrap_or_default();
    let somebody = people::Somebody { key, name };
    let staff = somebody.staff().and_then(|(org, account)| Some((OrgId::new(org).ok()?, account)));
    let holders = match staff {
        None => Vec::new(),
        Some((organisation, account)) => {
            let mut asked = Asked::clinicians(&[organisation], vec![draft]);
            asked.recipients.iter_mut().for_each(|one| one.person = Some(account.to_owned()));
            simulate::everywhere(app, caller, patient, asked).await?
        }
    };
    let mut view = preview_view(app, decision, Some(somebody.name.clone()), &holders);
    view.effects.iter_mut().for_each(|effect| effect.recipient.clone_from(&somebody.name));
    page(preview::render(&view, &visit.chrome)?)
}

fn preview_view(
    app: &App,
    decision: Decision,
    name: Option<String>,
    holders: &[Holder],
) -> PreviewView {
    let (effects, silent, emergency) = effects(app, holders);
    PreviewView { decision, name, effects, silent, emergency }
}

/// What changes, who did not answer, and whether an emergency would still open anything.
pub fn effects(app: &App, holders: &[Holder]) -> (Vec<Effect>, Vec<String>, bool) {
    let (mut list, mut silent, mut emergency) = (Vec::new(), Vec::new(), false);
    for holder in holders {
        if holder.status != Some(SourceStatus::Answered) {
            silent.push(holder.name.clone());
        }
        list.extend(holder.outcomes.iter().filter_map(|one| effect(app, holder, one)));
        let mut others =
            holder.outcomes.iter().filter(|one| one.organisation.as_str() != holder.org);
        emergency |= others.any(|one| one.emergency_opens);
    }
    (list, silent, emergency)
}

/// This organisation and the first of the others, as many as one question may name.
pub fn recipients(app: &App) -> Result<Vec<OrgId>, Error> {
    let own = OrgId::new(&app.org().id).map_err(|e| Error::internal(e.to_string()))?;
    let others = app.network().active_others().into_iter().map(|member| member.id);
    Ok(std::iter::once(own).chain(others).take(wire::simulate::MAX_RECIPIENTS).collect())
}

fn effect(app: &App, holder: &Holder, outcome: &Simulated) -> Option<Effect> {
    let touched = |of: fn(&KindCount) -> u32| {
        let mut list: Vec<Touched> = Vec::new();
        for count in outcome.kinds.iter().filter(|count| of(count) > 0) {
            let (kind, count) = (Kind::from_type(&count.kind), number(of(count)));
            match list.iter_mut().find(|touched| touched.kind == kind) {
                Some(touched) => touched.count += count,
                None => list.push(Touched { kind, count }),
            }
        }
        list
    };
    let (gained, lost) = (touched(|count| count.gained), touched(|count| count.lost));
    (!gained.is_empty() || !lost.is_empty()).then(|| Effect {
        recipient: name_of(app, outcome.organisation.as_str()),
        holder: holder.name.clone(),
        gained,
        lost,
    })
}
