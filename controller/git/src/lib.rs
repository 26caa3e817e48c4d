//! Git: a mirror of a remote, commits made in memory and signed, and pushes whose fate is known.
//!
//! ```text
//!   remote ──fetch──► Mirror (bare, in the state folder) ──► changed, read, is_ancestor, walk
//!     ▲                  │
//!     │                  ├─► Group: many commits in memory, signed, stored as one pack
//!     └──── push ◄───────┴─► Outbox: what was not confirmed yet; the same objects go again until their fate is known
//! ```
//!
//! What holds everywhere in this crate:
//! - Nothing is ever pushed with force. A push names what the branch must be now; otherwise it changes nothing.
//! - A push ends in one of four ways, and only [`Pushed::NotSent`] may be tried again without looking.
//! - The mirror is a cache: whatever happens to it, it is moved aside and made again. Only the outbox is worth rescuing.
//! - Calls block; callers use `spawn_blocking`. Nothing here reads a clock, sleeps or throws dice.
//! - No secret is in a `Display`, a `Debug` or an error.

mod access;
mod chain;
mod commit;
pub mod desired;
mod hosts;
mod landing;
pub mod limits;
mod mirror;
mod names;
mod pack;
mod patience;
mod push;
mod reading;
mod remote;
mod repair;
mod signing;
pub mod status;
mod tidy;
mod trouble;
mod watch;

pub use access::{Access, KeyFrom, Proxy, TokenFrom};
pub use chain::{Conflict, Judgement, Outbox, RefusedEntry, Reparented, Sent, Unmovable, find_refused};
pub use commit::{Draft, Edit, Group, Stamp, Unwritable, Written};
pub use git2::Oid;
pub use landing::withhold;
pub use mirror::{Head, Heads, Healed, Mirror};
pub use names::{BadName, BadPath, RefName, check_path};
pub use push::{Calm, Dropped, Pushed, Refusal, Wire};
pub use reading::{Change, ChangeKind, CommitFacts, Kind, Unreadable, Walk};
pub use remote::{BadRemote, Remote};
pub use signing::{AllowedKeys, BadKey, SigningKey, Unverified};
pub use trouble::{Trouble, chain};
pub use watch::{Waker, Watch};
