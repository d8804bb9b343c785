//! Which of a patient's resources somebody would be sent: the one place where holdings, consents
//! and the rules of the network meet. Answering and simulating both use it, so that what is
//! simulated is what is sent.

use fhir::{Id, Resource};
use policy::consent::{Compiled, Item, ItemDecision, Request, decide_all};
use policy::{Purpose, Role};
use store::Snapshot;

use super::holdings;
use crate::consent::who::directory;
use crate::{App, Result};

/// What is held of a patient, with what consents can ask of each resource.
pub(crate) struct Held {
    /// The resources, the Patient first.
    pub resources: Vec<Resource>,
    /// The same as consents see them.
    pub items: Vec<Item>,
}

/// One decision for each resource, in their order.
pub(crate) struct Decided {
    /// The consents that were asked.
    pub compiled: Compiled,
    /// The decisions.
    pub decisions: Vec<ItemDecision>,
}

/// What consents are asked: `recipient` is the organisation that would receive it.
pub(crate) fn request(
    app: &App,
    recipient: &str,
    person: Option<String>,
    role: Role,
    purpose: Purpose,
) -> Request {
    Request {
        recipient_org: recipient.to_owned(),
        recipient_user: person,
        role,
        purpose,
        custodian_org: format!("urn:consilium:org:{}", app.org().id),
        now_ms: app.now_ms(),
        break_glass_enabled: app.settings().break_glass,
    }
}

impl Held {
    /// Reads what this institution holds of `patient`.
    pub fn of(app: &App, snapshot: &dyn Snapshot, patient: &Id) -> Result<Self> {
        let resources = holdings::record(snapshot, patient)?;
        let labelling = &app.settings().labelling;
        let items = resources.iter().map(|resource| Item::labelled(resource, labelling));
        let items = items.collect();
        Ok(Self { resources, items })
    }

    /// Decides every resource under `consents`.
    pub fn decide(
        &self,
        (app, snapshot): (&App, &dyn Snapshot),
        request: &Request,
        consents: &[Resource],
    ) -> Decided {
        let compiled = Compiled::with(consents, &directory(snapshot));
        let decisions = decide_all(request, &compiled, &app.settings().consent, &self.items);
        Decided { compiled, decisions }
    }
}
