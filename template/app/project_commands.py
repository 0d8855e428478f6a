"""The commands of this project. This file is yours: no update of the template changes it.

`app --help` imports it, so a command imports what it needs in its function.
"""

import click

PROJECT_COMMANDS: tuple[click.Command, ...] = ()
