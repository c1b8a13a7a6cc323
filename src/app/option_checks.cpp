// Rules between options, and the paths that they name.
#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <string>

#include "app/options.h"
#include "base/error.h"
#include "tokenizers/registry.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

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

/// Commands that may make identifiers.
bool tokenizes(const std::string& command) {
  return trains(command) || command == "tokenize";
}

bool is_one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::ranges::any_of(words, [&word](const char* other) { return word == other; });
}

void check_tokenizer_inputs(const OptionParser& parser, const std::string& method) {
  if (is_one_of(method, {"auto", "index"})) {
    require_file(parser, "tokenizer.index", "an index.json; empty: the dataset's NAME.index.json");
  }
  if (is_rqvae(method)) {
    require_file(parser, "tokenizer.embeddings",
                 "an HDF5 file with a vector an item; empty: the dataset's NAME.embeddings.h5, else LSA");
  }
  if (method == "letter") {
    require_file(parser, "letter.cf",
                 "an HDF5 file with a vector an item (the embed command makes one); empty: the dataset's "
                 "NAME.cf.h5");
  }
}

/// What evaluate and recommend need of these lies in their checkpoint.
void check_inputs(const OptionParser& parser, const ProgramOptions& o, const std::string& command) {
  const bool reads_model = trains(command) || (command == "embed" && o.embed.model == "t5");
  if (reads_model) {
    require_weights(parser, o.model.weights);
    require_file(parser, "model.config", "a Hugging Face config.json");
  }
  // A text model trained on the titles would give the weights' rows to other pieces.
  if (trains(command) && !o.model.weights.empty() && o.model.vocabulary != "codes" && o.text.spiece.empty()) {
    throw UsageError(given(parser, "model.weights") +
                     ": needs text.spiece, the SentencePiece model that it was trained with (spiece.model)");
  }
  if (reads_model || (command == "tokenize" && writes_text(o.tokenizer.method))) {
    require_file(parser, "text.spiece", "a SentencePiece model; empty: one is trained on the titles");
  }
  if (command == "tokenize" && !o.vectors.new_items.empty()) {
    require_file(parser, "tokenizer.new-items", "an HDF5 file with a vector for each new item");
  } else if (tokenizes(command)) {
    check_tokenizer_inputs(parser, o.tokenizer.method);
  }
  if (o.text.templates != "none" && trains(command)) {
    require_file(parser, "text.templates",
                 "a file with one template a line; empty: 15 built in; none: no prompt");
  }
}

/// A file to write.
void check_output(const OptionParser& parser, const std::string& key,
                  std::initializer_list<const char*> endings) {
  const fs::path output = parser.text(key);
  if (output.empty()) return;
  std::string files;
  for (const char* ending : endings) files.append(files.empty() ? "FILE" : ", FILE").append(ending);
  if (fs::is_directory(output)) throw UsageError(given(parser, key) + ": is a folder; expected " + files);
  if (!is_one_of(output.extension().string(), endings)) {
    throw UsageError(given(parser, key) + ": its ending stands for no format; expected " + files +
                     " (small letters): give a name with such an ending");
  }
  if (!output.has_parent_path() || fs::is_directory(output.parent_path())) return;
  throw UsageError(given(parser, key) + ": there is no folder " + output.parent_path().string() +
                   "; make it, or give another file");
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

void check_tokenizer(const ProgramOptions& o, const std::string& command) {
  const std::string& method = o.tokenizer.method;
  if (is_rqvae(method)) {
    const RqvaeOptions options = rqvae_options(o.tokenizer);
    // Whether items and vectors fit is seen when they are there.
    check_options(options, /*items=*/1, /*cf_rows=*/1, /*cf_width=*/options.dim);
  }
  if (writes_text(method) && o.model.vocabulary == "codes") {
    throw UsageError("tokenizer.method = " + method +
                     " writes identifiers in text, which model.vocabulary = codes has not: use text+codes");
  }
  if (command != "tokenize" && !o.vectors.new_items.empty()) {
    throw UsageError("tokenizer.new-items is for the tokenize command: leave it out of " + command);
  }
}

void check_embed(const OptionParser& parser, const ProgramOptions& o) {
  if (o.embed.model == "t5") {
    if (o.model.weights.empty()) {
      throw UsageError("embed.model = t5 needs model.weights, the folder of a trained T5");
    }
    if (o.text.spiece.empty()) {
      throw UsageError("embed.model = t5 needs text.spiece, the SentencePiece model of " + o.model.weights);
    }
    if (o.embed.width > 0) {
      throw UsageError(given(parser, "embed.width") + ": a T5 has its own width; leave it out");
    }
  }
  if (o.embed.model == "sasrec" && o.embed.cf_width() % o.embed.sasrec.heads != 0) {
    throw UsageError(given(parser, "sasrec.heads") + ": expected a divisor of the vectors' width, " +
                     std::to_string(o.embed.cf_width()) + " (embed.width)");
  }
  if (!o.embed.quantized.empty() && o.embed.model != "sasrec") {
    throw UsageError(given(parser, "embed.quantized") + ": is for embed.model = sasrec; leave it out");
  }
  require_file(parser, "embed.quantized", "checkpoints/tokenizer.h5 of a tokenize run");
  if (o.embed.norm > 0 && o.embed.model != "sasrec" && o.embed.model != "lightgcn") {
    throw UsageError(given(parser, "embed.norm") + ": is for sasrec and lightgcn; leave it out for " +
                     o.embed.model);
  }
  check_output(parser, "embed.output", {".h5", ".hdf5"});
}

}  // namespace

void check_options(const OptionParser& parser, const ProgramOptions& o, const std::string& command) {
  check_data(parser, o.data, command);
  check_text(o, command);
  if (tokenizes(command)) check_tokenizer(o, command);
  if (o.eval.k.empty()) throw UsageError("eval.k is empty: expected at least one cut-off, like 5,10");
  for (int k : o.eval.k) {
    if (command != "embed" && k > o.decode.beams) {
      throw UsageError("eval.k = " + std::to_string(k) + " needs at least as many decode.beams (" +
                       std::to_string(o.decode.beams) + "): the search returns no more items than beams");
    }
  }
  if (o.run.resume == "must" && o.run.dir.empty()) {
    throw UsageError("run.resume = must needs run.dir, the folder of the run to go on with");
  }
  if (o.run.dry_run && !trains(command) && command != "embed") {
    throw UsageError("run.dry-run is for siit, train and embed: leave it out of " + command);
  }
  check_inputs(parser, o, command);
  if (command == "recommend") check_output(parser, "recommend.output", {".jsonl", ".csv", ".h5"});
  if (command == "embed") check_embed(parser, o);
}

}  // namespace genrec
