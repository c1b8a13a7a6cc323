#include "app/workspace.h"

#include <algorithm>

#include "app/version.h"
#include "base/error.h"
#include "base/log.h"
#include "comm/on_root.h"
#include "data/item_text.h"
#include "data/load_dataset.h"
#include "io/safetensors.h"
#include "model/huggingface.h"
#include "tokenizers/added_tokens.h"
#include "tokenizers/simple/sid_tokenizer.h"

namespace genrec {
namespace {

/// Pieces of a SentencePiece model that is trained here: enough for titles and prompts, small enough to be
/// quick.
constexpr int kTrainedPieces = 2000;

Dataset load(Session& session, std::vector<std::string>& sentences) {
  MpiRuntime& mpi = session.mpi;
  DatasetRepairs repairs;
  Dataset dataset =
      load_dataset(session.options.data, session.options.run.seed, mpi.rank(), mpi.size(), repairs);
  sentences = describe(repairs);
  for (const std::string& sentence : sentences) LOG_ROOT(WARNING) << dataset.name << ": " << sentence;
  mpi.world().require_equal(dataset.fingerprint, "the dataset " + dataset.name);
  const std::int32_t shards = session.options.data.shards;
  if (shards < mpi.size()) {
    LOG_ROOT(WARNING) << "data.shards = " << shards << ": " << mpi.size() - shards << " of " << mpi.size()
                      << " ranks have no users to train on; start a run with at least a shard a rank";
  }
  LOG_ROOT(INFO) << dataset.name << ": " << dataset.users() << " users, " << dataset.items() << " items, "
                 << dataset.interaction_count << " interactions";
  return dataset;
}

/// The rows that a folder's weights have for tokens of this run.
KnownRows known_rows(const std::filesystem::path& weights, const Vocabulary& vocabulary) {
  KnownRows known{.text = vocabulary.text_pieces()};
  const std::filesystem::path names = weights / kAddedTokens;
  if (!std::filesystem::exists(names)) return known;
  std::int64_t from = vocabulary.text_pieces();
  for (const std::string& symbol : read_added_tokens(names, vocabulary.text_pieces())) {
    if (vocabulary.has(symbol)) known.symbols.push_back({from, vocabulary.token(symbol)});
    ++from;
  }
  LOG_ROOT(INFO) << known.symbols.size() << " of " << vocabulary.symbols().size()
                 << " identifier symbols have weights in " << weights.string();
  return known;
}

/// The text model of the run in this folder: its very bytes, and no second training. "" where it has none;
/// what is wrong with a damaged checkpoint is said where all of it is read.
std::string text_model_of_run(const std::filesystem::path& run) {
  for (const char* name : {"last", "prev"}) {
    const std::filesystem::path path = run / "checkpoints" / name;
    std::error_code unreadable;
    try {
      if (std::filesystem::exists(path, unreadable)) return read_text_model(path);
    } catch (const Error&) {
    }
  }
  return {};
}

DataOptions needing_text(DataOptions options, bool needed) {
  options.needs_text = needed;
  return options;
}

}  // namespace

Workspace::Workspace(Session& session, const CheckpointState* checkpoint, const std::string& command)
    : session_(session),
      dataset_([&] {
        const bool codes_only =
            checkpoint != nullptr ? checkpoint->spiece.empty() : session.options.model.vocabulary == "codes";
        session.options.data = needing_text(session.options.data, !codes_only);
        return load(session, repairs_);
      }()),
      shards_(dataset_.lengths, session.options.data.shards, session.options.run.seed),
      texts_(item_texts(dataset_.catalogue, session.options.data.text)),
      templates_(checkpoint != nullptr && !checkpoint->templates.empty()
                     ? checkpoint->templates
                     : read_templates(session.options.text.templates)) {
  const bool codes_only =
      checkpoint != nullptr ? checkpoint->spiece.empty() : session.options.model.vocabulary == "codes";
  if (codes_only) return;
  make_text_tokenizer(checkpoint, command);
  prompts_ = Prompts(templates_, *text_);
  titles_.emplace(texts_, *text_, session.options.text.max_pieces);
  if (titles_->truncated() > 0) {
    LOG_ROOT(INFO) << titles_->truncated() << " titles were cut to " << session.options.text.max_pieces
                   << " pieces (text.max-pieces)";
  }
}

void Workspace::make_text_tokenizer(const CheckpointState* checkpoint, const std::string& command) {
  const TextOptions& options = session_.options.text;
  if (checkpoint != nullptr) {
    text_ = TextTokenizer::from_bytes(checkpoint->spiece);
  } else if (!options.spiece.empty()) {
    text_ = TextTokenizer(options.spiece);
  } else {
    std::string bytes;
    on_root(session_.mpi.world(), [&] {
      if (!command.empty()) bytes = text_model_of_run(run_directory(session_, command, dataset_));
      if (bytes.empty()) bytes = trained_text_model();
    });
    session_.mpi.world().broadcast(bytes, 0);
    text_ = TextTokenizer::from_bytes(std::move(bytes));
  }
}

std::string Workspace::trained_text_model() const {
  const TextTokenizer text =
      TextTokenizer::train(lines_to_train_on(), kTrainedPieces, session_.options.run.seed);
  LOG(INFO) << "text.spiece not given: a SentencePiece model of " << text.size()
            << " pieces was trained on the titles";
  return text.model_bytes();
}

std::vector<std::string> Workspace::lines_to_train_on() const {
  std::vector<std::string> lines = prompt_texts(templates_);
  lines.insert(lines.end(), texts_.begin(), texts_.end());
  if (session_.options.tokenizer.method == "sid") {  // identifiers are numbers: digits need pieces, too
    for (std::int64_t place = 0; place < dataset_.items(); ++place) lines.push_back(sequential_number(place));
  }
  return lines;
}

void Workspace::require_titles() const {
  if (std::ranges::any_of(texts_, [](const std::string& text) { return !text.empty(); })) return;
  throw DataError(
      dataset_.name +
      ": no item has a title, siit has nothing to align identifiers with: give NAME.item.json, or use the "
      "train command");
}

TokenId Workspace::text_pieces() const {
  return text_ ? text_->size() : kUnknownToken + 1;
}

std::string Workspace::spiece_bytes() const {
  return text_ ? text_->model_bytes() : std::string();
}

TrainingOrder Workspace::training_order(std::int64_t batch) const {
  return TrainingOrder(shards_, dataset_.interactions, session_.mpi.rank(), session_.mpi.size(), batch,
                       session_.options.run.seed);
}

CheckpointState Workspace::identity() const {
  CheckpointState state;
  state.dataset = dataset_.name;
  state.fingerprint = dataset_.fingerprint;
  state.git = git_revision();
  state.config = session_.parser.resolved_ini();
  state.seed = session_.options.run.seed;
  state.text_pieces = text_pieces();
  state.spiece = spiece_bytes();
  state.templates = templates_;
  state.codebooks = codebooks_;
  return state;
}

std::unique_ptr<T5Model> Workspace::make_model(const Runtime& runtime, const Vocabulary& vocabulary) const {
  const ModelOptions& options = session_.options.model;
  T5Config config =
      options.config.empty() ? T5Config::preset(options.preset) : T5Config::from_file(options.config);
  config.vocab_size = vocabulary.size();
  config.dropout_rate = session_.options.train.dropout;
  auto model = std::make_unique<T5Model>(config, runtime.device, runtime.precision);
  const std::uint64_t seed = session_.options.run.seed;
  if (options.weights.empty()) {
    model->initialise(seed);
  } else {
    load_weights(*model, read_safetensors(options.weights), options.weights, seed,
                 known_rows(options.weights, vocabulary));
  }
  LOG_ROOT(INFO) << "T5: " << model->parameters().parameter_count() << " parameters, " << vocabulary.size()
                 << " tokens";
  return model;
}

ScoreRule score_rule(const DecodeOptions& options) {
  return options.score == "sum" ? ScoreRule::kSum : ScoreRule::kMean;
}

std::string run_directory(const Session& session, const std::string& command, const Dataset& dataset) {
  if (!session.options.run.dir.empty()) return session.options.run.dir;
  return "runs/" + command + "-" + dataset.name;
}

}  // namespace genrec
