"""Who is who: links in, profiles out. The one place that decides it, for any amount of links, in memory.

The rule, in the order in which it applies:

1. A link is not followed where a person unlinked its two ends, where it has expired, or where one end is a *hub*:
   linked to more others than its namespace allows. A link that a person decided is followed all the same.
2. The connected sets of what is left are the components. Components do not share anything, so each is settled alone.
3. A component within every limit is one profile: no cutting could refuse any of its links, because every cluster on the
   way is a part of the component, and a part of what is allowed is allowed.
4. Any other component is cut (:mod:`transforms.identity.cutting`).
5. A profile is called after its anchor: its identifier of the strongest namespace, then the one seen earliest, then the
   smallest id. The anchor is a member, so two profiles never share a name, and it depends on the members alone, so the
   name does not depend on the way there.

Steps 1 to 3 and 5 are array operations; components come from ``scipy.sparse.csgraph.connected_components`` (a search in
time linear in links and identifiers; Hopcroft and Tarjan 1973). Only components over a limit take a Python loop.
Identifiers are numbered in the order of their ids, so that nothing depends on the order of the input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from conf.tables.silver import SEVERED_KEPT
from transforms.identity.cutting import Clusters, Limits, order_of_trust
from transforms.identity.graph import NO_TIME, Graph, Mask, as_batch, number_links
from transforms.identity.ids import Codes, unpack
from transforms.identity.rules import EXPIRED, FOLLOWED, HUB, SETTLED, UNLINKED, ResolutionRules

IDENTITY_COLUMNS = (
    "identifier_id", "namespace", "value", "component_id", "profile_id", "reason", "first_seen", "last_seen", "times",
    "severed_from",
)  # fmt: skip

REASONS = ("hub", "anchor", "linked", "severed", "alone")
"""Why an identifier is where it is; a solution has their numbers."""

_LAST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Solution:
    """What was found: of each vertex, and in ``fate`` of each link, by number (:mod:`transforms.identity.rules`).

    ``component`` and ``anchor`` are vertices. Times are microseconds, ``NO_TIME`` where there is none. ``cut_off`` has the
    first ends of links that are not followed, by their other ends: those of vertex v from ``cut_off_at[v]`` to
    ``cut_off_at[v + 1]``, in order, the first ``SEVERED_KEPT``.
    """

    fate: Codes
    component: Codes
    anchor: Codes
    reason: NDArray[np.int8]
    first_seen: Codes
    last_seen: Codes
    times: Codes
    cut_off: Codes
    cut_off_at: Codes


def solve_identities(links: pd.DataFrame, rules: ResolutionRules) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Links -> (one row per identifier, the links with ``severed``: why one is not followed, null where it is).

    ``links`` is as :func:`transforms.identity.links.link_identifiers` makes it. Where it has a column ``settled``, a
    link with a value there leads out of the part that is asked for: it is not followed, for that reason, and the
    identifier at its far end comes out unfinished (see :mod:`transforms.identity.scope`).

    Identities are in the order of their ids, links as they came. ``reason`` of an identity: ``hub``; ``anchor`` or
    ``linked`` in a profile of several; else ``severed`` (it has links, and none holds) or ``alone``. ``first_seen``,
    ``last_seen`` and ``times`` are over all of its links. Raises BadInputError for a null id or undeclared namespace.
    """
    if links.empty:
        return _no_identities(), links.drop(columns="settled", errors="ignore").assign(severed=None)
    graph = number_links([as_batch(links)], rules.config.ranks)
    settled = links["settled"].notna().to_numpy(bool) if "settled" in links.columns else None
    solution = solve_graph(graph, rules, settled)
    identities = pd.DataFrame(
        {
            "identifier_id": _texts(graph, np.arange(graph.size)),
            "namespace": _shown(graph, links["namespace"], links["other_namespace"]),
            "value": _shown(graph, links["value"], links["other_value"]),
            "component_id": _texts(graph, solution.component),
            "profile_id": _texts(graph, solution.anchor),
            "reason": np.array(REASONS, object)[solution.reason],
            "first_seen": _times(solution.first_seen),
            "last_seen": _times(solution.last_seen),
            "times": solution.times,
            "severed_from": severed_from(graph, solution, np.arange(graph.size)).to_pylist(),
        }
    )
    return identities, _with_severed(links, solution.fate, rules)


def solve_graph(graph: Graph, rules: ResolutionRules, settled: Mask | None = None) -> Solution:
    """The rule, over numbers alone. ``settled`` is true for each link that leads out of the part that is asked for."""
    hubs, fate = _judge_links(graph, rules, settled)
    decided = graph.vertices(rules.decided_links)
    component = _components(graph, fate, decided)
    cluster = _cut_over_limits(graph, component, fate, decided, rules)
    first_seen, anchor = _anchors(graph, cluster)
    last_seen = np.full(graph.size, NO_TIME, np.int64)
    for ends in (graph.left, graph.right):
        np.maximum.at(last_seen, ends, graph.last_seen)
    times = np.zeros(graph.size, np.int64)
    # A row shows its primary identifier by itself, once, and each other one at the far end of one link, once.
    np.add.at(times, graph.right, graph.times)
    first_seen = np.where(first_seen == _LAST, NO_TIME, first_seen)
    reason = _reasons(graph, anchor, hubs)
    return Solution(fate, component, anchor, reason, first_seen, last_seen, times, *_cut_off(graph, fate))


def severed_from(graph: Graph, solution: Solution, vertices: Codes) -> pa.ListArray:
    """For each of the vertices, the ids of the identifiers whose links to it are not followed."""
    start, end = solution.cut_off_at[vertices], solution.cut_off_at[vertices + 1]
    offsets = np.concatenate([[0], np.cumsum(end - start)])
    places = np.repeat(start - offsets[:-1], end - start) + np.arange(offsets[-1])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), unpack(graph.ids.take(solution.cut_off[places])))


def _judge_links(graph: Graph, rules: ResolutionRules, settled: Mask | None) -> tuple[Mask, Codes]:
    """Which vertices are hubs, and which links are not followed whatever they would join.

    The first reason that holds counts, in the order unlinked, expired, hub: then a link's reason changes only where the
    link itself changes or the number of others at an end that is a hub before or after.
    """
    expired = graph.between & _expired(graph, rules)
    hubs = _hubs(graph, graph.between & ~expired, rules)
    fate = np.full(len(graph.left), FOLLOWED, np.int64)
    fate[graph.between & (hubs[graph.left] | hubs[graph.right])] = HUB
    fate[expired] = EXPIRED
    fate[graph.links_among(graph.vertices(rules.decided_links))] = FOLLOWED
    fate[graph.links_among(graph.vertices(rules.decided_unlinks))] = UNLINKED
    if settled is not None:
        fate[settled] = SETTLED
    return hubs, fate


def _expired(graph: Graph, rules: ResolutionRules) -> Mask:
    expiries = [rules.expiry(name) for name in rules.config.namespace_names]
    bounds = np.array([NO_TIME if moment is None else pd.Timestamp(moment).value // 1000 for moment in expiries])
    bound = np.maximum(bounds[graph.ranks[graph.left]], bounds[graph.ranks[graph.right]])
    return (graph.last_seen != NO_TIME) & (graph.last_seen < bound)


def _hubs(graph: Graph, counts: Mask, rules: ResolutionRules) -> Mask:
    """True for each vertex with more distinct others, over the links that count, than its namespace allows."""
    limit = np.array([namespace.max_linked for namespace in rules.config.namespaces])[graph.ranks]
    left, right = graph.left[counts], graph.right[counts]
    degree = np.bincount(left, minlength=graph.size) + np.bincount(right, minlength=graph.size)
    suspect = degree > limit  # a link that came in both directions counts twice: look closer at these few
    if not suspect.any():
        return suspect
    one, other = np.concatenate([left, right]), np.concatenate([right, left])
    near = suspect[one]
    distinct = np.unique(np.stack([one[near], other[near]]), axis=1)
    return np.bincount(distinct[0], minlength=graph.size) > limit


def _components(graph: Graph, fate: Codes, decided: Codes) -> Codes:
    """The component of every vertex, as the smallest vertex in it."""
    followed = graph.between & (fate == FOLLOWED)
    left = np.concatenate([graph.left[followed], decided[:, 0]])
    right = np.concatenate([graph.right[followed], decided[:, 1]])
    edges = coo_matrix((np.ones(len(left), np.int8), (left, right)), shape=(graph.size, graph.size))
    count, label = connected_components(edges, directed=False)
    return _smallest(np.arange(graph.size), label, count)[label]


def _cut_over_limits(graph: Graph, component: Codes, fate: Codes, decided: Codes, rules: ResolutionRules) -> Codes:
    """The cluster of every vertex, as some vertex in it. Notes in ``fate`` which links a limit severs."""
    limits = Limits(
        tuple(namespace.max_per_profile for namespace in rules.config.namespaces),
        rules.config.max_identifiers_per_profile,
    )
    forbidden = graph.vertices(rules.decided_unlinks)
    is_over = _over_a_limit(graph, component, limits, forbidden)[component]
    members = np.flatnonzero(is_over)
    place = np.full(graph.size, -1, np.int64)
    place[members] = np.arange(len(members))
    clusters = Clusters(graph.ranks[members].tolist(), limits, _within(place, forbidden))
    for one, other in _within(place, decided):
        clusters.follow(one, other, decided=True)
    taken = np.flatnonzero(graph.between & (fate == FOLLOWED) & is_over[graph.left])
    left, right = graph.left[taken], graph.right[taken]
    taken = taken[order_of_trust(left, right, graph.ranks, graph.last_seen[taken])]
    ends = zip(place[graph.left[taken]].tolist(), place[graph.right[taken]].tolist(), strict=True)
    fate[taken] = [clusters.follow(one, other) for one, other in ends]
    cluster = component.copy()
    cluster[members] = members[[clusters.root(vertex) for vertex in range(len(members))]]
    return cluster


def _over_a_limit(graph: Graph, component: Codes, limits: Limits, forbidden: Codes) -> Mask:
    """True for each component (by its smallest vertex) that holds more than a profile may, or a forbidden pair."""
    over = np.bincount(component, minlength=graph.size) > limits.total
    for rank, limit in enumerate(limits.per_namespace):
        if limit is not None:
            over |= np.bincount(component[graph.ranks == rank], minlength=graph.size) > limit
    one, other = component[forbidden[:, 0]], component[forbidden[:, 1]]
    over[one[one == other]] = True
    return over


def _within(place: Codes, pairs: Codes) -> list[list[int]]:
    """The pairs of which both vertices have a place, as pairs of places."""
    placed = place[pairs]
    return placed[(placed >= 0).all(axis=1)].tolist()


def _anchors(graph: Graph, cluster: Codes) -> tuple[Codes, Codes]:
    """When each vertex was first seen, and the anchor of its profile."""
    first_seen = np.full(graph.size, _LAST, np.int64)
    seen = np.where(graph.first_seen == NO_TIME, _LAST, graph.first_seen)
    for ends in (graph.left, graph.right):
        np.minimum.at(first_seen, ends, seen)
    anchor = np.full(graph.size, _LAST, np.int64)
    best = np.ones(graph.size, bool)
    for key in (graph.ranks, first_seen, np.arange(graph.size)):  # each narrows down what the one before left equal
        anchor = _smallest(key[best], cluster[best], graph.size)
        best &= key == anchor[cluster]
    return first_seen, anchor[cluster]


def _cut_off(graph: Graph, fate: Codes) -> tuple[Codes, Codes]:
    """``cut_off`` and ``cut_off_at`` of a solution: vertices are numbered in the order of their ids."""
    severed = np.flatnonzero(fate != FOLLOWED)
    severed = severed[np.lexsort((graph.left[severed], graph.right[severed]))]
    at = graph.right[severed]
    severed = severed[np.arange(len(at)) - np.searchsorted(at, at) < SEVERED_KEPT]
    return graph.left[severed], np.searchsorted(graph.right[severed], np.arange(graph.size + 1))


def _smallest(values: Codes, group: Codes, groups: int) -> Codes:
    """The smallest value of each group."""
    smallest = np.full(groups, _LAST, np.int64)
    np.minimum.at(smallest, group, values)
    return smallest


def _reasons(graph: Graph, anchor: Codes, hubs: Mask) -> NDArray[np.int8]:
    """Why each vertex is where it is, as its place in ``REASONS``."""
    in_company = np.bincount(anchor, minlength=graph.size)[anchor] > 1
    has_links = np.zeros(graph.size, bool)
    has_links[graph.left[graph.between]] = has_links[graph.right[graph.between]] = True
    is_anchor = anchor == np.arange(graph.size)
    cases = [hubs, in_company & is_anchor, in_company, has_links]
    return np.select(cases, np.arange(len(cases), dtype=np.int8)[:, None], np.int8(len(cases)))


def _texts(graph: Graph, vertices: Codes) -> pd.Series:
    return unpack(graph.ids.take(vertices)).to_pandas()


def _shown(graph: Graph, of_left: pd.Series, of_right: pd.Series) -> pd.Series:
    """What the links say about each vertex; every link says the same."""
    return pd.concat([of_left, of_right], ignore_index=True).take(graph.shown_by).reset_index(drop=True)


def _times(microseconds: Codes) -> pd.Series:
    return pd.Series(microseconds.view("datetime64[us]")).dt.tz_localize("UTC")


def _with_severed(links: pd.DataFrame, fate: Codes, rules: ResolutionRules) -> pd.DataFrame:
    severed = pd.Series(np.array(rules.reasons, object)[fate], index=links.index, dtype=object)
    if "settled" not in links.columns:
        return links.assign(severed=severed)
    return links.drop(columns="settled").assign(severed=severed.where(fate != SETTLED, links["settled"].astype(object)))


def _no_identities() -> pd.DataFrame:
    times = _times(np.empty(0, np.int64))
    return pd.DataFrame({name: times if name.endswith("_seen") else pd.Series(dtype=object) for name in IDENTITY_COLUMNS})
