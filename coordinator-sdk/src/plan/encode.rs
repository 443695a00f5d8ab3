//! Frames, and matrices made of them: each row part by itself, at its site.

use fondaco_proto::{
    Op, Shape,
    op::{EncodeOp, JoinKeys},
};

use super::{Arg, Builder, Input, Plan, parts_of, refused};
use crate::{
    Error, Result,
    layout::{Cut, Layout},
};

pub(super) fn plan(op: &EncodeOp, mut builder: Builder) -> Result<Plan> {
    let name = Op::Encode(op.clone()).name();
    let mut shapes = builder.shapes();
    let join = matches!(op, EncodeOp::Join(_));
    shapes.truncate(if join { 2 } else { 1 });
    let out = Op::Encode(op.clone()).shape(&shapes)?;
    let layout = builder.only(name)?.clone();
    if let (EncodeOp::FillMissing(values), None) = (op, layout.viewed(Cut::Rows)) {
        return by_columns(values, &layout, builder);
    }
    let rows = layout.viewed(Cut::Rows);
    let rows = rows.ok_or_else(|| refused(name, &layout, "use a row cut, or put the columns at one site"))?;
    if let EncodeOp::Join(join) = op {
        if join.keys == JoinKeys::OneToOne && rows.parts().len() > 1 {
            return Err(Error::plan(
                "join: keys are one to one over all rows, so that the left frame must be whole at one site",
            ));
        }
        let right = right_of(&builder, &rows)?;
        let parts = builder.each(&rows, op.clone(), |part| vec![Input::Part { arg: 0, part }, right.clone()])?;
        return Ok(builder.fed(rows.with_across(Cut::Rows, out.columns), parts));
    }
    if let EncodeOp::Categories { .. } | EncodeOp::Tokens { .. } = op {
        // One list for each site, over all its parts: these are merged by value.
        let lists = builder.per_site(&rows, op.clone(), &[], &[parts_of(0, &rows)])?;
        let sites = rows.by_site().into_iter().map(|(site, _)| (site, 1));
        return Ok(builder.fed(Layout::rows(sites, 2)?, lists));
    }
    let parts = builder.each(&rows, op.clone(), |part| vec![Input::Part { arg: 0, part }])?;
    Ok(builder.fed(rows.with_across(Cut::Rows, out.columns), parts))
}

/// The right frame of a join: of the coordinator, or whole at the one site where the left is.
fn right_of(builder: &Builder, left: &Layout) -> Result<Input> {
    match builder.layout(1) {
        None => {
            let shape = builder.args.get(1).map_or(Shape::new(0, 0), Arg::shape);
            Ok(Input::Region { arg: 1, rows: 0..shape.rows, columns: 0..shape.columns })
        }
        Some(right) if right.whole_at().is_some_and(|site| left.parts().iter().all(|part| part.site == *site)) => {
            Ok(Input::Part { arg: 1, part: 0 })
        }
        Some(_) => Err(Error::plan(
            "join: rows of the right frame would have to move; it must be whole at the site where the left one is, or \
             at the coordinator",
        )),
    }
}

/// Each part of a column cut has the numbers of its own columns.
fn by_columns(values: &[f64], layout: &Layout, mut builder: Builder) -> Result<Plan> {
    let mut parts = Vec::with_capacity(layout.parts().len());
    for (index, part) in layout.parts().iter().enumerate() {
        let own = values[part.columns.start as usize..part.columns.end as usize].to_vec();
        parts.push(builder.push(&part.site, EncodeOp::FillMissing(own), vec![Input::Part { arg: 0, part: index }])?);
    }
    Ok(builder.fed(layout.clone(), parts))
}

#[cfg(test)]
mod tests {
    use fondaco_proto::op::{Code, Feature, Guard, Join, JoinHow};

    use super::super::{plan as plan_op, testing::*};
    use super::*;

    fn planned(op: EncodeOp, args: &[super::super::Arg]) -> Result<Plan> {
        plan_op(&Op::Encode(op), args, None)
    }

    #[test]
    fn parts_are_encoded_where_they_are() {
        let x = rows(&[("a", 4), ("b", 2), ("a", 1)], 3);
        let features = vec![
            Feature { column: "x".into(), code: Code::Number { missing: None } },
            Feature { column: "y".into(), code: Code::Bins { edges: vec![0.0, 1.0, 2.0], one_hot: true } },
        ];
        let plan = planned(EncodeOp::Features { features, guard: Guard::Open }, std::slice::from_ref(&x)).unwrap();
        assert_eq!(steps(&plan), ["a encode(0.0)", "b encode(0.1)", "a encode(0.2)"]);
        assert_eq!(fed(&plan).shape(), Shape::new(7, 3));
        let counts = EncodeOp::Categories { column: "x".into(), rows_min: 1, guard: Guard::Open };
        let plan = planned(counts, &[x]).unwrap();
        assert_eq!(steps(&plan), ["a categories(0.0 0.2)", "b categories(0.1)"]);
    }

    #[test]
    fn joins_find_the_right_frame_at_their_site() {
        let join =
            |keys| EncodeOp::Join(Join { left: vec!["k".into()], right: vec!["k".into()], how: JoinHow::Left, keys });
        let x = rows(&[("a", 4), ("b", 2)], 3);
        let plan = planned(join(JoinKeys::ManyToOne), &[x.clone(), local(5, 2)]).unwrap();
        assert_eq!(steps(&plan), ["a join(0.0 1[0..5,0..2])", "b join(0.1 1[0..5,0..2])"]);
        assert_eq!(fed(&plan).shape(), Shape::new(6, 4));
        let error = planned(join(JoinKeys::ManyToOne), &[x.clone(), rows(&[("a", 5)], 2)]).unwrap_err().to_string();
        assert!(error.contains("would have to move"), "{error}");
        let error = planned(join(JoinKeys::OneToOne), &[x, local(5, 2)]).unwrap_err().to_string();
        assert!(error.contains("whole at one site"), "{error}");
        let there = [rows(&[("a", 4)], 3), rows(&[("a", 5)], 2)];
        assert_eq!(steps(&planned(join(JoinKeys::OneToOne), &there).unwrap()), ["a join(0.0 1.0)"]);
    }

    #[test]
    fn column_cuts() {
        let x = columns(&[("a", 2), ("b", 1)], 9);
        let plan = planned(EncodeOp::FillMissing(vec![1.0, 2.0, 3.0]), std::slice::from_ref(&x)).unwrap();
        assert_eq!(steps(&plan), ["a fill_missing(0.0)", "b fill_missing(0.1)"]);
        let Op::Encode(EncodeOp::FillMissing(second)) = &plan.steps[1].op else { panic!("it fills") };
        assert_eq!(second, &[3.0]);
        let names = ["a", "b", "c"].map(String::from).to_vec();
        assert!(planned(EncodeOp::Frame(names), &[x]).is_err());
    }
}
