//! The run record: any bytes are a record or none, and what is read is written and read back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::process::run_record::RunRecord;

fuzz_target!(|bytes: &[u8]| {
    if let Some(record) = RunRecord::parse(bytes) {
        let written = serde_json::to_vec(&record).expect("a record is plain data");
        assert!(RunRecord::parse(&written).is_some());
        assert!(!record.key.contains(['/', '.', '\0']));
    }
});
