//! The body of a record stream, in pieces that suit HTTP/2.
//!
//! A line for each piece would be a DATA frame for each resource; clients take a flood of tiny
//! frames for an attack and close the connection. So lines that are ready together travel
//! together, and none waits for one that is not.

use std::pin::pin;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};

/// Bytes after which a piece is sent even though more is ready.
const PIECE: usize = 32 * 1024;

/// Joins `lines` (each with its line break, as `wire::frame` writes them) into pieces of about
/// 32 KiB, or less where the next line is not ready yet. A longer line is a piece of its own size.
pub fn batched<S, L>(lines: S) -> impl Stream<Item = Bytes> + Send
where
    S: Stream<Item = L> + Send + 'static,
    L: AsRef<[u8]>,
{
    let mut lines = Box::pin(lines.fuse());
    let mut piece = BytesMut::new();
    stream::poll_fn(move |cx| {
        let mut lines = pin!(&mut lines);
        while piece.len() < PIECE {
            match lines.as_mut().poll_next(cx) {
                Poll::Ready(Some(line)) => piece.extend_from_slice(line.as_ref()),
                Poll::Ready(None) if piece.is_empty() => return Poll::Ready(None),
                Poll::Pending if piece.is_empty() => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Poll::Ready(Some(piece.split().freeze()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn what_is_ready_travels_together() {
        let lines = vec!["x".repeat(999) + "\n"; 100];
        let pieces: Vec<_> =
            batched(stream::iter(lines.clone())).collect::<Vec<_>>().now_or_never().unwrap();
        let sizes: Vec<_> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(sizes, [33_000, 33_000, 33_000, 1_000]);
        assert_eq!(pieces.concat(), lines.concat().as_bytes());
    }

    #[test]
    fn no_line_waits_for_one_that_is_not_ready() {
        let first = stream::iter(["a\n", "b\n"]);
        let mut pieces = Box::pin(batched(first.chain(stream::pending())));
        assert_eq!(pieces.next().now_or_never(), Some(Some(Bytes::from("a\nb\n"))));
        assert_eq!(pieces.next().now_or_never(), None);
        let mut nothing = Box::pin(batched(stream::empty::<&str>()));
        assert_eq!(nothing.next().now_or_never(), Some(None));
    }
}
