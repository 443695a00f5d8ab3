"""A linear support vector machine in NumPy, by the algorithm of `fondaco::algorithms::LinearSvm`."""

import numpy as np

EXACT = 1e-3
STEPS_MAX = 20


def l2svm(x, signs, tol, c=1.0, max_iter=1000):
    """Coefficients, and the intercept as the last, that minimise `(|w|^2 + b^2) / 2 + c sum max(0, 1 - y (x w + b))^2`:
    nonlinear conjugate gradients (Polak & Ribiere) with the Hessian at 0 as preconditioner, and an exact line search."""
    rows, columns = x.shape
    penalty = 0.5 / c
    metric = np.empty((columns + 1, columns + 1))
    metric[:-1, :-1] = x.T @ x
    metric[-1, :-1] = metric[:-1, -1] = x.sum(axis=0)
    metric[-1, -1] = rows
    metric[np.diag_indices(columns + 1)] += penalty
    inverse = np.linalg.inv(metric)
    theta, margins, losses = np.zeros(columns + 1), np.zeros(rows), np.ones(rows)
    gradient, objective = -pulls(x, signs), rows / 2
    scaled = inverse @ gradient
    direction = -scaled
    for _ in range(max_iter):
        if gradient @ scaled <= tol * objective:
            break
        moved = signs * (x @ direction[:-1] + direction[-1])
        begun, curvature = gradient @ direction, penalty * (direction @ direction)
        start = penalty * (theta @ direction)
        within = moved[losses > 0]
        length, low, high = -begun / (within @ within + curvature), 0.0, np.inf
        for _ in range(STEPS_MAX):
            losses = np.maximum(0, 1 - (margins + length * moved))
            slope = start + length * curvature - losses @ moved
            if abs(slope) <= EXACT * abs(begun):
                break
            within = moved[losses > 0]
            low, high = (length, high) if slope < 0 else (low, length)
            length -= slope / (within @ within + curvature)
            if not low <= length <= high:
                length = (low + high) / 2 if np.isfinite(high) else 2 * low
        margins += length * moved
        theta = theta + length * direction
        after = penalty * theta - pulls(x, losses * signs)
        objective = (losses @ losses + penalty * (theta @ theta)) / 2
        scaled_after = inverse @ after
        beta = max(0.0, scaled_after @ (after - gradient) / (gradient @ scaled))
        direction = beta * direction - scaled_after
        if direction @ after >= 0:
            direction = -scaled_after
        gradient, scaled = after, scaled_after
    return theta


def pulls(x, u):
    """`[x, 1].T @ u`."""
    return np.append(x.T @ u, u.sum())
