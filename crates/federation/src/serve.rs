//! Answering peers: the accept loop between the socket and the application's HTTP service.
//!
//! A peer that is cut off, suspended or expelled, or whose key is no longer accepted, gets nothing
//! more from that moment: requests that wait and answers on their way end, and its connections are
//! closed. Only one that is suspended keeps its connection, so that it can be told.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crypto::Fingerprint;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::{Service, ServiceExt};
use wire::{OrgId, RefusalCode};

use crate::guarded::Guarded;
use crate::tls::{TlsError, fingerprint, server_config};
use crate::{Identity, Network};

const MAX_STREAMS: u32 = 64;
const MAX_HEADER_BYTES: u32 = 64 * 1024;
const LINGER: Duration = Duration::from_secs(1);
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// The organisation at the other end of the connection; an extension of every request that
/// reaches the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerOrg(pub OrgId);

/// Limits of the accept loop.
#[derive(Clone, Copy, Debug)]
pub struct ServeOptions {
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long the head of a request may take.
    pub header_read: Duration,
    /// How many connections are held; more wait unaccepted.
    pub max_connections: usize,
    /// How many connections one organisation may hold; more are closed.
    pub max_per_peer: usize,
    /// How long requests in progress may take after shutdown was asked for.
    pub drain: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            header_read: Duration::from_secs(10),
            max_connections: 1024,
            max_per_peer: 64,
            drain: Duration::from_secs(5),
        }
    }
}

/// Why the accept loop could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Answers connections of active members on `listener` with `service` until `shutdown` is ready,
/// then lets requests in progress finish for at most [`ServeOptions::drain`]. Whoever is not an
/// active member is turned away in the TLS handshake.
pub async fn serve<S, B>(
    listener: TcpListener,
    identity: &Identity,
    network: Network,
    service: S,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let acceptor = TlsAcceptor::from(server_config(identity, &network)?);
    let (closing, closed) = watch::channel(false);
    let slots = Arc::new(Semaphore::new(options.max_connections));
    let desk = Desk { acceptor, network, options, closed, held: Arc::default() };
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream) = tokio::select! {
            () = &mut shutdown => break,
            (slot, accepted) = next => match accepted {
                Ok((stream, _)) => (slot, stream),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors, most likely: give others time to close.
                    sleep(AFTER_FAILED_ACCEPT).await;
                    continue;
                }
            },
        };
        let (desk, service) = (desk.clone(), service.clone());
        connections.spawn(async move {
            desk.connection(stream, service).await;
            drop(slot);
        });
    }
    drop(listener);
    closing.send_replace(true);
    let all = async { while connections.join_next().await.is_some() {} };
    // What is still running when `connections` is dropped is aborted.
    let _ = timeout(options.drain, all).await;
    Ok(())
}

/// What every connection needs.
#[derive(Clone)]
struct Desk {
    acceptor: TlsAcceptor,
    network: Network,
    options: ServeOptions,
    closed: watch::Receiver<bool>,
    held: Arc<Mutex<HashMap<OrgId, usize>>>,
}

impl Desk {
    async fn connection<S, B>(self, stream: TcpStream, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        // Without it small frames wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        let Some(stream) = self.handshake(stream).await else { return };
        let Some((peer, key)) = self.peer(&stream) else { return };
        let Some(_hold) = self.hold(&peer) else {
            tracing::warn!(%peer, "a peer holds too many connections; one more was closed");
            return;
        };
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let (network, own) = (self.network.clone(), peer.clone());
        let holds = move |network: &Network| network.active_by_fingerprint(&key);
        let respond = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerOrg(own.clone()));
            let (answering, network) = (service.clone().oneshot(request), network.clone());
            async move {
                let response = answering.await?;
                // Being refused is what whoever is shut out may still hear.
                let told = !response.status().is_success();
                let ended = async move {
                    match told {
                        true => std::future::pending().await,
                        false => network.ended(holds).await,
                    }
                };
                Ok::<_, Infallible>(response.map(|body| Guarded::new(body, ended)))
            }
        });
        let builder = self.builder(is_h2);
        let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), respond));
        let mut closed = self.closed.clone();
        let closing = async move { closed.wait_for(|closed| *closed).await.is_ok() };
        let shut_out = self.network.ended(|network| match network.active_by_fingerprint(&key) {
            Err(refusal) if refusal.code == RefusalCode::Suspended => Ok(()),
            standing => standing.map(drop),
        });
        let outcome = tokio::select! {
            outcome = serving.as_mut() => outcome,
            refusal = shut_out => {
                tracing::warn!(%peer, reason = %refusal, "the connection of a peer was closed");
                return;
            }
            _ = closing => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a connection of a peer ended early");
        }
    }

    async fn handshake(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let accepting = self.acceptor.accept(stream).into_fallible();
        match timeout(self.options.handshake, accepting).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err((error, mut stream))) => {
                tracing::info!(%error, "a connection was refused in the handshake");
                // Closing with unread bytes would reset the connection and could take the alert
                // with it that tells the other side why.
                let farewell = async {
                    let _ = stream.shutdown().await;
                    let mut sink = [0; 4096];
                    while stream.read(&mut sink).await.is_ok_and(|read| read > 0) {}
                };
                let _ = timeout(LINGER, farewell).await;
                None
            }
            Err(_) => {
                tracing::info!("a handshake took too long");
                None
            }
        }
    }

    /// Who is at the other end, and by which key.
    fn peer(&self, stream: &TlsStream<TcpStream>) -> Option<(OrgId, Fingerprint)> {
        let certificate = stream.get_ref().1.peer_certificates()?.first()?;
        let fingerprint = fingerprint(certificate).ok()?;
        self.network.active_by_fingerprint(&fingerprint).ok().map(|member| (member.id, fingerprint))
    }

    fn hold(&self, peer: &OrgId) -> Option<Hold> {
        let mut held = self.held.lock();
        let count = held.entry(peer.clone()).or_default();
        if *count >= self.options.max_per_peer {
            return None;
        }
        *count += 1;
        Some(Hold { peer: peer.clone(), held: Arc::clone(&self.held) })
    }

    fn builder(&self, is_h2: bool) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.options.header_read);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.options.header_read)
            .keep_alive_timeout(self.options.header_read)
            .max_header_list_size(MAX_HEADER_BYTES)
            .max_concurrent_streams(MAX_STREAMS);
        // What the handshake agreed on is known, so nothing waits for a first byte.
        if is_h2 { builder.http2_only() } else { builder.http1_only() }
    }
}

/// One connection in the count of its organisation.
struct Hold {
    peer: OrgId,
    held: Arc<Mutex<HashMap<OrgId, usize>>>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        if let Some(count) = held.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.peer);
            }
        }
    }
}
