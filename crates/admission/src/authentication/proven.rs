//! What a client has proved: an identity for each method that had to vouch.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::identity::{Denied, Identity, Method};
use crate::secret::Secret;

/// What a client has proved: an identity for each method that had to vouch.
#[derive(Clone, Debug)]
pub struct Proven {
    /// Whose subject is the client's.
    first: Arc<Identity>,
    also: Vec<Arc<Identity>>,
    /// The credentials that have to be asked about again.
    bearers: Vec<Bearer>,
}

/// A credential that a session keeps, because whoever can revoke it has to be asked again.
#[derive(Clone, Debug)]
pub struct Bearer {
    method: Arc<Method>,
    token: Secret,
}

impl Bearer {
    /// A token that this method rechecks.
    pub fn new(method: Arc<Method>, token: Secret) -> Self {
        Self { method, token }
    }
}

impl Proven {
    /// By one method.
    pub fn new(identity: Identity, bearer: Option<Bearer>) -> Self {
        Self { first: Arc::new(identity), also: Vec::new(), bearers: bearer.into_iter().collect() }
    }

    /// And by another one.
    pub fn add(&mut self, identity: Identity, bearer: Option<Bearer>) {
        self.also.push(Arc::new(identity));
        self.bearers.extend(bearer);
    }

    /// The identity whose subject is the client's.
    pub const fn first(&self) -> &Arc<Identity> {
        &self.first
    }

    /// All of them.
    pub fn identities(&self) -> impl Iterator<Item = &Arc<Identity>> {
        std::iter::once(&self.first).chain(&self.also)
    }

    /// The one that the method of this name vouches for.
    pub fn by(&self, method: &str) -> Option<&Arc<Identity>> {
        self.identities().find(|identity| *identity.method == *method)
    }

    /// The credential behind the first, where it has to be asked about again.
    pub fn first_token(&self) -> Option<&Secret> {
        let own = |bearer: &&Bearer| bearer.method.config().name == self.first.method;
        self.bearers.iter().find(own).map(|bearer| &bearer.token)
    }

    /// When the first of them ends.
    pub fn expires(&self) -> Option<SystemTime> {
        self.identities().filter_map(|identity| identity.expires).min()
    }

    /// How often to ask again whether it still holds.
    pub fn recheck_interval(&self) -> Option<Duration> {
        self.bearers.iter().filter_map(|bearer| bearer.method.recheck_interval()).min()
    }

    /// Asks again whoever can revoke it.
    ///
    /// # Errors
    /// [`Denied::Unavailable`] where that could not be asked; anything else where it holds no more.
    pub async fn recheck(&self) -> Result<Self, Denied> {
        let mut proven = self.clone();
        for bearer in &self.bearers {
            let identity = bearer.method.recheck(&bearer.token).await?;
            let held = std::iter::once(&mut proven.first).chain(&mut proven.also);
            for own in held.filter(|own| own.method == identity.method) {
                if own.subject != identity.subject {
                    return Err(Denied::Inactive);
                }
                *own = Arc::new(identity.clone());
            }
        }
        Ok(proven)
    }
}
