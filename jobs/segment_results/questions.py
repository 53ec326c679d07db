"""What is asked of the segments' history, as SQL that Spark and delta-rs both read; ``{alias}`` stands for a table.

A row of ``gold.segment_assignments`` holds from ``valid_from`` up to, and not including, ``valid_to``. What a profile was
called then need not be what it is called later: where its id merged into another or got a stronger anchor,
``silver.identity_changes`` says whose it is, and the customer is followed there. So nobody leaves by being recognised, and
nobody is new by getting another name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

STAYED, MOVED, NEW, GONE, MERGED = "stayed", "moved", "new", "gone", "merged"
"""What became of a customer between two dates: ``gone`` has no purchases any more, ``merged`` is part of another one."""

CUSTOMER, MODEL, BOTH = "the customer", "the model", "both"
"""What moved a customer: other numbers, another model, or first the one and then the other."""

_IN_ORDER = "order by coalesce(from_segment, ''), coalesce(to_segment, ''), fate"  # engines put nulls at either end

HISTORY = "select min(valid_from) as first_at, max(valid_from) as last_at from {assignments}"

FIRST_ACTIVITY = "select min(activity_on) as first_on from {activity} where purchases > 0"


def _moment(at: datetime) -> str:
    return f"timestamp '{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S.%f}'"


def _day(at: datetime) -> str:
    return f"date '{at.astimezone(timezone.utc):%Y-%m-%d}'"


def _days_between(first: str, last: str) -> str:
    """Whole days from one date to the other: a number for delta-rs, an interval of days for Spark; both can be cast."""
    return f"cast({last} - {first} as bigint)"


def _holds(at: datetime, row: str = "") -> str:
    return f"{row}valid_from <= {_moment(at)} and ({row}valid_to is null or {row}valid_to > {_moment(at)})"


def _fates(before: datetime, after: datetime) -> str:
    """CTEs that end in ``fates``: one row per customer of either date, with profile_id, both segments, fate and why."""
    return f"""
    with former as (select profile_id, segment from {{assignments}} where {_holds(before)}),
    latter as (select profile_id, segment from {{assignments}} where {_holds(after)}),
    brought as (
      select identifier_id, to_profile_id,
             row_number() over (partition by identifier_id order by changed_at desc, to_profile_id) as place
      from {{changes}} where changed_at <= {_moment(after)}),
    followed as (
      select former.profile_id, former.segment,
             coalesce(brought.to_profile_id, former.profile_id) as heir
      from former left join brought on brought.identifier_id = former.profile_id and brought.place = 1),
    ranked as (
      select profile_id, segment, heir,
             row_number() over (
               partition by heir order by case when profile_id = heir then 0 else 1 end, profile_id) as place
      from followed),
    steps as (
      select profile_id,
             max(case when reason = 'customer moved' then 1 else 0 end) as by_customer,
             max(case when reason = 'model changed' then 1 else 0 end) as by_model
      from {{assignments}}
      where valid_from > {_moment(before)} and valid_from <= {_moment(after)} and previous_segment <> segment
      group by profile_id),
    pairs as (
      select coalesce(latter.profile_id, ranked.profile_id) as profile_id, ranked.segment as from_segment,
             latter.segment as to_segment, ranked.place,
             case when ranked.profile_id <> latter.profile_id then ranked.profile_id end as former_id
      from ranked full join latter on latter.profile_id = ranked.heir and ranked.place = 1),
    fates as (
      select pairs.profile_id, former_id, from_segment, to_segment,
             case when from_segment is null then '{NEW}'
                  when place > 1 then '{MERGED}'
                  when to_segment is null then '{GONE}'
                  when from_segment = to_segment then '{STAYED}'
                  else '{MOVED}' end as fate,
             case when from_segment is null or to_segment is null or from_segment = to_segment then null
                  when by_customer = 1 and by_model = 1 then '{BOTH}'
                  when by_model = 1 then '{MODEL}'
                  else '{CUSTOMER}' end as why
      from pairs left join steps on steps.profile_id = pairs.profile_id)"""


def movements(before: datetime, after: datetime) -> str:
    """How many customers went from which segment to which, by fate and why; a segment is null where there is none.

    With the medians of what they did: days since the last purchase on both dates, and purchase days between them.
    """
    return f"""{_fates(before, after)},
    {_holders(after)},
    habits as (
      select holders.profile_id, max(activity.activity_on) as last_on,
             max(case when activity.activity_on <= {_day(before)} then activity.activity_on end) as last_on_before,
             count(distinct case when activity.activity_on > {_day(before)} then activity.activity_on end) as purchase_days
      from {{activity}} activity join holders on holders.identifier_id = activity.identifier_id
      where activity.purchases > 0 and activity.activity_on <= {_day(after)}
      group by holders.profile_id)
    select from_segment, to_segment, fate, why, count(*) as customers,
           median({_days_between("last_on_before", _day(before))}) as days_since_before,
           median({_days_between("last_on", _day(after))}) as days_since,
           median(coalesce(purchase_days, 0)) as purchase_days
    from fates left join habits on habits.profile_id = fates.profile_id
    group by from_segment, to_segment, fate, why {_IN_ORDER}, coalesce(why, '')"""


def who(before: datetime, after: datetime) -> str:
    """The profiles that did not stay: both segments, fate and why, and the former id of who had another one."""
    listed = "select profile_id, former_id, from_segment, to_segment, fate, why from fates"
    return f"{_fates(before, after)} {listed} where fate <> '{STAYED}' {_IN_ORDER}, profile_id"


def revenue(at: datetime, days: int) -> str:
    """Money of the ``days`` up to the date, by the segment that a customer was in on it; identifiers are whose they were."""
    return f"""
    with {_holders(at)},
    bought as (
      select holders.profile_id, sum(activity.revenue) as revenue
      from {{activity}} activity join holders on holders.identifier_id = activity.identifier_id
      where activity.purchases > 0 and activity.activity_on <= {_day(at)}
        and activity.activity_on > {_day(at - timedelta(days=days))}
      group by holders.profile_id)
    select assigned.segment, count(*) as buyers, sum(bought.revenue) as revenue
    from bought join {{assignments}} assigned on assigned.profile_id = bought.profile_id
    where {_holds(at, "assigned.")}
    group by assigned.segment"""


def _holders(at: datetime) -> str:
    """CTEs that end in ``holders``: every identifier, and the profile that it belonged to at a moment.

    That is where the last change before it brought the identifier, else from where the first one after it took it, else
    where it is today.
    """
    return f"""earlier as (
      select identifier_id, to_profile_id as profile_id,
             row_number() over (partition by identifier_id order by changed_at desc, to_profile_id) as place
      from {{changes}} where changed_at <= {_moment(at)}),
    later as (
      select identifier_id, from_profile_id as profile_id,
             row_number() over (partition by identifier_id order by changed_at, from_profile_id) as place
      from {{changes}} where changed_at > {_moment(at)}),
    holders as (
      select held.identifier_id, coalesce(earlier.profile_id, later.profile_id, held.profile_id) as profile_id
      from {{identities}} held
      left join earlier on earlier.identifier_id = held.identifier_id and earlier.place = 1
      left join later on later.identifier_id = held.identifier_id and later.place = 1)"""


def sizes(moments: Sequence[datetime]) -> str:
    """How many customers each segment had at each of the moments (``number`` is the moment's place among them)."""
    asked = " union all ".join(f"select {number} as number, {_moment(at)} as moment" for number, at in enumerate(moments))
    return f"""
    with asked as ({asked})
    select asked.number, assigned.segment, count(*) as customers
    from asked join {{assignments}} assigned
      on assigned.valid_from <= asked.moment and (assigned.valid_to is null or assigned.valid_to > asked.moment)
    group by asked.number, assigned.segment"""
