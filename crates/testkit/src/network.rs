//! Networks of whole nodes in this process, on free ports of the loopback interface.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use app::App;
use app::records::import::Import;
use crypto::{SigningKey, SystemRandom};
use fhir::Id;
use identity::{NewAccount, Password, Role, base32};
use node::keys::Keys;
use node::{config, wiring};
use synthetic::{Site, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use wire::{Council, Membership, OrgId};

use crate::client::{Account, Fault};

/// Resources imported in one piece.
const PIECE: usize = 400;
/// How long a membership list of this kind is valid, in milliseconds.
const VALID_MS: i64 = 24 * 60 * 60 * 1000;
/// A question ends after 10 s at the latest; then a stopped node has nothing to hold on to.
const LET_GO: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(50);

/// Where a hospital of the network lives.
#[derive(Clone, Debug)]
pub struct Place {
    /// The hospital.
    pub site: Site,
    /// The node's folder.
    pub folder: PathBuf,
    /// Where it answers people.
    pub people: SocketAddr,
    /// Where it answers other nodes.
    pub nodes: SocketAddr,
}

impl Place {
    /// Base URL for people and programs.
    pub fn base(&self) -> String {
        format!("http://{}", self.people)
    }

    /// Opens the node. Blocks.
    pub fn open(&self) -> Result<wiring::Node, Fault> {
        wiring::open(&self.folder, wiring::system_clock())
    }

    /// Opens the node as soon as one that has just been stopped here has let go of the store,
    /// which it does when its last question has ended. Returns how long that took. Blocks.
    pub fn open_again(&self) -> Result<(wiring::Node, Duration), Fault> {
        let started = Instant::now();
        loop {
            match self.open() {
                Ok(node) => return Ok((node, started.elapsed())),
                Err(error) if started.elapsed() > LET_GO => return Err(error),
                Err(error) if error.to_string().contains("is open already") => {
                    std::thread::sleep(POLL);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Lets HTTPS clients of this process find their cryptography.
pub fn use_cryptography() {
    // Fails only where it is set already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Makes the folders of nodes for `sites` below `folder`: keys, configurations with ports that
/// are free at this moment, and the signed membership list that joins them.
pub fn prepare(folder: &Path, sites: &[Site]) -> Result<Vec<Place>, Fault> {
    let council = SigningKey::generate(&SystemRandom)?;
    let council_key = council.public_key().to_string();
    // All are held until all are known, so that none is given out twice.
    let mut held = Vec::new();
    let mut free = || -> Result<SocketAddr, Fault> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        held.push(listener);
        Ok(address)
    };
    let (mut places, mut members) = (Vec::new(), Vec::new());
    for site in sites {
        let home = folder.join(&site.org);
        let keys = Keys::create(&home.join("keys"))?;
        let (people, nodes) = (free()?, free()?);
        let text = config::sample(&site.org, &site.name, people, nodes, &council_key);
        std::fs::write(home.join(config::FILE), text)?;
        let identity = federation::Identity::new(OrgId::new(&site.org)?, keys.assertion, keys.tls)?;
        let (node_url, web_url) = (format!("https://{nodes}"), format!("http://{people}"));
        members.push(identity.member(&site.name, &node_url, &web_url));
        places.push(Place { site: site.clone(), folder: home, people, nodes });
    }
    let now = wiring::system_clock()();
    let list = Membership::first("testkit", now, now + VALID_MS, members);
    let seats = list.members.iter().map(|member| member.id.clone()).collect();
    let list = list.with_council(Council::of(seats));
    let signed = list.sign(&council)?.to_json();
    for place in &places {
        std::fs::write(place.folder.join("membership.json"), &signed)?;
    }
    Ok(places)
}

/// Loads one hospital's share of `world`. Blocks. Returns how many resources it took.
pub fn fill(app: &App, org: &str, world: &World) -> Result<usize, Fault> {
    let import = Import::new(app);
    let own = world.persons.iter().filter_map(|person| person.at.get(org));
    let mut texts: Vec<&String> = world.shared.iter().collect();
    texts.extend(own.flat_map(|known| &known.resources));
    for piece in texts.chunks(PIECE) {
        let lines = piece.iter().map(|text| text.as_bytes().to_vec()).collect();
        let report = import.take_lines("testkit", lines).map_err(|e| e.message)?;
        if let Some((at, reason)) = report.refused.first() {
            return Err(format!("`{org}` did not take resource {at}: {reason}").into());
        }
    }
    Ok(texts.len())
}

/// Makes an account of `role` with a second factor. Blocks.
pub fn account(
    app: &App,
    role: Role,
    username: &str,
    patient: Option<Id>,
) -> Result<Account, Fault> {
    let accounts = app.identity().accounts();
    let secret = accounts.new_totp_secret()?;
    let totp_secret = base32(secret.reveal());
    let password = crypto::random::token(&SystemRandom, 15)?;
    accounts.create(
        NewAccount {
            username: username.to_owned(),
            display_name: username.to_owned(),
            role,
            patient,
            practitioner: (role == Role::Clinician).then(|| format!("Practitioner/{username}")),
            password: Password::plain(password.clone()),
            totp_secret: Some(secret),
        },
        app.now_ms(),
    )?;
    Ok(Account {
        hospital: app.org().id.clone(),
        role: role.code().to_owned(),
        base: app.org().base_url.clone(),
        username: username.to_owned(),
        password,
        totp_secret,
    })
}

/// Takes connections on `address` and never says a word, until the returned task is aborted.
pub async fn be_silent(address: SocketAddr) -> Result<JoinHandle<()>, Fault> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    Ok(tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    }))
}

/// Moves the door for other nodes of a node that is not running to another free port, where no
/// peer looks for it. Returns that address.
pub fn hide(place: &Place) -> Result<SocketAddr, Fault> {
    let hidden = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let file = place.folder.join(config::FILE);
    let text = std::fs::read_to_string(&file)?;
    let line = |address: SocketAddr| format!("network_listen = \"{address}\"");
    let own = node::config::Config::read(&place.folder)?.network_listen;
    let changed = text.replace(&line(own), &line(hidden));
    if changed == text {
        return Err("the configuration has no `network_listen` to change".into());
    }
    std::fs::write(file, changed)?;
    Ok(hidden)
}

/// Stands on `address` before the node at `hidden`: lets the TLS handshake through and then keeps
/// every answer back, as a node does that hangs. Ends when the returned task is aborted.
pub async fn stall(address: SocketAddr, hidden: SocketAddr) -> Result<JoinHandle<()>, Fault> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    Ok(tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            connections.spawn(async move {
                // A connection that breaks is the end of that connection only.
                let _ = stalled(client, hidden).await;
            });
        }
    }))
}

async fn stalled(client: TcpStream, hidden: SocketAddr) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_node, mut to_node) = TcpStream::connect(hidden).await?.into_split();
    let (began, shaken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (node_began, client_shaken) = (began.clone(), shaken.clone());
    let forth = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let size = from_client.read(&mut buffer).await?;
            if size == 0 {
                return std::io::Result::Ok(());
            }
            // The client speaks a second time only once it has the node's whole first flight.
            client_shaken.fetch_or(node_began.load(Ordering::SeqCst), Ordering::SeqCst);
            to_node.write_all(buffer.get(..size).unwrap_or_default()).await?;
        }
    };
    let back = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let size = from_node.read(&mut buffer).await?;
            if size == 0 {
                return std::io::Result::Ok(());
            }
            if !shaken.load(Ordering::SeqCst) {
                began.store(true, Ordering::SeqCst);
                to_client.write_all(buffer.get(..size).unwrap_or_default()).await?;
            }
        }
    };
    tokio::try_join!(forth, back).map(drop)
}
