//! `consilium app`: registers apps and backend services at the command line.

use std::path::PathBuf;

use app::apps::register::{self, New, Proof};
use clap::{Args, Subcommand};

use crate::command::say;
use crate::wiring::{Fault, open, system_clock};

/// What can be done with apps.
#[derive(Subcommand)]
pub enum Task {
    /// Register an app that people allow, or a backend service; prints its id, and its secret once
    Add(Box<Add>),
    /// List registered apps
    List {
        /// The node's folder; with SQLite the node must not be running
        #[arg(long)]
        dir: PathBuf,
    },
    /// Remove an app; everything that it was allowed ends at once
    Remove {
        /// The node's folder; with SQLite the node must not be running
        #[arg(long)]
        dir: PathBuf,
        /// The app's id
        id: String,
    },
}

/// An app to be registered.
#[derive(Args)]
pub struct Add {
    /// The node's folder; with SQLite the node must not be running
    #[arg(long)]
    dir: PathBuf,
    /// What people call it
    #[arg(long)]
    name: String,
    /// Who made it and answers for it
    #[arg(long)]
    publisher: String,
    /// The most that it may be granted: SMART scopes separated by spaces
    #[arg(long)]
    scope: String,
    /// Where people are sent back to, exactly as the app will name it; may be given several times
    #[arg(long)]
    redirect: Vec<String>,
    /// Where the app is opened from a patient's record
    #[arg(long)]
    launch: Option<String>,
    #[command(flatten)]
    proof: ProofOf,
    /// For a backend service: the account whose permission it has, of role `service` for exports
    #[arg(long)]
    account: Option<String>,
}

/// How the app proves itself.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct ProofOf {
    /// It cannot keep a secret: it runs in a browser or on a telephone
    #[arg(long)]
    public: bool,
    /// By a secret, which is made and printed
    #[arg(long)]
    secret: bool,
    /// With the public keys in this file, a JWK set
    #[arg(long)]
    jwks: Option<PathBuf>,
    /// With the public keys at this address
    #[arg(long)]
    jwks_url: Option<String>,
}

/// Carries out a task.
pub fn run(task: Task) -> Result<(), Fault> {
    match task {
        Task::Add(add) => register_app(*add),
        Task::List { dir } => {
            let node = open(&dir, system_clock())?;
            for client in register::list(&node.app, None).map_err(|e| e.message)? {
                say(&format!("{}  {} ({})", client.id, client.name, client.publisher));
                say(&format!("    {}", client.scopes));
            }
            Ok(())
        }
        Task::Remove { dir, id } => {
            let node = open(&dir, system_clock())?;
            register::withdraw(&node.app, None, &id)
                .map_err(|_| format!("there is no app `{id}`; see `consilium app list`"))?;
            say(&format!("removed {id}"));
            Ok(())
        }
    }
}

fn register_app(add: Add) -> Result<(), Fault> {
    let proof = match add.proof {
        ProofOf { jwks: Some(file), .. } => {
            let keys = std::fs::read_to_string(&file);
            Proof::Keys(keys.map_err(|e| format!("`{}`: {e}", file.display()))?)
        }
        ProofOf { jwks_url: Some(address), .. } => Proof::KeyAddress(address),
        ProofOf { secret: true, .. } => Proof::Secret,
        ProofOf { .. } => Proof::Public,
    };
    let new = New {
        name: add.name,
        publisher: add.publisher,
        proof,
        redirects: add.redirect,
        launch: add.launch,
        scopes: add.scope,
        account: add.account,
    };
    let node = open(&add.dir, system_clock())?;
    let registered = register::register(&node.app, None, new).map_err(|e| e.message)?;
    say(&format!("client id      {}", registered.client.id));
    if let Some(secret) = &registered.secret {
        say(&format!("client secret  {}", secret.reveal()));
    }
    say(&format!("FHIR base      {}", app::apps::fhir_base(&node.app)));
    Ok(())
}
