//! What is forbidden, by a second reading of the rules.
//!
//! Written from the documented rules (`docs/guides/consent.md`, IHE PCF appendix P, FHIR R4
//! Consent) on plain JSON, without the engine: slow, without short cuts, and understanding only
//! what [`super::World`] makes. Where the two differ, one of them is wrong.

mod item;
mod said;

use policy::consent::{Defaults, NetworkDefault, Request, SensitiveDefault};
use policy::{Purpose, Role};
use serde_json::Value;

use self::item::Facts;
use self::said::{Reader, Statement};
use super::generate::{Patient, World};

/// The second reading, for one patient.
pub struct Oracle<'w> {
    world: &'w World,
    patient: &'w Patient,
    defaults: Defaults,
}

/// Whether a condition is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Met {
    No,
    Perhaps,
    Yes,
}

fn met(condition: bool) -> Met {
    if condition { Met::Yes } else { Met::No }
}

impl<'w> Oracle<'w> {
    /// Takes the consents and the record of `patient` and what the network has agreed.
    pub fn new(world: &'w World, patient: &'w Patient, defaults: &Defaults) -> Self {
        Self { world, patient, defaults: *defaults }
    }

    /// Whether `resource`, one of the patient's, must not reach who asks. Which resources belong
    /// together is read off the patient's whole record.
    pub fn forbidden(&self, request: &Request, resource: &Value) -> bool {
        if request.role == Role::Patient && request.purpose == Purpose::PATRQT {
            return false;
        }
        let facts = Facts::of(resource, self.patient);
        let (mut permits, mut denials) = (Vec::new(), Vec::new());
        for consent in &self.patient.consents {
            let reader = Reader { world: self.world, request, facts: &facts, consent };
            for statement in reader.read() {
                if statement.denies { denials.push(statement) } else { permits.push(statement) }
            }
        }
        let emergency = request.break_glass_enabled
            && request.role == Role::Clinician
            && request.purpose == Purpose::BTG;
        let at_home = request.custodian_org.ends_with(&format!(":{}", request.recipient_org));
        let stands = |denial: &Statement| {
            let replaced = permits.iter().any(|permit| replaces(permit, denial, request));
            let concerns = !at_home || denial.level >= Some(2) || denial.perhaps_the_asker;
            concerns && !replaced && (!emergency || denial.names_emergency)
        };
        if denials.iter().any(stands) {
            return true;
        }
        if at_home {
            return false;
        }
        let grants: Vec<_> = permits.iter().filter(|permit| !permit.only_lifts).collect();
        let by_default = match self.defaults.network {
            NetworkDefault::PermitTreatment => {
                ["TREAT", "ETREAT", "COC", "BTG"].contains(&request.purpose.code())
            }
            NetworkDefault::PermitAll => true,
            NetworkDefault::Deny => false,
            NetworkDefault::BreakGlassOnly => emergency,
        };
        if grants.is_empty() && !by_default {
            return true;
        }
        let named = grants.iter().any(|permit| permit.names_what_is_sensitive);
        let open = named || emergency || self.defaults.sensitive == SensitiveDefault::Share;
        facts.is_sensitive() && !open
    }
}

/// Whether a permission takes the place of an earlier denial.
fn replaces(permit: &Statement, denial: &Statement, request: &Request) -> bool {
    let (Some(later), Some(earlier)) = (permit.date, denial.date) else { return false };
    let five_minutes = 300_000;
    !denial.not_understood
        && !denial.unresolved
        && later.start_ms >= earlier.end_ms
        && later.start_ms <= request.now_ms + five_minutes
        && permit.level >= denial.level
        && (permit.custodian_named || !denial.custodian_named)
        && (denial.custodian_named || !permit.only_lifts)
        && (permit.particular || !denial.particular)
}
