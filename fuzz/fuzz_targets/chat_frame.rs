//! Frames of chat clients, and a room that does what they say: whatever comes, the room stays within its rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use msconv::base::clock::Now;
use msconv::platform::chat::{ClientFrame, Entry, Kept, PersonId, Refusal, Role, Room, ServerFrame, Speaker, What};
use std::time::Duration;

fuzz_target!(|frames: Vec<(u8, u16, &str)>| {
    let mut room = Room::new(Kept::default(), Vec::new());
    let (mut now, mut last) = (Now::read(), 0);
    for (who, pause, text) in frames.into_iter().take(64) {
        now = now.after(Duration::from_millis(pause.into()));
        let role = if who % 4 == 0 { Role::Moderator } else { Role::Viewer };
        let who = Speaker { id: PersonId::of(&(who % 8).to_string()), role, place: None };
        let Ok(frame) = ClientFrame::read(text) else { continue };
        let done: Result<Entry, Refusal> = match &frame {
            ClientFrame::Say { text, reference } => room.say(who, text, reference.as_deref(), now),
            ClientFrame::Name { name } => room.rename(who, name, now),
            ClientFrame::Delete { id } => room.delete(who, id, now),
            ClientFrame::Clear {} => room.clear(who, now),
            ClientFrame::Ban { author, seconds } => room.ban(who, *author, *seconds, now),
            ClientFrame::Room(patch) => room.change(who, patch, now),
        };
        match done {
            Ok(entry) => {
                assert!(entry.seq > last, "numbers grow");
                last = entry.seq;
                room.show(&entry);
                if let What::Message(message) = &entry.what {
                    assert!(!message.text.is_empty() && !message.text.chars().any(char::is_control));
                    assert!(role == Role::Moderator || message.text.chars().count() <= 500);
                }
                if let Some(frame) = ServerFrame::of(&entry) {
                    let text = frame.text();
                    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok() && !text.contains('\n'));
                }
            }
            Err(refusal) => drop(ServerFrame::refused(refusal, frame.reference()).text()),
        }
        assert!(room.history().len() <= 50 && room.settings(now.mono).slow_s <= 120);
    }
});
