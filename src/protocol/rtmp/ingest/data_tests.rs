//! Tests of `data`.

#![expect(clippy::indexing_slicing, reason = "the test's own bytes")]
use super::*;
use proptest::prelude::*;

fn set() -> Vec<u8> {
    amf0::encode(&[Value::text("@setDataFrame")])
}

fn meta(codec: Value) -> Vec<u8> {
    let properties = vec![("width".to_string(), Value::Number(640.0)), ("videocodecid".to_string(), codec)];
    amf0::encode(&[Value::text("onMetaData"), Value::EcmaArray(properties)])
}

fn said(raw: &[u8]) -> Metadata {
    Metadata { raw: raw.to_vec().into(), ..Metadata::default() }
}

fn of(parts: &[&[u8]]) -> Result<Data, Unreadable> {
    read(&parts.concat().into())
}

#[test]
fn metadata_come_in_several_forms() {
    let plain = meta(Value::Number(7.0));
    let video = Announced { video: true, audio: false };
    let wanted = Ok(Data::Metadata(said(&plain), video));
    // As it is, behind the order, with bytes behind it, with names as long strings.
    let long = |name: &[u8]| [&[0x0c, 0, 0, 0, name.len() as u8][..], name].concat();
    let rest = &plain[13..];
    for parts in [
        &[&plain[..]][..],
        &[&set(), &plain],
        &[&set(), &plain, &[0xff, 0, 9]],
        &[&long(b"@setDataFrame"), &long(b"onMetaData"), rest],
    ] {
        assert_eq!(of(parts), wanted);
    }
    let none = meta(Value::Number(0.0));
    assert_eq!(of(&[&none]), Ok(Data::Metadata(said(&none), Announced::default())));
    let named = meta(Value::text("hvc1"));
    assert_eq!(of(&[&named]), Ok(Data::Metadata(said(&named), video)));
}

#[test]
fn metadata_are_read_as_far_as_they_make_sense() {
    let about = |properties: [(&str, Value); 3]| {
        let body = amf0::encode(&[Value::text("onMetaData"), Value::object(properties)]);
        match read(&body.into()) {
            Ok(Data::Metadata(metadata, _)) => (metadata.size, metadata.frame_rate),
            other => panic!("{other:?}"),
        }
    };
    let number = Value::Number;
    let good = [("width", number(1280.0)), ("height", number(720.0)), ("framerate", number(29.97))];
    assert_eq!(about(good), (Some((1280, 720)), Some(29.97)));
    let bad = [("width", number(-1.0)), ("height", number(f64::NAN)), ("framerate", Value::text("25"))];
    assert_eq!(about(bad), (None, None));
}

#[test]
fn what_cannot_be_read_is_told_from_what_is_not_for_players() {
    let name = amf0::encode(&[Value::text("onMetaData")]);
    for (tail, why) in [
        (vec![], Unreadable::Shape("metadata without properties")),
        (vec![5], Unreadable::Shape("metadata without properties")),
        (vec![0, 1, 2], AmfError::Short.into()),
        ([3, 0, 1, b'a'].repeat(60), AmfError::Depth.into()),
        (
            [&[8, 0, 0, 0, 9, 0, 1, b'a', 10, 0xff, 0xff, 0xff, 0xff][..], &[5; 2000]].concat(),
            AmfError::Elements.into(),
        ),
        ([&[3, 0, 1, b'a', 2, 0xff, 0xff][..], &[b'x'; 65_000]].concat(), AmfError::String.into()),
        (vec![3, 0, 1, b'a', 0x11, 0x0a, 0x0b, 1], AmfError::Marker(0x0a).into()),
        (vec![0xee], AmfError::Marker(0xee).into()),
        (vec![3; 70_000], Unreadable::Long(70_013)),
    ] {
        assert_eq!(of(&[&name, &tail]), Err(why.clone()), "{why}");
    }
    assert_eq!(of(&[&[5]]), Err(Unreadable::Shape("it does not begin with a name")));
    assert_eq!(of(&[&set()]), Err(Unreadable::Shape("it does not begin with a name")));
    for nothing in [vec![], amf0::encode(&[Value::text("@clearDataFrame"), Value::text("onMetaData")])] {
        assert_eq!(of(&[&nothing]), Ok(Data::Nothing));
    }
    let cue = amf0::encode(&[Value::text("onCuePoint"), Value::Null]);
    assert_eq!(of(&[&set(), &cue]), Ok(Data::Message(cue.clone().into())));
    assert!(of(&[&cue, &[10, 0, 0, 0, 1].repeat(40)]).is_err(), "no bomb goes on to players");
}

proptest! {
    #[test]
    fn any_bytes_are_borne(order: bool, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let name = amf0::encode(&[Value::text("onMetaData")]);
        let order = if order { set() } else { Vec::new() };
        if let Ok(Data::Metadata(first, _)) = of(&[&order, &name, &bytes]) {
            let (size, rate, body) = (first.size, first.frame_rate, first.raw);
            prop_assert!(rate.is_none_or(|fps| fps > 0.0 && fps <= 1000.0) && size.is_none_or(|(w, h)| w > 0 && h > 0));
            prop_assert_eq!(read(&body).map(|data| matches!(data, Data::Metadata(again, _) if again.raw == body)), Ok(true));
        }
    }
}
