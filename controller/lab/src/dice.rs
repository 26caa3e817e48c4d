//! Chance, drawn from a seed: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).

use drydock_model::time::Millis;
use serde::{Deserialize, Serialize};

/// A stream of numbers that depends on its seed alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Dice {
        Dice { state: seed }
    }

    /// The stream of a seed and a name, so that what happens to one thing does not shift the chances of another.
    pub fn named(seed: u64, name: &str) -> Dice {
        // FNV-1a: any mixing will do, the stream itself is mixed again.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let mut dice = Dice { state: seed ^ hash };
        dice.roll();
        dice
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when there is none.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias of a remainder is beyond notice at the bounds in use, all far below 2^32.
        if bound == 0 { 0 } else { self.roll() % bound }
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A length between four fifths and six fifths of `usual`.
    pub fn about(&mut self, usual: Millis) -> Millis {
        let fifth = usual.0 / 5;
        Millis(usual.0 - fifth + self.below(2 * fifth + 1))
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let i = self.below(of.len() as u64);
        of.get(usize::try_from(i).unwrap_or(0))
    }

    /// Sixteen hexadecimal digits.
    pub fn token(&mut self) -> String {
        format!("{:016x}", self.roll())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_splitmix64() {
        let mut dice = Dice::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| dice.roll()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn lengths_stay_within_a_fifth() {
        let mut dice = Dice::new(7);
        for _ in 0..1_000 {
            let t = dice.about(Millis::seconds(100));
            assert!((80_000..=120_000).contains(&t.0), "{t}");
        }
        assert_eq!(dice.about(Millis::ZERO), Millis::ZERO);
    }
}
