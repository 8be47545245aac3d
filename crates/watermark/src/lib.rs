//! Pictures that say who got them: text that everybody sees, and a mark that only its key finds.
//!
//! Bytes go in and bytes come out: no sockets, no clock. [`inspect`] reads what a PNG, JPEG or WebP says of itself and refuses
//! it before memory is taken; [`mark`] decodes, marks and encodes it anew in its own format; [`read`] finds the invisible mark.

mod code;
mod codec;
mod container;
mod fourier;
#[doc(hidden)]
pub mod fuzz;
mod invisible;
mod key;
mod luma;
mod picture;
mod pixels;
mod reader;
mod refusal;
mod shape;
mod tile;
mod visible;
mod watch;

pub use codec::Quality;
pub use container::{Format, Header, Limits, inspect};
pub use invisible::Strength;
pub use key::{Key, Tag, secret};
pub use picture::{Marks, mark};
pub use reader::{Found, read};
pub use refusal::Refusal;
pub use shape::{BadFont, Font};
pub use visible::{Look, Placement, Visible};
pub use watch::Watch;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
