"""What marks say: formats of codes, labels and displays, in the notation of `stages/notation.py`.

Each group is a kind of mark with its weight; the formats of a group are alike in weight.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Formats of one kind of mark, and how often it is chosen."""

    name: str
    weight: float
    formats: tuple[str, ...]


def _group(name: str, weight: float, formats: str) -> Group:
    return Group(name, weight, tuple(line.strip() for line in formats.strip().splitlines()))


GROUPS: tuple[Group, ...] = (
    _group(
        "part numbers",
        10,
        r"""
        [A-Z]{2}\d{4}-\d{2}
        \d{3}-\d{4}-\d{2}
        [A-Z]{1,3}-\d{3,6}
        [A-Z]{1,3}\d{3,7}[A-Z]?
        \d{4,6}-[A-Z0-9]{2,4}
        [A-Z]\d{2}[A-Z]\d{3}[A-Z]
        \d{2}\.\d{3}\.\d{3}
        \d{2}\.\d{4}\.\d{3}-\d
        \d{3} \d{3} \d{3}
        \d{3} \d{3} \d{2} \d{2}
        [A-Z]\d{3} \d{3} \d{2} \d{2}
        [0-9]{1,2}[A-Z]\d \d{3} \d{3}[A-Z]?
        [A-Z0-9]{5}-[A-Z0-9]{5}
        [A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}
        [A-Z]{3}-\d{2,4}/\d{1,2}
        6ES7 \d{3}-\d[A-Z]{2}\d{2}-0[A-Z]{2}\d
        \d[A-Z]{2}\d{4}-\d[A-Z]{2}\d{2}
        [A-Z]{2}\d{1,2}/\d{2,3}
        \d{5,10}
        \d{1,3}/\d{1,4}
        \d{8}[A-Z]{2}
        [A-Z0-9]{2,4}\.[A-Z0-9]{2,4}\.[A-Z0-9]{2,4}
        (PN|P/N|PART NO\.|PART|REF|ART\.|CAT\.|TYPE|MODEL|MOD\.):? ?[A-Z0-9]{3,5}-\d{2,4}
        (P/N|REF|TYPE|MODEL): [A-Z0-9-]{4,10}
        (REV|REV\.|VER|V|ISSUE) ?[A-Z0-9](\.\d{1,2})?
        [A-Z]{2,4}_\d{2,5}(_[A-Z])?
        #\d{1,5}
        NO\. ?\d{1,6}
        """,
    ),
    _group(
        "serial numbers",
        8,
        r"""
        (S/N|SN|SER\.? NO\.?|SERIAL|S\.N\.)[: ][A-Z0-9]{5,12}
        SN\d{6,12}
        S/N: ?\d{5,10}
        [A-Z]{2}\d{2}[A-Z]\d{6}
        \d{4}[A-Z]{2}\d{5}
        [A-Z0-9]{8,12}
        [A-Z0-9]{12,17}
        \d{6,14}
        \d{2}[0-9A-F]{2}-[0-9A-F]{4}
        [0-9A-F]{2}:[0-9A-F]{2}:[0-9A-F]{2}:[0-9A-F]{2}:[0-9A-F]{2}:[0-9A-F]{2}
        [0-9A-F]{12}
        [0-9A-F]{4}(-[0-9A-F]{4}){1,3}
        0x[0-9A-F]{2,8}
        IMEI:? ?\d{15}
        MAC:? ?[0-9A-F]{12}
        ID:? ?\d{3,8}
        """,
    ),
    _group(
        "lots and batches",
        7,
        r"""
        (LOT|Lot|LOT NO\.|BATCH|Batch|BN|B/N|CHG|CH\.-B\.|L)[: ][A-Z0-9]{4,9}
        (LOT|L|B|CH)\d{4,8}
        L\d{2}[A-Z]\d{2}( \d{2}:\d{2})?
        L \d{4}[A-Z]? \d{2}:\d{2}
        [A-Z]\d{5}[A-Z]
        \d{2}[A-L]\d{2}[A-Z]?
        \d{5}[A-Z]\d
        LOT\.?\d{3,8}-\d{1,3}
        (HEAT|HT|MELT)( NO\.?)? ?[A-Z]?\d{4,6}
        [A-Z]{2} ?\d{2}/\d{2,3}
        """,
    ),
    _group(
        "plates",
        7,
        r"""
        [A-Z]{3}-\d{3,4}
        [A-Z]{3} ?\d{3,4}
        [A-Z]{3}\d{4}
        [A-Z]{3}\d[A-Z]\d{2}
        [A-Z]{2}\d{2} ?[A-Z]{3}
        [A-Z]{1,2} ?\d{1,4} ?[A-Z]{1,2}
        [A-Z]{1,3}[- ][A-Z]{1,2} ?\d{1,4}
        [A-Z]{2}-\d{3}-[A-Z]{2}
        [A-Z]{2} \d{3} [A-Z]{2}
        \d{3} ?[A-Z]{3}
        \d{4} ?[A-Z]{3}
        \d{2}-[A-Z]{2}-\d{2}
        \d{2}-[A-Z]{3}-\d
        [A-Z] \d{3} [A-Z]{2}
        [ABCEHKMOPTXY]\d{3}[ABCEHKMOPTXY]{2} ?\d{2,3}
        [A-Z]{2}\d{2}[A-Z]{2}\d{4}
        [A-Z]{2} \d{2} [A-Z]{1,2} \d{4}
        \d{2} ?[A-Z]{1,3} ?\d{2,4}
        [0-9][A-Z]{3}\d{3}
        \d[A-Z]{1,2} \d{4}
        \d{1,3}-[A-Z]-\d{2,5}
        [A-Z]{1,3} \d{1,4} [A-Z]
        [A-Z]\d{5,6}
        [A-Z]{2} ?\d{4,5}
        [A-Z][A-Z0-9]{1,6}
        """,
    ),
    _group(
        "prices and amounts",
        8,
        r"""
        \d{1,3}\.\d{2}
        \d{1,2},\d{2}
        [$£€]\d{1,3}\.\d{2}
        [$£€] ?\d{1,3},\d{3}\.\d{2}
        \d{1,3}\.\d{3},\d{2}( ?€)?
        \d{1,3},\d{2} ?(€|EUR)
        (RM|USD|EUR|GBP|SGD|Rp|Rs\.?|CHF|TL) ?\d{1,4}\.\d{2}
        (TOTAL|Total|SUBTOTAL|CASH|CHANGE|TAX|GST|VAT|AMOUNT|BALANCE|ROUNDING):? ?[$]?\d{1,3}\.\d{2}
        (TOTAL|CASH|CHANGE) (RM|USD|EUR):? ?\d{1,3}\.\d{2}
        -\d{1,2}\.\d{2}
        \d{1,2} ?[xX@] ?\d{1,2}\.\d{2}
        \d\.\d{3} ?[xX] ?\d{1,2}\.\d{2}
        \d{1,2}\.\d{2} ?[A-Z]
        \d{1,3}(,\d{3}){1,2}
        (VAT|GST|TAX) ?\(?\d{1,2}(\.\d)?%\)?:? ?\d{1,2}\.\d{2}
        Qty:? ?\d{1,3}
        \d{1,3}\.\d{2} SR
        """,
    ),
    _group(
        "invoices and receipts",
        5,
        r"""
        (INV|INVOICE|Invoice No|Receipt|RCPT|BILL|ORDER|Order)[:#]? ?#?\d{4,8}
        (INV|CS|PO|SO|DO|CN|QT)-?\d{5,8}
        (Tel|TEL|Tel\.|FAX|Phone|T|F): ?0\d-\d{4} ?\d{4}
        (Tel|TEL): ?\+\d{2} \d{2,3} \d{3,4} \d{4}
        \+\d{2} \d{2,3} \d{6,8}
        \(\d{3}\) \d{3}-\d{4}
        1-800-\d{3}-\d{4}
        0\d{2,3}[-/ ]\d{6,8}
        (GST|VAT|TAX|ABN|REG|Co\.?) ?(ID|NO|No)?\.?:? ?\d{6,12}
        \(\d{6}-[A-Z]\)
        (Table|Cashier|Till|Counter|Member|Trans)[:#]? ?#?\d{1,6}
        \d{5} [A-Z]{4,9}
        [A-Z]{2} \d{5}
        \*{4} ?\d{4}
        www\.[a-z]{4,9}\.(com|de|co\.uk|net|my)
        [a-z]{3,7}@[a-z]{3,7}\.(com|de|net)
        \d{13}
        \d{12,14}
        """,
    ),
    _group(
        "quantities and ratings",
        7,
        r"""
        \d{1,4} ?(g|kg|G|KG|ml|ML|L|l|mm|MM|cm|m|pcs|PCS|oz|OZ|lb|LB|FL OZ)
        \d{1,3}[.,]\d{1,3} ?(g|kg|KG|ml|L|mm|cm|m|oz|lb)
        (NET|NET WT|NETTO|GROSS|TARE|Wt|WT)\.?:? ?\d{1,3}(\.\d{1,3})? ?(g|kg|KG|oz|LB)
        \d{1,3}(\.\d{1,2})?%
        [+-]?\d{1,3}(\.\d)? ?°[CF]
        \d{1,4}(\.\d)? ?(V|A|W|kW|Hz|MHz|kHz|VA|mA|VAC|VDC|V AC|bar|BAR|psi|PSI|MPa|Nm|rpm)
        (AC|DC|INPUT|OUTPUT|MAX|MIN)[:. ]\d{1,3}(\.\d)? ?(V|A|W|VA)
        \d{3}-\d{3} ?V
        \d{2}/\d{2} ?Hz
        IP\d[0-9X]
        IP ?6[5-9]K?
        PN ?\d{1,2} ?DN ?\d{1,3}
        (DN|PN|M|NW|G|R|SW)\d{1,3}
        M\d{1,2}(x\d(\.\d{1,2})?)?
        M\d{1,2} ?[xX] ?\d{1,3}
        \d{1,2}/\d{1,2}"
        \d{3}/\d{2} ?R ?\d{2}( \d{2,3}[A-Z])?
        \d{1,4} ?[xX] ?\d{1,4}( ?[xX] ?\d{1,4})?
        (A2|A4|C3)-(50|70|80)
        (8|10|12)\.\d
        AISI ?3\d{2}L?
        1\.\d{4}
        (EN|DIN|ISO|IEC|UL|ASTM|BS|JIS) ?\d{3,5}(-\d{1,2})?
        (GG|GGG|GJS|GJL|EN-GJS)-?\d{3}(-\d{1,2})?
        >?(PP|PE|PA6|PA66|ABS|PET|HDPE|POM|PC|PVC)(-GF\d{2})?<?
        >PA66-GF\d{2}<
        \d{1,2}(\.\d)? ?(K|k|M|R|u|n|p)(F|H)?
        \d{1,2}[RKM]\d{1,2}
        """,
    ),
    _group(
        "meters and displays",
        6,
        r"""
        0{1,4}\d{2,5}\.\d
        0{1,5}\d{1,5}
        \d{1,6}\.\d{1,3}
        -?\d{1,3}\.\d
        \d{1,2}:\d{2}(:\d{2})?
        \d{4,8} ?(kWh|KWH|m3)
        \d{1,5},\d{1,3}
        8{1,6}(\.8)?
        (E|Err|ERR|F|A|P|C|L|H)-?\d{1,3}
        [+-]\d{1,2}\.\d{2,3}
        \d{1,6}
        """,
    ),
    _group(
        "chips",
        5,
        r"""
        (STM32|STM8|PIC16|PIC18|ATMEGA|ATTINY|MSP430|LPC)[A-Z]?\d{2,4}[A-Z]?\d?[A-Z]{0,2}\d?
        STM32[FGHL]\d{3}[CRVZ][468BCE][TUH]\d
        (LM|TL|NE|UA|MC|CD|SN|OPA|AD|MAX|LT|TPS|BQ|INA)\d{2,5}[A-Z]{0,3}
        (SN)?74(HC|LS|HCT|AC|LVC)\d{2,4}[A-Z]{0,2}
        (BC|BD|BF|2N|IRF|TIP|1N|BAT|BAV|MMBT)\d{2,4}[A-Z]?
        [A-Z]{1,3}\d{2,3}[A-Z]{1,2}\d?-\d{2}
        [A-Z]{2}\d[A-Z]{2}\d[A-Z]
        [0-9]{4}[A-Z]{0,2}
        \d{2}[0-5]\d[A-Z]{2,3}
        \d{3}[A-Z]?
        [A-Z]\d{2}[A-Z]
        [A-Z]{2}\d{2}[A-Z]?
        \d{4} ?[A-Z]\d[A-Z0-9]{2,5}
        (TAIWAN|KOREA|CHN|MYS|PHIL|CHINA|MEXICO|THAILAND) ?\d{0,4}
        [A-Z0-9]{5,9}-[A-Z]{1,3}
        25Q\d{2}[A-Z]{4}
        YF?\d{3}[A-Z]\d
        """,
    ),
    _group(
        "logistics",
        4,
        r"""
        \(00\)\d{18}
        \(01\)\d{14}
        \(02\)\d{14}\(37\)\d{1,4}
        \(21\)[A-Z0-9]{4,12}
        \(240\)[A-Z0-9-]{4,10}
        \(3103\)\d{6}
        \(400\)[A-Z0-9]{5,10}
        \(420\)\d{5}
        [A-Z]{2}\d{9}[A-Z]{2}
        1Z ?[A-Z0-9]{3} ?[A-Z0-9]{3} ?\d{2} ?\d{4} ?\d{3}
        [A-Z]-?\d{2}-\d{2}-\d{2}
        (PALLET|BOX|CTN|PKG|BIN|RACK|BAY|DOCK|GATE|ZONE|LINE) (NO\.? |#)?[A-Z]?\d{1,4}
        \d{1,3} (OF|/) \d{1,3}
        (QTY|PCS|CTN|Q)[: ] ?\d{1,5}
        [A-Z]{3}-[A-Z]{3}
        \d{2}[GRTPUVH]\d
        (MAX GROSS|TARE|NET|CU CAP) ?\d{4,5} ?(KG|LB)
        C/NO\.? ?\d{1,3}
        UN ?\d{4}
        """,
    ),
    _group(
        "marks in short",
        4,
        r"""
        [A-Z]
        \d
        [A-Z]\d
        \d[A-Z]
        \d{2}
        [A-Z]{2}
        [A-Z]{3}
        [+-]
        (OK|NG|NOK|ON|OFF|IN|OUT|UP|L|R|LH|RH|TOP|CE|UL|QC|PASS|FAIL|N/A)
        (QC|INSP|CHK|OP|ST|CAV|CAV\.|NEST|TOOL|MOLD|DIE|WERKZEUG) ?#?\d{1,3}
        [A-Z]-?\d{1,3}
        \d{1,2}-\d{1,2}
        \d+[A-Z]?/\d
        [IVX]{1,4}
        (NO|No|Nr)\. ?\d{1,4}
        \d{1,3}[A-Za-z]
        """,
    ),
)
"""The kinds of marks whose formats say all; see `checked.py` and `words.py` for the others."""
