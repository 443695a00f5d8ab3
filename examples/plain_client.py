#!/usr/bin/env python3
"""A coordinator in plain Python: no Fondaco library, only grpcio and the .proto files.

    target/debug/fondaco worker --data examples/data      # prints a connect line
    .venv/bin/python examples/plain_client.py fondaco://TOKEN@127.0.0.1:7171
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time
import uuid

import grpc
import grpc_tools.protoc
import numpy as np

parser = argparse.ArgumentParser(description="Describes a worker, reads, puts, computes and fetches.")
parser.add_argument("line", help="the worker's connect line, fondaco://TOKEN@HOST:PORT")
parser.add_argument("--json", action="store_true", help="print the results as JSON; NaN is null")
arguments = parser.parse_args()
token, _, address = arguments.line.removeprefix("fondaco://").rpartition("@")
if not token:
    parser.error("the line must be fondaco://TOKEN@HOST:PORT, as the worker prints it")

# Messages and stubs come from the .proto files alone.
proto = pathlib.Path(__file__).resolve().parent.parent / "proto"
generated = tempfile.TemporaryDirectory()
flags = [f"-I{proto}", f"--python_out={generated.name}", f"--grpc_python_out={generated.name}"]
if grpc_tools.protoc.main(["protoc", *flags, *map(str, proto.glob("fondaco/v1/*.proto"))]) != 0:
    sys.exit("the .proto files could not be compiled")
sys.path.insert(0, generated.name)
from fondaco.v1 import service_pb2 as wire, service_pb2_grpc  # noqa: E402

worker = service_pb2_grpc.FederatedWorkerStub(grpc.insecure_channel(address))
call = {"metadata": [("authorization", f"Bearer {token}")], "timeout": 60}


def uuid7():
    """16 bytes: milliseconds since 1970, then random bits, with version and variant where they belong."""
    random = uuid.uuid4().int & ((1 << 80) - 1)
    number = (time.time_ns() // 1_000_000) << 80 | random
    return uuid.UUID(int=number & ~(0xF << 76) | 7 << 76).bytes


def execute(instructions, fetch):
    """Runs a program; the fetched matrices in order. Each comes as a header and chunks of its bytes."""
    request = wire.ExecRequest(scope=scope, program_id=uuid7(), instructions=instructions, fetch=fetch)
    shapes, data = [], []
    for answer in worker.Exec(request, **call):
        if answer.HasField("value"):
            shapes.append(answer.value.matrix.shape)
            data.append(b"")
        elif answer.HasField("chunk"):
            data[-1] += answer.chunk.data
    # Column-major, as all within a row tile is; these are small, hence one tile each.
    return [np.frombuffer(d, "<f8").reshape(s.columns, s.rows).T for s, d in zip(shapes, data)]


# Describe. With a coordinator ID it also opens a scope, whose epoch goes with every later call.
coordinator_id = uuid7()
site = worker.Describe(wire.DescribeRequest(coordinator_id=coordinator_id), **call)
scope = {"coordinator_id": coordinator_id, "epoch": site.epoch}
dataset = site.datasets[0]
columns = [column.name for column in dataset.columns if column.numeric][:6]

# Read: variable 1 is X. It stays at the worker; its shape comes back.
read = {"dataset": dataset.name, "columns": columns}
rows = worker.Read(wire.ReadRequest(scope=scope, output=1, read=read), **call).receipt.shape.rows

# Put: variable 2 is A, whose columns add up X's columns, and weight them by position.
a = np.column_stack([np.ones(len(columns)), np.arange(1.0, len(columns) + 1)])
matrix = {"shape": {"rows": a.shape[0], "columns": a.shape[1]}, "tile_rows": 4096}
header = wire.PutRequest(header={"scope": scope, "output": 2, "matrix": matrix})
chunk = wire.PutRequest(chunk={"offset": 0, "data": a.astype("<f8").tobytes(order="F")})
worker.Put(iter([header, chunk]), **call)

# Exec: three instructions and two results in one round trip.
column_sums = {"function": "AGGREGATE_FUNCTION_SUM", "axis": "AXIS_COLUMNS"}
program = [
    {"apply": {"output": 3, "op": {"matmul": {"kind": "MATMUL_KIND_PRODUCT"}}, "inputs": [1, 2]}},  # X @ A
    {"apply": {"output": 4, "op": {"aggregate": column_sums}, "inputs": [3]}},
    {"apply": {"output": 5, "op": {"matmul": {"kind": "MATMUL_KIND_GRAM"}}, "inputs": [1]}},  # X.T @ X
]
sums, gram = execute(program, fetch=[4, 5])

# The rows themselves: the gate refuses them, and says why in the trailer, an ErrorDetail.
try:
    for _ in worker.Exec(wire.ExecRequest(scope=scope, program_id=uuid7(), fetch=[1]), **call):
        refusal = None  # public data: they come
except grpc.RpcError as error:
    refusal = wire.ErrorDetail.FromString(dict(error.trailing_metadata())["fondaco-error-bin"])
worker.Clear(wire.ClearRequest(scope=scope), **call)

if arguments.json:
    denied = refusal and {"code": wire.ErrorCode.Name(refusal.code), "message": refusal.message}
    result = {"dataset": dataset.name, "columns": columns, "rows": rows, "a": a, "column_sums": sums, "gram": gram}
    print(json.dumps(result | {"refusal": denied}, default=lambda m: np.where(np.isnan(m), None, m).tolist()))
else:
    np.set_printoptions(linewidth=120, precision=2, suppress=True)
    print(f"{dataset.name}: {rows:,} rows of {', '.join(columns)}")
    print(f"\ncolumn sums of X @ A\n{sums}\n\nX.T @ X\n{gram}")
    print(f"\nrows of X: {refusal.message if refusal else 'given, as the data is public'}")
