"""What an explanation tells a person: the verdict, the chain of evidence, and why a step of it is not followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conf.identity import IdentityConfig
from transforms.identity.matching import MATCH_SOURCE


@dataclass(frozen=True)
class Explanation:
    """Why two identifiers are, or are not, one person. ``verdict`` is one of one person, severed, blocked, unrelated, unknown.

    ``chain`` is the shortest chain of evidence, each step with where and when it was seen, and why it is not followed.
    """

    one: str
    other: str
    profile_of_one: str | None
    profile_of_other: str | None
    verdict: str
    because: tuple[str, ...]
    chain: tuple[dict[str, Any], ...] = ()


def why_severed(step: dict[str, Any], config: IdentityConfig, decision: dict[str, Any] | None) -> str:
    """Why one step of a chain is not followed, as a sentence; ``decision`` is the one that forbids it, where one does."""
    ends, why = f"{step['from']} -- {step['to']}", str(step["severed"])
    kind, _, name = why.partition(":")
    if kind == "limit" and name == "total":
        most: int | None = config.max_identifiers_per_profile
        return f"{ends}: together they would hold more than {most} identifiers; trusted less than the links that hold"
    if kind == "limit":
        most = config.namespace(name).max_per_profile
        return f"{ends}: a profile may hold {most} {name}, and both sides have theirs; trusted less than the links that hold"
    if why == "unlinked":
        by = f" ({decision['decided_by']}, {decision['decided_at']:%Y-%m-%d}: {decision['why']})" if decision else ""
        return f"{ends}: a person decided that these never are in one profile{by}"
    words = {
        "hub": "one of them is a hub: linked to more others than its namespace allows",
        "expired": "not seen together for longer than links of their namespaces last",
    }
    return f"{ends}: {words.get(why, f'a placeholder, never linked ({why})')}"


def explanation_text(explanation: Explanation) -> str:
    """The explanation for a terminal."""
    same = explanation.verdict == "one person"
    profiles = {explanation.one: explanation.profile_of_one, explanation.other: explanation.profile_of_other}
    lines = [f"{explanation.one} and {explanation.other}: {'one person' if same else 'not linked'} ({explanation.verdict})"]
    if same:
        lines.append(f"profile {explanation.profile_of_one}")
    else:
        lines += [f"  {name} is in profile {profile or 'none'}" for name, profile in profiles.items()]
    lines += [f"  {sentence}." for sentence in explanation.because]
    if explanation.chain:
        lines.append("\nThe shortest chain of evidence")
        lines += [_step_text(step) for step in explanation.chain]
    return "\n".join(lines)


def _step_text(step: dict[str, Any]) -> str:
    mark = f"-x- ({step['severed']})" if step["severed"] else "---"
    lines = [f"  {step['from']} {mark} {step['to']}"]
    if step["times"]:
        moments = [f"{step[name]:%Y-%m-%d %H:%M}" if step[name] else "undated" for name in ("first_seen", "last_seen")]
        lines.append(f"      seen {step['times']:,} times, {' to '.join(moments)}, by {', '.join(step['sources'])}")
        if step["match"]:
            lines.append(f"      {_match_text(step['match'])}")
        if step["sources"] != [MATCH_SOURCE]:
            lines.append(f"      first in {step['file'] or 'a file that is gone'}")
    if step["decision"]:
        lines.append("      {decided_by} decided {decision}: {why}".format(**step["decision"]))
    return "\n".join(lines)


def _match_text(match: dict[str, Any]) -> str:
    weights = ", ".join(f"{one['attribute']} {one['weight']:+.1f}" for one in match["evidence"])
    return f"score {match['score']:.4f} by {match['model']}: {weights}"
