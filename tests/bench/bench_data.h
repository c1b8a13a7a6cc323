#pragma once
// A dataset as the benchmarks of a T5 use it: the last 20 items, identifiers alone and the end token, the
// same samples in the same order at each call.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/shards.h"
#include "data/load_dataset.h"
#include "data/virtual_shards.h"
#include "model/batch.h"
#include "tokenizers/vocabulary.h"

namespace genrec::bench {

class BenchData {
 public:
  static constexpr std::int32_t kHistory = 20;

  /// NAME.inter.json and NAME.index.json in the folder. `vocabulary`: "full" has T5's 32,100 text pieces
  /// before the codes, "codes" none.
  BenchData(const std::string& folder, const std::string& name, const std::string& vocabulary,
            bool needs_text = false)
      : dataset_(load(folder, name, needs_text)),
        table_(read_index_json(folder + "/" + name + ".index.json", dataset_.items())),
        vocabulary_(text_pieces(vocabulary), table_.symbols()),
        items_(table_, vocabulary_),
        test_(evaluation_samples(dataset_.interactions, Split::kTest)) {
    for (std::int64_t row = 0; row < dataset_.interactions.rows(); ++row) {
      // Every training item but the first is a target, the validation and test items are not.
      for (std::int64_t t = 1; t < dataset_.interactions.length(row) - 2; ++t) {
        training_.push_back({static_cast<std::int32_t>(row), static_cast<std::int32_t>(t)});
      }
    }
    if (training_.empty() || test_.empty()) {
      throw DataError(folder + "/" + name +
                      ".inter.json: no user has the four items that a training sample takes");
    }
    RandomStream(1, Purpose::kTest).shuffle(std::span(training_));
    RandomStream(1, Purpose::kUserSample).shuffle(std::span(test_));
  }

  [[nodiscard]] TokenId vocabulary() const { return vocabulary_.size(); }
  [[nodiscard]] const Vocabulary& tokens() const { return vocabulary_; }
  [[nodiscard]] const IdentifierTable& table() const { return table_; }
  [[nodiscard]] const TokenizedItems& items() const { return items_; }
  [[nodiscard]] const std::vector<std::string>& titles() const { return dataset_.catalogue.titles; }
  [[nodiscard]] std::int64_t training_samples() const { return static_cast<std::int64_t>(training_.size()); }
  [[nodiscard]] std::int64_t users() const { return static_cast<std::int64_t>(test_.size()); }

  [[nodiscard]] Seq2SeqBatch batch(std::int64_t number, std::int64_t size) const {
    Seq2SeqBatch batch;
    for (std::int64_t i = 0; i < size; ++i) {
      const Sample sample = training_[static_cast<std::size_t>(number * size + i) % training_.size()];
      append_history(sample, batch.source);
      append(dataset_.interactions.row(sample.row)[static_cast<std::size_t>(sample.target)], batch.target);
      close(batch.target);
      batch.keys.push_back(static_cast<std::uint64_t>(number * size + i));
    }
    return batch;
  }
  /// Of test users.
  [[nodiscard]] PackedSequences sources(Range users) const {
    PackedSequences sources;
    for (std::int64_t i = users.begin; i < users.end; ++i) {
      append_history(test_[static_cast<std::size_t>(i)], sources);
    }
    return sources;
  }

 private:
  static Dataset load(const std::string& folder, const std::string& name, bool needs_text) {
    if (folder.empty() || name.empty())
      throw UsageError("--data DIR, --name NAME: the folder of NAME.inter.json");
    DataOptions options;
    options.dir = folder;
    options.name = name;
    options.needs_text = needs_text;
    DatasetRepairs repairs;
    return load_dataset(options, 1, 0, 1, repairs);
  }
  static TokenId text_pieces(const std::string& vocabulary) {
    if (vocabulary == "full") return 32100;
    if (vocabulary != "codes") throw UsageError("--vocabulary: expected full or codes");
    return kUnknownToken + 1;
  }
  void append(ItemId item, PackedSequences& to) const {
    const auto tokens = items_.of(item);
    to.tokens.insert(to.tokens.end(), tokens.begin(), tokens.end());
  }
  static void close(PackedSequences& sequences) {
    sequences.tokens.push_back(kEndToken);
    sequences.close_sequence();
  }
  void append_history(Sample sample, PackedSequences& sources) const {
    for (const ItemId item : history_of(dataset_.interactions, sample, kHistory)) append(item, sources);
    close(sources);
  }

  Dataset dataset_;
  IdentifierTable table_;
  Vocabulary vocabulary_;
  TokenizedItems items_;
  std::vector<Sample> training_, test_;
};

}  // namespace genrec::bench
