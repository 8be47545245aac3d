//! An address with a place in its host that a client's word is put into, and which it cannot leave.

/// An address with a place for what `*` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    before: Box<str>,
    after: Box<str>,
    port: Box<str>,
    form: Form,
}

/// What may stand in its place, so that the rest of the host still says where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Labels, below a domain that is given.
    Below,
    /// A part of a name without a domain.
    Label,
    /// The last number of an IPv4 address.
    Number,
}

/// Why an address is no such template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    /// `*` stands nowhere in the host, or twice.
    #[error("`*` stands once in the host")]
    Stars,
    /// `*` is all of the host.
    #[error("every host could be reached by it")]
    Any,
    /// What stands beside `*` is no part of a host.
    #[error("what stands beside `*` is no part of a host's name")]
    Host,
    /// What stands beside `*` does not say where it leads.
    #[error("what follows `*` is no domain, so that a client could name any")]
    Open,
}

/// The longest host (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 253;
/// The longest label of it.
const MAX_LABEL: usize = 63;

impl Template {
    /// Of a host and a port.
    ///
    /// # Errors
    /// A host that would leave it to clients where it leads.
    pub(super) fn new(host: &str, port: &str) -> Result<Self, TemplateError> {
        let (before, after) = host.split_once('*').ok_or(TemplateError::Stars)?;
        if after.contains('*') {
            return Err(TemplateError::Stars);
        }
        if before.is_empty() && after.is_empty() {
            return Err(TemplateError::Any);
        }
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !host.replace('*', "0").bytes().all(is_host) {
            return Err(TemplateError::Host);
        }
        let form = form(before, after)?;
        let template = Self { before: before.into(), after: after.into(), port: port.into(), form };
        // As it would be filled.
        template.fill("0").map(|_| template).ok_or(TemplateError::Host)
    }

    /// The address, with this in its place; none where this cannot stand there.
    pub(super) fn fill(&self, star: &str) -> Option<String> {
        let Self { before, after, port, form } = self;
        let fits = match form {
            Form::Below => true,
            Form::Label => !star.contains('.'),
            // As it is written in an address, and not in one of the other ways that systems read: `010`, `0x1`, `257`.
            Form::Number => star.parse::<u8>().is_ok_and(|number| number.to_string() == star),
        };
        let host = format!("{before}{star}{after}");
        (fits && host.len() <= MAX_HOST && host.split('.').all(is_label)).then(|| format!("{host}:{port}"))
    }
}

fn is_label(label: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !label.is_empty() && label.len() <= MAX_LABEL && label.bytes().all(is_inside)
}

fn form(before: &str, after: &str) -> Result<Form, TemplateError> {
    let starts_with_letter = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
    // What ends in a number is read as an address (WHATWG URL, "ends in a number"), and what begins with a digit may be.
    if let Some(domain) = after.strip_prefix('.') {
        let is_domain = domain.rsplit('.').next().is_some_and(starts_with_letter);
        return if is_domain { Ok(Form::Below) } else { Err(TemplateError::Open) };
    }
    if after.is_empty()
        && let Some(network) = before.strip_suffix('.')
    {
        let numbers: Vec<_> = network.split('.').collect();
        let is_number = |text: &&str| text.parse::<u8>().is_ok_and(|number| number.to_string() == **text);
        let is_network = numbers.len() == 3 && numbers.iter().all(is_number);
        return if is_network { Ok(Form::Number) } else { Err(TemplateError::Open) };
    }
    if after.contains('.') {
        // `*` begins or ends within the first labels of a domain that is given.
        let is_domain = after.rsplit('.').next().is_some_and(starts_with_letter);
        return if is_domain { Ok(Form::Below) } else { Err(TemplateError::Open) };
    }
    let is_name = starts_with_letter(before) || format!("{before}{after}").contains(['-', '_']);
    if before.contains('.') || !is_name { Err(TemplateError::Open) } else { Ok(Form::Label) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_does_not_lead_out() {
        let fill = |host: &str, star: &str| Template::new(host, "22").ok().and_then(|made| made.fill(star));
        for (host, star, want) in [
            ("*.db.internal", "a", Some("a.db.internal:22")),
            ("*.db.internal", "127.0.0.1", Some("127.0.0.1.db.internal:22")),
            ("pg-*.db.internal", "a.b", Some("pg-a.b.db.internal:22")),
            ("*-pg.internal", "a", Some("a-pg.internal:22")),
            ("a.*.internal", "b", Some("a.b.internal:22")),
            ("pc-*", "7", Some("pc-7:22")),
            ("*-pc", "7", Some("7-pc:22")),
            ("pc-*", "x.evil.com", None),
            ("pc-*", ".evil.com", None),
            ("10.0.7.*", "5", Some("10.0.7.5:22")),
            ("10.0.7.*", "05", None),
            ("10.0.7.*", "0x5", None),
            ("10.0.7.*", "256", None),
            ("10.0.7.*", "5.evil.com", None),
            ("10.0.7.*", "", None),
            ("*.db.internal", "", None),
            ("*.db.internal", ".", None),
            ("*.db.internal", "..", None),
            ("*.db.internal", "a.", None),
            ("*.db.internal", "evil.com#", None),
            ("*.db.internal", "evil.com/", None),
            ("*.db.internal", "evil.com:80", None),
            ("*.db.internal", "u@evil.com", None),
            ("*.db.internal", "[::1]", None),
            ("*.db.internal", "a b", None),
            ("*.db.internal", "a\n", None),
        ] {
            assert_eq!(fill(host, star).as_deref(), want, "{host} {star:?}");
        }
        assert_eq!(fill("*.db.internal", &"a".repeat(64)), None);
        assert_eq!(fill("*.db.internal", &vec!["a"; 128].join(".")), None);
    }

    #[test]
    fn a_template_says_where_it_leads() {
        for (host, error) in [
            ("*", TemplateError::Any),
            ("db", TemplateError::Stars),
            ("*.*.internal", TemplateError::Stars),
            ("*.1", TemplateError::Open),
            ("*.0.0.1", TemplateError::Open),
            ("10.0.*.1", TemplateError::Open),
            ("10.*", TemplateError::Open),
            ("10.0.07.*", TemplateError::Open),
            ("db.*", TemplateError::Open),
            ("db.x*", TemplateError::Open),
            ("1*", TemplateError::Open),
            ("0x*", TemplateError::Open),
            ("*1", TemplateError::Open),
            ("*.", TemplateError::Open),
            ("*.internal.", TemplateError::Open),
            (".*.internal", TemplateError::Host),
            ("*..internal", TemplateError::Host),
            ("[::*]", TemplateError::Host),
            ("a/*.internal", TemplateError::Host),
        ] {
            assert_eq!(Template::new(host, "22"), Err(error), "{host}");
        }
    }
}
