//! The operator's page: peers, deliveries, store, audit, and the switch.

use app::audit::verify::Verdict;
use app::locator::Mode;
use app::locator::status::Status;
use app::operate::{self, State};
use app::{App, Error};
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path};
use axum::response::Response;

use super::patient::name_of;
use super::session::{Made, Stop, Visit, done, page};
use crate::chrome::{Notice, Role};
use crate::fault::Fault;
use crate::form::Bare;
use crate::operator::network::{
    self as pages, AnsweringForm, AuditHead, DeadLetter, Located, Locator, LocatorMode,
    NetworkView, Peer, PeerState, Queue, StoreFigures, Verification,
};
use crate::paths::Network;

const OPERATOR: &[Role] = &[Role::Operator];

/// `GET /operator`
pub async fn network(visit: Visit) -> Response {
    let made = try_network(&visit).await;
    visit.finish(made)
}

async fn try_network(visit: &Visit) -> Made {
    let caller = visit.caller(visit.require(OPERATOR)?);
    let state = visit.app().run(move |app| operate::state(app, &caller)).await?;
    let verification = visit.web.verified.lock().clone();
    page(pages::render(&view(visit.app(), &state, verification), &visit.chrome)?)
}

fn view(app: &App, state: &State, verification: Option<Verification>) -> NetworkView {
    let waiting = state.peers.iter().filter(|peer| peer.waiting > 0);
    NetworkView {
        answering: state.answering,
        peers: state.peers.iter().map(|peer| peer_view(app, peer)).collect(),
        queues: waiting
            .map(|peer| Queue {
                peer: peer.figures.display_name.clone(),
                waiting: peer.waiting as u64,
                oldest_ms: peer.oldest_ms,
                next_ms: None,
            })
            .collect(),
        dead_letters: state
            .dead_letters
            .iter()
            .map(|letter| letter_view(app, letter))
            .chain(state.given_up.iter().map(given_up_view))
            .collect(),
        locator: locator_view(app, &state.locator),
        store: StoreFigures {
            resources: state.store.resources,
            versions: state.store.versions,
            bytes: state.store.bytes,
            sequence: state.store.seq,
            by_type: Vec::new(),
        },
        audit: state.audit.zip(state.audit_ms).map(|(head, at_ms)| AuditHead {
            number: head.number,
            hash: crypto::hash::hex(&head.hash),
            at_ms,
            verification,
        }),
    }
}

fn locator_view(app: &App, status: &Status) -> Locator {
    let published = status.published.iter().map(|to| Located {
        peer: name_of(app, &to.org),
        records: to.records,
        complete: to.complete,
        at_ms: to.confirmed_ms,
    });
    let received = status.held.iter().map(|from| Located {
        peer: name_of(app, &from.org),
        records: from.records as u64,
        complete: from.complete,
        at_ms: Some(from.heard_ms),
    });
    Locator {
        mode: match status.mode {
            Mode::On => LocatorMode::On,
            Mode::Refuse => LocatorMode::Refuse,
            Mode::Off => LocatorMode::Off,
        },
        epoch: status.epoch,
        rotated_ms: status.rotated_ms,
        rotates_ms: status.rotates_ms,
        keys: status.keys_kept,
        published: published.collect(),
        received: received.collect(),
    }
}

fn peer_view(app: &App, peer: &operate::Peer) -> Peer {
    let figures = &peer.figures;
    let list = app.network().list();
    let member = list.members.iter().find(|member| member.id == figures.org);
    Peer {
        id: figures.org.as_str().to_owned(),
        name: figures.display_name.clone(),
        address: member.map(|member| member.node_url.clone()).unwrap_or_default(),
        state: match (figures.failures > 0 || figures.failing_fast, figures.answered_ms) {
            (true, _) => PeerState::Down,
            (false, Some(_)) => PeerState::Up,
            (false, None) => PeerState::NotAsked,
        },
        answered_ms: figures.answered_ms,
        latency_ms: None,
    }
}

fn letter_view(app: &App, letter: &federation::DeadLetter) -> DeadLetter {
    let kind = letter.delivery.as_ref().and_then(|delivery| {
        let kind = serde_json::to_value(delivery.kind).ok()?;
        kind.as_str().map(ToOwned::to_owned)
    });
    DeadLetter {
        id: crypto::hash::hex(&letter.key),
        peer: name_of(app, letter.peer.as_str()),
        what: kind.unwrap_or_default(),
        waiting: None,
        at_ms: letter.refused_ms,
        // It is given up when the peer refuses it; how often it found nobody before is not kept.
        attempts: 1,
        fault: letter.reason.clone(),
    }
}

/// A subscription that was given up stands among the dead letters, under this prefix and its id.
const SUBSCRIPTION: &str = "subscription-";

fn given_up_view(one: &operate::GivenUp) -> DeadLetter {
    DeadLetter {
        id: format!("{SUBSCRIPTION}{}", one.id),
        peer: one.id.to_string(),
        what: "Subscription".to_owned(),
        waiting: Some(one.waiting),
        at_ms: one.since_ms,
        attempts: one.attempts,
        fault: one.reason.clone(),
    }
}

/// `POST /operator/audit/verify`
pub async fn verify(visit: Visit, form: Result<Form<Bare>, FormRejection>) -> Response {
    let made = try_verify(&visit, form).await;
    visit.finish(made)
}

async fn try_verify(visit: &Visit, form: Result<Form<Bare>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(OPERATOR)?);
    visit.form(form)?;
    let verdict = visit.app().run(move |app| operate::verify_audit(app, &caller)).await?;
    let at_ms = visit.app().now_ms();
    let verification = match verdict {
        Verdict::Sound(head) => Verification { at_ms, entries: head.number, broken_at: None },
        Verdict::Broken(fault) => Verification {
            at_ms,
            entries: fault.number.saturating_sub(1),
            broken_at: Some(fault.number),
        },
    };
    *visit.web.verified.lock() = Some(verification);
    done(Network, Notice::AuditVerified)
}

/// `POST /operator/answering`
pub async fn answering(visit: Visit, form: Result<Form<AnsweringForm>, FormRejection>) -> Response {
    let made = try_answering(&visit, form).await;
    visit.finish(made)
}

async fn try_answering(visit: &Visit, form: Result<Form<AnsweringForm>, FormRejection>) -> Made {
    let caller = visit.caller(visit.require(OPERATOR)?);
    let on = visit.form(form)?.read().ok_or(Stop::Fault(Fault::BadRequest))?;
    visit.app().run(move |app| operate::answer_peers(app, &caller, on)).await?;
    operate::settled(visit.app(), on).await;
    done(Network, if on { Notice::AnsweringOn } else { Notice::AnsweringOff })
}

/// `POST /operator/letters/{id}/redeliver`
pub async fn redeliver(
    visit: Visit,
    Path(letter): Path<String>,
    form: Result<Form<Bare>, FormRejection>,
) -> Response {
    let made = try_redeliver(&visit, letter, form).await;
    visit.finish(made)
}

async fn try_redeliver(
    visit: &Visit,
    letter: String,
    form: Result<Form<Bare>, FormRejection>,
) -> Made {
    let caller = visit.caller(visit.require(OPERATOR)?);
    visit.form(form)?;
    visit
        .app()
        .run(move |app| {
            if let Some(id) = letter.strip_prefix(SUBSCRIPTION) {
                let id = fhir::Id::new(id).map_err(|_| Error::not_found())?;
                return operate::serve_again(app, &caller, &id);
            }
            let letters = operate::state(app, &caller)?.dead_letters;
            let wanted = letters.iter().find(|one| crypto::hash::hex(&one.key) == letter);
            let wanted = wanted.ok_or_else(Error::not_found)?;
            operate::redeliver(app, &caller, &wanted.key)
        })
        .await?;
    done(Network, Notice::Redelivering)
}
