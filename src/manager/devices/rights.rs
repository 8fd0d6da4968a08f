//! What lets a user open a device that he may not open yet. A group is advised only where it opens the device, and never
//! that of root.

use crate::base::command_line::quoted;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist, getgroups};
use std::ffi::CString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bits of a mode that let the group read and write.
const GROUP_MAY: u32 = 0o060;
/// How long a right lasts that is given to the node itself.
const LASTS: &str = "(until it is plugged in again)";

/// Why a device cannot be opened, and the steps that change it, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barred {
    /// Who may not.
    pub user: String,
    /// Why.
    pub why: String,
    /// What to do.
    pub steps: Vec<String>,
}

/// A group by number and name.
type Named = (u32, String);

/// The node of a device, as far as its rights go.
struct Node<'a> {
    /// As a shell takes it.
    path: &'a str,
    mode: u32,
    gid: u32,
    /// Its group, if that has a name.
    group: Option<Named>,
    /// The group that such devices belong to where udev is an ordinary one, if it is there.
    usual: Option<Named>,
}

/// Who wants to open it.
struct Person {
    uid: u32,
    name: String,
    /// Groups of this process.
    now: Vec<u32>,
    /// Groups that the next login gives.
    enrolled: Vec<u32>,
}

/// Why this process cannot open the device at `path`; `usual` is the group that has such devices: `video`, `audio`.
pub fn barred(path: &Path, usual: &str) -> Barred {
    let (person, shown) = (person(), quoted(&path.display().to_string()));
    let named = |group: Option<Group>| group.map(|g| (g.gid.as_raw(), g.name));
    match std::fs::metadata(path) {
        Ok(meta) => {
            let group = named(Group::from_gid(Gid::from_raw(meta.gid())).ok().flatten());
            let usual = named(Group::from_name(usual).ok().flatten());
            judge(&Node { path: &shown, mode: meta.mode(), gid: meta.gid(), group, usual }, person)
        }
        Err(_) => Barred {
            user: person.name,
            why: format!("there is no {shown} here"),
            steps: vec![passed(&shown)],
        },
    }
}

/// The user of this process.
fn person() -> Person {
    let uid = Uid::effective();
    let user = User::from_uid(uid).ok().flatten();
    let raw = |groups: Vec<Gid>| groups.into_iter().map(Gid::as_raw).collect();
    let enrolled = user.as_ref().and_then(|user| {
        let name = CString::new(user.name.as_bytes()).ok()?;
        getgrouplist(&name, user.gid).ok()
    });
    Person {
        uid: uid.as_raw(),
        name: user.map_or_else(|| uid.to_string(), |user| user.name),
        now: raw(getgroups().unwrap_or_default()),
        enrolled: raw(enrolled.unwrap_or_default()),
    }
}

/// The step for a device that a container does not have.
fn passed(path: &str) -> String {
    format!("pass it in where this is a container: docker run --device {path}")
}

fn judge(node: &Node<'_>, person: Person) -> Barred {
    let (path, name) = (node.path, &person.name);
    let join = |(gid, group): &Named| match person.enrolled.contains(gid) {
        true => format!("log out and in again    ({name} is in the group {group}, this session is not yet)"),
        false => format!("sudo usermod -aG {group} {name}    (then log out and in again)"),
    };
    let alone = format!("sudo setfacl -m u:{name}:rw {path}    {LASTS}");
    // What belongs to the group of root opens by no membership that anybody should be given.
    let opening = node.group.as_ref().filter(|_| node.gid != 0 && node.mode & GROUP_MAY == GROUP_MAY);
    let (why, steps) = match (opening, &node.usual) {
        _ if person.uid == 0 => ("a container or a security module forbids it".into(), vec![passed(path)]),
        (Some(group), _) if person.now.contains(&group.0) => {
            (format!("it belongs to the group {}, but is barred by other means", group.1), vec![alone])
        }
        (Some(group), _) => (format!("it belongs to the group {}", group.1), vec![join(group)]),
        (None, Some(usual)) => {
            let open = format!("sudo chgrp {0} {path} && sudo chmod g+rw {path}    {LASTS}", usual.1);
            let mut steps = vec![open];
            if !person.now.contains(&usual.0) {
                steps.push(join(usual));
            }
            ("no group of users may use it".into(), steps)
        }
        (None, None) => ("no group of users may use it".into(), vec![alone]),
    };
    Barred { user: person.name, why, steps }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(mode: u32, group: (u32, &str), usual: bool, now: &[u32], enrolled: &[u32]) -> Vec<String> {
        let named = |(gid, name): (u32, &str)| (!name.is_empty()).then(|| (gid, name.to_string()));
        let usual = named((44, "video")).filter(|_| usual);
        let node = Node { path: "/dev/video0", mode, gid: group.0, group: named(group), usual };
        let (now, enrolled) = (now.to_vec(), enrolled.to_vec());
        judge(&node, Person { uid: 1000, name: "ann".into(), now, enrolled }).steps
    }

    #[test]
    fn the_group_that_opens_it_is_named() {
        let cards = (29, "cards");
        let join = "sudo usermod -aG cards ann    (then log out and in again)";
        assert_eq!(steps(0o660, cards, true, &[1000], &[1000]), [join]);
        assert!(steps(0o660, cards, true, &[1000], &[1000, 29])[0].starts_with("log out and in again"));
        assert!(
            steps(0o660, cards, true, &[29], &[29])[0].starts_with("sudo setfacl -m u:ann:rw /dev/video0")
        );
    }

    #[test]
    fn where_no_group_of_users_opens_it_the_node_is_given_one() {
        let root = (0, "root");
        for (mode, group) in [(0o660, root), (0o600, root), (0o600, (29, "cards")), (0o660, (4711, ""))] {
            let found = steps(mode, group, true, &[], &[]);
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(found[0].starts_with("sudo chgrp video /dev/video0 && "), "{found:?}");
            assert!(found[1].starts_with("sudo usermod -aG video ann"), "{found:?}");
            assert_eq!(steps(mode, group, true, &[44], &[44]).len(), 1, "already one of them");
            assert!(steps(mode, group, false, &[], &[])[0].starts_with("sudo setfacl"));
        }
    }

    #[test]
    fn root_joins_nothing() {
        let node = Node { path: "/dev/video0", mode: 0o660, gid: 44, group: None, usual: None };
        let root = Person { uid: 0, name: "root".into(), now: vec![0], enrolled: vec![0] };
        assert_eq!(judge(&node, root).steps, [passed("/dev/video0")]);
    }
}
