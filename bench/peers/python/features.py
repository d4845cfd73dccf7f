"""The 62 features of the champion's package, one payment after the other, in plain Python.

What each one means, line by line: docs/features.md. States are lists and dictionaries that msgpack can say,
bounded as weir's are. Nothing is labelled in the bench: no report of fraud ever comes, and so fraud rates are 0;
the payments that a rate would be of are counted all the same. Retries of a payment, which weir recognises, are not
looked for.
"""

from __future__ import annotations

import math
from typing import Any
from zlib import crc32

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
MISSING = math.nan
KEEP_EVENTS, MOST_EVENTS, MOST_CUSTOMERS = 10, 64, 8
REMOTE, TRANSFER, REFUND = 1, 2, 4
EARTH_RADIUS_KM = 6371.0088

NAMES = """
amount log_amount round_amount hour night weekend mcc card_present foreign_currency is_ecommerce is_atm
is_transfer is_recurring is_refund customer_count_1m customer_count_10m customer_count_1h customer_count_24h
customer_count_7d customer_count_30d customer_sum_10m customer_sum_1h customer_sum_24h customer_sum_7d
customer_mean_24h customer_mean_30d customer_std_30d customer_max_24h customer_max_30d customer_min_1h
customer_ratio_7d customer_ratio_30d customer_zscore_30d customer_ecommerce_count_1h customer_ecommerce_sum_24h
customer_transfer_sum_24h customer_refund_count_24h customer_same_merchant_count_24h customer_merchants_1h
customer_merchants_24h customer_merchants_30d customer_countries_24h customer_countries_30d
customer_time_since_last customer_age customer_total_count first_merchant first_device first_country first_mcc
geo_distance geo_speed merchant_count_1h merchant_count_24h merchant_mean_7d merchant_ratio_7d
merchant_fraud_rate_7d merchant_fraud_rate_30d terminal_count_24h terminal_fraud_rate_30d device_count_1h
device_customers
""".split()
#: Of the payment and its customer, merchant, terminal and device: one after the other they are NAMES.
OWN, AT_MERCHANT, AT_TERMINAL, AT_DEVICE = 52, 6, 2, 2

#: As msgpack gives them back: nothing here is ever more than lists, dictionaries, numbers and texts.
State = list[Any]
Payment = dict[str, Any]


def number(text: str | None) -> int:
    """Stand-in for an identifier in states, 0 for none."""
    return 0 if text is None else crc32(text.encode()) or 1


def amount_of(payment: Payment, factors: dict[str, float]) -> float:
    """Whole hundredths of the reference currency, so that sums are exact."""
    return float(math.floor(payment["amount_minor"] * factors[payment["currency"]] + 0.5))


def new_customer() -> State:
    """Total, last and first time, last place, events, tiles of 1 and of 5 days, values seen of four fields."""
    return [0, 0, 0, None, [], {}, {}, [[], []], [[], []], [[], []], [[], []]]


def new_merchant() -> State:
    """Counts in tiles of 10 minutes and 3 hours, counts and sums in tiles of a day."""
    return [{}, {}, {}]


def new_terminal() -> State:
    """Counts in tiles of 3 hours and of a day."""
    return [{}, {}]


def new_device() -> State:
    """Counts in tiles of 10 minutes, and who paid from it."""
    return [{}, []]


def customer(state: State, payment: Payment, amount: float, reference_currency: str) -> list[float]:
    """Columns of the payment and its customer's past; then the payment is added to the state."""
    total, last_time, first_time, place, events, week, month, merchants, devices, countries, categories = state
    time, channel, country = payment["event_time"], payment["channel"], payment["country"]
    merchant, device = number(payment["merchant_id"]), number(payment["device_id"])
    mcc = int(payment["mcc"] or 0)
    remote = channel in ("ecommerce", "moto")
    refund = payment["type"] == "refund"
    local = time + (payment["utc_offset_minutes"] or 0) * MINUTE
    hour = local // HOUR % 24

    count_1m = count_10m = count_1h = count_24h = remote_1h = refunds = same = 0
    sum_10m = sum_1h = sum_24h = max_24h = remote_sum = transfer_sum = 0.0
    min_1h = math.inf
    merchants_1h: set[int] = set()
    merchants_24h: set[int] = set()
    countries_24h: set[str] = set()
    for at, paid, whom, where, kind in events:
        ago = time - at
        if ago >= DAY or ago < 0:
            continue
        count_24h += 1
        sum_24h += paid
        if paid > max_24h:
            max_24h = paid
        if whom == merchant:
            same += 1
        merchants_24h.add(whom)
        if where is not None:
            countries_24h.add(where)
        if kind:
            if kind & REMOTE:
                remote_sum += paid
            if kind & TRANSFER:
                transfer_sum += paid
            if kind & REFUND:
                refunds += 1
        if ago >= HOUR:
            continue
        count_1h += 1
        sum_1h += paid
        if paid < min_1h:
            min_1h = paid
        merchants_1h.add(whom)
        if kind & REMOTE:
            remote_1h += 1
        if ago < 10 * MINUTE:
            count_10m += 1
            sum_10m += paid
            if ago < MINUTE:
                count_1m += 1

    count_7d, sum_7d, _, _ = whole_tiles(week, time // DAY, 7)
    count_30d, sum_30d, squares, max_30d = whole_tiles(month, time // (5 * DAY), 6)
    mean = sum_30d / count_30d if count_30d else 0.0
    deviation = math.sqrt(max(0.0, squares / count_30d - mean * mean)) if count_30d else 0.0
    km = hours = MISSING
    latitude, longitude = payment["latitude"], payment["longitude"]
    if latitude is not None and place is not None:
        km = distance_km(place[1], place[2], latitude, longitude)
        hours = max(MINUTE, abs(time - place[0])) / HOUR
    month_ago = (time - 30 * DAY) // SECOND

    row = [
        amount / 100,
        math.log1p(amount / 100),
        payment["amount_minor"] % 1000 == 0,
        hour,
        hour < 6,
        (local // DAY + 5) % 7 < 2,
        mcc or MISSING,
        channel in ("pos", "atm"),
        payment["currency"] != reference_currency,
        remote,
        channel == "atm",
        channel == "transfer",
        channel == "recurring",
        refund,
        count_1m,
        count_10m,
        count_1h,
        count_24h,
        count_7d,
        count_30d,
        sum_10m / 100,
        sum_1h / 100,
        sum_24h / 100,
        sum_7d / 100,
        sum_24h / count_24h / 100 if count_24h else MISSING,
        mean / 100 if count_30d else MISSING,
        deviation / 100 if count_30d > 1 else MISSING,
        max_24h / 100 if count_24h else MISSING,
        max_30d / 100 if count_30d else MISSING,
        min_1h / 100 if count_1h else MISSING,
        amount * count_7d / sum_7d if sum_7d else MISSING,
        amount * count_30d / sum_30d if sum_30d else MISSING,
        (amount - mean) / max(100.0, deviation) if count_30d > 1 else MISSING,
        remote_1h,
        remote_sum / 100,
        transfer_sum / 100,
        refunds,
        same,
        len(merchants_1h),
        len(merchants_24h),
        seen_after(merchants[1], month_ago),
        len(countries_24h),
        seen_after(countries[1], month_ago),
        max(0, time - last_time) / 1000 if total else MISSING,
        max(0, time - first_time) / 1000 if total else MISSING,
        total,
        merchant not in merchants[0],
        device not in devices[0] if device else MISSING,
        country not in countries[0] if country is not None else MISSING,
        mcc not in categories[0] if mcc else MISSING,
        km,
        km / hours,
    ]

    second = time // SECOND
    see(merchants, merchant, second, 24)
    if device:
        see(devices, device, second, 6)
    if country is not None:
        see(countries, country, second, 6)
    if mcc:
        see(categories, mcc, second, 12)
    for tiles, index, keep in ((week, time // DAY, 7), (month, time // (5 * DAY), 6)):
        tile = tile_at(tiles, index, keep, [0, 0.0, 0.0, 0.0])
        if tile is not None:
            tile[0] += 1
            tile[1] += amount
            tile[2] += amount * amount
            if amount > tile[3]:
                tile[3] = amount
    state[0] = total + 1
    state[1] = max(last_time, time) if total else time
    if not total:
        state[2] = time
    if latitude is not None:
        state[3] = [time, latitude, longitude]
    kind = (REMOTE if remote else 0) | (TRANSFER if channel == "transfer" else 0) | (REFUND if refund else 0)
    events.append([time, amount, merchant, country, kind])
    too_old = state[1] - DAY
    drop = max(0, len(events) - MOST_EVENTS)
    while len(events) - drop > KEEP_EVENTS and events[drop][0] <= too_old:
        drop += 1
    del events[:drop]
    return row


def merchant(state: State, payment: Payment, amount: float) -> list[float]:
    """Everybody's payments at the merchant before this one; then it is added."""
    tens, threes, days = state
    time = payment["event_time"]
    day = time // DAY
    count, paid = 0, 0.0
    for index in range(day - 6, day + 1):
        if (tile := days.get(index)) is not None:
            count += tile[0]
            paid += tile[1]
    row = [
        counted(tens, time // (10 * MINUTE), 6),
        counted(threes, time // (3 * HOUR), 8),
        paid / count / 100 if count else MISSING,
        amount * count / paid if paid else MISSING,
        0.0,
        0.0,
    ]
    count_in(tens, time // (10 * MINUTE), 6)
    count_in(threes, time // (3 * HOUR), 8)
    tile = tile_at(days, day, 32, [0, 0.0])
    if tile is not None:
        tile[0] += 1
        tile[1] += amount
    return row


def terminal(state: State, payment: Payment) -> list[float]:
    """Everybody's payments at the terminal before this one; then it is added."""
    threes, days = state
    time = payment["event_time"]
    row = [counted(threes, time // (3 * HOUR), 8), 0.0]
    count_in(threes, time // (3 * HOUR), 8)
    count_in(days, time // DAY, 32)
    return row


def device(state: State, payment: Payment) -> list[float]:
    """Everybody's payments from the device before this one; then it is added."""
    tens, customers = state
    time = payment["event_time"]
    row = [counted(tens, time // (10 * MINUTE), 6), float(len(customers))]
    count_in(tens, time // (10 * MINUTE), 6)
    who = number(payment["customer_id"])
    if len(customers) < MOST_CUSTOMERS and who not in customers:
        customers.append(who)
    return row


def whole_tiles(tiles: dict[int, list], newest: int, window: int) -> tuple[int, float, float, float]:
    """Count, sum, sum of squares and maximum of the tiles of a window that ends with the newest."""
    count, total, squares, most = 0, 0.0, 0.0, 0.0
    for index, tile in tiles.items():
        if newest - window < index <= newest:
            count += tile[0]
            total += tile[1]
            squares += tile[2]
            if tile[3] > most:
                most = tile[3]
    return count, total, squares, most


def tile_at(tiles: dict, index: int, keep: int, empty: Any) -> Any:
    """The tile, made if need be; None when it is too old to be kept. Those that have become so are dropped."""
    found = tiles.get(index)
    if found is not None:
        return found
    newest = max(tiles, default=index)
    if index <= newest - keep:
        return None
    oldest = max(index, newest) - keep
    for old in [one for one in tiles if one <= oldest]:
        del tiles[old]
    tiles[index] = empty
    return empty


def count_in(tiles: dict[int, int], index: int, keep: int) -> None:
    """Counts a payment."""
    if tile_at(tiles, index, keep, 0) is not None:
        tiles[index] += 1


def counted(tiles: dict[int, int], newest: int, window: int) -> int:
    """Payments in the tiles of a window that ends with the newest."""
    return sum([count for index, count in tiles.items() if newest - window < index <= newest])


def seen_after(seconds: list[int], second: int) -> int:
    """How many values were last seen after that second."""
    return sum([one > second for one in seconds])


def see(seen: list[list], value: int | str, second: int, capacity: int) -> None:
    """Remembers when a value was last seen; the one not seen longest gives way."""
    values, seconds = seen
    if value in values:
        at = values.index(value)
        if second > seconds[at]:
            seconds[at] = second
    elif len(values) < capacity:
        values.append(value)
        seconds.append(second)
    else:
        at = seconds.index(min(seconds))
        values[at] = value
        seconds[at] = second


def distance_km(latitude1: float, longitude1: float, latitude2: float, longitude2: float) -> float:
    """Great circle by the haversine formula."""
    rise = math.sin(math.radians(latitude2 - latitude1) / 2)
    turn = math.sin(math.radians(longitude2 - longitude1) / 2)
    h = rise * rise + math.cos(math.radians(latitude1)) * math.cos(math.radians(latitude2)) * turn * turn
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(h)))
