//! A configuration as the checks look at it: its parts, each with its path.

use std::collections::BTreeSet;

use wicketgate_admission::identity::MethodConfig;
use wicketgate_config::Outline;

use crate::config::Config;
use crate::listener::BindAddress;
use crate::listener::config::ListenerConfig;
use crate::pump::config::WebSocketConfig;
use crate::route::config::{Action, RouteConfig};

/// A configuration, and where its keys stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) config: &'a Config,
    pub(super) outline: &'a Outline,
}

/// A part of the configuration with its path.
#[derive(Clone, Debug)]
pub(super) struct Part<'a, T> {
    pub(super) path: String,
    pub(super) value: &'a T,
}

/// A route that takes WebSocket sessions.
pub(super) struct SessionRoute<'a> {
    pub(super) path: String,
    pub(super) route: &'a RouteConfig,
    pub(super) rules: &'a WebSocketConfig,
}

impl<'a> View<'a> {
    pub(super) fn listeners(&self) -> impl Iterator<Item = Part<'a, ListenerConfig>> + use<'a> {
        self.config
            .listeners
            .iter()
            .enumerate()
            .map(|(index, listener)| Part { path: format!("listeners[{index}]"), value: &**listener })
    }

    /// The routes that lead to an upstream.
    pub(super) fn proxied(&self) -> impl Iterator<Item = Part<'a, RouteConfig>> + use<'a> {
        let routes = self.config.routes.iter().enumerate();
        routes
            .filter(|(_, route)| matches!(route.action, Action::Proxy(_)))
            .map(|(index, route)| Part { path: format!("routes[{index}]"), value: &**route })
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionRoute<'a>> + use<'a> {
        self.proxied().filter_map(|Part { path, value: route }| match &route.action {
            Action::Proxy(proxy) => {
                let rules = proxy.websocket.as_ref()?;
                Some(SessionRoute { path, route, rules })
            }
            _ => None,
        })
    }

    /// The methods that a route asks for.
    pub(super) fn methods_of(&self, route: &RouteConfig) -> Vec<Part<'a, MethodConfig>> {
        let asked = route.admission.authentication.as_ref().map(|asked| asked.methods.as_slice());
        self.methods(|method| asked.is_some_and(|asked| asked.contains(&method.name)))
    }

    /// The methods that some route asks for.
    pub(super) fn used_methods(&self) -> Vec<Part<'a, MethodConfig>> {
        let asked = self.config.routes.iter().filter_map(|route| route.admission.authentication.as_ref());
        let names: BTreeSet<_> = asked.flat_map(|asked| &asked.methods).collect();
        self.methods(|method| names.contains(&method.name))
    }

    /// Whether the key at `path` is written, or has its default.
    pub(super) fn is_written(&self, path: &str) -> bool {
        self.outline.get(path).is_some()
    }

    /// Whether an operator can end sessions and revoke credentials while the gateway runs.
    pub(super) fn has_operator(&self) -> bool {
        let admin = self.config.admin.as_ref();
        admin.is_some_and(|admin| admin.token.is_some() || matches!(admin.bind, BindAddress::Unix(_)))
    }

    fn methods(&self, is_meant: impl Fn(&MethodConfig) -> bool) -> Vec<Part<'a, MethodConfig>> {
        let methods = self.config.authentication.iter().enumerate();
        methods
            .filter(|(_, method)| is_meant(method))
            .map(|(index, value)| Part { path: format!("authentication[{index}]"), value })
            .collect()
    }
}
