//! Whatever the kernel writes, every parser takes it.

use super::*;
use proptest::prelude::*;
use std::time::Duration;

proptest! {
    #[test]
    fn any_text_is_taken(text in "(\\PC|\n|\t){0,200}|((cpu[0-9]?|drm-engine-video|drm-client-id|drm-pdev|Udp|eth0|MemTotal|0):? ?[0-9 .a-z:-]{0,60}\n){0,8}") {
        let stat = processor::Stat::read(&text);
        let _ = (stat.all.busy_since(stat.all), stat.cores_since(&stat));
        let _ = (processor::load_average(&text), processor::pressure(&text));
        let _ = memory::Memory::read(&text).within(Some(1), None).in_use();
        let _ = control_group::Folders::read(&text);
        let _ = (control_group::bytes(&text), control_group::cores(&text), control_group::quota(&text, &text));
        let drives = disk::drives(&text);
        for (name, counts) in drives {
            prop_assert!(counts.since(counts, &name, 2.0).is_some());
        }
        let interfaces = network::interfaces(&text);
        let _ = (network::since(&interfaces, &interfaces, 2.0), network::udp_receive_errors(&text));
        let _ = task::read(&text);
        if let Some(client) = gpu::fdinfo::read(&text) {
            let card = client.card.clone();
            let (busy, video) = gpu::fdinfo::used(std::slice::from_ref(&client), std::slice::from_ref(&client), &card, 2.0);
            prop_assert!((0.0..=100.0).contains(&busy) && (0.0..=100.0).contains(&video));
        }
    }

    #[test]
    fn disks_of_any_size_have_a_time_or_none(free in proptest::collection::vec(any::<u64>(), 0..80), ms in 0u64..100_000) {
        let mut filling = disk::Filling::default();
        for free in free {
            let _ = filling.look(free, Duration::from_millis(ms));
        }
    }
}
