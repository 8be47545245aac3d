//! Headers that an operator gives for each request, whose values may be secrets.

use http::{HeaderMap, HeaderName, HeaderValue};
use wicketgate_config::{At, Problems, Secret};

/// The header of this name and value; what is wrong goes to `problems`.
pub fn check_header(name: &At<String>, value: &Secret, problems: &mut Problems) -> Option<HeaderName> {
    if let (Ok(known), Ok(_)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value.reveal())) {
        return Some(known);
    }
    let what = format!("`{}` and its value are no header of HTTP", name.value);
    problems.secret_error(name.place, what, "give a name without spaces, and printable ASCII");
    None
}

/// Gives a request these headers, whose values are shown nowhere.
pub fn add_headers(to: &mut HeaderMap, headers: &[(HeaderName, Secret)]) {
    for (name, value) in headers {
        if let Ok(mut value) = HeaderValue::from_str(value.reveal()) {
            value.set_sensitive(true);
            to.insert(name.clone(), value);
        }
    }
}
