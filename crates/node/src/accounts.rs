//! `consilium account`: accounts at the command line, of a node that runs and of one that does not.
//!
//! A node that runs has its store to itself, so it is asked by an order in its folder
//! ([`crate::members::order`]). Its answer may hold a password: it is sealed under the node's key, which
//! whoever asked has to open anyway.

use std::path::{Path, PathBuf};
use std::time::Duration;

use app::App;
use app::accounts::add::New;
use app::accounts::change::Change;
use app::accounts::list::{PAGE, Row, Wanted};
use app::accounts::{add, change, list};
use app::session::{outside, recover};
use clap::{Args, Subcommand};
use identity::{Role, base32};
use serde::{Deserialize, Serialize};

use crate::command::say;
use crate::config::Config;
use crate::members::{self, Order};
use crate::stores::Location;
use crate::wiring::{Fault, open, system_clock};

/// How long a node that runs is waited for: it may be busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it is waited for whether one runs at all, where the store would let two in.
const KNOCK: Duration = Duration::from_secs(3);

/// What can be done with accounts. The node may be running.
#[derive(Subcommand)]
pub enum Task {
    /// Add an account; prints its password and one-time code secret
    Add(Add),
    /// List accounts
    List {
        /// The node's folder
        #[arg(long)]
        dir: PathBuf,
        /// Words that stand in the username or the name
        #[arg(long, default_value = "")]
        search: String,
        /// Only of this role
        #[arg(long)]
        role: Option<String>,
    },
    /// Show one account: who it is here, its role and its second factors
    Show(Named),
    /// Give an account another role, or another specialty; its sessions end with the role
    Role {
        /// Which account
        #[command(flatten)]
        named: Named,
        /// clinician, privacy-officer, operator, registrar, steward, council-member, patient or proxy
        #[arg(long)]
        role: Option<String>,
        /// What somebody is specialised in: words, or `system|code`; empty for nothing
        #[arg(long)]
        specialty: Option<String>,
        /// The Patient's id, for role patient
        #[arg(long)]
        patient: Option<String>,
    },
    /// Forbid signing in, and end every session and what apps were allowed
    Disable(Named),
    /// Allow signing in again
    Enable(Named),
    /// Give an account back to somebody who has lost password and second factor: ends its sessions,
    /// takes its passkeys and codes away, and prints a new password with a code good for a day
    Recover {
        /// Which account
        #[command(flatten)]
        named: Named,
        /// Print a secret for one-time codes too, for a node where passkeys cannot be had
        #[arg(long)]
        one_time_codes: bool,
    },
    /// Say who an account is: a Practitioner or Patient of this institution, or an account at an
    /// outside provider of `node.toml`, when you know whose that is
    Link(Link),
    /// Remove the links of an account to an outside provider; sessions that began there end
    Unlink {
        /// Which account
        #[command(flatten)]
        named: Named,
        /// The provider's id in `node.toml`, or the issuer of one that is no longer there
        #[arg(long)]
        provider: String,
    },
}

/// An account to be made.
#[derive(Args)]
pub struct Add {
    #[command(flatten)]
    named: Named,
    /// clinician, privacy-officer, operator, registrar, steward, council-member, patient, proxy or
    /// service
    #[arg(long)]
    role: String,
    /// Name to show
    #[arg(long)]
    name: String,
    /// The Patient's id, for role patient
    #[arg(long)]
    patient: Option<String>,
    /// Who it is as a resource, `Practitioner/x`; the node makes one where it is not given
    #[arg(long)]
    practitioner: Option<String>,
    /// What somebody is specialised in: words, or `system|code`
    #[arg(long)]
    specialty: Option<String>,
}

/// Which account of which node.
#[derive(Args)]
pub struct Named {
    /// The node's folder
    #[arg(long)]
    dir: PathBuf,
    /// Name to sign in with
    #[arg(long)]
    username: String,
}

/// Who an account is.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).args(["provider", "practitioner", "patient"]))]
pub struct Link {
    #[command(flatten)]
    named: Named,
    /// The provider's id in `node.toml`
    #[arg(long, requires = "subject")]
    provider: Option<String>,
    /// The name of the account there: the value of `sub`, or of the claim in `account_claim`
    #[arg(long, requires = "provider")]
    subject: Option<String>,
    /// `Practitioner/x` of this institution
    #[arg(long)]
    practitioner: Option<String>,
    /// The Patient's id, for an account of role patient
    #[arg(long)]
    patient: Option<String>,
}

/// The same, as it is asked of a node that runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Asked {
    /// Make an account.
    Add {
        /// Name to sign in with.
        username: String,
        /// Name to show.
        name: String,
        /// Code of the role.
        role: String,
        /// The Patient's id.
        patient: Option<String>,
        /// `Practitioner/x`.
        practitioner: Option<String>,
        /// The specialty.
        specialty: Option<String>,
    },
    /// List accounts.
    List {
        /// Words of the username or the name.
        search: String,
        /// Code of the role.
        role: Option<String>,
    },
    /// Show one.
    Show {
        /// Which.
        username: String,
    },
    /// Change one.
    Change {
        /// Which.
        username: String,
        /// Code of the new role.
        role: Option<String>,
        /// The Patient's id.
        patient: Option<String>,
        /// `Practitioner/x`.
        practitioner: Option<String>,
        /// The specialty, empty for none.
        specialty: Option<String>,
        /// Whether signing in is forbidden.
        disabled: Option<bool>,
    },
    /// Give one back.
    Recover {
        /// Which.
        username: String,
        /// Whether a secret for one-time codes is made.
        one_time_codes: bool,
    },
    /// Link one to an account at an outside provider.
    Link {
        /// Which.
        username: String,
        /// The provider.
        provider: String,
        /// The account there.
        subject: String,
    },
    /// Remove such links.
    Unlink {
        /// Which.
        username: String,
        /// The provider.
        provider: String,
    },
}

/// Carries out a task.
pub fn run(task: Task) -> Result<(), Fault> {
    let (dir, asked) = asked(task);
    for line in told(&dir, asked)?.lines() {
        say(line);
    }
    Ok(())
}

fn asked(task: Task) -> (PathBuf, Asked) {
    let change = |username: String| Asked::Change {
        username,
        role: None,
        patient: None,
        practitioner: None,
        specialty: None,
        disabled: None,
    };
    match task {
        Task::Add(Add {
            named: Named { dir, username },
            role,
            name,
            patient,
            practitioner,
            specialty,
        }) => (dir, Asked::Add { username, name, role, patient, practitioner, specialty }),
        Task::List { dir, search, role } => (dir, Asked::List { search, role }),
        Task::Show(Named { dir, username }) => (dir, Asked::Show { username }),
        Task::Role { named: Named { dir, username }, role, specialty, patient } => {
            let (practitioner, disabled) = (None, None);
            (dir, Asked::Change { username, role, patient, practitioner, specialty, disabled })
        }
        Task::Disable(Named { dir, username }) => (dir, ending(change(username), true)),
        Task::Enable(Named { dir, username }) => (dir, ending(change(username), false)),
        Task::Recover { named: Named { dir, username }, one_time_codes } => {
            (dir, Asked::Recover { username, one_time_codes })
        }
        Task::Link(Link { named, provider: Some(provider), subject: Some(subject), .. }) => {
            (named.dir, Asked::Link { username: named.username, provider, subject })
        }
        Task::Link(Link { named: Named { dir, username }, practitioner, patient, .. }) => {
            let (role, specialty, disabled) = (None, None, None);
            (dir, Asked::Change { username, role, patient, practitioner, specialty, disabled })
        }
        Task::Unlink { named: Named { dir, username }, provider } => {
            (dir, Asked::Unlink { username, provider })
        }
    }
}

fn ending(asked: Asked, end: bool) -> Asked {
    match asked {
        Asked::Change { username, role, patient, practitioner, specialty, .. } => {
            let disabled = Some(end);
            Asked::Change { username, role, patient, practitioner, specialty, disabled }
        }
        other => other,
    }
}

/// What comes of it, at the node that runs or here.
fn told(dir: &Path, asked: Asked) -> Result<String, Fault> {
    // A server lets two in, and a node that runs would not learn of what another has changed.
    let lets_two_in = matches!(Config::read(dir)?.location(dir)?, Location::Postgres(_));
    if lets_two_in && let Some(told) = ordered(dir, &asked, KNOCK)? {
        return Ok(told);
    }
    match open(dir, system_clock()) {
        Ok(node) => Ok(carry_out(&node.app, asked)?),
        Err(error) if error.to_string().contains("is open already") => {
            let told = ordered(dir, &asked, PATIENCE)?;
            told.ok_or_else(|| "the node runs and does not answer; look at its log".into())
        }
        Err(error) => Err(error),
    }
}

fn ordered(dir: &Path, asked: &Asked, patience: Duration) -> Result<Option<String>, Fault> {
    match members::confidential(dir, &Order::Account { asked: asked.clone() }, patience)? {
        Some(answer) if answer.done => Ok(Some(answer.message)),
        Some(answer) => Err(answer.message.into()),
        None => Ok(None),
    }
}

/// Does what is asked, for whoever holds the node's folder. Returns the lines to print.
///
/// Errors: what to tell.
pub fn carry_out(app: &App, asked: Asked) -> Result<String, String> {
    let done = match asked {
        Asked::Add { username, name, role, patient, practitioner, specialty } => {
            let role = self::role(&role)?;
            let patient = patient.map(patient_id).transpose()?;
            let (specialty, password) = (specialty.filter(|text| !text.is_empty()), None);
            let new = New { username, name, role, patient, practitioner, specialty, password };
            add::add(app, None, new).map(|added| {
                format!(
                    "username              {}\npassword              {}\none-time code secret  {}",
                    added.account.username,
                    added.password.reveal(),
                    base32(added.totp_secret.reveal())
                )
            })
        }
        Asked::List { search, role } => {
            let role = role.as_deref().map(self::role).transpose()?;
            return listed(app, search, role);
        }
        Asked::Show { username } => list::show(app, None, &username).map(|row| shown(&row)),
        Asked::Change { username, role, patient, practitioner, specialty, disabled } => {
            let asked = Change {
                name: None,
                role: role.as_deref().map(self::role).transpose()?,
                patient: patient.map(patient_id).transpose()?,
                practitioner: practitioner.map(Some),
                specialty: specialty.map(|text| Some(text).filter(|text| !text.is_empty())),
                disabled,
            };
            change::change(app, None, &username, &asked)
                .and_then(|_| list::show(app, None, &username))
                .map(|row| shown(&row))
        }
        Asked::Recover { username, one_time_codes } => {
            recover::recover(app, None, &username, one_time_codes)
                .map(|recovered| given_back(&username, &recovered))
        }
        Asked::Link { username, provider, subject } => {
            outside::link_by_operator(app, &username, &provider, &subject)
                .map(|()| format!("`{username}` may sign in through `{provider}` as `{subject}`"))
        }
        Asked::Unlink { username, provider } => {
            outside::unlink_by_operator(app, &username, &provider)
                .map(|removed| format!("{removed} links of `{username}` to `{provider}` removed"))
        }
    };
    done.map_err(|error| error.message)
}

fn role(code: &str) -> Result<Role, String> {
    Role::from_code(code).ok_or_else(|| {
        let codes: Vec<_> = Role::ALL.iter().map(|role| role.code()).collect();
        format!("the role is one of {}", codes.join(", "))
    })
}

fn patient_id(id: String) -> Result<fhir::Id, String> {
    fhir::Id::new(id.strip_prefix("Patient/").unwrap_or(&id)).map_err(|e| e.to_string())
}

fn listed(app: &App, search: String, role: Option<Role>) -> Result<String, String> {
    let mut wanted = Wanted { text: search, role, disabled: None, offset: 0 };
    let mut lines = Vec::new();
    loop {
        let found = list::list(app, None, &wanted).map_err(|e| e.message)?;
        for row in &found.rows {
            let account = &row.account;
            lines.push(format!(
                "{:<24} {:<16} {:<9} {}",
                account.username.as_str(),
                account.role.code(),
                if account.disabled { "disabled" } else { "open" },
                account.display_name
            ));
        }
        wanted.offset += PAGE;
        if found.rows.is_empty() || wanted.offset >= found.total {
            return Ok(lines.join("\n"));
        }
    }
}

fn shown(row: &Row) -> String {
    let account = &row.account;
    let patient = account.patient.as_ref().map(|id| format!("Patient/{id}"));
    let since = fhir::time::instant(account.role_since_ms);
    let mut lines = vec![
        format!("username        {}", account.username),
        format!("name            {}", account.display_name),
        format!("role            {} since {since}", account.role.code()),
        format!("state           {}", if account.disabled { "disabled" } else { "open" }),
        format!("resource        {}", row.resource),
    ];
    lines.extend(account.practitioner.iter().map(|who| format!("practitioner    {who}")));
    lines.extend(patient.iter().map(|who| format!("patient         {who}")));
    lines.extend(row.specialty.iter().map(|text| format!("specialty       {text}")));
    let codes = if account.has_totp { "one-time codes" } else { "no one-time codes" };
    let (passkeys, recovery) = (account.passkeys.len(), account.recovery_codes);
    lines.push(format!("second factors  {passkeys} passkeys, {codes}, {recovery} recovery codes"));
    lines.extend(row.signed_in_ms.map(|ms| format!("signed in       {}", fhir::time::instant(ms))));
    lines.join("\n")
}

fn given_back(username: &str, recovered: &recover::Recovered) -> String {
    let mut lines = vec![
        format!("username              {username}"),
        format!("password              {}", recovered.password.reveal()),
        format!("recovery code         {}", recovered.code.reveal()),
    ];
    let secret = recovered.totp_secret.iter();
    lines.extend(secret.map(|secret| format!("one-time code secret  {}", base32(secret.reveal()))));
    lines.push(
        "the code is good once and for a day; sign in with both and set up a second factor".into(),
    );
    lines.join("\n")
}
