"""Forged, misused and expired tokens (RFC 8725, OWASP ASVS 9)."""

import json
import logging
import math
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from io import StringIO
from typing import Any
from uuid import uuid4

import httpx2
import jwt
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from app.core import security
from app.core.config import Settings
from app.features import State
from app.utils.exceptions import UnauthorizedError
from tests.accounts import AUTH, ME, PASSWORD, Tokens, login, register
from tests.conftest import SessionFactory, client_of

# The key of another service.
FOREIGN_KEY = "k7Qd0x2mVw9bRz4tYn8cLp6sHj3fGa5e"

# The id of a session that does not exist.
UNKNOWN = "0d8067cb-03f5-4c5c-9b8a-3f4c1f0e7d52"

Forge = Callable[..., str]


@pytest.fixture
def forge(tokens: Tokens, settings: Settings) -> Forge:
    """Sign a variant of a valid access token with the service's key."""

    def forge(
        *, header: dict[str, Any] | None = None, key: str | None = None, **claims: Any
    ) -> str:
        good = jwt.decode_complete(tokens.access, options={"verify_signature": False})
        return sign(
            good["header"] | (header or {}),
            {name: value for name, value in (good["payload"] | claims).items() if value is not ...},
            key or settings.jwt_secret_key.get_secret_value(),
        )

    return forge


def sign(header: dict[str, Any], claims: object, key: str) -> str:
    """Sign anything, also what PyJWT refuses to sign."""
    parts = [encode(json.dumps(header)), encode(json.dumps(claims))]
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = algorithm.sign(b".".join(parts), algorithm.prepare_key(key))
    return b".".join([*parts, urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def encode(text: str) -> bytes:
    return urlsafe_b64encode(text.encode()).rstrip(b"=")


async def assert_refused(client: httpx2.AsyncClient, token: str) -> None:
    response = await client.get(ME, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401, token
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["error_code"] == "unauthorized"


async def test_good_token_passes(client: httpx2.AsyncClient, forge: Forge) -> None:
    """So that the variants are refused only for their fault."""
    response = await client.get(ME, headers={"Authorization": f"Bearer {forge()}"})
    assert response.status_code == 200


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "NONE", ""])
async def test_t1_unsigned_tokens(
    client: httpx2.AsyncClient, tokens: Tokens, algorithm: str
) -> None:
    header, payload, signature = tokens.access.split(".")
    unsigned = json.loads(jwt.utils.base64url_decode(header)) | {"alg": algorithm}
    forged = encode(json.dumps(unsigned)).decode()
    await assert_refused(client, f"{forged}.{payload}.")
    await assert_refused(client, f"{forged}.{payload}.{signature}")
    await assert_refused(client, f"{header}.{payload}.")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA", "PS256"])
async def test_t2_other_algorithms(
    client: httpx2.AsyncClient, forge: Forge, algorithm: str
) -> None:
    """The algorithm is fixed. The header does not change it."""
    await assert_refused(client, forge(header={"alg": algorithm}))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
async def test_t2_other_algorithms_with_the_right_key(
    client: httpx2.AsyncClient, tokens: Tokens, settings: Settings, algorithm: str
) -> None:
    decoded = jwt.decode_complete(tokens.access, options={"verify_signature": False})
    key = settings.jwt_secret_key.get_secret_value().ljust(64)
    header = decoded["header"] | {"alg": algorithm}
    forged = jwt.encode(decoded["payload"], key, algorithm=algorithm, headers=header)
    await assert_refused(client, forged)


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/cert"},
        {"jwk": {"kty": "oct", "k": encode(FOREIGN_KEY).decode()}},
        {"x5c": ["MIIB"]},
    ],
)
async def test_t3_keys_in_the_header(
    client: httpx2.AsyncClient, forge: Forge, header: dict[str, Any]
) -> None:
    """A token cannot bring its own key, and no key is fetched."""
    await assert_refused(client, forge(header=header, key=FOREIGN_KEY))


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": ""},
        {"kid": 1},
        {"kid": None},
        {"kid": ["a"]},
        {"crit": ["b64"], "b64": False},
    ],
)
async def test_t3_only_our_own_names_of_keys(
    client: httpx2.AsyncClient, forge: Forge, header: dict[str, Any]
) -> None:
    """With any key that a careless verifier might use: the empty one, or ours."""
    for key in ("\n", None):
        await assert_refused(client, forge(header=header, key=key))


async def test_t3_key_material_beside_a_good_signature_is_not_looked_at(
    client: httpx2.AsyncClient, forge: Forge
) -> None:
    token = forge(header={"jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/cert"})
    response = await client.get(ME, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200


async def test_t4_one_kind_never_passes_for_the_other(
    client: httpx2.AsyncClient, tokens: Tokens
) -> None:
    await assert_refused(client, tokens.refresh)
    for path in ("refresh", "logout"):
        response = await client.post(
            f"{AUTH}/{path}", json={"refresh_token": tokens.access}, headers=tokens.bearer
        )
        assert response.status_code == 401


@pytest.mark.parametrize("typ", ["JWT", "rt+jwt", "reset+jwt", "AT+JWT ", None, 1])
async def test_t4_type_is_in_the_header(
    client: httpx2.AsyncClient, forge: Forge, typ: object
) -> None:
    await assert_refused(client, forge(header={"typ": typ}))


@pytest.mark.parametrize("kind", ["refresh", "reset", "verify", None, 1, ["access"]])
async def test_t4_type_is_in_the_claims(
    client: httpx2.AsyncClient, forge: Forge, kind: object
) -> None:
    await assert_refused(client, forge(type=kind))


@pytest.mark.parametrize("claim", ["exp", "iat", "sub", "jti", "iss", "aud", "type", "sid"])
async def test_t5_missing_claims(client: httpx2.AsyncClient, forge: Forge, claim: str) -> None:
    await assert_refused(client, forge(**{claim: ...}))
    await assert_refused(client, forge(**{claim: None}))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": sub}
        for sub in ("x", "", "0", "-1", "1.5", str(2**63), "9" * 5000, "\0", 1, True, [1], {"a": 1})
    ]
    + [{"exp": exp} for exp in ("tomorrow", "9" * 5000, math.nan, math.inf, -1, 0, [1], True)]
    + [{"iat": iat} for iat in ("now", math.nan, math.inf, [1])]
    + [{"nbf": nbf} for nbf in ("now", math.nan, math.inf, [1])]
    + [{"sid": sid} for sid in ("x", 1, "\0", UNKNOWN, [UNKNOWN])]
    + [{"jti": jti} for jti in (1, ["a"])],
    ids=lambda claims: str(claims)[:20],
)
async def test_t5_malformed_claims(
    client: httpx2.AsyncClient, forge: Forge, claims: dict[str, Any]
) -> None:
    """Signed by the service, but refused; never a 500."""
    await assert_refused(client, forge(**claims))


@pytest.mark.parametrize("claims", [None, 1, "text", [], [1]])
async def test_t5_payload_that_is_no_object(
    client: httpx2.AsyncClient, tokens: Tokens, settings: Settings, claims: object
) -> None:
    header = jwt.get_unverified_header(tokens.access)
    await assert_refused(client, sign(header, claims, settings.jwt_secret_key.get_secret_value()))


async def test_t5_session_of_somebody_else(client: httpx2.AsyncClient, forge: Forge) -> None:
    """A session is valid only for its own account."""
    eve = await register(client, "eve")
    await assert_refused(client, forge(sub=str(eve["id"])))


JSON = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text(), max_size=2)
)
CLAIMS = st.dictionaries(
    st.sampled_from(["exp", "iat", "nbf", "sub", "jti", "iss", "aud", "type", "sid"]), JSON
)


@given(claims=CLAIMS, header=st.dictionaries(st.sampled_from(["typ", "kid", "cty", "x"]), JSON))
def test_t5_any_claims_are_refused_in_the_same_way(
    settings: Settings, claims: dict[str, Any], header: dict[str, Any]
) -> None:
    """Any JSON gets the same error."""
    key = settings.jwt_secret_key.get_secret_value()
    ours = jwt.get_unverified_header(security.create_access_token("1", settings=settings))
    for head in (header, ours | header, ours):
        with pytest.raises(UnauthorizedError):
            security.verify_token(sign({"alg": "HS256"} | head, claims, key), settings=settings)


@given(token=st.text() | st.from_regex(r"[\w-]+\.[\w-]+\.[\w-]*", fullmatch=True))
def test_t5_any_text_is_refused_in_the_same_way(settings: Settings, token: str) -> None:
    with pytest.raises(UnauthorizedError):
        security.verify_token(token, settings=settings)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "bearer é", "Token x"]
)
async def test_t5_malformed_header(client: httpx2.AsyncClient, header: str) -> None:
    response = await client.get(ME, headers={b"Authorization": header.encode("latin-1")})
    assert response.status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "other-service/development"},
        {"iss": "other-service/development"},
        {"aud": ["other-service/development"]},
        {"aud": []},
        {"iss": 1},
    ],
)
async def test_t6_token_of_another_service(
    client: httpx2.AsyncClient, forge: Forge, claims: dict[str, Any]
) -> None:
    """Even with the same key."""
    await assert_refused(client, forge(**claims))


async def test_t6_audience_is_one_and_the_right_one(
    client: httpx2.AsyncClient, tokens: Tokens, forge: Forge
) -> None:
    ours = jwt.decode(tokens.access, options={"verify_signature": False})["aud"]
    await assert_refused(client, forge(aud=[ours, "other-service/development"]))


def test_t6_token_of_another_environment(settings: Settings) -> None:
    staging = settings.model_copy(update={"environment": "staging"})
    token = security.create_access_token("1", session_id=uuid4(), settings=staging)
    with pytest.raises(UnauthorizedError):
        security.verify_token(token, settings=settings)
    assert security.verify_token(token, settings=staging)["sub"] == "1"


async def test_t7_clocks_may_differ_by_the_leeway_and_no_more(
    client: httpx2.AsyncClient, forge: Forge
) -> None:
    now, leeway = int(time.time()), int(security.LEEWAY.total_seconds())
    assert leeway <= 30
    for claims in ({"nbf": now + 60}, {"iat": now + 60}, {"exp": now - leeway - 1}):
        await assert_refused(client, forge(**claims))
    for claims in ({"nbf": now + leeway - 2}, {"iat": now + leeway - 2}, {"exp": now - 2}):
        bearer = {"Authorization": f"Bearer {forge(**claims)}"}
        assert (await client.get(ME, headers=bearer)).status_code == 200


class TestKeyRotation:
    """T14: a new key signs at once, and the old one is accepted while it is configured."""

    @pytest.fixture
    def rotated(self, settings: Settings) -> Settings:
        old = settings.jwt_secret_key
        return settings.model_copy(
            update={"jwt_secret_key": type(old)(FOREIGN_KEY), "jwt_previous_secret_key": old}
        )

    @pytest.fixture
    async def client_after(
        self, app: FastAPI, state: State, session_factory: SessionFactory, rotated: Settings
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of the service after its key was changed."""
        now = {**state, "session_factory": session_factory, "settings": rotated}
        async with client_of(app, now) as client:
            yield client

    async def test_t14_tokens_of_the_old_key_go_on(
        self, tokens: Tokens, client_after: httpx2.AsyncClient
    ) -> None:
        assert (await client_after.get(ME, headers=tokens.bearer)).status_code == 200
        renewed = Tokens((await tokens.renew(client_after)).json())
        assert key_id(renewed.access) == key_id(renewed.refresh) != key_id(tokens.access)
        assert (await client_after.get(ME, headers=renewed.bearer)).status_code == 200

    async def test_t14_tokens_of_a_key_that_was_removed_end(
        self, tokens: Tokens, client_after: httpx2.AsyncClient, rotated: Settings
    ) -> None:
        renewed = Tokens((await tokens.renew(client_after)).json())
        alone = rotated.model_copy(update={"jwt_previous_secret_key": None})
        with pytest.raises(UnauthorizedError):
            security.verify_token(tokens.access, settings=alone)
        assert security.verify_token(renewed.access, settings=alone)

    async def test_t14_an_id_does_not_lend_its_key(self, forge: Forge, rotated: Settings) -> None:
        """Signed with one key, with the id of the other."""
        kid = key_id(security.create_access_token("1", settings=rotated))
        with pytest.raises(UnauthorizedError):
            security.verify_token(forge(header={"kid": kid}), settings=rotated)


def key_id(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


async def test_t15_no_secret_in_any_log(
    watched_client: httpx2.AsyncClient, settings: Settings, output: StringIO
) -> None:
    """C22: through the life of a session, with the most verbose log."""
    client = watched_client
    logging.getLogger("httpx2").setLevel("WARNING")  # the client's own lines do not count
    await register(client, "ada")
    tokens = await login(client, "ada")
    await client.get(f"{ME}?access_token={tokens.access}", headers=tokens.bearer)
    renewed = Tokens((await tokens.renew(client)).json())
    change = {"current_password": PASSWORD, "new_password": f"{PASSWORD}, the second"}
    response = await client.put(f"{ME}/password", json=change, headers=renewed.bearer)
    assert response.status_code == 204
    await client.post(f"{AUTH}/login", data={"username": "ada", "password": "a wrong password"})
    await client.post(f"{AUTH}/login", data={"username": "ada"})
    await client.post(f"{AUTH}/register", json={"password": "hunter2"})
    await tokens.renew(client)
    log = output.getvalue()
    assert f'"path": "{ME}"' in log
    assert "login_succeeded" in log
    assert "refresh_token_reused" in log
    secrets = [PASSWORD, "a wrong password", "hunter2", "$argon2", "ada@example.com"]
    for pair in (tokens, renewed):
        secrets += [pair.access, pair.refresh, pair.access.split(".")[2]]
    secrets.append(settings.jwt_secret_key.get_secret_value())
    for secret in secrets:
        assert secret not in log


def test_functions_take_the_environments_settings(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """Scripts and shells call them without settings."""
    monkeypatch.setenv("ENVIRONMENT", "development")
    url = settings.database_url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    assert security.verify_token(security.create_access_token("7"))["sub"] == "7"
    assert security.verify_token(security.create_refresh_token("7"), kind="refresh")["sub"] == "7"
    hashed = security.get_password_hash(PASSWORD)
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert security.verify_password(PASSWORD, hashed)
    assert not security.verify_password(PASSWORD.upper(), hashed)
    assert not security.verify_password(PASSWORD, "no hash at all")
