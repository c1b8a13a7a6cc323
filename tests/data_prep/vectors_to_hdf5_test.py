#!/usr/bin/env python3
"""Vectors of NumPy go into HDF5 and come back; what is no table of vectors is refused. Needs numpy and h5py."""
import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy

from checks import expect, expect_done, expect_equal, expect_refused, finish, run
from vector_files import PROGRAM, VALUES, read


def check_numpy(folder):
    source, target = folder / "v.npy", folder / "v.h5"
    for dtype in (numpy.float32, numpy.float64, numpy.float16, ">f4"):
        numpy.save(source, VALUES.astype(dtype))
        expect_done(run(PROGRAM, source, target, "--template", "title+description", "--rows", 4), f"{dtype}")
        values, origin, template = read(target)
        expect_equal(values.dtype, numpy.dtype("float32"), f"type from {dtype}")
        expect_equal(values.tolist(), VALUES.astype(dtype).astype(numpy.float32).tolist(), f"values from {dtype}")
        expect_equal((origin, template), ("v.npy", "title+description"), "provenance")

    numpy.save(source, VALUES)
    result = run(PROGRAM, source, target, "--drop-first-row", "--dtype", "float16", "--source", "Größe")
    expect_done(result, "float16")
    values, origin, template = read(target)
    expect_equal(values.dtype, numpy.dtype("float16"), "--dtype float16")
    expect_equal(values.tolist(), VALUES[1:].astype(numpy.float16).tolist(), "--drop-first-row")
    expect_equal((origin, template), ("Größe", ""), "--source")
    expect_equal(result.stderr, "", "nothing to warn of")
    with h5py.File(target) as file:
        shape = file["embeddings"].attrs.get_id("source").get_type()
        expect(not shape.is_variable_str(), "texts are of fixed length")

    numpy.save(source, numpy.array([[1, 2], [3, 3], [1, 2], [0, 0], [-0.0, 0]], dtype=numpy.float32))
    result = run(PROGRAM, source, target)
    expect_done(result, "rows that say little")
    expect("3 of 5 rows are constant" in result.stderr, f"constant rows: {result.stderr}")
    expect("2 of 5 rows repeat" in result.stderr, f"rows that repeat: {result.stderr}")


def check_numpy_errors(folder):
    source, target = folder / "bad.npy", folder / "bad.h5"
    expect_refused(run(PROGRAM, folder / "absent.npy", target), 66, "absent.npy")
    bad = VALUES.copy()
    bad[2, 1], bad[3, 0] = numpy.nan, numpy.inf
    for values, words in ((bad, ("2 of 4 rows", "row 2")), (VALUES[0], ("[3]",)), (VALUES[:0], ("[0, 3]",)),
                          (VALUES.astype(int), ("int64",)), (VALUES.astype(object), ("numpy.save",))):
        numpy.save(source, values, allow_pickle=True)
        expect_refused(run(PROGRAM, source, target), 65, "bad.npy", *words)
    numpy.save(source, VALUES * 1e5)
    expect_refused(run(PROGRAM, source, target, "--dtype", "float16"), 65, "float16")
    numpy.save(source, VALUES)
    expect_refused(run(PROGRAM, source, target, "--rows", 3), 65, "4 rows", "--drop-first-row")
    expect_refused(run(PROGRAM, source, target, "--rows", 9), 65, "--rows 9")
    expect_refused(run(PROGRAM, source, target, "--key", "x"), 2, "--key x")
    expect_refused(run(PROGRAM, source, folder / "no" / "folder.h5"), 74, "folder.h5")
    source.write_text("text")
    expect_refused(run(PROGRAM, source, target), 65, "bad.npy")
    source.write_bytes(b"PK\x03\x04 begins like an archive, and is none")
    expect_refused(run(PROGRAM, source, target), 65, "bad.npy")
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("x.npy", b"")
    expect_refused(run(PROGRAM, source, target), 65, "bad.npy", "archive")
    unreadable = folder / "unreadable.npy"
    unreadable.symlink_to("/proc/self/mem")  # a file that even root cannot read at its begin
    expect_refused(run(PROGRAM, unreadable, target), 66, "unreadable.npy", "cannot be read")
    (folder / "v.csv").write_text("1,2")
    expect_refused(run(PROGRAM, folder / "v.csv", target), 2, ".npy")
    expect_equal(run(PROGRAM).returncode, 2, "no arguments")
    expect(not target.exists() and not (folder / "bad.h5.partial").exists(), "a refused file leaves nothing")


with tempfile.TemporaryDirectory() as name:
    check_numpy(Path(name))
    check_numpy_errors(Path(name))
finish()
