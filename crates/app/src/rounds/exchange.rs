//! The coordinator's answer to whoever calls: takes what was made, tells projects, hands out work.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use wire::research::{MAX_WAIT_MS, ProgramBytes};
use wire::{OrgId, RoundsRequest, RoundsResponse, Sealed};

use super::site::text;
use super::withdraw;
use crate::{App, Error, Kind, Result, programs, projects, release};

/// Most things in one request.
const MOST: usize = 10_000;
/// Most projects told in one answer.
const MOST_TOLD: usize = 20;
/// Most withdrawals told in one answer.
const MOST_WITHDRAWN: usize = 1_000;
/// Most outcomes told in one answer.
const MOST_OUTCOMES: usize = 100;

/// Answers a member. Waits for work as long as the request allows where there is none; while it waits it
/// holds no lock, no thread and no snapshot. Whoever does not wait asks for news alone and is given no work:
/// what nobody does would be kept from others for as long as it is leased.
///
/// Whoever asks for the bytes of a program is answered these alone.
///
/// Errors: [`Kind::TooCostly`] for a request with too much in it. A decision that is not valid is
/// refused by itself and keeps nothing else back.
pub async fn exchange(app: &App, peer: &OrgId, request: RoundsRequest) -> Result<RoundsResponse> {
    let RoundsRequest { given, decisions, known, programs: wanted, wait_ms } = request;
    if given.len() > MOST || decisions.len() > MOST || known.len() > MOST {
        return Err(Error::new(Kind::TooCostly, "hand in less at once"));
    }
    if !wanted.is_empty() {
        let peer = peer.clone();
        let bytes = app.run(move |app| programs::give(app, &peer, &wanted)).await?;
        let program = bytes.map(|bytes| ProgramBytes { bytes: text(&bytes) });
        return Ok(RoundsResponse { program, ..RoundsResponse::default() });
    }
    for given in given {
        app.rounds().board.hand_in(peer, given);
    }
    let mut answer = RoundsResponse::default();
    if !decisions.is_empty() || wait_ms == 0 {
        let peer = peer.clone();
        answer = app
            .run(move |app| {
                for sealed in &decisions {
                    if let Err(error) = projects::take_decision(app, sealed, None) {
                        tracing::warn!(%peer, reason = %error.message, "a decision about a project is refused");
                    }
                }
                let withdrawn = withdraw::untold(app, &peer, &known, MOST_WITHDRAWN)?;
                let outcomes = release::untold(app, &peer, &known, MOST_OUTCOMES)?;
                let projects = projects::untold(app, &peer, &known, MOST_TOLD)?;
                // The caller takes the projects in first.
                let mut known = known;
                known.extend(projects.iter().map(Sealed::id));
                let decisions = projects::others::untold(app, &peer, &known)?;
                let answer = RoundsResponse::default();
                Ok(RoundsResponse { projects, decisions, withdrawn, outcomes, ..answer })
            })
            .await?;
    }
    let until = Instant::now() + Duration::from_millis(u64::from(wait_ms.min(MAX_WAIT_MS)));
    let mut bell = app.rounds().board.bell();
    loop {
        bell.mark_unchanged();
        answer.withdrawn.extend(app.rounds().board.take_news(peer));
        if wait_ms > 0 {
            answer.work = app.rounds().board.take(peer, app.now_ms());
        }
        let is_any = !answer.work.is_empty() || !answer.withdrawn.is_empty();
        if is_any || timeout_at(until, bell.changed()).await.is_err() {
            return Ok(answer);
        }
    }
}
