//! Whether this program has the pages of the web port.

use super::check::Check;
use crate::server::web::pages::built::{HOW_TO_BUILD, have_pages};

/// The pages, which a build without node leaves out.
pub fn pages() -> Check {
    judge(have_pages())
}

fn judge(there: bool) -> Check {
    if there {
        Check::ok("pages", "the player at /watch/NAME is built in")
    } else {
        Check::warn("pages", "this msconv was built without them: nobody can watch in a browser")
            .next(HOW_TO_BUILD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::doctor::Status;

    #[test]
    fn a_build_without_pages_is_told_how_to_get_them() {
        assert_eq!(judge(true).status, Status::Ok);
        let without = judge(false);
        assert!(without.status == Status::Warn && !without.next.is_empty(), "{without:?}");
    }
}
