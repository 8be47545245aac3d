//! `/openapi.json`: the table of operations as OpenAPI 3.1, whose schemas are JSON Schema as our types have it.

use std::sync::OnceLock;

use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::error::Problem;
use super::operation::{OPERATIONS, Operation};

/// The document, which anybody may read: it is the same wherever this version runs.
pub(super) async fn document() -> Response {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    Json(DOCUMENT.get_or_init(make)).into_response()
}

fn make() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_lowercase()] = describe(operation, &problem, &mut generator);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wicketgate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What an operator sees and does. Every change leaves an audit event with who asked for it and from where.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "A token of `console.tokens`." },
            },
        },
    })
}

fn describe(operation: &Operation, problem: &Schema, generator: &mut SchemaGenerator) -> Value {
    let problem = |description: &str| json!({ "description": description, "content": { "application/problem+json": { "schema": problem } } });
    let named = operation.path.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let in_path = named.map(|(name, _)| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "integer", "minimum": 0 } })
    });
    let in_query = operation.query.iter().map(|(name, about)| {
        json!({ "name": name, "in": "query", "description": about, "schema": { "type": "string" } })
    });
    let parameters: Vec<Value> = in_path.into_iter().chain(in_query).collect();
    let media = if operation.is_stream { "text/event-stream" } else { "application/json" };
    let answer = (operation.answer)(generator);
    let mut described = json!({
        "summary": operation.summary,
        "operationId": format!("{} {}", operation.method, operation.path).to_lowercase().replace([' ', '/', '{', '}'], "_"),
        "description": format!("Needs the scope `{}`.", operation.scope.label()),
        "security": [{ "token": [] }],
        "parameters": parameters,
        "responses": {
            "200": { "description": "The answer.", "content": { media: { "schema": answer } } },
            "400": problem("What was asked makes no sense."),
            "401": problem("Nobody is known by this token."),
            "403": problem("The token's scope does not hold this."),
            "404": problem("There is no such."),
            "409": problem("It cannot be done now."),
            "503": problem("Too much is asked at once."),
        },
    });
    if let Some(body) = operation.body {
        described["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": body(generator) } } });
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_every_operation_and_no_loose_reference() {
        let document = make();
        for operation in OPERATIONS {
            let described = &document["paths"][operation.path][operation.method.as_str().to_lowercase()];
            assert!(described["responses"]["200"].is_object(), "{} {}", operation.method, operation.path);
        }
        let text = document.to_string();
        let references = text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next());
        let references: Vec<&str> = references.collect();
        assert!(references.len() > 20);
        assert!(references.iter().all(|path| document.pointer(path).is_some()), "{references:?}");
    }
}
