//! The pages of the network's own affairs.

use app::governance::cut::{self, By};
use app::governance::propose::{self, Draft};
use app::governance::view::{self, Shown};
use app::governance::{tally, vote};
use app::{App, Error, Kind};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;
use wire::{Choice, MemberState, Motion, OrgId, Sealed};

use super::session::{Made, Stop, Visit, done, page};
use crate::chrome::{Notice, Role};
use crate::council::affairs::{self, AffairsView, Cut, CutForm, Flag, Line, Member};
use crate::council::new::{self, NewForm, NewView};
use crate::council::proposal::{self as proposal_page, Ballot, ProposalView, VoteForm};
use crate::council::{Outcome, motion_key};
use crate::fault::Fault;
use crate::form::{Field, FieldFault};
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
    let made = try_proposal(&visit, &id, (Field::default(), Field::default())).await;
    visit.finish(made)
}

async fn try_proposal(visit: &Visit, id: &str, form: (Field, Field)) -> Made {
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
        return try_proposal(visit, &id, (Field::new(form.seat), reason)).await;
    }
    let proposal = id.clone();
    let voted = visit.app().run(move |app| {
        vote::vote(app, &caller, &proposal, adviser.as_ref(), (choice, &reason.value))
    });
    voted.await?;
    done(crate::paths::CouncilProposal(&id), Notice::VoteCast)
}

/// `GET /council/new`
pub async fn new_page(visit: Visit) -> Response {
    let made = try_new(&visit, None).await;
    visit.finish(made)
}

async fn try_new(visit: &Visit, typed: Option<(NewForm, Option<String>)>) -> Made {
    let user = visit.require(MEMBERS)?;
    visit.require_fresh_factor(user)?;
    let app = visit.app();
    let list = app.network().list();
    let members = list.members.iter();
    let mut shown = NewView {
        speakers: speakers(app),
        members: members.map(|m| (m.id.to_string(), m.display_name.clone())).collect(),
        motion: Field::new("general"),
        days: Field::new("14"),
        ..NewView::default()
    };
    if let Some((form, fault)) = typed {
        let most = wire::proposal::MAX_TITLE;
        shown.fault = fault;
        shown.seat = Field::new(form.seat);
        shown.motion = Field::new(form.motion);
        shown.organisation = Field::new(form.organisation);
        shown.application = Field::new(form.application);
        shown.seats = Field::new(form.seats);
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
            // Thresholds follow the number of seats; days and advisers stay.
            let (advisers, valid_days) = (before.advisers.clone(), before.valid_days);
            let fresh = wire::Council::of(seats);
            Motion::Council { council: wire::Council { advisers, valid_days, ..fresh } }
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
