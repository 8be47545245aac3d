//! Passwords in URLs, which nobody is to read.

use std::borrow::Cow;

/// A text whose URLs show no password, as in `http://user:password@host`; as long as before, so that marks stay in place.
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    for (start, _) in text.match_indices("://") {
        let authority = start + 3;
        let rest = &text[authority..];
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
