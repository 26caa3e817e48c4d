//! One owned HTTP/1.1 connection: authentication and message sealing are bound to it, so there is no pool and nothing is shared.
//!
//! `response` reads answers without sockets, `connection` posts over TCP or TLS, `tls` decides whom to trust.

mod connection;
pub(crate) mod der;
mod response;
mod tls;

pub use connection::{Connection, Endpoint, OpenError, Post, PostError};
pub use der::end_point_binding;
pub use response::{Reader, Response, Unreadable};
pub use tls::{Authorities, ClientCertificate, Pin, TlsProblem, Trust};
