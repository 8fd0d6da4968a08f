//! The initialisation segment: `ftyp` and a `moov` without samples (ISO 14496-12, 8.8; CMAF, 7.3.1).

use super::{AUDIO_TRACK, VIDEO_TIMESCALE, VIDEO_TRACK, carries_audio};
use crate::media::codec::opus;
use crate::media::track::{AudioCodec, AudioTrack, VideoCodec, VideoTrack};
use crate::media::tracks::Tracks;
use bytes::Bytes;
use mp4_atom::esds::{DecoderConfig, DecoderSpecific, EsDescriptor, SLConfig};
use mp4_atom::{
    Atom, Audio, Av01, Av1c, Avc1, Avcc, Codec, Dinf, Dops, Dref, DrefEntry, Encode, Esds, FixedPoint, Ftyp,
    Hdlr, Hvc1, Hvcc, Mdhd, Mdia, Minf, Moov, Mp4a, Mvex, Mvhd, Opus, OpusChannelMapping, Smhd, Stbl, Stsd,
    Tkhd, Trak, Trex, Url, Visual, Vmhd, Vp09, VpcC,
};

/// Why tracks have no initialisation segment.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Neither video nor audio that fragmented MP4 carries.
    #[error("there is no track that fragmented MP4 carries")]
    NoTrack,
    /// A decoder configuration that cannot be read.
    #[error("the configuration of {0} cannot be read: {1}")]
    Config(&'static str, mp4_atom::Error),
}

/// The initialisation segment of these tracks. Audio that fragmented MP4 does not carry is left out.
///
/// # Errors
/// No track is left, or a decoder configuration that cannot be read.
pub fn init_segment(tracks: &Tracks) -> Result<Bytes, InitError> {
    let video = tracks.video().map(video_track).transpose()?;
    let audio = tracks.audio().filter(|track| carries_audio(track)).map(audio_track);
    let trak: Vec<Trak> = video.into_iter().chain(audio).collect();
    if trak.is_empty() {
        return Err(InitError::NoTrack);
    }
    let trex = trak
        .iter()
        .map(|trak| Trex {
            track_id: trak.tkhd.track_id,
            default_sample_description_index: 1,
            ..Trex::default()
        })
        .collect();
    let moov = Moov {
        mvhd: Mvhd { timescale: 1000, next_track_id: AUDIO_TRACK.saturating_add(1), ..Mvhd::default() },
        mvex: Some(Mvex { mehd: None, trex }),
        trak,
        ..Moov::default()
    };
    let ftyp = Ftyp {
        major_brand: b"iso6".into(),
        minor_version: 0,
        compatible_brands: vec![b"iso6".into(), b"cmfc".into()],
    };
    let mut out = Vec::with_capacity(1024);
    ftyp.encode(&mut out)
        .and_then(|()| moov.encode(&mut out))
        .map_err(|e| InitError::Config("the segment", e))?;
    Ok(out.into())
}

fn video_track(track: &VideoTrack) -> Result<Trak, InitError> {
    let (width, height) = (small(track.width), small(track.height));
    let visual = Visual { data_reference_index: 1, width, height, ..Visual::default() };
    let codec = sample_entry(track, visual).map_err(|e| InitError::Config(track.codec.name(), e))?;
    let tkhd = Tkhd { width: width.into(), height: height.into(), ..header(VIDEO_TRACK) };
    Ok(trak(tkhd, VIDEO_TIMESCALE, b"vide", Minf { vmhd: Some(Vmhd::default()), ..Minf::default() }, codec))
}

fn sample_entry(track: &VideoTrack, visual: Visual) -> mp4_atom::Result<Codec> {
    let mut config = track.config.as_ref();
    let config = &mut config;
    Ok(match track.codec {
        VideoCodec::H264 => Codec::Avc1(Avc1 { visual, avcc: Avcc::decode_body(config)?, ..Avc1::default() }),
        VideoCodec::H265 => Codec::Hvc1(Hvc1 { visual, hvcc: Hvcc::decode_body(config)?, ..Hvc1::default() }),
        VideoCodec::Av1 => Codec::Av01(Av01 { visual, av1c: Av1c::decode_body(config)?, ..Av01::default() }),
        VideoCodec::Vp9 => {
            // FLV holds the record with the version and flags of its box in front, or without.
            let vpcc = if config.starts_with(&[1, 0, 0, 0]) {
                VpcC::decode_body(config)?
            } else {
                VpcC::decode_body(&mut [&[1, 0, 0, 0], *config].concat().as_slice())?
            };
            Codec::Vp09(Vp09 { visual, vpcc, ..Vp09::default() })
        }
    })
}

fn audio_track(track: &AudioTrack) -> Trak {
    let audio = Audio {
        data_reference_index: 1,
        channel_count: u16::from(track.channels),
        sample_size: 16,
        // 16.16: rates above 65535 stand in the media header alone.
        sample_rate: FixedPoint::from(u16::try_from(track.sample_rate).unwrap_or(0)),
    };
    let codec = match track.codec {
        AudioCodec::Opus => Codec::Opus(Opus { audio, dops: dops(track), btrt: None }),
        _ => Codec::Mp4a(Mp4a { audio, esds: esds(track), btrt: None, taic: None }),
    };
    let minf = Minf { smhd: Some(Smhd::default()), ..Minf::default() };
    trak(Tkhd { volume: 1.into(), ..header(AUDIO_TRACK) }, track.sample_rate, b"soun", minf, codec)
}

/// The elementary stream descriptor (ISO 14496-1, 7.2.6.5) of AAC or MP3.
fn esds(track: &AudioTrack) -> Esds {
    let aac = track.codec == AudioCodec::Aac;
    // Object types of ISO 14496-1, table 5: MPEG-4 audio; layer III of MPEG-1, and of MPEG-2 with its lower rates.
    let object_type_indication = match (aac, track.sample_rate) {
        (true, _) => 0x40,
        (false, 32_000..) => 0x6b,
        (false, _) => 0x69,
    };
    let specific = || DecoderSpecific { profile: 0, freq_index: 0, chan_conf: 0, raw: track.config.to_vec() };
    let dec_config = DecoderConfig {
        object_type_indication,
        stream_type: 5,
        dec_specific: aac.then(specific),
        ..DecoderConfig::default()
    };
    Esds { es_desc: EsDescriptor { dec_config, sl_config: SLConfig {}, ..EsDescriptor::default() } }
}

/// The OpusHead in the order of bytes that MP4 wants (Opus in ISOBMFF, 4.3.2).
fn dops(track: &AudioTrack) -> Dops {
    let head = opus::Head::of(track);
    Dops {
        output_channel_count: track.channels,
        pre_skip: head.pre_skip,
        input_sample_rate: head.input_sample_rate,
        output_gain: head.output_gain,
        channel_mapping: head.mapping.map(|mapping| OpusChannelMapping {
            family: mapping.family,
            stream_count: mapping.streams,
            coupled_count: mapping.coupled,
            channel_mapping: mapping.channels,
        }),
    }
}

fn header(track_id: u32) -> Tkhd {
    Tkhd { track_id, enabled: true, in_movie: true, ..Tkhd::default() }
}

fn trak(tkhd: Tkhd, timescale: u32, handler: &[u8; 4], minf: Minf, codec: Codec) -> Trak {
    // The media are in the same file: a URL that says nothing (8.7.2).
    let dinf = Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } };
    let stbl =
        Stbl { stsd: Stsd { codecs: vec![codec] }, stco: Some(mp4_atom::Stco::default()), ..Stbl::default() };
    let mdia = Mdia {
        mdhd: Mdhd { timescale, language: "und".into(), ..Mdhd::default() },
        hdlr: Hdlr { handler: handler.into(), name: String::new() },
        minf: Minf { dinf, stbl, ..minf },
    };
    Trak { tkhd, mdia, ..Trak::default() }
}

/// Pixels as a header holds them; 0 where they are not known, as for the few that are too large.
fn small(pixels: u32) -> u16 {
    u16::try_from(pixels).unwrap_or(0)
}
