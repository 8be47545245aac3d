//! The way to the running gateway: its admin listener, as the configuration has it, or the console's API with a token.

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;
use wicketgate_admission::fetch::{Endpoint, FetchConfig, Fetcher, RawFetch};
use wicketgate_config::{At, Place, Problems, RawSecret, Secret, Time};
use wicketgate_gateway::config::AdminConfig;

use super::configuration::ConfigPath;
use super::operator;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 16 << 20;
/// How long the gateway has for its answer.
const PATIENCE: Time = Time::secs(10);
/// The shortest token of a console.
const MIN_TOKEN: usize = 32;

/// Asks the console's API in place of the admin listener: from another machine, and recorded under the token's name.
#[derive(Args)]
pub(super) struct Api {
    /// The console, as in `https://console.example.com:9443`. Without it the admin listener of the configuration is asked.
    #[arg(long, global = true, value_name = "URL", requires = "token_file")]
    api: Option<String>,
    /// A file with a token of the console.
    #[arg(long, global = true, value_name = "PATH", requires = "api")]
    token_file: Option<PathBuf>,
    /// A PEM file with the authority of the console's certificate. Without it: the system's authorities.
    #[arg(long, global = true, value_name = "PATH", requires = "api")]
    ca: Option<PathBuf>,
}

/// The way to the running gateway.
pub(super) enum Way {
    Admin(Option<AdminConfig>),
    Api { base: String, token: Secret, fetch: FetchConfig },
}

impl Api {
    /// The way that is meant; none where it leads by a configuration that cannot be used.
    pub(super) fn way(self, config: &ConfigPath) -> anyhow::Result<Option<Way>> {
        let (Some(api), Some(file)) = (self.api, self.token_file) else {
            return Ok(config.load().map(|(config, _)| Way::Admin(config.admin)));
        };
        let mut problems = Problems::default();
        let token =
            RawSecret::check(At::nowhere(RawSecret::File(file)), "the token", MIN_TOKEN, &mut problems);
        let (timeout, ca) = (Some(At::nowhere(PATIENCE)), self.ca.map(At::nowhere));
        let fetch = RawFetch { timeout, ca, ..RawFetch::default() }.check(Place::UNKNOWN, &mut problems);
        for problem in problems.iter() {
            eprintln!("{}: {}", problem.what, problem.help);
        }
        let (Some(token), Some(fetch)) = (token, fetch) else { bail!("the console cannot be asked") };
        let base = format!("{}/api/v1", api.trim_end_matches('/'));
        Ok(Some(Way::Api { base, token, fetch }))
    }
}

impl Way {
    /// Asks for a path, which is the same on both ways; gives the answer.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<T> {
        match self {
            Self::Admin(admin) => operator::ask(admin.as_ref(), method, target, body),
            Self::Api { base, token, fetch } => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(exchange(&format!("{base}{target}"), token, fetch, method, body))
            }
        }
    }
}

async fn exchange<T: DeserializeOwned>(
    url: &str,
    token: &Secret,
    fetch: &FetchConfig,
    method: Method,
    body: Vec<u8>,
) -> anyhow::Result<T> {
    let endpoint = Endpoint::parse(url, false).map_err(|why| anyhow!("`--api` cannot be asked: {why}"))?;
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = endpoint.uri().clone();
    let bearer = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
    let mut bearer = bearer.context("the token has characters that no header takes")?;
    bearer.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, bearer);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let asked = Fetcher::new(fetch, MAX_ANSWER).send(request).await;
    let answer = asked.with_context(|| format!("the console at {endpoint} gives no answer"))?;
    if answer.status().is_success() {
        return serde_json::from_slice(answer.body()).context("the console's answer cannot be read");
    }
    let problem: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let detail = problem.get("detail").and_then(Value::as_str).unwrap_or("no reason is given");
    bail!("{}: {detail}", answer.status())
}
