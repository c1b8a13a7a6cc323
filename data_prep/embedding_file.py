"""Writes an embeddings file as genrec_dist reads it: HDF5, dataset `embeddings` [items, width], row = item id.

Attributes of the dataset: source, template, rows (provenance) and sha256 (of its bytes, which readers check); of the
root: writer, complete.
"""
import hashlib
import os
import sys
from pathlib import Path

from failure import BAD_DATA, INPUT_OUTPUT, Failure, first_line, need

DATASET = "embeddings"
TYPES = {"float16": "<f2", "float32": "<f4"}


def add_dtype_option(parser):
    parser.add_argument("--dtype", choices=sorted(TYPES), default="float32",
                        help="type of the numbers in the file; float16 takes half the room (default: float32)")


def converted(vectors, dtype, where):
    """The vectors as they are stored. Fails for what is no table of finite numbers."""
    numpy = need("numpy")
    require_table(vectors, where)
    if vectors.dtype.kind != "f":
        raise Failure(BAD_DATA, f"{where}: holds {vectors.dtype} where floating-point numbers were expected")
    require_finite(vectors, where)
    with numpy.errstate(over="ignore"):
        stored = numpy.ascontiguousarray(vectors, dtype=TYPES[dtype])
    require_finite(stored, f"{where}, as {dtype}")
    return stored


def require_table(vectors, where):
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise Failure(BAD_DATA, f"{where}: has the shape {list(vectors.shape)} where [items, width] was expected")


def require_finite(vectors, where):
    numpy = need("numpy")
    bad = numpy.flatnonzero(~numpy.isfinite(vectors).all(axis=1))
    if bad.size > 0:
        raise Failure(BAD_DATA, f"{where}: {bad.size} of {len(vectors)} rows hold NaN or infinite numbers, the first "
                                f"is row {bad[0]}; make these vectors anew")


def warnings_about(vectors):
    """Sentences on rows that say nothing of their items, or not which of them."""
    constant = 0
    if vectors.shape[1] > 1:
        constant = int((vectors.max(axis=1) == vectors.min(axis=1)).sum())
    # + 0: -0 and 0 are equal numbers of different bytes.
    distinct = len({hashlib.blake2b((row + 0).tobytes(), digest_size=16).digest() for row in vectors})
    lines = []
    if constant > 0:
        lines.append(f"{constant} of {len(vectors)} rows are constant: they say nothing of their items")
    if distinct < len(vectors):
        lines.append(f"{len(vectors) - distinct} of {len(vectors)} rows repeat another one: no codebook separates "
                     "their items")
    return lines


def write_embeddings(path, vectors, source, template, dtype="float32", where="the vectors"):
    """`vectors`: a NumPy array [items, width]; `where` names them in errors. The file is whole or not there."""
    numpy, h5py = need("numpy"), need("h5py")
    stored = converted(vectors, dtype, where)
    for line in warnings_about(stored):
        print(f"warning: {where}: {line}", file=sys.stderr)

    def put_text(owner, name, text):
        # Of fixed length: the format has no checksum for strings of any length.
        data = text.encode("utf-8")
        owner.attrs.create(name, numpy.bytes_(data), dtype=h5py.string_dtype("utf-8", max(1, len(data))))

    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        with h5py.File(partial, "w", libver=("v108", "v108")) as file:
            dataset = file.create_dataset(DATASET, data=stored)
            put_text(dataset, "sha256", hashlib.sha256(stored.reshape(-1).view(numpy.uint8)).hexdigest())
            put_text(dataset, "source", source)
            put_text(dataset, "template", template)
            dataset.attrs["rows"] = numpy.int64(len(stored))
            put_text(file, "writer", "genrec_dist")
            file.attrs["complete"] = numpy.int64(1)
        with open(partial, "rb") as written:
            os.fsync(written.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise Failure(INPUT_OUTPUT, f"cannot write {path}: {first_line(error)}; check the folder and its free "
                                    "space") from error
    finally:
        partial.unlink(missing_ok=True)
    print(f"{path}: {len(stored)} rows of width {stored.shape[1]}, {dtype}, from {source}")
