//! The commands of one tenant.

use std::time::Instant;

use fondaco::{
    Axis, FedFrame, FedMatrix, Federation, Shape,
    algorithms::{ConjugateGradient, KMeans, LinearRegression, LinearSvm, LogisticRegression, Pca},
    encode::{ColumnTransformer, OneHotEncoder},
};
use fondaco_proto::{
    Apply, CoordinatorId, Instruction, Op, ProgramId, VarId,
    op::{Binary, BinaryFunction, CreateOp, ElementwiseOp, Fill, Scalar},
    wire::{self, federated_worker_client::FederatedWorkerClient},
};
use ndarray::{ArcArray2, Array2};
use prost::Message as _;
use serde_json::{Value, json};
use tonic::{Request, transport::Channel};

use crate::{AnyError, Tenant, expressions, loopback, number, text, texts};

/// What is bound between commands.
pub struct Bench<'a> {
    tenant: &'a Tenant,
    loaded: Option<(FedMatrix, FedMatrix)>,
    /// What is made of it, when first needed.
    labels: Option<FedMatrix>,
    sizes: Option<FedMatrix>,
    texts: Option<FedFrame>,
    /// What is put, made once.
    numbers: ArcArray2<f64>,
    put: Option<FedMatrix>,
    tiny: Option<Tiny>,
}

impl<'a> Bench<'a> {
    pub fn new(tenant: &'a Tenant) -> Self {
        Self {
            tenant,
            loaded: None,
            labels: None,
            sizes: None,
            texts: None,
            numbers: ArcArray2::zeros((0, 0)),
            put: None,
            tiny: None,
        }
    }

    fn fed(&self) -> &Federation {
        &self.tenant.fed
    }

    fn x(&self) -> Result<&FedMatrix, AnyError> {
        Ok(&self.loaded.as_ref().ok_or("load first")?.0)
    }

    fn y(&self) -> Result<&FedMatrix, AnyError> {
        Ok(&self.loaded.as_ref().ok_or("load first")?.1)
    }

    /// Carries out one command.
    pub async fn run(&mut self, command: &Value) -> Result<Value, AnyError> {
        match text(command, "cmd")? {
            "load" => self.load(command).await,
            "read" => self.read(command).await,
            "gram" => self.gram().await,
            "lm_normal_equations" => self.normal_equations().await,
            "mmchain" => self.mmchain(number(command, "steps")?).await,
            "lm_cg" => self.conjugate_gradient(number(command, "steps")?).await,
            "kmeans" => self.kmeans(command).await,
            "aggregates" => self.aggregates().await,
            "fused_squares" => expressions::squares(self.x()?).await,
            "fused_gradient" => expressions::gradient(self.x()?, self.y()?).await,
            "xv" => expressions::scores(self.x()?, number(command, "steps")?).await,
            "pca" => self.pca().await,
            "l2svm" => self.l2svm().await,
            "logreg" => self.logreg(command).await,
            "onehot" => self.onehot(text(command, "dataset")?).await,
            "onehot_gram" => self.onehot_gram(text(command, "dataset")?).await,
            "operator" => self.operator(text(command, "function")?).await,
            "put" => self.put(command).await,
            "get" => self.get().await,
            "tiny" => self.tiny(number(command, "calls")?).await,
            "bare" => loopback::bare(command).await,
            "tcp_copy" => loopback::tcp_copy(number(command, "bytes")?),
            "drop" => {
                (self.loaded, self.labels, self.sizes, self.put) = (None, None, None, None);
                self.texts = None;
                self.settle().await;
                Ok(json!({ "seconds": 0.0, "check": {} }))
            }
            other => Err(format!("unknown command {other}").into()),
        }
    }

    /// Sends the drops that wait.
    async fn settle(&self) {
        self.fed().flush().await;
    }

    async fn load(&mut self, command: &Value) -> Result<Value, AnyError> {
        (self.loaded, self.labels, self.sizes) = (None, None, None);
        self.settle().await;
        let (dataset, columns) = (text(command, "dataset")?, texts(command, "columns")?);
        let target = text(command, "target")?;
        let begun = Instant::now();
        let (x, y) = (self.fed().read(dataset).columns(columns), self.fed().read(dataset).columns([target]));
        let (x, y) = (x.read().await?, y.read().await?);
        let seconds = begun.elapsed().as_secs_f64();
        let shape = [x.nrows(), x.ncols()];
        self.loaded = Some((x, y));
        Ok(json!({ "seconds": seconds, "check": { "shape": shape } }))
    }

    async fn read(&self, command: &Value) -> Result<Value, AnyError> {
        let (dataset, columns) = (text(command, "dataset")?, texts(command, "columns")?);
        let begun = Instant::now();
        let x = self.fed().read(dataset).columns(columns).read().await?;
        let seconds = begun.elapsed().as_secs_f64();
        let shape = [x.nrows(), x.ncols()];
        drop(x);
        self.settle().await;
        Ok(json!({ "seconds": seconds, "check": { "shape": shape } }))
    }

    async fn gram(&self) -> Result<Value, AnyError> {
        let begun = Instant::now();
        let gram = self.x()?.gram()?.await?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(json!({ "seconds": seconds, "check": { "diagonal": gram.diag().to_vec(), "row": gram.row(0).to_vec() } }))
    }

    async fn normal_equations(&self) -> Result<Value, AnyError> {
        let begun = Instant::now();
        let model = LinearRegression { fit_intercept: false, l2: 0.0 }.fit(self.x()?, self.y()?).await?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(json!({ "seconds": seconds, "check": { "coefficients": flat(&model.coef) } }))
    }

    async fn mmchain(&self, steps: usize) -> Result<Value, AnyError> {
        let x = self.x()?;
        let columns = x.ncols() as usize;
        let mut v = Array2::from_elem((columns, 1), 1.0 / (columns as f64).sqrt());
        let begun = Instant::now();
        for _ in 0..steps {
            v = x.mmchain(&v)?.await?;
            v /= v.iter().map(|value| value * value).sum::<f64>().sqrt();
        }
        let seconds = begun.elapsed().as_secs_f64();
        Ok(json!({ "seconds": seconds, "check": { "v": flat(&v) } }))
    }

    async fn conjugate_gradient(&self, steps: usize) -> Result<Value, AnyError> {
        let solver = ConjugateGradient { fit_intercept: false, l2: 0.0, tol: 0.0, max_iter: Some(steps) };
        let begun = Instant::now();
        let model = solver.fit(self.x()?, self.y()?).await?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(json!({ "seconds": seconds, "check": { "coefficients": flat(&model.coef) } }))
    }

    async fn kmeans(&self, command: &Value) -> Result<Value, AnyError> {
        let rows: Vec<Vec<f64>> = serde_json::from_value(command["centres"].clone())?;
        let columns = rows.first().map_or(0, Vec::len);
        let centres = Array2::from_shape_vec((rows.len(), columns), rows.concat())?;
        let mut model = KMeans::new(rows.len()).with_centers(centres);
        (model.max_iter, model.tol) = (number(command, "iterations")?, 0.0);
        let begun = Instant::now();
        let fitted = model.fit(self.x()?).await?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(json!({ "seconds": seconds, "check": { "centres": flat(&fitted.cluster_centers) } }))
    }

    async fn pca(&self) -> Result<Value, AnyError> {
        let begun = Instant::now();
        let model = Pca::default().fit(self.x()?).await?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(json!({ "seconds": seconds, "check": { "explained_variance": model.explained_variance.to_vec() } }))
    }

    async fn l2svm(&mut self) -> Result<Value, AnyError> {
        let labels = self.labels().await?;
        let begun = Instant::now();
        let model = LinearSvm::default().fit(self.x()?, labels).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let coefficients = [flat(&model.coef), flat(&model.intercept)].concat();
        Ok(json!({ "seconds": seconds, "check": { "coefficients": coefficients } }))
    }

    async fn logreg(&mut self, command: &Value) -> Result<Value, AnyError> {
        let tol = command["tol"].as_f64().ok_or("tol must be a number")?;
        let labels = self.labels().await?;
        let begun = Instant::now();
        let model = LogisticRegression { tol, max_iter: 1000, ..Default::default() }.fit(self.x()?, labels).await?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(json!({ "seconds": seconds, "check": { "objective": [model.objective] } }))
    }

    async fn onehot(&mut self, dataset: &str) -> Result<Value, AnyError> {
        let texts = match self.texts.take() {
            Some(texts) => texts,
            None => self.fed().read(dataset).frame().await?,
        };
        let begun = Instant::now();
        let x = onehot(&texts).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let sums = x.sum(Axis::Columns)?.await?;
        self.texts = Some(texts);
        drop(x);
        self.settle().await;
        Ok(json!({ "seconds": seconds, "check": { "sums": flat(&sums) } }))
    }

    async fn onehot_gram(&self, dataset: &str) -> Result<Value, AnyError> {
        let texts = self.fed().read(dataset).frame().await?;
        let begun = Instant::now();
        let gram = onehot(&texts).await?.gram()?.await?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(json!({ "seconds": seconds, "check": { "diagonal": gram.diag().to_vec() } }))
    }

    async fn operator(&mut self, function: &str) -> Result<Value, AnyError> {
        let sizes = match self.sizes.take() {
            Some(sizes) => sizes,
            None => self.x()?.abs()?,
        };
        sizes.persist().await?;
        let answer = expressions::operator(self.x()?, &sizes, function).await;
        self.sizes = Some(sizes);
        self.settle().await;
        answer
    }

    /// 1 where y is positive, at the sites.
    async fn labels(&mut self) -> Result<FedMatrix, AnyError> {
        let labels = match self.labels.take() {
            Some(labels) => labels,
            None => self.y()?.greater(0.0)?,
        };
        labels.persist().await?;
        self.labels = Some(labels.clone());
        Ok(labels)
    }

    async fn aggregates(&self) -> Result<Value, AnyError> {
        let begun = Instant::now();
        let check = aggregates(self.x()?).await?;
        Ok(json!({ "seconds": begun.elapsed().as_secs_f64(), "check": check }))
    }

    async fn put(&mut self, command: &Value) -> Result<Value, AnyError> {
        self.put = None;
        self.settle().await;
        let shape = (number(command, "rows")?, number(command, "columns")?);
        if self.numbers.dim() != shape {
            let mut state = 1_u64;
            self.numbers = ArcArray2::from_shape_simple_fn(shape, || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 11) as f64 / (1_u64 << 53) as f64
            });
        }
        let begun = Instant::now();
        let matrix = self.fed().put_whole("site0", self.numbers.clone())?;
        matrix.persist().await?;
        let seconds = begun.elapsed().as_secs_f64();
        self.put = Some(matrix);
        Ok(json!({ "seconds": seconds, "check": { "shape": [shape.0, shape.1] } }))
    }

    async fn get(&self) -> Result<Value, AnyError> {
        let matrix = self.put.as_ref().ok_or("put first")?;
        let begun = Instant::now();
        let array = matrix.to_array().await?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(json!({ "seconds": seconds, "check": { "shape": [array.nrows(), array.ncols()] } }))
    }

    async fn tiny(&mut self, calls: usize) -> Result<Value, AnyError> {
        let mut tiny = match self.tiny.take() {
            Some(tiny) => tiny,
            None => Tiny::open(&self.tenant.lines[0]).await?,
        };
        let mut latencies = Vec::with_capacity(calls);
        let begun = Instant::now();
        for _ in 0..calls {
            latencies.push(tiny.call().await?);
        }
        let seconds = begun.elapsed().as_secs_f64();
        let answer = json!({
            "seconds": seconds, "check": {}, "latencies_ns": latencies,
            "request_bytes": tiny.request_bytes, "response_bytes": tiny.response_bytes,
        });
        self.tiny = Some(tiny);
        Ok(answer)
    }
}

/// All columns of a frame, one-hot, at the sites.
async fn onehot(texts: &FedFrame) -> Result<FedMatrix, AnyError> {
    let columns: Vec<String> = texts.fields().iter().map(|field| field.name.clone()).collect();
    let (_, x) = ColumnTransformer::new().with(columns, OneHotEncoder::new()).fit_transform(texts).await?;
    x.persist().await?;
    Ok(x)
}

/// Sum, mean, var, min and max of each column, in one round trip.
pub async fn aggregates(x: &FedMatrix) -> Result<Value, AnyError> {
    let (sum, mean, var) = (x.sum(Axis::Columns)?, x.mean(Axis::Columns)?, x.var(Axis::Columns, 0)?);
    let (min, max) = (x.min(Axis::Columns)?, x.max(Axis::Columns)?);
    Ok(json!({
        "sum": flat(&sum.await?), "mean": flat(&mean.await?), "var": flat(&var.await?),
        "min": flat(&min.await?), "max": flat(&max.await?),
    }))
}

/// All cells, row after row.
pub fn flat(array: &Array2<f64>) -> Vec<f64> {
    array.iter().copied().collect()
}

/// Programs of ten scalar-sized operators and one fetch over a bare connection: what the worker adds to the transport.
struct Tiny {
    client: FederatedWorkerClient<Channel>,
    authorization: tonic::metadata::MetadataValue<tonic::metadata::Ascii>,
    scope: wire::ScopeRef,
    next: u64,
    request_bytes: usize,
    response_bytes: Vec<usize>,
}

impl Tiny {
    async fn open(line: &str) -> Result<Self, AnyError> {
        let (token, address) = line
            .strip_prefix("fondaco://")
            .and_then(|rest| rest.split_once('@'))
            .ok_or("the connect line must be fondaco://TOKEN@HOST:PORT")?;
        let channel = loopback::endpoint(address)?.connect().await?;
        let mut tiny = Self {
            client: FederatedWorkerClient::new(channel),
            authorization: format!("Bearer {token}").parse()?,
            scope: wire::ScopeRef { coordinator_id: CoordinatorId::new().to_bytes(), epoch: 0 },
            next: 1,
            request_bytes: 0,
            response_bytes: Vec::new(),
        };
        let describe = wire::DescribeRequest { coordinator_id: tiny.scope.coordinator_id.clone(), epoch: 0 };
        let describe = tiny.request(describe);
        tiny.scope.epoch = tiny.client.describe(describe).await?.into_inner().epoch;
        Ok(tiny)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        request
    }

    /// One program; nanoseconds until its value is here. The drops of the one before ride along.
    async fn call(&mut self) -> Result<u64, AnyError> {
        let first = self.next;
        self.next += 10;
        let fill = Op::Create(CreateOp::Fill(Fill { shape: Shape::new(1, 1), value: 1.0 }));
        let plus = Binary { function: BinaryFunction::Add, scalar: Some(Scalar::Right(1.0)) };
        let plus = Op::Elementwise(ElementwiseOp::Binary(plus));
        let mut instructions = Vec::with_capacity(11);
        for output in first..self.next {
            let (op, inputs) =
                if output == first { (fill.clone(), vec![]) } else { (plus.clone(), vec![VarId(output - 1)]) };
            instructions.push(Instruction::Apply(Apply { output: VarId(output), op, inputs }));
        }
        if first > 1 {
            instructions.push(Instruction::Drop((first - 10..first).map(VarId).collect()));
        }
        let message = wire::ExecRequest {
            scope: Some(self.scope.clone()),
            program_id: ProgramId::new().0.to_vec(),
            instructions: instructions.into_iter().map(Into::into).collect(),
            fetch: vec![self.next - 1],
        };
        self.request_bytes = message.encoded_len();
        let request = self.request(message);
        let begun = Instant::now();
        let mut stream = self.client.exec(request).await?.into_inner();
        self.response_bytes.clear();
        while let Some(message) = stream.message().await? {
            self.response_bytes.push(message.encoded_len());
        }
        Ok(u64::try_from(begun.elapsed().as_nanos())?)
    }
}
