"""An inventory: a lab of any size (CILIUMLAB_TOPOLOGY) on pyinfra's @fake connector, each command 10 ms.

Its hosts are those of the unit tests, nothing was done to them yet, and Docker's repository is out of
reach, so that what a scripted host cannot answer to is left out.
"""

import runpy
from pathlib import Path

_FRESH = Path(__file__).parents[1] / "unit" / "operations" / "fresh.py"
_HOLDS = "|200|https://download.docker.com"


def _slow(data):
    responses = dict(data["fake_responses"])
    responses["MemTotal"] = [
        line.replace(_HOLDS, _HOLDS.replace("200", "000")) for line in responses["MemTotal"]
    ]
    return {**data, "fake_responses": responses, "fake_delay": 0.01}


globals().update(
    {
        name: [(host, _slow(data)) for host, data in hosts]
        for name, hosts in runpy.run_path(str(_FRESH)).items()
        if not name.startswith("_") and isinstance(hosts, list)
    }
)
