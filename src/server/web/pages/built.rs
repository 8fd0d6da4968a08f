//! The pages as they were built from `web/` and put into the program by `build.rs`; none where they were not built. A program
//! that was built for debugging takes them from a folder where it is told so, and needs no new build for a changed page.

use axum::body::Bytes;

/// A file by its name in `web/dist`, with what it holds.
pub type File = (&'static str, &'static [u8]);

/// Every file of the pages.
pub static BUILT: &[File] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// What to do where they are missing.
pub const HOW_TO_BUILD: &str =
    "run scripts/setup.sh, or `npm ci && npm run build` in web/ and then cargo build";

/// Whether this program has the pages.
pub fn have_pages() -> bool {
    BUILT.iter().any(|(name, _)| *name == "watch.html")
}

/// Where the files of the pages are.
#[derive(Clone)]
pub enum Files {
    /// In the program.
    Built(&'static [File]),
    /// In a folder, as they are there at each request.
    #[cfg(debug_assertions)]
    Folder(std::path::PathBuf),
}

impl Files {
    /// Those of this program, or of the folder that its environment names.
    pub fn of_this_program() -> Files {
        #[cfg(debug_assertions)]
        if let Some(folder) = crate::config::environment::pages_folder() {
            return Files::Folder(folder);
        }
        Files::Built(BUILT)
    }

    /// A file by its name.
    pub fn get(&self, name: &str) -> Option<Bytes> {
        match self {
            Files::Built(files) => {
                files.iter().find(|(of, _)| *of == name).map(|(_, bytes)| Bytes::from_static(bytes))
            }
            #[cfg(debug_assertions)]
            Files::Folder(folder) => {
                let plain = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
                std::fs::read(folder.join(name)).ok().filter(|_| plain).map(Bytes::from)
            }
        }
    }
}
