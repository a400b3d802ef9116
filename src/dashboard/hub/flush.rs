//! How long output may wait on its host: hardly while somebody reads, longer while nobody does.

use super::Hub;
use crate::run::id::RunId;
use crate::wire::to_agent::{FlushInterval, ToAgent};
use crate::wire::{UNWATCHED_MS, WATCHED_MS};

impl Hub {
    /// Tells the hosts of runs whose readers came or left.
    pub(super) fn readers_changed(&mut self) {
        for run in self.live.take_reader_changes() {
            self.tell_interval(run);
        }
    }

    /// Tells a run's host, if it does not know. What an agent holds to on a new connection is [`UNWATCHED_MS`].
    pub(super) fn tell_interval(&mut self, run: RunId) {
        let Some(track) = self.runs.get(&run) else {
            return;
        };
        if track.is_over() || track.is_pushed() || track.row.is_waiting() {
            return;
        }
        let Some(peer) = self.welcome_peer(&track.row.host) else {
            return;
        };
        if peer.protocol < 3 {
            return;
        }
        let watched = self.live.is_watched(run);
        let ms = if watched { WATCHED_MS } else { UNWATCHED_MS };
        let known = match track.told {
            Some((connection, ms)) if connection == peer.id => ms,
            _ => UNWATCHED_MS,
        };
        if ms != known {
            peer.send(ToAgent::FlushInterval(FlushInterval { run, ms }));
            if let Some(track) = self.runs.get_mut(&run) {
                track.told = Some((peer.id, ms));
            }
        }
    }
}
