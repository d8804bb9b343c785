//! The pages of the network's own affairs.

use app::governance::applications;
use app::governance::cut::{self, By};
use app::governance::propose::{self, Draft};
use app::governance::view::{self, Shown};
use app::governance::{tally, vote};
use app::{App, Error, Kind};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query};
use axum::response::Response;
use serde::Deserialize;
use wire::{Adviser, Asked, Choice, MemberState, Motion, OrgId, Sealed};

use super::session::{Made, Stop, Visit, done, page};
use crate::chrome::{Notice, Role};
use crate::council::affairs::{self, AffairsView, Applicant, Cut, CutForm, Flag, Line, Member};
use crate::council::new::{self, NewForm, NewView};
use crate::council::proposal::{self as proposal_page, Ballot, ProposalView, VoteForm};
use crate::council::{Outcome, motion_key};
use crate::fault::Fault;
use crate::form::{Bare, Field, FieldFault};
use crate::paths::Council;

const READERS: &[Role] = &[Role::CouncilMember, Role::Operator, Role::PrivacyOfficer];
const MEMBERS: &[Role] = &[Role::CouncilMember];
const OPERATOR: &[Role] = &[Role::Operator];

/// `GET /council`
pub async fn affairs(visit: Visit) -> Response {
    let made = try_affairs(&visit, (Field::default(), Field::default())).await;
    visit.finish(made)
}

async fn try_affairs(visit: &Visit, form: (Field, Field)) -> Made {
    let caller = visit.caller(visit.require(READERS)?);
    let found = visit.app().run(move |app| view::affairs(app, &caller)).await?;
    let app = visit.app();
    let council = found.council.as_ref();
    let members = found.members.iter().map(|member| Member {
        id: member.id.to_string(),
        name: member.display_name.clone(),
        suspended: member.state == MemberState::Suspended,
        seat: council.is_some_and(|council| council.seats.contains(&member.id)),
        contact: member.contact.clone(),
    });
    let advisers = council.map(|council| council.advisers.as_slice()).unwrap_or_default();
    let thresholds = council.map(|council| {
        let t = &council.thresholds;
        [
            ("motion-admit", t.admit),
            ("motion-suspend", t.suspend),
            ("motion-expel", t.expel),
            ("motion-recover", t.recover),
            ("motion-council", t.council),
            ("motion-renew", t.renew),
            ("motion-general", t.general),
        ]
        .map(|(key, votes)| (key, u64::from(votes)))
        .to_vec()
    });
    let shown = AffairsView {
        network: found.network.clone(),
        serial: found.serial,
        expires_ms: found.expires_ms,
        governed: council.is_some(),
        members: members.collect(),
        advisers: advisers
            .iter()
            .map(|one| (one.name.clone(), name(app, one.host.as_str()), one.votes))
            .collect(),
        thresholds: thresholds.unwrap_or_default(),
        unreachable: found.unreachable.iter().map(|word| motion_key(word)).collect(),
        applications: found.applications.iter().map(applicant).collect(),
        proposals: found.proposals.iter().map(|one| line(app, one)).collect(),
        misconduct: found
            .misconduct
            .iter()
            .map(|one| (name(app, &one.organisation), one.kind == "two-lists", one.serial))
            .collect(),
        flags: found
            .flags
            .iter()
            .map(|kept| Flag {
                kind: kept.flag.kind.word(),
                asker: name(app, &kept.asker),
                noticed_by: name(app, &kept.noticed_by),
                user: kept.flag.user.clone(),
                count: kept.flag.count,
                limit: kept.flag.limit,
                at_ms: kept.flag.noticed,
            })
            .collect(),
        cuts: found.cuts.iter().map(|cut| cut_view(app, cut)).collect(),
        may_propose: visit.require(MEMBERS).is_ok() && council.is_some(),
        may_cut: visit.require(OPERATOR).is_ok(),
        form,
    };
    page(affairs::render(&shown, &visit.chrome)?)
}

fn applicant(one: &applications::Waiting) -> Applicant {
    let member = &one.application.member;
    Applicant {
        id: one.id.clone(),
        name: format!("{} ({})", member.display_name, member.id),
        contact: member.contact.clone(),
        reason: one.application.reason.clone(),
        recovers: one.asks == Asked::Recover,
        at_ms: one.received_ms,
    }
}

/// `POST /council/applications/{id}/aside`
pub async fn put_aside(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let made = try_put_aside(&visit, id, form).await;
    visit.finish(made)
}

async fn try_put_aside(visit: &Visit, id: String, form: Result<Form<Bare>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(MEMBERS)?);
    visit.form(form)?;
    visit.app().run(move |app| applications::put_aside(app, &caller, &id)).await?;
    done(Council, Notice::ApplicationAside)
}

fn cut_view(app: &App, cut: &cut::Cut) -> Cut {
    let all = cut.organisation.is_empty();
    Cut {
        id: if all { "*".into() } else { cut.organisation.clone() },
        name: if all { String::new() } else { name(app, &cut.organisation) },
        by: cut.by.clone(),
        reason: cut.reason.clone(),
        at_ms: cut.at_ms,
    }
}

/// The name of a member, of an adviser, or the id.
fn name(app: &App, id: &str) -> String {
    let list = app.network().list();
    let member = list.members.iter().find(|member| member.id.as_str() == id);
    let advisers = list.council().map(|council| council.advisers.as_slice()).unwrap_or_default();
    let adviser = advisers.iter().find(|adviser| adviser.id.as_str() == id);
    let known = member.map(|m| m.display_name.clone()).or(adviser.map(|a| a.name.clone()));
    known.unwrap_or_else(|| id.to_owned())
}

fn line(app: &App, shown: &Shown) -> Line {
    let tally = &shown.tally;
    let open = tally.outcome == tally::Outcome::Open;
    Line {
        id: shown.id.clone(),
        title: shown.proposal.title.clone(),
        motion: motion_key(shown.proposal.motion.word()),
        proposer: name(app, shown.proposal.proposer.as_str()),
        made_ms: shown.proposal.made,
        closes_ms: shown.proposal.closes,
        outcome: match tally.outcome {
            tally::Outcome::Open => Outcome::Open,
            tally::Outcome::Decided => Outcome::Decided,
            tally::Outcome::Carried => Outcome::Carried,
            tally::Outcome::Rejected => Outcome::Rejected,
            tally::Outcome::Lapsed => Outcome::Lapsed,
            tally::Outcome::Moot(_) => Outcome::Moot,
        },
        votes: (tally.yes as u64, tally.no as u64, tally.needed as u64),
        waits: open && !shown.open_seats.is_empty(),
    }
}

/// `GET /council/proposals/{id}`
pub async fn proposal(visit: Visit, Path(id): Path<String>) -> Response {
    let made = try_proposal(&visit, &id, (Field::default(), Field::default()), None).await;
    visit.finish(made)
}

async fn try_proposal(
    visit: &Visit,
    id: &str,
    form: (Field, Field),
    fault: Option<String>,
) -> Made {
    let caller = visit.caller(visit.require(READERS)?);
    let (wanted, may_vote) = (id.to_owned(), visit.require(MEMBERS).is_ok());
    let shown = visit.app().run(move |app| view::proposal(app, &caller, &wanted)).await?;
    let app = visit.app();
    let open = matches!(shown.tally.outcome, tally::Outcome::Open | tally::Outcome::Decided);
    let view = ProposalView {
        line: line(app, &shown),
        reason: shown.proposal.reason.clone(),
        by: shown.proposal.by.clone(),
        moot: match &shown.tally.outcome {
            tally::Outcome::Moot(reason) => reason.clone(),
            _ => String::new(),
        },
        fault,
        list: shown.list,
        facts: facts(app, &shown),
        checks: match shown.application {
            Some(_) => vec!["check-both-keys", "check-network", "check-unused"],
            None => Vec::new(),
        },
        ballots: shown
            .ballots
            .iter()
            .map(|ballot| Ballot {
                seat: name(app, ballot.seat.as_str()),
                by: ballot.by.clone(),
                choice: ballot.choice.word(),
                reason: ballot.reason.clone(),
                at_ms: ballot.at,
                passkey: ballot.acr == wire::acr::PHISHING_RESISTANT,
            })
            .collect(),
        seats: if may_vote && open { speakers(app) } else { Vec::new() },
        form,
    };
    page(proposal_page::render(&view, &visit.chrome)?)
}

/// What the motion is about.
fn facts(app: &App, shown: &Shown) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(application) = &shown.application {
        let member = &application.member;
        facts.push(("member", format!("{} ({})", member.display_name, member.id)));
        facts.push(("member-contact", member.contact.clone()));
        facts.push(("fact-nodes", member.node_url.clone()));
        facts.push(("fact-people", member.web_url.clone()));
        facts.push(("fact-certificate", member.tls_fingerprint.to_string()));
        facts.push(("fact-key", member.assertion_key.to_string()));
        facts.push(("fact-capabilities", member.capabilities.join(", ")));
        if !application.reason.is_empty() {
            facts.push(("fact-reason", application.reason.clone()));
        }
        return facts;
    }
    if let Some(org) = shown.proposal.motion.organisation() {
        facts.push(("member", name(app, org.as_str())));
    }
    if let Motion::Council { council } = &shown.proposal.motion {
        let seats: Vec<String> =
            council.seats.iter().map(|seat| name(app, seat.as_str())).collect();
        facts.push(("member-seat", seats.join(", ")));
    }
    facts
}

/// In whose names the people of this node speak.
fn speakers(app: &App) -> Vec<(String, String)> {
    let list = app.network().list();
    let own = app.network().own();
    let Some(council) = list.council() else { return Vec::new() };
    let seat = council.seats.contains(own).then(|| (String::new(), app.org().name.clone()));
    let advisers = council.advisers.iter().filter(|adviser| adviser.host == *own);
    let advisers = advisers.map(|adviser| (adviser.id.to_string(), adviser.name.clone()));
    seat.into_iter().chain(advisers).collect()
}

fn speaker(text: &str) -> Result<Option<OrgId>, Stop> {
    match text.trim() {
        "" => Ok(None),
        id => OrgId::new(id).map(Some).map_err(|_| Stop::Fault(Fault::BadRequest)),
    }
}

/// `POST /council/proposals/{id}`
pub async fn cast(
    visit: Visit,
    Path(id): Path<String>,
    form: Result<Form<VoteForm>, FormRejection>,
) -> Response {
    let made = try_cast(&visit, id, form).await;
    visit.finish(made)
}

async fn try_cast(visit: &Visit, id: String, form: Result<Form<VoteForm>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(MEMBERS)?);
    let form = visit.form(form)?;
    let adviser = speaker(&form.seat)?;
    let choice = match form.choice.as_str() {
        "yes" => Choice::Yes,
        "no" => Choice::No,
        "abstain" => Choice::Abstain,
        "comment" => Choice::Comment,
        _ => return Err(Stop::Fault(Fault::BadRequest)),
    };
    let reason = Field::required(&form.reason, wire::proposal::MAX_REASON);
    if !reason.is_sound() {
        return try_proposal(visit, &id, (Field::new(form.seat), reason), None).await;
    }
    let (proposal, said) = (id.clone(), reason.value.clone());
    let voted = visit
        .app()
        .run(move |app| vote::vote(app, &caller, &proposal, adviser.as_ref(), (choice, &said)));
    match voted.await {
        Ok(()) => done(crate::paths::CouncilProposal(&id), Notice::VoteCast),
        Err(Error { kind: Kind::Conflict | Kind::Invalid(_), message, .. }) => {
            try_proposal(visit, &id, (Field::new(form.seat), reason), Some(message)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The advisory boards as the form writes them.
fn advisers(app: &App) -> String {
    let list = app.network().list();
    let known = list.council().map(|council| council.advisers.as_slice()).unwrap_or_default();
    let line = |one: &Adviser| {
        let votes = if one.votes { "votes" } else { "comments" };
        format!("{}, {}, {votes}, {}\n", one.id, one.host, one.name)
    };
    known.iter().map(line).collect()
}

/// Reads them.
fn read_advisers(text: &str) -> Result<Vec<Adviser>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let adviser = |line: &str| {
        let mut parts = line.splitn(4, ',').map(str::trim);
        let id = OrgId::new(parts.next()?).ok()?;
        let host = OrgId::new(parts.next()?).ok()?;
        let votes = match parts.next()? {
            "votes" => true,
            "comments" => false,
            _ => return None,
        };
        let name = parts.next().filter(|name| !name.is_empty())?.to_owned();
        Some(Adviser { id, name, host, votes })
    };
    let wrong = |line: &str| {
        format!(
            "`{line}` is no advisory board; write `patients, north, votes, Patients of the Valley`"
        )
    };
    lines.map(|line| adviser(line).ok_or_else(|| wrong(line))).collect()
}

/// What a link to the form names.
#[derive(Default, Deserialize)]
pub struct About {
    application: Option<String>,
}

/// `GET /council/new`
pub async fn new_page(visit: Visit, about: Result<Query<About>, QueryRejection>) -> Response {
    let about = about.map(|Query(about)| about).unwrap_or_default();
    let made = try_new_page(&visit, about).await;
    visit.finish(made)
}

async fn try_new_page(visit: &Visit, about: About) -> Made {
    let user = visit.require(MEMBERS)?;
    visit.require_fresh_factor(user)?;
    let Some(id) = about.application else { return try_new(visit, None).await };
    let caller = visit.caller(user);
    let found = visit.app().run(move |app| applications::one(app, &caller, &id)).await?;
    let mut shown = blank(visit.app());
    let (motion, title) = match found.asks {
        Asked::Admit => ("admit", "motion-admit"),
        Asked::Recover => ("recover", "motion-recover"),
    };
    let words = visit.chrome.words();
    let name = &found.application.member.display_name;
    shown.motion = Field::new(motion);
    shown.title = Field::new(format!("{}: {name}", words.say(title)));
    shown.reason = Field::new(found.application.reason);
    shown.application = Field::new(found.sealed.to_line());
    page(new::render(&shown, &visit.chrome)?)
}

/// The form with nothing chosen.
fn blank(app: &App) -> NewView {
    let members = app.network().list();
    let members = members.members.iter();
    NewView {
        speakers: speakers(app),
        members: members.map(|m| (m.id.to_string(), m.display_name.clone())).collect(),
        motion: Field::new("general"),
        advisers: Field::new(advisers(app)),
        days: Field::new("14"),
        ..NewView::default()
    }
}

async fn try_new(visit: &Visit, typed: Option<(NewForm, Option<String>)>) -> Made {
    let user = visit.require(MEMBERS)?;
    visit.require_fresh_factor(user)?;
    let mut shown = blank(visit.app());
    if let Some((form, fault)) = typed {
        let most = wire::proposal::MAX_TITLE;
        shown.fault = fault;
        shown.seat = Field::new(form.seat);
        shown.motion = Field::new(form.motion);
        shown.organisation = Field::new(form.organisation);
        shown.application = Field::new(form.application);
        shown.seats = Field::new(form.seats);
        shown.advisers = Field::new(form.advisers);
        shown.title = Field::required(&form.title, most);
        shown.reason = Field::required(&form.reason, wire::proposal::MAX_REASON);
        shown.days = Field::required(&form.days, 2);
        if !form.days.trim().parse().is_ok_and(|days: u32| (1..=90).contains(&days)) {
            shown.days = shown.days.with(FieldFault::NotAChoice);
        }
    }
    page(new::render(&shown, &visit.chrome)?)
}

/// `POST /council/new`
pub async fn propose(visit: Visit, form: Result<Form<NewForm>, FormRejection>) -> Response {
    let made = try_propose(&visit, form).await;
    visit.finish(made)
}

async fn try_propose(visit: &Visit, form: Result<Form<NewForm>, FormRejection>) -> Made {
    let user = visit.require(MEMBERS)?;
    visit.require_fresh_factor(user)?;
    let caller = visit.caller(user);
    let form = visit.form(form)?;
    let adviser = speaker(&form.seat)?;
    let days = form.days.trim().parse().unwrap_or(0);
    let sound = Field::required(&form.title, wire::proposal::MAX_TITLE).is_sound()
        && Field::required(&form.reason, wire::proposal::MAX_REASON).is_sound()
        && (1..=90).contains(&days);
    let motion = match motion(visit.app(), &form) {
        Ok(motion) if sound => motion,
        Ok(_) => return try_new(visit, Some((form, None))).await,
        Err(fault) => return try_new(visit, Some((form, Some(fault)))).await,
    };
    let (title, reason) = (form.title.clone(), form.reason.clone());
    let draft = Draft { adviser, title, reason, motion, days };
    match visit.app().run(move |app| propose::propose(app, &caller, draft)).await {
        Ok(id) => done(crate::paths::CouncilProposal(&id), Notice::Proposed),
        Err(Error { kind: Kind::Invalid(_) | Kind::Conflict, message, .. }) => {
            try_new(visit, Some((form, Some(message)))).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The motion of a form, or what is missing.
fn motion(app: &App, form: &NewForm) -> Result<Motion, String> {
    let organisation =
        || OrgId::new(form.organisation.trim()).map_err(|_| "choose a member".to_owned());
    let application = || {
        let sealed = Sealed::from_line(&form.application);
        sealed.ok_or_else(|| "paste what `consilium network apply` has printed".to_owned())
    };
    Ok(match form.motion.as_str() {
        "admit" => Motion::Admit { application: application()? },
        "recover" => Motion::Recover { application: application()? },
        "suspend" => Motion::Suspend { organisation: organisation()? },
        "reinstate" => Motion::Reinstate { organisation: organisation()? },
        "expel" => Motion::Expel { organisation: organisation()? },
        "renew" => Motion::Renew,
        "council" => {
            let list = app.network().list();
            let before = list.council().ok_or("the network has no council yet")?;
            let seats: Result<Vec<OrgId>, _> =
                form.seats.split([' ', ',']).filter(|id| !id.is_empty()).map(OrgId::new).collect();
            let seats = seats.map_err(|_| "a seat is written as the short id of its member")?;
            // Thresholds follow the number of seats and of boards with a vote; days stay.
            let (advisers, valid_days) = (read_advisers(&form.advisers)?, before.valid_days);
            let mut council = wire::Council { advisers, valid_days, ..wire::Council::of(seats) };
            let boards = council.advisers.iter().filter(|one| one.votes).count();
            let voices = council.seats.len() + boards;
            council.thresholds.general = u16::try_from(voices / 2 + 1).unwrap_or(u16::MAX);
            Motion::Council { council }
        }
        _ => Motion::General,
    })
}

/// `POST /operator/cuts`
pub async fn cut(visit: Visit, form: Result<Form<CutForm>, FormRejection>) -> Response {
    let made = try_cut(&visit, form).await;
    visit.finish(made)
}

async fn try_cut(visit: &Visit, form: Result<Form<CutForm>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(OPERATOR)?);
    let form = visit.form(form)?;
    let org = match form.organisation.as_str() {
        "*" => None,
        id => Some(OrgId::new(id).map_err(|_| Stop::Fault(Fault::BadRequest))?),
    };
    let reason = Field::required(&form.reason, cut::MAX_REASON);
    if !reason.is_sound() {
        return try_affairs(visit, (Field::new(form.organisation), reason)).await;
    }
    let ends = match form.order.as_str() {
        "cut" => false,
        "restore" => true,
        _ => return Err(Stop::Fault(Fault::BadRequest)),
    };
    let work = move |app: &App| match ends {
        true => cut::restore(app, By::Caller(&caller), org.as_ref(), &reason.value),
        false => cut::cut(app, By::Caller(&caller), org.as_ref(), &reason.value),
    };
    visit.app().run(work).await?;
    done(Council, if ends { Notice::Restored } else { Notice::CutOff })
}
