#!/usr/bin/env python3
"""Runs the benchmarks of the hot paths beside the Python peers and the machine's ceilings, all in one go on one
machine, and writes one JSON file and one table (launch/bench.sh; Python's standard library only).

    report.py --build build --data DATA [--yelp DATA] [--peers FOLDER --python PYTHON] [--threads 2]
              [--repeat 3] [--precision f32|bf16] [--only train,decode,...] [--out FILE.json] [--compare OLD.json]

A benchmark checks its results before it starts its clock. What cannot run here is named, not left out in silence.
With --compare, a rate relative to the machine's own ceiling that fell by more than a tenth ends it with exit code 1.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FAILURES = (RuntimeError, OSError, KeyError, ValueError)
SLOWER = 0.9  # of the rate before, both relative to their ceilings: below is a regression


def json_line(command, environment=None):
    """The last line of a program's output as JSON."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{Path(str(command[0])).name}: exit code {done.returncode}: {last}")
    lines = done.stdout.strip().splitlines()
    if not lines:
        raise RuntimeError(f"{Path(str(command[0])).name}: printed nothing")
    return json.loads(lines[-1])


def median(value):
    return value["median"] if isinstance(value, dict) else value


class Bench:
    """One hot path: the program's benchmark and the peer's. `rate` and `peer_rate` take the rate out of their answers,
    `gflop` names the member with the operations that a unit needs."""

    def __init__(self, name, what, unit, ours, rate, gflop=None, peer=None, peer_rate=None):
        self.name, self.what, self.unit, self.ours, self.rate = name, what, unit, ours, rate
        self.gflop, self.peer, self.peer_rate = gflop, peer, peer_rate


def peer_config(options, model):
    """The peer's config.json of a model; T5-small's is TIGER's with other sizes."""
    config = Path(options.t5) / "config.tiger.json"
    if model == "tiger" or not config.exists():
        return config
    sizes = {"d_model": 512, "d_ff": 2048, "num_layers": 6, "num_decoder_layers": 6, "num_heads": 8}
    changed = Path(options.scratch) / f"config.{model}.json"
    changed.write_text(json.dumps({**json.loads(config.read_text()), **sizes}))
    return changed


def users_of_small(options):
    """A block of 32 for every thread, two at least."""
    return str(32 * max(2, int(options.threads)))


def t5_benches(options, suffix, model, dataset, folder, vocabulary, said):
    """Training and decoding of a T5 with the identifiers of a dataset."""
    tests, small = Path(options.build) / "tests", model != "tiger"
    ours = ["--data", folder, "--name", dataset, "--model", model, "--vocabulary", vocabulary, "--precision",
            options.precision, "--threads", options.threads, "--repeat", options.repeat]
    peer = ["--inter", Path(folder) / f"{dataset}.inter.json", "--index", Path(folder) / f"{dataset}.index.json",
            "--config", peer_config(options, model), "--dtype", options.precision, "--threads", options.threads,
            "--vocab", vocabulary]
    hf = [options.python, Path(options.peers) / "hf_tiger.py"]
    steps = ["--batch", "64", "--warmup", "1", "--steps", "8"] if small else ["--batch", "256"]
    users, peer_users = (users_of_small(options), "32") if small else ("256", "128")
    return [
        Bench(f"train{suffix}", f"training, {said}, batch {steps[1]}, dropout 0.1", "samples/s",
              [tests / "bench_train", *ours, *steps], lambda r: median(r["samples_per_s"]), "gflop_per_sample",
              [*hf, "train-speed", *peer, *steps], lambda r: median(r["samples_per_s"])),
        Bench(f"decode{suffix}", f"constrained decoding, {said}, 20 beams", "users/s",
              [tests / "bench_decode", *ours, "--users", users], lambda r: median(r["users_per_s"]), "gflop_per_unit",
              [*hf, "decode-speed", *peer, "--batches", "8,16,32", "--users", peer_users],
              lambda r: median(r["best"]["users_per_s"]))]


def benches(options):
    tests = Path(options.build) / "tests"
    common = ["--threads", options.threads, "--repeat", options.repeat]
    result = []
    for case in (("", "tiger", "Beauty", options.data, "full", "TIGER's T5 on Beauty, full vocabulary"),
                 ("-codes", "tiger", "Beauty", options.data, "codes", "TIGER's T5 on Beauty, codes only"),
                 ("-yelp", "tiger", "Yelp", options.yelp, "full", "TIGER's T5 on Yelp, full vocabulary"),
                 ("-small", "t5-small", "Beauty", options.data, "full", "T5-small on Beauty, full vocabulary")):
        result += t5_benches(options, *case)
    small = ["--model", "t5-small", "--users", users_of_small(options)]
    for suffix, said, more in (("", "TIGER's T5", []), ("-small", "T5-small", small)):
        result.append(Bench(
            f"regenerate{suffix}", f"regeneration from Beauty's titles, {said}, 20 candidates", "items/s",
            [tests / "bench_decode", "--data", options.data, "--precision", options.precision, *common, "--regenerate",
             "--spiece", Path(options.t5) / "spiece.model", *more],
            lambda r: median(r["items_per_s"]), "gflop_per_unit"))
    peer_rqvae = [options.python, Path(options.peers) / "rqvae_speed.py", "--threads", options.threads]
    full, letter = ["--sinkhorn", "--collaborative"], ["--hidden", "2048,1024,512,256,128,64"]
    for name, what, layers, more in (("rqvae", "RQ-VAE, 384-512-256-128-64-32, batch 1,024", [], []),
                                     ("rqvae-full", "the same with Sinkhorn and the collaborative loss", [], full),
                                     ("rqvae-letter", "the same with LETTER's layers (2048-...-64)", letter, full)):
        epochs = ["--epochs", "2" if layers else "6"]
        published = ["--restart-every", "0"]  # as the peer does it
        result.append(Bench(
            name, what, "steps/s", [tests / "bench_rqvae", *epochs, "--precision", options.precision, *published, *common, *layers,
                                   *more],
            lambda r: median(r["steps_per_s"]), "gflop_per_step",
            [*peer_rqvae, *epochs, "--repeat", options.repeat, *layers, *more], lambda r: median(r["steps_per_s"])))
    result.append(Bench("assign", "assignment, 10 million items x 20 candidates", "million items/s",
                        [tests / "bench_assign"], lambda r: r["items"] / 1e6 / r["seconds"]))
    result.append(Bench("cid", "CID, 1 million items, 20 million interactions", "thousand items/s",
                        [tests / "bench_cid", "--threads", options.threads],
                        lambda r: r["items"] / 1e3 / r["seconds"]))
    result.append(Bench("trie", "building the tree of 20 million identifiers", "million items/s",
                        [tests / "bench_trie"], lambda r: r["items"] / 1e6 / r["seconds"]))
    return result


def measure(bench, options):
    result = {"what": bench.what, "unit": bench.unit, "ours": json_line(bench.ours)}
    result["rate"] = bench.rate(result["ours"])
    result["command"] = " ".join(str(part) for part in bench.ours)
    if bench.gflop:
        result["gflop_per_s"] = result["ours"][bench.gflop] * result["rate"]
    if bench.peer and options.has_peers:
        try:
            result["peer"] = json_line(bench.peer)
            result["peer_rate"] = bench.peer_rate(result["peer"])
            result["ratio"] = result["rate"] / result["peer_rate"]
        except FAILURES as error:
            result["peer_error"] = str(error)
            print(f"FAILED: the peer of {bench.name}: {error}", file=sys.stderr)
    return result


def first_step_seconds(command, metrics):
    """Until the loss of the first step is on disk; the run is then ended."""
    with tempfile.TemporaryFile("w+") as messages:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages)
        try:
            while process.poll() is None:
                if metrics.exists() and '"loss"' in metrics.read_text():
                    return time.monotonic() - began
                time.sleep(0.01)
            messages.seek(0)
            last = (messages.read().strip().splitlines() or ["no message"])[-1]
            raise RuntimeError(f"ended before its first step: {last}")
        finally:
            process.kill()
            process.wait()


def start_seconds(options):
    """From the command to the end of the first training step on Beauty; the smallest of three."""
    with tempfile.TemporaryDirectory() as folder:
        runs = [Path(folder) / str(number) for number in range(3)]
        return min(first_step_seconds(
            [str(part) for part in (Path(options.build) / "genrec_dist", "train", "--data.dir", options.data, "--data.name",
                                    "Beauty", "--text.spiece", Path(options.t5) / "spiece.model", "--train.batch", "256",
                                    "--run.threads", options.threads, "--run.dir", run)], run / "metrics.jsonl")
            for run in runs)


def shown(value, form="{:.1f}", absent="-"):
    return absent if value is None else form.format(value)


def table(report):
    ceiling, precision = report["ceiling"], report["precision"]
    products = ", ".join(f"{ceiling[f'{kind}_gflop_per_s']:.0f} GFLOP/s in {kind} "
                         f"({ceiling[f'{kind}_layer_gflop_per_s']:.0f} at a layer's size)"
                         for kind in ("f32", "bf16") if ceiling[f"{kind}_gflop_per_s"] is not None)
    lines = [f"{report['machine']}, {ceiling['threads']} threads; commit {report['commit']}; {report['date']}",
             f"products: {products}; memory {ceiling['gbyte_per_s']:.0f} GB/s", "",
             f"| hot path ({precision}) | rate | of the products' ceiling | peer as installed | ratio | peak memory |",
             "|---|---|---|---|---|---|"]
    for entry in report["benches"].values():
        own = entry["ours"].get("precision", "f32")
        share = entry.get("gflop_per_s")
        share = None if share is None else 100 * share / ceiling[f"{own}_gflop_per_s"]
        lines.append(f"| {entry['what']} | {entry['rate']:.1f} {entry['unit']} | {shown(share, '{:.0f} %')} | "
                     f"{shown(entry.get('peer_rate'))} | {shown(entry.get('ratio'), '{:.2f}')} | "
                     f"{entry['ours']['peak_rss_bytes'] / 2**30:.2f} GiB |")
    lines += ["", *figures(report)]
    return "\n".join(lines)


def figures(report):
    """What follows from several measurements, or is no rate."""
    benches = {name: entry["ours"] for name, entry in report["benches"].items()}
    if "train" in benches and "decode" in benches:
        epoch = benches["train"]["epoch_samples"] / report["benches"]["train"]["rate"]
        evaluation = benches["decode"]["all_users"] / report["benches"]["decode"]["rate"]
        yield (f"Evaluation of all users of Beauty: {evaluation:.0f} s, {100 * evaluation / epoch:.0f} % of an epoch's "
               f"training ({epoch:.0f} s).")
    if "trie" in benches:
        built, searches = benches["trie"], benches["trie"]["searches"]
        costs = ", ".join(f"{search['us_per_user']:.0f} us at {search['items']:,} items" for search in searches)
        yield (f"Tree of {built['items']:,} identifiers: {built['seconds']:.1f} s, "
               f"{built['peak_rss_bytes'] / 2**30:.2f} GiB. Constraint and top-k of a user's search: {costs}.")
        if "decode" in benches:
            user = 1e6 / report["benches"]["decode"]["rate"] * benches["decode"]["threads"]
            yield f"That is {100 * searches[-1]['us_per_user'] / user:.2f} % of a user's decoding at the largest."
    if "start_seconds" in report:
        yield f"From the command to the end of the first training step on Beauty: {report['start_seconds']:.1f} s."


def compare(report, old):
    """Rates relative to the ceilings of their own runs; the names of those that fell."""
    fell = []
    for name, now in report["benches"].items():
        before = old["benches"].get(name)
        if before is None:
            continue
        ceiling = now["ours"].get("precision", "f32") + "_gflop_per_s"
        scale = report["ceiling"][ceiling] / old["ceiling"][ceiling]
        ratio = now["rate"] / (before["rate"] * scale)
        print(f"{name}: {before['rate']:.1f} -> {now['rate']:.1f} {now['unit']}, relative to the machine {ratio:.2f}")
        if ratio < SLOWER:
            fell.append(name)
    return fell


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} cores"
    return platform.processor()


def commit(folder):
    done = subprocess.run(["git", "-C", str(folder), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--data", default="../shared/data/beauty", help="folder with Beauty.inter.json and the others")
    parser.add_argument("--yelp", default="../shared/data/yelp", help="folder with Yelp.inter.json and Yelp.index.json")
    parser.add_argument("--t5", default="../shared/t5", help="folder with spiece.model and, for the peer, config.tiger.json")
    parser.add_argument("--peers", default="../shared/peers", help="folder with hf_tiger.py, rqvae_speed.py")
    parser.add_argument("--python", default=".venv/bin/python", help="one with torch and transformers, for the peers")
    parser.add_argument("--threads", default=str(os.cpu_count()))
    parser.add_argument("--repeat", default="3")
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--out", default="runs/bench.json")
    parser.add_argument("--compare", default="", help="an earlier FILE.json")
    return parser.parse_args()


def main():
    options = parsed()
    with tempfile.TemporaryDirectory() as options.scratch:
        return report_on(options)


def report_on(options):
    old = json.loads(Path(options.compare).read_text()) if options.compare else None
    probe = subprocess.run([options.python, "-c", "import torch, transformers, h5py"], capture_output=True) \
        if Path(options.python).exists() else None
    options.has_peers = Path(options.peers).is_dir() and probe is not None and probe.returncode == 0
    if not options.has_peers:
        print(f"SKIPPED: the Python peers: {options.peers} and transformers for {options.python} are needed "
              "(launch/setup.sh --peers)", file=sys.stderr)
    chosen = benches(options)
    names = [name for name in options.only.split(",") if name]
    known = [*(bench.name for bench in chosen), "start"]
    unknown = set(names) - set(known)
    if unknown:
        raise SystemExit(f"report.py: --only: unknown {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    ceiling = json_line([Path(options.build) / "tests/bench_ceiling", "--threads", options.threads])
    if ceiling[f"{options.precision}_gflop_per_s"] is None:
        raise SystemExit(f"report.py: --precision {options.precision}: this processor has no such products")
    report = {"date": datetime.date.today().isoformat(), "commit": commit(Path(__file__).parent),
              "machine": processor(), "precision": options.precision,
              "ceiling": ceiling,
              "benches": {}, "skipped": [], "failed": {}}
    out = Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)

    def save():  # after each measurement: an end before its time loses none
        out.write_text(json.dumps(report, indent=1) + "\n")

    for bench in chosen:
        if names and bench.name not in names:
            continue
        if bench.name.endswith("-yelp") and not Path(options.yelp).is_dir():
            report["skipped"].append(bench.name)
            print(f"SKIPPED: {bench.name}: no folder {options.yelp} (--yelp)", file=sys.stderr)
            continue
        print(f"measures {bench.name}", file=sys.stderr, flush=True)
        try:
            report["benches"][bench.name] = measure(bench, options)
        except FAILURES as error:
            report["failed"][bench.name] = str(error)
            print(f"FAILED: {bench.name}: {error}", file=sys.stderr)
        save()
    if not names or "start" in names:
        try:
            report["start_seconds"] = start_seconds(options)
        except FAILURES as error:
            report["failed"]["start"] = str(error)
            print(f"FAILED: start: {error}", file=sys.stderr)
    save()
    print(table(report))
    fell = compare(report, old) if old else []
    if fell:
        print(f"slower than in {options.compare}: {', '.join(fell)}", file=sys.stderr)
    lacks_peer = any("peer_error" in entry for entry in report["benches"].values())
    return 1 if fell or report["failed"] or lacks_peer else 0


if __name__ == "__main__":
    sys.exit(main())
