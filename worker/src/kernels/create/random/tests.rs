use fondaco_proto::{Op, Shape, op::CreateOp};

use super::super::super::{
    run as run_kernel,
    testing::{for_each_pool, serially},
};
use super::*;

/// The known answers of Random123 1.09 for philox4x32-10.
#[test]
fn philox_gives_the_known_answers() {
    let check = |key, [low, high]: [u64; 2], expected: [u64; 2]| {
        let (mut c0, mut c1, mut c2, mut c3) = ([low & LOW], [low >> 32], [high & LOW], [high >> 32]);
        philox(key, [&mut c0, &mut c1, &mut c2, &mut c3]);
        assert_eq!([c0[0] | c1[0] << 32, c2[0] | c3[0] << 32], expected);
    };
    check(0, [0, 0], [0xe169_c58d_6627_e8d5, 0x9b00_dbd8_bc57_ac4c]);
    check(u64::MAX, [u64::MAX, u64::MAX], [0x41c8_3b0e_408f_276d, 0x6d54_51fd_a20b_c7c6]);
    check(
        0x299f_31d0_a409_3822,
        [0x85a3_08d3_243f_6a88, 0x0370_7344_1319_8a2e],
        [0x94fd_cceb_d16c_fe09, 0x2412_6ea1_5001_e420],
    );
}

fn op(shape: (u64, u64), offset: (u64, u64), density: f64, distribution: Distribution) -> Op {
    Op::Create(CreateOp::Rand(Rand {
        shape: Shape::new(shape.0, shape.1),
        seed: 42,
        row_offset: offset.0,
        column_offset: offset.1,
        density,
        distribution,
    }))
}

/// Changing these is a new version of the protocol: lineage keys name results by seed.
#[test]
fn pinned_cells() {
    let cells = |distribution| {
        serially(|cx| run_kernel(&op((2, 2), (5, 7), 1.0, distribution), &[], cx).unwrap().to_column_major())
    };
    assert_eq!(cells(Distribution::Uniform { low: 0.0, high: 1.0 }), PINNED_UNIFORM);
    assert_eq!(cells(Distribution::Normal { mean: 0.0, std: 1.0 }), PINNED_NORMAL);
}

#[test]
fn a_region_has_the_numbers_of_the_whole() {
    for distribution in [
        Distribution::Uniform { low: -2.0, high: 3.0 },
        Distribution::Normal { mean: 1.0, std: 2.0 },
        Distribution::Bernoulli { p: 0.3 },
    ] {
        for_each_pool(|cx| {
            let whole = run_kernel(&op((9000, 6), (0, 0), 0.8, distribution), &[], cx).unwrap();
            let part = run_kernel(&op((5000, 3), (3777, 2), 0.8, distribution), &[], cx).unwrap();
            for (i, j) in (0..5000).flat_map(|i| (0..3).map(move |j| (i, j))) {
                assert_eq!(part.get(i, j), whole.get(3777 + i, 2 + j));
            }
            part
        });
    }
}

#[test]
fn distributions_have_their_moments() {
    let n = 400_000.0_f64;
    let moments = |density, distribution| {
        serially(|cx| {
            let x = run_kernel(&op((100_000, 4), (0, 0), density, distribution), &[], cx).unwrap().to_column_major();
            let mean = x.iter().sum::<f64>() / n;
            (mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n, x)
        })
    };
    let near =
        |x: f64, expected: f64, std: f64| assert!((x - expected).abs() < 6.0 * std / n.sqrt(), "{x}, {expected}");
    let (mean, variance, x) = moments(1.0, Distribution::Uniform { low: 2.0, high: 4.0 });
    near(mean, 3.0, 0.6);
    near(variance, 1.0 / 3.0, 0.5);
    assert!(x.iter().all(|x| (2.0..4.0).contains(x)));
    let (mean, variance, x) = moments(1.0, Distribution::Normal { mean: -1.0, std: 3.0 });
    near(mean, -1.0, 3.0);
    near(variance, 9.0, 9.0 * 1.5);
    let beyond = x.iter().filter(|x| (**x + 1.0).abs() > 6.0).count() as f64 / n;
    near(beyond, 0.0455, 0.21);
    let (mean, _, x) = moments(1.0, Distribution::Bernoulli { p: 0.25 });
    near(mean, 0.25, 0.44);
    assert!(x.iter().all(|x| *x == 0.0 || *x == 1.0));
    let (mean, _, x) = moments(0.1, Distribution::Uniform { low: 1.0, high: 1.0 });
    near(mean, 0.1, 0.3);
    assert!(x.iter().all(|x| *x == 0.0 || *x == 1.0));
}

#[test]
fn edges_of_distributions() {
    assert_eq!(uniform(1.0 - f64::EPSILON / 2.0, 1.0, 1.0 + f64::EPSILON), 1.0);
    assert_eq!(uniform(0.3, 5.0, 5.0), 5.0);
    assert!(uniform(0.75, -f64::MAX, f64::MAX).is_finite());
    // scipy.stats.norm.ppf of 0.75, 0.01 and 1e-12.
    assert!((normal(0.75) - 0.674_489_750_196_081_7).abs() < 1e-14);
    assert!((normal(0.01) + 2.326_347_874_040_840_8).abs() < 1e-13);
    assert!((normal(1e-12 - f64::EPSILON / 4.0) + 7.034_483_825_301_132).abs() < 1e-6);
    let (least, most) = (normal(0.0), normal(1.0 - f64::EPSILON / 2.0));
    assert!((least + 8.292_361_075_813_595).abs() < 1e-12 && (most - least.abs()).abs() < 1e-12, "{least} {most}");
}

const PINNED_UNIFORM: [f64; 4] = [0.9166947244785101, 0.44664261862642485, 0.7832994640836306, 0.06901868771485187];
const PINNED_NORMAL: [f64; 4] = [1.3831771604862528, -0.13414838807760276, 0.7833849831317574, -1.4831394089696324];
