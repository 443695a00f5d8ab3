"""The data of `make bench`: one matrix and one target, cut over two sites, as Parquet."""

import pathlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SITES = 2
ROWS_PER_GROUP = 65_536
SEED = 20_130_101
# The names of the datasets at the workers, and how pyarrow compresses them.
CODECS = {"plain": "none", "zstd": "zstd"}
TARGET = "y"
# The first codec's files under another name and another rule.
PUBLIC = "public"
# Texts, public too: columns of this many categories, few and many.
FEW, MANY = "few", "many"
CATEGORIES = {FEW: (8, 13, 20), MANY: (1000,) * 10}


def column_names(columns):
    """Of X, in order."""
    return [f"x{j}" for j in range(columns)]


def make(folder, rows, columns):
    """Makes `folder/CODEC/part-SITE.parquet` unless they are there; the folder of this shape."""
    made = folder / f"{rows}x{columns}-and-texts"
    if made.exists():
        return made
    # Under another name until it is whole, so that an interrupted run leaves nothing that looks finished.
    unfinished = made.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    x, y = draw(rows, columns)
    names = [*column_names(columns), TARGET]
    for codec, compression in CODECS.items():
        (unfinished / codec).mkdir(parents=True)
        for site in range(SITES):
            start, end = site_rows(site, rows)
            table = pa.table([*(x[start:end, j] for j in range(columns)), y[start:end]], names=names)
            path = unfinished / codec / f"part-{site}.parquet"
            pq.write_table(table, path, compression=compression, use_dictionary=False, row_group_size=ROWS_PER_GROUP)
    for name in CATEGORIES:
        (unfinished / name).mkdir()
        for site in range(SITES):
            start, end = site_rows(site, rows)
            pq.write_table(texts(name, site, end - start), part(unfinished, name, site), row_group_size=ROWS_PER_GROUP)
    unfinished.rename(made)
    return made


def texts(name, site, rows):
    """Columns t0, t1, .. of texts, each category as likely."""
    generator = np.random.default_rng([SEED, site, len(CATEGORIES[name])])
    columns = {}
    for j, count in enumerate(CATEGORIES[name]):
        labels = np.array([f"category-{j}-{k:04}" for k in range(count)], dtype=object)
        # The first rows have them all, so that each site has.
        codes = np.concatenate([np.arange(count), generator.integers(0, count, rows)])[:rows]
        columns[f"t{j}"] = pa.array(labels[codes], type=pa.string())
    return pa.table(columns)


def site_rows(site, rows):
    """The rows of a site: start and end."""
    return site * rows // SITES, (site + 1) * rows // SITES


def part(made: pathlib.Path, codec, site):
    """The file of a site."""
    return made / codec / f"part-{site}.parquet"


def draw(rows, columns):
    """Standard normals, column-major; every tenth column leans on the one before. y = X @ b + noise."""
    generator = np.random.default_rng(SEED)
    x = np.empty((rows, columns), order="F")
    for j in range(columns):
        x[:, j] = generator.standard_normal(rows)
        if j % 10 == 9:
            x[:, j] = 0.9 * x[:, j - 1] + np.sqrt(1 - 0.9**2) * x[:, j]
    y = x @ generator.standard_normal(columns) + generator.standard_normal(rows)
    return x, y
