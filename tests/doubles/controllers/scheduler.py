"""kube-scheduler's place: healthy, and leading. No controller here makes pods to be placed."""

from __future__ import annotations

import sys

from controllers.component import serve

if __name__ == "__main__":
    serve("kube-scheduler", 10259, sys.argv[1:], lambda api, flags: None)
