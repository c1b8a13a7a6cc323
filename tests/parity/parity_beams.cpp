#include <algorithm>

#include "decoding/device_search.h"
#include "decoding/generator.h"
#include "fixture.h"

namespace genrec::parity {
namespace {

/// Sequences of one trie, without their end token.
struct Trie {
  std::vector<std::vector<TokenId>> rows;
  std::vector<std::int64_t> offsets{0};
  std::vector<TokenId> tokens;
};

Trie read_trie(const Hdf5Reader& file, const std::string& object) {
  const std::vector<std::int64_t> values = file.read_integers(object);
  const auto width = static_cast<std::size_t>(file.shape(object).at(1));
  Trie trie;
  for (std::size_t begin = 0; begin < values.size(); begin += width) {
    std::vector<TokenId> row;
    for (std::size_t i = begin; values[i] != kEndToken; ++i) row.push_back(static_cast<TokenId>(values[i]));
    trie.tokens.insert(trie.tokens.end(), row.begin(), row.end());
    trie.offsets.push_back(static_cast<std::int64_t>(trie.tokens.size()));
    trie.rows.push_back(std::move(row));
  }
  return trie;
}

/// The tokens of a row of Hugging Face's output between start and end token.
std::vector<TokenId> generated(const std::vector<std::int64_t>& values, std::size_t begin,
                               std::size_t width) {
  std::vector<TokenId> row;
  for (std::size_t i = begin + 1; i < begin + width && values[i] != kEndToken; ++i) {
    row.push_back(static_cast<TokenId>(values[i]));
  }
  return row;
}

Stopping stopping_of(const std::string& name) {
  return name.ends_with("full") ? Stopping::kCurrentLength : Stopping::kFirstFinished;
}

/// generate(), or the search that stays on the model's device.
using Search = std::vector<std::vector<Hypothesis>> (*)(const T5Model&, const PackedSequences&,
                                                        const TokenAutomaton&, const BeamOptions&);

std::vector<std::vector<Hypothesis>> search_on_device(const T5Model& model, const PackedSequences& sources,
                                                      const TokenAutomaton& automaton,
                                                      const BeamOptions& options) {
  return generate_on_device(model, sources, DeviceAutomaton(automaton, model.parameters().device()), options);
}

/// The search with Hugging Face's rule of when to stop finds its sequences, in its order, with its scores.
/// Where all sequences have one length, so must the exact rule.
void compare_search(const Hdf5Reader& file, const std::string& group, const std::string& name,
                    Stopping stopping, Search search, const Trie& trie, const T5Model& model,
                    const Fixture& fixture, Errors& errors) {
  const std::string object = group + "/beam/" + name,
                    what = "beam " + name + (stopping == Stopping::kExact ? ", exact" : "") +
                           (search == &search_on_device ? ", on device" : "");
  const auto beams = static_cast<std::size_t>(file.integer_attribute(object, "beams"));
  BeamOptions options;
  options.beams = static_cast<std::int32_t>(beams);
  options.length_penalty = file.real_attribute(object, "length_penalty");
  options.stopping = stopping;
  const PrefixTrie prefixes(trie.offsets, trie.tokens);
  const auto found = search(model, fixture.batch.source, prefixes.automaton(), options);
  const std::vector<std::int64_t> sequences = file.read_integers(object + "/sequences");
  const std::vector<float> scores = file.read<float>(object + "/scores");
  const auto width = static_cast<std::size_t>(file.shape(object + "/sequences").at(2));
  for (std::size_t user = 0; user < found.size(); ++user) {
    if (found[user].size() != beams) {
      errors.fail(what, "found " + std::to_string(found[user].size()) + " sequences");
      continue;
    }
    for (std::size_t beam = 0; beam < beams; ++beam) {
      const std::size_t row = user * beams + beam;
      errors.note(what, found[user][beam].score, scores[row]);
      if (found[user][beam].tokens != generated(sequences, row * width, width)) {
        errors.fail(what,
                    "another sequence at user " + std::to_string(user) + ", place " + std::to_string(beam));
      }
    }
  }
}

/// With a beam for every sequence the search scores each as teacher forcing does.
void compare_exhaustive(const Hdf5Reader& file, const std::string& group, const Trie& trie,
                        const T5Model& model, const Fixture& fixture, Errors& errors) {
  const std::vector<float> all = file.read<float>(group + "/beam/fixed/all_scores");
  const PrefixTrie prefixes(trie.offsets, trie.tokens);
  BeamOptions options;
  options.beams = static_cast<std::int32_t>(trie.rows.size());
  options.score = ScoreRule::kSum;
  const auto found = generate(model, fixture.batch.source, prefixes.automaton(), options);
  for (std::size_t user = 0; user < found.size(); ++user) {
    if (found[user].size() != trie.rows.size()) errors.fail("beam exhaustive", "sequences are missing");
    for (const Hypothesis& hypothesis : found[user]) {
      const auto place = std::find(trie.rows.begin(), trie.rows.end(), hypothesis.tokens) - trie.rows.begin();
      errors.note("beam exhaustive", hypothesis.log_probability,
                  all[user * trie.rows.size() + static_cast<std::size_t>(place)]);
    }
  }
}

}  // namespace

void compare_beams(const Hdf5Reader& file, const std::string& group, const T5Model& model,
                   const Fixture& fixture, Errors& errors) {
  for (const std::string& name : file.list(group + "/beam")) {
    const Trie trie = read_trie(file, group + "/beam/" + name + "/trie");
    compare_search(file, group, name, stopping_of(name), &generate, trie, model, fixture, errors);
    if (name != "fixed") continue;
    for (const Search search : {&generate, &search_on_device})
      compare_search(file, group, name, Stopping::kExact, search, trie, model, fixture, errors);
    compare_exhaustive(file, group, trie, model, fixture, errors);
  }
}

}  // namespace genrec::parity
