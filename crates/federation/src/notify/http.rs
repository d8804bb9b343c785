//! Notifications over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, ClientBuilder, redirect, retry};

use super::{Allowed, EndpointError, Method, Request, SendError};

const CONNECT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(30);
/// Idle connections that are kept for one receiver.
const IDLE_CONNECTIONS: usize = 2;

pub(super) struct Http {
    client: Client,
    allowed: Arc<Allowed>,
}

/// Resolves names and keeps only the addresses that may be spoken to.
struct Guarded(Arc<Allowed>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let admitted: Vec<SocketAddr> =
                found.filter(|address| allowed.admits(&host, address.ip())).collect();
            if admitted.is_empty() {
                return Err(EndpointError::Private.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// The beginning of a client that goes only where `allowed` says, whatever names resolve to.
pub(crate) fn guarded(allowed: &Arc<Allowed>) -> ClientBuilder {
    // Whoever is first decides; it is the same provider either way.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .dns_resolver(Guarded(Arc::clone(allowed)))
        // A redirect would lead past the checks of the endpoint.
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .connect_timeout(CONNECT)
}

impl Http {
    pub(super) fn new(allowed: Allowed) -> Result<Self, reqwest::Error> {
        let allowed = Arc::new(allowed);
        let client = guarded(&allowed)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build()?;
        Ok(Self { client, allowed })
    }

    /// Success is any status of the class 2xx; the answer's body is not read.
    pub(super) async fn send(&self, request: Request, timeout: Duration) -> Result<(), SendError> {
        let url = self.allowed.parse(&request.url)?;
        let mut sending = match request.method {
            Method::Post => self.client.post(url),
            Method::Put => self.client.put(url),
        };
        for (name, value) in request.headers {
            sending = sending.header(name, value);
        }
        if let Some((kind, body)) = request.body {
            sending = sending.header(CONTENT_TYPE, kind).body(body);
        }
        match sending.timeout(timeout).send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(SendError::Status(response.status().as_u16())),
            Err(error) => Err(fault(&error)),
        }
    }
}

fn fault(error: &reqwest::Error) -> SendError {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = source {
        if let Some(refused) = inner.downcast_ref::<EndpointError>() {
            return SendError::Refused(*refused);
        }
        source = inner.source();
    }
    if error.is_timeout() { SendError::TimedOut } else { SendError::Unreachable }
}
