"""Makes the numbers that tests/it/algorithms compare with: of scikit-learn and statsmodels, on small data.

Run by hand, when a case is added:

    python3 -m venv /tmp/reference && /tmp/reference/bin/pip install -r tests/reference/requirements.txt
    /tmp/reference/bin/python tests/reference/make_reference.py

It writes data.json (the inputs, rounded so that they are exact in both worlds) and one file of results per algorithm.
"""

import json
import pathlib
import warnings

import numpy as np
import statsmodels.api as sm
from sklearn import linear_model, metrics, model_selection, naive_bayes, svm

HERE = pathlib.Path(__file__).parent
ROWS = 300
FAMILIES = sm.families
LINKS = FAMILIES.links


def make_data():
    """Features of different size, offset and correlation, and a response of each kind."""
    rng = np.random.default_rng(20240917)
    base = rng.normal(size=(ROWS, 3))
    x = np.column_stack([base[:, 0], 2 + 0.5 * base[:, 1] + 0.3 * base[:, 0], 20 * base[:, 2] - 100]).round(3)
    linear = 0.4 + 0.8 * x[:, 0] - 0.6 * (x[:, 1] - 2) + 0.02 * (x[:, 2] + 100)
    scores = np.column_stack([linear, -linear, 0.7 * x[:, 0] - 0.02 * (x[:, 2] + 100)])
    data = {
        "x": x,
        "number": (3 * linear + rng.normal(size=ROWS)).round(3),
        "binary": (linear + rng.logistic(size=ROWS) > 0).astype(float),
        "class": np.argmax(scores + rng.gumbel(size=scores.shape), axis=1).astype(float),
        "count": rng.poisson(np.exp(0.6 * linear)).astype(float),
        "positive": (rng.gamma(3.0, np.exp(0.4 * linear) / 3)).round(3) + 0.001,
        "share": (1 / (1 + np.exp(-linear - 0.3 * rng.normal(size=ROWS)))).round(3),
        "weight": rng.integers(0, 4, size=ROWS).astype(float),
        "offset": (0.3 * rng.normal(size=ROWS)).round(3),
        "words": rng.poisson(np.exp(scores @ rng.normal(size=(3, 4)) * 0.3 + 1)).astype(float),
    }
    rate = 1 + 0.15 * x[:, 0] - 0.1 * (x[:, 1] - 2)
    data["decay"] = (1 / rate + 0.1 * rng.normal(size=ROWS)).round(3)
    return data


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


def logistic(data):
    """The objective is that of scikit-learn, times the number of rows."""
    cases = []
    for labels in ["binary", "class"]:
        for c in [1.0, 0.05, np.inf]:
            for intercept in [True, False]:
                for weighted in [False, True]:
                    model = linear_model.LogisticRegression(
                        C=c, fit_intercept=intercept, solver="newton-cholesky", tol=1e-13, max_iter=1000
                    )
                    weights = data["weight"] if weighted else None
                    model.fit(data["x"], data[labels], sample_weight=weights)
                    proba = model.predict_proba(data["x"])
                    cases.append(
                        {
                            "labels": labels,
                            "c": None if np.isinf(c) else c,
                            "fit_intercept": intercept,
                            "weighted": weighted,
                            "coef": model.coef_.T,
                            "intercept": np.broadcast_to(model.intercept_, model.coef_.shape[:1]),
                            "log_loss": metrics.log_loss(data[labels], proba, sample_weight=weights),
                            "score": model.score(data["x"], data[labels], sample_weight=weights),
                        }
                    )
    return cases


GLM = [
    ("gaussian", "identity", "number"),
    ("gaussian", "log", "positive"),
    ("gaussian", "inverse", "decay"),
    ("binomial", "logit", "binary"),
    ("binomial", "probit", "binary"),
    ("binomial", "cloglog", "binary"),
    ("binomial", "logit", "share"),
    ("binomial", "probit", "share"),
    ("binomial", "cloglog", "share"),
    ("poisson", "log", "count"),
    ("poisson", "identity", "positive"),
    ("gamma", "inverse", "decay"),
    ("gamma", "log", "positive"),
    ("gamma", "identity", "positive"),
]


def glm(data):
    families = {"gaussian": FAMILIES.Gaussian, "binomial": FAMILIES.Binomial}
    families |= {"poisson": FAMILIES.Poisson, "gamma": FAMILIES.Gamma}
    links = {"identity": LINKS.Identity, "log": LINKS.Log, "inverse": LINKS.InversePower}
    links |= {"logit": LINKS.Logit, "probit": LINKS.Probit, "cloglog": LINKS.CLogLog}
    cases = []
    for family, link, response in GLM:
        for weighted, offset in [(False, False), (True, False), (True, True)]:
            if offset and link not in ("log", "logit", "probit"):
                continue
            exog = sm.add_constant(data["x"], prepend=False)
            kind = families[family](links[link]())
            model = sm.GLM(
                data[response],
                exog,
                kind,
                freq_weights=data["weight"] if weighted else None,
                offset=data["offset"] if offset else None,
            )
            result = model.fit(atol=1e-13, rtol=1e-12, maxiter=2000, tol_criterion="params")
            assert result.deviance < result.null_deviance, (family, link, response)
            cases.append(
                {
                    "family": family,
                    "link": link,
                    "response": response,
                    "weighted": weighted,
                    "offset": offset,
                    "params": result.params,
                    "bse": result.bse,
                    "deviance": result.deviance,
                    "null_deviance": result.null_deviance,
                    "scale": result.scale,
                    "llf": result.llf,
                    "aic": result.aic,
                    "df_resid": result.df_resid,
                }
            )
    return cases


def polished(model, x, labels, weights):
    """The optimum near a fit, by Newton's method, which ends where the rows within the margin stay the same."""
    ones = np.ones((len(x), 1 if model.fit_intercept else 0))
    wide = np.column_stack([x, ones])
    weights = np.ones(len(x)) if weights is None else weights
    signs = np.where(labels[:, None] == model.classes_, 1.0, -1.0)
    signs = signs[:, 1:] if len(model.classes_) == 2 else signs
    exact = []
    for sign, coef, intercept in zip(signs.T, model.coef_, np.broadcast_to(model.intercept_, len(model.coef_))):
        w = np.append(coef, intercept) if model.fit_intercept else coef
        near = w
        for _ in range(20):
            inside = (sign * (wide @ w) < 1) * weights
            hessian = (wide.T * inside) @ wide + np.eye(wide.shape[1]) / (2 * model.C)
            w = np.linalg.solve(hessian, wide.T @ (inside * sign))
        assert np.allclose(w, near, rtol=1e-5, atol=1e-6), (w, near)
        exact.append(w if model.fit_intercept else np.append(w, 0.0))
    return np.array(exact).T


def linear_svm(data):
    cases = []
    for labels in ["binary", "class"]:
        for c in [1.0, 0.02]:
            for intercept, weighted in [(True, False), (False, False), (True, True)]:
                model = svm.LinearSVC(C=c, fit_intercept=intercept, dual=False, tol=1e-13, max_iter=100000)
                weights = data["weight"] if weighted else None
                model.fit(data["x"], data[labels], sample_weight=weights)
                cases.append(
                    {
                        "labels": labels,
                        "c": c,
                        "fit_intercept": intercept,
                        "weighted": weighted,
                        "theta": polished(model, data["x"], data[labels], weights),
                        "score": model.score(data["x"], data[labels], sample_weight=weights),
                    }
                )
    return cases


def naive_bayes_cases(data):
    cases = []
    for kind, features in [("gaussian", "x"), ("multinomial", "words")]:
        for labels in ["binary", "class"]:
            for weighted in [False, True]:
                model = naive_bayes.GaussianNB() if kind == "gaussian" else naive_bayes.MultinomialNB(alpha=0.7)
                weights = data["weight"] if weighted else None
                model.fit(data[features], data[labels], sample_weight=weights)
                case = {"kind": kind, "features": features, "labels": labels, "weighted": weighted}
                if kind == "gaussian":
                    case |= {"theta": model.theta_, "var": model.var_, "class_prior": model.class_prior_}
                else:
                    case |= {
                        "feature_log_prob": model.feature_log_prob_,
                        "class_log_prior": model.class_log_prior_,
                    }
                proba = model.predict_proba(data[features])
                case["log_loss"] = metrics.log_loss(data[labels], proba)
                case["score"] = model.score(data[features], data[labels])
                cases.append(case)
    return cases


def metric_cases(data):
    cases = []
    predicted = naive_bayes.GaussianNB().fit(data["x"], data["class"]).predict(data["x"])
    for weights in [None, data["weight"]]:
        scores = metrics.precision_recall_fscore_support(data["class"], predicted, sample_weight=weights)
        cases.append(
            {
                "weighted": weights is not None,
                "accuracy": metrics.accuracy_score(data["class"], predicted, sample_weight=weights),
                "confusion_matrix": metrics.confusion_matrix(data["class"], predicted, sample_weight=weights),
                "precision": scores[0],
                "recall": scores[1],
                "f1": scores[2],
                "support": scores[3],
                "log_loss": metrics.log_loss(data["binary"], data["share"], sample_weight=weights),
                "r2": metrics.r2_score(data["number"], data["positive"], sample_weight=weights),
                "mse": metrics.mean_squared_error(data["number"], data["positive"], sample_weight=weights),
                "mae": metrics.mean_absolute_error(data["number"], data["positive"], sample_weight=weights),
                # Without weights: of counts, which have ties, and of shares, which have few.
                "auc_of_counts": metrics.roc_auc_score(data["binary"], data["count"]),
                "auc_of_shares": metrics.roc_auc_score(data["binary"], data["share"]),
            }
        )
    return cases


def cross_validation(data):
    cases = []
    for n_splits in [7, 3]:
        folds = model_selection.KFold(n_splits)
        logistic = linear_model.LogisticRegression(tol=1e-12, max_iter=1000, solver="newton-cholesky")
        grid = {"C": [0.0001, 0.01, 1.0, 100.0]}
        search = model_selection.GridSearchCV(logistic, grid, cv=folds, scoring="neg_log_loss")
        search.fit(data["x"], data["binary"])
        scores = [search.cv_results_[f"split{fold}_test_score"] for fold in range(n_splits)]
        score = model_selection.cross_val_score
        cases.append(
            {
                "n_splits": n_splits,
                "accuracy": score(logistic, data["x"], data["binary"], cv=folds),
                "r2": score(linear_model.LinearRegression(), data["x"], data["number"], cv=folds),
                "c": grid["C"],
                "neg_log_loss": np.array(scores).T,
                "best_index": search.best_index_,
                "best_score": search.best_score_,
                "coef": search.best_estimator_.coef_.T,
            }
        )
    return cases


def main():
    warnings.simplefilter("error")
    data = make_data()
    write("data", data)
    write("logistic_regression", logistic(data))
    write("linear_svm", linear_svm(data))
    write("naive_bayes", naive_bayes_cases(data))
    write("metrics", metric_cases(data))
    write("cross_validation", cross_validation(data))
    warnings.simplefilter("default")
    write("glm", glm(data))


if __name__ == "__main__":
    main()
