//! One connection: posts a body, reads one answer. Knows for certain whether anything of a request left this machine.

use super::response::{Reader, Response, Unreadable};
use super::tls::{self, ClientCertificate, TlsProblem, Trust};
use crate::net::{DialError, dial};
use rustls::pki_types::ServerName;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Read at once.
const BUFFER: usize = 32 * 1024;

/// Where to connect.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// 5985 or 5986.
    pub port: u16,
    /// How long connecting and the handshake may take, each.
    pub connect: Duration,
    /// With TLS: whom to trust, and who we are.
    pub tls: Option<(Trust, Option<ClientCertificate>)>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not even TCP.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// TCP, but no TLS.
    #[error(transparent)]
    Tls(#[from] TlsProblem),
}

/// A request.
#[derive(Debug)]
pub struct Post<'a> {
    /// `multipart/encrypted;…`.
    pub content_type: &'a str,
    /// `Negotiate …`.
    pub authorization: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// The largest answer that is read.
    pub limit: usize,
    /// How long the whole exchange may take.
    pub within: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The connection was closed before anything was written.
    #[error("the node had closed the connection")]
    Closed,
    /// The connection broke after some of the request may have left.
    #[error("the connection broke before the answer was complete: {0}")]
    Broken(String),
    /// No complete answer in time.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// The answer cannot be read.
    #[error("{0}")]
    Unreadable(Unreadable),
}

impl PostError {
    /// Whether any byte of the request may have left this machine.
    pub fn was_sent(&self) -> bool {
        match self {
            PostError::Closed => false,
            PostError::Broken(_) | PostError::Silent(_) | PostError::Unreadable(_) => true,
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection to one node.
pub struct Connection {
    stream: Box<dyn Stream>,
    host: String,
    binding: Option<Vec<u8>>,
    /// Cleared when an exchange did not end well: what comes next could be a late answer.
    usable: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("host", &self.host).field("usable", &self.usable).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects, with TLS where the endpoint says so.
    pub async fn open(endpoint: &Endpoint) -> Result<Self, OpenError> {
        let tcp = dial(&endpoint.host, endpoint.port, endpoint.connect).await?;
        let bare = endpoint.host.trim_start_matches('[').trim_end_matches(']');
        let host = if bare.contains(':') { format!("[{bare}]:{}", endpoint.port) } else { format!("{bare}:{}", endpoint.port) };
        let Some((trust, certificate)) = &endpoint.tls else {
            return Ok(Self { stream: Box::new(tcp), host, binding: None, usable: true });
        };
        let config = tls::client(trust, certificate.as_ref())?;
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| DialError::Name(endpoint.host.clone()))?;
        let stream = match timeout(endpoint.connect, TlsConnector::from(config).connect(name, tcp)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                let broken = || TlsProblem::Handshake(format!("the connection broke: {error}"));
                return Err(TlsProblem::of(&error, &endpoint.host).unwrap_or_else(broken).into());
            }
            Err(_) => return Err(TlsProblem::Handshake(format!("no answer within {:?}", endpoint.connect)).into()),
        };
        let certificate = stream.get_ref().1.peer_certificates().and_then(|c| c.first());
        let binding = certificate.map(|c| super::der::end_point_binding(c));
        Ok(Self { stream: Box::new(stream), host, binding, usable: true })
    }

    /// The channel binding of the TLS below, which ties an authentication to this connection.
    pub fn binding(&self) -> Option<&[u8]> {
        self.binding.as_deref()
    }

    /// Posts to `/wsman`.
    pub async fn post(&mut self, post: &Post<'_>) -> Result<Response, PostError> {
        if !self.usable || self.ended().await {
            self.usable = false;
            return Err(PostError::Closed);
        }
        // Until the answer is complete, whoever drops this future leaves the connection unusable.
        self.usable = false;
        let result = timeout(post.within, self.exchange(post)).await;
        let response = result.map_err(|_| PostError::Silent(post.within))??;
        self.usable = !response.last;
        Ok(response)
    }

    async fn exchange(&mut self, post: &Post<'_>) -> Result<Response, PostError> {
        let broken = |e: std::io::Error| PostError::Broken(e.to_string());
        let message = message(&self.host, post);
        let written = match self.stream.write_all(&message).await {
            Ok(()) => self.stream.flush().await,
            Err(error) => Err(error),
        };
        // A server that refuses early answers and closes while we still write: its answer is worth more than the broken pipe.
        let mut reader = Reader::new(post.limit);
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = match self.stream.read(&mut buffer).await {
                Ok(count) => count,
                Err(error) => return Err(broken(written.err().unwrap_or(error))),
            };
            if count == 0 {
                if !reader.begun() {
                    return Err(PostError::Broken("the node closed it".into()));
                }
                return reader.end().map_err(PostError::Unreadable);
            }
            if let Some(response) = reader.feed(&buffer[..count]).map_err(PostError::Unreadable)? {
                return Ok(response);
            }
        }
    }

    /// Whether the peer has closed, or sent what nobody asked for, while nothing was going on.
    async fn ended(&mut self) -> bool {
        let mut byte = [0u8; 1];
        poll_fn(|context| {
            let mut buffer = ReadBuf::new(&mut byte);
            Poll::Ready(Pin::new(&mut self.stream).poll_read(context, &mut buffer).is_ready())
        })
        .await
    }
}

/// Head and body. Made in one piece of the right size, as what is given back while something grows is not wiped, and the head may hold a password.
fn message(host: &str, post: &Post<'_>) -> zeroize::Zeroizing<Vec<u8>> {
    let length = post.body.len().to_string();
    let mut parts: Vec<&[u8]> = vec![b"POST /wsman HTTP/1.1\r\nHost: ", host.as_bytes()];
    parts.extend([&b"\r\nUser-Agent: drydock\r\nConnection: Keep-Alive\r\nContent-Type: "[..], post.content_type.as_bytes()]);
    parts.extend([&b"\r\nContent-Length: "[..], length.as_bytes(), b"\r\n"]);
    if let Some(authorization) = post.authorization {
        parts.extend([&b"Authorization: "[..], authorization.as_bytes(), b"\r\n"]);
    }
    parts.extend([&b"\r\n"[..], post.body]);
    let mut message = zeroize::Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| message.extend_from_slice(part));
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_made_in_one_piece_so_that_no_part_of_it_is_left_unwiped() {
        let within = Duration::from_secs(1);
        let post = Post { content_type: "text/plain", authorization: Some("Basic c2VjcmV0"), body: b"<x/>", limit: 1, within };
        let made = message("n01:5985", &post);
        assert_eq!(made.capacity(), made.len());
        let text = String::from_utf8(made.to_vec()).unwrap();
        assert_eq!(
            text,
            "POST /wsman HTTP/1.1\r\nHost: n01:5985\r\nUser-Agent: drydock\r\nConnection: Keep-Alive\r\nContent-Type: text/plain\r\n\
             Content-Length: 4\r\nAuthorization: Basic c2VjcmV0\r\n\r\n<x/>"
        );
        let bare = message("n01:5985", &Post { authorization: None, ..post });
        assert!(!String::from_utf8_lossy(&bare).contains("Authorization"));
    }
}
