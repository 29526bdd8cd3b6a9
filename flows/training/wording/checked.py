"""Marks whose parts depend on each other: dates, times, and codes with check digits."""

from __future__ import annotations

from calendar import monthrange

import numpy as np

_LISTS = (
    "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC",
    """
    EXP EXP: EXP. EXP.: EXPIRY EXPIRY: Exp Exp: BB BB: BBE BBD BEST_BEFORE BEST_BY USE_BY SELL_BY
    MFG MFG: Mfg: MFD PROD PROD: PRD PKD E: M: P: L: V: MHD MHD: DATE: Date: CAD DLUO DOM
    """,
    "WVW WBA WDB WAU VF1 VF3 ZFA TMB YV1 SAL 1FT 1G1 1HG 2T1 3VW 5YJ JHM JTD JN1 KMH KNA LSV",
    "MSCU MSKU CMAU HLXU TCLU TGHU CAIU OOLU EGHU NYKU TEMU TRLU APZU FCIU GESU SUDU",
)
_MONTHS, _PREFIXES, _VIN_MAKERS, _OWNERS = (tuple(words.split()) for words in _LISTS)
_DATES = (
    "{y}-{m:02}-{d:02}",
    "{d:02}.{m:02}.{y}",
    "{d:02}.{m:02}.{yy:02}",
    "{d:02}/{m:02}/{y}",
    "{d:02}/{m:02}/{yy:02}",
    "{m:02}/{d:02}/{y}",
    "{d:02}-{m:02}-{y}",
    "{d:02}-{m:02}-{yy:02}",
    "{y}/{m:02}/{d:02}",
    "{y}.{m:02}.{d:02}",
    "{y}{m:02}{d:02}",
    "{yy:02}{m:02}{d:02}",
    "{d:02}{m:02}{yy:02}",
    "{d:02} {m:02} {yy:02}",
    "{d:02} {m:02} {y}",
    "{d:02} {mon} {y}",
    "{d:02} {mon} {yy:02}",
    "{d:02}{mon}{yy:02}",
    "{d:02}{mon}{y}",
    "{d:02}-{mon}-{y}",
    "{d:02}-{mon}-{yy:02}",
    "{mon} {d:02} {y}",
    "{mon} {y}",
    "{mon} {yy:02}",
    "{mon}{yy:02}",
    "{m:02}/{y}",
    "{m:02}/{yy:02}",
    "{m:02}.{y}",
    "{y}-{m:02}",
    "{y} {m:02}",
    "{d}/{m}/{yy:02}",
    "{d}.{m}.{y}",
    "{yy:02}{w:02}",
    "{w:02}/{yy:02}",
    "{w:02}{yy:02}",
    "KW {w:02}/{yy:02}",
    "W{w:02}{yy:02}",
    "{yy:02}W{w:02}",
    "{yy:02}{n:03}",
    "{y}{n:03}",
    "{n:03}{yy:02}",
    "{n:03}",
    "{y}",
)
_TIMES = (
    "{h:02}:{i:02}",
    "{h:02}:{i:02}:{s:02}",
    "{h:02}{i:02}",
    "{h}:{i:02}{pm}",
    "{h:02}.{i:02}",
)
_VIN = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_VIN_VALUES = dict(
    zip(
        "ABCDEFGHJKLMNPRSTUVWXYZ0123456789",
        map(int, "123456781234579234567890123456789"),
        strict=True,
    )
)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _pick(rng: np.random.Generator, items: tuple[str, ...] | list[str] | str) -> str:
    return items[int(rng.random() * len(items))]


def _digits(rng: np.random.Generator, count: int) -> str:
    return f"{int(rng.random() * 10**count):0{count}}"


def day(rng: np.random.Generator) -> tuple[int, int, int]:
    """A year, month and day between 1990 and 2049, most of them after 2010."""
    year = 2010 + int(rng.random() * 26) if rng.random() < 0.8 else 1990 + int(rng.random() * 60)
    month = 1 + int(rng.random() * 12)
    return year, month, 1 + int(rng.random() * monthrange(year, month)[1])


def date(rng: np.random.Generator) -> str:
    """A date alone: calendar, month, week or day of the year (ISO 8601 and what plants print)."""
    year, month, day_of_month = day(rng)
    name = _MONTHS[month - 1]
    return _pick(rng, _DATES).format(
        y=year,
        yy=year % 100,
        m=month,
        d=day_of_month,
        mon=name if rng.random() < 0.75 else name.title(),
        w=1 + int(rng.random() * 52),
        n=1 + int(rng.random() * 365),
    )


def time(rng: np.random.Generator) -> str:
    """A time of the day."""
    template = _pick(rng, _TIMES)
    hours = 1 + int(rng.random() * 12) if "{pm}" in template else int(rng.random() * 24)
    return template.format(
        h=hours,
        i=int(rng.random() * 60),
        s=int(rng.random() * 60),
        pm=_pick(rng, ("AM", "PM", " AM", " PM", "am", "pm")),
    )


def dated(rng: np.random.Generator) -> str:
    """A date with or without what it means, a time, or both."""
    kind = rng.random()
    if kind < 0.45:
        return date(rng)
    if kind < 0.7:
        prefix = _pick(rng, _PREFIXES).replace("_", " ")
        return f"{prefix}{'' if rng.random() < 0.25 else ' '}{date(rng)}"
    if kind < 0.8:
        return time(rng)
    return f"{date(rng)} {time(rng)}"


def vin(rng: np.random.Generator) -> str:
    """A vehicle's number of 17 characters (ISO 3779) with its check digit (49 CFR 565.15)."""
    maker = _pick(rng, _VIN_MAKERS)
    described = "".join(_pick(rng, _VIN) for _ in range(5))
    year = _pick(rng, "ABCDEFGHJKLMNPRSTVWXY123456789")
    tail = year + _pick(rng, _VIN) + _digits(rng, 6)
    return f"{maker}{described}{vin_check(f'{maker}{described}0{tail}')}{tail}"


def vin_check(text: str) -> str:
    """The ninth character that a vehicle's number must have (49 CFR 565.15, tables III to V)."""
    rest = sum(_VIN_VALUES[c] * w for c, w in zip(text, _VIN_WEIGHTS, strict=True)) % 11
    return "X" if rest == 10 else str(rest)


def container(rng: np.random.Generator) -> str:
    """A freight container's code with its check digit, or its size and type (ISO 6346)."""
    if rng.random() < 0.2:
        kind = _pick(rng, ("G1", "R1", "U1", "T3", "P1"))
        return f"{_pick(rng, '124LM')}{_pick(rng, '025EN')}{kind}"
    if rng.random() < 0.5:
        owner = _pick(rng, _OWNERS)
    else:
        owner = "".join(_pick(rng, _UPPER) for _ in range(3)) + _pick(rng, "UUUJZ")
    number = _digits(rng, 6)
    check = str(container_check(owner + number))
    shape = _pick(
        rng, ("{o} {n} {c}", "{o} {n}-{c}", "{o}{n}{c}", "{o} {n}{c}", "{o} {n}", "{n} {c}")
    )
    return shape.format(o=owner, n=number, c=check)


def container_check(text: str) -> int:
    """The check digit of the first ten characters of a container's code (ISO 6346, annex A)."""
    total = 0
    for place, char in enumerate(text):
        value = int(char, 36)
        if char.isalpha():
            value += (value - 10 + 9) // 10
        total += value << place
    return total % 11 % 10


def gtin(rng: np.random.Generator, length: int) -> str:
    """A trade item number with its check digit."""
    body = _digits(rng, length - 1)
    return f"{body}{gtin_check(body)}"


def gtin_check(body: str) -> int:
    """The last digit of a trade item number (GS1 General Specifications, 7.9.1)."""
    return -sum(int(d) * (1 if place % 2 else 3) for place, d in enumerate(body[::-1])) % 10


def elements(rng: np.random.Generator) -> str:
    """A GS1 element string as people read it, identifiers in parentheses, or a bare GTIN."""
    kind = rng.random()
    year, month, day_of_month = day(rng)
    stamp = f"{year % 100:02}{month:02}{day_of_month:02}"
    lot = "".join(_pick(rng, _UPPER + "0123456789" * 2) for _ in range(4 + int(rng.random() * 5)))
    if kind < 0.3:
        return f"(01){gtin(rng, 14)}"
    if kind < 0.5:
        return f"({_pick(rng, ('11', '13', '15', '17'))}){stamp}"
    if kind < 0.65:
        return f"({_pick(rng, ('10', '21'))}){lot}"
    if kind < 0.8:
        return f"({_pick(rng, ('15', '17'))}){stamp}(10){lot}"
    text = gtin(rng, 13 if rng.random() < 0.7 else 8)
    return text if rng.random() < 0.5 else f"{text[0]} {text[1:7]} {text[7:]}".strip()
