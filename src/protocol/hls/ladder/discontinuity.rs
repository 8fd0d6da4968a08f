//! A rendition that changes its tracks goes on behind a discontinuity (RFC 8216bis, 4.4.4.3). Discontinuities have the same
//! numbers in all renditions (6.2.4), so it is one of the whole ladder, whichever rendition needs it.

use super::Ladder;
use crate::protocol::hls::listing::Listing;
use crate::protocol::hls::timeline::Cut;

impl Ladder {
    /// Whether a rendition on the air has other tracks than before, and waits for a discontinuity to go on behind.
    pub(super) fn needs_discontinuity(&self) -> bool {
        let so_far = self.timeline.discontinuities();
        self.members.values().any(|member| member.live && member.needs_discontinuity(so_far))
    }

    /// The cut, if this rendition can go on there. Where it has other tracks the cut becomes a discontinuity, unless it is
    /// already listed: then the next one will be.
    pub(super) fn fitting(&mut self, label: &str, cut: Cut) -> Option<Cut> {
        if !self.members.get(label)?.needs_discontinuity(cut.discontinuities) {
            return Some(cut);
        }
        let last = self.timeline.last().is_some_and(|last| last.msn == cut.msn);
        let listed = self.members.values().any(|member| {
            let listing = Listing::new(member, self.frontier, self.settings.window);
            listing.last().is_some_and(|last| last.msn >= cut.msn)
        });
        if listed || !last {
            return None;
        }
        let torn = self.timeline.tear_last()?;
        self.members.values_mut().for_each(|member| member.window.change_cut(torn));
        Some(torn)
    }
}
