//! The gRPC service: decodes whole requests or refuses them whole, and hands them on.

use std::{fmt, pin::Pin, sync::Arc};

use fondaco_proto::{
    Apply, CoordinatorId, Epoch, Error, Instruction, Op, PROTOCOL_VERSION, Program, ProgramId, ProgramLimits, Result,
    VarId,
    op::{CreateOp, Read},
    wire,
};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};

use crate::{
    auth::Tenant,
    catalog::Entry,
    execute,
    label::Level,
    release, request,
    scope::{Begin, InUse, Outcome, Receipt},
    upload,
    worker::State,
};

/// The service of one worker.
#[derive(Clone)]
pub struct Service {
    state: Arc<State>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}

/// The messages of one `Exec` answer.
type ExecStream = Pin<Box<dyn Stream<Item = Result<wire::ExecResponse, Status>> + Send>>;

#[tonic::async_trait]
impl wire::federated_worker_server::FederatedWorker for Service {
    type ExecStream = ExecStream;

    async fn describe(
        &self,
        request: Request<wire::DescribeRequest>,
    ) -> Result<Response<wire::DescribeResponse>, Status> {
        request::serve("Describe", async {
            let tenant = self.tenant("Describe", request.metadata())?;
            self.describe_to(&tenant, request.into_inner()).await.map(Response::new)
        })
        .await
    }

    async fn read(&self, request: Request<wire::ReadRequest>) -> Result<Response<wire::ReadResponse>, Status> {
        request::serve("Read", async {
            let tenant = self.tenant("Read", request.metadata())?;
            let message = request.into_inner();
            let scope = self.scope(&tenant, message.scope)?;
            let read = Read::try_from(message.read.ok_or_else(|| Error::invalid("a read is missing"))?)?;
            let program = single(VarId(message.output), Op::Create(CreateOp::Read(read)));
            let (outcome, _) = self.run(&scope, &program).await?;
            let receipt = outcome.receipts.first().map(|receipt| (*receipt).into());
            Ok(Response::new(wire::ReadResponse { receipt }))
        })
        .await
    }

    async fn put(&self, request: Request<Streaming<wire::PutRequest>>) -> Result<Response<wire::PutResponse>, Status> {
        request::serve("Put", async {
            let tenant = self.tenant("Put", request.metadata())?;
            let mut messages = request.into_inner();
            let mut header = upload::header(&mut messages).await?;
            let value = upload::Header::of(&mut header);
            let (scope, output) = (self.scope(&tenant, header.scope)?, VarId(header.output));
            let answer = if header.offer {
                upload::offered(&self.state, &scope, output, value?, messages).await?
            } else {
                upload::receive(&self.state, &scope, output, value?, messages).await?
            };
            Ok(Response::new(answer.into()))
        })
        .await
    }

    async fn exec(&self, request: Request<wire::ExecRequest>) -> Result<Response<ExecStream>, Status> {
        request::serve("Exec", async {
            let tenant = self.tenant("Exec", request.metadata())?;
            let message = request.into_inner();
            let scope = self.scope(&tenant, message.scope)?;
            let limits = ProgramLimits {
                program_instructions_max: self.state.limits.program_instructions_max,
                inline_bytes_max: self.state.limits.inline_bytes_max,
            };
            let program = Program::parse(&message.program_id, message.instructions, message.fetch, &limits)?;
            let (outcome, replayed) = self.run(&scope, &program).await?;
            let receipts = outcome.receipts.iter().map(|receipt| (*receipt).into()).collect();
            let values = release::release(&self.state, &scope, &outcome.fetched).await;
            let stream: ExecStream = Box::pin(release::stream(wire::Receipts { receipts, replayed }, values));
            Ok(Response::new(Answer(stream)))
        })
        .await
        .map(|response| response.map(|answer| answer.0))
    }

    async fn clear(&self, request: Request<wire::ClearRequest>) -> Result<Response<wire::ClearResponse>, Status> {
        request::serve("Clear", async {
            let tenant = self.tenant("Clear", request.metadata())?;
            let message = request.into_inner();
            let scope = self.scope(&tenant, message.scope)?;
            if message.variables.is_empty() {
                self.state.scopes.end(&scope);
            } else {
                let variables: Vec<VarId> = message.variables.into_iter().map(VarId).collect();
                scope.drop_variables(&variables);
            }
            Ok(Response::new(wire::ClearResponse {}))
        })
        .await
    }
}

/// A stream whose `Debug` shows nothing of what it carries.
struct Answer(ExecStream);

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

impl Service {
    /// The service of a worker.
    pub fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    fn tenant(&self, rpc: &str, metadata: &MetadataMap) -> Result<Tenant> {
        let tenant = self.state.authenticator.authenticate(metadata);
        if tenant.is_err() {
            self.state.audit().stranger(rpc, &request::current_id())?;
        }
        tenant
    }

    fn scope(&self, tenant: &Tenant, scope: Option<wire::ScopeRef>) -> Result<InUse> {
        let scope = scope.ok_or_else(|| Error::invalid("the request needs a scope: coordinator_id and epoch"))?;
        let coordinator = CoordinatorId::from_bytes(&scope.coordinator_id)?;
        self.state.scopes.find(tenant, coordinator, Epoch(scope.epoch))
    }

    /// Admits a program and runs it; if the caller leaves before the commit, it is cancelled. The flag says whether
    /// the answer is that of an earlier run.
    async fn run(&self, scope: &InUse, program: &Program) -> Result<(Arc<Outcome>, bool)> {
        let account = self.state.account(scope.tenant());
        let _permit = self.state.programs.acquire(scope.tenant().tag()).await?;
        let _running = account.running();
        let cancel = scope.ended().child();
        let _cancelled_if_left = cancel.on_drop();
        match scope.begin(program, &self.state.limits)? {
            Begin::Again(outcome) => Ok((outcome, true)),
            Begin::Fresh(staged) => Ok((execute::run(&self.state, staged, program, &cancel).await?, false)),
        }
    }

    async fn describe_to(&self, tenant: &Tenant, request: wire::DescribeRequest) -> Result<wire::DescribeResponse> {
        let mut epoch = 0;
        if !request.coordinator_id.is_empty() {
            let coordinator = CoordinatorId::from_bytes(&request.coordinator_id)?;
            if request.epoch == 0 {
                let (scope, new) = self.state.scopes.open(tenant, coordinator)?;
                if new {
                    self.state.audit().connection(tenant, coordinator, &request::current_id())?;
                }
                epoch = scope.epoch().0;
            } else {
                epoch = self.state.scopes.find(tenant, coordinator, Epoch(request.epoch))?.epoch().0;
            }
        }
        let limits = &self.state.limits;
        let mut datasets = Vec::new();
        for entry in self.state.catalog.visible(tenant) {
            datasets.push(dataset_info(entry).await);
        }
        Ok(wire::DescribeResponse {
            protocol_version: PROTOCOL_VERSION,
            worker_version: env!("CARGO_PKG_VERSION").to_owned(),
            limits: Some(wire::Limits {
                message_bytes_max: limits.message_bytes_max as u64,
                program_instructions_max: limits.program_instructions_max as u64,
                cells_max: limits.cells_max,
                inline_bytes_max: limits.inline_bytes_max as u64,
                tenant_bytes_max: limits.tenant_bytes_max,
                release_rows_min: limits.release_rows_min,
            }),
            datasets,
            epoch,
            lease_s: self.state.scopes.lease().as_secs(),
        })
    }
}

/// A program of one instruction.
pub fn single(output: VarId, op: Op) -> Program {
    let apply = Apply { output, op, inputs: Vec::new() };
    Program { id: ProgramId::new(), instructions: vec![Instruction::Apply(apply)], fetch: Vec::new() }
}

/// A dataset that cannot be read now is shown without columns; the reason is in the log, and in the answer to a read.
async fn dataset_info(entry: &Arc<Entry>) -> wire::DatasetInfo {
    let privacy = match entry.level() {
        Level::Public => wire::Privacy::Public,
        Level::Aggregate => wire::Privacy::Aggregate,
        Level::Private => wire::Privacy::Private,
    };
    let snapshot = entry.snapshot().await.ok();
    let columns = snapshot.iter().flat_map(|snapshot| entry.columns(snapshot));
    let columns = columns.map(|column| wire::ColumnInfo {
        name: column.name.clone(),
        r#type: column.type_name.clone(),
        numeric: column.numeric,
    });
    wire::DatasetInfo {
        name: entry.name().to_string(),
        privacy: privacy.into(),
        extremes: entry.extremes(),
        columns: columns.collect(),
        version: snapshot.as_deref().map(Entry::version).unwrap_or_default(),
    }
}

impl From<Receipt> for wire::Receipt {
    fn from(receipt: Receipt) -> Self {
        Self {
            shape: receipt.shape.map(Into::into),
            hit: receipt.hit,
            compute_ns: u64::try_from(receipt.compute.as_nanos()).unwrap_or(u64::MAX),
            fused: receipt.fused,
        }
    }
}
