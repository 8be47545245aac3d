//! What a session or a control connection runs over: a byte pipe that may break at any byte.

pub mod websocket;

use tokio::io::{AsyncRead, AsyncWrite};

/// A byte pipe in both directions.
pub trait Carrier: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Carrier for S {}

/// A byte pipe of whichever kind.
pub type BoxedCarrier = Box<dyn Carrier>;
