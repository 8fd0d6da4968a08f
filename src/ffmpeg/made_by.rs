//! Which encoder makes the video of a command.

/// Named by a command that encodes nothing.
pub const COPY: &str = "copy";

/// The encoder that a command's arguments name for video: the first that is none of a copy. None where there is no video.
pub fn encoder<'a>(args: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut found = None;
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        // Of an output: an input's codec stands in front of `-i`, and is a decoder.
        if arg == "-i" {
            found = None;
        } else if arg == "-c" || arg == "-c:v" || arg.starts_with("-c:v:") {
            let named = args.next()?;
            if found.is_none_or(|found| found == COPY) {
                found = Some(named);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_encodes_is_named() {
        let of = |line: &'static str| encoder(line.split(' '));
        assert_eq!(of("-i a -c:v h264_nvenc -b:v 0 -c:a aac"), Some("h264_nvenc"));
        assert_eq!(of("-i a -c:v:0 copy -c:v:1 libx264 -c:a aac"), Some("libx264"));
        assert_eq!(of("-c:v h264_cuvid -i a -c copy -f flv"), Some(COPY));
        assert_eq!(of("-i a -c:a aac"), None);
        assert_eq!(of("-c:v"), None);
    }
}
