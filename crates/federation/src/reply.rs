//! The answer of one peer, read as a bounded stream.

use bytes::{Buf, Bytes, BytesMut};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use wire::{Frame, FrameError, OrgId, Refusal};

use crate::Network;
use crate::ask::{AskError, classify};
use crate::peers::Limits;

const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// An answer whose head has arrived. Dropping it drops the rest of the answer.
#[derive(Debug)]
pub struct Reply {
    peer: OrgId,
    response: Response,
    deadline: Instant,
    limits: Limits,
    buffer: BytesMut,
    /// Bytes at the start of the buffer that hold no line break.
    scanned: usize,
    bytes: u64,
    resources: u64,
    place: Place,
    // Ends the answer when the peer is cut off, suspended or expelled meanwhile.
    network: Network,
    // Counts against the questions this peer is asked at the same time.
    _permit: OwnedSemaphorePermit,
}

/// Where in a stream of frames the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    Middle,
    End,
}

impl Reply {
    pub(crate) async fn open(
        peer: OrgId,
        response: Response,
        deadline: Instant,
        limits: Limits,
        (network, permit): (Network, OwnedSemaphorePermit),
    ) -> Result<Self, AskError> {
        let status = response.status();
        let mut reply = Self {
            peer,
            response,
            deadline,
            limits,
            buffer: BytesMut::new(),
            scanned: 0,
            bytes: 0,
            resources: 0,
            place: Place::Start,
            network,
            _permit: permit,
        };
        if status == StatusCode::OK {
            return Ok(reply);
        }
        let body = reply.whole(MAX_REFUSAL_BYTES).await.unwrap_or_default();
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(mut refusal) => {
                // Shown to people, so a peer cannot fill their page.
                refusal.message = refusal.message.chars().take(500).collect();
                Err(AskError::Refused(refusal))
            }
            Err(_) => Err(AskError::Garbage("an error without a refusal")),
        }
    }

    /// The peer that answers.
    pub fn peer(&self) -> &OrgId {
        &self.peer
    }

    /// Reads the whole answer as one JSON message, of at most [`Limits::line_bytes`] bytes.
    pub async fn json<T: DeserializeOwned>(mut self) -> Result<T, AskError> {
        let limit = self.limits.line_bytes;
        let body = self.whole(limit).await?;
        serde_json::from_slice(&body).map_err(|_| AskError::Garbage("not the expected message"))
    }

    /// Reads the next frame of a record stream; `None` after its end. The order of frames and the
    /// count at the end are checked: a stream that breaks off is [`AskError::Incomplete`].
    pub async fn next_frame(&mut self) -> Result<Option<Frame>, AskError> {
        let Some(line) = self.line().await? else {
            return if self.place == Place::End { Ok(None) } else { Err(AskError::Incomplete) };
        };
        let frame = Frame::parse(&line).map_err(|error| match error {
            FrameError::NotAFrame => AskError::Garbage("a line is no frame"),
            FrameError::NotAnObject => AskError::Garbage("a resource is no json object"),
        })?;
        self.place = match (&frame, self.place) {
            (Frame::Head(head), Place::Start) if head.organisation == self.peer => Place::Middle,
            (Frame::Head(_), Place::Start) => {
                return Err(AskError::Garbage("the answer names another organisation"));
            }
            (Frame::Resource(_), Place::Middle) => {
                self.resources += 1;
                if self.resources > self.limits.resources {
                    return Err(AskError::TooLarge);
                }
                Place::Middle
            }
            (Frame::End(end), Place::Middle) if end.sent == self.resources => Place::End,
            (Frame::End(_), Place::Middle) => return Err(AskError::Incomplete),
            _ => return Err(AskError::Garbage("frames are out of order")),
        };
        Ok(Some(frame))
    }

    /// The next line without its break; `None` at the end. An unfinished last line is a line.
    async fn line(&mut self) -> Result<Option<Bytes>, AskError> {
        loop {
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            if let Some(at) = unseen.iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(self.scanned + at).freeze();
                self.buffer.advance(1);
                self.scanned = 0;
                if line.len() > self.limits.line_bytes {
                    return Err(AskError::TooLarge);
                }
                return Ok(Some(line));
            }
            self.scanned = self.buffer.len();
            if self.scanned > self.limits.line_bytes {
                return Err(AskError::TooLarge);
            }
            match self.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    self.scanned = 0;
                    return Ok(Some(self.buffer.split().freeze()));
                }
            }
        }
    }

    async fn whole(&mut self, limit: usize) -> Result<BytesMut, AskError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Err(AskError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, AskError> {
        let ended = self.network.ended(|network| network.active(&self.peer));
        let chunk = tokio::select! {
            chunk = timeout_at(self.deadline, self.response.chunk()) => chunk,
            refusal = ended => return Err(AskError::Refused(refusal)),
        };
        let chunk = match chunk {
            Err(_) => return Err(AskError::TimedOut),
            Ok(Err(error)) => {
                return Err(match classify(&error) {
                    AskError::Unreachable => AskError::Incomplete,
                    other => other,
                });
            }
            Ok(Ok(chunk)) => chunk,
        };
        if let Some(chunk) = &chunk {
            self.bytes += chunk.len() as u64;
            if self.bytes > self.limits.bytes {
                return Err(AskError::TooLarge);
            }
        }
        Ok(chunk)
    }
}
