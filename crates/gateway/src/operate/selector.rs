//! Which sessions an operator means.

use wicketgate_config::Network;

use crate::sessions::Live;

/// Which sessions an operator means: those to which everything that is given applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    subject: Option<String>,
    address: Option<Network>,
    token_id: Option<String>,
    session: Option<u64>,
    route: Option<String>,
}

impl Selector {
    /// Reads it from a query: `subject`, `address` (or a network), `token_id`, `session`, `route`, each at most once.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn parse(query: Option<&str>) -> Result<Self, String> {
        let mut selector = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let twice = match &*name {
                "subject" => selector.subject.replace(value.into_owned()).is_some(),
                "token_id" => selector.token_id.replace(value.into_owned()).is_some(),
                "route" => selector.route.replace(value.into_owned()).is_some(),
                "address" => selector.address.replace(value.parse()?).is_some(),
                "session" => {
                    let number = value.parse().map_err(|_| format!("`{value}` is no number of a session"))?;
                    selector.session.replace(number).is_some()
                }
                _ => {
                    return Err(format!(
                        "there is no `{name}`: give subject, address, token_id, session, route"
                    ));
                }
            };
            if twice {
                return Err(format!("`{name}` stands here twice"));
            }
        }
        Ok(selector)
    }

    /// Reads one that does not mean every session.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn parse_some(query: Option<&str>) -> Result<Self, String> {
        match Self::parse(query)? {
            selector if selector.is_empty() => {
                Err("say which sessions: give subject, address, token_id, session or route".into())
            }
            selector => Ok(selector),
        }
    }

    /// Whether it means every session.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is given, by name.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, String)> {
        [
            ("subject", self.subject.clone()),
            ("address", self.address.map(|address| address.to_string())),
            ("token_id", self.token_id.clone()),
            ("session", self.session.map(|session| session.to_string())),
            ("route", self.route.clone()),
        ]
        .into_iter()
        .filter_map(|(kind, value)| Some((kind, value?)))
    }

    /// Whether it means this session.
    pub fn takes(&self, live: &Live) -> bool {
        let identity = live.standing.identity();
        let subject = identity.as_ref().map(|identity| &*identity.subject);
        let token = identity.as_ref().and_then(|identity| identity.token_id.as_deref());
        self.subject.as_deref().is_none_or(|wanted| subject == Some(wanted))
            && self.token_id.as_deref().is_none_or(|wanted| token == Some(wanted))
            && self.session.is_none_or(|wanted| live.id == wanted)
            && self.route.as_deref().is_none_or(|wanted| *live.route == *wanted)
            && self.address.is_none_or(|network| {
                live.standing.client().address.is_some_and(|address| network.contains(address))
            })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_selector_is_read_whole_or_refused() {
        let selector = Selector::parse(Some("subject=a%20b&address=10.0.0.0/8&session=7")).unwrap();
        let given: Vec<_> = selector.given().collect();
        assert_eq!(
            given,
            [("subject", "a b".into()), ("address", "10.0.0.0/8".into()), ("session", "7".into())]
        );
        assert!(Selector::parse(None).unwrap().is_empty());
        assert!(Selector::parse_some(None).is_err() && Selector::parse_some(Some("route=a")).is_ok());
        for bad in ["subjects=a", "session=x", "address=x", "route=a&route=b"] {
            assert!(Selector::parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
