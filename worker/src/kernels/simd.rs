//! Instruction sets, chosen at run time: a body that is inlined into a function with more features is compiled with
//! them. But for the Gram kernel nothing contracts or reorders operations, so every instruction set gives the same bits.
#![expect(unsafe_code, reason = "calls to functions with target features, after the CPU was asked")]

use std::ops::Range;

/// A body to be compiled once per instruction set; its `run` must be `#[inline(always)]`.
pub trait Body {
    /// What it gives.
    type Output;

    /// Does it.
    fn run(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{arch::x86_64::*, mem::transmute, ops::Range};

    use super::{Body, Line};

    #[target_feature(enable = "avx2,bmi1,bmi2,fma,lzcnt,popcnt")]
    pub(super) fn v3<B: Body>(body: B) -> B::Output {
        body.run()
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,fma,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
    pub(super) fn v4<B: Body>(body: B) -> B::Output {
        body.run()
    }

    /// A kernel of sums of products: M columns with N others, so that what is loaded is used often and all sums stay in
    /// registers. Arrays are filled by loops: a call, as of `map`, would lose the features.
    macro_rules! gram {
        ($name:ident, $dots:ident, $features:literal, $parts:literal, $load:ident, $zero:ident, $fused:ident, $sum:expr) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name<const M: usize, const N: usize>(
                lines: &[Line],
                height: usize,
                panel: Range<usize>,
                out: &mut [f64],
            ) -> bool {
                let stride = panel.end;
                // Beyond the last column the last is computed again, and left.
                let column = |j: usize| &lines[j.min(stride - 1) * height..][..height];
                for j in panel.clone().step_by(N) {
                    let mut b: [&[Line]; N] = [&[]; N];
                    for n in 0..N {
                        b[n] = column(j + n);
                    }
                    for i in (0..stride.min(j + N)).step_by(M) {
                        let mut a: [&[Line]; M] = [&[]; M];
                        for m in 0..M {
                            a[m] = column(i + m);
                        }
                        let dots = $dots(a, b);
                        for (n, dots) in dots.iter().enumerate().take(stride - j) {
                            let start = (j - panel.start + n) * stride + i;
                            for (out, dot) in out[start..start + M.min(stride - i)].iter_mut().zip(dots) {
                                *out += dot;
                            }
                        }
                    }
                }
                true
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn $dots<const M: usize, const N: usize>(a: [&[Line]; M], b: [&[Line]; N]) -> [[f64; M]; N] {
                let mut sums = [[$zero(); M]; N];
                for k in 0..a[0].len() {
                    for part in 0..$parts {
                        let mut left = [$zero(); M];
                        for m in 0..M {
                            left[m] = $load(&a[m][k], part);
                        }
                        for n in 0..N {
                            let right = $load(&b[n][k], part);
                            for m in 0..M {
                                sums[n][m] = $fused(left[m], right, sums[n][m]);
                            }
                        }
                    }
                }
                let mut dots = [[0.0; M]; N];
                for n in 0..N {
                    for m in 0..M {
                        dots[n][m] = $sum(sums[n][m]);
                    }
                }
                dots
            }
        };
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,fma,lzcnt,popcnt")]
    fn half(line: &Line, part: usize) -> __m256d {
        // SAFETY: a register is as many numbers, of any bits.
        unsafe { transmute::<[f64; 4], __m256d>(line.0[part]) }
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,fma,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
    fn whole(line: &Line, _part: usize) -> __m512d {
        // SAFETY: as above.
        unsafe { transmute::<[[f64; 4]; 2], __m512d>(line.0) }
    }

    gram!(
        v3_gram,
        v3_dots,
        "avx2,bmi1,bmi2,fma,lzcnt,popcnt",
        2,
        half,
        _mm256_setzero_pd,
        _mm256_fmadd_pd,
        |x: __m256d| {
            let pairs = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd::<1>(x));
            _mm_cvtsd_f64(_mm_hadd_pd(pairs, pairs))
        }
    );
    gram!(
        v4_gram,
        v4_dots,
        "avx2,bmi1,bmi2,fma,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl",
        1,
        whole,
        _mm512_setzero_pd,
        _mm512_fmadd_pd,
        _mm512_reduce_add_pd
    );
}

/// Runs the body with the best instruction set of this CPU.
pub fn run<B: Body>(body: B) -> B::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if has_v4() {
            // SAFETY: the CPU has all the features that the function is compiled with.
            return unsafe { x86::v4(body) };
        }
        if has_v3() {
            // SAFETY: as above.
            return unsafe { x86::v3(body) };
        }
    }
    body.run()
}

#[cfg(target_arch = "x86_64")]
fn has_v3() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2")
        && std::arch::is_x86_feature_detected!("fma")
        && std::arch::is_x86_feature_detected!("lzcnt")
        && std::arch::is_x86_feature_detected!("popcnt")
}

#[cfg(target_arch = "x86_64")]
fn has_v4() -> bool {
    has_v3()
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512cd")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512vl")
}

/// Eight numbers that lie in one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [[f64; 4]; 2]);

impl Line {
    /// Zeros.
    pub const ZERO: Self = Self([[0.0; 4]; 2]);
}

/// Adds to `out[j][i]` the sum over rows of the products of columns `i` and `j`, for each `j` of `panel` and each `i` up
/// to it at least. Columns of `lines` are `height` lines long, those of `out` as many numbers as `panel` ends at.
/// Products are fused with their addition. False, and nothing done, if this CPU has no instructions for it.
pub fn add_gram(lines: &[Line], height: usize, panel: Range<usize>, out: &mut [f64]) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        if has_v4() {
            // SAFETY: the CPU has all the features that the function is compiled with.
            return unsafe { x86::v4_gram::<4, 6>(lines, height, panel, out) };
        }
        if has_v3() {
            // SAFETY: as above.
            return unsafe { x86::v3_gram::<3, 4>(lines, height, panel, out) };
        }
    }
    let _no_instructions = (lines, height, panel, out);
    false
}

/// `out[i] = f(a[i])`.
pub fn map<F: Fn(f64) -> f64>(out: &mut [f64], a: &[f64], f: F) {
    run(Map { out, a, f });
}

struct Map<'a, F> {
    out: &'a mut [f64],
    a: &'a [f64],
    f: F,
}

impl<F: Fn(f64) -> f64> Body for Map<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (out, a) in self.out.iter_mut().zip(self.a) {
            *out = (self.f)(*a);
        }
    }
}

/// `out[i] = f(out[i])`.
pub fn update<F: Fn(f64) -> f64>(out: &mut [f64], f: F) {
    run(Update { out, f });
}

struct Update<'a, F> {
    out: &'a mut [f64],
    f: F,
}

impl<F: Fn(f64) -> f64> Body for Update<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for out in self.out {
            *out = (self.f)(*out);
        }
    }
}

/// `out[i] = f(out[i], a[i])`.
pub fn update2<F: Fn(f64, f64) -> f64>(out: &mut [f64], a: &[f64], f: F) {
    run(Update2 { out, a, f });
}

struct Update2<'a, F> {
    out: &'a mut [f64],
    a: &'a [f64],
    f: F,
}

impl<F: Fn(f64, f64) -> f64> Body for Update2<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (out, a) in self.out.iter_mut().zip(self.a) {
            *out = (self.f)(*out, *a);
        }
    }
}

/// `out[i] = f(a[i], b[i])`.
pub fn map2<F: Fn(f64, f64) -> f64>(out: &mut [f64], a: &[f64], b: &[f64], f: F) {
    run(Map2 { out, a, b, f });
}

struct Map2<'a, F> {
    out: &'a mut [f64],
    a: &'a [f64],
    b: &'a [f64],
    f: F,
}

impl<F: Fn(f64, f64) -> f64> Body for Map2<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((out, a), b) in self.out.iter_mut().zip(self.a).zip(self.b) {
            *out = (self.f)(*a, *b);
        }
    }
}

/// `out[i] = f(a[i], b[i], c[i])`.
pub fn map3<F: Fn(f64, f64, f64) -> f64>(out: &mut [f64], a: &[f64], b: &[f64], c: &[f64], f: F) {
    run(Map3 { out, a, b, c, f });
}

struct Map3<'a, F> {
    out: &'a mut [f64],
    a: &'a [f64],
    b: &'a [f64],
    c: &'a [f64],
    f: F,
}

impl<F: Fn(f64, f64, f64) -> f64> Body for Map3<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (((out, a), b), c) in self.out.iter_mut().zip(self.a).zip(self.b).zip(self.c) {
            *out = (self.f)(*a, *b, *c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of products of 13 columns of 24 rows, by each instruction set that this CPU has.
    #[test]
    fn every_instruction_set_sums_products() {
        let (columns, height) = (13, 3);
        let cell = |column: usize, row: usize| ((column * 31 + row * 17) % 23) as f64 - 11.0;
        let line = |i: usize| {
            let (column, first) = (i / height, i % height * 8);
            Line(std::array::from_fn(|half| std::array::from_fn(|k| cell(column, first + 4 * half + k))))
        };
        let lines: Vec<Line> = (0..columns * height).map(line).collect();
        for panel in [0..13, 4..9, 12..13] {
            let check = |out: &[f64]| {
                for (j, i) in panel.clone().flat_map(|j| (0..=j).map(move |i| (j, i))) {
                    let expected: f64 = (0..8 * height).map(|row| cell(i, row) * cell(j, row)).sum();
                    assert_eq!(out[(j - panel.start) * panel.end + i], expected + 0.5);
                }
            };
            let fresh = || vec![0.5; panel.len() * panel.end];
            #[cfg(target_arch = "x86_64")]
            {
                if has_v3() {
                    let mut out = fresh();
                    // SAFETY: the CPU has all the features that the function is compiled with.
                    assert!(unsafe { x86::v3_gram::<3, 4>(&lines, height, panel.clone(), &mut out) });
                    check(&out);
                }
                if has_v4() {
                    let mut out = fresh();
                    // SAFETY: as above.
                    assert!(unsafe { x86::v4_gram::<4, 6>(&lines, height, panel.clone(), &mut out) });
                    check(&out);
                }
            }
            let mut out = fresh();
            if add_gram(&lines, height, panel.clone(), &mut out) {
                check(&out);
            }
        }
    }
}
