"""What is known of a host: pyinfra facts, each of which reads a whole tool's state in one command.

Facts return plain data. None means that the state could not be read; operations then refuse to guess
(see ``ciliumlab.operations.api``).
"""
