//! Serves a node: pages and API on one address, other nodes on another, deliveries in between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::consent::deliver::Courier;
use axum::Router;
use federation::notify::Allowed;
use federation::outbox::WorkerOptions;
use federation::{Inbound, ServeOptions};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::people;
use crate::wiring::{Fault, Node};

/// Pause before the door for other nodes is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Longest pause between two pieces of a request's body.
const BODY_PAUSE: Duration = Duration::from_secs(60);
/// How long questions in progress may take once the door is closed.
const DRAIN: Duration = Duration::from_millis(500);

/// A node that serves; dropping it stops it.
pub struct Running {
    /// Its use cases.
    pub app: App,
    /// Where pages and API are served.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Asks everything to end and waits until it has.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }

    /// Waits until the node ends, which it does only when it fails.
    pub async fn ended(&mut self) {
        self.tasks.join_next().await;
    }
}

/// Binds both addresses and starts serving. Returns once the node answers.
pub async fn start(node: Node) -> Result<Running, Fault> {
    let Node { config, app, identity, network, postman, pages, shelf, folder } = node;
    let bind = |address: SocketAddr| async move {
        TcpListener::bind(address).await.map_err(|e| format!("cannot listen on {address}: {e}"))
    };
    let people_door = bind(config.listen).await?;
    let nodes = bind(config.network_listen).await?;
    let address = people_door.local_addr()?;
    // Who works here is known before anybody asks.
    tokio::task::block_in_place(|| app::accounts::start::bring_up(&app)).map_err(|e| e.message)?;
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();

    let router = Router::new()
        .merge(api::router(app.clone()))
        .merge(web::router(app.clone()))
        .layer(CompressionLayer::new())
        .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE));
    let limits = people::Limits::new(Allowed::new(&config.trusted_proxies)?);
    tasks.spawn(people::serve(people_door, router, limits, stopped.clone()));

    let inbound = Arc::new(Inbound::new(network.clone(), app_clock(&app), config.peers.limits()));
    let door = Door { app: app.clone(), identity, network: network.clone(), inbound };
    tasks.spawn(door.keep(nodes, stopped.clone()));

    let courier = Arc::new(Courier(app.clone()));
    let outbox = app.outbox().clone();
    let (peers, clock) = (app.peers().clone(), app_clock(&app));
    let deliveries =
        outbox.run(network, peers, courier, clock, WorkerOptions::default(), stopped.clone());
    tasks.spawn(deliveries);
    tasks.spawn(app::jobs::run_all(app.clone(), stopped.clone()));
    tasks.spawn(app::notify::run(app.clone(), postman, stopped.clone()));
    tasks.spawn(crate::terminology::watch(app.clone(), shelf, stopped.clone()));
    tasks.spawn(app::operate::reindex::run(app.clone(), stopped.clone()));
    tasks.spawn(app::audit::witnessed::run(app.clone(), stopped.clone()));
    tasks.spawn(app::locator::publish::run(app.clone(), stopped.clone()));
    tasks.spawn(app::agreements::sync::run(app.clone(), stopped.clone()));
    tasks.spawn(app::governance::gossip::run(app.clone(), stopped.clone()));
    tasks.spawn(app::rounds::run(app.clone(), stopped.clone()));
    tasks.spawn(app::lake::run(app.clone(), stopped.clone()));
    tasks.spawn(app::catalog::run(app.clone(), stopped.clone()));
    tasks.spawn(app::catalog::anew::run(app.clone(), stopped.clone()));
    tasks.spawn(app::cohorts::run(app.clone(), stopped.clone()));
    tasks.spawn(crate::members::run(app.clone(), folder, stopped.clone()));
    if let Some(pages) = pages {
        tasks.spawn(pages.follow(stopped.clone()));
    }
    tasks.spawn(sweep(app.clone(), stopped));
    Ok(Running { app, address, stop, tasks })
}

fn app_clock(app: &App) -> federation::Clock {
    let app = app.clone();
    Arc::new(move || app.now_ms())
}

/// Removes what has expired, once a minute.
async fn sweep(app: App, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(Duration::from_secs(60));
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            _ = every.tick() => {}
        }
        if let Err(error) = app.run(app::session::sweep).await {
            tracing::error!(reason = %error.message, "expired sessions could not be removed");
        }
        if let Err(error) = app.run(app::apps::sweep).await {
            tracing::error!(reason = %error.message, "expired tokens could not be removed");
        }
        if let Err(error) = app.run(app::notices::overdue::mark).await {
            tracing::error!(reason = %error.message, "deadlines could not be looked after");
        }
        if let Err(error) = app::audit::reconcile::run_due(&app).await {
            tracing::error!(reason = %error.message, "audit logs could not be compared");
        }
        if let Err(error) = app.run(app::jobs::sweep).await {
            tracing::error!(reason = %error.message, "expired jobs could not be removed");
        }
    }
}

/// The door for other nodes: open while the operator lets the node talk to others.
struct Door {
    app: App,
    identity: Arc<federation::Identity>,
    network: federation::Network,
    inbound: Arc<Inbound>,
}

impl Door {
    /// Serves until the node stops. While the switch is off the address is not bound, so peers
    /// find nobody there.
    async fn keep(self, first: TcpListener, mut stopped: watch::Receiver<bool>) {
        let address = first.local_addr();
        let mut listener = Some(first);
        let mut switch = self.app.answering().subscribe();
        while !*stopped.borrow() {
            let bound = match (listener.take(), &address) {
                (Some(listener), _) => Ok(listener),
                (None, Ok(address)) => TcpListener::bind(address).await,
                (None, Err(error)) => Err(std::io::Error::new(error.kind(), error.to_string())),
            };
            match bound {
                Ok(listener) => self.serve(listener, switch.clone(), stopped.clone()).await,
                Err(error) => {
                    tracing::error!(%error, "the door for other nodes cannot be opened; trying again");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            }
            tokio::select! {
                _ = switch.wait_for(|on| *on) => {}
                _ = stopped.wait_for(|stop| *stop) => {}
            }
        }
    }

    async fn serve(
        &self,
        listener: TcpListener,
        mut switch: watch::Receiver<bool>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let listening = self.app.listening();
        listening.send_replace(true);
        let ended = async {
            tokio::select! {
                _ = switch.wait_for(|on| !*on) => {}
                _ = stopped.wait_for(|stop| *stop) => {}
            }
        };
        let service = api::network::router(self.app.clone(), self.inbound.clone());
        let options = ServeOptions { drain: DRAIN, ..ServeOptions::default() };
        let served = federation::serve(
            listener,
            &self.identity,
            self.network.clone(),
            service,
            options,
            ended,
        );
        if let Err(error) = served.await {
            tracing::error!(%error, "the door for other nodes has failed");
        }
        listening.send_replace(false);
    }
}
