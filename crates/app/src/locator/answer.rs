//! This node as a locator: takes what holders publish, and says which of them may know a person.

use std::collections::HashMap;

use federation::Asserted;
use matching::clk::Epsilon;
use wire::{
    LocateRequest, LocateResponse, OrgId, Publication, PublicationReceipt, Refusal, RefusalCode,
};

use super::committee;
use super::encoding::read;
use super::held::{FRESH_MS, MOST_ENCODINGS, Shelf};
use crate::App;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::consent::deliver::may_speak;
use crate::records::answer::{agent, refused};

/// Questions that one member may ask within an hour; trying out names one by one takes many.
pub const MOST_QUESTIONS: u32 = 3_000;
const HOUR_MS: i64 = 60 * 60 * 1000;

type Answered<T> = std::result::Result<T, Refusal>;

/// By member: since when questions are counted, in milliseconds since the Unix epoch, and how many.
pub type Questions = HashMap<OrgId, (i64, u32)>;

fn invalid<T>(why: &str) -> Answered<T> {
    Err(Refusal::new(RefusalCode::MessageInvalid, why))
}

/// Takes a piece of what a holder publishes.
pub fn publication(
    app: &App,
    asserted: &Asserted,
    message: &Publication,
) -> Answered<PublicationReceipt> {
    may_speak(app).map_err(refused)?;
    let (holder, now) = (&asserted.assertion.issuer, app.now_ms());
    let list = app.network().list();
    if !committee::epochs(now).any(|epoch| epoch == message.epoch) {
        return invalid("nothing is published for that epoch; check the clock of the node");
    }
    if !committee::locators(&list, message.epoch, holder).contains(app.network().own()) {
        return invalid("this node is no locator of yours; get the newest membership list");
    }
    let most = wire::locator::MAX_RECORDS;
    if message.records.len() > most || message.removed.len() > most || message.key.len() != 16 {
        return invalid("a publication has at most 1000 records and a key of 16 digits");
    }
    if message.closed_to.len() > wire::locator::MAX_CLOSED {
        return invalid("a publication is closed to at most 10000 members");
    }
    let Ok(epsilon) = Epsilon::new(message.epsilon) else {
        return invalid("epsilon must be from 0.5 to 10");
    };
    let mut records = Vec::with_capacity(message.records.len());
    for record in &message.records {
        match (handle(&record.handle), read(&record.encodings)) {
            (Some(handle), Some(encodings)) => {
                records.push((handle, encodings, &record.hidden_from))
            }
            _ => return invalid("a published record cannot be read"),
        }
    }
    let Some(removed) = message.removed.iter().map(|h| handle(h)).collect::<Option<Vec<_>>>()
    else {
        return invalid("a handle has 16 hexadecimal digits");
    };
    let mut held = app.locator().held.write();
    held.keep(|epoch, holder| {
        epoch >= committee::epoch(now) && list.member(holder).is_some_and(is_active)
    });
    let begins = message.after == Some(0);
    if held.encodings() + records.len() > MOST_ENCODINGS {
        return Err(Refusal::new(RefusalCode::TooLarge, "this locator holds as much as it can"));
    }
    let anew = begins.then(|| Shelf::new(message.key.clone(), message.list, epsilon, now));
    let (mut before, mut after) = (0, 0);
    let mut through = 0;
    if let Some(shelf) = held.shelf(message.epoch, holder, anew)
        && shelf.key == message.key
        && shelf.list == message.list
    {
        if message.after == Some(shelf.through) {
            before = shelf.encodings();
            for handle in removed {
                shelf.remove(handle);
            }
            for (handle, encodings, hidden) in records {
                shelf.put(handle, &encodings, hidden.clone());
            }
            (shelf.through, shelf.complete) = (message.through, message.complete);
            (shelf.heard_ms, shelf.epsilon) = (now, epsilon);
            shelf.closed_to.clone_from(&message.closed_to);
            after = shelf.encodings();
        }
        through = shelf.through;
    }
    held.count(before, after);
    Ok(PublicationReceipt { through })
}

fn is_active(member: &wire::Member) -> bool {
    member.state == wire::MemberState::Active
}

fn handle(text: &str) -> Option<u64> {
    (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// Which holders may know a person, by encodings of which this node has no key. Of a holder that no
/// agreement permits the asker to ask, nothing is said.
pub fn locate(app: &App, asserted: &Asserted, message: &LocateRequest) -> Answered<LocateResponse> {
    may_speak(app).map_err(refused)?;
    let (asker, now) = (&asserted.assertion.issuer, app.now_ms());
    admit(app, asker, now)?;
    let Some(encodings) = read(&message.encodings) else {
        return invalid("the encodings cannot be read");
    };
    let Ok(epsilon) = Epsilon::new(message.epsilon) else {
        return invalid("epsilon must be from 0.5 to 10");
    };
    if !(0.5..=1.0).contains(&message.dice) {
        return invalid("the bound of likeness must be from 0.5 to 1");
    }
    let list = app.network().list();
    let (mut likely, mut absent) = (Vec::new(), Vec::new());
    let held = app.locator().held.read();
    for (epoch, holder, shelf) in held.all() {
        let counts = epoch == message.epoch
            && shelf.key == message.key
            && shelf.list == list.serial
            && shelf.complete
            && shelf.heard_ms.saturating_add(FRESH_MS) > now
            && holder != asker
            && !shelf.closed_to.contains(asker)
            && list.member(holder).is_some_and(is_active);
        if !counts {
            continue;
        }
        match shelf.has(&encodings, message.dice, epsilon, asker) {
            true => likely.push(holder.clone()),
            false => absent.push(holder.clone()),
        }
    }
    drop(held);
    let event = Event::by_node(Pattern::Query)
        .peer(agent(asserted))
        .purpose(&asserted.assertion.purpose_of_use)
        .request_id(&asserted.assertion.request_id)
        .query("locate by encodings")
        .note(format!("{} of {} holders named", likely.len(), likely.len() + absent.len()));
    app.audit(event).map_err(refused)?;
    Ok(LocateResponse { likely, absent })
}

/// Counts a question; refuses those beyond the limit.
fn admit(app: &App, asker: &OrgId, now: i64) -> Answered<()> {
    let mut questions = app.locator().questions.lock();
    questions.retain(|_, (since, _)| since.saturating_add(HOUR_MS) > now);
    let (_, count) = questions.entry(asker.clone()).or_insert((now, 0));
    *count += 1;
    if *count > MOST_QUESTIONS {
        let why = "more than 3000 questions to this locator within an hour; ask again later";
        return Err(Refusal::new(RefusalCode::RateLimited, why));
    }
    Ok(())
}
