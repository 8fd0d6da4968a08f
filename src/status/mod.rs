//! Floor 2: who we ask what is live, one source each.
