//! In which POSTs events come, in which order and how often. Meta puts several changes into a POST, sends a POST again
//! while it gets no 200 (up to 46 times within 36 hours), and promises no order.

/// How events are delivered. The default is one a POST, once, in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deliveries {
    /// Events in a POST, 1 to 1,000; the last has what is left.
    pub batch: usize,
    /// The share of POSTs that come again, 0 to 1.
    pub redelivered: f64,
    /// How often one of those comes again at most, at least once.
    pub copies: u32,
    /// POSTs change places within runs of so many; 0 and 1 keep the order.
    pub shuffle: usize,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self { batch: 1, redelivered: 0.0, copies: 0, shuffle: 0 }
    }
}

impl Deliveries {
    /// The POSTs for this many events, in the order in which they are to be sent; each has the indices of its events.
    /// Every event comes at least once, and a copy anywhere after its original, shuffling apart. The same seed gives the
    /// same plan.
    #[must_use]
    pub fn plan(&self, events: usize, seed: u64) -> Vec<Vec<usize>> {
        let mut random = fastrand::Rng::with_seed(seed);
        let all: Vec<usize> = (0..events).collect();
        let originals: Vec<_> = all.chunks(self.batch.clamp(1, 1000)).collect();
        let mut sent = Vec::new();
        for (number, post) in originals.iter().enumerate() {
            sent.push((number, *post));
            let again = if random.f64() < self.redelivered { random.u32(1..=self.copies.max(1)) } else { 0 };
            sent.extend((0..again).map(|_| (random.usize(number..originals.len()), *post)));
        }
        // Sorting is stable: of what comes together the original of that number is not always the first, but a copy
        // never overtakes its own.
        sent.sort_by_key(|(place, _)| *place);
        if self.shuffle > 1 {
            sent.chunks_mut(self.shuffle).for_each(|run| random.shuffle(run));
        }
        sent.into_iter().map(|(_, post)| post.to_vec()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn by_default_each_event_comes_alone_once_and_in_order() {
        assert_eq!(Deliveries::default().plan(3, 7), [[0], [1], [2]]);
        assert!(Deliveries::default().plan(0, 7).is_empty());
    }

    #[test]
    fn batches_have_as_many_as_told_and_the_last_what_is_left() {
        let plan = |batch| Deliveries { batch, ..Deliveries::default() }.plan(2500, 7);
        assert_eq!(plan(1000).iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 500]);
        assert_eq!(plan(1000).concat(), (0..2500).collect::<Vec<_>>());
        assert_eq!(plan(0), plan(1));
        assert_eq!(plan(5000), plan(1000));
    }

    #[test]
    fn the_same_seed_makes_the_same_plan() {
        let deliveries = Deliveries { batch: 3, redelivered: 0.5, copies: 46, shuffle: 10 };
        assert_eq!(deliveries.plan(1000, 7), deliveries.plan(1000, 7));
        assert_ne!(deliveries.plan(1000, 7), deliveries.plan(1000, 8));
    }

    #[test]
    fn a_share_comes_again_later_and_no_more_often_than_told() {
        let plan = Deliveries { redelivered: 0.25, copies: 5, ..Deliveries::default() }.plan(4000, 7);
        let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, post) in plan.iter().enumerate() {
            places.entry(post[0]).or_default().push(place);
        }
        assert_eq!(places.len(), 4000, "every event comes");
        let firsts: Vec<usize> = places.values().map(|places| places[0]).collect();
        assert!(firsts.is_sorted(), "the originals are in order, so what comes before one's time is no copy");
        let copies: Vec<usize> = places.values().map(|places| places.len() - 1).filter(|copies| *copies > 0).collect();
        assert!((900..1100).contains(&copies.len()), "{} of 4000 came again", copies.len());
        assert_eq!(copies.into_iter().collect::<BTreeSet<_>>(), (1..=5).collect());
        let spread = places.values().filter(|places| places.last().unwrap() - places[0] > 500).count();
        assert!(spread > 500, "copies come long after as well: {spread}");
    }

    #[test]
    fn all_come_again_when_the_share_is_one_and_once_when_no_number_is_told() {
        let plan = Deliveries { batch: 10, redelivered: 1.0, ..Deliveries::default() }.plan(100, 7);
        assert_eq!(plan.len(), 20);
    }

    #[test]
    fn shuffling_moves_no_post_out_of_its_window() {
        let plan = Deliveries { shuffle: 8, ..Deliveries::default() }.plan(100, 7);
        assert!(!plan.is_sorted());
        for (place, post) in plan.iter().enumerate() {
            assert_eq!(place / 8, post[0] / 8);
        }
        let plan = Deliveries { batch: 4, redelivered: 0.3, copies: 46, shuffle: 8 }.plan(100, 7);
        let came: BTreeSet<usize> = plan.into_iter().flatten().collect();
        assert_eq!(came.len(), 100);
    }
}
