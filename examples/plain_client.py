#!/usr/bin/env python3
"""A coordinator in plain Python: no Fondaco library, only grpcio and the .proto files. Prints a JSON object per line.

    target/debug/fondaco worker --data examples/data      # prints a connect line
    .venv/bin/python examples/plain_client.py fondaco://TOKEN@127.0.0.1:7171
"""
import json, pathlib, sys, time, uuid  # noqa: E401
import grpc
import numpy as np

token, _, address = "".join(sys.argv[1:]).removeprefix("fondaco://").rpartition("@")
if not token:
    sys.exit("give the line that the worker prints: plain_client.py fondaco://TOKEN@HOST:PORT")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "proto"))
wire, services = grpc.protos_and_services("fondaco/v1/service.proto")  # messages and stubs, from the .proto files alone
worker = services.FederatedWorkerStub(grpc.insecure_channel(address))
call = {"metadata": [("authorization", f"Bearer {token}")], "timeout": 60}


def uuid7():
    """16 bytes: milliseconds since 1970, then random bits, with version and variant where they belong."""
    number = (time.time_ns() // 1_000_000) << 80 | uuid.uuid4().int & ((1 << 80) - 1)
    return uuid.UUID(int=number & ~(0xF << 76) | 7 << 76).bytes


# Describe. With a coordinator ID it also opens a scope, whose epoch goes with every later call.
coordinator_id = uuid7()
site = worker.Describe(wire.DescribeRequest(coordinator_id=coordinator_id), **call)
scope = {"coordinator_id": coordinator_id, "epoch": site.epoch}
dataset = site.datasets[0]
columns = [column.name for column in dataset.columns if column.numeric][:6]

# Read: variable 1 is X. It stays at the worker; its shape comes back.
read = wire.ReadRequest(scope=scope, output=1, read={"dataset": dataset.name, "columns": columns})
rows = worker.Read(read, **call).receipt.shape.rows
print(json.dumps({"dataset": dataset.name, "rows": rows, "columns": columns}))

# Put: variable 2 is A, whose columns add up X's columns, and weight them by position.
a = np.column_stack([np.ones(len(columns)), np.arange(1.0, len(columns) + 1)])
matrix = {"shape": {"rows": a.shape[0], "columns": a.shape[1]}, "tile_rows": 4096}
header = wire.PutRequest(header={"scope": scope, "output": 2, "matrix": matrix})
chunk = wire.PutRequest(chunk={"offset": 0, "data": a.astype("<f8").tobytes(order="F")})
worker.Put(iter([header, chunk]), **call)

# Exec: three instructions and two results in one round trip. Each comes as a header and chunks of its bytes.
column_sums = {"aggregate": {"function": "AGGREGATE_FUNCTION_SUM", "axis": "AXIS_COLUMNS"}}
program = [
    {"apply": {"output": 3, "op": {"matmul": {"kind": "MATMUL_KIND_PRODUCT"}}, "inputs": [1, 2]}},  # X @ A
    {"apply": {"output": 4, "op": column_sums, "inputs": [3]}},
    {"apply": {"output": 5, "op": {"matmul": {"kind": "MATMUL_KIND_GRAM"}}, "inputs": [1]}},  # X.T @ X
]
request = wire.ExecRequest(scope=scope, program_id=uuid7(), instructions=program, fetch=[4, 5])
results = []
for answer in worker.Exec(request, **call):
    if answer.HasField("value"):
        results.append((answer.value.matrix.shape, bytearray()))
    elif answer.HasField("chunk"):
        results[-1][1].extend(answer.chunk.data)
# Column-major, as all within a row tile is; these are small, hence one tile each.
sums, gram = (np.frombuffer(data, "<f8").reshape(shape.columns, shape.rows).T for shape, data in results)
print(json.dumps({"a": a.tolist(), "column sums of X @ A": sums.tolist()}))
print(json.dumps({"X.T @ X": gram.tolist()}))

# The rows themselves: the gate refuses those that are not public, and says why in the trailer, an ErrorDetail.
try:
    for _ in worker.Exec(wire.ExecRequest(scope=scope, program_id=uuid7(), fetch=[1]), **call):
        pass
    print(json.dumps({"rows of X": "given, as the data is public"}))
except grpc.RpcError as error:
    refusal = wire.ErrorDetail.FromString(dict(error.trailing_metadata())["fondaco-error-bin"])
    print(json.dumps({"rows of X": {"code": wire.ErrorCode.Name(refusal.code), "message": refusal.message}}))
worker.Clear(wire.ClearRequest(scope=scope), **call)
