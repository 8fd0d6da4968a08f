//! How a capture device is named to ffmpeg.
//!
//! Picture: a path is a V4L2 device; `screen` is the display of the session; `:0`, `:1.0+10,20` or `host:0` is an
//! X display. Audio: `pulse`, `pulse:NAME` and `default` go to PulseAudio, everything else is an ALSA name.

use super::capability::Capability;
use crate::base::command_line::Argument;

/// Packets that may wait between a device and the rest: a device cannot be told to wait.
const QUEUE: &str = "1024";

/// The arguments that open a picture device for ffmpeg, `-i` included. `rate` is asked of a screen, which has none of
/// its own, and of a camera only if the user asked for it.
pub fn picture(device: &str, rate: Option<&str>) -> Vec<Argument> {
    let mut args: Vec<Argument> = ["-thread_queue_size", QUEUE].map(Argument::from).to_vec();
    args.extend(opening(device, rate));
    args
}

/// As [`picture`] for ffprobe, which knows no queue.
pub fn opening(device: &str, rate: Option<&str>) -> Vec<Argument> {
    let (format, address) = video_address(device);
    let mut args: Vec<Argument> = ["-f", format].map(Argument::from).to_vec();
    let rate = rate.or((format == "x11grab").then_some("30"));
    if let Some(rate) = rate {
        args.extend(["-framerate", rate].map(Argument::from));
    }
    args.extend(["-i", address].map(Argument::from));
    args
}

/// The demuxer of a picture device and the address it wants.
pub fn video_address(device: &str) -> (&'static str, &str) {
    match device {
        // An empty address makes x11grab take $DISPLAY, as every X program does.
        "screen" => ("x11grab", ""),
        device if display(device) => ("x11grab", device),
        device => ("v4l2", device),
    }
}

/// The arguments that open an audio device, `-i` included.
pub fn audio(device: &str, capability: &Capability) -> Vec<Argument> {
    let (format, address) = audio_address(device, capability);
    ["-thread_queue_size", QUEUE, "-f", format, "-i", address].map(Argument::from).to_vec()
}

/// The demuxer of an audio device and the address it wants. `default` is PulseAudio's where ffmpeg can speak to it.
pub fn audio_address<'a>(device: &'a str, capability: &Capability) -> (&'static str, &'a str) {
    match device.split_once(':') {
        Some(("pulse", name)) => ("pulse", name),
        None if device == "pulse" => ("pulse", "default"),
        None if device == "default" && capability.demuxers.contains("pulse") => ("pulse", "default"),
        _ => ("alsa", device),
    }
}

/// `:0`, `:0.1`, `:0+100,200`, `host:10.0`: not a path, and digits behind the colon.
fn display(device: &str) -> bool {
    !device.contains('/')
        && device.rsplit_once(':').is_some_and(|(_, number)| number.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_devices_apart() {
        for (device, expected) in [
            ("/dev/video0", ("v4l2", "/dev/video0")),
            ("/dev/v4l/by-id/usb-Cam:1-index0", ("v4l2", "/dev/v4l/by-id/usb-Cam:1-index0")),
            ("screen", ("x11grab", "")),
            (":0", ("x11grab", ":0")),
            (":0.0+10,20", ("x11grab", ":0.0+10,20")),
            ("localhost:10.0", ("x11grab", "localhost:10.0")),
        ] {
            assert_eq!(video_address(device), expected);
        }
        let pulse = Capability { demuxers: ["pulse".to_string()].into(), ..Capability::default() };
        for (device, expected) in [
            ("pulse", ("pulse", "default")),
            ("pulse:alsa_input.usb", ("pulse", "alsa_input.usb")),
            ("default", ("pulse", "default")),
            ("hw:1,0", ("alsa", "hw:1,0")),
            ("plughw:CARD=C920", ("alsa", "plughw:CARD=C920")),
        ] {
            assert_eq!(audio_address(device, &pulse), expected);
        }
        assert_eq!(audio_address("default", &Capability::default()), ("alsa", "default"));
    }
}
