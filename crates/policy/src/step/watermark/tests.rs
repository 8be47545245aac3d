//! Pictures in messages, marked and refused.

#![allow(clippy::unwrap_used)]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use wicketgate_watermark::{Key, Limits, Watch, read};

use crate::message::Direction::ToClient;
use crate::policy::Session;
use crate::testing::{Judged, judge, judge_in, policy, problems};
use crate::verdict::Verdict;

const KEY: &str = "a-key-of-at-least-32-characters!";
const LIMITS: Limits = Limits { size: 1 << 20, pixels: 1 << 20, metadata: 1 << 16 };

fn written(format: &str, more: &str) -> String {
    format!(
        "name: p\nformat: {format}\nto_client:\n  - name: mark\n    watermark: {{invisible: {{key: {{value: {KEY}}}}}{more}}}\n"
    )
}

/// A picture with some grain, of 256 by 256 pixels.
fn png() -> Vec<u8> {
    let mut seed = 7u32;
    let picture = image::RgbImage::from_fn(256, 256, |x, _| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image::Rgb([x as u8 / 2 + (seed >> 28) as u8 + 50; 3])
    });
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// What goes on once pictures are marked, and the mark that the first one's finding tells.
fn marked(judged: Judged) -> (Vec<u8>, Option<String>) {
    let told = judged.findings.first().map(|finding| {
        assert_eq!(finding.class, "watermarked");
        finding.detail.trim_start_matches("mark ").to_owned()
    });
    let Verdict::Mark(pictures) = judged.verdict else { panic!("{:?}", judged.verdict) };
    let outcome = pictures.mark(&|| true);
    assert_eq!(outcome.findings, []);
    let Verdict::Rewrite(payload, _) = outcome.verdict else { panic!("{:?}", outcome.verdict) };
    (payload, told)
}

fn tag_in(file: &[u8]) -> Option<String> {
    let found = read(file, &Key::new(KEY.as_bytes()), &LIMITS, &Watch::ENDLESS).unwrap();
    found.map(|found| found.tag.to_string())
}

#[test]
fn a_picture_gets_the_mark_that_its_session_is_known_by() {
    let (policy, png) = (policy(&written("binary", "")), png());
    let mut session = Session::new(Default::default());
    let (first, told) = marked(judge_in(&policy, &mut session, ToClient, &png));
    assert!(told.is_some());
    assert_eq!(tag_in(&first), told);
    let (second, again) = marked(judge_in(&policy, &mut session, ToClient, &png));
    assert_eq!((tag_in(&second), again), (told, None));
}

#[test]
fn a_picture_in_base64_stays_where_and_as_it_is_carried() {
    let png = png();
    for (before, text) in [
        ("data:image/png;base64,", STANDARD.encode(&png)),
        ("", STANDARD.encode(&png)),
        ("", URL_SAFE_NO_PAD.encode(&png)),
    ] {
        let message = format!(r#"{{ "to":"ann", "pictures":[{{"of":"{before}{text}"}}], "z":1}}"#);
        let (new, told) =
            marked(judge(&written("json", ", paths: \"pictures[*].of\""), ToClient, message.as_bytes()));
        let new = String::from_utf8(new).unwrap();
        let start = format!(r#"{{ "to":"ann", "pictures":[{{"of":"{before}"#);
        let inner = new.strip_prefix(&start).unwrap().strip_suffix(r#""}], "z":1}"#).unwrap();
        let file = STANDARD.decode(inner).or_else(|_| URL_SAFE_NO_PAD.decode(inner)).unwrap();
        assert_eq!(tag_in(&file), told);
    }
}

#[test]
fn what_cannot_be_marked_does_not_pass() {
    let png = png();
    let binary = |payload: &[u8], more: &str| {
        let judged = judge(&written("binary", more), ToClient, payload);
        let found = judged.findings.first().map(|finding| finding.class);
        (matches!(judged.verdict, Verdict::Close(_)), found)
    };
    assert_eq!(binary(b"\0\x01 no picture", ""), (true, Some("not_a_picture")));
    assert_eq!(binary(b"\0\x01 no picture", ", others: pass"), (false, None));
    assert_eq!(binary(&png[..png.len() / 2], ", others: pass"), (true, Some("picture_truncated")));
    assert_eq!(binary(&png, ", max_pixels: 1000"), (true, Some("picture_pixels")));
    assert_eq!(binary(&png, ", max_size: 1KiB"), (true, Some("picture_too_large")));
    let text = |value: &str| {
        let message = format!(r#"{{"a":{value}}}"#);
        judge(&written("json", ", paths: a"), ToClient, message.as_bytes()).findings.remove(0).class
    };
    assert_eq!(text(r#""no base64!""#), "not_a_picture");
    assert_eq!(text(r#""aGVsbG8=""#), "not_a_picture");
    assert_eq!(text("7"), "not_a_picture");
    let two = format!(r#"{{"a":["{0}","{0}"]}}"#, STANDARD.encode(&png));
    let judged = judge(&written("json", ", paths: a, max_pictures: 1"), ToClient, two.as_bytes());
    assert_eq!(judged.findings[0].class, "picture_count");
}

#[test]
fn what_turns_out_broken_or_late_is_what_then_says() {
    let mut broken = png();
    let middle = broken.len() / 2;
    broken[middle..middle + 40].fill(0xff);
    for (then, expected) in [("close", "closed"), ("drop", "dropped"), ("record", "recorded")] {
        let policy = policy(&(written("binary", "") + &format!("    then: {then}\n")));
        let judged = judge_in(&policy, &mut Session::new(Default::default()), ToClient, &broken);
        let Verdict::Mark(pictures) = judged.verdict else { panic!("{:?}", judged.verdict) };
        for (outcome, class) in [
            (pictures.mark(&|| true), "picture_malformed"),
            (pictures.mark(&|| false), "picture_slow"),
            (pictures.run_late(), "picture_slow"),
            (pictures.find_no_room(), "picture_no_room"),
        ] {
            let finding = &outcome.findings[0];
            assert_eq!((finding.class, finding.action.label(), &*finding.step), (class, expected, "mark"));
            match outcome.verdict {
                Verdict::Rewrite(payload, _) => assert_eq!((then, payload), ("record", broken.clone())),
                Verdict::Drop => assert_eq!(then, "drop"),
                verdict => assert!(matches!(verdict, Verdict::Close(_)) && then == "close"),
            }
        }
    }
}

#[test]
fn observed_pictures_go_on_as_they_came() {
    let observed = written("binary", "") + "    mode: observe\n";
    let judged = judge(&observed, ToClient, &png());
    assert!(matches!(judged.verdict, Verdict::Forward(_)));
    assert_eq!(judged.findings[0].class, "watermarked");
}

#[test]
fn what_is_configured_wrong_is_told() {
    let told = |text: &str| problems(text).join("\n");
    assert!(told("name: p\nformat: binary\nto_client: [{watermark: {}}]").contains("not said what pictures"));
    assert!(told(&written("json", "")).contains("no values of bytes"));
    assert!(told(&(written("binary", "") + "  - when: \"true\"\n")).contains("behind `watermark`"));
    assert!(told(&(written("binary", "") + "    then: record\n")).contains("without a mark"));
    let visible = |more: &str| {
        told(&format!("name: p\nformat: binary\nto_client: [{{watermark: {{visible: {{{more}}}}}}}]"))
    };
    assert!(visible("text: a").contains("no font"));
    assert!(visible("font: /x").contains("no text"));
    assert!(visible("text: \"{who}\", font: /x").contains("`{who}` stands for nothing"));
    assert!(visible("text: a, font: /etc/hostname").contains("cannot be used"));
    assert!(visible("text: a, font: /x, color: red").contains("no colour"));
}
