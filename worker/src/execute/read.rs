//! Reads: columns of a dataset, bound as a frame, as a matrix or, where all rows at once are too many, as rows that are read whenever
//! they are needed.

use std::{sync::Arc, time::Instant};

use fondaco_lineage::{Cost, DatasetLeaf, Probe, Trace};
use fondaco_proto::{Error, Result, Shape, op::Read};

use super::{POOLED_COST_MIN, Step, nanos_since, receipt};
use crate::{
    cancel::Cancel,
    catalog::Entry,
    kernels,
    label::{Label, Level},
    quota::Charge,
    scope::{Bound, Receipt},
    source::{Snapshot, Streamed},
    support::Support,
    value::Value,
    worker::Cached,
};

/// Of the memory, what a matrix that is read leaves for what is computed from it: one part in so many.
const LEFT_SHARE: u64 = 4;

/// A read of a dataset as it is now.
struct Reading<'a> {
    entry: &'a Arc<Entry>,
    read: Read,
    snapshot: Arc<Snapshot>,
}

impl Step<'_> {
    pub(super) async fn read(&self, read: &Read) -> Result<(Bound, Receipt)> {
        let entry = self.worker.catalog.find(self.staged.scope().tenant(), &read.dataset)?;
        if entry.level() == Level::Private {
            let message = format!(
                "{}: nothing leaves a private dataset, not even counts; ask its owner for a rule",
                entry.name()
            );
            return Err(Error::denied(message));
        }
        let reading = Reading { entry, read: entry.narrow(read)?, snapshot: entry.snapshot().await? };
        let columns = reading.snapshot.plan(&reading.read)?.columns();
        let widest = self.worker.admit(Shape::new(reading.snapshot.rows(), columns as u64))?;
        let begun = Instant::now();
        if reading.read.frame {
            // How large texts are is known when they are read.
            let (value, hit) = self.resident(&reading, widest).await?;
            let receipt = receipt(value.shape(), hit, begun);
            return self.bound(&reading, value, None, receipt);
        }
        let charge = match self.room(widest)? {
            Some(charge) => charge,
            None => {
                // A filter may leave few enough.
                let streamed = self.streamed(&reading).await?;
                match self.room(streamed.shape())? {
                    Some(charge) => charge,
                    None => {
                        let shape = streamed.shape();
                        return self.bound(&reading, Value::Streamed(streamed), None, receipt(shape, false, begun));
                    }
                }
            }
        };
        let (value, hit) = self.resident(&reading, widest).await?;
        let receipt = receipt(value.shape(), hit, begun);
        self.bound(&reading, value, Some(charge), receipt)
    }

    /// The charge for a matrix, if this tenant may hold it and the memory can.
    fn room(&self, shape: Shape) -> Result<Option<Charge>> {
        let bytes = shape.footprint_bytes()?;
        let memory = self.worker.memory.bytes_max();
        Ok(if bytes <= memory - memory / LEFT_SHARE { self.account.charge(bytes).ok() } else { None })
    }

    async fn streamed(&self, reading: &Reading<'_>) -> Result<Streamed> {
        let (memory, snapshot) = (Arc::clone(&self.worker.memory), Arc::clone(&reading.snapshot));
        let plan = snapshot.plan(&reading.read)?;
        let kernel = move |parallel: bool, cancel: &Cancel| Streamed::new(&snapshot, plan, &memory, cancel, parallel);
        self.kernel(u64::MAX, kernel).await
    }

    /// The matrix or frame, and whether it was there already.
    async fn resident(&self, reading: &Reading<'_>, widest: Shape) -> Result<(Value, bool)> {
        let Reading { entry, read, snapshot } = reading;
        let plan = snapshot.plan(read)?;
        let tenant = self.staged.scope().tenant();
        let (reach, begun) = (entry.reach(tenant), Instant::now());
        match self.worker.cache.probe(tenant.tag(), reach, reading.trace().key(), |_| true).await {
            Probe::Hit(cached) => Ok((cached.value, true)),
            Probe::Miss(reservation) => {
                let (snapshot, memory) = (Arc::clone(snapshot), Arc::clone(&self.worker.memory));
                let cost = widest.cells()?.max(POOLED_COST_MIN);
                // Of rows that are measured all cells are looked at, again and again.
                let settles = entry.level() == Level::Public;
                let frame = read.frame;
                let kernel = move |parallel: bool, cancel: &Cancel| {
                    if frame {
                        return snapshot.read_frame(&plan, &memory, cancel, parallel).map(Value::from);
                    }
                    let matrix = snapshot.read(&plan, &memory, cancel, parallel)?;
                    let cx = kernels::Context { memory: &memory, cancel, parallel };
                    if settles { kernels::settled(matrix, &cx) } else { Ok(matrix.into()) }
                };
                let value: Value = self.kernel(cost, kernel).await?;
                let cost = Cost { bytes: value.bytes(), nanos: nanos_since(begun) };
                Ok((reservation.fill(Cached { value, support: Some(Support::FULL) }, cost).value, false))
            }
        }
    }

    /// The binding of what was read; `charge` is of all rows that there are.
    fn bound(
        &self,
        reading: &Reading<'_>,
        value: Value,
        charge: Option<Charge>,
        receipt: Receipt,
    ) -> Result<(Bound, Receipt)> {
        let Reading { entry, read, snapshot } = reading;
        let (shape, trace) = (value.shape(), reading.trace());
        let label = entry.label(snapshot, read, shape.rows);
        self.release_count(entry, read, &label, shape, &trace)?;
        let bytes = value.charged_bytes()?;
        // Of a matrix fewer bytes than before, so that there is room for them.
        drop(charge);
        let charge = self.account.charge(bytes).map_err(|error| match &value {
            // The refusal's own words would tell how many bytes of text there are.
            Value::Frame(_) => Error::limit(format!(
                "what is read of dataset {} would bring this tenant above its bytes (tenant_bytes_max); drop \
                 variables, or read fewer columns",
                entry.name()
            )),
            Value::Dense(_) | Value::Sparse(_) | Value::Lazy(_) | Value::Streamed(_) => error,
        })?;
        let reach = entry.reach(self.staged.scope().tenant());
        Ok((Bound { value, support: Support::FULL, trace, reach, label, charge }, receipt))
    }

    /// How many rows a filter leaves is a release by itself.
    fn release_count(&self, entry: &Entry, read: &Read, label: &Label, shape: Shape, trace: &Trace) -> Result<()> {
        if read.filter.is_none() {
            return Ok(());
        }
        let decision = self.worker.gate.release_count(entry.level(), entry.name(), shape.rows);
        let count = Shape::new(1, 1);
        self.worker.record(self.staged.scope(), "row count", trace, count, label, decision.as_ref().err())?;
        decision
    }
}

impl Reading<'_> {
    fn trace(&self) -> Arc<Trace> {
        let files = self.snapshot.identities().to_vec();
        let leaf = DatasetLeaf { files, canonical_read: &self.read.canonical_options() };
        Trace::dataset(self.entry.name(), &leaf)
    }
}
