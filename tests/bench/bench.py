#!/usr/bin/env python3
"""`make bench`: two workers and a coordinator beside single-process NumPy, in turns; the median of each counts.

Writes target/bench.json, a list of {name, unit, ours, reference, ratio, reference_name}, and prints the same as a
table. The coordinator is `target/release/examples/bench-driver`, a program over the SDK that is started as

    bench-driver --tenant NAME=LINE,LINE [--tenant NAME=LINE,LINE ..]

with a connect line per site, in the order of the layout. It connects every tenant, then reads one JSON command per
line from standard input, and answers each with one JSON line on standard output, in order and flushed; all else goes
to standard error. At the end of input it clears its scopes and ends. Commands but `analysis` are the first tenant's.

An answer is {"seconds": S, "check": {NAME: [NUMBER, ..]}}, with further fields where the command says so, or
{"error": MESSAGE}, after which the next command may follow. `seconds` is wall time from the first call of the SDK to
the result in the coordinator's memory; what is called *untimed* lies outside, and is over before the answer is written.
`check` holds results, flat, to compare with the reference's. All workers but those of `analysis` run with
`reuse = false`, so that no result comes from a cache.

load  dataset, columns, target
    X = these columns, y = [target]: bound, all sites' receipts in hand, kept until `drop`. An earlier load is dropped
    first, untimed. check: shape (rows and columns of X)
gram
    X.T @ X. check: diagonal; row (the first)
lm_normal_equations
    Linear regression of y on X, no intercept, no ridge. check: coefficients
mmchain  steps
    v = ones / sqrt(columns); then `steps` times: v = X.T @ (X @ v), v /= norm(v); one round trip each. check: v
lm_cg  steps
    The same regression by conjugate gradient from 0: exactly `steps` steps, tolerance 0; one round trip each.
    check: coefficients
kmeans  centres (a list of rows), iterations
    Lloyd from these centres: exactly `iterations` updates, tolerance 0. check: centres (row after row)
fused_squares
    ((X - mu)**2 / s).sum(axis=0), mu = 0.01 j and s = 1 + j of column j. check: sums
fused_gradient
    X.T @ (sigmoid(X @ w) - y), w = 0.02 (j % 7) - 0.05. check: gradient
xv  steps
    So many times (X @ v).sum(), v = w, 2 w, ..; X @ v is kept at the sites. check: sums
pca
    Principal components of X by its covariance; scores are not released. check: explained_variance
l2svm
    Squared hinge loss of the labels (y > 0), C = 1, with intercept, tolerance 1e-4, by nonlinear conjugate gradients
    from 0. check: coefficients
logreg  solver, tol
    Logistic regression of the same labels, C = 1, with intercept. check: objective
onehot  dataset
    One column of 0 and 1 for each category of each column of texts, fitted and kept at the sites; the texts are read
    before, untimed, and kept until `drop`. check: sums (of its columns, untimed)
onehot_gram  dataset
    The same, X, and X.T @ X. check: diagonal
operator  function
    One elementwise operator, of X or of a second matrix |X| where X is out of its domain; of two operands, X and |X|.
    The result is kept at the sites. check: sums (of its columns, untimed)
aggregates
    Of X's columns, in one program. check: sum; mean; var (ddof 0); min; max
read  dataset, columns
    Binds a fresh matrix, until all sites' receipts are in hand; then drops it, untimed. check: shape
tiny  calls
    One after the other, so many programs at the first site, each of ten operators on 1 × 1 matrices and one fetch;
    drops ride along. check: {}. Also latencies_ns (of each call), and of one call request_bytes and response_bytes (a
    list: of each message of the answer), protobuf-encoded
bare  calls, request_bytes, response_bytes
    So many calls of a bare tonic server in a child process: one message there, a stream of messages back, of these
    sizes; no TLS. check: {}. Also latencies_ns
put  rows, columns
    Uploads a matrix of random numbers, made once, untimed, to the first site, and keeps it until `drop`. An earlier
    put is dropped first, untimed. check: shape
get
    Fetches what `put` bound. check: shape
tcp_copy  bytes
    Sends a buffer, made once, untimed, over loopback TCP to a child process, into memory there, until it has answered
    with its blake3; both sides hash all bytes. check: {}
drop
    Drops what load and put bound, and waits until the sites have. check: {}
analysis  tenants, dataset, columns, target
    Each of these tenants at once, released by a barrier; `seconds` runs from there to the last one's end: read X and y,
    regress by normal equations, aggregate as above, no uploads. Then drops all, untimed. check: coefficients; sum;
    mean; var; min; max (each the same for all tenants, bit for bit, else an error)
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import statistics
import sys
import time

import numpy as np

import dataset
from processes import BenchError, Speaker, federation
from report import LIMITS, Entry, Report

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / "target"
STEPS = 20
CLUSTERS = 10
KMEANS_ITERATIONS = 10
TENANTS = ("ada", "bela", "carl", "dora")
OPERATORS = {
    "op_arithmetic": ("add", "multiply", "divide", "modulo", "floor_divide", "minimum", "abs", "negative"),
    "op_comparison": ("less", "equal"),
    "op_rounding": ("sqrt", "floor", "round"),
    "op_transcendental": (
        *("exp", "log", "log1p", "expm1", "sin", "cos", "tan", "asin", "acos", "atan"),
        *("sinh", "cosh", "tanh", "sigmoid", "power"),
    ),
}
# What a worker may hold beside its matrices.
RESIDENT_FREE_BYTES = 100_000_000
# Between two measurements: for threads of OpenBLAS, which spin for some 25 ms, to sleep.
SETTLE_S = 0.2


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much is measured."""

    rows: int
    columns: int
    rounds: int
    calls: int  # of `tiny`, in each round
    put_rows: int
    resident_wait_s: float

    @property
    def load(self):
        """What `load` and `analysis` read."""
        return {"dataset": "plain", "columns": dataset.column_names(self.columns), "target": dataset.TARGET}


FULL = Scale(1_000_000, 100, rounds=5, calls=2_000, put_rows=500_000, resident_wait_s=35)
QUICK = Scale(40_000, 20, rounds=2, calls=100, put_rows=10_000, resident_wait_s=1)


@dataclasses.dataclass(frozen=True)
class Session:
    """What a benchmark may use. The driver's workers reuse nothing."""

    scale: Scale
    driver: Speaker
    reference: Speaker
    workers: list


def in_turns(rounds, ours, reference):
    """Samples of both: one, the other, one, the other, with everything else idle."""
    samples = ([], [])
    for _ in range(rounds):
        for measure, into in zip((ours, reference), samples):
            time.sleep(SETTLE_S)
            into.append(measure())
    return samples


def compare(what, ours, reference, tolerance):
    """Refuses results that differ by more than `tolerance` times the largest number of each array."""
    for key, expected in reference.items():
        found, expected = np.array(ours.get(key, ()), dtype=float), np.array(expected, dtype=float)
        if found.shape != expected.shape:
            raise BenchError(f"{what}: {key} has {found.size} numbers, the reference {expected.size}")
        off = np.abs(found - expected).max() / max(np.abs(expected).max(), np.finfo(float).tiny)
        if not off <= tolerance:
            raise BenchError(f"{what}: {key} is off by {off:.1e} of its largest number; {tolerance:.0e} is allowed")


def on_both(session, name, reference_name, cmd=None, tolerance=1e-9, **arguments):
    """A command that driver and reference carry out alike, called as the benchmark unless given: once each, to warm up
    and to compare; then in turns."""
    cmd = cmd or name
    sides = (session.driver, session.reference)
    checks = [side.ask(cmd, **arguments)["check"] for side in sides]
    compare(name, *checks, tolerance)
    seconds = (lambda side=side: side.ask(cmd, **arguments)["seconds"] for side in sides)
    ours, reference = in_turns(session.scale.rounds, *seconds)
    return [median(name, "s", ours, reference, reference_name)]


def median(name, unit, ours, reference, reference_name):
    """An entry, and its samples on standard error."""
    for side, samples in (("ours", ours), (reference_name, reference)):
        print(f"    {name}: {' '.join(f'{sample:.4g}' for sample in samples)} {unit}  {side}", file=sys.stderr)
    return Entry(name, unit, statistics.median(ours), statistics.median(reference), reference_name)


def kmeans(session):
    """Lloyd's algorithm from ten centres near the middle, so that no cluster is small."""
    centres = 0.1 * np.random.default_rng(dataset.SEED).standard_normal((CLUSTERS, session.scale.columns))
    arguments = {"centres": centres.tolist(), "iterations": KMEANS_ITERATIONS}
    return on_both(session, "kmeans", "scikit-learn KMeans, Lloyd", tolerance=1e-6, **arguments)


@contextlib.contextmanager
def public(session):
    """Public data for a while: of others every function of rows is measured before it is summed."""
    session.driver.ask("load", **{**session.scale.load, "dataset": dataset.PUBLIC})
    try:
        yield
    finally:
        session.driver.ask("load", **session.scale.load)


def on_public(session, name, reference_name, **arguments):
    """The same on public data."""
    with public(session):
        return on_both(session, name, reference_name, **arguments)


def operators(session, kind):
    """Of a class of operators the one that is slowest beside NumPy's; all of them on standard error."""
    with public(session):
        names = OPERATORS[kind]
        each = [on_both(session, f"{kind}: {f}", f"NumPy {f}", "operator", function=f)[0] for f in names]
    return [dataclasses.replace(max(each, key=lambda entry: entry.ratio), name=kind)]


def onehot_gram(arguments, scale, folder, made):
    """The most memory of a worker that makes X.T @ X of a one-hot X, against that of a dense X."""
    counts = dataset.CATEGORIES[dataset.MANY]
    with federation(arguments, folder / "onehot", made, TENANTS[:1], reuse=False) as (driver, workers):
        diagonal = driver.ask("onehot_gram", dataset=dataset.MANY)["check"]["diagonal"]
        most = max(worker.resident_bytes("VmHWM") for worker in workers)
    compare("onehot_gram", {"counts": [len(diagonal), sum(diagonal)]}, {"counts": [sum(counts), scale.rows * len(counts)]}, 0)
    start, end = dataset.site_rows(0, scale.rows)
    dense = (end - start) * sum(counts) * 8
    return [median("onehot_gram", "B", [most], [dense], "bytes of the dense one-hot matrix")]


def logreg(session):
    """Both to an objective within 1e-6 of the least, each with the loosest tolerance that reaches it."""
    tolerances = [10.0**-exponent for exponent in range(2, 9)]
    sides = {"ours": (session.driver, {}), "lbfgs": (session.reference, {"solver": "lbfgs"})}
    sides["newton-cholesky"] = (session.reference, {"solver": "newton-cholesky"})

    def objective(side, tol):
        speaker, arguments = sides[side]
        return speaker.ask("logreg", tol=tol, **arguments)["check"]["objective"][0]

    least = objective("newton-cholesky", 1e-10)
    chosen = {}
    for side in sides:
        reached = (tol for tol in tolerances if objective(side, tol) <= least * (1 + 1e-6))
        chosen[side] = next(reached, None)
        if chosen[side] is None:
            raise BenchError(f"logreg: {side} does not come within 1e-6 of the least objective, {least}")
    timed = {
        side: lambda s=speaker, a={**arguments, "tol": chosen[side]}: s.ask("logreg", **a)["seconds"]
        for side, (speaker, arguments) in sides.items()
    }
    entries = []
    for solver in ("lbfgs", "newton-cholesky"):
        samples = in_turns(session.scale.rounds, timed["ours"], timed[solver])
        entries.append(median("logreg", "s", *samples, f"scikit-learn LogisticRegression, {solver}, the faster"))
    return [max(entries, key=lambda entry: entry.ratio)]


def read(session, codec):
    """Parquet to a resident matrix."""
    arguments = {"dataset": codec, "columns": dataset.column_names(session.scale.columns)}
    return on_both(session, f"read_{codec}", "pyarrow read_table + copy to Fortran order", "read", **arguments)


def tiny(session):
    """p50 by rounds, p99 of all calls."""
    driver, calls = session.driver, session.scale.calls
    first = driver.ask("tiny", calls=calls)
    size = {field: first[field] for field in ("request_bytes", "response_bytes")}
    driver.ask("bare", calls=calls, **size)
    samples = in_turns(
        session.scale.rounds,
        lambda: driver.ask("tiny", calls=calls)["latencies_ns"],
        lambda: driver.ask("bare", calls=calls, **size)["latencies_ns"],
    )
    p50 = ([float(np.median(latencies)) / 1e9 for latencies in side] for side in samples)
    p99 = ([float(np.percentile(side, 99)) / 1e9] for side in samples)
    name = "bare tonic server stream, the same messages and bytes"
    return [median("tiny", "s", *p50, name), median("tiny_p99", "s", *p99, name)]


def transfer(session, name):
    """`put` or `get` of a tenant's own matrix."""
    driver, scale = session.driver, session.scale
    shape = {"rows": scale.put_rows, "columns": scale.columns}
    cells = scale.put_rows * scale.columns
    arguments = shape if name == "put" else {}
    driver.ask("put", **shape)
    compare(name, driver.ask(name, **arguments)["check"], {"shape": list(shape.values())}, 0)
    driver.ask("tcp_copy", bytes=8 * cells)
    samples = in_turns(
        scale.rounds,
        lambda: driver.ask(name, **arguments)["seconds"],
        lambda: driver.ask("tcp_copy", bytes=8 * cells)["seconds"],
    )
    return [median(name, "s", *samples, "TCP copy between two processes, blake3 on both sides")]


def resident(session):
    """Memory of the worker that holds the most beside its matrices, when the work is over."""
    session.driver.ask("drop")
    session.driver.ask("load", **session.scale.load)
    for cmd in ("gram", "aggregates"):
        session.driver.ask(cmd)
    time.sleep(session.scale.resident_wait_s)
    entries = []
    for site, worker in enumerate(session.workers):
        start, end = dataset.site_rows(site, session.scale.rows)
        held = (end - start) * (session.scale.columns + 1) * 8
        free_of = max(worker.resident_bytes() - RESIDENT_FREE_BYTES, 0)
        entries.append(median("resident", "B", [free_of], [held], "bytes of the matrices it holds"))
    return [max(entries, key=lambda entry: entry.ratio)]


def analysis(driver, workers, scale, who):
    """The analysis by these tenants at once: the answer, and the CPU time of all workers."""
    time.sleep(SETTLE_S)
    before = sum(worker.cpu_s() for worker in workers)
    answer = driver.ask("analysis", tenants=who, **scale.load)
    time.sleep(SETTLE_S)
    return answer, sum(worker.cpu_s() for worker in workers) - before


def tenants(arguments, scale, folder, made):
    """The same by a first tenant, who finds the workers cold, by a second one after it, and by four on cold ones."""
    cpu, wall = ([], []), ([], [])
    for _ in range(scale.rounds):
        with federation(arguments, folder, made, TENANTS, reuse=True) as (driver, workers):
            first, first_cpu = analysis(driver, workers, scale, TENANTS[:1])
            second, second_cpu = analysis(driver, workers, scale, TENANTS[1:2])
        with federation(arguments, folder, made, TENANTS, reuse=True) as (driver, workers):
            four, _ = analysis(driver, workers, scale, TENANTS)
        compare("second_tenant", second["check"], first["check"], 0)
        compare("four_tenants", four["check"], first["check"], 0)
        for into, sample in zip((*cpu, *wall), (second_cpu, first_cpu, four["seconds"], first["seconds"])):
            into.append(sample)
    return [
        median("second_tenant", "s", *cpu, "worker CPU of the first tenant, cold"),
        median("four_tenants", "s", *wall, "wall time of one alone, cold"),
    ]


def stream(arguments, scale, folder, made):
    """X.T @ X of four times as many rows as the workers' memory holds, against reading them and X.T @ X of what is
    there."""
    start, end = dataset.site_rows(0, scale.rows)
    budget = max((end - start) * scale.columns * 8 // 4, 8 << 20)
    small = federation(arguments, folder / "small", made, TENANTS[:1], reuse=False, memory_bytes_max=budget)
    large = federation(arguments, folder / "large", made, TENANTS[:1], reuse=False)
    with small as (streaming, _), large as (resident, _):
        for driver in (streaming, resident):
            driver.ask("load", **scale.load)
        compare("stream_gram", *(driver.ask("gram")["check"] for driver in (streaming, resident)), 0)
        read = {"dataset": scale.load["dataset"], "columns": scale.load["columns"]}
        samples = in_turns(
            scale.rounds,
            lambda: streaming.ask("gram")["seconds"],
            lambda: resident.ask("read", **read)["seconds"] + resident.ask("gram")["seconds"],
        )
    return [median("stream_gram", "s", *samples, "reading it, and X.T @ X of what is resident")]


@contextlib.contextmanager
def resident_data(arguments, scale, folder, made):
    """The long-lived federation and the reference, with X and y loaded at both."""
    command = [sys.executable, pathlib.Path(__file__).with_name("reference.py"), made]
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    # Threads of OpenMP sleep between regions, so that the idle reference takes nothing from ours.
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    with (
        Speaker("the reference", command, folder / "reference.log", environment) as reference,
        federation(arguments, folder, made, TENANTS[:1], reuse=False) as (driver, workers),
    ):
        checks = [side.ask("load", **scale.load)["check"] for side in (driver, reference)]
        compare("load", *checks, 0)
        yield Session(scale, driver, reference, workers)


# On resident data, in this order; `resident` last, when the workers have been through all the others.
ON_RESIDENT_DATA = {
    ("gram",): lambda s: on_both(s, "gram", "NumPy X.T @ X"),
    ("lm_normal_equations",): lambda s: on_both(s, "lm_normal_equations", "NumPy solve(X.T @ X, X.T @ y)"),
    ("mmchain",): lambda s: on_both(s, "mmchain", "NumPy X.T @ (X @ v)", steps=STEPS),
    ("lm_cg",): lambda s: on_both(s, "lm_cg", "NumPy conjugate gradient", tolerance=1e-6, steps=STEPS),
    ("kmeans",): kmeans,
    ("fused_squares",): lambda s: on_public(s, "fused_squares", "NumPy ((X - mu)**2 / s).sum(axis=0)"),
    ("fused_gradient",): lambda s: on_public(s, "fused_gradient", "NumPy X.T @ (expit(X @ w) - y)"),
    ("xv",): lambda s: on_both(s, "xv", "NumPy (X @ v).sum()", steps=STEPS),
    ("onehot",): lambda s: on_both(s, "onehot", "pandas get_dummies", dataset=dataset.FEW),
    ("pca",): lambda s: on_both(s, "pca", "NumPy eigh(cov(X))"),
    ("l2svm",): lambda s: on_public(s, "l2svm", "NumPy, the same algorithm", tolerance=1e-3),
    ("logreg",): logreg,
    **{(kind,): lambda s, kind=kind: operators(s, kind) for kind in OPERATORS},
    ("aggregates",): lambda s: on_both(s, "aggregates", "NumPy sum, mean, var, min, max"),
    ("read_plain",): lambda s: read(s, "plain"),
    ("read_zstd",): lambda s: read(s, "zstd"),
    ("tiny", "tiny_p99"): tiny,
    ("put",): lambda s: transfer(s, "put"),
    ("get",): lambda s: transfer(s, "get"),
    ("resident",): resident,
}
ON_COLD_WORKERS = {("stream_gram",): stream, ("onehot_gram",): onehot_gram, ("second_tenant", "four_tenants"): tenants}


def measure(arguments, scale, report):
    """All that is wanted, into the report."""
    made = dataset.make(TARGET / "bench-data", scale.rows, scale.columns)
    runs = TARGET / "bench-data" / "run"
    shutil.rmtree(runs, ignore_errors=True)
    if wanted := report.wants(ON_RESIDENT_DATA):
        with report.collect("load"), resident_data(arguments, scale, runs / "resident", made) as session:
            for names, run in wanted.items():
                with report.collect(", ".join(names)) as take:
                    take(run(session))
    for names, run in report.wants(ON_COLD_WORKERS).items():
        with report.collect(", ".join(names)) as take:
            take(run(arguments, scale, runs / "cold", made))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", metavar="NAME,NAME", help=f"of {', '.join(LIMITS)}")
    parser.add_argument("--quick", action="store_true", help="small data and few rounds: to see that all works")
    parser.add_argument("--rounds", type=int, help="samples of each side (default: 5, which is the least that counts)")
    parser.add_argument("--out", type=pathlib.Path, help="default: target/bench.json; with --quick bench-quick.json")
    parser.add_argument("--worker", type=pathlib.Path, default=TARGET / "release/fondaco")
    parser.add_argument("--driver", type=pathlib.Path, default=TARGET / "release/examples/bench-driver")
    arguments = parser.parse_args()
    arguments.only = set(arguments.only.split(",") if arguments.only else LIMITS)
    if unknown := arguments.only - set(LIMITS):
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}; there are {', '.join(LIMITS)}")
    for binary in (arguments.worker, arguments.driver):
        if not binary.exists():
            parser.error(f"{binary} is missing; `make bench` builds it")
    return arguments


def main():
    arguments = parse_arguments()
    # So that `kill` ends what was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scale = QUICK if arguments.quick else FULL
    if arguments.rounds:
        scale = dataclasses.replace(scale, rounds=arguments.rounds)
    if os.getloadavg()[0] > 0.5:
        print(f"other work is running (load {os.getloadavg()[0]:.1f}): take these numbers with care", file=sys.stderr)
    report = Report(arguments.only)
    try:
        measure(arguments, scale, report)
    except KeyboardInterrupt:
        sys.exit(130)
    report.write(arguments.out or TARGET / ("bench-quick.json" if arguments.quick else "bench.json"))
    print(report.table())
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
