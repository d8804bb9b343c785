//! Servers as child processes: started, measured from outside, ended.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fhir::definitions::definitions;
use identity::Role;
use serde::Deserialize;
use serde_json::{Value, json};
use synthetic::sites;
use tempfile::TempDir;

use super::wire::{Ask, Connection, Door};
use crate::client::{Client, Fault};
use crate::crash::child::{Program, Running, find as find_ours};
use crate::figures::{cpu_seconds_of, resident_bytes};
use crate::network::{account, prepare};

/// How long a server may take to answer after a start.
const START: Duration = Duration::from_secs(120);
/// How long a server may go on working for itself after it has answered.
const REST: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// How another maker's server is started.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Name and version.
    pub name: String,
    /// The command that installs it.
    pub install: String,
    /// The program, looked for in the given folder and on the path.
    program: String,
    arguments: Vec<String>,
    /// A path that answers once it is ready.
    ready: String,
    /// Path of its FHIR API.
    base: String,
    #[serde(default)]
    environment: std::collections::BTreeMap<String, String>,
    /// A file in its folder that it reads the published search parameters from, as a Bundle.
    #[serde(default)]
    search_parameters: Option<String>,
}

#[derive(Deserialize)]
struct Peers {
    peer: Vec<Peer>,
}

/// The peers of a file such as `bench/peers.toml`.
pub fn peers(file: &Path) -> Result<Vec<Peer>, Fault> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("`{}`: {e}", file.display()))?;
    Ok(toml::from_str::<Peers>(&text)?.peer)
}

/// A server that runs; it ends when this is dropped.
pub struct Server {
    /// Name and version.
    pub name: String,
    /// Where it is asked.
    pub door: Door,
    /// Path of its FHIR API.
    pub base: String,
    data: PathBuf,
    // Dropped in this order: the process ends before its folder goes.
    process: Running,
    _folder: TempDir,
}

impl Server {
    /// A node of ours, as an institution runs it, asked by a clinician who is signed in.
    pub async fn consilium() -> Result<Self, Fault> {
        let folder = tempfile::Builder::new().prefix("consilium-bench-").tempdir()?;
        let place = prepare(folder.path(), &sites(1))?.into_iter().next().ok_or("no hospital")?;
        let (address, data) = (place.people, place.folder.join("store"));
        let program = Program::new(find_ours(None)?, place);
        let account = program.add_account("clinician", "bench-clinician", None)?;
        let (running, _) = program.serve().await?;
        let token = Client::sign_in(&account).await?.token().to_owned();
        Ok(Self {
            name: "consilium".into(),
            door: Door { address, token: Some(token) },
            base: "/fhir".into(),
            data,
            process: running,
            _folder: folder,
        })
    }

    /// A node of ours that this program serves itself, with an audit or without one.
    pub async fn of_this_program(audited: bool) -> Result<Self, Fault> {
        let folder = tempfile::Builder::new().prefix("consilium-bench-").tempdir()?;
        let place = prepare(folder.path(), &sites(1))?.into_iter().next().ok_or("no hospital")?;
        let door = place.clone();
        let account = tokio::task::spawn_blocking(move || {
            account(&door.open()?.app, Role::Clinician, "bench-clinician", None)
        });
        let account = account.await??;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve").arg(&place.folder);
        if !audited {
            command.arg("--unaudited");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Self {
            name: if audited { "with its audit" } else { "without" }.into(),
            door: Door { address: place.people, token: None },
            base: "/fhir".into(),
            data: place.folder.join("store"),
            process: Running::from(command.spawn()?),
            _folder: folder,
        };
        server.wait_for("/healthz").await?;
        server.door.token = Some(Client::sign_in(&account).await?.token().to_owned());
        Ok(server)
    }

    /// Another maker's server; `None` where it is not installed.
    pub async fn peer(peer: &Peer, programs: Option<&Path>) -> Result<Option<Self>, Fault> {
        let Some(program) = find(&peer.program, programs) else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("peer-bench-").tempdir()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let dir = folder.path().to_string_lossy().into_owned();
        let fill = |text: &String| text.replace("{port}", &port.to_string()).replace("{dir}", &dir);
        if let Some(file) = &peer.search_parameters {
            std::fs::write(folder.path().join(file), published_parameters().to_string())?;
        }
        let mut command = Command::new(program);
        command
            .args(peer.arguments.iter().map(fill))
            .envs(peer.environment.iter().map(|(name, value)| (name, fill(value))))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Running::from(command.spawn()?);
        let server = Self {
            name: peer.name.clone(),
            door: Door { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), token: None },
            base: peer.base.clone(),
            data: folder.path().to_owned(),
            process,
            _folder: folder,
        };
        server.wait_for(&peer.ready).await?;
        Ok(Some(server))
    }

    async fn wait_for(&self, path: &str) -> Result<(), Fault> {
        let started = Instant::now();
        while started.elapsed() < START {
            if let Ok(mut connection) = Connection::open(&self.door).await
                && let Ok((status, _)) = connection.send(&Ask::get(path)).await
                && status.is_success()
            {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(format!("{} did not answer within {} s", self.name, START.as_secs()).into())
    }

    /// CPU seconds that it has used so far.
    pub fn cpu(&self) -> Result<f64, Fault> {
        cpu_seconds_of(&self.process.id().to_string())
    }

    /// CPU seconds that it has used once it has come to rest.
    pub async fn rest(&self) -> Result<f64, Fault> {
        let (started, mut last, mut calm) = (Instant::now(), self.cpu()?, 0);
        while calm < 4 && started.elapsed() < REST {
            tokio::time::sleep(2 * POLL).await;
            let now = self.cpu()?;
            calm = if now - last > 0.011 { 0 } else { calm + 1 };
            last = now;
        }
        Ok(last)
    }

    /// Memory that it holds, in bytes (resident set).
    pub fn memory(&self) -> Result<u64, Fault> {
        resident_bytes(&self.process.id().to_string())
    }

    /// What it takes on disk, in bytes.
    pub fn disk(&self) -> Result<u64, Fault> {
        super::import::folder_size(&self.data)
    }
}

/// The search parameters of FHIR R4 as a Bundle.
fn published_parameters() -> Value {
    let name = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
    let resources = definitions().search_parameters().iter().map(|param| {
        let mut resource = json!({
            "resourceType": "SearchParameter",
            "id": name(param.url),
            "url": param.url,
            "name": param.code,
            "status": "active",
            "code": param.code,
            "base": param.base,
            "type": param.param_type,
            "target": param.targets,
            "component": param
                .components
                .iter()
                .map(|part| json!({"definition": part.definition, "expression": part.expression}))
                .collect::<Vec<_>>(),
        });
        if let Some(expression) = param.expression {
            resource["expression"] = expression.into();
        }
        json!({"fullUrl": param.url, "resource": resource})
    });
    json!({"resourceType": "Bundle", "type": "collection", "entry": resources.collect::<Vec<_>>()})
}

fn find(program: &str, folder: Option<&Path>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folder.map(Path::to_owned).into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
