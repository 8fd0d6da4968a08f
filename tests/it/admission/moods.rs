//! Moods.
