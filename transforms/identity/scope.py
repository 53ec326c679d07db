"""What has to be solved again after a change, so that solving it alone gives what solving everything would.

The argument. Let G be the graph of followed links before and after a change: links of which neither end is a hub, not
expired and not unlinked, and links that people decided. What the solver says about an identifier depends on its
component in G, and on its own links. Take

- the *changed* identifiers: ends of links that came, went or changed, of links that crossed their expiry
  (:func:`expired_between`), and of people's decisions that came or went;
- with each, the other ends of decided links: a decision about somebody never seen starts to hold when they appear;
- with each that was a hub and is none any more, all its neighbours: their links to it are followed again;

and the whole former component of every one of these. Call that set the scope. Suppose a link of the new G has one end
in the scope. If it was in the former G, the other end was in the same former component, so in the scope. If not, either
the link is new or changed, and both ends are changed; or a decision on it began or ended to hold, and both ends are
taken; or one end was a hub before and is none now: only a change of its own links does that, so it is changed, and its
neighbours are taken. So the scope is a union of whole components before and after: outside it no component, and no
answer, moved.

A link that leads out of the scope is followed neither before nor after, and keeps its reason: of unlinked, expired and
hub the first that holds counts; the first two are unchanged, and an end in the scope that stopped being a hub would
have taken the other end along. So its former reason is right, and nothing need be known of what lies beyond
(:func:`links_in_scope`); it still counts for the hub and the times of the end in the scope.

Changed configuration changes everything: then all links are solved.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.identity import IdentityConfig
from transforms.identity.rules import ResolutionRules


def _as_they_are(_name: str, rows: DataFrame) -> DataFrame:
    return rows


def touched_scope(
    changed: DataFrame,
    links: DataFrame,
    identities: DataFrame,
    rules: ResolutionRules,
    once: Callable[[str, DataFrame], DataFrame] = _as_they_are,
) -> DataFrame:
    """The ``identifier_id`` of everything to solve again, each once; the module says why that is enough.

    ``changed``: ``identifier_id`` of the changed identifiers, in any number. ``links``: all links as they are now.
    ``identities``: as they were solved last. ``rules``: as they are now. ``once`` is called with a name and rows that are
    used more than once, and gives the same rows, computed. Without it each use reads all that they come from, and the
    uses multiply: to some sixty reads of the tables.
    """
    named = _with_decided(changed.select("identifier_id"), rules).dropDuplicates()
    were_hubs = identities.where(F.col("reason") == "hub").select("identifier_id")
    suspects = once("former_hubs", were_hubs.join(F.broadcast(named), "identifier_id", "left_semi"))
    seeds = once("seeds", named.unionByName(_freed_neighbours(suspects, links, rules)).dropDuplicates())
    # Broadcast like the keys that they come from: nothing that grows with the lake is shuffled for a day's change.
    components = identities.join(F.broadcast(seeds), "identifier_id", "left_semi").select("component_id").dropDuplicates()
    members = identities.join(F.broadcast(components), "component_id", "left_semi").select("identifier_id")
    return seeds.unionByName(members).dropDuplicates()


def _with_decided(changed: DataFrame, rules: ResolutionRules) -> DataFrame:
    """The changed identifiers, and the other ends of people's links from them."""
    pairs = rules.decided_links
    if not pairs:
        return changed
    both_ways = [*pairs, *((other, one) for one, other in pairs)]
    decided = changed.sparkSession.createDataFrame(both_ways, "identifier_id string, partner string")
    partners = decided.join(changed, "identifier_id", "left_semi").select(F.col("partner").alias("identifier_id"))
    return changed.unionByName(partners)


def _freed_neighbours(suspects: DataFrame, links: DataFrame, rules: ResolutionRules) -> DataFrame:
    """All neighbours of those among the changed identifiers that were hubs, the suspects, and are none any more."""
    at_suspects = _both_ways(links).join(F.broadcast(suspects), "identifier_id", "left_semi")
    alive = at_suspects.where(~is_expired(rules))
    degree = alive.groupBy("identifier_id", "namespace").agg(F.countDistinct("other_identifier_id").alias("degree"))
    still_hubs = degree.where(F.col("degree") > max_linked(rules.config)).select("identifier_id")
    freed = at_suspects.join(still_hubs, "identifier_id", "left_anti")
    return freed.select(F.col("other_identifier_id").alias("identifier_id"))


def _both_ways(links: DataFrame) -> DataFrame:
    """Each link between two identifiers twice, once from each end."""
    between = links.where(F.col("identifier_id") != F.col("other_identifier_id"))
    names = ("identifier_id", "namespace", "other_identifier_id", "other_namespace", "last_seen")
    turned = ("other_identifier_id", "other_namespace", "identifier_id", "namespace", "last_seen")
    return between.select(*names).unionAll(between.select(*turned))


def max_linked(config: IdentityConfig) -> Column:
    """How many others an identifier of ``namespace`` may be linked to."""
    limit = F.lit(None).cast("bigint")
    for namespace in config.namespaces:
        limit = F.when(F.col("namespace") == namespace.name, F.lit(namespace.max_linked)).otherwise(limit)
    return limit


def is_expired(rules: ResolutionRules) -> Column:
    """True for a link that has expired at either end; a link without a time never does."""
    expired = F.lit(False)
    for name in rules.config.namespace_names:
        expiry = rules.expiry(name)
        if expiry is not None:
            is_of_it = (F.col("namespace") == name) | (F.col("other_namespace") == name)
            expired = expired | (is_of_it & (F.col("last_seen") < F.lit(expiry)))
    return F.coalesce(expired, F.lit(False))


def expired_between(links: DataFrame, config: IdentityConfig, before: datetime, as_of: datetime) -> DataFrame:
    """The ``identifier_id`` of both ends of each link that expires, or revives, between two moments."""
    was = is_expired(ResolutionRules(config, as_of=before))
    crossing = links.where(was != is_expired(ResolutionRules(config, as_of=as_of)))
    ends = F.explode(F.array("identifier_id", "other_identifier_id"))
    return crossing.select(ends.alias("identifier_id")).dropDuplicates()


def links_in_scope(links: DataFrame, scope: DataFrame) -> DataFrame:
    """The links that touch the scope, with ``settled``: the reason of one that leads out of it, null inside.

    ``links``: all links as they are now, with ``severed`` as it was solved last (null where they are new).
    """
    inside = scope.select("identifier_id", F.lit(True).alias("here"))
    other = scope.select(F.col("identifier_id").alias("other_identifier_id"), F.lit(True).alias("there"))
    touching = links.join(inside, "identifier_id", "left").join(other, "other_identifier_id", "left")
    is_inside = F.col("here") & F.col("there")
    settled = F.when(F.coalesce(is_inside, F.lit(False)), F.lit(None)).otherwise(F.col("severed"))
    touching = touching.where(F.col("here") | F.col("there")).withColumn("settled", settled)
    return touching.select(*(name for name in links.columns if name != "severed"), "settled")


def within(rows: DataFrame, scope: DataFrame) -> DataFrame:
    """The rows whose ``identifier_id`` is in the scope: of a solution of :func:`links_in_scope`, the finished ones."""
    return rows.join(scope.select("identifier_id"), "identifier_id", "left_semi").select(*rows.columns)
