//! Programs that no SDK would write.

use fondaco_proto::{
    CoordinatorId,
    ErrorCode::{Invalid, Limit},
    Op, Shape, VarId,
    wire::{self, instruction::Effect, op::Family},
};
use ndarray::{Array2, arr2};

use super::{clear, lives_on, memory_returns};
use crate::harness::{Client, Plan, op, refusal};

fn apply(output: u64, op: Option<wire::Op>, inputs: &[u64]) -> wire::Instruction {
    wire::Instruction { effect: Some(Effect::Apply(wire::Apply { output, op, inputs: inputs.to_vec() })) }
}

fn aggregate(function: i32, axis: i32, ddof: u32) -> Option<wire::Op> {
    family(Family::Aggregate(wire::AggregateOp { function, axis, ddof, other: None }))
}

fn other(other: wire::aggregate_op::Other) -> Option<wire::Op> {
    family(Family::Aggregate(wire::AggregateOp { other: Some(other), ..Default::default() }))
}

fn family(family: Family) -> Option<wire::Op> {
    Some(wire::Op { family: Some(family) })
}

/// Sends a good instruction, then this one.
async fn second(client: &Client, instruction: wire::Instruction) -> crate::harness::Result<crate::harness::Answer> {
    let first = apply(client.name(), Some(op::fill(1, 1, 1.0).into()), &[]);
    client
        .send(wire::ExecRequest {
            scope: client.scope(),
            program_id: client.program().id.0.to_vec(),
            instructions: vec![first, instruction],
            fetch: vec![],
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_that_there_are_not() {
    use wire::{aggregate_op::Other, create_op, elementwise_op, filter, reorg_op, slice_op, ternary_op};
    let site = Plan::new().limits(|limits| limits.reuse = false).start().await;
    let ada = site.client("ada").await;
    let x = ada.bind(|p| p.fill(3, 3, 1.0)).await.unwrap();
    let before = site.used_bytes();
    let elementwise = |op| family(Family::Elementwise(wire::ElementwiseOp { op }));
    let create = |op| family(Family::Create(wire::CreateOp { op }));
    let read = |filter: Option<filter::Node>| wire::ReadOp {
        dataset: "d".into(),
        columns: vec![],
        filter: Some(wire::Filter { node: filter }),
        frame: false,
    };
    let unknown = wire::BinaryOp { function: 77, scalar: None };
    let compare = filter::Compare { column: "x".into(), op: 99, value: None };
    let rand = |density| wire::RandOp { rows: 1, columns: 1, density, ..wire::RandOp::default() };
    let ops = [
        ("no op", None),
        ("no family", Some(wire::Op { family: None })),
        ("an empty family", elementwise(None)),
        ("an unknown function", elementwise(Some(elementwise_op::Op::Unary(999)))),
        ("function zero", elementwise(Some(elementwise_op::Op::Unary(0)))),
        ("a negative function", elementwise(Some(elementwise_op::Op::Unary(-1)))),
        ("an unknown binary one", elementwise(Some(elementwise_op::Op::Binary(unknown)))),
        ("an empty ternary one", elementwise(Some(elementwise_op::Op::Ternary(wire::TernaryOp { op: None })))),
        (
            "a where without inputs",
            elementwise(Some(elementwise_op::Op::Ternary(wire::TernaryOp {
                op: Some(ternary_op::Op::Where(ternary_op::Where {})),
            }))),
        ),
        ("an unknown aggregate", aggregate(55, 1, 0)),
        ("an aggregate without axis", aggregate(1, 0, 0)),
        ("a sum with ddof", aggregate(1, 1, 1)),
        ("a skew with ddof", aggregate(28, 1, 2)),
        ("cumulative over all", other(Other::Cumulate(wire::CumulateOp { function: 1, axis: 1, carried: false }))),
        ("a product of four", other(Other::SumProduct(wire::SumProductOp { factors: 4, axis: 1 }))),
        ("distinct nothing", other(Other::Distinct(wire::DistinctOp { what: None }))),
        ("an unknown product", family(Family::Matmul(wire::MatmulOp { kind: 44, factorised: None }))),
        ("neither product", family(Family::Matmul(wire::MatmulOp { kind: 1, factorised: Some(Default::default()) }))),
        ("an unknown reorg", family(Family::Reorg(wire::ReorgOp { op: Some(reorg_op::Op::Kind(33)) }))),
        ("an empty reorg", family(Family::Reorg(wire::ReorgOp { op: None }))),
        ("an empty slice op", family(Family::Slice(wire::SliceOp { op: None }))),
        (
            "a slice that ends before it starts",
            family(Family::Slice(wire::SliceOp {
                op: Some(slice_op::Op::Range(slice_op::Range { row_start: 2, ..slice_op::Range::default() })),
            })),
        ),
        ("an empty create", create(None)),
        ("a block without shape", create(Some(create_op::Op::Put(wire::Block::default())))),
        ("rand without distribution", create(Some(create_op::Op::Rand(rand(1.0))))),
        ("rand of no number", create(Some(create_op::Op::Rand(rand(f64::NAN))))),
        ("an empty filter", create(Some(create_op::Op::Read(read(None))))),
        ("an unknown comparison", create(Some(create_op::Op::Read(read(Some(filter::Node::Compare(compare))))))),
    ];
    for (case, op) in ops {
        let inputs: &[u64] = if case.contains("create") || case.contains("rand") { &[] } else { &[x] };
        let refused = second(&ada, apply(ada.name(), op, inputs)).await.expect_err(case);
        clear(case, &refused, &[Invalid]);
        assert_eq!(refused.kind().instruction, Some(1), "{case}: {refused:?}");
        lives_on(&ada).await;
    }
    let refused = second(&ada, wire::Instruction { effect: None }).await;
    clear("an empty instruction", &refused.expect_err("it is empty"), &[Invalid]);
    ada.clear(&[]).await.unwrap();
    memory_returns(&site, before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envelopes_that_are_torn() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let right = || wire::ExecRequest {
        scope: ada.scope(),
        program_id: ada.program().id.0.to_vec(),
        instructions: vec![apply(ada.name(), Some(op::fill(1, 1, 1.0).into()), &[])],
        fetch: vec![],
    };
    ada.send(right()).await.unwrap();
    let v4 = uuid::Uuid::new_v4().as_bytes().to_vec();
    let scope = |coordinator_id: Vec<u8>| Some(wire::ScopeRef { coordinator_id, epoch: ada.epoch });
    let cases = [
        ("no program id", wire::ExecRequest { program_id: vec![], ..right() }),
        ("a short program id", wire::ExecRequest { program_id: vec![1; 15], ..right() }),
        ("a long program id", wire::ExecRequest { program_id: vec![1; 17], ..right() }),
        ("no scope", wire::ExecRequest { scope: None, ..right() }),
        ("no coordinator", wire::ExecRequest { scope: scope(vec![]), ..right() }),
        ("half a coordinator", wire::ExecRequest { scope: scope(vec![7; 8]), ..right() }),
        ("a coordinator of another version", wire::ExecRequest { scope: scope(v4.clone()), ..right() }),
    ];
    for (case, message) in cases {
        clear(case, &ada.send(message).await.expect_err(case), &[Invalid]);
    }
    let message = wire::DescribeRequest { coordinator_id: v4, epoch: 0 };
    let status = ada.grpc.clone().describe(ada.request(message)).await.expect_err("another version");
    clear("to open such a scope", &status.into(), &[Invalid]);
    assert!(CoordinatorId::from_bytes(&[0; 16]).is_err());
    lives_on(&ada).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shapes_that_do_not_fit() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    let wide = ada.bind(|p| p.fill(2, 5, 1.0)).await.unwrap();
    let tall = ada.bind(|p| p.fill(4, 3, 1.0)).await.unwrap();
    let v = ada.bind(|p| p.fill(3, 1, 1.0)).await.unwrap();
    use fondaco_proto::op::{AggregateFunction, Axis, MatmulOp};
    let cases: [(&str, Op, &[u64]); 12] = [
        ("a sum of two shapes", op::add(), &[wide, tall]),
        ("a product", op::product(), &[wide, tall]),
        ("a cross product", op::cross(), &[wide, tall]),
        ("half a product", op::product(), &[wide]),
        ("a chain", op::matmul(MatmulOp::Mmchain), &[v, wide]),
        ("a weighted chain", op::matmul(MatmulOp::MmchainWeighted), &[v, tall, v]),
        ("parts of two widths", op::sum(), &[wide, tall]),
        ("stacked", op::vstack(), &[wide, tall]),
        ("side by side", op::hstack(), &[wide, tall]),
        ("a slice beyond", op::slice(0..3, 0..5), &[wide]),
        ("a column beyond", op::columns(&[0, 5]), &[wide]),
        ("row sums of two", op::aggregate(AggregateFunction::Sum, Axis::Rows), &[wide, wide]),
    ];
    for (case, op, inputs) in cases {
        let refused = ada.bind(|p| p.apply(op, inputs)).await.expect_err(case);
        clear(case, &refused, &[Invalid]);
        assert_eq!(refused.kind().instruction, Some(0), "{case}");
    }
    let none = ada.bind(|p| {
        let none = p.fill(0, 2, 1.0);
        p.apply(op::aggregate(AggregateFunction::Max, Axis::Columns), &[none])
    });
    clear("the maximum of nothing", &none.await.expect_err("there is none"), &[Invalid]);
    lives_on(&ada).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_numbers_at_their_end() {
    let site = Plan::new().start().await;
    let ada = site.client("ada").await;
    for name in [0, 1 << 63, u64::MAX - 1] {
        let mut program = ada.program();
        program.bind(name, op::fill(1, 1, 3.0), &[]);
        ada.run(&program).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(ada.fetch(name).await.unwrap(), arr2(&[[3.0]]));
    }
    let mut last = ada.program();
    last.bind(u64::MAX, op::fill(1, 1, 3.0), &[]);
    let first = ada.run(&last).await;
    let mut again = ada.program();
    again.bind(u64::MAX, op::fill(1, 1, 4.0), &[]);
    let second = ada.run(&again).await;
    assert!(first.is_err() || second.is_err(), "the last name of all was bound twice");
    assert_eq!(VarId(u64::MAX).0, u64::MAX);
    lives_on(&ada).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_of_everything() {
    let plan = Plan::new().limits(|limits| (limits.reuse, limits.programs_kept_max) = (false, 1));
    let site = plan.start().await;
    let ada = site.client("ada").await;
    let one = ada.bind(|p| p.fill(1, 1, 2.0)).await.unwrap();
    let before = site.used_bytes();

    let mut program = ada.program();
    let last = (0..4096).fold(one, |last, _| program.apply(op::transpose(), &[last]));
    program.fetch(last);
    assert_eq!(ada.run(&program).await.expect("just so many").value(), arr2(&[[2.0]]));
    let names: Vec<u64> = program
        .instructions
        .iter()
        .filter_map(|instruction| match instruction {
            fondaco_proto::Instruction::Apply(apply) => Some(apply.output.0),
            fondaco_proto::Instruction::Drop(_) => None,
        })
        .collect();
    ada.clear(&names).await.unwrap();
    let mut many = ada.program();
    (0..200_000).for_each(|i| many.drop_variables(&[i + (1 << 40)]));
    let refused = refusal(ada.run(&many).await, Limit);
    assert!(refused.message().contains("program_instructions_max"), "{refused:?}");

    let inputs = vec![one; 100_000];
    let sum = ada.value(|p| p.apply(op::vstack(), &inputs)).await.expect("parts have no limit but memory");
    assert_eq!(sum, Array2::from_elem((100_000, 1), 2.0));
    let indices = vec![0_u64; 500_000];
    let row = ada.value(|p| p.apply(op::columns(&indices), &[one])).await.expect("nor have indices");
    assert_eq!(row.dim(), (1, 500_000));
    let mut fetches = ada.program();
    (0..1000).for_each(|_| fetches.fetch(one));
    assert_eq!(ada.run(&fetches).await.expect("a value may be asked for often").values.len(), 1000);
    let mut ada = ada;
    ada.clear(&[]).await.unwrap();
    ada.open().await.unwrap();
    lives_on(&ada).await;
    memory_returns(&site, before + 64).await;
    assert_eq!(Shape::new(1, 1).bytes().unwrap(), 8);
}
