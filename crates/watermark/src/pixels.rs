//! A decoded picture.

/// A decoded picture: red, green and blue, and perhaps how opaque it is.
#[derive(Clone, Debug)]
pub(crate) struct Pixels {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Bytes a pixel: 3 or 4.
    pub(crate) channels: usize,
    pub(crate) bytes: Vec<u8>,
}
