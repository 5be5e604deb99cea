"""What is done to a host: pyinfra operations, one module a tool, for anyone's deploy.

Each reads one fact, compares, and yields the least that removes the difference, or says by
``host.noop`` why there is none. None of them knows this lab's names or addresses.
"""
