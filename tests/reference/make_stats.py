"""Numbers that the tests of the family stats and of its summaries compare with: NumPy's, SciPy's and pandas'.

Run by hand, when a case is added; the result is committed:

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install -r tests/reference/stats_requirements.txt
    /tmp/reference/bin/python tests/reference/make_stats.py
"""

import json
import pathlib

import numpy as np
import pandas as pd
from scipy import stats

ROWS = 90
Q = [0.0, 0.1, 0.25, 0.5, 0.9, 1.0]
EDGES = [-4.0, -1.0, 0.0, 0.25, 1.0, 9.0]


def middle(x, w):
    """The mean of the middle half: the integral of the sorted numbers by weight, from a quarter to three."""
    order = np.argsort(x)
    x, w = x[order], w[order]
    after = np.cumsum(w)
    total = after[-1]
    within = np.minimum(after, 0.75 * total) - np.maximum(after - w, 0.25 * total)
    return float((x * np.maximum(within, 0)).sum() / (0.5 * total))


def main():
    random = np.random.default_rng(20250)
    # Rounded, so that all of it is small to commit; the third column is skewed, and far from zero.
    x = np.round(random.normal(size=(ROWS, 3)) * [1, 5, 1] + [0, -3, 0], 4)
    x[:, 2] = np.round(1000 + np.exp(x[:, 2]), 4)
    w = random.integers(0, 5, ROWS) * 0.5
    a, b = random.integers(0, 3, ROWS), random.integers(0, 4, ROWS)
    b = np.where(random.random(ROWS) < 0.5, a, b)
    frame = pd.DataFrame(x)
    grouped = frame.groupby([a, b])
    chi = stats.chi2_contingency(pd.crosstab(a, b), correction=False)
    levels = [x[a == level, 1] for level in range(3)]
    anova = stats.f_oneway(*levels)
    mean = x[:, 1].mean()
    between = sum(len(level) * (level.mean() - mean) ** 2 for level in levels)
    std = x.std(axis=0, ddof=1)
    expected = {
        "quantile": np.quantile(x, Q, axis=0),
        "median": np.median(x, axis=0),
        "quantile_weighted": np.quantile(x, Q, axis=0, weights=w, method="inverted_cdf"),
        "iqm": [middle(column, np.ones(ROWS)) for column in x.T],
        "iqm_weighted": [middle(column, w) for column in x.T],
        "histogram": np.histogram(x[:, 0], EDGES)[0],
        "histogram_weighted": np.histogram(x[:, 0], EDGES, weights=w)[0],
        "histogram_density": np.histogram(x[:, 0], EDGES, density=True)[0],
        "cov_weighted": np.cov(x.T, aweights=w),
        "average": np.average(x, axis=0, weights=w),
        "moments_weighted": [np.average((x - np.average(x, axis=0, weights=w)) ** k, axis=0, weights=w) for k in (2, 3, 4)],
        "table": np.histogram2d(a, b, bins=[range(4), range(5)])[0],
        "group_levels": np.array([list(key) for key in grouped.groups]),
        "group_count": grouped.size().to_numpy(),
        "group_sum": grouped.sum().to_numpy(),
        "group_mean": grouped.mean().to_numpy(),
        "group_var": grouped.var().to_numpy(),
        "group_min": grouped.min().to_numpy(),
        "group_max": grouped.max().to_numpy(),
        "variance": x.var(axis=0, ddof=1),
        "standard_error": stats.sem(x, axis=0),
        # R's e1071 of type 3, and SystemDS: by the standard deviation of n - 1.
        "skewness": ((x - x.mean(axis=0)) ** 3).mean(axis=0) / std**3,
        "kurtosis": ((x - x.mean(axis=0)) ** 4).mean(axis=0) / std**4 - 3,
        "modes": stats.mode(a).mode,
        "pearson": stats.pearsonr(x[:, 0], x[:, 1]).statistic,
        "covariance": np.cov(x[:, 0], x[:, 1])[0, 1],
        "chi_squared": [chi.statistic, chi.dof, chi.pvalue, stats.contingency.association(pd.crosstab(a, b), "cramer")],
        "anova": [anova.statistic, anova.pvalue, np.sqrt(between / ((x[:, 1] - mean) ** 2).sum())],
        "spearman": stats.spearmanr(a, b).statistic,
        "chi_squared_above": [[s, f, stats.chi2.sf(s, f)] for s, f in [(0.5, 1), (7.0, 3), (40.0, 12), (900.0, 1000)]],
        "f_above": [[s, d, e, stats.f.sf(s, d, e)] for s, d, e in [(0.3, 2, 7), (4.0, 3, 90), (2.5, 40, 6)]],
    }
    data = {"x": x, "w": w, "a": a, "b": b, "q": Q, "edges": EDGES}
    plain = lambda value: value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    nested = lambda value: [nested(plain(item)) for item in value] if isinstance(value, list) else plain(value)
    result = {name: nested(plain(value)) for name, value in {**data, **expected}.items()}
    path = pathlib.Path(__file__).with_name("stats.json")
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in result.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
