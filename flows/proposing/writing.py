"""A proposal -> the text of its recipe file, with a comment on why each part is there."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from flows.configuration.recipes import DetectChoice
from flows.proposing.trials import Trial
from stages.preprocess import Step

_WIDTH = 96


@dataclass(frozen=True, slots=True)
class Proposal:
    """What goes into the file: `reasons` by step, `about` the paragraphs at its head.

    A `pattern` that is not `sure` is written as a comment.
    """

    description: str
    about: Sequence[str]
    trial: Trial
    reasons: Mapping[Step, str]
    case: str
    pattern: str | None
    pattern_reason: str
    sure: bool
    threshold: float
    threshold_reason: str


def recipe_text(proposal: Proposal) -> str:
    """The YAML of a recipe, which loads as it is."""
    lines = [line for paragraph in proposal.about for line in _comment(paragraph)]
    lines.append(f"description: {_flow(proposal.description)}")
    if proposal.trial.steps:
        lines.append("preprocess:")
        for step in proposal.trial.steps:
            if reason := proposal.reasons.get(step):
                lines.extend(_comment(reason, "  "))
            options = step.options.model_dump(mode="json", exclude_unset=True)
            lines.append(f"  - {step.name}: {_flow(options)}")
    else:
        lines.append("preprocess: []")
    lines += ["fields:", "  - name: code", f"    detect: {_flow(_typed(proposal.trial.detect))}"]
    lines += ["    map:", f"      case: {proposal.case}"]
    lines.extend(_comment(proposal.pattern_reason, "      "))
    if proposal.pattern is not None:
        quoted = "'" + proposal.pattern.replace("'", "''") + "'"
        lines.append(f"      {'' if proposal.sure else '# '}format: {quoted}")
    lines.extend(_comment(proposal.threshold_reason, "    "))
    lines.append(f"    threshold: {proposal.threshold:g}")
    return "\n".join(lines) + "\n"


def _comment(words: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        words,
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _typed(choice: DetectChoice) -> dict[str, object]:
    """A choice of detector as a person would type it: what is not the default."""
    stage = choice.stage.model_dump(mode="json", include=choice.model_fields_set)
    return {
        "use": choice.use,
        **stage,
        **choice.options.model_dump(mode="json", exclude_unset=True),
    }


def _flow(value: object) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000
    )
    return text.removesuffix("...\n").strip()
