"""A component of a hundred thousand identifiers is cut like any other, and a hub of as many neighbours is nobody's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.transforms.identity.scenario import config_of, day, links_from
from transforms.identity.components import solve_identities
from transforms.identity.rules import ResolutionRules

GIANT = 100_000
CONFIG = config_of({}, max_identifiers_per_profile=50)


def chain(length: int) -> pd.DataFrame:
    return links_from([(f"email:{n}", f"email:{n + 1}", day(0), day(n * 7919 % 1000), 1) for n in range(length - 1)])


def star(leaves: int) -> pd.DataFrame:
    return links_from([(f"email:{n}", "device_id:till", day(0), day(0), 1) for n in range(leaves)])


def test_a_giant_chain_is_cut_into_profiles_as_large_as_they_may_be() -> None:
    identities, links = solve_identities(chain(GIANT), ResolutionRules(CONFIG))
    assert identities["component_id"].nunique() == 1
    held = identities.groupby("profile_id").size()
    assert held.max() <= 50
    assert set(links["severed"].dropna()) == {"limit:total"}
    assert links["severed"].notna().sum() == len(held) - 1
    profile_of = identities.set_index("identifier_id")["profile_id"]
    cut = links[links["severed"].notna()]
    ends = [held[profile_of[cut[name]]].to_numpy() for name in ("identifier_id", "other_identifier_id")]
    assert (ends[0] + ends[1] > 50).all()


def test_a_hub_with_as_many_neighbours_leaves_each_of_them_alone() -> None:
    identities, links = solve_identities(star(GIANT), ResolutionRules(CONFIG))
    assert (links["severed"] == "hub").all()
    assert identities["profile_id"].equals(identities["identifier_id"])
    assert identities.groupby("reason").size().to_dict() == {"hub": 1, "severed": GIANT}


def test_within_the_limits_a_giant_component_is_one_profile() -> None:
    links = pd.concat([chain(GIANT), star(GIANT)], ignore_index=True)
    config = config_of({}, max_identifiers_per_profile=2 * GIANT, device_id={"max_linked": GIANT})
    identities, solved = solve_identities(links, ResolutionRules(config))
    assert len(identities) == GIANT + 1
    assert identities["profile_id"].nunique() == 1
    assert solved["severed"].isna().all()
    assert np.array_equal(np.sort(identities["times"].unique()), [0, 1, GIANT])
