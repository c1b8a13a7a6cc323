#include "app/new_items.h"

#include <filesystem>
#include <iostream>
#include <string>

#include "app/first_identifiers.h"
#include "app/saved_model.h"
#include "app/tokenizer_file.h"
#include "base/error.h"
#include "base/log.h"
#include "comm/on_root.h"
#include "io/json_file.h"
#include "tokenizers/lsa.h"
#include "tokenizers/registry.h"
#include "tokenizers/rqvae/index_generation.h"
#include "training/checkpoint.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

/// The options are those that the tokenizer was made with (main reads them from its file), but for what this
/// call gives; and a tokenizer that is made does not change.
void require_no_other_options(const OptionParser& parser, const TokenizerFile& tokenizer,
                              const fs::path& path) {
  for (const auto& [key, then] : parser.differences(tokenizer.config)) {
    const bool shapes = key.starts_with("tokenizer.") || key.starts_with("letter.");
    if (!shapes || key == "tokenizer.new-items") continue;
    throw UsageError(key + " = " + parser.text(key) + " (" + parser.origin(key) + "): the tokenizer in " +
                     path.string() + " was made with " + (then.empty() ? "none" : then) + "; leave it out");
  }
}

/// Vectors can be compared only where they were made alike.
void require_same_encoder(const TokenizerFile& tokenizer, const EmbeddingProvenance& fresh,
                          const std::string& file) {
  const EmbeddingProvenance& known = tokenizer.embeddings;
  if (known.source == kLsaSource) {
    throw DataError(
        "tokenizer.new-items: this tokenizer was made from LSA of its own items' texts, where others have no "
        "place: make one from an encoder's vectors (data_prep/embed_text.py, tokenizer.embeddings)");
  }
  const auto require = [&](const std::string& then, const std::string& now, const std::string& what) {
    if (then.empty() || now.empty() || then == now) return;
    throw DataError(file + ": " + what + " is '" + now + "', but the tokenizer was made from vectors of '" +
                    then +
                    "': encode new items as the others were (a converted file is named by "
                    "vectors_to_hdf5.py --source and --template)");
  };
  require(known.source, fresh.source, "its source");
  require(known.text_template, fresh.text_template, "its template");
}

void say(const fs::path& path, const IdentifierTable& table, std::int64_t known) {
  LOG(INFO) << "items " << known << " to " << table.items() - 1 << " are new, "
            << table.items() - table.distinct() << " of all share an identifier with an earlier one";
  std::cout << path.string() << ": " << table.items() << " items, " << table.distinct()
            << " distinct identifiers, sha256 " << table.sha256() << std::endl;
}

/// A recommender's, which SIIT may have changed, else the tokenizer's own.
IdentifierTable identifiers_in_use(const Session& session, const TokenizerFile& tokenizer) {
  const fs::path path = checkpoint_path(session.line, session.options.run);
  std::error_code unreadable;
  if (!fs::exists(path, unreadable)) return *tokenizer.table;
  LOG(INFO) << "new items come behind the identifiers of " << path.string();
  return read_checkpoint(path, CheckpointParts::kModel).identifiers;
}

bool begins_like(const IdentifierTable& table, const IdentifierTable& before) {
  if (before.items() > table.items()) return false;
  for (ItemId item = 0; item < before.items(); ++item) {
    if (table.strings_of(item) != before.strings_of(item)) return false;
  }
  return true;
}

/// Identifiers that an earlier call has given are not taken back: others may rely on them.
void require_earlier_ones(const fs::path& path, const IdentifierTable& table, const std::string& new_items) {
  if (!fs::exists(path)) return;
  const auto items = static_cast<std::int64_t>(read_json(path).size());
  if (begins_like(table, read_index_json(path, items))) return;
  throw UsageError(
      "tokenizer.new-items = " + new_items + ": " + path.string() +
      " holds identifiers of other new items, which would be lost: move it away, or give the vectors "
      "of all new items in one file, earlier ones first");
}

void add_on_root(const Session& session) {
  const ProgramOptions& o = session.options;
  const fs::path path = fs::path(o.run.dir) / "checkpoints" / kTokenizerFile;
  const TokenizerFile tokenizer = read_tokenizer_file(path);
  if (!tokenizer.table) {
    throw DataError(path.string() +
                    ": its training is not done; run the tokenize command that began it again first");
  }
  require_no_other_options(session.parser, tokenizer, path);
  const RqvaeOptions options = rqvae_options(tokenizer_options(o));
  const Embeddings fresh = read_embeddings(o.vectors.new_items);
  require_same_encoder(tokenizer, fresh.provenance, o.vectors.new_items);
  for (const std::string& line : describe(examine(fresh))) LOG(WARNING) << "new items: " << line;
  const auto model = restored_model(tokenizer.state, fresh.width, options);
  const IdentifierTable known = identifiers_in_use(session, tokenizer);
  const IdentifierTable table = with_new_items(known, *model, fresh, options);
  const fs::path index = fs::path(o.run.dir) / "identifiers" / "with-new-items.index.json";
  require_earlier_ones(index, table, o.vectors.new_items);
  write_index_json(index, table);
  say(index, table, known.items());
}

}  // namespace

ExitCode add_new_items(Session& session) {
  if (session.options.run.dir.empty()) {
    throw UsageError("tokenizer.new-items needs run.dir, the run folder with the tokenizer");
  }
  on_root(session.mpi.world(), [&] { add_on_root(session); });
  return ExitCode::kDone;
}

}  // namespace genrec
