//! Tests of `stack`.

use super::*;
use crate::config::Layer;

fn choose(cwd: &Path, home: &Path, monitoring: bool) -> Outcome<Stack> {
    let environment = Environment::made(&[], cwd);
    let flags = Layer::flags([("home", Some(home.display().to_string()))]);
    Stack::choose(&Settings::load(flags, &environment).unwrap(), &environment, monitoring)
}

#[test]
fn the_project_is_used_as_it_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().unwrap();
    let stack = choose(root, dir.path(), true).unwrap();
    assert_eq!((stack.folder.as_path(), &stack.project), (root, &None));
    stack.write().unwrap();
    assert!(!dir.path().join("pids").exists());
}

#[test]
fn elsewhere_a_copy_is_written_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (cwd, home) = (dir.path().join("cwd"), dir.path().join("home"));
    std::fs::create_dir_all(&cwd).unwrap();
    std::fs::create_dir_all(&home).unwrap();
    let stack = choose(&cwd, &home, false).unwrap();
    assert_eq!(stack.folder, home.canonicalize().unwrap().join("pids/.docker/stack"));
    stack.write().unwrap();
    stack.write().unwrap();
    assert!(is_project(&stack.folder));
    // Everything that the image is built from is part of the copy.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/nginx-rtmp");
    for entry in std::fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(stack.folder.join("docker/nginx-rtmp").join(&name).is_file(), "{name:?} is not in the copy");
    }
    let other = choose(&cwd, &cwd, false).unwrap();
    assert_ne!(other.project, stack.project);
    assert_eq!(choose(&cwd, &home, true).unwrap_err().kind().exit_code(), 2);
}

#[test]
fn a_compose_file_of_something_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(COMPOSE_FILE), "services:\n  db:\n    image: postgres\n").unwrap();
    assert!(choose(dir.path(), dir.path(), false).unwrap().project.is_some());
}

#[test]
fn a_home_that_cannot_be_mounted_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("a:b");
    std::fs::create_dir(&home).unwrap();
    let failure = choose(dir.path(), &home, false).unwrap_err();
    assert_eq!(failure.kind().exit_code(), 2);
    assert!(failure.what().contains("cannot be mounted"), "{failure}");
}
