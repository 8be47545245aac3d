//! The news that a list, store or issuer may not stand behind everything any more that it stood behind.

use std::sync::Arc;

use tokio::sync::Notify;

/// The news that something which was admitted may not be any more: whoever holds sessions judges them again.
///
/// Cloned, it is the same news; news that nobody waits for is kept for the next one who does.
#[derive(Clone, Debug, Default)]
pub struct Changes(Arc<Notify>);

impl Changes {
    /// Tells it.
    pub fn tell(&self) {
        self.0.notify_one();
    }

    /// Completes when it was told since the last time.
    pub async fn told(&self) {
        self.0.notified().await;
    }
}
