//! Our own API: any bytes are a ladder or a list of streams, or a refusal; what was read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let applications = ["live".to_string()];
    if let Ok(fact) = msconv::server::endpoint::own::fact(&applications, bytes) {
        let again = serde_json::to_vec(&fact).expect("plain values");
        assert_eq!(msconv::server::endpoint::own::fact(&applications, &again).as_ref(), Ok(&fact));
    }
    if let Ok(list) = msconv::status::own::parse(bytes) {
        let again = serde_json::to_vec(&list).expect("plain values");
        assert_eq!(msconv::status::own::parse(&again).as_ref(), Ok(&list));
    }
});
