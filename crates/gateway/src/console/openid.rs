//! Signing in at the console by OpenID Connect, as it is configured.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_admission::fetch::{RawFetch, basic};
use wicketgate_admission::identity::claims::RequiredClaim;
use wicketgate_admission::identity::jwt::{JwtConfig, RawJwt, RawKeys};
use wicketgate_config::{At, Item, OneOrMany, Place, Problems, RawSecret, Secret, Table};

use super::user::Role;

/// Sign-ins by OpenID Connect: an authorisation code with PKCE (RFC 7636), `state` and `nonce`. At the provider, the console is a
/// client that may be sent back to `https://HOST/sign-in/openid/callback`, for each name of `hosts`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawOpenId {
    /// The provider, as it names itself in its tokens: `ISSUER/.well-known/openid-configuration` says where it is asked for what.
    pub issuer: At<String>,
    /// The name that the provider has for the console, 1 to 256 characters. Tokens for anybody else are refused.
    pub client_id: At<String>,
    /// The secret that the provider has for it, sent as HTTP Basic authentication. Default: none, and PKCE alone protects the code.
    #[serde(default)]
    pub client_secret: Option<At<RawSecret>>,
    /// What else the provider is asked to tell, such as `profile` or `groups`. Default: nothing.
    #[serde(default)]
    pub scopes: OneOrMany<At<String>>,
    /// What its button says behind `Sign in with`, 1 to 40 characters. Default: `OpenID Connect`.
    #[serde(default)]
    pub label: Option<At<String>>,
    /// The claim that names the operator in audit records, by name or JSON pointer. Default: `sub`.
    #[serde(default)]
    pub subject: Option<At<String>>,
    /// Who may what.
    pub roles: Item<RawRoles>,
    /// What the provider does though somebody is signed in there already. Default: nothing, so that one sign-in serves for all.
    #[serde(default)]
    pub prompt: Option<Prompt>,
    /// Whether whoever signs out of the console is also sent to sign out at the provider, where it has a place for that. Default:
    /// false.
    #[serde(default)]
    pub logout: bool,
    /// How the provider is reached.
    #[serde(default)]
    pub fetch: RawFetch,
}

/// Who may what, by a claim of the provider's. The highest role that a value gives counts; whoever has none is refused.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRoles {
    /// The claim, by name or JSON pointer: `groups`, `/realm_access/roles`. A text, or a list of texts.
    pub claim: At<String>,
    /// Its values that make a viewer.
    #[serde(default)]
    pub viewer: OneOrMany<String>,
    /// Its values that make an operator.
    #[serde(default)]
    pub operator: OneOrMany<String>,
    /// Its values that make an admin.
    #[serde(default)]
    pub admin: OneOrMany<String>,
}

/// What the provider does though somebody is signed in there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// It asks for the password anew.
    Login,
    /// It asks whether the console may know.
    Consent,
    /// It asks as whom.
    SelectAccount,
}

/// Signing in by OpenID Connect. Equal means: the same people may the same.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenIdConfig {
    /// The provider.
    pub issuer: String,
    /// The console's name there.
    pub client_id: String,
    /// What `Authorization` says when a code is exchanged.
    pub authorization: Option<Secret>,
    /// What is asked for, `openid` first.
    pub scopes: String,
    /// What its button says.
    pub label: String,
    /// The highest first.
    pub roles: Vec<(Role, RequiredClaim)>,
    /// What the provider does though somebody is signed in there.
    pub prompt: Option<Prompt>,
    /// Whether signing out goes on there.
    pub logout: bool,
    /// How its tokens are verified.
    pub tokens: JwtConfig,
}

impl Prompt {
    /// Its word in a request.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
        }
    }
}

impl RawOpenId {
    /// Checks the values, and reads the secret; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<OpenIdConfig> {
        check_text("client_id", &self.client_id, 256, problems);
        let label = self.label.unwrap_or(At::nowhere("OpenID Connect".into()));
        check_text("label", &label, 40, problems);
        for scope in &self.scopes.0 {
            // RFC 6749 section 3.3.
            if !scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') || scope.is_empty() {
                problems.error(
                    scope.place,
                    format!("`{}` is no scope", scope.value),
                    "give one word, such as `groups`",
                );
            }
        }
        let secret = match self.client_secret {
            None => None,
            Some(secret) => Some(RawSecret::check(secret, "the client's secret", 1, problems)?),
        };
        let scopes = self.scopes.0.into_iter().map(|scope| scope.value).filter(|scope| scope != "openid");
        let scopes: Vec<String> = std::iter::once("openid".to_owned()).chain(scopes).collect();
        let roles = self.roles.value.check(self.roles.place, problems);
        let client_id = self.client_id.value;
        let tokens =
            tokens(self.issuer.clone(), client_id.clone(), self.subject, self.fetch).check(problems)?;
        Some(OpenIdConfig {
            issuer: self.issuer.value,
            authorization: secret.map(|secret| basic(&client_id, &secret)),
            client_id,
            scopes: scopes.join(" "),
            label: label.value,
            roles,
            prompt: self.prompt,
            logout: self.logout,
            tokens,
        })
    }
}

/// Its tokens are those that a route would take: the same code verifies them.
fn tokens(issuer: At<String>, client_id: String, subject: Option<At<String>>, fetch: RawFetch) -> RawJwt {
    RawJwt {
        keys: At { place: issuer.place, value: RawKeys::Discovery },
        issuer,
        audience: OneOrMany(vec![client_id]),
        dangerous_any_audience: At::nowhere(false),
        algorithms: Vec::new(),
        typ: OneOrMany::default(),
        subject,
        scopes: OneOrMany::default(),
        claims: Table::default(),
        leeway: None,
        max_lifetime: None,
        dangerous_allow_no_expiry: At::nowhere(false),
        from: Vec::new(),
        max_token_size: None,
        refresh: None,
        stale: None,
        refresh_cooldown: None,
        max_keys: None,
        fetch,
    }
}

impl RawRoles {
    fn check(self, place: Place, problems: &mut Problems) -> Vec<(Role, RequiredClaim)> {
        check_text("claim", &self.claim, 256, problems);
        let all = [(Role::Admin, self.admin), (Role::Operator, self.operator), (Role::Viewer, self.viewer)];
        let mut roles = Vec::new();
        for (role, values) in all {
            if values.iter().any(|value| value.is_empty() || value == "*") {
                let what = format!("a value that makes somebody {} says nothing", role.label());
                problems.error(place, what, "give the claim's values to the letter");
            }
            if !values.is_empty() {
                roles.push((role, RequiredClaim::new(&self.claim, values.0)));
            }
        }
        if roles.is_empty() {
            problems.error(
                place,
                "no value of the claim gives a role: nobody could sign in",
                "list some, as in `admin: [wicketgate-admins]`",
            );
        }
        roles
    }
}

fn check_text(name: &str, text: &At<String>, most: usize, problems: &mut Problems) {
    let length = text.chars().count();
    if length == 0 || length > most || text.chars().any(char::is_control) {
        problems.error(
            text.place,
            format!("`{name}` is empty or too long"),
            format!("give 1 to {most} characters"),
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(text: &str) -> (Option<OpenIdConfig>, Vec<String>) {
        let raw: RawOpenId = serde_saphyr::from_str(text).unwrap();
        let mut problems = Problems::default();
        let config = raw.check(&mut problems);
        (config, problems.iter().map(|problem| problem.what.clone()).collect())
    }

    #[test]
    fn the_highest_role_comes_first_and_scopes_begin_with_openid() {
        let (config, problems) = check(
            "{issuer: 'https://id.example', client_id: gate, scopes: [groups, openid], prompt: select_account, \
             client_secret: {value: hunter2}, roles: {claim: groups, viewer: [staff], admin: [root, ops]}}",
        );
        assert_eq!(problems, Vec::<String>::new());
        let config = config.unwrap();
        let roles: Vec<Role> = config.roles.iter().map(|(role, _)| *role).collect();
        assert_eq!((roles, config.scopes.as_str()), (vec![Role::Admin, Role::Viewer], "openid groups"));
        assert_eq!(config.tokens.rules.audience, ["gate"]);
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn what_lets_nobody_in_or_everybody_is_told() {
        let with = |roles: &str| {
            check(&format!("{{issuer: 'https://id.example', client_id: gate, roles: {roles}}}")).1.concat()
        };
        assert!(with("{claim: groups}").contains("nobody could sign in"));
        assert!(with("{claim: groups, viewer: ['*']}").contains("says nothing"));
        assert!(with("{claim: '', viewer: [a]}").contains("`claim`"));
        let rest = check(
            "{issuer: 'http://id.example', client_id: '', scopes: ['a b'], roles: {claim: a, viewer: [b]}}",
        );
        for part in ["client_id", "no scope", "unprotected"] {
            assert!(rest.1.concat().contains(part), "{part}: {:?}", rest.1);
        }
    }
}
