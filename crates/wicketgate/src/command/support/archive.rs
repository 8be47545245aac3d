//! The archive: tar, compressed by gzip.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};
use time::OffsetDateTime;

use super::parts::Part;

/// Writes it, for its owner alone. What is there already stays.
pub(super) fn write(to: &Path, parts: &[Part], made: OffsetDateTime) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut archive = Builder::new(GzEncoder::new(BufWriter::new(file), Compression::default()));
    for part in parts {
        let mut header = Header::new_gnu();
        header.set_size(part.bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(made.unix_timestamp()).unwrap_or_default());
        archive.append_data(&mut header, Path::new("wicketgate-support").join(&part.name), &*part.bytes)?;
    }
    archive.into_inner()?.finish()?.flush()?;
    Ok(())
}
