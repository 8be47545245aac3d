//! The products that stand in front of gateways: how they are recognised, and which of their settings does what.
//!
//! The files in `products/` are data; each setting stands in the product's page of the guide, word for word.

use std::sync::LazyLock;
use std::time::Duration;

use http::HeaderMap;
use http::header::SET_COOKIE;
use serde::Deserialize;
use wicketgate_config::Time;

use super::finding::Check;

/// The files, by the names that they have.
const FILES: &[(&str, &str)] = &[
    ("akamai", include_str!("products/akamai.yaml")),
    ("apache", include_str!("products/apache.yaml")),
    ("aws-alb", include_str!("products/aws-alb.yaml")),
    ("aws-cloudfront", include_str!("products/aws-cloudfront.yaml")),
    ("azure-application-gateway", include_str!("products/azure-application-gateway.yaml")),
    ("azure-front-door", include_str!("products/azure-front-door.yaml")),
    ("caddy", include_str!("products/caddy.yaml")),
    ("cloudflare", include_str!("products/cloudflare.yaml")),
    ("envoy", include_str!("products/envoy.yaml")),
    ("f5-advanced-waf", include_str!("products/f5-advanced-waf.yaml")),
    ("f5-big-ip", include_str!("products/f5-big-ip.yaml")),
    ("fastly", include_str!("products/fastly.yaml")),
    ("fortiweb", include_str!("products/fortiweb.yaml")),
    ("google-alb", include_str!("products/google-alb.yaml")),
    ("haproxy", include_str!("products/haproxy.yaml")),
    ("modsecurity-crs", include_str!("products/modsecurity-crs.yaml")),
    ("netscaler", include_str!("products/netscaler.yaml")),
    ("nginx", include_str!("products/nginx.yaml")),
    ("squid", include_str!("products/squid.yaml")),
    ("traefik", include_str!("products/traefik.yaml")),
    ("varnish", include_str!("products/varnish.yaml")),
];

/// A product.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Product {
    pub(super) id: String,
    pub(super) name: String,
    /// Its page in `docs/guides/middlebox/`.
    pub(super) page: String,
    /// Any one of them is enough.
    signs: Vec<Sign>,
    #[serde(default)]
    settings: Vec<Setting>,
    #[serde(default)]
    limits: Vec<Limit>,
}

/// What a product is recognised by: a header, or a cookie.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    /// A header's name, in lower case.
    header: Option<String>,
    /// How its value starts, whatever the case.
    starts: Option<String>,
    /// What its value contains, whatever the case.
    contains: Option<String>,
    /// How the name of a cookie starts.
    cookie: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    finding: Check,
    r#do: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    kind: LimitKind,
    default: Option<Time>,
    setting: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LimitKind {
    Idle,
    Lifetime,
}

static PRODUCTS: LazyLock<Vec<Product>> = LazyLock::new(|| {
    // All of them can be read: a test says so.
    FILES.iter().filter_map(|(name, text)| wicketgate_config::part(name, text).ok()).collect()
});

/// The products whose signs these headers hold.
pub(super) fn recognise<'a>(answers: impl Iterator<Item = &'a HeaderMap> + Clone) -> Vec<&'static Product> {
    let is_there = |product: &&Product| {
        product.signs.iter().any(|sign| answers.clone().any(|headers| sign.is_in(headers)))
    };
    PRODUCTS.iter().filter(is_there).collect()
}

impl Product {
    /// Its settings that mend this, as they are to be told.
    pub(super) fn settings(&self, check: Check) -> Vec<String> {
        let kind = match check {
            Check::IdleLimit => Some(LimitKind::Idle),
            Check::LifetimeLimit => Some(LimitKind::Lifetime),
            _ => None,
        };
        // Where nothing can be set, there is nothing to change.
        let can_be_set = |limit: &&Limit| kind == Some(limit.kind) && !limit.setting.starts_with("none");
        let limits = self.limits.iter().filter(can_be_set).map(Limit::told);
        let settings = self.settings.iter().filter(|setting| setting.finding == check);
        settings.map(|setting| setting.r#do.clone()).chain(limits).collect()
    }
}

impl Limit {
    fn told(&self) -> String {
        match self.default {
            Some(Time(Duration::ZERO)) | None => self.setting.clone(),
            Some(default) => format!("{} (default {default})", self.setting),
        }
    }
}

impl Sign {
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let value_fits = |value: &http::HeaderValue| {
            let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
            let starts =
                self.starts.as_ref().is_none_or(|text| value.starts_with(&text.to_ascii_lowercase()));
            let contains =
                self.contains.as_ref().is_none_or(|text| value.contains(&text.to_ascii_lowercase()));
            starts && contains
        };
        let by_header = self.header.as_ref().is_some_and(|name| headers.get_all(name).iter().any(value_fits));
        let by_cookie = self.cookie.as_ref().is_some_and(|prefix| {
            let mut cookies = headers.get_all(SET_COOKIE).iter().map(http::HeaderValue::as_bytes);
            cookies.any(|cookie| cookie.trim_ascii_start().starts_with(prefix.as_bytes()))
        });
        by_header || by_cookie
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::path::Path;

    use super::*;

    const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/middlebox");

    fn all() -> Vec<Product> {
        let read = |(name, text): &(&str, &str)| {
            wicketgate_config::part::<Product>(name, text)
                .unwrap_or_else(|report| panic!("{}", report.render(wicketgate_config::Style::Plain)))
        };
        FILES.iter().map(read).collect()
    }

    #[test]
    fn every_file_is_listed_read_and_named_as_its_product() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctor/products");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
            .collect();
        names.sort();
        assert_eq!(names, FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (product, (name, _)) in all().iter().zip(FILES) {
            assert_eq!(product.id, *name);
            assert!(!product.name.is_empty());
            assert!(!product.settings.is_empty() || !product.limits.is_empty(), "{name} says nothing");
            for sign in &product.signs {
                assert!(sign.header.is_some() != sign.cookie.is_some(), "{name}: {sign:?}");
                let lower = |text: &String| text.chars().all(|letter| !letter.is_ascii_uppercase());
                assert!(sign.header.as_ref().is_none_or(lower), "{name}: {sign:?}");
            }
        }
    }

    #[test]
    fn what_is_told_stands_in_the_product_s_page() {
        for product in all() {
            let path = Path::new(GUIDE).join(&product.page);
            let page =
                std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is not there", path.display()));
            let told = product.settings.iter().map(|setting| &setting.r#do);
            for text in told.chain(product.limits.iter().map(|limit| &limit.setting)) {
                assert!(page.contains(text.as_str()), "{} does not contain `{text}`", product.page);
            }
        }
    }

    #[test]
    fn products_are_recognised_by_headers_and_cookies() {
        let product = |signs: &str| -> Product {
            let text = format!("id: x\nname: X\npage: x.md\nsigns: [{signs}]\nsettings: []\n");
            wicketgate_config::part("x", &text).unwrap_or_else(|_| panic!("{signs}"))
        };
        let headers: HeaderMap = [
            ("server", "BigIP/17"),
            ("via", "1.1 abc.CloudFront.net"),
            ("set-cookie", "BIGipServerpool=1; path=/"),
        ]
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
        let headers: HeaderMap = headers;
        for (signs, want) in [
            ("{header: server, starts: bigip}", true),
            ("{header: server, starts: ip}", false),
            ("{header: via, contains: cloudfront}", true),
            ("{header: via, starts: '1.1', contains: varnish}", false),
            ("{header: cf-ray}", false),
            ("{cookie: BIGipServer}", true),
            ("{cookie: TS01}", false),
            ("{header: cf-ray}, {header: server}", true),
        ] {
            let found = product(signs).signs.iter().any(|sign| sign.is_in(&headers));
            assert_eq!(found, want, "{signs}");
        }
    }
}
