//! What traces say, whose word they take, and that they do nothing where nothing is traced.

#![allow(clippy::unwrap_used)]

use http::HeaderValue;

use super::*;
use crate::counts::Counts;

fn tracer(ratio: f64) -> (Tracer, Arc<Queue>) {
    let queue = Arc::new(Queue::new(64, 64, Arc::<Counts>::default()));
    (Tracer::new(queue.clone(), ratio, false), queue)
}

fn parent(is_sampled: bool) -> Parent {
    let headers = [
        (
            TRACEPARENT,
            format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0{}", u8::from(is_sampled)),
        ),
        (TRACESTATE, "rojo=1".to_owned()),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_str(&value).unwrap()));
    Parent::read(&headers.into_iter().collect()).unwrap()
}

fn written(span: &Span) -> (String, Option<String>) {
    let mut headers = HeaderMap::new();
    headers.insert(TRACEPARENT, HeaderValue::from_static("forged"));
    headers.insert(TRACESTATE, HeaderValue::from_static("forged"));
    span.write(&mut headers);
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    (text(TRACEPARENT).unwrap(), text(TRACESTATE))
}

#[test]
fn where_nothing_is_traced_nothing_happens() {
    let trace = Tracer::default().begin(|| panic!("nobody is asked"));
    let mut span = trace.child("a", Kind::Internal);
    span.text("a", "b");
    assert!(trace.id().is_none() && trace.kept().is_none() && !span.is_kept());
    assert_eq!(written(&span), ("forged".into(), Some("forged".into())), "headers stay as they are");
    assert_eq!(size_of::<Trace>(), size_of::<usize>());
}

#[test]
fn spans_belong_to_each_other_and_to_whom_they_were_sent_by() {
    let (tracer, queue) = tracer(0.0);
    let trace = tracer.begin(|| Some(parent(true)));
    let request = trace.request();
    let upstream = trace.child("upstream", Kind::Client);
    let (header, state) = written(&upstream);
    drop((upstream, request));
    let spans = queue.take().unwrap();
    let [upstream, request] = &*spans else { panic!("{spans:?}") };
    assert_eq!(header, format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", upstream.id));
    assert_eq!(state.as_deref(), Some("rojo=1"));
    assert_eq!(upstream.parent, Some(request.id));
    assert_eq!(request.parent.unwrap().to_string(), "b7ad6b7169203331");
    assert_eq!(trace.kept(), trace.id());
}

#[test]
fn a_trace_that_is_not_kept_still_has_a_name_that_goes_on() {
    let (tracer, queue) = tracer(1.0);
    let trace = tracer.begin(|| Some(parent(false)));
    let (request, upstream) = (trace.request(), trace.child("upstream", Kind::Client));
    let (header, _) = written(&upstream);
    assert!(
        header.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && header.ends_with("-00"),
        "{header}"
    );
    assert!(!header.contains("b7ad6b7169203331"), "a span of ours stands in it");
    drop((request, upstream));
    assert!(queue.take().is_none() && trace.kept().is_none() && trace.id().is_some());
}

#[test]
fn of_traces_that_begin_here_a_part_is_kept() {
    for (ratio, range) in [(0.0, 0..=0), (0.25, 150..=350), (1.0, 1000..=1000)] {
        let (tracer, _queue) = tracer(ratio);
        let kept = (0..1000).filter(|_| tracer.begin(|| None).kept().is_some()).count();
        assert!(range.contains(&kept), "{ratio}: {kept}");
    }
}

#[test]
fn no_span_grows_without_bound() {
    let (tracer, queue) = tracer(1.0);
    let trace = tracer.begin(|| None);
    let mut span = trace.request();
    for _ in 0..1000 {
        span.text("a", &"x".repeat(10_000));
    }
    drop(span);
    let spans = queue.take().unwrap();
    assert_eq!(spans[0].attributes.len(), ATTRIBUTES_MAX);
    assert!(matches!(&spans[0].attributes[0].1, Value::Text(text) if text.len() == 512));
}
