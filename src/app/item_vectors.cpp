#include "app/item_vectors.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "comm/on_root.h"
#include "data/item_text.h"
#include "data/load_dataset.h"
#include "tokenizers/lsa.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

fs::path given_or_beside(const std::string& given, const DataOptions& data, const std::string& ending) {
  return given.empty() ? file_beside(data, ending) : fs::path(given);
}

/// The root's answer on every rank.
template <typename Find>
fs::path of_root(Communicator& world, Find find) {
  std::string path;
  on_root(world, [&] { path = find().string(); });
  world.broadcast(path, 0);
  return path;
}

void say(const std::string& what, const fs::path& path, const Embeddings& vectors, const Dataset& dataset) {
  const EmbeddingProvenance& from = vectors.provenance;
  LOG_ROOT(INFO) << what << " of width " << vectors.width << " from " << path.string()
                 << (from.source.empty() ? "" : " (" + from.source + ")");
  if (!from.fingerprint.empty() && from.fingerprint != dataset.fingerprint) {
    LOG_ROOT(WARNING) << path.string() << ": was made from another dataset than " << dataset.name
                      << ", or another part of it (fingerprint " << from.fingerprint.substr(0, 12) << ", now "
                      << dataset.fingerprint.substr(0, 12) << "); row i has to be item i's";
  }
}

/// The root's vectors on every rank, their checksum that of a file of theirs.
Embeddings share(Embeddings vectors, const Dataset& dataset, Communicator& world) {
  world.broadcast(vectors.values, 0);
  world.broadcast(std::as_writable_bytes(std::span(&vectors.width, 1)), 0);
  world.broadcast(vectors.provenance.source, 0);
  world.broadcast(vectors.provenance.text_template, 0);
  Embeddings shared =
      make_embeddings(std::move(vectors.values), vectors.width, std::move(vectors.provenance.source),
                      std::move(vectors.provenance.text_template));
  shared.provenance.fingerprint = dataset.fingerprint;
  return shared;
}

struct LsaRequest {
  std::string text;  ///< item_texts
  std::int32_t width = kLsaWidth;
  std::uint64_t seed = 0;
};

Embeddings lsa_of(const Dataset& dataset, const LsaRequest& request, Communicator& world,
                  Progress& progress) {
  const std::vector<std::string> texts = item_texts(dataset.catalogue, request.text);
  if (std::ranges::all_of(texts, [](const std::string& text) { return text.empty(); })) {
    throw DataError(dataset.name +
                    ": no item has a title to make embeddings from: give NAME.item.json, or vectors by "
                    "tokenizer.embeddings");
  }
  // On one rank: it computes on one thread, and processors may round differently.
  Embeddings made;
  on_root(world, [&] {
    LsaOptions options;
    options.svd.width = request.width;
    options.svd.seed = request.seed;
    made = lsa_embeddings(texts, request.text, options, &progress);
  });
  return share(std::move(made), dataset, world);
}

Embeddings kept_lsa(const fs::path& path, const Dataset& dataset, Communicator& world) {
  Embeddings kept;
  on_root(world, [&] {
    kept = read_embeddings(path);
    if (kept.rows == dataset.items()) return;
    throw DataError(path.string() + ": has " + std::to_string(kept.rows) + " rows for " +
                    std::to_string(dataset.items()) + " items; give another run.dir");
  });
  return share(std::move(kept), dataset, world);
}

}  // namespace

fs::path embeddings_file(const ProgramOptions& options) {
  return given_or_beside(options.vectors.embeddings, options.data, ".embeddings.h5");
}

fs::path cf_file(const ProgramOptions& options) {
  return given_or_beside(options.vectors.cf, options.data, ".cf.h5");
}

Embeddings lsa_of_items(Session& session, const Workspace& workspace, std::int32_t width,
                        Progress& progress) {
  const ProgramOptions& o = session.options;
  return lsa_of(workspace.dataset(), {.text = o.data.text, .width = width, .seed = o.run.seed},
                session.mpi.world(), progress);
}

std::optional<Embeddings> given_embeddings(const ProgramOptions& options, const Dataset& dataset,
                                           Communicator& world) {
  const fs::path path = of_root(world, [&] { return embeddings_file(options); });
  if (path.empty()) return std::nullopt;
  Embeddings embeddings = read_embeddings_for(dataset, path);
  say("embeddings", path, embeddings, dataset);
  return embeddings;
}

Embeddings item_embeddings(const ProgramOptions& options, const Dataset& dataset, Communicator& world,
                           Progress& progress, const LsaFile& lsa) {
  if (auto given = given_embeddings(options, dataset, world)) return std::move(*given);
  std::error_code unreadable;
  const bool kept = lsa.goes_on && !lsa.path.empty();
  if (world.any(world.is_root() && kept && fs::exists(lsa.path, unreadable))) {
    LOG_ROOT(INFO) << "embeddings: those that LSA made before, " << lsa.path.string();
    return kept_lsa(lsa.path, dataset, world);
  }
  const std::string& text = options.vectors.text;
  LOG_ROOT(INFO) << "no tokenizer.embeddings, and no NAME.embeddings.h5 beside the data: embeddings of width "
                 << kLsaWidth << " are made from the texts (" << text
                 << ") by LSA; data_prep/embed_text.py makes better ones";
  Embeddings made = lsa_of(dataset, {.text = text, .seed = options.run.seed}, world, progress);
  if (!lsa.path.empty()) on_root(world, [&] { write_embeddings(lsa.path, made); });
  return made;
}

Embeddings collaborative_vectors(const ProgramOptions& options, const Dataset& dataset, Communicator& world) {
  const fs::path path = of_root(world, [&] { return cf_file(options); });
  const std::string dim = std::to_string(options.tokenizer.rqvae.dim);
  if (path.empty()) {
    throw MissingInput("letter.alpha > 0 needs collaborative vectors of width " + dim +
                       ", and there is no NAME.cf.h5 beside the data: make them with `genrec_dist embed` and "
                       "name the file with letter.cf, or set letter.alpha = 0");
  }
  Embeddings vectors = read_embeddings_for(dataset, path);
  if (vectors.width != options.tokenizer.rqvae.dim) {
    throw DataError("letter.cf: the vectors of " + path.string() + " have width " +
                    std::to_string(vectors.width) + ", but tokenizer.dim = " + dim +
                    ", and they are compared as they are: make both equal (embed.width, tokenizer.dim)");
  }
  say("collaborative vectors", path, vectors, dataset);
  for (const std::string& line : describe(examine(vectors), "they do not tell their items apart")) {
    LOG_ROOT(WARNING) << "collaborative vectors: " << line;
  }
  return vectors;
}

}  // namespace genrec
