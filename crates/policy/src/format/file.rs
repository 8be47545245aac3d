//! Files that say how messages are written.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use wicketgate_config::{At, Problem, Problems, Severity, part};

use super::custom::Custom;
use super::custom::config::RawCustom;
use super::protobuf::{BadDescriptors, Protobuf, RawProtobuf};

/// The longest file that declares a format, in bytes.
const MAX_DECLARATION: u64 = 1 << 20;
/// The longest file of descriptors, in bytes.
const MAX_DESCRIPTORS: u64 = 8 << 20;

/// Reads a file of at most so many bytes; what is wrong goes to `problems`.
fn read(path: &At<PathBuf>, most: u64, problems: &mut Problems) -> Option<Vec<u8>> {
    let bytes = File::open(&path.value).and_then(|file| {
        let mut bytes = Vec::new();
        // Reading a pipe or a terminal might never end.
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        file.take(most + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    match bytes {
        Ok(bytes) if bytes.len() as u64 <= most => Some(bytes),
        Ok(_) => {
            let what = format!("{} is longer than {} KiB", path.display(), most >> 10);
            problems.error(path.place, what, "check that it is the right file");
            None
        }
        Err(error) => {
            let what = format!("cannot read {}: {error}", path.display());
            problems.error(path.place, what, "check the path, and the right to read it");
            None
        }
    }
}

/// A format that is declared in a file of its own. What is wrong in it is told at the place of its path, with the line.
pub(super) fn custom(path: &At<PathBuf>, problems: &mut Problems) -> Option<Custom> {
    let bytes = read(path, MAX_DECLARATION, problems)?;
    let Ok(text) = String::from_utf8(bytes) else {
        problems.error(path.place, format!("{} is not UTF-8", path.display()), "save it as UTF-8 text");
        return None;
    };
    let mut own = Problems::default();
    let raw = match part::<RawCustom>(&path.display().to_string(), &text) {
        Ok(raw) => raw,
        Err(report) => {
            if report.problems().next().is_none() {
                let what = format!("{} is empty: it holds no format", path.display());
                problems.error(path.place, what, "write into it what would stand under `custom:`");
            }
            report.problems().for_each(|problem| tell(path, &path.value, problem, problems));
            return None;
        }
    };
    let custom = raw.check(&mut own);
    own.iter().for_each(|problem| tell(path, &path.value, problem, problems));
    (!own.has_errors()).then_some(custom)
}

/// Messages by a descriptor set.
pub(super) fn protobuf(raw: &RawProtobuf, problems: &mut Problems) -> Option<Protobuf> {
    let path = &raw.descriptor_set;
    let bytes = read(path, MAX_DESCRIPTORS, problems)?;
    match Protobuf::new(&bytes, &raw.message.value, raw.unknown) {
        Ok(protobuf) => Some(protobuf),
        Err(error @ BadDescriptors::Set(_)) => {
            let help = "write it with `protoc --include_imports --descriptor_set_out=FILE`";
            problems.error(path.place, format!("{}: {error}", path.display()), help);
            None
        }
        Err(BadDescriptors::NoMessage) => {
            let what = format!("there is no message `{}` in {}", raw.message.value, path.display());
            problems.error(raw.message.place, what, "give its full name, as in `chat.v1.Envelope`");
            None
        }
    }
}

fn tell(at: &At<PathBuf>, file: &Path, problem: &Problem, problems: &mut Problems) {
    let line = match problem.place.is_known() {
        true => format!("{}, line {}: ", file.display(), problem.place.line()),
        false => format!("{}: ", file.display()),
    };
    let what = format!("{line}{}", problem.what);
    match problem.severity {
        Severity::Error => problems.error(at.place, what, &problem.help),
        Severity::Warning => problems.warning(at.place, what, &problem.help),
        Severity::Note => problems.note(at.place, what, &problem.help),
    }
}
