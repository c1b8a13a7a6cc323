#pragma once
#include <cstdint>
#include <string>

#include "comm/communicator.h"
#include "data/dataset.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/rqvae/rqvae_options.h"

namespace genrec {

/// Makes the first identifiers. fit() is collective: every rank calls it with its own users, and every rank
/// gets the same table, which does not depend on the rank count.
class ItemTokenizer {
 public:
  virtual ~ItemTokenizer() = default;
  [[nodiscard]] virtual IdentifierTable fit(const Dataset& dataset, Communicator& world) = 0;
};

struct CidOptions {
  std::int32_t token_size = 500;  ///< tokens of the vocabulary, and the largest leaf
  std::int32_t clusters = 20;     ///< parts of a split
};

/// Which tokenizer, and the options of each (registry.h makes it).
struct TokenizerOptions {
  std::string method = "auto";  ///< auto: index when the dataset has one, else cid
  /// A file with identifiers (index.json, or HDF5); "": index_file() of data/load_dataset.h, set by app.
  std::string index;
  CidOptions cid;
  RqvaeOptions rqvae;  ///< of tiger and letter, but for init, collision and seed; levels and codes of random
  std::string init = "auto";  ///< RqvaeOptions::init; auto: the method's own
  /// sinkhorn|digit|none; auto: sinkhorn for tiger and letter. For tid and random: digit is collision
  /// avoidance (collision_avoidance.h), all else leaves collisions as they are.
  std::string collision = "auto";
  std::int32_t max_pieces = 64;  ///< of a title identifier, set by app
  std::uint64_t seed = 42;
};

}  // namespace genrec
