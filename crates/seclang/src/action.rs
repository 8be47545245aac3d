//! Actions: what follows when a rule finds something, as it is written.

/// An action: its name and what stands behind the colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// In small letters.
    pub(crate) name: String,
    pub(crate) argument: String,
}

/// Reads a list of actions, parted by commas; what stands in single quotes is not parted.
pub(crate) fn actions(text: &str) -> Result<Vec<Written>, &'static str> {
    let mut all = Vec::new();
    let (mut part, mut quoted, mut characters) = (String::new(), false, text.chars());
    loop {
        match characters.next() {
            Some('\\') => match characters.next() {
                Some('\'') => part.push('\u{0}'),
                Some(next) => part.extend(['\\', next]),
                None => part.push('\\'),
            },
            Some('\'') => {
                quoted = !quoted;
                part.push('\'');
            }
            Some(',') if !quoted => all.extend(action(&std::mem::take(&mut part))),
            Some(character) => part.push(character),
            None => break,
        }
    }
    if quoted {
        return Err("a quote is not closed in its actions");
    }
    all.extend(action(&part));
    Ok(all)
}

fn action(text: &str) -> Option<Written> {
    let text = text.trim();
    let (name, argument) = text.split_once(':').unwrap_or((text, ""));
    let argument = argument.trim();
    let bare = argument.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(argument);
    let name = name.trim().to_ascii_lowercase();
    // A quote that was escaped stands for itself.
    (!name.is_empty()).then(|| Written { name, argument: bare.replace('\u{0}', "'") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_parted_outside_of_quotes() {
        let all = actions(r"id:1, t:none,t:lowercase,msg:'a, \'b\': c', setvar:'tx.a=+%{tx.b}'")
            .unwrap_or_default();
        let told: Vec<String> = all.iter().map(|one| format!("{}={}", one.name, one.argument)).collect();
        assert_eq!(told, ["id=1", "t=none", "t=lowercase", "msg=a, 'b': c", "setvar=tx.a=+%{tx.b}"]);
        assert!(actions("msg:'a").is_err());
    }
}
