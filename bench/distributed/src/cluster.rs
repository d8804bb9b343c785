//! Ballista's scheduler and executors as processes of their own, on the loopback interface.
//!
//! Each ends when its standard input does, so none is left behind when whoever started them is killed.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ballista::prelude::{SessionConfigExt as _, SessionContextExt as _};
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::{Fault, limits, runtime, text};

/// How long the processes have to find each other.
const START_TIME: Duration = Duration::from_secs(60);
/// The pause between two looks.
const GLANCE: Duration = Duration::from_millis(100);
/// Memory that an executor may use for a query.
const MEMORY_BYTES: u64 = 4 << 30;
const HOST: &str = "127.0.0.1";

/// The scheduler's arguments.
#[derive(clap::Args)]
pub struct Scheduler {
    /// Where it answers, on the loopback interface
    #[arg(long)]
    port: u16,
    /// With how many executors it is ready
    #[arg(long)]
    executors: usize,
}

/// An executor's arguments.
#[derive(clap::Args)]
pub struct Executor {
    /// The scheduler's port
    #[arg(long)]
    scheduler: u16,
    /// Where it hands out what it has found
    #[arg(long)]
    port: u16,
    /// Where it takes tasks
    #[arg(long)]
    grpc_port: u16,
    /// The core to stay on
    #[arg(long)]
    core: usize,
    /// The folder for what lies between two stages of a query
    #[arg(long)]
    work: PathBuf,
}

/// Runs the scheduler.
pub fn schedule(arguments: &Scheduler) -> Result<(), Fault> {
    end_with_input();
    let config = SchedulerConfig {
        external_host: HOST.into(),
        bind_host: HOST.into(),
        bind_port: arguments.port,
        min_ready_executors: arguments.executors,
        ..SchedulerConfig::default()
    };
    runtime()?.block_on(async {
        let cluster = BallistaCluster::new_from_config(&config).await?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
        start_server(cluster, address, Arc::new(config)).await?;
        Ok(())
    })
}

/// Runs an executor.
pub fn execute(arguments: Executor) -> Result<(), Fault> {
    end_with_input();
    limits::stay_on(&[arguments.core])?;
    let config = ExecutorProcessConfig {
        bind_host: HOST.into(),
        external_host: Some(HOST.into()),
        port: arguments.port,
        grpc_port: arguments.grpc_port,
        scheduler_host: HOST.into(),
        scheduler_port: arguments.scheduler,
        scheduler_connect_timeout_seconds: 30,
        vcores: 1,
        work_dir: Some(text(&arguments.work)?.to_owned()),
        memory_pool_size: Some(MEMORY_BYTES),
        ..ExecutorProcessConfig::default()
    };
    Ok(runtime()?.block_on(start_executor_process(Arc::new(config)))?)
}

/// Ends this process when its standard input does: whoever started it is gone.
fn end_with_input() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}

/// A scheduler and its executors, which are killed when it is dropped.
pub struct Cluster {
    port: u16,
    processes: Vec<Child>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Cluster {
    /// Starts a scheduler and one executor on each of these cores, and waits until they have found each
    /// other. `work` is an empty folder; what the processes say goes to files in it.
    ///
    /// Errors: a process that ends, and all of them not having found each other within a minute.
    pub fn start(cores: &[usize], work: &Path) -> Result<Self, Fault> {
        let mut ports = free_ports(1 + 2 * cores.len())?.into_iter();
        let mut port = || ports.next().ok_or("no port is free");
        let mut cluster = Self { port: port()?, processes: Vec::new() };
        let (own, executors) = (cluster.port.to_string(), cores.len().to_string());
        cluster.add(
            "scheduler",
            &["--port", &own, "--executors", &executors],
            "scheduler",
            work,
        )?;
        cluster.reached("/healthz")?;
        for core in cores {
            let name = format!("executor-{core}");
            let between = work.join(&name);
            std::fs::create_dir(&between)?;
            let (flight, grpc) = (port()?.to_string(), port()?.to_string());
            let core = core.to_string();
            let arguments = [
                ["--scheduler", &own],
                ["--port", &flight],
                ["--grpc-port", &grpc],
                ["--core", &core],
                ["--work", text(&between)?],
            ];
            cluster.add("executor", arguments.as_flattened(), &name, work)?;
        }
        cluster.reached("/readyz")?;
        Ok(cluster)
    }

    fn add(
        &mut self,
        task: &str,
        arguments: &[&str],
        name: &str,
        work: &Path,
    ) -> Result<(), Fault> {
        let log = std::fs::File::create(work.join(format!("{name}.log")))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(task).args(arguments).stdin(Stdio::piped());
        command.stdout(log.try_clone()?).stderr(log);
        self.processes.push(command.spawn()?);
        Ok(())
    }

    /// Waits until the scheduler answers at a path with success.
    fn reached(&mut self, path: &str) -> Result<(), Fault> {
        let begun = Instant::now();
        while begun.elapsed() < START_TIME {
            for process in &mut self.processes {
                if let Some(status) = process.try_wait()? {
                    return Err(format!("a process of the cluster has ended: {status}").into());
                }
            }
            if answers(self.port, path).unwrap_or(false) {
                return Ok(());
            }
            std::thread::sleep(GLANCE);
        }
        Err(format!("the cluster does not answer at `{path}` within {START_TIME:?}").into())
    }

    /// Asks the cluster, with so many partitions of each stage.
    pub async fn context(&self, partitions: usize) -> Result<SessionContext, Fault> {
        let config = SessionConfig::new_with_ballista().with_target_partitions(partitions);
        let state = SessionStateBuilder::new().with_config(config).with_default_features().build();
        let address = format!("http://{HOST}:{}", self.port);
        Ok(SessionContext::remote_with_state(&address, state).await?)
    }
}

/// Whether the scheduler answers a request with status 200.
fn answers(port: u16, path: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")?;
    let mut first = [0; 12];
    stream.read_exact(&mut first)?;
    Ok(first.ends_with(b" 200"))
}

/// Ports that were free a moment ago, all different.
fn free_ports(count: usize) -> Result<Vec<u16>, Fault> {
    let listeners = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    let ports = listeners.iter().map(|listener| Ok(listener.local_addr()?.port()));
    ports.collect()
}
