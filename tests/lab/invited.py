"""pyinfra with secrets of a cluster that a test knows beforehand: `python -m tests.lab.invited …`.

They are made by pyinfra's process for itself, and nobody could look for what nobody knows. What they are is
read from the environment.
"""

from __future__ import annotations

import os

TOKEN, CERTIFICATE_KEY = "CILIUMLAB_TEST_TOKEN", "CILIUMLAB_TEST_CERTIFICATE_KEY"

if __name__ == "__main__":
    # Only here, as it patches the process for gevent; and first, as it patches what follows.
    from pyinfra_cli.main import main

    from ciliumlab.operations.kubeadm import invitation

    invitation().token = os.environ[TOKEN]
    invitation().certificate_key = os.environ[CERTIFICATE_KEY]
    main()
