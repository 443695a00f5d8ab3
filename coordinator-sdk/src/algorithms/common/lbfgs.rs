//! The limited-memory BFGS direction.

use std::collections::VecDeque;

use ndarray::Array2;

/// Steps that are remembered, as in scikit-learn's.
const REMEMBERED: usize = 10;

/// L-BFGS by the two-loop recursion (Nocedal 1980, "Updating Quasi-Newton Matrices with Limited Storage"; Nocedal &
/// Wright, "Numerical Optimization", 2nd ed., 7.2), around a given first approximation of the inverse Hessian.
#[derive(Default)]
pub struct Lbfgs {
    pairs: VecDeque<Pair>,
}

struct Pair {
    step: Array2<f64>,
    change: Array2<f64>,
    /// 1 / (step · change).
    rho: f64,
}

fn dot(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a * b).sum()
}

impl Lbfgs {
    /// Where to go from a point with this gradient; `precondition` multiplies by the first approximation.
    pub fn direction(&self, gradient: &Array2<f64>, precondition: impl Fn(&Array2<f64>) -> Array2<f64>) -> Array2<f64> {
        let mut q = gradient.clone();
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let alpha = pair.rho * dot(&pair.step, &q);
            q.scaled_add(-alpha, &pair.change);
            alphas.push(alpha);
        }
        let mut direction = precondition(&q);
        if let Some(last) = self.pairs.back() {
            let size = dot(&last.change, &precondition(&last.change));
            if size > 0.0 {
                direction *= 1.0 / (last.rho * size);
            }
        }
        for (pair, alpha) in self.pairs.iter().zip(alphas.into_iter().rev()) {
            let beta = pair.rho * dot(&pair.change, &direction);
            direction.scaled_add(alpha - beta, &pair.step);
        }
        -direction
    }

    /// Learns from a step, and from how it changed the gradient; not where rounding left nothing of the curvature.
    pub fn learn(&mut self, step: Array2<f64>, change: Array2<f64>) {
        let curvature = dot(&step, &change);
        if curvature > f64::EPSILON * dot(&change, &change).sqrt() * dot(&step, &step).sqrt() {
            if self.pairs.len() == REMEMBERED {
                self.pairs.pop_front();
            }
            self.pairs.push_back(Pair { step, change, rho: 1.0 / curvature });
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_quadratic_is_minimised() {
        let a = array![[5.0, 1.0, 0.0], [1.0, 3.0, 0.2], [0.0, 0.2, 0.01]];
        let b = array![[1.0], [2.0], [3.0]];
        let (mut x, mut method) = (Array2::zeros((3, 1)), Lbfgs::default());
        let mut gradient = a.dot(&x) - &b;
        for _ in 0..40 {
            let direction = method.direction(&gradient, Clone::clone);
            let step = &direction * (-dot(&gradient, &direction) / dot(&direction, &a.dot(&direction)));
            x += &step;
            let next = a.dot(&x) - &b;
            method.learn(step, &next - &gradient);
            gradient = next;
            if dot(&gradient, &gradient) < 1e-20 {
                return;
            }
        }
        panic!("{gradient}");
    }
}
