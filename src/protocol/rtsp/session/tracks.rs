//! The tracks of a session that have been set up, with their transports.

use crate::protocol::rtsp::wire::Transport;

/// Which of a session's tracks go which way. All go the same kind of way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracked {
    ways: Vec<Option<Transport>>,
}

/// What a packet on an interleaved channel belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The track's place in its session.
    pub track: usize,
    /// RTCP, and not RTP.
    pub rtcp: bool,
}

impl Tracked {
    /// Room for `count` tracks.
    pub fn new(count: usize) -> Tracked {
        Tracked { ways: vec![None; count] }
    }

    /// The way of a track.
    pub fn way(&self, track: usize) -> Option<Transport> {
        self.ways.get(track).copied().flatten()
    }

    /// Places of the tracks that have been set up.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.ways.iter().enumerate().filter(|(_, way)| way.is_some()).map(|(at, _)| at)
    }

    /// Whether no track has been set up.
    pub fn is_empty(&self) -> bool {
        self.places().next().is_none()
    }

    /// Whether the packets go between the messages of the connection; `None` before the first track.
    pub fn interleaved(&self) -> Option<bool> {
        let first = self.ways.iter().flatten().next()?;
        Some(matches!(first, Transport::Interleaved(_)))
    }

    /// Sets a track up with one of `offers`, the first that is possible: of the kind that the others have, datagrams
    /// only where there are `datagrams`. Channels that are taken or not named are chosen anew.
    pub fn set_up(
        &mut self,
        track: usize,
        offers: impl IntoIterator<Item = Transport>,
        datagrams: bool,
    ) -> Option<Transport> {
        let others = self.without(track);
        let kind = others.interleaved();
        let fits = |way: &Transport| match way {
            Transport::Interleaved(_) => kind != Some(false),
            Transport::Datagrams { .. } => datagrams && kind != Some(true),
        };
        let way = match offers.into_iter().find(fits)? {
            Transport::Interleaved(wanted) => Transport::Interleaved(Some(others.channels(wanted, track)?)),
            way => way,
        };
        *self.ways.get_mut(track)? = Some(way);
        Some(way)
    }

    fn without(&self, track: usize) -> Tracked {
        let mut others = self.clone();
        if let Some(way) = others.ways.get_mut(track) {
            *way = None;
        }
        others
    }

    fn channels(&self, wanted: Option<(u8, u8)>, track: usize) -> Option<(u8, u8)> {
        let free = |(a, b): &(u8, u8)| self.channel(*a).is_none() && self.channel(*b).is_none();
        let usual = u8::try_from(track.checked_mul(2)?).ok()?;
        let usual = (usual, usual.checked_add(1)?);
        wanted.filter(free).or(Some(usual).filter(free)).or_else(|| {
            let pairs =
                (0..=127_u8).filter_map(|n| Some((n.checked_mul(2)?, n.checked_mul(2)?.checked_add(1)?)));
            pairs.into_iter().find(free)
        })
    }

    /// What a packet on this channel belongs to.
    pub fn channel(&self, channel: u8) -> Option<Channel> {
        self.ways.iter().enumerate().find_map(|(track, way)| match way {
            Some(Transport::Interleaved(Some((rtp, _)))) if *rtp == channel => {
                Some(Channel { track, rtcp: false })
            }
            Some(Transport::Interleaved(Some((_, rtcp)))) if *rtcp == channel => {
                Some(Channel { track, rtcp: true })
            }
            _ => None,
        })
    }

    /// Takes a track back.
    pub fn tear_down(&mut self, track: usize) {
        *self = self.without(track);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: Transport = Transport::Datagrams { rtp: 5000, rtcp: 5001 };

    fn tcp(a: u8, b: u8) -> Transport {
        Transport::Interleaved(Some((a, b)))
    }

    #[test]
    fn channels_do_not_collide() {
        let mut tracks = Tracked::new(3);
        assert_eq!(tracks.set_up(0, [tcp(2, 3)], true), Some(tcp(2, 3)));
        assert_eq!(
            tracks.set_up(1, [tcp(3, 4)], true),
            Some(tcp(0, 1)),
            "3 is taken, and so are the usual 2 and 3"
        );
        assert_eq!(tracks.set_up(2, [Transport::Interleaved(None)], true), Some(tcp(4, 5)));
        assert_eq!(tracks.channel(1), Some(Channel { track: 1, rtcp: true }));
        assert_eq!(tracks.channel(9), None);
        assert_eq!(tracks.set_up(0, [tcp(2, 3)], true), Some(tcp(2, 3)), "the same track again");
        assert_eq!(tracks.set_up(7, [tcp(2, 3)], true), None);
    }

    #[test]
    fn all_go_the_same_kind_of_way() {
        let mut tracks = Tracked::new(2);
        assert_eq!(tracks.set_up(0, [UDP], false), None);
        assert_eq!(tracks.set_up(0, [UDP, tcp(0, 1)], false), Some(tcp(0, 1)));
        assert_eq!(tracks.set_up(1, [UDP], true), None);
        assert_eq!(tracks.set_up(0, [UDP, tcp(0, 1)], true), Some(UDP), "alone it may change");
        assert_eq!(tracks.set_up(1, [tcp(0, 1)], true), None);
        tracks.tear_down(0);
        assert!(tracks.is_empty());
        assert_eq!(tracks.interleaved(), None);
    }
}
