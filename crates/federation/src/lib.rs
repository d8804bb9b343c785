//! How nodes of a network talk to each other.
//!
//! * [`Network`] is the membership list in force; [`Identity`] is who this node is in it.
//! * [`serve`](serve::serve) answers peers: TLS 1.3 with a client certificate whose key stands in
//!   the list, then [`Inbound`] checks the signed assertion of every request.
//! * [`Peers`] asks peers: one pinned connection pool each, with deadlines, limits, and a circuit
//!   breaker that notices recovery.
//! * [`fan_out`](fan_out::fan_out) asks many peers at once and yields what arrives as it arrives; no
//!   peer can delay or break the answers of the others.
//! * [`Outbox`] hands over what must not be lost, in order, at least once; [`inbox`] makes that
//!   exactly once at the receiver.
//! * [`notify`] sends what subscribers asked to be told of, over HTTP and by mail.
//!
//! Time comes from a [`Clock`] and random bytes from a `crypto::Random`; only deadlines use the
//! timer of the runtime.

use std::sync::Arc;

pub mod ask;
pub mod batch;
mod breaker;
pub mod fan_out;
pub mod fetch;
mod guarded;
pub mod hand_in;
pub mod identity;
pub mod inbound;
pub mod inbox;
pub mod network;
pub mod notify;
pub mod outbox;
pub mod peers;
pub mod reply;
pub mod serve;
mod tls;

pub use ask::{AskError, Asking};
pub use batch::batched;
pub use fan_out::{Answer, Deadlines, FanEvent, FanOut, PeerEnd, PeerEvent, fan_out};
pub use hand_in::{HandInError, hand_in};
pub use identity::Identity;
pub use inbound::{Asserted, Inbound, InboundLimits};
pub use network::{Cuts, Network};
pub use outbox::{DeadLetter, Deliver, DeliverError, Outbox, OutboxError, QueueFigures};
pub use peers::{Limits, PeerFigures, Peers};
pub use reply::Reply;
pub use serve::{PeerOrg, ServeError, ServeOptions, serve};
pub use tls::TlsError;

/// The time of day in milliseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;
