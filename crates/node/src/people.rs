//! The door for people and their programs: the accept loop between the socket and pages and API.
//!
//! Whoever opens connections and says nothing, or a little at a time, is closed after a while, and
//! no single address takes all connections. Where the institution's own TLS stands in front, the
//! address of a client is what it says in `X-Forwarded-For`: slowing down guesses and the audit
//! need the client's address and not that of the proxy. Nobody else is believed.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use federation::notify::Allowed;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

/// Which header a proxy names its client in.
const FORWARDED: &str = "x-forwarded-for";
const MAX_STREAMS: u32 = 128;
const MAX_HEADER_BYTES: u32 = 64 * 1024;
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);
/// Connections where the system does not say how many files may be open.
const MOST_CONNECTIONS: usize = 8192;

/// Limits of the door.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long the head of a request may take, and a connection be idle between two.
    pub header_read: Duration,
    /// How many connections are held; more wait unaccepted.
    pub connections: usize,
    /// How many of them one address may hold that is no trusted proxy; more are closed.
    pub of_one_address: usize,
    /// How long requests in progress may take once the node stops.
    pub drain: Duration,
    /// The proxies that are believed about their clients.
    pub proxies: Allowed,
}

impl Limits {
    /// The usual ones, with these proxies.
    pub fn new(proxies: Allowed) -> Self {
        let connections = most_connections();
        Self {
            header_read: Duration::from_secs(60),
            connections,
            of_one_address: (connections / 4).max(1),
            drain: Duration::from_secs(30),
            proxies,
        }
    }
}

/// Half of the files that this process may open: the store and the other nodes need the rest.
fn most_connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let files = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    files.map_or(MOST_CONNECTIONS, |files| files / 2).clamp(16, MOST_CONNECTIONS)
}

/// Answers connections on `listener` with `router` until `stopped` says so, then lets requests in
/// progress finish for a while.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let drain = limits.drain;
    let door =
        Door { router, limits: Arc::new(limits), stopped: stopped.clone(), held: Arc::default() };
    let mut stopping = pin!(stopping(stopped));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream, from) = tokio::select! {
            () = &mut stopping => break,
            (slot, accepted) = next => match accepted {
                Ok((stream, from)) => (slot, stream, from),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors, most likely: give others time to close.
                    sleep(AFTER_FAILED_ACCEPT).await;
                    continue;
                }
            },
        };
        let door = door.clone();
        connections.spawn(async move {
            door.connection(stream, from).await;
            drop(slot);
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // What is still running when `connections` is dropped is aborted.
    let _ = timeout(drain, all).await;
}

/// Until the node stops.
async fn stopping(mut stopped: watch::Receiver<bool>) {
    // A switch that is gone is off for good.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// What every connection needs.
#[derive(Clone)]
struct Door {
    router: Router,
    limits: Arc<Limits>,
    stopped: watch::Receiver<bool>,
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Door {
    async fn connection(self, stream: TcpStream, from: SocketAddr) {
        // What is sent in pieces does not wait for the client to acknowledge the piece before.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection sends in larger pieces");
        }
        let Some(_hold) = self.hold(from.ip()) else {
            tracing::debug!("an address holds too many connections; one more was closed");
            return;
        };
        let asked = Arc::new(AtomicBool::new(false));
        let respond = {
            let (router, limits, asked) = (self.router.clone(), self.limits.clone(), asked.clone());
            service_fn(move |mut request: Request<Incoming>| {
                asked.store(true, Ordering::Relaxed);
                let client = client(&limits.proxies, from, request.headers());
                request.extensions_mut().insert(ConnectInfo(client));
                router.clone().oneshot(request)
            })
        };
        let builder = self.builder();
        let stream = TokioIo::new(stream);
        let mut serving = pin!(builder.serve_connection_with_upgrades(stream, respond));
        // Which protocol is spoken is read before any limit of it counts.
        let silent = async {
            sleep(self.limits.header_read).await;
            if asked.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        let outcome = tokio::select! {
            outcome = serving.as_mut() => outcome,
            () = silent => return,
            () = stopping(self.stopped.clone()) => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    fn hold(&self, address: IpAddr) -> Option<Hold> {
        let mut held = self.held.lock();
        let count = held.entry(address).or_default();
        if *count >= self.limits.of_one_address && !self.limits.proxies.lists(address) {
            return None;
        }
        *count += 1;
        Some(Hold { address, held: Arc::clone(&self.held) })
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let patience = self.limits.header_read;
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(patience);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(patience)
            .keep_alive_timeout(patience)
            .max_header_list_size(MAX_HEADER_BYTES)
            .max_concurrent_streams(MAX_STREAMS);
        builder
    }
}

/// One connection in the count of its address.
struct Hold {
    address: IpAddr,
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        if let Some(count) = held.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.address);
            }
        }
    }
}

/// The client's address: who is at the other end or, where that is a trusted proxy, the last in
/// `X-Forwarded-For` that is none. What stands before it was written by the client.
fn client(proxies: &Allowed, from: SocketAddr, headers: &HeaderMap) -> SocketAddr {
    if !proxies.lists(plain(from.ip())) {
        return from;
    }
    let lines: Vec<&str> =
        headers.get_all(FORWARDED).iter().filter_map(|line| line.to_str().ok()).collect();
    let mut client = from;
    for hop in lines.iter().flat_map(|line| line.split(',')).rev() {
        let Some(address) = address_of(hop.trim()) else { break };
        client = SocketAddr::new(address, 0);
        if !proxies.lists(address) {
            break;
        }
    }
    client
}

/// An address with or without brackets and port, as proxies write it.
fn address_of(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.trim_matches(['[', ']']).parse().ok().or_else(with_port).map(plain)
}

fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proxies_are_believed_about_who_asks() {
        let proxies = Allowed::new(&["127.0.0.1".into(), "10.1.0.0/16".into()]).unwrap();
        for (from, said, expected) in [
            ("127.0.0.1:4000", &["192.0.2.1"][..], "192.0.2.1"),
            ("[::ffff:127.0.0.1]:4000", &["192.0.2.1:51000"], "192.0.2.1"),
            ("127.0.0.1:4000", &["203.0.113.9, 192.0.2.1, 10.1.2.3"], "192.0.2.1"),
            ("127.0.0.1:4000", &["203.0.113.9", "192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1:4000", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("127.0.0.1:4000", &[], "127.0.0.1"),
            ("127.0.0.1:4000", &["192.0.2.1, nobody"], "127.0.0.1"),
            ("192.0.2.7:4000", &["192.0.2.1"], "192.0.2.7"),
        ] {
            let mut headers = HeaderMap::new();
            for line in said {
                headers.append(FORWARDED, line.parse().unwrap());
            }
            let found = client(&proxies, from.parse().unwrap(), &headers).ip();
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{from} says {said:?}");
        }
    }

    #[tokio::test]
    async fn whoever_says_nothing_is_closed_and_whoever_asks_is_answered() {
        use axum::routing::get;
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits {
            header_read: Duration::from_millis(300),
            connections: 8,
            of_one_address: 3,
            drain: Duration::from_secs(5),
            proxies: Allowed::new(&[]).unwrap(),
        };
        let answer =
            |ConnectInfo(client): ConnectInfo<SocketAddr>| async move { client.ip().to_string() };
        let (stop, stopped) = watch::channel(false);
        let serving =
            tokio::spawn(serve(listener, Router::new().route("/", get(answer)), limits, stopped));
        for start in ["", "P", "GET / HTTP/1.1\r\nHost: h\r\nX-A: "] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(start.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            // A reset is an end too.
            let _ = stream.read_to_end(&mut rest).await;
            assert!(!rest.starts_with(b"HTTP/1.1 200"), "{start:?}");
        }
        let ask = b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
        let mut held = Vec::new();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"G").await.unwrap();
            held.push(stream);
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty(), "a fourth connection of one address is closed");
        for stream in &mut held {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(ask).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("127.0.0.1"), "{text}");
        stop.send_replace(true);
        serving.await.unwrap();
    }
}
