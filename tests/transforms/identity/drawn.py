"""Small graphs and rules as hypothesis draws them: crowded, so that hubs, limits and ties are everywhere."""

from __future__ import annotations

import pandas as pd
from hypothesis import strategies as st

from conf.identity import IdentityConfig
from tests.transforms.identity.oracle import Link
from tests.transforms.identity.scenario import day, links_from
from transforms.identity.rules import ResolutionRules

IDS = (
    "crm_id:1", "crm_id:2", "crm_id:3", "email:1", "email:2", "email:3", "email:4", "device_id:1", "device_id:2",
    "cookie_id:1", "cookie_id:2", "cookie_id:3",
)  # fmt: skip
LAST_DAY = 9

MORE_IDS = (*IDS, *(f"email:{number}" for number in (5, 6, 7)), *(f"cookie_id:{number}" for number in (4, 5, 6)))

pairs = st.tuples(st.sampled_from(IDS), st.sampled_from(IDS))
more_pairs = st.tuples(st.sampled_from(MORE_IDS), st.sampled_from(MORE_IDS))
days = st.integers(0, LAST_DAY)


@st.composite
def some_links(draw: st.DrawFn, most: int = 18, pairs: st.SearchStrategy[tuple[str, str]] = pairs) -> list[Link]:
    """Links of distinct pairs, now and then the same pair in both directions, and some identifiers by themselves."""
    drawn = draw(st.lists(st.tuples(pairs, days, days), max_size=most, unique_by=lambda item: item[0]))
    return [Link(*pair, day(min(when)), day(max(when))) for pair, *when in drawn]


configs = st.builds(
    lambda crm, email, total, hub, lifetime: IdentityConfig(
        namespaces=[
            {"name": "crm_id", "max_per_profile": crm, "max_linked": 5},
            {"name": "email", "max_per_profile": email, "max_linked": hub + 1},
            {"name": "device_id", "kind": "device", "max_linked": hub},
            {"name": "cookie_id", "kind": "browser", "max_linked": hub, "expires_after": lifetime and f"{lifetime}d"},
        ],
        max_identifiers_per_profile=total,
    ),
    crm=st.sampled_from([1, 1, 2]),
    email=st.sampled_from([1, 2, None]),
    total=st.integers(2, 8),
    hub=st.integers(2, 6),
    lifetime=st.sampled_from([None, None, 3, 5]),
)
few_pairs = st.lists(pairs, max_size=2).map(tuple)
rules = st.builds(ResolutionRules, configs, links=few_pairs, unlinks=few_pairs, as_of=st.just(day(LAST_DAY)))


def frame_of(links: list[Link]) -> pd.DataFrame:
    return links_from([tuple(link) for link in links])
