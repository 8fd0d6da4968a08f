//! Floor 2, pure: how each player is called.
