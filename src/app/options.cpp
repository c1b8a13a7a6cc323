#include "app/options.h"

#include <filesystem>

#include "base/error.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

void add_run(OptionParser& parser, RunOptions& o) {
  OptionSection run = parser.section("run", "The run");
  run.add("dir", &o.dir, "run folder; empty: runs/COMMAND-DATASET");
  run.add("seed", &o.seed, "root of every random stream");
  run.add("device", &o.device, "where to compute").allowed({"auto", "cpu", "cuda"});
  run.add("precision", &o.precision, "of matrix products; weights and sums stay f32")
      .allowed({"f32", "bf16"});
  run.add("comm", &o.comm, "transport of gradients").allowed({"auto", "mpi", "nccl"});
  run.add("threads", &o.threads, "CPU threads of a rank; 0: the node's cores over its ranks").at_least(0);
  run.add("resume", &o.resume, "go on from the run folder's checkpoint").allowed({"auto", "never", "must"});
  run.add("max-minutes", &o.max_minutes, "stop with a checkpoint and exit code 75; 0: never", "minutes")
      .range(0, 1e7);
  run.add("checkpoint-minutes", &o.checkpoint_minutes, "time between checkpoints; 0: only between stages",
          "minutes")
      .at_least(0);
  run.add("keep", &o.keep, "checkpoints kept beside last, prev and best").at_least(0);
  run.add("progress", &o.progress, "bar on a terminal, else lines").allowed({"auto", "bar", "line", "none"});
  run.add("dry-run", &o.dry_run, "check the data, estimate memory and time, do nothing");
}

void add_data(OptionParser& parser, DataOptions& o) {
  OptionSection data = parser.section("data", "The dataset (none named: a synthetic one)");
  data.add("dir", &o.dir, "folder with NAME.inter.json, NAME.item.json, NAME.index.json");
  data.add("name", &o.name, "NAME in that folder; empty: the only one there");
  data.add("file", &o.file, "the program's own HDF5 dataset (see convert)");
  data.add("history", &o.history, "most recent items that predict the next", "items").at_least(1);
  data.add("text", &o.text, "what stands for an item in text").allowed({"title", "title+description"});
  data.add("max-users", &o.max_users, "keep the first users only; 0: all").at_least(0);
  data.add("max-items", &o.max_items, "keep the first items only; 0: all").at_least(0);
  data.add("shards", &o.shards, "virtual shards that users are dealt to; at least as many as ranks")
      .range(1, 65536);
}

void add_text(OptionParser& parser, TextOptions& o) {
  OptionSection text = parser.section("text", "Text");
  text.add("spiece", &o.spiece, "SentencePiece model; empty: a small one is trained on titles and templates");
  text.add("max-pieces", &o.max_pieces, "titles are cut there", "pieces").at_least(1);
  text.add("templates", &o.templates,
           "file with one template, {H} in it, a line; empty: 15 built in; none: identifiers only");
}

void add_tokenizer(OptionParser& parser, TokenizerOptions& o) {
  OptionSection tokenizer = parser.section("tokenizer", "First identifiers");
  tokenizer.add("method", &o.method, "auto: index where the dataset has one, else cid")
      .allowed({"auto", "cid", "index"});
  tokenizer.add("index", &o.index, "index.json, or HDF5 file with identifiers; empty: the dataset's own");
  OptionSection cid = parser.section("cid", "CID: spectral clustering of co-occurrence");
  cid.add("token-size", &o.cid.token_size, "tokens of the vocabulary, and the largest leaf").at_least(2);
  cid.add("clusters", &o.cid.clusters, "parts of a split").at_least(2);
}

void add_model(OptionParser& parser, ModelOptions& o) {
  OptionSection model = parser.section("model", "The T5");
  model.add("preset", &o.preset, "size").allowed({"tiny", "tiger", "t5-small", "flan-t5-small"});
  model.add("config", &o.config, "Hugging Face config.json instead of a preset");
  model.add("weights", &o.weights, "Hugging Face folder or safetensors file to start from; empty: random");
  model.add("vocabulary", &o.vocabulary, "codes: no text, so no alignment and no prompts")
      .allowed({"text+codes", "codes"});
}

void add_train(OptionParser& parser, TrainOptions& o) {
  OptionSection train = parser.section("train", "Training");
  train.add("epochs", &o.epochs, "of the train command (siit has its own)").at_least(0);
  train.add("max-steps", &o.max_steps, "of a stage; 0: by epochs").at_least(0);
  train.add("batch", &o.batch, "of all ranks together", "samples").at_least(1);
  train.add("lr", &o.lr, "learning rate").above(0);
  train.add("scale-parameter", &o.scale_parameter,
            "lr times each parameter's root mean square: random weights learn faster with lr 1e-2");
  train.add("schedule", &o.schedule, "of the learning rate")
      .allowed({"constant", "linear", "cosine", "inverse-sqrt"});
  train.add("warmup", &o.warmup, "below 1: fraction of a stage's steps, else steps").at_least(0);
  train.add("weight-decay", &o.weight_decay, "decoupled; not on norms and position biases").at_least(0);
  train.add("clip", &o.clip, "largest gradient norm; 0: no clipping").at_least(0);
  train.add("dropout", &o.dropout, "probability").range(0, 0.99);
  train.add("tau", &o.tau, "temperature of the ranking-guided loss; 1: cross entropy").above(0);
  train
      .add("patience", &o.patience,
           "evaluations without a better validation score before train stops; 0: never")
      .at_least(0);
  train
      .add("eval-every", &o.eval_every, "epochs between validations of the train command; 0: only at the end")
      .at_least(0);
  train
      .add("microbatch-tokens", &o.microbatch_tokens,
           "source and target tokens computed at once by a rank: bounds memory", "tokens")
      .at_least(0);
  train.add("hash-every", &o.hash_every, "steps between comparisons of the parameters over ranks; 0: never")
      .at_least(0);
}

void add_siit(OptionParser& parser, SiitOptions& o) {
  OptionSection siit = parser.section("siit", "Self-improving item tokenization");
  siit.add("iterations", &o.iterations, "rounds of alignment, regeneration and fine-tuning").range(0, 1000);
  siit.add("warmup-epochs", &o.warmup_epochs, "recommendation before the first iteration").at_least(0);
  siit.add("align-epochs", &o.align_epochs, "titles ↔ identifiers, an iteration").at_least(0);
  siit.add("finetune-epochs", &o.finetune_epochs, "recommendation on the new identifiers, an iteration")
      .at_least(0);
  siit.add("candidates", &o.candidates, "identifiers that an item may choose from").range(1, 1000);
  siit.add("strategy", &o.strategy, "generation, and collision avoidance (ca)")
      .allowed({"beam+ca", "beam", "greedy+ca", "greedy"});
  siit.add("order", &o.order, "who chooses first").allowed({"id", "confidence"});
  siit.add("continue-from", &o.continue_from, "the model that fine-tuning goes on with")
      .allowed({"recommender", "aligned"});
  siit.add("stop-before", &o.stop_before,
           "stage to stop before with a checkpoint, to try variants from one point")
      .allowed({"", "align", "regenerate", "fine-tune", "test"});
}

void add_decode_and_eval(OptionParser& parser, ProgramOptions& o) {
  OptionSection decode = parser.section("decode", "Decoding");
  decode.add("beams", &o.decode.beams, "width of the beam search").range(1, 1000);
  decode.add("batch", &o.decode.batch, "users, or items, that one thread decodes together").range(1, 100000);
  decode.add("score", &o.decode.score, "log-probability per token, or their sum").allowed({"mean", "sum"});
  OptionSection eval = parser.section("eval", "Evaluation");
  eval.add("k", &o.eval.k, "cut-offs of Recall, NDCG and coverage").range(1, 1000);
  eval.add("split", &o.eval.split, "of the evaluate command").allowed({"valid", "test"});
  eval.add("users", &o.eval.users, "a seeded sample of users; 0: all").at_least(0);
  eval.add("baselines", &o.eval.baselines, "measured beside").allowed({"popularity", "none"});
}

void add_single_calls(OptionParser& parser, ProgramOptions& o) {
  OptionSection recommend = parser.section("recommend", "The recommend command");
  recommend.add("users", &o.recommend.users, "user ids, \"0,5,7\"; empty: all");
  recommend.add("output", &o.recommend.output,
                "FILE.jsonl, FILE.csv or FILE.h5; empty: JSON lines on standard output");
  OptionSection call = parser.section("", "This call");
  call.add("help", &o.help, "options and defaults");
  call.add("version", &o.version, "versions of the program and its libraries");
  call.add("dry-run", &o.run.dry_run, "the same as --run.dry-run");
  call.add("verify", &o.verify, "inspect: test every checksum");
  call.add("diff", &o.diff, "inspect: compare two files, --diff A B");
  call.add("from", &o.from, "convert: a dataset folder, FILE.h5, checkpoint or Hugging Face folder");
  call.add("to", &o.to, "convert: FILE.h5 or a folder to write");
  call.add("wait-for-debugger", &o.wait_for_debugger, "rank that waits until a debugger releases it")
      .hidden();
}

std::string given(const OptionParser& parser, const std::string& key) {
  return key + " = " + parser.text(key) + " (" + parser.origin(key) + ")";
}

void require_file(const OptionParser& parser, const std::string& key, const std::string& what) {
  const fs::path path = parser.text(key);
  if (path.empty() || (fs::exists(path) && !fs::is_directory(path))) return;
  throw MissingInput(given(parser, key) + ": no such file; expected " + what);
}

void require_weights(const OptionParser& parser, const fs::path& weights) {
  if (weights.empty() || fs::is_regular_file(weights)) return;
  const bool is_model_folder =
      fs::exists(weights / "model.safetensors") || fs::exists(weights / "model.safetensors.index.json");
  if (is_model_folder) return;
  throw MissingInput(given(parser, "model.weights") +
                     (fs::is_directory(weights) ? ": no weights in it" : ": no such file or folder") +
                     "; expected a folder with model.safetensors, or a safetensors file");
}

bool trains(const std::string& command) {
  return command == "siit" || command == "train";
}

/// What evaluate and recommend need of these lies in their checkpoint.
void check_inputs(const OptionParser& parser, const ProgramOptions& o, const std::string& command) {
  if (trains(command)) {
    require_weights(parser, o.model.weights);
    require_file(parser, "model.config", "a Hugging Face config.json");
    require_file(parser, "text.spiece", "a SentencePiece model; empty: one is trained on the titles");
  }
  if ((trains(command) || command == "tokenize") && o.tokenizer.method != "cid") {
    require_file(parser, "tokenizer.index", "an index.json; empty: the dataset's NAME.index.json");
  }
  if (o.text.templates != "none" && (trains(command) || command == "evaluate" || command == "recommend")) {
    require_file(parser, "text.templates",
                 "a file with one template a line; empty: 15 built in; none: no prompt");
  }
}

void check_output(const OptionParser& parser, const fs::path& output) {
  if (output.empty()) return;
  if (fs::is_directory(output)) {
    throw UsageError(given(parser, "recommend.output") +
                     ": is a folder; expected FILE.jsonl, FILE.csv or FILE.h5");
  }
  const fs::path ending = output.extension();
  if (ending != ".jsonl" && ending != ".csv" && ending != ".h5") {
    throw UsageError(given(parser, "recommend.output") +
                     ": its ending stands for no format; expected FILE.jsonl, FILE.csv or FILE.h5 (small "
                     "letters): give a name with one of these endings");
  }
  if (!output.has_parent_path() || fs::is_directory(output.parent_path())) return;
  throw UsageError(given(parser, "recommend.output") + ": there is no folder " +
                   output.parent_path().string() + "; make it, or give another file");
}

void check_data(const OptionParser& parser, const DataOptions& data, const std::string& command) {
  if (!data.file.empty() && !data.dir.empty()) {
    throw UsageError("data.file (" + parser.origin("data.file") + ") and data.dir (" +
                     parser.origin("data.dir") + ") name two datasets: give one");
  }
  // convert takes the folder from --from
  if (data.dir.empty() && !data.name.empty() && command != "convert") {
    throw UsageError("data.name = " + data.name + " needs data.dir, the folder with " + data.name +
                     ".inter.json");
  }
}

void check_text(const ProgramOptions& o, const std::string& command) {
  if (o.model.vocabulary != "codes") return;
  if (command == "siit" && o.siit.iterations > 0) {
    throw UsageError(
        "model.vocabulary = codes has no text for the alignment of siit: use text+codes, or the train "
        "command");
  }
  if ((command == "train" || command == "siit") && o.text.templates != "none") {
    throw UsageError("model.vocabulary = codes has no text for prompts: add --text.templates none");
  }
}

}  // namespace

void add_options(OptionParser& parser, ProgramOptions& options) {
  add_run(parser, options.run);
  add_data(parser, options.data);
  add_text(parser, options.text);
  add_tokenizer(parser, options.tokenizer);
  add_model(parser, options.model);
  add_train(parser, options.train);
  add_siit(parser, options.siit);
  add_decode_and_eval(parser, options);
  add_single_calls(parser, options);
}

void complete_options(const OptionParser& parser, ProgramOptions& options) {
  const fs::path folder = options.model.weights;
  if (folder.empty()) return;
  const fs::path config = folder / "config.json", spiece = folder / "spiece.model";
  if (!parser.is_set("model.config") && !parser.is_set("model.preset") && fs::exists(config))
    options.model.config = config.string();
  if (!parser.is_set("text.spiece") && fs::exists(spiece)) options.text.spiece = spiece.string();
}

void check_options(const OptionParser& parser, const ProgramOptions& o, const std::string& command) {
  check_data(parser, o.data, command);
  check_text(o, command);
  if (o.eval.k.empty()) throw UsageError("eval.k is empty: expected at least one cut-off, like 5,10");
  for (int k : o.eval.k) {
    if (k > o.decode.beams) {
      throw UsageError("eval.k = " + std::to_string(k) + " needs at least as many decode.beams (" +
                       std::to_string(o.decode.beams) + "): the search returns no more items than beams");
    }
  }
  if (o.run.resume == "must" && o.run.dir.empty()) {
    throw UsageError("run.resume = must needs run.dir, the folder of the run to go on with");
  }
  if (o.run.dry_run && !trains(command)) {
    throw UsageError("run.dry-run is for siit and train: leave it out of " + command);
  }
  check_inputs(parser, o, command);
  if (command == "recommend") check_output(parser, o.recommend.output);
}

}  // namespace genrec
