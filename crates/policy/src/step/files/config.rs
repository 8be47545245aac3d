//! `files` as it is written in the configuration.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, OneOrMany, Problems, Size, Switch};

use super::Files;
use super::archive::Limits;
use super::kind::{Kind, names};
use crate::fields::Path;

/// What files messages may carry: values of bytes, and texts in base64, also in `data:` URLs. Their type is told by their first
/// bytes, whatever they are called.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawFiles {
    /// The fields that are files, with all that is in them; at most 200. Texts are files only here; a text that is no
    /// base64 does not pass. Default: all values of bytes.
    paths: Option<At<OneOrMany<At<String>>>>,
    /// The types that pass: `png`, `jpeg`, `gif`, `webp`, `avif`, `heic`, `bmp`, `tiff`, `ico`, `pdf`, `rtf`, `ole` (older office
    /// documents), `mp3`, `wav`, `flac`, `ogg`, `mp4`, `webm`, `avi`, `elf`, `exe`, `macho`, `class`, `wasm`, `sqlite`, `woff`, `zip`
    /// (also office documents and `jar`), `gzip`, `zlib`, `7z`, `rar`, `xz`, `bzip2`, `zstd`, `lz4`, `tar`. Those from `7z` to
    /// `lz4` cannot be looked into, and never pass. Default: any, also unknown ones.
    types: Option<At<OneOrMany<At<String>>>>,
    /// The size of one file, decoded, 1 to 1GiB. Memory: as much while a message with base64 is judged. Default: 8MiB.
    max_size: Option<At<Size>>,
    /// What may come out of an archive.
    archives: RawArchives,
}

/// What may come out of an archive. ZIP is judged by what its directory says; gzip and zlib are inflated, which takes up to
/// 10 ms for 16MiB.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawArchives {
    /// Bytes of all files in it together, up to 1GiB. Default: 16MiB.
    max_size: Option<At<Size>>,
    /// How many times the archive's own size that may be, 1 to 2000; 64KiB are always in order. Default: 100.
    max_ratio: Option<At<u32>>,
    /// How many files, 1 to 65534. Default: 1000.
    max_entries: Option<At<u32>>,
    /// Whether archives may be in it; they are not looked into. ZIP's are known by their names. Default: off.
    nested: Option<Switch>,
}

/// The most paths.
const MAX_PATHS: usize = 200;

/// Checks the values; what is wrong goes to `problems`.
pub(crate) fn check(At { value: raw, .. }: At<RawFiles>, problems: &mut Problems) -> Option<Files> {
    let paths = raw.paths.map(|paths| Path::check_list(paths, MAX_PATHS, problems)).unwrap_or_default();
    let mut types: Vec<&'static Kind> = Vec::new();
    if let Some(listed) = raw.types {
        if listed.value.is_empty() {
            problems.error(listed.place, "no type is listed", "list one or more, or leave the key out");
        }
        for name in listed.value.iter() {
            match Kind::named(&name.value) {
                Some(kind) => types.push(kind),
                None => {
                    let what = format!("`{}` is no type of file", name.value);
                    problems.error(name.place, what, format!("known are {}", names().join(", ")));
                }
            }
        }
    }
    let mut size = |name, at: Option<At<Size>>, default| {
        let at = at.unwrap_or(At::nowhere(default));
        problems.in_range(name, &at, Size(1)..=Size(1 << 30)).0 as usize
    };
    let max_size = size("max_size", raw.max_size, Size(8 << 20));
    let unpacked = size("max_size", raw.archives.max_size, Size(16 << 20));
    let ratio = raw.archives.max_ratio.unwrap_or(At::nowhere(100));
    let entries = raw.archives.max_entries.unwrap_or(At::nowhere(1_000));
    let archives = Limits {
        size: unpacked,
        ratio: problems.in_range("max_ratio", &ratio, 1..=2_000) as usize,
        entries: problems.in_range("max_entries", &entries, 1..=65_534) as usize,
        nested: raw.archives.nested.is_some_and(Switch::is_on),
    };
    Some(Files { paths, types: types.into(), max_size, archives })
}
