// Acceptance check 6 of the method: the size of LETTER-TIGER and of its sequences.
#include <gtest/gtest.h>

#include <algorithm>

#include "data/load_dataset.h"
#include "io/text_tokenizer.h"
#include "model/t5_model.h"
#include "support.h"
#include "training/tasks.h"

namespace genrec {
namespace {

constexpr std::int64_t kParameters = 8685952;

std::int64_t parameters_of(T5Config config, TokenId vocabulary) {
  config.vocab_size = vocabulary;
  T5Model model(config, at::kCPU, Precision::kFloat32);
  return model.parameters().parameter_count();
}

TEST(AcceptanceCheck6, LetterTigerHasSoManyParameters) {
  EXPECT_EQ(parameters_of(T5Config::preset("tiger"), 33018), kParameters);
}

TEST(AcceptanceCheck6, ReleasedConfigurationIsThePreset) {
  const auto config = test::shared_folder() / "t5" / "config.tiger.json";
  GENREC_NEEDS(config);
  EXPECT_EQ(parameters_of(T5Config::from_file(config), 33018), kParameters);
}

TEST(AcceptanceCheck6, SequencesOfInstrumentsAreAsLongAsSaid) {
  const auto spiece = test::shared_folder() / "t5" / "spiece.model";
  const auto folder = test::shared_folder() / "data" / "instruments";
  GENREC_NEEDS(spiece);
  GENREC_NEEDS(folder);
  DataOptions options;
  options.dir = folder.string();
  options.name = "Instruments";
  options.needs_text = false;
  DatasetRepairs repairs;
  const Dataset dataset = load_dataset(options, 42, 0, 1, repairs);
  const IdentifierTable table = read_index_json(folder / "Instruments.index.json", dataset.items());
  const Vocabulary vocabulary(TextTokenizer(spiece).size(), table.symbols());
  EXPECT_EQ(vocabulary.size(), 33018);

  const TokenizedItems items(table, vocabulary);
  const Prompts prompts;
  const RecommendationTask task(dataset.interactions, items, prompts, /*history=*/20, /*seed=*/42);
  std::int64_t longest_source = 0, samples = 0;
  for (std::int64_t row = 0; row < dataset.interactions.rows(); ++row) {
    Seq2SeqBatch batch;
    for (std::int64_t target = 1; target < dataset.interactions.length(row); ++target) {
      task.append({static_cast<std::int32_t>(row), static_cast<std::int32_t>(target)}, 0, batch);
    }
    for (std::size_t b = 0; b < static_cast<std::size_t>(batch.samples()); ++b) {
      longest_source = std::max(longest_source, batch.source.offsets[b + 1] - batch.source.offsets[b]);
    }
    ASSERT_EQ(batch.target.size(), 5 * batch.samples()) << "row " << row;
    samples += batch.samples();
  }
  EXPECT_EQ(samples, dataset.interaction_count - dataset.users());
  EXPECT_EQ(longest_source, 81);
}

}  // namespace
}  // namespace genrec
