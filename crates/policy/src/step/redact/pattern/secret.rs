//! Tokens and keys: each begins with letters that nothing else does, and goes on in characters of a kind.

use aho_corasick::{AhoCorasick, MatchKind};

use super::{Match, Pattern, before, run};

/// The characters that a key goes on in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Upper,
    Hex,
    Letters,
    /// And `_`.
    Word,
    /// And `_`, `-`.
    Url,
    /// And `.`.
    Dotted,
    /// Three parts of base64url: the first begins as `{"`.
    Jwt,
    /// Credentials behind `Bearer` (RFC 6750 section 2.1).
    Bearer,
    /// A private key in PEM, up to its end.
    Pem,
}

/// What a secret looks like.
#[derive(Clone, Copy, Debug)]
struct Shape {
    pattern: Pattern,
    begins: &'static str,
    of: Of,
    fewest: usize,
    most: usize,
}

const fn key(begins: &'static str, of: Of, fewest: usize, most: usize) -> Shape {
    Shape { pattern: Pattern::Key, begins, of, fewest, most }
}

const fn token(begins: &'static str, of: Of) -> Shape {
    Shape { pattern: Pattern::Token, begins, of, fewest: 16, most: usize::MAX }
}

const ANY: usize = 512;

const SHAPES: &[Shape] = &[
    token("eyJ", Of::Jwt),
    token("Bearer ", Of::Bearer),
    token("bearer ", Of::Bearer),
    token("BEARER ", Of::Bearer),
    // AWS
    key("AKIA", Of::Upper, 16, 16),
    key("ASIA", Of::Upper, 16, 16),
    key("ABIA", Of::Upper, 16, 16),
    key("ACCA", Of::Upper, 16, 16),
    // GitHub
    key("ghp_", Of::Letters, 36, 255),
    key("gho_", Of::Letters, 36, 255),
    key("ghu_", Of::Letters, 36, 255),
    key("ghs_", Of::Letters, 36, 255),
    key("ghr_", Of::Letters, 36, 255),
    key("github_pat_", Of::Word, 40, 255),
    // GitLab
    key("glpat-", Of::Url, 20, ANY),
    // OpenAI, Anthropic
    key("sk-", Of::Url, 20, ANY),
    // Stripe
    key("sk_live_", Of::Letters, 16, 255),
    key("sk_test_", Of::Letters, 16, 255),
    key("rk_live_", Of::Letters, 16, 255),
    key("rk_test_", Of::Letters, 16, 255),
    key("whsec_", Of::Letters, 24, 255),
    // Slack
    key("xoxa-", Of::Url, 10, ANY),
    key("xoxb-", Of::Url, 10, ANY),
    key("xoxe-", Of::Url, 10, ANY),
    key("xoxo-", Of::Url, 10, ANY),
    key("xoxp-", Of::Url, 10, ANY),
    key("xoxr-", Of::Url, 10, ANY),
    key("xoxs-", Of::Url, 10, ANY),
    key("xapp-", Of::Url, 20, ANY),
    // Google
    key("AIza", Of::Url, 35, 35),
    key("ya29.", Of::Url, 20, ANY),
    key("GOCSPX-", Of::Url, 20, ANY),
    // npm, PyPI, Hugging Face
    key("npm_", Of::Letters, 36, 36),
    key("pypi-", Of::Url, 50, ANY),
    key("hf_", Of::Letters, 30, 255),
    // SendGrid, DigitalOcean, Shopify
    key("SG.", Of::Dotted, 60, 80),
    key("dop_v1_", Of::Hex, 64, 64),
    key("shpat_", Of::Hex, 32, 32),
    key("shpss_", Of::Hex, 32, 32),
    // PEM
    key("-----BEGIN ", Of::Pem, 0, usize::MAX),
];

/// Finds where a secret may begin.
#[derive(Clone, Debug)]
pub(super) struct Literals {
    /// In the order of the literals.
    shapes: Box<[Shape]>,
    finder: AhoCorasick,
}

impl Literals {
    pub(super) fn new(tokens: bool, keys: bool) -> Option<Self> {
        let wanted = |shape: &&Shape| if shape.pattern == Pattern::Token { tokens } else { keys };
        let shapes: Box<[Shape]> = SHAPES.iter().filter(wanted).copied().collect();
        let literals = shapes.iter().map(|shape| shape.begins);
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(literals).ok()?;
        Some(Self { shapes, finder })
    }

    pub(super) fn find(&self, text: &[u8], found: &mut Vec<Match>) {
        let mut behind = 0;
        for literal in self.finder.find_iter(text) {
            let (start, rest) = (literal.start(), literal.end());
            let Some(shape) = self.shapes.get(literal.pattern().as_usize()) else { continue };
            if start < behind {
                continue;
            }
            if let Some((start, end)) = shape.span(text, start, rest) {
                found.push(Match { at: start..end, pattern: shape.pattern });
                behind = end;
            }
        }
    }
}

impl Shape {
    /// Where the secret stands whose first letters are at `start..rest`.
    fn span(&self, text: &[u8], start: usize, rest: usize) -> Option<(usize, usize)> {
        if self.of == Of::Pem {
            return pem_end(text, rest).map(|end| (start, end));
        }
        if before(text, start).is_ascii_alphanumeric() {
            return None;
        }
        let count = run(text, rest, |byte| self.of.contains(byte));
        let piece = text.get(rest..rest + count)?;
        if count < self.fewest || count > self.most {
            return None;
        }
        // What people write has no digits; what machines draw has some.
        let is_drawn = piece.iter().any(u8::is_ascii_digit);
        match self.of {
            Of::Bearer => is_drawn.then_some((rest, rest + count)),
            Of::Jwt => jwt_length(piece).map(|length| (start, rest + length)),
            _ => is_drawn.then_some((start, rest + count)),
        }
    }
}

impl Of {
    fn contains(self, byte: u8) -> bool {
        match self {
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Letters => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Self::Url => byte.is_ascii_alphanumeric() || b"_-".contains(&byte),
            Self::Dotted | Self::Jwt => byte.is_ascii_alphanumeric() || b"_-.".contains(&byte),
            Self::Bearer => byte.is_ascii_alphanumeric() || b"_-.~+/=".contains(&byte),
            Self::Pem => false,
        }
    }
}

/// The length of three parts, or of the five of an encrypted token; the last may be empty.
fn jwt_length(piece: &[u8]) -> Option<usize> {
    let mut dots = memchr::memchr_iter(b'.', piece);
    let (first, second) = (dots.next()?, dots.next()?);
    let is_token = first >= 8 && second > first + 1;
    // A point behind it ends the sentence.
    let more = piece.get(second + 1..)?;
    let third = second + 1 + run(more, 0, |byte| byte != b'.');
    let length = match (dots.next(), dots.next()) {
        (Some(_), Some(last)) if byte_follows(piece, last) => piece.len(),
        _ => third,
    };
    is_token.then_some(length)
}

fn byte_follows(piece: &[u8], at: usize) -> bool {
    piece.get(at + 1).is_some_and(|byte| *byte != b'.')
}

/// The longest private key, in bytes: 16384 bits of RSA have 13 KiB.
const MAX_PEM: usize = 32 * 1024;

/// Where a private key ends; one that is cut off is one to the end.
fn pem_end(text: &[u8], rest: usize) -> Option<usize> {
    let text = text.get(..text.len().min(rest.saturating_add(MAX_PEM)))?;
    let label = memchr::memmem::find(text.get(rest..text.len().min(rest + 64))?, b"PRIVATE KEY")?;
    let label_end = rest + label;
    // Nothing but the kind of key stands before the words.
    if !text.get(rest..label_end)?.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b' ') {
        return None;
    }
    let ends = memchr::memmem::find(text.get(label_end..)?, b"-----END ");
    let Some(end) = ends.map(|end| label_end + end + 9) else { return Some(text.len()) };
    let dashes = memchr::memmem::find(text.get(end..)?, b"-----");
    Some(dashes.filter(|dashes| *dashes < 64).map_or(end, |dashes| end + dashes + 5))
}
