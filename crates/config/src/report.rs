//! All findings about a configuration, and how they are shown to whoever wrote it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use super::outline::Outline;
use super::place::Place;
use super::problem::{Problem, Problems, Severity};
use super::source::Sources;

/// How many findings are shown; beyond these, mending the first ones is the way on.
const MAX_SHOWN: usize = 100;

/// With or without colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text alone, for files and pipes.
    Plain,
    /// With the escape sequences of a terminal.
    Colour,
}

/// All findings about a configuration, with the files in which they stand.
#[derive(Debug, Default)]
pub struct Report {
    /// Boxed: a report is what many a result holds beside its value.
    sources: Box<Sources>,
    problems: Problems,
}

impl Report {
    /// The findings about these files, in the order of the files; what came out of variables is hidden.
    pub fn new(sources: Sources, mut problems: Problems) -> Self {
        for problem in problems.iter_mut() {
            sources.variables.hide(problem.place, &mut problem.what);
            sources.variables.hide(problem.place, &mut problem.help);
        }
        problems.sort();
        Self { sources: Box::new(sources), problems }
    }

    /// The findings, in the order of the files.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// How many of them keep the configuration from being used.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many of them only weaken something.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// The files that were read, the main one first.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.sources.paths()
    }

    /// Where each key stands.
    pub fn outline(&self) -> &Outline {
        &self.sources.outline
    }

    /// The file in which `place` stands.
    pub fn file(&self, place: Place) -> Option<&Path> {
        self.sources.source(place).map(|source| source.path.as_path())
    }

    /// The folders in which a change may change the configuration: those of the files and of what they include.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let parents = self.sources.paths().filter_map(Path::parent);
        let parents = parents.map(|parent| if parent == Path::new("") { Path::new(".") } else { parent });
        parents.map(Path::to_owned).chain(self.sources.folders.iter().cloned()).collect()
    }

    /// Every finding with its file, line, column and text.
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Colour => Renderer::styled(),
        }
        .decor_style(DecorStyle::Ascii);
        let mut out = String::new();
        for problem in self.problems.iter().take(MAX_SHOWN) {
            let _ = writeln!(out, "{}\n", renderer.render(&self.groups(problem)));
        }
        match self.problems.iter().count().saturating_sub(MAX_SHOWN) {
            0 => {}
            more => drop(writeln!(out, "and {more} more\n")),
        }
        out
    }

    /// One finding in one line, for a log: `file:line:column: what (help)`.
    pub fn line(&self, problem: &Problem) -> String {
        let mut out = String::new();
        if let Some(source) = self.sources.source(problem.place) {
            let place = problem.place;
            let _ = write!(out, "{}:{}:{}: ", source.path.display(), place.line(), place.column());
        }
        out.push_str(&normalize_untrusted_str(&problem.what));
        if !problem.help.is_empty() {
            let _ = write!(out, " ({})", normalize_untrusted_str(&problem.help));
        }
        out
    }

    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|p| p.severity == severity).count()
    }

    fn groups<'a>(&'a self, problem: &'a Problem) -> Vec<Group<'a>> {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group = Group::with_title(level.primary_title(normalize_untrusted_str(&problem.what)));
        let source = self.sources.source(problem.place).filter(|_| problem.is_secret);
        match (source, self.snippet(problem.place, AnnotationKind::Primary, None)) {
            (Some(source), _) => {
                let (line, column) = (problem.place.line() as usize, problem.place.column() as usize);
                let origin = Origin::path(source.path.display().to_string()).line(line);
                group = group.element(origin.char_column(column));
            }
            (None, Some(snippet)) => group = group.element(snippet),
            (None, None) => {
                if let Some(path) = self.sources.paths().next() {
                    group = group.element(Origin::path(path.display().to_string()));
                }
            }
        }
        if let Some((place, label)) = &problem.also {
            group = group.elements(self.snippet(*place, AnnotationKind::Context, Some(label)));
        }
        if !problem.help.is_empty() {
            group = group.element(Level::HELP.message(normalize_untrusted_str(&problem.help)));
        }
        vec![group]
    }

    /// The line at `place` with the place marked. Only that line is given to the renderer, so that a long file
    /// with many findings costs no more than a short one.
    fn snippet<'a>(
        &'a self,
        place: Place,
        kind: AnnotationKind,
        label: Option<&'a str>,
    ) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
        let source = self.sources.source(place)?;
        let (line, marked) = source.line(place);
        let marked = marked.start - line.start..marked.end - line.start;
        Some(
            Snippet::source(without_passwords(&source.text[line]))
                .line_start(place.line() as usize)
                .path(source.path.display().to_string())
                .annotation(kind.span(marked).label(label.map(Cow::Borrowed))),
        )
    }
}

/// A text whose URLs show no password, as in `http://user:password@host`; as long as before, so that marks stay in place.
pub fn without_passwords(line: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(line);
    for (start, _) in line.match_indices("://") {
        let authority = start + 3;
        let rest = &line[authority..];
        let end = rest.find(|c: char| c.is_whitespace() || "/\"'?#,}".contains(c)).unwrap_or(rest.len());
        // A password may hold the signs that end it elsewhere; what stands before the last @ is masked rather too far.
        let Some(at) = rest[..end].rfind('@') else { continue };
        let Some(colon) = rest[..at].find(':') else { continue };
        shown.to_mut().replace_range(authority + colon + 1..authority + at, &"*".repeat(at - colon - 1));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::without_passwords;

    #[test]
    fn passwords_in_urls_are_not_shown() {
        let line = "proxy: {url: 'http://jo:pä:ss@proxy:3128/', other: http://host:80/a@b} # ws://a:b@c";
        let want = "proxy: {url: 'http://jo:******@proxy:3128/', other: http://host:80/a@b} # ws://a:*@c";
        // A letter of two bytes is two signs: the column that is marked is counted in bytes.
        assert_eq!(without_passwords(line), want);
        assert_eq!(without_passwords(line).len(), line.len());
        assert_eq!(
            without_passwords("url: http://user@host/ # no password"),
            "url: http://user@host/ # no password"
        );
    }
}
