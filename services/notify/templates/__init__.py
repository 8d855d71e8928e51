"""Turns a template and its values into the subject and the text of a message.

A template is a file `<name>.v<version>.<language>.<channel>.txt`; a change of wording is a new
version beside the old one, so that what was sent can be read again (R17). Where it has a subject
its first line says so.
"""

from typing import Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

VERSIONS: Final = {"appointment": 1, "page": 1, "deadline": 1}
"""The version that is used now."""
LANGUAGE: Final = "en"

_MARK: Final = "Subject: "
_texts = Environment(
    loader=PackageLoader("services.notify"),
    undefined=StrictUndefined,  # a message with a hole in it is not sent
    autoescape=False,  # noqa: S701 -- plain text, no markup anywhere
    keep_trailing_newline=True,
)


class Text(NamedTuple):
    """What is sent; the subject is empty where the channel has none."""

    subject: str
    body: str


def render(
    template: str, version: int, language: str, channel: str, values: dict[str, str]
) -> Text:
    """Return the message; raises jinja2.TemplateError where the file or a value is missing."""
    text = _texts.get_template(f"{template}.v{version}.{language}.{channel}.txt").render(values)
    if not text.startswith(_MARK):
        return Text("", text)
    subject, _, body = text.removeprefix(_MARK).partition("\n")
    return Text(subject.strip(), body.lstrip("\n"))
