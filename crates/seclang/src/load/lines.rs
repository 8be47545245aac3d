//! Lines of the rule language: continued lines joined, comments left out, words parted.

/// A directive as it stands in a file: on several lines, perhaps.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The number of its first line, from 1.
    pub(crate) number: usize,
    pub(crate) text: String,
}

/// The directives of a file.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    let mut all = Vec::new();
    let mut open: Option<Line> = None;
    for (number, piece) in text.lines().enumerate() {
        let piece = if open.is_some() { piece } else { piece.trim_start() };
        if open.is_none() && (piece.is_empty() || piece.starts_with('#')) {
            continue;
        }
        let (piece, goes_on) = match piece.trim_end().strip_suffix('\\') {
            Some(piece) => (piece, true),
            None => (piece.trim_end(), false),
        };
        let mut line = open.take().unwrap_or(Line { number: number + 1, text: String::new() });
        line.text.push_str(piece);
        match goes_on {
            true => open = Some(line),
            false => all.push(line),
        }
    }
    all.extend(open);
    all
}

/// The words of a directive; a quoted one is one word, without its quotes.
pub(crate) fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let word;
        (word, rest) = match first {
            '"' | '\'' => quoted(&rest[1..], first)?,
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        words.push(word);
        rest = rest.trim_start();
    }
    Ok(words)
}

/// What stands up to the quote; `\` before a quote takes it into the word, any other stays.
fn quoted(text: &str, quote: char) -> Result<(String, &str), &'static str> {
    let mut word = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some((_, next)) if next == quote => word.push(quote),
                Some((_, next)) => word.extend(['\\', next]),
                None => break,
            },
            _ if character == quote => return Ok((word, &text[at + 1..])),
            _ => word.push(character),
        }
    }
    Err("a quote is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_keep_the_number_of_the_first() {
        let text = "# a comment \\\n\nSecRule ARGS \\\n  \"@rx a\" \\\n  \"id:1\"\nSecMarker END";
        let found = lines(text);
        assert_eq!(found[0], Line { number: 3, text: "SecRule ARGS   \"@rx a\"   \"id:1\"".into() });
        assert_eq!(found[1], Line { number: 6, text: "SecMarker END".into() });
    }

    #[test]
    fn a_quote_keeps_what_is_in_it() {
        let found = words(r#"SecRule ARGS:a "@rx \"\d 'x'" "id:1,msg:'it\'s'""#).unwrap_or_default();
        assert_eq!(found, ["SecRule", "ARGS:a", r#"@rx "\d 'x'"#, r"id:1,msg:'it\'s'"]);
        assert!(words("SecRule \"a").is_err());
    }
}
