//! What the tenants compute, over the SDK's public API alone.

use std::time::{Duration, Instant};

use fondaco::{
    Axis, FedMatrix, Federation, Site, Stats,
    algorithms::{ConjugateGradient, FittedKMeans, KMeans, LinearRegression},
};
use ndarray::{Array2, array};
use tokio::{
    sync::{mpsc::UnboundedSender, oneshot},
    time::interval,
};

use crate::{
    Result,
    view::{Event, Stage},
};

/// The columns of the models; the last is what they explain.
pub const MODEL: [&str; 8] = ["dep_delay", "air_time", "distance", "hour", "temp", "wind_speed", "visib", "arr_delay"];

/// The columns by which flights are clustered.
pub const CLUSTERED: [&str; 4] = ["dep_delay", "arr_delay", "distance", "hour"];

/// Ends k-means where the centres move no more than this.
pub const KMEANS_TOL: f64 = 1e-6;

/// Iterations of k-means at most.
pub const KMEANS_ITERATIONS_MAX: usize = 100;

/// Where k-means starts, in standard deviations: short flights in the morning and in the evening, long ones, late ones.
pub fn first_centers() -> Array2<f64> {
    array![[0.0, 0.0, -0.5, -1.0], [0.0, 0.0, -0.5, 1.0], [0.0, 0.0, 1.5, 0.0], [3.0, 3.0, 0.0, 0.5]]
}

/// How often a tenant says what its work cost so far.
const SAY: Duration = Duration::from_millis(40);

/// Where a tenant works: its way to the sites, and to the view.
pub struct Desk {
    /// Its place in the view.
    pub tenant: usize,
    /// Its connect lines.
    pub sites: Vec<Site>,
    /// To the view.
    pub events: UnboundedSender<Event>,
}

/// A tenant's result, and its cost.
pub struct Finding {
    /// The result.
    pub answer: Answer,
    /// Means and standard deviations of the columns.
    pub statistics: Statistics,
    /// What it cost at each site.
    pub stats: Stats,
    /// How long it took, from connecting to the result.
    pub took: Duration,
    /// Rows at each site.
    pub rows: Vec<(String, u64)>,
}

/// The answer of an analysis.
pub enum Answer {
    /// Of a linear regression.
    Linear(Linear),
    /// Of k-means, on standardised columns.
    Clusters(FittedKMeans),
}

/// `y = X @ coef + intercept`.
pub struct Linear {
    /// Per column of X.
    pub coef: Vec<f64>,
    /// The constant.
    pub intercept: f64,
    /// The coefficient of determination.
    pub r2: f64,
    /// Iterations; none for a direct method.
    pub n_iter: usize,
}

/// Per column, `(1, columns)`.
pub struct Statistics {
    /// The means.
    pub means: Array2<f64>,
    /// The standard deviations, with ddof 1.
    pub stds: Array2<f64>,
}

impl Desk {
    fn say(&self, stage: Stage, stats: Stats) {
        // Without a view, the work goes on.
        let _seen = self.events.send(Event { tenant: self.tenant, stage, stats });
    }

    /// Awaits a piece of work, and says meanwhile how it goes.
    async fn during<T>(
        &self,
        stage: &str,
        fed: &Federation,
        work: impl Future<Output = fondaco::Result<T>>,
    ) -> fondaco::Result<T> {
        let mut work = std::pin::pin!(work);
        let mut ticks = interval(SAY);
        loop {
            tokio::select! {
                result = &mut work => return result,
                _ = ticks.tick() => self.say(Stage::Doing(stage.to_owned()), fed.stats()),
            }
        }
    }

    /// Connects, computes, and closes what it opened.
    async fn work<F>(&self, analysis: impl FnOnce(Federation) -> F) -> Result<Finding>
    where
        F: Future<Output = fondaco::Result<(Federation, Answer, Statistics, Vec<(String, u64)>)>>,
    {
        let begun = Instant::now();
        self.say(Stage::Doing("connecting".to_owned()), Stats::default());
        let result = match Federation::connect(self.sites.clone()).await {
            Ok(fed) => analysis(fed).await,
            Err(error) => Err(error),
        };
        match result {
            Ok((fed, answer, statistics, rows)) => {
                let (took, stats) = (begun.elapsed(), fed.stats());
                self.say(Stage::Done, stats.clone());
                fed.close().await?;
                Ok(Finding { answer, statistics, stats, took, rows })
            }
            Err(error) => {
                self.say(Stage::Failed, Stats::default());
                Err(error.into())
            }
        }
    }

    /// Least squares by the normal equations. Nothing is uploaded before the score, so whoever asks the same reuses it.
    /// `fitted` tells when the model is there.
    pub async fn regression(self, fitted: Option<oneshot::Sender<()>>) -> Result<Finding> {
        self.work(async |fed| {
            let flights = self.during("reading", &fed, fed.read("flights").columns(MODEL).read()).await?;
            let statistics = self.during("statistics", &fed, statistics(&fed, &flights)).await?;
            let (x, y) = (flights.slice(.., 0..7)?, flights.slice(.., 7..8)?);
            let method = LinearRegression::default();
            let model = self.during("fitting", &fed, method.fit(&x, &y)).await?;
            if let Some(fitted) = fitted {
                let _nobody_waits = fitted.send(());
            }
            let r2 = self.during("scoring", &fed, model.score(&x, &y)).await?;
            let (coef, intercept) = (model.coef.iter().copied().collect(), model.intercept[[0, 0]]);
            let linear = Linear { coef, intercept, r2, n_iter: 0 };
            Ok((fed, Answer::Linear(linear), statistics, rows(&flights)))
        })
        .await
    }

    /// Least squares by conjugate gradients, on standardised columns: they need few iterations.
    pub async fn conjugate_gradient(self) -> Result<Finding> {
        self.work(async |fed| {
            let flights = self.during("reading", &fed, fed.read("flights").columns(MODEL).read()).await?;
            let statistics = self.during("statistics", &fed, statistics(&fed, &flights)).await?;
            let (means, stds) = (&statistics.means, &statistics.stds);
            let standard = flights.subtract(means)?.divide(stds)?;
            let (x, y) = (standard.slice(.., 0..7)?, standard.slice(.., 7..8)?);
            let method = ConjugateGradient { tol: 1e-12, max_iter: Some(30), ..ConjugateGradient::default() };
            let model = self.during("fitting", &fed, method.fit(&x, &y)).await?;
            let r2 = self.during("scoring", &fed, model.score(&x, &y)).await?;
            // Back to minutes, miles and degrees.
            let coef: Vec<f64> =
                (0..7).map(|column| model.coef[[column, 0]] * stds[[0, 7]] / stds[[0, column]]).collect();
            let explained: f64 = coef.iter().zip(means).map(|(coef, mean)| coef * mean).sum();
            let intercept = model.intercept[[0, 0]] * stds[[0, 7]] + means[[0, 7]] - explained;
            let linear = Linear { coef, intercept, r2, n_iter: model.n_iter };
            Ok((fed, Answer::Linear(linear), statistics, rows(&flights)))
        })
        .await
    }

    /// k-means on standardised columns.
    pub async fn clusters(self) -> Result<Finding> {
        self.work(async |fed| {
            let flights = self.during("reading", &fed, fed.read("flights").columns(CLUSTERED).read()).await?;
            let statistics = self.during("statistics", &fed, statistics(&fed, &flights)).await?;
            let standard = flights.subtract(&statistics.means)?.divide(&statistics.stds)?;
            let mut method = KMeans::new(4).with_centers(first_centers());
            (method.tol, method.max_iter) = (KMEANS_TOL, KMEANS_ITERATIONS_MAX);
            let fitted = self.during("clustering", &fed, method.fit(&standard)).await?;
            Ok((fed, Answer::Clusters(fitted), statistics, rows(&flights)))
        })
        .await
    }
}

/// Means and standard deviations, in one round trip.
async fn statistics(fed: &Federation, x: &FedMatrix) -> fondaco::Result<Statistics> {
    let mut both = fed.fetch_all([x.mean(Axis::Columns)?, x.std(Axis::Columns, 1)?]).await?;
    let stds = both.pop().unwrap_or_default();
    let means = both.pop().unwrap_or_default();
    Ok(Statistics { means, stds })
}

fn rows(x: &FedMatrix) -> Vec<(String, u64)> {
    let parts = x.layout().parts().iter();
    parts.map(|part| (part.site.to_string(), part.shape().rows)).collect()
}
