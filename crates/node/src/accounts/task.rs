//! What can be asked about accounts at the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Asked;

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
        /// clinician, privacy-officer, operator, registrar, steward, council-member, researcher, representative, patient
        /// or proxy
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
    /// clinician, privacy-officer, operator, registrar, steward, council-member, researcher, representative, patient,
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

/// The node's folder, and what is asked of it.
pub(super) fn asked(task: Task) -> (PathBuf, Asked) {
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
