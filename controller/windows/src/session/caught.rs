//! A panic of what talks to a node must not take the session's own duties along: the answer to whoever asked, and the removal of the shell.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// What the future gives; `None` where it panicked. What it worked on may be in any state then, and is good for being closed only.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Some(value)),
        // Never polled again.
        Err(_) => Poll::Ready(None),
    })
    .await
}
