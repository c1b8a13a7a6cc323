// Acceptance check 8 of the method: what regeneration from titles alone must come to on Yelp, whatever the
// model. Items with titles of their own could only add collisions, so they are left out.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/load_dataset.h"
#include "siit/assigner.h"
#include "siit/regeneration.h"
#include "support.h"
#include "training/tasks.h"
#include "unit/decoding/tiny_model.h"

namespace genrec {
namespace {

using CandidatesOfItems = std::vector<std::vector<Hypothesis>>;

class AcceptanceCheck8 : public ::testing::Test {
 protected:
  static std::filesystem::path folder() { return test::shared_folder() / "data" / "yelp"; }

  /// Takes the items whose title more than `most` items have.
  void take_items(std::int64_t most) {
    DataOptions options;
    options.dir = folder().string();
    DatasetRepairs repairs;
    const Dataset dataset = load_dataset(options, 42, 0, 1, repairs);
    all_items_ = dataset.items();
    std::map<std::string, std::int64_t> items_with;
    for (const std::string& title : dataset.catalogue.titles) ++items_with[title];
    for (const std::string& title : dataset.catalogue.titles) {
      if (items_with[title] > most) titles_.push_back(title);
    }
  }

  /// Candidates of these items by an untrained model, best first.
  CandidatesOfItems candidates(std::int32_t beams) {
    const auto table = read_index_json(folder() / "Yelp.index.json", all_items_);
    std::vector<std::string> lines = prompt_texts(builtin_templates());
    for (const std::string& title : std::set<std::string>(titles_.begin(), titles_.end())) {
      lines.push_back(title);
    }
    const TextTokenizer text = TextTokenizer::train(lines, 400, 1);
    const Vocabulary vocabulary(text.size(), table.symbols());
    const Prompts prompts(builtin_templates(), text);
    const TitlePieces pieces(titles_, text, 64);
    // The task asks for a table of its items; prompts from titles read none of it.
    const auto items = static_cast<std::int64_t>(titles_.size());
    std::vector<std::vector<std::string>> identifiers;
    for (ItemId item = 0; item < items; ++item) identifiers.push_back(table.strings_of(item));
    const TokenizedItems tokens(IdentifierTable::from_strings(identifiers), vocabulary);
    const AlignmentTask task(pieces, tokens, prompts);
    T5Config config = test::tiny_config();
    config.vocab_size = vocabulary.size();
    T5Model model(config, at::kCPU, Precision::kFloat32);
    model.initialise(3);
    CandidatesOfItems found;
    const auto world = make_single_communicator();
    regenerate_identifiers(
        model, [&](ItemId item, PackedSequences& sources) { task.append_item_prompt(item, sources); },
        regeneration_automaton(table, vocabulary), {0, items}, {.candidates = beams, .threads = 2}, *world,
        [&](ItemId, std::span<const Hypothesis> mine) { found.emplace_back(mine.begin(), mine.end()); },
        [](std::int64_t) {});
    return found;
  }

  static Assignment assigned(const CandidatesOfItems& candidates, bool avoid_collisions) {
    IdentifierAssigner assigner(static_cast<std::int64_t>(candidates.size()),
                                {.avoid_collisions = avoid_collisions});
    for (const auto& mine : candidates) assigner.add(mine);
    return assigner.finish();
  }

  /// Shares of all of Yelp's items.
  [[nodiscard]] double collisions_of_all(const Assignment& assignment) const {
    return assignment.collision_rate * static_cast<double>(assignment.items()) /
           static_cast<double>(all_items_);
  }
  [[nodiscard]] double overflow_of_all(const Assignment& assignment) const {
    return static_cast<double>(assignment.overflowed.size()) / static_cast<double>(all_items_);
  }

  std::int64_t all_items_ = 0;
  std::vector<std::string> titles_;
};

TEST_F(AcceptanceCheck8, GreedyCollidesWhereTitlesDo) {
  GENREC_NEEDS(folder());
  take_items(1);
  ASSERT_EQ(titles_.size(), 6127U);
  const CandidatesOfItems candidates = this->candidates(1);
  std::map<std::string, std::vector<TokenId>> of_title;
  for (std::size_t item = 0; item < titles_.size(); ++item) {
    const auto& tokens = candidates[item].front().tokens;
    ASSERT_EQ(of_title.emplace(titles_[item], tokens).first->second, tokens) << titles_[item];
  }
  const Assignment greedy = assigned(candidates, false);
  EXPECT_GE(collisions_of_all(greedy), 0.234);
  EXPECT_EQ(greedy.collision_rate_final, greedy.collision_rate);
  EXPECT_EQ(assigned(candidates, true).collision_rate_final, 0);
}

TEST_F(AcceptanceCheck8, TwentyCandidatesAreTooFewForSomeTitles) {
  GENREC_NEEDS(folder());
  take_items(20);
  ASSERT_EQ(titles_.size(), 1265U);
  const CandidatesOfItems candidates = this->candidates(20);
  const Assignment beam = assigned(candidates, false);
  EXPECT_GE(overflow_of_all(beam), 0.026);
  EXPECT_GE(collisions_of_all(beam), 0.026);
  EXPECT_EQ(assigned(candidates, true).collision_rate_final, 0);
}

}  // namespace
}  // namespace genrec
