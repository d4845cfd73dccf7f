"""The features of features.yaml once more, in pandas: what a data scientist would write, point in time.

python pandas_features.py FOLDER reads payments.csv and labels.csv, in the order of their times, and features.f32,
the features that weir has for the same payments; it times the features, compares, and prints a line of JSON. The
folder is written by the bench. Lines named below are those of docs/features.md.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.typing import RollingGroupby

# Windows hold what came before the payment in (t - W, t]: "neither" leaves out the row itself and t - W.
EARLIER = "neither"

# Of how many values of a field the customer is remembered.
REMEMBER = {"merchant_id": 24, "device_id": 6, "country": 6, "mcc": 12}
DAY = pd.Timedelta(days=1)
EARTH_RADIUS_KM = 6371.0088


def features(payments: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """All columns; amounts in major units of the reference currency, times in seconds."""
    payments = prepared(payments)
    return pd.DataFrame(
        of_payment(payments)
        | customer_windows(payments)
        | customer_facts(payments)
        | remembered(payments)
        | at_merchant(payments, labels)
        | at_terminal_and_device(payments, labels)
    )


def prepared(payments: pd.DataFrame) -> pd.DataFrame:
    """With the columns that several features need."""
    amount = np.floor(payments["amount_minor"] * payments["factor"] + 0.5) / 100
    at = payments["event_time"]
    # Payments of one tile have one time; the place in the log, in microseconds, keeps them apart.
    place = pd.to_timedelta(np.arange(len(payments)), unit="us")
    return payments.assign(
        amount=amount,
        remote=payments["channel"].isin(["ecommerce", "moto"]).astype(float),
        remote_amount=amount.where(payments["channel"].isin(["ecommerce", "moto"]), 0.0),
        transfer_amount=amount.where(payments["channel"] == "transfer", 0.0),
        refund=(payments["type"] == "refund").astype(float),
        merchant_code=codes(payments["merchant_id"]),
        country_code=codes(payments["country"]),
        tile_10m=at.dt.floor("10min") + place,
        tile_3h=at.dt.floor("3h") + place,
        tile_1d=at.dt.floor("1D") + place,
        tile_5d=at.dt.floor("5D") + place,
    )


def codes(values: pd.Series) -> pd.Series:
    """Values as numbers, which windows need; NaN where there is none."""
    return pd.Series(pd.factorize(values)[0], index=values.index).where(values.notna()).astype(float)


def of_payment(payments: pd.DataFrame) -> dict[str, pd.Series]:
    """What the payment itself says."""
    local = payments["event_time"] + pd.to_timedelta(payments["utc_offset_minutes"].fillna(0), unit="min")
    return {
        "amount": payments["amount"],
        "log_amount": np.log1p(payments["amount"]),
        "round_amount": payments["amount_minor"] % 1000 == 0,
        "hour": local.dt.hour,
        "night": local.dt.hour < 6,
        "weekend": local.dt.day_of_week >= 5,
        "mcc": payments["mcc"].where(payments["mcc"] != 0),
        "card_present": payments["channel"].isin(["pos", "atm"]),
        "foreign_currency": payments["currency"] != "EUR",
        "is_ecommerce": payments["remote"],
        "is_atm": payments["channel"] == "atm",
        "is_transfer": payments["channel"] == "transfer",
        "is_recurring": payments["channel"] == "recurring",
        "is_refund": payments["refund"],
    }


def rolling(
    payments: pd.DataFrame, by: str | list[str], window: str, columns: list[str], on: str = "event_time"
) -> RollingGroupby:
    """The earlier payments of the same customer, merchant, ... in the window. On tiles: those of whole tiles."""
    return payments.groupby(by, sort=False).rolling(window, on=on, closed=EARLIER)[columns]


def aligned(rolled: pd.DataFrame, payments: pd.DataFrame, by: str | list[str]) -> pd.DataFrame:
    """In the order of the payments; an empty window counts 0, a payment without the key is missing."""
    places = np.concatenate(list(payments.groupby(by, sort=False).indices.values()))
    return rolled.fillna(0).set_axis(places).reindex(payments.index)


def customer_windows(payments: pd.DataFrame) -> dict[str, pd.Series]:
    """Velocity and amounts against the customer's own past."""
    by = "customer_id"

    def total(window: str, columns: list[str], on: str = "event_time") -> pd.DataFrame:
        return aligned(rolling(payments, by, window, columns, on).sum(), payments, by)

    def count(window: str, on: str = "event_time") -> pd.Series:
        return aligned(rolling(payments, by, window, ["amount"], on).count(), payments, by)["amount"]

    def distinct(window: str, columns: list[str]) -> pd.DataFrame:
        return aligned(rolling(payments, by, window, columns).nunique(), payments, by)

    count_24h, count_7d, count_30d = count("24h"), count("7D", "tile_1d"), count("30D", "tile_5d")
    sum_1h = total("1h", ["amount", "remote"])
    sum_24h = total("24h", ["amount", "remote_amount", "transfer_amount", "refund"])
    sum_7d = total("7D", ["amount"], "tile_1d")["amount"]
    sum_30d = total("30D", ["amount"], "tile_5d")["amount"]
    month = rolling(payments, by, "30D", ["amount"], "tile_5d")
    mean_30d = sum_30d / count_30d
    std_30d = aligned(month.std(ddof=0), payments, by)["amount"].where(count_30d >= 2)
    max_24h = aligned(rolling(payments, by, "24h", ["amount"]).max(), payments, by)["amount"]
    max_30d = aligned(month.max(), payments, by)["amount"]
    count_1h = count("1h")
    min_1h = aligned(rolling(payments, by, "1h", ["amount"]).min(), payments, by)["amount"]
    pair = [by, "merchant_id"]
    distinct_24h = distinct("24h", ["merchant_code", "country_code"])
    return {
        "customer_count_1m": count("1min"),
        "customer_count_10m": count("10min"),
        "customer_count_1h": count_1h,
        "customer_count_24h": count_24h,
        "customer_count_7d": count_7d,
        "customer_count_30d": count_30d,
        "customer_sum_10m": total("10min", ["amount"])["amount"],
        "customer_sum_1h": sum_1h["amount"],
        "customer_sum_24h": sum_24h["amount"],
        "customer_sum_7d": sum_7d,
        "customer_mean_24h": sum_24h["amount"] / count_24h,
        "customer_mean_30d": mean_30d,
        "customer_std_30d": std_30d,
        "customer_max_24h": max_24h.where(count_24h > 0),
        "customer_max_30d": max_30d.where(count_30d > 0),
        "customer_min_1h": min_1h.where(count_1h > 0),
        "customer_ratio_7d": (payments["amount"] * count_7d / sum_7d).where(sum_7d > 0),
        "customer_ratio_30d": (payments["amount"] * count_30d / sum_30d).where(sum_30d > 0),
        "customer_zscore_30d": (payments["amount"] - mean_30d) / std_30d.clip(lower=1),
        "customer_ecommerce_count_1h": sum_1h["remote"],
        "customer_ecommerce_sum_24h": sum_24h["remote_amount"],
        "customer_transfer_sum_24h": sum_24h["transfer_amount"],
        "customer_refund_count_24h": sum_24h["refund"],
        "customer_same_merchant_count_24h": aligned(
            rolling(payments, pair, "24h", ["amount"]).count(), payments, pair
        )["amount"],
        "customer_merchants_1h": distinct("1h", ["merchant_code"])["merchant_code"],
        "customer_merchants_24h": distinct_24h["merchant_code"],
        "customer_countries_24h": distinct_24h["country_code"],
    }


def customer_facts(payments: pd.DataFrame) -> dict[str, pd.Series]:
    """The customer's past without a window."""
    customers = payments.groupby("customer_id", sort=False)
    earlier = customers.cumcount()
    age = payments["event_time"] - customers["event_time"].transform("first")
    place = payments[["latitude", "longitude", "event_time"]].where(payments["latitude"].notna())
    # Down to each payment, then one payment back: the last place before it.
    last = place.groupby(payments["customer_id"]).ffill().groupby(payments["customer_id"]).shift()
    km = distance_km(last["latitude"], last["longitude"], payments["latitude"], payments["longitude"])
    hours = (payments["event_time"] - last["event_time"]).dt.total_seconds().clip(lower=60) / 3600
    return {
        "customer_time_since_last": customers["event_time"].diff().dt.total_seconds(),
        "customer_age": age.dt.total_seconds().where(earlier > 0),
        "customer_total_count": earlier,
        "geo_distance": km,
        "geo_speed": km / hours,
    }


def distance_km(lat1: pd.Series, lon1: pd.Series, lat2: pd.Series, lon2: pd.Series) -> pd.Series:
    """Great circle by the haversine formula (line 33)."""
    lat1, lon1, lat2, lon2 = (np.radians(degrees) for degrees in (lat1, lon1, lat2, lon2))
    h = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(h).clip(upper=1))


def remembered(payments: pd.DataFrame) -> dict[str, pd.Series]:
    """Lines 29 to 31: of a field so many values are remembered, which no window of pandas can say: a loop."""
    seconds = payments["event_time"].astype("datetime64[ms]").astype("int64") // 1000
    edge = ((payments["event_time"] - 30 * DAY).astype("datetime64[ms]").astype("int64")) // 1000
    counted = {"merchant_id": "customer_merchants_30d", "country": "customer_countries_30d"}
    found: dict[str, pd.Series] = {}
    for field, capacity in REMEMBER.items():
        values = payments[field].where(payments[field] != 0) if field == "mcc" else payments[field]
        first = np.full(len(payments), np.nan)
        known = np.zeros(len(payments))
        for rows in payments.groupby("customer_id", sort=False).indices.values():
            last: dict[object, int] = {}
            ofcustomer = zip(rows, values.iloc[rows], seconds.iloc[rows], edge.iloc[rows], strict=True)
            for row, value, second, since in ofcustomer:
                if field in counted:
                    known[row] = sum(seen > since for seen in last.values())
                if pd.isna(value):
                    continue
                first[row] = value not in last
                if value not in last and len(last) == capacity:
                    del last[min(last, key=last.__getitem__)]
                last[value] = second
        found["first_" + field.removesuffix("_id")] = pd.Series(first, index=payments.index)
        if field in counted:
            found[counted[field]] = pd.Series(known, index=payments.index)
    return found


def at_merchant(payments: pd.DataFrame, labels: pd.DataFrame) -> dict[str, pd.Series]:
    """Everybody's payments at the merchant, in whole tiles (line 37)."""
    by = "merchant_id"
    week = rolling(payments, by, "7D", ["amount"], "tile_1d")
    count = aligned(week.count(), payments, by)["amount"]
    total = aligned(week.sum(), payments, by)["amount"]
    hour = rolling(payments, by, "1h", ["amount"], "tile_10m")
    day = rolling(payments, by, "24h", ["amount"], "tile_3h")
    return {
        "merchant_count_1h": aligned(hour.count(), payments, by)["amount"],
        "merchant_count_24h": aligned(day.count(), payments, by)["amount"],
        "merchant_mean_7d": total / count,
        "merchant_ratio_7d": (payments["amount"] * count / total).where(total > 0),
        "merchant_fraud_rate_7d": fraud_rate(payments, labels, by, 7),
        "merchant_fraud_rate_30d": fraud_rate(payments, labels, by, 30),
    }


def at_terminal_and_device(payments: pd.DataFrame, labels: pd.DataFrame) -> dict[str, pd.Series]:
    """The same of terminals and devices, which not every payment has."""
    terminal = rolling(payments, "terminal_id", "24h", ["amount"], "tile_3h")
    device = rolling(payments, "device_id", "1h", ["amount"], "tile_10m")
    new = (~payments.duplicated(["device_id", "customer_id"])).astype(int)
    customers = new.groupby(payments["device_id"]).cumsum() - new
    return {
        "terminal_count_24h": aligned(terminal.count(), payments, "terminal_id")["amount"],
        "terminal_fraud_rate_30d": fraud_rate(payments, labels, "terminal_id", 30),
        "device_count_1h": aligned(device.count(), payments, "device_id")["amount"],
        "device_customers": customers.clip(upper=8).where(payments["device_id"].notna()),
    }


def fraud_rate(payments: pd.DataFrame, labels: pd.DataFrame, by: str, days: int) -> pd.Series:
    """Frauds reported in the last whole days that had ended a day ago, per payment of them (lines 45 to 51)."""
    fraud = labels["fraud"].astype(int)
    change = fraud - fraud.groupby(labels["transaction_id"]).shift(fill_value=0)
    reports = labels.assign(day=labels["observed_time"].dt.floor("1D"), count=change)
    paid = payments.assign(day=payments["event_time"].dt.floor("1D"), count=1)
    known = (payments["event_time"] - 2 * DAY).dt.floor("1D")
    frauds = counted(reports, payments[by], known, days).clip(lower=0)
    rate = frauds / (counted(paid, payments[by], known, days) + 10)
    return rate.where(payments[by].notna())


def counted(rows: pd.DataFrame, keys: pd.Series, until: pd.Series, days: int) -> pd.Series:
    """By key, what was counted in the days up to the one given, that included."""
    by = str(keys.name)
    daily = rows.groupby([by, "day"])["count"].sum().groupby(level=0).cumsum().reset_index().sort_values("day")

    def up_to(day: pd.Series) -> np.ndarray:
        asked = pd.DataFrame({by: keys, "day": day})
        return pd.merge_asof(asked, daily, on="day", by=by)["count"].fillna(0).to_numpy()

    return pd.Series(up_to(until) - up_to(until - days * DAY), index=keys.index)


def compare(ours: pd.DataFrame, weirs: np.ndarray) -> dict[str, object]:
    """Cells that differ by more than float32 explains: one part in 100,000, and a thousandth near 0."""
    theirs = ours.to_numpy(dtype=np.float32)
    same = np.isclose(theirs, weirs, rtol=1e-5, atol=1e-3, equal_nan=True)
    columns = {name: int(n) for name, n in zip(ours.columns, (~same).sum(axis=0), strict=True) if n > 0}
    return {"cells": int(same.size), "differing": int((~same).sum()), "columns": columns}


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Payments and labels; not part of what is timed."""
    payments = pd.read_csv(folder / "payments.csv", keep_default_na=False, na_values=[""])
    labels = pd.read_csv(folder / "labels.csv", keep_default_na=False, na_values=[""])
    payments["event_time"] = pd.to_datetime(payments["event_time"], unit="ms")
    labels["observed_time"] = pd.to_datetime(labels["observed_time"], unit="ms")
    return payments, labels


def main(folder: Path) -> None:
    """Times, compares and prints."""
    names = json.loads((folder / "names.json").read_text())
    payments, labels = read(folder)
    wall, cpu = time.perf_counter(), time.process_time()
    found = features(payments, labels)[names]
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    weirs = np.fromfile(folder / "features.f32", dtype=np.float32).reshape(len(payments), len(names))
    compared = compare(found, weirs)
    print(json.dumps({"rows": len(found), "seconds": seconds, "cpu_seconds": cpu_seconds, **compared}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
