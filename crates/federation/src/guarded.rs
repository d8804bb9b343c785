//! A body that ends where whoever it is for may no longer have it.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};
use wire::Refusal;

type Failure = Box<dyn Error + Send + Sync>;

/// A body, and what ends it before its time. An end before its time is an error, so that the reader
/// does not take the part for the whole.
pub(crate) struct Guarded<B> {
    body: Pin<Box<B>>,
    ended: Pin<Box<dyn Future<Output = Refusal> + Send>>,
}

impl<B> Guarded<B> {
    /// `body` until `ended` is ready.
    pub(crate) fn new(body: B, ended: impl Future<Output = Refusal> + Send + 'static) -> Self {
        Self { body: Box::pin(body), ended: Box::pin(ended) }
    }
}

impl<B: Body> Body for Guarded<B>
where
    B::Error: Into<Failure>,
{
    type Data = B::Data;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Failure>>> {
        if let Poll::Ready(refusal) = self.ended.as_mut().poll(cx) {
            return Poll::Ready(Some(Err(refusal.into())));
        }
        self.body.as_mut().poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
