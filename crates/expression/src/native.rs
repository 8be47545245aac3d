//! Functions as CEL calls them: its own, ours beside them, and those that only [`prepare`](crate::prepare) writes.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use cel::common::ast::operators;
use cel::common::types::{self, CelBool, CelBytes, CelInt, CelList, CelMap, CelString};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError, FunctionContext};
use regex::{Regex, RegexBuilder};
use wicketgate_config::Network;

use crate::equal::equal;
use crate::function::{Argument, Function};
use crate::meter;

/// A function that is registered with one expression's context.
pub(crate) type Native = Box<
    dyn for<'c, 'v> Fn(&mut FunctionContext<'c, 'v>) -> Result<CowVal<'c, 'v>, ExecutionError> + Send + Sync,
>;

type Called<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// Takes units of the budget and gives its first argument: `@charge(value, units)`.
pub(crate) const CHARGE: &str = "@charge";
/// `==`, whoever made the lists and maps.
pub(crate) const EQUALS: &str = "@equals";
/// `!=`, whoever made the lists and maps.
pub(crate) const DIFFERS: &str = "@differs";
/// `in`, whoever made the lists and maps.
pub(crate) const AMONG: &str = "@among";

/// Operators of CEL's, and ours in their place. Ours write an error only where there is one.
const OPERATORS: [(&str, &str, cel::common::functions::Function); 5] = [
    (operators::LESS, "@less", |args| compare(operators::LESS, &args, Ordering::is_lt)),
    (operators::LESS_EQUALS, "@at_most", |args| compare(operators::LESS_EQUALS, &args, Ordering::is_le)),
    (operators::GREATER, "@greater", |args| compare(operators::GREATER, &args, Ordering::is_gt)),
    (operators::GREATER_EQUALS, "@at_least", |args| {
        compare(operators::GREATER_EQUALS, &args, Ordering::is_ge)
    }),
    (operators::LOGICAL_NOT, "@not", |args| not(&args)),
];

/// Our operator in the place of one of CEL's, if there is one.
pub(crate) fn operator(name: &str) -> Option<&'static str> {
    OPERATORS.iter().find(|(cels, ..)| *cels == name).map(|(_, ours, _)| *ours)
}

/// CEL's own functions and ours, for all expressions: it takes longer to build than an evaluation.
pub(crate) static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::default().with_optional_support(false).with_stdlib();
    let added = add(&mut env);
    debug_assert!(added.is_ok(), "CEL has a function of one of these names: {added:?}");
    Arc::new(env)
});

fn add(env: &mut Env) -> Result<(), DeclarationError> {
    let any = || types::DYN_TYPE;
    env.add_member_overload("lower", "string_lower", types::STRING_TYPE, vec![], lower)?;
    env.add_member_overload("upper", "string_upper", types::STRING_TYPE, vec![], upper)?;
    env.add_overload(CHARGE, CHARGE, vec![any(), types::INT_TYPE], charge)?;
    env.add_overload(EQUALS, EQUALS, vec![any(), any()], |args| Ok(bool(equal(&*args[0], &*args[1]))))?;
    env.add_overload(DIFFERS, DIFFERS, vec![any(), any()], |args| Ok(bool(!equal(&*args[0], &*args[1]))))?;
    env.add_overload(AMONG, AMONG, vec![any(), any()], among)?;
    for (cels, ours, called) in OPERATORS {
        let arguments = if cels == operators::LOGICAL_NOT { 1 } else { 2 };
        env.add_overload(ours, ours, (0..arguments).map(|_| any()).collect(), called)?;
    }
    Ok(())
}

fn lower<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Called<'b, 'v> {
    recase(args.swap_remove(0), |byte| byte.is_ascii() && !byte.is_ascii_uppercase(), str::to_lowercase)
}

fn upper<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Called<'b, 'v> {
    recase(args.swap_remove(0), |byte| byte.is_ascii() && !byte.is_ascii_lowercase(), str::to_uppercase)
}

fn recase<'b, 'v>(
    text: CowVal<'b, 'v>,
    stays: fn(&u8) -> bool,
    change: fn(&str) -> String,
) -> Called<'b, 'v> {
    let changed = text.downcast_ref::<CelString<'_>>().map(CelString::inner);
    let changed = changed.filter(|text| !text.as_bytes().iter().all(stays)).map(change);
    Ok(changed.map_or(text, |changed| CowVal::owned(CelString::from(changed))))
}

fn charge<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Called<'b, 'v> {
    let units = args.pop().and_then(|units| units.downcast_ref::<CelInt>().map(|units| *units.inner()));
    let value = args.swap_remove(0);
    let units = units.and_then(|units| usize::try_from(units).ok()).unwrap_or(usize::MAX);
    if meter::charge(units.saturating_add(weight(&*value))) { Ok(value) } else { Err(meter::spent()) }
}

/// What it takes to go through a value. Those of a tree charge for themselves.
fn weight(value: &dyn Val) -> usize {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        meter::of_bytes(text.inner().len())
    } else if let Some(bytes) = value.downcast_ref::<CelBytes<'_>>() {
        meter::of_bytes(bytes.inner().len())
    } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        list.inner().len()
    } else {
        value.downcast_ref::<CelMap<'_>>().map_or(0, |map| map.inner().len())
    }
}

fn compare<'b, 'v>(operator: &str, args: &[CowVal<'b, 'v>], holds: fn(Ordering) -> bool) -> Called<'b, 'v> {
    let [left, right] = args else { return Err(mismatch(operator, args)) };
    let compared = left.as_comparer().map(|left| left.compare(&**right));
    match compared {
        Some(Ok(order)) => Ok(bool(holds(order))),
        Some(Err(error)) if !is_mismatch(&error) => Err(error),
        _ => Err(mismatch(operator, args)),
    }
}

fn not<'b, 'v>(args: &[CowVal<'b, 'v>]) -> Called<'b, 'v> {
    let value = args.first().and_then(|value| value.downcast_ref::<CelBool>());
    value.map(|value| bool(!*value.inner())).ok_or_else(|| mismatch(operators::LOGICAL_NOT, args))
}

/// Whether an error says no more than that the types do not fit.
const fn is_mismatch(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::NoSuchOverload(_)
            | ExecutionError::ValuesNotComparable(..)
            | ExecutionError::UnsupportedKeyType(_)
            | ExecutionError::UnexpectedType { .. }
    )
}

fn among<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Called<'b, 'v> {
    let [value, container] = args.as_slice() else { return Err(meter::spent()) };
    let Some(list) = container.downcast_ref::<CelList<'_>>() else {
        let wrong = || mismatch(operators::IN, &args);
        let found = container.as_container().ok_or_else(wrong)?.contains(&**value);
        return found.map(bool).map_err(|error| if is_mismatch(&error) { wrong() } else { error });
    };
    for item in list.inner() {
        if !meter::charge(1) {
            return Err(meter::spent());
        }
        if equal(&**item, &**value) {
            return Ok(bool(true));
        }
    }
    Ok(bool(false))
}

pub(crate) fn bool<'b, 'v>(value: bool) -> CowVal<'b, 'v> {
    CowVal::Borrowed(if value { &CelBool::TRUE } else { &CelBool::FALSE })
}

fn mismatch(function: &str, args: &[CowVal<'_, '_>]) -> ExecutionError {
    let types = args.iter().map(|arg| arg.get_type().name().to_owned()).collect();
    ExecutionError::no_such_overload(function, types)
}

/// The most memory that a compiled regular expression may take, in bytes; matching it takes as much again.
const MAX_PATTERN: usize = 1 << 20;

/// Compiles a regular expression.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn pattern(text: &str) -> Result<Regex, &'static str> {
    let built = RegexBuilder::new(text).size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it takes too much memory",
        _ => "it is none",
    })
}

/// `matches` with its regular expression.
pub(crate) fn matches(pattern: Regex) -> Native {
    Box::new(move |context| match context.args.first().and_then(|arg| arg.downcast_ref::<CelString<'_>>()) {
        Some(text) => Ok(bool(pattern.is_match(text.inner()))),
        None => Err(mismatch("matches", &context.args)),
    })
}

/// `in_network` with its network.
pub(crate) fn in_network(network: Network) -> Native {
    Box::new(move |context| match context.args.first().and_then(|arg| arg.downcast_ref::<CelString<'_>>()) {
        Some(text) => match text.inner().parse::<IpAddr>() {
            Ok(address) => Ok(bool(network.contains(address))),
            Err(_) => Err(ExecutionError::function_error("in_network", "no address")),
        },
        None => Err(mismatch("in_network", &context.args)),
    })
}

/// A vocabulary's own function.
pub(crate) fn of(function: Function) -> Native {
    Box::new(move |context| {
        let all = context.this.iter().chain(&context.args);
        let arguments: Vec<_> = all.map(|argument| Argument(&**argument)).collect();
        let called = if arguments.len() == function.arguments { (function.call)(&arguments) } else { None };
        let failed = || ExecutionError::function_error(function.described.name, "it failed");
        called.map(|answer| CowVal::Owned(answer.into_val())).ok_or_else(failed)
    })
}
