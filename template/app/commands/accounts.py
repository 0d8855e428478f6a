"""Commands for accounts, as operators see them."""

import click


@click.command()
@click.option("--email", prompt="E-mail address", help="Asked for when left out.")
@click.option(
    "--username",
    prompt=True,
    help="Asked for when left out: 3 to 32 characters; names such as admin are reserved.",
)
@click.option("--full-name", default="", help="May stay empty.")
@click.option(
    "--generate-password", is_flag=True, help="Make a password and print it once, without asking."
)
def create_admin(email: str, username: str, full_name: str, generate_password: bool) -> None:
    """Create an account with the role admin. It asks for the password."""
    from app.commands import administration

    administration.create_admin(email, username, full_name, generate_password=generate_password)


@click.command()
def purge_sessions() -> None:
    """Delete expired sessions and old login failures. Run it once a day.

    Sessions stay for KNOWN_NETWORK_DAYS after their login.
    """
    from app.commands import administration

    administration.purge_sessions()
