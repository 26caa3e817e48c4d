//! Names to addresses, addresses to connections; every wait has an end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// Addresses of one name that are tried; a node has one or two.
const ADDRESSES: usize = 8;

/// Why there is no connection. Nothing was sent in any case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The name leads nowhere.
    #[error("the name {0} cannot be resolved")]
    Name(String),
    /// The machine answers, the port does not.
    #[error("{0} refuses connections on this port")]
    Refused(SocketAddr),
    /// No answer at all.
    #[error("{host}:{port} does not answer within {within:?}")]
    Silent {
        /// Whom.
        host: String,
        /// Where.
        port: u16,
        /// The time allowed.
        within: Duration,
    },
    /// The network says no.
    #[error("{address} cannot be reached: {why}")]
    Unreachable {
        /// Whom.
        address: SocketAddr,
        /// What the system said.
        why: String,
    },
}

/// Connects to the first address of `host` that answers, all within `within`.
pub(crate) async fn dial(host: &str, port: u16, within: Duration) -> Result<TcpStream, DialError> {
    let deadline = Instant::now() + within;
    let silent = || DialError::Silent { host: host.to_owned(), port, within };
    let addresses: Vec<SocketAddr> = match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => match timeout_at(deadline, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(found)) => found.take(ADDRESSES).collect(),
            Ok(Err(_)) => return Err(DialError::Name(host.to_owned())),
            Err(_) => return Err(silent()),
        },
    };
    let mut last = DialError::Name(host.to_owned());
    for (tried, address) in addresses.iter().enumerate() {
        // A silent first address leaves time for the others.
        let share = deadline.saturating_duration_since(Instant::now()) / u32::try_from(addresses.len() - tried).unwrap_or(1);
        last = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => match stream.set_nodelay(true) {
                Ok(()) => return Ok(stream),
                Err(error) => DialError::Unreachable { address: *address, why: error.to_string() },
            },
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => DialError::Refused(*address),
            Ok(Err(error)) => DialError::Unreachable { address: *address, why: error.to_string() },
            Err(_) => silent(),
        };
    }
    Err(last)
}
