//! A network made by the test: organisations with keys, a signed list, and nodes that answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use crypto::{SigningKey, SystemRandom};
use federation::{
    AskError, Asking, Asserted, Clock, Identity, Inbound, InboundLimits, Limits, Network, PeerOrg,
    Peers, Reply, ServeOptions, serve,
};
use futures_util::Stream;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use wire::{
    ASSERTION_HEADER, Evidence, Member, Membership, OrgId, Refusal, Role, SignedMembership,
    Subject, path,
};

pub const START_MS: i64 = 1_800_000_000_000;
/// Long enough for a machine under load; no test waits for it when all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn org(id: &str) -> OrgId {
    id.parse().unwrap()
}

/// Organisations that are to form a network, each with a port of its own.
pub struct World {
    pub now_ms: Arc<AtomicI64>,
    council: SigningKey,
    parties: BTreeMap<OrgId, Party>,
}

struct Party {
    identity: Arc<Identity>,
    address: SocketAddr,
    listener: Option<TcpListener>,
}

/// A node that answers until it is stopped or dropped.
pub struct Node {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Node {
    /// Asks it to stop and waits until it has.
    pub async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl World {
    pub async fn new(ids: &[&str]) -> Self {
        let mut parties = BTreeMap::new();
        for id in ids {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let identity = Arc::new(fresh_identity(id));
            parties.insert(org(id), Party { identity, address, listener: Some(listener) });
        }
        let council = SigningKey::generate(&SystemRandom).unwrap();
        Self { now_ms: Arc::new(AtomicI64::new(START_MS)), council, parties }
    }

    pub fn clock(&self) -> Clock {
        let now_ms = Arc::clone(&self.now_ms);
        Arc::new(move || now_ms.load(Ordering::SeqCst))
    }

    pub fn identity(&self, id: &str) -> Arc<Identity> {
        Arc::clone(&self.parties[&org(id)].identity)
    }

    pub fn address(&self, id: &str) -> SocketAddr {
        self.parties[&org(id)].address
    }

    /// Takes the listener of `id` away, for a test that answers in its own way.
    pub fn listener(&mut self, id: &str) -> TcpListener {
        self.parties.get_mut(&org(id)).unwrap().listener.take().unwrap()
    }

    /// The list of all members after `change`, signed.
    pub fn list(&self, serial: u64, change: impl Fn(&mut Vec<Member>)) -> SignedMembership {
        let member = |party: &Party| {
            let url = format!("https://{}", party.address);
            party.identity.member(&party.identity.org.as_str().to_uppercase(), &url, &url)
        };
        let mut members = self.parties.values().map(member).collect();
        change(&mut members);
        let first = Membership::first("test", START_MS, START_MS + 86_400_000, members);
        let list = Membership { serial, ..first };
        list.sign(&self.council).unwrap()
    }

    /// The network as `id` sees it.
    pub fn network(&self, id: &str) -> Network {
        self.network_of(id, &self.list(1, |_| {}))
    }

    pub fn network_of(&self, id: &str, list: &SignedMembership) -> Network {
        Network::open(list, self.council.public_key(), org(id), self.clock()).unwrap()
    }

    pub fn inbound(&self, network: &Network) -> Arc<Inbound> {
        Arc::new(Inbound::new(network.clone(), self.clock(), InboundLimits::default()))
    }

    /// The peers of `id`, asked under its own identity.
    pub fn peers(&self, id: &str, limits: Limits) -> Peers {
        self.peers_as(self.identity(id), self.network(id), limits)
    }

    pub fn peers_as(&self, identity: Arc<Identity>, network: Network, limits: Limits) -> Peers {
        Peers::new(identity, network, self.clock(), Arc::new(SystemRandom), limits)
    }

    /// Starts `id` with `router` on its port.
    pub fn start(&mut self, id: &str, router: Router) -> Node {
        let (identity, network) = (self.identity(id), self.network(id));
        let listener = self.listener(id);
        start(listener, identity, network, router, ServeOptions::default())
    }

    /// Starts `id` with a handler behind the inbound check.
    pub fn start_with<F, Fut>(&mut self, id: &str, handler: F) -> Node
    where
        F: Fn(Asserted, String, Bytes) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response> + Send + 'static,
    {
        let inbound = self.inbound(&self.network(id));
        self.start(id, checked(inbound, handler))
    }

    /// Starts a node that answers every record request with `count` resources.
    pub fn start_plain(&mut self, id: &'static str, count: usize) -> Node {
        self.start_with(id, move |_, _, _| async move { text(record(id, count)) })
    }
}

pub fn start(
    listener: TcpListener,
    identity: Arc<Identity>,
    network: Network,
    router: Router,
    options: ServeOptions,
) -> Node {
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let stopped = async { stopped.await.unwrap_or_default() };
        serve(listener, &identity, network, router, options, stopped).await.unwrap();
    });
    Node { stop: Some(stop), task }
}

pub fn fresh_identity(id: &str) -> Identity {
    let key = || SigningKey::generate(&SystemRandom).unwrap();
    Identity::new(org(id), key(), key()).unwrap()
}

/// A router that answers health, and everything else by `handler` after the inbound check.
pub fn checked<F, Fut>(inbound: Arc<Inbound>, handler: F) -> Router
where
    F: Fn(Asserted, String, Bytes) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    let all = move |request: Request| {
        let (inbound, handler) = (Arc::clone(&inbound), handler.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, 1024 * 1024).await.unwrap();
            let PeerOrg(peer) = parts.extensions.get::<PeerOrg>().unwrap();
            let token = parts.headers.get(ASSERTION_HEADER).map(|v| v.to_str().unwrap());
            let (method, path) = (parts.method.as_str(), parts.uri.path());
            match inbound.check(peer, token, method, path, &body) {
                Ok(asserted) => handler(asserted, path.to_owned(), body).await,
                Err(refusal) => refuse(&refusal),
            }
        }
    };
    Router::new().route(path::HEALTH, axum::routing::get(|| async { "up" })).fallback(all)
}

pub fn refuse(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.code.http_status()).unwrap();
    (status, serde_json::to_string(refusal).unwrap()).into_response()
}

pub fn text(text: impl Into<Body>) -> Response {
    Response::new(text.into())
}

pub fn streamed(lines: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    use futures_util::StreamExt;
    Response::new(Body::from_stream(lines.map(Ok::<_, std::io::Error>)))
}

pub fn head(id: &str, expected: usize) -> String {
    wire::Head { organisation: org(id), expected: expected as u64 }.to_line()
}

pub fn resource(id: &str, number: usize) -> String {
    let text = format!(r#"{{"resourceType":"Observation","id":"{id}-{number}","x":1.0}}"#);
    wire::frame::resource_line(&text)
}

pub fn end(sent: usize) -> String {
    let status = wire::RecordStatus::Answered;
    wire::End { sent: sent as u64, status, withheld_known: false, notes: vec![], handling: None }
        .to_line()
}

/// A whole, correct record stream.
pub fn record(id: &str, count: usize) -> String {
    let resources: String = (0..count).map(|number| resource(id, number)).collect();
    head(id, count) + &resources + &end(count)
}

pub fn asking() -> Asking {
    Asking {
        request_id: "request-1".into(),
        subject: Subject {
            id: "account-1".into(),
            display: "Dr Ada Jones".into(),
            role: Role::Clinician,
        },
        purpose_of_use: "TREAT".into(),
        amr: vec!["pwd".into(), "otp".into(), "mfa".into()],
        auth_time_ms: START_MS - 600_000,
        mfa_time_ms: Some(START_MS - 10_000),
        evidence: Some(Evidence::Reference("Encounter/1".into())),
    }
}

/// Asks for a record with plenty of time.
pub async fn ask(peers: &Peers, id: &str) -> Result<Reply, AskError> {
    ask_within(peers, id, PATIENCE).await
}

pub async fn ask_within(peers: &Peers, id: &str, patience: Duration) -> Result<Reply, AskError> {
    let deadline = Instant::now() + patience;
    peers.ask(&org(id), path::RECORD, Bytes::from_static(b"{}"), &asking(), deadline).await
}

/// Asks for a record and counts its resources.
pub async fn count(peers: &Peers, id: &str) -> Result<usize, AskError> {
    let (mut reply, mut resources) = (ask(peers, id).await?, 0);
    while let Some(frame) = reply.next_frame().await? {
        resources += usize::from(matches!(frame, wire::Frame::Resource(_)));
    }
    Ok(resources)
}

/// Listens where a node listened that was just dropped; its port may take a moment to be free.
pub async fn rebind(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// A TLS client with the certificate of `id` that believes any server.
pub fn raw_tls(world: &World, id: &str, alpn: &[&[u8]]) -> TlsConnector {
    let identity = world.identity(id);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![identity.certificate.der().to_vec().into()];
    let key = PrivatePkcs8KeyDer::from(identity.tls_key.pkcs8_der().to_vec());
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Believer(provider)))
        .with_client_auth_cert(chain, key.into())
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

#[derive(Debug)]
struct Believer(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
