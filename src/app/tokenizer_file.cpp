#include "app/tokenizer_file.h"

#include <utility>

#include "app/resume_rules.h"
#include "base/error.h"
#include "base/log.h"
#include "comm/on_root.h"
#include "data/readers/hdf5_dataset.h"
#include "io/hdf5.h"
#include "tokenizers/identifier_hdf5.h"
#include "training/broadcaster.h"

namespace genrec {
namespace {

constexpr const char* kGroup = "/tokenizer";
constexpr const char* kConfig = "/config";
constexpr const char* kReport = "/report";
constexpr const char* kOfEmbeddings = "embeddings_";
constexpr const char* kOfCf = "cf_";

// Their checksums are in the state.

void write_provenance(Hdf5Writer& file, const std::string& prefix, const EmbeddingProvenance& from) {
  file.attribute(kGroup, prefix + "source", from.source);
  file.attribute(kGroup, prefix + "template", from.text_template);
  file.attribute(kGroup, prefix + "rows", from.rows);
  file.attribute(kGroup, prefix + "fingerprint", from.fingerprint);
}

std::optional<EmbeddingProvenance> read_provenance(const Hdf5Reader& file, const std::string& prefix,
                                                   const std::string& sha256) {
  if (!file.has_attribute(kGroup, prefix + "source")) return std::nullopt;
  return EmbeddingProvenance{.source = file.text_attribute(kGroup, prefix + "source"),
                             .text_template = file.text_attribute(kGroup, prefix + "template"),
                             .rows = file.integer_attribute(kGroup, prefix + "rows"),
                             .sha256 = sha256,
                             .fingerprint = file.text_attribute(kGroup, prefix + "fingerprint")};
}

void require_same_options(const OptionParser& parser, const ProgramOptions& options,
                          const TokenizerFile& file, const std::filesystem::path& path) {
  for (const auto& [key, then] : parser.differences(file.config)) {
    const std::int64_t begun = file.state.epoch + (file.state.steps_of_epoch > 0 ? 1 : 0);
    if (tokenizer_may_change(key, begun, options)) continue;
    throw UsageError(key + " = " + parser.text(key) + " (" + parser.origin(key) + "), but the tokenizer in " +
                     path.string() + " was made with " + (then.empty() ? "none" : then) +
                     ": give that value, or another run.dir");
  }
}

RqvaeState read_state(const OptionParser& parser, const ProgramOptions& options, const Dataset& dataset,
                      const std::filesystem::path& path) {
  if (options.run.resume == "never") {
    throw UsageError("run.resume = never, but " + path.string() +
                     " already holds a tokenizer: give another run.dir, or remove that file");
  }
  TokenizerFile file = read_tokenizer_file(path);
  if (file.fingerprint != dataset.fingerprint) {
    throw DataError(path.string() + ": is a tokenizer of another dataset ('" + file.dataset +
                    "', fingerprint " + file.fingerprint.substr(0, 12) + "; this run reads '" + dataset.name +
                    "', fingerprint " + dataset.fingerprint.substr(0, 12) +
                    "); give the same data options, or another run.dir");
  }
  require_same_options(parser, options, file, path);
  LOG(INFO) << "going on from " << path.string() << ": " << file.state.epoch << " epochs are done";
  return std::move(file.state);
}

void broadcast_state(RqvaeState& state, Communicator& world) {
  // A binding of all members: a member that is added without its broadcast does not compile.
  auto& [epoch, steps, steps_of_epoch, sums, values, exp_avg, exp_avg_sq, best, code_clusters, best_score,
         losses, embeddings_sha256, cf_sha256] = state;
  broadcast_fields(Broadcaster(world), epoch, steps, steps_of_epoch, sums, values, exp_avg, exp_avg_sq, best,
                   code_clusters, best_score, losses, embeddings_sha256, cf_sha256);
}

/// The root's answer: others may not see the folder.
bool is_there(const std::filesystem::path& path, Communicator& world) {
  std::error_code unreadable;
  return world.any(world.is_root() && std::filesystem::exists(path, unreadable));
}

}  // namespace

void write_tokenizer_file(const std::filesystem::path& path, const TokenizerFile& tokenizer) {
  Hdf5Writer file(path);
  file.attribute("/", "name", tokenizer.dataset);
  file.attribute("/", "fingerprint", tokenizer.fingerprint);
  file.attribute("/", "git", tokenizer.git);
  file.write_text(kConfig, tokenizer.config);
  write_rqvae(file, kGroup, tokenizer.state, /*training=*/true);
  write_provenance(file, kOfEmbeddings, tokenizer.embeddings);
  if (tokenizer.cf) write_provenance(file, kOfCf, *tokenizer.cf);
  if (tokenizer.table) write_identifiers(file, kIdentifierGroup, *tokenizer.table);
  if (!tokenizer.report.empty()) file.write_text(kReport, tokenizer.report);
  file.commit();
}

TokenizerFile read_tokenizer_file(const std::filesystem::path& path) {
  const Hdf5Reader file(path);
  TokenizerFile tokenizer;
  tokenizer.state = read_rqvae(file, kGroup);
  tokenizer.dataset = file.text_attribute("/", "name");
  tokenizer.fingerprint = file.text_attribute("/", "fingerprint");
  tokenizer.git = file.text_attribute("/", "git");
  tokenizer.config = file.read_text(kConfig);
  tokenizer.embeddings =
      read_provenance(file, kOfEmbeddings, tokenizer.state.embeddings_sha256).value_or(EmbeddingProvenance());
  tokenizer.cf = read_provenance(file, kOfCf, tokenizer.state.cf_sha256);
  if (file.has(std::string(kIdentifierGroup) + "/identifiers")) {
    tokenizer.table = read_identifiers(file, kIdentifierGroup);
  }
  if (file.has(kReport)) tokenizer.report = file.read_text(kReport);
  return tokenizer;
}

std::string read_tokenizer_report(const std::filesystem::path& path) {
  std::error_code unreadable;
  if (!std::filesystem::exists(path, unreadable)) return {};
  const Hdf5Reader file(path);
  return file.has(kReport) ? file.read_text(kReport) : std::string();
}

std::optional<RqvaeState> load_tokenizer_state(const OptionParser& parser, const ProgramOptions& options,
                                               const Dataset& dataset, const std::filesystem::path& path,
                                               Communicator& world) {
  if (!is_there(path, world)) {
    if (options.run.resume != "must") return std::nullopt;
    throw MissingInput("run.resume = must, but there is no " + path.string() +
                       ": give the run.dir of an earlier run, or run.resume = auto");
  }
  RqvaeState state;
  on_root(world, [&] { state = read_state(parser, options, dataset, path); });
  broadcast_state(state, world);
  return state;
}

void require_no_tokenizer(const std::filesystem::path& path, Communicator& world) {
  if (!is_there(path, world)) return;
  throw UsageError(
      path.string() +
      ": a tokenizer was trained in this folder, whose results would be mixed with others: give another "
      "run.dir, or remove that file");
}

}  // namespace genrec
