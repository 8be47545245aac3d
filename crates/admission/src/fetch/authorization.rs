//! Who we are to an authorisation server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::secret::Secret;

/// What `Authorization` says of a client with a secret (RFC 6749 section 2.3.1): both are form-encoded first, since an id may have a
/// colon.
pub fn basic(id: &str, secret: &Secret) -> Secret {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret.reveal()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_encoded_as_the_standard_says() {
        assert_eq!(basic("gate", &Secret::new("a:b c")).reveal(), "Basic Z2F0ZTphJTNBYitj");
    }
}
