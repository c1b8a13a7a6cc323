#include "data/synthetic.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "data/synthetic_words.h"

namespace genrec {
namespace {

enum Stream : std::uint64_t { kNumbering, kNeighbours, kTitle, kDuplicate, kHistory };

/// Steps of the walk: the rest goes anywhere.
constexpr double kOn = 0.62, kWithin = 0.18, kAcross = 0.15;

/// Which items make a group, in the order of its round, and which group follows it.
struct Taxonomy {
  std::vector<std::vector<ItemId>> groups;  ///< group g is of family g / options.groups
  std::vector<std::int32_t> group_of;
  std::vector<std::int32_t> place_of;  ///< of an item in its group
  std::vector<std::int32_t> neighbour;
};

Taxonomy plant(const SyntheticOptions& options, std::uint64_t seed) {
  Taxonomy taxonomy;
  const std::int32_t groups = options.families * options.groups;
  std::vector<ItemId> numbers(static_cast<std::size_t>(options.items));
  std::iota(numbers.begin(), numbers.end(), 0);
  RandomStream(seed, Purpose::kSynthetic, {kNumbering}).shuffle(std::span(numbers));
  taxonomy.groups.resize(static_cast<std::size_t>(groups));
  taxonomy.group_of.resize(numbers.size());
  taxonomy.place_of.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto group = static_cast<std::int32_t>(i) % groups;
    auto& members = taxonomy.groups[static_cast<std::size_t>(group)];
    const auto item = static_cast<std::size_t>(numbers[i]);
    taxonomy.group_of[item] = group;
    taxonomy.place_of[item] = static_cast<std::int32_t>(members.size());
    members.push_back(numbers[i]);
  }
  // One round through all groups, so that no neighbour is a group itself.
  std::vector<std::int32_t> round(static_cast<std::size_t>(groups));
  std::iota(round.begin(), round.end(), 0);
  RandomStream(seed, Purpose::kSynthetic, {kNeighbours}).shuffle(std::span(round));
  taxonomy.neighbour.resize(round.size());
  for (std::size_t i = 0; i < round.size(); ++i) {
    taxonomy.neighbour[static_cast<std::size_t>(round[i])] = round[(i + 1) % round.size()];
  }
  return taxonomy;
}

template <typename Words>
std::string pick(RandomStream& stream, const Words& words) {
  return std::string(words[stream.below(words.size())]);
}

Catalogue name_items(const SyntheticOptions& options, const Taxonomy& taxonomy, std::uint64_t seed) {
  Catalogue catalogue;
  const auto items = static_cast<std::size_t>(options.items);
  catalogue.titles.resize(items);
  catalogue.descriptions.resize(items);
  std::vector<std::string> taken;
  for (std::size_t item = 0; item < items; ++item) {
    const std::int32_t group = taxonomy.group_of[item];
    const SyntheticFamily& family = kSyntheticFamilies[static_cast<std::size_t>(group / options.groups)];
    const std::string_view kind = family.groups[static_cast<std::size_t>(group % options.groups)];
    RandomStream stream(seed, Purpose::kSynthetic, {kTitle, item});
    std::string& title = catalogue.titles[item];
    do {
      title = pick(stream, kSyntheticMakers) + " " + pick(stream, kSyntheticQualities) + " " +
              std::string(kind) + " " + std::string(family.noun) + " " +
              std::to_string(10 + stream.below(90));
    } while (std::binary_search(taken.begin(), taken.end(), title));
    taken.insert(std::upper_bound(taken.begin(), taken.end(), title), title);
    catalogue.descriptions[item] = std::string(family.noun) + ", " + std::string(kind);
  }
  // Duplicates take the title of the item before them in their group, which is no duplicate itself.
  std::vector<ItemId> candidates(items);
  std::iota(candidates.begin(), candidates.end(), 0);
  RandomStream(seed, Purpose::kSynthetic, {kDuplicate}).shuffle(std::span(candidates));
  auto wanted = static_cast<std::int64_t>(options.duplicate_titles * options.items + 0.5);
  for (const ItemId item : candidates) {
    const auto i = static_cast<std::size_t>(item);
    if (wanted == 0) break;
    if (taxonomy.place_of[i] % 2 == 0) continue;
    const auto& group = taxonomy.groups[static_cast<std::size_t>(taxonomy.group_of[i])];
    const ItemId original = group[static_cast<std::size_t>(taxonomy.place_of[i]) - 1];
    catalogue.titles[i] = catalogue.titles[static_cast<std::size_t>(original)];
    --wanted;
  }
  return catalogue;
}

/// The next item of a walk; it may be one that was seen.
ItemId next_item(const Taxonomy& taxonomy, ItemId item, RandomStream& stream) {
  const auto i = static_cast<std::size_t>(item);
  const auto& group = taxonomy.groups[static_cast<std::size_t>(taxonomy.group_of[i])];
  const auto place = static_cast<std::size_t>(taxonomy.place_of[i]);
  const double draw = stream.uniform();
  if (draw < kOn) return group[(place + 1) % group.size()];
  if (draw < kOn + kWithin) return group[stream.below(group.size())];
  if (draw < kOn + kWithin + kAcross) {
    const auto& other = taxonomy.groups[static_cast<std::size_t>(
        taxonomy.neighbour[static_cast<std::size_t>(taxonomy.group_of[i])])];
    return other[place % other.size()];
  }
  return static_cast<ItemId>(stream.below(taxonomy.group_of.size()));
}

}  // namespace

WholeDataset make_synthetic(const SyntheticOptions& options, std::uint64_t seed) {
  const bool fits = options.families >= 1 && options.families <= 8 && options.groups >= 1 &&
                    options.groups <= 6 && options.items >= 2 * options.families * options.groups &&
                    options.shortest >= 1 && options.longest >= options.shortest &&
                    options.longest <= options.items / 2;
  if (!fits)
    throw UsageError("synthetic dataset: expected families 1-8, groups 1-6, two items or more a group, " +
                     std::string("and histories of at most half the items"));
  const Taxonomy taxonomy = plant(options, seed);
  WholeDataset whole;
  whole.name = "synthetic";
  whole.catalogue = name_items(options, taxonomy, seed);
  std::vector<std::int32_t> seen_by(static_cast<std::size_t>(options.items), -1);
  const auto span = static_cast<std::uint64_t>(options.longest - options.shortest + 1);
  for (std::int32_t user = 0; user < options.users; ++user) {
    RandomStream stream(seed, Purpose::kSynthetic, {kHistory, static_cast<std::uint64_t>(user)});
    // The smaller of two draws: short histories are the common ones.
    const auto length =
        static_cast<std::size_t>(options.shortest) + std::min(stream.below(span), stream.below(span));
    auto item = static_cast<ItemId>(stream.below(static_cast<std::uint64_t>(options.items)));
    for (std::size_t n = 0; n < length;) {
      auto& seen = seen_by[static_cast<std::size_t>(item)];
      if (seen != user) {
        seen = user;
        whole.items.push_back(item);
        ++n;
      }
      // A walk that meets a seen item goes on from there, and sooner or later leaves what is known.
      item = next_item(taxonomy, item, stream);
    }
    whole.offsets.push_back(static_cast<std::int64_t>(whole.items.size()));
  }
  return whole;
}

}  // namespace genrec
