//! WHEP and WHIP with programs of others at both ends: what arrives is decoded, and counted as video that changes and as a
//! tone that is heard. Negotiation alone proves nothing.

mod aiortc;
mod ffmpeg;
mod foreign_audio;
mod gstreamer;
mod house;
mod layers;
mod lossy;
mod mediamtx;
mod offers;
mod passwords;
mod playing;
