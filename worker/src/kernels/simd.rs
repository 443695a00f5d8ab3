//! Instruction sets, chosen at run time: a body that is inlined into a function with more features is compiled with
//! them. Nothing here contracts or reorders floating-point operations, so every instruction set gives the same bits.
#![expect(unsafe_code, reason = "calls to functions with target features, after the CPU was asked")]

/// A body to be compiled once per instruction set; its `run` must be `#[inline(always)]`.
pub trait Body {
    /// What it gives.
    type Output;

    /// Does it.
    fn run(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Body;

    #[target_feature(enable = "avx2,bmi1,bmi2,fma,lzcnt,popcnt")]
    pub(super) fn v3<B: Body>(body: B) -> B::Output {
        body.run()
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,fma,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
    pub(super) fn v4<B: Body>(body: B) -> B::Output {
        body.run()
    }
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
