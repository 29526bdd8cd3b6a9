"""Words that stand on parts, labels, packs and receipts, and invented ones between them."""

from __future__ import annotations

import numpy as np

_WORDS = """
    ALARM ALUMINIUM AMOUNT APPROVED ASSEMBLY AUTO AXIS BATCH BATTERY BEARING BEFORE BEST BLACK
    BLUE BOLT BOTTLE BOX BRAKE BRASS CABLE CAPACITY CAREFUL CARTON CASE CASH CAST CAUTION CENTER
    CHAIN CHANGE CHECK CHINA CHROME CLASS CLEAN CLOSE CODE COLD COLOUR COMPANY CONTROL COOL
    COPPER COUNT CUSTOMER CUT DANGER DATE DAY DEPTH DESIGN DEVICE DIGITAL DOOR DOWN DRAIN DRIVE
    DRUM DRY DUTY EARTH ELECTRIC EMPTY ENGINE ENTRY ERROR EUROPE EXIT EXPIRY EXPORT FACTORY FAN
    FILTER FINE FIRE FIXED FLANGE FLOW FLUID FORCE FORGED FRAGILE FRANCE FRESH FRONT FUEL FULL
    FUSE GAS GASKET GAUGE GEAR GERMANY GLASS GRADE GREEN GROSS GROUND GUARD HANDLE HAZARD HEAT
    HEAVY HEIGHT HIGH HOLD HOT HOUSING HYDRAULIC INDIA INDUSTRIAL INLET INPUT INSPECTED IRON
    ITALY ITEM JAPAN KEEP KEY KIT KOREA LABEL LABORATORY LARGE LEFT LENGTH LEVEL LIFT LIGHT
    LIMIT LINE LIQUID LOAD LOCK LOT MACHINE MADE MANUAL MARKET MASTER MATERIAL MAX MEDIUM METAL
    METER MILK MIN MIXED MODE MODEL MOTOR MOUNT NET NORMAL NOTICE NUMBER NUT OFFICE OIL OPEN
    ORANGE ORDER ORIGIN OUTLET OUTPUT OVEN OXYGEN PACK PALLET PAPER PART PASSED PAYMENT PHASE
    PIN PIPE PISTON PLASTIC PLATE PLUG POLAND POWER PRESS PRESSURE PRICE PROCESS PRODUCT PROTECT
    PULL PUMP PUSH QUALITY QUANTITY RADIO RANGE RATED READY REAR RECEIPT RECYCLE RED REGISTER
    RELAY REMOVE RESET RETURN RIGHT RING ROOM ROTOR ROUND RUBBER SAFETY SALE SALT SAMPLE SCREW
    SEAL SENSOR SERIAL SERIES SERVICE SET SHAFT SHIP SHOP SIDE SIGNAL SILVER SINGLE SIZE SMALL
    SOFT SOLID SPAIN SPARE SPECIAL SPEED SPRING STAINLESS STANDARD START STATION STEAM STEEL
    STOCK STOP STORE STREET STRONG SUGAR SUPPLY SWITCH SYSTEM TABLE TANK TEMP TEST THANK THERMAL
    TIME TITANIUM TOOL TOP TORQUE TOTAL TRADE TRUCK TUBE TURN TYPE UNION UNIT UPPER USE VACUUM
    VALUE VALVE VEHICLE VOLT WARNING WASHER WASTE WATER WEIGHT WELD WHEEL WHITE WIDTH WIRE WOOD
    WORK YEAR YELLOW ZINC ZONE
"""
WORDS = tuple(_WORDS.split())

PHRASES: tuple[str, ...] = tuple(
    phrase.strip()
    for phrase in """
    MADE IN GERMANY; MADE IN CHINA; MADE IN ITALY; MADE IN USA; MADE IN JAPAN; Made in E.U.
    MADE IN TAIWAN; MADE IN FRANCE; ASSEMBLED IN MEXICO; KEEP DRY; THIS SIDE UP; DO NOT OPEN
    HANDLE WITH CARE; BEST BEFORE; USE BY; NET WEIGHT; THANK YOU; TAX INVOICE; NO SMOKING
    DO NOT STACK; HIGH VOLTAGE; LIFT HERE; OIL LEVEL; MAX LOAD; TOP SIDE; SEE BOTTOM; NOT FOR SALE
    KEEP REFRIGERATED; STORE IN A COOL PLACE; OPEN HERE; PUSH TO OPEN; EMERGENCY STOP; Thank You!
    Please Come Again; CASH SALE; GOODS SOLD; SDN BHD; Co., Ltd.; GmbH & Co. KG; S.p.A.; Inc.; LTD.
    """.replace("\n", ";").split(";")
    if phrase.strip()
)

_SYLLABLES = {
    "onsets": "b c d f g h j k l m n p r s t v w z bl br ch cr dr fl gr pl pr sh st tr th",
    "vowels": "a e i o u a e i o u y ai ea ie oo ou",
    "codas": "- - - l m n r s t x ck ct ld ll nd ng nt rd rk rn st",
}
_ONSETS, _VOWELS, _CODAS = (
    tuple(part.strip("-") for part in parts.split()) for parts in _SYLLABLES.values()
)
_CASES = (str.upper, str.upper, str.upper, str.title, str.title, str.lower)


def _pick(rng: np.random.Generator, items: tuple[str, ...]) -> str:
    return items[int(rng.random() * len(items))]


def invented(rng: np.random.Generator) -> str:
    """A word that can be pronounced, of one to three syllables, in capitals."""
    syllables = 1 + int(rng.random() * 3)
    parts = [
        _pick(rng, _ONSETS) + _pick(rng, _VOWELS) + _pick(rng, _CODAS) for _ in range(syllables)
    ]
    return "".join(parts).upper()


def words(rng: np.random.Generator) -> str:
    """One to three words or a phrase, in capitals, titled or small."""
    if rng.random() < 0.12:
        return _pick(rng, PHRASES)
    count = (1, 1, 1, 2, 2, 3)[int(rng.random() * 6)]
    chosen = [_pick(rng, WORDS) if rng.random() < 0.55 else invented(rng) for _ in range(count)]
    case = _CASES[int(rng.random() * len(_CASES))]
    text = case((" ", " ", " ", "-", " & ", "/")[int(rng.random() * 6)].join(chosen))
    if rng.random() < 0.15:
        text += ("", ":", ".", "!", ",", " 1", " 2", "?")[int(rng.random() * 8)]
    return text
