//! The fuzz targets: each hands any bytes to an entry function of a library, which must neither panic nor take more than its bounds
//! allow. One has its corpus in `fuzz/corpus/NAME`, and words that no mutation would come upon in `fuzz/dictionaries/NAME.dict`.

/// What a target's inputs are handed to.
pub type Entry = fn(&[u8]);

/// Every target, by name.
pub const TARGETS: &[(&str, Entry)] = &[
    // Messages put together from frames.
    ("assembly", wicketgate_wire::fuzz::assembly),
    // Captures, and policies learnt of them.
    ("capture", wicketgate_learn::fuzz::capture),
    // CBOR messages.
    ("cbor", wicketgate_policy::fuzz::cbor),
    // Configuration files: any text, read to its problems or to a table of routes.
    ("configuration", wicketgate_gateway::fuzz::config),
    // Declared formats and their messages.
    ("custom", wicketgate_policy::fuzz::custom),
    // Compressed messages, hostile and our own.
    ("deflate", wicketgate_wire::fuzz::deflate),
    // Header lists of extensions and subprotocols.
    ("extensions", wicketgate_wire::fuzz::extensions),
    // Headers in which trusted proxies tell the client's address.
    ("forwarded", wicketgate_admission::fuzz::forwarded),
    // Frames in any pieces.
    ("frames", wicketgate_wire::fuzz::frames),
    // GraphQL documents.
    ("graphql", wicketgate_policy::fuzz::graphql),
    // Texts of messages, as the guard inspects them.
    ("guard", wicketgate_policy::guard::fuzz::guard),
    // Requests, answers and proxied headers.
    ("handshake", wicketgate_wire::fuzz::handshake),
    // JSON messages, read beside serde_json.
    ("json", wicketgate_policy::fuzz::json),
    // MessagePack messages.
    ("msgpack", wicketgate_policy::fuzz::msgpack),
    // Conversations in the protocols that formats know.
    ("packs", wicketgate_policy::fuzz::packs),
    // Pictures: inspected, decoded, marked and encoded.
    ("picture", wicketgate_watermark::fuzz::picture),
    // What a component leaves for its answer, and what the host takes of it.
    #[cfg(feature = "plugins")]
    ("plugin", wicketgate_plugin::fuzz::answer),
    // Captures of packets.
    ("pcap", wicketgate_learn::fuzz::packets),
    // Protocol Buffers messages.
    ("protobuf", wicketgate_policy::fuzz::protobuf),
    // Headers of the PROXY protocol, versions 1 and 2.
    ("proxy_header", wicketgate_gateway::fuzz::proxy_header),
    // What comes on a carrier of a private session before it is attached.
    ("relay_attach", wicketgate_relay::session::fuzz::attach),
    // Records of a private session, in any pieces.
    ("relay_records", wicketgate_relay::session::fuzz::records),
    // A pattern and a text: both ways of matching agree.
    ("seclang_operators", wicketgate_seclang::fuzz::operators),
    // Rules as files have them, read and asked.
    ("seclang_rules", wicketgate_seclang::fuzz::rules),
    // A text, as every transformation makes it.
    ("seclang_transformations", wicketgate_seclang::fuzz::transformations),
    // Headers of the trace context, as any peer may send them.
    ("trace_context", wicketgate_gateway::fuzz::trace_context),
];

/// Targets of which there is a corpus, and that are left out of this build.
pub const LEFT_OUT: &[&str] = if cfg!(feature = "plugins") { &[] } else { &["plugin"] };
