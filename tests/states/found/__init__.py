"""What is found on a host: for each stage the questions of one remote command, and their answers as data."""
