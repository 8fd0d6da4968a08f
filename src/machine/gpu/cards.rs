//! Cards in `/sys/class/drm`: which there are, and what AMD's driver tells of them.

use super::{Gpu, MOST};
use std::fs;
use std::path::{Path, PathBuf};

/// One card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// `/sys/class/drm/card0/device`.
    pub folder: PathBuf,
    /// `amdgpu`, `i915`, `xe`.
    pub driver: String,
    /// `0000:00:02.0`.
    pub slot: String,
}

/// The cards of a folder as `/sys/class/drm`, in the order of their numbers. NVIDIA's are left to its library, and cards that can
/// only show a screen are none.
pub fn find(folder: &Path) -> Vec<Card> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let number = |name: &str| name.strip_prefix("card")?.parse::<u32>().ok();
    let mut numbers: Vec<u32> =
        entries.flatten().take(1024).filter_map(|entry| number(entry.file_name().to_str()?)).collect();
    numbers.sort_unstable();
    let card = |number: &u32| {
        let folder = folder.join(format!("card{number}/device"));
        let (driver, slot) = driver(&fs::read_to_string(folder.join("uevent")).ok()?)?;
        ["amdgpu", "i915", "xe"].contains(&driver.as_str()).then_some(Card { folder, driver, slot })
    };
    numbers.iter().filter_map(card).take(MOST).collect()
}

/// Reads a `uevent`: the driver and the slot.
fn driver(text: &str) -> Option<(String, String)> {
    let of = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.chars().take(32).collect())
    };
    Some((of("DRIVER=")?, of("PCI_SLOT_NAME=").unwrap_or_default()))
}

/// What AMD's driver tells of a card.
pub fn amd(card: &Card) -> Gpu {
    let number = |path: &Path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let of = |name: &str| number(&card.folder.join(name));
    let sensors = fs::read_dir(card.folder.join("hwmon")).ok().and_then(|mut folders| folders.next()?.ok());
    let sensor = |name: &str| number(&sensors.as_ref()?.path().join(name));
    let whole =
        |value: Option<u64>, unit: u64| value.and_then(|value| u32::try_from(value.checked_div(unit)?).ok());
    Gpu {
        name: format!("AMD {}", card.slot),
        driver: card.driver.clone(),
        busy_percent: of("gpu_busy_percent").filter(|busy| *busy <= 100).map(|busy| busy as f64),
        memory_used_bytes: of("mem_info_vram_used"),
        memory_total_bytes: of("mem_info_vram_total"),
        temperature_c: whole(sensor("temp1_input"), 1000),
        power_w: whole(sensor("power1_average").or_else(|| sensor("power1_input")), 1_000_000),
        ..Gpu::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn cards_and_what_they_tell() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        write(folder, "card1/device/uevent", "DRIVER=amdgpu\nPCI_ID=1002:73BF\nPCI_SLOT_NAME=0000:03:00.0\n");
        write(folder, "card0/device/uevent", "DRIVER=i915\nPCI_SLOT_NAME=0000:00:02.0\n");
        write(folder, "card2/device/uevent", "DRIVER=nvidia\n");
        write(folder, "card3/device/uevent", "DRIVER=ast\n");
        write(folder, "card0-HDMI-A-1/status", "connected\n");
        write(folder, "card1/device/gpu_busy_percent", "37\n");
        write(folder, "card1/device/mem_info_vram_used", "1048576\n");
        write(folder, "card1/device/mem_info_vram_total", "17163091968\n");
        write(folder, "card1/device/hwmon/hwmon4/temp1_input", "54000\n");
        write(folder, "card1/device/hwmon/hwmon4/power1_average", "23000000\n");
        let cards = find(folder);
        let names: Vec<&str> = cards.iter().map(|card| card.driver.as_str()).collect();
        assert_eq!(names, ["i915", "amdgpu"]);
        let gpu = amd(&cards[1]);
        assert_eq!((gpu.busy_percent, gpu.memory_used_bytes), (Some(37.0), Some(1 << 20)));
        assert_eq!((gpu.temperature_c, gpu.power_w, gpu.encoder_percent), (Some(54), Some(23), None));
        assert_eq!(amd(&cards[0]).busy_percent, None, "what is not told is no zero");
        assert!(find(&folder.join("nowhere")).is_empty());
    }
}
