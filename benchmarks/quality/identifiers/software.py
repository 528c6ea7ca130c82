"""Identifiers that engineers keep."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from itertools import permutations, product

from benchmarks.quality.identifiers.making import PEOPLE, SERVICES, THINGS, Probe, each, ports, shuffled


def _versions(chance: random.Random) -> list[str]:
    numbers = chance.sample(range(1, 30), 3)
    return shuffled(chance, (".".join(map(str, parts)) for parts in product(numbers, repeat=3)))


def version(chance: random.Random) -> Iterator[Probe]:
    """The same numbers in another order."""
    versions = [f"v{v}" for v in _versions(chance)]
    yield from each(chance, versions, "Release {} fixed {}", "what did {} fix?")


def version_quoted(chance: random.Random) -> Iterator[Probe]:
    """A version in quotation marks."""
    yield from each(chance, _versions(chance), "Release {} fixed {}", 'what came with "{}"?')


def version_with_v(chance: random.Random) -> Iterator[Probe]:
    """Stored without the `v`, asked with it."""
    yield from each(chance, _versions(chance), "Version {} repaired {}", "what was repaired in v{}?")


def version_without_v(chance: random.Random) -> Iterator[Probe]:
    """Stored with the `v`, asked without it."""
    versions = [f"v{v}" for v in _versions(chance)]
    yield from each(
        chance, versions, "{} went out and repaired {}", "what did {} repair?", spell=lambda v: v[1:]
    )


def version_shortened(chance: random.Random) -> Iterator[Probe]:
    """`2.19` for `2.19.0`, among `2.31.0`, `2.9.1` and `19.2.0`."""
    minors = chance.sample(range(10, 60), 10)
    versions = [f"2.{minor}.0" for minor in minors] + [f"{minor}.2.0" for minor in minors]
    spell = lambda v: v.removesuffix(".0")  # noqa: E731
    yield from each(chance, versions, "Release {} improves {}", "what does release {} improve?", spell=spell)


def path(chance: random.Random) -> Iterator[Probe]:
    """The same folders in another order."""
    folders = chance.sample(["data", "logs", "cache", "backup", "web", "mail", "tmp"], 4)
    paths = shuffled(chance, ("/srv/" + "/".join(parts) for parts in permutations(folders, 3)))
    yield from each(chance, paths, "{} holds the files of {}", "what does {} hold?", payloads=SERVICES)


def file_name(chance: random.Random) -> Iterator[Probe]:
    """One stem, several endings; one ending, several stems."""
    names = shuffled(
        chance,
        map(".".join, product(("deploy", "build", "settings", "routes"), ("py", "yaml", "toml", "sh"))),
    )
    yield from each(chance, names, "{} in the repository configures {}", "what does {} configure?")


def dotted_key(chance: random.Random) -> Iterator[Probe]:
    """Keys of a configuration with their parts in another order."""
    parts = chance.sample(["server", "tls", "pool", "client", "retry", "timeout"], 4)
    keys = shuffled(chance, map(".".join, permutations(parts, 3)))
    for at, key in enumerate(keys):
        yield f"{key} is set to {chance.randrange(10, 9000)}", [f"what is {key} set to?"] if at < 8 else []


def namespaced_key(chance: random.Random) -> Iterator[Probe]:
    """`cache:user:ttl` and `net::io::Reader`."""
    keys = shuffled(chance, map(":".join, permutations(("cache", "user", "ttl", "eu"), 3)), 12)
    yield from each(
        chance, keys, "The key {} belongs to {}", "what does {} belong to?", payloads=SERVICES, asked=4
    )
    names = shuffled(chance, map("::".join, permutations(("net", "io", "Reader", "core"), 3)), 12)
    yield from each(chance, names, "{} was written by {}", "who wrote {}?", payloads=PEOPLE, asked=4)


def _uuids(chance: random.Random) -> list[str]:
    return [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(20)]


def uuid_exact(chance: random.Random) -> Iterator[Probe]:
    """The UUID as stored."""
    yield from each(chance, _uuids(chance), "Order {} is for {}", "who is order {} for?", payloads=PEOPLE)


def uuid_without_dashes(chance: random.Random) -> Iterator[Probe]:
    """Stored with dashes, asked without."""
    spell = lambda u: u.replace("-", "")  # noqa: E731
    yield from each(chance, _uuids(chance), "Device {} stands in {}'s office", "whose office has {}?",
                     payloads=PEOPLE, spell=spell)  # fmt: skip


def uuid_beginning(chance: random.Random) -> Iterator[Probe]:
    """Asked by the first eight digits."""
    yield from each(
        chance, _uuids(chance), "Job {} rebuilds {}", "what does job {} rebuild?", spell=lambda u: u[:8]
    )


def commit_hash(chance: random.Random) -> Iterator[Probe]:
    """A commit by its first seven digits, and one by all forty."""
    hashes = [f"{chance.getrandbits(160):040x}" for _ in range(20)]
    yield from each(chance, hashes[:10], "Commit {} changed {}", "what did commit {} change?", asked=5,
                     payloads=THINGS[:12], spell=lambda h: h[:7])  # fmt: skip
    yield from each(
        chance, hashes[10:], "Commit {} reverted {}", "what did {} revert?", asked=5, payloads=THINGS[12:]
    )


def port(chance: random.Random) -> Iterator[Probe]:
    """The same digits in another order."""
    yield from each(chance, ports(chance), "Port {} is used by {}", "who uses port {}?", payloads=SERVICES)


def port_list(chance: random.Random) -> Iterator[Probe]:
    """A list without blanks is several numbers."""
    ports = [str(p) for p in chance.sample(range(20, 9999), 60)]
    for rule in range(20):
        listed = ports[3 * rule : 3 * rule + 3]
        question = f"which rule opens port {listed[rule % 3]}?"
        yield f"Firewall rule {rule + 1} opens ports {','.join(listed)}", [question] if rule < 10 else []


def host(chance: random.Random) -> Iterator[Probe]:
    """Hosts that differ in a number."""
    hosts = [
        f"{kind}-prod-{n}"
        for kind, n in product(("db", "web"), (1, 2, 3, 11, 12, 13, 21, 23, 30, 31, 32, 33))
    ]
    for at, name in enumerate(shuffled(chance, hosts)):
        address = f"10.{chance.randrange(1, 250)}.{chance.randrange(1, 250)}.{chance.randrange(1, 250)}"
        yield f"Host {name} has the IP {address}", [f"what is the IP of {name}?"] if at < 10 else []


def domain(chance: random.Random) -> Iterator[Probe]:
    """Full names whose parts trade places."""
    names = shuffled(
        chance,
        map(
            ".".join,
            product(("api", "cdn", "eu", "us"), ("eu", "us", "api", "cdn"), ("example.com", "example.org")),
        ),
    )
    yield from each(
        chance, names, "{} points at the machine of {}", "where does {} point?", payloads=SERVICES
    )


def ip_address(chance: random.Random) -> Iterator[Probe]:
    """The same numbers in another order."""
    numbers = [str(n) for n in chance.sample(range(2, 250), 3)]
    addresses = shuffled(chance, (f"10.{'.'.join(parts)}" for parts in product(numbers, repeat=3)), 22)
    yield from each(
        chance, addresses, "{} is the address of {}", "what has the address {}?", payloads=SERVICES
    )


def mac_address(chance: random.Random) -> Iterator[Probe]:
    """Stored with colons, asked so and with dashes."""
    pairs = [":".join(f"{chance.randrange(256):02x}" for _ in range(6)) for _ in range(18)]
    for at, (text, questions) in enumerate(
        each(chance, pairs, "The card {} belongs to {}", "whose card is {}?", payloads=PEOPLE)
    ):
        yield text, [q.replace(":", "-") for q in questions] if at % 2 else questions


def error_code(chance: random.Random) -> Iterator[Probe]:
    """The same digits in another order, and codes with prefixes."""
    codes = [f"E{p}" for p in ports(chance)[:8]] + [f"ORA-0{p}" for p in ports(chance)[:8]]
    codes += [f"0x8007{chance.getrandbits(16):04X}" for _ in range(6)]
    chance.shuffle(codes)
    yield from each(
        chance, codes, "Error {} means that we must look at {}", "what does error {} mean?", asked=10
    )


def status_code(chance: random.Random) -> Iterator[Probe]:
    """Numbers that a model cannot tell apart."""
    codes = shuffled(chance, map(str, (400, 401, 403, 404, 405, 409, 410, 422, 429, 500, 501, 502, 503, 504)))
    yield from each(chance, codes, "HTTP {} in our API comes from {}", "where does a {} come from?")


def _names(chance: random.Random) -> list[list[str]]:
    verbs = chance.sample(["parse", "load", "send", "check"], 2)
    return [[v, a, b] for v in verbs for a, b in permutations(("container", "order", "no", "date"), 2)]


def camel_case(chance: random.Random) -> Iterator[Probe]:
    """A name as it is written."""
    names = shuffled(chance, (p[0] + "".join(map(str.title, p[1:])) for p in _names(chance)))
    yield from each(chance, names, "{}() was written by {}", "who wrote {}?", payloads=PEOPLE)


def snake_as_camel(chance: random.Random) -> Iterator[Probe]:
    """`parse_container_no` asked as `parseContainerNo`."""
    names = shuffled(chance, map("_".join, _names(chance)))
    spell = lambda n: n[0] + n.title().replace("_", "")[1:]  # noqa: E731
    yield from each(chance, names, "{} is tested by {}", "who tests {}?", payloads=PEOPLE, spell=spell)


def camel_as_snake(chance: random.Random) -> Iterator[Probe]:
    """`parseContainerNo` asked as `parse_container_no`."""
    parts = shuffled(chance, map("_".join, _names(chance)))
    for (text, questions), name in zip(
        each(chance, parts, "{} is called by {}", "what calls {}?", payloads=SERVICES), parts, strict=True
    ):
        yield text.replace(name, name[0] + name.title().replace("_", "")[1:]), questions


def environment(chance: random.Random) -> Iterator[Probe]:
    """`DB_POOL_SIZE` and `POOL_DB_SIZE`."""
    names = shuffled(chance, map("_".join, permutations(("DB", "POOL", "SIZE", "MAX"), 3)), 20)
    yield from each(chance, names, "{} is read by {}", "what reads {}?", payloads=SERVICES)


def flag(chance: random.Random) -> Iterator[Probe]:
    """`--cache` and `--no-cache`."""
    words = chance.sample(["cache", "color", "wait", "verify", "input", "header"], 5)
    flags = [f"--{prefix}{word}" for word in words for prefix in ("", "no-", "only-")]
    chance.shuffle(flags)
    yield from each(
        chance, flags, "The flag {} was added for {}", "what was {} added for?", payloads=SERVICES
    )


def language(chance: random.Random) -> Iterator[Probe]:
    """C, C++, C# and their like."""
    names = ["C", "C++", "C#", "F#", "F", "R", "D", "J", ".NET", "Net", "Objective-C", "Q#"]
    yield from each(chance, names, "{1} writes {0}", "who writes {}?", payloads=PEOPLE, asked=12)


def ticket(chance: random.Random) -> Iterator[Probe]:
    """Ticket numbers of several projects."""
    numbers = ports(chance)[:6]
    names = shuffled(chance, map("-".join, product(("OPS", "WEB", "APP"), numbers)))
    yield from each(chance, names, "{} is about {}", "what is {} about?")


def pull_request(chance: random.Random) -> Iterator[Probe]:
    """`#1234` beside tickets and lines of the same number."""
    numbers = [n[:3] for n in ports(chance)[::3]]
    yield from each(
        chance, dict.fromkeys(numbers), "PR #{} by {} was merged", "who made PR #{}?", payloads=PEOPLE
    )
    for number in dict.fromkeys(numbers):
        yield f"Line {number[::-1]} of the log names {chance.choice(SERVICES)}", []


def web_address(chance: random.Random) -> Iterator[Probe]:
    """The same words of a URL in another order."""
    words = chance.sample(["docs", "team", "blog", "jobs", "help"], 4)
    urls = shuffled(
        chance,
        (f"https://example.com/{a}/{b}?page={n}" for (a, b), n in product(permutations(words, 2), (1, 2))),
    )
    yield from each(chance, urls, "{} explains {}", "what does {} explain?")


KINDS = (
    version,
    version_quoted,
    version_with_v,
    version_without_v,
    version_shortened,
    path,
    file_name,
    dotted_key,
    namespaced_key,
    uuid_exact,
    uuid_without_dashes,
    uuid_beginning,
    commit_hash,
    port,
    port_list,
    host,
    domain,
    ip_address,
    mac_address,
    error_code,
    status_code,
    camel_case,
    snake_as_camel,
    camel_as_snake,
    environment,
    flag,
    language,
    ticket,
    pull_request,
    web_address,
)
