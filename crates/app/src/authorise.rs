//! The one way to permission: policy is asked, a refusal is recorded, and what comes back is a
//! [`Permit`] that the code touching data must hold.

use fhir::Id;
use policy::{BreakGlass, Content, Decision, Purpose, Question, Relation, Role};
use store::Pending;

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Kind, Result};

/// How old a second factor may be for a question to other institutions, in seconds.
pub const MFA_MAX_AGE_S: u32 = 300;

/// What a use case wants to do, in the words of policy.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    staff: policy::Action,
    patient: Option<policy::Action>,
    content: Content,
}

impl Action {
    /// Reading resources of a type (`*` for all).
    pub fn reading(resource_type: &str) -> Self {
        Self::local(resource_type, policy::Action::Read)
    }

    /// Searching resources of a type.
    pub fn searching(resource_type: &str) -> Self {
        Self::local(resource_type, policy::Action::Search)
    }

    fn local(resource_type: &str, staff: policy::Action) -> Self {
        let content = Content::of_type(resource_type);
        match resource_type {
            "AuditEvent" => Self {
                staff: policy::Action::AuditRead,
                patient: Some(policy::Action::OwnAccesses),
                content,
            },
            _ => Self { staff, patient: Some(policy::Action::OwnRecord), content },
        }
    }

    /// Creating, changing or deleting resources of a type.
    pub fn writing(resource_type: &str) -> Self {
        let content = Content::of_type(resource_type);
        match resource_type {
            "Consent" => Self {
                staff: policy::Action::Consent,
                patient: Some(policy::Action::Consent),
                content,
            },
            // A subscription tells its owner what the owner may read anyway.
            "Subscription" => Self {
                staff: policy::Action::Write,
                patient: Some(policy::Action::OwnRecord),
                content,
            },
            _ => Self { staff: policy::Action::Write, patient: None, content },
        }
    }

    /// Taking much out at once: staff need leave for it, a patient has what is their own.
    pub fn exporting() -> Self {
        Self {
            staff: policy::Action::Export,
            patient: Some(policy::Action::OwnRecord),
            content: Content::Clinical,
        }
    }

    /// Something that has a policy action of its own.
    pub fn of(action: policy::Action) -> Self {
        Self { staff: action, patient: Some(action), content: Content::Clinical }
    }
}

/// What a permit reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything at this institution.
    All,
    /// What is in one patient's compartment.
    Patient(Id),
}

/// Proof that policy has allowed something to a caller.
#[derive(Clone, Debug)]
pub struct Permit {
    scope: Scope,
    account: String,
}

impl Permit {
    /// What it reaches.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The account it was given to.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Whether it reaches everything at this institution.
    pub fn is_unlimited(&self) -> bool {
        self.scope == Scope::All
    }
}

/// Asks policy about something at this institution.
pub fn authorise(app: &App, caller: &Caller, action: Action) -> Result<Permit> {
    let (question, scope) = local_question(app, caller, action)?;
    decide(app, caller, &question)?;
    Ok(Permit { scope, account: caller.user.id.clone() })
}

/// A refusal and its audit entry on the way; nobody is told before that is durable.
#[derive(Debug)]
pub struct Refused {
    /// What to answer.
    pub error: Error,
    /// The entry.
    pub audited: Pending,
}

/// The same as [`authorise`] without waiting for the audit entry of a refusal.
pub fn begin_authorise(
    app: &App,
    caller: &Caller,
    action: Action,
) -> Result<std::result::Result<Permit, Refused>> {
    let (question, scope) = local_question(app, caller, action)?;
    Ok(match refused(app, caller, &question)? {
        None => Ok(Permit { scope, account: caller.user.id.clone() }),
        Some(refused) => Err(refused),
    })
}

fn local_question(app: &App, caller: &Caller, action: Action) -> Result<(Question, Scope)> {
    let role = role(caller)?;
    let (action_word, relation, scope) = match (role, &caller.user.patient, action.patient) {
        (Role::Patient, Some(own), Some(action)) => {
            (action, Relation::SelfPatient, Scope::Patient(own.clone()))
        }
        (Role::Patient, _, _) => (action.staff, Relation::Unrelated, Scope::All),
        // The state of the node is nobody's record.
        _ if action.staff == policy::Action::Operate => {
            (action.staff, Relation::Unrelated, Scope::All)
        }
        _ => (action.staff, Relation::Member, Scope::All),
    };
    let mut question = question(app, caller, action_word, relation)?;
    question.content = action.content;
    Ok((question, scope))
}

/// What policy allows, without a trace of a refusal: for those who go on to [`authorise`] where
/// there is none.
pub fn permitted(app: &App, caller: &Caller, action: Action) -> Option<Permit> {
    let (question, scope) = local_question(app, caller, action).ok()?;
    let allowed = app.policy().decide(&question).allowed;
    allowed.then(|| Permit { scope, account: caller.user.id.clone() })
}

/// Whether policy would allow it, without a trace: for leaving out what nobody asked for by name.
pub fn may(app: &App, caller: &Caller, action: Action) -> bool {
    permitted(app, caller, action).is_some()
}

/// Asks policy about a question to other institutions on `patient`; `granted` tells whether a
/// break-glass grant for this caller and patient holds.
pub fn authorise_asking(app: &App, caller: &Caller, patient: &Id, granted: bool) -> Result<Permit> {
    let own = caller.user.patient.as_ref();
    let (relation, scope) = match role(caller)? {
        Role::Patient if own == Some(patient) => {
            (Relation::SelfPatient, Scope::Patient(patient.clone()))
        }
        Role::Patient => return Err(Error::not_found()),
        _ => (Relation::Member, Scope::All),
    };
    let mut question = question(app, caller, policy::Action::Ask, relation)?;
    question.break_glass.granted = granted;
    decide(app, caller, &question)?;
    Ok(Permit { scope, account: caller.user.id.clone() })
}

/// The purpose of use of a request that states none: the usual one of the user's role.
pub fn default_purpose(user: &crate::User) -> String {
    let purpose = Role::find(&user.role).map_or(Purpose::TREAT, Role::default_purpose);
    purpose.code().to_owned()
}

/// The caller's role; an account with an unknown one may do nothing.
pub fn role(caller: &Caller) -> Result<Role> {
    Role::find(&caller.user.role)
        .ok_or_else(|| Error::new(Kind::Forbidden, "this account has no role at this node"))
}

fn question(
    app: &App,
    caller: &Caller,
    action: policy::Action,
    relation: Relation,
) -> Result<Question> {
    let purpose = Purpose::find(&caller.purpose).ok_or_else(|| {
        Error::invalid(
            "value",
            "the purpose of use must be a code of v3-ActReason, `TREAT` for example",
        )
    })?;
    let mut question = Question::new(role(caller)?, action, purpose, relation);
    question.mfa_age_s = caller.mfa_age_s(app.now_ms());
    question.evidence = caller.evidence.is_some();
    question.break_glass = BreakGlass { enabled: app.settings().break_glass, granted: false };
    question.same_organisation = true;
    Ok(question)
}

fn decide(app: &App, caller: &Caller, question: &Question) -> Result<()> {
    let Some(refused) = refused(app, caller, question)? else { return Ok(()) };
    refused.audited.wait()?;
    Err(refused.error)
}

fn refused(app: &App, caller: &Caller, question: &Question) -> Result<Option<Refused>> {
    let decision = app.policy().decide(question);
    if decision.allowed {
        return Ok(None);
    }
    let error = refusal(&decision);
    let rule = error.rule.clone().unwrap_or_default();
    let event = Event::by(caller, Pattern::Refuse).refused(format!("{} {rule}", question.action));
    Ok(Some(Refused { error, audited: app.begin_audit(event)? }))
}

/// A policy decision as an error.
pub fn refusal(decision: &Decision) -> Error {
    let factor = ["second-factor-required", "second-factor-too-old"];
    let kind = if factor.iter().any(|code| decision.has(code)) {
        Kind::StepUp { max_age_s: MFA_MAX_AGE_S }
    } else {
        Kind::Forbidden
    };
    let rule = decision.reasons.first().map(|reason| reason.code.clone());
    Error { rule, ..Error::new(kind, decision.sentence()) }
}
