//! What real use showed: one file for each kind of fault, named by what people saw.

mod live;

mod a_body_that_declares_too_much_was_waited_for;
mod aac_in_latm_was_unsupported_media;
mod an_encrypted_file_was_tried_without_end;
mod bad_metadata_ended_the_stream;
mod descriptions_of_cameras_refused_whole;
mod field_devices_refused_over_rtsp;
mod large_chunks_closed_the_connection;
mod once_with_a_picture_never_ended;
mod parameter_sets_went_out_as_frames;
mod readers_thrown_out_when_a_track_changes;
mod recording_over_rtsp_failed_at_once;
mod rtsp_through_http_was_a_bad_request;
mod steady_sources_were_said_to_vary;
mod thrown_out_readers_kept_half_a_megabyte;
mod video_without_a_sequence_header_was_audio_alone;
