//! Pictures that say who got them: text that everybody sees, and a mark that only its key finds.
//!
//! Bytes go in and bytes come out: no sockets, no clock. [`inspect`] reads what a PNG, JPEG or WebP says of itself and refuses
//! it before memory is taken; [`mark`] decodes, marks and encodes it anew in its own format; [`read`] finds the invisible mark.

mod code;
mod container;
mod fourier;
#[doc(hidden)]
pub mod fuzz;
mod invisible;
mod key;
mod luma;
mod picture;
mod reader;
mod refusal;
mod shape;
mod tile;
mod visible;

pub use container::{Format, Header, Limits, inspect};
pub use invisible::Strength;
pub use key::{Key, Tag};
pub use picture::{Marks, Quality, Watch, mark};
pub use reader::{Found, read};
pub use refusal::Refusal;
pub use shape::{BadFont, Font};
pub use visible::{Look, Placement, Visible};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
