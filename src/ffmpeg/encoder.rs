//! stub
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    Auto,
    Fastest,
    Fast,
    Balanced,
    Best,
}
