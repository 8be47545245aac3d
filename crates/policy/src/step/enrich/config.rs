//! `enrich` as it is written in the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use wicketgate_config::{At, OneOrMany, Problems, Style, Table, file, part};
use wicketgate_expression::{Expression, Wanted};

use super::{Enrich, Field, VOCABULARY};
use crate::fields::Path;

/// Fields that are set, added and removed. Values are expressions in CEL over what `when` knows, and `lookup`. Where one gives no
/// value, or there is no map to put it in, the message does not pass: `then` says what happens.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawEnrich {
    /// Fields by their paths, as in `user` or `items[*].by`, and their values: whatever stood there is replaced.
    set: Table<At<String>>,
    /// The same, only where there is no such field yet.
    add: Table<At<String>>,
    /// Paths of fields that are taken out first.
    remove: Option<At<OneOrMany<At<String>>>>,
    /// Tables for values, each a file of a map in YAML, or in JSON where its name ends in `.json`, of at most 4MiB; as in
    /// `lookup.prices[message.sku]`. They are read at start and at reload.
    lookup: Table<At<PathBuf>>,
}

/// The most fields of one step.
const MAX_FIELDS: usize = 100;
/// The longest table, in bytes.
const MAX_TABLE: u64 = 4 << 20;

/// Checks the values; what is wrong goes to `problems`.
pub(crate) fn check(At { value: raw, place }: At<RawEnrich>, problems: &mut Problems) -> Option<Enrich> {
    let count = raw.set.0.len() + raw.add.0.len();
    if count > MAX_FIELDS {
        problems.error(place, format!("{count} fields are set"), format!("a step sets at most {MAX_FIELDS}"));
    }
    if count == 0 && raw.remove.is_none() {
        problems.error(
            place,
            "nothing is enriched",
            "add `set: {user: identity.subject}`, `add:`, or `remove:`",
        );
    }
    let removed = raw.remove.map(|paths| Path::check_list(paths, MAX_FIELDS, problems)).unwrap_or_default();
    let mut tables = Map::new();
    for (name, path) in &raw.lookup.0 {
        match table(&path.value) {
            Ok(table) => {
                tables.insert(name.value.clone(), table);
            }
            Err(fault) => {
                let what = format!("the table `{}` cannot be used: {fault}", path.value.display());
                problems.error(path.place, what, "a table is a map in YAML or JSON, of at most 4MiB");
            }
        }
    }
    let set = raw.set.0.into_iter().map(|(path, value)| (path, value, false));
    let add = raw.add.0.into_iter().map(|(path, value)| (path, value, true));
    let fields = set.chain(add).filter_map(|(path, value, keeps)| {
        let expression = Expression::check(&value, &VOCABULARY, Wanted::Any, problems);
        let whole = Path::check(&path, problems)?;
        let Some((home, name)) = whole.split_last() else {
            let what = format!("`{}` ends in no name", path.value);
            problems.error(path.place, what, "a path ends in the name of the field that is set: `user.id`");
            return None;
        };
        Some(Field { home, name: name.into(), path: path.value.into(), value: expression?, keeps })
    });
    Some(Enrich { values: fields.collect(), removed, tables: Arc::new(tables) })
}

fn table(path: &std::path::Path) -> Result<Value, String> {
    let text = file::read(path, MAX_TABLE).map_err(|error| error.to_string())?;
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let table: Map<String, Value> = match is_json {
        true => serde_json::from_str(&text).map_err(|error| error.to_string())?,
        false => {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let told = |report: wicketgate_config::Report| report.render(Style::Plain);
            part(&name, &text).map_err(told)?
        }
    };
    Ok(Value::Object(table))
}
