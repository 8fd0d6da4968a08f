//! Tests of `ladder_plan`.

use super::*;
use proptest::prelude::*;

fn default(source: (u32, u32)) -> Vec<(String, (u32, u32))> {
    choose(source, None).rungs.into_iter().map(|r| (r.rung.label.to_string(), r.size)).collect()
}

fn sizes(source: (u32, u32)) -> Vec<(u32, u32)> {
    default(source).into_iter().map(|(_, size)| size).collect()
}

#[test]
fn the_source_is_never_enlarged() {
    assert_eq!(sizes((1920, 1080)), [(1920, 1080), (1280, 720), (854, 480), (640, 360)]);
    assert_eq!(sizes((3840, 2160)), [(1920, 1080), (1280, 720), (854, 480), (640, 360)]);
    assert_eq!(default((1600, 900))[0], ("1080p".into(), (1600, 900)));
    assert_eq!(sizes((1280, 720)), [(1280, 720), (854, 480), (640, 360)]);
    assert_eq!(default((320, 240)), [("360p".to_string(), (320, 240))]);
    assert_eq!(choose((320, 240), None).notes.len(), 1);
    assert!(choose((1920, 1080), None).notes.is_empty());
}

#[test]
fn shapes_are_kept_and_boxes_turned() {
    assert_eq!(sizes((1080, 1920)), [(1080, 1920), (720, 1280), (480, 854), (360, 640)]);
    assert_eq!(sizes((1920, 800)), [(1920, 800), (1280, 534), (854, 356), (640, 266)]);
    assert_eq!(sizes((1024, 576)), [(1024, 576), (854, 480), (640, 360)]);
    assert_eq!(sizes((1001, 563))[0], (1000, 562));
    assert_eq!(sizes((10, 10)), [(16, 16)]);
}

#[test]
fn an_explicit_ladder_is_obeyed() {
    let ladder: Ladder = "big:4M:1920:1080,small:300k:320:180".parse().unwrap();
    let chosen = choose((640, 360), Some(&ladder));
    assert_eq!(chosen.rungs[0].size, (1920, 1080));
    assert!(chosen.rungs[0].enlarged && !chosen.rungs[1].enlarged);
    assert_eq!(chosen.warnings.len(), 1);
    assert!(chosen.warnings[0].starts_with("big enlarges the source (640x360)"));
}

proptest! {
    #[test]
    fn sizes_are_even_and_within_the_source(width in 1u32..=65_535, height in 1u32..=65_535) {
        let chosen = choose((width, height), None);
        prop_assert!(!chosen.rungs.is_empty());
        for rung in &chosen.rungs {
            let (w, h) = rung.size;
            prop_assert!(w % 2 == 0 && h % 2 == 0 && w >= 16 && h >= 16);
            prop_assert!(w <= width.max(16) && h <= height.max(16));
            prop_assert!(w.max(h) <= 8192);
        }
    }

    #[test]
    fn explicit_boxes_are_not_left(width in 1u32..=65_535, height in 1u32..=65_535, w in 8u32..=4096, h in 8u32..=4096) {
        let ladder: Ladder = format!("x:1M:{}:{}", 2 * w, 2 * h).parse().unwrap();
        let (across, down) = choose((width, height), Some(&ladder)).rungs[0].size;
        let (long, short) = (2 * w.max(h), 2 * w.min(h));
        prop_assert!(across.max(down) <= long && across.min(down) <= short.max(16));
        prop_assert!(across % 2 == 0 && down % 2 == 0);
    }
}
