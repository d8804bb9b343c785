//! Bringing the council's business together with other nodes: each asks the others what it lacks and
//! hands over what they lack, so that votes and lists reach every node over whichever way is open,
//! and a node that was down catches up.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tokio::time::Instant;
use wire::{CouncilAnswer, CouncilItem, CouncilRequest, OrgId, Refusal, RefusalCode};

use super::{change, flags, look};
use crate::consent::deliver::{as_node, may_speak};
use crate::records::answer::refused;
use crate::records::longitudinal::ask_json;
use crate::{App, Error, Kind, Result};

/// How often the others are asked where nothing happens.
const EVERY: Duration = Duration::from_secs(10);
/// Least time between two rounds.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a peer has for its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Peers that are asked at the same time.
const AT_ONCE: usize = 8;
/// Exchanges with one peer in one round.
const TURNS: usize = 16;
/// Most tags and items in a message.
const MOST: usize = 20_000;

/// Answers a peer that brings its knowledge of the council's business together with this node's.
pub fn answer(app: &App, request: &CouncilRequest) -> std::result::Result<CouncilAnswer, Refusal> {
    may_speak(app).map_err(refused)?;
    if request.have.len() > MOST || request.items.len() > MOST {
        return Err(Refusal::new(RefusalCode::TooLarge, "hand over less at once"));
    }
    let work = || -> Result<CouncilAnswer> {
        take(app, &request.items)?;
        let (items, mut want) = look(app, |book| book.offer(request.serial, &request.have))?;
        want.truncate(MOST);
        let serial = look(app, |book| book.current().serial)?;
        Ok(CouncilAnswer { serial, items, want })
    };
    work().map_err(refused)
}

fn take(app: &App, items: &[CouncilItem]) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    change(app, None, |book, effects| {
        book.take(items, effects);
        Ok(())
    })
}

/// Exchanges with one peer until neither has anything for the other.
pub async fn exchange(app: &App, peer: &OrgId) -> Result<()> {
    let mut items: Vec<CouncilItem> = Vec::new();
    // A peer that does not take a list is not given it again in this exchange.
    let mut given = 0;
    for _ in 0..TURNS {
        let (serial, have) =
            app.run(|app| look(app, |book| (book.current().serial, book.tags()))).await?;
        let request = CouncilRequest { serial, have, items: std::mem::take(&mut items) };
        let asking = as_node(app, app.new_id().as_str());
        let deadline = Instant::now() + PATIENCE;
        let answer: CouncilAnswer =
            ask_json(app, peer, wire::path::COUNCIL, &request, &asking, deadline)
                .await
                .map_err(|e| Error::new(Kind::Busy, e.to_string()))?;
        let behind = answer.serial < serial && answer.serial >= given;
        if answer.items.is_empty() && answer.want.is_empty() && !behind {
            return Ok(());
        }
        items = app
            .run(move |app| {
                take(app, &answer.items)?;
                look(app, |book| {
                    let lists = if behind { book.lists_after(answer.serial) } else { Vec::new() };
                    [lists, book.wanted(&answer.want)].concat()
                })
            })
            .await?;
        given = given.max(answer.serial + 1);
    }
    Ok(())
}

/// One round: an exchange with every other member that takes part.
pub async fn round(app: &App) {
    if !*app.answering().borrow() {
        return;
    }
    let peers = app.network().active_others();
    let asked = peers.into_iter().map(|peer| {
        let app = app.clone();
        async move {
            if let Err(error) = exchange(&app, &peer.id).await {
                // A peer of an earlier version does not know the question; it gets lists by hand.
                tracing::debug!(peer = %peer.id, reason = %error.message, "no exchange");
            }
        }
    });
    let asked: Vec<_> = asked.collect();
    stream::iter(asked).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// Exchanges with all when there is news and every ten seconds, until the node stops.
pub async fn run(app: App, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            _ = every.tick() => {}
            () = app.governance().news.notified() => {}
        }
        // A list that was decided, or time that has passed, may call for this node's signature.
        if let Err(error) = app.run(|app| change(app, None, |_, _| Ok(()))).await {
            tracing::error!(reason = %error.message, "the council's business cannot go on");
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = round(&app) => {}
        }
        flags::tell(&app).await;
        tokio::time::sleep(PAUSE).await;
    }
}
