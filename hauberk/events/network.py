# SPDX-License-Identifier: Apache-2.0
"""`Data` of socket calls and of DNS queries, with their addresses."""

from functools import lru_cache

from hauberk.events import address as addresses
from hauberk.events import dns, names
from hauberk.events.record import PEER_ADDRESS, Call

_TO_ANOTHER = (Call.CONNECT, Call.SENDMSG, Call.DNS)


@lru_cache(maxsize=1024)
def call_data(call: int, detail: tuple[int, int, int, int], address: bytes) -> tuple[str, dict[str, str]]:
    """KubeArmor's `Data` and `EventData` of a socket call; the map is shared: do not change it."""
    remote = call in _TO_ANOTHER or detail[3] == PEER_ADDRESS
    found = names.data(call, detail)
    if words := addresses.words(address, remote):
        found = f"{found} {words}"
    return found, names.event_data(found)


@lru_cache(maxsize=1024)
def query_data(message: bytes, address: bytes, is_stream: bool) -> tuple[str, str, dict[str, str]]:
    """KubeArmor's `Data`, `Resource` and `EventData` of a DNS query. Of a message that is none, or could not
    be read, there is no name. `is_stream`: the message begins with its length (RFC 1035, section 4.2.2)."""
    asked = dns.question(message[2:] if is_stream else message)
    to = addresses.internet(address)
    words = ["kfunc=TCP_SENDMSG" if is_stream else "kfunc=UDP_SENDSKB"]
    if asked is not None:
        words.append(f"domain={asked.name}")
    if to is not None:
        words.append(f"daddr={to[0]}")
    if asked is not None:
        words.append(f"qtype={asked.type}")
    data = " ".join(words)
    resource = ""
    if to is not None:
        family = "AF_INET6" if ":" in to[0] else "AF_INET"
        resource = f"sa_family={family} sin_port={to[1]}"
    return data, resource, names.event_data(f"{data} {resource}")
