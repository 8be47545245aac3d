//! Offers and answers of permessage-deflate, good and bad.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::handshake::extension;
use http::HeaderValue;
use proptest::prelude::*;

fn read(line: &str) -> Vec<Extension> {
    extension::parse([&HeaderValue::from_str(line).unwrap()], &extension::BOUNDS).unwrap()
}

fn one(params: &str) -> Extension {
    read(&format!("permessage-deflate{params}")).remove(0)
}

fn window(bits: u8, takeover: bool) -> Window {
    Window { bits: WindowBits::new(bits).unwrap(), takeover }
}

fn accepted(terms: &Params, offer: &str) -> String {
    let (agreed, answer) = terms.accept(&one(offer)).unwrap();
    // Both ends must understand the answer in the same way.
    let offered = Written::read(&one(offer)).unwrap();
    let client = Params {
        server: Window {
            bits: offered.server_bits.unwrap_or_default(),
            takeover: !offered.server_no_takeover,
        },
        client: Window {
            bits: offered.client_bits.flatten().unwrap_or_default(),
            takeover: !offered.client_no_takeover,
        },
    };
    assert_eq!(client.confirm(&answer).unwrap(), agreed);
    answer.to_string().strip_prefix("permessage-deflate").unwrap().to_owned()
}

#[test]
fn wide_terms_answer_what_was_asked_and_no_more() {
    let terms = Params::default();
    assert_eq!(accepted(&terms, ""), "");
    assert_eq!(accepted(&terms, "; client_max_window_bits"), "");
    assert_eq!(accepted(&terms, "; client_max_window_bits=10"), "; client_max_window_bits=10");
    assert_eq!(accepted(&terms, "; server_max_window_bits=15"), "; server_max_window_bits=15");
    assert_eq!(accepted(&terms, "; server_max_window_bits=\"9\""), "; server_max_window_bits=9");
    assert_eq!(
        accepted(&terms, "; server_no_context_takeover; client_no_context_takeover"),
        "; server_no_context_takeover; client_no_context_takeover"
    );
}

#[test]
fn narrow_terms_are_put_into_the_answer() {
    let terms = Params { server: window(12, false), client: window(11, false) };
    assert_eq!(
        accepted(&terms, "; client_max_window_bits"),
        "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=11"
    );
    assert_eq!(
        accepted(&terms, "; client_max_window_bits=9; server_max_window_bits=10"),
        "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9"
    );
    // The client does not offer to limit its window, so it may use all of it, which is beyond the terms.
    assert_eq!(terms.accept(&one("")), Err(NegotiationError::ClientWindow));
}

#[test]
fn each_bad_parameter_has_its_name() {
    use NegotiationError as E;
    for (params, expected) in [
        ("; server_max_window_bits", E::Value),
        ("; server_max_window_bits=7", E::Value),
        ("; server_max_window_bits=16", E::Value),
        ("; server_max_window_bits=09", E::Value),
        ("; server_max_window_bits=0x9", E::Value),
        ("; server_max_window_bits=+9", E::Value),
        ("; server_max_window_bits=99999999999999999999", E::Value),
        ("; client_max_window_bits=-9", E::Value),
        ("; client_max_window_bits=0", E::Value),
        ("; client_max_window_bits=8", E::WindowTooSmall),
        ("; server_max_window_bits=8", E::WindowTooSmall),
        ("; server_no_context_takeover=1", E::Value),
        ("; client_no_context_takeover=true", E::Value),
        ("; client_max_window_bits; client_max_window_bits", E::DuplicateParameter),
        ("; client_max_window_bits=10; client_max_window_bits", E::DuplicateParameter),
        ("; server_max_window_bits=10; server_max_window_bits=10", E::DuplicateParameter),
        ("; server_no_context_takeover; server_no_context_takeover", E::DuplicateParameter),
        ("; client_no_context_takeover; client_no_context_takeover", E::DuplicateParameter),
        ("; server_max_window_bit=10", E::UnknownParameter),
        ("; Server_Max_Window_Bits=10", E::UnknownParameter),
    ] {
        assert_eq!(Params::default().accept(&one(params)), Err(expected), "{params}");
        let in_an_answer = Params::default().confirm(&one(params));
        assert_eq!(in_an_answer.unwrap_err(), expected, "{params}");
    }
    assert_eq!(Params::default().accept(&read("x-webkit-deflate-frame")[0]), Err(E::Name));
}

#[test]
fn the_first_acceptable_offer_is_taken() {
    let offers = read(
        "x-mux, permessage-deflate; server_max_window_bits=8, permessage-deflate; foo, \
         permessage-deflate; server_max_window_bits=10, permessage-deflate",
    );
    let (agreed, answer) = Params::default().choose(&offers).unwrap();
    assert_eq!(agreed.server.bits.bits(), 10);
    assert_eq!(answer.to_string(), "permessage-deflate; server_max_window_bits=10");
    assert_eq!(Params::default().choose(&offers[..3]), None);
}

#[test]
fn an_answer_must_keep_to_the_offer() {
    use NegotiationError as E;
    let narrow = Params { server: window(12, false), client: window(11, true) };
    assert_eq!(
        narrow.offer().to_string(),
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits=11"
    );
    let good = "; server_no_context_takeover; server_max_window_bits=12";
    assert_eq!(narrow.confirm(&one(good)), Ok(narrow));
    let lower =
        narrow.confirm(&one(&format!("{good}; client_max_window_bits=9; client_no_context_takeover")));
    assert_eq!(lower.unwrap().client, window(9, false));
    for (params, expected) in [
        ("", E::BeyondOffer),
        ("; server_no_context_takeover", E::BeyondOffer),
        ("; server_max_window_bits=12", E::BeyondOffer),
        ("; server_no_context_takeover; server_max_window_bits=13", E::BeyondOffer),
        (
            "; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12",
            E::BeyondOffer,
        ),
        ("; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits", E::Value),
    ] {
        assert_eq!(narrow.confirm(&one(params)), Err(expected), "{params}");
    }
    let wide = Params::default();
    assert_eq!(wide.offer().to_string(), "permessage-deflate; client_max_window_bits");
    assert_eq!(wide.confirm(&one("; server_max_window_bits=9")).unwrap().server, window(9, true));
}

fn any_window() -> impl Strategy<Value = Window> {
    (9_u8..=15, any::<bool>()).prop_map(|(bits, takeover)| window(bits, takeover))
}

fn any_params() -> impl Strategy<Value = Params> {
    (any_window(), any_window()).prop_map(|(server, client)| Params { server, client })
}

proptest! {
    #[test]
    fn both_ends_agree_on_the_narrower_of_both(offer in any_params(), terms in any_params()) {
        let (server_side, answer) = terms.accept(&offer.offer()).unwrap();
        let client_side = offer.confirm(&answer).unwrap();
        prop_assert_eq!(client_side, server_side);
        prop_assert_eq!(server_side.server, offer.server.narrow(terms.server));
        prop_assert_eq!(server_side.client, offer.client.narrow(terms.client));
    }
}
