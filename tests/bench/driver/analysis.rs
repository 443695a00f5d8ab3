//! Several tenants at once, the same analysis.

use std::{sync::Arc, time::Instant};

use fondaco::algorithms::LinearRegression;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::{AnyError, Tenant, single, text, texts};

/// Runs the analysis for each tenant, all released by a barrier.
pub async fn run(tenants: &[Tenant], command: &Value) -> Result<Value, AnyError> {
    let names = texts(command, "tenants")?;
    let chosen: Vec<&Tenant> = names
        .iter()
        .map(|name| tenants.iter().find(|tenant| tenant.name == *name).ok_or_else(|| format!("no tenant {name}")))
        .collect::<Result<_, _>>()?;
    let barrier = Arc::new(Barrier::new(chosen.len()));
    let each = chosen.iter().map(|tenant| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            let begun = Instant::now();
            one(tenant, command).await.map(|result| (begun, result))
        }
    });
    let results = join_all(each.collect()).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let begun = results.iter().map(|(begun, _)| *begun).min().ok_or("name at least one tenant")?;
    let seconds = begun.elapsed().as_secs_f64();
    for tenant in &chosen {
        tenant.fed.flush().await;
    }
    let (_, first) = &results[0];
    if results.iter().any(|(_, result)| result != first) {
        return Err("tenants got different results".into());
    }
    Ok(json!({ "seconds": seconds, "check": first }))
}

async fn one(tenant: &Tenant, command: &Value) -> Result<Value, AnyError> {
    let (dataset, columns) = (text(command, "dataset")?, texts(command, "columns")?);
    let x = tenant.fed.read(dataset).columns(columns).read();
    let y = tenant.fed.read(dataset).columns([text(command, "target")?]).read();
    let (x, y) = tokio::try_join!(x, y)?;
    let model = LinearRegression { fit_intercept: false, l2: 0.0 }.fit(&x, &y).await?;
    let mut check = single::aggregates(&x).await?;
    check["coefficients"] = json!(single::flat(&model.coef));
    Ok(check)
}

/// All results, in order; the futures run on this task, and wait for different workers' answers.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *output = Some(value);
            }
        }
        if outputs.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
