//! `GET /api/capacity`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

use super::error::HttpError;
use super::runs::query;
use crate::dashboard::access::Viewer;
use crate::dashboard::app::AppState;
use crate::dashboard::fleet::Needs;
use crate::dashboard::tags;
use crate::wire::api::Capacity;

/// Bytes in a gigabyte.
const GB: f64 = 1e9;

/// What must be free.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CapacityQuery {
    min_cores: Option<f64>,
    min_memory_gb: Option<f64>,
    min_vram_gb: Option<f64>,
    /// Several with a comma between: a host must have all of them.
    tag: Option<String>,
    location: Option<String>,
    device_type: Option<String>,
}

/// The hosts that have it.
pub async fn capacity(
    _: Viewer,
    State(app): State<AppState>,
    asked: Result<Query<CapacityQuery>, QueryRejection>,
) -> Result<Json<Capacity>, HttpError> {
    let asked = query(asked)?;
    let bytes = |name, number| {
        let number = amount(name, number)?;
        Ok::<_, HttpError>(number.map(|number| (number * GB) as u64))
    };
    let needs = Needs {
        cores: amount("min_cores", asked.min_cores)?,
        memory: bytes("min_memory_gb", asked.min_memory_gb)?,
        vram: bytes("min_vram_gb", asked.min_vram_gb)?,
        tags: match &asked.tag {
            Some(text) => tags::list(text.split(',')).map_err(|error| HttpError::Invalid {
                message: format!("tag: {error}"),
                hint: "write `tag=build` or `tag=build,gpu`".into(),
            })?,
            None => Vec::new(),
        },
        location: asked.location,
        device_type: asked.device_type,
    };
    Ok(Json(app.fleet.capacity(&needs)))
}

fn amount(name: &str, number: Option<f64>) -> Result<Option<f64>, HttpError> {
    match number {
        Some(number) if !(0.0..=1e9).contains(&number) => Err(HttpError::OutOfRange {
            message: format!("{name} {number} is not between 0 and 1000000000"),
            hint: "write a number such as 4 or 0.5; gigabytes have 1000000000 bytes".into(),
        }),
        number => Ok(number),
    }
}
