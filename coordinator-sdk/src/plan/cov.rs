//! Covariances, centred where the rows are: each site subtracts its own means, so that squares lose
//! nothing to large offsets, nothing is uploaded, and one round trip does. The coordinator merges.

use fondaco_proto::op::{
    AggregateFunction, AggregateOp, Axis, Binary, BinaryFunction, ElementwiseOp, MatmulOp, ReorgOp,
};

use super::{Arg, Builder, Input, Plan, Why};
use crate::{Error, Result, combine::Combine, layout::Cut};

/// `np.cov(X.T)` of one argument; of two, whose rows are aligned, the covariances of X's columns with those of X and Y.
pub(crate) fn plan(args: &[Arg], ddof: u32) -> Result<Plan> {
    centred("cov", args, Combine::Covariance { operands: args.len(), ddof })
}

/// `np.corrcoef(X.T)`.
pub(crate) fn correlation(x: &Arg) -> Result<Plan> {
    centred("corr", std::slice::from_ref(x), Combine::Correlation)
}

/// Moments and centred products, site by site.
fn centred(name: &str, args: &[Arg], combine: Combine) -> Result<Plan> {
    let mut builder = Builder::new(args);
    let layout = builder.only(name)?.clone();
    let rows = builder.banded(Cut::Rows, &layout, Why::new(name, &layout, "use a row cut"));
    if rows.shape().rows == 0 {
        return Err(Error::plan(format!("{name}: there are no rows")));
    }
    let parts: Vec<Vec<Input>> = (0..args.len()).map(|arg| builder.along(name, arg, &rows)).collect::<Result<_>>()?;
    let mut released = Vec::new();
    for (site, at_site) in rows.by_site() {
        let mut centred = Vec::new();
        for parts in &parts {
            // Several parts would each have to be centred on the means of all.
            let pieces = at_site.iter().map(|&part| parts[part].clone()).collect();
            let Some(rows) = builder.stacked(&site, ReorgOp::Vstack, pieces)? else { continue };
            released.push(builder.push(&site, aggregate(AggregateFunction::WideMoments), vec![rows.clone()])?);
            let means = builder.push(&site, aggregate(AggregateFunction::Mean), vec![rows.clone()])?;
            let subtract = Binary { function: BinaryFunction::Subtract, scalar: None };
            centred.push(builder.push(&site, ElementwiseOp::Binary(subtract), vec![rows, means])?);
        }
        released.push(builder.push(&site, MatmulOp::Gram, centred[..1].to_vec())?);
        if centred.len() > 1 {
            released.push(builder.push(&site, MatmulOp::Cross, centred)?);
        }
    }
    Ok(builder.local(released, combine))
}

fn aggregate(function: AggregateFunction) -> AggregateOp {
    AggregateOp::new(function, Axis::Columns)
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    #[test]
    fn each_site_centres_its_own_rows() {
        let x = rows(&[("a", 4), ("b", 6), ("a", 1)], 3);
        let cov = plan(std::slice::from_ref(&x), 1).unwrap();
        let expected = [
            "a vstack(0.0 0.2)",
            "a wide_moments(%0)",
            "a mean(%0)",
            "a subtract(%0 %2)",
            "a gram(%3)",
            "b wide_moments(0.1)",
            "b mean(0.1)",
            "b subtract(0.1 %6)",
            "b gram(%7)",
        ];
        assert_eq!(
            (steps(&cov), combined(&cov)),
            (expected.map(str::to_owned).to_vec(), Combine::Covariance { operands: 1, ddof: 1 })
        );
        let with_local = plan(&[x, local(11, 1)], 0).unwrap();
        assert_eq!(steps(&with_local)[7..10], ["a subtract(%4 %6)", "a gram(%3)", "a cross(%3 %7)"]);
    }

    #[test]
    fn what_has_no_rows_is_refused() {
        assert_eq!(relays(&plan(&[columns(&[("a", 4), ("b", 2)], 3)], 1).unwrap()), ["0.1"]);
        assert!(plan(&[rows(&[("a", 0)], 3)], 1).unwrap_err().to_string().contains("no rows"));
        assert!(plan(&[local(3, 2)], 1).is_err());
    }
}
