//! A test that is told to end leaves nothing running. A runner ends a test at its time limit by a signal, and so does
//! Ctrl-C: neither is a panic, so no stage would be dropped. A thread hears the signal and clears this process's stages.

use super::leftovers;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, Once};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// The folders of the stages that stand, with the names of their tests.
static STANDING: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

/// From now on this stage is cleared if the process is told to end.
pub fn watch(root: &Path, name: &str) {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let (listens, ready) = channel();
        std::thread::spawn(move || listen(&listens));
        ready.recv().expect("signals can be heard");
    });
    STANDING.lock().unwrap().insert(root.to_path_buf(), name.to_string());
}

/// This stage has been cleared.
pub fn forget(root: &Path) {
    STANDING.lock().unwrap().remove(root);
}

fn listen(listens: &Sender<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let code = runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate()).expect("SIGTERM can be heard");
        let mut interrupted = signal(SignalKind::interrupt()).expect("SIGINT can be heard");
        listens.send(()).expect("somebody waits");
        tokio::select! {
            _ = terminated.recv() => 128 + 15,
            _ = interrupted.recv() => 128 + 2,
        }
    });
    // Kept locked: no other stage comes up while this process ends.
    let standing = STANDING.lock().unwrap_or_else(|broken| broken.into_inner());
    for (root, name) in standing.iter() {
        let left = leftovers::wait_and_end(root, Duration::ZERO);
        eprintln!("{name}: told to end; ended with it:\n{}\n{}", left.join("\n"), leftovers::logs(root));
        if std::env::var_os("MSCONV_KEEP_STAGE").is_none() {
            let _ = std::fs::remove_dir_all(root);
        }
    }
    std::process::exit(code);
}
