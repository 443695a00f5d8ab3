//! The distinct values of a column, and how often each is there: exact at each site, merged by the coordinator.

use fondaco_proto::op::ReorgOp;

use super::super::{Arg, Builder, Counted, parts_of, refused};
use crate::{Error, Result, layout::Cut};

/// Of a column: one list per site, over all its parts.
pub(crate) fn unique_counts(args: &[Arg]) -> Result<Counted> {
    let mut builder = Builder::new(args);
    let layout = builder.only("unique_counts")?.clone();
    let rows = layout.viewed(Cut::Rows).ok_or_else(|| Error::plan("unique_counts takes one column"))?;
    let mut lists = Vec::new();
    for (site, parts) in rows.by_site() {
        let all = parts_of(0, &rows);
        let mut column: Vec<_> = parts.into_iter().map(|part| all[part].clone()).collect();
        if column.len() > 1 {
            column = vec![builder.push(&site, ReorgOp::Vstack, column)?];
        }
        lists.push(builder.push(&site, ReorgOp::Unique, column)?);
    }
    Ok(builder.counted(rows, lists))
}

/// The same of a column that is at one site.
pub(crate) fn unique(args: &[Arg]) -> Result<Counted> {
    let counted = unique_counts(args)?;
    if counted.parts.len() > 1 {
        let instead = "await unique_counts, which merges what the sites release";
        return Err(refused("unique", &counted.layout, instead));
    }
    Ok(counted)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::*;
    use super::*;

    #[test]
    fn a_list_for_each_site() {
        let counted = unique_counts(&[rows(&[("a", 4), ("b", 2), ("a", 1)], 1)]).unwrap();
        assert_eq!(written(&counted.steps), ["a vstack(0.0 0.2)", "a unique(%0)", "b unique(0.1)"]);
        assert_eq!(counted.parts, [1, 2]);
        assert!(unique(&[rows(&[("a", 4), ("b", 2)], 1)]).unwrap_err().to_string().contains("unique_counts"));
        assert_eq!(unique(&[rows(&[("a", 4), ("a", 2)], 1)]).unwrap().parts, [1]);
        assert!(unique(&[rows(&[("a", 4)], 2)]).unwrap_err().to_string().contains("takes a column"));
    }
}
