"""What the tests of vectors_to_hdf5.py share: vectors, and what came of them."""
import hashlib

import h5py
import numpy

from checks import expect_equal

PROGRAM = "vectors_to_hdf5.py"
VALUES = numpy.array([[1, -2, 0.5], [3, 4, 5], [0.1, 0.2, 0.3], [7, 8, 9]], dtype=numpy.float32)


def text(attribute):
    return attribute.decode() if isinstance(attribute, bytes) else attribute


def read(path):
    with h5py.File(path) as file:
        dataset = file["embeddings"]
        expect_equal(text(file.attrs["writer"]), "genrec_dist", "writer")
        expect_equal(int(file.attrs["complete"]), 1, "complete")
        values = dataset[()]
        attributes = {name: dataset.attrs[name] for name in dataset.attrs}
    expect_equal(text(attributes["sha256"]), hashlib.sha256(values.tobytes()).hexdigest(), f"{path}: sha256")
    expect_equal(int(attributes["rows"]), len(values), f"{path}: rows")
    return values, text(attributes["source"]), text(attributes["template"])
