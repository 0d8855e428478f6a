"""Secrets that must not appear elsewhere."""

import httpx2

from tests.accounts import AUTH, ME, PASSWORD, Tokens, attempt, login, profile, register

SECRETS = [PASSWORD, "short", "wrong-password", "another good one", "ada@example.com"]


async def use_secrets(client: httpx2.AsyncClient) -> list[str]:
    """Send each kind of secret, in requests that succeed and in some that fail; return them."""
    await client.post(f"{AUTH}/register", json=profile("ada") | {"password": "short"})
    await client.post(f"{AUTH}/register", content=f'{{"password": "{PASSWORD}"')
    await register(client, "ada")
    await client.post(f"{AUTH}/register", json=profile("ada"))  # a conflict
    await attempt(client, "ada@example.com", "wrong-password")
    tokens = await login(client, "ada@example.com")
    client.headers.update(tokens.bearer)
    await client.get(f"{ME}?access_token={tokens.access}")
    change = {"current_password": PASSWORD, "new_password": "another good one"}
    assert (await client.put(f"{ME}/password", json=change)).status_code == 204
    renewed = Tokens((await tokens.renew(client)).json())
    await tokens.renew(client)  # reused: the session ends
    await client.get(ME, headers=renewed.bearer)
    return [*SECRETS, *(pair.access for pair in (tokens, renewed)), tokens.refresh]
