//! `Sec-WebSocket-Protocol` (RFC 6455 sections 4.1 and 4.2.2): a list of unique tokens.

use http::HeaderValue;

use super::tokens::{Length, ListBounds, ListError, Token, trim, visible};

/// What a client may offer. Some clients carry a bearer token as a subprotocol, hence the room.
pub const BOUNDS: ListBounds = ListBounds { max_bytes: 8192, max_elements: 32, max_parameters: 0 };

/// Reads all lines of a client's offer, in the client's order.
pub fn parse<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    bounds: &ListBounds,
) -> Result<Vec<Token>, ListError> {
    let mut length = Length::new(bounds);
    let mut offered: Vec<Token> = Vec::new();
    for line in lines {
        length.count(line)?;
        for element in line.as_bytes().split(|byte| *byte == b',').map(trim) {
            if offered.len() == bounds.max_elements {
                return Err(ListError::TooMany);
            }
            // RFC 6455 section 4.1, item 10: elements are not empty and all differ.
            if element.is_empty() {
                return Err(ListError::Empty);
            }
            let token = Token::from_bytes(element).ok_or(ListError::Syntax)?;
            // At most `max_elements` comparisons each, so the list stays linear in its length.
            if offered.contains(&token) {
                return Err(ListError::Duplicate);
            }
            offered.push(token);
        }
    }
    Ok(offered)
}

/// The first of the client's offers that we support.
pub fn choose<'a>(offered: &'a [Token], supported: &[Token]) -> Option<&'a Token> {
    offered.iter().find(|offer| supported.contains(offer))
}

/// Writes an offer; `None` if there is nothing to write.
pub fn header_value(offered: &[Token]) -> Option<HeaderValue> {
    let text = offered.iter().map(Token::as_str).collect::<Vec<_>>().join(", ");
    (!text.is_empty()).then(|| visible(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(lines: &[&str]) -> Result<Vec<Token>, ListError> {
        let lines: Vec<HeaderValue> = lines.iter().map(|line| HeaderValue::from_str(line).unwrap()).collect();
        parse(&lines, &BOUNDS)
    }

    #[test]
    fn offers_keep_their_order_over_lines() {
        let offered = read(&["chat, mqtt", "graphql-transport-ws"]).unwrap();
        assert_eq!(
            offered.iter().map(Token::as_str).collect::<Vec<_>>(),
            ["chat", "mqtt", "graphql-transport-ws"]
        );
        assert_eq!(header_value(&offered).unwrap(), "chat, mqtt, graphql-transport-ws");
        assert_eq!(header_value(&[]), None);
    }

    #[test]
    fn each_violation_has_its_name() {
        assert_eq!(read(&["chat, chat"]), Err(ListError::Duplicate));
        assert_eq!(read(&["chat", "chat"]), Err(ListError::Duplicate));
        assert_eq!(read(&["chat,,mqtt"]), Err(ListError::Empty));
        assert_eq!(read(&[""]), Err(ListError::Empty));
        assert_eq!(read(&["a b"]), Err(ListError::Syntax));
        assert_eq!(read(&["a/b"]), Err(ListError::Syntax));
        assert_eq!(read(&[&"x".repeat(8193)]), Err(ListError::TooLong));
        let many: Vec<String> = (0..33).map(|n| n.to_string()).collect();
        assert_eq!(read(&[&many.join(",")]), Err(ListError::TooMany));
        assert_eq!(read(&[&many[..32].join(",")]).unwrap().len(), 32);
        assert_eq!(read(&["Chat, chat"]).unwrap().len(), 2);
    }

    #[test]
    fn the_client_s_order_decides() {
        let offered = read(&["a, b, c"]).unwrap();
        let supported = read(&["c, b"]).unwrap();
        assert_eq!(choose(&offered, &supported).unwrap().as_str(), "b");
        assert_eq!(choose(&offered, &[]), None);
    }
}
