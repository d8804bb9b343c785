//! `consilium demo`: several hospitals in one process, each a whole node with its own store, keys,
//! configuration and ports, joined by a signed membership list.
//!
//! The nodes are the same program as everywhere else. Only three things are the demo's own: where
//! the data come from, the accounts that it prints, and the story that it tells.

mod accounts;
mod data;
pub mod datasets;
mod story;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use app::App;
use app::records::import::Import;
use crypto::{SigningKey, SystemRandom};
use synthetic::{Site, sites};
use wire::{Council, Membership, OrgId};

use crate::config::{self, sample};
use crate::keys::Keys;
use crate::members;
use crate::serve::{Running, start};
use crate::wiring::{Fault, Node, open, system_clock};

/// Most hospitals in one process.
pub const MAX_HOSPITALS: usize = 20;
/// Distance between a hospital's port for people and its port for nodes.
const NETWORK_PORTS: u16 = 1000;
/// The hospital whose patient council is asked before its data are.
const COUNCIL: &str = "east";
/// Resources imported in one piece.
const PIECE: usize = 400;
/// A year, in milliseconds: how long the demo's membership list is valid.
const LIST_VALID_MS: i64 = 365 * 24 * 60 * 60 * 1000;

/// What the user asked for.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Load Synthea transaction bundles from this folder instead of generating patients
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// How many hospitals, 1 to 20
    #[arg(long, default_value_t = 3)]
    pub hospitals: usize,
    /// Hospital i (from 0) answers people on this port plus i, and other nodes 1000 above
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Keep all state in this folder; without it, a temporary one is used and removed
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Seed of everything that is made up
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Print the facts only, no story
    #[arg(long)]
    pub headless: bool,
}

/// Starts the demo and serves until it is interrupted.
pub async fn run(arguments: Arguments) -> Result<(), Fault> {
    if !(1..=MAX_HOSPITALS).contains(&arguments.hospitals) {
        return Err(format!("`--hospitals` must be from 1 to {MAX_HOSPITALS}").into());
    }
    let started = Instant::now();
    let temporary = tempfile::Builder::new().prefix("consilium-demo-").tempdir()?;
    let folder = arguments.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    let sites = sites(arguments.hospitals);
    let fresh = !folder.join("truth.json").exists();
    if fresh {
        prepare(&folder, &sites, arguments.port)?;
    }
    let mut nodes = Vec::new();
    for site in &sites {
        nodes.push(open(&folder.join(&site.org), system_clock())?);
    }
    if fresh {
        fill(&arguments, &folder, &sites, &nodes).await?;
    }
    let accounts = accounts::read(&folder)?;
    let mut running = Vec::new();
    for node in nodes {
        running.push(start(node).await?);
    }
    if fresh {
        for hospital in &running {
            tokio::spawn(datasets::make(hospital.app.clone()));
        }
    }
    story::tell(&arguments, &folder, &sites, &accounts, started.elapsed());
    serve(running).await;
    Ok(())
}

/// Serves until Ctrl-C or the termination signal.
async fn serve(running: Vec<Running>) {
    let mut terminated =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    let terminate = async {
        match &mut terminated {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
    for node in running {
        // A client that keeps a connection open must not keep the demo alive.
        let _ = tokio::time::timeout(Duration::from_secs(2), node.stop()).await;
    }
}

/// Makes folders, keys, configurations and the membership list.
fn prepare(folder: &Path, sites: &[Site], port: u16) -> Result<(), Fault> {
    let council = SigningKey::generate(&SystemRandom)?;
    let council_key = council.public_key().to_string();
    let mut listed = Vec::new();
    for (number, site) in (0..).zip(sites) {
        let home = folder.join(&site.org);
        let keys = Keys::create(&home.join("keys"))?;
        let people = address(port.checked_add(number))?;
        let nodes = address(port.checked_add(NETWORK_PORTS + number))?;
        let config = sample(&site.org, &site.name, people, nodes, &council_key);
        std::fs::write(home.join(config::FILE), adapted(&config, people, site.org == COUNCIL))?;
        let identity = federation::Identity::new(OrgId::new(&site.org)?, keys.assertion, keys.tls)?;
        listed.push(identity.member(&site.name, &format!("https://{nodes}"), &base_url(people)));
    }
    let now = system_clock()();
    // Every hospital has a seat: the founding key signs the first list and is forgotten.
    let seats = listed.iter().map(|member| member.id.clone()).collect();
    let list = Membership::first("consilium-demo", now, now + LIST_VALID_MS, listed);
    let list = list.with_council(Council::of(seats));
    let signed = list.sign(&council)?;
    for site in sites {
        members::keep(&folder.join(&site.org), std::slice::from_ref(&signed))?;
    }
    Ok(())
}

/// The configuration of a hospital to be tried out: at an address where browsers take passkeys, and
/// with accounts that begin without them; with a patient council that is asked, where it has one.
fn adapted(sample: &str, people: SocketAddr, has_council: bool) -> String {
    let base_url = format!("base_url = {:?}", base_url(people));
    let mut config = String::with_capacity(sample.len());
    for line in sample.lines() {
        config.push_str(match line.split(" = ").next() {
            Some("base_url") => &base_url,
            Some("passkey_roles") => "passkey_roles = []",
            Some("patient_council") if has_council => "patient_council = 1",
            _ => line,
        });
        config.push('\n');
    }
    config
}

fn base_url(people: SocketAddr) -> String {
    format!("http://localhost:{}", people.port())
}

fn address(port: Option<u16>) -> Result<SocketAddr, Fault> {
    let port = port.ok_or("the ports do not fit below 65536; choose a lower `--port`")?;
    Ok(SocketAddr::from(([127, 0, 0, 1], port)))
}

/// Loads the data into the hospitals and makes the accounts.
async fn fill(
    arguments: &Arguments,
    folder: &Path,
    sites: &[Site],
    nodes: &[Node],
) -> Result<(), Fault> {
    let apps: Vec<App> = nodes.iter().map(|node| node.app.clone()).collect();
    let (data, seed, sites) = (arguments.data.clone(), arguments.seed, sites.to_vec());
    let home = folder.to_owned();
    let headless = arguments.headless;
    let work = move || -> Result<(), Fault> {
        let now = system_clock()();
        let world = match &data {
            Some(folder) => data::load(folder, &sites, seed)?,
            None => data::generate(&sites, seed, now),
        };
        data::write_truth(&home, &world, data.as_deref(), seed)?;
        let progress = data::progress(&world, headless);
        std::thread::scope(|scope| {
            let loads: Vec<_> = sites
                .iter()
                .zip(&apps)
                .map(|(site, app)| {
                    let (world, progress) = (&world, &progress);
                    scope.spawn(move || put(app, site, world, progress))
                })
                .collect();
            loads.into_iter().try_for_each(|load| match load.join() {
                Ok(outcome) => outcome,
                Err(_) => Err("loading a hospital did not finish".into()),
            })
        })?;
        progress.finish_and_clear();
        accounts::make(&home, &sites, &apps, &world)
    };
    tokio::task::spawn_blocking(work).await?
}

/// Loads one hospital's share.
fn put(
    app: &App,
    site: &Site,
    world: &synthetic::World,
    progress: &indicatif::ProgressBar,
) -> Result<(), Fault> {
    let import = Import::new(app);
    let own = world.persons.iter().filter_map(|person| person.at.get(&site.org));
    let mut texts: Vec<&String> = world.shared.iter().collect();
    texts.extend(own.flat_map(|known| &known.resources));
    for piece in texts.chunks(PIECE) {
        let lines = piece.iter().map(|text| text.as_bytes().to_vec()).collect();
        let report = import.take_lines("demo", lines).map_err(|e| e.message)?;
        if let Some((at, reason)) = report.refused.first() {
            return Err(format!("`{}` did not take resource {at}: {reason}", site.org).into());
        }
        progress.inc(piece.len() as u64);
    }
    Ok(())
}
