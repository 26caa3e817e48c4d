//! Sessions on Windows nodes over WinRM, SSH or a local process: what is needed to run a script there and to know what became of it.
//!
//! `wsman` and `http` are protocol cores without sockets, `auth` says who we are, `credential` has the secrets, `session` is what the rest
//! of Drydock uses. Of
//! all these only `facts` (what probes answered), `orders` (what orders ask) and `port` (both together, for the engine) know what a script means.

pub mod auth;
pub mod credential;
pub mod doctor;
mod error;
pub mod facts;
pub mod frame;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod local;
mod net;
pub mod orders;
pub mod port;
pub mod record;
pub mod scripts;
pub mod secret;
pub mod session;
mod ssh;
mod winrm;
mod words;
pub mod wsman;

pub use error::SessionError;
pub use net::DialError;
