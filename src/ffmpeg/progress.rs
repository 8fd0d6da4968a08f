//! stub
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub frame: Option<u64>,
    pub out_time_us: Option<i64>,
    pub dropped: Option<u64>,
}
#[derive(Default)]
pub struct Parser {
    p: Progress,
}
impl Parser {
    pub fn push_line(&mut self, line: &str) -> Option<Progress> {
        let (k, v) = line.split_once('=')?;
        match k {
            "frame" => self.p.frame = v.trim().parse().ok(),
            "out_time_us" => self.p.out_time_us = v.parse().ok(),
            "drop_frames" => self.p.dropped = v.parse().ok(),
            "progress" => return Some(std::mem::take(&mut self.p)),
            _ => {}
        }
        None
    }
}
