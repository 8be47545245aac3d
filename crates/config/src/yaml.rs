//! From text to a tree, within bounds: the parser's events put together, variables filled in, aliases unfolded.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::place::Place;
use super::problem::Problems;
use super::source::{Sources, Variables};
use super::tree::{Content, Entry, Node, Scalar};
use super::variables::{self, Lookup, Unfilled};

/// Bounds of one document. Aliases are copied, so these bound what a few lines of anchors can unfold to.
const MAX_NODES: usize = 100_000;
const MAX_TEXT: usize = 8 << 20;
const MAX_DEPTH: usize = 32;
/// How many keys a mapping may have; each new one is compared with those before it.
const MAX_KEYS: usize = 1024;

/// Reads the document in the file of number `source`; what is wrong with it goes to `problems`. `None` when it
/// cannot be read at all, or holds nothing.
pub fn parse(
    source: u32,
    sources: &mut Sources,
    lookup: Lookup<'_>,
    problems: &mut Problems,
) -> Option<Node> {
    let Sources { files, variables, .. } = sources;
    let text = &files.get(source as usize)?.text;
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder {
        source,
        lookup,
        variables,
        problems,
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        text: 0,
        root: None,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => builder.take(event, &span)?,
            Err(error) => {
                builder.syntax(&error, text.len());
                return None;
            }
        }
    }
    builder.root
}

/// A list or mapping whose end has not come yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value.
    key: Option<(String, Place)>,
}

struct Builder<'a> {
    source: u32,
    lookup: Lookup<'a>,
    variables: &'a mut Variables,
    problems: &'a mut Problems,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    text: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    /// Takes the parser's next event; `None` ends the reading.
    fn take(&mut self, event: Event<'_>, span: &Span) -> Option<()> {
        let place = self.place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(tag.as_deref(), place);
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let node = self.scalar(text.into_owned(), plain, place);
                self.finish(node, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), place);
                self.begin(Content::List(Vec::new()), anchor, place)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), place);
                self.begin(Content::Map(Vec::new()), anchor, place)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let open = self.open.pop()?;
                let node = merged(open.node, self.problems);
                self.finish(node, open.anchor)
            }
            Event::Alias(id) => match self.anchors.get(&id) {
                Some(node) => {
                    let copy = Node { place, ..node.clone() };
                    self.count(&copy, place)?;
                    self.finish(copy, 0)
                }
                None => {
                    self.problems.error(
                        place,
                        "this alias stands inside what it names",
                        "name a value that ends before",
                    );
                    None
                }
            },
            Event::DocumentStart(..) if self.root.is_some() => {
                self.problems.error(
                    place,
                    "a second document begins here",
                    "a file holds one document: remove the `---`",
                );
                None
            }
            _ => Some(()),
        }
    }

    fn begin(&mut self, content: Content, anchor: usize, place: Place) -> Option<()> {
        self.check_depth(self.open.len() + 1, place)?;
        self.open.push(Open { node: Node { place, content, cut: false }, anchor, key: None });
        Some(())
    }

    /// Puts a finished value where it belongs.
    fn finish(&mut self, node: Node, anchor: usize) -> Option<()> {
        self.count_one(&node)?;
        if anchor != 0 {
            self.count(&node, node.place)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Some(());
        };
        match &mut open.node.content {
            Content::List(items) => items.push(node),
            Content::Map(entries) => match open.key.take() {
                Some((key, key_place)) => match entries.iter().find(|e| e.key == key) {
                    Some(first) => {
                        let what = format!("the key `{key}` stands here a second time");
                        self.problems.clash(
                            key_place,
                            what,
                            "keep one of them",
                            (first.key_place, "first here"),
                        );
                        open.node.cut = true;
                    }
                    None if entries.len() >= MAX_KEYS => {
                        let what = format!("a mapping has more than {MAX_KEYS} keys");
                        self.problems.error(key_place, what, "no key needs as many: check the indentation");
                        return None;
                    }
                    None => entries.push(Entry { key, key_place, value: Some(node) }),
                },
                None => match node.content {
                    Content::Scalar(scalar) => open.key = Some((scalar.text, node.place)),
                    _ => {
                        self.problems.error(
                            node.place,
                            "a key is a list or a mapping",
                            "a key is a plain word; put a value with `{`, `[` or `?` in quotes",
                        );
                        return None;
                    }
                },
            },
            Content::Scalar(_) => {}
        }
        Some(())
    }

    /// A scalar; its variables are filled in unless it is a key.
    fn scalar(&mut self, text: String, plain: bool, place: Place) -> Node {
        let is_key = matches!(
            self.open.last(),
            Some(Open { node: Node { content: Content::Map(_), .. }, key: None, .. })
        );
        let node = |text, plain| Node { place, content: Content::Scalar(Scalar { text, plain }), cut: false };
        if is_key {
            return node(text, plain);
        }
        match variables::expand(&text, self.lookup) {
            Ok(None) => node(text, plain),
            Ok(Some(expanded)) => {
                self.variables.note(place, expanded.used);
                // An empty variable is an empty text, never an absent value.
                let plain = plain && !expanded.text.is_empty();
                node(expanded.text, plain)
            }
            Err(unfilled) => {
                let (what, help) = explain(&unfilled);
                self.problems.error(place, what, help);
                Node { cut: true, ..node(text, plain) }
            }
        }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, place: Place) {
        let known = ["str", "seq", "map"];
        if let Some(tag) = tag.filter(|tag| !known.iter().any(|suffix| tag.is_yaml_core_schema_tag(suffix))) {
            self.problems.error(
                place,
                format!("the tag `{}` means nothing here", tag.original()),
                "remove it; values with special characters go in quotes",
            );
        }
    }

    /// Counts a copy of a value and of all below it against the document's bounds.
    fn count(&mut self, node: &Node, place: Place) -> Option<()> {
        let mut stack = vec![(node, self.open.len())];
        while let Some((node, depth)) = stack.pop() {
            self.check_depth(depth, place)?;
            self.nodes += 1;
            match &node.content {
                Content::Scalar(scalar) => self.text += scalar.text.len(),
                Content::List(items) => stack.extend(items.iter().map(|item| (item, depth + 1))),
                Content::Map(entries) => {
                    self.text += entries.iter().map(|e| e.key.len()).sum::<usize>();
                    stack.extend(entries.iter().filter_map(|e| Some((e.value.as_ref()?, depth + 1))));
                }
            }
            self.within_bounds(place)?;
        }
        Some(())
    }

    fn check_depth(&mut self, depth: usize, place: Place) -> Option<()> {
        if depth <= MAX_DEPTH {
            return Some(());
        }
        self.problems.error(
            place,
            format!("nested deeper than {MAX_DEPTH} levels"),
            "no key needs as many: check the indentation",
        );
        None
    }

    fn count_one(&mut self, node: &Node) -> Option<()> {
        self.nodes += 1;
        if let Content::Scalar(scalar) = &node.content {
            self.text += scalar.text.len();
        }
        self.within_bounds(node.place)
    }

    fn within_bounds(&mut self, place: Place) -> Option<()> {
        if self.nodes <= MAX_NODES && self.text <= MAX_TEXT {
            return Some(());
        }
        self.problems.error(
            place,
            format!("the file unfolds to more than {MAX_NODES} values or {} MiB of text", MAX_TEXT >> 20),
            "use fewer or smaller aliases, or split it with `include`",
        );
        None
    }

    fn place(&self, span: &Span) -> Place {
        let bytes = span.byte_range().unwrap_or(0..0);
        let (line, column) = (span.start.line(), span.start.col() + 1);
        Place::new(self.source, narrow(line), narrow(column), narrow(bytes.start)..narrow(bytes.end))
    }

    fn syntax(&mut self, error: &ScanError, length: usize) {
        let mark = error.marker();
        let start = mark.byte_offset().unwrap_or(length).min(length);
        let bytes: Range<u32> = narrow(start)..narrow(start);
        let place = Place::new(self.source, narrow(mark.line()), narrow(mark.col() + 1), bytes);
        self.problems.error(
            place,
            format!("this is no YAML: {}", error.info()),
            "check the indentation, the colons and the quotes here and on the line before",
        );
    }
}

/// A file is far shorter than `u32::MAX`, so nothing is lost.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn explain(unfilled: &Unfilled) -> (String, String) {
    match unfilled {
        Unfilled::NotSet(name) => (
            format!("the environment variable `{name}` is not set"),
            format!(
                "set it, or give a default: `${{{name}:-…}}`; `$${{` stands for the characters themselves"
            ),
        ),
        Unfilled::NotClosed => {
            ("a `${` without its `}`".into(), "close it; `$${` stands for the characters themselves".into())
        }
        Unfilled::BadName(name) => (
            format!("`{name}` is no name of an environment variable"),
            "a name has letters, digits and `_`; `$${` stands for the characters themselves".into(),
        ),
        Unfilled::TooLong => {
            ("the variables give too long a text".into(), "a value has at most 1 MiB".into())
        }
    }
}

/// Gives a block its place (that of its first key or item), and a mapping the keys of what stands under `<<`.
fn merged(mut node: Node, problems: &mut Problems) -> Node {
    match &mut node.content {
        Content::List(items) => {
            if let Some(first) = items.first().filter(|_| node.place.bytes().is_empty()) {
                node.place = first.place;
            }
            node.cut |= items.iter().any(|item| item.cut);
        }
        Content::Map(entries) => {
            if let Some(first) = entries.first().filter(|_| node.place.bytes().is_empty()) {
                node.place = first.key_place;
            }
            if let Some(at) = entries.iter().position(|e| e.key == "<<") {
                let merge = entries.remove(at);
                node.cut |= !merge_into(entries, merge, problems);
            }
            node.cut |= entries.iter().any(|e| e.value.as_ref().is_none_or(|value| value.cut));
        }
        Content::Scalar(_) => {}
    }
    node
}

/// Adds the entries of a merge that are not there yet; whether it could be read.
fn merge_into(entries: &mut Vec<Entry>, merge: Entry, problems: &mut Problems) -> bool {
    let sources = match merge.value.map(|value| value.content) {
        Some(Content::List(items)) => items.into_iter().map(|item| item.content).collect(),
        Some(content) => vec![content],
        None => Vec::new(),
    };
    for source in sources {
        let Content::Map(source) = source else {
            problems.error(
                merge.key_place,
                "`<<` takes a mapping or a list of mappings",
                "name one by an alias: `<<: *defaults`",
            );
            return false;
        };
        for entry in source {
            if !entries.iter().any(|e| e.key == entry.key) {
                entries.push(entry);
            }
        }
    }
    true
}
