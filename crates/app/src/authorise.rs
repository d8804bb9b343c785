//! The one way to permission: policy is asked, a refusal is recorded, and what comes back is a
//! [`Permit`] that the code touching data must hold.

mod carried;
mod needs;
mod outside;
pub(crate) mod reach;
pub(crate) mod withheld;

use fhir::Id;
use oauth::{Permission, Permissions};
use policy::{BreakGlass, Content, Decision, Purpose, Question, Relation, Role};
use store::Pending;

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Kind, Result};

use needs::Needs;
use reach::Only;
pub use reach::Scope;

/// The rule that refuses an app what its token does not allow.
pub const INSUFFICIENT_SCOPE: &str = "insufficient-scope";

/// How old a second factor may be for a question to other institutions, in seconds.
pub const MFA_MAX_AGE_S: u32 = 300;

/// What a use case wants to do, in the words of policy, and what an app's token must allow for it.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    staff: policy::Action,
    patient: Option<policy::Action>,
    content: Content,
    needs: Needs,
}

impl Action {
    /// Reading resources of a type (`*` for all).
    pub fn reading(resource_type: &str) -> Self {
        let needs = Needs::one(resource_type, Permission::Read);
        Self::local(resource_type, policy::Action::Read, needs)
    }

    /// Searching resources of a type, or listing the versions of all of them.
    pub fn searching(resource_type: &str) -> Self {
        let needs = Needs::one(resource_type, Permission::Search);
        Self::local(resource_type, policy::Action::Search, needs)
    }

    fn local(resource_type: &str, staff: policy::Action, needs: Needs) -> Self {
        let content = Content::of_type(resource_type);
        match resource_type {
            "AuditEvent" => Self {
                staff: policy::Action::AuditRead,
                patient: Some(policy::Action::OwnAccesses),
                content,
                needs,
            },
            _ => Self { staff, patient: Some(policy::Action::OwnRecord), content, needs },
        }
    }

    /// Listing the versions of resources of a type (`*` for all): of one resource that is reading, of
    /// all of them searching (SMART App Launch 2.2, scopes for requesting FHIR resources).
    pub fn listing_versions(resource_type: &str, of_one: bool) -> Self {
        let needs = match (of_one, resource_type) {
            (true, one) => Needs::one(one, Permission::Read),
            (false, "*") => Needs::Somewhere(Permission::Search),
            (false, one) => Needs::one(one, Permission::Search),
        };
        Self { needs, ..Self::reading(resource_type) }
    }

    /// Creating resources of a type.
    pub fn creating(resource_type: &str) -> Self {
        Self::writing(resource_type, Needs::one(resource_type, Permission::Create))
    }

    /// Updating or patching resources of a type, also where that creates one.
    pub fn updating(resource_type: &str) -> Self {
        Self::writing(resource_type, Needs::one(resource_type, Permission::Update))
    }

    /// Deleting resources of a type.
    pub fn deleting(resource_type: &str) -> Self {
        Self::writing(resource_type, Needs::one(resource_type, Permission::Delete))
    }

    /// Storing resources of a type (`*` for all), whether they exist or not.
    pub fn storing(resource_type: &str) -> Self {
        let both = Permissions::NONE.with(Permission::Create).with(Permission::Update);
        let kind = fhir::resource_type(resource_type).unwrap_or("*");
        Self::writing(resource_type, Needs::All(kind, both))
    }

    /// Deciding in one's own name, which no app does: on resources of a type.
    pub fn deciding(resource_type: &str) -> Self {
        Self::writing(resource_type, Needs::Person)
    }

    /// Whether it may be done at all in a patient's name: reading, and deciding in person on a page
    /// that says for whom. What is written through other doors would be the proxy's own word, and
    /// what goes on when nobody looks (subscriptions, jobs) would outlast the right to it.
    fn is_for_proxies(self) -> bool {
        match self.patient {
            Some(policy::Action::OwnRecord) => {
                matches!(self.staff, policy::Action::Read | policy::Action::Search)
            }
            Some(policy::Action::Consent | policy::Action::Appoint) => {
                matches!(self.needs, Needs::Person)
            }
            _ => false,
        }
    }

    fn writing(resource_type: &str, needs: Needs) -> Self {
        let content = Content::of_type(resource_type);
        match resource_type {
            "Consent" => Self {
                staff: policy::Action::Consent,
                patient: Some(policy::Action::Consent),
                content,
                needs,
            },
            // A subscription tells its owner what the owner may read anyway.
            "Subscription" => Self {
                staff: policy::Action::Write,
                patient: Some(policy::Action::OwnRecord),
                content,
                needs,
            },
            _ => Self { staff: policy::Action::Write, patient: None, content, needs },
        }
    }

    /// Taking much out at once: staff need leave for it, a patient has what is their own.
    pub fn exporting() -> Self {
        Self {
            staff: policy::Action::Export,
            patient: Some(policy::Action::OwnRecord),
            content: Content::Clinical,
            needs: Needs::Export,
        }
    }

    /// Looking for a person among the patients.
    pub fn matching() -> Self {
        let needs = Needs::All("Patient", Permissions::READ);
        Self { needs, ..Self::of(policy::Action::Match) }
    }

    /// Something that has a policy action of its own, for people alone.
    pub fn of(action: policy::Action) -> Self {
        Self {
            staff: action,
            patient: Some(action),
            content: Content::Clinical,
            needs: Needs::Person,
        }
    }

    /// The same where nobody does it about themselves as a patient.
    pub fn for_others(action: policy::Action) -> Self {
        Self { patient: None, ..Self::of(action) }
    }
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

    /// The same for a search of a program of another organisation, which is about one patient; the
    /// patient is `centre`, or named in the query.
    ///
    /// Errors: [`crate::Kind::Forbidden`] where it is not about one.
    pub(crate) fn of_one(
        self,
        app: &App,
        query: &store::query::Query,
        centre: Option<&Id>,
    ) -> Result<Self> {
        let Some(withheld) = self.scope.withheld() else { return Ok(self) };
        match withheld.of_one(&app.store().registry(), query, centre)? {
            Some(one) => Ok(Self { scope: self.scope.without(Some(one)), ..self }),
            None => Ok(self),
        }
    }

    /// For doors that list everything that is inside, whoever it is about.
    ///
    /// Errors: [`crate::Kind::Forbidden`] for a program of another organisation, which asks for one
    /// patient at a time.
    pub(crate) fn check_all(&self) -> Result<()> {
        match self.scope.withheld().is_some_and(|withheld| withheld.is_elsewhere()) {
            true => Err(outside::one_at_a_time()),
            false => Ok(()),
        }
    }

    /// Whether it reaches everything of the type that was asked about.
    pub fn is_unlimited(&self) -> bool {
        self.scope.is_unlimited()
    }

    /// Whether it reaches everything at this institution, whatever is done with it: for doors that
    /// cannot be confined.
    pub fn is_whole(&self) -> bool {
        self.scope.is_whole()
    }
}

/// Asks policy about something at this institution.
pub fn authorise(app: &App, caller: &Caller, action: Action) -> Result<Permit> {
    match begin_authorise(app, caller, action)? {
        Ok(permit) => Ok(permit),
        Err(Refused { error, audited }) => {
            audited.wait()?;
            Err(error)
        }
    }
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
    if let Some(refused) = refused(app, caller, &question)? {
        return Ok(Err(refused));
    }
    let scope = without_withheld(app, caller, action, scope)?;
    match within(app, caller, action, scope) {
        Some(scope) => Ok(Ok(Permit { scope, account: caller.user.id.clone() })),
        None => Ok(Err(lacking(app, caller, question.action)?)),
    }
}

/// What patients leave of a scope of people of this institution.
fn without_withheld(app: &App, caller: &Caller, action: Action, scope: Scope) -> Result<Scope> {
    if let Some(own) = scope.own()
        && let Some(acting) = &caller.user.acting
    {
        let withheld = crate::proxies::limits::withheld(app, caller, acting, own)?;
        return Ok(scope.without(Some(withheld)));
    }
    if scope.own().is_some() || !action.needs.kind().is_some_and(withheld::is_about_patients) {
        return Ok(scope);
    }
    Ok(scope.without(app.withheld().kept_from(app, caller)?))
}

/// What the token of an app leaves of a scope; all of it where no app asks.
fn within(app: &App, caller: &Caller, action: Action, scope: Scope) -> Option<Scope> {
    match &caller.granted {
        None => Some(scope),
        Some(granted) => scope.granted(granted, app.store().registry(), action.needs),
    }
}

/// Refuses an app what its token does not allow.
fn lacking(app: &App, caller: &Caller, action: policy::Action) -> Result<Refused> {
    let message = "the app was not allowed this; ask for a scope that covers it";
    let error = Error::new(Kind::Forbidden, message).by_rule(INSUFFICIENT_SCOPE);
    let event =
        Event::by(caller, Pattern::Refuse).refused(format!("{action} {INSUFFICIENT_SCOPE}"));
    Ok(Refused { error, audited: app.begin_audit(event)? })
}

/// Refuses every app: for doors behind which a scope could not be kept to.
pub fn by_a_person(app: &App, caller: &Caller, action: policy::Action) -> Result<()> {
    if caller.granted.is_none() {
        return Ok(());
    }
    let Refused { error, audited } = lacking(app, caller, action)?;
    audited.wait()?;
    Err(error)
}

fn local_question(app: &App, caller: &Caller, action: Action) -> Result<(Question, Scope)> {
    let role = role(caller)?;
    if let Some((action, relation, only)) = of_accounts(app, caller, role, action)? {
        return Ok((question(app, caller, action, relation)?, Scope::all().only(only)));
    }
    let (action_word, relation, scope) = match (role, &caller.user.patient, action.patient) {
        (Role::Patient, Some(own), Some(action)) => {
            (action, Relation::SelfPatient, Scope::patient(own.clone()))
        }
        (Role::Patient, _, _) => (action.staff, Relation::Unrelated, Scope::all()),
        (Role::Proxy, Some(own), Some(action_word))
            if caller.user.acting.is_some() && action.is_for_proxies() =>
        {
            (action_word, Relation::Proxy, Scope::patient(own.clone()))
        }
        (Role::Proxy, _, _) => (action.staff, Relation::Unrelated, Scope::all()),
        // The state of the node, its agreements, the affairs of the network and research are nobody's
        // record.
        _ if matches!(
            action.staff,
            policy::Action::Operate
                | policy::Action::Agree
                | policy::Action::ReadAgreements
                | policy::Action::CouncilRead
                | policy::Action::CouncilDecide
                | policy::Action::ManageAccounts
                | policy::Action::ReadAccounts
                | policy::Action::ManageDatasets
                | policy::Action::Research
                | policy::Action::Explore
                | policy::Action::DecideProjects
                | policy::Action::ReadProjects
                | policy::Action::Represent
                | policy::Action::ReleaseAnswers
                | policy::Action::ReadResearch
                | policy::Action::Extract
        ) =>
        {
            (action.staff, Relation::Unrelated, Scope::all())
        }
        _ => (action.staff, Relation::Member, Scope::all()),
    };
    let mut question = question(app, caller, action_word, relation)?;
    question.content = action.content;
    question.entrusted = caller.user.acting.as_ref().is_some_and(|acting| match action_word {
        policy::Action::Consent => acting.rights.consents,
        policy::Action::Appoint => acting.rights.invites,
        _ => false,
    });
    Ok((question, scope))
}

/// What is asked, and of which Persons, by those who read some of them alone: operators and privacy
/// officers those of accounts, whoever is neither they nor a patient and does not treat or register
/// patients the one of the own account. Other Persons say who patients are.
fn of_accounts(
    app: &App,
    caller: &Caller,
    role: Role,
    action: Action,
) -> Result<Option<(policy::Action, Relation, Only)>> {
    let is_asked = action.needs.kind() == Some("Person")
        && matches!(action.staff, policy::Action::Read | policy::Action::Search);
    if !is_asked {
        return Ok(None);
    }
    let own = |caller: &Caller| {
        let id = crate::accounts::id_of_account(&caller.user.id)?;
        Ok(Some((policy::Action::OwnAccount, Relation::SelfPatient, Only::Person(id))))
    };
    match role {
        Role::Operator | Role::PrivacyOfficer => {
            let system = crate::accounts::resources::accounts_system(app);
            let only = Only::Accounts { system };
            Ok(Some((policy::Action::ReadAccounts, Relation::Unrelated, only)))
        }
        Role::Steward | Role::CouncilMember | Role::Researcher | Role::Representative => {
            own(caller)
        }
        // Whose right to act for somebody has ended is nobody, and not who they are themselves.
        Role::Proxy if caller.user.acting.is_none() => {
            let account = app.identity().accounts().get(&caller.user.id);
            let account = account.map_err(|e| Error::internal(e.to_string()))?;
            match account.is_some_and(|account| account.role == identity::Role::Proxy) {
                true => own(caller),
                false => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// What policy allows, without a trace of a refusal: for those who go on to [`authorise`] where
/// there is none.
pub fn permitted(app: &App, caller: &Caller, action: Action) -> Option<Permit> {
    let (question, scope) = local_question(app, caller, action).ok()?;
    if !app.policy().decide(&question).allowed {
        return None;
    }
    let scope = without_withheld(app, caller, action, scope).ok()?;
    let scope = within(app, caller, action, scope)?;
    Some(Permit { scope, account: caller.user.id.clone() })
}

/// Whether policy would allow it, without a trace: for leaving out what nobody asked for by name.
pub fn may(app: &App, caller: &Caller, action: Action) -> bool {
    permitted(app, caller, action).is_some()
}

/// Asks policy about a question to other institutions on `patient`; `granted` tells whether a
/// break-glass grant for this caller and patient holds.
pub fn authorise_asking(app: &App, caller: &Caller, patient: &Id, granted: bool) -> Result<Permit> {
    by_a_person(app, caller, policy::Action::Ask)?;
    let own = caller.user.patient.as_ref();
    let (relation, scope) = match role(caller)? {
        Role::Patient if own == Some(patient) => {
            (Relation::SelfPatient, Scope::patient(patient.clone()))
        }
        Role::Patient => return Err(Error::not_found()),
        // Others cannot know what is kept from them here.
        Role::Proxy => (Relation::Proxy, Scope::patient(patient.clone())),
        _ => (Relation::Member, Scope::all().without(app.withheld().kept_from(app, caller)?)),
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

/// The purpose of use of a request. A program that has signed what it asks for is kept to it: the
/// one that it states must be among those, and without a statement it is the first.
///
/// Errors: [`Kind::Forbidden`] for another purpose.
pub fn purpose(
    user: &crate::User,
    granted: Option<&crate::Granted>,
    stated: Option<String>,
) -> Result<String> {
    let signed = granted.and_then(|granted| granted.asserted.as_ref());
    match (signed.map(|asking| asking.purposes.as_slice()), stated) {
        (None, Some(stated)) => Ok(stated),
        (None, None) => Ok(default_purpose(user)),
        (Some(signed), Some(stated)) if signed.contains(&stated) => Ok(stated),
        (Some([first, ..]), None) => Ok(first.clone()),
        (Some(_), _) => {
            let message = "the token was given for another purpose; ask for a token for this one";
            Err(Error::new(Kind::Forbidden, message).by_rule("purpose-not-asserted"))
        }
    }
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
