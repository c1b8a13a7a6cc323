#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace genrec {

/// What is known of the items: row i is item i.
struct Catalogue {
  std::vector<std::string> titles;
  std::vector<std::string> descriptions;  ///< as many as titles; "" where there is none
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(titles.size()); }
};

/// Histories of the users that this rank holds, in the order of time (CSR).
struct Interactions {
  std::vector<UserId> users;          ///< global ids of the rows, ascending
  std::vector<std::int64_t> offsets;  ///< rows + 1
  std::vector<ItemId> items;

  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(users.size()); }
  [[nodiscard]] std::span<const ItemId> row(std::int64_t r) const {
    return std::span(items).subspan(static_cast<std::size_t>(offsets[static_cast<std::size_t>(r)]),
                                    static_cast<std::size_t>(length(r)));
  }
  [[nodiscard]] std::int64_t length(std::int64_t r) const {
    return offsets[static_cast<std::size_t>(r) + 1] - offsets[static_cast<std::size_t>(r)];
  }
};

/// A dataset as one rank sees it: all items, its own users' histories, everybody's history lengths.
struct Dataset {
  std::string name;
  Catalogue catalogue;
  Interactions interactions;
  std::vector<std::int32_t> lengths;    ///< of every user of the whole dataset
  std::int64_t interaction_count = 0;   ///< of the whole dataset
  std::int64_t items_before_limit = 0;  ///< items in the source, before data.max-items
  std::string fingerprint;              ///< sha256 of what was loaded; equal on every rank

  [[nodiscard]] std::int64_t users() const { return static_cast<std::int64_t>(lengths.size()); }
  [[nodiscard]] std::int64_t items() const { return catalogue.size(); }
};

/// Leave-one-out: the last item of a history is the test target, the one before it the validation target,
/// every earlier one but the first a training target (SIIT 4.1; all-prefix samples, sum of len - 3).
enum class Split { kTrain, kValid, kTest };

/// A prediction task: the items before `target` of one row of Interactions predict the item at `target`.
struct Sample {
  std::int32_t row = 0;     ///< row of this rank's Interactions
  std::int32_t target = 0;  ///< position in the history
};

/// The number of training samples of a history of this length.
[[nodiscard]] constexpr std::int64_t training_samples(std::int64_t length) {
  return length > 3 ? length - 3 : 0;
}

/// The key of a sample, the same on every rank: draws (template, dropout) hang on it.
[[nodiscard]] constexpr std::uint64_t sample_key(UserId user, std::int32_t target) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(user)) << 32) |
         static_cast<std::uint32_t>(target);
}

/// The last `limit` items before the target.
[[nodiscard]] inline std::span<const ItemId> history_of(const Interactions& interactions, Sample sample,
                                                        std::int32_t limit) {
  const auto row = interactions.row(sample.row);
  const auto count = static_cast<std::size_t>(sample.target < limit ? sample.target : limit);
  return row.subspan(static_cast<std::size_t>(sample.target) - count, count);
}

}  // namespace genrec
