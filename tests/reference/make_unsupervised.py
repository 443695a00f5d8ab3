"""Makes the numbers that tests/it/algorithms compare unsupervised and penalised methods with: of NumPy, SciPy,
scikit-learn and statsmodels, on small data.

Run by hand, when a case is added:

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install -r tests/reference/requirements.txt
    /tmp/reference/bin/python tests/reference/make_unsupervised.py

It writes one file per algorithm, with its inputs, rounded so that they are the same for everybody who reads them.
"""

import itertools
import json
import pathlib
import warnings

import numpy as np
import scipy.stats
import statsmodels.api as sm
from sklearn import cluster, decomposition, exceptions, linear_model, mixture

HERE = pathlib.Path(__file__).parent


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value


def write(name, value):
    text = json.dumps(plain(value), separators=(",", ":"))
    (HERE / f"{name}.json").write_text(text + "\n")
    print(f"{name}.json: {len(text)} bytes")


def blobs():
    """Three overlapping clusters of different shape."""
    rng = np.random.default_rng(20240918)
    shapes = [np.diag([1.0, 0.5, 2.0]), np.array([[1, 0.8, 0], [0, 0.5, 0.3], [0, 0, 1]]), 0.7 * np.eye(3)]
    means = np.array([[0, 0, 0], [3, 1, -2], [-1, 3, 2]])
    rows = [rng.normal(size=(n, 3)) @ s + m for n, s, m in zip([120, 90, 60], shapes, means)]
    return rng.permutation(np.vstack(rows)).round(3)


def kmeans():
    x = blobs()
    start = x[:3]
    fitted = cluster.KMeans(3, init=start, n_init=1, algorithm="lloyd", tol=0, max_iter=300).fit(x)
    one = cluster.KMeans(3, init=start, n_init=1, algorithm="lloyd", tol=0, max_iter=1).fit(x)
    best = cluster.KMeans(3, n_init=50, random_state=0, tol=1e-10).fit(x)
    return {
        "x": x,
        "start": start,
        "once": one.cluster_centers_,
        "centers": fitted.cluster_centers_,
        "counts": np.bincount(fitted.labels_).astype(float),
        "inertia": fitted.inertia_,
        "best": best.inertia_,
    }


def pca():
    rng = np.random.default_rng(20240919)
    x = (rng.normal(size=(60, 5)) * [5, 3, 1, 0.5, 0.1] @ rng.normal(size=(5, 5)) + [0, 100, -3, 1, 0]).round(3)
    cases = []
    for kept, whiten in [(None, False), (2, False), (3, True), (0.9, False), (0.999, True)]:
        model = decomposition.PCA(kept, whiten=whiten, svd_solver="covariance_eigh").fit(x)
        assert np.allclose(np.abs(model.components_), np.abs(decomposition.PCA(kept, svd_solver="full").fit(x).components_))
        scores = model.transform(x)
        cases.append(
            {
                "n_components": kept,
                "whiten": whiten,
                "components": model.components_,
                "explained_variance": model.explained_variance_,
                "explained_variance_ratio": model.explained_variance_ratio_,
                "singular_values": model.singular_values_,
                "noise_variance": model.noise_variance_,
                "scores": scores[:10],
                "back": model.inverse_transform(scores)[:10],
            }
        )
    return {"x": x, "cases": cases}


def gaussian_mixture():
    x = blobs()
    weights, means = np.full(3, 1 / 3), np.array([[0.0, 0.0, 0.0], [3.0, 1.0, -2.0], [-1.0, 3.0, 2.0]])
    one = {"full": np.tile(np.eye(3), (3, 1, 1)), "tied": np.eye(3), "diag": np.ones((3, 3)), "spherical": np.ones(3)}
    cases = []
    for kind, iterations in itertools.product(one, [1, 25]):
        model = mixture.GaussianMixture(
            3, covariance_type=kind, tol=0, max_iter=iterations, weights_init=weights, means_init=means,
            precisions_init=one[kind],
        ).fit(x)  # fmt: skip
        cases.append(
            {
                "covariance_type": kind,
                "iterations": iterations,
                "weights": model.weights_,
                "means": model.means_,
                "covariances": model.covariances_.reshape(-1),
                "lower_bound": model.lower_bound_,
                "score": model.score(x),
                "bic": model.bic(x),
                "aic": model.aic(x),
                "proba": model.predict_proba(x)[:10],
            }
        )
    converged = mixture.GaussianMixture(3, n_init=10, tol=1e-8, max_iter=2000, random_state=0).fit(x)
    single = mixture.GaussianMixture(1).fit(x)
    return {
        "x": x,
        "means": means,
        "cases": cases,
        "best": converged.lower_bound_,
        "single": {"mean": single.means_, "covariances": single.covariances_.reshape(-1), "score": single.score(x)},
    }


def nmf():
    rng = np.random.default_rng(20240920)
    x = rng.poisson(rng.gamma(1.0, size=(40, 3)) @ rng.gamma(1.0, size=(3, 6)) * 4).astype(float)
    w, h = rng.uniform(0.1, 1, size=(40, 3)).round(3), rng.uniform(0.1, 1, size=(3, 6)).round(3)
    cases = []
    for iterations, tol in [(1, 0), (30, 0), (400, 1e-4)]:
        model = decomposition.NMF(
            3, init="custom", solver="mu", beta_loss="kullback-leibler", tol=tol, max_iter=iterations
        )
        factors = model.fit_transform(x, W=w.copy(), H=h.copy())
        cases.append(
            {
                "max_iter": iterations,
                "tol": tol,
                "w": factors,
                "h": model.components_,
                "error": model.reconstruction_err_,
                "n_iter": model.n_iter_,
                "transformed": model.transform(x[:8]),
            }
        )
    return {"x": x, "w": w, "h": h, "cases": cases}


def als_plain(x, v, known, reg, iterations):
    """Row after row, column after column."""
    r = v.shape[1]
    u = np.zeros((len(x), r))
    for _ in range(iterations):
        for i, row in enumerate(known):
            u[i] = np.linalg.solve(v[row].T @ v[row] + reg * np.eye(r), v[row].T @ x[i, row])
        for j, column in enumerate(known.T):
            v[j] = np.linalg.solve(u[column].T @ u[column] + reg * np.eye(r), u[column].T @ x[column, j])
    loss = 0.5 * np.sum((x - u @ v.T)[known] ** 2) + 0.5 * reg * (np.sum(u**2) + np.sum(v**2))
    return u, v, loss


def als():
    rng = np.random.default_rng(20240921)
    x = (rng.normal(size=(50, 3)) @ rng.normal(size=(3, 6)) + 0.3 * rng.normal(size=(50, 6)) + 3).round(2)
    x[rng.uniform(size=x.shape) < 0.3] = 0
    start = rng.normal(size=(6, 3)).round(3)
    cases = []
    for zeros, reg, iterations in itertools.product([True, False], [0.1, 2.0], [1, 12]):
        known = np.ones(x.shape, dtype=bool) if zeros else x != 0
        u, v, loss = als_plain(x, start.copy(), known, reg, iterations)
        cases.append({"zeros": zeros, "reg": reg, "iterations": iterations, "u": u[:8], "v": v, "loss": loss})
    # The least objective of all cells: singular values, less the penalty (Srebro, Rennie & Jaakkola 2005).
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    kept = np.maximum(s[:3] - 2.0, 0)
    best = (u[:, :3] * kept) @ vt[:3]
    least = 0.5 * np.sum((x - best) ** 2) + 2.0 * np.sum(kept)
    return {"x": x, "start": start, "cases": cases, "best": best, "least": least}


def columns():
    """Columns of different size that depend on each other, and a target that some of them explain."""
    rng = np.random.default_rng(20240922)
    base = rng.normal(size=(150, 8))
    base[:, 3] += 0.9 * base[:, 0]
    base[:, 5] -= 0.7 * base[:, 1] + 0.5 * base[:, 0]
    x = (base * [1, 2, 0.5, 1, 3, 1, 0.2, 1] + [0, 5, -20, 0, 1, 100, 0, 0]).round(3)
    y = (x @ [2, 0, -1, 0, 0.5, 0.8, 0, 0.05] + rng.normal(size=150) + 4).round(3)
    return x, y


def elastic_net():
    x, y = columns()
    cases = []
    for alpha, ratio, intercept in [(0.1, 1.0, True), (1.0, 1.0, True), (0.5, 0.5, True), (0.5, 0.5, False), (20, 0.1, True)]:
        model = linear_model.ElasticNet(
            alpha=alpha, l1_ratio=ratio, fit_intercept=intercept, tol=1e-14, max_iter=1_000_000
        ).fit(x, y)  # fmt: skip
        cases.append(
            {
                "alpha": alpha,
                "l1_ratio": ratio,
                "fit_intercept": intercept,
                "coef": model.coef_,
                "intercept": model.intercept_,
            }
        )
    alphas, coefs, _ = linear_model.enet_path(
        x - x.mean(axis=0), y - y.mean(), l1_ratio=0.7, alphas=12, eps=1e-2, tol=1e-14, max_iter=1_000_000
    )
    return {"x": x, "y": y, "cases": cases, "path": {"alphas": alphas, "coefs": coefs}}


def stepwise():
    x, y = columns()
    cases = []
    for intercept, threshold in [(True, 0.0), (True, 0.001), (False, 0.0)]:

        def fit(selected):
            design = x[:, selected]
            if intercept:
                design = np.column_stack([design, np.ones(len(y))])
            if design.shape[1] == 0:
                return np.sum(y**2), np.zeros(0)
            fitted = sm.OLS(y, design).fit()
            return fitted.ssr, fitted.params

        def aic(selected):
            return len(y) * np.log(fit(selected)[0] / len(y)) + 2 * (len(selected) + intercept)

        selected, criteria = [], [aic([])]
        while len(selected) < x.shape[1]:
            rest = [j for j in range(x.shape[1]) if j not in selected]
            of = [aic([*selected, j]) for j in rest]
            if not criteria[-1] - min(of) > abs(threshold * criteria[-1]):
                break
            selected.append(rest[int(np.argmin(of))])
            criteria.append(min(of))
        params = fit(selected)[1]
        coef = np.zeros(x.shape[1])
        coef[selected] = params[: len(selected)]
        cases.append(
            {
                "fit_intercept": intercept,
                "threshold": threshold,
                "selected": selected,
                "aic": criteria,
                "coef": coef,
                "intercept": params[-1] if intercept else 0.0,
            }
        )
    return {"x": x, "y": y, "cases": cases}


def correlation():
    rng = np.random.default_rng(20240923)
    x = rng.normal(size=(25, 4))
    x[:, 1] += 2 * x[:, 0]
    x[:, 3] = -x[:, 0] + 1e-4 * x[:, 3]
    x = x.round(5)
    r, p = np.ones((4, 4)), np.zeros((4, 4))
    for i, j in itertools.permutations(range(4), 2):
        r[i, j], p[i, j] = scipy.stats.pearsonr(x[:, i], x[:, j])
    grid = []
    for correlation_, n in itertools.product([1e-6, 0.01, 0.2, 0.5, 0.9, 0.999], [3, 4, 10, 101, 102, 5000]):
        a = n / 2 - 1
        grid.append([correlation_, n, 2 * scipy.stats.beta(a, a, loc=-1, scale=2).sf(correlation_)])
    return {"x": x, "r": r, "p": p, "grid": grid}


def solve():
    rng = np.random.default_rng(20240924)
    a, b, wide = (rng.normal(size=shape).round(4) for shape in [(6, 6), (6, 2), (4, 7)])
    deficient = wide.T @ wide
    sign, logdet = np.linalg.slogdet(a)
    values = np.linalg.eigvalsh(a + a.T)
    solution, _, rank, _ = np.linalg.lstsq(deficient, np.ones((7, 1)), rcond=None)
    return {
        "a": a,
        "b": b,
        "wide": wide,
        "solve": np.linalg.solve(a, b),
        "inv": np.linalg.inv(a),
        "det": np.linalg.det(a),
        "slogdet": [sign, logdet],
        "eigenvalues": values,
        "singular_values": np.linalg.svd(wide, compute_uv=False),
        "lstsq": solution,
        "rank": rank,
    }


def main():
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
    for make in [kmeans, pca, gaussian_mixture, nmf, als, elastic_net, stepwise, correlation, solve]:
        write(make.__name__, make())


if __name__ == "__main__":
    main()
