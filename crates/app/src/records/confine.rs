//! Keeps a search within what the caller may search: also where it goes by way of other resources,
//! since whether something matches tells about them.

use store::query::{Filter, Query};

use crate::audit::asked;
use crate::authorise::{Action, Permit, authorise};
use crate::{App, Caller, Result};

/// Narrows the links of `query`: types that the caller may not search are left out of chains, and
/// refused where they are named; resources of patients count only where they are in the caller's
/// own compartment, if the permit is for one, and what an app was not allowed does not count.
pub(crate) fn confine(
    app: &App,
    caller: &Caller,
    permit: &Permit,
    query: &mut Query,
) -> Result<()> {
    if let Some(own) = permit.scope().own()
        && query.resource_type == "AuditEvent"
    {
        asked::may_ask(&app.store().registry(), own, query)?;
    }
    query.filters.iter_mut().try_for_each(|filter| links(app, caller, permit, filter))
}

fn links(app: &App, caller: &Caller, permit: &Permit, filter: &mut Filter) -> Result<()> {
    match filter {
        Filter::Chain { targets, .. } => {
            let (mut refusal, mut failure) = (None, None);
            targets.retain_mut(|query| {
                match authorise(app, caller, Action::searching(query.resource_type)) {
                    Ok(linked) => {
                        failure =
                            failure.take().or(inner(app, caller, (permit, &linked), query).err());
                        true
                    }
                    Err(error) => {
                        refusal = Some(error);
                        false
                    }
                }
            });
            match refusal.filter(|_| targets.is_empty()).or(failure) {
                Some(error) => Err(error),
                None => Ok(()),
            }
        }
        Filter::Has { source, param } => {
            let linked = authorise(app, caller, Action::searching(source.resource_type))?;
            if permit.scope().own().is_some() && source.resource_type == "AuditEvent" {
                asked::may_follow(&app.store().registry(), *param)?;
            }
            inner(app, caller, (permit, &linked), source)
        }
        Filter::All(filters) | Filter::Any(filters) => {
            filters.iter_mut().try_for_each(|filter| links(app, caller, permit, filter))
        }
        Filter::Not(filter) => links(app, caller, permit, filter),
        _ => Ok(()),
    }
}

/// Narrows a search that a link leads to: by its permit, and by what the caller reaches of the type.
/// Where the search itself is about nobody (an Organization), nothing was withheld from its permit;
/// of what it leads to, something may be.
fn inner(
    app: &App,
    caller: &Caller,
    (permit, linked): (&Permit, &Permit),
    query: &mut Query,
) -> Result<()> {
    let permit = if permit.scope().withheld().is_some() { permit } else { linked };
    confine(app, caller, permit, query)?;
    let registry = app.store().registry();
    query.filters.extend(permit.scope().linked_filters(&registry, query.resource_type));
    query.filters.extend(linked.scope().only_filter(&registry, query.resource_type));
    Ok(())
}
