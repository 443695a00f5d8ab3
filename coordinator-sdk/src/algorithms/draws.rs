//! Seeded choices of the coordinator: the same for ever, and on every machine.

use ndarray::Array2;

/// SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators").
#[derive(Clone, Debug)]
pub(super) struct Draws(u64);

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number: a seed for what is drawn at the sites.
    pub fn seed(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.seed() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box & Muller 1958, "A note on the generation of random normal deviates").
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.unit(), self.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Standard normal cells.
    pub fn normals(&mut self, rows: usize, columns: usize) -> Array2<f64> {
        Array2::from_shape_simple_fn((rows, columns), || self.normal())
    }

    /// An index, by its share of the weights, none of which is negative; none if all are 0.
    pub fn pick(&mut self, weights: &[f64]) -> Option<usize> {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (i, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            left -= weight;
            if left < 0.0 {
                return Some(i);
            }
        }
        // Rounding may leave a little.
        weights.iter().rposition(|weight| *weight > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_follow_the_weights() {
        let mut draws = Draws::new(3);
        let mut counts = [0_i32; 4];
        (0..4000).filter_map(|_| draws.pick(&[1.0, 0.0, 2.0, 1.0])).for_each(|i| counts[i] += 1);
        assert_eq!(counts[1], 0);
        assert!(counts[0].abs_diff(1000) < 100 && counts[2].abs_diff(2000) < 120, "{counts:?}");
        assert_eq!(draws.pick(&[0.0, 0.0]), None);
        let cells = draws.normals(2000, 1);
        let (mean, squares) = (cells.mean().unwrap(), cells.iter().map(|x| x * x).sum::<f64>() / 2000.0);
        assert!(mean.abs() < 0.1 && (squares - 1.0).abs() < 0.15, "{mean} {squares}");
    }
}
