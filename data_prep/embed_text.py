#!/usr/bin/env python3
"""Makes text embeddings of a dataset's items with an encoder from a local folder.

  embed_text.py --items data/Beauty.item.json --model encoders/all-MiniLM-L6-v2 --template title+description
  embed_text.py --items data/Yelp.item.json --model encoders/llama-7b --template mean-of-fields --precision bf16

--model is a folder of sentence-transformers, used with the pooling it was trained with, or of any Hugging Face encoder
(BERT, T5's encoder, LLaMA, ...), whose last hidden states are averaged over all tokens but padding. Nothing is
downloaded. The result goes to NAME.embeddings.h5 beside NAME.item.json, where genrec_dist finds it. Equal texts are
encoded once and get equal vectors.
"""
import argparse
import os
import sys
import time
from pathlib import Path

import embedding_file
import item_text
from failure import BAD_DATA, MISSING_INPUT, USAGE, Failure, first_line, need, run


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="exit codes: 0 done, 2 usage, 65 bad data, 66 missing input, 74 disk")
    parser.add_argument("--items", type=Path, required=True, metavar="NAME.item.json",
                        help="titles and descriptions of the items")
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="the encoder's folder")
    parser.add_argument("--output", type=Path, metavar="FILE.h5",
                        help="file to write (default: NAME.embeddings.h5 beside --items)")
    parser.add_argument("--template", choices=item_text.TEMPLATES, default="title",
                        help="what is read of an item: its title; title and description as one text; or each for "
                             "itself, and the mean of both vectors (default: title)")
    parser.add_argument("--encoder", choices=("auto", "sentence-transformers", "huggingface"), default="auto",
                        help="kind of folder; auto: sentence-transformers where it has a modules.json (default: auto)")
    parser.add_argument("--normalise", action="store_true", help="scale vectors to length 1")
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="texts at once (default: 64)")
    parser.add_argument("--max-pieces", type=int, metavar="N",
                        help="pieces of a text that are read (default: the encoder's own limit, at most 512; LETTER "
                             "and LC-Rec read 2048 with LLaMA)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32",
                        help="in which the encoder computes; bf16 halves its memory (default: f32)")
    parser.add_argument("--source", metavar="TEXT",
                        help="name of the encoder, kept in the file (default: the folder's name)")
    embedding_file.add_dtype_option(parser)
    options = parser.parse_args()
    for name in ("batch", "max_pieces"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')}: expected at least 1")
    if options.output is None:
        if not options.items.name.endswith(".item.json"):
            parser.error("--output: needed where --items does not end in .item.json")
        options.output = options.items.with_name(options.items.name.removesuffix(".item.json") + ".embeddings.h5")
    return options


class ProgressLine:
    """One line on a terminal, redrawn; elsewhere a line every ten seconds."""

    def __init__(self, total):
        self.total, self.began, self.drawn = total, time.monotonic(), 0.0
        self.terminal = sys.stderr.isatty()

    def update(self, done):
        now = time.monotonic()
        if done < self.total and now - self.drawn < (0.2 if self.terminal else 10):
            return
        self.drawn = now
        rate = done / max(now - self.began, 1e-9)
        left = (self.total - done) / max(rate, 1e-9)
        end = "\r" if self.terminal and done < self.total else "\n"
        print(f"encoded {done}/{self.total} texts, {rate:.0f} texts/s, {left:.0f} s left  ", end=end, file=sys.stderr,
              flush=True)


def chosen_device(torch, wanted):
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise Failure(USAGE, f"--device {wanted}: expected auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise Failure(USAGE, f"--device {wanted}: no CUDA device can be used here; leave --device out or give cpu")
    return device


def sentence_encoder(options, torch, device):
    """A function from texts to an array [texts, width] float32, by sentence-transformers."""
    sentence_transformers = need("sentence_transformers")
    model = sentence_transformers.SentenceTransformer(str(options.model), device=str(device), local_files_only=True)
    if options.precision == "bf16":
        model = model.to(torch.bfloat16)
    if options.max_pieces is not None:
        model.max_seq_length = options.max_pieces

    def encode(texts):
        vectors = model.encode(texts, batch_size=len(texts), convert_to_tensor=True, show_progress_bar=False)
        return vectors.float().cpu().numpy()
    return encode


def hidden_state_encoder(options, torch, device):
    """The same by the mean of an encoder's last hidden states."""
    transformers = need("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(options.model), local_files_only=True)
    model = transformers.AutoModel.from_pretrained(str(options.model), local_files_only=True)
    if getattr(model.config, "is_encoder_decoder", False):
        model = model.get_encoder()
    model = model.to(device=device, dtype=torch.bfloat16 if options.precision == "bf16" else torch.float32).eval()
    if tokenizer.pad_token is None:  # LLaMA has none; padding is masked, so any token serves
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    limit = options.max_pieces or min(512, tokenizer.model_max_length)

    def encode(texts):
        pieces = tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt").to(device)
        mask = pieces["attention_mask"]
        with torch.no_grad():
            hidden = model(input_ids=pieces["input_ids"], attention_mask=mask).last_hidden_state.float()
        weights = mask.unsqueeze(-1).float()  # [texts, pieces, 1]
        means = (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return means.cpu().numpy()
    return encode


def load_encoder(options, torch):
    if not options.model.is_dir():
        raise Failure(MISSING_INPUT, f"--model {options.model}: no such folder; give one that holds an encoder")
    device = chosen_device(torch, options.device)
    sentence = options.encoder == "sentence-transformers" or (
        options.encoder == "auto" and (options.model / "modules.json").is_file())
    os.environ["HF_HUB_OFFLINE"] = "1"  # before the libraries are imported
    try:
        return (sentence_encoder if sentence else hidden_state_encoder)(options, torch, device)
    except Failure:
        raise
    except Exception as error:  # the libraries below raise classes of their own, and some a plain Exception
        kind = "sentence-transformers" if sentence else "Hugging Face"
        raise Failure(BAD_DATA, f"--model {options.model}: cannot be loaded as a {kind} encoder "
                                f"({first_line(error)}); check the folder, or choose --encoder") from error


def encoded(texts, encode, batch):
    try:
        return encode(texts)
    except (IndexError, RuntimeError, ValueError) as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's
            raise Failure(1, f"the GPU's memory is too small for --batch {batch}; give a smaller one") from error
        longest = max(len(text) for text in texts)
        raise Failure(BAD_DATA, f"the encoder fails at texts of up to {longest} characters ({first_line(error)}); "
                                "where it has no place for so many pieces, give a smaller --max-pieces") from error


def encode_all(texts, encode, batch):
    """Vectors of the texts, float32 [texts, width]. Longest first: little padding, and short memory shows at once."""
    numpy = need("numpy")
    order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), texts[i]))
    progress = ProgressLine(len(texts))
    vectors = None
    for begin in range(0, len(order), batch):
        part = order[begin:begin + batch]
        found = encoded([texts[i] for i in part], encode, batch)
        if vectors is None:
            vectors = numpy.zeros((len(texts), found.shape[1]), dtype=numpy.float32)
        vectors[part] = found
        progress.update(begin + len(part))
    return vectors


def main():
    options = arguments()
    items = item_text.read_items(options.items)
    texts = [item_text.texts_of(item, options.template) for item in items]
    empty = [number for number, own in enumerate(texts) if not own]
    if len(empty) == len(items):
        raise Failure(BAD_DATA, f"{options.items}: no item has a text for --template {options.template}")
    if empty:
        print(f"warning: {options.items}: {len(empty)} of {len(items)} items have no text for --template "
              f"{options.template}, the first is item {empty[0]}; they are encoded as the empty text", file=sys.stderr)
        for number in empty:
            texts[number] = [""]
    numpy, torch = need("numpy"), need("torch")
    need("h5py")  # missed now rather than after hours
    encode = load_encoder(options, torch)

    numbers = {}
    for own in texts:
        for text in own:
            numbers.setdefault(text, len(numbers))
    of_text = encode_all(list(numbers), encode, options.batch)
    vectors = numpy.stack([of_text[[numbers[text] for text in own]].mean(axis=0) for own in texts])
    if options.normalise:
        lengths = numpy.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = vectors / numpy.where(lengths > 0, lengths, 1)
    source = options.source or options.model.resolve().name
    embedding_file.write_embeddings(options.output, vectors, source, options.template, options.dtype,
                                    where=f"embeddings of {options.items}")


if __name__ == "__main__":
    run(main)
