"""What each host of a lab must be, checked on the hosts: ``pytest tests/states``.

Hosts and expectations come from the inventory, and nothing is read back from what deployed them: the
questions to hosts and the reading of their answers are this folder's own, so that a mistake in
``ciliumlab.facts`` does not hide itself.
"""
