//! Puts the built pages (`web/dist`) into the program: a table of names and bytes, or an empty one where they were not built.
//! Nothing is run here, so that the program can be built without node.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let web = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("web");
    let dist = web.join("dist");
    // What is not there counts as changed at each build; the folder above changes when it appears.
    let watched =
        [dist.as_path(), web.as_path(), Path::new("build.rs")].into_iter().find(|path| path.exists());
    println!("cargo:rerun-if-changed={}", watched.unwrap_or(Path::new("build.rs")).display());
    let mut files = Vec::new();
    for (folder, prefix) in [(dist.clone(), ""), (dist.join("assets"), "assets/")] {
        for entry in
            fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| entry.path().is_file())
        {
            files.push((format!("{prefix}{}", entry.file_name().to_string_lossy()), entry.path()));
        }
    }
    files.sort();
    fs::write(PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("pages.rs"), table(&files))
}

fn table(files: &[(String, PathBuf)]) -> String {
    let mut text = String::from("&[\n");
    for (name, path) in files {
        let _ = writeln!(text, "    ({name:?}, include_bytes!({:?})),", path.display().to_string());
    }
    text + "]\n"
}
