//! Floor 7: what a person sees. The only place, with `command`, that prints.

pub mod console;

pub use console::Console;
