//! All people of a scenario, without IO.

use std::time::Instant;

use super::plan::Scenario;
use super::player::{Command, Event, Player};
use super::report::PersonReport;

/// A scenario under way. People are known by their place in it.
pub(super) struct Runner {
    names: Vec<String>,
    players: Vec<Player>,
    until: Instant,
    limit_s: u64,
}

impl Runner {
    pub(super) fn new(scenario: &Scenario, now: Instant) -> Self {
        let people = &scenario.people;
        let mut runner = Self {
            names: people.iter().map(|person| person.name.clone()).collect(),
            players: people
                .iter()
                .map(|person| Player::new(&person.steps, now))
                .collect(),
            until: now + scenario.limit,
            limit_s: scenario.limit.as_secs(),
        };
        runner.handle_timeout(now);
        runner
    }

    /// Something happened to a person.
    pub(super) fn handle(&mut self, who: usize, event: Event, now: Instant) {
        if let Some(player) = self.players.get_mut(who) {
            player.handle(event, now);
        }
        self.gather(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        for player in &mut self.players {
            player.handle_timeout(now);
            if now >= self.until {
                let limit = self.limit_s;
                player.give_up(
                    &format!("the scenario's limit of {limit} s has passed"),
                    now,
                );
            }
        }
        self.gather(now);
    }

    /// Nobody goes on; who is at a step has failed there.
    pub(super) fn interrupt(&mut self, now: Instant) {
        for player in &mut self.players {
            player.give_up("interrupted", now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.is_through() {
            return None;
        }
        let own = self.players.iter().filter_map(Player::poll_timeout).min();
        Some(own.map_or(self.until, |own| own.min(self.until)))
    }

    /// What somebody does next.
    pub(super) fn poll_command(&mut self) -> Option<(usize, Command)> {
        let mut players = self.players.iter_mut().enumerate();
        players.find_map(|(who, player)| Some((who, player.poll_command()?)))
    }

    /// Whether everyone is through with the script.
    pub(super) fn is_through(&self) -> bool {
        self.players.iter().all(Player::is_through)
    }

    /// Whether everyone has left their calls as well.
    pub(super) fn is_over(&self) -> bool {
        self.players.iter().all(Player::is_over)
    }

    pub(super) fn into_reports(self) -> Vec<PersonReport> {
        let people = self.names.into_iter().zip(self.players);
        people
            .map(|(name, player)| PersonReport {
                name,
                steps: player.into_reports(),
            })
            .collect()
    }

    /// Lets those go on who wait for each other and are all there.
    fn gather(&mut self, now: Instant) {
        while let Some(name) = self.complete() {
            for player in &mut self.players {
                if player.waits_together() == Some(&name) {
                    player.meet(now);
                }
            }
        }
        let lost: Vec<_> = self
            .players
            .iter()
            .enumerate()
            .filter(|(_, player)| {
                player
                    .waits_together()
                    .is_some_and(|name| self.is_lost(name))
            })
            .map(|(who, _)| who)
            .collect();
        for who in lost {
            self.players[who].give_up("someone to wait for has failed", now);
        }
    }

    /// A name under which everyone waits who is to.
    fn complete(&self) -> Option<String> {
        let mut names = self.players.iter().filter_map(Player::waits_together);
        let there = |name: &str| {
            self.players
                .iter()
                .filter(|player| player.will_wait(name))
                .all(|player| player.waits_together() == Some(name))
        };
        names.find(|name| there(name)).map(str::to_owned)
    }

    /// Whether someone who was to come will not.
    fn is_lost(&self, name: &str) -> bool {
        let failed = |player: &&Player| player.has_failed() && player.will_wait(name);
        self.players.iter().any(|player| failed(&player))
    }
}
