"""The pipeline of pipeline.rs on files that are put together, with scikit-learn; prints the same JSON.

    python examples/pipeline.py examples/data/ewr/flights.parquet examples/data/jfk/flights.parquet

needs numpy, pyarrow and scikit-learn (`make .venv/bench`).
"""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["dep_delay", "distance", "temp", "pressure"]


class Clip:
    """`np.clip` at so many standard deviations from the mean."""

    def __init__(self, deviations):
        self.deviations = deviations

    def fit(self, x, y=None):
        mean, reach = x.mean(axis=0), self.deviations * x.std(axis=0)
        self.low, self.high = mean - reach, mean + reach
        return self

    def transform(self, x):
        return np.clip(x, self.low, self.high)

    def fit_transform(self, x, y=None):
        return self.fit(x).transform(x)


def main(paths):
    table = pa.concat_tables(pq.read_table(path) for path in paths)
    # A column each: gaps are NaN.
    columns = {name: table[name].to_numpy().astype(float) for name in [*NUMBERS, "day", "arr_delay"]}
    x = np.empty((table.num_rows, 1 + len(NUMBERS)), dtype=object)
    x[:, 0] = table["carrier"].to_pylist()
    for place, name in enumerate(NUMBERS, start=1):
        x[:, place] = columns[name]
    y, train = columns["arr_delay"], columns["day"] <= 24
    transformer = ColumnTransformer(
        [
            ("carrier", OneHotEncoder(drop="first", sparse_output=False, handle_unknown="ignore"), [0]),
            ("numbers", make_pipeline(SimpleImputer(), Clip(1.5), StandardScaler()), list(range(1, 1 + len(NUMBERS)))),
        ]
    )
    features = np.asarray(transformer.fit_transform(x[train]), dtype=float)
    model = LinearRegression().fit(features, y[train])
    names = [f"carrier_{name}" for name in transformer.named_transformers_["carrier"].categories_[0][1:]] + NUMBERS
    answer = {
        "rows": table.num_rows,
        "coefficients": dict(zip(names, model.coef_)),
        "intercept": model.intercept_,
        "score": model.score(np.asarray(transformer.transform(x[~train]), dtype=float), y[~train]),
    }
    print(json.dumps(answer, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
