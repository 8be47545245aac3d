//! Metrics as a message: the families of the registry as points that are cumulative since the process started.

use std::collections::BTreeMap;
use std::time::SystemTime;

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, exemplar,
};
use prost::Message;

use super::{Resource, nanos, rejected, scope, text};
use crate::exposition::{self, Family, FamilyKind, Label, Sample};
use crate::identifiers::TraceId;

/// From when to when points count, in nanoseconds since 1970.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    now: u64,
}

/// A message with these metrics, and how many points it has.
pub(crate) fn metrics(
    resource: &Resource,
    families: &[Family<'_>],
    started: SystemTime,
    now: SystemTime,
) -> (Vec<u8>, u64) {
    let span = Span { start: nanos(started), now: nanos(now) };
    let metrics: Vec<Metric> = families.iter().map(|family| converted(family, span)).collect();
    let points = metrics.iter().map(points).sum::<usize>() as u64;
    let scope_metrics = ScopeMetrics { scope: Some(scope()), metrics, ..ScopeMetrics::default() };
    let resource_metrics = ResourceMetrics {
        resource: Some(resource.0.clone()),
        scope_metrics: vec![scope_metrics],
        ..ResourceMetrics::default()
    };
    (ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }.encode_to_vec(), points)
}

/// How many points of a message the collector did not take, by its own word.
pub(crate) fn refused_points(answer: &[u8]) -> u64 {
    let answer = ExportMetricsServiceResponse::decode(answer).unwrap_or_default();
    answer.partial_success.map_or(0, |partial| rejected(partial.rejected_data_points))
}

fn points(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        _ => 0,
    }
}

fn converted(family: &Family<'_>, span: Span) -> Metric {
    let temporality = AggregationTemporality::Cumulative.into();
    let numbers =
        |start| family.samples.iter().filter_map(move |sample| number(sample, Span { start, ..span }));
    let data = match family.kind {
        FamilyKind::Counter => Data::Sum(Sum {
            data_points: numbers(span.start).collect(),
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        // A gauge says what is, not since when.
        FamilyKind::Gauge => Data::Gauge(Gauge { data_points: numbers(0).collect() }),
        FamilyKind::Histogram => Data::Histogram(Histogram {
            data_points: histograms(&family.samples, span),
            aggregation_temporality: temporality,
        }),
    };
    let unit = match family.name.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "",
    };
    Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(sample: &Sample<'_>, span: Span) -> Option<NumberDataPoint> {
    let value = match sample.value.parse() {
        Ok(whole) => Value::AsInt(whole),
        Err(_) => Value::AsDouble(sample.value.parse().ok()?),
    };
    Some(NumberDataPoint {
        attributes: attributes(&sample.labels),
        start_time_unix_nano: span.start,
        time_unix_nano: span.now,
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

fn attributes(labels: &[Label<'_>]) -> Vec<KeyValue> {
    labels.iter().map(|(name, value)| text(name, value.as_ref())).collect()
}

/// Puts the lines of histograms together, those with the same labels beside `le`.
fn histograms(samples: &[Sample<'_>], span: Span) -> Vec<HistogramDataPoint> {
    let mut points: BTreeMap<Vec<Label<'_>>, (HistogramDataPoint, u64)> = BTreeMap::new();
    for sample in samples {
        let (bound, labels): (Vec<_>, Vec<_>) =
            sample.labels.iter().cloned().partition(|(name, _)| *name == "le");
        let (point, below) = points.entry(labels).or_default();
        match sample.suffix {
            "_sum" => point.sum = sample.value.parse().ok(),
            "_count" => point.count = sample.value.parse().unwrap_or_default(),
            "_bucket" => {
                // Buckets come in the order of their bounds, each with all that the ones before it have.
                let all: u64 = sample.value.parse().unwrap_or_default();
                point.bucket_counts.push(all.saturating_sub(*below));
                *below = all;
                let bound = bound.first().and_then(|(_, bound)| bound.parse::<f64>().ok());
                point.explicit_bounds.extend(bound.filter(|bound| bound.is_finite()));
                point.exemplars.extend(sample.exemplar.as_ref().map(|one| exemplar(one, span)));
            }
            _ => {}
        }
    }
    let finished = points.into_iter().map(|(labels, (point, _))| HistogramDataPoint {
        attributes: attributes(&labels),
        start_time_unix_nano: span.start,
        time_unix_nano: span.now,
        ..point
    });
    finished.collect()
}

fn exemplar(exemplar: &exposition::Exemplar<'_>, span: Span) -> Exemplar {
    let trace = exemplar.labels.iter().find(|(name, _)| *name == "trace_id");
    let trace = trace.and_then(|(_, id)| TraceId::parse(id.as_bytes()));
    let time = exemplar.time.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
    Exemplar {
        time_unix_nano: time.map_or(span.now, super::whole),
        trace_id: trace.map(|trace| trace.bytes().to_vec()).unwrap_or_default(),
        value: Some(exemplar::Value::AsDouble(exemplar.value)),
        ..Exemplar::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn sent(text: &str) -> (Vec<Metric>, u64) {
        let moment = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let (message, points) = metrics(&Resource::new(&[]), &exposition::read(text), moment(1), moment(2));
        let mut message = ExportMetricsServiceRequest::decode(&*message).unwrap();
        (message.resource_metrics.remove(0).scope_metrics.remove(0).metrics, points)
    }

    #[test]
    fn each_kind_becomes_its_own() {
        let text = format!(
            "# HELP a_bytes What.\n# TYPE a_bytes counter\na_bytes_total{{b=\"c\"}} 7\na_bytes_total{{b=\"d\"}} 0.5\n\
             # TYPE g gauge\ng -2\n# TYPE h_seconds histogram\nh_seconds_sum{{r=\"x\"}} 3.5\nh_seconds_count{{r=\"x\"}} 3\n\
             h_seconds_bucket{{le=\"0.1\",r=\"x\"}} 1\nh_seconds_bucket{{le=\"1.0\",r=\"x\"}} 1\n\
             h_seconds_bucket{{le=\"+Inf\",r=\"x\"}} 3 # {{trace_id=\"{TRACE}\"}} 2.0 1.5\n# EOF\n"
        );
        let (metrics, points) = sent(&text);
        assert_eq!(points, 4);
        let [counter, gauge, histogram] = &*metrics else { panic!("{metrics:?}") };
        assert_eq!((&*counter.name, &*counter.unit, &*counter.description), ("a_bytes", "By", "What."));
        let Some(Data::Sum(sum)) = &counter.data else { panic!("{counter:?}") };
        assert!(sum.is_monotonic && sum.aggregation_temporality() == AggregationTemporality::Cumulative);
        let values: Vec<_> = sum.data_points.iter().map(|point| point.value.unwrap()).collect();
        assert_eq!(values, [Value::AsInt(7), Value::AsDouble(0.5)]);
        assert_eq!(sum.data_points[0].attributes, [super::text("b", "c")]);
        assert_eq!(
            (sum.data_points[0].start_time_unix_nano, sum.data_points[0].time_unix_nano),
            (1_000_000_000, 2_000_000_000)
        );
        let Some(Data::Gauge(gauge)) = &gauge.data else { panic!("{gauge:?}") };
        assert_eq!(gauge.data_points[0].value, Some(Value::AsInt(-2)));
        let Some(Data::Histogram(all)) = &histogram.data else { panic!("{histogram:?}") };
        let [point] = &*all.data_points else { panic!("{all:?}") };
        assert_eq!((point.count, point.sum, &*histogram.unit), (3, Some(3.5), "s"));
        assert_eq!((&*point.explicit_bounds, &*point.bucket_counts), (&[0.1, 1.0][..], &[1, 0, 2][..]));
        let [exemplar] = &*point.exemplars else { panic!("{point:?}") };
        assert_eq!(exemplar.trace_id, TraceId::parse(TRACE.as_bytes()).unwrap().bytes());
        assert_eq!(
            (exemplar.time_unix_nano, exemplar.value),
            (1_500_000_000, Some(exemplar::Value::AsDouble(2.0)))
        );
    }

    #[test]
    fn histograms_of_several_labels_are_told_apart() {
        let lines = ["x", "y"].map(|r| {
            format!("h_sum{{r=\"{r}\"}} 1\nh_count{{r=\"{r}\"}} 1\nh_bucket{{le=\"+Inf\",r=\"{r}\"}} 1\n")
        });
        let (metrics, points) = sent(&format!("# TYPE h histogram\n{}", lines.concat()));
        assert_eq!(points, 2);
        let Some(Data::Histogram(all)) = &metrics[0].data else { panic!("{metrics:?}") };
        assert!(
            all.data_points.iter().all(|point| point.bucket_counts == [1] && point.attributes.len() == 1)
        );
    }
}
