//! `msconv devices`.

use super::Context;
use crate::base::Outcome;
use crate::base::command_line::quoted;
use crate::base::printable::printable;
use crate::manager::devices::{self, Audio, Camera, Devices};
use serde_json::{Value, json};

/// Runs it; the exit code.
///
/// # Errors
/// Internal, if stdout cannot take it; a machine without devices is no fault.
pub fn run(context: &Context) -> Outcome<u8> {
    let found = devices::devices(&context.settings, &context.environment);
    let console = &context.console;
    if console.json {
        console.object(&report(&found))?;
        return Ok(0);
    }
    for line in lines(&found) {
        console.data(&line)?;
    }
    Ok(0)
}

/// The audio that goes with a picture in the examples: the first that may be used.
fn companion(found: &Devices) -> Option<&Audio> {
    found.audio.iter().find(|s| s.permitted)
}

fn command(found: &Devices, device: &str, key: &str) -> String {
    let audio = companion(found).map(|s| format!(" --audio-device {}", quoted(&s.id))).unwrap_or_default();
    format!("msconv publish -s {key} -d {}{audio}", quoted(device))
}

fn lines(found: &Devices) -> Vec<String> {
    let mut lines = Vec::new();
    for camera in &found.cameras {
        let path = camera.path.display().to_string();
        lines.push(printable(&format!("{path}  {}", camera.name)));
        if !camera.formats.is_empty() {
            lines.push(printable(&format!("    {}", formats(camera))));
        }
        let mut user = camera.in_use();
        match user.next() {
            _ if !camera.permitted => lines.extend(barred(&camera.steps)),
            Some(user) => lines.push(printable(&format!("    used by {user}"))),
            None => lines.push(printable(&format!("    {}", command(found, &path, "cam")))),
        }
    }
    for screen in &found.screens {
        lines.push(printable(&format!("screen  the X display {screen}")));
        lines.push(printable(&format!("    {}", command(found, "screen", "screen"))));
    }
    for audio in &found.audio {
        lines.push(printable(&format!("{}  {}", audio.id, audio.name)));
        if !audio.permitted {
            lines.extend(barred(&audio.steps));
        }
    }
    if found.cameras.is_empty() && found.screens.is_empty() {
        lines.push("no camera, capture card or screen was found".into());
        lines.push("    without one: msconv publish -s stream1 --test    or    -f video.mp4".into());
    }
    lines
}

fn formats(camera: &Camera) -> String {
    let shown: Vec<String> = camera
        .formats
        .iter()
        .take(4)
        .map(|f| {
            let largest = f.sizes.iter().max_by_key(|s| {
                s.split_once('x')
                    .and_then(|(w, h)| Some(w.parse::<u64>().ok()? * h.parse::<u64>().ok()?))
                    .unwrap_or(0)
            });
            match largest {
                Some(size) => format!("{} up to {size}", f.codec),
                None => f.codec.clone(),
            }
        })
        .collect();
    shown.join(", ")
}

/// A device that may not be used, and the steps that change it.
fn barred(steps: &[String]) -> Vec<String> {
    let steps = steps.iter().map(|step| printable(&format!("    try: {step}")));
    std::iter::once("    no right to use it".to_string()).chain(steps).collect()
}

fn report(found: &Devices) -> Value {
    let cameras: Vec<Value> = found
        .cameras
        .iter()
        .map(|c| {
            let path = c.path.display().to_string();
            json!({
                "device": path,
                "name": c.name,
                "permitted": c.permitted,
                "try": c.steps,
                "used_by": c.used_by,
                "formats": c.formats,
                "publish": command(found, &path, "cam"),
            })
        })
        .collect();
    let screens: Vec<Value> = found
        .screens
        .iter()
        .map(|s| json!({ "device": "screen", "display": s, "publish": command(found, "screen", "screen") }))
        .collect();
    json!({ "schema": "msconv.devices/1", "video": cameras, "screens": screens, "audio": found.audio })
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
