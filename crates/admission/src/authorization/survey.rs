//! Looks through an expression once, at load: what it uses has to be there, and what it needs is noted.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::{Context, ParseErrors, Program};
use http::header::HeaderName;
use wicketgate_config::{Network, alternatives};

/// What is wrong with an expression, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub help: String,
}

/// What of a request an expression goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Who was identified.
    pub identity: bool,
    /// What is claimed of them.
    pub claims: bool,
    /// Address and side of the client.
    pub client: bool,
    /// Anything of the request itself.
    pub request: bool,
    /// The query of the request's target.
    pub query: bool,
    /// The route's name.
    pub route: bool,
    /// These headers.
    pub headers: Vec<HeaderName>,
    /// How deep it goes through lists inside lists.
    pub nesting: usize,
}

/// The deepest that expressions may go through lists inside lists.
const MAX_NESTING: usize = 2;

const VARIABLES: [&str; 5] = ["identity", "claims", "client", "request", "route"];

/// The fields of variables that are not free to have any.
const FIELDS: [(&str, &[&str]); 3] = [
    ("identity", &["subject", "method", "token_id"]),
    ("client", &["address", "secure"]),
    ("request", &["method", "host", "path", "query", "headers"]),
];

/// Functions that give a bool, operators apart.
const PREDICATES: [&str; 6] = ["in_network", "contains", "startsWith", "endsWith", "matches", "bool"];

/// Functions that give something else.
const FUNCTIONS: [&str; 19] = [
    "size",
    "string",
    "int",
    "uint",
    "double",
    "bytes",
    "dyn",
    "type",
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
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }

    pub(super) fn syntax(errors: &ParseErrors) -> Self {
        const HELP: &str = "write it in CEL, as in claims.team == \"blue\" && client.secure";
        match errors.errors.first() {
            Some(error) => {
                let (line, column) = error.pos;
                let message = error.msg.lines().next().unwrap_or_default();
                Self::new(
                    format!("the expression is no CEL: line {line}, column {column} of it: {message}"),
                    HELP,
                )
            }
            None => Self::new("the expression is no CEL", HELP),
        }
    }
}

/// Looks through a program.
pub(super) fn survey(program: &Program) -> Result<Needs, Invalid> {
    let root = program.expression();
    if !may_be_bool(&root.expr) {
        return Err(Invalid::new(
            "the expression gives no bool",
            "compare it with something, as in size(claims.teams) > 0",
        ));
    }
    let mut survey = Survey { needs: Needs::default(), locals: Vec::new(), depth: 0 };
    survey.walk(root)?;
    Ok(survey.needs)
}

/// Whether an expression may give a bool, as far as it can be seen.
fn may_be_bool(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(literal) => matches!(literal, LiteralValue::Boolean(_)),
        Expr::List(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => false,
        Expr::Ident(name) => !VARIABLES.contains(&name.as_str()),
        Expr::Call(call) => {
            !FUNCTIONS.contains(&call.func_name.as_str()) && !ARITHMETIC.contains(&call.func_name.as_str())
        }
        Expr::Select(_) | Expr::Comprehension(_) => true,
    }
}

struct Survey<'a> {
    needs: Needs,
    /// Variables of the macros that are open, such as `x` in `list.exists(x, ...)`.
    locals: Vec<&'a str>,
    /// How many macros are open.
    depth: usize,
}

impl<'a> Survey<'a> {
    fn walk(&mut self, node: &'a IdedExpr) -> Result<(), Invalid> {
        match &node.expr {
            Expr::Literal(_) | Expr::Unspecified => Ok(()),
            Expr::Ident(name) => self.variable(name, None),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) if !self.is_local(name) => self.variable(name, Some(&select.field)),
                _ if is_headers(&select.operand.expr) => self.header(&select.field),
                _ => self.walk(&select.operand),
            },
            Expr::Call(call) => self.call(call),
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.walk(element)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => self.walk(&entry.key).and_then(|()| self.walk(&entry.value)),
                EntryExpr::StructField(field) => self.walk(&field.value),
            }),
            Expr::Struct(_) => {
                Err(Invalid::new("there are no types to make values of", "compare with plain values"))
            }
            Expr::Comprehension(comprehension) => {
                self.walk(&comprehension.iter_range)?;
                self.walk(&comprehension.accu_init)?;
                let before = self.locals.len();
                let names = [
                    Some(&comprehension.iter_var),
                    comprehension.iter_var2.as_ref(),
                    Some(&comprehension.accu_var),
                ];
                for name in names.into_iter().flatten() {
                    if VARIABLES.contains(&name.as_str()) {
                        let what =
                            format!("`{name}` is a variable of the request, and cannot be another one");
                        return Err(Invalid::new(what, "give it another name"));
                    }
                    self.locals.push(name);
                }
                self.depth += 1;
                self.needs.nesting = self.needs.nesting.max(self.depth);
                if self.depth > MAX_NESTING {
                    let what = format!("lists are gone through more than {MAX_NESTING} deep");
                    return Err(Invalid::new(
                        what,
                        "make claims at the identity provider that say it shorter",
                    ));
                }
                for part in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
                    self.walk(part)?;
                }
                self.locals.truncate(before);
                self.depth -= 1;
                Ok(())
            }
        }
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.contains(&name)
    }

    fn variable(&mut self, name: &str, field: Option<&str>) -> Result<(), Invalid> {
        if self.is_local(name) {
            return Ok(());
        }
        match name {
            "identity" => self.needs.identity = true,
            "claims" => self.needs.claims = true,
            "client" => self.needs.client = true,
            "request" => self.needs.request = true,
            "route" => self.needs.route = true,
            _ => {
                return Err(Invalid::new(
                    format!("there is no variable `{name}`"),
                    alternatives(name, &VARIABLES),
                ));
            }
        }
        let Some((_, fields)) = FIELDS.iter().find(|(variable, _)| *variable == name) else { return Ok(()) };
        match field {
            None => Err(Invalid::new(
                format!("`{name}` is no value by itself"),
                format!("use one of its fields: {}", fields.join(", ")),
            )),
            Some(field) if !fields.contains(&field) => {
                Err(Invalid::new(format!("`{name}` has no field `{field}`"), alternatives(field, fields)))
            }
            Some("headers") => Err(Invalid::new(
                "headers can be used by their names alone",
                "write request.headers[\"x-team\"], or \"x-team\" in request.headers",
            )),
            Some(field) => {
                self.needs.query |= (name, field) == ("request", "query");
                Ok(())
            }
        }
    }

    fn header(&mut self, name: &str) -> Result<(), Invalid> {
        self.needs.request = true;
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
        match (name, call.args.as_slice()) {
            (operators::INDEX, [headers, key]) if is_headers(&headers.expr) => {
                return match text(key) {
                    Some(name) => self.header(name),
                    None => Err(Invalid::new(
                        "a header's name has to be written out",
                        "write request.headers[\"x-team\"]",
                    )),
                };
            }
            (operators::IN, [key, headers]) if is_headers(&headers.expr) => {
                return match text(key) {
                    Some(name) => self.header(name),
                    None => Err(Invalid::new(
                        "a header's name has to be written out",
                        "write \"x-team\" in request.headers",
                    )),
                };
            }
            ("in_network", [address, network]) if call.target.is_none() => {
                let network = text(network).ok_or_else(|| {
                    Invalid::new(
                        "a network has to be written out",
                        "write in_network(client.address, \"10.0.0.0/8\")",
                    )
                })?;
                network
                    .parse::<Network>()
                    .map_err(|help| Invalid::new(format!("`{network}` is no network"), help))?;
                return self.walk(address);
            }
            ("in_network", _) => {
                return Err(Invalid::new(
                    "`in_network` takes an address and a network",
                    "write in_network(client.address, \"10.0.0.0/8\")",
                ));
            }
            // Compiled anew at each evaluation, and by size: no peer may say what.
            ("matches", [.., pattern]) if !text(pattern).is_some_and(is_regex) => {
                let what = "`matches` takes a regular expression that is written out";
                return Err(Invalid::new(what, "write request.path.matches(\"^/rooms/[a-z]+$\")"));
            }
            _ => {}
        }
        if ![&PREDICATES[..], &FUNCTIONS, &OPERATORS, &ARITHMETIC].iter().any(|known| known.contains(&name)) {
            let known = [&PREDICATES[..], &FUNCTIONS].concat();
            return Err(Invalid::new(format!("there is no function `{name}`"), alternatives(name, &known)));
        }
        call.target.iter().map(|target| &**target).chain(&call.args).try_for_each(|part| self.walk(part))
    }
}

/// Whether it is `request.headers`.
fn is_headers(expr: &Expr) -> bool {
    let Expr::Select(select) = expr else { return false };
    select.field == "headers" && matches!(&select.operand.expr, Expr::Ident(name) if name == "request")
}

/// Whether CEL takes it for a regular expression.
fn is_regex(pattern: &str) -> bool {
    let mut context = Context::default();
    context.add_variable_from_value("pattern", pattern);
    Program::compile("''.matches(pattern)").is_ok_and(|program| program.execute(&context).is_ok())
}

fn text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}
