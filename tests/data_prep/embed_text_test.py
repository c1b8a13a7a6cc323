#!/usr/bin/env python3
"""Items' texts are those that genrec_dist reads itself, bad input is refused, each text is encoded once. Needs numpy
and h5py; encoders are stand-ins."""
import json
import sys
import tempfile
from pathlib import Path

import numpy

from checks import DATA_PREP, expect, expect_done, expect_equal, expect_refused, finish, run
from vector_files import read

sys.path.insert(0, str(DATA_PREP))
import embed_text  # noqa: E402
import item_text  # noqa: E402
from failure import Failure  # noqa: E402

PROGRAM = "embed_text.py"


def check_cleaning():
    # The cases of tests/unit/data/text_cleaning_test.cpp.
    for raw, clean in (("Salt &amp; Pepper", "Salt & Pepper"),
                       ("Caf&eacute; &#233; &#xE9; &#X20AC;", "Café é é €"),
                       ("it&#39;s &quot;fine&quot;", "it's fine"), ("a&nbsp;b", "a\u00a0b"),
                       ("AT&T; R&D, &unknown; &#xD800; &#; & ;", "AT&T; R&D, &unknown; &#xD800; &#; & ;"),
                       ("&amp;lt;", "&lt;"), ("<b>Bold</b> and <br/>more", "Bold and more"),
                       ("  two\r\n\tlines \n", "two lines"), ("5 < 6, a <> b", "5 < 6, a <> b"),
                       ("a \"quoted\" word", "a quoted word"), (" \n", ""), ("The end...", "The end."),
                       ("v1..2", "v1..2"), ("no dot", "no dot"), ("<<b>b>bold", "<b>bold"), ("é" * 1999, "é" * 1999),
                       ("é" * 2000, "")):
        expect_equal(item_text.clean(raw), clean, f"clean({raw[:40]!r})")


def check_templates():
    for item, template, texts in ((("Tea", "green"), "title", ["Tea"]),
                                  (("Tea", "green"), "title+description", ["Tea, green"]),
                                  (("", "plain"), "title+description", ["plain"]),
                                  (("Lamp", ""), "title+description", ["Lamp"]),
                                  (("Tea", "green"), "mean-of-fields", ["Tea", "green"]),
                                  (("", "plain"), "mean-of-fields", ["plain"]), (("", "plain"), "title", []),
                                  (("", ""), "title+description", [])):
        expect_equal(item_text.texts_of(item, template), texts, f"{item}, {template}")


def check_input(folder):
    path = folder / "X.item.json"

    def refused(content, code, *words):
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        expect_refused(run(PROGRAM, "--items", path, "--model", folder / "none"), code, "X.item.json", *words)

    path.write_text(json.dumps({"1": {"title": ["b", "c"], "description": None}, "0": {"title": "<b>a</b>"}}))
    expect_equal(item_text.read_items(path), [("a", ""), ("b c", "")], "items by id")
    refused("{", 65, "JSON")
    refused([], 65, "one object")
    refused({"0": {"title": "a"}, "2": {"title": "b"}}, 65, "item 1 of 2")
    refused({"0": {"title": 5}}, 65, "item 0, title")
    refused({"0": "a"}, 65, "item 0")
    refused({"0": {"title": ""}}, 65, "no item has a text")
    expect_refused(run(PROGRAM, "--items", folder / "absent.item.json", "--model", folder), 66, "absent.item.json")
    expect_equal(run(PROGRAM, "--items", path).returncode, 2, "no --model")
    expect_equal(run(PROGRAM, "--items", path, "--model", folder, "--batch", "0").returncode, 2, "--batch 0")
    expect_equal(run(PROGRAM, "--items", folder / "x.json", "--model", folder).returncode, 2, "no --output")


def check_encoding():
    """Each different text is encoded once, whatever the batches are."""
    calls = []

    def encode(texts):
        calls.extend(texts)
        return numpy.array([[len(text), text.count("a")] for text in texts], dtype=numpy.float32)

    texts = ["a", "bbb", "", "aab", "cc"]
    vectors = embed_text.encode_all(texts, encode, 2)
    expect_equal(vectors.tolist(), [[1, 1], [3, 0], [0, 0], [3, 2], [2, 0]], "vectors in the order of the texts")
    expect_equal(sorted(calls), sorted(texts), "texts encoded")
    expect_equal(vectors.dtype, numpy.dtype("float32"), "type of the vectors")


def check_failing_encoder():
    class OutOfMemoryError(RuntimeError):
        """As torch's."""

    for error, code, words in ((IndexError("index out of range in self"), 65, ("--max-pieces", "3 characters")),
                               (RuntimeError("The size of tensor a (600) must match"), 65, ("--max-pieces",)),
                               (OutOfMemoryError("CUDA out of memory"), 1, ("--batch 2",))):
        def encode(texts, error=error):
            raise error
        try:
            embed_text.encode_all(["a", "bbb"], encode, 2)
            expect(False, f"{error!r} went by")
        except Failure as failure:
            expect_equal(failure.code, code, f"code of {error!r}")
            for word in words:
                expect(word in str(failure), f"{error!r}: {failure}")


STAND_INS = {
    "torch.py": """
class cuda:
    is_available = staticmethod(lambda: False)
device, bfloat16, float32 = str, "bf16", "f32"
""",
    "transformers.py": """
class AutoTokenizer:
    @staticmethod
    def from_pretrained(folder, **more):
        raise Exception("data did not match any variant\\n of the untagged enum")
""",
    "sentence_transformers.py": """
import numpy
class Tensor:
    def __init__(self, rows): self.rows = rows
    float = cpu = lambda self: self
    def numpy(self): return numpy.array(self.rows, dtype="float32")
class SentenceTransformer:
    def __init__(self, folder, **more): self.max_seq_length = 256
    def encode(self, texts, **more): return Tensor([[len(text), self.max_seq_length] for text in texts])
""",
}


def check_encoders(folder):
    modules = folder / "modules"
    modules.mkdir()
    for name, text in STAND_INS.items():
        (modules / name).write_text(text)
    items = folder / "Z.item.json"
    items.write_text(json.dumps({"0": {"title": "Tea", "description": "green"}, "1": {"title": "Lamp"}}))
    arguments = ["--items", items, "--model", folder]
    # Of tokenizers: a plain Exception, of two lines.
    expect_refused(run(PROGRAM, *arguments, modules=modules), 65, "Hugging Face", "any variant")
    expect_refused(run(PROGRAM, "--items", items, "--model", folder / "none", modules=modules), 66, "no such folder")
    expect_done(run(PROGRAM, *arguments, "--encoder", "sentence-transformers", "--template", "mean-of-fields",
                    "--max-pieces", 9, "--source", "stand-in", modules=modules), "sentence-transformers")
    values, source, template = read(folder / "Z.embeddings.h5")
    expect_equal(values.tolist(), [[4, 9], [4, 9]], "means of the fields' vectors")
    expect_equal((source, template), ("stand-in", "mean-of-fields"), "provenance")


check_cleaning()
check_templates()
with tempfile.TemporaryDirectory() as name:
    check_input(Path(name))
    check_encoders(Path(name))
check_encoding()
check_failing_encoder()
finish()
