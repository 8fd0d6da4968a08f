//! NVIDIA's cards by its management library, which is opened while the program runs: without the driver there is none.

use super::Gpu;
#[cfg(feature = "nvidia")]
use super::MOST;
#[cfg(feature = "nvidia")]
use nvml_wrapper::{Device, Nvml, enum_wrappers::device::TemperatureSensor};

/// The library, if it is there.
pub struct Nvidia {
    #[cfg(feature = "nvidia")]
    library: Nvml,
}

impl Nvidia {
    /// Opens it; why not, where there is none.
    ///
    /// # Errors
    /// What the system says.
    #[cfg(feature = "nvidia")]
    pub fn open() -> Result<Nvidia, String> {
        Nvml::init().map(|library| Nvidia { library }).map_err(|error| error.to_string())
    }

    /// Opens nothing.
    ///
    /// # Errors
    /// Always: it was left out.
    #[cfg(not(feature = "nvidia"))]
    pub fn open() -> Result<Nvidia, String> {
        Err("built without the feature nvidia".into())
    }

    /// Every card.
    #[cfg(feature = "nvidia")]
    pub fn look(&self) -> Vec<Gpu> {
        let count = self.library.device_count().unwrap_or(0);
        let most = u32::try_from(MOST).unwrap_or(u32::MAX);
        (0..count.min(most))
            .filter_map(|number| self.library.device_by_index(number).ok())
            .map(|card| of(&card))
            .collect()
    }

    /// No card.
    #[cfg(not(feature = "nvidia"))]
    pub fn look(&self) -> Vec<Gpu> {
        Vec::new()
    }
}

/// What a card tells. Parts of a card (MIG) and cards without encoders do not tell everything.
#[cfg(feature = "nvidia")]
fn of(card: &Device<'_>) -> Gpu {
    let memory = card.memory_info().ok();
    Gpu {
        name: card.name().map_or_else(|_| "NVIDIA".into(), |name| name.chars().take(64).collect()),
        driver: "nvidia".into(),
        busy_percent: card.utilization_rates().ok().map(|rates| f64::from(rates.gpu)),
        encoder_percent: card.encoder_utilization().ok().map(|used| f64::from(used.utilization)),
        decoder_percent: card.decoder_utilization().ok().map(|used| f64::from(used.utilization)),
        encoder_sessions: card.encoder_stats().ok().map(|stats| stats.session_count),
        memory_used_bytes: memory.as_ref().map(|memory| memory.used),
        memory_total_bytes: memory.as_ref().map(|memory| memory.total),
        temperature_c: card.temperature(TemperatureSensor::Gpu).ok(),
        power_w: card.power_usage().ok().and_then(|milliwatts| milliwatts.checked_div(1000)),
    }
}
