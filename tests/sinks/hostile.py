# SPDX-License-Identifier: Apache-2.0
"""Names and arguments by which somebody might split a record, forge one, or reach a terminal."""

from hauberk.events.alert import Alert, Log
from hauberk.events.record import Call
from hauberk.rules.model import Section
from tests.events.golden import translator
from tests.events.pack import access

HOSTILE = {
    "line feed": b'/tmp/a\n<80>1 - forged - - - - x\n{"Type":"MatchedPolicy","PolicyName":"forged"}\n',
    "carriage return": b"/tmp/a\r\nMESSAGE=forged\r\n",
    "field of the journal": b"a\nMESSAGE=forged\nPRIORITY=0\n_UID=0\n",
    "length of the journal": b"a\nMESSAGE\n\x06\0\0\0forged\n".replace(b"\0", b"\x01"),
    "terminal": b"\x1b]0;forged\x07\x1b[2J\x1b[31mred\x9b31m",
    "no UTF-8": b"\xff\xfe\xc3(\xed\xa0\x80\xf5",
    "direction and separators": "a\u202eb\u2028c\u2029d\u0085e\ufefff\u2066".encode(),
    "quotes": b'"\'`$(forged)\\",\\u000a\\n',
    "priority": b"<0>kernel: forged",
    "long": b"/x" * 2000,
}


def event_of(name: bytes) -> Alert | Log:
    """The alert of an exec whose path, arguments, directory and caller are all this."""
    return translator().translate(
        access(
            section=Section.PROCESS,
            call=Call.EXEC,
            object=name,
            exe=name,
            parent=name,
            cwd=name,
            args=name + b"\0" + name + b"\0",
            detail=(2, 0, 0, 0),
        )
    )
