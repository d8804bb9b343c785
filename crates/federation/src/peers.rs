//! Asking peers: one pinned client each, with limits and a circuit breaker.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crypto::{Fingerprint, Random, random, sha256};
use hyper::header::CONTENT_TYPE;
use parking_lot::Mutex;
use reqwest::{Client, redirect, retry};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use wire::{ASSERTION_HEADER, Assertion, Member, OrgId, REQUEST_ID_HEADER, path};

use crate::ask::{AskError, Asking, classify};
use crate::breaker::Breaker;
use crate::reply::Reply;
use crate::tls::client_config;
use crate::{Clock, Identity, Network};

const PROBE_EVERY: Duration = Duration::from_millis(500);
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
const IDLE: Duration = Duration::from_secs(60);
const PING_EVERY: Duration = Duration::from_secs(5);
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// Limits of what one peer may cost this node.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one answer.
    pub bytes: u64,
    /// Resources of one answer.
    pub resources: u64,
    /// Bytes of one line of a stream, or of one whole message.
    pub line_bytes: usize,
    /// How long a connection may take, its TLS handshake included.
    pub connect: Duration,
    /// Questions to one peer at the same time; more wait within their deadline.
    pub concurrent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 * 1024 * 1024,
            resources: 500_000,
            line_bytes: 16 * 1024 * 1024,
            connect: Duration::from_secs(1),
            concurrent: 16,
        }
    }
}

/// The other nodes of the network, as this node asks them. Clones share connections.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    identity: Arc<Identity>,
    network: Network,
    clock: Clock,
    random: Arc<dyn Random>,
    limits: Limits,
    // Both hold at most one entry for each organisation that was ever a member.
    peers: Mutex<HashMap<OrgId, Arc<Peer>>>,
    health: Mutex<HashMap<OrgId, Arc<Health>>>,
}

struct Peer {
    org: OrgId,
    url: String,
    fingerprints: Vec<Fingerprint>,
    client: Client,
    permits: Arc<Semaphore>,
    health: Arc<Health>,
}

/// What is known of a peer's reachability; it outlives a change of address or key.
struct Health {
    state: Mutex<HealthState>,
    recovered: watch::Sender<u64>,
}

#[derive(Default)]
struct HealthState {
    breaker: Breaker,
    probing: bool,
    answered_ms: Option<i64>,
}

/// How a peer stands, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFigures {
    /// Which peer.
    pub org: OrgId,
    /// Its name.
    pub display_name: String,
    /// Failed connections in a row; 0 when the last one was good or there was none.
    pub failures: u32,
    /// Whether questions fail at once at the moment.
    pub failing_fast: bool,
    /// When it last answered anything, in milliseconds since the Unix epoch.
    pub answered_ms: Option<i64>,
    /// Questions in progress.
    pub in_progress: usize,
}

impl Peers {
    /// The peers of `network`, asked as `identity`. Call inside a tokio runtime.
    pub fn new(
        identity: Arc<Identity>,
        network: Network,
        clock: Clock,
        random: Arc<dyn Random>,
        limits: Limits,
    ) -> Self {
        let (peers, health) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { identity, network, clock, random, limits, peers, health }))
    }

    /// Who asks.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Asks `org`: posts `body` (JSON) to `path`, one of `wire::path`, and returns the answer once
    /// its head has arrived. The deadline covers all, the reading of the answer included.
    ///
    /// A connection that turns out to have been closed meanwhile is replaced once, with a new
    /// assertion; every message of the protocol may arrive twice.
    pub async fn ask(
        &self,
        org: &OrgId,
        path: &str,
        body: Bytes,
        asking: &Asking,
        deadline: Instant,
    ) -> Result<Reply, AskError> {
        let member = self.0.network.active(org).map_err(AskError::Refused)?;
        let peer = self.peer(&member)?;
        let waiting = Arc::clone(&peer.permits).acquire_owned();
        let permit = match timeout_at(deadline, waiting).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(AskError::Local("the peer is no longer asked")),
            Err(_) => return Err(AskError::TimedOut),
        };
        let mut is_retry = false;
        loop {
            if peer.health.state.lock().breaker.is_open(Instant::now()) {
                return Err(AskError::Unreachable);
            }
            let token = self.assertion(org, path, &body, asking)?;
            let sending = peer
                .client
                .post(format!("{}{path}", peer.url))
                .header(CONTENT_TYPE, "application/json")
                .header(ASSERTION_HEADER, token)
                .header(REQUEST_ID_HEADER, &asking.request_id)
                .body(body.clone())
                .send();
            let ended = self.0.network.ended(|network| network.active(org));
            let sent = tokio::select! {
                sent = timeout_at(deadline, sending) => sent,
                refusal = ended => return Err(AskError::Refused(refusal)),
            };
            let error = match sent {
                Err(_) => return Err(AskError::TimedOut),
                Ok(Ok(response)) => {
                    self.answered(&peer);
                    let (limits, network) = (self.0.limits, self.0.network.clone());
                    let (org, held) = (org.clone(), (network, permit));
                    return Reply::open(org, response, deadline, limits, held).await;
                }
                Ok(Err(error)) => error,
            };
            let kind = classify(&error);
            if kind == AskError::Unreachable {
                if !error.is_connect() && !is_retry {
                    is_retry = true;
                    continue;
                }
                self.failed(&peer);
            }
            return Err(kind);
        }
    }

    /// Tells whenever `org` answers again after it had failed.
    pub fn recoveries(&self, org: &OrgId) -> watch::Receiver<u64> {
        self.health(org).recovered.subscribe()
    }

    /// How each other member stands.
    pub fn figures(&self) -> Vec<PeerFigures> {
        let peers = self.0.peers.lock();
        let most = self.0.limits.concurrent;
        let figures = |member: Member| {
            let free = peers.get(&member.id).map_or(most, |p| p.permits.available_permits());
            let health = self.health(&member.id);
            let state = health.state.lock();
            PeerFigures {
                org: member.id,
                display_name: member.display_name,
                failures: state.breaker.failures(),
                failing_fast: state.breaker.is_open(Instant::now()),
                answered_ms: state.answered_ms,
                in_progress: most.saturating_sub(free),
            }
        };
        self.0.network.others().into_iter().map(figures).collect()
    }

    fn peer(&self, member: &Member) -> Result<Arc<Peer>, AskError> {
        let now_ms = (self.0.clock)();
        let old = member.rotation.map(|old| old.tls_fingerprint);
        let keys = [Some(member.tls_fingerprint), old].into_iter().flatten();
        let fingerprints: Vec<_> = keys.filter(|key| member.shows(key, now_ms)).collect();
        let mut peers = self.0.peers.lock();
        if let Some(peer) = peers.get(&member.id)
            && peer.url == member.node_url
            && peer.fingerprints == fingerprints
        {
            return Ok(Arc::clone(peer));
        }
        let peer = Arc::new(Peer {
            org: member.id.clone(),
            url: member.node_url.clone(),
            client: self.client(&fingerprints)?,
            fingerprints,
            permits: Arc::new(Semaphore::new(self.0.limits.concurrent)),
            health: self.health(&member.id),
        });
        peers.insert(member.id.clone(), Arc::clone(&peer));
        Ok(peer)
    }

    fn health(&self, org: &OrgId) -> Arc<Health> {
        Arc::clone(self.0.health.lock().entry(org.clone()).or_default())
    }

    fn client(&self, fingerprints: &[Fingerprint]) -> Result<Client, AskError> {
        let tls = client_config(&self.0.identity, fingerprints.to_vec())
            .map_err(|_| AskError::Local("the node's own certificate cannot be used"))?;
        Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .connect_timeout(self.0.limits.connect)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(self.0.limits.concurrent)
            .tcp_nodelay(true)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(PING_EVERY)
            .http2_keep_alive_while_idle(true)
            .build()
            .map_err(|_| AskError::Local("no client could be built for the peer"))
    }

    fn assertion(
        &self,
        org: &OrgId,
        path: &str,
        body: &[u8],
        asking: &Asking,
    ) -> Result<String, AskError> {
        let now_ms = (self.0.clock)();
        let id = random::token(&*self.0.random, 16)
            .map_err(|_| AskError::Local("no random bytes were to be had"))?;
        let assertion = Assertion {
            issuer: self.0.identity.org.clone(),
            audience: org.clone(),
            issued_ms: now_ms,
            expires_ms: now_ms + wire::assertion::MAX_LIFETIME_MS,
            id,
            request_id: asking.request_id.clone(),
            subject: asking.subject.clone(),
            purpose_of_use: asking.purpose_of_use.clone(),
            amr: asking.amr.clone(),
            acr: wire::acr(&asking.amr).to_owned(),
            auth_time_ms: asking.auth_time_ms,
            mfa_time_ms: asking.mfa_time_ms,
            evidence: asking.evidence.clone(),
            method: "POST".to_owned(),
            path: path.to_owned(),
            body_sha256: sha256(body),
        };
        assertion
            .sign(&self.0.identity.assertion_key)
            .map_err(|_| AskError::Local("the assertion has a claim that is out of bounds"))
    }

    fn answered(&self, peer: &Peer) {
        let mut state = peer.health.state.lock();
        state.answered_ms = Some((self.0.clock)());
        if state.breaker.succeeded() {
            drop(state);
            tracing::info!(peer = %peer.org, "a peer answers again");
            peer.health.recovered.send_modify(|count| *count += 1);
        }
    }

    fn failed(&self, peer: &Arc<Peer>) {
        let mut state = peer.health.state.lock();
        let opened = state.breaker.failed(Instant::now());
        if !opened || state.probing {
            return;
        }
        state.probing = true;
        drop(state);
        tracing::warn!(peer = %peer.org, "a peer cannot be reached; questions to it fail at once");
        let (inner, org) = (Arc::downgrade(&self.0), peer.org.clone());
        tokio::spawn(async move {
            let mut ticks = interval(PROBE_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // Ends with the last clone of `Peers`, and with success.
                let Some(inner) = inner.upgrade() else { return };
                if Self(inner).probe(&org).await {
                    return;
                }
            }
        });
    }

    /// Asks for health once; returns whether there is nothing more to probe for.
    async fn probe(&self, org: &OrgId) -> bool {
        let Ok(member) = self.0.network.active(org) else { return self.stop_probing(org) };
        let Ok(peer) = self.peer(&member) else { return self.stop_probing(org) };
        let request = peer.client.get(format!("{}{}", peer.url, path::HEALTH)).send();
        let within = Instant::now() + self.0.limits.connect;
        let reached = match timeout_at(within, request).await {
            Ok(Ok(_)) => true,
            // It is there, but the two do not trust each other: not for the breaker to say.
            Ok(Err(error)) => classify(&error) != AskError::Unreachable,
            Err(_) => false,
        };
        if reached {
            self.answered(&peer);
            return self.stop_probing(org);
        }
        // Another question may have found it back meanwhile.
        if peer.health.state.lock().breaker.failures() == 0 {
            return self.stop_probing(org);
        }
        false
    }

    fn stop_probing(&self, org: &OrgId) -> bool {
        self.health(org).state.lock().probing = false;
        true
    }
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("network", &self.0.network).finish_non_exhaustive()
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { state: Mutex::default(), recovered: watch::channel(0).0 }
    }
}
