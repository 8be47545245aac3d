//! What an operator wishes of the process: it is granted by whoever runs it.

use std::net::IpAddr;

use tokio::sync::{mpsc, oneshot};
use wicketgate_audit::Who;

/// Wishes that may wait. One more is refused.
const WAITING: usize = 4;

/// Where wishes are told.
#[derive(Clone, Debug)]
pub struct Control(mpsc::Sender<Wish>);

/// Where they come in.
#[derive(Debug)]
pub struct Wishes(mpsc::Receiver<Wish>);

/// Somebody wishes that the configuration be read anew.
#[derive(Debug)]
pub struct Wish {
    /// Who.
    subject: String,
    method: String,
    from: IpAddr,
    token: Option<String>,
    granted: oneshot::Sender<bool>,
}

impl Control {
    /// Both ends.
    pub fn new() -> (Self, Wishes) {
        let (tell, hear) = mpsc::channel(WAITING);
        (Self(tell), Wishes(hear))
    }

    /// Whether the configuration was read anew and is followed; none where nobody grants wishes just now.
    pub(crate) async fn reload(&self, who: &Who<'_>) -> Option<bool> {
        let (granted, answer) = oneshot::channel();
        let wish = Wish {
            subject: who.subject.unwrap_or_default().to_owned(),
            method: who.method.unwrap_or_default().to_owned(),
            from: who.client?,
            token: who.token_id.map(str::to_owned),
            granted,
        };
        self.0.try_send(wish).ok()?;
        answer.await.ok()
    }
}

impl Wishes {
    /// The next one; never, where there is no console.
    pub async fn next(&mut self) -> Wish {
        match self.0.recv().await {
            Some(wish) => wish,
            None => std::future::pending().await,
        }
    }
}

impl Wish {
    /// Whose it is, for the audit.
    pub fn who(&self) -> Who<'_> {
        Who {
            listener: Some(crate::origin::NAME),
            client: Some(self.from),
            subject: Some(&self.subject),
            method: Some(&self.method),
            token_id: self.token.as_deref(),
            ..Who::default()
        }
    }

    /// Tells whoever waits how it went.
    pub fn answer(self, is_followed: bool) {
        // Who has gone meanwhile does not want to know.
        let _ = self.granted.send(is_followed);
    }
}
