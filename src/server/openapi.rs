//! The API's own description (OpenAPI 3.1), generated from the route tables and the types.

use super::api_error::ErrorBody;
use super::read::list::LIST_TYPES;
use super::route::{AnswerForm, Route};
use crate::export::RowFormat;
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// `GET /openapi.json` for a table of routes.
pub fn of(routes: &[Route]) -> Response {
    Json(describe(routes)).into_response()
}

/// The description of routes.
#[must_use]
pub fn describe(routes: &[Route]) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for route in routes {
        let operation = operation(route, &mut generator);
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(route.method.into(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rollbook",
            "description": env!("CARGO_PKG_DESCRIPTION"),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "access_token": { "type": "apiKey", "in": "query", "name": "access_token" },
            },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let error = |what: &str, generator: &mut SchemaGenerator| {
        let schema = generator.subschema_for::<ErrorBody>();
        json!({ "description": what, "content": { "application/json": { "schema": schema } } })
    };
    let mut responses = Map::new();
    let (status, answer) = answer(route, generator);
    responses.insert(status.into(), answer);
    responses.insert(
        "400".into(),
        error("A parameter is wrong; names it", generator),
    );
    let parameters = parameters((route.params)(generator), generator);
    let of_channel = parameters
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["name"] == "channel"));
    let mut operation = json!({
        "summary": route.summary,
        "operationId": format!("{}{}", route.method, route.path.replace(['/', '.'], "_")),
        "parameters": parameters,
    });
    let Some(fields) = operation.as_object_mut() else {
        return operation;
    };
    if let Some(scope) = route.scope {
        responses.insert(
            "401".into(),
            error("A token with another scope, or none", generator),
        );
        responses.insert(
            "403".into(),
            error("The scope or channel that is missing", generator),
        );
        responses.insert(
            "429".into(),
            error(
                "This client has as much at a time as one may have; `retry-after` says when to come again",
                generator,
            ),
        );
        let needs = json!([{ "bearer": [scope.word()] }, { "access_token": [scope.word()] }]);
        fields.insert("security".into(), needs);
    }
    if of_channel && !matches!(route.answer, AnswerForm::Live(_) | AnswerForm::Text(_)) {
        responses.insert("404".into(), error("There is no such channel", generator));
    }
    if route.method == "post" {
        let (_, mut rejected) = self::answer(route, generator);
        if let Some(fields) = rejected.as_object_mut() {
            let what = "Every line was rejected: the same answer, with what is wrong";
            fields.insert("description".into(), what.into());
        }
        responses.insert("422".into(), rejected);
        let lines = json!({ "application/x-ndjson": { "schema": { "type": "string" } } });
        fields.insert(
            "requestBody".into(),
            json!({ "required": true, "content": lines }),
        );
    }
    fields.insert("responses".into(), responses.into());
    operation
}

fn answer(route: &Route, generator: &mut SchemaGenerator) -> (&'static str, Value) {
    let content = |kind: &str, schema: Value| json!({ "description": route.summary, "content": { kind: { "schema": schema } } });
    match route.answer {
        AnswerForm::One(schema) => (
            "200",
            content("application/json", schema(generator).to_value()),
        ),
        AnswerForm::List(schema) => {
            let lines = schema(generator).to_value();
            let forms = LIST_TYPES.iter().map(|&(kind, rows)| {
                let schema = match rows {
                    RowFormat::Jsonl => lines.clone(),
                    _ => json!({ "type": "string" }),
                };
                (kind.to_owned(), json!({ "schema": schema }))
            });
            let forms: Map<String, Value> = forms.collect();
            (
                "200",
                json!({ "description": route.summary, "content": forms }),
            )
        }
        AnswerForm::Text(kind) => ("200", content(kind, json!({ "type": "string" }))),
        AnswerForm::Socket(what) | AnswerForm::Live(what) => {
            ("101", json!({ "description": what }))
        }
    }
}

/// Turns the fields of a parameter struct into query parameters.
fn parameters(schema: Schema, generator: &mut SchemaGenerator) -> Value {
    let whole = schema.get("$ref").and_then(Value::as_str);
    let whole = whole.and_then(|path| path.rsplit('/').next());
    let whole = whole.and_then(|name| generator.definitions_mut().remove(name));
    let whole = whole.unwrap_or_else(|| schema.to_value());
    let required = whole.get("required").and_then(Value::as_array);
    let needs = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    let fields = whole.get("properties").and_then(Value::as_object);
    let parameters = fields.into_iter().flatten().map(|(name, schema)| {
        let mut schema = schema.clone();
        let what = schema
            .as_object_mut()
            .and_then(|schema| schema.remove("description"));
        json!({
            "name": name,
            "in": "query",
            "description": what,
            "required": needs(name),
            "schema": schema,
        })
    });
    parameters.collect()
}
