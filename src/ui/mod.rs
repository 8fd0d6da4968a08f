//! Floor 7: what a person sees. The only place, with `command`, that prints.

pub mod ask;
pub mod console;
pub mod failure_text;
pub mod keyboard;
pub mod keys;
pub mod list_view;
pub mod picker;
pub mod publish_view;
pub mod redraw;
pub mod status_view;
pub mod table;
pub mod top;
pub mod units;

pub use console::Console;
