//! Rule files from text to findings.

#![allow(clippy::unwrap_used)]

use crate::*;

fn ids(set: &RuleSet, name: &str, value: &str) -> (Vec<u64>, End) {
    let arguments = [Argument::new(name.as_bytes(), value.as_bytes())];
    let request = Request {
        method: b"POST",
        uri: b"/",
        protocol: b"HTTP/1.1",
        headers: &[(b"Host", b"example.com")],
        arguments: &arguments,
        body: value.as_bytes(),
        processor: b"JSON",
        ..Request::default()
    };
    let mut scratch = Scratch::default();
    let baseline = set.baseline(&request, None, &mut scratch);
    let outcome = set.judge(&baseline, &request, Budget::default(), &mut scratch);
    let found = outcome.found.iter().filter_map(|found| set.rule(found.rule)).map(|rule| rule.id);
    (found.collect(), outcome.end)
}

fn found(rules: &str, name: &str, value: &str) -> Vec<u64> {
    ids(&RuleSet::parse(rules, &[]).unwrap(), name, value).0
}

#[test]
fn a_rule_looks_at_arguments_by_name_and_at_what_transformations_make() {
    let rules = r#"SecRule ARGS "@rx <script" "id:1,t:none,t:urlDecodeUni,t:lowercase"
        SecRule ARGS:user "@contains root" "id:2"
        SecRule ARGS|!ARGS:free "@pm evil wicked" "id:3"
        SecRule ARGS_NAMES "@beginsWith fr" "id:4"
        SecRule &ARGS "@gt 5" "id:5"
        SecRule ARGS:/^fr/ "!@rx ^[a-z]+$" "id:6,nolog""#;
    assert_eq!(found(rules, "a", "%3CSCRIPT"), [1]);
    assert_eq!(found(rules, "USER", "root"), [2]);
    assert_eq!(found(rules, "a", "so WICKED"), [3]);
    assert_eq!(found(rules, "free", "so WICKED"), [4]);
    assert_eq!(found(rules, "a", "fine"), [0; 0]);
}

#[test]
fn chains_markers_and_variables() {
    let rules = r#"SecAction "id:1,phase:1,nolog,pass,setvar:tx.limit=5,setvar:'tx.word=b'"
        SecRule ARGS "@rx a(.)" "id:2,capture,nolog,chain,setvar:tx.score=+3"
            SecRule TX:1 "@streq %{tx.word}" "setvar:'tx.score=+%{tx.limit}'"
        SecRule TX:score "@lt 8" "id:3,nolog,skipAfter:END"
        SecRule TX:score "@eq 8" "id:4,deny,msg:'seen'"
        SecMarker END
        SecAction "id:5""#;
    let set = RuleSet::parse(rules, &[]).unwrap();
    assert_eq!(ids(&set, "x", "ab").0, [4]);
    assert!(matches!(ids(&set, "x", "ab").1, End::Refused(_)));
    assert_eq!(ids(&set, "x", "ac"), (vec![5], End::Passed));
    // Given variables are not changed by rules.
    let set = RuleSet::parse(rules, &[("limit", "1")]).unwrap();
    assert_eq!(ids(&set, "x", "ab").0, [5]);
}

#[test]
fn rules_are_removed_and_look_at_other_values() {
    let rules = r#"SecRule ARGS:off "@streq 1" "id:1,phase:2,nolog,ctl:ruleRemoveById=10-11"
        SecRule ARGS "@rx ." "id:2,phase:2,nolog,ctl:ruleRemoveTargetByTag=t;ARGS:free"
        SecRule ARGS "@contains x" "id:10,tag:'t'"
        SecRule ARGS "@contains x" "id:11"
        SecRule ARGS "@contains x" "id:12,msg:'twelve'"
        SecRuleRemoveByMsg twel
        SecRuleUpdateTargetById 11 "!ARGS:own""#;
    assert_eq!(found(rules, "a", "x"), [10, 11]);
    assert_eq!(found(rules, "free", "x"), [11]);
    assert_eq!(found(rules, "own", "x"), [10]);
    assert_eq!(found(rules, "off", "1x"), [10, 11]);
    assert_eq!(found(rules, "off", "1"), [0; 0]);
}

#[test]
fn what_is_not_done_is_told() {
    let rules = r#"SecRule ARGS "@rx a(?=b)" "id:1"
        SecRule ARGS "@geoLookup" "id:2,chain"
            SecRule ARGS "@rx a" "t:none"
        SecRule DURATION "@gt 1" "id:3"
        SecRule ARGS "@rx a" "id:4,t:md5,exec:x,setvar:ip.a=1"
        SecRule RESPONSE_BODY "@rx a" "id:5,phase:4"
        SecRule ARGS "@rx a++" "id:6""#;
    let set = RuleSet::parse(rules, &[]).unwrap();
    let told: Vec<(u64, Effect)> = set.notes().iter().map(|note| (note.rule.unwrap(), note.effect)).collect();
    let expected = [
        (1, Effect::Left),
        (2, Effect::Left),
        (3, Effect::Without),
        (3, Effect::Left),
        (4, Effect::Without),
        (4, Effect::Without),
        (4, Effect::Without),
        (5, Effect::Elsewhere),
        (6, Effect::Wider),
    ];
    assert_eq!(told, expected, "{:#?}", set.notes());
    assert_eq!(set.len(), 2);
    assert!(RuleSet::parse("SecRule ARGS", &[]).is_err());
    assert!(RuleSet::parse("Nonsense on", &[]).is_err());
    assert!(RuleSet::parse("SecRule ARGS \"@rx a\" \"phase:2\"", &[]).is_err());
}

#[test]
fn too_much_work_is_told_and_nothing_else_is_asked() {
    let set = RuleSet::parse("SecRule ARGS \"@rx x[^y]{3}z\" \"id:1\"\nSecAction \"id:2\"", &[]).unwrap();
    let value = "x".repeat(10_000) + "z";
    let arguments = [Argument::new(b"a", value.as_bytes())];
    let request = Request { arguments: &arguments, ..Request::default() };
    let mut scratch = Scratch::default();
    let baseline = set.baseline(&request, None, &mut scratch);
    let outcome = set.judge(&baseline, &request, Budget { base: 10, per_byte: 0 }, &mut scratch);
    assert_eq!((outcome.end, outcome.found.len()), (End::OverBudget, 0));
}

#[test]
fn decoys_hide_no_value_from_the_rest_of_a_chain() {
    let rules = r#"SecRule ARGS "@contains decoy" "id:1,nolog,chain"
            SecRule MATCHED_VARS "@contains attack" "setvar:tx.found=1"
        SecRule TX:found "@eq 1" "id:2,deny""#;
    let set = RuleSet::parse(rules, &[]).unwrap();
    let mut arguments = vec![Argument::new(b"a", b"decoy"); 500];
    assert_eq!(end(&set, &arguments, Budget::default()), End::Passed);
    arguments.push(Argument::new(b"a", b"decoy attack"));
    assert!(matches!(end(&set, &arguments, Budget::default()), End::Refused(_)));
}

#[test]
fn variables_that_find_no_room_are_told() {
    let rules = r#"SecRule ARGS_NAMES "@rx ." "id:1,nolog,setvar:'tx.n_%{MATCHED_VAR}=+1'"
        SecRule TX:/^n_/ "@gt 1" "id:2,deny""#;
    let set = RuleSet::parse(rules, &[]).unwrap();
    let names: Vec<String> = (0..5000).map(|number| number.to_string()).collect();
    let arguments =
        |count| -> Vec<_> { names[..count].iter().map(|name| Argument::new(name.as_bytes(), b"")).collect() };
    let mut many = arguments(1000);
    assert_eq!(end(&set, &many, Budget::default()), End::Passed);
    many.push(Argument::new(b"999", b""));
    assert!(matches!(end(&set, &many, Budget::default()), End::Refused(_)));
    assert_eq!(end(&set, &arguments(5000), Budget { base: 1 << 40, per_byte: 0 }), End::OverBudget);
}

#[test]
fn what_a_rule_captures_is_there_for_all_that_come_after() {
    for reader in [
        r#"SecRule TX:1 "@streq b""#,
        r#"SecRule TX:/^[1-3]$/ "@streq b""#,
        r#"SecRule ARGS "@streq a%{tx.1}""#,
    ] {
        let rules = format!(
            "SecRule ARGS \"@rx a(.)\" \"id:1,capture,nolog\"\nSecRule ARGS \"@rx ()\" \"id:2,nolog\"\n{reader} \"id:3\""
        );
        assert_eq!(
            (found(&rules, "x", "ab"), found(&rules, "x", "ac").contains(&3)),
            (vec![3], reader.contains("%")),
            "{reader}"
        );
    }
}

#[test]
fn selections_and_short_values_take_work() {
    let set = RuleSet::parse("SecRule ARGS:/x[^y]{50}z/ \"@streq 1\" \"id:1\"", &[]).unwrap();
    let name = "x".repeat(1000) + "z";
    let arguments = vec![Argument { name: name.as_bytes(), ..Argument::new(b"", b"") }; 100];
    assert_eq!(end(&set, &arguments, Budget { base: 1 << 20, per_byte: 0 }), End::OverBudget);
    let set = RuleSet::parse("SecRule ARGS \"@streq 1\" \"id:1\"", &[]).unwrap();
    let arguments = vec![Argument::new(b"", b""); 100_000];
    assert_eq!(end(&set, &arguments, Budget { base: 1 << 19, per_byte: 0 }), End::OverBudget);
}

fn end(set: &RuleSet, arguments: &[Argument<'_>], budget: Budget) -> End {
    let request = Request { arguments, ..Request::default() };
    let mut scratch = Scratch::default();
    let baseline = set.baseline(&request, None, &mut scratch);
    set.judge(&baseline, &request, budget, &mut scratch).end
}
