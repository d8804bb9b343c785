//! Matters that nobody has brought to an end in time: an alarm, once for each.

use store::{StoreError, Transaction};

use super::matter::{self, Kind};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Result};

/// Marks open matters whose deadline has passed, with an entry in the audit for each; returns how many
/// there were.
pub fn mark(app: &App) -> Result<usize> {
    let snapshot = app.store().snapshot()?;
    let mut marked = 0;
    for kind in [Kind::Objection, Kind::Recall] {
        for mut one in matter::list(&*snapshot, kind, None, true)? {
            if one.overdue || one.due_ms > app.now_ms() {
                continue;
            }
            one.overdue = true;
            let what = match kind {
                Kind::Objection => "an objection to an access",
                Kind::Recall => "a recall of what was disclosed",
            };
            let sentence = format!("{what} waits for `{}` beyond its deadline", one.owner);
            tracing::error!(task = %one.task, "{sentence}");
            let event = Event::by_node(Pattern::Overdue)
                .serious(sentence)
                .patients([one.patient.clone()])
                .data(format!("Task/{}", one.task));
            let writes = vec![one.write()?, event.write(app)?];
            match app.store().commit(Transaction { writes, ..Transaction::default() }) {
                Ok(_) => marked += 1,
                // It was answered at this moment.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(marked)
}
