//! Metrics in the OpenMetrics text format, read: so that a collector gets the values that a scraper would, out of the one registry.
//!
//! The text is our own. What it should not hold is left out, not guessed at.

use std::borrow::Cow;

/// All samples of one metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family<'a> {
    /// Its name, without what samples add to it.
    pub(crate) name: &'a str,
    pub(crate) help: &'a str,
    pub(crate) kind: FamilyKind,
    pub(crate) samples: Vec<Sample<'a>>,
}

/// The kinds of metrics that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FamilyKind {
    Counter,
    Gauge,
    Histogram,
}

/// A name with an equals sign and a value.
pub(crate) type Label<'a> = (&'a str, Cow<'a, str>);

/// One line of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample<'a> {
    /// What stands behind the metric's name: `_total`, `_bucket` and the like.
    pub(crate) suffix: &'a str,
    pub(crate) labels: Vec<Label<'a>>,
    pub(crate) value: &'a str,
    pub(crate) exemplar: Option<Exemplar<'a>>,
}

/// Something that was counted in a sample, as an example.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exemplar<'a> {
    pub(crate) labels: Vec<Label<'a>>,
    pub(crate) value: f64,
    /// When, in seconds since 1970.
    pub(crate) time: Option<f64>,
}

/// Reads a text whole.
pub(crate) fn read(text: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = rest.split_once(' ') else { continue };
            let kind = match kind {
                "counter" => FamilyKind::Counter,
                "histogram" => FamilyKind::Histogram,
                _ => FamilyKind::Gauge,
            };
            let help = help.filter(|(of, _)| *of == name).map_or("", |(_, help)| help);
            families.push(Family { name, help, kind, samples: Vec::new() });
        } else if let Some(family) = families.last_mut()
            && let Some(sample) = sample(line, family.name)
        {
            family.samples.push(sample);
        }
    }
    families
}

/// A line of the metric of this name; `None` where it is none.
fn sample<'a>(line: &'a str, name: &str) -> Option<Sample<'a>> {
    let rest = line.strip_prefix(name)?;
    let end = rest.find(['{', ' '])?;
    let (suffix, rest) = rest.split_at(end);
    let (labels, rest) = labels(rest)?;
    let (value, rest) = match rest.trim_start().split_once(" # ") {
        Some((value, exemplar)) => (value, Some(exemplar)),
        None => (rest.trim(), None),
    };
    let exemplar = rest.and_then(|rest| {
        let (labels, rest) = self::labels(rest)?;
        let mut words = rest.split_ascii_whitespace();
        let value = words.next()?.parse().ok()?;
        Some(Exemplar { labels, value, time: words.next().and_then(|word| word.parse().ok()) })
    });
    Some(Sample { suffix, labels, value, exemplar })
}

/// What stands in braces at the beginning of a text, where anything does, and the rest.
fn labels(text: &str) -> Option<(Vec<Label<'_>>, &str)> {
    let mut labels = Vec::new();
    let Some(mut rest) = text.strip_prefix('{') else { return Some((labels, text)) };
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, behind) = rest.split_once("=\"")?;
        let (value, behind) = quoted(behind)?;
        labels.push((name, value));
        rest = behind;
    }
}

/// A text up to its closing quote, and what stands behind that.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut escaped = String::new();
    let mut from = 0;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => {
                let last = text.get(from..at)?;
                let value = if escaped.is_empty() { Cow::Borrowed(last) } else { Cow::Owned(escaped + last) };
                return Some((value, text.get(at + 1..)?));
            }
            b'\\' => {
                escaped.push_str(text.get(from..at)?);
                let (next, byte) = bytes.next()?;
                // What is no escape but stands behind a backslash stands for itself.
                match byte {
                    b'n' => escaped.push('\n'),
                    b'"' | b'\\' => escaped.push(char::from(byte)),
                    _ => escaped.push_str(text.get(at..=next)?),
                }
                from = next + 1;
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::exemplar::HistogramWithExemplars;
    use prometheus_client::metrics::family::Family as Metric;
    use prometheus_client::registry::Registry;
    use proptest::prelude::*;

    use super::*;

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn a_registry_is_read_whole() {
        let mut registry = Registry::with_prefix("wicketgate");
        let histogram = HistogramWithExemplars::new([0.5, 1.0].into_iter());
        let gauge = prometheus_client::metrics::gauge::Gauge::<i64>::default();
        registry.register("open", "Open now", gauge.clone());
        registry.register("duration_seconds", "How long", histogram.clone());
        gauge.set(-3);
        histogram.observe(0.7, Some([("trace_id", "0af7")]), None);
        let text = text(&registry);
        let families = read(&text);
        let names: Vec<_> = families.iter().map(|family| (family.name, family.help, family.kind)).collect();
        assert_eq!(
            names,
            [
                ("wicketgate_open", "Open now.", FamilyKind::Gauge),
                ("wicketgate_duration_seconds", "How long.", FamilyKind::Histogram)
            ]
        );
        assert_eq!((families[0].samples[0].suffix, families[0].samples[0].value), ("", "-3"));
        let samples = &families[1].samples;
        let lines: Vec<_> = samples.iter().map(|sample| (sample.suffix, sample.value)).collect();
        assert_eq!(
            lines,
            [("_sum", "0.7"), ("_count", "1"), ("_bucket", "0"), ("_bucket", "1"), ("_bucket", "1")]
        );
        let exemplar = samples[3].exemplar.as_ref().unwrap();
        assert_eq!((exemplar.value, &exemplar.labels), (0.7, &vec![("trace_id", "0af7".into())]));
    }

    #[test]
    fn what_is_no_metric_is_left_out() {
        for text in ["", "a 1", "# TYPE a", "# TYPE a counter\na{b=\"c 1", "# TYPE a gauge\nb 1\na{b} 1\na"] {
            assert!(read(text).iter().all(|family| family.samples.is_empty()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn labels_are_what_they_were(value in "\\PC{0,12}|[\\\\\"\n, #{}=a]{0,12}", count: u32) {
            let mut registry = Registry::default();
            let counters = Metric::<Vec<(String, String)>, Counter>::default();
            registry.register("a", "A", counters.clone());
            counters.get_or_create(&vec![("b".into(), value.clone()), ("c".into(), "d".into())]).inc_by(u64::from(count));
            let text = text(&registry);
            let families = read(&text);
            prop_assert_eq!(families.len(), 1);
            prop_assert_eq!(families[0].samples.len(), 1, "{}", text);
            let sample = &families[0].samples[0];
            prop_assert_eq!(&sample.labels, &vec![("b", value.into()), ("c", "d".into())]);
            prop_assert_eq!(sample.value, count.to_string());
        }

        #[test]
        fn no_text_is_too_much(text in "(# (HELP|TYPE) a (counter|histogram)\n|a(_total)?(\\{[a=\"\\\\,]{0,9}\\}?)?( [0-9a]{1,3})?( # \\{[a=\"]{0,5}\\} 1)?\n){0,6}") {
            read(&text);
        }
    }
}
