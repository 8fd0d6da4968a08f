//! One process: `/proc/PID/stat`. A number alone is never believed, so it comes with the time when the process started.

/// What a process has used so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Clock ticks after boot at which it started.
    pub start: u64,
    /// Clock ticks of processor time.
    pub ticks: u64,
    /// Memory in use, in pages.
    pub pages: u64,
}

/// Reads `/proc/PID/stat`. The name in parentheses may hold blanks and parentheses, so fields count from the last one; a
/// process that has ended and waits for its parent is none.
pub fn read(stat: &str) -> Option<Task> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().take(64).collect();
    // Fields 3, 14, 15, 22 and 24 of proc_pid_stat(5); the first one behind the name is the third.
    let field = |number: usize| fields.get(number.checked_sub(3)?).copied();
    if matches!(field(3)?, "Z" | "X") {
        return None;
    }
    let number = |place| field(place)?.parse::<u64>().ok();
    Some(Task { start: number(22)?, ticks: number(14)?.saturating_add(number(15)?), pages: number(24)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_process_is_read() {
        let task = read(include_str!("../../tests/data/machine/pid_stat.txt")).unwrap();
        assert!(task.start > 0 && task.pages > 0, "{task:?}");
    }

    #[test]
    fn names_do_not_shift_fields_and_the_dead_are_none() {
        let fields = "1 2 3 4 5 6 7 8 9 10 70 7 0 0 20 0 1 0 4242 9999 55 0";
        let task = Task { start: 4242, ticks: 77, pages: 55 };
        assert_eq!(read(&format!("41 (a) b (c)) S {fields}")), Some(task));
        assert_eq!(read(&format!("41 (ffmpeg) Z {fields}")), None);
        assert_eq!((read("garbage"), read("1 (x) S 1")), (None, None));
    }
}
