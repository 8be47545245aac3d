//! Looks through an expression once, at load: what it uses has to be there, and what it needs is noted.

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::{ParseErrors, Program};
use http::header::HeaderName;
use wicketgate_config::{Network, alternatives};

use crate::function::Gives;
use crate::vocabulary::{Shape, Vocabulary, Wanted};

/// The deepest that expressions may go through lists inside lists.
pub const MAX_NESTING: usize = 2;

/// What is wrong with an expression, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub help: String,
}

/// What an expression goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The variables that it uses.
    pub variables: Vec<&'static str>,
    /// The fields of records that it uses, each with its variable, headers apart.
    pub fields: Vec<(&'static str, &'static str)>,
    /// These headers of the request.
    pub headers: Vec<HeaderName>,
    /// How deep it goes through lists inside lists.
    pub nesting: usize,
}

impl Needs {
    /// Whether it uses a variable.
    pub fn uses(&self, variable: &str) -> bool {
        self.variables.contains(&variable)
    }

    /// Whether it uses a field of a record.
    pub fn uses_field(&self, variable: &str, field: &str) -> bool {
        self.fields.contains(&(variable, field))
    }
}

/// Functions that give a bool, operators apart.
const PREDICATES: [&str; 6] = ["in_network", "contains", "startsWith", "endsWith", "matches", "bool"];

/// Functions that give something else.
const FUNCTIONS: [&str; 21] = [
    "size",
    "string",
    "int",
    "uint",
    "double",
    "bytes",
    "dyn",
    "type",
    "lower",
    "upper",
    "duration",
    "timestamp",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfWeek",
    "getDayOfYear",
    "getDayOfMonth",
    "getHours",
    "getMinutes",
    "getSeconds",
];

/// Those that give a bool, or what one of their operands is; the others are [`ARITHMETIC`].
const OPERATORS: [&str; 13] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::IN,
    operators::NOT_STRICTLY_FALSE,
    operators::INDEX,
];

const ARITHMETIC: [&str; 6] = [
    operators::ADD,
    operators::SUBSTRACT,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::NEGATE,
];

impl Invalid {
    pub(crate) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }

    pub(crate) fn syntax(errors: &ParseErrors, example: &str) -> Self {
        let help = format!("write it in CEL, as in {example}");
        match errors.errors.first() {
            Some(error) => {
                let (line, column) = error.pos;
                let message = error.msg.lines().next().unwrap_or_default();
                let what = format!("the expression is no CEL: line {line}, column {column} of it: {message}");
                Self::new(what, help)
            }
            None => Self::new("the expression is no CEL", help),
        }
    }
}

/// Looks through a program.
pub(crate) fn survey(program: &Program, vocabulary: &Vocabulary, wanted: Wanted) -> Result<Needs, Invalid> {
    let root = program.expression();
    if wanted == Wanted::Bool && !may_be_bool(&root.expr, vocabulary) {
        let help = "compare it with something, as in size(claims.teams) > 0";
        return Err(Invalid::new("the expression gives no bool", help));
    }
    let mut survey = Survey { vocabulary, needs: Needs::default(), locals: Vec::new(), depth: 0 };
    survey.walk(root)?;
    Ok(survey.needs)
}

/// Whether an expression may give a bool, as far as it can be seen.
fn may_be_bool(expr: &Expr, vocabulary: &Vocabulary) -> bool {
    match expr {
        Expr::Literal(literal) => matches!(literal, LiteralValue::Boolean(_)),
        Expr::List(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => false,
        Expr::Ident(name) => vocabulary.variable(name).is_none(),
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            let gives = vocabulary.function(name).map(|function| function.gives);
            gives != Some(Gives::Other) && !FUNCTIONS.contains(&name) && !ARITHMETIC.contains(&name)
        }
        Expr::Select(_) | Expr::Comprehension(_) => true,
    }
}

/// Whether a call gives a plain value, whatever its arguments are.
pub(crate) fn gives_plain(name: &str) -> bool {
    let of_operands = [operators::CONDITIONAL, operators::INDEX];
    PREDICATES.contains(&name)
        || (FUNCTIONS.contains(&name) && name != "dyn")
        || (OPERATORS.contains(&name) && !of_operands.contains(&name))
        || (ARITHMETIC.contains(&name) && name != operators::ADD)
}

/// Whether a call is an operator's.
pub(crate) fn is_operator(name: &str) -> bool {
    OPERATORS.contains(&name) || ARITHMETIC.contains(&name)
}

/// The text that is written out.
pub(crate) fn text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

struct Survey<'a> {
    vocabulary: &'a Vocabulary,
    needs: Needs,
    /// Variables of the macros that are open, such as `x` in `list.exists(x, ...)`.
    locals: Vec<&'a str>,
    /// How many macros are open.
    depth: usize,
}

impl<'a> Survey<'a> {
    fn walk(&mut self, node: &'a IdedExpr) -> Result<(), Invalid> {
        match &node.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.variable(name, None),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) if !self.is_local(name) => self.variable(name, Some(&select.field)),
                _ if self.is_headers(&select.operand.expr) => self.header(&select.field),
                _ => self.walk(&select.operand),
            },
            Expr::Call(call) => self.call(call),
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.walk(element)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => self.walk(&entry.key).and_then(|()| self.walk(&entry.value)),
                EntryExpr::StructField(field) => self.walk(&field.value),
            }),
            Expr::Struct(_) | Expr::Unspecified => {
                Err(Invalid::new("there are no types to make values of", "compare with plain values"))
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn comprehension(&mut self, comprehension: &'a ComprehensionExpr) -> Result<(), Invalid> {
        self.walk(&comprehension.iter_range)?;
        self.walk(&comprehension.accu_init)?;
        let before = self.locals.len();
        let second = comprehension.iter_var2.as_ref();
        let names = [Some(&comprehension.iter_var), second, Some(&comprehension.accu_var)];
        for name in names.into_iter().flatten() {
            if self.vocabulary.variable(name).is_some() {
                let what = format!("`{name}` is a variable already, and cannot be another one");
                return Err(Invalid::new(what, "give it another name"));
            }
            self.locals.push(name);
        }
        self.depth += 1;
        self.needs.nesting = self.needs.nesting.max(self.depth);
        if self.depth > MAX_NESTING {
            let what = format!("lists are gone through more than {MAX_NESTING} deep");
            return Err(Invalid::new(what, "let whoever makes the lists say it shorter"));
        }
        for part in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
            self.walk(part)?;
        }
        self.locals.truncate(before);
        self.depth -= 1;
        Ok(())
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.contains(&name)
    }

    fn variable(&mut self, name: &str, field: Option<&str>) -> Result<(), Invalid> {
        if self.is_local(name) {
            return Ok(());
        }
        let Some(variable) = self.vocabulary.variable(name) else {
            let known: Vec<_> = self.vocabulary.variables.iter().map(|variable| variable.name).collect();
            return Err(Invalid::new(format!("there is no variable `{name}`"), alternatives(name, &known)));
        };
        self.note(variable.name);
        let Shape::Record(fields) = variable.shape else { return Ok(()) };
        let Some(field) = field else {
            let help = format!("use one of its fields: {}", fields.join(", "));
            return Err(Invalid::new(format!("`{name}` is no value by itself"), help));
        };
        let Some(field) = fields.iter().find(|known| **known == field) else {
            let what = format!("`{name}` has no field `{field}`");
            return Err(Invalid::new(what, alternatives(field, fields)));
        };
        if (name, *field) == ("request", "headers") {
            let help = "write request.headers[\"x-team\"], or \"x-team\" in request.headers";
            return Err(Invalid::new("headers can be used by their names alone", help));
        }
        if !self.needs.uses_field(variable.name, field) {
            self.needs.fields.push((variable.name, field));
        }
        Ok(())
    }

    fn note(&mut self, variable: &'static str) {
        if !self.needs.uses(variable) {
            self.needs.variables.push(variable);
        }
    }

    /// Whether it is `request.headers`.
    fn is_headers(&self, expr: &Expr) -> bool {
        let Expr::Select(select) = expr else { return false };
        let Expr::Ident(name) = &select.operand.expr else { return false };
        let request = self.vocabulary.variable(name).filter(|variable| variable.name == "request");
        select.field == "headers"
            && request.is_some_and(
                |request| matches!(request.shape, Shape::Record(fields) if fields.contains(&"headers")),
            )
    }

    fn header(&mut self, name: &str) -> Result<(), Invalid> {
        self.note("request");
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(header) if header.as_str() == name => {
                if !self.needs.headers.contains(&header) {
                    self.needs.headers.push(header);
                }
                Ok(())
            }
            Ok(header) => {
                Err(Invalid::new(format!("the header `{name}` has capitals"), format!("write `{header}`")))
            }
            Err(_) => Err(Invalid::new(
                format!("`{name}` is no name of a header"),
                "a name has letters, digits and `-`",
            )),
        }
    }

    fn call(&mut self, call: &'a CallExpr) -> Result<(), Invalid> {
        let name = call.func_name.as_str();
        let parts = || call.target.iter().map(|target| &**target).chain(&call.args);
        match (name, call.args.as_slice()) {
            (operators::INDEX, [headers, key]) if self.is_headers(&headers.expr) => {
                let help = "write request.headers[\"x-team\"]";
                return self.header(text(key).ok_or_else(|| header_not_written_out(help))?);
            }
            (operators::IN, [key, headers]) if self.is_headers(&headers.expr) => {
                let help = "write \"x-team\" in request.headers";
                return self.header(text(key).ok_or_else(|| header_not_written_out(help))?);
            }
            ("in_network", [address, network]) if call.target.is_none() => {
                check_network(network)?;
                return self.walk(address);
            }
            ("in_network", _) => {
                let help = "write in_network(client.address, \"10.0.0.0/8\")";
                return Err(Invalid::new("`in_network` takes an address and a network", help));
            }
            ("matches", [.., pattern]) if text(pattern).is_none() || parts().count() != 2 => {
                let what = "`matches` takes a regular expression that is written out";
                return Err(Invalid::new(what, "write request.path.matches(\"^/rooms/[a-z]+$\")"));
            }
            _ => {}
        }
        self.known(name, parts().count())?;
        parts().try_for_each(|part| self.walk(part))
    }

    fn known(&self, name: &str, arguments: usize) -> Result<(), Invalid> {
        if let Some(function) = self.vocabulary.function(name) {
            if arguments == function.arguments {
                return Ok(());
            }
            let help = format!("write {}", function.described.example);
            let what = format!("`{name}` takes another number of arguments: {}", function.arguments);
            return Err(Invalid::new(what, help));
        }
        if is_operator(name) || PREDICATES.contains(&name) || FUNCTIONS.contains(&name) {
            return Ok(());
        }
        let own = self.vocabulary.functions.iter().map(|function| function.described.name);
        let known: Vec<_> = PREDICATES.into_iter().chain(FUNCTIONS).chain(own).collect();
        Err(Invalid::new(format!("there is no function `{name}`"), alternatives(name, &known)))
    }
}

fn header_not_written_out(help: &str) -> Invalid {
    Invalid::new("a header's name has to be written out", help)
}

fn check_network(network: &IdedExpr) -> Result<(), Invalid> {
    let text = text(network).ok_or_else(|| {
        let help = "write in_network(client.address, \"10.0.0.0/8\")";
        Invalid::new("a network has to be written out", help)
    })?;
    let parsed = text.parse::<Network>();
    parsed.map(|_| ()).map_err(|help| Invalid::new(format!("`{text}` is no network"), help))
}
