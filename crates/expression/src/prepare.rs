//! Rewrites a surveyed expression, so that an evaluation does not do again what can be done once, and is charged for loops.
//!
//! - `a.b` becomes `a["b"]`: CEL looks for a variable `a.b` first at each evaluation, and there is none.
//! - Regular expressions and networks become functions that have them compiled; lists that are written out become constants.
//! - `==`, `!=` and `in` become ours where one of CEL's own lists may be compared with a tree's: CEL's know only their own kind.
//! - `<` and its like, and `!`, become ours as well: CEL's write an error, with all its texts, before they know of any.
//! - Inside loops, text and lists that no tree hands out are charged where a function takes them, and so is what a step costs.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, operators,
};
use cel::common::types::CelList;
use cel::common::value::CowVal;
use cel::{Context, DeclarationError};
use wicketgate_config::Network;

use crate::native::{self, AMONG, CHARGE, DIFFERS, EQUALS, Native};
use crate::survey::{Invalid, gives_plain, is_operator, text};
use crate::vocabulary::Vocabulary;

/// Parts of an expression for which a step of a loop costs a unit.
const PARTS_PER_UNIT: usize = 8;

/// An expression as it is evaluated, and the context that its functions and constants are in.
pub(crate) struct Prepared {
    pub(crate) expr: IdedExpr,
    pub(crate) root: Context<'static, 'static>,
}

/// Rewrites an expression that was found to be valid.
pub(crate) fn prepare(mut expr: IdedExpr, vocabulary: &Vocabulary) -> Result<Prepared, Invalid> {
    let mut root = Context::with_env(native::ENVIRONMENT.clone());
    for function in vocabulary.functions {
        let added = add(&mut root, function.described.name, native::of(*function));
        debug_assert!(added.is_ok(), "a function has a name of CEL's: {added:?}");
    }
    let mut preparation = Preparation { vocabulary, root, made: 0, hoisted: 0, depth: 0 };
    preparation.node(&mut expr)?;
    Ok(Prepared { expr, root: preparation.root })
}

fn add(root: &mut Context<'static, 'static>, name: &str, native: Native) -> Result<(), DeclarationError> {
    root.add_function::<Native, Native>(name, native)
}

struct Preparation<'a> {
    vocabulary: &'a Vocabulary,
    root: Context<'static, 'static>,
    /// How many functions and constants were made. Their names begin with `@`, which nobody can write.
    made: usize,
    /// How many values the constants have.
    hoisted: usize,
    /// How many loops are open.
    depth: usize,
}

impl Preparation<'_> {
    fn node(&mut self, node: &mut IdedExpr) -> Result<(), Invalid> {
        match &mut node.expr {
            Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) | Expr::Unspecified => {}
            Expr::Select(select) => {
                self.node(&mut select.operand)?;
                if !select.test {
                    let field = literal(LiteralValue::String(std::mem::take(&mut select.field).into()));
                    let operand = std::mem::take(&mut *select.operand);
                    node.expr = call(operators::INDEX, vec![operand, field]);
                }
            }
            Expr::Call(call) => {
                if let Some(prepared) = self.compiled(call)? {
                    node.expr = prepared;
                } else {
                    self.call(call)?;
                }
                if self.depth > 0
                    && matches!(&node.expr, Expr::Call(call) if call.func_name == operators::ADD)
                {
                    charge(node, 0);
                }
            }
            Expr::List(list) => {
                list.elements.iter_mut().try_for_each(|element| self.node(element))?;
                if let Some(constant) = constant(list) {
                    let name = self.name();
                    self.hoisted += constant.len();
                    self.root.add_variable_as_val(name.clone(), Box::new(constant));
                    node.expr = Expr::Ident(name);
                }
            }
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        self.node(&mut entry.key)?;
                        self.node(&mut entry.value)?;
                    }
                }
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension)?,
        }
        Ok(())
    }

    /// Calls whose last argument is compiled here and now.
    fn compiled(&mut self, call: &mut CallExpr) -> Result<Option<Expr>, Invalid> {
        let native = match (call.func_name.as_str(), call.args.last().and_then(text)) {
            ("matches", Some(pattern)) => native::matches(native::pattern(pattern).map_err(|why| {
                let what = "`matches` takes a regular expression that is written out";
                Invalid::new(
                    format!("{what}, and of `{pattern}`, {why}"),
                    "write ^/rooms/[a-z]+$, for example",
                )
            })?),
            ("in_network", Some(network)) => match network.parse::<Network>() {
                Ok(network) => native::in_network(network),
                Err(help) => return Err(Invalid::new(format!("`{network}` is no network"), help)),
            },
            _ => return Ok(None),
        };
        let name = self.name();
        let added = add(&mut self.root, &name, native);
        debug_assert!(added.is_ok(), "nothing else begins with @: {added:?}");
        let subject = call.target.take().map(|target| *target).or_else(|| call.args.drain(..).next());
        let mut subject = subject.unwrap_or_default();
        self.node(&mut subject)?;
        self.charge_argument(&mut subject);
        Ok(Some(self::call(&name, vec![subject])))
    }

    fn call(&mut self, call: &mut CallExpr) -> Result<(), Invalid> {
        let parts = call.target.iter_mut().map(|target| &mut **target);
        parts.chain(&mut call.args).try_for_each(|part| self.node(part))?;
        if !is_operator(&call.func_name) {
            let parts = call.target.iter_mut().map(|target| &mut **target);
            parts.chain(&mut call.args).for_each(|part| self.charge_argument(part));
            return Ok(());
        }
        let knows_all = match call.args.as_slice() {
            [_, list] if call.func_name == operators::IN => {
                self.is_foreign(list) || self.holds_comparable(list)
            }
            [left, right] => self.is_foreign(left) || is_plain(right),
            _ => true,
        };
        let ours = match call.func_name.as_str() {
            operators::EQUALS if !knows_all => EQUALS,
            operators::NOT_EQUALS if !knows_all => DIFFERS,
            operators::IN if !knows_all => AMONG,
            name => match native::operator(name) {
                Some(ours) => ours,
                None => return Ok(()),
            },
        };
        call.func_name = ours.to_owned();
        Ok(())
    }

    fn comprehension(&mut self, comprehension: &mut ComprehensionExpr) -> Result<(), Invalid> {
        self.node(&mut comprehension.iter_range)?;
        self.charge_argument(&mut comprehension.iter_range);
        self.depth += 1;
        self.node(&mut comprehension.loop_cond)?;
        // What the macros write around a step stays as it is: CEL knows it by its form.
        for part in written(comprehension) {
            let before = self.hoisted;
            self.node(part)?;
            let units = (parts(part) + self.hoisted - before) / PARTS_PER_UNIT;
            if units > 0 {
                charge(part, units);
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Inside loops, charges for a value that a function goes through, unless a tree does when it hands it out.
    fn charge_argument(&self, node: &mut IdedExpr) {
        if self.depth > 0 && !matches!(node.expr, Expr::Literal(_)) && !self.is_foreign(node) {
            charge(node, 0);
        }
    }

    /// Whether it is a variable of the vocabulary's, or something in one: never one of CEL's own lists and maps.
    fn is_foreign(&self, node: &IdedExpr) -> bool {
        match &node.expr {
            Expr::Ident(name) => self.vocabulary.variable(name).is_some(),
            Expr::Call(call) if call.func_name == operators::INDEX => {
                call.args.first().is_some_and(|operand| self.is_foreign(operand))
            }
            Expr::Call(call) if self.vocabulary.function(&call.func_name).is_some() => true,
            _ => is_plain(node),
        }
    }

    /// Whether it is a list whose values CEL compares with anything rightly.
    fn holds_comparable(&self, node: &IdedExpr) -> bool {
        match &node.expr {
            Expr::List(list) => list.elements.iter().all(|element| self.is_foreign(element)),
            Expr::Ident(name) => name.starts_with('@'),
            _ => false,
        }
    }

    fn name(&mut self) -> String {
        self.made += 1;
        format!("@{}", self.made)
    }
}

/// Whether it gives a plain value.
fn is_plain(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Literal(_) => true,
        Expr::Select(select) => select.test,
        // Of ours, only this one gives what it was given.
        Expr::Call(call) if call.func_name.starts_with('@') => call.func_name != CHARGE,
        Expr::Call(call) => gives_plain(&call.func_name),
        _ => false,
    }
}

/// A list of plain values that are written out.
fn constant(list: &ListExpr) -> Option<CelList<'static>> {
    let values = list.elements.iter().map(|element| match &element.expr {
        Expr::Literal(literal) => Some(CowVal::into_owned(literal.to_val())),
        _ => None,
    });
    let values: Vec<_> = values.collect::<Option<_>>()?;
    (!values.is_empty() && list.optional_indices.is_empty()).then(|| CelList::from(values))
}

/// The parts of a loop's step that were written in the expression: `x > 1` in `@result || x > 1`, for example.
fn written(comprehension: &mut ComprehensionExpr) -> Vec<&mut IdedExpr> {
    let Expr::Call(step) = &mut comprehension.loop_step.expr else { return Vec::new() };
    match step.func_name.as_str() {
        operators::LOGICAL_AND | operators::LOGICAL_OR => step.args.get_mut(1).into_iter().collect(),
        operators::ADD => appended(step).collect(),
        operators::CONDITIONAL => match step.args.as_mut_slice() {
            [condition, found, _] => {
                let found = match &mut found.expr {
                    Expr::Call(found) => Some(found),
                    _ => None,
                };
                std::iter::once(condition).chain(found.into_iter().flat_map(appended)).collect()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// What `map` and `filter` append to their result: `@result + [x]`.
fn appended(step: &mut CallExpr) -> impl Iterator<Item = &mut IdedExpr> {
    let list = step.args.get_mut(1).and_then(|list| match &mut list.expr {
        Expr::List(list) => Some(&mut list.elements),
        _ => None,
    });
    list.into_iter().flatten()
}

/// How many parts an expression has.
fn parts(node: &IdedExpr) -> usize {
    1 + match &node.expr {
        Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) | Expr::Unspecified => 0,
        Expr::Select(select) => parts(&select.operand),
        Expr::Call(call) => {
            call.target.iter().map(|target| &**target).chain(&call.args).map(parts).sum::<usize>()
        }
        Expr::List(list) => list.elements.iter().map(parts).sum(),
        Expr::Map(map) => map
            .entries
            .iter()
            .map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => parts(&entry.key) + parts(&entry.value),
                EntryExpr::StructField(field) => parts(&field.value),
            })
            .sum(),
        Expr::Comprehension(loops) => parts(&loops.iter_range) + parts(&loops.loop_step),
    }
}

fn charge(node: &mut IdedExpr, units: usize) {
    let units = i64::try_from(units).unwrap_or(i64::MAX);
    let value = std::mem::take(node);
    let id = value.id;
    *node = IdedExpr { id, expr: call(CHARGE, vec![value, literal(LiteralValue::Int(units.into()))]) };
}

fn call(name: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args })
}

fn literal(value: LiteralValue) -> IdedExpr {
    IdedExpr { id: 0, expr: Expr::Literal(value) }
}
