//! The description of the API, made of its code.

use super::{Api, chat, compat, events, hooks, load, session, stats, streams, switching, tokens};
use crate::server::web::problem::Problem;
use axum::Json;
use axum::response::IntoResponse;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{OpenApi, PartialSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "msconv",
        description = "Streams with keys, who may do what, and what happened. Errors are RFC 9457 `application/problem+json`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "streams", description = "Registered streams, and whatever else is live"),
        (name = "chat", description = "One room for each stream"),
        (name = "events", description = "What happened, and what happens"),
        (name = "load", description = "What the machine and each stream take"),
        (name = "hooks", description = "Addresses that events are sent to, by Standard Webhooks 1.0"),
        (name = "tokens", description = "What programs show"),
        (name = "session", description = "The operator's browser"),
        (name = "paths", description = "Paths of programs that were there before")
    )
)]
struct Described;

/// Every route with its description.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Described::openapi().merge_from(chat::description()))
        .routes(routes!(streams::list, streams::add))
        .routes(routes!(streams::one, streams::change, streams::remove))
        .routes(routes!(streams::new_key))
        .routes(routes!(switching::start))
        .routes(routes!(switching::stop))
        .routes(routes!(stats::show))
        .routes(routes!(events::list))
        .routes(routes!(load::now))
        .routes(routes!(load::history))
        .routes(routes!(load::live))
        .routes(routes!(hooks::list, hooks::add))
        .routes(routes!(hooks::one, hooks::change, hooks::remove))
        .routes(routes!(hooks::test))
        .routes(routes!(hooks::deliveries))
        .routes(routes!(tokens::list, tokens::add))
        .routes(routes!(tokens::remove))
        .routes(routes!(session::show, session::sign_in, session::sign_out))
        .routes(routes!(session::setup))
        .routes(routes!(compat::list))
        .routes(routes!(compat::start, compat::start_by_link))
        .routes(routes!(compat::look))
        .routes(routes!(compat::stop, compat::stop_by_delete))
        .routes(routes!(compat::start_in_browser))
        .routes(routes!(compat::key))
}

/// The description.
pub async fn document() -> impl IntoResponse {
    Json(description())
}

/// Each operation with a name of its own, which programs make functions of: by the words of its path.
fn description() -> utoipa::openapi::OpenApi {
    let mut all = routes().split_for_parts().1;
    for (path, item) in &mut all.paths.paths {
        let word = |part: &str| part.trim_matches(['{', '}']).to_string();
        let words: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty() && *part != "api" && *part != "v1")
            .map(word)
            .collect();
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}_{}", words.join("_")));
                complete(operation, path);
            }
        }
    }
    let schemas = &mut all.components.get_or_insert_default().schemas;
    schemas.insert("Problem".into(), Problem::schema());
    all
}

/// What holds for every operation: the words of its path are texts, and whatever goes wrong is a problem.
fn complete(operation: &mut Operation, path: &str) {
    let parameters = operation.parameters.get_or_insert_default();
    for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        let described = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(of) if of.name == name);
        if !parameters.iter().any(described) {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
            parameters.push(parameter.required(Required::True).schema(Some(text)).build().into());
        }
    }
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let wrong =
        ResponseBuilder::new().description("What is wrong").content("application/problem+json", problem);
    operation.responses.responses.insert("default".into(), wrong.build().into());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is checked in, so that a change of the API is seen when it is read.
    #[test]
    fn the_description_is_as_agreed() {
        let text = description().to_pretty_json().unwrap() + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/openapi.json");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text, "UPDATE_GOLDEN=1 writes it anew");
    }
}
