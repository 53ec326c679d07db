"""Silver contracts: the standard schema, quarantine, the identity graph, activity and attributes."""

from __future__ import annotations

from pyspark.sql import types as T

from conf.profile import Attribute, ProfileConfig
from conf.tables.contract import LOOKED_UP, Column, Table

STRING, LONG, TIME, DAY = T.StringType(), T.LongType(), T.TimestampType(), T.DateType()
MONEY, QUANTITY = T.DecimalType(18, 2), T.DecimalType(18, 3)

IDENTIFIER = T.StructType(
    [
        T.StructField("namespace", STRING),
        T.StructField("value", STRING),
        T.StructField("identifier_id", STRING),
        T.StructField("blocked", STRING),
    ]
)
IDENTIFIERS = T.ArrayType(IDENTIFIER)
ATTRIBUTES = T.MapType(STRING, STRING)
EVIDENCE = T.ArrayType(T.StructType([T.StructField("attribute", STRING), T.StructField("weight", T.DoubleType())]))

SEVERED_KEPT = 20
"""Of how many links that are not followed an identifier tells where they come from: a hub has thousands."""

_ORIGIN = (
    Column("source", STRING, "Source that delivered it", "none", False),
    Column("row_hash", STRING, "Bronze row it was made from (with row_ordinal)", "indirect", False),
    Column("row_ordinal", T.IntegerType(), "Bronze row it was made from (with row_hash)", "none", False),
)
_IDENTITY = (
    Column("identifiers", IDENTIFIERS, "Identifiers it carries, strongest first; blocked ones with their reason", "direct"),
    Column(
        "primary_identifier_id",
        STRING,
        "Strongest identifier it carries: whom it is about; null for nobody",
        "indirect",
    ),
)

EVENTS = Table(
    name="silver.events",
    comment="One row per event: something somebody did at a time, in the standard schema",
    columns=(
        Column("event_id", STRING, "Id of the event within its source", "indirect", False),
        *_ORIGIN,
        Column("event_type", STRING, "purchase, return, product_view, add_to_cart, app_open, call, …", "none", False),
        Column("occurred_at", TIME, "When it happened (UTC)", "indirect", False),
        Column("occurred_on", DAY, "Day of occurred_at (UTC)", "indirect", False),
        Column("order_id", STRING, "Order or basket that the line belongs to", "indirect"),
        Column("product_id", STRING, "Product", "none"),
        Column("category", STRING, "Product category", "none"),
        Column("brand", STRING, "Brand", "none"),
        Column("store", STRING, "Store", "none"),
        Column("channel", STRING, "till, web, app, phone, …", "none"),
        Column("quantity", QUANTITY, "Units; negative where goods came back", "none"),
        Column("revenue", MONEY, "Money the line brought, in the declared currency; negative for returns", "none"),
        Column("currency", STRING, "Currency in which it was paid; null for the declared one", "none"),
        Column("version", LONG, "Declared version: of one event_id the highest wins", "none"),
        Column("attributes", ATTRIBUTES, "Mapped values beyond the standard schema", "direct"),
        *_IDENTITY,
    ),
    keys=("source", "event_id"),
    cluster_by=("primary_identifier_id", "occurred_on"),
    file_mib=LOOKED_UP,
)

RECORDS = Table(
    name="silver.records",
    comment="One row per record: attributes of somebody as a profile source told them at a time",
    columns=(
        Column("record_id", STRING, "Id of the record within its source", "indirect", False),
        *_ORIGIN,
        Column("observed_at", TIME, "When the source says that it was so (UTC)", "indirect", False),
        Column("version", LONG, "Declared version: of one record_id the highest wins", "none"),
        Column("attributes", ATTRIBUTES, "Attributes as text, by name; absent where not given", "direct"),
        *_IDENTITY,
    ),
    keys=("source", "record_id"),
    cluster_by=("primary_identifier_id",),
    deletion_vectors=True,
)

QUARANTINE = Table(
    name="silver.quarantine",
    comment="One row per rejected row, whole, with every reason; it leaves when a mended mapping accepts it",
    columns=(
        Column("source", STRING, "Source that delivered it", "none", False),
        Column("row_hash", STRING, "Bronze row (with row_ordinal)", "indirect", False),
        Column("row_ordinal", T.IntegerType(), "Bronze row (with row_hash)", "none", False),
        Column("source_file", STRING, "File that delivered it first", "none"),
        Column("raw_row", STRING, "The raw row as JSON", "direct"),
        Column("reasons", T.ArrayType(STRING), "Names of all checks it failed", "none"),
    ),
    keys=("source", "row_hash", "row_ordinal"),
)

RECORD_MATCHES = Table(
    name="silver.record_matches",
    comment="One row per match: two identifiers whose records tell of one person by the declared matching, with the score",
    columns=(
        Column("identifier_id", STRING, "Primary identifier of the one's records: the smaller id of the two", "indirect", False),
        Column("other_identifier_id", STRING, "Primary identifier of the other's records", "indirect", False),
        Column("match_id", STRING, "The match as an identifier, which is linked to both (namespace match)", "indirect", False),
        Column("namespace", STRING, "Namespace of identifier_id", "none"),
        Column("value", STRING, "Normalised value of identifier_id", "direct"),
        Column("other_namespace", STRING, "Namespace of other_identifier_id", "none"),
        Column("other_value", STRING, "Normalised value of other_identifier_id", "direct"),
        Column("seen_at", TIME, "Latest record of identifier_id (UTC)", "indirect"),
        Column("other_seen_at", TIME, "Latest record of other_identifier_id (UTC)", "indirect"),
        Column("score", T.DoubleType(), "Probability that both are one person, by the model", "indirect"),
        Column(
            "evidence", EVIDENCE, "Per compared attribute its weight: positive speaks for a match, negative against", "indirect"
        ),
        Column("model", STRING, "Model that gave the score: see ops.match_models", "none"),
    ),
    keys=("identifier_id", "other_identifier_id"),
    cluster_by=("identifier_id",),
)

IDENTITY_LINKS = Table(
    name="silver.identity_links",
    comment="One row per link; a row that links an identifier to itself says when it was seen as the primary one",
    columns=(
        Column("identifier_id", STRING, "Primary identifier of the rows that show the link", "indirect", False),
        Column("other_identifier_id", STRING, "Identifier seen with it", "indirect", False),
        Column("namespace", STRING, "Namespace of identifier_id", "none"),
        Column("value", STRING, "Normalised value of identifier_id", "direct"),
        Column("other_namespace", STRING, "Namespace of other_identifier_id", "none"),
        Column("other_value", STRING, "Normalised value of other_identifier_id", "direct"),
        Column("first_seen", TIME, "First time they were seen together (UTC)", "indirect"),
        Column("last_seen", TIME, "Last time they were seen together (UTC)", "indirect"),
        Column("times", LONG, "How many rows show it", "none"),
        Column("sources", T.ArrayType(STRING), "Sources that show it, sorted", "none"),
        Column(
            "severed",
            STRING,
            "Why it is not followed: limit:…, hub, expired, unlinked; blocked_… or too_long of the other; null where it is",
            "none",
        ),
    ),
    keys=("identifier_id", "other_identifier_id"),
    cluster_by=("identifier_id",),
    file_mib=LOOKED_UP,
)

IDENTITIES = Table(
    name="silver.identities",
    comment="One row per identifier: its component, its profile, and why",
    columns=(
        Column("identifier_id", STRING, "Salted hash of namespace and normalised value", "indirect", False),
        Column("namespace", STRING, "Namespace", "none", False),
        Column("value", STRING, "Normalised value", "direct"),
        Column("component_id", STRING, "Smallest identifier_id of its component", "indirect", False),
        Column("profile_id", STRING, "Profile it belongs to: the identifier_id of the profile's anchor", "indirect", False),
        Column("reason", STRING, "Why it is there: anchor, linked, alone, hub, …", "none"),
        Column("first_seen", TIME, "First time it was seen (UTC)", "indirect"),
        Column("last_seen", TIME, "Last time it was seen (UTC)", "indirect"),
        Column("times", LONG, "How many rows carry it", "none"),
        Column(
            "severed_from",
            T.ArrayType(STRING),
            f"Identifiers whose link to it is not followed, sorted; the first {SEVERED_KEPT}",
            "indirect",
        ),
    ),
    keys=("identifier_id",),
    cluster_by=("identifier_id", "profile_id"),  # asked for by either
    file_mib=LOOKED_UP,
)

IDENTITY_RULES = Table(
    name="silver.identity_rules",
    comment="One row per decision of a person about two identifiers; of one pair the last decision holds",
    columns=(
        Column("identifier_id", STRING, "The smaller id of the two", "indirect", False),
        Column("other_identifier_id", STRING, "The larger id of the two", "indirect", False),
        Column("namespace", STRING, "Namespace of identifier_id", "none", False),
        Column("other_namespace", STRING, "Namespace of other_identifier_id", "none", False),
        Column("decision", STRING, "link, unlink, or revoke: what was decided before no longer holds", "none", False),
        Column("why", STRING, "The reason as the person gave it", "direct", False),
        Column("decided_by", STRING, "Who decided", "direct", False),
        Column("decided_at", TIME, "When (UTC)", "none", False),
        Column("value", STRING, "Value of identifier_id as the person wrote it; null in rows from before it was kept", "direct"),
        Column("other_value", STRING, "Value of other_identifier_id as the person wrote it", "direct"),
    ),
    keys=("identifier_id", "other_identifier_id", "decided_at"),
    history=True,
)

IDENTITY_CHANGES = Table(
    name="silver.identity_changes",
    comment="One row per identifier that moved from one profile to another",
    columns=(
        Column("identifier_id", STRING, "Identifier that moved", "indirect", False),
        Column("from_profile_id", STRING, "Profile that it left", "indirect", False),
        Column("to_profile_id", STRING, "Profile that it belongs to since; null where it is gone", "indirect"),
        Column(
            "changed_at",
            TIME,
            "as_of of the run that moved it (UTC); later than of its former moves",
            "none",
            False,
        ),
        Column("reason", STRING, "merged, split, moved, …", "none"),
    ),
    keys=("identifier_id", "from_profile_id", "changed_at"),
    cluster_by=("identifier_id", "from_profile_id"),
    file_mib=LOOKED_UP,
    history=True,
)

ACTIVITY = Table(
    name="silver.activity",
    comment="One row per identifier and day: what it did. An order counts as a purchase where its total is positive",
    columns=(
        Column("identifier_id", STRING, "Primary identifier of the events", "indirect", False),
        Column("activity_on", DAY, "Day (UTC)", "indirect", False),
        Column("events", LONG, "Events of any type", "none"),
        Column("purchases", LONG, "Orders with a positive total", "none"),
        Column("units", QUANTITY, "Units bought", "none"),
        Column("revenue", MONEY, "Money of purchase events", "none"),
        Column("returns", LONG, "Return events", "none"),
        Column("returned", MONEY, "Money of return events (negative)", "none"),
        Column("product_views", LONG, "product_view events", "none"),
        Column("add_to_carts", LONG, "add_to_cart events", "none"),
        Column("app_opens", LONG, "app_open events", "none"),
        Column("calls", LONG, "call events", "none"),
        Column("first_at", TIME, "First event of the day (UTC)", "indirect"),
        Column("last_at", TIME, "Last event of the day (UTC)", "indirect"),
        Column("first_purchase_at", TIME, "First line of an order with a positive total (UTC)", "indirect"),
        Column("last_purchase_at", TIME, "Last line of an order with a positive total (UTC)", "indirect"),
    ),
    keys=("identifier_id", "activity_on"),
    cluster_by=("identifier_id", "activity_on"),
    deletion_vectors=True,
)

_SPARK_TYPES: dict[str, T.DataType] = {
    "string": STRING,
    "int": T.IntegerType(),
    "bigint": LONG,
    "double": T.DoubleType(),
    "boolean": T.BooleanType(),
    "date": DAY,
    "timestamp": TIME,
    "decimal(18,2)": MONEY,
}


def attribute_columns(profile: ProfileConfig) -> tuple[Column, ...]:
    """The declared attributes as typed columns, in the declared order."""
    return tuple(
        Column(a.name, _attribute_type(a), a.comment or f"{a.name} by the policy {a.policy}", a.personal)
        for a in profile.attributes
    )


def _attribute_type(attribute: Attribute) -> T.DataType:
    kind = _SPARK_TYPES[attribute.type]
    return T.ArrayType(kind) if attribute.policy == "union" else kind


def profile_attributes_table(profile: ProfileConfig) -> Table:
    """``silver.profile_attributes``: the declared attributes, and for each where its value came from."""
    provenance = T.ArrayType(
        T.StructType([T.StructField("attribute", STRING), T.StructField("source", STRING), T.StructField("observed_at", TIME)])
    )
    return Table(
        name="silver.profile_attributes",
        comment="One row per profile that a record tells something of: attributes by merge policy, with provenance",
        columns=(
            Column("profile_id", STRING, "Profile", "indirect", False),
            *attribute_columns(profile),
            Column("provenance", provenance, "Per attribute with a value: the source and when it was observed", "indirect"),
        ),
        keys=("profile_id",),
        cluster_by=("profile_id",),
        file_mib=LOOKED_UP,
    )
