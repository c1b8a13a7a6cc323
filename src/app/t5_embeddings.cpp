#include "app/t5_embeddings.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/shards.h"
#include "tokenizers/rqvae/gather_rows.h"
#include "tokenizers/vocabulary.h"

namespace genrec {
namespace {

/// Items encoded at once: fixed, so that their number does not depend on the ranks.
constexpr std::int64_t kBlock = 64;

/// [texts of the range, d_model] on the host.
at::Tensor encoded(const T5Model& model, const Workspace& workspace, Range range, std::size_t max_pieces) {
  PackedSequences sources;
  for (std::int64_t item = range.begin; item < range.end; ++item) {
    std::vector<TokenId> pieces =
        workspace.text_tokenizer()->encode(workspace.texts()[static_cast<std::size_t>(item)]);
    pieces.resize(std::min(pieces.size(), max_pieces));
    sources.tokens.insert(sources.tokens.end(), pieces.begin(), pieces.end());
    sources.tokens.push_back(kEndToken);
    sources.close_sequence();
  }
  const at::Tensor hidden = model.encode(sources);
  std::vector<at::Tensor> means;
  for (std::size_t i = 0; i + 1 < sources.offsets.size(); ++i) {
    const std::int64_t begin = sources.offsets[i];
    means.push_back(hidden.narrow(0, begin, sources.offsets[i + 1] - begin).mean(0));
  }
  return at::stack(means).cpu();
}

/// Of a folder or file, which may be given as "models/", "models/." or ".".
std::string name_of(const std::filesystem::path& weights) {
  const std::filesystem::path whole = std::filesystem::absolute(weights).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

}  // namespace

Embeddings t5_embeddings(Session& session, const Workspace& workspace, const Runtime& runtime,
                         Progress& progress) {
  const ProgramOptions& o = session.options;
  Communicator& world = session.mpi.world();
  const auto model = workspace.make_model(runtime, Vocabulary(workspace.text_pieces(), {}));
  const std::int64_t items = workspace.dataset().items(), width = model->config().d_model;
  const Range mine = even_part((items + kBlock - 1) / kBlock, world.rank(), world.size());
  std::vector<at::Tensor> blocks = {at::empty({0, width}, at::kFloat)};  // a rank may have no item
  progress.start("T5 encoder", mine.size() * kBlock, "items");
  for (std::int64_t block = mine.begin; block < mine.end; ++block) {
    const Range range{block * kBlock, std::min(items, (block + 1) * kBlock)};
    blocks.push_back(encoded(*model, workspace, range, static_cast<std::size_t>(o.text.max_pieces)));
    progress.update((block - mine.begin + 1) * kBlock);
  }
  progress.finish();
  const at::Tensor all = gather_rows(at::cat(blocks), world).rows.contiguous();
  const auto* first = all.const_data_ptr<float>();
  std::string source("T5 encoder, mean over pieces: ");
  source += name_of(o.model.weights);
  return make_embeddings({first, first + all.numel()}, width, std::move(source), o.data.text);
}

}  // namespace genrec
