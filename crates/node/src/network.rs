//! `consilium network`: a node's place in its network, at the terminal.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use wire::{Application, Asked, Council, Founders, MemberState, Motion, OrgId, Rotation, Sealed};

use crate::command::{runtime, say};
use crate::config::{self, Config};
use crate::keys::Keys;
use crate::keys::ring::Ring;
use crate::members::{self, Invitation, Order};
use crate::wiring::{Fault, system_clock};

/// How long a node has to answer an order.
const PATIENCE: Duration = Duration::from_secs(3);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What can be done with a node's place in its network.
#[derive(Subcommand)]
pub enum Task {
    /// Show the members, the council and its thresholds, and the founding keys
    ///
    /// The list is signed by its council: each new list needs the votes of the members that the list
    /// before names, as many as its thresholds say. Trust goes back to the founding keys in this way.
    Status {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
    },
    /// Print all that somebody needs to know this network: an invitation for `network join`
    ///
    /// It holds the lists since the first. Nothing in it is secret, but tell the founding keys that
    /// `network status` shows in another way too, by telephone for example: whoever joins believes
    /// whatever those keys lead to.
    Invite {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
    },
    /// Take over a network's lists from an invitation, in order to apply
    ///
    /// From then on the node believes the lists that the founding keys lead to. It is no member yet:
    /// continue with `network apply`. A node that was cut off for long, or that has new keys after a
    /// recovery, takes up the newest list in the same way.
    Join {
        /// The node's folder; the node must not be running
        #[arg(long)]
        dir: PathBuf,
        /// The file that a member made with `network invite`
        #[arg(long)]
        invitation: PathBuf,
        /// The founding keys, `KEY` or `2 of KEY KEY KEY`, as a member has told them
        #[arg(long)]
        founders: String,
    },
    /// Apply to become a member, with an application signed by the keys that are to stand in the list
    ///
    /// With `--to` it is handed in at a member's address for people and waits there on the page
    /// *Council*. Without, or where that member cannot be reached, it is printed as a line of text:
    /// send it to a council member of any institution, who puts it on the page
    /// *Council → New proposal*. The members see who applies, with which keys, and vote. Once enough
    /// have agreed, the new list reaches this node by itself within seconds, if it is running.
    /// From a member with new keys (`network new-keys`) it is the request to take these in place of
    /// those that were lost or stolen.
    Apply {
        /// The node's folder; the node may be running
        #[arg(long)]
        dir: PathBuf,
        /// Whom the others reach in matters of the network: name, telephone, mail
        #[arg(long)]
        contact: String,
        /// Why, for those who vote
        #[arg(long, default_value = "")]
        reason: String,
        /// Address of a member for people, `https://north.example`; it may be followed by the path
        /// under which the node answers
        #[arg(long)]
        to: Option<String>,
        /// Where this node answers other nodes, as they reach it; `https://` and `network_listen`
        /// where it is not given
        #[arg(long)]
        node_url: Option<String>,
    },
    /// Check an application and say what it holds
    Inspect {
        /// The file with the application
        application: PathBuf,
    },
    /// Replace the node's own keys, with the old ones as proof
    ///
    /// New keys are made beside those in use, and the old key signs that they take its place. Nobody votes
    /// on it: the nodes of the council check the signature and sign the next list. Both pairs are
    /// accepted during the overlap; restart the node within it, and it takes the new ones into use.
    /// Where a key was stolen, do not use this but `network new-keys` and a vote: it refuses the old
    /// key everywhere.
    RotateKeys {
        /// The node's folder; the node must be running
        #[arg(long)]
        dir: PathBuf,
        /// For how many days the old keys are accepted too, 1 to 30
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u8).range(1..=30))]
        overlap_days: u8,
    },
    /// Make new keys because the old ones were lost or stolen
    ///
    /// The node is no member by these keys until the council has voted: print a request with
    /// `network apply`, have a council member elsewhere put it on the page *Council → New proposal*
    /// as a recovery (or hand it in with `--to`), and take up the list that follows with `network join`. From then on the old
    /// keys are refused everywhere, connections and questions on their way included.
    NewKeys {
        /// The node's folder; the node must not be running
        #[arg(long)]
        dir: PathBuf,
    },
    /// Give a network that one key signs a council of its members (from lists of version 1)
    ///
    /// Makes the first list with a council and signs it with the council's key, for the last time.
    /// A node that runs puts it in force and hands it to the others, which must be of this version.
    Found {
        /// The node's folder
        #[arg(long)]
        dir: PathBuf,
        /// The council's private key, PEM
        #[arg(long)]
        key: PathBuf,
        /// The members with a seat, by their ids; all active members where none is given
        #[arg(long)]
        seat: Vec<OrgId>,
    },
    /// Stop talking to one institution, or to all, at once
    ///
    /// Handshakes are refused, open connections closed, answers on their way broken off, and nothing
    /// is asked there, within a second and until `network restore`; also after a restart. It is
    /// this node's own decision: the membership list stays as it is, and the others are not told.
    /// Propose a suspension on the page *Council* where the network should act.
    Cut {
        /// The node's folder
        #[arg(long)]
        dir: PathBuf,
        /// Whom
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        organisation: Option<OrgId>,
        /// Everybody
        #[arg(long)]
        all: bool,
        /// Why; it is written into the audit
        #[arg(long)]
        reason: String,
    },
    /// Take a cut back
    Restore {
        /// The node's folder
        #[arg(long)]
        dir: PathBuf,
        /// Whose
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        organisation: Option<OrgId>,
        /// Every cut
        #[arg(long)]
        all: bool,
        /// Why; it is written into the audit
        #[arg(long)]
        reason: String,
    },
}

/// Carries it out.
pub fn run(task: Task) -> Result<ExitCode, Fault> {
    match task {
        Task::Status { dir } => status(&dir)?,
        Task::Invite { dir } => say(&serde_json::to_string(&invitation(&dir)?)?),
        Task::Join { dir, invitation, founders } => join(&dir, &invitation, &founders)?,
        Task::Apply { dir, contact, reason, to, node_url } => {
            let sealed = application(&dir, &contact, &reason, node_url)?;
            match to {
                Some(to) => hand_in(&to, &sealed)?,
                None => say(&sealed.to_line()),
            }
        }
        Task::Inspect { application } => inspect(&application)?,
        Task::RotateKeys { dir, overlap_days } => return rotate(&dir, overlap_days),
        Task::NewKeys { dir } => new_keys(&dir)?,
        Task::Found { dir, key, seat } => return found(&dir, &key, seat),
        Task::Cut { dir, organisation, all: _, reason } => {
            let order = Order::Cut { organisation, reason, by: account() };
            return obeyed(&dir, &order);
        }
        Task::Restore { dir, organisation, all: _, reason } => {
            let order = Order::Restore { organisation, reason, by: account() };
            return obeyed(&dir, &order);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Name of the account of the machine, as far as its environment tells.
fn account() -> String {
    std::env::var("USER").unwrap_or_else(|_| "somebody".into())
}

fn obeyed(dir: &Path, order: &Order) -> Result<ExitCode, Fault> {
    // A folder that is no node's has nobody to obey.
    Config::read(dir)?;
    match members::order(dir, order, PATIENCE)? {
        Some(answer) if answer.done => say(&answer.message),
        Some(answer) => return Err(answer.message.into()),
        None => say("no node answers from this folder; it takes effect as soon as it starts"),
    }
    Ok(ExitCode::SUCCESS)
}

fn invitation(dir: &Path) -> Result<Invitation, Fault> {
    let founders: Founders = Config::read(dir)?.council_key.parse()?;
    Ok(Invitation { founders: founders.to_string(), lists: members::chain(dir, &founders)? })
}

fn status(dir: &Path) -> Result<(), Fault> {
    let config = Config::read(dir)?;
    let founders: Founders = config.council_key.parse()?;
    let lists = members::chain(dir, &founders)?;
    let own = OrgId::new(&config.organisation)?;
    let network = federation::Network::open_chain(&lists, founders, own.clone(), system_clock());
    let network = network?;
    let list = network.list();
    say(&format!("network          {}", list.network));
    say(&format!("list             {} of {}", list.serial, fhir::time::instant(list.issued)));
    say(&format!("valid until      {}", fhir::time::instant(list.expires)));
    say(&format!("founding keys    {}", network.founders()));
    match list.council() {
        None => say("council          one key; `consilium network found` gives the members votes"),
        Some(council) => {
            let unreachable = app::governance::tally::unreachable(&list);
            let t = &council.thresholds;
            say(&format!("council          {} seats", council.seats.len()));
            say(&format!(
                "votes needed     admit {}, suspend {}, expel {}, recover {}, council {}, renew {}, general {}",
                t.admit, t.suspend, t.expel, t.recover, t.council, t.renew, t.general
            ));
            if !unreachable.is_empty() {
                let what = unreachable.join(", ");
                say(&format!("                 too few seats to {what} a member that has one"));
            }
        }
    }
    if list.member(&own).is_none() {
        say(&format!("`{own}` is no member; apply with `consilium network apply`"));
    }
    for member in &list.members {
        let state = match member.state {
            MemberState::Active => "active",
            MemberState::Suspended => "suspended",
        };
        let seat = list.council().is_some_and(|council| council.seats.contains(&member.id));
        let seat = if seat { ", has a seat" } else { "" };
        say(&format!(
            "{:<16} {} ({state}{seat}) {}",
            member.id, member.display_name, member.node_url
        ));
    }
    Ok(())
}

fn join(dir: &Path, file: &Path, founders: &str) -> Result<(), Fault> {
    let path = dir.join(config::FILE);
    let config = Config::read(dir)?;
    let text = std::fs::read(file).map_err(|e| format!("cannot read `{}`: {e}", file.display()))?;
    let invitation: Invitation =
        serde_json::from_slice(&text).map_err(|_| "the file is no invitation")?;
    let founders: Founders = founders.parse()?;
    let own = OrgId::new(&config.organisation)?;
    let lists = &invitation.lists;
    let network =
        federation::Network::open_chain(lists, founders.clone(), own.clone(), system_clock())?;
    let list = network.list();
    let sample = std::fs::read_to_string(&path)?;
    let key = format!("council_key = {:?}", founders.to_string());
    let is_key = |line: &str| line.split(" = ").next() == Some("council_key");
    let changed: Vec<&str> =
        sample.lines().map(|line| if is_key(line) { key.as_str() } else { line }).collect();
    // What was known before stays beside, for whoever wants to go back.
    for name in [members::FILE, "membership"] {
        let old = dir.join(name);
        if old.exists() {
            std::fs::rename(&old, dir.join(format!("{name}.before-{}", system_clock()())))?;
        }
    }
    members::keep(dir, lists)?;
    members::write(&path, format!("{}\n", changed.join("\n")).as_bytes())?;
    say(&format!(
        "knows the network `{}` of {} members, list {}",
        list.network,
        list.members.len(),
        list.serial
    ));
    if list.member(&own).is_none() {
        say("it is no member yet: apply with `consilium network apply`");
    }
    Ok(())
}

fn hand_in(to: &str, sealed: &Sealed) -> Result<(), Fault> {
    let handed_in = runtime()?.block_on(federation::hand_in(to, sealed));
    let receipt = handed_in.map_err(|error| {
        let line = sealed.to_line();
        format!("{error}; a council member can take this text in its place:\n{line}")
    })?;
    let asks = match receipt.asks {
        Asked::Admit => "to become a member",
        Asked::Recover => "for new keys of a member",
    };
    say(&format!("handed in to the network `{}`, {asks}: `{}`", receipt.network, receipt.id));
    say("its council members see it on the page *Council*; tell one of them by telephone");
    Ok(())
}

fn application(
    dir: &Path,
    contact: &str,
    reason: &str,
    node_url: Option<String>,
) -> Result<Sealed, Fault> {
    let config = Config::read(dir)?;
    let keys = Keys::read(&dir.join("keys"))?;
    let founders: Founders = config.council_key.parse()?;
    let lists = members::chain(dir, &founders)?;
    let list = lists.last().ok_or("the folder holds no membership list")?.read()?;
    let org = OrgId::new(&config.organisation)?;
    let identity = federation::Identity::new(org, keys.assertion, keys.tls)?;
    let node_url = node_url.unwrap_or_else(|| format!("https://{}", config.network_listen));
    let mut member =
        identity.member(&config.name, &node_url, config.base_url.trim_end_matches('/'));
    member.contact = contact.trim().to_owned();
    let keys = (&identity.assertion_key, &identity.tls_key);
    Ok(Application::seal(&list.network, member, keys, reason, system_clock()())?)
}

fn inspect(file: &Path) -> Result<(), Fault> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| format!("cannot read `{}`: {e}", file.display()))?;
    let sealed = Sealed::from_line(&text).ok_or("the file is no application")?;
    let application: Application = sealed.open()?;
    Application::open(&sealed, &application.network)?;
    let member = &application.member;
    say(&format!("network          {}", application.network));
    say(&format!("institution      {} ({})", member.display_name, member.id));
    say(&format!("contact          {}", member.contact));
    say(&format!("other nodes      {}", member.node_url));
    say(&format!("people           {}", member.web_url));
    say(&format!("certificate      {}", member.tls_fingerprint));
    say(&format!("signs with       {}", member.assertion_key));
    say(&format!("made             {}", fhir::time::instant(application.made)));
    say("whoever made it has both keys");
    Ok(())
}

fn rotate(dir: &Path, overlap_days: u8) -> Result<ExitCode, Fault> {
    let config = Config::read(dir)?;
    let keys = Keys::read(&dir.join("keys"))?;
    let founders: Founders = config.council_key.parse()?;
    let list = members::chain(dir, &founders)?;
    let list = list.last().ok_or("the folder holds no membership list")?.read()?;
    let org = OrgId::new(&config.organisation)?;
    let member = list.member(&org).ok_or("this institution is no member of the network")?;
    let (assertion, tls) = Ring::make_next(&dir.join("keys"))?;
    let (tls_fingerprint, assertion_key) =
        (crypto::Fingerprint::of_key(&tls.public_key()), assertion.public_key());
    let until = system_clock()() + i64::from(overlap_days) * DAY_MS;
    let new = (tls_fingerprint, assertion_key);
    let rotation = Rotation::sign(&list.network, member, &keys.assertion, new, until)?;
    let motion = Motion::Rotate { organisation: org, tls_fingerprint, assertion_key, rotation };
    let code = obeyed(dir, &Order::Rotate { motion })?;
    say("restart the node once `consilium network status` shows the next list");
    Ok(code)
}

fn new_keys(dir: &Path) -> Result<(), Fault> {
    Config::read(dir)?;
    let keys = dir.join("keys");
    Ring::make_next(&keys)?;
    Ring::take_next(&keys)?;
    say("made new keys; print the request to the council with `consilium network apply`");
    Ok(())
}

fn found(dir: &Path, key: &Path, seats: Vec<OrgId>) -> Result<ExitCode, Fault> {
    let config = Config::read(dir)?;
    let founders: Founders = config.council_key.parse()?;
    let lists = members::chain(dir, &founders)?;
    let current = lists.last().ok_or("the folder holds no membership list")?.read()?;
    if current.governance.is_some() {
        return Err("the network has a council already; propose another one on the page".into());
    }
    let text = std::fs::read_to_string(key)
        .map_err(|e| format!("cannot read `{}`: {e}", key.display()))?;
    let key = crypto::SigningKey::from_pem(&text)?;
    let active = current.members.iter().filter(|member| member.state == MemberState::Active);
    let all: Vec<OrgId> = active.map(|member| member.id.clone()).collect();
    let council = Council::of(if seats.is_empty() { all } else { seats });
    let now = system_clock()();
    let (serial, expires) = (current.serial + 1, now + i64::from(council.valid_days) * DAY_MS);
    let mut next = current.with_council(council);
    (next.serial, next.issued, next.expires) = (serial, now, next.expires.max(expires));
    let list = next.sign(&key)?;
    list.founded(&founders)?;
    obeyed(dir, &Order::List { list })
}
