//! A list made ready, and the file that it is read from again when that changes.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aho_corasick::AhoCorasick;
use arc_swap::{ArcSwap, Guard};
use aws_lc_rs::digest;
use wicketgate_config::file::Watched;

use super::normal::{self, PADDING, is_word};
use super::words::{ALIKE, Words, first_word};
use crate::reloaded::Reloaded;

/// The most entries of a list.
pub(super) const MAX_ENTRIES: usize = 1_000_000;
/// The longest file.
pub(super) const MAX_FILE: u64 = 64 << 20;
/// The longest entry, in bytes.
const MAX_ENTRY: usize = 1024;
/// What an entry begins with that is the hash of a value.
const HASH: &str = "sha256:";

/// How entries are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) matching: Matching,
    pub(super) ignore_case: bool,
}

/// Where an entry may stand in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Matching {
    /// Between what is no letter or digit.
    #[default]
    Word,
    /// Anywhere, also inside of words: for scripts that part none.
    Anywhere,
    /// It is all of the text, but for spaces around it.
    Whole,
}

/// A list made ready.
#[derive(Debug)]
pub(super) struct List {
    manner: Manner,
    words: Words,
    /// Entries that are looked for at every place.
    loose: Option<AhoCorasick>,
    whole: HashSet<Box<[u8]>>,
    hashes: HashSet<[u8; 32]>,
    entries: usize,
}

thread_local! {
    /// The normal form of the text that is looked through.
    static NORMAL: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Memory that a thread keeps for normal forms, in bytes.
const KEPT: usize = 64 * 1024;

impl List {
    /// Makes a list ready.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn new<'a>(entries: impl Iterator<Item = &'a str>, manner: Manner) -> Result<Self, String> {
        let (mut normals, mut hashes) = (Vec::new(), HashSet::new());
        let mut number = 0;
        for entry in entries.map(str::trim) {
            number += 1;
            if number > MAX_ENTRIES {
                return Err(format!("it has more than {MAX_ENTRIES} entries"));
            }
            if entry.len() > MAX_ENTRY {
                return Err(format!("the entry {number} is longer than {MAX_ENTRY} bytes"));
            }
            if let Some(hash) = entry.strip_prefix(HASH) {
                let hash = read_hash(hash).ok_or_else(|| {
                    format!("the entry {number} is no hash: `sha256:` and 64 hexadecimal digits")
                })?;
                hashes.insert(hash);
                continue;
            }
            let mut normal = Vec::with_capacity(entry.len() + PADDING);
            normal::write(entry, manner.ignore_case, &mut normal);
            let normal = normal[..normal.len() - PADDING].trim_ascii();
            let spaced = |pair: &[u8]| pair.iter().all(u8::is_ascii_whitespace);
            let mut entry: Vec<u8> = Vec::with_capacity(normal.len());
            for byte in normal {
                let byte = if byte.is_ascii_whitespace() { b' ' } else { *byte };
                if !entry.last().is_some_and(|last| spaced(&[*last, byte])) {
                    entry.push(byte);
                }
            }
            if entry.is_empty() {
                return Err(format!("the entry {number} is empty, or has nothing that can be compared"));
            }
            normals.push(entry);
        }
        if number == 0 {
            return Err("it has no entry".into());
        }
        let mut list = Self {
            manner,
            words: Words::default(),
            loose: None,
            whole: HashSet::new(),
            hashes,
            entries: number,
        };
        list.fill(normals)?;
        Ok(list)
    }

    fn fill(&mut self, normals: Vec<Vec<u8>>) -> Result<(), String> {
        let loose: Vec<Vec<u8>> = match self.manner.matching {
            Matching::Whole => {
                self.whole = normals.into_iter().map(Vec::into_boxed_slice).collect();
                return Ok(());
            }
            Matching::Anywhere => normals,
            Matching::Word => {
                let mut alike: HashMap<&[u8], usize> = HashMap::new();
                for entry in &normals {
                    *alike.entry(first_word(entry).unwrap_or_default()).or_default() += 1;
                }
                let is_plain = |entry: &&Vec<u8>| {
                    first_word(entry).is_some_and(|word| alike.get(word).is_some_and(|count| *count <= ALIKE))
                };
                self.words = Words::new(normals.iter().filter(is_plain).map(Vec::as_slice));
                normals.iter().filter(|entry| !is_plain(entry)).cloned().collect()
            }
        };
        if !loose.is_empty() {
            self.loose = Some(AhoCorasick::new(loose).map_err(|error| error.to_string())?);
        }
        Ok(())
    }

    /// How many entries it has.
    pub(super) const fn len(&self) -> usize {
        self.entries
    }

    /// What of the list stands in a value; empty where it is the hash of the value. Bytes have only a hash.
    pub(super) fn find(&self, bytes: &[u8], text: Option<&str>) -> Option<String> {
        if !self.hashes.is_empty() && self.hashes.contains(digest::digest(&digest::SHA256, bytes).as_ref()) {
            return Some(String::new());
        }
        let text = text?;
        if self.words.is_empty() && self.loose.is_none() && self.whole.is_empty() {
            return None;
        }
        NORMAL.with_borrow_mut(|normal| {
            normal::write(text, self.manner.ignore_case, normal);
            let found = self.find_normal(normal);
            normal.clear();
            normal.shrink_to(KEPT);
            found
        })
    }

    fn find_normal(&self, padded: &[u8]) -> Option<String> {
        let text = padded.get(..padded.len() - PADDING)?;
        let piece = |at: (usize, usize)| {
            String::from_utf8_lossy(text.get(at.0..at.1).unwrap_or_default()).into_owned()
        };
        if self.manner.matching == Matching::Whole {
            let whole = text.trim_ascii();
            return self.whole.contains(whole).then(|| String::from_utf8_lossy(whole).into_owned());
        }
        if !self.words.is_empty()
            && let Some(at) = self.words.find(padded)
        {
            return Some(piece(at));
        }
        let loose = self.loose.as_ref()?;
        let mut found = match self.manner.matching {
            Matching::Anywhere => return loose.find(text).map(|found| piece((found.start(), found.end()))),
            _ => loose.find_overlapping_iter(text),
        };
        let is_apart =
            |inside: u8, outside: Option<&u8>| !(is_word(inside) && outside.copied().is_some_and(is_word));
        found
            .find(|found| {
                let (start, end) = (found.start(), found.end());
                let first = start.checked_sub(1).and_then(|before| text.get(before));
                is_apart(text[start], first) && is_apart(text[end - 1], text.get(end))
            })
            .map(|found| piece((found.start(), found.end())))
    }
}

fn read_hash(hex: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        hex.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    (digits.len() == 64).then(|| bytes.try_into().ok())?
}

/// The list that is in force, and where it comes from.
#[derive(Debug)]
pub(super) struct Kept {
    list: ArcSwap<List>,
    /// None where the list stands in the configuration.
    file: Option<Mutex<Watched>>,
}

impl Kept {
    /// A list that stands in the configuration.
    pub(super) fn fixed(list: List) -> Self {
        Self { list: ArcSwap::from_pointee(list), file: None }
    }

    /// A list that stands in a file.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn read(path: &Path, manner: Manner) -> Result<Self, String> {
        let mut file = Watched::new(path);
        let list = read(&mut file, manner)?.ok_or("it changes")?;
        Ok(Self { list: ArcSwap::from_pointee(list), file: Some(Mutex::new(file)) })
    }

    pub(super) fn list(&self) -> Guard<Arc<List>> {
        self.list.load()
    }

    /// Where the list is read from.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let file = self.file.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(file.path().to_owned())
    }

    /// Reads the file anew if it changed; a list that cannot be used changes nothing.
    pub(super) fn reload(&self) -> Option<Reloaded> {
        let mut file = self.file.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let path = file.path().to_owned();
        Some(match read(&mut file, self.list().manner) {
            Ok(None) => return None,
            Ok(Some(list)) => {
                let entries = list.len();
                self.list.store(Arc::new(list));
                Reloaded::List { file: path, entries }
            }
            Err(fault) => Reloaded::ListKept { file: path, fault },
        })
    }
}

/// Entries stand one a line; empty lines, and those that begin with `#`, are none.
fn read(file: &mut Watched, manner: Manner) -> Result<Option<List>, String> {
    let Some(text) = file.changed(MAX_FILE).map_err(|error| error.to_string())? else { return Ok(None) };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    List::new(lines, manner).map(Some)
}
