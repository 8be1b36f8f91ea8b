//! What the vendor shall do to which request: faults in a queue, a steady fault, random ones from
//! a seed, a rate limit. It decides; `server.rs` carries it out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::dice::Dice;

/// What may happen to a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answered with this and not processed.
    Reply { status: u16, headers: Vec<(String, String)>, body: String },
    /// Processed, and yet answered with this status.
    ReplyAfter { status: u16 },
    /// Processed and answered properly, this much later.
    Delay(Duration),
    /// Neither processed nor answered, the connection stays open.
    Hang,
    /// The connection is reset and nothing was processed.
    Reset,
    /// Processed, then the connection is reset instead of an answer.
    ResetAfter,
    /// Processed, half of the answer, then the connection ends.
    Truncate,
    /// Processed, half of the answer, then nothing more on an open connection.
    Stall,
}

impl Fault {
    /// A bare status, not processed.
    pub fn status(status: u16) -> Fault {
        Fault::Reply { status, headers: Vec::new(), body: String::new() }
    }

    /// 429 and when to come back, in seconds.
    pub fn retry_after(seconds: u64) -> Fault {
        let (status, body) = super::rules::throttled();
        let headers = vec![("Retry-After".to_owned(), seconds.to_string())];
        Fault::Reply { status, headers, body: body.to_string() }
    }
}

/// Random faults: each request throws once; the parts of a thousand are tried in order.
#[derive(Debug, Clone)]
pub struct Chaos {
    pub dice: Dice,
    pub per_mille: Vec<(u64, Fault)>,
}

impl Chaos {
    pub fn new(seed: u64, per_mille: Vec<(u64, Fault)>) -> Chaos {
        Chaos { dice: Dice::new(seed), per_mille }
    }

    fn throw(&mut self) -> Option<Fault> {
        let mut thrown = self.dice.between(0, 1000);
        for (share, fault) in &self.per_mille {
            match thrown.checked_sub(*share) {
                None => return Some(fault.clone()),
                Some(rest) => thrown = rest,
            }
        }
        None
    }
}

/// Everything that was ordered.
#[derive(Debug)]
pub struct Script {
    pub routing_keys: BTreeSet<String>,
    pub queue: VecDeque<Fault>,
    pub steady: Option<Fault>,
    pub chaos: Option<Chaos>,
    pub latency: Duration,
    /// Events a routing key within a rolling window.
    pub limit: Option<(usize, Duration)>,
    /// Requests whose body holds one of these are answered with this status and not processed.
    pub poison: Option<(Vec<String>, u16)>,
    recent: BTreeMap<String, VecDeque<Duration>>,
}

impl Script {
    pub fn new(routing_key: &str) -> Script {
        Script {
            routing_keys: BTreeSet::from([routing_key.to_owned()]),
            queue: VecDeque::new(),
            steady: None,
            chaos: None,
            latency: Duration::ZERO,
            limit: None,
            poison: None,
            recent: BTreeMap::new(),
        }
    }

    /// The fault that the next request meets: poison first, then queued ones, then the steady one,
    /// then chance.
    pub fn fault(&mut self, body: &[u8]) -> Option<Fault> {
        if let Some((words, status)) = &self.poison {
            let body = String::from_utf8_lossy(body);
            if words.iter().any(|word| body.contains(word)) {
                return Some(Fault::status(*status));
            }
        }
        let ordered = self.queue.pop_front().or_else(|| self.steady.clone());
        ordered.or_else(|| self.chaos.as_mut().and_then(Chaos::throw))
    }

    /// Whether this event is one too many; counts it if not.
    pub fn throttles(&mut self, routing_key: &str, at: Duration) -> bool {
        let Some((events, window)) = self.limit else { return false };
        let recent = self.recent.entry(routing_key.to_owned()).or_default();
        while recent.front().is_some_and(|first| *first + window <= at) {
            recent.pop_front();
        }
        let over = recent.len() >= events;
        if !over {
            recent.push_back(at);
        }
        over
    }
}
