//! Spans as a message.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use super::{Resource, attribute, nanos, rejected, scope, whole};
use crate::span::{Ended, Kind, Value};

/// The flag of a span that says that its trace is kept, as in `traceparent`.
const SAMPLED: u32 = 1;

/// A message with these spans.
pub(crate) fn traces(resource: &Resource, spans: &[Ended]) -> Vec<u8> {
    let spans = spans.iter().map(converted).collect();
    let scope_spans = ScopeSpans { scope: Some(scope()), spans, ..ScopeSpans::default() };
    let resource_spans = ResourceSpans {
        resource: Some(resource.0.clone()),
        scope_spans: vec![scope_spans],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
}

/// How many spans of a message the collector did not take, by its own word.
pub(crate) fn refused_spans(answer: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
    answer.partial_success.map_or(0, |partial| rejected(partial.rejected_spans))
}

fn converted(span: &Ended) -> Span {
    let kind = match span.kind {
        Kind::Internal => SpanKind::Internal,
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
    };
    let start = nanos(span.start);
    let attributes = span.attributes.iter().map(|(key, value)| {
        let value = match value {
            Value::Word(word) => any_value::Value::StringValue((*word).to_owned()),
            Value::Text(text) => any_value::Value::StringValue(text.clone().into()),
            Value::Number(number) => any_value::Value::IntValue(*number),
        };
        attribute(key, value)
    });
    let status =
        span.failure.as_deref().map(|why| Status { message: why.to_owned(), code: StatusCode::Error.into() });
    Span {
        trace_id: span.trace.bytes().to_vec(),
        span_id: span.id.bytes().to_vec(),
        trace_state: span.state.as_str().to_owned(),
        parent_span_id: span.parent.map(|parent| parent.bytes().to_vec()).unwrap_or_default(),
        flags: SAMPLED,
        name: span.name.clone().into(),
        kind: kind.into(),
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add(whole(span.duration)),
        attributes: attributes.collect(),
        status,
        ..Span::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;

    #[test]
    fn a_span_says_all_that_it_knows() {
        let ended = Ended::of_a_test();
        let (trace, id) = (ended.trace, ended.id);
        let message = traces(&Resource::new(&[("service.name".into(), "gate".into())]), &[ended]);
        let message = ExportTraceServiceRequest::decode(&*message).unwrap();
        let [resource] = &*message.resource_spans else { panic!("{message:?}") };
        let of_process = &resource.resource.as_ref().unwrap().attributes;
        let names: Vec<&str> = of_process.iter().map(|attribute| &*attribute.key).collect();
        assert_eq!(names, ["service.name", "service.version", "service.instance.id"]);
        let [span] = &*resource.scope_spans[0].spans else { panic!("{message:?}") };
        assert_eq!((&*span.trace_id, &*span.span_id), (&trace.bytes()[..], &id.bytes()[..]));
        assert_eq!((&*span.name, span.kind(), span.parent_span_id.len()), ("GET chat", SpanKind::Server, 8));
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 3_000_000);
        assert_eq!(span.status.as_ref().unwrap().message, "refused");
        assert_eq!(span.attributes.len(), 3);
    }

    #[test]
    fn what_a_collector_answers_is_read() {
        let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: String::new() };
        let answer = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        assert_eq!(refused_spans(&answer), 3);
        assert_eq!((refused_spans(b""), refused_spans(b"<html>")), (0, 0));
    }
}
