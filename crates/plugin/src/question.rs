//! What a component is asked, and what it may learn of the session.

/// Which way a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the upstream.
    ToUpstream,
    /// From the upstream to the client.
    ToClient,
}

/// The type of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// Its payload is UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// A message that is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Question<'m> {
    /// Which way it travels.
    pub direction: Direction,
    /// Text or binary.
    pub data: Data,
    /// What kind of message it is; empty where it has none.
    pub kind: &'m str,
    /// What it says.
    pub payload: &'m [u8],
    /// When it came, in milliseconds since the beginning of 1970.
    pub unix_millis: u64,
}

/// The session whose message is judged, as its owner knows it: a component asks for what it wants of it, and nothing is made
/// ready that none asks for.
pub trait Session: Send + Sync {
    /// Its number.
    fn id(&self) -> u64;
    /// The name of its route.
    fn route(&self) -> &str;
    /// Who the client proved to be.
    fn subject(&self) -> Option<&str>;
    /// What else is known of the client, as JSON.
    fn claims(&self) -> String;
    /// The client's address.
    fn address(&self) -> Option<String>;
    /// The subprotocol that was negotiated.
    fn subprotocol(&self) -> Option<&str>;
    /// The host and the path that were asked for.
    fn target(&self) -> (&str, &str);
}
