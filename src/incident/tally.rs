//! Counts incidents as they are read, one after the other, and keeps no more of each than the lengths
//! of time that percentiles are selected from. Pure.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::incident::Level;
use crate::incident::numbers::{Automation, Noise, Numbers, Part, TOP};
use crate::incident::stages::{Stage, seconds, spread};
use crate::store::incidents::Figure;

/// Incidents that were counted.
#[derive(Debug)]
pub struct Tally {
    zone: TimeZone,
    open: usize,
    reopened: usize,
    /// Seconds in each stage.
    stages: [Vec<f64>; 4],
    levels: [Lengths; 3],
    days: BTreeMap<Date, Lengths>,
    services: ByName<Service>,
    people: ByName<usize>,
    /// Seconds from opened to the start of a job.
    automated: Vec<f64>,
    ended: usize,
    ended_well: usize,
    tickets: usize,
}

/// How long incidents took, and how many there were.
#[derive(Debug, Default)]
struct Lengths {
    levels: [usize; 3],
    acknowledge: Vec<f64>,
    resolve: Vec<f64>,
}

#[derive(Debug, Default)]
struct Service {
    lengths: Lengths,
    titles: ByName<Noise>,
}

/// Values by name, found without making a name of what is only looked up.
#[derive(Debug)]
struct ByName<V> {
    places: HashMap<Box<str>, usize>,
    values: Vec<V>,
}

impl Tally {
    /// Nothing yet. Days are those of the calendar in `zone`.
    pub fn of_days_in(zone: TimeZone) -> Tally {
        Tally {
            zone,
            open: 0,
            reopened: 0,
            stages: Default::default(),
            levels: Default::default(),
            days: BTreeMap::new(),
            services: ByName::default(),
            people: ByName::default(),
            automated: Vec::new(),
            ended: 0,
            ended_well: 0,
            tickets: 0,
        }
    }

    /// One more.
    pub fn take(&mut self, figure: &Figure<'_>) {
        self.open += usize::from(figure.state.is_open());
        self.reopened += usize::from(figure.reopened > 0);
        for (stage, lengths) in Stage::ALL.into_iter().zip(&mut self.stages) {
            lengths.extend(stage.of(figure));
        }
        self.levels[figure.level as usize].take(figure);
        self.days.entry(self.zone.to_datetime(figure.opened_at).date()).or_default().take(figure);
        let service = self.services.of(figure.service);
        service.lengths.take(figure);
        let noise = service.titles.of(figure.title);
        noise.incidents += 1;
        noise.news += u64::from(figure.news);
        noise.reopened += u64::from(figure.reopened);
        if !figure.acknowledged_by.is_empty() {
            *self.people.of(figure.acknowledged_by) += 1;
        }
        self.automated.extend(figure.automated_at.map(|at| seconds(figure.opened_at, at)));
        self.ended += usize::from(figure.job_ended_well.is_some());
        self.ended_well += usize::from(figure.job_ended_well == Some(true));
        self.tickets += usize::from(figure.has_ticket);
    }

    /// The numbers of all that were taken, which were opened between these times.
    pub fn numbers(self, since: Timestamp, until: Timestamp) -> Numbers {
        let mut total = Lengths::default();
        for lengths in &self.levels {
            total.add(lengths);
        }
        let total = total.part("all");
        let mut seconds = self.stages.into_iter();
        let stages = Stage::ALL.map(|stage| (stage, spread(seconds.next().unwrap_or_default())));
        let spent = |place: &usize| stages[*place].1.mean * stages[*place].1.count as f64;
        let longest = (0..stages.len()).max_by(|a, b| spent(a).total_cmp(&spent(b)));
        let levels = Level::ALL.into_iter().zip(self.levels).map(|(level, of)| of.part(level.as_str()));
        let (services, noise) = services(self.services);
        Numbers {
            since,
            until,
            open: self.open,
            reopened: self.reopened,
            bottleneck: longest.filter(|longest| spent(longest) > 0.0).map(|longest| stages[longest].0),
            stages,
            days: self.days.into_iter().map(|(day, of)| of.part(&day.to_string())).collect(),
            levels: levels.filter(|part| part.incidents > 0).collect(),
            services,
            people: top(self.people.into_iter().collect(), |(name, count)| (*count, 0, name.clone())),
            noise,
            automation: Automation {
                automated: self.automated.len(),
                success_rate: (self.ended > 0).then(|| self.ended_well as f64 / self.ended as f64),
                rate: share(self.automated.len(), total.incidents),
                ticket_rate: share(self.tickets, total.incidents),
                time: spread(self.automated),
            },
            total,
        }
    }
}

/// The services and the alerts with most incidents.
fn services(services: ByName<Service>) -> (Vec<Part>, Vec<Noise>) {
    let (mut parts, mut noise) = (Vec::new(), Vec::new());
    for (name, service) in services {
        let titles = service.titles.into_iter();
        noise.extend(titles.map(|(title, of)| Noise { title, service: name.clone(), ..of }));
        parts.push(service.lengths.part(&name));
    }
    let noise = top(noise, |of| (of.incidents, of.news, (of.title.clone(), of.service.clone())));
    (top(parts, |part| (part.incidents, 0, part.name.clone())), noise)
}

/// Those with most, and with most of a second thing, by name where these are equal.
fn top<T, N: Ord>(mut all: Vec<T>, key: impl Fn(&T) -> (usize, u64, N)) -> Vec<T> {
    all.sort_by_cached_key(|one| {
        let (most, more, name) = key(one);
        (std::cmp::Reverse((most, more)), name)
    });
    all.truncate(TOP);
    all
}

fn share(count: usize, of_all: usize) -> f64 {
    if of_all == 0 { 0.0 } else { count as f64 / of_all as f64 }
}

impl Lengths {
    fn take(&mut self, figure: &Figure<'_>) {
        self.levels[figure.level as usize] += 1;
        self.acknowledge.extend(figure.acknowledged_at.map(|at| seconds(figure.opened_at, at)));
        self.resolve.extend(figure.resolved_at.map(|at| seconds(figure.opened_at, at)));
    }

    fn add(&mut self, other: &Lengths) {
        for (all, of) in self.levels.iter_mut().zip(other.levels) {
            *all += of;
        }
        self.acknowledge.extend_from_slice(&other.acknowledge);
        self.resolve.extend_from_slice(&other.resolve);
    }

    fn part(self, name: &str) -> Part {
        Part {
            name: name.to_owned(),
            incidents: self.levels.iter().sum(),
            levels: self.levels,
            acknowledge: spread(self.acknowledge),
            resolve: spread(self.resolve),
        }
    }
}

impl<V> Default for ByName<V> {
    fn default() -> ByName<V> {
        ByName { places: HashMap::new(), values: Vec::new() }
    }
}

impl<V: Default> ByName<V> {
    fn of(&mut self, name: &str) -> &mut V {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                self.places.insert(name.into(), self.values.len());
                self.values.push(V::default());
                self.values.len() - 1
            }
        };
        &mut self.values[place]
    }
}

impl<V> IntoIterator for ByName<V> {
    type Item = (String, V);
    type IntoIter = std::vec::IntoIter<(String, V)>;

    fn into_iter(self) -> Self::IntoIter {
        let mut names = vec![String::new(); self.values.len()];
        for (name, place) in self.places {
            names[place] = name.into_string();
        }
        names.into_iter().zip(self.values).collect::<Vec<_>>().into_iter()
    }
}
