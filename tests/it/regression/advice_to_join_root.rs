//! Whoever could not open a device of the group root was told to join that group.

use crate::stage::{PATIENCE, Stage};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use std::os::unix::fs::{PermissionsExt, chown};

#[test]
fn nobody_is_told_to_join_the_group_of_root() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root makes devices");
        return;
    }
    let stage = Stage::new("advice");
    let device = stage.file("camera");
    // The null device by another name.
    if let Err(e) = mknod(&device, SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 3)) {
        eprintln!("skipped: no device can be made here ({e})");
        return;
    }
    // Another user must reach the program and the folders.
    let program = stage.root().join("msconv");
    std::fs::copy(Stage::binary(), &program).unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(stage.root(), open.clone()).unwrap();
    std::fs::set_permissions(&program, open).unwrap();
    let refused = |group: u32, mode: u32| {
        chown(&device, Some(0), Some(group)).unwrap();
        std::fs::set_permissions(&device, std::fs::Permissions::from_mode(mode)).unwrap();
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups", program.to_str().unwrap()];
        let args = [&user[..], &["publish", "-s", "a", "-d", device.to_str().unwrap()]].concat();
        let run = stage.spawn("setpriv", &args).wait(PATIENCE).expect(7).says("may not use");
        assert!(!run.stderr.contains("root"), "{run}");
        run
    };
    refused(0, 0o660).says("try: sudo ");
    refused(0, 0o600).says("try: sudo ");
    let bin = nix::unistd::Group::from_gid(2.into()).unwrap().expect("every system has the group 2");
    refused(2, 0o660).says(&format!("try: sudo usermod -aG {} ", bin.name));
    // A group that has no right itself is no way in.
    let run = refused(2, 0o600);
    assert!(!run.stderr.contains(&format!("-aG {} ", bin.name)), "{run}");
}
