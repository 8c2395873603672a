//! Bytes of webhooks that are being received or wait for a commit, over all workers. Full means 503.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The count, shared by all workers.
#[derive(Debug, Clone)]
pub struct Receiving {
    bytes: Arc<AtomicUsize>,
    limit: usize,
}

/// Bytes held by one webhook; given back when dropped.
#[derive(Debug)]
pub struct Held {
    all: Receiving,
    bytes: usize,
}

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Receiving {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { bytes: Arc::default(), limit }
    }

    /// A webhook begins.
    #[must_use]
    pub fn begin(&self) -> Held {
        Held { all: self.clone(), bytes: 0 }
    }

    /// Bytes held now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Held {
    /// More bytes of the same webhook came.
    ///
    /// # Errors
    /// If there is no room for them.
    pub fn add(&mut self, bytes: usize) -> Result<(), Full> {
        let before = self.all.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > self.all.limit { Err(Full) } else { Ok(()) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_given_back_when_a_webhook_is_done() {
        let receiving = Receiving::new(10);
        let mut first = receiving.begin();
        assert_eq!(first.add(8), Ok(()));
        let mut second = receiving.begin();
        assert_eq!(second.add(3), Err(Full));
        drop((first, second));
        assert_eq!(receiving.bytes(), 0);
        assert_eq!(receiving.begin().add(10), Ok(()));
    }
}
