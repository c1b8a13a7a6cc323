#include "tokenizers/simple/random_tokenizer.h"

#include <limits>
#include <numeric>
#include <span>
#include <unordered_set>
#include <vector>

#include "base/random.h"
#include "tokenizers/collision_avoidance.h"
#include "tokenizers/rqvae/item_codes.h"
#include "tokenizers/rqvae/rqvae_streams.h"

namespace genrec {
namespace {

/// The identifiers that are told apart: those of the last `levels` levels.
struct Numbering {
  std::int64_t levels = 0;
  std::int64_t identifiers = 1;  ///< codes ^ levels, at most 2^62
};

Numbering numbering_of(std::int64_t levels, std::int64_t codes) {
  Numbering numbering;
  while (numbering.levels < levels && numbering.identifiers <= (std::int64_t{1} << 62) / codes) {
    ++numbering.levels;
    numbering.identifiers *= codes;
  }
  return numbering;
}

/// The codes of identifier `number` in the last levels; levels before these are drawn.
void append_codes(std::int64_t number, const Numbering& numbering, const RandomOptions& options,
                  RandomStream stream, std::vector<std::int32_t>& out) {
  for (std::int64_t level = numbering.levels; level < options.levels; ++level) {
    out.push_back(static_cast<std::int32_t>(stream.below(static_cast<std::uint64_t>(options.codes))));
  }
  const std::size_t begin = out.size();
  out.resize(begin + static_cast<std::size_t>(numbering.levels));
  for (std::size_t place = out.size(); place > begin; --place, number /= options.codes) {
    out[place - 1] = static_cast<std::int32_t>(number % options.codes);
  }
}

/// Drawn anew until nobody has it: quick while at most half of the identifiers are taken.
std::vector<std::int64_t> drawn_numbers(std::int64_t items, std::int64_t identifiers, std::uint64_t seed) {
  std::unordered_set<std::int64_t> taken;
  std::vector<std::int64_t> numbers;
  for (std::int64_t item = 0; item < items; ++item) {
    RandomStream stream(random_identifier_key(seed, item));
    std::int64_t number = 0;
    do {
      number = static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(identifiers)));
    } while (!taken.insert(number).second);
    numbers.push_back(number);
  }
  return numbers;
}

/// All identifiers in random order, and again in another one as long as items are left.
std::vector<std::int64_t> dealt_numbers(std::int64_t items, std::int64_t identifiers, std::uint64_t seed) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(identifiers)), numbers;
  for (std::int64_t round = 0; static_cast<std::int64_t>(numbers.size()) < items; ++round) {
    std::iota(all.begin(), all.end(), std::int64_t{0});
    RandomStream(random_identifier_key(seed, round)).shuffle(std::span(all));
    numbers.insert(numbers.end(), all.begin(), all.end());
  }
  numbers.resize(static_cast<std::size_t>(items));
  return numbers;
}

}  // namespace

IdentifierTable RandomTokenizer::fit(const Dataset& dataset, Communicator& /*world*/) {
  const std::int64_t items = dataset.items();
  const Numbering numbering = numbering_of(options_.levels, options_.codes);
  const std::int64_t identifiers = numbering.identifiers;
  const std::vector<std::int64_t> numbers = identifiers / 2 >= items
                                                ? drawn_numbers(items, identifiers, options_.seed)
                                                : dealt_numbers(items, identifiers, options_.seed);
  ItemCodes codes;
  codes.levels = options_.levels;
  codes.values.reserve(static_cast<std::size_t>(items * options_.levels));
  for (std::int64_t item = 0; item < items; ++item) {
    append_codes(numbers[static_cast<std::size_t>(item)], numbering, options_,
                 RandomStream(random_levels_key(options_.seed, item)), codes.values);
  }
  IdentifierTable table = identifier_table(codes);
  return options_.avoid_collisions ? avoid_collisions(table) : table;
}

}  // namespace genrec
