"""The pages of the site that come from the code alone; `python -m scripts.reference DIRECTORY` writes them.

`api/` is the OpenAPI document of the app for people, a page a tag, and `commands.md` every command of the CLI
with its options. `make docs` puts them beside the site's own pages; they are not kept in the repository.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from innoai.api.openapi import document
from innoai.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

API_HEAD = """\
# API

innoai {version}. Any server has this as an OpenAPI 3.1 document at `/openapi.json`, and as pages to try it at
`/docs`. Refusals have [one envelope](../errors.md).
"""
COMMANDS_HEAD = """\
# Commands

Every command of `innoai` with its options. [How they are used](../cli.md), and
[what their exit codes mean](../operating.md#commands).
"""
HOST = "http://127.0.0.1:8080"
JSON = "application/json"


def main() -> int:
    """Write every page into the directory that the command line names."""
    for name, lines in pages():
        page = Path(sys.argv[1]) / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


def pages() -> Iterator[tuple[str, Iterator[str]]]:
    """Each generated page, by its path below docs/reference/ of the site, with its lines."""
    described = document()
    yield "api/index.md", _index(described)
    for tag in described["tags"]:
        yield f"api/{tag['name']}.md", _tag(tag, described)
    yield "api/shapes.md", _shapes(described)
    yield "commands.md", commands()


def _index(described: Mapping[str, Any]) -> Iterator[str]:
    """All operations, by their tags."""
    yield API_HEAD.format(version=described["info"]["version"])
    for tag in described["tags"]:
        yield from (
            f"## [{tag['name'].capitalize()}]({tag['name']}.md)",
            "",
            _sentence(tag["description"]),
            "",
        )
        yield from ("| | |", "|---|---|")
        for method, path, operation in _operations(tag["name"], described):
            yield f"| `{method} {path}` | {_cell(operation['summary'])} |"
        yield ""


def _tag(tag: Mapping[str, str], described: Mapping[str, Any]) -> Iterator[str]:
    """The operations of one tag."""
    yield from (f"# {tag['name'].capitalize()}", "", _sentence(tag["description"]), "")
    for method, path, operation in _operations(tag["name"], described):
        yield from _operation(method, path, operation, described["components"])


def _shapes(described: Mapping[str, Any]) -> Iterator[str]:
    """What bodies and answers are made of."""
    yield from ("# Shapes", "", "What the bodies of requests and answers are made of.", "")
    for name, schema in described["components"]["schemas"].items():
        yield from _shape(name, schema)


def _operations(tag: str, described: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if tag in operation.get("tags", ()):
                yield method.upper(), path, operation


def _operation(
    method: str, path: str, operation: Mapping[str, Any], components: Mapping[str, Any]
) -> Iterator[str]:
    yield from (f"## `{method} {path}`", "", _sentence(operation["summary"]), "")
    if text := operation.get("description"):
        yield from (text, "")
    if parameters := operation.get("parameters"):
        yield from ("| parameter | in | |", "|---|---|---|")
        for parameter in parameters:
            needed = ", required" if parameter.get("required") and parameter["in"] != "path" else ""
            yield (
                f"| `{parameter['name']}` | {parameter['in']}{needed} | "
                f"{_cell(parameter.get('description', ''))} |"
            )
        yield ""
    yield from _request(method, path, operation, components["schemas"])
    yield from _answers(operation, components)


def _request(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[str]:
    """The operation's example as a command."""
    examples = {
        each["name"]: each["example"] for each in operation.get("parameters", ()) if "example" in each
    }
    query = "&".join(
        f"{each['name']}={each['example']}"
        for each in operation.get("parameters", ())
        if each["in"] == "query" and "example" in each
    )
    for name, value in examples.items():
        path = path.replace(f"{{{name}}}", str(value))
    lines = [f'curl "{HOST}{path}{query and "?" + query}"']
    body: dict[str, dict[str, Any]] = operation.get("requestBody", {}).get("content", {})
    if method != "GET" and (method != "POST" or not body):
        lines[0] = lines[0].replace("curl", f"curl -X {method}")
    if operation.get("security"):
        lines.append('-H "Authorization: Bearer $INNOAI_API_KEY"')
    media_type, said = next(iter(body.items()), ("", {}))
    if media_type == JSON:
        lines += [f'-H "Content-Type: {JSON}"', f"-d '{_json(said.get('example', {}))}'"]
    elif media_type:
        members = schemas[said["schema"]["$ref"].rpartition("/")[2]]["properties"]
        for name, value in said["example"].items():
            lines.append(f"-F {name}={_form_value(name, value, members.get(name, {}))}")
    yield from ("```bash", " \\\n  ".join(lines), "```", "")
    if names := _named(said.get("schema", {})):
        yield from (f"The body is {names}.", "")


def _answers(operation: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[str]:
    refusals = []
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            refusals.append((status, components["responses"][answer["$ref"].rpartition("/")[2]]))
            continue
        if int(status) >= 400:
            refusals.append((status, answer))
            continue
        content = answer.get("content", {})
        shapes = sorted({names for said in content.values() if (names := _named(said.get("schema", {})))})
        yield f"**{status}** {_sentence(answer['description'])}" + (
            f" {' or '.join(shapes)}." if shapes else ""
        )
        yield ""
        example = content.get(JSON, {}).get("example")
        if example is not None:
            yield from ("```json", json.dumps(example, indent=2, ensure_ascii=False), "```", "")
    if refusals:
        codes = [f"{status} {_codes(answer)}" for status, answer in refusals]
        yield from (f"Refusals: {'; '.join(codes)}.", "")


def _codes(answer: Mapping[str, Any]) -> str:
    """The codes of a refusal, as its schema lists them."""
    said = answer.get("content", {}).get(JSON, {})
    codes = _found(said, "code")
    return ", ".join(f"[`{code}`](../errors.md#{code})" for code in codes) or answer.get("description", "")


def _found(tree: Any, name: str) -> list[str]:
    """The values of every `enum` or `const` below a member of that name."""
    if isinstance(tree, list):
        return list(dict.fromkeys(code for each in tree for code in _found(each, name)))
    if not isinstance(tree, dict):
        return []
    here = tree.get("properties", {}).get(name, {})
    values = [*here.get("enum", ()), *([here["const"]] if "const" in here else ())]
    return list(dict.fromkeys([*values, *(code for each in tree.values() for code in _found(each, name))]))


def _shape(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"## {name}", "")
    if text := schema.get("description"):
        yield from (text, "")
    if members := schema.get("properties"):
        required = schema.get("required", ())
        yield from ("| member | type | |", "|---|---|---|")
        for member, said in members.items():
            text = "; ".join(
                filter(None, (_told(said), "required" if member in required else "", _default(said)))
            )
            yield f"| `{member}` | {_type(said)} | {_cell(text)} |"
        yield ""


def _default(schema: Mapping[str, Any]) -> str:
    given = schema.get("default")
    return "" if given is None else f"default `{json.dumps(given, ensure_ascii=False)}`"


def _told(schema: Mapping[str, Any]) -> str:
    """What a member means, wherever its schema says so."""
    if text := schema.get("description"):
        return str(text)
    return next((text for each in schema.get("anyOf", ()) if (text := each.get("description"))), "")


def _type(schema: Mapping[str, Any]) -> str:
    """A member's type in a word or a link."""
    if names := _named(schema):
        return names
    for several in ("anyOf", "oneOf"):
        if several in schema and "type" not in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[several]))
    if values := schema.get("enum"):
        shown = ", ".join(f"`{value}`" for value in values[:6])
        return shown if len(values) <= 6 else f"{shown}, …"
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _named(schema: Mapping[str, Any]) -> str:
    """Links to the shapes that a schema is or is one of; nothing where it names none."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](shapes.md#{name.lower()})"
    parts = [names for each in schema.get("anyOf", ()) if (names := _named(each))]
    nullable = any(each.get("type") == "null" for each in schema.get("anyOf", ()))
    return " or ".join([*parts, *(["null"] if parts and nullable else [])])


def commands() -> Iterator[str]:
    """Every command with its usage, arguments and options."""
    yield COMMANDS_HEAD
    root: Any = typer.main.get_command(app)
    yield from ("## `innoai`", "", str(root.help).strip(), "", *_options(root))
    yield from _commands("innoai", root)


def _commands(prefix: str, group: Any) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        whole = f"{prefix} {name}"
        below = getattr(command, "commands", None)
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        usage = " ".join([whole, *(f"[{_meta(a)}]" if not a.required else _meta(a) for a in arguments)])
        yield from (f"{'##' if below else '###'} `{usage}`", "", _plain(command.help), "")
        if below:
            yield from _commands(whole, command)
        else:
            yield from _options(command)


def _options(command: Any) -> Iterator[str]:
    rows = []
    for each in command.params:
        if each.param_type_name == "argument":
            rows.append((f"`{_meta(each)}`", _cell(each.help or "")))
        elif not each.hidden:
            names = ", ".join(f"`{name}`" for name in (*each.opts, *each.secondary_opts))
            value = "" if each.is_flag else f" {_cell(_meta(each))}"
            needed = " Required." if each.required else ""
            rows.append((names + value, _cell((each.help or "") + needed)))
    if rows:
        yield from ("| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows), "")


def _meta(parameter: Any) -> str:
    choices = parameter.type_descriptor.annotation if parameter.type_descriptor.is_choice else ()
    given = parameter.metavar or "|".join(each.value for each in choices)
    return str(given or parameter.name.upper()).strip("[]")


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("'", "'\\''")


def _form_value(name: str, value: Any, schema: Mapping[str, Any]) -> str:
    if schema.get("format") == "binary":
        return f"@{name.upper()}"
    return value if isinstance(value, str) and value.replace(".", "").isalnum() else f"'{value}'"


if __name__ == "__main__":
    sys.exit(main())
