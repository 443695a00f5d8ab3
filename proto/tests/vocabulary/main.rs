//! The vocabulary: every operator survives the wire, and no two share their canonical bytes.
#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod samples;

use std::collections::HashMap;

use fondaco_proto::{
    Axes, Effect, Error, ErrorCode, Facet, Measure, Op, Origin, Program, ProgramLimits, Selection, Shape, op::*, wire,
};
use samples::{moved, samples, several, stats};

#[test]
fn every_operator_survives_the_wire() {
    for op in samples().into_iter().chain(moved()).chain(stats()).chain(several()) {
        assert_eq!(Op::try_from(wire::Op::from(op.clone())).unwrap(), op);
    }
}

#[test]
fn canonical_bytes_are_injective() {
    let mut seen: HashMap<Vec<u8>, Op> = HashMap::new();
    for op in samples().into_iter().chain(moved()).chain(stats()).chain(several()) {
        if let Some(other) = seen.insert(op.canonical(), op.clone()) {
            panic!("{op:?} and {other:?} share their canonical bytes");
        }
    }
}

#[test]
fn canonical_bytes_are_pinned() {
    let all: Vec<u8> = samples().iter().flat_map(Op::canonical).collect();
    // A change here changes lineage keys: it needs a new PROTOCOL_VERSION and lineage VERSION.
    assert_eq!(blake3::hash(&all).to_hex().as_str(), PINNED);
    let moved: Vec<u8> = moved().iter().flat_map(Op::canonical).collect();
    assert_eq!(blake3::hash(&moved).to_hex().as_str(), PINNED_MOVED);
    let stats: Vec<u8> = stats().iter().flat_map(Op::canonical).collect();
    assert_eq!(blake3::hash(&stats).to_hex().as_str(), PINNED_STATS);
    let several: Vec<u8> = several().iter().flat_map(Op::canonical).collect();
    assert_eq!(blake3::hash(&several).to_hex().as_str(), PINNED_SEVERAL);
}

const PINNED_MOVED: &str = "0df3775f137b10d158f576357a73bc68881039e7ed9868be4a846f319734fc7d";

const PINNED: &str = "db9a56f085c28929f84b1760af551245165dc839173a79821a0552abe82b8cac";

const PINNED_SEVERAL: &str = "a416f30587146c30850e88928f9c350879154032805dca0f6dade9df733d8b23";

const PINNED_STATS: &str = "646c04af5f3862db515e911a3ce75be4aef8401d61b8baa875f11284549008fe";

#[test]
fn missing_and_unknown_operators_are_refused() {
    let refused = |op: wire::Op| assert_eq!(Op::try_from(op).unwrap_err().code(), ErrorCode::Invalid);
    refused(wire::Op::default());
    for code in [0, -1, 99] {
        let unary = wire::ElementwiseOp { op: Some(wire::elementwise_op::Op::Unary(code)) };
        refused(wire::Op { family: Some(wire::op::Family::Elementwise(unary)) });
        let matmul = wire::MatmulOp { kind: code, factorised: None };
        refused(wire::Op { family: Some(wire::op::Family::Matmul(matmul)) });
        let aggregate = wire::AggregateOp { function: code, axis: 1, ddof: 0, other: None };
        refused(wire::Op { family: Some(wire::op::Family::Aggregate(aggregate)) });
    }
    let ddof = wire::AggregateOp { function: 1, axis: 1, ddof: 1, other: None };
    refused(wire::Op { family: Some(wire::op::Family::Aggregate(ddof)) });
    use wire::stats_op;
    for op in [
        stats_op::Op::RankCounts(stats_op::RankCounts { ranks: 0, weighted: false }),
        stats_op::Op::Group(9),
        stats_op::Op::Levels(stats_op::Levels { most: u64::MAX }),
        stats_op::Op::WeightedMoments(stats_op::WeightedMoments { order: 5 }),
    ] {
        refused(wire::Op { family: Some(wire::op::Family::Stats(wire::StatsOp { op: Some(op) })) });
    }
    let both = wire::aggregate_op::Other::Trace(wire::TraceOp {});
    let both = wire::AggregateOp { function: 1, axis: 1, ddof: 0, other: Some(both) };
    refused(wire::Op { family: Some(wire::op::Family::Aggregate(both)) });
    let seq = wire::SeqOp { rows: 2, columns: 2, total_columns: 1, ..Default::default() };
    let seq = wire::CreateOp { op: Some(wire::create_op::Op::Seq(seq)) };
    refused(wire::Op { family: Some(wire::op::Family::Create(seq)) });
    let sample = wire::SampleOp { rows: 3, columns: 1, population: 2, ..Default::default() };
    let sample = wire::CreateOp { op: Some(wire::create_op::Op::Sample(sample)) };
    refused(wire::Op { family: Some(wire::op::Family::Create(sample)) });
    let backwards = wire::slice_op::Range { row_start: 2, row_end: 1, ..Default::default() };
    let backwards = wire::SliceOp { op: Some(wire::slice_op::Op::Range(backwards)) };
    refused(wire::Op { family: Some(wire::op::Family::Slice(backwards)) });
    for kind in [0, -1, 99] {
        let reorg = wire::ReorgOp { op: Some(wire::reorg_op::Op::Kind(kind)) };
        refused(wire::Op { family: Some(wire::op::Family::Reorg(reorg)) });
    }
    let long = Op::Slice(SliceOp::Rows(vec![0; SliceOp::INDICES_MAX + 1]));
    assert_eq!(Op::try_from(wire::Op::from(long)).unwrap_err().code(), ErrorCode::Limit);
}

#[test]
fn deep_filters_are_refused() {
    let mut filter = wire::Filter { node: Some(wire::filter::Node::IsNull("a".into())) };
    for _ in 0..40 {
        filter = wire::Filter { node: Some(wire::filter::Node::Not(Box::new(filter))) };
    }
    let read = wire::ReadOp { dataset: "d".into(), columns: vec![], filter: Some(filter), frame: false };
    let error = Read::try_from(read).unwrap_err();
    assert!(error.message().contains("filter_depth_max"), "{error}");
}

fn apply(output: u64, inputs: &[u64]) -> wire::Instruction {
    let op = if inputs.is_empty() {
        Op::Create(CreateOp::Fill(Fill { shape: Shape::new(1, 1), value: 0.0 }))
    } else {
        Op::Reorg(ReorgOp::Hstack)
    };
    let apply = wire::Apply { output, op: Some(op.into()), inputs: inputs.to_vec() };
    wire::Instruction { effect: Some(wire::instruction::Effect::Apply(apply)) }
}

fn drop_of(variable: u64) -> wire::Instruction {
    let drop = wire::Drop { variables: vec![variable] };
    wire::Instruction { effect: Some(wire::instruction::Effect::Drop(drop)) }
}

fn parse(instructions: Vec<wire::Instruction>, fetch: &[u64]) -> Result<Program, Error> {
    let limits = ProgramLimits { program_instructions_max: 4, inline_bytes_max: 16 };
    Program::parse(&[7; 16], instructions, fetch.to_vec(), &limits)
}

#[test]
fn programs_are_parsed_whole_or_refused_with_an_index() {
    assert!(parse(vec![apply(1, &[]), apply(2, &[1]), drop_of(1)], &[2]).is_ok());
    let refusals = [
        (vec![apply(1, &[]), apply(1, &[])], 1),
        (vec![apply(1, &[1])], 0),
        (vec![apply(1, &[2]), apply(2, &[1])], 1),
        (vec![apply(1, &[]), drop_of(1), apply(2, &[1])], 2),
        (vec![apply(1, &[]), wire::Instruction::default()], 1),
    ];
    for (instructions, index) in refusals {
        let error = parse(instructions, &[]).unwrap_err();
        assert_eq!((error.code(), error.kind().instruction), (ErrorCode::Invalid, Some(index)), "{error}");
    }
    assert_eq!(parse(vec![apply(1, &[]); 5], &[]).unwrap_err().code(), ErrorCode::Limit);
    assert!(parse(vec![drop_of(9)], &[9]).is_err());
    let limits = ProgramLimits { program_instructions_max: 4, inline_bytes_max: 16 };
    assert!(Program::parse(&[7; 15], vec![], vec![], &limits).is_err());
}

#[test]
fn errors_survive_the_wire() {
    let error = Error::busy("later", std::time::Duration::from_millis(250)).at(3).with_request_id("r");
    assert_eq!(Error::from_status(&error.to_status()), Some(error));
    for code in ErrorCode::ALL {
        let error = Error::new(*code, "text");
        assert_eq!(Error::from_status(&error.to_status()), Some(error));
    }
    assert_eq!(Error::from_status(&tonic::Status::internal("another's")), None);
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let shape = Shape::new;
    let product = Op::Matmul(MatmulOp::Product);
    assert_eq!(product.shape(&[shape(5, 3), shape(3, 2)]).unwrap(), shape(5, 2));
    assert!(product.shape(&[shape(5, 3), shape(2, 2)]).unwrap_err().message().contains("(5, 3), (2, 2)"));
    assert_eq!(product.shape(&[shape(1, 3), shape(3, 2), shape(1, 9), shape(9, 2)]).unwrap(), shape(1, 2));
    assert!(product.shape(&[shape(1, 3), shape(3, 2), shape(1, 9), shape(9, 3)]).is_err());
    let add = Op::Elementwise(ElementwiseOp::Binary(Binary { function: BinaryFunction::Add, scalar: None }));
    assert_eq!(add.shape(&[shape(1, 4), shape(5, 1)]).unwrap(), shape(5, 4));
    assert_eq!(add.shape(&[shape(0, 4), shape(1, 1)]).unwrap(), shape(0, 4));
    assert!(add.shape(&[shape(0, 4), shape(2, 4)]).is_err());
    let huge = Op::Create(CreateOp::Fill(Fill { shape: shape(1 << 40, 1 << 40), value: 0.0 }));
    assert!(huge.shape(&[]).is_err());
    let max = Op::Aggregate(AggregateOp::new(AggregateFunction::Max, Axis::Columns));
    assert!(max.shape(&[shape(0, 4)]).is_err());
    assert!(max.shape(&[shape(0, 4), shape(1, 4)]).is_ok());
    assert!(Op::Reorg(ReorgOp::Vstack).shape(&[shape(u64::MAX, 1), shape(2, 1)]).is_err());
}

const ROWS: Facet = Facet { shape: Shape::new(9, 2), axes: Axes::Rows, plain: true, native: true };
const UPLOAD: Facet = Facet { shape: Shape::new(9, 2), axes: Axes::None, plain: false, native: false };

fn effect(op: Op, inputs: &[Facet]) -> Effect {
    op.effect(inputs)
}

fn binary(function: BinaryFunction) -> Op {
    Op::Elementwise(ElementwiseOp::Binary(Binary { function, scalar: None }))
}

#[test]
fn linear_maps_of_columns_stay_plain_and_all_else_is_measured() {
    let plain = Effect::keeping(Axes::Rows, true).measured(Measure::Linear);
    let row = Facet { shape: Shape::new(1, 2), ..UPLOAD };
    assert_eq!(effect(binary(BinaryFunction::Add), &[ROWS, ROWS]), plain);
    assert_eq!(effect(binary(BinaryFunction::Multiply), &[ROWS, row]), plain);
    assert_eq!(effect(binary(BinaryFunction::Divide), &[ROWS, row]), plain);
    let measured = |weights: &[usize]| Effect::keeping(Axes::Rows, false).measured(Measure::Cells(weights.to_vec()));
    assert_eq!(effect(binary(BinaryFunction::Divide), &[row, ROWS]), measured(&[]));
    let capped = Effect::keeping(Axes::Rows, false).measured(Measure::Capped);
    assert_eq!(effect(binary(BinaryFunction::Maximum), &[ROWS, row]), capped);
    let masked = Facet { plain: false, native: false, ..ROWS };
    for (x, by) in [(masked, row), (ROWS, UPLOAD), (ROWS, ROWS)] {
        assert_eq!(effect(binary(BinaryFunction::Maximum), &[x, by]).axes, Axes::Entangled);
    }
    let replace = |pattern| Op::Elementwise(ElementwiseOp::Ternary(Ternary::Replace { pattern, value: 0.0 }));
    assert_eq!(effect(replace(1.0), &[ROWS]), capped);
    assert_eq!(effect(replace(f64::NAN), &[ROWS]), Effect::keeping(Axes::Rows, false).measured(Measure::Cells(vec![])));
    assert_eq!(effect(binary(BinaryFunction::Multiply), &[ROWS, ROWS]), measured(&[]));
    assert_eq!(effect(binary(BinaryFunction::Multiply), &[UPLOAD, ROWS]), measured(&[0]));
    assert_eq!(effect(binary(BinaryFunction::Add), &[ROWS, UPLOAD]), measured(&[1]));
    assert_eq!(effect(binary(BinaryFunction::Less), &[ROWS, row]), measured(&[]));
    let one_row = Facet { shape: Shape::new(1, 2), ..ROWS };
    assert_eq!(effect(binary(BinaryFunction::Add), &[ROWS, one_row]).axes, Axes::Entangled);
}

#[test]
fn sums_over_rows_count_them_or_weigh_them() {
    let matmul = |op: MatmulOp, inputs: &[Facet]| effect(Op::Matmul(op), inputs);
    assert_eq!(matmul(MatmulOp::Gram, &[ROWS]).measure, Measure::Count);
    assert_eq!(matmul(MatmulOp::Cross, &[ROWS, ROWS]).measure, Measure::Count);
    assert_eq!(matmul(MatmulOp::Cross, &[ROWS, UPLOAD]).measure, Measure::Weights(vec![1]));
    let left = Facet { shape: Shape::new(1, 9), ..UPLOAD };
    assert_eq!(matmul(MatmulOp::Product, &[left, ROWS]).measure, Measure::Weights(vec![0]));
    assert_eq!(matmul(MatmulOp::Product, &[left, ROWS, left, ROWS]).selection, Selection::Concatenated);
    let masked = Facet { plain: false, native: false, ..ROWS };
    assert_eq!(matmul(MatmulOp::Gram, &[masked]).measure, Measure::Terms(vec![]));
    assert_eq!(matmul(MatmulOp::Product, &[left, masked]).measure, Measure::Terms(vec![0, 1]));
    let v = Facet { shape: Shape::new(2, 1), ..UPLOAD };
    let w = Facet { shape: Shape::new(9, 1), ..UPLOAD };
    assert_eq!(matmul(MatmulOp::Mmchain, &[v, ROWS]).measure, Measure::Count);
    assert_eq!(matmul(MatmulOp::MmchainWeighted, &[v, ROWS, w]).measure, Measure::Weights(vec![2]));
    assert_eq!(matmul(MatmulOp::MmchainMinus, &[v, ROWS, ROWS]).measure, Measure::Count);
    let right = Facet { shape: Shape::new(2, 3), ..UPLOAD };
    assert_eq!(matmul(MatmulOp::Product, &[ROWS, right]), Effect::keeping(Axes::Rows, true).measured(Measure::Linear));
}

#[test]
fn rows_are_not_counted_twice_and_extremes_are_marked() {
    let transposed = Facet { shape: Shape::new(2, 9), axes: Axes::Columns, plain: true, native: true };
    let columns = |indices: &[u64]| Op::Slice(SliceOp::Columns(indices.to_vec()));
    assert_eq!(effect(columns(&[0, 1]), &[transposed]).axes, Axes::Columns);
    assert_eq!(effect(columns(&[0, 0]), &[transposed]).axes, Axes::Entangled);
    assert_eq!(effect(columns(&[0, 0]), &[ROWS]), Effect::keeping(Axes::Rows, true).native_if(true));
    let scaled = Facet { native: false, ..ROWS };
    let stacked = effect(Op::Reorg(ReorgOp::Vstack), &[ROWS, scaled]);
    assert_eq!((stacked.plain, stacked.measure), (false, Measure::Cells(vec![])));
    let sum = AggregateOp::new(AggregateFunction::Sum, Axis::Columns);
    assert_eq!(effect(Op::Aggregate(sum), &[ROWS, ROWS]).measure, Measure::Count);
    assert_eq!(effect(Op::Aggregate(sum), &[ROWS, scaled]).measure, Measure::Terms(vec![]));
    let nnz = Op::Aggregate(AggregateOp::new(AggregateFunction::Nnz, Axis::Columns));
    assert_eq!(effect(nnz.clone(), &[ROWS, ROWS]).measure, Measure::NonZero { shifted: false });
    assert_eq!(effect(nnz, &[ROWS, scaled]).measure, Measure::NonZero { shifted: true });
    assert_eq!(effect(Op::Reorg(ReorgOp::Vstack), &[ROWS, ROWS]).selection, Selection::Concatenated);
    let flipped = effect(Op::Reorg(ReorgOp::Flip), &[ROWS]);
    assert_eq!((flipped.axes, flipped.native, flipped.selection), (Axes::Rows, true, Selection::Reversed));
    assert_eq!(effect(Op::Reorg(ReorgOp::Vstack), &[ROWS, UPLOAD]).axes, Axes::Entangled);
    let max = |axis| Op::Aggregate(AggregateOp::new(AggregateFunction::Max, axis));
    assert!(effect(max(Axis::Columns), &[ROWS]).extreme);
    assert!(!effect(max(Axis::Rows), &[ROWS]).extreme);
    assert!(!effect(max(Axis::Columns), &[UPLOAD]).extreme);
    let entangled = Facet { axes: Axes::Entangled, ..ROWS };
    assert_eq!(effect(max(Axis::All), &[entangled]).axes, Axes::Entangled);
}

#[test]
fn chosen_rows_are_the_same_rows_or_nobodys() {
    let take = |indices: &[u64]| effect(Op::Slice(SliceOp::Rows(indices.to_vec())), &[ROWS]);
    assert_eq!(take(&[2, 3, 4]).selection, Selection::Range(2, 5));
    assert_eq!((take(&[4, 2]).axes, take(&[4, 2]).selection), (Axes::Rows, Selection::Some));
    assert_eq!(take(&[4, 2, 4]).axes, Axes::Entangled);
    let of = |x: Facet, mask: Facet| effect(Op::Slice(SliceOp::FilterRows), &[x, mask]);
    let mask = Facet { shape: Shape::new(9, 1), ..ROWS };
    let made = Facet { plain: false, native: false, ..mask };
    let own = Facet { shape: Shape::new(9, 1), ..UPLOAD };
    assert_eq!(of(ROWS, own).measure, Measure::Linear);
    assert_eq!(of(ROWS, mask).measure, Measure::Chosen { plain: true, shifted: false });
    assert_eq!(of(made, made).measure, Measure::Chosen { plain: false, shifted: true });
    assert_eq!(of(ROWS, made).selection, Selection::Some);
    assert_eq!(of(UPLOAD, mask).axes, Axes::Entangled);
    let reorg = |op: ReorgOp, x: Facet| effect(Op::Reorg(op), &[x]);
    let sorted = reorg(ReorgOp::Sort { by: 0, descending: false, indices: false }, ROWS);
    assert_eq!((sorted.plain, sorted.native, sorted.selection), (true, true, Selection::Some));
    assert_eq!(reorg(ReorgOp::Sort { by: 0, descending: false, indices: true }, ROWS).axes, Axes::Entangled);
    assert_eq!(reorg(ReorgOp::Reshape(Shape::new(2, 9)), ROWS).axes, Axes::Entangled);
    assert_eq!(reorg(ReorgOp::Diag { columns: 9, offset: 0 }, mask).axes, Axes::Entangled);
    let distinct = reorg(ReorgOp::Unique, mask);
    assert_eq!((distinct.axes, distinct.extreme, distinct.measure), (Axes::None, true, Measure::Groups));
    let diagonal = reorg(ReorgOp::Diagonal { offset: -3 }, ROWS);
    assert_eq!((diagonal.plain, diagonal.selection), (false, Selection::Range(3, 5)));
    let set = |rows, columns, y: Facet| effect(Op::Slice(SliceOp::Set { rows, columns }), &[ROWS, y]);
    assert_eq!(set(0..9, 0..1, own).measure, Measure::Weights(vec![1]));
    assert!(set(0..9, 0..1, mask).plain);
    assert_eq!(set(1..9, 0..1, Facet { shape: Shape::new(1, 1), ..UPLOAD }).axes, Axes::Entangled);
    assert_eq!(Op::Slice(SliceOp::FilterRows).rows_decided_by(), Some(1));
    assert_eq!(Op::Reorg(ReorgOp::Unique).rows_decided_by(), Some(0));
    assert_eq!(Op::Reorg(ReorgOp::Flip).rows_decided_by(), None);
}

#[test]
fn rows_in_cells_are_measured_there() {
    let stats = |op: StatsOp, inputs: &[Facet]| effect(Op::Stats(op), inputs);
    let grouped = |plain, closed| Measure::Grouped { plain, closed };
    let steps = Facet { shape: Shape::new(3, 2), ..UPLOAD };
    let w = Facet { shape: Shape::new(9, 1), ..UPLOAD };
    let code = Facet { shape: Shape::new(9, 1), ..ROWS };
    let masked = |of: Facet| Facet { plain: false, native: false, ..of };
    let counts = |ranks, weighted| StatsOp::RankCounts { ranks, weighted };
    let between = |inputs: &[Facet]| stats(counts(Ranks::Between, inputs.len() > 2), inputs);
    assert_eq!(between(&[steps, ROWS]), Effect::keeping(Axes::None, false).measured(grouped(true, true)));
    assert_eq!(between(&[steps, ROWS, w]).measure, grouped(false, true));
    assert_eq!(between(&[steps, ROWS, code]).measure, grouped(true, true));
    assert_eq!(between(&[steps, masked(ROWS)]).measure, grouped(true, false));
    assert_eq!(between(&[steps, UPLOAD]).measure, Measure::Inherit);
    // Which cells are equal, rows as thresholds, rows of parts that a tenant shaped, columns that are rows.
    assert_eq!(stats(counts(Ranks::Tied, false), &[steps, ROWS]).axes, Axes::Entangled);
    assert_eq!(between(&[Facet { axes: Axes::Rows, ..steps }, ROWS]).axes, Axes::Entangled);
    assert_eq!(stats(counts(Ranks::Between, false), &[steps, ROWS, masked(ROWS)]).axes, Axes::Entangled);
    assert_eq!(stats(counts(Ranks::Between, false), &[steps, ROWS, UPLOAD]).axes, Axes::Entangled);
    assert_eq!(between(&[steps, Facet { axes: Axes::Columns, ..ROWS }]).axes, Axes::Entangled);
    let parts = stats(counts(Ranks::Between, false), &[steps, ROWS, ROWS]);
    assert_eq!((parts.axes, parts.selection), (Axes::None, Selection::Concatenated));

    let table = |weighted| StatsOp::Table { rows: 2, columns: 2, weighted };
    assert_eq!(stats(table(false), &[code, code]).measure, grouped(true, true));
    assert_eq!(stats(table(false), &[code, masked(code)]).measure, grouped(true, false));
    assert_eq!(stats(table(true), &[code, w, w]).measure, grouped(false, true));
    let group = |function, inputs: &[Facet]| stats(StatsOp::Group(function), inputs);
    let levels = Facet { shape: Shape::new(4, 1), ..UPLOAD };
    assert_eq!(group(GroupFunction::Sum, &[levels, code, ROWS]).measure, grouped(true, true));
    assert_eq!(group(GroupFunction::Sum, &[levels, w, ROWS]).measure, grouped(true, true));
    assert_eq!(group(GroupFunction::Moments, &[levels, masked(code), masked(ROWS)]).measure, grouped(false, false));
    assert!(group(GroupFunction::Min, &[levels, code, ROWS]).extreme);
    assert!(!group(GroupFunction::Sum, &[levels, code, ROWS]).extreme);
    assert!(stats(StatsOp::Levels { most: 4 }, &[code]).extreme);
    let moments = |order, w| stats(StatsOp::WeightedMoments { order }, &[ROWS, w]).measure;
    assert_eq!(moments(2, w), Measure::Weights(vec![1]));
    assert_eq!((moments(3, w), moments(2, code)), (Measure::Terms(vec![1]), Measure::Terms(vec![1])));
    assert_eq!(stats(StatsOp::WeightedCov, &[masked(ROWS), w]).measure, Measure::Terms(vec![1]));
}

#[test]
fn what_stands_for_several_does_what_they_do() {
    let product = |factors| Op::Aggregate(AggregateOp::SumProduct(SumProduct { factors, axis: Axis::Columns }));
    let unfused = Effect::keeping(Axes::None, false).measured(Measure::Unfused);
    assert_eq!(effect(product(2), &[ROWS, ROWS]), unfused);
    assert_eq!(effect(product(2), &[ROWS, UPLOAD]), unfused);
    let scaled = Facet { native: false, ..ROWS };
    assert_eq!(effect(product(2), &[ROWS, ROWS, scaled, ROWS]).selection, Selection::Concatenated);
    let steps = product(3).unfused(3).unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step.op.name()).collect();
    assert_eq!(names, ["multiply", "multiply", "sum"]);
    assert_eq!(steps[1].inputs, [Origin::Step(0), Origin::Input(2)]);

    let factorised = |op, inputs: &[Facet]| effect(Op::Matmul(MatmulOp::Factorised(op)), inputs);
    let (v, u) = (Facet { shape: Shape::new(2, 1), ..UPLOAD }, Facet { shape: Shape::new(9, 1), ..ROWS });
    assert_eq!(factorised(Factorised::Loss(LossWeights::None), &[v, ROWS, u]), unfused);
    assert_eq!(factorised(Factorised::DividedLeft, &[v, ROWS, u]), unfused);
    let stays = Effect::keeping(Axes::Rows, false).measured(Measure::Unfused);
    assert_eq!(factorised(Factorised::Divided, &[v, ROWS, u]), stays);
    assert_eq!(factorised(Factorised::Times(Unary::Exp), &[v, ROWS, u]), stays);
    let rows_as_v = Facet { shape: Shape::new(2, 1), ..ROWS };
    assert_eq!(factorised(Factorised::Loss(LossWeights::None), &[rows_as_v, ROWS, u]).axes, Axes::Entangled);
}

#[test]
fn what_holds_rows_before_it_never_leaves() {
    let cumulate = |function, axis| Op::Aggregate(AggregateOp::Cumulate(Cumulate { function, axis, carried: false }));
    for function in CumulateFunction::ALL {
        let down = effect(cumulate(*function, Axis::Columns), &[ROWS]);
        assert_eq!((down.axes, down.extreme), (Axes::Entangled, *function != CumulateFunction::Cumsum));
        assert_eq!(effect(cumulate(*function, Axis::Columns), &[UPLOAD]).axes, Axes::None);
    }
    let own = effect(cumulate(CumulateFunction::Cumsum, Axis::Rows), &[ROWS]);
    assert_eq!(own, Effect::keeping(Axes::Rows, true).measured(Measure::Linear));
    let own = effect(cumulate(CumulateFunction::Cummax, Axis::Rows), &[ROWS]);
    assert_eq!(own, Effect::keeping(Axes::Rows, false).measured(Measure::Cells(vec![])));
    assert_eq!(effect(cumulate(CumulateFunction::Cumsumprod, Axis::Rows), &[ROWS]).axes, Axes::Entangled);
    let trace = Op::Aggregate(AggregateOp::Trace);
    let square = Facet { shape: Shape::new(9, 9), ..ROWS };
    assert_eq!(effect(trace.clone(), &[square]).axes, Axes::Entangled);
    assert_eq!(effect(trace, &[UPLOAD]), Effect::keeping(Axes::None, false));
    let distinct = |what| effect(Op::Aggregate(AggregateOp::Distinct(what)), &[ROWS]);
    let count = distinct(Distinct::Count);
    assert_eq!((count.axes, count.extreme, count.measure), (Axes::None, true, Measure::Count));
    assert_eq!(distinct(Distinct::Values { rows: 3 }).axes, Axes::Entangled);
    let registers = distinct(Distinct::Registers { bits: 4 });
    assert_eq!((registers.axes, registers.extreme, registers.measure), (Axes::None, true, Measure::Terms(vec![])));
    for function in [AggregateFunction::Argmax, AggregateFunction::PlacedMin] {
        assert!(effect(Op::Aggregate(AggregateOp::new(function, Axis::Columns)), &[ROWS]).extreme);
    }
    let steep = Op::Aggregate(AggregateOp::new(AggregateFunction::Kurtosis, Axis::Columns));
    assert_eq!(effect(steep, &[ROWS]).measure, Measure::Terms(vec![]));
}
