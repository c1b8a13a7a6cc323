#include "app/first_identifiers.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "app/item_vectors.h"
#include "app/tokenizer_file.h"
#include "app/version.h"
#include "base/log.h"
#include "comm/on_root.h"
#include "data/load_dataset.h"
#include "tokenizers/registry.h"
#include "tokenizers/simple/random_tokenizer.h"
#include "tokenizers/symbols.h"

namespace genrec {
namespace {

/// LSA's vectors, beside the state of the tokenizer that is trained on them.
constexpr const char* kLsaFile = "lsa.embeddings.h5";

bool needs_cf(const TokenizerOptions& options) {
  return is_rqvae(method_of(options)) && rqvae_options(options).letter.alpha > 0;
}

/// A training with its progress and the state it leaves behind.
class RqvaeRun {
 public:
  RqvaeRun(Session& session, const Dataset& dataset, const IdentifierRun& run, TokenizerTraining training)
      : session_(session), dataset_(dataset), run_(run), training_(std::move(training)) {}

  FirstIdentifiers make(RqvaeTokenizer& tokenizer, std::optional<RqvaeState> before) {
    const std::int64_t done = before ? before->epoch : 0;
    if (run_.on_start) run_.on_start(done);
    if (before) tokenizer.resume_from(std::move(*before));
    tokenizer.set_hooks(hooks());
    run_.progress.start("tokenizer", session_.options.tokenizer.rqvae.epochs, "epochs", done);
    FirstIdentifiers made;
    made.table = tokenizer.fit(dataset_, session_.mpi.world());
    run_.progress.finish();
    made.codebooks = codebooks_of(tokenizer.state());
    training_.report = tokenizer.report();
    training_.epochs = tokenizer.state().epoch;
    // An unchanged file stays as it is, with the report of the call that trained it.
    if (training_.epochs_of_call > 0 || !is_kept(made.table)) save(tokenizer.state(), &made.table);
    made.training = std::move(training_);
    return made;
  }

 private:
  RqvaeHooks hooks() {
    RqvaeHooks hooks;
    hooks.on_epoch = [this](const RqvaeEpoch& epoch) {
      last_ = epoch;
      ++training_.epochs_of_call;
      training_.seconds += epoch.seconds;
      run_.progress.update(epoch.epoch, progress_text());
    };
    hooks.on_measurement = [this](const RqvaeMeasurement& measured) {
      collision_rate_ = measured.collision_rate;
      run_.progress.update(last_.epoch, progress_text());
      if (run_.on_measurement) run_.on_measurement(last_, measured);
    };
    hooks.stop = run_.should_stop;
    hooks.checkpoint_due = run_.checkpoint_due;
    hooks.save = [this](const RqvaeState& state) { save(state, nullptr); };
    return hooks;
  }

  /// Collective.
  [[nodiscard]] bool is_kept(const IdentifierTable& table) const {
    bool kept = false;
    on_root(session_.mpi.world(), [&] {
      if (run_.state.empty() || !std::filesystem::exists(run_.state)) return;
      const TokenizerFile there = read_tokenizer_file(run_.state);
      kept = there.table && there.table->sha256() == table.sha256() &&
             there.config == session_.parser.resolved_ini();
    });
    return session_.mpi.world().any(kept);
  }

  [[nodiscard]] std::string progress_text() const {
    char text[64];
    if (collision_rate_) {
      std::snprintf(text, sizeof(text), "loss %.4f  collisions %.2f%%", last_.losses.total,
                    100 * *collision_rate_);
    } else {
      std::snprintf(text, sizeof(text), "loss %.4f", last_.losses.total);
    }
    return text;
  }

  /// `table`: once the training is done.
  /// Collective: a rank that left sooner would take the one that writes down with it.
  void save(const RqvaeState& state, const IdentifierTable* table) {
    if (run_.state.empty()) return;
    on_root(session_.mpi.world(), [&] { write(state, table); });
  }

  void write(const RqvaeState& state, const IdentifierTable* table) const {
    TokenizerFile file{.dataset = dataset_.name,
                       .fingerprint = dataset_.fingerprint,
                       .git = git_revision(),
                       .config = session_.parser.resolved_ini(),
                       .state = state,
                       .embeddings = training_.embeddings,
                       .cf = training_.cf,
                       .table = std::nullopt,
                       .report = {}};
    if (table != nullptr) {
      file.table = *table;
      file.report = tokenizer_report(training_).dump();
    }
    write_tokenizer_file(run_.state, file);
  }

  Session& session_;
  const Dataset& dataset_;
  const IdentifierRun& run_;
  TokenizerTraining training_;
  std::optional<double> collision_rate_;  ///< of the last measurement
  RqvaeEpoch last_;
};

void warn_of_unused(const std::string& method, const ProgramOptions& options) {
  if (method != "tiger") return;
  if (options.tokenizer.rqvae.letter == LetterOptions() && options.vectors.cf.empty()) return;
  LOG_ROOT(WARNING) << "tokenizer.method = tiger does without section letter: alpha, beta and the others "
                       "change nothing; did you mean method letter?";
}

FirstIdentifiers make_rqvae_identifiers(Session& session, const Workspace& workspace, const Runtime& runtime,
                                        const TokenizerOptions& options, const IdentifierRun& run) {
  const ProgramOptions& o = session.options;
  const Dataset& dataset = workspace.dataset();
  Communicator& world = session.mpi.world();
  warn_of_unused(method_of(options), o);
  std::optional<RqvaeState> before;
  LsaFile lsa;
  if (!run.state.empty()) {
    before = load_tokenizer_state(session.parser, o, dataset, run.state, world);
    lsa = {.path = run.state.parent_path() / kLsaFile, .goes_on = before.has_value()};
  }
  TokenizerInputs inputs;
  TokenizerTraining training;
  // The cheaper one first: a missing file shows at once.
  if (needs_cf(options)) {
    inputs.cf = collaborative_vectors(o, dataset, world);
    training.cf = inputs.cf->provenance;
  }
  inputs.embeddings = item_embeddings(o, dataset, world, run.progress, lsa);
  training.embeddings = inputs.embeddings->provenance;
  if (before) {
    require_same_vectors(*before, training.embeddings.sha256, training.cf ? training.cf->sha256 : "");
  }
  inputs.rqvae = {
      .device = runtime.device, .precision = runtime.precision, .device_sums = runtime.reducer.get()};
  const auto tokenizer = make_rqvae_tokenizer(options, std::move(inputs));
  return RqvaeRun(session, dataset, run, std::move(training)).make(*tokenizer, std::move(before));
}

/// tokenizer.index, or what there is beside the data.
std::string index_of(const ProgramOptions& options) {
  const TokenizerOptions& tokenizer = options.tokenizer;
  const bool may_have_index = tokenizer.method == "auto" || tokenizer.method == "index";
  if (!may_have_index || !tokenizer.index.empty()) return tokenizer.index;
  return index_file(options.data).string();
}

TokenizerOptions with_index(const ProgramOptions& options, std::string index) {
  TokenizerOptions result = options.tokenizer;
  result.seed = options.run.seed;
  result.max_pieces = options.text.max_pieces;
  result.index = std::move(index);
  return result;
}

void say(const IdentifierTable& table, const std::string& method) {
  const std::int64_t shared = table.items() - table.distinct();
  LOG_ROOT(INFO) << "identifiers: " << table.items() << " items, " << table.symbols().size()
                 << " symbols, up to " << table.max_length() << " long";
  if (shared > 0) {
    LOG_ROOT(WARNING)
        << shared << " of " << table.items()
        << " items share an identifier with an earlier one: they are ranked in seeded random order";
  }
  const bool in_text = std::ranges::any_of(
      table.symbols(), [](const std::string& symbol) { return piece_of(symbol).has_value(); });
  if (method == "index" && in_text) {
    LOG_ROOT(WARNING) << "the identifiers are text pieces by number: text.spiece has to be the SentencePiece "
                         "model that they were made with (tokenize leaves it in its run folder)";
  }
}

}  // namespace

TokenizerOptions tokenizer_options(const ProgramOptions& options) {
  return with_index(options, index_of(options));
}

TokenizerOptions tokenizer_options(const ProgramOptions& options, Communicator& world) {
  std::string index;
  on_root(world, [&] { index = index_of(options); });
  world.broadcast(index, 0);
  return with_index(options, std::move(index));
}

std::vector<IdentifierInput> identifier_inputs(const ProgramOptions& options) {
  const TokenizerOptions tokenizer = tokenizer_options(options);
  const std::string method = method_of(tokenizer);
  using std::filesystem::path;
  return {{"tokenizer.index", "identifiers", method == "index" ? path(tokenizer.index) : path()},
          {"tokenizer.embeddings", "embeddings", is_rqvae(method) ? embeddings_file(options) : path()},
          {"letter.cf", "collaborative", needs_cf(tokenizer) ? cf_file(options) : path()}};
}

FirstIdentifiers make_first_identifiers(Session& session, const Workspace& workspace, const Runtime& runtime,
                                        const IdentifierRun& run) {
  Communicator& world = session.mpi.world();
  const TokenizerOptions options = tokenizer_options(session.options, world);
  const std::string method = method_of(options);
  FirstIdentifiers made;
  if (is_rqvae(method)) {
    made = make_rqvae_identifiers(session, workspace, runtime, options, run);
  } else {
    if (!run.state.empty()) require_no_tokenizer(run.state, world);
    TokenizerInputs inputs;
    inputs.text = workspace.text_tokenizer();
    const auto tokenizer = make_item_tokenizer(options, std::move(inputs));
    made.table = tokenizer->fit(workspace.dataset(), world);
    if (run.on_start) run.on_start(0);
  }
  say(made.table, method);
  return made;
}

IdentifierTable stand_in_identifiers(Session& session, const Workspace& workspace) {
  const Dataset& dataset = workspace.dataset();
  Communicator& world = session.mpi.world();
  const TokenizerOptions options = tokenizer_options(session.options, world);
  if (!is_rqvae(method_of(options))) {
    TokenizerInputs inputs;
    inputs.text = workspace.text_tokenizer();
    return make_item_tokenizer(options, std::move(inputs))->fit(dataset, world);
  }
  const RqvaeOptions rqvae = rqvae_options(options);
  std::int64_t cf_rows = 0, cf_width = 0;
  if (needs_cf(options)) {
    const Embeddings cf = collaborative_vectors(session.options, dataset, world);
    cf_rows = cf.rows;
    cf_width = cf.width;
  }
  check_options(rqvae, dataset.items(), cf_rows, cf_width);
  (void)given_embeddings(session.options, dataset, world);
  const std::int64_t levels = rqvae.levels + (rqvae.collision == "digit" ? 1 : 0);
  return RandomTokenizer({.levels = levels, .codes = rqvae.codes, .seed = options.seed}).fit(dataset, world);
}

}  // namespace genrec
