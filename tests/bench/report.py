"""The results of `make bench`: bench.json, and the same as a table."""

import contextlib
import dataclasses
import json
import sys
import traceback

from processes import BenchError

# The most that ours may be of the reference's.
LIMITS = {
    "gram": 0.65,
    "lm_normal_equations": 0.65,
    "mmchain": 0.55,
    "lm_cg": 0.55,
    "kmeans": 1.0,
    "fused_squares": 0.5,
    "fused_gradient": 0.5,
    "xv": 0.8,
    "pca": 0.7,
    "l2svm": 0.8,
    "logreg": 1.0,
    "onehot": 0.6,
    "onehot_gram": 0.05,
    "op_arithmetic": 1.0,
    "op_comparison": 1.0,
    "op_rounding": 1.0,
    "op_transcendental": 1.5,
    "aggregates": 0.5,
    "read_plain": 0.6,
    "read_zstd": 0.6,
    "tiny": 3,
    "tiny_p99": None,
    "put": 1.7,
    "get": 1.7,
    "stream_gram": 1.1,
    "second_tenant": 0.1,
    "four_tenants": 1.5,
    "resident": 1.3,
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """A line of the table."""

    name: str
    unit: str
    ours: float
    reference: float
    reference_name: str

    @property
    def ratio(self):
        return self.ours / self.reference

    def json(self):
        """As bench.json has it."""
        order = ("name", "unit", "ours", "reference", "ratio", "reference_name")
        return {field: getattr(self, field) for field in order}


class Report:
    """What was measured, and what failed."""

    def __init__(self, only):
        self.only, self.entries, self.failures = only, [], []

    def wants(self, benchmarks):
        """Those of the benchmarks that have a name in `--only`."""
        return {names: run for names, run in benchmarks.items() if not self.only.isdisjoint(names)}

    @contextlib.contextmanager
    def collect(self, what):
        """Takes up entries; what fails is told at the end, and the next one has its turn."""
        print(what, file=sys.stderr)
        try:
            yield lambda entries: self.entries.extend(entry for entry in entries if entry.name in self.only)
        except BenchError as error:
            self.fail(what, error)
        except Exception as error:  # a bug of ours costs this benchmark, not those that were measured
            traceback.print_exc()
            self.fail(what, repr(error))

    def fail(self, what, why):
        """Remembers a failure."""
        print(f"    failed: {why}", file=sys.stderr)
        self.failures.append(f"{what}: {why}")

    def write(self, path):
        """bench.json, in the order of the limits."""
        self.entries.sort(key=lambda entry: list(LIMITS).index(entry.name))
        path.write_text(json.dumps([entry.json() for entry in self.entries], indent=2) + "\n")

    def table(self):
        """The same for people."""
        lines = [f"{'name':20} {'ours':>11} {'reference':>11} {'ratio':>7} {'at most':>7}   reference is"]
        for entry in self.entries:
            limit = LIMITS[entry.name]
            over = "  OVER" if limit is not None and entry.ratio > limit else ""
            ours, reference = human(entry.ours, entry.unit), human(entry.reference, entry.unit)
            most = "" if limit is None else f"{limit:g}"
            line = f"{entry.name:20} {ours:>11} {reference:>11} {entry.ratio:7.3f} {most:>7}"
            lines.append(f"{line}   {entry.reference_name}{over}")
        return "\n".join([*lines, *(f"FAILED  {failure}" for failure in self.failures)])


def human(value, unit):
    """A number of seconds or bytes in a unit that suits it."""
    scales = {"s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")), "B": ((1e6, "MB"), (1e3, "kB"))}[unit]
    scale, name = next((scale for scale in scales if abs(value) >= scale[0]), scales[-1])
    return f"{value / scale:.4g} {name}"
