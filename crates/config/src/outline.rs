//! Where each key of a configuration stands, by its path.

use std::collections::{BTreeMap, HashMap};

use super::place::Place;
use super::tree::{Content, Node};

/// Where each key stands, by its path as in `routes[0].admission.origin`. It holds no values: some are secrets.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    places: BTreeMap<String, Place>,
    /// How many items the lists at the root have: those of included files follow.
    items: HashMap<String, usize>,
    dangers: Vec<String>,
}

impl Outline {
    /// Adds what stands in one more file.
    pub fn add(&mut self, root: &Node) {
        let Content::Map(entries) = &root.content else { return };
        for entry in entries {
            let Some(value) = &entry.value else { continue };
            let before = match &value.content {
                Content::List(items) => {
                    let count = self.items.entry(entry.key.clone()).or_default();
                    let before = *count;
                    *count += items.len();
                    before
                }
                _ => 0,
            };
            self.place(&entry.key, entry.key_place, value, before);
        }
    }

    /// Where the key at `path` stands, if it is written.
    pub fn get(&self, path: &str) -> Option<Place> {
        self.places.get(path).copied()
    }

    /// Where `path` stands, or the nearest part around it that is written.
    pub fn nearest(&self, mut path: &str) -> Option<Place> {
        loop {
            if let Some(place) = self.get(path) {
                return Some(place);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// The paths of all `dangerous_` words that are not `false`, in the order of the files.
    pub fn dangers(&self) -> impl Iterator<Item = &str> {
        self.dangers.iter().map(String::as_str)
    }

    /// `before` is how many items of a list stand in earlier files. A key without a value is none.
    fn place(&mut self, path: &str, place: Place, node: &Node, before: usize) {
        match &node.content {
            Content::Scalar(scalar) => {
                if scalar.is_null() {
                    return;
                }
                let key = path.rsplit('.').next().unwrap_or(path);
                let is_off = matches!(scalar.text.as_str(), "false" | "False" | "FALSE");
                if key.starts_with("dangerous_") && !is_off {
                    self.dangers.push(path.to_owned());
                }
            }
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.place(&format!("{path}[{}]", before + index), item.place, item, 0);
                }
            }
            Content::Map(entries) => {
                for entry in entries {
                    let Some(value) = &entry.value else { continue };
                    self.place(&format!("{path}.{}", entry.key), entry.key_place, value, 0);
                }
            }
        }
        self.places.entry(path.to_owned()).or_insert(place);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::problem::Problems;
    use super::super::source::Sources;
    use super::*;

    fn outline(files: &[&str]) -> Outline {
        let (mut sources, mut problems) = (Sources::default(), Problems::default());
        let mut outline = Outline::default();
        for text in files {
            let number = sources.add("x.yaml".as_ref(), (*text).to_owned());
            outline.add(&super::super::parse(number, &mut sources, &|_| None, &mut problems).unwrap());
        }
        outline
    }

    #[test]
    fn every_key_has_its_place_also_across_files() {
        let outline = outline(&[
            "routes:\n  - name: a\n    admission:\n      origin: same\nlog:\n",
            "routes: [{name: b}, {name: c}]\n",
        ]);
        let line = |path: &str| outline.get(path).map(Place::line);
        assert_eq!(line("routes[0].admission"), Some(3));
        assert_eq!(line("routes[0].admission.origin"), Some(4));
        assert_eq!((line("routes[2].name"), line("routes[3]")), (Some(1), None));
        assert_eq!(line("log"), None, "a key without a value");
        assert_eq!(outline.nearest("routes[0].admission.limits.sessions").map(Place::line), Some(3));
        assert_eq!(outline.nearest("routes[9].name").map(Place::line), Some(1));
        assert_eq!(outline.nearest("admin.bind"), None);
    }

    #[test]
    fn dangers_are_those_in_force() {
        let outline = outline(&["a: {dangerous_x: true, dangerous_y: false}\nb: [{dangerous_z: yes}]\n"]);
        assert_eq!(outline.dangers().collect::<Vec<_>>(), ["a.dangerous_x", "b[0].dangerous_z"]);
    }
}
