#!/usr/bin/env python3
"""Vectors of Hugging Face encoders are the means of each text's own hidden states: by embed_text.py, and by the program
of a T5. Needs numpy, h5py, torch, transformers and sentencepiece; the encoders have random weights."""
import json
import os
import subprocess
import tempfile
from pathlib import Path

import h5py
import numpy
import sentencepiece
import torch
import transformers

from checks import expect, expect_done, finish, run

TITLES = ["green tea", "a", "black tea of the green hills , strong", "tea tea tea", "hills of green"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "tea", "green", "black", "of", "the", "hills", "strong", ","]
SHARED = Path(os.environ.get("GENREC_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def largest_difference(path, expected):
    with h5py.File(path) as file:
        return numpy.abs(file["embeddings"][:] - numpy.stack(expected)).max()


def check_bert(folder):
    model_folder = folder / "bert"
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    tokenizer = transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt"))
    torch.manual_seed(1)
    model = transformers.BertModel(transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)).eval()
    tokenizer.save_pretrained(model_folder)
    model.save_pretrained(model_folder)
    items = folder / "X.item.json"
    items.write_text(json.dumps({str(i): {"title": title} for i, title in enumerate(TITLES)}))
    expect_done(run("embed_text.py", "--items", items, "--model", model_folder, "--batch", "2"), "a BERT")
    expected = []
    with torch.no_grad():
        for title in TITLES:  # alone: nothing is padded
            expected.append(model(**tokenizer(title, return_tensors="pt")).last_hidden_state[0].mean(0).numpy())
    off = largest_difference(folder / "X.embeddings.h5", expected)
    expect(off < 1e-5, f"a BERT: mean over all tokens but padding (off by {off:.1e})")


def check_t5(folder, program, spiece):
    torch.manual_seed(2)
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(
        vocab_size=32128, d_model=16, d_kv=4, num_heads=2, d_ff=32, num_layers=2, num_decoder_layers=1,
        decoder_start_token_id=0)).eval()
    model.save_pretrained(folder / "t5")
    (folder / "X.inter.json").write_text(json.dumps({str(user): [(user + k) % 5 for k in range(4)] for user in range(9)}))
    result = subprocess.run(
        [program, "embed", "--embed.model", "t5", "--model.weights", folder / "t5", "--text.spiece", spiece, "--data.dir",
         folder, "--run.dir", folder / "run", "--embed.output", folder / "t5.h5", "--run.progress", "none"],
        capture_output=True, text=True)
    expect(result.returncode == 0, f"embed with a T5: {result.stderr}")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(spiece))
    expected = []
    with torch.no_grad():
        for title in TITLES:
            ids = torch.tensor([[*pieces.encode(title), 1]])
            expected.append(model.encoder(input_ids=ids).last_hidden_state[0].mean(0).numpy())
    off = largest_difference(folder / "t5.h5", expected)
    expect(off < 1e-5, f"a T5: mean over the pieces and the end token (off by {off:.1e})")


with tempfile.TemporaryDirectory() as name:
    check_bert(Path(name))
    spiece = SHARED / "t5/spiece.model"
    if "GENREC_PROGRAM" in os.environ and spiece.is_file():
        check_t5(Path(name), os.environ["GENREC_PROGRAM"], spiece)
    else:
        print(f"SKIPPED the T5: needs GENREC_PROGRAM and {spiece}")
finish()
