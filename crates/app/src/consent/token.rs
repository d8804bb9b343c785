//! What the patient's consents leave of a grant, for whoever enforces it further on: the extension
//! `ihe_pcf` of a token (IHE PCF, ITI-71), told at introspection.

use fhir::Id;
use policy::Purpose;
use policy::consent::{Compiled, Request, residual};
use serde_json::{Value, json};

use super::standing;
use super::who::directory;
use crate::authorise::role;
use crate::{App, Caller, Result};

/// `ihe_pcf` for a grant to `caller` that is bound to `patient`: the consents that were looked at,
/// and the rules that are left. What this node holds is used by its own people under its own rules,
/// so the rules keep from them only what patients keep from single persons.
pub(crate) fn ihe_pcf(app: &App, caller: &Caller, patient: &str) -> Result<Option<Value>> {
    let (Ok(id), Some(purpose)) = (Id::new(patient), Purpose::find(&caller.purpose)) else {
        return Ok(None);
    };
    let snapshot = app.store().snapshot()?;
    let consents = standing::resources(&*snapshot, &id)?;
    let compiled = Compiled::with(&consents, &directory(&*snapshot));
    let request = Request {
        recipient_org: app.org().id.clone(),
        recipient_user: Some(
            caller
                .user
                .practitioner
                .clone()
                .unwrap_or_else(|| policy::consent::user_of(&app.org().id, &caller.user.id)),
        ),
        role: role(caller)?,
        purpose,
        custodian_org: app.org().id.clone(),
        now_ms: app.now_ms(),
        break_glass_enabled: app.settings().break_glass,
    };
    let rules = residual(&request, &compiled, &app.settings().consent);
    let rules: Vec<Value> =
        rules.iter().filter_map(|rule| serde_json::from_str(&rule.json()).ok()).collect();
    let base = format!("{}/fhir", app.org().base_url);
    let documents: Vec<String> = consents
        .iter()
        .filter_map(|consent| Some(format!("{base}/Consent/{}", consent.id()?)))
        .collect();
    let mut told = json!({"patient_id": patient, "doc_id": documents});
    if !rules.is_empty() {
        told["residual"] = json!(rules);
    }
    Ok(Some(told))
}
