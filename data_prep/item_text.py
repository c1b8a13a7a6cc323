"""The texts of items as genrec_dist itself reads them from NAME.item.json."""
import html.entities
import json
import re

from failure import BAD_DATA, MISSING_INPUT, Failure

LONGEST = 2000  # characters; longer texts count as none, as in LC-Rec's preparation
# title+description: one text, joined by ", ". mean-of-fields: one vector a field, then their mean (LETTER, LC-Rec).
TEMPLATES = ("title", "title+description", "mean-of-fields")

_ENTITY = re.compile(r"&(#[0-9]{1,9}|#[xX][0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]*);")
_TAG = re.compile(r"<[A-Za-z/!][^>]*>")


def _character(match):
    name = match[1]
    if name.startswith("#"):
        code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
        is_character = 0 < code < 0x110000 and not 0xD800 <= code <= 0xDFFF
        return chr(code) if is_character else match[0]
    code = ord("'") if name == "apos" else html.entities.name2codepoint.get(name)
    return match[0] if code is None else chr(code)


def clean(text):
    """Entities resolved; tags and double quotes removed; newlines made blanks; dots at the end folded to one."""
    text = _TAG.sub("", _ENTITY.sub(_character, text)).replace('"', "")
    text = re.sub(r"[\t-\r]+", " ", text).strip(" ")
    text = re.sub(r"\.\.+$", ".", text)
    return "" if len(text) >= LONGEST else text


def _field(path, number, entry, field):
    value = entry.get(field)
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = " ".join(value)
    if not isinstance(value, str):
        raise Failure(BAD_DATA, f"{path}, item {number}, {field}: expected a text or a list of texts")
    return clean(value)


def read_items(path):
    """(title, description) of every item, row = item id."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError as error:
        raise Failure(MISSING_INPUT, f"{path}: no such file; name a NAME.item.json") from error
    except OSError as error:
        raise Failure(MISSING_INPUT, f"{path}: cannot be read ({error.strerror}); name a NAME.item.json") from error
    except ValueError as error:
        raise Failure(BAD_DATA, f"{path}: is no JSON in UTF-8: {error}") from error
    if not isinstance(content, dict) or not content:
        raise Failure(BAD_DATA, f"{path}: expected one object with item ids as keys")
    items = []
    for number in range(len(content)):
        entry = content.get(str(number))
        if entry is None:
            raise Failure(BAD_DATA, f"{path}: item {number} of {len(content)} is missing; number items 0, 1, 2, ...")
        if not isinstance(entry, dict):
            raise Failure(BAD_DATA, f"{path}, item {number}: expected an object with \"title\"")
        items.append((_field(path, number, entry, "title"), _field(path, number, entry, "description")))
    return items


def texts_of(item, template):
    """The texts of one item, whose vectors are averaged: none when the item has no text."""
    fields = [text for text in item if text]
    if template == "title":
        return [item[0]] if item[0] else []
    if template == "title+description":
        return [", ".join(fields)] if fields else []
    return fields
