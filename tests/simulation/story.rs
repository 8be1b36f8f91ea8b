//! What happens out there: problems that begin and end, told by a pair of Alertmanagers of which
//! the second lags behind.

use crate::dice::Dice;

/// One call of a source.
#[derive(Debug, Clone)]
pub struct Telling {
    /// When it arrives.
    pub at: i64,
    /// The problem.
    pub name: String,
    /// Start of its episode.
    pub starts: i64,
    /// Its end, if it is over.
    pub ends: Option<i64>,
}

/// The calls in order of arrival, and for each problem whether it still fires at the end.
pub struct Story {
    pub tellings: Vec<Telling>,
    pub firing: Vec<(String, bool)>,
}

/// Until when new things happen, in milliseconds.
pub const LENGTH: i64 = 600_000;

pub fn story(dice: &mut Dice) -> Story {
    let mut tellings = Vec::new();
    let mut firing = Vec::new();
    for problem in 0..dice.between(1, 8) {
        let name = format!("problem-{problem}");
        let lag_max = dice.between(0, 90_000);
        let pair = dice.percent(60);
        let mut now = dice.between(0, 60_000);
        let mut open = false;
        while now < LENGTH && !(tellings.is_empty() && dice.percent(2)) {
            let starts = now;
            let mut tell = |at: i64, ends: Option<i64>, dice: &mut Dice| {
                tellings.push(Telling { at, name: name.clone(), starts, ends });
                if pair {
                    let at = at + dice.between(0, lag_max);
                    tellings.push(Telling { at, name: name.clone(), starts, ends });
                }
            };
            tell(now, None, dice);
            open = true;
            while dice.percent(30) {
                now += dice.between(61_000, 120_000);
                tell(now, None, dice);
            }
            if dice.percent(80) {
                let ends = now + dice.between(1, 40_000);
                now = ends + dice.between(0, 1000);
                tell(now, Some(ends), dice);
                open = false;
            }
            if open || dice.percent(30) {
                break;
            }
            now += dice.between(1, 120_000);
        }
        firing.push((name, open));
    }
    tellings.sort_by_key(|telling| telling.at);
    Story { tellings, firing }
}
