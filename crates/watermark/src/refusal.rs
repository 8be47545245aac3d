//! Why a picture is not marked.

/// Why a picture is not marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It begins like none of the formats.
    #[error("it is no PNG, JPEG or WebP")]
    Unknown,
    /// Its file is too large.
    #[error("its file is larger than it may be")]
    TooLarge,
    /// It says of itself that it has more pixels than it may.
    #[error("it has more pixels than it may, or is too wide or high")]
    TooManyPixels,
    /// It has none.
    #[error("it has no pixels")]
    Empty,
    /// There is more in it beside the picture than there may be.
    #[error("there is more metadata in it than there may be")]
    Metadata,
    /// It has so many scans that decoding would take too long.
    #[error("it has more scans than it may")]
    TooManyScans,
    /// It moves.
    #[error("it is animated")]
    Animated,
    /// Something stands behind the picture's end.
    #[error("something stands behind its end")]
    Trailing,
    /// It ends before its picture does.
    #[error("it is cut off")]
    Truncated,
    /// It cannot be decoded.
    #[error("it cannot be decoded")]
    Malformed,
    /// The time for it is over.
    #[error("it took too long")]
    TooSlow,
    /// The marked picture cannot be written, or is larger than it may be.
    #[error("the marked picture cannot be written, or is larger than it may be")]
    Unwritable,
}

impl Refusal {
    /// The word for findings, metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "not_a_picture",
            Self::TooLarge => "picture_too_large",
            Self::TooManyPixels => "picture_pixels",
            Self::Empty => "picture_empty",
            Self::Metadata => "picture_metadata",
            Self::TooManyScans => "picture_scans",
            Self::Animated => "picture_animated",
            Self::Trailing => "picture_trailing",
            Self::Truncated => "picture_truncated",
            Self::Malformed => "picture_malformed",
            Self::TooSlow => "picture_slow",
            Self::Unwritable => "picture_unwritable",
        }
    }
}
