//! Keys in, frames out.

use super::*;
use proptest::prelude::*;

fn rows(n: usize) -> Vec<(String, String)> {
    (0..n).map(|i| (format!("stream{i}"), format!("stream{i}  live  720p"))).collect()
}

fn typed(picker: &mut Picker, text: &str) {
    for letter in text.chars() {
        assert_eq!(picker.press(Key::Char(letter)), PickerStep::Draw);
    }
}

#[test]
fn arrows_choose_and_go_round() {
    let mut picker = Picker::new("Pick", &rows(3), false);
    assert_eq!(picker.press(Key::Enter), PickerStep::Taken(0));
    picker.press(Key::Down);
    picker.press(Key::Down);
    assert_eq!(picker.press(Key::Enter), PickerStep::Taken(2));
    picker.press(Key::Down);
    assert_eq!(picker.press(Key::Enter), PickerStep::Taken(0));
    picker.press(Key::Up);
    assert_eq!(picker.press(Key::Enter), PickerStep::Taken(2));
    assert_eq!(picker.press(Key::Esc), PickerStep::Left);
    assert_eq!(picker.press(Key::Cancel), PickerStep::Left);
    assert_eq!(picker.press(Key::Suspend), PickerStep::Suspend);
}

#[test]
fn typing_filters_by_words_without_case() {
    let rows = vec![
        ("Cam".to_string(), "Cam  live".to_string()),
        ("camera".to_string(), "camera  weak".to_string()),
        ("поток".to_string(), "поток  live".to_string()),
    ];
    let mut picker = Picker::new("Pick", &rows, false);
    picker.press(Key::Down);
    typed(&mut picker, "CAM");
    assert_eq!(picker.press(Key::Enter), PickerStep::Taken(1), "the chosen row stays chosen while it fits");
    typed(&mut picker, " li");
    assert_eq!(picker.press(Key::Enter), PickerStep::Taken(0));
    picker.press(Key::Clear);
    typed(&mut picker, "ПОТ");
    assert_eq!(picker.press(Key::Enter), PickerStep::Taken(2));
    typed(&mut picker, "x");
    assert_eq!(picker.press(Key::Enter), PickerStep::Draw, "nothing fits, nothing is taken");
    assert!(picker.frame(24, 80).iter().any(|l| l.contains("nothing fits")));
    picker.press(Key::Backspace);
    assert_eq!(picker.press(Key::Enter), PickerStep::Taken(2));
}

#[test]
fn more_streams_than_rows_scroll() {
    let mut picker = Picker::new("Pick", &rows(100), false);
    let frame = picker.frame(10, 80);
    assert_eq!(frame.len(), 8);
    assert!(frame.last().unwrap().contains("1 of 100"));
    picker.press(Key::End);
    assert!(picker.frame(10, 80).iter().any(|l| l.starts_with("> stream99 ")));
    picker.press(Key::PageUp);
    assert!(picker.frame(10, 80).iter().any(|l| l.starts_with("> stream93 ")));
    picker.press(Key::Home);
    assert!(picker.frame(10, 80).get(1).unwrap().starts_with("> stream0 "));
    // The window follows when the terminal shrinks around the chosen row.
    picker.press(Key::End);
    picker.frame(30, 80);
    let frame = picker.frame(6, 80);
    assert!(frame.iter().any(|l| l.starts_with("> stream99 ")), "{frame:?}");
}

#[test]
fn long_and_foreign_names_fit_the_terminal() {
    let rows = vec![("k".to_string(), format!("{}漢字漢字漢字 \u{1b}[2J", "x".repeat(500)))];
    let mut picker = Picker::new("Pick a stream", &rows, true);
    typed(&mut picker, "xxxx");
    for columns in 1..60 {
        for line in picker.frame(24, columns) {
            let plain = console::strip_ansi_codes(&line).into_owned();
            assert!(measure_text_width(&plain) <= columns.saturating_sub(1).max(1), "{columns}: {plain:?}");
            assert!(!plain.contains('\u{1b}'), "{plain:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_keys_at_any_size_are_safe(
        count in 0usize..60,
        presses in prop::collection::vec((0u8..14, any::<char>()), 0..60),
        rows_high in 0usize..40,
        columns in 0usize..100,
    ) {
        let mut picker = Picker::new("Pick", &rows(count), true);
        for (kind, letter) in presses {
            let key = match kind {
                0 => Key::Enter,
                1 => Key::Unknown,
                2 => Key::Backspace,
                3 => Key::Clear,
                4 => Key::Up,
                5 | 6 => Key::Down,
                7 => Key::PageUp,
                8 => Key::PageDown,
                9 => Key::Home,
                10 => Key::End,
                _ => Key::Char(letter),
            };
            if let PickerStep::Taken(index) = picker.press(key) {
                prop_assert!(index < count);
            }
            let frame = picker.frame(rows_high, columns);
            prop_assert!(!frame.is_empty() && frame.len() <= rows_high.saturating_sub(1).max(1));
            let marked = frame.iter().filter(|l| console::strip_ansi_codes(l).starts_with('>')).count();
            prop_assert!(marked <= 1);
            if rows_high > 3 && columns > 3 && !picker.fitting.is_empty() {
                prop_assert_eq!(marked, 1);
            }
        }
    }
}
