"""The questions: what may be answered, and what is refused with a reason."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier._template import load_template_config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copier_fastapi.questions import NewerTemplateError, Questions, UnknownAnswerError
from copier_fastapi.rendering import questions_of
from tests.support.files import load_yaml
from tests.support.projects import copier_fastapi
from tests.support.shell import run
from tests.support.template import QUESTIONS, ROOT, Render

FEATURES = QUESTIONS.features()
OFF = {name: answers[0] for name, answers in FEATURES.items()}
ON = {name: answers[-1] for name, answers in FEATURES.items()}
CONFIG = load_template_config(ROOT / "copier.yml")


def test_nothing_needs_trust() -> None:
    """People rightly refuse `--trust`; these keys would force it."""
    assert not CONFIG.keys() & {"_tasks", "_migrations", "_jinja_extensions"}


def test_every_question_helps() -> None:
    for name, question in QUESTIONS.by_name.items():
        assert question["help"].endswith(("?", ".")), name


def test_presets(render: Render) -> None:
    """Each preset records the answers it stands for."""
    expected: dict[str, dict[str, Any]] = {"minimal": OFF, "standard": ON, "full": ON}
    for preset, features in expected.items():
        recorded = yaml.safe_load((render(preset=preset) / ".copier-answers.yml").read_text())
        assert recorded.items() >= features.items()


def test_custom_offers_what_is_standard(render: Render) -> None:
    recorded = yaml.safe_load((render(preset="custom") / ".copier-answers.yml").read_text())
    assert recorded.items() >= ON.items()


def test_reserved_rights_need_somebody(render: Render) -> None:
    """The choice is greyed out, with the reason; as an answer it is refused with the same."""
    with pytest.raises(ValueError, match="name the owner first"):
        render(license="proprietary")


def test_single_answer_overrides_its_preset(render: Render) -> None:
    project = render(preset="standard", example=False)
    assert not (project / "app" / "models" / "item.py").exists()


def test_unknown_answer_is_refused_with_the_nearest_name(render: Render) -> None:
    """Copier itself would ignore it."""
    with pytest.raises(UnknownAnswerError, match="no question 'exmaple'; did you mean 'example'"):
        render(exmaple=True)


def test_reserved_slugs_are_complete(render: Render) -> None:
    """A project with the name of a library in its lock could not be locked."""
    lock = tomllib.loads((render(preset="full", project_slug="ours") / "uv.lock").read_text())
    names = {package["name"] for package in lock["package"]} - {"ours"}
    assert names <= set(QUESTIONS.by_name["project_slug"]["validator"].split())
    with pytest.raises(ValueError, match=r"'project_slug'.*library"):
        render(project_slug="starlette")


NEWER = {
    "a later Copier": '_min_copier_version: "99"\n',
    "an unknown tag": "project_name: !later My Service\n",
    "an unknown way to include": "project_name: My Service\n---\n!include [a.yml, b.yml]\n",
    "an unknown type": "project_name: {type: later, default: none}\n",
}


@pytest.mark.parametrize("text", NEWER.values(), ids=NEWER)
def test_newer_form_of_template_is_named_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "copier.yml").write_text(text)
    with pytest.raises(NewerTemplateError, match="needs a newer copier-fastapi: pip install"):
        questions_of(str(tmp_path))
    arguments = ("new", "it", "--defaults", "--template", tmp_path)
    printed = copier_fastapi(tmp_path, *arguments, status=(1,))
    assert printed.endswith("Error: " + str(NewerTemplateError()) + "\n")
    assert not (tmp_path / "it").exists()


def test_choices_that_are_computed_are_not_read_as_letters(tmp_path: Path) -> None:
    (tmp_path / "copier.yml").write_text("size: {type: str, choices: '{= sizes =}'}\n")
    with pytest.raises(NewerTemplateError):
        Questions.load(tmp_path).parse(["size=s"])


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Bookshop API", "bookshop-api"),
        ("  3 Wise  Men ", None),
        ("3 Wise  Men", "wise-men"),
        ("Café ☕", "caf"),
        ("東京", "service"),
        ("O'Neill & Söhne (2)", "o-neill-s-hne-2"),
    ],
)
def test_slug_derives_from_the_name(render: Render, name: str, slug: str | None) -> None:
    if slug is None:
        with pytest.raises(ValueError, match="'project_name'"):
            render(project_name=name)
    else:
        project = tomllib.loads((render(project_name=name) / "pyproject.toml").read_text())
        assert project["project"]["name"] == slug


REFUSED = {
    "project_name": [
        "",
        " ",
        "a\nb",
        'a"b',
        "a\\b",
        "{= 7*7 =}",
        "x" * 81,
        "a\0b",
        "\u202eab",
        "`id`",
    ],
    "project_slug": [
        "",
        "A",
        "a b",
        "../a",
        "a--b",
        "-a",
        "1a",
        "a\n",
        "x" * 41,
        "é",
        "{= 7*7 =}",
        "yes",
        "null",
    ],
    "project_description": ["a\nb", "x" * 201, "a\x1bb", "\u202eab", "a\rb"],
    "author_name": ["a\nb", 'a"b', "a\\b", "<a>", "x" * 101, "\u200bab"],
    "author_email": ["a", "a@b", "a b@c.de", "a@b.c\n", '"a"@b.cd', "a@b.c>", "é@b.cd"],
    "license": ["GPL"],
    "python_version": ["2.7", "3.10"],
    "preset": ["everything"],
    "ci": ["jenkins"],
}


@pytest.mark.parametrize(
    ("question", "answer"),
    [(name, answer) for name, answers in REFUSED.items() for answer in answers],
)
def test_bad_answer_is_refused_by_name(
    render: Render, tmp_path: Path, question: str, answer: str
) -> None:
    """S1: the message names the question, and nothing is written."""
    with pytest.raises(ValueError, match=question if question in REFUSED else "") as caught:
        render(tmp_path / "project", **{question: answer})
    assert question in str(caught.value)
    assert not (tmp_path / "project").exists()


HOSTILE = [
    "O'Brien & Söhne's #1 (beta) 100%",
    "emoji 🙂🏳️‍🌈".replace("\u200d", ""),
    "../../etc/passwd",
    "'; DROP TABLE items --",
    "yes: [no, *anchor, &x] !tag | %",
    "null",
    "1.0",
    "# {% if x %}".replace("{", "(").replace("}", ")"),
    "العربية 日本語",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_other_text_renders_valid_files(render: Render, tools: Path, text: str) -> None:
    """S1."""
    description = f'{text} "quoted" {{= 7*7 =}} {{{{ x }}}} ${{HOME}} \\ # {{% raw %}}'[:200]
    project = render(
        preset="full",
        project_name=text,
        project_slug="hostile",
        project_description=description,
        author_name=text,
        author_email="o'brien@example.com".replace("'", "+"),
    )
    assert_valid(project, tools)
    config = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert config["description"] == description
    assert config["authors"][0]["name"] == text
    assert text in (project / "README.md").read_text(encoding="utf-8")


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(name=st.text(max_size=90), description=st.text(max_size=210), author=st.text(max_size=110))
def test_arbitrary_text_renders_or_is_refused(
    render: Render, tools: Path, name: str, description: str, author: str
) -> None:
    """S1: there is no third way."""
    answers = {"project_name": name, "project_description": description, "author_name": author}
    try:
        project = render(preset="minimal", project_slug="hostile", **answers)
    except ValueError as error:
        assert re.search("'(project_name|project_description|author_name)'", str(error))  # noqa: PT017
        return
    assert_valid(project, tools)


def assert_valid(project: Path, tools: Path) -> None:
    run(project, tools / "ruff", "check", "--no-cache")
    run(project, tools / "ruff", "format", "--check", "--no-cache")
    for path in project.glob("*.toml"):
        tomllib.loads(path.read_text(encoding="utf-8"))
    for path in (*project.glob("*.yaml"), *project.glob(".*.y*ml")):
        load_yaml(path.read_text(encoding="utf-8"))
    assert "49" not in (project / "README.md").read_text(encoding="utf-8")
    assert not any(path.name == "passwd" for path in project.parent.rglob("*"))


@pytest.mark.parametrize("license_id", ["MIT", "Apache-2.0", "BSD-3-Clause", "proprietary"])
def test_licences(render: Render, license_id: str) -> None:
    project = render(license=license_id, author_name="Ada Lovelace")
    text = (project / "LICENSE").read_text()
    words = {"MIT": "MIT License", "Apache-2.0": "Apache License", "BSD-3-Clause": "BSD 3-Clause"}
    assert words.get(license_id, "proprietary") in text
    if license_id != "Apache-2.0":  # its text has no name
        assert "Ada Lovelace" in text
    config = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert config["license"] == (license_id if license_id in words else "LicenseRef-Proprietary")


@pytest.mark.parametrize("version", QUESTIONS.choices("python_version"))
def test_python_version_decides_image_and_ci(render: Render, version: str) -> None:
    project = render(preset="full", python_version=version)
    assert f"FROM python:{version}-slim\n" in (project / "Dockerfile").read_text()
    assert f'UV_PYTHON: "{version}"' in (project / ".github/workflows/ci.yml").read_text()
    config = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert config["requires-python"] == ">=3.11"
