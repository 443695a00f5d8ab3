"""The reference of `make bench`: NumPy, scikit-learn and pyarrow on the pooled data, in one process.

It speaks the driver's protocol (see bench.py): one JSON command per line in, one JSON answer per line out. X is in
memory in C order; NumPy's own OpenBLAS and scikit-learn's OpenMP use all cores.
"""

import json
import pathlib
import sys
import time
import traceback

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from scipy.special import expit
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

import dataset
from l2svm import l2svm


TWO_OPERANDS = {
    "modulo": np.remainder,
    **{name: getattr(np, name) for name in ("add", "multiply", "divide", "floor_divide", "minimum", "less", "equal")},
}
UNARY = {"asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sigmoid": expit}


class Reference:
    """The commands; each returns what the clock runs for, and how the result is checked."""

    def __init__(self, made):
        self.made = made
        self.texts_of = self.texts = None

    def _table(self, codec, columns):
        files = [str(dataset.part(self.made, codec, site)) for site in range(dataset.SITES)]
        return pq.read_table(files, columns=columns)

    def load(self, command):
        codec, columns, target = command["dataset"], command["columns"], command["target"]
        self.x = np.ascontiguousarray(fortran(self._table(codec, columns)))
        self.y = fortran(self._table(codec, [target]))[:, 0]
        self.labels = (self.y > 0).astype(float)
        self.sizes = None
        return lambda: self.x.shape, lambda shape: {"shape": shape}

    def gram(self, command):
        return lambda: self.x.T @ self.x, lambda g: {"diagonal": g.diagonal(), "row": g[0]}

    def lm_normal_equations(self, command):
        x, y = self.x, self.y
        return lambda: np.linalg.solve(x.T @ x, x.T @ y), lambda b: {"coefficients": b}

    def mmchain(self, command):
        def work():
            v = np.full(self.x.shape[1], 1 / np.sqrt(self.x.shape[1]))
            for _ in range(command["steps"]):
                v = self.x.T @ (self.x @ v)
                v /= np.linalg.norm(v)
            return v

        return work, lambda v: {"v": v}

    def lm_cg(self, command):
        def work():
            residual = self.x.T @ self.y
            b, p, size = np.zeros_like(residual), residual, residual @ residual
            for _ in range(command["steps"]):
                q = self.x.T @ (self.x @ p)
                alpha = size / (p @ q)
                b, residual = b + alpha * p, residual - alpha * q
                size, before = residual @ residual, size
                p = residual + size / before * p
            return b

        return work, lambda b: {"coefficients": b}

    def kmeans(self, command):
        centres = np.array(command["centres"])
        lloyd = {"algorithm": "lloyd", "n_init": 1, "tol": 0, "max_iter": command["iterations"]}
        model = KMeans(n_clusters=len(centres), init=centres, **lloyd)
        return lambda: model.fit(self.x), lambda m: {"centres": m.cluster_centers_.ravel()}

    def fused_squares(self, command):
        mu, s = 0.01 * np.arange(self.x.shape[1]), 1.0 + np.arange(self.x.shape[1])
        return lambda: ((self.x - mu) ** 2 / s).sum(axis=0), lambda sums: {"sums": sums}

    def fused_gradient(self, command):
        w = self._weights()
        return lambda: self.x.T @ (expit(self.x @ w) - self.y), lambda gradient: {"gradient": gradient}

    def xv(self, command):
        w = self._weights()

        def work():
            return [(self.x @ (w * (1.0 + i))).sum() for i in range(command["steps"])]

        return work, lambda sums: {"sums": sums}

    def pca(self, command):
        return lambda: np.linalg.eigh(np.cov(self.x, rowvar=False)), lambda e: {"explained_variance": e[0][::-1]}

    def l2svm(self, command):
        return lambda: l2svm(self.x, 2 * self.labels - 1, tol=1e-4), lambda w: {"coefficients": w}

    def logreg(self, command):
        model = LogisticRegression(C=1.0, solver=command["solver"], tol=command["tol"], max_iter=1000)

        def objective(fitted):
            margins = (2 * self.labels - 1) * (self.x @ fitted.coef_[0] + fitted.intercept_[0])
            return {"objective": [np.logaddexp(0, -margins).sum() + (fitted.coef_**2).sum() / 2]}

        return lambda: model.fit(self.x, self.labels), objective

    def onehot(self, command):
        if command["dataset"] != self.texts_of:
            self.texts_of, self.texts = command["dataset"], self._table(command["dataset"], None).to_pandas()
        return lambda: pd.get_dummies(self.texts, dtype=float), lambda x: {"sums": x.to_numpy().sum(axis=0)}

    def operator(self, command):
        if self.sizes is None:
            self.sizes = np.abs(self.x)
        name = command["function"]
        if name in TWO_OPERANDS:
            function, operands = TWO_OPERANDS[name], (self.x, self.sizes)
        elif name == "power":
            function, operands = np.power, (self.sizes, 2.5)
        else:
            domain = {"sqrt": self.sizes, "log": self.sizes, "log1p": self.sizes}
            function, operands = UNARY.get(name, getattr(np, name, None)), (domain.get(name, self.x),)
        if name in ("asin", "acos"):
            operands = (self.x / 8,)
        return lambda: function(*operands), lambda result: {"sums": result.sum(axis=0)}

    def _weights(self):
        return 0.02 * (np.arange(self.x.shape[1]) % 7) - 0.05

    def aggregates(self, command):
        names = ("sum", "mean", "var", "min", "max")
        return lambda: {name: getattr(self.x, name)(axis=0) for name in names}, lambda results: results

    def read(self, command):
        def work():
            return fortran(self._table(command["dataset"], command["columns"]))

        return work, lambda matrix: {"shape": matrix.shape}


def fortran(table):
    """A copy of a table's columns in a Fortran-order matrix."""
    matrix = np.empty((table.num_rows, table.num_columns), order="F")
    for j, column in enumerate(table.columns):
        start = 0
        for chunk in column.chunks:
            matrix[start : start + len(chunk), j] = chunk.to_numpy()
            start += len(chunk)
    return matrix


def answer(reference, line):
    """Carries out one command."""
    command = json.loads(line)
    work, check = getattr(reference, command["cmd"])(command)
    begun = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "check": check(result)}


def main():
    reference = Reference(pathlib.Path(sys.argv[1]))
    for line in sys.stdin:
        try:
            reply = answer(reference, line)
        except Exception as error:  # the protocol's edge: the orchestrator reports it, and the next command may work
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply, default=lambda array: array.tolist()), flush=True)


if __name__ == "__main__":
    main()
