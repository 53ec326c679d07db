"""The classical cases of linking, as a table: a few events, and who is who after them.

Many are those that vendors of customer data platforms document for their own linking rules (shared devices, dangling
logins, guests, wrong data); the stories are retold here for this suite's namespaces.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from conf.identity import IdentityConfig
from tests.transforms.identity.scenario import config_of, groups, resolve

AS_DECLARED = config_of()


@dataclass(frozen=True)
class Case:
    story: str
    events: str
    profiles: str
    severed: dict[tuple[str, str], str] = field(default_factory=dict)
    config: IdentityConfig = AS_DECLARED
    links: tuple[tuple[str, str], ...] = ()
    unlinks: tuple[tuple[str, str], ...] = ()
    days: tuple[int, ...] | None = None


ONE_EMAIL = config_of({"crm_id": 1, "email": 1})
ONE_PHONE = config_of({"crm_id": 1, "phone": 1})
FIVE_IN_ALL = config_of(max_identifiers_per_profile=5)
SMALL_HUBS = config_of(device_id={"max_linked": 2})

TOM_AND_SUMMER = """
    crm_id: Tom, email: tom@x
    crm_id: Tom, cookie_id: 111
    crm_id: Summer, email: summer@x
    crm_id: Summer, cookie_id: 222
"""
TOM_AND_SUMMER_ON_PHONES = """
    crm_id: Tom, email: tom@x, phone: 123
    crm_id: Tom, cookie_id: 111
    crm_id: Tom, device_id: A-A-A, cookie_id: 222
    crm_id: Summer, email: summer@x, phone: 765
    crm_id: Summer, cookie_id: 333
    crm_id: Summer, device_id: B-B-B, cookie_id: 444
"""
TWO_CARDS_EACH = """
    crm_id: Tom, loyalty_id: A
    crm_id: Tom, loyalty_id: B
    loyalty_id: A, cookie_id: 111
    crm_id: Summer, loyalty_id: C
    crm_id: Summer, loyalty_id: D
    loyalty_id: C, cookie_id: 222
"""

CASES = [
    Case("an identifier seen alone is a profile", "cookie_id: 111", "cookie_id:111"),
    Case("a person and a browser", "crm_id: Tom, cookie_id: 111", "crm_id:Tom cookie_id:111"),
    Case(
        "a chain of three is one person",
        "crm_id: Tom, email: t\nemail: t, cookie_id: 1",
        "crm_id:Tom email:t cookie_id:1",
    ),
    Case(
        "disjoint graphs stay apart",
        "crm_id: Tom, email: t\ncrm_id: Summer, email: s",
        "crm_id:Tom email:t | crm_id:Summer email:s",
    ),
    Case("a link to itself changes nothing", "email: t, email: t\nemail: t", "email:t"),
    Case(
        "the same batch twice is the same answer",
        "crm_id: Tom, email: t\ncrm_id: Tom, email: t",
        "crm_id:Tom email:t",
    ),
    Case(
        "the others of an event reach each other through its primary identifier",
        "crm_id: Tom, email: t, device_id: d, cookie_id: c",
        "crm_id:Tom email:t device_id:d cookie_id:c",
    ),
    Case(
        "several browsers of one person",
        "crm_id: Tom, cookie_id: chrome\ncrm_id: Tom, cookie_id: firefox",
        "crm_id:Tom cookie_id:chrome cookie_id:firefox",
    ),
    Case(
        "anonymous visits belong to whoever logs in later",
        "cookie_id: 1\ncookie_id: 1\ncrm_id: Tom, cookie_id: 1",
        "crm_id:Tom cookie_id:1",
    ),
    Case(
        "A logs out and B logs in: the browser is B's",
        "crm_id: Tom, cookie_id: 111\ncrm_id: Summer, cookie_id: 111",
        "crm_id:Tom | crm_id:Summer cookie_id:111",
        {("crm_id:Tom", "cookie_id:111"): "limit:crm_id"},
    ),
    Case(
        "the browser moves back when the first person logs in again",
        "crm_id: Tom, cookie_id: 111\ncrm_id: Summer, cookie_id: 111\ncookie_id: 111\ncrm_id: Tom, cookie_id: 111",
        "crm_id:Tom cookie_id:111 | crm_id:Summer",
        {("crm_id:Summer", "cookie_id:111"): "limit:crm_id"},
    ),
    Case(
        "a family's tablet never makes one person of two",
        TOM_AND_SUMMER + "crm_id: Summer, cookie_id: 111",
        "crm_id:Tom email:tom@x | crm_id:Summer email:summer@x cookie_id:222 cookie_id:111",
        {("crm_id:Tom", "cookie_id:111"): "limit:crm_id"},
    ),
    Case(
        "an e-mail that two people gave belongs to the later one",
        TOM_AND_SUMMER + "crm_id: Summer, email: tom@x",
        "crm_id:Tom cookie_id:111 | crm_id:Summer email:summer@x email:tom@x cookie_id:222",
        {("crm_id:Tom", "email:tom@x"): "limit:crm_id"},
    ),
    Case(
        "a changed e-mail is another one of the same person",
        "crm_id: Tom, email: old\ncrm_id: Tom, email: new",
        "crm_id:Tom email:old email:new",
    ),
    Case(
        "a recycled phone number goes to its new owner",
        "crm_id: Tom, phone: 1\ncrm_id: Tom, email: t\ncrm_id: Summer, phone: 1",
        "crm_id:Tom email:t | crm_id:Summer phone:1",
        {("crm_id:Tom", "phone:1"): "limit:crm_id"},
    ),
    Case(
        "a shared computer, among many identifiers",
        TOM_AND_SUMMER_ON_PHONES + "crm_id: Summer, cookie_id: 111",
        "crm_id:Tom email:tom@x phone:123 cookie_id:222 device_id:A-A-A | crm_id:Summer email:summer@x phone:765 "
        "cookie_id:333 cookie_id:444 device_id:B-B-B cookie_id:111",
        {("crm_id:Tom", "cookie_id:111"): "limit:crm_id"},
    ),
    Case(
        "a shared phone moves with its browser",
        TOM_AND_SUMMER_ON_PHONES + "crm_id: Tom, device_id: B-B-B, cookie_id: 444",
        "crm_id:Tom email:tom@x phone:123 cookie_id:111 cookie_id:222 device_id:A-A-A cookie_id:444 device_id:B-B-B | "
        "crm_id:Summer email:summer@x phone:765 cookie_id:333",
        {("crm_id:Summer", "cookie_id:444"): "limit:crm_id", ("crm_id:Summer", "device_id:B-B-B"): "limit:crm_id"},
    ),
    Case(
        "a shared phone with a new browser: the old browser stays",
        TOM_AND_SUMMER_ON_PHONES + "crm_id: Summer, device_id: A-A-A, cookie_id: 555",
        "crm_id:Tom email:tom@x phone:123 cookie_id:111 cookie_id:222 | crm_id:Summer email:summer@x phone:765 "
        "cookie_id:333 cookie_id:444 device_id:B-B-B device_id:A-A-A cookie_id:555",
        {("crm_id:Tom", "device_id:A-A-A"): "limit:crm_id"},
    ),
    Case(
        "a second phone number takes the place of the first where there may be one",
        "crm_id: Tom, phone: 123\ncrm_id: Summer, phone: 765\ncrm_id: Summer, phone: 123",
        "crm_id:Tom | crm_id:Summer phone:123 | phone:765",
        {("crm_id:Tom", "phone:123"): "limit:crm_id", ("crm_id:Summer", "phone:765"): "limit:phone"},
        ONE_PHONE,
    ),
    Case(
        "a shared browser is the last card holder's",
        TWO_CARDS_EACH + "loyalty_id: C, cookie_id: 111",
        "crm_id:Tom loyalty_id:A loyalty_id:B | crm_id:Summer loyalty_id:C loyalty_id:D cookie_id:222 cookie_id:111",
        {("loyalty_id:A", "cookie_id:111"): "limit:crm_id"},
    ),
    Case(
        "the last visit counts, also after both logged in",
        TWO_CARDS_EACH + "crm_id: Summer, loyalty_id: C, cookie_id: 111\nloyalty_id: A, cookie_id: 111",
        "crm_id:Tom loyalty_id:A loyalty_id:B cookie_id:111 | crm_id:Summer loyalty_id:C loyalty_id:D cookie_id:222",
        {("crm_id:Summer", "cookie_id:111"): "limit:crm_id"},
    ),
    Case(
        "a card that the CRM gave to another person goes to the later one",
        TWO_CARDS_EACH + "crm_id: Tom, loyalty_id: C",
        "crm_id:Tom loyalty_id:A loyalty_id:B cookie_id:111 loyalty_id:C cookie_id:222 | crm_id:Summer loyalty_id:D",
        {("crm_id:Summer", "loyalty_id:C"): "limit:crm_id"},
    ),
    Case(
        "a dangling card: nothing says that it is another person's",
        "crm_id: Tom, loyalty_id: A\nloyalty_id: A, cookie_id: 111\nloyalty_id: C, cookie_id: 111",
        "crm_id:Tom loyalty_id:A cookie_id:111 loyalty_id:C",
    ),
    Case(
        "two registered people with one e-mail each share a browser",
        "crm_id: Tom, email: t\ncrm_id: Summer, email: s\ncrm_id: Tom, cookie_id: 1\ncrm_id: Summer, cookie_id: 1",
        "crm_id:Tom email:t | crm_id:Summer email:s cookie_id:1",
        {("crm_id:Tom", "cookie_id:1"): "limit:crm_id"},
        ONE_EMAIL,
    ),
    Case(
        "a registered person and a guest share a browser",
        "crm_id: Tom, email: t\ncrm_id: Tom, cookie_id: 1\nemail: s, cookie_id: 1",
        "crm_id:Tom email:t | email:s cookie_id:1",
        {("crm_id:Tom", "cookie_id:1"): "limit:email"},
        ONE_EMAIL,
    ),
    Case(
        "a registered person without an e-mail takes the guest for himself",
        "crm_id: Tom, cookie_id: 1\nemail: s, cookie_id: 1",
        "crm_id:Tom cookie_id:1 email:s",
        config=ONE_EMAIL,
    ),
    Case(
        "two guests share a browser",
        "email: t, cookie_id: 1\nemail: s, cookie_id: 1",
        "email:t | email:s cookie_id:1",
        {("email:t", "cookie_id:1"): "limit:email"},
        ONE_EMAIL,
    ),
    Case(
        "a guest who registers later is one person",
        "email: t, cookie_id: 1\nemail: t, crm_id: Tom\ncrm_id: Tom, cookie_id: 1",
        "crm_id:Tom email:t cookie_id:1",
        config=ONE_EMAIL,
    ),
    Case(
        "two known profiles merge when an event shows both",
        "email: t, cookie_id: 1\nphone: 5, device_id: 2\nemail: t, phone: 5",
        "email:t cookie_id:1 phone:5 device_id:2",
    ),
    Case(
        "a bad value that two people gave belongs to the later one",
        "crm_id: Jane, cookie_id: safari\ncrm_id: John, cookie_id: chrome\ncrm_id: Jane, email: bad\ncrm_id: John, email: bad",
        "crm_id:Jane cookie_id:safari | crm_id:John cookie_id:chrome email:bad",
        {("crm_id:Jane", "email:bad"): "limit:crm_id"},
    ),
    Case(
        "an old link of strong namespaces is trusted before a new one of weak namespaces",
        "crm_id: Tom, email: t\ncrm_id: Summer, cookie_id: 1\nemail: t, cookie_id: 1",
        "crm_id:Tom email:t cookie_id:1 | crm_id:Summer",
        {("crm_id:Summer", "cookie_id:1"): "limit:crm_id"},
    ),
    Case(
        "one identifier too many: the oldest of the weakest goes",
        "\n".join(f"crm_id: Tom, cookie_id: {number}" for number in range(5)),
        "crm_id:Tom cookie_id:1 cookie_id:2 cookie_id:3 cookie_id:4 | cookie_id:0",
        {("crm_id:Tom", "cookie_id:0"): "limit:total"},
        FIVE_IN_ALL,
    ),
    Case(
        "the 51st identifier of a profile that may hold fifty is the oldest browser, and stays by itself",
        "\n".join(f"crm_id: Tom, cookie_id: {number}" for number in range(50)),
        f"crm_id:Tom {' '.join(f'cookie_id:{number}' for number in range(1, 50))} | cookie_id:0",
        {("crm_id:Tom", "cookie_id:0"): "limit:total"},
    ),
    Case(
        "a late old record changes nothing that is newer",
        "crm_id: Tom, cookie_id: 111\ncrm_id: Summer, cookie_id: 111\ncrm_id: Tom, cookie_id: 111",
        "crm_id:Tom | crm_id:Summer cookie_id:111",
        {("crm_id:Tom", "cookie_id:111"): "limit:crm_id"},
        days=(2, 5, 3),
    ),
    Case(
        "a hub is kept and links nobody",
        "email: a, device_id: till\nemail: b, device_id: till\nemail: c, device_id: till\nemail: c, cookie_id: 1",
        "email:a | email:b | email:c cookie_id:1 | device_id:till",
        {(f"email:{one}", "device_id:till"): "hub" for one in "abc"},
        SMALL_HUBS,
    ),
    Case(
        "as many others as allowed do not make a hub",
        "email: a, device_id: till\nemail: b, device_id: till\nemail: b, device_id: till",
        "email:a email:b device_id:till",
        config=SMALL_HUBS,
    ),
    Case(
        "what a person linked holds, whatever the limits",
        "crm_id: Tom\ncrm_id: Thomas, email: t",
        "crm_id:Tom crm_id:Thomas email:t",
        links=(("crm_id:Thomas", "crm_id:Tom"),),
    ),
    Case(
        "a third one still breaks the limit that two were let over",
        "crm_id: Tom\ncrm_id: Thomas, email: t\ncrm_id: Summer, email: t",
        "crm_id:Tom crm_id:Thomas | crm_id:Summer email:t",
        {("crm_id:Thomas", "email:t"): "limit:crm_id"},
        links=(("crm_id:Thomas", "crm_id:Tom"),),
    ),
    Case(
        "what a person linked holds at a hub, for that pair alone",
        "email: a, device_id: till\nemail: b, device_id: till\nemail: c, device_id: till",
        "email:a | email:b | email:c device_id:till",
        {(f"email:{one}", "device_id:till"): "hub" for one in "ab"},
        SMALL_HUBS,
        links=(("email:c", "device_id:till"),),
    ),
    Case(
        "a link to somebody never seen waits",
        "crm_id: Tom",
        "crm_id:Tom",
        links=(("crm_id:Tom", "crm_id:Nobody"),),
        unlinks=(("crm_id:Tom", "crm_id:Nothing"),),
    ),
    Case(
        "an unlink undoes a merge",
        "email: t, cookie_id: 1\nemail: t, phone: 5\nphone: 5, device_id: 2",
        "email:t cookie_id:1 | phone:5 device_id:2",
        {("email:t", "phone:5"): "unlinked"},
        unlinks=(("phone:5", "email:t"),),
    ),
    Case(
        "an unlinked pair does not meet through others either",
        "crm_id: Tom, email: a\ncrm_id: Tom, email: b",
        "crm_id:Tom email:b | email:a",
        {("crm_id:Tom", "email:a"): "unlinked"},
        unlinks=(("email:a", "email:b"),),
    ),
    Case(
        "an unlink wins over a link of the same pair",
        "crm_id: Tom, email: a",
        "crm_id:Tom | email:a",
        {("crm_id:Tom", "email:a"): "unlinked"},
        links=(("crm_id:Tom", "email:a"),),
        unlinks=(("email:a", "crm_id:Tom"),),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.story for case in CASES])
def test_who_is_who_when(case: Case) -> None:
    profiles, severed = resolve(case.events, case.config, case.days, links=case.links, unlinks=case.unlinks)
    assert profiles == groups(case.profiles)
    assert severed == case.severed
