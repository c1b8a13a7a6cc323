#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>

#include "app/session.h"
#include "app/workspace.h"
#include "base/progress.h"
#include "comm/communicator.h"
#include "data/dataset.h"
#include "data/embeddings.h"

namespace genrec {

/// The width of LSA's vectors where no other is asked for.
inline constexpr std::int32_t kLsaWidth = 384;

/// tokenizer.embeddings, else NAME.embeddings.h5 beside the data; "" where there is neither. Files beside the
/// data are those that this rank sees: only the root's answer may decide what all ranks do.
[[nodiscard]] std::filesystem::path embeddings_file(const ProgramOptions& options);
/// letter.cf, else NAME.cf.h5 beside the data; "" likewise.
[[nodiscard]] std::filesystem::path cf_file(const ProgramOptions& options);

/// Vectors of the items' texts (data.text; the embed command puts embed.text there) by LSA, the same on every
/// rank. Throws DataError when no item has a text. Collective.
[[nodiscard]] Embeddings lsa_of_items(Session& session, const Workspace& workspace, std::int32_t width,
                                      Progress& progress);

/// Where a training keeps the vectors that LSA makes: another processor would round them otherwise, and a
/// tokenizer goes on with the very same ones only.
struct LsaFile {
  std::filesystem::path path = {};  ///< "": they are not kept
  bool goes_on = false;             ///< an earlier call has made them of the same texts
};

/// Those of embeddings_file(); none where there is no such file. Throws the errors of read_embeddings_for().
/// Collective.
[[nodiscard]] std::optional<Embeddings> given_embeddings(const ProgramOptions& options,
                                                         const Dataset& dataset, Communicator& world);
/// What tiger and letter are made from: given_embeddings(), else LSA of tokenizer.text; the log says which.
/// Collective.
[[nodiscard]] Embeddings item_embeddings(const ProgramOptions& options, const Dataset& dataset,
                                         Communicator& world, Progress& progress, const LsaFile& lsa = {});
/// Those of cf_file(); what is wrong with them is counted in the log. Throws MissingInput with what to do
/// where there is no such file, DataError where they are not as wide as tokenizer.dim. Collective.
[[nodiscard]] Embeddings collaborative_vectors(const ProgramOptions& options, const Dataset& dataset,
                                               Communicator& world);

}  // namespace genrec
