//! The operators on frames: their messages, their canonical bytes, and what they do to labels.

use std::collections::HashSet;

use fondaco_proto::{
    Axes, ColumnKind, Facet, Field, Measure, Op, Selection, Shape,
    op::{Code, EncodeOp, Feature, Filter, Guard, Join, JoinHow, JoinKeys, Map, Selected, Values, Words},
    wire,
};

const ROWS: Facet = Facet { shape: Shape { rows: 9, columns: 2 }, axes: Axes::Rows, plain: true, native: true };
const MADE: Facet = Facet { plain: false, native: false, ..ROWS };
const PUBLIC: Facet = Facet { axes: Axes::None, ..MADE };

fn features() -> Vec<Feature> {
    let words = Words { lowercase: true, chars_min: 2 };
    let texts = || Values::Text(vec!["a".into(), "b".into()]);
    let codes = [
        Code::Number { missing: None },
        Code::Number { missing: Some(0.0) },
        Code::Ordinal { categories: texts(), strict: true, unknown: -1.0, missing: -2.0 },
        Code::OneHot { categories: texts(), missing: true, strict: false, dropped: Some(1) },
        Code::OneHot { categories: Values::Float64(vec![1.5]), missing: false, strict: false, dropped: None },
        Code::OneHot { categories: Values::Int64(vec![-4]), missing: false, strict: false, dropped: None },
        Code::OneHot { categories: Values::Bool(vec![true]), missing: false, strict: false, dropped: None },
        Code::OneHot { categories: Values::Date(vec![-4]), missing: false, strict: false, dropped: None },
        Code::Bins { edges: vec![0.0, 1.0, 2.0], one_hot: true },
        Code::Hash { columns: 8, alternate_sign: true },
        Code::Words { vocabulary: vec!["a".into()], words, binary: true },
    ];
    codes.map(|code| Feature { column: "x".into(), code }).into()
}

fn ops() -> Vec<EncodeOp> {
    let names = || vec!["x".to_owned(), "y".to_owned()];
    let words = Words { lowercase: false, chars_min: 1 };
    let mut ops = vec![
        EncodeOp::Select(vec![Selected { from: "x".into(), name: "z".into() }]),
        EncodeOp::Cast { to: vec![Field::new("x", ColumnKind::Int64)], strict: false },
        EncodeOp::Cast { to: vec![Field::new("x", ColumnKind::Int64)], strict: true },
        EncodeOp::Filter(Filter::IsNull("x".into())),
        EncodeOp::DropMissing(names()),
        EncodeOp::Map { output: "z".into(), map: Map::lower("x") },
        EncodeOp::Matrix(names()),
        EncodeOp::Frame(names()),
        EncodeOp::Categories { column: "x".into(), rows_min: 1, guard: Guard::Open },
        EncodeOp::Categories { column: "x".into(), rows_min: 9, guard: Guard::Open },
        EncodeOp::Tokens { column: "x".into(), words, rows_min: 1, guard: Guard::Open },
        EncodeOp::Decode(vec![Feature { column: "x".into(), code: Code::Number { missing: None } }]),
        EncodeOp::FillMissing(vec![1.0, 2.0]),
    ];
    for (how, keys) in [(JoinHow::Inner, JoinKeys::ManyToOne), (JoinHow::Left, JoinKeys::OneToOne)] {
        ops.push(EncodeOp::Join(Join { left: names(), right: names(), how, keys }));
    }
    ops.extend(
        features().into_iter().map(|feature| EncodeOp::Features { features: vec![feature], guard: Guard::Open }),
    );
    ops
}

#[test]
fn messages_come_back_and_no_two_are_alike() {
    let mut seen = HashSet::new();
    for op in ops().into_iter().map(Op::Encode) {
        assert_eq!(Op::try_from(wire::Op::from(op.clone())).unwrap(), op);
        assert!(seen.insert(op.canonical()), "{} has the bytes of another", op.name());
    }
    let guarded = EncodeOp::Categories { column: "x".into(), rows_min: 1, guard: Guard::Native(5) };
    assert!(seen.insert(Op::Encode(guarded.clone()).canonical()), "what is left out is another value");
    let sent = Op::try_from(wire::Op::from(Op::Encode(guarded))).unwrap();
    assert_eq!(sent, Op::Encode(EncodeOp::Categories { column: "x".into(), rows_min: 1, guard: Guard::Open }));
}

#[test]
fn what_a_worker_leaves_out_follows_from_the_labels() {
    let op = Op::Encode(EncodeOp::Features { features: vec![features().swap_remove(3)], guard: Guard::Open });
    let guard = |facet: Facet, protected: bool| match op.guarded(&[facet], &[protected], 5).unwrap() {
        Op::Encode(EncodeOp::Features { guard, .. }) => guard,
        other => panic!("{other:?}"),
    };
    assert_eq!(guard(PUBLIC, false), Guard::Open);
    assert_eq!((guard(ROWS, true), guard(MADE, true)), (Guard::Native(5), Guard::Shaped(5)));
    let strict = Op::Encode(EncodeOp::Features { features: vec![features().swap_remove(2)], guard: Guard::Open });
    assert!(strict.guarded(&[ROWS], &[true], 5).is_err() && strict.guarded(&[PUBLIC], &[false], 5).is_ok());
}

#[test]
fn labels() {
    for op in ops() {
        let facets = |facet: Facet| if matches!(op, EncodeOp::Join(_)) { vec![facet, PUBLIC] } else { vec![facet] };
        let effect = |facet: Facet| Op::Encode(op.clone()).effect(&facets(facet));
        let (own, made) = (effect(ROWS), effect(MADE));
        // Of what was made nothing is plain again, and nobody's data has axes.
        assert!(!made.plain && !made.native && effect(PUBLIC).axes == Axes::None, "{op:?}");
        let as_read = matches!(op, EncodeOp::Select(_) | EncodeOp::Matrix(_) | EncodeOp::Frame(_));
        let chosen = matches!(op, EncodeOp::Filter(_) | EncodeOp::DropMissing(_));
        assert_eq!(own.native, as_read || chosen, "{op:?}");
        assert_eq!(own.selection == Selection::Some, chosen, "{op:?}");
        match &op {
            EncodeOp::Join(_) => assert_eq!(own.axes, Axes::Entangled),
            EncodeOp::Categories { .. } | EncodeOp::Tokens { .. } => {
                assert_eq!((own.axes, own.measure), (Axes::None, Measure::Groups));
            }
            _rows => assert_eq!(own.axes, Axes::Rows, "{op:?}"),
        }
        let turned = Facet { axes: Axes::Columns, ..ROWS };
        assert_eq!(effect(turned).axes, Axes::Entangled, "{op:?}");
    }
}
