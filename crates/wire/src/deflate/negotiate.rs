//! The negotiation of permessage-deflate (RFC 7692 sections 5 and 7.1).

use super::window::{Window, WindowBits};
use crate::handshake::{Extension, Token};

/// The extension's registered name.
pub const NAME: Token = Token::from_static("permessage-deflate");

const SERVER_NO_TAKEOVER: Token = Token::from_static("server_no_context_takeover");
const CLIENT_NO_TAKEOVER: Token = Token::from_static("client_no_context_takeover");
const SERVER_BITS: Token = Token::from_static("server_max_window_bits");
const CLIENT_BITS: Token = Token::from_static("client_max_window_bits");

/// What both sides keep to; as an offer or as terms, the most that a side agrees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Params {
    /// Messages from the server to the client.
    pub server: Window,
    /// Messages from the client to the server.
    pub client: Window,
}

/// Why an offer is declined, or an answer refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NegotiationError {
    /// Another extension.
    #[error("the extension is not permessage-deflate")]
    Name,
    /// A parameter that RFC 7692 does not define.
    #[error("permessage-deflate has an unknown parameter")]
    UnknownParameter,
    /// The same parameter twice.
    #[error("permessage-deflate has a parameter twice")]
    DuplicateParameter,
    /// A value where there must be none, none where there must be one, or one outside 8 to 15.
    #[error("permessage-deflate has a parameter with a wrong value")]
    Value,
    /// A window of 8 bits, which zlib cannot compress with.
    #[error("a window of 8 bits is not supported")]
    WindowTooSmall,
    /// The client cannot be held to the window that we allow it, because it did not offer to be.
    #[error("the client does not let its window be limited")]
    ClientWindow,
    /// The server does not keep to what our offer demanded, or answers what the offer ruled out.
    #[error("the answer does not keep to the offer")]
    BeyondOffer,
}

/// The parameters of an offer or an answer as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Written {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_bits: Option<WindowBits>,
    /// In an offer it may stand without a value.
    client_bits: Option<Option<WindowBits>>,
}

impl Params {
    /// Our offer as a client. It always lets the server limit our window.
    pub fn offer(&self) -> Extension {
        Written {
            server_no_takeover: !self.server.takeover,
            client_no_takeover: !self.client.takeover,
            server_bits: (self.server.bits < WindowBits::MAX).then_some(self.server.bits),
            client_bits: Some((self.client.bits < WindowBits::MAX).then_some(self.client.bits)),
        }
        .extension()
    }

    /// As a server with `self` as terms, what we agree to of one offer, and the answer that says so.
    pub fn accept(&self, offer: &Extension) -> Result<(Self, Extension), NegotiationError> {
        let offer = Written::read(offer)?;
        let server =
            Window { bits: offer.server_bits.unwrap_or_default(), takeover: !offer.server_no_takeover };
        let client = Window {
            bits: offer.client_bits.flatten().unwrap_or_default(),
            takeover: !offer.client_no_takeover,
        };
        let agreed = Self { server: self.server.narrow(server), client: self.client.narrow(client) };
        // RFC 7692 section 7.1.2.2: an answer limits the client's window only if the offer lets it.
        if offer.client_bits.is_none() && agreed.client.bits < WindowBits::MAX {
            return Err(NegotiationError::ClientWindow);
        }
        let answer = Written {
            server_no_takeover: !agreed.server.takeover,
            client_no_takeover: !agreed.client.takeover,
            server_bits: offer.server_bits.or(Some(WindowBits::MAX)).and_then(|asked| {
                (offer.server_bits.is_some() || agreed.server.bits < asked).then_some(agreed.server.bits)
            }),
            client_bits: (agreed.client.bits < WindowBits::MAX).then_some(Some(agreed.client.bits)),
        };
        Ok((agreed, answer.extension()))
    }

    /// As a server with `self` as terms, what we agree to of all that a client offers: the first acceptable offer.
    ///
    /// An offer with unknown, doubled or wrong parameters is declined, not the handshake (RFC 7692 section 7).
    pub fn choose(&self, offers: &[Extension]) -> Option<(Self, Extension)> {
        offers.iter().find_map(|offer| self.accept(offer).ok())
    }

    /// As a client that has sent `self` as its offer, what the server's answer makes of it.
    pub fn confirm(&self, answer: &Extension) -> Result<Self, NegotiationError> {
        let answer = Written::read(answer)?;
        let client_bits = match answer.client_bits {
            // RFC 7692 section 7.1.2.2: in an answer it has a value.
            Some(None) => return Err(NegotiationError::Value),
            Some(Some(bits)) => bits,
            None => WindowBits::MAX,
        };
        let server =
            Window { bits: answer.server_bits.unwrap_or_default(), takeover: !answer.server_no_takeover };
        let client_beyond = answer.client_bits.is_some() && client_bits > self.client.bits;
        if server.narrow(self.server) != server || client_beyond {
            return Err(NegotiationError::BeyondOffer);
        }
        let client = Window { bits: client_bits, takeover: !answer.client_no_takeover };
        // What we offered for our own side, we keep to whether the answer repeats it or not.
        Ok(Self { server, client: client.narrow(self.client) })
    }
}

impl Written {
    fn read(extension: &Extension) -> Result<Self, NegotiationError> {
        if extension.name != NAME {
            return Err(NegotiationError::Name);
        }
        let mut written = Self::default();
        for (name, value) in &extension.params {
            let doubled = if *name == SERVER_NO_TAKEOVER {
                no_value(value)?;
                std::mem::replace(&mut written.server_no_takeover, true)
            } else if *name == CLIENT_NO_TAKEOVER {
                no_value(value)?;
                std::mem::replace(&mut written.client_no_takeover, true)
            } else if *name == SERVER_BITS {
                let bits = value.as_ref().ok_or(NegotiationError::Value)?;
                written.server_bits.replace(window_bits(bits)?).is_some()
            } else if *name == CLIENT_BITS {
                let bits = value.as_ref().map(window_bits).transpose()?;
                written.client_bits.replace(bits).is_some()
            } else {
                return Err(NegotiationError::UnknownParameter);
            };
            if doubled {
                return Err(NegotiationError::DuplicateParameter);
            }
        }
        Ok(written)
    }

    fn extension(self) -> Extension {
        let number = |bits: WindowBits| Token::new(&bits.to_string());
        let mut extension = Extension::new(NAME);
        if self.server_no_takeover {
            extension = extension.with(SERVER_NO_TAKEOVER, None);
        }
        if self.client_no_takeover {
            extension = extension.with(CLIENT_NO_TAKEOVER, None);
        }
        if let Some(bits) = self.server_bits {
            extension = extension.with(SERVER_BITS, number(bits));
        }
        if let Some(bits) = self.client_bits {
            extension = extension.with(CLIENT_BITS, bits.and_then(number));
        }
        extension
    }
}

fn no_value(value: &Option<Token>) -> Result<(), NegotiationError> {
    if value.is_none() { Ok(()) } else { Err(NegotiationError::Value) }
}

/// RFC 7692 section 7.1.2: a decimal without leading zeros, 8 to 15.
fn window_bits(value: &Token) -> Result<WindowBits, NegotiationError> {
    match value.as_str() {
        "8" => Err(NegotiationError::WindowTooSmall),
        "9" | "10" | "11" | "12" | "13" | "14" | "15" => {
            value.parse().ok().and_then(WindowBits::new).ok_or(NegotiationError::Value)
        }
        _ => Err(NegotiationError::Value),
    }
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
