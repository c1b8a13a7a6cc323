#!/usr/bin/env python3
"""Turns vectors of items from NumPy (.npy) or PyTorch (.pt, .pth, .pth.tar, .bin) into an embeddings file.

  vectors_to_hdf5.py X.emb-llama-td.npy X.embeddings.h5 --template title+description
  vectors_to_hdf5.py X-32d-sasrec.pt X.cf.h5
  vectors_to_hdf5.py lightgcn.pth.tar X.cf.h5 --key embedding_item.weight
  vectors_to_hdf5.py sasrec.pth X.cf.h5 --key item_embedding.weight --drop-first-row

Row i of the result is item i's vector. Files are read without running code that they may hold: of a PyTorch file only
tensors, of a NumPy file only numbers.
"""
import argparse
import zipfile
from pathlib import Path

import embedding_file
from failure import BAD_DATA, MISSING_INPUT, USAGE, Failure, first_line, need, run

NUMPY_SUFFIXES = (".npy",)
TORCH_SUFFIXES = (".pt", ".pth", ".pth.tar", ".bin")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="exit codes: 0 done, 2 usage, 65 bad data, 66 missing input, 74 disk")
    parser.add_argument("input", type=Path, help="file with the vectors: .npy, .pt, .pth, .pth.tar or .bin")
    parser.add_argument("output", type=Path,
                        help="file to write; NAME.embeddings.h5 (text) or NAME.cf.h5 (collaborative) beside a "
                             "dataset is found by its name")
    parser.add_argument("--key", metavar="NAME",
                        help="the tensor to take from a PyTorch file that holds many, such as a model's state; "
                             "dictionaries inside one another are joined by /: state_dict/item.weight. Without it, a "
                             "wrong guess is not made: the names are listed")
    parser.add_argument("--drop-first-row", action="store_true",
                        help="for tables whose row 0 is padding and row 1 is item 0's (ids from 1, as RecBole's)")
    parser.add_argument("--rows", type=int, metavar="N", help="fail unless this many items are left")
    parser.add_argument("--source", metavar="TEXT",
                        help="what made the vectors, kept in the file (default: the input's name)")
    parser.add_argument("--template", metavar="TEXT", default="",
                        help="the text that an encoder read of an item, such as title+description, kept in the file")
    embedding_file.add_dtype_option(parser)
    return parser.parse_args()


def require_readable(path):
    try:
        if not path.is_file():
            raise Failure(MISSING_INPUT, f"{path}: no such file; correct the path")
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise Failure(MISSING_INPUT, f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def read_numpy(path, key):
    numpy = need("numpy")
    if key is not None:
        raise Failure(USAGE, f"--key {key}: a .npy file holds a single array; leave --key out")
    try:
        content = numpy.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise Failure(BAD_DATA, f"{path}: is no .npy file of numbers ({first_line(error)}); save the array alone, "
                                "with numpy.save") from error
    if not isinstance(content, numpy.ndarray):
        raise Failure(BAD_DATA, f"{path}: is an archive of several arrays; save the one of the vectors with numpy.save")
    return content


def tables_in(value, is_tensor, prefix=""):
    """Name and tensor of everything with two dimensions in dictionaries inside one another."""
    if is_tensor(value) and value.ndim == 2:
        yield prefix, value
    elif isinstance(value, dict):
        for key, inside in value.items():
            yield from tables_in(inside, is_tensor, f"{prefix}/{key}" if prefix else str(key))


def read_torch(path, key):
    torch = need("torch")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise any
        raise Failure(BAD_DATA, f"{path}: holds more than tensors, or is damaged ({first_line(error)}); where you "
                                "trust it, load it and save the tensor alone, with torch.save") from error
    tables = dict(tables_in(content, torch.is_tensor))
    if not tables:
        raise Failure(BAD_DATA, f"{path}: holds no tensor of two dimensions")
    if key is None:
        key = next(iter(tables))
        if len(tables) > 1:
            raise Failure(USAGE, f"{path}: holds several tables, choose one with --key: {listed(tables)}")
    if key not in tables:
        raise Failure(USAGE, f"--key {key}: {path} has no such table, but {listed(tables)}")
    tensor = tables[key].detach()
    if not tensor.is_floating_point():
        raise Failure(BAD_DATA, f"{path}, {key or 'tensor'}: holds {tensor.dtype} where floating-point numbers were "
                                "expected")
    return tensor.to(torch.float64 if tensor.dtype == torch.float64 else torch.float32).numpy()


def listed(tables):
    named = [f"{name or '(the tensor itself)'} {list(tensor.shape)}" for name, tensor in tables.items()]
    more = f" and {len(named) - 20} more" if len(named) > 20 else ""
    return ", ".join(named[:20]) + more


def main():
    options = arguments()
    name = options.input.name
    require_readable(options.input)
    if name.endswith(NUMPY_SUFFIXES):
        vectors = read_numpy(options.input, options.key)
    elif name.endswith(TORCH_SUFFIXES):
        vectors = read_torch(options.input, options.key)
    else:
        raise Failure(USAGE, f"{options.input}: unknown kind of file; expected a name that ends in "
                             f"{', '.join(NUMPY_SUFFIXES + TORCH_SUFFIXES)}")
    embedding_file.require_table(vectors, str(options.input))
    if options.drop_first_row:
        vectors = vectors[1:]
    if options.rows is not None and len(vectors) != options.rows:
        hint = ""
        if len(vectors) == options.rows + 1 and not options.drop_first_row:
            hint = "; where ids are from 1, give --drop-first-row"
        raise Failure(BAD_DATA, f"{options.input}: {len(vectors)} rows, but --rows {options.rows}{hint}")
    source = options.source or name + (f", {options.key}" if options.key else "")
    embedding_file.write_embeddings(options.output, vectors, source, options.template, options.dtype,
                                    where=str(options.input))


if __name__ == "__main__":
    run(main)
