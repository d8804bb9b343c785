//! Answering a researcher of another institution.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use federation::Asserted;
use policy::Action;
use population::criteria::Cohort;
use wire::{CohortRequest, CohortResponse, Refusal, RefusalCode};

use super::count::{Asker, give};
use super::keep;
use super::question::{Dealt, Question, cells};
use crate::audit::event::Pattern;
use crate::records::answer::{authorise, event, refused};
use crate::{App, Error, Kind, Result, budget};

/// What this institution tells a researcher of a peer: noisy numbers, at the cost of its own budget.
///
/// Errors: a refusal in the words of the protocol.
pub async fn answer(
    app: &App,
    asserted: Asserted,
    message: CohortRequest,
) -> std::result::Result<CohortResponse, Refusal> {
    let asked = asserted.clone();
    let allowed =
        app.run(move |app| Ok(authorise(app, &asked, Action::Explore, false, None).err()));
    if let Some(refusal) = allowed.await.map_err(refused)? {
        return Err(refusal);
    }
    keep::ready(app).await.map_err(refused)?;
    app.run(move |app| here(app, &asserted, &message)).await.map_err(|error| match error.kind {
        Kind::Forbidden if error.rule.as_deref() == Some(budget::RULE) => {
            Refusal::new(RefusalCode::Budget, error.message)
        }
        Kind::TooCostly => Refusal::new(RefusalCode::Unavailable, error.message),
        _ => refused(error),
    })
}

fn here(app: &App, asserted: &Asserted, message: &CohortRequest) -> Result<CohortResponse> {
    let question = read(message)?;
    let assertion = &asserted.assertion;
    let entry = |refused: Option<&str>| match refused {
        None => event(asserted, Pattern::Query),
        Some(word) => event(asserted, Pattern::Refuse).refused(word),
    };
    let account = budget::account(assertion.issuer.as_str(), &assertion.subject.id);
    let given = give(app, &Asker { account, entry: &entry }, &question)?;
    Ok(CohortResponse {
        parts: given.parts,
        sketch: given.sketch,
        counted: given.counted_ms,
        again: given.again,
    })
}

fn read(message: &CohortRequest) -> Result<Question> {
    let cohort = Cohort::parse(message.cohort.get())
        .map_err(|fault| Error::invalid("value", fault.to_string()))?;
    let key = STANDARD.decode(&message.key).ok().and_then(|key| <[u8; 32]>::try_from(key).ok());
    let key = key.ok_or_else(|| Error::invalid("value", "the key of a cohort has 32 bytes"))?;
    let micro_epsilon = message.sketch_micro_epsilon;
    let cells = Some(cells(message.cells, micro_epsilon)?);
    Question::on(cohort, message.day.clone(), message.steps_micro_epsilon)?.with(Dealt {
        micro_epsilon,
        cells,
        key,
    })
}
