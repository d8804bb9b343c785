//! Notifications by mail, through the institution's own mail server.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::{Letter, SendError};

/// How long a mail server may keep one command waiting.
const COMMAND: Duration = Duration::from_secs(20);

/// The way to the mail server.
#[derive(Clone)]
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why the mail server cannot be used as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The address of the server.
    #[error(
        "the mail server must be written `smtps://user:password@host` or \
         `smtp://user:password@host?tls=required`; plain `smtp` only to a loopback address"
    )]
    Server,
    /// The sender.
    #[error("the sender of mails must be a mail address")]
    Sender,
}

impl Mail {
    /// Mail through `server`, a URL `smtps://…` or `smtp://…?tls=required`, sent as `from`.
    /// Without TLS only a server on a loopback address is accepted.
    pub fn new(server: &str, from: &str) -> Result<Self, MailError> {
        let url = reqwest::Url::parse(server).map_err(|_| MailError::Server)?;
        let encrypted = url.scheme() == "smtps"
            || url.query_pairs().any(|(name, value)| name == "tls" && value == "required");
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        let local = address.is_ok_and(|address| address.is_loopback());
        if !encrypted && !local {
            return Err(MailError::Server);
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(server)
            .map_err(|_| MailError::Server)?
            .timeout(Some(COMMAND))
            .build();
        let from = from.parse().map_err(|_| MailError::Sender)?;
        Ok(Self { transport, from })
    }

    pub(super) async fn send(&self, letter: Letter, timeout: Duration) -> Result<(), SendError> {
        let message = self.message(letter)?;
        match tokio::time::timeout(timeout, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(SendError::Mail),
            Err(_) => Err(SendError::TimedOut),
        }
    }

    fn message(&self, letter: Letter) -> Result<Message, SendError> {
        let to = letter.to.parse::<Address>().map_err(|_| SendError::Mail)?;
        let builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject);
        let text = SinglePart::plain(letter.text);
        let message = match letter.attachment {
            None => builder.singlepart(text),
            Some((kind, content)) => {
                let xml = kind.contains("xml");
                let name = if xml { "notification.xml" } else { "notification.json" };
                let kind = ContentType::parse(&kind).map_err(|_| SendError::Mail)?;
                let attachment = Attachment::new(name.to_owned()).body(content, kind);
                builder.multipart(MultiPart::mixed().singlepart(text).singlepart(attachment))
            }
        };
        message.map_err(|_| SendError::Mail)
    }

    /// Whether a text is a mail address.
    pub fn is_address(text: &str) -> bool {
        text.parse::<Address>().is_ok()
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_reached_by_tls_or_on_this_machine() {
        for (server, expected) in [
            ("smtps://user:secret@mail.example.org", true),
            ("smtp://user:secret@mail.example.org?tls=required", true),
            ("smtp://127.0.0.1:2525", true),
            ("smtp://mail.example.org", false),
            ("smtp://mail.example.org?tls=opportunistic", false),
            ("mail.example.org", false),
        ] {
            assert_eq!(Mail::new(server, "node@example.org").is_ok(), expected, "{server}");
        }
        assert_eq!(Mail::new("smtps://m.example", "x").unwrap_err(), MailError::Sender);
    }
}
