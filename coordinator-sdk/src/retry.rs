//! When a call is made again. A program keeps its id, so that a worker which had committed it answers from memory.

use std::time::{Duration, Instant};

use tonic::{Code, Status};

/// Retries after the connection broke, and for how long: a worker that hangs is noticed by keep-alives, each time anew.
const BROKEN_RETRIES_MAX: u32 = 2;
const BROKEN_WAIT_MAX: Duration = Duration::from_secs(4);
/// How long a worker that is away is waited for, where what it loses can be made again; with the last call and its
/// keep-alives a few seconds more.
pub(crate) const AWAY_WAIT_MAX: Duration = Duration::from_secs(15);
/// The longest pause before a worker that is away is tried again.
const AWAY_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long a worker that is busy is asked again.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(30);
/// The shortest and longest pause before a busy worker is asked again.
const BUSY_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(5));

/// Why a call failed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The worker answered with an error.
    Refused(fondaco_proto::Error),
    /// The connection broke; what the transport said.
    Broken(String),
    /// The answer was not what was asked for.
    Unexpected(String),
}

impl Failure {
    pub fn of(status: &Status) -> Self {
        match fondaco_proto::Error::from_status(status) {
            Some(error) => Self::Refused(error),
            None => match status.code() {
                Code::Unavailable
                | Code::Unknown
                | Code::Internal
                | Code::Cancelled
                | Code::Aborted
                | Code::DeadlineExceeded => Self::Broken(cause(status)),
                _ => Self::Unexpected(format!("{:?}: {}", status.code(), status.message())),
            },
        }
    }
}

/// The innermost cause says most ("Connection refused"); the outer ones say "transport error".
pub(crate) fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<Status>() {
        Some(status) => status.message().to_owned(),
        None => innermost.to_string(),
    }
}

/// The retries that one call has left.
pub(crate) struct Retries {
    /// Whether a worker that is away is waited for.
    patient: bool,
    broken: u32,
    first_broken: Option<Instant>,
    begun: Instant,
}

impl Retries {
    pub fn new(patient: bool) -> Self {
        Self { patient, broken: 0, first_broken: None, begun: Instant::now() }
    }

    /// How long to wait before the call is made again; `None` if it is not.
    pub fn after(&mut self, failure: &Failure) -> Option<Duration> {
        match failure {
            Failure::Refused(error) => {
                let pause = error.kind().retry_after?.clamp(BUSY_PAUSE.0, BUSY_PAUSE.1);
                (self.begun.elapsed() + pause < BUSY_WAIT_MAX).then_some(pause)
            }
            Failure::Broken(_) => {
                self.broken += 1;
                let since = self.first_broken.get_or_insert_with(Instant::now).elapsed();
                let goes_on = match self.patient {
                    true => since < AWAY_WAIT_MAX,
                    false => self.broken <= BROKEN_RETRIES_MAX && since < BROKEN_WAIT_MAX,
                };
                let pause = Duration::from_millis(100) * 4_u32.pow((self.broken - 1).min(4));
                goes_on.then_some(pause.min(AWAY_PAUSE_MAX))
            }
            Failure::Unexpected(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_connections_are_tried_twice_more() {
        let mut retries = Retries::new(false);
        let broken = Failure::of(&Status::unavailable("connection refused"));
        assert_eq!(retries.after(&broken), Some(Duration::from_millis(100)));
        assert_eq!(retries.after(&broken), Some(Duration::from_millis(400)));
        assert_eq!(retries.after(&broken), None);
    }

    #[test]
    fn a_worker_that_is_away_is_waited_for() {
        let broken = Failure::of(&Status::unavailable("connection refused"));
        let mut retries = Retries::new(true);
        let pauses: Vec<_> = (0..4).map(|_| retries.after(&broken).unwrap().as_millis()).collect();
        assert_eq!(pauses, [100, 400, 1000, 1000]);
        retries.first_broken = Instant::now().checked_sub(AWAY_WAIT_MAX);
        assert_eq!(retries.after(&broken), None);
    }

    #[test]
    fn a_busy_worker_says_when() {
        let busy = |ms| Failure::of(&fondaco_proto::Error::busy("later", Duration::from_millis(ms)).to_status());
        let mut retries = Retries::new(false);
        assert_eq!(retries.after(&busy(20)), Some(Duration::from_millis(20)));
        assert_eq!(retries.after(&busy(1_000_000)), Some(Duration::from_secs(5)));
        let old = Instant::now().checked_sub(BUSY_WAIT_MAX).unwrap();
        assert_eq!(Retries { begun: old, ..Retries::new(false) }.after(&busy(20)), None);
    }

    #[test]
    fn answers_are_final() {
        let mut retries = Retries::new(false);
        assert!(retries.after(&Failure::of(&fondaco_proto::Error::scope_lost("gone").to_status())).is_none());
        assert!(retries.after(&Failure::of(&Status::unimplemented("old"))).is_none());
    }
}
