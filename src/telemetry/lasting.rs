//! Tasks that run as long as the hub does. One that ends, by a panic or because it thinks that it is done, would be missed by
//! nobody: revocations would not be followed, the inbox not pruned. So its end is the hub's, and whatever started that starts
//! it again; all that counts is durable.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
};

/// The first that ended.
static ENDED: Mutex<Option<&'static str>> = Mutex::new(None);

/// Notes the end when it is dropped, so also when the task panics.
struct Running(&'static str);

impl Drop for Running {
    fn drop(&mut self) {
        ENDED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(self.0);
    }
}

/// A task that must never end, for whoever starts it; its name stands in the log when it does.
pub fn watched(name: &'static str, task: impl Future<Output = ()>) -> impl Future<Output = ()> {
    let running = Running(name);
    async move {
        let _running = running;
        task.await;
    }
}

/// Starts a task on this thread that must never end.
pub fn lasting(name: &'static str, task: impl Future<Output = ()> + 'static) {
    actix_rt::spawn(watched(name, task));
}

/// The name of a lasting task that has ended.
#[must_use]
pub fn ended() -> Option<&'static str> {
    *ENDED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn a_lasting_task_that_panics_is_missed() {
        lasting("a task", async { panic!("broken on purpose") });
        while ended().is_none() {
            tokio::task::yield_now().await;
        }
    }
}
