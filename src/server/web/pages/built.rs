//! The pages as they were built from `web/` and put into the program by `build.rs`; none where they were not built.

/// A file by its name in `web/dist`, with what it holds.
pub type File = (&'static str, &'static [u8]);

/// Every file of the pages.
pub static BUILT: &[File] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// What to do where they are missing.
pub const HOW_TO_BUILD: &str =
    "run scripts/setup.sh, or `npm ci && npm run build` in web/ and then cargo build";

/// Whether this program has the pages.
pub fn have_pages() -> bool {
    file(BUILT, "watch.html").is_some()
}

/// A file of `files`.
pub fn file(files: &[File], name: &str) -> Option<&'static [u8]> {
    files.iter().find(|(of, _)| *of == name).map(|(_, bytes)| *bytes)
}
