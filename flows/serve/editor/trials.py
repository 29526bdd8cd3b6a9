"""A code that a person types, held against a field of a draft: whether it may be one, and why not.

Runs beside the flow (`aside`); asks the same automaton, checks and lexicon as the map stage.
"""

from __future__ import annotations

from typing import Any

from flows.configuration.recipes import FieldPlan
from flows.serve.editor.drafts import Ground, compiled
from stages.errors import ConfigError
from stages.formats import Constraint, character_set
from stages.map.checks import CheckDigit
from stages.map.clean import cleaner
from stages.map.objections import objections


def tried(ground: Ground, camera: str, text: str, field: int, code: str) -> dict[str, Any]:
    """What the field says to this code, as JSON has it; `checks` are its check digits in order.

    Raises:
        ConfigError: the draft is wrong, or has no such field.
    """
    recipe = compiled(ground, camera, text)
    if field >= len(recipe.fields):
        raise ConfigError(f"there is no field {field + 1}; the recipe has {len(recipe.fields)}")
    plan = recipe.fields[field]
    cleaned = "".join(map(cleaner(plan.map.strip, plan.map.case), code))
    fits = plan.constraint is None or plan.constraint.accepts(cleaned)
    words = _objection(plan, cleaned)
    return {
        "accepted": words is None,
        "cleaned": cleaned,
        "reason": words,
        "pattern": plan.map.pattern,
        "segments": plan.constraint.segments(cleaned) if fits and plan.constraint else {},
        "checks": _checks(plan.constraint, cleaned) if fits and plan.constraint else [],
    }


def _objection(plan: FieldPlan, code: str) -> str | None:
    if not code:
        return "nothing is left of it once strip has taken its characters away"
    if plan.constraint is not None and (words := misfit(plan.constraint, code)) is not None:
        return words
    if (words := objections(plan.map)(code)) is not None:
        return words.removesuffix("; change either")
    if plan.lexicon is not None and code not in plan.lexicon.known:
        return f"is not among the {len(plan.lexicon.codes)} codes of the lexicon"
    return None


def misfit(constraint: Constraint, code: str) -> str | None:
    """Where a code leaves the format, and what might come there; None where it is of the format."""
    state: int = constraint.start
    for at, char in enumerate(code):
        following = constraint.step(state, char)
        if following is None:
            allowed = constraint.allowed(state)
            after = f"after {code[:at]!r}" if at else "at the beginning"
            wanted = f"comes {character_set(allowed)}" if allowed else "nothing comes"
            return f"{after} {wanted}, not {char!r}"
        state = following
    if constraint.is_accepting(state):
        return None
    return f"after {code!r} still comes {character_set(constraint.allowed(state))}"


def _checks(constraint: Constraint, code: str) -> list[dict[str, Any]]:
    return [
        {
            "scheme": check.scheme if isinstance(check, CheckDigit) else "check",
            "complaint": check.complaint(code, constraint),
        }
        for check in constraint.checks
    ]
