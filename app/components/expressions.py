"""The languages that users may write expressions in, and what is said when one goes wrong.

The worker evaluates them in a process of its own, which imports this module and little more;
the authors' kit does it in the test's process.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from app.components.errors import NodeError

Language = Literal["jmespath", "jinja"]
Evaluate = Callable[[str, Any], Any]

SOURCE_CHARACTERS: Final = 200_000

_WHAT: Final = {"jmespath": "The query", "jinja": "The template"}
_MESSAGES: Final = {
    "expression_not_valid": "{what} can't be read{where}. Correct it.",
    "expression_failed": "{what} can't be applied to its data{where}. Look at what is wired in.",
    "expression_value_missing": (
        "{what} names a value that its data doesn't have{where}. Add it to the data, or give it "
        "a default."
    ),
    "expression_not_allowed": "{what} does something that isn't allowed here{where}. Take it out.",
    "expression_too_much": "{what} needs more memory or depth than it may have. Make it do less.",
    "expression_too_large": "{what} makes more than {most} KiB. Make less of it.",
    "expression_too_long": "{what} has more than {characters:,} characters. Shorten it.",
    "expression_data_too_large": "{what} gets more data than it may. Wire less in.",
    "expression_timeout": "{what} took longer than it may and was ended. Make it do less.",
}


def problem_with(
    language: Language, code: str, *, line: int = 0, column: int = 0, most: int = 0
) -> NodeError:
    """Return the failure of a node whose expression went wrong; quotes neither it nor its data.

    :param line: and ``column``: from 1, 0 where not known.
    :param most: bytes that its result may have.
    """
    where = f" at character {column}" if column else f" in line {line}" if line else ""
    message = _MESSAGES.get(code, _MESSAGES["expression_failed"]).format(
        what=_WHAT[language], where=where, most=most // 1024, characters=SOURCE_CHARACTERS
    )
    return NodeError(code, message)


class ExpressionWrong(Exception):
    """The expression can't be read, or can't be applied to its data.

    :param code: stable snake_case name; ``line`` and ``column`` from 1, 0 where not known.
    """

    def __init__(self, code: str, line: int = 0, column: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.line = line
        self.column = column


def load_jmespath() -> Evaluate:
    """Return the evaluator of JMESPath queries."""
    import jmespath
    from jmespath import exceptions

    def evaluate(source: str, data: Any) -> Any:
        try:
            compiled = jmespath.compile(source)
        except exceptions.ParseError as error:
            raise ExpressionWrong("expression_not_valid", 1, error.lex_position + 1) from None
        except exceptions.JMESPathError:
            raise ExpressionWrong("expression_not_valid") from None
        try:
            return compiled.search(data)
        except exceptions.JMESPathError:
            raise ExpressionWrong("expression_failed") from None

    evaluate("sort_by(a[?b > `1`].{c: b}, &c)[*].join('-', ['x', to_string(c)])", {"a": [{"b": 2}]})
    return evaluate


def load_jinja() -> Evaluate:
    """Return the evaluator of Jinja templates, in its sandbox; templates load nothing."""
    from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, cache_size=0)

    def evaluate(source: str, data: Any) -> str:
        values = data if isinstance(data, dict) else {}
        try:
            template = environment.from_string(source)
            return template.render({**values, "values": values.get("values", data)})
        except TemplateSyntaxError as error:
            raise ExpressionWrong("expression_not_valid", error.lineno) from None
        except TypeError as error:
            # include, import and extends: there is nothing that templates could be loaded from.
            if str(error).startswith("no loader"):
                raise ExpressionWrong("expression_not_allowed", _line(error)) from None
            raise
        except SecurityError as error:
            raise ExpressionWrong("expression_not_allowed", _line(error)) from None
        except UndefinedError as error:
            raise ExpressionWrong("expression_value_missing", _line(error)) from None

    # What these load lazily can't be loaded any more once the process is shut in.
    evaluate("{% for a in b if a %}{{ loop.index }}{{ a|tojson|upper }}{% endfor %}", {"b": [1]})
    evaluate("{{ 'ü'|wordwrap }}{{ b|pprint }}{{ b|random }}{{ b|striptags|urlize }}", {"b": "x"})
    with contextlib.suppress(ExpressionWrong):
        evaluate("{{ nothing.at.all }}", {})
    return evaluate


def _line(error: BaseException) -> int:
    """Return the template's line that failed; 0 where the traceback doesn't say."""
    line, traceback = 0, error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<template>":
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


LANGUAGES: Final[Mapping[str, Callable[[], Evaluate]]] = {
    "jinja": load_jinja,
    "jmespath": load_jmespath,
}


def answer(evaluate: Evaluate, request: dict[str, Any]) -> dict[str, Any]:
    """Evaluate one request ``{"source", "data", "most"}``; never raises."""
    try:
        value = evaluate(request["source"], request["data"])
        text = json.dumps({"value": value}, ensure_ascii=False, allow_nan=False)
        if len(text.encode("utf-8", "surrogatepass")) > request["most"]:
            return {"error": "expression_too_large", "line": 0, "column": 0}
        return {"text": text}
    except ExpressionWrong as error:
        return {"error": error.code, "line": error.line, "column": error.column}
    except (MemoryError, RecursionError, OverflowError):
        return {"error": "expression_too_much", "line": 0, "column": 0}
    except Exception as error:
        return {"error": "expression_failed", "line": _line(error), "column": 0}
