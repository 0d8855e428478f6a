"""Tools for development and tests: real servers without Docker. Not part of the installed app."""
